import { Command } from "commander";
import { getAddress } from "ethers";
import type { ChainView } from "../bridges/bridge.js";
import { trackingBridges } from "../bridges/index.js";
import type { Chain } from "../chain/connect.js";
import { type Config, loadConfig } from "../config/load.js";
import { networkById } from "../config/networks.js";
import { databaseSettings } from "../database/settings.js";
import { ArbError, EXIT_CODES } from "../errors.js";
import { connectTo } from "../execution/session.js";
import { requireHead } from "../chain/witnesses.js";
import { feePolicy } from "../fees/fees.js";
import { openJournalOf } from "../journal/open.js";
import { type Finished, finishFound } from "../transfers/finish.js";
import { type Found, type Holder, scanForFunds } from "../transfers/scan.js";
import { Senders } from "../transfers/senders.js";
import { formatDecimal, parseDuration } from "../units.js";
import { vaultAddress } from "../vault/address.js";
import { openWallets } from "../wallet/open.js";
import { type ConfigOptions, withConfig } from "./common.js";
import { makeOutput, type Output } from "./output.js";

type Options = ConfigOptions & { account: string; vault?: string; back: string; finish?: boolean };

export function recoverCommand(): Command {
  return withConfig(new Command("recover"))
    .description(
      "finds money of an account and its vault that is between networks or stranded, from the chains alone: no database is needed",
    )
    .requiredOption("--scan", "search the configured networks")
    .requiredOption("--account <address>", "whose money; with --finish, a configured wallet, which pays the gas")
    .option("--vault <address>", "an ArbVault beside those of the configuration and the deployment records")
    .option("--back <duration>", 'how far back to search; withdrawals of layer 2s take more than a week: "360 h"', "24 h")
    .option("--finish", 'send the calls that finish what can be finished; needs mode "live"')
    .action(async (options: Options) => {
      const config = loadConfig(options.config);
      const output = makeOutput(options);
      const account = checked(options.account, "--account");
      const chains: Chain[] = [];
      try {
        for (const network of config.networks) chains.push(await connectTo(network, config));
        const lookBackSeconds = parseDuration(options.back) / 1000;
        const holders = holdersOf(config, options, account);
        const found = await scanForFunds({
          holders,
          views: chains.map(viewOf),
          bridges: trackingBridges(config),
          lookBackSeconds,
        });
        if (options.finish !== true) {
          output.result(found, () => textOf(found, account));
          return;
        }
        const finished = await finish(found, config, chains, account, output);
        output.result(finished, () => finished.map(finishedText).join("\n") || "nothing of it can be finished now");
        if (finished.some((f) => !f.sent)) process.exitCode = EXIT_CODES.reverted;
      } finally {
        for (const chain of chains) chain.close();
      }
    });
}

function holdersOf(config: Config, options: Options, account: string): Holder[] {
  const vaults = config.networks.flatMap((n) => vaultAddress(n, options.deployments) ?? []);
  if (options.vault !== undefined) vaults.push(checked(options.vault, "--vault"));
  return [
    { address: account, isVault: false },
    ...[...new Set(vaults.map((v) => getAddress(v)))].map((address) => ({ address, isVault: true })),
  ];
}

async function finish(found: Found[], config: Config, chains: Chain[], account: string, output: Output): Promise<Finished[]> {
  if (config.mode !== "live")
    throw new ArbError("config", 'the configuration\'s mode is "dry-run": nothing is sent', {
      where: "mode",
      hint: 'set it to "live", or send the calls that the scan prints with --json from any wallet',
    });
  const wallets = [...(await openWallets(config)).values()];
  try {
    if (!wallets.some((w) => w.address === account))
      throw new ArbError("secrets", `no configured wallet has the account ${account}`, { where: "--account" });
    const opened = await openJournalOf(await databaseSettings(config), { keepDays: config.database.keepDays });
    const networks = chains.map((chain) => {
      const { network } = chain;
      const own = config.networks.find((n) => n.network.chainId === network.chainId)!;
      return { chain, fees: feePolicy(own, config.gas.patienceBlocks) };
    });
    const senders = new Senders(opened.journal, networks, wallets, (error) => output.note(String(error)));
    try {
      return await finishFound(found, senders, account, config.timeouts.receiptMs);
    } finally {
      await senders.close();
      await opened.close();
    }
  } finally {
    for (const wallet of wallets) wallet.close();
  }
}

function textOf(found: Found[], account: string): string {
  if (found.length === 0) return `nothing of ${account} was found`;
  const lines = found.map((f) => {
    const network = networkById(f.chainId);
    const title = network?.title ?? `chain ${f.chainId}`;
    const to = f.toChainId === null ? "" : ` to ${networkById(f.toChainId)?.title ?? `chain ${f.toChainId}`}`;
    const by = f.bridge === null ? "" : ` by ${f.bridge}`;
    const age = f.ageSeconds === null ? "" : `, ${f.ageSeconds} s old`;
    const until = f.deadline === null ? "" : `, deadline ${new Date(f.deadline * 1000).toISOString()}`;
    const state = f.state === null ? f.kind : `${f.kind} ${f.state}`;
    const tx = f.txHash === null ? "" : ` (${f.txHash})`;
    const can = f.finish === null ? "" : "; --finish sends it";
    return `${state}${by} on ${title}${to}: ${amountText(f)} of ${f.holder}${age}${until}, waits for ${f.waitsFor}${can}${tx}`;
  });
  return lines.join("\n");
}

function amountText(f: Found): string {
  const network = networkById(f.chainId);
  const token = network?.tokens.find((t) => t.address.toLowerCase() === f.token.toLowerCase());
  if (token) return `${formatDecimal(f.amount, token.decimals)} ${token.symbol}`;
  return network?.nativeSymbol === f.symbol ? `${formatDecimal(f.amount, 18)} ${f.symbol}` : `${f.amount} of ${f.token}`;
}

const finishedText = (f: Finished): string =>
  `${amountText(f.found)}: ${f.sent ? `${f.detail} (${f.hash})` : `NOT finished: ${f.detail}`}`;

function checked(address: string, where: string): string {
  try {
    return getAddress(address);
  } catch {
    throw new ArbError("usage", `"${address.slice(0, 60)}" is no address`, { where });
  }
}

const viewOf = (chain: Chain): ChainView => ({
  network: chain.network,
  provider: chain.provider,
  finalBlock: async () => BigInt(Math.max(0, (await requireHead(chain)).number - chain.network.finality.blocks)),
});
