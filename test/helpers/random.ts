/** Numbers that look random and are the same on every run; SEED in the environment gives others. */
export const SEED = Number(process.env["SEED"] ?? 20_260_101);

/** Uniform floats in [0, 1) (mulberry32). */
export function random(seed: number = SEED): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A bigint between low and high inclusive, evenly spread over the orders of magnitude. */
export function randomAmount(next: () => number, low: bigint, high: bigint): bigint {
  const exponent = Math.log2(Number(low)) + next() * (Math.log2(Number(high)) - Math.log2(Number(low)));
  const whole = Math.floor(exponent);
  const value = BigInt(Math.floor(2 ** (exponent - whole) * 2 ** 52)) * (whole >= 52 ? 2n ** BigInt(whole - 52) : 1n);
  const amount = (whole >= 52 ? value : value >> BigInt(52 - whole)) + BigInt(Math.floor(next() * 1000));
  return amount < low ? low : amount > high ? high : amount;
}
