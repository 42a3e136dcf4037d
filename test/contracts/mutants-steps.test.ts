import { expect } from "chai";
import { toBeHex } from "ethers";
import { encodeSteps } from "../../src/plan/steps.js";
import type { Asset, Step, StepAmount } from "../../src/plan/step-types.js";
import { IArbExecutor__factory, StepExecutor__factory } from "../../types/contracts/index.js";
import { createWorld, ETHER, type TestPool, type World } from "../helpers/pools.js";
import { ARRIVED, erc20, fixed, NATIVE, planOf, PREVIOUS, stepRunner, SURPLUS, v2, v3, wrap } from "../helpers/steps.js";
import { deployV4, type V4Pool, v4Swap } from "../helpers/v4.js";

/** What only mutation testing showed to be untested in plans of steps: each test kills mutants that survived all others. */
describe("Plans of steps: bits that nothing else looks at", function () {
  const E = ETHER;
  let world: World;
  let runner: ReturnType<typeof stepRunner>;
  let assets: Asset[];
  let cheap: TestPool;
  let dear: TestPool;
  let v4: Awaited<ReturnType<typeof deployV4>>;
  let native: V4Pool;
  let wrapped: V4Pool;

  before(async function () {
    world = await createWorld(true, StepExecutor__factory);
    runner = stepRunner(world);
    const b = await world.token("B");
    assets = [await erc20(world.weth), NATIVE, await erc20(b)];
    cheap = await world.addV2(world.weth, b, 500n * E, 1_030_000n * E, 0);
    dear = await world.addV2(world.weth, b, 500n * E, 970_000n * E, 1);
    v4 = await deployV4(world);
    native = await v4.addPool([null, b], 45n << 96n, 10_000n * E);
    wrapped = await v4.addPool([world.weth, b], 44n << 96n, 10_000n * E);
    await world.weth.transfer(world.executorAddress, 5n * E);
  });

  const inV4 = (steps: Step[], changes = {}) =>
    planOf(assets, [{ kind: "v4-unlock", steps }], { v4Manager: v4.address, ...changes });
  const take = (asset: number, amount: StepAmount): Step => ({ kind: "v4-take", asset, amount });
  const settle = (asset: number, max: bigint): Step => ({ kind: "v4-settle", asset, max });

  it("execute reads its plan inside the calldata only, to the last byte", async function () {
    const steps = [v2(cheap.address, [0, 2, fixed(E)], { direct: true }), v2(dear.address, [2, 0, ARRIVED])];
    const bare = encodeSteps(planOf(assets, steps)).slice(2);
    const selector = IArbExecutor__factory.createInterface().getFunction("execute").selector;
    const word = (value: bigint) => toBeHex(BigInt.asUintN(256, value), 32).slice(2);
    const size = BigInt(bare.length / 2);
    const sent = (offset: bigint, length: bigint, tail: string) => runner.refusal(selector + word(offset) + word(length) + tail);
    expect(await sent(32n, size, bare)).to.equal("landed");
    expect(await sent(32n, size, bare + "00".repeat(40))).to.equal("landed");
    expect(await sent(32n, size, bare.slice(0, -2))).to.equal("MalformedPlan");
    expect(await sent(32n, size + 1n, bare)).to.equal("MalformedPlan");
    for (const length of [2n ** 32n, 2n ** 256n - 1n, 2n ** 256n - 68n]) {
      expect(await sent(32n, length, bare)).to.equal("MalformedPlan");
    }
    for (const offset of [2n ** 32n, 2n ** 64n, -1n, -0x24n, -0x20n]) {
      expect(await sent(offset, size, bare)).to.equal("MalformedPlan");
    }
  });

  it("a V2 fee is below a whole, or asks the pool", async function () {
    const data = encodeSteps(planOf(assets, [v2(cheap.address, [0, 2, fixed(E)], { feePips: 999_999 })], { profitAsset: 2 }));
    const fee = (999_999).toString(16).padStart(6, "0");
    expect(data.endsWith(fee)).to.equal(true);
    const put = (value: number) => data.slice(0, -6) + value.toString(16).padStart(6, "0");
    expect(await runner.refusal(put(999_999))).to.not.equal("MalformedPlan");
    for (const value of [1_000_000, 1_000_001, 0xfffffe]) expect(await runner.refusal(put(value))).to.equal("MalformedPlan");
  });

  it("what a V3 pool gives is what the next step has, in both directions", async function () {
    const b = await world.token("B");
    const [many, few] = [
      await world.addV3(world.weth, b, E, 2060n * E, 500),
      await world.addV3(world.weth, b, E, 1940n * E, 3000),
    ];
    const there = [v3(many.address, [0, 2, fixed(E)]), v3(few.address, [2, 0, PREVIOUS])];
    await world.rolledBack(async () => {
      const [profit, , left] = await runner.changes(planOf(assets, there));
      expect(profit! > 10n ** 16n).to.equal(true);
      expect(left).to.equal(0n);
    });
  });

  it("what the manager credits is the output of the step, in both directions, and nothing is nothing", async function () {
    const swapped = (
      [
        [v4Swap(native, [1, 2, fixed(E)]), v4Swap(wrapped, [2, 0, PREVIOUS]), take(0, PREVIOUS)],
        [v4Swap(native, [1, 2, fixed(E)]), v4Swap(wrapped, [2, 0, PREVIOUS]), take(0, SURPLUS), take(0, SURPLUS)],
      ] as Step[][]
    ).map((steps) => inV4([...steps, wrap("unwrap", [0, 1, fixed(E)]), settle(1, E)]));
    for (const plan of swapped) {
      await world.rolledBack(async () => {
        const [profit, ...rest] = await runner.changes(plan);
        expect(profit! > 10n ** 16n).to.equal(true);
        expect(rest).to.deep.equal([0n, 0n]);
      });
    }
    // a take of what is not there, and a debt taken for a credit
    expect(await runner.refusal(inV4([take(0, SURPLUS), take(2, SURPLUS)]))).to.equal("landed");
    expect(await runner.refusal(inV4([settle(0, 0n), settle(1, 0n), settle(2, 0n)]))).to.equal("landed");
    const debt = [
      v4Swap(native, [1, 2, fixed(E)]),
      take(1, SURPLUS),
      take(2, SURPLUS),
      wrap("unwrap", [0, 1, fixed(E)]),
      settle(1, E),
    ];
    expect(await runner.refusal(inV4(debt, { profitAsset: 2 }))).to.equal("AssetLost");
  });

  it("shares are exact in hundredths of a percent", async function () {
    await (await world.token("B")).mint(world.executorAddress, 12_345n);
    for (const bips of [1, 4999, 9999, 10_000]) {
      const buy = v2(cheap.address, [0, 2, fixed(E)]);
      const got = await world.quoteOut(cheap, assets[0]!.address, E);
      const part = (got * BigInt(bips)) / 10_000n;
      const back = await world.quoteOut(dear, assets[2]!.address, part);
      const sell = v2(dear.address, [2, 0, { from: "share", bips }]);
      const plan = planOf(assets, [buy, sell]);
      const gain = back - E;
      const seen = await runner.refusal({ ...plan, minProfit: gain > 0n ? gain : 0n });
      expect(seen).to.equal(gain >= 0n ? "landed" : "ProfitTooLow");
      await world.rolledBack(async () => {
        await world.weth.transfer(dear.address, 0n);
        if (gain < 0n) return;
        expect(await runner.changes(plan)).to.deep.equal([gain, 0n, got - part]);
      });
    }
  });
});
