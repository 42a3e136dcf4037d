/**
 * Pools that are quoted by their own view function: what they said at one block, as a curve to size on and as exact answers.
 * Whoever quotes asks `readQuotes` first; an amount that nobody asked for is refused, never guessed.
 */
import type { BlockTag, Provider } from "ethers";
import type { CurveEntry, NoLiquidity } from "./swap.js";
import { readAll } from "./multicall.js";
import type { QuotedPool, Samples, Venue } from "./venue.js";

export interface QuotedSwap {
  ok: true;
  amountIn: bigint;
  amountOut: bigint;
  zeroForOne: boolean;
}

/** The first curve reaches from the largest input down to so many doublings below it. */
const FIRST_DOUBLINGS = 27;
/** A sample says little of the price where its output has fewer units than this. */
const LEAST_OUTPUT = 100_000n;
/** A straight line, as an arc whose reserves no amount can move. */
const STRAIGHT = 1e60;

/** Inputs to begin with, the last of which is `largest`; from one to the next they double so many times. */
export function firstInputs(largest: bigint, doublings = 1): bigint[] {
  const inputs = Array.from({ length: Math.floor(FIRST_DOUBLINGS / doublings) + 1 }, (_, k) => largest >> BigInt(k * doublings));
  return inputs.filter((amount) => amount > 0n).toReversed();
}

/** Asks the pool for the outputs of these inputs at a block, in one batch. A swap that the pool refuses gives 0. */
export async function readQuotes(
  provider: Provider,
  venue: Venue,
  pool: QuotedPool,
  tokenIn: string,
  inputs: bigint[],
  block: BlockTag,
  timeoutMs?: number,
): Promise<bigint[]> {
  const { quote } = venue;
  if (quote === undefined) throw new TypeError(`${venue.id} has pools that are not quoted by themselves`);
  const reads = inputs.map((amount) => ({ ...quote.read(pool, tokenIn, amount), mayRevert: true }));
  const answers = await readAll(provider, reads, block, timeoutMs);
  return answers.map((data) => (data === "0x" ? 0n : quote.answer(data)));
}

/** The pool with more answers. */
export function withQuotes(pool: QuotedPool, zeroForOne: boolean, inputs: bigint[], outputs: bigint[]): QuotedPool {
  const before = pool.samples[zeroForOne ? 0 : 1];
  const known = new Map(before.inputs.map((amount, i) => [amount, before.outputs[i]!]));
  for (const [i, amount] of inputs.entries()) known.set(amount, outputs[i]!);
  const sorted = [...known].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const samples: Samples = { inputs: sorted.map(([amount]) => amount), outputs: sorted.map(([, amount]) => amount) };
  return { ...pool, samples: zeroForOne ? [samples, pool.samples[1]] : [pool.samples[0], samples] };
}

export function quotedExactIn(pool: QuotedPool, zeroForOne: boolean, amountIn: bigint): QuotedSwap | NoLiquidity {
  const { inputs, outputs } = pool.samples[zeroForOne ? 0 : 1];
  const amountOut = outputs[inputs.indexOf(amountIn)];
  const refuse = (detail: string): NoLiquidity => ({ ok: false, pool: pool.address, detail, needsTicks: false });
  if (amountOut === undefined) return refuse("the pool was not asked for this amount");
  if (amountOut === 0n) return refuse("the pool gives nothing for the amount");
  return { ok: true, amountIn, amountOut, zeroForOne };
}

/**
 * Arc k of the curve through the samples: through both ends, with the slope at its start that the arcs beside it have in common.
 * Arcs of a constant-product pool come out as they are. Behind the last sample nothing is known: a piece that gives nothing.
 */
export function quotedPiece(pool: QuotedPool, zeroForOne: boolean, k: number): CurveEntry | null {
  const { x, y } = points(pool.samples[zeroForOne ? 0 : 1]);
  const arcs = x.length - 1;
  if (arcs < 1 || k > arcs) return k === 0 ? { piece: ending(0, 0), exactInput: 0n, needsTicks: false } : null;
  const [inputBefore, outputBefore] = [x[k]!, y[k]!];
  const exactInput = BigInt(Math.round(inputBefore));
  if (k === arcs) return { piece: ending(inputBefore, outputBefore), exactInput, needsTicks: false };
  const secant = (i: number): number => (y[i + 1]! - y[i]!) / (x[i + 1]! - x[i]!);
  const here = secant(k);
  const before = k > 0 ? secant(k - 1) : arcs > 1 ? (here * here) / Math.sqrt(here * Math.max(secant(1), 1e-300)) : here;
  const slope = k > 0 ? Math.sqrt(before * here) : before;
  const step = x[k + 1]! - inputBefore;
  const gain = y[k + 1]! - outputBefore;
  // output = slope * reserveIn * u / (reserveIn + u) goes through the end of the arc
  const above = step * slope - gain;
  const reserveIn = above > gain * 1e-12 ? (gain * step) / above : STRAIGHT;
  const reserveOut = (reserveIn === STRAIGHT ? here : slope) * reserveIn;
  return { piece: { inputBefore, outputBefore, reserveIn, reserveOut }, exactInput, needsTicks: false };
}

/** How far the executed price is worse than that of the smallest sample that tells one, in parts per million, rounded down. */
export function quotedImpactPpm(pool: QuotedPool, zeroForOne: boolean, amountIn: bigint, amountOut: bigint): number {
  const { inputs, outputs } = pool.samples[zeroForOne ? 0 : 1];
  const i = outputs.findIndex((amount) => amount >= LEAST_OUTPUT);
  if (i < 0) return 0;
  const ideal = (amountIn * outputs[i]! * 1_000_000n) / inputs[i]!;
  const given = amountOut * 1_000_000n;
  return ideal <= given ? 0 : Number(((ideal - given) * 1_000_000n) / ideal);
}

function ending(inputBefore: number, outputBefore: number): CurveEntry["piece"] {
  return { inputBefore, outputBefore, reserveIn: 1, reserveOut: 0 };
}

/** From nothing up to where the output no longer grows. */
function points({ inputs, outputs }: Samples): { x: number[]; y: number[] } {
  const [x, y] = [[0], [0]];
  for (const [i, amount] of outputs.entries()) {
    if (amount < LEAST_OUTPUT) continue;
    if (Number(amount) <= y.at(-1)!) break;
    x.push(Number(inputs[i]!));
    y.push(Number(amount));
  }
  return { x, y };
}

/**
 * A pool before anybody asked it, with its first answers in both directions up to `largest` of each token. `doublings`: 2 where an answer
 * takes a whole swap, so that half as many are asked for.
 */
export async function sampled(
  provider: Provider,
  venue: Venue,
  empty: Omit<QuotedPool, "samples" | "kind">,
  largest: [bigint, bigint],
  block: BlockTag,
  timeoutMs?: number,
  doublings = 1,
): Promise<QuotedPool> {
  let pool: QuotedPool = { ...empty, kind: "quoted", samples: [NOTHING, NOTHING] };
  const directions = [true, false].map((zeroForOne, i) => ({
    zeroForOne,
    tokenIn: zeroForOne ? pool.token0 : pool.token1,
    inputs: firstInputs(largest[i]!, doublings),
  }));
  const asked = pool;
  const answers = await Promise.all(
    directions.map(({ tokenIn, inputs }) => readQuotes(provider, venue, asked, tokenIn, inputs, block, timeoutMs)),
  );
  for (const [i, { zeroForOne, inputs }] of directions.entries()) pool = withQuotes(pool, zeroForOne, inputs, answers[i]!);
  return pool;
}

const NOTHING: Samples = { inputs: [], outputs: [] };
