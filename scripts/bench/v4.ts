import { type BaseContract, concat, Contract } from "ethers";
import { artifact, EXTRACTS } from "../../src/sim/artifacts.js";
import { sqrtPriceX96 } from "../../src/sim/v3-math.js";
import type { World } from "../../test/helpers/pools.js";
import { type V4Trader, V4Trader__factory } from "../../types/contracts/index.js";

/** PoolManager of Uniswap V4 on Ethereum. */
export const POOL_MANAGER = "0x000000000004444c5dc75cB358380D2e3dE08A90";
const NO_HOOKS = `0x${"00".repeat(20)}`;

/** A pool of Uniswap V4 without hooks. */
export interface V4Pool {
  kind: "v4";
  /** The manager's, which holds every pool. */
  address: string;
  token0: string;
  token1: string;
  feePips: number;
  tickSpacing: number;
}

/** Places the PoolManager at its address, and a contract that adds liquidity and trades. */
export async function placeV4(world: World): Promise<V4Trader> {
  const { provider, networkHelpers, deployer } = world;
  const { abi, bytecode } = artifact(`${EXTRACTS.v4Core}/PoolManager.sol/PoolManager.json`);
  const from = await deployer.getAddress();
  // the constructor runs at the address itself, so that the immutable that forbids delegatecalls has it
  await networkHelpers.setCode(POOL_MANAGER, concat([bytecode, abi.encodeDeploy([from])]));
  const runtime = await provider.request({ method: "eth_call", params: [{ from, to: POOL_MANAGER }, "latest"] });
  await networkHelpers.setCode(POOL_MANAGER, runtime as string);
  return await new V4Trader__factory(deployer).deploy(POOL_MANAGER);
}

/** A pool at a price of `amountB` of b for `amountA` of a, with the liquidity ranges of the V3 pools of the scenario. */
export async function addV4(
  world: World,
  trader: V4Trader,
  [a, amountA]: [BaseContract, bigint],
  [b, amountB]: [BaseContract, bigint],
  feePips: number,
  liquidity: bigint,
): Promise<V4Pool> {
  const [tokenA, tokenB] = [await a.getAddress(), await b.getAddress()];
  const inOrder = BigInt(tokenA) < BigInt(tokenB);
  const [token0, token1] = inOrder ? [tokenA, tokenB] : [tokenB, tokenA];
  const [amount0, amount1] = inOrder ? [amountA, amountB] : [amountB, amountA];
  const made: V4Pool = { kind: "v4", address: POOL_MANAGER, token0, token1, feePips, tickSpacing: feePips / 50 };
  const manager = new Contract(POOL_MANAGER, artifact(`${EXTRACTS.v4Core}/PoolManager.sol/PoolManager.json`).abi, world.deployer);
  await manager.getFunction("initialize")(keyOf(made), sqrtPriceX96(amount0, amount1));
  for (const [token, amount] of [
    [a, amountA],
    [b, amountB],
  ] as const) {
    await world.weth.attach(token).getFunction("transfer")(trader, amount * 5_000n);
  }
  const { tickSpacing } = made;
  const tick = Math.floor(Math.log(Number(amount1) / Number(amount0)) / Math.log(1.0001) / tickSpacing) * tickSpacing;
  const width = 6000 - (6000 % tickSpacing);
  const widest = Math.floor(887_272 / tickSpacing) * tickSpacing;
  await trader.add(keyOf(made), tick - width, tick + width, liquidity);
  await trader.add(keyOf(made), -widest, widest, liquidity / 100n);
  return made;
}

/** Trades an exact input, as someone else would. */
export async function tradeV4(trader: V4Trader, pool: V4Pool, tokenIn: string, amountIn: bigint): Promise<void> {
  await trader.swap(keyOf(pool), tokenIn === pool.token0, amountIn);
}

/** Exact output of an input, from a swap that is not kept. */
export async function quoteV4(trader: V4Trader, pool: V4Pool, tokenIn: string, amountIn: bigint): Promise<bigint> {
  return await trader.swap.staticCall(keyOf(pool), tokenIn === pool.token0, amountIn);
}

function keyOf({ token0, token1, feePips, tickSpacing }: V4Pool) {
  return { currency0: token0, currency1: token1, fee: feePips, tickSpacing, hooks: NO_HOOKS };
}
