import { AbiCoder, type BaseContract, type Contract, ContractFactory, keccak256, ZeroAddress } from "ethers";
import type { V4SwapStep } from "../../src/plan/step-types.js";
import { EXTRACTS, packageText } from "../../src/sim/artifacts.js";
import type { World } from "./pools.js";

export interface V4Pool {
  currency0: string;
  currency1: string;
  fee: number;
  tickSpacing: number;
  hooks: string;
}

/** Uniswap V4's PoolManager, as published, with its own contract for adding liquidity. */
export async function deployV4(world: World) {
  const by = world.deployer;
  const make = async (name: string, args: unknown[]) => {
    const json = JSON.parse(packageText(`${EXTRACTS.v4Core}/${name}.sol/${name}.json`)) as {
      abi: [];
      bytecode: { object: string };
    };
    return (await (
      await new ContractFactory(json.abi, json.bytecode.object, by).deploy(...args)
    ).waitForDeployment()) as Contract;
  };
  const manager = await make("PoolManager", [await by.getAddress()]);
  const liquidity = await make("PoolModifyLiquidityTest", [manager]);
  const address = await manager.getAddress();

  /** A pool at the price of 1 that `sqrtPriceX96` overrides, with liquidity over the whole range. Zero address: ETH. */
  async function addPool(
    tokens: [BaseContract | null, BaseContract],
    sqrtPriceX96: bigint,
    amount: bigint,
    hooks = ZeroAddress,
    fee = 3000,
  ): Promise<V4Pool> {
    const addresses = await Promise.all(tokens.map(async (token) => (token === null ? ZeroAddress : token.getAddress())));
    const [currency0, currency1] = addresses.toSorted((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1)) as [string, string];
    const key = { currency0, currency1, fee, tickSpacing: 60, hooks };
    await manager.getFunction("initialize")(key, sqrtPriceX96);
    for (const token of addresses.filter((a) => a !== ZeroAddress)) {
      await world.weth.attach(token).getFunction("approve")(liquidity, 2n ** 255n);
    }
    const params = { tickLower: -887220, tickUpper: 887220, liquidityDelta: amount, salt: `0x${"00".repeat(32)}` };
    const value = currency0 === ZeroAddress ? amount * 2n : 0n;
    await liquidity.getFunction("modifyLiquidity((address,address,uint24,int24,address),(int24,int24,int256,bytes32),bytes)")(
      key,
      params,
      "0x",
      { value },
    );
    return key;
  }

  return { manager, address, addPool };
}

/** A swap step in a pool; assets by their index. */
export function v4Swap(
  pool: V4Pool,
  [assetIn, assetOut, amount]: [number, number, V4SwapStep["amount"]],
  changes: Partial<V4SwapStep> = {},
): V4SwapStep {
  const { fee, tickSpacing, hooks } = pool;
  return {
    kind: "v4-swap",
    exact: "in",
    feePips: fee,
    tickSpacing,
    hooks,
    hookData: "0x",
    assetIn,
    assetOut,
    amount,
    measure: false,
    ...changes,
  };
}

export function poolIdOf({ currency0, currency1, fee, tickSpacing, hooks }: V4Pool): string {
  const types = ["address", "address", "uint24", "int24", "address"];
  return keccak256(AbiCoder.defaultAbiCoder().encode(types, [currency0, currency1, fee, tickSpacing, hooks]));
}
