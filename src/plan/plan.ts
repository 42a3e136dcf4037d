import type { FundingId } from "../funding/funding.js";
import type { HopStep } from "./step-types.js";

/** What identifies a Uniswap V4 pool besides its tokens. */
export interface V4Key {
  /** Hundredths of a bip; 0x800000 where a hook sets the fee. */
  fee: number;
  tickSpacing: number;
  hooks: string;
  /** Bytes for the hooks; "0x" for none. */
  hookData: string;
}

/**
 * One swap of a plan. Amounts in base units of the hop's own tokens, as quoted. In a plan with V4 hops the zero address stands
 * for ETH; such a plan starts and ends with the wrapped native token or with ETH, and its profit is in the former.
 */
export interface PlanHop {
  kind: "v2" | "v3" | "v4" | "step";
  /** Of a V4 hop: the PoolManager. */
  pool: string;
  v4?: V4Key;
  /** Of a hop that only a plan of steps can take: its step. */
  step?: HopStep;
  tokenIn: string;
  tokenOut: string;
  /** Fee in millionths of the input. The contract needs it to compute V2 amounts on chain. */
  feePips: number;
  amountIn: bigint;
  amountOut: bigint;
}

/** What the proposer of the block gets out of the profit, in wei; the profit token must be the wrapped native token. */
export type PlanTip =
  | { kind: "fixed"; amount: bigint }
  /** `bips` hundredths of a percent of what the plan made, at least `floor`, at most `cap`. */
  | { kind: "share"; bips: number; floor: bigint; cap: bigint };

/** Guards that a plan may have besides deadline and block window; absent or null is off. */
export interface PlanGuards {
  /** Hash of the block that must be the parent, or its last 12 bytes, which the contract compares. */
  parentHash?: string | null;
  /**
   * Where the first pool must be, checked before anything else: a V2 pair's least reserve of the hop's output token; a V3
   * pool's sqrtPriceX96, its least if the hop sells token0, else its greatest.
   */
  poolBound?: bigint | null;
  /**
   * Counts the transaction's own gas against the profit: the least profit rises by gas * tx.gasprice * price / 2^scale. The
   * price is in base units of the profit token per wei; 1 and 0 for the wrapped native token.
   */
  gasPrice?: { price: bigint; scale: number } | null;
  tip?: PlanTip | null;
  /** Sends the executor's whole balance of the profit token to its owner afterwards, all but one unit. */
  sweep?: boolean;
}

/** Who lends the first amount, and the most that it may cost. */
export interface PlanFunding {
  source: FundingId;
  lender: string | null;
  /** Base units of the profit token. */
  maxFee: bigint;
  /** Of a pool that lends: whether the profit token is its token1. */
  token1?: boolean;
}

/**
 * An executable cycle with all its bounds; src/plan/codec.ts turns it into calldata, of the format that src/plan/format.ts tells.
 * `fixed`: V2 amounts are the quoted ones. `adaptive`: V2 amounts are computed on chain from the reserves of that moment.
 */
export interface Plan extends PlanGuards {
  chainId: number;
  amounts: "fixed" | "adaptive";
  funding: PlanFunding;
  /** Token that the cycle starts and ends with. */
  profitToken: string;
  hops: PlanHop[];
  /** Most that may be paid into the first pool, base units of the profit token. */
  maxAmountIn: bigint;
  /** Least rise of the executor's balance of the profit token, after repayment. */
  minProfit: bigint;
  /** Last acceptable `block.timestamp` in Unix seconds; null = none. */
  deadline: number | null;
  /** First and last acceptable block number (on Arbitrum: of the L2, from ArbSys); null = any. */
  blocks: { from: number; to: number } | null;
}
