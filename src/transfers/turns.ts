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

/**
 * The turn of an account on a network: approvals are exact, and two trades that give the same token to the same contract would use up
 * each other's. An account has one driver, so a queue in this process is enough.
 */
export const turnOf = (chainId: number, account: string): string => `${chainId} ${account.toLowerCase()}`;
