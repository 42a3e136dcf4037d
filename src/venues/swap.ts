/** Quotes on any pool. Exact in integers; the curve in floats, for screening and a first guess only. */
import { type V2Swap, v2AfterSwap, v2ExactIn, v2ExactOut, v2Piece } from "./constant-product.js";
import { type V3Swap, swapFee, v3AfterSwap, v3ExactIn, v3ExactOut, v3Piece } from "./concentrated-liquidity.js";
import { type QuotedSwap, quotedExactIn, quotedImpactPpm, quotedPiece } from "./quoted-pool.js";
import type { CurvePiece, Pool } from "./venue.js";

/** A pool cannot take or give the amount, or what is known of it does not tell. */
export interface NoLiquidity {
  ok: false;
  pool: string;
  detail: string;
  /** The answer lies behind the ticks that were read: read more and ask again. */
  needsTicks: boolean;
}

/** One swap with exact amounts in base units. `amountIn` is all that the pool takes: there are no partial fills. */
export type Swap = V2Swap | V3Swap | QuotedSwap;

/** Output for exactly `amountIn` of `tokenIn`. */
export function quoteExactIn(pool: Pool, tokenIn: string, amountIn: bigint): Swap | NoLiquidity {
  const zeroForOne = isToken0(pool, tokenIn);
  if (pool.kind === "quoted") return quotedExactIn(pool, zeroForOne, amountIn);
  return pool.kind === "v2" ? v2ExactIn(pool, zeroForOne, amountIn) : v3ExactIn(pool, zeroForOne, amountIn);
}

/** Input for exactly `amountOut` of `tokenOut`. Pools that are quoted by themselves do not tell. */
export function quoteExactOut(pool: Pool, tokenOut: string, amountOut: bigint): Swap | NoLiquidity {
  const zeroForOne = !isToken0(pool, tokenOut);
  if (pool.kind === "quoted") {
    return { ok: false, pool: pool.address, detail: "the pool is quoted for inputs only", needsTicks: false };
  }
  return pool.kind === "v2" ? v2ExactOut(pool, zeroForOne, amountOut) : v3ExactOut(pool, zeroForOne, amountOut);
}

/** The pool as a swap of its own leaves it (`swap` must come from a quote on this very pool). */
export function afterSwap(pool: Exclude<Pool, { kind: "quoted" }>, swap: Swap): Pool {
  return pool.kind === "v2" ? v2AfterSwap(pool, swap) : v3AfterSwap(pool, swap as V3Swap);
}

/** One piece of a curve. */
export interface CurveEntry {
  piece: CurvePiece;
  /** `piece.inputBefore` as an integer. */
  exactInput: bigint;
  /** The piece stands for the end of what is known: the real curve goes on behind ticks that were not read. */
  needsTicks: boolean;
}

/** A curve that is built piece by piece as far as the reader goes. */
export interface Curve {
  /** 1 - fee. */
  gamma: number;
  /** Piece k counted from the current price; null behind the last. */
  piece(k: number): CurveEntry | null;
}

export function curveOf(pool: Pool, tokenIn: string): Curve {
  const zeroForOne = isToken0(pool, tokenIn);
  // what a pool says of itself is after its fee
  if (pool.kind === "quoted") return { gamma: 1, piece: (k) => quotedPiece(pool, zeroForOne, k) };
  const gamma = 1 - feeOf(pool, zeroForOne) / 1e6;
  return { gamma, piece: (k) => (pool.kind === "v2" ? v2Piece(pool, zeroForOne, k) : v3Piece(pool, zeroForOne, k)) };
}

/**
 * All pieces of a pool's curve for input `tokenIn`. A V3 curve ends with a piece of `reserveOut` 0 where the pool is exhausted or
 * where its ticks are not known further.
 */
export function curve(pool: Pool, tokenIn: string): CurvePiece[] {
  const source = curveOf(pool, tokenIn);
  const pieces: CurvePiece[] = [];
  for (let entry = source.piece(0); entry !== null; entry = source.piece(pieces.length)) pieces.push(entry.piece);
  return pieces;
}

/**
 * How far the executed price is worse than the price before the swap, in parts per million, rounded down; the fee is not counted.
 */
export function priceImpactPpm(pool: Pool, tokenIn: string, amountIn: bigint, amountOut: bigint): number {
  const zeroForOne = isToken0(pool, tokenIn);
  if (pool.kind === "quoted") return quotedImpactPpm(pool, zeroForOne, amountIn, amountOut);
  let numerator: bigint;
  let denominator: bigint;
  if (pool.kind === "v2") [numerator, denominator] = [pool.reserve1, pool.reserve0];
  else [numerator, denominator] = [pool.sqrtPriceX96 * pool.sqrtPriceX96, 1n << 192n];
  if (!zeroForOne) [numerator, denominator] = [denominator, numerator];
  if (denominator === 0n) return 0;
  // in millionths of a unit, so that small amounts of coarse tokens keep their digits
  const ideal = (amountIn * BigInt(1_000_000 - feeOf(pool, zeroForOne)) * numerator) / denominator;
  const given = amountOut * 1_000_000n;
  return ideal <= given ? 0 : Number(((ideal - given) * 1_000_000n) / ideal);
}

function feeOf(pool: Exclude<Pool, { kind: "quoted" }>, zeroForOne: boolean): number {
  return pool.kind === "v2" ? pool.feePips : swapFee(pool, zeroForOne);
}

/** Addresses are compared without regard to their checksum case. */
export function sameAddress(a: string, b: string): boolean {
  return a === b || a.toLowerCase() === b.toLowerCase();
}

export function isToken0(pool: Pool, token: string): boolean {
  if (sameAddress(token, pool.token0)) return true;
  if (sameAddress(token, pool.token1)) return false;
  throw new RangeError(`pool ${pool.address} does not trade ${token}`);
}
