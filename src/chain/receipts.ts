import { setTimeout as sleep } from "node:timers/promises";
import type { Provider, TransactionReceipt } from "ethers";
import { classifyNodeError } from "./errors.js";

/** `unknown`: no receipt was seen in time. The transaction may still be pending, or mined later; it is never "failed". */
export type ReceiptResult =
  | { status: "mined"; receipt: TransactionReceipt; success: boolean }
  | { status: "unknown"; hash: string; waitedMs: number; polls: number; lastError: string | null };

export interface WaitOptions {
  /** Longest wait in milliseconds. */
  deadlineMs: number;
  /** Time between two questions in milliseconds. */
  pollMs: number;
  /** Ends the wait early, with status "unknown". */
  signal?: AbortSignal;
}

/**
 * Polls a transaction's receipt until it is there or the deadline passes. Never throws: a node that does not answer is asked
 * again, and its last error stands in the result. (ethers' waitForTransaction may wait for ever when the block comes between
 * its two first reads.)
 */
export async function waitForReceipt(provider: Provider, hash: string, options: WaitOptions): Promise<ReceiptResult> {
  const start = performance.now();
  let lastError: string | null = null;
  for (let polls = 1; ; polls++) {
    const left = options.deadlineMs - (performance.now() - start);
    try {
      const receipt = await beforeDeadline(provider.getTransactionReceipt(hash), Math.max(left, 1));
      if (receipt) return { status: "mined", receipt, success: receipt.status === 1 };
      lastError = null;
    } catch (error) {
      const { kind, message } = classifyNodeError(error);
      lastError = `${kind}: ${message}`;
    }
    const waitedMs = Math.round(performance.now() - start);
    if (waitedMs + options.pollMs > options.deadlineMs || options.signal?.aborted)
      return { status: "unknown", hash, waitedMs, polls, lastError };
    // an abort ends the sleep; the next round then returns
    await sleep(options.pollMs, undefined, options.signal ? { signal: options.signal } : {}).catch(() => undefined);
  }
}

/** Gives a promise a deadline. The late answer itself is dropped, so it must be a read. */
export async function beforeDeadline<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`timeout: no answer in ${Math.round(ms)} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
