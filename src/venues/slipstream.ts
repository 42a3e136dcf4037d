import { AbiCoder, type BlockTag, Interface, type Provider, getCreate2Address, keccak256 } from "ethers";
import type { Network } from "../config/network.js";
import { readAll } from "./multicall.js";
import { sortTokens } from "./v2-pair.js";
import { loadPool } from "./v3-pool.js";
import type { LoadOptions, PoolId, PoolTraits, V3Pool, Venue } from "./venue.js";

const pool3 = new Interface(["function fee() view returns (uint24)"]);

/**
 * Slipstream, the concentrated liquidity of Velodrome and Aerodrome: V3 pools that are told apart by their tick spacing, and whose fee
 * changes (https://github.com/velodrome-finance/slipstream).
 */
export const slipstream: Venue = {
  id: "slipstream",
  kind: "v3",
  isOn: (network) => network.venues.slipstream !== undefined,
  poolAddress: (network, tokenA, tokenB, _feePips, traits) => poolAddress(network, tokenA, tokenB, traits),
  load: loadSlipstream,
};

/** Pools are minimal proxies by CREATE2; the salt is keccak256(abi.encode(token0, token1, tickSpacing)) (CLFactory.createPool). */
function poolAddress(network: Network, tokenA: string, tokenB: string, traits?: PoolTraits): string | null {
  const facts = network.venues.slipstream;
  if (facts === undefined || traits?.tickSpacing === undefined) return null;
  const values = [...sortTokens(tokenA, tokenB), traits.tickSpacing];
  const salt = keccak256(AbiCoder.defaultAbiCoder().encode(["address", "address", "int24"], values));
  return getCreate2Address(facts.deployer.address, salt, facts.initCodeHash);
}

async function loadSlipstream(provider: Provider, pool: PoolId, block: BlockTag, options: LoadOptions = {}): Promise<V3Pool> {
  const asksFee = { target: pool.address, data: pool3.encodeFunctionData("fee"), what: "fee" };
  const [state, [fee]] = await Promise.all([
    loadPool(provider, pool, block, options),
    readAll(provider, [asksFee], block, options.timeoutMs),
  ]);
  return { ...state, feePips: Number(fee) };
}
