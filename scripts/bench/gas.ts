import { dataLength } from "ethers";
import { encodePlan } from "../../src/plan/codec.js";
import type { PlanFunding } from "../../src/plan/plan.js";
import { encodeSteps } from "../../src/plan/steps.js";
import { toSteps } from "../../src/plan/to-steps.js";
import type { TestPool, World } from "../../test/helpers/pools.js";
import { type FailureRow, type GuardRow, measureFailures, measureGuards } from "./guards.js";
import { naiveBaseline } from "./naive.js";
import { AMOUNT_IN, type Baseline, buildStage, pairsOf, type Path, SCENARIO, type Stage } from "./scenario.js";
import { traceAccessList, traceFloor } from "./trace.js";
import { deployUniversalRouters, universalRouterBaseline } from "./universal-router.js";

/** One measured plan. Gas of whole transactions; SCENARIO says what each figure is. */
export interface GasRow {
  path: string;
  funding: string;
  /** What the lender is, in rows that a StepExecutor runs; null in those of ArbExecutor. */
  stepLender: string | null;
  amounts: "fixed" | "adaptive";
  gasUsed: number;
  gasUsedWithAccessList: number;
  calldataBytes: number;
  floor: number;
  naive: number;
  universalRouter: number;
  /** `naive` through `gasUsed`. */
  naiveRatio: number;
  /** Most gas allowed, in rows that have a bar. */
  bar: number | null;
  /** `gasUsed` is within the bar, and `naive` at least LEAST_RATIO times as much. */
  meetsBar: boolean | null;
}

export interface GasReport {
  scenario: typeof SCENARIO;
  leastNaiveRatio: number;
  rows: GasRow[];
  guards: GuardRow[];
  failures: FailureRow[];
  /** Rows that this contract has no plan format for. */
  skipped: { path: string; funding: string; reason: string }[];
}

/** What rows of fixed amounts, funded by a flash swap, may cost at most. */
export const BARS: Readonly<Record<string, number>> = {
  "V2-V2": 132_300,
  "V2-V3": 140_100,
  "V3-V2": 140_900,
  "V3-V3": 149_900,
  "V4-V4": 103_800,
};
export const LEAST_RATIO = 2.1;

const FLASH_SWAP: PlanFunding = { source: "flash-swap", lender: null, maxFee: 0n };
const OWN_BALANCE: PlanFunding = { source: "own-balance", lender: null, maxFee: 0n };

/**
 * Measures every row of the scenario on a fresh chain, one after the other. `progress` is told each row's name before it is
 * measured. Throws where a transaction reverts.
 */
export async function measureGas(options: { progress?: (row: string) => void } = {}): Promise<GasReport> {
  const stage = await buildStage();
  const routers = await deployUniversalRouters(stage);
  const naive = oncePerPath(await naiveBaseline(stage, [...routers.values()][0]!));
  const universalRouter = oncePerPath(await universalRouterBaseline(stage, routers));
  const rows: GasRow[] = [];
  const skipped: GasReport["skipped"] = [];
  const measure = async (path: Path, amounts: "fixed" | "adaptive", funding: PlanFunding, stepLender: string | null = null) => {
    options.progress?.(`${path.name} ${amounts} ${funding.source}`);
    rows.push(await measureRow(stage, path, { amounts, funding, stepLender }, { naive, universalRouter }));
  };
  for (const path of stage.paths) {
    await measure(path, "fixed", FLASH_SWAP);
    if (!hasV4(path)) await measure(path, "adaptive", FLASH_SWAP);
    else
      skipped.push({
        path: path.name,
        funding: "flash-swap, adaptive",
        reason: "V4 and V3 pools compute their amounts themselves",
      });
  }
  for (const funding of [OWN_BALANCE, ...stage.lenders]) await measure(stage.paths[0]!, "fixed", funding);
  for (const { code, ...funding } of stage.stepLenders) await measure(stage.paths[0]!, "fixed", funding, code);
  options.progress?.("guards and failures");
  const guards = await measureGuards(stage);
  const failures = await measureFailures(stage);
  return { scenario: SCENARIO, leastNaiveRatio: LEAST_RATIO, rows, guards, failures, skipped };
}

/** The other ways to trade are the same for every plan of a path. */
function oncePerPath(baseline: Baseline): Baseline {
  const known = new Map<string, Promise<number>>();
  return (path) => {
    if (!known.has(path.name)) known.set(path.name, baseline(path));
    return known.get(path.name)!;
  };
}

const hasV4 = ({ name }: Path) => name.includes("V4");

async function pairPlan(world: World, pools: TestPool[], amounts: "fixed" | "adaptive", funding: PlanFunding) {
  const plan = await world.planFor(pools, AMOUNT_IN, { amounts, funding });
  const { profit } = await world.expectation(plan, pools);
  return { ...plan, profit };
}

async function measureRow(
  stage: Stage,
  path: Path,
  { amounts, funding, stepLender }: { amounts: "fixed" | "adaptive"; funding: PlanFunding; stepLender: string | null },
  baselines: { naive: Baseline; universalRouter: Baseline },
): Promise<GasRow> {
  const { world } = stage;
  const { profit, ...plan } = hasV4(path) ? await stage.planOf(path) : await pairPlan(world, pairsOf([path]), amounts, funding);
  const weth = await world.weth.getAddress();
  const bounded = { ...plan, minProfit: ((profit - funding.maxFee) * 9n) / 10n };
  const data = stepLender === null ? encodePlan(bounded) : encodeSteps(toSteps(bounded, weth));
  const to = stepLender === null ? world.executorAddress : stage.stepExecutor;
  const tx = { from: await world.operator.getAddress(), to, data };
  const accounts = new Set([weth, ...stage.tokens, ...plan.hops.map(({ pool }) => pool)].map((a) => a.toLowerCase()));

  const prepared = <T>(body: () => Promise<T>) =>
    world.rolledBack(async () => {
      if (funding.source === "own-balance") await world.weth.transfer(world.executorAddress, AMOUNT_IN);
      return await body();
    });
  const send = async (accessList?: Awaited<ReturnType<typeof traceAccessList>>) => {
    const receipt = (await (await world.operator.sendTransaction({ ...tx, accessList: accessList ?? null })).wait())!;
    return { hash: receipt.hash, gasUsed: Number(receipt.gasUsed) };
  };
  const plain = await prepared(async () => {
    const { hash, gasUsed } = await send();
    return { gasUsed, floor: await traceFloor(world, hash, data, accounts), list: await traceAccessList(world, hash, tx) };
  });
  const listed = await prepared(() => send(plain.list.filter(({ address }) => accounts.has(address))));
  const naive = await baselines.naive(path);
  const { gasUsed, floor } = plain;
  const naiveRatio = Math.floor((naive / gasUsed) * 1000) / 1000;
  const bar = amounts === "fixed" && funding.source === "flash-swap" ? (BARS[path.name] ?? null) : null;
  return {
    path: path.name,
    funding: funding.source,
    stepLender,
    amounts,
    gasUsed,
    gasUsedWithAccessList: listed.gasUsed,
    calldataBytes: dataLength(data),
    floor,
    naive,
    universalRouter: await baselines.universalRouter(path),
    naiveRatio,
    bar,
    meetsBar: bar === null ? null : gasUsed <= bar && naiveRatio >= LEAST_RATIO,
  };
}
