import { expect } from "chai";
import { AbiCoder, id, ZeroAddress } from "ethers";
import { encodeExecute, encodePlan } from "../../src/plan/codec.js";
import {
  ArbExecutor__factory,
  FalseToken__factory,
  HookToken__factory,
  IArbExecutor__factory,
  Scripted__factory,
  type Scripted,
} from "../../types/contracts/index.js";
import { type Arena, createArena, bodyOf, call, CALLBACKS, ON_TRANSFER, SWAP_V2, SWAP_V3, v3 } from "../helpers/enemies.js";
import { ETHER } from "../helpers/pools.js";

const GET_RESERVES = id("getReserves()").slice(0, 10);

describe("ArbExecutor: reentrancy", function () {
  let world: Arena["world"];
  let executor: Arena["executor"];
  let wethAddress: Arena["wethAddress"];
  let path: Arena["path"];
  let v3Path: Arena["v3Path"];
  let botOperator: Arena["botOperator"];
  let fake: Arena["fake"];
  let ownAddress: Arena["ownAddress"];
  let send: Arena["send"];
  let refusal: Arena["refusal"];
  let step: Arena["step"];
  let stepped: Arena["stepped"];
  let fakePlan: Arena["fakePlan"];
  const snapshots: { restore(): Promise<void> }[] = [];

  before(async function () {
    ({ world, executor, wethAddress, path, v3Path, botOperator, fake, ownAddress, send, refusal, step, stepped, fakePlan } =
      await createArena());
  });

  beforeEach(async function () {
    snapshots.push(await world.networkHelpers.takeSnapshot());
  });

  afterEach(async function () {
    await snapshots.pop()!.restore();
  });

  describe("callbacks at the wrong time", function () {
    /** Makes `pool` call the executor back when something else calls `run` on it. */
    const lateCall = async (pool: Scripted, data: string) =>
      step(pool, pool.interface.encodeFunctionData("run", [[await step(executor, data, true)]]));

    it("a pool that did not call back while it was called cannot do so later", async function () {
      const silent = await new Scripted__factory(world.deployer).deploy();
      const plan = await world.planFor(v3Path, ETHER);
      plan.hops[0] = { ...plan.hops[0]!, pool: await silent.getAddress() };
      plan.hops[1] = { ...plan.hops[1]!, pool: await fake.getAddress() };
      const data = v3("uniswapV3SwapCallback", 1n, -1n)(bodyOf(plan));
      await fake.script(SWAP_V3, [await step(executor, data), await lateCall(silent, data)], "0x");
      const sent = await send(encodePlan(plan));
      expect(await stepped(silent, sent.hash)).to.deep.equal(["UnexpectedCallback"]);
    });

    it("the pivot cannot call back again while the hops behind it run", async function () {
      const last = await new Scripted__factory(world.deployer).deploy();
      const plan = await world.planFor([v3Path[0]!, path[1]!], ETHER);
      plan.hops[0] = { ...plan.hops[0]!, pool: await fake.getAddress() };
      plan.hops[1] = { ...plan.hops[1]!, pool: await last.getAddress() };
      const data = v3("uniswapV3SwapCallback", -1n, 1n)(bodyOf(plan));
      const pay = await step(wethAddress, world.weth.interface.encodeFunctionData("transfer", [executor, ETHER]));
      await fake.script(SWAP_V3, [pay, await step(executor, data)], "0x");
      await last.script(SWAP_V2, [await lateCall(fake, data)], "0x");
      const sent = await send(encodePlan(plan));
      expect(await stepped(fake, sent.hash)).to.deep.equal(["done", "UnexpectedCallback", "done"]);
    });

    it("the first pool cannot call back again while it is paid", async function () {
      const hook = await new HookToken__factory(world.deployer).deploy();
      const first = await new Scripted__factory(world.deployer).deploy();
      const onTransfer = await new Scripted__factory(world.deployer).deploy();
      const profitToken = await hook.getAddress();
      await hook.mint(fake, 2n * ETHER);
      await hook.mint(executor, ETHER);
      const plan = await world.planFor(v3Path, ETHER, {});
      plan.profitToken = profitToken;
      plan.hops[0] = { ...plan.hops[0]!, tokenIn: profitToken, pool: await first.getAddress() };
      plan.hops[1] = { ...plan.hops[1]!, tokenOut: profitToken, pool: await fake.getAddress() };
      const data = v3("uniswapV3SwapCallback", ETHER, -1n)(bodyOf(plan));
      const lend = await step(hook, hook.interface.encodeFunctionData("transfer", [executor, 2n * ETHER]));
      await fake.script(SWAP_V3, [lend, await step(executor, data)], "0x");
      await first.script(SWAP_V3, [await step(executor, data)], "0x");
      await onTransfer.script(ON_TRANSFER, [await lateCall(first, data)], "0x");
      await hook.setHook(onTransfer);
      const sent = await send(encodePlan(plan));
      // too early, while the pivot pays out; its own callback; once more, inside the payment that this makes
      expect((await stepped(first, sent.hash)).toSorted()).to.deep.equal(["UnexpectedCallback", "UnexpectedCallback", "done"]);
      expect(await hook.balanceOf(first)).to.equal(ETHER);
    });

    it("the pivot cannot call back again while the pairs in front of it are paid a computed amount", async function () {
      const hook = await new HookToken__factory(world.deployer).deploy();
      const pair = await new Scripted__factory(world.deployer).deploy();
      const onTransfer = await new Scripted__factory(world.deployer).deploy();
      const profitToken = await hook.getAddress();
      await hook.mint(fake, 2n * ETHER);
      await hook.mint(executor, 5n * ETHER);
      const plan = await world.planFor([path[0]!, v3Path[1]!], ETHER, { amounts: "adaptive", minProfit: 1n });
      plan.profitToken = profitToken;
      plan.maxAmountIn = 2n * ETHER;
      plan.hops[0] = { ...plan.hops[0]!, tokenIn: profitToken, pool: await pair.getAddress() };
      plan.hops[1] = { ...plan.hops[1]!, tokenOut: profitToken, pool: await fake.getAddress() };
      const data = v3("uniswapV3SwapCallback", ETHER, ETHER)(bodyOf(plan));
      const reserves = AbiCoder.defaultAbiCoder().encode(["uint256", "uint256", "uint256"], [10n ** 24n, 10n ** 24n, 0n]);
      await pair.script(GET_RESERVES, [], reserves);
      const gain = await step(hook, hook.interface.encodeFunctionData("transfer", [executor, 2n * ETHER]));
      await fake.script(SWAP_V3, [await step(executor, data), gain], "0x");
      await onTransfer.script(ON_TRANSFER, [await lateCall(fake, data)], "0x");
      await hook.setHook(onTransfer);
      const sent = await send(encodePlan(plan));
      // inside the payment that its own callback makes, then that one, and when it pays out
      const seen = await stepped(fake, sent.hash);
      expect(seen.toSorted()).to.deep.equal(["UnexpectedCallback", "UnexpectedCallback", "done", "done"]);
      expect((await hook.balanceOf(pair)) < 2n * ETHER).to.equal(true);
    });

    it("a pool cannot call back while the lender is repaid", async function () {
      const hook = await new HookToken__factory(world.deployer).deploy();
      const lender = await new Scripted__factory(world.deployer).deploy();
      const onTransfer = await new Scripted__factory(world.deployer).deploy();
      const profitToken = await hook.getAddress();
      await hook.mint(lender, ETHER);
      await hook.mint(executor, ETHER);
      const funding = { source: "balancer-v2", lender: await lender.getAddress(), maxFee: 0n } as const;
      const plan = await world.planFor(v3Path, ETHER, { funding });
      plan.profitToken = profitToken;
      plan.hops[0] = { ...plan.hops[0]!, tokenIn: profitToken };
      plan.hops[1] = { ...plan.hops[1]!, tokenOut: profitToken, pool: await fake.getAddress() };
      const terms = encodePlan(plan).slice(0, -24);
      const body = terms.slice(0, -88);
      await onTransfer.script(ON_TRANSFER, [await lateCall(fake, v3("uniswapV3SwapCallback", 1n, -1n)(body))], "0x");
      await hook.setHook(onTransfer);
      const lend = await step(hook, hook.interface.encodeFunctionData("transfer", [executor, ETHER]));
      const types = ["address[]", "uint256[]", "uint256[]", "bytes"];
      const callback = call("receiveFlashLoan(address[],uint256[],uint256[],bytes)", types, [
        [profitToken],
        [ETHER],
        [0n],
        terms,
      ]);
      await lender.script("0x5c38449e", [lend, await step(executor, callback)], "0x");
      const sent = await send(encodePlan(plan));
      // in both transfers: of the loan, and of its repayment
      expect(await stepped(fake, sent.hash)).to.deep.equal(["UnexpectedCallback", "UnexpectedCallback"]);
      expect(await hook.balanceOf(executor)).to.equal(ETHER);
    });
  });

  describe("nesting", function () {
    it("an operator that is a contract can neither nest a plan nor pass for a pool", async function () {
      const plan = await fakePlan("v3");
      const other = await world.planFor(path, ETHER);
      const steps = [
        await step(ownAddress, encodePlan(other), true),
        await step(ownAddress, encodeExecute(other), true),
        ...(await Promise.all(Object.values(CALLBACKS).map((make) => step(ownAddress, make(bodyOf(plan), wethAddress), true)))),
      ];
      await fake.script(SWAP_V3, [await step(botOperator, botOperator.interface.encodeFunctionData("run", [steps]))], "0x");
      const sent = await botOperator.run([await step(ownAddress, encodePlan(plan))]);
      const results = await stepped(botOperator, sent.hash);
      expect(results.slice(0, 2)).to.deep.equal(["UnexpectedCallback", "PlanRunning"]);
      expect(results.slice(2, -1).every((name) => name === "UnexpectedCallback")).to.equal(true);
      expect(results.at(-1)).to.equal("done");
    });

    it("owner's functions are refused inside a plan", async function () {
      const plan = await fakePlan("v3");
      const ownerBot = await new Scripted__factory(world.deployer).deploy();
      const contract = await new ArbExecutor__factory(world.deployer).deploy(ownerBot, [botOperator]);
      const address = await contract.getAddress();
      const face = IArbExecutor__factory.createInterface();
      const steps = [
        await step(address, face.encodeFunctionData("rescue", [wethAddress, 0n]), true),
        await step(address, face.encodeFunctionData("rescueNative", [0n]), true),
        await step(address, face.encodeFunctionData("transferOwnership", [ZeroAddress]), true),
        await step(address, face.encodeFunctionData("sweep", [wethAddress]), true),
      ];
      await ownerBot.run([await step(address, face.encodeFunctionData("transferOwnership", [await ownerBot.getAddress()]))]);
      steps.push(await step(address, face.encodeFunctionData("acceptOwnership"), true));
      await fake.script(SWAP_V3, [await step(ownerBot, ownerBot.interface.encodeFunctionData("run", [steps]))], "0x");
      const sent = await botOperator.run([await step(address, encodePlan(plan))]);
      expect(await stepped(ownerBot, sent.hash)).to.deep.equal(steps.map(() => "PlanRunning"));
    });

    it("a token's hook cannot start or continue anything, in fixed and in paid-first plans", async function () {
      const hook = await new HookToken__factory(world.deployer).deploy();
      const hookAddress = await hook.getAddress();
      await hook.mint(world.deployer, 10_000n * ETHER);
      await hook.mint(ownAddress, 10n * ETHER);
      const b = await world.token("B");
      const pools = [
        await world.addV2(hook, b, 500n * ETHER, 1_030_000n * ETHER, 0),
        await world.addV2(hook, b, 500n * ETHER, 970_000n * ETHER, 1),
      ];
      for (const source of ["flash-swap", "own-balance"] as const) {
        await world.rolledBack(async () => {
          const plan = await world.planFor(pools, ETHER, {
            profitToken: hookAddress,
            funding: { source, lender: null, maxFee: 0n },
          });
          const steps = [await step(ownAddress, encodePlan(plan), true), await step(ownAddress, encodeExecute(plan), true)];
          await botOperator.script(ON_TRANSFER, steps, "0x");
          await hook.setHook(botOperator);
          const sent = await botOperator.run([await step(ownAddress, encodePlan(plan))]);
          const results = await stepped(botOperator, sent.hash);
          // two transfers of the profit token, two attempts in each, then the plan itself
          expect(results).to.deep.equal([1, 2].flatMap(() => ["UnexpectedCallback", "PlanRunning"]).concat("done"));
        });
      }
    });

    it("a payment that a token only pretends to make is noticed", async function () {
      const liar = await new FalseToken__factory(world.deployer).deploy();
      const profitToken = await liar.getAddress();
      const plan = await world.planFor(path, ETHER, { funding: { source: "own-balance", lender: null, maxFee: 0n } });
      plan.profitToken = profitToken;
      plan.hops[0] = { ...plan.hops[0]!, tokenIn: profitToken, pool: await fake.getAddress() };
      plan.hops[1] = { ...plan.hops[1]!, tokenOut: profitToken, pool: await botOperator.getAddress() };
      expect(await refusal(encodePlan(plan))).to.equal("TokenCallFailed");
    });

    it("nothing is left in transient storage: two plans, and an owner's call, in one transaction", async function () {
      const first = await world.planFor(path, ETHER);
      const second = await world.planFor(v3Path, ETHER);
      const failing = { ...first, minProfit: 10n ** 24n };
      const stray = CALLBACKS.uniswapV2Call!(bodyOf(first), wethAddress);
      const sent = await botOperator.run([
        await step(ownAddress, encodePlan(first)),
        await step(ownAddress, encodePlan(failing), true),
        await step(ownAddress, stray, true),
        await step(ownAddress, encodePlan(second)),
      ]);
      expect(await stepped(botOperator, sent.hash)).to.deep.equal(
        ["done", "UniswapV2: K", "MalformedPlan", "done"].map((name, i) => (i === 1 ? "Error" : name)),
      );
    });
  });
});
