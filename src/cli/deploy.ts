import { Command, Option } from "commander";
import { getAddress } from "ethers";
import { ArbExecutor__factory, ArbVault__factory, StepExecutor__factory } from "../../types/contracts/index.js";
import { loadConfig } from "../config/load.js";
import { NETWORKS, networkByName } from "../config/networks.js";
import { deployExecutor, EXECUTOR, VAULT, vaultRecord } from "../deploy/deploy.js";
import { stepRecordName } from "../deploy/record.js";
import { ArbError } from "../errors.js";
import { connectTo } from "../execution/session.js";
import { feePolicy } from "../fees/fees.js";
import { refuseDelegated } from "../wallet/delegation.js";
import { openWallet } from "../wallet/open.js";
import { type ConfigOptions, withConfig } from "./common.js";
import { makeOutput } from "./output.js";

interface DeployOptions extends ConfigOptions {
  network: string;
  owner: string;
  operator: string[];
  replace?: boolean;
  contract: string;
}

/** What --contract names: the contracts with their records' names. */
const CONTRACTS = {
  arb: [{ artifact: ArbExecutor__factory, recordOf: (network: string) => network, kind: EXECUTOR }],
  steps: [{ artifact: StepExecutor__factory, recordOf: stepRecordName, kind: EXECUTOR }],
  vault: [{ artifact: ArbVault__factory, recordOf: vaultRecord, kind: VAULT }],
};
const CHOICES = { ...CONTRACTS, both: [...CONTRACTS.arb, ...CONTRACTS.steps] };

export function deployCommand(): Command {
  return withConfig(new Command("deploy"))
    .description("deploy ArbExecutor, or ArbVault, to its deterministic address and record it; running it again sends nothing")
    .requiredOption("--network <name>", NETWORKS.map((n) => n.name).join(", "))
    .requiredOption("--owner <address>", "cold address that may withdraw; it cannot be changed to an operator")
    .option("--operator <address...>", "hot addresses that may execute, one to four; default: the wallet's", [])
    .addOption(
      new Option("--contract <which>", "ArbExecutor, StepExecutor (Curve, Balancer, vaults, every lender), both, or ArbVault")
        .choices(Object.keys(CHOICES))
        .default("arb"),
    )
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
      const account = config.wallets.get(networkConfig.wallets[0] ?? "") ?? config.wallet;
      if (account === null) {
        throw new ArbError("config", "a deployment needs a wallet", {
          where: "wallet",
          hint: "make one with: arb wallet create",
        });
      }
      const owner = addressOf(options.owner, "--owner");
      const operators = options.operator.map((o) => addressOf(o, "--operator"));
      const wallet = await openWallet(account, config.mode);
      const chain = await connectTo(networkConfig, config);
      try {
        await refuseDelegated(chain, wallet.address);
        // a multisig of another network is nobody here, until somebody, perhaps somebody else, puts a contract at its address
        if (options.contract === "vault" && (await chain.provider.getCode(owner)) === "0x")
          output.note(`the owner ${owner} has no code on ${network.title}: it must be an account whose key you hold`);
        output.note(`deploying on ${network.title} as ${wallet.address}`);
        for (const { artifact, recordOf, kind } of CHOICES[options.contract as keyof typeof CHOICES]) {
          const { deployment, sent } = await deployExecutor({
            chain,
            wallet,
            artifact,
            kind,
            arguments: { owner, operators: operators.length > 0 ? operators : [wallet.address] },
            folder: options.deployments,
            name: recordOf(network.name),
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
        }
      } finally {
        wallet.close();
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
