import type { Network } from "../config/network.js";
import type { Quote } from "../opportunity/quote.js";
import { isToken0 } from "../venues/swap.js";
import type { PlanFormat } from "./format.js";
import { TIP_CHAINS } from "./guards.js";
import type { Plan, PlanGuards, PlanTip } from "./plan.js";
import type { TradeBounds } from "./slippage.js";

/** Which guards the planner sets beside deadline and least profit. docs/contract.md has what each costs. */
export interface GuardSettings {
  /**
   * The check of the first pool, which makes a lost race cheap. `l2`: where a revert is paid for and bundles are not to be had, on
   * every network but Ethereum and its testnet; and everywhere behind a pending transaction, without which ours may stand in a block
   * where a relay breaks their bundle apart.
   */
  firstPool: "l2" | "always" | "never";
  /** Whether the contract counts the gas that the transaction really pays against the profit. */
  ownGas: boolean;
  /** Whether the profit goes to the owner in the same transaction. */
  sweep: boolean;
  /** What the block's proposer gets, on Ethereum and Sepolia of profits in WETH. In wei. */
  tip: { bips: number; floor: bigint; cap: bigint } | null;
}

export const DEFAULT_GUARDS: GuardSettings = { firstPool: "l2", ownGas: false, sweep: false, tip: null };

/** Fraction bits of the price of gas in tokens other than the wrapped native one. */
const PRICE_SCALE = 64;
const MAX_PRICE = 1n << 96n;

interface GuardFacts {
  quote: Quote;
  draft: Plan;
  format: PlanFormat;
  bounds: TradeBounds;
  /** Quoted profit without the tip. */
  kept: bigint;
  network: Network;
  /** Expected cost in wei, the same in the profit token, and of that the part for execution. */
  wei: bigint;
  inProfitToken: bigint;
  gasInToken: bigint;
}

/** The tip that a plan gets; null where tips are impossible or off. */
export function tipFor({ tip }: GuardSettings, { chainId, profitToken }: Plan, wrapped: string): PlanTip | null {
  const possible = TIP_CHAINS.includes(chainId) && profitToken === wrapped;
  return tip === null || !possible ? null : { kind: "share", ...tip };
}

/** The guards of a plan but its tip, with its least profit. */
export function guardsFor(settings: GuardSettings, facts: GuardFacts): PlanGuards & { minProfit: bigint } {
  const { bounds } = facts;
  const gasPrice = settings.ownGas ? priceOfGas(facts) : null;
  // what the contract adds itself is not asked for twice
  const least = gasPrice === null ? bounds.minProfit : bounds.minProfit - facts.gasInToken;
  return {
    minProfit: least > 0n ? least : 0n,
    ...(gasPrice === null ? {} : { gasPrice }),
    ...(settings.sweep ? { sweep: true } : {}),
    ...firstPool(settings, facts),
  };
}

function priceOfGas({ draft, network, wei, inProfitToken }: GuardFacts): { price: bigint; scale: number } | null {
  if (draft.profitToken === network.wrappedNative) return { price: 1n, scale: 0 };
  if (wei === 0n) return null;
  const price = (inProfitToken << BigInt(PRICE_SCALE)) / wei;
  return price > 0n && price < MAX_PRICE ? { price, scale: PRICE_SCALE } : null;
}

/**
 * Where the first pool must be. With fixed amounts: as quoted or better, because any other state reverts the plan. With adaptive
 * ones: so far off that the plan cannot leave its least profit. A pool whose price (V2: reserve) moved by a share of it takes about
 * twice that share of the output; the profit falls by at least half of that, because the rest sells at a better price.
 */
function firstPool(settings: GuardSettings, { quote, draft, format, bounds, kept, network }: GuardFacts): PlanGuards {
  const exposed = network.stack !== "l1" || (quote.opportunity.after ?? null) !== null;
  const wanted = settings.firstPool === "always" || (settings.firstPool === "l2" && exposed);
  const { pool, tokenIn } = quote.hops[0]!;
  if (!wanted || format !== "pools" || (pool.kind !== "v2" && pool.kind !== "v3")) return {};
  const slack = draft.amounts === "adaptive" && kept > bounds.minProfit ? kept - bounds.minProfit : 0n;
  if (slack >= quote.amountOut) return {};
  const zeroForOne = isToken0(pool, tokenIn);
  const least = (value: bigint): bigint => (value * (quote.amountOut - slack)) / quote.amountOut;
  if (pool.kind === "v2") return { poolBound: least(zeroForOne ? pool.reserve1 : pool.reserve0) };
  if (zeroForOne) return { poolBound: least(pool.sqrtPriceX96) };
  return { poolBound: (pool.sqrtPriceX96 * quote.amountOut) / (quote.amountOut - slack) };
}
