import fc from "fast-check";

/** The seed of every property test; the environment's SEED replaces it. A failure prints it. */
export const SEED = Number(process.env.SEED ?? 20261123);

/** Asserts a fast-check property with the common seed. */
export function property<T>(p: fc.IProperty<T>, numRuns = 200): void {
  fc.assert(p, { seed: SEED, numRuns });
}

/** The same for asynchronous properties. */
export async function asyncProperty<T>(p: fc.IAsyncProperty<T>, numRuns = 100): Promise<void> {
  await fc.assert(p, { seed: SEED, numRuns });
}
