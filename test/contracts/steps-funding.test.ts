import { expect } from "chai";
import { ContractFactory } from "ethers";
import type { Asset, Step, StepLender } from "../../src/plan/step-types.js";
import {
  BalancerV3Mock__factory,
  LenderMock__factory,
  type TestToken,
  StepExecutor__factory,
} from "../../types/contracts/index.js";
import { deployAave } from "../helpers/aave.js";
import { morphoBlue } from "../helpers/package-source.js";
import { createWorld, ETHER, type TestPool, type World } from "../helpers/pools.js";
import { ARRIVED, deployBalancer, erc20, fixed, loan, planOf, PREVIOUS, stepRunner, v2, v3 } from "../helpers/steps.js";

/** Every lender pays for the same cycle, by an executor that has nothing but its dust. WETH at 0, token B at 1. */
describe("Plans of steps: funding", function () {
  let world: World;
  let runner: ReturnType<typeof stepRunner>;
  let weth: string;
  let b: TestToken;
  let assets: Asset[];
  let cheap: TestPool;
  let dear: TestPool;
  let cheapV3: TestPool;
  /** What the cycle of the two pairs brings for 2 WETH. */
  let gross: bigint;
  let cycle: Step[];
  const E = ETHER;
  const lenders = new Map<StepLender, { lender: string; fee: bigint }>();

  before(async function () {
    // the first time compiles Morpho
    this.timeout(300_000);
    world = await createWorld(false, StepExecutor__factory);
    runner = stepRunner(world);
    b = await world.token("B");
    weth = await world.weth.getAddress();
    const tokenB = await b.getAddress();
    assets = [await erc20(weth), await erc20(tokenB)];
    cheap = await world.addV2(world.weth, b, 500n * E, 1_030_000n * E, 0);
    dear = await world.addV2(world.weth, b, 500n * E, 970_000n * E, 1);
    cheapV3 = await world.addV3(world.weth, b, E, 2060n * E, 500);
    gross = (await world.quoteOut(dear, tokenB, await world.quoteOut(cheap, weth, 2n * E))) - 2n * E;
    cycle = [v2(cheap.address, [0, 1, fixed(2n * E)], { direct: true }), v2(dear.address, [1, 0, ARRIVED])];

    const aave = await deployAave(world, 1000n * E);
    const balancer = await deployBalancer(world, [
      [weth, 100n * E],
      [tokenB, 206_000n * E],
    ]);
    const mock = await new LenderMock__factory(world.deployer).deploy();
    await world.weth.transfer(mock, 1000n * E);
    await mock.setFee(777n);
    const lender = await mock.getAddress();
    lenders.set("aave-v3", { lender: aave.pool, fee: aave.premium(2n * E) });
    lenders.set("balancer-v2", { lender: balancer.vault, fee: 0n });
    const { abi, bytecode } = morphoBlue();
    const morpho = await new ContractFactory(abi, bytecode, world.deployer).deploy(world.deployer);
    await world.weth.transfer(morpho, 1000n * E);
    lenders.set("morpho", { lender: await morpho.getAddress(), fee: 0n });
    lenders.set("erc3156", { lender, fee: 777n });
    const vault = await new BalancerV3Mock__factory(world.deployer).deploy();
    await world.weth.transfer(vault, 1000n * E);
    await vault.sync(world.weth);
    lenders.set("balancer-v3", { lender: await vault.getAddress(), fee: 0n });
    // its fee is that of a swap, rounded up
    lenders.set("v3-flash", { lender: cheapV3.address, fee: (2n * E * 500n) / 1_000_000n });
  });

  for (const source of ["aave-v3", "balancer-v2", "morpho", "erc3156", "balancer-v3", "v3-flash"] as const) {
    it(`${source} lends, is repaid with its fee and keeps no allowance`, async function () {
      const { lender, fee } = lenders.get(source)!;
      const token1 = source === "v3-flash" && cheapV3.token1 === weth;
      const borrow = { ...loan(source, lender, 2n * E, fee, cycle), token1 };
      const plan = planOf(assets, [borrow], { minProfit: gross - fee });
      await world.rolledBack(async () => {
        expect(await runner.refusal({ ...plan, minProfit: gross - fee + 1n })).to.equal("ProfitTooLow");
        expect(await runner.changes(plan)).to.deep.equal([gross - fee, 0n]);
        expect(await world.weth.allowance(world.executorAddress, lender)).to.equal(0n);
      });
      if (fee === 0n) return;
      expect(await runner.refusal(planOf(assets, [{ ...borrow, maxFee: fee - 1n }]))).to.equal("LenderFeeAboveCap");
    });
  }

  it("a V2 pair lends its own output: an exact repayment, or what follows from its reserves up to a cap", async function () {
    const amountOut = await world.quoteOut(cheap, weth, 2n * E);
    const sell = v2(dear.address, [1, 0, fixed(amountOut)]);
    const paid = await world.quoteIn(cheap, weth, amountOut);
    const step = { kind: "flash-v2" as const, pool: cheap.address, assetIn: 0, assetOut: 1, amountOut, steps: [sell] };
    const back = await world.quoteOut(dear, assets[1]!.address, amountOut);
    for (const terms of [
      { maxIn: paid, feePips: null },
      { maxIn: 2n * E, feePips: 3000 },
    ]) {
      await world.rolledBack(async () => {
        expect(await runner.changes(planOf(assets, [{ ...step, ...terms }]))).to.deep.equal([back - paid, 0n]);
      });
    }
    expect(await runner.refusal(planOf(assets, [{ ...step, maxIn: paid - 1n, feePips: null }]))).to.equal("UniswapV2: K");
    expect(await runner.refusal(planOf(assets, [{ ...step, maxIn: paid - 1n, feePips: 3000 }]))).to.equal("PaymentAboveCap");
  });

  it("a V3 pool lends its own output, for an exact input or an exact output", async function () {
    const amountOut = await world.quoteOut(cheapV3, weth, 2n * E);
    const paid = await world.quoteIn(cheapV3, weth, amountOut);
    const back = await world.quoteOut(dear, assets[1]!.address, amountOut);
    const step = { kind: "flash-v3-swap" as const, pool: cheapV3.address, assetIn: 0, assetOut: 1 };
    const steps = [v2(dear.address, [1, 0, { from: "surplus" }])];
    await world.rolledBack(async () => {
      const plan = planOf(assets, [{ ...step, amount: 2n * E, exact: "in", maxIn: 2n * E, steps }]);
      expect(await runner.changes(plan)).to.deep.equal([back - 2n * E, 0n]);
    });
    await world.rolledBack(async () => {
      const plan = planOf(assets, [{ ...step, amount: amountOut, exact: "out", maxIn: paid, steps }]);
      expect(await runner.changes(plan)).to.deep.equal([back - paid, 0n]);
    });
    const tight = planOf(assets, [{ ...step, amount: amountOut, exact: "out", maxIn: paid - 1n, steps }]);
    expect(await runner.refusal(tight)).to.equal("PaymentAboveCap");
  });

  it("loans inside loans, and steps before and after them", async function () {
    const { lender } = lenders.get("morpho")!;
    const aave = lenders.get("aave-v3")!;
    const fee = (E * 5n) / 10_000n;
    const inner = loan("aave-v3", aave.lender, E, fee, [
      v2(cheap.address, [0, 1, fixed(2n * E)]),
      v3(cheapV3.address, [1, 0, { from: "share", bips: 1 }]),
      v2(dear.address, [1, 0, { from: "surplus" }]),
    ]);
    await world.weth.transfer(world.executorAddress, E);
    const plan = planOf(assets, [
      v2(cheap.address, [0, 1, fixed(1000n)]),
      v2(dear.address, [1, 0, PREVIOUS]),
      loan("morpho", lender, E, 0n, [inner]),
      v2(cheap.address, [0, 1, fixed(1000n)]),
      v2(dear.address, [1, 0, PREVIOUS]),
    ]);
    await world.rolledBack(async () => {
      const [profit, rest] = await runner.changes(plan);
      expect(rest).to.equal(0n);
      expect(profit! > gross / 2n).to.equal(true);
    });
  });

  it("a deadline and a block window bound the plan", async function () {
    const { lender } = lenders.get("morpho")!;
    const plan = planOf(assets, [loan("morpho", lender, 2n * E, 0n, cycle)]);
    const block = (await world.ethers.provider.getBlock("latest"))!;
    const [now, number] = [block.timestamp, block.number];
    expect(await runner.refusal({ ...plan, deadline: now + 100 })).to.equal("landed");
    expect(await runner.refusal({ ...plan, deadline: now - 100 })).to.equal("Expired");
    expect(await runner.refusal({ ...plan, blocks: { from: number - 1, to: number + 1 } })).to.equal("landed");
    expect(await runner.refusal({ ...plan, blocks: { from: number + 2, to: number + 9 } })).to.equal("OutsideBlockWindow");
    expect(await runner.refusal({ ...plan, blocks: { from: 0, to: number - 2 } })).to.equal("OutsideBlockWindow");
  });
});
