import type { FundingId } from "../funding/funding.js";
import type { PoolKind } from "../venues/venue.js";

/** One swap of a plan. Amounts in base units of the hop's own tokens, as quoted. */
export interface PlanHop {
  kind: PoolKind;
  pool: string;
  tokenIn: string;
  tokenOut: string;
  /** Fee in millionths of the input. The contract needs it to compute V2 amounts on chain. */
  feePips: number;
  amountIn: bigint;
  amountOut: bigint;
}

/** Who lends the first amount, and the most that it may cost. */
export interface PlanFunding {
  source: FundingId;
  lender: string | null;
  /** Base units of the profit token. */
  maxFee: bigint;
}

/**
 * An executable cycle with all its bounds; src/plan/codec.ts turns it into calldata and back.
 * `fixed`: V2 amounts are the quoted ones. `adaptive`: V2 amounts are computed on chain from the reserves of that moment.
 */
export interface Plan {
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
  /** First and last acceptable `block.number` (on Arbitrum: L1 block numbers); null = any. */
  blocks: { from: number; to: number } | null;
}
