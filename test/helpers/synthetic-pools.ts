/** Synthetic pool values that hang together as a chain of tokens. */
import { squareRoot, tickAtSqrtRatio } from "../../src/venues/tick-math.js";
import type { Tick, V2Pool, V3Pool } from "../../src/venues/venue.js";
import type { RouteHop } from "../../src/opportunity/quoter.js";

/** An address that is easy to read in a failure: 0x00...0n. */
export function fakeAddress(n: number): string {
  return `0x${n.toString(16).padStart(40, "0")}`;
}

export function makeV2(reserve0: bigint, reserve1: bigint, feePips = 3000, n = 900): V2Pool {
  const base = { venue: "v2-fork", address: fakeAddress(n), token0: fakeAddress(1), token1: fakeAddress(2), feePips } as const;
  return { ...base, kind: "v2", reserve0, reserve1 };
}

export function makeV3(
  sqrtPriceX96: bigint,
  positions: [lower: number, upper: number, liquidity: bigint][],
  { feePips = 500, tickSpacing = 10, n = 901 }: { feePips?: number; tickSpacing?: number; n?: number } = {},
): V3Pool {
  const nets = new Map<number, bigint>();
  const tick = tickAtSqrtRatio(sqrtPriceX96);
  let active = 0n;
  for (const [lower, upper, liquidity] of positions) {
    nets.set(lower, (nets.get(lower) ?? 0n) + liquidity);
    nets.set(upper, (nets.get(upper) ?? 0n) - liquidity);
    if (lower <= tick && tick < upper) active += liquidity;
  }
  const ticks: Tick[] = [...nets].map(([index, liquidityNet]) => ({ index, liquidityNet })).filter((t) => t.liquidityNet !== 0n);
  ticks.sort((a, b) => a.index - b.index);
  const base = { venue: "uniswap-v3", address: fakeAddress(n), token0: fakeAddress(1), token1: fakeAddress(2), feePips } as const;
  return { ...base, kind: "v3", tickSpacing, sqrtPriceX96, tick, liquidity: active, ticks, tickRange: [-887272, 887272] };
}

/**
 * A random cycle of V2 and V3 hops whose prices multiply to 1 + edge before fees are made up for. Tokens have very different
 * units; V3 hops have many ranges, some with gaps.
 */
export function randomCycle(next: () => number, kinds: ("v2" | "v3")[], edge: number): RouteHop[] {
  let unit = 10 ** (18 + next() * 4);
  const logs = kinds.slice(1).map(() => (next() - 0.5) * 16);
  logs.push(-logs.reduce((sum, l) => sum + l, 0));
  return kinds.map((kind, i) => {
    const token = (j: number): string => fakeAddress(100 + (j % kinds.length));
    const feePips = [100, 500, 3000][Math.floor(next() * 3)]!;
    const price = Math.exp(logs[i]! + edge / kinds.length) / (1 - feePips / 1e6);
    const down = next() < 0.5;
    const [tokenIn, tokenOut] = [token(i), token(i + 1)];
    const tokens = down ? { token0: tokenIn, token1: tokenOut } : { token0: tokenOut, token1: tokenIn };
    const size = unit * (0.5 + next() * 4);
    unit *= Math.exp(logs[i]!);
    if (kind === "v2") {
      const [reserveIn, reserveOut] = [BigInt(Math.floor(size)), BigInt(Math.max(1, Math.floor(size * price)))];
      const pool = down ? makeV2(reserveIn, reserveOut, feePips, 900 + i) : makeV2(reserveOut, reserveIn, feePips, 900 + i);
      return { pool: { ...pool, ...tokens }, tokenIn, tokenOut };
    }
    const quoted = down ? price : 1 / price;
    const root = squareRoot(BigInt(Math.floor(quoted * 2 ** 100)) << 92n);
    const depth = BigInt(Math.floor(down ? size * Math.sqrt(quoted) : size / Math.sqrt(quoted))) + 1000n;
    const tickSpacing = { 100: 1, 500: 10, 3000: 60 }[feePips]!;
    const centre = Math.floor(tickAtSqrtRatio(root) / tickSpacing) * tickSpacing;
    const align = (tick: number): number => Math.floor(tick / tickSpacing) * tickSpacing;
    const positions: [number, number, bigint][] = [];
    if (next() < 0.5) positions.push([align(-880_000), align(880_000), depth / 20n + 1n]);
    for (let j = 0; j < 12; j++) {
      const lower = align(centre + (next() - 0.6) * 1200);
      positions.push([
        lower,
        lower + tickSpacing * (1 + Math.floor(next() * (1000 / tickSpacing))),
        depth / BigInt(1 + Math.floor(next() * 8)) + 1n,
      ]);
    }
    return { pool: { ...makeV3(root, positions, { feePips, tickSpacing, n: 900 + i }), ...tokens }, tokenIn, tokenOut };
  });
}
