import type { BlockTag, Provider } from "ethers";
import type { Network } from "../config/network.js";

/** `flash-swap`: the pools of the cycle fund it themselves, nothing is lent. */
export type FundingId = "flash-swap" | "aave-v3" | "balancer-v2" | "own-balance";

/** What a source would lend of one token at one block. */
export interface FundingOffer {
  source: FundingId;
  /** Contract that lends; null for `flash-swap` and `own-balance`. */
  lender: string | null;
  /** Largest amount in base units; null = bounded by the pools only. */
  limit: bigint | null;
  /** Fee in base units for lending `amount`, rounded as the lender rounds it. */
  fee(amount: bigint): bigint;
}

export interface FundingSource {
  id: FundingId;
  /** Reads fee and limit at a block; null when the source does not exist on the network or does not lend the token. */
  offer(provider: Provider, network: Network, executor: string, token: string, block: BlockTag): Promise<FundingOffer | null>;
}
