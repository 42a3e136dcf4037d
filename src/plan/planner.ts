import type { Chain } from "../chain/connect.js";
import { dataFee } from "../chain/fees.js";
import { ArbError } from "../errors.js";
import { formatToken } from "../config/format-token.js";
import type { Quote } from "../opportunity/quote.js";
import type { RejectReason, Result } from "../opportunity/reject.js";
import { type TransactionCost, priceInToken } from "./cost.js";
import type { Plan } from "./plan.js";
import { simulate } from "./simulate.js";
import type { SlippageManager } from "./slippage.js";
import type { Call, TransactionBuilder } from "./transaction-builder.js";
import { estimateGas } from "../wallet/gas.js";

/** What a transaction pays per gas, in wei. */
export interface PlanFees {
  maxFeePerGas: bigint;
  maxPriorityFeePerGas: bigint;
  nextBaseFee: bigint;
}

export interface PlannerSettings {
  /** Share of the cost that the profit must exceed it by, ppm. */
  costMarginPpm: number;
  /** Least profit after all costs, base units of the profit token. */
  minNetProfit: bigint;
  /** Added to the gas estimate, ppm of it. */
  gasBufferPpm: number;
  /** Most that one transaction may cost, wei. */
  maxGasCost: bigint;
  /** Seconds until a plan expires on chain. */
  timeToLive: number;
}

export interface PlannerContext {
  chain: Chain;
  executor: string;
  /** Address that sends; one of the executor's operators. */
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
 * Most gas that a pool's price oracle takes in its first swap of a later second. The node estimates at the head block's time: where
 * the pool was last moved in that block, as by the very trade that made the opportunity, the estimate has none of it. V2: two new
 * words (UniswapV2Pair._update), V3: one (Oracle.write); a new word costs 22,100 (EIP-2929, EIP-2200).
 */
const ORACLE_GAS = { v2: 44_200n, v3: 22_100n } as const;

/**
 * Turns a quote into calldata with its bounds: estimates gas on a draft, prices it in the profit token, sets the least
 * profit above cost, margin and the least net profit, and simulates the exact final call on the quoted block.
 */
export async function makePlan(quote: Quote, context: PlannerContext): Promise<Result<PlannedTrade>> {
  const { executor, operator, builder, settings, fees } = context;
  const { provider, network } = context.chain;
  const profitToken = quote.hops[0]?.tokenIn ?? "";
  const reject = (reason: RejectReason, detail: string): Result<PlannedTrade> => ({
    ok: false,
    rejection: { opportunityId: quote.opportunity.id, reason, detail, where: null },
  });
  const units = (amount: bigint) => formatToken(network, profitToken, amount);

  const draft = draftPlan(quote, context);
  const draftCall = builder.executePlan(executor, draft);
  let gas: { estimate: bigint; limit: bigint };
  try {
    const oracles = quote.hops.reduce((sum, { pool }) => sum + ORACLE_GAS[pool.kind], 0n);
    gas = await estimateGas(context.chain, { ...draftCall, from: operator }, settings.gasBufferPpm, oracles);
  } catch (error) {
    if (!(error instanceof ArbError) || error.code !== "reverted") throw error;
    const draftRun = await simulate(provider, draftCall, operator, null, quote.blockNumber);
    return reject("simulation-reverted", draftRun.ok ? error.message : draftRun.reason);
  }

  const wei = await expectedCost(draftCall, gas.estimate, gas.limit, context);
  if (wei > settings.maxGasCost) {
    return reject("risk-limit", `the transaction would cost ${wei} wei, the limit is ${settings.maxGasCost}`);
  }
  const inProfitToken = await priceInToken(provider, network, profitToken, wei, quote.blockNumber);
  if (inProfitToken === null) return reject("no-gas-price", `no known pool prices ${network.nativeSymbol} in ${profitToken}`);
  const floor = inProfitToken + (inProfitToken * BigInt(settings.costMarginPpm)) / MILLION + settings.minNetProfit;
  if (quote.profit < floor) {
    return reject("below-cost", `profit ${units(quote.profit)}, gas with margin and least net profit ${units(floor)}`);
  }

  const plan = { ...draft, ...context.slippage.bounds({ ...quote, amounts: draft.amounts }, floor) };
  const call = builder.executePlan(executor, plan);
  const simulation = await simulate(provider, call, operator, gas.limit, quote.blockNumber);
  if (!simulation.ok) return reject("simulation-reverted", simulation.reason);
  const cost = { gas: gas.estimate, wei, inProfitToken };
  return { ok: true, value: { quote, plan, call, gasLimit: gas.limit, fees, cost } };
}

/** Gas at the next block's base fee and our tip, and on the OP stack the fees for data and operator. In wei. */
async function expectedCost(call: Call, gas: bigint, gasLimit: bigint, context: PlannerContext): Promise<bigint> {
  const { maxFeePerGas, maxPriorityFeePerGas, nextBaseFee } = context.fees;
  const { chainId } = context.chain.network;
  const transaction = {
    type: 2,
    chainId,
    ...call,
    nonce: 0,
    gasLimit,
    maxFeePerGas,
    maxPriorityFeePerGas,
    from: context.operator,
  };
  const extra = await dataFee(context.chain, transaction);
  return gas * (nextBaseFee + maxPriorityFeePerGas) + extra.l1FeeWei + extra.operatorFeeWei;
}

/** The plan with its profit bound still open, to estimate gas on. */
function draftPlan(quote: Quote, context: PlannerContext): Plan {
  const { opportunity, funding } = quote;
  const expiry = context.headTime + context.settings.timeToLive;
  return {
    chainId: opportunity.chainId,
    amounts: opportunity.amounts ?? (context.chain.network.stack === "l1" ? "fixed" : "adaptive"),
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
