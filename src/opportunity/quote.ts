import type { FundingOffer } from "../funding/funding.js";
import type { Pool } from "../venues/venue.js";
import type { Opportunity } from "./opportunity.js";

export interface QuotedHop {
  pool: Pool;
  tokenIn: string;
  tokenOut: string;
  amountIn: bigint;
  amountOut: bigint;
}

/** An opportunity with exact amounts at one block. All amounts in base units. */
export interface Quote {
  opportunity: Opportunity;
  blockNumber: number;
  blockHash: string;
  hops: QuotedHop[];
  amountIn: bigint;
  amountOut: bigint;
  funding: FundingOffer;
  fundingFee: bigint;
  /** amountOut - amountIn - fundingFee: what the executor's balance rises by if nobody interferes. */
  profit: bigint;
  /** How the amount was found: the exact optimum, the given amount, or the slippage manager's tiers. */
  sizing: "optimum" | "given" | "tiers";
  /** Price impact of the worst hop in parts per million. */
  priceImpactPpm: number;
}
