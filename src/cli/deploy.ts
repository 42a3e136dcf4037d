import { Command } from "commander";
import { getAddress } from "ethers";
import { ArbExecutor__factory, ArbVault__factory } from "../../types/contracts/index.js";
import { loadConfig } from "../config/load.js";
import { NETWORKS, networkByName } from "../config/networks.js";
import { deployExecutor, EXECUTOR, VAULT, vaultRecord } from "../deploy/deploy.js";
import { ArbError } from "../errors.js";
import { feePolicy } from "../fees/fees.js";
import { connectTo, openWallet } from "../execution/session.js";
import { type ConfigOptions, withConfig } from "./common.js";
import { makeOutput } from "./output.js";

interface DeployOptions extends ConfigOptions {
  network: string;
  owner: string;
  operator: string[];
  replace?: boolean;
  vault?: boolean;
}

export function deployCommand(): Command {
  return withConfig(new Command("deploy"))
    .description("deploy ArbExecutor, or ArbVault, to its deterministic address and record it; running it again sends nothing")
    .requiredOption("--network <name>", NETWORKS.map((n) => n.name).join(", "))
    .requiredOption("--owner <address>", "cold address that may withdraw; it cannot be changed to an operator")
    .option("--operator <address...>", "hot addresses that may execute, one to four; default: the wallet's", [])
    .option("--vault", "deploy ArbVault, which holds the inventory of cross-chain trades")
    .option("--replace", "accept that another contract of the kind is recorded for the network")
    .action(async (options: DeployOptions) => {
      const output = makeOutput(options);
      const network = networkByName(options.network);
      if (!network) {
        throw new ArbError("usage", `there is no network "${options.network}"`, {
          where: "--network",
          hint: `known are ${NETWORKS.map((n) => n.name).join(", ")}`,
        });
      }
      const config = loadConfig(options.config);
      const networkConfig = config.networks.find((n) => n.network.name === network.name);
      if (!networkConfig) {
        throw new ArbError("config", `${network.name} is not configured`, { where: "networks", hint: "add its endpoint" });
      }
      if (config.wallet === null) {
        throw new ArbError("config", "a deployment needs a wallet", {
          where: "wallet",
          hint: "make one with: arb wallet create",
        });
      }
      const owner = addressOf(options.owner, "--owner");
      const operators = options.operator.map((o) => addressOf(o, "--operator"));
      const wallet = await openWallet(config.wallet, config.mode);
      const chain = await connectTo(networkConfig, config);
      const isVault = options.vault === true;
      try {
        output.note(`deploying on ${network.title} as ${wallet.address}`);
        // a multisig of another network is nobody here, until somebody, perhaps somebody else, puts a contract at its address
        if (isVault && (await chain.provider.getCode(owner)) === "0x")
          output.note(`the owner ${owner} has no code on ${network.title}: it must be an account whose key you hold`);
        const { deployment, sent } = await deployExecutor({
          chain,
          wallet,
          artifact: isVault ? ArbVault__factory : ArbExecutor__factory,
          kind: isVault ? VAULT : EXECUTOR,
          ...(isVault ? { name: vaultRecord(network.name) } : {}),
          arguments: { owner, operators: operators.length > 0 ? operators : [wallet.address] },
          folder: options.deployments,
          fees: feePolicy(networkConfig, config.gas.patienceBlocks),
          deadlineMs: config.timeouts.receiptMs,
          pollMs: Math.max(100, network.blockTimeMs),
          ...(options.replace === true ? { replace: true } : {}),
        });
        output.result({ network: network.name, sent, ...deployment }, () => {
          return sent
            ? `deployed at ${deployment.address} in block ${deployment.block} (${deployment.tx})`
            : `already deployed at ${deployment.address}; nothing was sent`;
        });
      } finally {
        chain.close();
      }
    });
}

function addressOf(text: string, where: string): string {
  try {
    return getAddress(text);
  } catch {
    throw new ArbError("usage", `"${text}" is no address, or its checksum is wrong`, { where });
  }
}
