import { expect } from "chai";
import { AbiCoder, type BaseContract, concat, id, Interface, ZeroAddress } from "ethers";
import { encodeExecute, encodePlan } from "../../src/plan/codec.js";
import { explainRevert } from "../../src/plan/errors.js";
import type { Plan } from "../../src/plan/plan.js";
import {
  type ArbExecutor,
  ArbExecutor__factory,
  BalancerLender__factory,
  HookToken__factory,
  type Scripted,
  Scripted__factory,
} from "../../types/contracts/index.js";
import { createWorld, ETHER, type TestPool, type World } from "../helpers/pools.js";

const coder = AbiCoder.defaultAbiCoder();
const SWAP_V2 = "0x022c0d9f";
const SWAP_V3 = "0x128acb08";
const ON_TRANSFER = id("onTransfer()").slice(0, 10);

/** Every way in which a pool or lender of our world, or of a fork, calls back. */
const CALLBACKS: Record<string, (data: string, token: string) => string> = Object.fromEntries([
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

function call(signature: string, types: string[], values: unknown[]): string {
  return concat([id(signature).slice(0, 10), coder.encode(types, values)]);
}

function v2(name: string) {
  return (data: string, token: string) =>
    call(`${name}(address,uint256,uint256,bytes)`, ["address", "uint256", "uint256", "bytes"], [token, 1n, 0n, data]);
}

function v3(name: string, amount0 = 1n, amount1 = -1n) {
  return (data: string) => call(`${name}(int256,int256,bytes)`, ["int256", "int256", "bytes"], [amount0, amount1, data]);
}

describe("ArbExecutor: enemies", function () {
  let world: World;
  let executor: string;
  let wethAddress: string;
  let path: TestPool[];
  let v3Path: TestPool[];
  /** An operator that is a contract, as an EIP-7702 account is. */
  let botOperator: Scripted;
  let fake: Scripted;
  let own: ArbExecutor;
  let ownAddress: string;
  const snapshots: { restore(): Promise<void> }[] = [];

  before(async function () {
    world = await createWorld();
    executor = world.executorAddress;
    wethAddress = await world.weth.getAddress();
    const b = await world.token("B");
    const E = ETHER;
    path = [
      await world.addV2(world.weth, b, 500n * E, 1_030_000n * E, 0),
      await world.addV2(world.weth, b, 500n * E, 970_000n * E, 1),
    ];
    v3Path = [await world.addV3(world.weth, b, E, 2060n * E, 500), await world.addV3(world.weth, b, E, 1940n * E, 3000)];
    botOperator = await new Scripted__factory(world.deployer).deploy();
    fake = await new Scripted__factory(world.deployer).deploy();
    own = await new ArbExecutor__factory(world.deployer).deploy(world.owner, [botOperator, world.operator]);
    ownAddress = await own.getAddress();
    await world.weth.transfer(ownAddress, 5n * E);
    await world.weth.transfer(executor, 5n * E);
    await world.weth.transfer(fake, 50n * E);
  });

  beforeEach(async function () {
    snapshots.push(await world.networkHelpers.takeSnapshot());
  });

  afterEach(async function () {
    await snapshots.pop()!.restore();
  });

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
    const b = await world.token("B");
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

  /** The bytes that pools get: a plan without flags and lender ends in 12 bytes of least profit. */
  const bodyOf = (plan: Plan) => encodePlan(plan).slice(0, -24);

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
        "0xb0" + data.slice(4),
        "0xa8" + data.slice(4),
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

  describe("hostile pools", function () {
    it("a pool that calls nobody back gets nothing, and the plan fails or gains", async function () {
      for (const kind of ["v2", "v3"] as const) {
        const before = await balances();
        const plan = encodePlan(await fakePlan(kind));
        // no payment and no output: nothing changes, which a plan without a least profit allows
        expect(await refusal(plan)).to.equal("landed");
        await send(plan);
        expect(await balances()).to.deep.equal(before);
      }
    });

    it("a pool that calls back twice is refused the second time", async function () {
      for (const [kind, selector, make] of [
        ["v2", SWAP_V2, CALLBACKS.uniswapV2Call!],
        ["v3", SWAP_V3, v3("uniswapV3SwapCallback", 1n, -1n)],
      ] as const) {
        const plan = await fakePlan(kind);
        const data = make(bodyOf(plan), wethAddress);
        const pay = world.weth.interface.encodeFunctionData("transfer", [executor, 3n * ETHER]);
        await fake.script(
          selector,
          [await step(wethAddress, pay), await step(executor, data), await step(executor, data, true)],
          "0x",
        );
        const sent = await send(encodePlan(plan));
        expect(await stepped(fake, sent.hash)).to.deep.equal(["done", "done", "UnexpectedCallback"]);
        expect(await refusal(encodePlan(plan), executor, world.stranger)).to.equal("NotOperator");
      }
    });

    it("a pool that calls back with other bytes is refused", async function () {
      for (const [kind, selector, make] of [
        ["v2", SWAP_V2, CALLBACKS.uniswapV2Call!],
        ["v3", SWAP_V3, v3("uniswapV3SwapCallback")],
      ] as const) {
        const plan = await fakePlan(kind);
        const body = bodyOf(plan);
        const other = bodyOf({
          ...plan,
          hops: plan.hops.map((hop) => ({ ...hop, pool: hop.pool === fake.target ? hop.pool : ownAddress })),
        });
        const steps = [];
        for (const bytes of [other, body + "00", body.slice(0, -2), "0x", encodePlan(plan)]) {
          steps.push(await step(executor, make(bytes, wethAddress), true));
        }
        // the kind of callback is committed too
        steps.push(
          await step(executor, (kind === "v2" ? v3("uniswapV3SwapCallback") : CALLBACKS.uniswapV2Call!)(body, wethAddress), true),
        );
        steps.push(await step(executor, CALLBACKS.executeOperation!(body, wethAddress), true));
        await fake.script(selector, steps, "0x");
        const sent = await send(encodePlan(plan));
        expect(await stepped(fake, sent.hash)).to.deep.equal(steps.map(() => "UnexpectedCallback"));
      }
    });

    it("a first pool that claims to be owed more than the cap is refused", async function () {
      for (const claim of [ETHER + 1n, 2n ** 255n - 1n]) {
        const plan = await world.planFor([v3Path[0]!, path[1]!], ETHER);
        plan.hops[0] = { ...plan.hops[0]!, pool: await fake.getAddress() };
        await fake.script(SWAP_V3, [await step(executor, v3("uniswapV3SwapCallback", claim, -1n)(bodyOf(plan)))], "0x");
        // the V2 hop behind it has no input: the claim must not even be looked at before that fails
        expect(await refusal(encodePlan(plan))).to.contain("INSUFFICIENT_INPUT");
        const b = await world.token("B");
        const feed = b.interface.encodeFunctionData("transfer", [path[1]!.address, plan.hops[1]!.amountIn]);
        await b.mint(fake, plan.hops[1]!.amountIn);
        await fake.script(
          SWAP_V3,
          [await step(b, feed), await step(executor, v3("uniswapV3SwapCallback", claim, -plan.hops[1]!.amountIn)(bodyOf(plan)))],
          "0x",
        );
        expect(await refusal(encodePlan(plan))).to.equal("PaymentAboveCap");
      }
    });

    it("a pool that takes the payment and returns too little makes the plan fail, with every balance as before", async function () {
      const before = await balances();
      const plan = await fakePlan("v3");
      await fake.script(SWAP_V3, [await step(executor, v3("uniswapV3SwapCallback")(bodyOf(plan)))], "0x");
      expect(await refusal(encodePlan(plan))).to.equal("ProfitTooLow");
      expect(
        await send(encodePlan(plan)).then(
          () => "landed",
          () => "reverted",
        ),
      ).to.equal("reverted");
      expect(await balances()).to.deep.equal(before);
    });

    it("a stranger cannot call back while a pool is being called", async function () {
      const stranger = await new Scripted__factory(world.deployer).deploy();
      const plan = await fakePlan("v3");
      const steps = [];
      for (const make of Object.values(CALLBACKS)) steps.push(await step(executor, make(bodyOf(plan), wethAddress), true));
      const run = stranger.interface.encodeFunctionData("run", [steps]);
      await fake.script(SWAP_V3, [await step(stranger, run)], "0x");
      const sent = await send(encodePlan(plan));
      expect(await stepped(stranger, sent.hash)).to.deep.equal(steps.map(() => "UnexpectedCallback"));
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
      const face = contract.interface;
      const steps = [
        await step(address, face.encodeFunctionData("rescue", [wethAddress, 0n]), true),
        await step(address, face.encodeFunctionData("rescueNative", [0n]), true),
        await step(address, face.encodeFunctionData("transferOwnership", [ZeroAddress]), true),
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
          expect(results).to.deep.equal([..."12"].flatMap(() => ["UnexpectedCallback", "PlanRunning"]).concat("done"));
        });
      }
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

  describe("lenders", function () {
    it("a fake lender that takes nothing back leaves no allowance: the plan fails", async function () {
      const lender = await fake.getAddress();
      const plan = await world.planFor(path, ETHER, { funding: { source: "aave-v3", lender, maxFee: 1n } });
      const params = encodePlan(plan).slice(0, -24);
      const data = call(
        "executeOperation(address,uint256,uint256,address,bytes)",
        ["address", "uint256", "uint256", "address", "bytes"],
        [wethAddress, ETHER, 1n, executor, params],
      );
      const lend = world.weth.interface.encodeFunctionData("transfer", [executor, ETHER]);
      await fake.script("0x42b0b77c", [await step(wethAddress, lend), await step(executor, data)], "0x");
      expect(await refusal(encodePlan(plan))).to.equal("AllowanceLeft");
      const take = world.weth.interface.encodeFunctionData("transferFrom", [executor, lender, ETHER + 1n]);
      await fake.script(
        "0x42b0b77c",
        [await step(wethAddress, lend), await step(executor, data), await step(wethAddress, take)],
        "0x",
      );
      expect(await refusal(encodePlan(plan))).to.equal("landed");
    });

    it("a loan that someone else started is not served, even inside our own", async function () {
      const lender = await fake.getAddress();
      const plan = await world.planFor(path, ETHER, { funding: { source: "aave-v3", lender, maxFee: 1n } });
      const params = encodePlan(plan).slice(0, -24);
      const data = call(
        "executeOperation(address,uint256,uint256,address,bytes)",
        ["address", "uint256", "uint256", "address", "bytes"],
        [wethAddress, ETHER, 1n, await world.stranger.getAddress(), params],
      );
      await fake.script("0x42b0b77c", [await step(executor, data, true)], "0x");
      const sent = await send(encodePlan(plan));
      expect(await stepped(fake, sent.hash)).to.deep.equal(["UnexpectedCallback"]);
    });

    it("a lender's fee is paid up to the cap", async function () {
      const lender = await new BalancerLender__factory(world.deployer).deploy();
      await world.weth.transfer(lender, 100n * ETHER);
      await lender.setFee(7n);
      const funding = { source: "balancer-v2", lender: await lender.getAddress(), maxFee: 7n } as const;
      const plan = await world.planFor(path, ETHER, { funding });
      expect(await refusal(encodePlan(plan))).to.equal("landed");
      expect(await refusal(encodePlan({ ...plan, funding: { ...funding, maxFee: 6n } }))).to.equal("LenderFeeAboveCap");
    });

    it("a stranger's Balancer loan to us is not served", async function () {
      const lender = await new BalancerLender__factory(world.deployer).deploy();
      await world.weth.transfer(lender, 100n * ETHER);
      const loan = lender.interface.encodeFunctionData("flashLoan", [
        executor,
        [wethAddress],
        [ETHER],
        bodyOf(await world.planFor(path, ETHER)),
      ]);
      expect(await refusal(loan, await lender.getAddress(), world.stranger)).to.equal("NotOperator");
    });
  });

  it("no selector of the contract starts like a plan", function () {
    const selectors = new Interface(ArbExecutor__factory.abi).fragments
      .filter((fragment) => fragment.type === "function")
      .map((fragment) => id(fragment.format("sighash")).slice(0, 3));
    expect(selectors.length).to.be.greaterThan(5);
    expect(selectors).to.not.include("0xa");
  });
});
