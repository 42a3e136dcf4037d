import { Command } from "commander";
import { getAddress } from "ethers";
import type { ChainView } from "../bridges/bridge.js";
import type { Chain } from "../chain/connect.js";
import { loadConfig } from "../config/load.js";
import { networkById } from "../config/networks.js";
import { ArbError } from "../errors.js";
import { connectTo } from "../execution/session.js";
import { requireHead } from "../chain/witnesses.js";
import { scanForFunds } from "../transfers/scan.js";
import { formatDecimal, parseDuration } from "../units.js";
import type { CommonOptions } from "./common.js";
import { makeOutput } from "./output.js";

export function recoverCommand(): Command {
  return new Command("recover")
    .description("finds money of an account that is between networks or stranded, from the chains alone: no database is needed")
    .option("--config <file>", "configuration", "arb.config.jsonc")
    .requiredOption("--scan", "search the configured networks")
    .requiredOption("--account <address>", "whose money")
    .option("--back <duration>", "how far back to search", "24 h")
    .action(async (options: CommonOptions & { config: string; account: string; back: string }) => {
      const config = loadConfig(options.config);
      const account = checked(options.account);
      const chains: Chain[] = [];
      try {
        for (const network of config.networks) chains.push(await connectTo(network, config));
        const views = chains.map(viewOf);
        const found = await scanForFunds({ account, views, lookBackSeconds: parseDuration(options.back) / 1000 });
        makeOutput(options).result(found, () =>
          found.length === 0
            ? `nothing of ${account} was found`
            : found
                .map((f) => {
                  const network = networkById(f.chainId);
                  const token = network?.tokens.find((t) => t.address === f.token);
                  const amount = token
                    ? `${formatDecimal(f.amount, token.decimals)} ${token.symbol}`
                    : `${f.amount} of ${f.token}`;
                  const age = f.ageSeconds === null ? "" : `, ${f.ageSeconds} s old`;
                  const until = f.deadline === null ? "" : `, deadline ${new Date(f.deadline * 1000).toISOString()}`;
                  return `${f.kind} on ${network?.title ?? `chain ${f.chainId}`}: ${amount}${age}${until}, waits for ${f.waitsFor}${f.txHash === null ? "" : ` (${f.txHash})`}`;
                })
                .join("\n"),
        );
      } finally {
        for (const chain of chains) chain.close();
      }
    });
}

function checked(address: string): string {
  try {
    return getAddress(address);
  } catch {
    throw new ArbError("usage", `"${address.slice(0, 60)}" is no address`, { where: "--account" });
  }
}

const viewOf = (chain: Chain): ChainView => ({
  network: chain.network,
  provider: chain.provider,
  finalBlock: async () => BigInt(Math.max(0, (await requireHead(chain)).number - chain.network.finality.blocks)),
});
