import type { SeedPool } from "./seed.js";

const MAX_TICK = 887_272;

/** Spacing of the ticks of each fee tier, in pips; the factories of Uniswap, SushiSwap and PancakeSwap agree. */
const TICK_SPACING: Record<number, number> = { 100: 1, 500: 10, 2500: 50, 3000: 60, 10_000: 200 };

export interface TickRange {
  tickLower: number;
  tickUpper: number;
  /** Ticks on either side of the price; null = everywhere. */
  halfWidth: number | null;
}

/** Integer square root, rounded down. */
export function sqrt(n: bigint): bigint {
  if (n < 2n) return n;
  let x = 1n << BigInt((n.toString(2).length + 1) >> 1);
  for (;;) {
    const y = (x + n / x) >> 1n;
    if (y >= x) return x;
    x = y;
  }
}

/** sqrt(amount1 / amount0) as a Q64.96 number, the price at which the two amounts are worth the same. */
export function sqrtPriceX96(amount0: bigint, amount1: bigint): bigint {
  return sqrt((amount1 << 192n) / amount0);
}

/** The ranges of a pool's positions, aligned to its tick spacing. */
export function positionTicks(pool: SeedPool): TickRange[] {
  const [[, amount0], [, amount1]] = pool.sides;
  const tick = Math.log(Number(amount1) / Number(amount0)) / Math.log(1.0001);
  const spacing = TICK_SPACING[pool.feePips] ?? 60;
  const align = (t: number) => Math.round(t / spacing) * spacing;
  const end = Math.floor(MAX_TICK / spacing) * spacing;
  return pool.halfWidths.map((halfWidth) =>
    halfWidth === null
      ? { tickLower: -end, tickUpper: end, halfWidth }
      : { tickLower: align(tick - halfWidth), tickUpper: align(tick + halfWidth), halfWidth },
  );
}

/**
 * Liquidity that two amounts of equal worth give to a range symmetric around the price: sqrt(x * y) / (1 - 1.0001^(-w/2)),
 * from the definition of virtual reserves (Uniswap V3 white paper, section 6.2.1). To the millionth; for set-up only.
 */
export function positionLiquidity(amount0: bigint, amount1: bigint, halfWidth: number | null): bigint {
  const share = halfWidth === null ? 1 : 1 - 1.0001 ** (-halfWidth / 2);
  return (sqrt(amount0 * amount1) * 1_000_000n) / BigInt(Math.round(share * 1_000_000));
}
