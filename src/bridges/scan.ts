import { ArbError } from "../errors.js";
import type { ChainView, Views } from "./bridge.js";
import { ask, blockAt } from "./logs.js";

/** Clocks of two chains differ, and blocks are reorganised. */
const SLACK_SECONDS = 300;
/** How far before its head a chain may be reorganised, so that no log of ours is before where we look. */
const REORG_SECONDS = 300;
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

/** The same for a network that may not be set up: what is there can then not be tracked either, and says so. */
export async function blockBeforeOn(views: Views, chainId: number, timestamp: number): Promise<number> {
  let view;
  try {
    view = views(chainId);
  } catch (error) {
    if (error instanceof ArbError && error.code === "config") return 0;
    throw error;
  }
  return await blockBefore(view, timestamp);
}

/** The head's time, and a block before which no log of a transfer that starts now can be. */
export async function momentAt(view: ChainView): Promise<{ time: number; lookFrom: number }> {
  const head = await ask(view, "its newest block", view.provider.getBlockNumber());
  const { timestamp } = await blockAt(view, head);
  return { time: timestamp, lookFrom: Math.max(0, head - Math.ceil((REORG_SECONDS * 1000) / view.network.blockTimeMs)) };
}
