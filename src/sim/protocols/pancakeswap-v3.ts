import type { VenueFacts } from "../../config/network.js";
import {
  IUniswapV3Factory__factory,
  IUniswapV3Pool__factory,
  LocalPancakeV3Deployer__factory,
  LocalPancakeV3Periphery__factory,
} from "../../../types/contracts/index.js";
import { artifact, EXTRACTS, ownArtifact } from "../artifacts.js";
import type { SeedPool } from "../seed.js";
import { deploy, invoke, place, read, type Site } from "../site.js";
import { squareRoot } from "../../venues/tick-math.js";
import { positionRanges, sqrtPriceX96 } from "../v3-math.js";

/** Holds the creation code of a pool as its own code; any address that nothing else uses. */
const POOL_CODE_HOLDER = "0x0000000000000000000000000000000ca4e0de01";

const factoryAbi = { abi: IUniswapV3Factory__factory.createInterface() };
const poolAbi = { abi: IUniswapV3Pool__factory.createInterface() };
const deployer = ownArtifact(LocalPancakeV3Deployer__factory);
const periphery = ownArtifact(LocalPancakeV3Periphery__factory);

/** PancakeSwap V3's factory and pools; returns the address of our own router, npm carries no bytecode of theirs. */
export async function placePancakeswapV3(site: Site, facts: VenueFacts): Promise<string> {
  const pool = artifact(`${EXTRACTS.pancakeV3}/PancakeV3Pool.sol/PancakeV3Pool.json`);
  await site.rpc("hardhat_setCode", [POOL_CODE_HOLDER, pool.bytecode]);
  await place(site, facts.deployer.address, deployer, [facts.factory.address, POOL_CODE_HOLDER]);
  const factory = artifact(`${EXTRACTS.pancakeV3}/PancakeV3Factory.sol/PancakeV3Factory.json`);
  await place(site, facts.factory.address, factory, [facts.deployer.address]);
  return await deploy(site, periphery);
}

/** Creates a pool at the price of its two sides, with one position per range, and returns its address. */
export async function seedPancakeV3(site: Site, facts: VenueFacts, router: string, pool: SeedPool): Promise<string> {
  const [[token0, amount0], [token1, amount1]] = pool.sides;
  const key = [token0, token1, pool.feePips];
  await invoke(site, facts.factory.address, factoryAbi, "createPool", key);
  const address = await read<string>(site, facts.factory.address, factoryAbi, "getPool", key);
  await invoke(site, address, poolAbi, "initialize", [sqrtPriceX96(amount0, amount1)]);
  const liquidity = squareRoot(amount0 * amount1);
  for (const { tickLower, tickUpper } of positionRanges(pool))
    await invoke(site, router, periphery, "mint", [address, tickLower, tickUpper, liquidity]);
  return address;
}
