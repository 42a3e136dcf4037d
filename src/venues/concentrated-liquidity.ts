/**
 * Exact quotes on concentrated liquidity (Uniswap V3 type pools, and V4's), equal to the pool's own swap to the last wei.
 *
 * A swap walks from one boundary to the next: initialised ticks and the edges of 256-tick bitmap words, which change nothing but
 * the rounding. What it costs to cross a whole segment does not depend on the amount: a step crosses iff what remains is at
 * least amountIn + ceil(amountIn * fee / (1e6 - fee)). So each direction keeps a table of segments with exact prefix sums, built
 * outwards from the price as far as quotes ask, and a quote is a binary search and one exact step.
 *
 * Pools are values: a pool must not be changed after its first quote; `afterSwap` gives a new one.
 */
import { ArbError } from "../errors.js";
import {
  MAX_SQRT_RATIO,
  MAX_TICK,
  MIN_SQRT_RATIO,
  MIN_TICK,
  amount0Between,
  amount1Between,
  ceilDiv,
  priceAfterInput,
  priceAfterOutput,
  sqrtRatioAtTick,
  tickAtSqrtRatio,
} from "./tick-math.js";
import type { CurveEntry, NoLiquidity } from "./swap.js";
import type { ConcentratedPool, CurvePiece, Tick } from "./venue.js";

const MILLION = 1_000_000n;

/** A swap inside one pool: what went in, what came out, and where it left the price. */
export interface V3Swap {
  ok: true;
  amountIn: bigint;
  amountOut: bigint;
  zeroForOne: boolean;
  sqrtPriceX96: bigint;
  /** Index of the segment that holds the price afterwards, counted in the direction of the swap; also how many were crossed. */
  segment: number;
}

/** One direction of a pool. Segment k goes from `start[k]` to `start[k + 1]`; the last entry of each list is the cursor of the build. */
interface Table {
  zeroForOne: boolean;
  start: bigint[];
  tick: number[];
  liquidity: bigint[];
  /** What crossing all segments before k takes in (with fee) and gives out. */
  inputBefore: bigint[];
  outputBefore: bigint[];
  /** The same as floats, for the binary search. */
  inputFloat: number[];
  outputFloat: number[];
  /** Position in `pool.ticks` of the next initialised tick. */
  nextTick: number;
  /** Why the table cannot grow: the pool is exhausted, or the tick list is not known further. */
  end: "exhausted" | "unknown" | null;
  /** The last segment was cut off where knowledge ends: it can be entered, never crossed. */
  cutOff: boolean;
  pieces: CurvePiece[];
  pieceInputs: bigint[];
  /** Liquidity of the stretch that the last piece covers; 0 when it ended. */
  pieceLiquidity: bigint;
}

const tables = new WeakMap<ConcentratedPool, { down?: Table; up?: Table }>();

/** Output for exactly `amountIn` base units of the input token. */
export function v3ExactIn(pool: ConcentratedPool, zeroForOne: boolean, amountIn: bigint): V3Swap | NoLiquidity {
  if (amountIn <= 0n) return refused(pool, "the amount must be positive", false);
  const table = tableOf(pool, zeroForOne);
  while (table.end === null && table.inputBefore.at(-1)! <= amountIn) extend(pool, table);
  const last = table.start.length - 1;
  const known = table.inputBefore[last]!;
  if (amountIn > known || (table.cutOff && amountIn === known)) return outOfReach(pool, table);

  // the first segment edge at or beyond the amount
  let k = firstAtLeast(table.inputFloat, table.inputBefore, amountIn);
  if (table.inputBefore[k] === amountIn) return atEdge(table, k, amountIn, table.outputBefore[k]!);
  k -= 1;
  const price = table.start[k]!;
  const liquidity = table.liquidity[k]!;
  const afterFee = ((amountIn - table.inputBefore[k]!) * (MILLION - BigInt(swapFee(pool, zeroForOne)))) / MILLION;
  const next = priceAfterInput(price, liquidity, afterFee, zeroForOne);
  const out = zeroForOne ? amount1Between(next, price, liquidity, false) : amount0Between(price, next, liquidity, false);
  return { ok: true, amountIn, amountOut: table.outputBefore[k]! + out, zeroForOne, sqrtPriceX96: next, segment: k };
}

/** Input for exactly `amountOut` base units of the output token. */
export function v3ExactOut(pool: ConcentratedPool, zeroForOne: boolean, amountOut: bigint): V3Swap | NoLiquidity {
  if (amountOut <= 0n) return refused(pool, "the amount must be positive", false);
  const table = tableOf(pool, zeroForOne);
  while (table.end === null && table.outputBefore.at(-1)! < amountOut) extend(pool, table);
  const last = table.start.length - 1;
  const known = table.outputBefore[last]!;
  if (amountOut > known || (table.cutOff && amountOut === known)) return outOfReach(pool, table);

  let k = firstAtLeast(table.outputFloat, table.outputBefore, amountOut);
  if (table.outputBefore[k] === amountOut) return atEdge(table, k, table.inputBefore[k]!, amountOut);
  k -= 1;
  const price = table.start[k]!;
  const liquidity = table.liquidity[k]!;
  const next = priceAfterOutput(price, liquidity, amountOut - table.outputBefore[k]!, zeroForOne);
  const into = zeroForOne ? amount0Between(next, price, liquidity, true) : amount1Between(price, next, liquidity, true);
  const amountIn = table.inputBefore[k]! + withFee(into, swapFee(pool, zeroForOne));
  // with very deep liquidity the rounded price can land on the far edge: the pool then counts it as crossed
  const segment = next === table.start[k + 1] ? k + 1 : k;
  return { ok: true, amountIn, amountOut, zeroForOne, sqrtPriceX96: next, segment };
}

/** The pool as the swap leaves it. */
export function v3AfterSwap<P extends ConcentratedPool>(pool: P, swap: V3Swap): P {
  const table = tableOf(pool, swap.zeroForOne);
  const k = swap.segment;
  const moved = swap.sqrtPriceX96 !== table.start[k];
  return {
    ...pool,
    sqrtPriceX96: swap.sqrtPriceX96,
    tick: moved ? tickAtSqrtRatio(swap.sqrtPriceX96) : table.tick[k]!,
    liquidity: table.liquidity[k]!,
  };
}

/**
 * Arc k of the pool's curve counted from the price, or null behind the end. The end itself (exhausted, or not known further) is a
 * piece that gives nothing (`reserveOut` 0), so that no optimum lies behind it.
 */
export function v3Piece(pool: ConcentratedPool, zeroForOne: boolean, k: number): CurveEntry | null {
  const table = tableOf(pool, zeroForOne);
  while (table.end === null && table.pieces.length <= k) extend(pool, table);
  const piece = table.pieces[k];
  if (piece !== undefined) return { piece, exactInput: table.pieceInputs[k]!, needsTicks: false };
  if (k > table.pieces.length) return null;
  const exactInput = table.inputBefore.at(-1)!;
  return {
    piece: { inputBefore: Number(exactInput), outputBefore: Number(table.outputBefore.at(-1)!), reserveIn: 1, reserveOut: 0 },
    exactInput,
    needsTicks: table.end === "unknown",
  };
}

function tableOf(pool: ConcentratedPool, zeroForOne: boolean): Table {
  let both = tables.get(pool);
  if (both === undefined) tables.set(pool, (both = {}));
  const existing = zeroForOne ? both.down : both.up;
  if (existing !== undefined) return existing;
  const table: Table = {
    zeroForOne,
    start: [pool.sqrtPriceX96],
    tick: [pool.tick],
    liquidity: [pool.liquidity],
    inputBefore: [0n],
    outputBefore: [0n],
    inputFloat: [0],
    outputFloat: [0],
    nextTick: zeroForOne ? ticksUpTo(pool.ticks, pool.tick) - 1 : ticksUpTo(pool.ticks, pool.tick),
    // a pool that was never initialised has no price
    end: pool.sqrtPriceX96 === 0n ? "exhausted" : null,
    cutOff: false,
    pieces: [],
    pieceInputs: [],
    pieceLiquidity: 0n,
  };
  if (zeroForOne) both.down = table;
  else both.up = table;
  return table;
}

/** Appends one segment, or says why there is none. */
function extend(pool: ConcentratedPool, table: Table): void {
  const { zeroForOne } = table;
  const price = table.start.at(-1)!;
  const liquidity = table.liquidity.at(-1)!;
  const limit = zeroForOne ? MIN_SQRT_RATIO + 1n : MAX_SQRT_RATIO - 1n;
  if (price === limit) return void (table.end = "exhausted");
  const tickAhead = pool.ticks[table.nextTick];
  if (liquidity === 0n && tickAhead === undefined)
    return void (table.end = knowsTheRest(pool, zeroForOne) ? "exhausted" : "unknown");

  const edge = wordEdge(table.tick.at(-1)!, pool.tickSpacing, zeroForOne);
  const reachesTick = tickAhead !== undefined && (zeroForOne ? tickAhead.index >= edge : tickAhead.index <= edge);
  let boundary = reachesTick ? tickAhead.index : Math.min(MAX_TICK, Math.max(MIN_TICK, edge));
  const knownTo = Math.min(MAX_TICK, Math.max(MIN_TICK, pool.tickRange[zeroForOne ? 0 : 1]));
  const cutOff = zeroForOne ? boundary < knownTo : boundary > knownTo;
  if (cutOff) boundary = knownTo;
  const boundaryPrice = sqrtRatioAtTick(boundary);
  if (cutOff && (zeroForOne ? boundaryPrice >= price : boundaryPrice <= price)) return void (table.end = "unknown");

  const target = zeroForOne ? (boundaryPrice > limit ? boundaryPrice : limit) : boundaryPrice < limit ? boundaryPrice : limit;
  const into = zeroForOne ? amount0Between(target, price, liquidity, true) : amount1Between(price, target, liquidity, true);
  const out = zeroForOne ? amount1Between(target, price, liquidity, false) : amount0Between(price, target, liquidity, false);
  addPiece(table, price, liquidity);

  let after = liquidity;
  if (reachesTick && !cutOff && target === boundaryPrice) {
    after += zeroForOne ? -tickAhead.liquidityNet : tickAhead.liquidityNet;
    table.nextTick += zeroForOne ? -1 : 1;
    if (after < 0n) {
      throw new ArbError("network", `liquidity of pool ${pool.address} falls below zero at tick ${boundary}`, {
        where: pool.address,
        hint: "the pool's ticks and its price were not read at the same block; read them again",
      });
    }
  }
  const input = table.inputBefore.at(-1)! + withFee(into, swapFee(pool, zeroForOne));
  const output = table.outputBefore.at(-1)! + out;
  table.start.push(target);
  table.tick.push(zeroForOne ? boundary - 1 : boundary);
  table.liquidity.push(after);
  table.inputBefore.push(input);
  table.outputBefore.push(output);
  table.inputFloat.push(Number(input));
  table.outputFloat.push(Number(output));
  if (cutOff) {
    table.cutOff = true;
    table.end = "unknown";
  }
}

/** Starts an arc where the liquidity changes; segments that only end at a word edge belong to the same arc. */
function addPiece(table: Table, price: bigint, liquidity: bigint): void {
  if (liquidity === table.pieceLiquidity) return;
  table.pieceLiquidity = liquidity;
  if (liquidity === 0n) return;
  const root = Number(price) / 2 ** 96;
  const depth = Number(liquidity);
  const reserve0 = depth / root;
  const reserve1 = depth * root;
  const exactInput = table.inputBefore.at(-1)!;
  table.pieces.push({
    inputBefore: Number(exactInput),
    outputBefore: Number(table.outputBefore.at(-1)!),
    reserveIn: table.zeroForOne ? reserve0 : reserve1,
    reserveOut: table.zeroForOne ? reserve1 : reserve0,
  });
  table.pieceInputs.push(exactInput);
}

/** Where the bitmap word that the next step searches ends (Uniswap v3 whitepaper, section 6.2: one word of 256 ticks per step). */
function wordEdge(tick: number, spacing: number, zeroForOne: boolean): number {
  const compressed = Math.floor(tick / spacing) + (zeroForOne ? 0 : 1);
  const first = (compressed >> 8) << 8;
  return (zeroForOne ? first : first + 255) * spacing;
}

/** No tick that could be initialised lies behind the known range. */
function knowsTheRest(pool: ConcentratedPool, zeroForOne: boolean): boolean {
  const outermost = Math.floor(MAX_TICK / pool.tickSpacing) * pool.tickSpacing;
  return zeroForOne ? pool.tickRange[0] <= -outermost : pool.tickRange[1] >= outermost;
}

function atEdge(table: Table, k: number, amountIn: bigint, amountOut: bigint): V3Swap {
  return { ok: true, amountIn, amountOut, zeroForOne: table.zeroForOne, sqrtPriceX96: table.start[k]!, segment: k };
}

/** What a swap in this direction pays, in millionths of the input. */
export function swapFee(pool: ConcentratedPool, zeroForOne: boolean): number {
  return pool.swapFees?.[zeroForOne ? 0 : 1] ?? pool.feePips;
}

function withFee(amount: bigint, feePips: number): bigint {
  const fee = BigInt(feePips);
  return amount + ceilDiv(amount * fee, MILLION - fee);
}

/** Position of the first entry that is at least `value`; the floats find it, the integers settle it. The last entry must be one. */
function firstAtLeast(floats: number[], exact: bigint[], value: bigint): number {
  const wanted = Number(value);
  let low = 0;
  let high = floats.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (floats[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  while (low > 0 && exact[low - 1]! >= value) low--;
  while (exact[low]! < value) low++;
  return low;
}

function ticksUpTo(ticks: Tick[], tick: number): number {
  let low = 0;
  let high = ticks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ticks[middle]!.index <= tick) low = middle + 1;
    else high = middle;
  }
  return low;
}

function outOfReach(pool: ConcentratedPool, table: Table): NoLiquidity {
  return table.end === "unknown"
    ? refused(pool, `the amount would leave the known ticks ${pool.tickRange[0]} to ${pool.tickRange[1]}`, true)
    : refused(pool, "the amount exhausts the pool's liquidity", false);
}

function refused(pool: ConcentratedPool, detail: string, needsTicks: boolean): NoLiquidity {
  return { ok: false, pool: pool.address, detail, needsTicks };
}
