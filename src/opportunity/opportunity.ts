import type { FundingId } from "../funding/funding.js";
import type { PoolTraits, VenueId } from "../venues/venue.js";

/** One leg of an opportunity as it comes in: where to swap and in which direction. It never carries calldata. */
export interface OpportunityHop extends PoolTraits {
  venue: VenueId;
  /** Address; of Uniswap V4 and Balancer V2 the pool's id. */
  pool: string;
  tokenIn: string;
  tokenOut: string;
  /** Fee in millionths of the input; needed only where the venue has several (V3), else the venue's own. 0 where the pool tells it. */
  feePips: number;
  /** The contract that holds the pool, where that is another: V4's PoolManager, Balancer's Vault. */
  host?: string;
  /** The protocol's contract that quotes the pool, where the pool itself does not. */
  quoter?: string;
}

/** A transaction that an opportunity follows. `raw`: its signed bytes; null = as the node has them. */
export interface Followed {
  /** In lower case. */
  hash: string;
  raw: string | null;
}

/** `opportunity.v1`: "buy here, sell there" on one chain, validated. JSON Schema: docs/opportunity.v1.schema.json. */
export interface Opportunity {
  version: "opportunity.v1";
  id: string;
  chainId: number;
  /** 2 to 6 hops, the first starts and the last ends with the profit token. */
  hops: OpportunityHop[];
  /** Input of the first hop in base units; null = find the best size. */
  amountIn: bigint | null;
  /** A wished source; null = the cheapest that can fund it. */
  funding: FundingId | null;
  amounts: "fixed" | "adaptive" | null;
  /** Unix seconds after which it must not be executed. */
  deadline: number | null;
  /** The pending transaction that it follows. */
  after: Followed | null;
  source: string | null;
}
