import { expect } from "chai";
import type { Asset, Step } from "../../src/plan/step-types.js";
import {
  CurveMock__factory,
  FeeToken__factory,
  MissingReturnToken__factory,
  SolidlyPair__factory,
  type TestToken,
  VaultMock__factory,
  StepExecutor__factory,
} from "../../types/contracts/index.js";
import { createWorld, ETHER, type TestPool, type World } from "../helpers/pools.js";
import {
  ARRIVED,
  balancerV2,
  curve,
  deployBalancer,
  erc20,
  fixed,
  NATIVE,
  planOf,
  PREVIOUS,
  stepRunner,
  SURPLUS,
  v2,
  v3,
  wrap,
} from "../helpers/steps.js";

/** Every step in a cycle of own money: WETH at 0, token B at 1. */
describe("Plans of steps: swaps", function () {
  let world: World;
  let runner: ReturnType<typeof stepRunner>;
  let b: TestToken;
  let weth: string;
  let tokenB: string;
  let assets: Asset[];
  let cheap: TestPool;
  let dear: TestPool;
  let dearV3: TestPool;
  const E = ETHER;

  before(async function () {
    world = await createWorld(false, StepExecutor__factory);
    runner = stepRunner(world);
    b = await world.token("B");
    [weth, tokenB] = [await world.weth.getAddress(), await b.getAddress()];
    assets = [await erc20(weth), await erc20(tokenB)];
    cheap = await world.addV2(world.weth, b, 500n * E, 1_030_000n * E, 0);
    dear = await world.addV2(world.weth, b, 500n * E, 970_000n * E, 1);
    dearV3 = await world.addV3(world.weth, b, E, 1940n * E, 3000);
    await world.weth.transfer(world.executorAddress, 50n * E);
  });

  /** Checks that a plan gains `profit` of its first asset to the unit, changes nothing else, and asks for no unit less. */
  async function lands(steps: Step[], profit: bigint, table = assets): Promise<void> {
    await world.rolledBack(async () => {
      const plan = planOf(table, steps, { minProfit: profit });
      expect(await runner.refusal({ ...plan, minProfit: profit + 1n })).to.equal("ProfitTooLow");
      expect(await runner.changes(plan)).to.deep.equal(table.map((_, i) => (i === 0 ? profit : 0n)));
    });
  }

  it("V2 forward: amounts computed on chain, sent on from the executor or straight from pool to pool", async function () {
    const got = await world.quoteOut(cheap, weth, E);
    const back = await world.quoteOut(dear, tokenB, got);
    const first = v2(cheap.address, [0, 1, fixed(E)]);
    await lands([first, v2(dear.address, [1, 0, PREVIOUS])], back - E);
    await lands([first, v2(dear.address, [1, 0, SURPLUS])], back - E);
    await lands([{ ...first, direct: true }, v2(dear.address, [1, 0, ARRIVED])], back - E);
    await lands([{ ...first, measure: true }, v2(dear.address, [1, 0, PREVIOUS])], back - E);
  });

  it("V2 with given outputs, and for an exact output up to a cap", async function () {
    const got = await world.quoteOut(cheap, weth, E);
    const back = await world.quoteOut(dear, tokenB, got);
    await lands(
      [v2(cheap.address, [0, 1, fixed(E)], { amountOut: got }), v2(dear.address, [1, 0, PREVIOUS], { amountOut: back })].map(
        (step, i) => (i === 1 ? { ...step, amount: fixed(got) } : step),
      ),
      back - E,
    );
    const paid = await world.quoteIn(cheap, weth, got);
    const exact = v2(cheap.address, [0, 1, fixed(got)], { maxIn: paid });
    await lands([exact, v2(dear.address, [1, 0, PREVIOUS])], back - paid);
    const tight = planOf(assets, [{ ...exact, maxIn: paid - 1n }, v2(dear.address, [1, 0, PREVIOUS])]);
    expect(await runner.refusal(tight)).to.equal("PaymentAboveCap");
  });

  it("V3 for an exact input and an exact output up to a cap, also sending straight to a V2 pair", async function () {
    const got = await world.quoteOut(cheap, weth, E);
    const back = await world.quoteOut(dearV3, tokenB, got);
    await lands([v2(cheap.address, [0, 1, fixed(E)]), v3(dearV3.address, [1, 0, PREVIOUS])], back - E);

    const cheapV3 = await world.addV3(world.weth, b, E, 2060n * E, 500);
    const amount = await world.quoteOut(cheapV3, weth, E);
    const sold = await world.quoteOut(dear, tokenB, amount);
    await lands([v3(cheapV3.address, [0, 1, fixed(E)], { direct: true }), v2(dear.address, [1, 0, ARRIVED])], sold - E);
    const paid = await world.quoteIn(cheapV3, weth, amount);
    const exact = v3(cheapV3.address, [0, 1, fixed(amount)], { maxIn: paid });
    await lands([exact, v2(dear.address, [1, 0, PREVIOUS])], sold - paid);
    const tight = planOf(assets, [{ ...exact, maxIn: paid - 1n }, v2(dear.address, [1, 0, PREVIOUS])]);
    expect(await runner.refusal(tight)).to.equal("PaymentAboveCap");
  });

  it("splits one leg over two pools", async function () {
    const got = await world.quoteOut(cheap, weth, 4n * E);
    const part = (got * 6000n) / 10_000n;
    const back = (await world.quoteOut(dear, tokenB, part)) + (await world.quoteOut(dearV3, tokenB, got - part));
    await lands(
      [
        v2(cheap.address, [0, 1, fixed(4n * E)]),
        v2(dear.address, [1, 0, { from: "share", bips: 6000 }]),
        v3(dearV3.address, [1, 0, SURPLUS]),
      ],
      back - 4n * E,
    );
  });

  it("measures what a token that takes a fee on transfers leaves", async function () {
    const fee = await new FeeToken__factory(world.deployer).deploy();
    const feeToken = await fee.getAddress();
    await fee.mint(world.deployer, 10_000_000n * E);
    const first = await world.addV2(world.weth, fee, 500n * E, 1_100_000n * E, 0);
    const last = await world.addV2(world.weth, fee, 500n * E, 900_000n * E, 1);
    const sent = await world.quoteOut(first, weth, E);
    const arrived = sent - sent / 100n;
    const back = await world.quoteOut(last, feeToken, arrived - arrived / 100n);
    const table = [await erc20(weth), await erc20(feeToken)];
    const steps = [v2(first.address, [0, 1, fixed(E)], { measure: true }), v2(last.address, [1, 0, PREVIOUS])];
    await lands(steps, back - E, table);
    // unmeasured, the second step would pay more than there is
    const careless = planOf(table, [{ ...steps[0]!, measure: false }, steps[1]!]);
    expect(await runner.refusal(careless)).to.equal("balance");
  });

  it("Solidly: the pool computes its output", async function () {
    const c = await world.token("C");
    const tokenC = await c.getAddress();
    const [token0, token1] = BigInt(tokenB) < BigInt(tokenC) ? [tokenB, tokenC] : [tokenC, tokenB];
    const pair = await new SolidlyPair__factory(world.deployer).deploy(token0, token1);
    await b.mint(pair, 10_000_000n * E);
    await c.mint(pair, 10_000_000n * E);
    await pair.sync();
    const sell = await world.addV2(world.weth, c, 500n * E, 970_000n * E, 0);
    const got = await world.quoteOut(cheap, weth, E);
    const swapped = (got * 9995n) / 10_000n;
    const back = await world.quoteOut(sell, tokenC, swapped);
    const address = await pair.getAddress();
    const table = [...assets, await erc20(tokenC)];
    const last = v2(sell.address, [2, 0, ARRIVED]);
    const buy = v2(cheap.address, [0, 1, fixed(E)]);
    await lands([buy, v2(address, [1, 2, PREVIOUS], { feePips: null }), { ...last, amount: PREVIOUS }], back - E, table);
    await lands([{ ...buy, direct: true }, v2(address, [1, 2, ARRIVED], { feePips: null, direct: true }), last], back - E, table);
  });

  it("Balancer V2: exact input, exact output up to a cap, ETH in and out, and no allowance stays", async function () {
    const { vault, poolId, contract } = await deployBalancer(world, [
      [weth, 100n * E],
      [tokenB, 206_000n * E],
    ]);
    const query = async (kind: number, assetIn: string, assetOut: string, amount: bigint): Promise<bigint[]> => {
      const swaps = [{ poolId, assetInIndex: 0, assetOutIndex: 1, amount, userData: "0x" }];
      const funds = {
        sender: world.executorAddress,
        fromInternalBalance: false,
        recipient: world.executorAddress,
        toInternalBalance: false,
      };
      return (await contract.getFunction("queryBatchSwap").staticCall(kind, swaps, [assetIn, assetOut], funds)) as bigint[];
    };
    const got = -(await query(0, weth, tokenB, E))[1]!;
    const back = await world.quoteOut(dear, tokenB, got);
    const sell = v2(dear.address, [1, 0, PREVIOUS]);
    await lands([balancerV2(vault, poolId, [0, 1, fixed(E)]), sell], back - E);

    const paid = (await query(1, weth, tokenB, got))[0]!;
    const most = paid + 10n ** 15n;
    await lands([balancerV2(vault, poolId, [0, 1, fixed(got)], most), sell], back - paid);
    await world.rolledBack(async () => {
      await runner.changes(planOf(assets, [balancerV2(vault, poolId, [0, 1, fixed(got)], most), sell]));
      expect(await world.weth.allowance(world.executorAddress, vault)).to.equal(0n);
    });
    const tight = planOf(assets, [balancerV2(vault, poolId, [0, 1, fixed(got)], paid - 1n), sell]);
    expect(await runner.refusal(tight)).to.equal("BAL#507");

    // ETH is the zero address to the vault
    const table = [...assets, NATIVE];
    const native = [wrap("unwrap", [0, 2, fixed(E)]), balancerV2(vault, poolId, [2, 1, PREVIOUS]), sell];
    await lands(native, back - E, table);
  });

  it("Curve: both index types, with and without answers, underlying and native", async function () {
    const pool = await new CurveMock__factory(world.deployer).deploy(weth, tokenB, 2_060_000_000n, { value: 10n * E });
    await b.mint(pool, 1_000_000n * E);
    await world.weth.transfer(pool, 100n * E);
    const address = await pool.getAddress();
    const got = 2060n * E;
    const back = await world.quoteOut(dear, tokenB, got);
    const sell = v2(dear.address, [1, 0, PREVIOUS]);
    for (const form of ["int128", "uint256", "underlying-int128", "underlying-uint256"] as const) {
      await lands([curve(address, [0, 1, fixed(E)], { form }), sell], back - E);
    }
    // with an answer there is nothing to measure
    await lands([curve(address, [0, 1, fixed(E)], { form: "uint256", measure: false }), sell], back - E);

    const table = [...assets, NATIVE];
    const form = "native" as const;
    await lands([wrap("unwrap", [0, 2, fixed(E)]), curve(address, [2, 1, PREVIOUS], { form }), sell], back - E, table);
    // the other way: B into ETH
    const buyer = await new CurveMock__factory(world.deployer).deploy(weth, tokenB, 2_000_000_000n, { value: 10n * E });
    const bought = await world.quoteOut(cheap, weth, E);
    const steps = [
      v2(cheap.address, [0, 1, fixed(E)]),
      curve(await buyer.getAddress(), [1, 2, PREVIOUS], { form, i: 1, j: 0 }),
      wrap("wrap", [2, 0, PREVIOUS]),
    ];
    await lands(steps, bought / 2000n - E, table);
  });

  it("tokens that return nothing and whose allowance must be zero first, like USDT", async function () {
    const usdt = await new MissingReturnToken__factory(world.deployer).deploy();
    const address = await usdt.getAddress();
    const pool = await new CurveMock__factory(world.deployer).deploy(address, tokenB, 1_100_000n);
    await b.mint(pool, 1_000_000n * E);
    await usdt.mint(pool, 1_000_000n * E);
    await usdt.mint(world.executorAddress, 10n * E);
    const poolAddress = await pool.getAddress();
    const table = [await erc20(address), await erc20(tokenB)];
    const twice = [
      curve(poolAddress, [0, 1, fixed(E)]),
      curve(poolAddress, [0, 1, fixed(E)]),
      curve(poolAddress, [1, 0, SURPLUS], { i: 1, j: 0 }),
    ];
    await lands(twice, 0n, table);
    expect(await usdt.allowance(world.executorAddress, pool)).to.equal(0n);
  });

  it("ERC-4626: deposits and redeems", async function () {
    const vault = await new VaultMock__factory(world.deployer).deploy(b);
    const address = await vault.getAddress();
    await b.approve(vault, 1000n * E);
    await vault.deposit(1000n * E, world.deployer);
    await b.mint(vault, 100n * E);
    const table = [...assets, await erc20(address)];
    const got = await world.quoteOut(cheap, weth, E);
    const shares = (got * 1000n) / 1100n;
    const assetsBack = (shares * (1100n * E + got)) / (1000n * E + shares);
    const back = await world.quoteOut(dear, tokenB, assetsBack);
    const common = { measure: false, amount: PREVIOUS, vault: address };
    await lands(
      [
        v2(cheap.address, [0, 1, fixed(E)]),
        { kind: "erc4626-deposit", assetIn: 1, assetOut: 2, ...common },
        { kind: "erc4626-redeem", assetIn: 2, assetOut: 1, ...common },
        // the vault keeps a unit by rounding: the surplus is what there is
        v2(dear.address, [1, 0, SURPLUS]),
      ],
      back - E,
      table,
    );
    expect(await b.allowance(world.executorAddress, vault)).to.equal(0n);
  });

  it("wraps and unwraps only the chain's own WETH", async function () {
    const table = [...assets, NATIVE];
    await lands([wrap("unwrap", [0, 2, fixed(E)]), wrap("wrap", [2, 0, PREVIOUS])], 0n, table);
    const other = [await erc20(tokenB), NATIVE];
    expect(await runner.refusal(planOf(other, [wrap("unwrap", [0, 1, fixed(1n)])]))).to.equal("MalformedPlan");
    expect(await runner.refusal(planOf(other, [wrap("wrap", [1, 0, fixed(1n)])]))).to.equal("MalformedPlan");
  });
});
