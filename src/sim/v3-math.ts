import { ArbError } from "../errors.js";
import { MAX_TICK, squareRoot } from "../venues/tick-math.js";
import type { SeedPool } from "./seed.js";

/** Spacing of the ticks of each fee tier, in pips; the factories of Uniswap, SushiSwap and PancakeSwap agree. */
const TICK_SPACING: Record<number, number> = { 100: 1, 500: 10, 2500: 50, 3000: 60, 10_000: 200 };

export interface TickRange {
  tickLower: number;
  tickUpper: number;
  /** What the range takes of the amounts that the same liquidity takes over all prices, in millionths. */
  share: bigint;
}

/** sqrt(amount1 / amount0) as a Q64.96 number, the price at which the two amounts are worth the same. */
export function sqrtPriceX96(amount0: bigint, amount1: bigint): bigint {
  return squareRoot((amount1 << 192n) / amount0);
}

/**
 * The ranges of a pool's positions, aligned to its tick spacing. A range of half-width w around the price needs
 * 1 - 1.0001^(-w/2) of what the full range needs for the same liquidity (Uniswap V3 white paper, section 6.2). Floats: these
 * are sizes of seed positions, nobody computes with them later.
 */
export function positionRanges(pool: SeedPool): TickRange[] {
  const [[, amount0], [, amount1]] = pool.sides;
  const tick = Math.log(Number(amount1) / Number(amount0)) / Math.log(1.0001);
  const spacing = TICK_SPACING[pool.feePips];
  if (spacing === undefined) throw new ArbError("internal", `no V3 factory has a fee of ${pool.feePips} pips`);
  const align = (t: number) => Math.round(t / spacing) * spacing;
  const end = Math.floor(MAX_TICK / spacing) * spacing;
  return pool.halfWidths.map((halfWidth) => {
    if (halfWidth === null) return { tickLower: -end, tickUpper: end, share: 1_000_000n };
    const share = BigInt(Math.round((1 - 1.0001 ** (-halfWidth / 2)) * 1_000_000));
    return { tickLower: align(tick - halfWidth), tickUpper: align(tick + halfWidth), share };
  });
}
