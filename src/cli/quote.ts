import { ZeroAddress } from "ethers";
import { Command } from "commander";
import type { Chain } from "../chain/connect.js";
import { formatToken } from "../config/format-token.js";
import { type Config, loadConfig } from "../config/load.js";
import { databaseSettings } from "../database/settings.js";
import { ArbError } from "../errors.js";
import { openCrossChainSession } from "../execution/cross-chain-session.js";
import { ErrorHandler } from "../execution/error-handler.js";
import { followedBy, type NotFollowed, viewBehind } from "../execution/follow.js";
import { connectTo, executorOf, stepExecutorOf, validationOf } from "../execution/session.js";
import { type FeePolicy, feePolicy } from "../fees/fees.js";
import { type OpenJournal, openJournalOf } from "../journal/open.js";
import { quoteAtBlock } from "../market/market.js";
import { createIntake } from "../opportunity/intake.js";
import type { Opportunity } from "../opportunity/opportunity.js";
import type { Quote } from "../opportunity/quote.js";
import { type ConfigOptions, withConfig } from "./common.js";
import { isAcross, printJudged } from "./cross-chain.js";
import { itemsOf } from "./execute.js";
import { makeOutput, outcomeJson } from "./output.js";
import { columns, outcomeText } from "./table.js";
import type { Network } from "../config/network.js";

export function quoteCommand(): Command {
  return withConfig(new Command("quote"))
    .description("exact amounts, size, funding and profit of opportunities on the present state; needs no key, sends nothing")
    .argument("[file]", "a .json file (one opportunity or a list), or JSON lines; - or nothing reads stdin", "-")
    .action(async (file: string, options: ConfigOptions) => {
      const output = makeOutput(options);
      const config = loadConfig(options.config);
      const intake = createIntake(() => validationOf(config));
      let trading: ReturnType<typeof openForQuotes> | null = null;
      try {
        for await (const { result } of itemsOf(file, intake)) {
          if (!result.ok) {
            const outcome = { status: "rejected", rejection: result.rejection } as const;
            output.result(outcomeJson(outcome), () => outcomeText(outcome, []));
            continue;
          }
          const opportunity = result.value;
          if (isAcross(opportunity)) {
            trading ??= openForQuotes(config, options.deployments, (error) =>
              output.note(new ErrorHandler().describe(error).message),
            );
            const networks = config.networks.map((n) => n.network);
            printJudged("quoted", opportunity, await (await trading).session.judge(opportunity), networks, output);
            continue;
          }
          const networkConfig = config.networks.find((n) => n.network.chainId === opportunity.chainId);
          if (!networkConfig) throw new ArbError("internal", `chain ${opportunity.chainId} passed validation unconfigured`);
          const { network } = networkConfig;
          const chain = await connectTo(networkConfig, config);
          try {
            const executor = executorOf(networkConfig, options.deployments) ?? ZeroAddress;
            const view = await viewOf(opportunity, chain, feePolicy(networkConfig, config.gas.patienceBlocks));
            if ("rejection" in view) {
              const outcome = { status: "rejected", ...view } as const;
              output.result(outcomeJson(outcome), () => outcomeText(outcome, []));
              continue;
            }
            const quoted = await quoteAtBlock(view.chain.provider, network, opportunity, {
              executor,
              stepExecutor: stepExecutorOf(networkConfig, options.deployments),
              funding: config.fundingPreference,
            });
            if (quoted.result.ok) {
              const quote = quoted.result.value;
              output.result(quoteJson(quote), () => quoteText(quote, network));
            } else {
              const outcome = { status: "rejected", rejection: quoted.result.rejection } as const;
              output.result(outcomeJson(outcome), () => outcomeText(outcome, []));
            }
          } finally {
            chain.close();
          }
        }
      } finally {
        await (await trading)?.close();
      }
    });
}

/** Everything that looks at cross-chain trades and inventory, without keys. */
export async function openForQuotes(config: Config, deployments: string, onFault: (error: unknown) => void) {
  let opened: OpenJournal | null = null;
  const close = async () => {
    await opened?.close();
  };
  try {
    const session = await openCrossChainSession({
      config: { ...config, mode: "dry-run" },
      wallets: new Map(),
      database: async () =>
        (opened = await openJournalOf(await databaseSettings(config), { onFault, keepDays: config.database.keepDays })),
      deployments,
      connect: async (network) => await connectTo(network, config),
      routesOf: () => Promise.reject(new ArbError("internal", "a quote needs no routes")),
      isLocalWorld: () => Promise.resolve(false),
      onFault,
    });
    return { session, close: async () => (await session.close(), await close()) };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The chain as the opportunity will find it: behind the transaction that it follows. */
async function viewOf(opportunity: Opportunity, chain: Chain, fees: FeePolicy): Promise<{ chain: Chain } | NotFollowed> {
  const followed = await followedBy(opportunity, chain, chain.network.stack === "l1");
  if ("rejection" in followed || followed.after === null) return "rejection" in followed ? followed : { chain };
  return await viewBehind(opportunity, followed.after, chain, fees);
}

function quoteJson(quote: Quote): Record<string, unknown> {
  const { opportunity, hops, funding, blockNumber, blockHash, amountIn, amountOut, fundingFee, profit, sizing, priceImpactPpm } =
    quote;
  return {
    status: "quoted",
    opportunityId: opportunity.id,
    chainId: opportunity.chainId,
    block: { number: blockNumber, hash: blockHash },
    sizing,
    amountIn,
    amountOut,
    funding: funding.source,
    fundingFee,
    profit,
    profitToken: hops[0]?.tokenIn,
    priceImpactPpm,
    hops: hops.map(({ pool, ...hop }) => ({ venue: pool.venue, pool: pool.address, ...hop })),
  };
}

function quoteText(quote: Quote, network: Network): string {
  const units = (token: string, amount: bigint) => formatToken(network, token, amount);
  const token = quote.hops[0]?.tokenIn ?? "";
  const rows = quote.hops.map((hop) => {
    return [hop.pool.venue, hop.pool.address, units(hop.tokenIn, hop.amountIn), "->", units(hop.tokenOut, hop.amountOut)];
  });
  return [
    `${quote.opportunity.id}: ${units(token, quote.profit)} profit before gas on ${network.title}, block ${quote.blockNumber}`,
    columns(rows),
    `size: ${quote.sizing}, funding: ${quote.funding.source} (fee ${units(token, quote.fundingFee)})`,
  ].join("\n");
}
