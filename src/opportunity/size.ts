/**
 * Best input of a cycle over mixed pools, in floats. Each hop's curve is a chain of constant-product arcs, and arcs composed are
 * one such arc again: with `d` the input beyond the current point, output = A d / (1 + C d). So the optimum on one stretch is
 * closed: A / (1 + C d)^2 = 1 + fee rate, d = (sqrt(A / (1 + fee rate)) - 1) / C. The walk goes from stretch to stretch; output
 * is concave in the input, so the first stretch whose optimum lies within, or whose slope is too low at its start, has the answer.
 *
 * Every stretch is written from its own starting point: nothing is subtracted from large offsets, and an optimum that lies exactly
 * on an edge is found from either side.
 */
import type { Curve, CurveEntry } from "../venues/swap.js";

export interface SizeLimits {
  /** Fee of the funding as a fraction of the input. */
  feeRate: number;
  /** Largest input in base units; Infinity = none. */
  maxInput: number;
}

export interface Size {
  /** Base units of the first token. A first guess: confirm it by exact quotes. */
  amountIn: number;
  /** Where the best input is the edge between two pieces of a hop: that hop and its exact input there. */
  edge: { hop: number; exactInput: bigint } | null;
  /** The hop whose known ticks ended there: with more of them the best input might be larger. */
  needsTicks: number | null;
}

interface Cursor {
  curve: Curve;
  k: number;
  /** Virtual reserves at the current point. */
  reserveIn: number;
  reserveOut: number;
  /** Input that is left on this piece. */
  left: number;
  next: CurveEntry | null;
}

/** The input with the largest profit, or null where no input makes any. */
export function optimalInput(curves: Curve[], limits: SizeLimits): Size | null {
  const wanted = 1 + limits.feeRate;
  const cursors = curves.map(startOf);
  let amountIn = 0;
  let edge: Size["edge"] = null;
  let needsTicks: number | null = null;
  for (;;) {
    // compose the arcs, and see which hop's piece ends first
    let slope = 1;
    let bend = 0;
    let step = Infinity;
    let first = -1;
    for (const [i, cursor] of cursors.entries()) {
      // the cycle's input at which this hop's piece ends: invert slope d / (1 + bend d) = left
      const reach = slope - cursor.left * bend;
      const end = cursor.left === Infinity || reach <= 0 ? Infinity : Math.max(0, cursor.left / reach);
      if (end < step) [step, first] = [end, i];
      bend += (cursor.curve.gamma / cursor.reserveIn) * slope;
      slope *= (cursor.curve.gamma * cursor.reserveOut) / cursor.reserveIn;
    }
    if (!(slope > wanted)) return amountIn > 0 ? { amountIn, edge, needsTicks } : null;
    const best = (Math.sqrt(slope / wanted) - 1) / bend;
    if (amountIn + Math.min(best, step) >= limits.maxInput) return { amountIn: limits.maxInput, edge: null, needsTicks: null };
    if (best <= step) return { amountIn: amountIn + best, edge: null, needsTicks: null };
    amountIn += step;
    const at = cursors[first]!.next!;
    edge = { hop: first, exactInput: at.exactInput };
    needsTicks = at.needsTicks ? first : null;
    advance(cursors, first, step);
  }
}

function startOf(curve: Curve): Cursor {
  const cursor: Cursor = { curve, k: -1, reserveIn: 1, reserveOut: 0, left: 0, next: curve.piece(0) };
  enterNext(cursor);
  return cursor;
}

/** Moves a cursor to the start of its next piece. */
function enterNext(cursor: Cursor): void {
  const entry = cursor.next;
  if (entry === null) return;
  cursor.k += 1;
  cursor.reserveIn = entry.piece.reserveIn;
  cursor.reserveOut = entry.piece.reserveOut;
  cursor.next = entry.piece.reserveOut === 0 ? null : cursor.curve.piece(cursor.k + 1);
  cursor.left = cursor.next === null ? Infinity : cursor.next.piece.inputBefore - entry.piece.inputBefore;
}

/** Moves all hops by `step` of the cycle's input; `ending` is the hop that goes over to its next piece. */
function advance(cursors: Cursor[], ending: number, step: number): void {
  let into = step;
  for (const [i, cursor] of cursors.entries()) {
    const added = cursor.curve.gamma * into;
    const reserveIn = cursor.reserveIn + added;
    const out = (cursor.reserveOut * added) / reserveIn;
    if (i === ending) {
      enterNext(cursor);
    } else {
      cursor.reserveOut *= cursor.reserveIn / reserveIn;
      cursor.reserveIn = reserveIn;
      cursor.left = Math.max(0, cursor.left - into);
    }
    into = out;
  }
}
