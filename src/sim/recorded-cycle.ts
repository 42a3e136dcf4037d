import { ArbError } from "../errors.js";
import { BUILT_IN_TOKENS } from "../plan/codec.js";
import type { PoolKind } from "../venues/venue.js";
import type { RecordedCase, RecordedHop } from "./recorded-case.js";

/** One hop of a recorded cycle, with the amounts that the searcher swapped. Addresses are lower case. */
export interface CycleHop<Kind = PoolKind> {
  kind: Kind;
  /** The recording's name of the venue. */
  venue: string;
  pool: string;
  /** Fee in millionths where the recording names it. */
  feePips: number | null;
  tokenIn: string;
  tokenOut: string;
  amountIn: bigint;
  amountOut: bigint;
}

/** A recorded arbitrage as one cycle (through V2 and V3 type pools), from its profit token back to it. */
export interface Cycle<Kind = PoolKind> {
  profitToken: string;
  /** What the pools lost of the profit token, base units. */
  grossProfit: bigint;
  hops: CycleHop<Kind>[];
}

/** The recordings' names of the pool types that the executor can call. */
export const KINDS: Record<string, PoolKind> = { v2: "v2", v3: "v3", "pcs-v3": "v3" };

/** A surplus this many times smaller than another is what rounding left behind, not a profit. */
const DUST = 1000;

/**
 * The cycle of a recorded arbitrage, its hops in the order of the path (the recording has them in the order of the logs) and
 * turned so that it starts and ends with the profit token. Throws ArbError "usage" where the transaction is no such cycle.
 */
export function cycleOf(recording: RecordedCase): Cycle {
  return cycleThrough(recording, KINDS);
}

/** The same through pools of given kinds, by the recordings' names of them. */
export function cycleThrough<Kind>(recording: RecordedCase, kinds: Record<string, Kind>): Cycle<Kind> {
  const { arbitrage } = recording;
  if (!arbitrage) throw noCycle("the recording lists no swaps of it", "arbitrage");
  const { hops, poolsNet } = arbitrage;
  if (hops.length < 2) throw noCycle(`it has ${hops.length} swaps`, "arbitrage.hops");
  for (const [i, { kind }] of hops.entries()) {
    if (kinds[kind] === undefined) throw noCycle(`hop ${i} swaps in a pool of kind "${kind}"`, `arbitrage.hops[${i}].kind`);
  }
  const { profitToken, grossProfit } = profitOf(recording.chainId, hops, poolsNet);
  const path = walk(hops, profitToken, kinds);
  for (const [i, { pool }] of path.entries()) {
    if (path.some((other, j) => j < i && other.pool === pool)) {
      throw noCycle(`it swaps in the pool ${pool} twice, which is locked inside its own swap`, "arbitrage.hops");
    }
  }
  return { profitToken, grossProfit, hops: path };
}

/** The token that the pools lost and the cycle trades. Of several it is the wrapped native one, unless that is dust beside another. */
function profitOf(
  chainId: number,
  hops: RecordedHop[],
  poolsNet: Record<string, bigint>,
): { profitToken: string; grossProfit: bigint } {
  const found = Object.entries(poolsNet).flatMap(([token, amount]) => {
    if (amount <= 0n || !hops.some((hop) => hop.tokenOut === token)) return [];
    const swapped = hops.reduce((sum, hop) => (hop.tokenIn === token ? sum + hop.amountIn : sum), 0n);
    // amounts of different tokens compare by the share of what was swapped
    return swapped === 0n ? [] : [{ token, amount, share: Number(amount) / Number(swapped) }];
  });
  const largest = found.toSorted((a, b) => b.share - a.share)[0];
  if (largest === undefined) throw noCycle("the pools lost no token that it came back to", "arbitrage.poolsNet");
  const native = found.find(
    ({ token, share }) => token === BUILT_IN_TOKENS[chainId]?.toLowerCase() && share > largest.share / DUST,
  );
  const { token, amount } = native ?? largest;
  return { profitToken: token, grossProfit: amount };
}

/** Follows the hops from token to token. Each token must be given once and taken once, or there is no single path. */
function walk<Kind>(hops: RecordedHop[], start: string, kinds: Record<string, Kind>): CycleHop<Kind>[] {
  const path: CycleHop<Kind>[] = [];
  let token = start;
  do {
    const next = hops.filter((hop) => hop.tokenIn === token);
    const [hop] = next;
    if (hop === undefined) throw noCycle(`nothing takes the token ${token} on`, "arbitrage.hops");
    if (next.length > 1) throw noCycle(`${next.length} swaps take the token ${token} on`, "arbitrage.hops");
    const { kind, venue, pool, fee, tokenIn, tokenOut, amountIn, amountOut } = hop;
    if (amountIn === 0n || amountOut === 0n) throw noCycle(`the swap in ${pool} gives or takes nothing`, "arbitrage.hops");
    path.push({ kind: kinds[kind]!, venue: venue ?? kind, pool, feePips: fee || null, tokenIn, tokenOut, amountIn, amountOut });
    token = tokenOut;
  } while (token !== start && path.length < hops.length);
  if (token !== start) throw noCycle(`the swaps never come back to ${start}`, "arbitrage.hops");
  if (path.length < hops.length)
    throw noCycle(`${hops.length - path.length} of its swaps lie outside the cycle`, "arbitrage.hops");
  return path;
}

function noCycle(why: string, where: string): ArbError {
  return new ArbError("usage", `the transaction is no cycle of V2 and V3 swaps: ${why}`, {
    where,
    hint: "give a recording whose swaps form one cycle through pools of the V2 and V3 types",
  });
}
