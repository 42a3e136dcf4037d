import { MaxUint256, ZeroAddress } from "ethers";
import type { VenueFacts } from "../../config/network.js";
import { INonfungiblePositionManager__factory, IUniswapV3Factory__factory } from "../../../types/contracts/index.js";
import { artifact, EXTRACTS } from "../artifacts.js";
import { deploy, invoke, place, read, type Site } from "../site.js";
import type { SeedPool } from "../seed.js";
import { positionRanges, sqrtPriceX96 } from "../v3-math.js";

const factoryAbi = { abi: IUniswapV3Factory__factory.createInterface() };
const managerAbi = { abi: INonfungiblePositionManager__factory.createInterface() };

/**
 * Uniswap V3's factory, position manager, QuoterV2 and SwapRouter02; SushiSwap V3 is the same code. Returns the router: at
 * the registry's address, or at a fresh one where the registry has none.
 */
export async function placeUniswapV3(site: Site, facts: VenueFacts, v2Factory: string): Promise<string> {
  const { wrappedNative } = site.network;
  const factory = facts.factory.address;
  const factoryArtifact = artifact("@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json");
  await place(site, factory, factoryArtifact);
  // the fourth tier, which Uniswap's governance added in 2021
  await invoke(site, factory, factoryArtifact, "enableFeeAmount", [100, 1]);
  const manager = facts.positionManager?.address ?? ZeroAddress;
  await place(site, manager, periphery("NonfungiblePositionManager"), [factory, wrappedNative, ZeroAddress]);
  if (facts.quoter) await place(site, facts.quoter.address, periphery("lens/QuoterV2"), [factory, wrappedNative]);
  const router = artifact(`${EXTRACTS.swapRouter}/SwapRouter02.sol/SwapRouter02.json`);
  const args = [v2Factory, factory, manager, wrappedNative];
  if (!facts.router) return await deploy(site, router, args);
  await place(site, facts.router.address, router, args);
  return facts.router.address;
}

/** Creates a pool at the price of its two sides, with one position per range, and returns its address. */
export async function seedV3(site: Site, facts: VenueFacts, pool: SeedPool): Promise<string> {
  const manager = facts.positionManager?.address ?? ZeroAddress;
  const [[token0, amount0], [token1, amount1]] = pool.sides;
  const price = sqrtPriceX96(amount0, amount1);
  await invoke(site, manager, managerAbi, "createAndInitializePoolIfNecessary", [token0, token1, pool.feePips, price]);
  for (const { tickLower, tickUpper, share } of positionRanges(pool)) {
    const position = {
      token0,
      token1,
      fee: pool.feePips,
      tickLower,
      tickUpper,
      amount0Desired: (amount0 * share) / 1_000_000n,
      amount1Desired: (amount1 * share) / 1_000_000n,
      amount0Min: 0,
      amount1Min: 0,
      recipient: site.owner,
      deadline: MaxUint256,
    };
    await invoke(site, manager, managerAbi, "mint", [position]);
  }
  return await read<string>(site, facts.factory.address, factoryAbi, "getPool", [token0, token1, pool.feePips]);
}

const periphery = (name: string) =>
  artifact(`@uniswap/v3-periphery/artifacts/contracts/${name}.sol/${name.replace("lens/", "")}.json`);
