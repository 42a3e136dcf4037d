import { getAddress } from "ethers";
import { IUniswapV2Pair__factory, IUniswapV3Pool__factory } from "../../types/contracts/index.js";
import { ArbError } from "../errors.js";
import { quoteExactIn } from "../venues/swap.js";
import { MAX_TICK, MIN_TICK } from "../venues/tick-math.js";
import type { Pool, Tick, V2Pool, V3Pool, VenueId } from "../venues/venue.js";
import { isSystem } from "./recorded.js";
import type { CycleHop } from "./recorded-cycle.js";
import type { RecordedFork } from "./recorded-fork.js";

const pair = IUniswapV2Pair__factory.createInterface();
const pool3 = IUniswapV3Pool__factory.createInterface();

/** The recordings' names of venues; all others are forks, quoted like the protocol that they copy. */
const VENUES: Record<string, VenueId> = {
  "uniswap-v2": "uniswap-v2",
  sushiswap: "sushiswap-v2",
  "uniswap-v3": "uniswap-v3",
  "sushiswap-v3": "sushiswap-v3",
  "pcs-v3": "pancakeswap-v3",
  "pancakeswap-v3": "pancakeswap-v3",
};

/** The V3 factories' usual fees, for a pool whose fee neither the recording nor the pool tells. */
const V3_FEES = [500, 3000, 100, 10000, 2500, 200, 400, 50, 20000];

/**
 * Reads the pool of a hop as far as the recording holds it, and proves the reading on the recorded swap: quoted on it, the
 * recorded input must give the recorded output. Null where the recording or our formulas do not cover a V3 type pool.
 * Throws ArbError "usage" where a V2 pair's reserves are not recorded or no fee explains its amounts.
 */
export async function readPool(fork: RecordedFork, hop: CycleHop): Promise<Pool | null> {
  return hop.kind === "v2" ? await readPair(fork, hop) : await readV3(fork, hop);
}

/** The words that a getter returns; null where the contract has no such getter or it reads state that is not recorded. */
async function get(fork: RecordedFork, to: string, data: string): Promise<bigint[] | null> {
  const before = missed(fork);
  let result: string;
  try {
    result = (await fork.request("eth_call", [{ to, data }, "latest"])) as string;
  } catch (error) {
    // a pool of another make has other getters; a node that fails says so otherwise
    if (/revert|invalid opcode|out of gas/i.test(error instanceof Error ? error.message : String(error))) return null;
    throw error;
  }
  if (missed(fork) > before || result.length < 66) return null;
  const words = (result.length - 2) >> 6;
  return Array.from({ length: words }, (_, i) => BigInt(`0x${result.slice(2 + 64 * i, 66 + 64 * i)}`));
}

/** Unrecorded slots read so far, other than the node's own. Each read below is made once, so its misses are new ones. */
function missed(fork: RecordedFork): number {
  return fork.server.unrecorded().filter(({ address, slot }) => slot !== null && !isSystem(address)).length;
}

function base({ pool, venue, kind, tokenIn, tokenOut }: CycleHop) {
  const [token0, token1] = BigInt(tokenIn) < BigInt(tokenOut) ? [tokenIn, tokenOut] : [tokenOut, tokenIn];
  return {
    venue: VENUES[venue] ?? (kind === "v2" ? ("v2-fork" as const) : ("uniswap-v3" as const)),
    address: getAddress(pool),
    token0: getAddress(token0),
    token1: getAddress(token1),
  };
}

// ------------------------------------------------------------------------------------------------------------------ V2

async function readPair(fork: RecordedFork, hop: CycleHop): Promise<V2Pool> {
  const reserves = await get(fork, hop.pool, pair.encodeFunctionData("getReserves"));
  if (reserves === null || reserves.length < 2) {
    throw new ArbError("usage", `the reserves of the V2 pair ${hop.pool} are not recorded`, {
      where: hop.pool,
      hint: "the pool is no V2 pair, or the recording is incomplete",
    });
  }
  const free: V2Pool = { ...base(hop), kind: "v2", feePips: 0, reserve0: reserves[0]!, reserve1: reserves[1]! };
  return { ...free, feePips: pairFee(free, hop) };
}

/**
 * The fee of a pair, from a swap that it accepted. A pair takes any input that is enough for the output, so a swap bounds the
 * fee from above; searchers ask for all that they can get, give or take a few base units. The usual fees are whole
 * hundredths of a percent. Throws ArbError "usage" where none of them, up to 1 %, explains the amounts.
 */
export function pairFee(pair: V2Pool, hop: CycleHop): number {
  const slack = slackOf(hop);
  const explains = (feePips: number) => {
    const quote = quoteExactIn({ ...pair, feePips }, getAddress(hop.tokenIn), hop.amountIn);
    return quote.ok && quote.amountOut >= hop.amountOut && quote.amountOut <= hop.amountOut + slack;
  };
  const usual = [3000, 2500, 2000, 1000, ...Array.from({ length: 101 }, (_, i) => 10_000 - 100 * i)];
  const fee = usual.find(explains);
  if (fee === undefined) {
    throw new ArbError("usage", `no usual fee explains the amounts of the V2 pair ${pair.address}`, {
      where: hop.pool,
      hint: "it is no constant-product pair, or one of its tokens takes a fee on transfers",
    });
  }
  return fee;
}

// ------------------------------------------------------------------------------------------------------------------ V3

async function readV3(fork: RecordedFork, hop: CycleHop): Promise<V3Pool | null> {
  const slot0 = await get(fork, hop.pool, pool3.encodeFunctionData("slot0"));
  const liquidity = await get(fork, hop.pool, pool3.encodeFunctionData("liquidity"));
  const spacing = await get(fork, hop.pool, pool3.encodeFunctionData("tickSpacing"));
  // forks differ behind the first two words of slot0
  if (slot0 === null || slot0.length < 2 || liquidity === null || spacing === null) return null;
  const tickSpacing = Number(BigInt.asIntN(24, spacing[0]!));
  if (tickSpacing <= 0) return null;
  const tick = Number(BigInt.asIntN(24, slot0[1]!));
  const known = await readTicks(fork, hop.pool, tick, tickSpacing);
  if (known === null) return null;
  const unpriced: V3Pool = {
    ...base(hop),
    kind: "v3",
    feePips: 0,
    tickSpacing,
    sqrtPriceX96: slot0[0]!,
    tick,
    liquidity: liquidity[0]!,
    ...known,
  };
  const named = hop.feePips ?? Number((await get(fork, hop.pool, pool3.encodeFunctionData("fee")))?.[0] ?? 0n);
  const fees = named > 0 && named < 1_000_000 ? [named] : V3_FEES;
  return fees.map((feePips) => ({ ...unpriced, feePips })).find((pool) => reproduces(pool, hop)) ?? null;
}

/** Whether a quote on the recorded input gives the recorded output, give or take the units that an exact-output swap rounds by. */
function reproduces(pool: V3Pool, hop: CycleHop): boolean {
  const quote = quoteExactIn(pool, getAddress(hop.tokenIn), hop.amountIn);
  if (!quote.ok) return false;
  const difference = quote.amountOut - hop.amountOut;
  const slack = slackOf(hop);
  return -slack <= difference && difference <= slack;
}

/** A millionth of a swap's output, and two units: fees differ by far more, rounding by less. */
function slackOf(hop: CycleHop): bigint {
  return hop.amountOut / 1_000_000n + 2n;
}

/**
 * The initialised ticks around the price, as far in both directions as the bitmap's words and the ticks themselves are
 * recorded without a gap. A tick that was not crossed is known to be there, but not how much liquidity it moves: the range
 * ends at it, and quotes enter the stretch before the end of a range without ever crossing the end.
 */
async function readTicks(
  fork: RecordedFork,
  pool: string,
  tick: number,
  spacing: number,
): Promise<{ ticks: Tick[]; tickRange: [number, number] } | null> {
  const words = new Map<number, bigint | null>();
  const wordAt = async (index: number): Promise<bigint | null> => {
    if (!words.has(index))
      words.set(index, (await get(fork, pool, pool3.encodeFunctionData("tickBitmap", [index])))?.[0] ?? null);
    return words.get(index) ?? null;
  };
  const position = Math.floor(tick / spacing);
  const down = await follow(-1, position);
  const up = await follow(1, position + 1);
  if (down.words + up.words === 0) return null;
  return {
    ticks: [...down.ticks.toReversed(), ...up.ticks],
    tickRange: [Math.max(MIN_TICK, down.end), Math.min(MAX_TICK, up.end)],
  };

  /** Walks from word to word until one, or a tick in it, is not known. */
  async function follow(step: 1 | -1, first: number): Promise<{ ticks: Tick[]; end: number; words: number }> {
    const ticks: Tick[] = [];
    let end = tick;
    let count = 0;
    const outermost = Math.floor(MAX_TICK / spacing) >> 8;
    for (let index = first >> 8; Math.abs(index) <= outermost + 1; index += step) {
      const word = await wordAt(index);
      if (word === null) break;
      count++;
      for (const at of positions(word, index, step)) {
        if (step > 0 ? at < first : at > first) continue;
        const words = await get(fork, pool, pool3.encodeFunctionData("ticks", [at * spacing]));
        if (words === null || words.length < 2) return { ticks, end: at * spacing, words: count };
        ticks.push({ index: at * spacing, liquidityNet: BigInt.asIntN(128, words[1]!) });
      }
      end = (step > 0 ? index * 256 + 255 : index * 256) * spacing;
    }
    return { ticks, end, words: count };
  }
}

/** Set bits of a bitmap word as positions in units of the tick spacing, in the direction of the walk. */
function positions(word: bigint, index: number, step: 1 | -1): number[] {
  const bits = Array.from({ length: 256 }, (_, bit) => bit).filter((bit) => (word >> BigInt(bit)) & 1n);
  return (step > 0 ? bits : bits.toReversed()).map((bit) => index * 256 + bit);
}
