import { setTimeout as sleep } from "node:timers/promises";

/** A token bucket: `perSecond` requests a second on average, as many at once. Null = no limit. */
export interface RateLimit {
  /** Waits for `count` tokens, at most `waitMs`. False: they would come later, and none was taken. */
  take(count: number, waitMs: number, signal?: AbortSignal): Promise<boolean>;
  /** Milliseconds until `count` tokens are there. */
  wait(count: number): number;
}

/** `now` in milliseconds, for tests. */
export function rateLimit(perSecond: number | null, now: () => number = () => performance.now()): RateLimit {
  if (perSecond === null) return { take: () => Promise.resolve(true), wait: () => 0 };
  const size = Math.max(1, perSecond);
  let tokens = size;
  let at = now();
  const refill = (): void => {
    const t = now();
    tokens = Math.min(size, tokens + ((t - at) * perSecond) / 1000);
    at = t;
  };
  const wait = (count: number): number => {
    refill();
    // a batch larger than the bucket is let through when the bucket is full, and leaves a debt
    return Math.max(0, ((Math.min(count, size) - tokens) * 1000) / perSecond);
  };
  return {
    wait,
    take: async (count, waitMs, signal) => {
      const ms = wait(count);
      if (ms > waitMs) return false;
      // taken before the wait, so that those who come later queue behind
      tokens -= count;
      if (ms === 0) return true;
      try {
        await sleep(Math.ceil(ms), undefined, signal ? { signal } : {});
        return true;
      } catch {
        tokens += count;
        return false;
      }
    },
  };
}
