import type { ChainView } from "./bridge.js";
import { ask } from "./logs.js";

/** Clocks of two chains differ, and blocks are reorganised. */
const SLACK_SECONDS = 300;
const FIRST_STEP = 1_024;

/**
 * A block of this chain that is surely older than a moment of another one, at most four times as far back as needed: where to look for
 * the end of a transfer that began then. `timestamp` in unix seconds.
 */
export async function blockBefore(view: ChainView, timestamp: number): Promise<number> {
  const newest = await ask(view, "its newest block", view.provider.getBlockNumber());
  for (let back = FIRST_STEP; back < newest; back *= 4) {
    const block = await ask(view, `block ${newest - back}`, view.provider.getBlock(newest - back));
    // null: the node keeps no older ones
    if (block === null || block.timestamp < timestamp - SLACK_SECONDS) return newest - back;
  }
  return 0;
}
