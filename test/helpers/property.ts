import { type IAsyncProperty, type IProperty, assert } from "fast-check";

/** The seed of every property test; the environment's SEED replaces it. A failure prints it. */
export const SEED = Number(process.env.SEED ?? 20261123);

/** Asserts a fast-check property with the common seed. */
export function property<T>(p: IProperty<T>, numRuns = 200): void {
  assert(p, { seed: SEED, numRuns });
}

/** The same for asynchronous properties. */
export async function asyncProperty<T>(p: IAsyncProperty<T>, numRuns = 100): Promise<void> {
  await assert(p, { seed: SEED, numRuns });
}
