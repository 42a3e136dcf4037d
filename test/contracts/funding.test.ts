import { expect } from "chai";
import { encodePlan } from "../../src/plan/codec.js";
import {
  BalancerLender__factory,
  ForkPair__factory,
  MissingReturnToken__factory,
  type BalancerLender,
} from "../../types/contracts/index.js";
import { deployAave } from "../helpers/aave.js";
import { callsOf } from "../helpers/calls.js";
import { createWorld, ETHER, type TestPool, type World } from "../helpers/pools.js";

describe("ArbExecutor: lenders and odd pools", function () {
  let world: World;
  let wethAddress: string;
  let pools: Record<string, TestPool>;
  let aave: { pool: string; premium(amount: bigint): bigint; flashLoanData(receiver: string, params: string): string };
  let balancer: BalancerLender;

  before(async function () {
    world = await createWorld(true);
    wethAddress = await world.weth.getAddress();
    const b = await world.token("B");
    const E = ETHER;
    pools = {
      "first v2": await world.addV2(world.weth, b, 500n * E, 1_030_000n * E, 0),
      "last v2": await world.addV2(world.weth, b, 500n * E, 970_000n * E, 1),
      "first v3": await world.addV3(world.weth, b, E, 2060n * E, 500),
      "last v3": await world.addV3(world.weth, b, E, 1940n * E, 3000),
    };
    aave = await deployAave(world, 1000n * E);
    balancer = await new BalancerLender__factory(world.deployer).deploy();
    await world.weth.transfer(balancer, 1000n * E);
    await balancer.setFee(12345n);
  });

  for (const source of ["aave-v3", "balancer-v2"] as const) {
    for (const kinds of [
      ["v2", "v2"],
      ["v2", "v3"],
      ["v3", "v2"],
      ["v3", "v3"],
    ] as const) {
      for (const amounts of ["fixed", "adaptive"] as const) {
        it(`${source} funds ${kinds.join("-")} ${amounts}, and leaves no allowance`, async function () {
          await world.rolledBack(async () => {
            const path = [pools[`first ${kinds[0]}`]!, pools[`last ${kinds[1]}`]!];
            const fee = source === "aave-v3" ? aave.premium(2n * ETHER) : 12345n;
            const lender = source === "aave-v3" ? aave.pool : await balancer.getAddress();
            const plan = await world.planFor(path, 2n * ETHER, { amounts, funding: { source, lender, maxFee: fee } });
            const { profit } = await world.expectation(plan, path);
            const before = await world.weth.balanceOf(world.executorAddress);
            const bounded = { ...plan, minProfit: profit - fee };
            const sent = await world.operator.sendTransaction({ to: world.executorAddress, data: encodePlan(bounded) });
            expect(await callsOf(world, sent.hash)).to.include(source === "aave-v3" ? "CALL flashLoanSimple" : "CALL flashLoan");
            expect((await world.weth.balanceOf(world.executorAddress)) - before).to.equal(profit - fee);
            expect(await world.weth.allowance(world.executorAddress, lender)).to.equal(0n);
            // one unit less for the fee, and nothing happens
            const dear = { ...plan, funding: { ...plan.funding, maxFee: fee - 1n } };
            const refused = await world.operator.sendTransaction({ to: world.executorAddress, data: encodePlan(dear) }).then(
              () => "landed",
              (error: Error) => error.message,
            );
            expect(refused).to.contain("LenderFeeAboveCap");
          });
        });
      }
    }
  }

  it("Aave called by a stranger with us as the receiver is refused", async function () {
    const plan = await world.planFor([pools["first v2"]!, pools["last v2"]!], ETHER);
    const data = aave.flashLoanData(world.executorAddress, encodePlan(plan));
    for (const by of [world.stranger, world.operator]) {
      const refused = await by.sendTransaction({ to: aave.pool, data }).then(
        () => "landed",
        (error: Error) => error.message,
      );
      expect(refused).to.contain("NotOperator");
    }
  });

  for (const feePips of [500, 2000, 2500, 10_000]) {
    it(`computes amounts of a V2 fork with ${feePips / 10_000} % to the last unit that its own check allows`, async function () {
      await world.rolledBack(async () => {
        const b = await world.token("B");
        const tokenB = await b.getAddress();
        const [token0, token1] = BigInt(wethAddress) < BigInt(tokenB) ? [wethAddress, tokenB] : [tokenB, wethAddress];
        const pair = await new ForkPair__factory(world.deployer).deploy(token0, token1, feePips);
        await world.weth.transfer(pair, 500n * ETHER);
        await b.mint(pair, 1_100_000n * ETHER);
        await pair.sync();
        const fork: TestPool = { kind: "v2", address: await pair.getAddress(), token0, token1, feePips };
        for (const path of [
          [fork, pools["last v2"]!],
          [fork, pools["last v3"]!],
        ]) {
          const plan = await world.planFor(path, ETHER, { amounts: "adaptive" });
          const { profit } = await world.expectation(plan, path);
          const data = encodePlan({ ...plan, minProfit: profit });
          await world.rolledBack(() => world.operator.sendTransaction({ to: world.executorAddress, data }));
        }
        // a fee taken for lower than it is asks the pair for more than its check allows
        const cheap = await world.planFor([{ ...fork, feePips: feePips - 100 }, pools["last v2"]!], ETHER, {
          amounts: "adaptive",
        });
        const refused = await world.operator.sendTransaction({ to: world.executorAddress, data: encodePlan(cheap) }).then(
          () => "landed",
          (error: Error) => error.message,
        );
        expect(refused).to.contain("ForkPair: K");
      });
    });
  }

  it("a fork's own callback name is served: the last pair of a flash swap", async function () {
    await world.rolledBack(async () => {
      const b = await world.token("B");
      const tokenB = await b.getAddress();
      const [token0, token1] = BigInt(wethAddress) < BigInt(tokenB) ? [wethAddress, tokenB] : [tokenB, wethAddress];
      const pair = await new ForkPair__factory(world.deployer).deploy(token0, token1, 3000);
      await world.weth.transfer(pair, 500n * ETHER);
      await b.mint(pair, 970_000n * ETHER);
      await pair.sync();
      const path: TestPool[] = [
        pools["first v2"]!,
        { kind: "v2", address: await pair.getAddress(), token0, token1, feePips: 3000 },
      ];
      for (const amounts of ["fixed", "adaptive"] as const) {
        const plan = await world.planFor(path, ETHER, { amounts });
        const { profit } = await world.expectation(plan, path);
        const data = encodePlan({ ...plan, minProfit: profit });
        await world.rolledBack(() => world.operator.sendTransaction({ to: world.executorAddress, data }));
      }
    });
  });

  it("trades and repays in a profit token that returns nothing, like USDT", async function () {
    await world.rolledBack(async () => {
      const usdt = await new MissingReturnToken__factory(world.deployer).deploy();
      const usdtAddress = await usdt.getAddress();
      await usdt.mint(world.deployer, 10_000_000n * ETHER);
      // the tokens' own transfer would not decode: feed the pairs by hand
      const b = await world.token("B");
      const tokenB = await b.getAddress();
      const path: TestPool[] = [];
      for (const [factory, amountB] of [
        [0, 1_030_000n],
        [1, 970_000n],
      ] as const) {
        path.push(await world.addV2(usdt, b, 500n * ETHER, amountB * ETHER, factory));
      }
      await usdt.mint(balancer, 1000n * ETHER);
      expect(tokenB).to.not.equal(usdtAddress);
      for (const amounts of ["fixed", "adaptive"] as const) {
        const plan = await world.planFor(path, ETHER, { amounts, profitToken: usdtAddress });
        const { profit } = await world.expectation(plan, path);
        await world.rolledBack(async () => {
          await world.operator.sendTransaction({ to: world.executorAddress, data: encodePlan({ ...plan, minProfit: profit }) });
          expect(await usdt.balanceOf(world.executorAddress)).to.equal(profit);
        });
      }
    });
  });
});
