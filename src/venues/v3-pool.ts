/** What the V3 type venues have in common: where a pool stands, and how it is read. */
import { AbiCoder, type BlockTag, type Provider, getCreate2Address, keccak256 } from "ethers";
import { IUniswapV3Pool__factory } from "../../types/contracts/index.js";
import type { Network } from "../config/network.js";
import { type Read, readAll } from "./multicall.js";
import { MAX_TICK, MIN_TICK } from "./tick-math.js";
import { identity, noPool, sortTokens } from "./v2-pair.js";
import type { LoadOptions, PoolId, Tick, V3Pool, Venue, VenueId } from "./venue.js";

export const DEFAULT_TICK_WORDS = 2;

const pool3 = IUniswapV3Pool__factory.createInterface();

/** A venue whose factory makes Uniswap V3 type pools. */
export function v3Venue(id: VenueId): Venue {
  return {
    id,
    kind: "v3",
    isOn: (network) => network.venues[id] !== undefined,
    poolAddress: (network, tokenA, tokenB, feePips) => poolAddress(network, id, tokenA, tokenB, feePips),
    load: loadPool,
  };
}

/** CREATE2 address of a pool: salt = keccak256(abi.encode(token0, token1, fee)) (v3-core, UniswapV3PoolDeployer; EIP-1014). */
function poolAddress(network: Network, id: VenueId, tokenA: string, tokenB: string, feePips: number): string | null {
  const facts = network.venues[id];
  if (facts === undefined || !facts.feesPips.includes(feePips)) return null;
  const [token0, token1] = sortTokens(tokenA, tokenB);
  const salt = keccak256(AbiCoder.defaultAbiCoder().encode(["address", "address", "uint24"], [token0, token1, feePips]));
  return getCreate2Address(facts.deployer.address, salt, facts.initCodeHash);
}

/** Reads price, liquidity and the ticks around the price of a V3 type pool at a block, in three rounds. */
export async function loadPool(provider: Provider, pool: PoolId, block: BlockTag, options: LoadOptions = {}): Promise<V3Pool> {
  const ask = (what: string, data: string): Read => ({ target: pool.address, data, what });
  const read = (reads: Read[]): Promise<string[]> => readAll(provider, reads, block, options.timeoutMs);
  const [slot0, depth, gap] = (await read([
    ask("slot0", pool3.encodeFunctionData("slot0")),
    ask("liquidity", pool3.encodeFunctionData("liquidity")),
    ask("tickSpacing", pool3.encodeFunctionData("tickSpacing")),
  ])) as [string, string, string];
  if (slot0 === "0x") throw noPool(pool);
  // price and tick come first in every fork; what follows them differs
  const [sqrtPriceX96, tick] = AbiCoder.defaultAbiCoder().decode(["uint160", "int24"], slot0) as unknown as [bigint, bigint];
  const liquidity = pool3.decodeFunctionResult("liquidity", depth)[0] as bigint;
  const tickSpacing = Number(pool3.decodeFunctionResult("tickSpacing", gap)[0]);
  const known = await readTicks(Number(tick), tickSpacing, options, {
    words: async (words) => {
      const found = await read(words.map((w) => ask(`tickBitmap(${w})`, pool3.encodeFunctionData("tickBitmap", [w]))));
      return found.map((data) => pool3.decodeFunctionResult("tickBitmap", data)[0] as bigint);
    },
    nets: async (ticks) => {
      const found = await read(ticks.map((i) => ask(`ticks(${i})`, pool3.encodeFunctionData("ticks", [i]))));
      return found.map((data) => pool3.decodeFunctionResult("ticks", data)["liquidityNet"] as bigint);
    },
  });
  return { ...identity(pool), kind: "v3", tickSpacing, sqrtPriceX96, tick: Number(tick), liquidity, ...known };
}

/** How the ticks of a pool are read. */
export interface TickSource {
  /** The bitmap words of these numbers. */
  words(numbers: number[]): Promise<bigint[]>;
  /** `liquidityNet` of these ticks. */
  nets(ticks: number[]): Promise<bigint[]>;
}

/** The initialised ticks in the bitmap words around a price, and where the list is complete. */
export async function readTicks(
  tick: number,
  tickSpacing: number,
  options: LoadOptions,
  source: TickSource,
): Promise<{ ticks: Tick[]; tickRange: [number, number] }> {
  const word = (at: number): number => Math.floor(at / tickSpacing) >> 8;
  const radius = options.tickWords ?? DEFAULT_TICK_WORDS;
  const first = Math.max(word(MIN_TICK), word(tick) - radius);
  const last = Math.min(word(MAX_TICK), word(tick) + radius);
  const words = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const bitmaps = await source.words(words);
  const indexes = words.flatMap((w, i) => setBits(bitmaps[i]!).map((bit) => (w * 256 + bit) * tickSpacing));
  const nets = await source.nets(indexes);
  return {
    ticks: indexes.map((index, i) => ({ index, liquidityNet: nets[i]! })),
    tickRange: [Math.max(MIN_TICK, first * 256 * tickSpacing), Math.min(MAX_TICK, (last * 256 + 255) * tickSpacing)],
  };
}

function setBits(word: bigint): number[] {
  const bits: number[] = [];
  for (let bit = 0; word > 0n; bit++, word >>= 1n) if (word & 1n) bits.push(bit);
  return bits;
}
