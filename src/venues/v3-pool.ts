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

/** Reads price, liquidity and the ticks around the price at a block, in three rounds. */
async function loadPool(provider: Provider, pool: PoolId, block: BlockTag, options: LoadOptions = {}): Promise<V3Pool> {
  const read = async (reads: { call: string; data: string }[]): Promise<string[]> => {
    const asked: Read[] = reads.map(({ call, data }) => ({ target: pool.address, data, what: call }));
    return readAll(provider, asked, block, options.timeoutMs);
  };

  const [slot0, depth, gap] = (await read([
    { call: "slot0", data: pool3.encodeFunctionData("slot0") },
    { call: "liquidity", data: pool3.encodeFunctionData("liquidity") },
    { call: "tickSpacing", data: pool3.encodeFunctionData("tickSpacing") },
  ])) as [string, string, string];
  if (slot0 === "0x") throw noPool(pool);
  const head = pool3.decodeFunctionResult("slot0", slot0);
  const sqrtPriceX96 = head["sqrtPriceX96"] as bigint;
  const tick = Number(head["tick"]);
  const liquidity = pool3.decodeFunctionResult("liquidity", depth)[0] as bigint;
  const tickSpacing = Number(pool3.decodeFunctionResult("tickSpacing", gap)[0]);

  const word = (at: number): number => Math.floor(at / tickSpacing) >> 8;
  const radius = options.tickWords ?? DEFAULT_TICK_WORDS;
  const first = Math.max(word(MIN_TICK), word(tick) - radius);
  const last = Math.min(word(MAX_TICK), word(tick) + radius);
  const words = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const bitmaps = await read(words.map((w) => ({ call: `tickBitmap(${w})`, data: pool3.encodeFunctionData("tickBitmap", [w]) })));

  const indexes = words.flatMap((w, i) => {
    const bits = setBits(pool3.decodeFunctionResult("tickBitmap", bitmaps[i]!)[0] as bigint);
    return bits.map((bit) => (w * 256 + bit) * tickSpacing);
  });
  const nets = await read(indexes.map((i) => ({ call: `ticks(${i})`, data: pool3.encodeFunctionData("ticks", [i]) })));
  const ticks: Tick[] = indexes.map((index, i) => {
    const liquidityNet = pool3.decodeFunctionResult("ticks", nets[i]!)["liquidityNet"] as bigint;
    return { index, liquidityNet };
  });

  const tickRange: [number, number] = [
    Math.max(MIN_TICK, first * 256 * tickSpacing),
    Math.min(MAX_TICK, (last * 256 + 255) * tickSpacing),
  ];
  return { ...identity(pool), kind: "v3", tickSpacing, sqrtPriceX96, tick, liquidity, ticks, tickRange };
}

function setBits(word: bigint): number[] {
  const bits: number[] = [];
  for (let bit = 0; word > 0n; bit++, word >>= 1n) if (word & 1n) bits.push(bit);
  return bits;
}
