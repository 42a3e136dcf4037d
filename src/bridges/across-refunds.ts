/**
 * Which refund belongs to which deposit. ExecutedRelayerRefundRoot names no deposit, and a leaf holds one amount per receiver: the
 * sum of all of its deposits that expired in that bundle. Amounts are unique per transfer, so a sum tells what it is made of.
 */
export type RefundMatch = { kind: "none" } | { kind: "one"; index: number } | { kind: "ambiguous" };

/** With more deposits than this, sums of several are not tried out: 2^n of them. */
const MOST_DEPOSITS = 15;

/**
 * Finds the refund of one deposit. `deposits`: amounts of all of the depositor's deposits of the token that may have been refunded,
 * in the chain's order, `own` among them. `refunds`: the amounts that the depositor was refunded, in order. Base units.
 */
export function matchRefund(deposits: readonly bigint[], own: number, refunds: readonly bigint[]): RefundMatch {
  const ours = deposits[own]!;
  const exact = refunds.flatMap((amount, index) => (amount === ours ? [index] : []));
  const twins = deposits.flatMap((amount, index) => (amount === ours ? [index] : []));
  // several equal deposits take their refunds in order, so that no refund counts twice
  if (exact.length === twins.length) return { kind: "one", index: exact[twins.indexOf(own)]! };
  if (exact.length > 0) return { kind: "ambiguous" };
  const larger = refunds.flatMap((amount, index) => (amount > ours ? [index] : []));
  if (larger.length === 0) return { kind: "none" };
  if (deposits.length > MOST_DEPOSITS) return { kind: "ambiguous" };
  const others = subsetSums(deposits.filter((_, index) => index !== own));
  const possible = larger.filter((index) => others.has(refunds[index]! - ours));
  const [index, ...more] = possible;
  if (index === undefined) return { kind: "none" };
  const certain = more.length === 0 && twins.length === 1 && !others.has(refunds[index]!);
  return certain ? { kind: "one", index } : { kind: "ambiguous" };
}

function subsetSums(amounts: readonly bigint[]): Set<bigint> {
  let sums = [0n];
  for (const amount of amounts) sums = [...sums, ...sums.map((sum) => sum + amount)];
  return new Set(sums);
}
