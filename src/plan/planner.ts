import type { Provider } from "ethers";
import type { Network } from "../config/network.js";
import type { Quote } from "../opportunity/quote.js";
import type { RejectReason, Result } from "../opportunity/reject.js";
import { formatToken } from "../config/format-token.js";
import { type TransactionCost, priceInToken } from "./cost.js";
import type { Plan } from "./plan.js";
import { revertReason, simulate } from "./simulate.js";
import type { SlippageManager } from "./slippage.js";
import type { Call, TransactionBuilder } from "./transaction-builder.js";

/** What a transaction pays per gas, and for its data on a rollup. All in wei. */
export interface PlanFees {
  maxFeePerGas: bigint;
  maxPriorityFeePerGas: bigint;
  /** Base fee of the next block. */
  baseFeePerGas: bigint;
  /** Fee for posting a transaction with this calldata to L1; 0 where there is none. */
  dataFee(data: string): Promise<bigint>;
}

export interface PlannerSettings {
  /** Share of the cost that the profit must exceed it by, ppm. */
  costMarginPpm: number;
  /** Least profit after all costs, base units of the profit token. */
  minNetProfit: bigint;
  /** Added to the gas estimate, ppm of it. */
  gasBufferPpm: number;
  /** Seconds until a plan expires on chain. */
  timeToLive: number;
}

export interface PlannerContext {
  provider: Provider;
  network: Network;
  executor: string;
  operator: string;
  builder: TransactionBuilder;
  slippage: SlippageManager;
  fees: PlanFees;
  settings: PlannerSettings;
  /** Unix seconds of the head block. */
  headTime: number;
}

/** A plan that passed simulation, ready to be signed. */
export interface PlannedTrade {
  quote: Quote;
  plan: Plan;
  call: Call;
  gasLimit: bigint;
  fees: PlanFees;
  cost: TransactionCost;
}

const MILLION = 1_000_000n;

/**
 * Turns a quote into calldata with its bounds: estimates gas on a draft, prices it in the profit token, sets the least
 * profit above cost, margin and the least net profit, and simulates the exact final call on the quoted block.
 */
export async function makePlan(quote: Quote, context: PlannerContext): Promise<Result<PlannedTrade>> {
  const { provider, network, executor, operator, builder, settings, fees } = context;
  const profitToken = quote.hops[0]?.tokenIn ?? "";
  const reject = (reason: RejectReason, detail: string): Result<PlannedTrade> => ({
    ok: false,
    rejection: { opportunityId: quote.opportunity.id, reason, detail, where: null },
  });
  const units = (amount: bigint) => formatToken(network, profitToken, amount);

  const draft = draftPlan(quote, context);
  const draftCall = builder.executePlan(executor, draft);
  let gas: bigint;
  try {
    gas = await provider.estimateGas({ ...draftCall, from: operator });
  } catch (error) {
    const reason = revertReason(error);
    if (reason === null) throw error;
    return reject("simulation-reverted", reason);
  }
  const gasLimit = gas + (gas * BigInt(settings.gasBufferPpm)) / MILLION;
  if (network.transactionGasCap !== null && gasLimit > BigInt(network.transactionGasCap)) {
    return reject("risk-limit", `needs ${gasLimit} gas, ${network.title} takes ${network.transactionGasCap} per transaction`);
  }

  const wei = gas * (fees.baseFeePerGas + fees.maxPriorityFeePerGas) + (await fees.dataFee(draftCall.data));
  const inProfitToken = await priceInToken(provider, network, profitToken, wei, quote.blockNumber);
  if (inProfitToken === null) return reject("no-gas-price", `no known pool prices ${network.nativeSymbol} in ${profitToken}`);
  const floor = inProfitToken + (inProfitToken * BigInt(settings.costMarginPpm)) / MILLION + settings.minNetProfit;
  if (quote.profit < floor) {
    return reject("below-cost", `profit ${units(quote.profit)}, gas with margin and least net profit ${units(floor)}`);
  }

  const plan = { ...draft, ...context.slippage.bounds({ ...quote, amounts: draft.amounts }, floor) };
  const call = builder.executePlan(executor, plan);
  const simulation = await simulate(provider, call, operator, gasLimit, quote.blockNumber);
  if (!simulation.ok) return reject("simulation-reverted", simulation.reason);
  const cost = { gas, wei, inProfitToken };
  return { ok: true, value: { quote, plan, call, gasLimit, fees, cost } };
}

/** The plan with its profit bound still open, to estimate gas on. */
function draftPlan(quote: Quote, context: PlannerContext): Plan {
  const { opportunity, funding } = quote;
  const expiry = context.headTime + context.settings.timeToLive;
  return {
    chainId: opportunity.chainId,
    amounts: opportunity.amounts ?? (context.network.stack === "l1" ? "fixed" : "adaptive"),
    funding: { source: funding.source, lender: funding.lender, maxFee: quote.fundingFee },
    profitToken: quote.hops[0]?.tokenIn ?? "",
    hops: quote.hops.map(({ pool, tokenIn, tokenOut, amountIn, amountOut }) => {
      return { kind: pool.kind, pool: pool.address, tokenIn, tokenOut, feePips: pool.feePips, amountIn, amountOut };
    }),
    maxAmountIn: quote.amountIn,
    minProfit: 0n,
    deadline: opportunity.deadline === null ? expiry : Math.min(opportunity.deadline, expiry),
    blocks: null,
  };
}
