/** What a transaction pays per gas, in wei. */
export interface Fees {
  maxFeePerGas: bigint;
  maxPriorityFeePerGas: bigint;
}

/** A transaction of a public mempool that does not land. */
export interface StuckAttempt {
  fees: Fees;
  gasLimit: bigint;
  /** Base fee of the next block, wei. */
  baseFee: bigint;
  /** Tip that lands now, wei per gas: the fee history's, or the configured one. */
  usefulTip: bigint;
  /**
   * Most that all its gas may cost, wei: at this price the least profit that the plan lets land still leaves the least net profit. 0 = it is
   * worth nothing any more.
   */
  worth: bigint;
  /** Highest fee per gas, wei, tip included, that the network's configuration lets be signed; null = none. */
  maxFeePerGas: bigint | null;
  /** Most that getting the nonce free may cost, wei. */
  cancelBudget: bigint;
  /** Blocks that the fee cap is to survive. */
  patienceBlocks: number;
}

/** What to do about it. A replacement and a cancellation take the same nonce, and are journaled before they are sent. */
export type StuckDecision =
  | { action: "wait"; reason: "pays-enough" | "cannot-pay-more" | "above-cap" }
  | { action: "replace"; fees: Fees }
  | { action: "cancel"; fees: Fees };

/** A transfer of nothing to oneself. */
export const CANCEL_GAS = 21_000n;

/**
 * The least fees that take the place of `old` in a mempool: 12.5 % more in both fields, rounded up. Geth asks for 10 %, Hardhat and reth
 * too, Erigon and older nodes for 12.5 %; a field that is 0 grows to 1.
 */
export function replacementFees(old: Fees): Fees {
  const more = (fee: bigint): bigint => (fee === 0n ? 1n : (fee * 9n + 7n) / 8n);
  return { maxFeePerGas: more(old.maxFeePerGas), maxPriorityFeePerGas: more(old.maxPriorityFeePerGas) };
}

/**
 * Replaced where a higher price lands it, the trade still earns that, and the network's cap lets it be signed; else the nonce is freed by
 * a cancellation, as far as that is worth it and within the cap; else it is left where it is.
 */
export function decideStuck(stuck: StuckAttempt): StuckDecision {
  const { fees, gasLimit, baseFee, usefulTip, worth, cancelBudget, maxFeePerGas, patienceBlocks } = stuck;
  const capped = (highest: bigint): bigint => (maxFeePerGas !== null && maxFeePerGas < highest ? maxFeePerGas : highest);
  const wanted = feesFor(baseFee, usefulTip, patienceBlocks);
  if (worth > 0n && paysEnough(fees, baseFee, usefulTip)) return { action: "wait", reason: "pays-enough" };
  const least = replacementFees(fees);
  const replacement = fit(least, wanted, capped(worth / (gasLimit > 0n ? gasLimit : 1n)));
  // a cap below what the next block takes would only be stuck again
  if (replacement && paysEnough(replacement, baseFee, 0n)) return { action: "replace", fees: replacement };
  const most = cancelBudget / CANCEL_GAS;
  const cancellation = fit(least, wanted, capped(most));
  if (cancellation && paysEnough(cancellation, baseFee, 0n)) return { action: "cancel", fees: cancellation };
  const uncapped = fit(least, wanted, most);
  const isCap = capped(most) < most && uncapped !== null && paysEnough(uncapped, baseFee, 0n);
  return { action: "wait", reason: isCap ? "above-cap" : "cannot-pay-more" };
}

/** What lands in one of the next blocks even if all before it are full. */
function feesFor(baseFee: bigint, tip: bigint, patienceBlocks: number): Fees {
  let cap = baseFee;
  for (let i = 0; i < patienceBlocks; i++) cap += cap / 8n + 1n;
  return { maxFeePerGas: cap + tip, maxPriorityFeePerGas: tip };
}

const paysEnough = (fees: Fees, baseFee: bigint, tip: bigint): boolean =>
  fees.maxFeePerGas >= baseFee + tip && fees.maxPriorityFeePerGas >= tip;

/** What is wanted, but at least `least`, and at most `highest` per gas altogether; null where `least` is more than that. */
function fit(least: Fees, wanted: Fees, highest: bigint): Fees | null {
  if (least.maxFeePerGas > highest) return null;
  const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);
  const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);
  const maxFeePerGas = smaller(larger(least.maxFeePerGas, wanted.maxFeePerGas), highest);
  const tip = larger(least.maxPriorityFeePerGas, wanted.maxPriorityFeePerGas);
  // least's tip may stand above its cap where the old one's fields were odd; no node takes that
  if (least.maxPriorityFeePerGas > maxFeePerGas) return null;
  return { maxFeePerGas, maxPriorityFeePerGas: smaller(tip, maxFeePerGas) };
}
