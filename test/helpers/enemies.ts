import { AbiCoder, type BaseContract, concat, id } from "ethers";
import { encodePlan } from "../../src/plan/codec.js";
import { explainRevert } from "../../src/plan/errors.js";
import type { Plan } from "../../src/plan/plan.js";
import { ArbExecutor__factory, type Scripted, Scripted__factory } from "../../types/contracts/index.js";
import { createWorld, ETHER, type ExecutorFactory } from "./pools.js";

const coder = AbiCoder.defaultAbiCoder();
export const SWAP_V2 = "0x022c0d9f";
export const SWAP_V3 = "0x128acb08";
export const ON_TRANSFER = id("onTransfer()").slice(0, 10);

/** Every way in which a pool or lender of our world, or of a fork, calls back. */
export const CALLBACKS: Record<string, (data: string, token: string) => string> = Object.fromEntries([
  ...["uniswapV2Call", "pancakeCall", "forkCall", "BiswapCall"].map((name) => [name, v2(name)]),
  ...["uniswapV3SwapCallback", "pancakeV3SwapCallback", "algebraSwapCallback"].map((name) => [name, v3(name)]),
  [
    "executeOperation",
    (data: string, token: string) =>
      call(
        "executeOperation(address,uint256,uint256,address,bytes)",
        ["address", "uint256", "uint256", "address", "bytes"],
        [token, 1n, 0n, token, data],
      ),
  ],
  [
    "receiveFlashLoan",
    (data: string, token: string) =>
      call(
        "receiveFlashLoan(address[],uint256[],uint256[],bytes)",
        ["address[]", "uint256[]", "uint256[]", "bytes"],
        [[token], [1n], [0n], data],
      ),
  ],
]);

export function call(signature: string, types: string[], values: unknown[]): string {
  return concat([id(signature).slice(0, 10), coder.encode(types, values)]);
}

function v2(name: string) {
  return (data: string, token: string) =>
    call(`${name}(address,uint256,uint256,bytes)`, ["address", "uint256", "uint256", "bytes"], [token, 1n, 0n, data]);
}

export function v3(name: string, amount0 = 1n, amount1 = -1n) {
  return (data: string) => call(`${name}(int256,int256,bytes)`, ["int256", "int256", "bytes"], [amount0, amount1, data]);
}

export type Arena = Awaited<ReturnType<typeof createArena>>;

/**
 * A world for attacks: a profitable cycle of V2 pairs and one of V3 pools, a fake pool or lender, and an executor whose operator
 * is a contract, as an EIP-7702 account is.
 */
export async function createArena(Executor: ExecutorFactory = ArbExecutor__factory) {
  const world = await createWorld(false, Executor);
  const executor = world.executorAddress;
  const wethAddress = await world.weth.getAddress();
  const b = await world.token("B");
  const E = ETHER;
  const path = [
    await world.addV2(world.weth, b, 500n * E, 1_030_000n * E, 0),
    await world.addV2(world.weth, b, 500n * E, 970_000n * E, 1),
  ];
  const v3Path = [await world.addV3(world.weth, b, E, 2060n * E, 500), await world.addV3(world.weth, b, E, 1940n * E, 3000)];
  const botOperator = await new Scripted__factory(world.deployer).deploy();
  const fake = await new Scripted__factory(world.deployer).deploy();
  const own = await new Executor(world.deployer).deploy(world.owner, [botOperator, world.operator]);
  const ownAddress = await own.getAddress();
  await world.weth.transfer(ownAddress, 5n * E);
  await world.weth.transfer(executor, 5n * E);
  await world.weth.transfer(fake, 50n * E);

  const send = (data: string, to = executor, from = world.operator) => from.sendTransaction({ to, data });

  /** Name of the error that a call reverts with; "landed" if it does not. */
  async function refusal(data: string, to = executor, from = world.operator): Promise<string> {
    try {
      await world.provider.request({ method: "eth_call", params: [{ from: await from.getAddress(), to, data }, "latest"] });
      return "landed";
    } catch (error) {
      const explained = explainRevert((error as { data?: string }).data ?? "none");
      return explained.name === "Error" ? String(explained.args[0]) : explained.name;
    }
  }

  async function balances(): Promise<bigint[]> {
    return Promise.all([executor, ownAddress].flatMap((holder) => [world.weth.balanceOf(holder), b.balanceOf(holder)]));
  }

  const step = async (target: string | BaseContract, data: string, mayFail = false) => ({
    target: typeof target === "string" ? target : await target.getAddress(),
    data,
    mayFail,
  });

  /** Error names of the scripted steps that were allowed to fail, in order of events; "done" for those that did not. */
  async function stepped(contract: Scripted, hash: string): Promise<string[]> {
    const receipt = (await world.ethers.provider.getTransactionReceipt(hash))!;
    return receipt.logs
      .filter((log) => log.address === contract.target)
      .map((log) => contract.interface.parseLog(log)!.args)
      .map((args) => (args.success ? "done" : explainRevert(args.result as string).name));
  }

  /** A plan whose last pool is the fake one. */
  async function fakePlan(kind: "v2" | "v3", changes: Partial<Plan> = {}): Promise<Plan> {
    const plan = await world.planFor([path[0]!, path[1]!], ETHER, changes);
    plan.hops[1] = { ...plan.hops[1]!, kind, pool: await fake.getAddress() };
    return plan;
  }

  return {
    world,
    executor,
    wethAddress,
    path,
    v3Path,
    botOperator,
    fake,
    ownAddress,
    send,
    refusal,
    balances,
    step,
    stepped,
    fakePlan,
  };
}

/** The bytes that pools get of a plan without lender and guards: all but the 12 bytes of its least profit. */
export const bodyOf = (plan: Plan) => encodePlan(plan).slice(0, -24);
