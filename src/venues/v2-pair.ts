/** What the V2 type venues have in common: where a pair stands, and how it is read. */
import { type BlockTag, type Provider, getCreate2Address, solidityPackedKeccak256 } from "ethers";
import { IUniswapV2Pair__factory } from "../../types/contracts/index.js";
import type { Network } from "../config/network.js";
import { ArbError } from "../errors.js";
import { readAll } from "./multicall.js";
import type { LoadOptions, PoolId, V2Pool, Venue, VenueId } from "./venue.js";

const pair = IUniswapV2Pair__factory.createInterface();

/** A venue whose factory makes Uniswap V2 pairs. */
export function v2Venue(id: VenueId): Venue {
  return {
    id,
    kind: "v2",
    isOn: (network) => network.venues[id] !== undefined,
    poolAddress: (network, tokenA, tokenB, feePips) => pairAddress(network, id, tokenA, tokenB, feePips),
    load: loadPair,
  };
}

/** CREATE2 address of a pair: salt = keccak256(token0 ++ token1), packed (v2-core, UniswapV2Factory.createPair; EIP-1014). */
function pairAddress(network: Network, id: VenueId, tokenA: string, tokenB: string, feePips: number): string | null {
  const facts = network.venues[id];
  if (facts === undefined || !facts.feesPips.includes(feePips)) return null;
  const salt = solidityPackedKeccak256(["address", "address"], sortTokens(tokenA, tokenB));
  return getCreate2Address(facts.deployer.address, salt, facts.initCodeHash);
}

/** Reads a pair's reserves at a block. */
export async function loadPair(provider: Provider, pool: PoolId, block: BlockTag, options: LoadOptions = {}): Promise<V2Pool> {
  const read = { target: pool.address, data: pair.encodeFunctionData("getReserves"), what: "getReserves" };
  const [returned] = await readAll(provider, [read], block, options.timeoutMs);
  if (returned === "0x") throw noPool(pool);
  const [reserve0, reserve1] = pair.decodeFunctionResult("getReserves", returned!);
  return { ...identity(pool), kind: "v2", reserve0: reserve0 as bigint, reserve1: reserve1 as bigint };
}

/** Tokens in the order of their addresses as numbers, as the factories sort them. */
export function sortTokens(tokenA: string, tokenB: string): [string, string] {
  return BigInt(tokenA) < BigInt(tokenB) ? [tokenA, tokenB] : [tokenB, tokenA];
}

/** Only the fields of a PoolId: what a caller passes may carry more. */
export function identity({ venue, address, token0, token1, feePips }: PoolId): PoolId {
  return { venue, address, token0, token1, feePips };
}

export function noPool(pool: PoolId): ArbError {
  return new ArbError("refused", `there is no contract at ${pool.address}`, {
    where: pool.address,
    hint: `the ${pool.venue} pool of ${pool.token0} and ${pool.token1} does not exist on this chain, or not at this block`,
  });
}
