/**
 * Why an opportunity was not executed. One list for the whole program: every rejection is a value that is counted, shown
 * and explained, never only a log line.
 */
export const REJECT_REASONS = {
  malformed: "the opportunity does not follow opportunity.v1",
  "wrong-checksum": "an address does not match its EIP-55 checksum",
  expired: "the deadline has passed",
  "unknown-chain": "the chain is not configured",
  "stale-network": "the newest block of the chain is too old, or no endpoint tells it",
  "unknown-token": "the token is not on the chain's list",
  "unknown-pool": "the pool was not made by a known factory and is not on the allow-list",
  "unknown-venue": "the venue does not exist on this chain",
  "not-a-cycle": "the hops do not form a cycle back to the first token",
  "pool-twice": "a pool appears twice; a swap inside its own callback would be locked",
  "amount-out-of-range": "the amount is zero or beyond what the pools can hold",
  "no-liquidity": "a pool cannot take the amount",
  "no-funding": "no funding source can lend the amount",
  "not-profitable": "the pools would return no more than they are given",
  "below-cost": "the profit does not cover gas, flash fee and the configured margin",
  "no-gas-price": "the gas cost cannot be priced in the profit token",
  "no-executor": "the plan needs a StepExecutor, and none is deployed or configured",
  "simulation-reverted": "the exact calldata reverted in simulation",
  "not-started": "across chains: the profit, the worst way out, a limit or what is free does not allow it now",
  "risk-limit": "a risk limit or the kill switch refused it",
  "insufficient-gas-funds": "the wallet cannot pay the gas",
  duplicate: "the journal already has a transaction for its id",
  "not-included": "no block took it while relays had it; nothing was paid",
  superseded: "another transaction of ours took its nonce first",
  "after-not-found": "the pending transaction that it follows is not known",
} as const;

export type RejectReason = keyof typeof REJECT_REASONS;

/** A refusal, with its place in the input where there is one ("hops[1].pool"). */
export interface Rejection {
  opportunityId: string | null;
  reason: RejectReason;
  detail: string;
  where: string | null;
}

export type Result<T> = { ok: true; value: T } | { ok: false; rejection: Rejection };
