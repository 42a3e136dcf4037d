import { MaxUint256 } from "ethers";
import type { VenueFacts } from "../../config/network.js";
import { IUniswapV2Factory__factory, IUniswapV2Router02__factory } from "../../../types/contracts/index.js";
import { type Artifact, artifact, EXTRACTS } from "../artifacts.js";
import { invoke, place, read, type Site } from "../site.js";
import type { SeedPool } from "../seed.js";

const factoryAbi = { abi: IUniswapV2Factory__factory.createInterface() };
const routerAbi = { abi: IUniswapV2Router02__factory.createInterface() };

/** Uniswap V2's factory and Router02. */
export async function placeUniswapV2(site: Site, facts: VenueFacts): Promise<void> {
  const factory = artifact("@uniswap/v2-core/build/UniswapV2Factory.json");
  await placeV2(site, facts, factory, artifact("@uniswap/v2-periphery/build/UniswapV2Router02.json"));
}

/** SushiSwap V2's, as deployed on Ethereum: their pairs have an init code hash of their own. */
export async function placeSushiswapV2(site: Site, facts: VenueFacts): Promise<void> {
  const factory = artifact(`${EXTRACTS.sushiswap}/UniswapV2Factory.json`);
  await placeV2(site, facts, factory, artifact(`${EXTRACTS.sushiswap}/UniswapV2Router02.json`));
}

async function placeV2(site: Site, facts: VenueFacts, factory: Artifact, router: Artifact): Promise<void> {
  await place(site, facts.factory.address, factory, [site.owner]);
  if (facts.router) await place(site, facts.router.address, router, [facts.factory.address, site.network.wrappedNative]);
}

/** Creates a pair through the router and returns its address. */
export async function seedV2(site: Site, facts: VenueFacts, router: string, pool: SeedPool): Promise<string> {
  const [[tokenA, amountA], [tokenB, amountB]] = pool.sides;
  const args = [tokenA, tokenB, amountA, amountB, 0, 0, site.owner, MaxUint256];
  await invoke(site, router, routerAbi, "addLiquidity", args);
  return await read<string>(site, facts.factory.address, factoryAbi, "getPair", [tokenA, tokenB]);
}
