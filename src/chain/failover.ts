import { TransportError } from "./transport/types.js";

export interface FailoverOptions<C, T> {
  /** `performance.now()` at which it must be over. */
  deadline: number;
  signal: AbortSignal | undefined;
  /** How long candidate `i` may take before the next one is asked too, milliseconds. */
  patience(i: number): number;
  /** Whether an error is an answer that others would give too. */
  isFinal(error: unknown): boolean;
  /** Told of a candidate that was still silent when one that was asked after it had answered. */
  outrun(candidate: C): void;
  attempt(candidate: C, signal: AbortSignal | undefined): Promise<T>;
}

/**
 * The first good answer of the candidates, asked in order: the next one when one fails or is slow. What is still under way when
 * an answer is there is given up. Rejects with the first final error, else with that of the best candidate.
 */
export function firstGood<C, T>(candidates: readonly C[], options: FailoverOptions<C, T>): Promise<T> {
  if (candidates.length === 1) return options.attempt(candidates[0]!, options.signal);
  return new Promise<T>((resolve, reject) => {
    const giveUp = new AbortController();
    const timers = new Set<NodeJS.Timeout>();
    const errors: { i: number; error: Error }[] = [];
    let next = 0;
    const running = new Set<number>();
    let done = false;
    const finish = (act: () => void): void => {
      if (done) return;
      done = true;
      options.signal?.removeEventListener("abort", onAbort);
      for (const timer of timers) clearTimeout(timer);
      act();
      giveUp.abort();
    };
    const onAbort = (): void => finish(() => reject(new TransportError("ABORTED", "the call was given up", { sent: true })));
    const launch = (): void => {
      if (done) return;
      if (next === candidates.length || (next > 0 && performance.now() >= options.deadline)) {
        if (running.size > 0) return;
        // the best candidate knows best why
        const first = errors.toSorted((a, b) => a.i - b.i)[0];
        finish(() => reject(first!.error));
        return;
      }
      const i = next++;
      running.add(i);
      const timer = setTimeout(launch, Math.min(options.patience(i), Math.max(0, options.deadline - performance.now())));
      timers.add(timer);
      options.attempt(candidates[i]!, giveUp.signal).then(
        (value) => {
          running.delete(i);
          finish(() => {
            resolve(value);
            for (const j of running) if (j < i) options.outrun(candidates[j]!);
          });
        },
        (error: Error) => {
          running.delete(i);
          clearTimeout(timer);
          timers.delete(timer);
          errors.push({ i, error });
          if (options.isFinal(error)) finish(() => reject(error));
          else launch();
        },
      );
    };
    if (options.signal?.aborted === true) onAbort();
    else {
      options.signal?.addEventListener("abort", onAbort);
      launch();
    }
  });
}
