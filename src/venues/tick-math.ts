/**
 * Prices and amounts of concentrated liquidity, with the rounding that the pools use (Uniswap v3 whitepaper, sections 6.1 to 6.2).
 * A price is `sqrtPriceX96` = sqrt(token1 per token0) * 2^96; tick i stands for the price 1.0001^i.
 */
export const MIN_TICK = -887272;
export const MAX_TICK = 887272;

const Q32 = 1n << 32n;
const Q96 = 1n << 96n;
const Q128 = 1n << 128n;
const MAX_UINT256 = (1n << 256n) - 1n;
const TICK_BITS = 20;

/** Entry i is 1.0001^(-2^i / 2) in Q128, rounded to nearest: the factor for bit i of a tick's absolute value. */
const FACTORS = ((): bigint[] => {
  const precision = 512n;
  let power = squareRoot((10_000n << (2n * precision)) / 10_001n);
  const factors: bigint[] = [];
  for (let i = 0; i < TICK_BITS; i++) {
    factors.push((power + (1n << (precision - 129n))) >> (precision - 128n));
    power = (power * power) >> precision;
  }
  return factors;
})();

export const MIN_SQRT_RATIO = sqrtRatioAtTick(MIN_TICK);
export const MAX_SQRT_RATIO = sqrtRatioAtTick(MAX_TICK);

/** Largest integer whose square is at most `value`. */
export function squareRoot(value: bigint): bigint {
  if (value < 2n) return value;
  let root = 1n << BigInt((value.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

export function ceilDiv(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return quotient * b === a ? quotient : quotient + 1n;
}

/** sqrtPriceX96 of a tick, rounded up to Q96. Throws RangeError outside MIN_TICK to MAX_TICK. */
export function sqrtRatioAtTick(tick: number): bigint {
  const size = Math.abs(tick);
  if (!Number.isInteger(tick) || size > MAX_TICK) throw new RangeError(`tick ${tick} is outside ${MIN_TICK} to ${MAX_TICK}`);
  let ratio = Q128;
  for (let bit = 0; bit < TICK_BITS; bit++) {
    if ((size >> bit) & 1) ratio = (ratio * FACTORS[bit]!) >> 128n;
  }
  if (tick > 0) ratio = MAX_UINT256 / ratio;
  return ceilDiv(ratio, Q32);
}

/** Greatest tick whose price is at most `sqrtPriceX96`. Throws RangeError where no tick is. */
export function tickAtSqrtRatio(sqrtPriceX96: bigint): number {
  if (sqrtPriceX96 < MIN_SQRT_RATIO || sqrtPriceX96 >= MAX_SQRT_RATIO)
    throw new RangeError(`no tick has sqrt price ${sqrtPriceX96}`);
  // a float is right to about one tick; the exact comparison settles which
  const guess = Math.floor((2 * Math.log(Number(sqrtPriceX96) / 2 ** 96)) / Math.log(1.0001));
  let tick = Math.min(MAX_TICK - 1, Math.max(MIN_TICK, guess));
  while (tick > MIN_TICK && sqrtRatioAtTick(tick) > sqrtPriceX96) tick--;
  while (tick < MAX_TICK - 1 && sqrtRatioAtTick(tick + 1) <= sqrtPriceX96) tick++;
  return tick;
}

/** Amount of token0 between two prices: L * (1/sqrt(low) - 1/sqrt(high)). */
export function amount0Between(low: bigint, high: bigint, liquidity: bigint, roundUp: boolean): bigint {
  const numerator = (liquidity << 96n) * (high - low);
  return roundUp ? ceilDiv(ceilDiv(numerator, high), low) : numerator / high / low;
}

/** Amount of token1 between two prices: L * (sqrt(high) - sqrt(low)). */
export function amount1Between(low: bigint, high: bigint, liquidity: bigint, roundUp: boolean): bigint {
  const numerator = liquidity * (high - low);
  return roundUp ? ceilDiv(numerator, Q96) : numerator >> 96n;
}

/** Price after `amount` (fee already taken off) of the input token went in, rounded so that the pool never gives too much. */
export function priceAfterInput(price: bigint, liquidity: bigint, amount: bigint, zeroForOne: boolean): bigint {
  if (!zeroForOne) return price + (amount << 96n) / liquidity;
  if (amount === 0n) return price;
  const numerator = liquidity << 96n;
  const denominator = numerator + amount * price;
  // where the product would overflow 256 bits the pools use a coarser form of the same formula
  return denominator <= MAX_UINT256 ? ceilDiv(numerator * price, denominator) : ceilDiv(numerator, numerator / price + amount);
}

/** Price after `amount` of the output token went out. The caller makes sure that the range holds that much. */
export function priceAfterOutput(price: bigint, liquidity: bigint, amount: bigint, zeroForOne: boolean): bigint {
  if (zeroForOne) return price - ceilDiv(amount << 96n, liquidity);
  const numerator = liquidity << 96n;
  return ceilDiv(numerator * price, numerator - amount * price);
}
