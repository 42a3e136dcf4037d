import { type BaseContract, ContractFactory, ZeroAddress } from "ethers";
import type { Plan, PlanHop, V4Key } from "../../src/plan/plan.js";
import { EXTRACTS, packageText } from "../../src/sim/artifacts.js";
import { IPoolManager__factory, V4Hook__factory, V4Trader__factory } from "../../types/contracts/index.js";
import { ETHER, type TestPool, type World } from "./pools.js";

/** The PoolManager's address on Ethereum. */
/** The PoolManager by chain id. */
export const POOL_MANAGERS: Record<number, string> = {
  1: "0x000000000004444c5dc75cB358380D2e3dE08A90",
  10: "0x9a13F98Cb987694C9F086b1F5eB990EeA8264Ec3",
  8453: "0x498581fF718922c3f8e6A244956aF099B2652b2b",
  42161: "0x360E68faCcca8cA495c1B759Fd9EEe466db9FB32",
  84532: "0x05E73354cFDd6745C338b50BcFDfA3Aa6fA03408",
  421614: "0xFB3e0C6F74eB1a21CC1Da29aeC80D2Dfe6C9a317",
  11155111: "0xE03A1074c86CFeDd5C142C4F04F1a1536e203543",
};

export const POOL_MANAGER = "0x000000000004444c5dc75cB358380D2e3dE08A90";

export interface V4Pool extends V4Key {
  currency0: string;
  currency1: string;
}

export type AnyPool = TestPool | V4Pool;

export type V4World = Awaited<ReturnType<typeof addV4>>;

/** Puts the published PoolManager at its address, and a trader with what it trades. */
export async function addV4(world: World) {
  const { deployer } = world;
  const json = JSON.parse(packageText(`${EXTRACTS.v4Core}/PoolManager.sol/PoolManager.json`)) as {
    abi: [];
    bytecode: { object: string };
  };
  const template = await new ContractFactory(json.abi, json.bytecode.object, deployer).deploy(deployer);
  const code = await world.ethers.provider.getCode(await template.getAddress());
  // it knows its own address, to refuse being delegated to
  const own = (await template.getAddress()).slice(2).toLowerCase();
  await world.networkHelpers.setCode(POOL_MANAGER, code.replaceAll(own, POOL_MANAGER.slice(2).toLowerCase()));
  const manager = IPoolManager__factory.connect(POOL_MANAGER, deployer);
  const trader = await new V4Trader__factory(deployer).deploy(POOL_MANAGER);
  await world.weth.transfer(trader, 100_000n * ETHER);
  await deployer.sendTransaction({ to: trader, value: 100_000n * ETHER });

  /** A pool at a price of `amountB` of b for `amountA` of a; null is ETH. It has traded both ways. */
  async function pool(
    a: BaseContract | null,
    b: BaseContract | null,
    [amountA, amountB]: [bigint, bigint],
    key: Partial<V4Key> = {},
    liquidity = 100_000n * ETHER,
  ): Promise<V4Pool> {
    const address = async (token: BaseContract | null) => (token ? token.getAddress() : ZeroAddress);
    const [tokenA, tokenB] = [await address(a), await address(b)];
    const ordered = BigInt(tokenA) < BigInt(tokenB);
    const made: V4Pool = {
      currency0: ordered ? tokenA : tokenB,
      currency1: ordered ? tokenB : tokenA,
      fee: 3000,
      tickSpacing: 60,
      hooks: ZeroAddress,
      hookData: "0x",
      ...key,
    };
    const price = ordered ? Number(amountB) / Number(amountA) : Number(amountA) / Number(amountB);
    await manager.initialize(keyOf(made), BigInt(Math.floor(Math.sqrt(price) * 2 ** 48)) << 48n);
    const near = Math.floor(Math.log(price) / Math.log(1.0001) / made.tickSpacing) * made.tickSpacing;
    const width = 6000 - (6000 % made.tickSpacing);
    await trader.add(keyOf(made), near - width, near + width, liquidity);
    return made;
  }

  const quote = (where: V4Pool, tokenIn: string, amount: bigint): Promise<bigint> =>
    trader.swap.staticCall(keyOf(where), tokenIn === where.currency0, amount, where.hookData);

  /** A plan through these pools of any kind, quoted one after the other; ETH where a pool wants ETH at an end. */
  async function planFor(path: AnyPool[], amountIn: bigint, changes: Partial<Plan> = {}): Promise<Plan & { profit: bigint }> {
    const weth = await world.weth.getAddress();
    const takes = (where: AnyPool, token: string) => pair(where).includes(token);
    let [tokenIn, amount] = [takes(path[0]!, weth) ? weth : ZeroAddress, amountIn];
    const hops: PlanHop[] = [];
    for (const where of path) {
      const tokenOut = pair(where).find((token) => token !== tokenIn)!;
      const isV4 = "hooks" in where;
      const amountOut = isV4 ? await quote(where, tokenIn, amount) : await world.quoteOut(where, tokenIn, amount);
      hops.push({
        kind: isV4 ? "v4" : where.kind,
        pool: isV4 ? POOL_MANAGER : where.address,
        tokenIn,
        tokenOut,
        feePips: isV4 ? 0 : where.feePips,
        amountIn: amount,
        amountOut,
        ...(isV4 ? { v4: { fee: where.fee, tickSpacing: where.tickSpacing, hooks: where.hooks, hookData: where.hookData } } : {}),
      });
      [tokenIn, amount] = [tokenOut, amountOut];
    }
    return {
      chainId: 1,
      amounts: "fixed",
      funding: { source: "flash-swap", lender: null, maxFee: 0n },
      profitToken: weth,
      hops,
      maxAmountIn: amountIn,
      minProfit: 0n,
      deadline: null,
      blocks: null,
      ...changes,
      profit: amount - amountIn,
    };
  }

  /** A hook before swaps at an address whose flags say so. */
  async function hook(number: number) {
    const at = "0x" + (BigInt(number) * 0x10000n + 0x80n + (0x40n << 100n)).toString(16).padStart(40, "0");
    const made = await new V4Hook__factory(deployer).deploy();
    await world.networkHelpers.setCode(at, await world.ethers.provider.getCode(await made.getAddress()));
    return V4Hook__factory.connect(at, deployer);
  }

  return { manager, trader, pool, quote, planFor, hook };
}

function pair(where: AnyPool): [string, string] {
  return "hooks" in where ? [where.currency0, where.currency1] : [where.token0, where.token1];
}

export function keyOf({ currency0, currency1, fee, tickSpacing, hooks }: V4Pool) {
  return { currency0, currency1, fee, tickSpacing, hooks };
}
