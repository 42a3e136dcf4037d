import type { BlockTag, Provider } from "ethers";
import type { Network } from "../config/network.js";
import type { LoanStep, Step } from "../plan/step-types.js";

/** `flash-swap`: the pools of the cycle fund it themselves, nothing is lent. */
export type FundingId =
  | "flash-swap"
  | "aave-v3"
  | "balancer-v2"
  | "own-balance"
  | "uniswap-v3-flash"
  | "uniswap-v4"
  | "balancer-v3"
  | "morpho"
  | "erc3156";

/** What a source would lend of one token at one block. */
export interface FundingOffer {
  source: FundingId;
  /** Contract that lends; null for `flash-swap` and `own-balance`. */
  lender: string | null;
  /** Largest amount in base units; null = bounded by the pools only. */
  limit: bigint | null;
  /** Fee in base units for lending `amount`, rounded as the lender rounds it. */
  fee(amount: bigint): bigint;
  /** Of a pool that lends: whether the token is its token1. */
  token1?: boolean;
}

/** A loan in a plan of steps. */
export type LoanTerms = Pick<LoanStep, "lender" | "asset" | "amount" | "maxFee" | "token1" | "steps">;

export interface FundingSource {
  id: FundingId;
  /**
   * Gas that the source adds to a plan that the pools fund themselves, about, as docs/measurements.md has it: with the fee it
   * decides which source is the cheapest.
   */
  gas: bigint;
  /**
   * Reads fee and limit at a block; null when the source does not exist on the network or does not lend the token. `pools` are
   * those of the cycle, which cannot lend while they trade.
   */
  offer(
    provider: Provider,
    network: Network,
    executor: string,
    token: string,
    block: BlockTag,
    pools?: readonly string[],
  ): Promise<FundingOffer | null>;
  /** The steps of a plan that borrow, run `terms.steps` and pay back; null where the pools do that themselves. */
  steps: ((terms: LoanTerms) => Step[]) | null;
}

/** The loan step of a lender that lends by a callback. */
export function loanOf(source: LoanStep["source"]): (terms: LoanTerms) => Step[] {
  return (terms) => [{ kind: "loan", source, ...terms }];
}
