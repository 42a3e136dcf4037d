import { classifyNodeError } from "../chain/errors.js";

/** How close the answer comes, in parts of it. Geth's own estimates are as close. */
const CLOSE = 64n;
const LEAST = 21_000n;
const FIRST_GUESS = 400_000n;

/**
 * The least gas limit with which a call succeeds, up to a 64th of it too high. `run` raises where it does not. `used`: gas that it used with
 * enough of it, as far as that is known. Raises what `run` does with `most`.
 */
export async function leastGas(run: (gas: bigint) => Promise<void>, used: bigint | null, most: bigint): Promise<bigint> {
  const enough = async (gas: bigint): Promise<boolean> => {
    try {
      await run(gas);
      return true;
    } catch (error) {
      const { kind, revertData } = classifyNodeError(error);
      if (kind === "reverted" || kind === "intrinsic-gas-too-low" || kind === "gas-limit-exceeded" || revertData !== null)
        return false;
      // geth's words for a call that ran out of its own gas
      if (/out of gas/i.test((error as Error).message)) return false;
      throw error;
    }
  };
  let low = used === null ? LEAST - 1n : used - 1n;
  // refunds are at most a fifth of what is used, and a call keeps a 64th for itself
  let high = used === null ? FIRST_GUESS : (((used * 5n) / 4n + 2_300n) * 64n) / 63n;
  while (high < most && !(await enough(high))) [low, high] = [high, high * 2n];
  if (high >= most) {
    await run(most);
    high = most;
  }
  while (high - low > high / CLOSE) {
    const middle = (low + high) / 2n;
    if (await enough(middle)) high = middle;
    else low = middle;
  }
  return high;
}
