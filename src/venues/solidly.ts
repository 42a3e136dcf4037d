import { type BlockTag, Interface, type Provider, getCreate2Address, solidityPackedKeccak256 } from "ethers";
import type { Network } from "../config/network.js";
import { readAll } from "./multicall.js";
import { sampled } from "./quoted-pool.js";
import { identity, noPool, sortTokens } from "./v2-pair.js";
import type { LoadOptions, Pool, PoolId, PoolTraits, QuotedPool, Venue } from "./venue.js";

const pair = new Interface([
  "function factory() view returns (address)",
  "function getReserves() view returns (uint256,uint256,uint256)",
  "function getAmountOut(uint256,address) view returns (uint256)",
  "function getFee(address,bool) view returns (uint256)",
]);

/**
 * Velodrome V2 and Aerodrome, the living forks of Solidly. Their volatile pairs are V2 pairs whose fee the factory tells; their
 * stable pairs are quoted by `getAmountOut` (https://github.com/aerodrome-finance/contracts).
 */
export const solidly: Venue = {
  id: "solidly",
  kind: "v2",
  isOn: (network) => network.venues.solidly !== undefined,
  poolAddress: (network, tokenA, tokenB, _feePips, traits) => poolAddress(network, tokenA, tokenB, traits),
  load: loadSolidly,
  quote: {
    read: (pool, tokenIn, amountIn) => {
      return { target: pool.address, data: pair.encodeFunctionData("getAmountOut", [amountIn, tokenIn]), what: "getAmountOut" };
    },
    answer: (data) => BigInt(data),
  },
};

/** Pools are minimal proxies by CREATE2; the salt is keccak256(token0 ++ token1 ++ stable), packed (PoolFactory.createPool). */
function poolAddress(network: Network, tokenA: string, tokenB: string, traits?: PoolTraits): string | null {
  const facts = network.venues.solidly;
  if (facts === undefined) return null;
  const salt = solidityPackedKeccak256(["address", "address", "bool"], [...sortTokens(tokenA, tokenB), traits?.stable === true]);
  return getCreate2Address(facts.deployer.address, salt, facts.initCodeHash);
}

async function loadSolidly(provider: Provider, pool: PoolId, block: BlockTag, options: LoadOptions = {}): Promise<Pool> {
  const { address } = pool;
  const ask = (what: "factory" | "getReserves") => ({ target: address, data: pair.encodeFunctionData(what), what });
  const [factory, reserves] = (await readAll(provider, [ask("factory"), ask("getReserves")], block, options.timeoutMs)) as [
    string,
    string,
  ];
  if (reserves === "0x") throw noPool(pool);
  const [reserve0, reserve1] = pair.decodeFunctionResult("getReserves", reserves) as unknown as [bigint, bigint];
  if (pool.stable === true) {
    const step = {
      kind: "v2",
      pool: address,
      feePips: null,
      amountOut: null,
      maxIn: null,
      direct: false,
      measure: false,
    } as const;
    const empty = { ...identity(pool), stable: true, steps: [step, step] as QuotedPool["steps"] };
    return await sampled(provider, solidly, empty, [reserve0, reserve1], block, options.timeoutMs);
  }
  const target = pair.decodeFunctionResult("factory", factory)[0] as string;
  const asksFee = { target, data: pair.encodeFunctionData("getFee", [address, false]), what: "getFee" };
  const [fee] = await readAll(provider, [asksFee], block, options.timeoutMs);
  // hundredths of a percent
  return { ...identity(pool), kind: "v2", feePips: Number(fee) * 100, reserve0, reserve1 };
}
