import type { Chain } from "../chain/connect.js";
import { dataFee } from "../fees/fees.js";
import { ArbError } from "../errors.js";
import { formatToken } from "../config/format-token.js";
import type { Quote } from "../opportunity/quote.js";
import type { RejectReason, Result } from "../opportunity/reject.js";
import { type TransactionCost, feeCeiling, mostTip, priceInToken } from "./cost.js";
import { formatOf } from "./format.js";
import { DEFAULT_GUARDS, type GuardSettings, guardsFor, tipFor } from "./planner-guards.js";
import { planHop } from "./plan-hop.js";
import type { Plan, PlanTip } from "./plan.js";
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
  /** Which guards plans get; default: DEFAULT_GUARDS. */
  guards?: GuardSettings;
}

export interface PlannerContext {
  chain: Chain;
  executor: string;
  /** A StepExecutor, for plans that the executor does not know; null where none is deployed. */
  stepExecutor?: string | null;
  /** Address that sends; one of the executor's operators. */
  operator: string;
  builder: TransactionBuilder;
  slippage: SlippageManager;
  fees: PlanFees;
  /** What the block's proposer gets inside the plan; absent = what the guards' settings say. */
  tip?: PlanTip | null;
  settings: PlannerSettings;
  /** Unix seconds of the head block. */
  headTime: number;
  /** Of a bundle: the block that it must follow. */
  parentHash?: string | null;
}

/** A plan that passed simulation, ready to be signed. */
export interface PlannedTrade {
  quote: Quote;
  plan: Plan;
  call: Call;
  gasLimit: bigint;
  /** `maxFeePerGas` is never above `feeCeiling`. */
  fees: PlanFees;
  /**
   * Highest fee per gas in wei, tip included, at which the least profit that can land still leaves the least net profit: no
   * replacement may be signed above it.
   */
  feeCeiling: bigint;
  cost: TransactionCost;
  /** What the proposer is expected to get of the quoted profit, base units of the profit token. */
  tip: bigint;
}

const MILLION = 1_000_000n;

/**
 * Most gas that a pool's price oracle takes in its first swap of a later second. The node estimates at the head block's time: where
 * the pool was last moved in that block, as by the very trade that made the opportunity, the estimate has none of it. V2: two new
 * words (UniswapV2Pair._update), V3: one (Oracle.write); a new word costs 22,100 (EIP-2929, EIP-2200). V4 keeps none; of other pools
 * the most is Solidly's, three words every half hour (Pool._update).
 */
const ORACLE_GAS = { v2: 44_200n, v3: 22_100n, v4: 0n, quoted: 66_300n } as const;

/**
 * Turns a quote into calldata with its bounds: estimates gas on a draft, prices it in the profit token, sets the least
 * profit above cost, margin and the least net profit, and simulates the exact final call on the quoted block.
 */
export async function makePlan(quote: Quote, context: PlannerContext): Promise<Result<PlannedTrade>> {
  const { operator, builder, settings, fees } = context;
  const { provider, network } = context.chain;
  const profitToken = quote.hops[0]?.tokenIn ?? "";
  const reject = (reason: RejectReason, detail: string): Result<PlannedTrade> => ({
    ok: false,
    rejection: { opportunityId: quote.opportunity.id, reason, detail, where: null },
  });
  const units = (amount: bigint) => formatToken(network, profitToken, amount);

  const draft = draftPlan(quote, context);
  const format = formatOfPlan(draft, network.wrappedNative);
  const executor = format === "steps" ? (context.stepExecutor ?? null) : context.executor;
  if (executor === null) {
    return reject("no-executor", `${network.title} has no StepExecutor, which ${whatNeedsSteps(draft)} needs`);
  }
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

  const { wei, gas: expectedGas, beside } = await expectedCost(quote, draft, executor, gas, context);
  const gasLimit = gas.limit + expectedGas - gas.estimate;
  const cap = context.chain.network.transactionGasCap;
  if (cap !== null && gasLimit > BigInt(cap))
    return reject("risk-limit", `it needs ${gasLimit} gas, one transaction may have ${cap}`);
  if (wei > settings.maxGasCost) {
    return reject("risk-limit", `the transaction would cost ${wei} wei, the limit is ${settings.maxGasCost}`);
  }
  const inProfitToken = await priceInToken(provider, network, profitToken, wei, quote.blockNumber);
  if (inProfitToken === null) return reject("no-gas-price", `no known pool prices ${network.nativeSymbol} in ${profitToken}`);
  const floor = inProfitToken + (inProfitToken * BigInt(settings.costMarginPpm)) / MILLION + settings.minNetProfit;
  const tip = mostTip(draft.tip ?? null, quote.profit);
  const profit = quote.profit - tip;
  if (profit < floor) {
    const tipped = tip > 0n ? ` after a tip of ${units(tip)} to the proposer` : "";
    return reject("below-cost", `profit ${units(profit)}${tipped}, gas with margin and least net profit ${units(floor)}`);
  }

  const bounds = context.slippage.bounds({ ...quote, profit, amounts: draft.amounts }, floor);
  const gasInToken = (expectedGas * weiPerGas(fees) * inProfitToken) / wei;
  const facts = { quote, draft, format, bounds, kept: profit, network, wei, inProfitToken, gasInToken };
  const free: Plan = { ...draft, ...bounds, ...guardsFor(settings.guards ?? DEFAULT_GUARDS, facts) };
  const plan = context.parentHash ? { ...free, parentHash: context.parentHash } : free;
  const call = builder.executePlan(executor, plan);
  // a call on the parent runs as that block itself: the plan is simulated without the guard that asks for the next one
  const simulated = free === plan ? call : builder.executePlan(executor, free);
  const simulation = await simulate(provider, simulated, operator, gasLimit, quote.blockNumber);
  if (!simulation.ok) return reject("simulation-reverted", simulation.reason);
  const cost = { gas: expectedGas, wei, inProfitToken };
  const ceiling = feeCeiling(bounds.minProfit - settings.minNetProfit, cost, beside);
  const signed = { ...fees, maxFeePerGas: fees.maxFeePerGas < ceiling ? fees.maxFeePerGas : ceiling };
  return { ok: true, value: { quote, plan, call, gasLimit, fees: signed, feeCeiling: ceiling, cost, tip } };
}

const weiPerGas = ({ nextBaseFee, maxPriorityFeePerGas }: PlanFees): bigint => nextBaseFee + maxPriorityFeePerGas;

/** A nonce of three bytes: data fees must not be low because the real one is not known yet. */
const ANY_NONCE = 0xffffff;

/**
 * Gas at the next block's base fee and our tip, and on the OP stack the fees for data and operator; on Arbitrum the data's fee is
 * gas. `beside`: the part in wei that no price per gas changes.
 */
async function expectedCost(
  quote: Quote,
  draft: Plan,
  executor: string,
  gas: { estimate: bigint; limit: bigint },
  context: PlannerContext,
): Promise<{ wei: bigint; gas: bigint; beside: bigint }> {
  const { maxFeePerGas, maxPriorityFeePerGas } = context.fees;
  const { chainId, stack } = context.chain.network;
  // the final plan's bounds are bytes too; Arbitrum runs what it is asked about, so there they stay open
  const isPools = formatOfPlan(draft, context.chain.network.wrappedNative) === "pools";
  const bounds = {
    minProfit: quote.profit,
    maxAmountIn: quote.amountIn + quote.profit,
    // as many bytes as the check of the first pool takes, which compress as badly
    ...(isPools && stack === "op" ? { poolBound: (BigInt(quote.blockHash) >> 96n) | 1n } : {}),
  };
  const call = context.builder.executePlan(executor, stack === "arbitrum" ? draft : { ...draft, ...bounds });
  const transaction = {
    type: 2,
    chainId,
    ...call,
    nonce: ANY_NONCE,
    gasLimit: gas.limit,
    maxFeePerGas,
    maxPriorityFeePerGas,
    from: context.operator,
  };
  const extra = await dataFee(context.chain, transaction, quote.blockNumber);
  const expected = extra.gas > gas.estimate ? extra.gas : gas.estimate;
  const beside = extra.l1FeeWei + extra.operatorFeeWei;
  const wei = expected * weiPerGas(context.fees) + beside;
  // on a chain of one's own gas may be free; a price of gas in the profit token takes one wei at least
  return { wei: wei > 0n ? wei : 1n, gas: expected, beside };
}

/** The plan with its profit bound still open, to estimate gas on. */
function draftPlan(quote: Quote, context: PlannerContext): Plan {
  const { opportunity, funding } = quote;
  const { network } = context.chain;
  const expiry = context.headTime + context.settings.timeToLive;
  const plan: Plan = {
    chainId: opportunity.chainId,
    amounts: opportunity.amounts ?? (network.stack === "l1" ? "fixed" : "adaptive"),
    funding: {
      source: funding.source,
      lender: funding.lender,
      maxFee: quote.fundingFee,
      ...(funding.token1 === undefined ? {} : { token1: funding.token1 }),
    },
    profitToken: quote.hops[0]?.tokenIn ?? "",
    hops: quote.hops.map((hop) => planHop(hop, network.wrappedNative)),
    maxAmountIn: quote.amountIn,
    minProfit: 0n,
    deadline: opportunity.deadline === null ? expiry : Math.min(opportunity.deadline, expiry),
    blocks: null,
  };
  const tip = context.tip ?? tipFor(context.settings.guards ?? DEFAULT_GUARDS, plan, network.wrappedNative);
  const tipped = tip === null ? plan : { ...plan, tip };
  switch (formatOfPlan(plan, network.wrappedNative)) {
    case "pools":
      return tipped;
    case "v4":
      // the manager nets exact amounts; only pairs among them could adapt
      return { ...tipped, amounts: "fixed" };
    case "steps":
      // each step takes what the one before gave
      return { ...tipped, amounts: "adaptive" };
  }
}

export function formatOfPlan({ chainId, profitToken, funding, hops }: Plan, wrapped: string): ReturnType<typeof formatOf> {
  return formatOf({ chainId, profitToken, wrapped, source: funding.source, hops });
}

function whatNeedsSteps({ funding, hops }: Plan): string {
  return hops.some(({ kind }) => kind === "step") ? "a pool of the cycle" : `this cycle funded by ${funding.source}`;
}
