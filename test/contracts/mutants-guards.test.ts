import { expect } from "chai";
import { concat, toBeHex } from "ethers";
import { network } from "hardhat";
import { encodeExecute, encodePlan, MAX_AMOUNT } from "../../src/plan/codec.js";
import { explainRevert } from "../../src/plan/errors.js";
import type { Plan, PlanTip } from "../../src/plan/plan.js";
import type { Asset, Step } from "../../src/plan/step-types.js";
import { encodeSteps } from "../../src/plan/steps.js";
import {
  ArbExecutor__factory,
  BalancerLender__factory,
  IArbExecutor__factory,
  IUniswapV2Pair__factory,
  StepExecutor__factory,
  TestToken__factory,
} from "../../types/contracts/index.js";
import { answering } from "../helpers/answers.js";
import { createWorld, ETHER, type TestPool, type World } from "../helpers/pools.js";
import { ARRIVED, erc20, fixed, planOf, v2 } from "../helpers/steps.js";

const GAS_PRICE = "0x" + (3n * 10n ** 9n).toString(16);
const E = ETHER;

/** What only mutation testing showed to be untested in the guards: each test kills mutants that survived all others. */
describe("ArbExecutor: guards that nothing else looks at", function () {
  let world: World;
  let steps: World;
  let path: TestPool[];
  let plan: Plan;
  let profit: bigint;
  let stepGain: bigint;
  let stepCycle: Step[];
  let stepTable: Asset[];

  before(async function () {
    world = await createWorld();
    const b = await world.token("B");
    path = [
      await world.addV2(world.weth, b, 500n * E, 1_030_000n * E, 0),
      await world.addV2(world.weth, b, 500n * E, 970_000n * E, 1),
    ];
    plan = await world.planFor(path, E);
    profit = (await world.expectation(plan, path)).profit;
    steps = await createWorld(false, StepExecutor__factory);
    const c = await steps.token("B");
    const pairs = [
      await steps.addV2(steps.weth, c, 500n * E, 1_030_000n * E, 0),
      await steps.addV2(steps.weth, c, 500n * E, 970_000n * E, 1),
    ];
    await steps.weth.transfer(steps.executorAddress, 5n * E);
    stepGain = (await steps.planFor(pairs, E)).hops[1]!.amountOut - E;
    stepCycle = [v2(pairs[0]!.address, [0, 1, fixed(E)], { direct: true }), v2(pairs[1]!.address, [1, 0, ARRIVED])];
    stepTable = [await erc20(steps.weth), await erc20(c)];
  });

  async function outcome(data: string, at = world, more = {}): Promise<{ name: string; args: readonly unknown[] }> {
    try {
      const request = { from: await at.operator.getAddress(), to: at.executorAddress, data, gasPrice: GAS_PRICE, ...more };
      await at.provider.request({ method: "eth_call", params: [request, "pending"] });
      return { name: "landed", args: [] };
    } catch (error) {
      return explainRevert((error as { data?: string }).data ?? "none");
    }
  }

  /** Every set of guards, and the tip that it has. */
  async function sets(at: World, poolBound: bigint | null): Promise<[guards: Partial<Plan>, tip: bigint][]> {
    const latest = (await at.ethers.provider.getBlock("latest"))!;
    const all: Partial<Plan>[] = [
      { deadline: latest.timestamp + 1000, blocks: { from: 1, to: latest.number + 10 } },
      { parentHash: latest.hash! },
      { poolBound },
      { gasPrice: { price: 1n, scale: 255 } },
      { sweep: true },
    ];
    const tips: [PlanTip | null, bigint][] = [
      [null, 0n],
      [{ kind: "fixed", amount: 5n }, 5n],
      [{ kind: "share", bips: 1, floor: 7n, cap: 8n }, 8n],
      [{ kind: "share", bips: 10_000, floor: 9n, cap: 2n ** 96n - 1n }, -1n],
    ];
    const guards = Array.from({ length: 32 }, (_, bits) => Object.assign({}, ...all.filter((__, i) => (bits >> i) & 1)));
    return guards.flatMap((set: Partial<Plan>) => tips.map(([tip, paid]): [Partial<Plan>, bigint] => [{ ...set, tip }, paid]));
  }

  it("every set of them is read as it is written, and the least profit is exact under each", async function () {
    const pair = IUniswapV2Pair__factory.connect(path[0]!.address, world.deployer);
    const bound = (await pair.getReserves())[path[0]!.token0 === plan.profitToken ? 1 : 0];
    for (const [guards, tip] of await sets(world, bound)) {
      const rest = tip < 0n ? 0n : profit - tip;
      const at = async (changes: Partial<Plan>) => (await outcome(encodePlan({ ...plan, ...guards, ...changes }))).name;
      const text = JSON.stringify(guards, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));
      expect(await at({ minProfit: rest }), text).to.equal("landed");
      expect(await at({ minProfit: rest + 1n }), text).to.equal("ProfitTooLow");
      if (guards.gasPrice) expect(await at({ gasPrice: { price: MAX_AMOUNT, scale: 0 } }), text).to.equal("ProfitTooLow");
      if (guards.poolBound) expect(await at({ poolBound: bound + 1n }), text).to.equal("PoolMoved");
      if (guards.parentHash) expect(await at({ parentHash: "0x" + "ab".repeat(32) }), text).to.equal("WrongParent");
    }
  });

  it("every set of them in a plan of steps, too", async function () {
    for (const [{ poolBound, ...guards }, tip] of await sets(steps, null)) {
      const rest = tip < 0n ? 0n : stepGain - tip;
      const at = async (changes: object) =>
        (await outcome(encodeSteps(planOf(stepTable, stepCycle, { ...guards, ...changes } as never)), steps)).name;
      const text = JSON.stringify(guards, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));
      expect(poolBound ?? null).to.equal(null);
      expect(await at({ minProfit: rest }), text).to.equal("landed");
      expect(await at({ minProfit: rest + 1n }), text).to.equal("ProfitTooLow");
      if (guards.gasPrice) expect(await at({ gasPrice: { price: MAX_AMOUNT, scale: 0 } }), text).to.equal("ProfitTooLow");
      if (guards.parentHash) expect(await at({ parentHash: "0x" + "ab".repeat(32) }), text).to.equal("WrongParent");
    }
  });

  it("a proposer that is a contract gets 100,000 gas and the stipend", async function () {
    const coinbase = "0x00000000000000000000000000000000000c01bb";
    const tip = { kind: "fixed", amount: 1n } as const;
    const sent = [
      [world, encodePlan({ ...plan, tip })],
      [steps, encodeSteps(planOf(stepTable, stepCycle, { tip }))],
    ] as const;
    for (const [at, data] of sent) {
      await at.rolledBack(async () => {
        // stores how much gas there is
        await at.networkHelpers.setCode(coinbase, "0x5a5f55");
        await at.provider.request({ method: "hardhat_setCoinbase", params: [coinbase] });
        await at.operator.sendTransaction({ to: at.executorAddress, data, maxPriorityFeePerGas: 0n, gasLimit: 2_000_000n });
        const got = await at.provider.request({ method: "eth_getStorageAt", params: [coinbase, "0x0", "latest"] });
        // GAS itself has cost 2 of it
        expect(Number(got)).to.equal(102_298);
      });
    }
  });

  it("what does not answer like a pool stands nowhere", async function () {
    const at = path[0]!.address;
    const reserves = (await IUniswapV2Pair__factory.connect(at, world.deployer).getReserves()).slice(0, 2) as bigint[];
    const price = 2n ** 96n;
    for (const kind of ["v2", "v3"] as const) {
      const hops = plan.hops.map((hop, i) => (i === 0 ? { ...hop, kind } : hop));
      const data = encodePlan({ ...plan, hops, poolBound: kind === "v3" ? price : 1n });
      const words = kind === "v3" ? [price, price] : reserves;
      const full = kind === "v3" ? 32 : 64;
      for (const [size, reverts, moved] of [
        [full, false, false],
        [full + 32, false, false],
        [full - 1, false, true],
        [0, false, true],
        [full, true, true],
        [0, true, true],
      ] as const) {
        await world.rolledBack(async () => {
          await world.networkHelpers.setCode(at, answering([...words, 7n], size, reverts));
          const { name } = await outcome(data);
          expect(name === "PoolMoved", `${kind} ${size} ${reverts} ${name}`).to.equal(moved);
        });
      }
    }
  });

  it("execute reads its plan inside the calldata only", async function () {
    const bare = encodePlan(plan).slice(2);
    const selector = IArbExecutor__factory.createInterface().getFunction("execute").selector;
    const word = (value: bigint) => toBeHex(BigInt.asUintN(256, value), 32).slice(2);
    const size = BigInt(bare.length / 2);
    const padded = bare + "00".repeat(64);
    const read = async (data: string) => {
      const { name, args } = await outcome(data);
      return name === "Error" ? String(args[0]) : name;
    };
    const send = async (offset: bigint, length = size, tail = padded) => read(selector + word(offset) + word(length) + tail);
    expect(await send(32n)).to.equal("landed");
    // a plan of the same bytes elsewhere in the calldata is read there
    const shifted = word(0n) + word(size) + padded;
    expect(await read(selector + word(96n) + word(0n) + shifted)).to.equal("landed");
    expect(await send(32n - 2n ** 64n)).to.equal("MalformedPlan");
    expect(await send(2n ** 32n)).to.equal("MalformedPlan");
    for (const length of [2n ** 32n, 2n ** 256n - 1n, 2n ** 256n - 68n, size + 200n]) {
      expect(await send(32n, length)).to.equal("MalformedPlan");
    }
    // offsets that wrap around to the selector and to the offset itself
    for (let offset = -0x24n; offset < 0n; offset++) expect(await send(offset)).to.equal("MalformedPlan");
    // ETH is told first
    const paid = await outcome(selector + word(2n ** 32n) + word(size) + padded, world, { value: "0x1" });
    expect(paid.name).to.equal("EtherRefused");
    // exactly to the end, and one byte beyond
    expect(await send(32n, size, bare)).to.equal("landed");
    expect(await send(32n, size, bare.slice(0, -2))).to.equal("MalformedPlan");
  });

  it("what follows a plan in the calldata of execute is not read", async function () {
    const lender = await new BalancerLender__factory(world.deployer).deploy();
    await world.weth.transfer(lender, 10n * E);
    const lent: Plan["funding"] = { source: "balancer-v2", lender: await lender.getAddress(), maxFee: 0n };
    for (const funding of [plan.funding, lent]) {
      for (const guards of [{}, { sweep: true }]) {
        const bare = encodePlan({ ...plan, ...guards, funding, minProfit: profit });
        // right behind it, where else padding is
        const data = encodeExecute({ ...plan, ...guards, funding, minProfit: profit }).slice(0, 10 + 128) + bare.slice(2);
        for (const behind of ["ff", "40", "10", "08"]) expect((await outcome(data + behind.repeat(64))).name).to.equal("landed");
      }
    }
  });

  it("ArbSys is believed if it answers with a word, and not if it reverts", async function () {
    const arbSys = "0x0000000000000000000000000000000000000064";
    const override = { type: "edr-simulated", chainId: 42161 } as never;
    const { ethers, provider, networkHelpers } = await network.create({ network: "default", override });
    const [operator, owner] = await ethers.getSigners();
    const signer = operator as never;
    const fast = await new ArbExecutor__factory(signer).deploy(owner as never, [operator as never]);
    const slow = await new StepExecutor__factory(signer).deploy(owner as never, [operator as never]);
    const token = await new TestToken__factory(signer).deploy("P");
    const idle = await (await new TestToken__factory(signer).deploy("I")).getAddress();
    const pool = "0x00000000000000000000000000000000000d0011";
    await networkHelpers.setCode(pool, "0x00");
    const number = 123_456n;
    const hash = BigInt("0x" + "1f".repeat(32));
    const address = (await token.getAddress()).slice(2).toLowerCase();
    const idlePlan = (guards: string) =>
      "0xa6110000" + "00".repeat(12) + (pool.slice(2) + "00".repeat(12)).repeat(2) + address + "00".repeat(12) + guards;
    const table = ["0x" + address, idle].map((each): Asset => ({ kind: "erc20", address: each }));
    const sweeping = encodeSteps(planOf(table, [v2(pool, [1, 0, fixed(1n)], { amountOut: 1n })], { sweep: true }));
    // pays nothing, and other guards stand in the place of the sweep
    const free = sweeping.replace(`${"0".repeat(31)}1000bb8`, `${"0".repeat(32)}000bb8`);
    const stepPlan = (guards: string) => free.slice(0, 38) + guards + free.slice(40);
    const window = "01" + "00".repeat(5) + toBeHex(number, 5).slice(2) + toBeHex(number, 5).slice(2);
    const parent = "02" + "1f".repeat(12);
    const name = (to: string, data: string) =>
      provider.request({ method: "eth_call", params: [{ from: operator!.address, to, data }, "latest"] }).then(
        () => "landed",
        (error: { data: string }) => explainRevert(error.data).name,
      );
    for (const [guards, word, refused] of [
      [window, number, "OutsideBlockWindow"],
      [parent, hash, "WrongParent"],
    ] as const) {
      for (const [size, reverts, good] of [
        [32, false, true],
        [64, false, true],
        [31, false, false],
        [0, false, false],
        [32, true, false],
      ] as const) {
        await networkHelpers.setCode(arbSys, answering([word, 1n], size, reverts));
        const text = `${guards} ${size} ${reverts}`;
        expect(await name(await fast.getAddress(), idlePlan(guards)), text).to.equal(good ? "landed" : refused);
        expect(await name(await slow.getAddress(), stepPlan(guards)), text).to.equal(good ? "landed" : "TokenCallFailed");
      }
    }
    // what the other guards cost is the plan's own gas, too: here a hash of 60,000 bytes
    const counting = "0a" + "1f".repeat(12) + toBeHex(1n, 12).slice(2) + "00";
    const cost = async (to: string, data: string, code: string): Promise<bigint> => {
      await networkHelpers.setCode(arbSys, code);
      const request = { from: operator!.address, to, data, gasPrice: GAS_PRICE };
      const error = await provider.request({ method: "eth_call", params: [request, "latest"] }).then(
        () => ({ data: "none" }),
        (reason: { data: string }) => reason,
      );
      const told = explainRevert(error.data);
      expect(told.name).to.equal("ProfitTooLow");
      return (told.args[1] as bigint) / BigInt(GAS_PRICE);
    };
    const light = answering([hash, 1n], 32);
    const heavy = concat(["0x61ea605f2050", light]);
    for (const [to, data] of [
      [await fast.getAddress(), idlePlan(counting)],
      [await slow.getAddress(), stepPlan(counting)],
    ] as const) {
      expect((await cost(to, data, heavy)) - (await cost(to, data, light)) > 20_000n).to.equal(true);
    }
  });
});
