import { Contract, dataLength, toQuantity } from "ethers";
import { encodePlan } from "../../src/plan/codec.js";
import type { Plan } from "../../src/plan/plan.js";
import type { TestPool } from "../../test/helpers/pools.js";
import { IUniswapV2Pair__factory } from "../../types/contracts/index.js";
import { AMOUNT_IN, pairsOf, type Stage } from "./scenario.js";

/** What a guard adds to the plan of path V2-V2 with fixed amounts, calldata included. */
export interface GuardRow {
  guard: string;
  gasUsed: number;
  extraGas: number;
  extraBytes: number;
}

/** Gas of a plan that fails, because a rival was faster. */
export interface FailureRow {
  path: string;
  check: "first pool" | "none";
  gasUsed: number;
}

/** Measures each guard alone, on the cycle of two pairs. */
export async function measureGuards(stage: Stage): Promise<GuardRow[]> {
  const { world } = stage;
  const [first, last] = poolsOf(stage, "V2-V2") as [TestPool, TestPool];
  const plan = await world.planFor([first, last], AMOUNT_IN);
  const { profit } = await world.expectation(plan, [first, last]);
  const base = { ...plan, minProfit: (profit * 9n) / 10n };
  const tip = profit / 20n;
  const guards: Record<string, () => Promise<Partial<Plan>>> = {
    none: () => Promise.resolve({}),
    "deadline and block window": () => Promise.resolve({ deadline: 2 ** 32 - 1, blocks: { from: 1, to: 2 ** 32 - 1 } }),
    "parent hash": async () => ({ parentHash: (await world.ethers.provider.getBlock("latest"))!.hash }),
    "first pool": async () => ({ poolBound: await boundOf(stage, first) }),
    "profit net of own gas": () => Promise.resolve({ gasPrice: { price: 1n, scale: 0 }, minProfit: profit / 2n }),
    "fixed tip": () => Promise.resolve({ tip: { kind: "fixed", amount: tip } }),
    "tip as a share": () => Promise.resolve({ tip: { kind: "share", bips: 500, floor: 1n, cap: tip * 2n } }),
    sweep: () => Promise.resolve({ sweep: true }),
  };
  // an owner and a proposer who were paid before: the first payment to either costs 17,100 or 25,000 more, once
  await world.weth.transfer(world.owner, 1n);
  const miner = (await world.ethers.provider.getBlock("latest"))!.miner;
  await world.networkHelpers.setBalance(miner, AMOUNT_IN);
  const rows: GuardRow[] = [];
  for (const [guard, fields] of Object.entries(guards)) {
    await world.rolledBack(async () => {
      const data = encodePlan({ ...base, ...(await fields()) });
      const sent = await world.operator.sendTransaction({ to: world.executorAddress, data });
      const gasUsed = Number((await sent.wait())!.gasUsed);
      const none = rows[0]?.gasUsed ?? gasUsed;
      rows.push({ guard, gasUsed, extraGas: gasUsed - none, extraBytes: dataLength(data) - dataLength(encodePlan(base)) });
    });
  }
  return rows;
}

/** Measures what a plan costs that comes second: a rival has taken the price of its first pool in the block before. */
export async function measureFailures(stage: Stage): Promise<FailureRow[]> {
  const { world } = stage;
  const rows: FailureRow[] = [];
  for (const path of ["V2-V2", "V2-V3", "V3-V2", "V3-V3"]) {
    const pools = poolsOf(stage, path);
    const plan = await world.planFor(pools, AMOUNT_IN, { amounts: "adaptive" });
    const { profit } = await world.expectation(plan, pools);
    const bounded = { ...plan, minProfit: (profit * 9n) / 10n };
    for (const check of ["first pool", "none"] as const) {
      const data = encodePlan({ ...bounded, poolBound: check === "none" ? null : await boundOf(stage, pools[0]!) });
      const gasUsed = await world.rolledBack(async () => {
        await world.trade(pools[0]!, await world.weth.getAddress(), 2n * AMOUNT_IN);
        return await gasOfFailure(stage, data);
      });
      rows.push({ path, check, gasUsed });
    }
  }
  return rows;
}

async function gasOfFailure({ world }: Stage, data: string): Promise<number> {
  const from = await world.operator.getAddress();
  const tx = { from, to: world.executorAddress, data, gas: toQuantity(500_000) };
  // it is mined, and then reported as an error
  await world.provider.request({ method: "eth_sendTransaction", params: [tx] }).then(
    () => undefined,
    () => undefined,
  );
  const block = (await world.ethers.provider.getBlock("latest"))!;
  const receipt = (await world.ethers.provider.getTransactionReceipt(block.transactions[0]!))!;
  if (receipt.from !== from || receipt.status !== 0) throw new Error("the plan that should fail did not run, or landed");
  return Number(receipt.gasUsed);
}

/** The present state of a pool, as the check of the first pool wants it, for a hop that sells WETH. */
async function boundOf({ world }: Stage, pool: TestPool): Promise<bigint> {
  const sellsToken0 = pool.token0 === (await world.weth.getAddress());
  if (pool.kind === "v2") {
    const [reserve0, reserve1] = await IUniswapV2Pair__factory.connect(pool.address, world.deployer).getReserves();
    return sellsToken0 ? reserve1 : reserve0;
  }
  const view = new Contract(pool.address, ["function slot0() view returns (uint160 sqrtPriceX96)"], world.deployer);
  return (await view.getFunction("slot0")()) as bigint;
}

function poolsOf({ paths }: Stage, name: string): TestPool[] {
  return pairsOf(paths.filter((path) => path.name === name));
}
