const MILLION = 1_000_000n;

/** How far a tip may climb. Amounts in wei, shares in parts per million. */
export interface TipLadder {
  /** Tip of the first attempt, per gas. */
  start: bigint;
  /** How much each raise adds to the tip. */
  stepPpm: number;
  /** Most that all gas of one attempt may pay in tips: the share of the trade's profit that is given away for landing. */
  budget: bigint;
  /** Gas that the attempt can use at most: what the budget is divided by. */
  gasLimit: bigint;
}

/** The highest tip per gas that keeps to the budget whatever gas is used. */
export function highestTip({ budget, gasLimit }: TipLadder): bigint {
  return gasLimit > 0n && budget > 0n ? budget / gasLimit : 0n;
}

/** The tip of the first attempt: what was asked for, or what the budget allows. */
export function firstTip(ladder: TipLadder): bigint {
  const highest = highestTip(ladder);
  return ladder.start < highest ? ladder.start : highest;
}

/** The next higher tip; null where the budget has no room for a raise of at least 1 wei. */
export function nextTip(ladder: TipLadder, tip: bigint): bigint | null {
  const step = (tip * BigInt(ladder.stepPpm)) / MILLION;
  const wanted = tip + (step > 0n ? step : 1n);
  const highest = highestTip(ladder);
  const raised = wanted < highest ? wanted : highest;
  return raised > tip ? raised : null;
}
