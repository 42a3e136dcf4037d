/** Work that must not overlap, by key: one after another, in the order of its coming. What fails stops nobody after it. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const turn = before.then(work, work);
    const ended = turn.catch(() => undefined);
    this.#last.set(key, ended);
    try {
      return await turn;
    } finally {
      if (this.#last.get(key) === ended) this.#last.delete(key);
    }
  }
}

/** Work of which so much is done at once; what comes later waits, in the order of its coming. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

/** One for each key, made when it is first asked for. */
export function semaphores(count: number): (key: string) => Semaphore {
  const all = new Map<string, Semaphore>();
  return (key) => {
    const found = all.get(key) ?? new Semaphore(count);
    all.set(key, found);
    return found;
  };
}

/**
 * The turn of an account on a network: approvals are exact, and two trades that give the same token to the same contract would use up
 * each other's. An account has one driver, so a queue in this process is enough.
 */
export const turnOf = (chainId: number, account: string): string => `${chainId} ${account.toLowerCase()}`;
