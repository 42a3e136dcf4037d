import { expect } from "chai";
import { id, Interface } from "ethers";
import { encodeExecute, encodePlan } from "../../src/plan/codec.js";
import { explainRevert } from "../../src/plan/errors.js";
import type { Plan } from "../../src/plan/plan.js";
import { IArbExecutor__factory } from "../../types/contracts/index.js";
import { type Arena, createArena, bodyOf, CALLBACKS } from "../helpers/enemies.js";
import { ETHER } from "../helpers/pools.js";

describe("ArbExecutor: callers and bounds", function () {
  let world: Arena["world"];
  let executor: Arena["executor"];
  let wethAddress: Arena["wethAddress"];
  let path: Arena["path"];
  let v3Path: Arena["v3Path"];
  let send: Arena["send"];
  let refusal: Arena["refusal"];
  const snapshots: { restore(): Promise<void> }[] = [];

  before(async function () {
    ({ world, executor, wethAddress, path, v3Path, send, refusal } = await createArena());
  });

  beforeEach(async function () {
    snapshots.push(await world.networkHelpers.takeSnapshot());
  });

  afterEach(async function () {
    await snapshots.pop()!.restore();
  });

  describe("who may start", function () {
    it("refuses a plan from a stranger, from the owner, and stolen from the mempool", async function () {
      const data = encodePlan(await world.planFor(path, ETHER));
      expect(await refusal(data, executor, world.stranger)).to.equal("NotOperator");
      expect(await refusal(data, executor, world.owner)).to.equal("NotOperator");
      const execute = encodeExecute(await world.planFor(path, ETHER));
      expect(await refusal(execute, executor, world.stranger)).to.equal("NotOperator");
      expect(await refusal("0x", executor, world.stranger)).to.equal("NotOperator");
      await send(data);
      expect(await refusal(data, executor, world.stranger)).to.equal("NotOperator");
    });

    it("lands the same plan as bare calldata and through execute", async function () {
      const plan = await world.planFor(path, ETHER, { minProfit: 1n });
      expect(await refusal(encodePlan(plan))).to.equal("landed");
      expect(await refusal(encodeExecute(plan))).to.equal("landed");
    });

    it("serves no callback outside a plan, from anyone, whatever its selector", async function () {
      const data = bodyOf(await world.planFor(path, ETHER));
      for (const make of Object.values(CALLBACKS)) {
        expect(await refusal(make(data, wethAddress), executor, world.stranger)).to.equal("NotOperator");
        // an operator that is tricked into calling like this sends no plan
        expect(await refusal(make(data, wethAddress))).to.equal("MalformedPlan");
      }
    });

    it("refuses ETH, with a plan and without", async function () {
      for (const data of ["0x", encodePlan(await world.planFor(path, ETHER))]) {
        const sent = world.operator.sendTransaction({ to: executor, data, value: 1n });
        expect(
          await sent.then(
            () => "landed",
            () => "refused",
          ),
        ).to.equal("refused");
      }
    });

    it("refuses bytes that are cut off, too long, or of another format", async function () {
      const data = encodePlan(await world.planFor(path, ETHER, { deadline: 2 ** 33 }));
      for (const bytes of [
        "0x",
        data.slice(0, -2),
        data + "00",
        "0xc4" + data.slice(4),
        "0xac" + data.slice(4),
        data.slice(0, 40),
      ]) {
        expect(await refusal(bytes)).to.equal("MalformedPlan");
      }
    });
  });

  describe("bounds", function () {
    it("lands at exactly the least profit and not one unit above", async function () {
      for (const pools of [path, v3Path]) {
        const plan = await world.planFor(pools, ETHER);
        const { profit } = await world.expectation(plan, pools);
        expect(await refusal(encodePlan({ ...plan, minProfit: profit }))).to.equal("landed");
        const unmet = encodePlan({ ...plan, minProfit: profit + 1n });
        expect(await refusal(unmet)).to.equal("ProfitTooLow");
        const error = await world.provider
          .request({
            method: "eth_call",
            params: [{ from: await world.operator.getAddress(), to: executor, data: unmet }, "latest"],
          })
          .catch((reason: { data: string }) => reason.data);
        expect(explainRevert(error as string).args).to.deep.equal([profit, profit + 1n]);
      }
    });

    it("does not land at a loss even if no profit is asked for", async function () {
      const plan = await world.planFor(path.toReversed(), ETHER);
      expect(await refusal(encodePlan(plan))).to.equal("ProfitTooLow");
    });

    it("pays up to the cap and not one unit above", async function () {
      const pools = [v3Path[0]!, path[1]!];
      const plan = await world.planFor(pools, ETHER, { amounts: "adaptive" });
      const { payment } = await world.expectation(plan, pools);
      const capped = (cap: bigint) => {
        const hops = plan.hops.map((hop, i) => (i === 0 ? { ...hop, amountIn: cap } : hop));
        return { ...plan, hops, maxAmountIn: cap };
      };
      // the pivot's exact input is the quoted one, so only the cap is tested where the pivot is another hop
      expect(payment).to.equal(ETHER);
      const chained = await world.planFor(v3Path, ETHER, { amounts: "adaptive" });
      const owed = (await world.expectation(chained, v3Path)).payment;
      const hops = (cap: bigint) => chained.hops.map((hop, i) => (i === 0 ? { ...hop, amountIn: cap } : hop));
      expect(await refusal(encodePlan({ ...chained, hops: hops(owed), maxAmountIn: owed }))).to.equal("landed");
      expect(await refusal(encodePlan({ ...chained, hops: hops(owed - 1n), maxAmountIn: owed - 1n }))).to.equal(
        "PaymentAboveCap",
      );
      const backward = await world.planFor([path[0]!, v3Path[1]!], ETHER, { amounts: "adaptive" });
      const needed = (await world.expectation(backward, [path[0]!, v3Path[1]!])).payment;
      const lower = (cap: bigint) => backward.hops.map((hop, i) => (i === 0 ? { ...hop, amountIn: cap } : hop));
      expect(await refusal(encodePlan({ ...backward, hops: lower(needed), maxAmountIn: needed }))).to.equal("landed");
      expect(await refusal(encodePlan({ ...backward, hops: lower(needed - 1n), maxAmountIn: needed - 1n }))).to.equal(
        "PaymentAboveCap",
      );
      expect(await refusal(encodePlan(capped(payment)))).to.equal("landed");
    });

    it("keeps the deadline to the second", async function () {
      const plan = await world.planFor(path, ETHER);
      const time = (await world.networkHelpers.time.latest()) + 100;
      await world.networkHelpers.time.setNextBlockTimestamp(time);
      await world.networkHelpers.mine();
      expect(await refusal(encodePlan({ ...plan, deadline: time + 1 }))).to.equal("landed");
      await world.networkHelpers.time.setNextBlockTimestamp(time + 50);
      await send(encodePlan({ ...plan, deadline: time + 50 }));
      await world.networkHelpers.time.setNextBlockTimestamp(time + 60);
      const late = await send(encodePlan({ ...plan, deadline: time + 59 })).then(
        () => "landed",
        (error: Error) => error.message,
      );
      expect(late).to.contain("Expired");
    });

    it("keeps the block window to the block", async function () {
      const plan = await world.planFor(path, ETHER);
      await world.networkHelpers.mine(5);
      const number = await world.networkHelpers.time.latestBlock();
      const outcome = async (from: number, to: number) => {
        const answer = await world.rolledBack(() =>
          send(encodePlan({ ...plan, blocks: { from, to } })).then(
            () => "landed",
            (error: Error) => error.message,
          ),
        );
        return answer === "landed" ? answer : /OutsideBlockWindow/.exec(answer)?.[0];
      };
      // a transaction lands in the next block
      expect(await outcome(number + 1, number + 1)).to.equal("landed");
      expect(await outcome(number + 2, number + 9)).to.equal("OutsideBlockWindow");
      expect(await outcome(0, number)).to.equal("OutsideBlockWindow");
      expect(await outcome(0, number + 9)).to.equal("landed");
    });

    it("an adverse move kills a fixed plan and only shrinks an adaptive one", async function () {
      for (const pools of [path, [path[0]!, v3Path[1]!], [v3Path[0]!, path[1]!]]) {
        await world.rolledBack(async () => {
          const fixed = await world.planFor(pools, ETHER);
          const { profit } = await world.expectation(fixed, pools);
          const b = await world.token("B");
          const moved = pools.find((pool) => pool.kind === "v2")!;
          const dearer = moved === path[0] ? wethAddress : await b.getAddress();
          await world.trade(moved, dearer, dearer === wethAddress ? 10n ** 12n : 2n * 10n ** 15n);
          // the cap leaves room for the price
          const maxAmountIn = (ETHER * 1001n) / 1000n;
          const minProfit = (profit * 99n) / 100n;
          expect(await refusal(encodePlan({ ...fixed, maxAmountIn, minProfit }))).to.contain("UniswapV2: K");
          const adaptive: Plan = { ...fixed, amounts: "adaptive", maxAmountIn, minProfit };
          expect(await refusal(encodePlan(adaptive))).to.equal("landed");
        });
      }
    });

    it("V3 exact output that falls short reverts", async function () {
      // a pool with hardly any liquidity cannot deliver what the pivot is owed
      const c = await world.token("C");
      const b = await world.token("B");
      const poor = await world.addV3(b, c, ETHER, ETHER, 3000, 10n ** 10n);
      const rich = await world.addV3(c, world.weth, 1940n * ETHER, ETHER, 3000);
      const plan = await world.planFor([path[0]!, v3Path[1]!], ETHER);
      const hop = plan.hops[1]!;
      const cAddress = await c.getAddress();
      const chain: Plan = {
        ...plan,
        hops: [
          plan.hops[0]!,
          { ...hop, pool: poor.address, tokenOut: cAddress, amountOut: hop.amountIn },
          { ...hop, pool: rich.address, tokenIn: cAddress },
        ],
      };
      expect(await refusal(encodePlan(chain))).to.equal("IIA");
    });
  });

  it("no selector of the contract starts like a plan", function () {
    const selectors = new Interface(IArbExecutor__factory.abi).fragments
      .filter((fragment) => fragment.type === "function")
      .map((fragment) => id(fragment.format("sighash")).slice(0, 3));
    expect(selectors.length).to.be.greaterThan(5);
    expect(selectors).to.not.include("0xa");
  });
});
