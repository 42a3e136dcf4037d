import { expect } from "chai";
import { keccak256 } from "ethers";
import { encodePlan } from "../../src/plan/codec.js";
import { BalancerLender__factory, Scripted__factory } from "../../types/contracts/index.js";
import { type Arena, createArena, bodyOf, call, CALLBACKS, SWAP_V2, SWAP_V3, v3 } from "../helpers/enemies.js";
import { ETHER } from "../helpers/pools.js";

describe("ArbExecutor: hostile pools and lenders", function () {
  let world: Arena["world"];
  let executor: Arena["executor"];
  let wethAddress: Arena["wethAddress"];
  let path: Arena["path"];
  let v3Path: Arena["v3Path"];
  let fake: Arena["fake"];
  let ownAddress: Arena["ownAddress"];
  let send: Arena["send"];
  let refusal: Arena["refusal"];
  let balances: Arena["balances"];
  let step: Arena["step"];
  let stepped: Arena["stepped"];
  let fakePlan: Arena["fakePlan"];
  const snapshots: { restore(): Promise<void> }[] = [];

  before(async function () {
    ({ world, executor, wethAddress, path, v3Path, fake, ownAddress, send, refusal, balances, step, stepped, fakePlan } =
      await createArena());
  });

  beforeEach(async function () {
    snapshots.push(await world.networkHelpers.takeSnapshot());
  });

  afterEach(async function () {
    await snapshots.pop()!.restore();
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

    it("commits to the whole hash of the bytes that come back but eight bits: half of it could be searched for", async function () {
      for (const kind of ["v2", "v3"] as const) {
        const plan = await fakePlan(kind);
        const sent = await send(encodePlan(plan));
        const trace = (await world.provider.request({
          method: "debug_traceTransaction",
          params: [sent.hash, { disableStorage: true, disableMemory: true }],
        })) as { structLogs: { op: string; stack: string[] }[] };
        const stored = trace.structLogs.find((log) => log.op === "TSTORE")!.stack.at(-2)!;
        expect(BigInt(stored.startsWith("0x") ? stored : "0x" + stored) >> 8n).to.equal(BigInt(keccak256(bodyOf(plan))) >> 8n);
      }
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
});
