/**
 * Exact quotes on constant-product pairs (Uniswap V2 type): the pair accepts a swap iff
 * (reserveIn * 1e6 + amountIn * (1e6 - fee)) * (reserveOut - amountOut) >= reserveIn * reserveOut * 1e6
 * (Uniswap v2 whitepaper, section 3.2.1). A fee of 3000 pips is the pairs' 997/1000: the common factor cancels before rounding.
 */
import type { CurveEntry, NoLiquidity } from "./swap.js";
import type { V2Pool } from "./venue.js";

const MILLION = 1_000_000n;
/** Reserves are uint112: a pair that would hold more reverts. */
const MAX_RESERVE = (1n << 112n) - 1n;

export interface V2Swap {
  ok: true;
  amountIn: bigint;
  amountOut: bigint;
  zeroForOne: boolean;
}

/** Largest output that the pair accepts for `amountIn`, as the router's getAmountOut computes it. */
export function v2ExactIn(pool: V2Pool, zeroForOne: boolean, amountIn: bigint): V2Swap | NoLiquidity {
  const [reserveIn, reserveOut] = reserves(pool, zeroForOne);
  const refusal = refuse(pool, reserveIn, reserveOut, amountIn);
  if (refusal !== null) return refusal;
  const weighted = amountIn * (MILLION - BigInt(pool.feePips));
  const amountOut = (weighted * reserveOut) / (reserveIn * MILLION + weighted);
  // the pair reverts on an output of nothing
  if (amountOut === 0n) return { ok: false, pool: pool.address, detail: "the output rounds to zero", needsTicks: false };
  return { ok: true, amountIn, amountOut, zeroForOne };
}

/** Input that buys exactly `amountOut`, as the router's getAmountIn computes it: rounded down, plus one. */
export function v2ExactOut(pool: V2Pool, zeroForOne: boolean, amountOut: bigint): V2Swap | NoLiquidity {
  const [reserveIn, reserveOut] = reserves(pool, zeroForOne);
  if (amountOut <= 0n || amountOut >= reserveOut) {
    return {
      ok: false,
      pool: pool.address,
      detail: `the pair holds ${reserveOut}, less than or equal to the output`,
      needsTicks: false,
    };
  }
  const amountIn = (reserveIn * amountOut * MILLION) / ((reserveOut - amountOut) * (MILLION - BigInt(pool.feePips))) + 1n;
  return refuse(pool, reserveIn, reserveOut, amountIn) ?? { ok: true, amountIn, amountOut, zeroForOne };
}

/** The pair as the swap leaves it. */
export function v2AfterSwap(pool: V2Pool, swap: V2Swap): V2Pool {
  const change0 = swap.zeroForOne ? swap.amountIn : -swap.amountOut;
  const change1 = swap.zeroForOne ? -swap.amountOut : swap.amountIn;
  return { ...pool, reserve0: pool.reserve0 + change0, reserve1: pool.reserve1 + change1 };
}

/** The whole curve is one arc; null behind it. */
export function v2Piece(pool: V2Pool, zeroForOne: boolean, k: number): CurveEntry | null {
  if (k > 0) return null;
  const [reserveIn, reserveOut] = reserves(pool, zeroForOne);
  const piece = { inputBefore: 0, outputBefore: 0, reserveIn: Math.max(1, Number(reserveIn)), reserveOut: Number(reserveOut) };
  return { piece, exactInput: 0n, needsTicks: false };
}

function reserves(pool: V2Pool, zeroForOne: boolean): [bigint, bigint] {
  return zeroForOne ? [pool.reserve0, pool.reserve1] : [pool.reserve1, pool.reserve0];
}

function refuse(pool: V2Pool, reserveIn: bigint, reserveOut: bigint, amountIn: bigint): NoLiquidity | null {
  const no = (detail: string): NoLiquidity => ({ ok: false, pool: pool.address, detail, needsTicks: false });
  if (amountIn <= 0n) return no("the amount must be positive");
  if (reserveIn === 0n || reserveOut === 0n) return no("the pair is empty");
  if (reserveIn + amountIn > MAX_RESERVE) return no("the pair cannot hold the amount (its reserves are 112 bits wide)");
  return null;
}
