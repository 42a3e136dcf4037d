import { Command } from "commander";
import { loadConfig } from "../config/load.js";
import { readSecret } from "../config/secrets.js";
import { connectTo, executorOf, stepExecutorOf } from "../execution/session.js";
import { ArbError } from "../errors.js";
import { createKeystore, importKey, importKeystore } from "../wallet/keystore.js";
import { openWallets } from "../wallet/open.js";
import type { WalletManager } from "../wallet/wallet-manager.js";
import { type CommonOptions, type ConfigOptions, withConfig } from "./common.js";
import { makeOutput } from "./output.js";
import { columns } from "./table.js";

const PASSWORD = 'where the password comes from: "prompt", "file:/path" (mode 0600) or "fd:3"';

export function walletCommand(): Command {
  const wallet = new Command("wallet").description("encrypted keystores (version 3) and balances");
  wallet
    .command("create")
    .description("make a new key, encrypted; never overwrites a file")
    .argument("<file>")
    .option("--password <reference>", PASSWORD, "prompt")
    .action(async (file: string, options: CommonOptions & { password: string }) => {
      const password = await readSecret(options.password, { prompt: "New password", where: "--password" });
      await confirm(options.password, password.reveal());
      const address = await createKeystore(file, password);
      makeOutput(options).result({ address, file }, () => `${address} in ${file}`);
    });
  wallet
    .command("import")
    .description("take over a key: a keystore file of geth, Foundry or others, or a private key by reference")
    .argument("<file>", "keystore to write")
    .option("--from <keystore>", "keystore file to copy")
    .option("--key <reference>", 'private key: "prompt", "file:/path" or "fd:3"')
    .option("--password <reference>", PASSWORD, "prompt")
    .action(async (file: string, options: CommonOptions & { from?: string; key?: string; password: string }) => {
      if ((options.from === undefined) === (options.key === undefined)) {
        throw new ArbError("usage", "give exactly one of --from and --key");
      }
      const key = options.key === undefined ? null : await readSecret(options.key, { prompt: "Private key", where: "--key" });
      const password = await readSecret(options.password, { prompt: "Password", where: "--password" });
      const address =
        key === null ? await importKeystore(file, options.from ?? "", password) : await importKey(file, key, password);
      makeOutput(options).result({ address, file }, () => `${address} in ${file}`);
    });
  withConfig(wallet.command("show"))
    .description("what the accounts and the executors hold on every configured network")
    .action(async (options: ConfigOptions) => {
      const config = loadConfig(options.config);
      if (config.wallet === null) throw new ArbError("config", "no wallet is configured", { where: "wallet" });
      const wallets = await openWallets(config);
      const balances = await Promise.all(
        config.networks.map(async (networkConfig) => {
          const [first, ...more] = networkConfig.wallets.flatMap((name) => wallets.get(name) ?? []);
          // an account of other networks has nothing to show here
          if (first === undefined) return [];
          const chain = await connectTo(networkConfig, config);
          try {
            const holds = async (at: string | null) =>
              at === null ? null : { address: at, tokens: (await first.balances(chain, { account: at })).tokens };
            const executor = await holds(executorOf(networkConfig, options.deployments));
            const stepExecutor = await holds(stepExecutorOf(networkConfig, options.deployments));
            const held = async (manager: WalletManager) => ({ address: manager.address, ...(await manager.balances(chain)) });
            const none = { executor: null, stepExecutor: null };
            return [
              { ...(await held(first)), executor, stepExecutor },
              ...(await Promise.all(more.map(async (manager) => ({ ...(await held(manager)), ...none })))),
            ];
          } finally {
            chain.close();
          }
        }),
      );
      const { address } = [...wallets.values()][0] ?? { address: null };
      for (const manager of wallets.values()) manager.close();
      makeOutput(options).result({ address, balances: balances.flat() }, () => {
        const rows = balances
          .flat()
          .flatMap((b) => [
            [b.network, "wallet", b.address, b.native.text, ...b.tokens.map((t) => t.text)],
            ...(b.stepExecutor
              ? [[b.network, "StepExecutor", b.stepExecutor.address, "", ...b.stepExecutor.tokens.map((t) => t.text)]]
              : []),
            ...(b.executor ? [[b.network, "executor", b.executor.address, "", ...b.executor.tokens.map((t) => t.text)]] : []),
          ]);
        return columns(rows);
      });
    });
  return wallet;
}

/** A typed password is asked for twice: a slip would lock the key away for ever. */
async function confirm(reference: string, password: string): Promise<void> {
  if (reference !== "prompt") return;
  const again = await readSecret("prompt", { prompt: "The same again" });
  if (again.reveal() !== password) throw new ArbError("secrets", "the two passwords differ; nothing was written");
}
