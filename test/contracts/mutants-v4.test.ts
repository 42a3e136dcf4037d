import { expect } from "chai";
import { AbiCoder, getAddress, id, solidityPacked, ZeroAddress } from "ethers";
import { encodePlan } from "../../src/plan/codec.js";
import type { Plan, PlanHop } from "../../src/plan/plan.js";
import { type Scripted, Scripted__factory } from "../../types/contracts/index.js";
import { argumentsOf, callsOf } from "../helpers/calls.js";
import { type Arena, call, createArena, SWAP_V2, SWAP_V3, v3 as v3Callback } from "../helpers/enemies.js";
import { createWorld, ETHER } from "../helpers/pools.js";
import { addV4, POOL_MANAGER } from "../helpers/v4-world.js";

const coder = AbiCoder.defaultAbiCoder();
const select = (signature: string) => id(signature).slice(0, 10);
const UNLOCK = select("unlock(bytes)");
const SWAP = select("swap((address,address,uint24,int24,address),(bool,int256,uint160),bytes)");
const [TAKE, SYNC, SETTLE] = [select("take(address,address,uint256)"), select("sync(address)"), select("settle()")];
const HALF = 2n ** 128n;

/** What only mutation testing showed to be untested in V4 plans: each test kills mutants that survived all others. */
describe("ArbExecutor: V4 plans against a manager that does what it likes", function () {
  let arena: Arena;
  let manager: Scripted;
  let pool: Scripted;
  let poolAddress: string;
  let weth: string;
  let b: string;
  const snapshots: { restore(): Promise<void> }[] = [];

  before(async function () {
    arena = await createArena();
    const { world, fake } = arena;
    await world.networkHelpers.setCode(POOL_MANAGER, await world.ethers.provider.getCode(fake));
    manager = Scripted__factory.connect(POOL_MANAGER, world.deployer);
    pool = await new Scripted__factory(world.deployer).deploy();
    [weth, b, poolAddress] = [arena.wethAddress, await (await world.token("B")).getAddress(), await pool.getAddress()];
    // ETH and B are below WETH
    expect(BigInt(b) < BigInt(weth)).to.equal(true);
    await world.networkHelpers.setBalance(arena.executor, 1000n);
  });

  beforeEach(async function () {
    snapshots.push(await arena.world.networkHelpers.takeSnapshot());
  });

  afterEach(async function () {
    await snapshots.pop()!.restore();
  });

  const key = { fee: 500, tickSpacing: 10, hooks: ZeroAddress, hookData: "0x" };
  const hop = (tokenIn: string, tokenOut: string, changes: Partial<PlanHop> = {}): PlanHop => ({
    kind: "v4",
    pool: POOL_MANAGER,
    v4: key,
    tokenIn,
    tokenOut,
    feePips: 0,
    amountIn: 100n,
    amountOut: 90n,
    ...changes,
  });
  const through = (kind: "v2" | "v3", tokenIn: string, tokenOut: string) => {
    const { v4: _, ...rest } = hop(tokenIn, tokenOut);
    return { ...rest, kind, pool: poolAddress };
  };
  const planOf = (hops: PlanHop[], changes: Partial<Plan> = {}): Plan => ({
    chainId: 1,
    amounts: "fixed",
    funding: { source: "flash-swap", lender: null, maxFee: 0n },
    profitToken: weth,
    hops,
    maxAmountIn: 100n,
    minProfit: 0n,
    deadline: null,
    blocks: null,
    ...changes,
  });
  const callback = (data: string) => call("unlockCallback(bytes)", ["bytes"], [data]);
  const bodyOf = (plan: Plan) => "0x" + encodePlan(plan).slice(2, -24);
  const word = (value: bigint) => coder.encode(["int256"], [value]);
  const delta = (amount0: bigint, amount1: bigint) =>
    word(BigInt.asIntN(256, (BigInt.asUintN(128, amount0) * HALF) | BigInt.asUintN(128, amount1)));

  /** A manager that plays along: it calls back, books this delta for each swap, and says that the plan made `got`. */
  async function plays(plan: Plan, booked: string, got = 0n, more: { data: string; mayFail: boolean }[] = []) {
    const steps = [{ data: callback(bodyOf(plan)), mayFail: false }, ...more];
    const script = steps.map((step) => ({ target: arena.executor, ...step }));
    await manager.script(UNLOCK, script, coder.encode(["bytes"], [word(got)]));
    await manager.script(SWAP, [], booked);
    await manager.script(SETTLE, [], word(5n));
    const input = coder.encode(["address", "address"], [plan.hops.at(-1)!.tokenIn, poolAddress]);
    const data = solidityPacked(["address", "address"], ["0x" + input.slice(26, 66), "0x" + input.slice(90)]);
    await pool.script(
      SWAP_V3,
      [{ target: arena.executor, data: v3Callback("uniswapV3SwapCallback", 9n, -9n)(data), mayFail: false }],
      "0x",
    );
  }

  const WAYS: Record<string, { hops: () => PlanHop[]; booked: string; calls: string[] }> = {
    "WETH, V4 only": { hops: () => [hop(weth, b), hop(b, weth)], booked: delta(-3n, 5n), calls: [SWAP, TAKE] },
    "WETH, with data for no hook": {
      hops: () => [hop(weth, b, { v4: { ...key, hookData: "0x1234" } }), hop(b, weth)],
      booked: delta(-3n, 5n),
      calls: [SWAP, TAKE],
    },
    "WETH, then a pair": {
      hops: () => [hop(weth, b), through("v2", b, weth)],
      booked: delta(3n, -1n),
      calls: [SWAP, TAKE, SYNC, SETTLE],
    },
    "WETH, then a V3 pool": {
      hops: () => [hop(weth, b), through("v3", b, weth)],
      booked: delta(3n, -1n),
      calls: [SWAP, TAKE, SYNC, SETTLE],
    },
    "ETH in, WETH out": { hops: () => [hop(ZeroAddress, b), hop(b, weth)], booked: delta(-3n, 5n), calls: [SWAP, TAKE, SETTLE] },
    "WETH in, ETH out": {
      hops: () => [hop(weth, b), hop(b, ZeroAddress)],
      booked: delta(7n, -4n),
      calls: [SWAP, TAKE, SYNC, SETTLE],
    },
    "ETH in and out": { hops: () => [hop(ZeroAddress, b), hop(b, ZeroAddress)], booked: delta(7n, 2n), calls: [SWAP, TAKE] },
  };
  for (const [name, { hops, booked, calls }] of Object.entries(WAYS)) {
    it(`${name}: a call that fails is the plan's own failure, with its own words`, async function () {
      const plan = planOf(hops());
      await plays(plan, booked);
      const data = encodePlan(plan);
      expect(await arena.refusal(data)).to.equal("landed");
      const sent = await arena.send(data);
      await callsOf(arena.world, sent.hash);
      // an idle executor's refusal of a stranger stands for the manager's own words
      const fails = [{ target: arena.ownAddress, data: "0x", mayFail: false }];
      for (const selector of calls) {
        await arena.world.rolledBack(async () => {
          await manager.script(selector, fails, "0x");
          expect(await arena.refusal(data), selector).to.equal("NotOperator");
        });
      }
      for (const selector of [SWAP_V2, SWAP_V3]) {
        if (!plan.hops.some((each) => each.kind === (selector === SWAP_V2 ? "v2" : "v3"))) continue;
        await pool.script(selector, fails, "0x");
        expect(await arena.refusal(data), selector).to.equal("NotOperator");
      }
    });
  }

  it("pays and takes what was booked, to the unit", async function () {
    const executor = arena.executor;
    const cases: [string, string, unknown[][]][] = [
      ["WETH, V4 only", "take", [[weth, executor, 10n]]],
      ["ETH in, WETH out", "take", [[weth, executor, 5n]]],
      ["WETH in, ETH out", "take", [[ZeroAddress, executor, 7n]]],
      ["ETH in and out", "take", [[ZeroAddress, executor, 14n]]],
      ["ETH in, WETH out", "withdraw", [[3n]]],
      ["WETH in, ETH out", "transfer", [[POOL_MANAGER, 4n]]],
      ["WETH in, ETH out", "sync", [[weth]]],
      [
        "WETH, then a pair",
        "take",
        [
          [b, poolAddress, 3n],
          [weth, executor, 4n],
        ],
      ],
      [
        "WETH, then a V3 pool",
        "take",
        [
          [b, poolAddress, 9n],
          [weth, executor, 4n],
        ],
      ],
      ["WETH, then a pair", "sync", [[weth]]],
      ["WETH, then a V3 pool", "sync", [[weth]]],
    ];
    for (const [name, what, expected] of cases) {
      await arena.world.rolledBack(async () => {
        const plan = planOf(WAYS[name]!.hops());
        await plays(plan, WAYS[name]!.booked);
        const { hash } = await arena.send(encodePlan(plan));
        const made = await argumentsOf(arena.world, hash);
        expect(
          made.filter((each) => each.name === what).map(({ args }) => args),
          `${name} ${what}`,
        ).to.deep.equal(expected);
        const values = made.filter((each) => each.value > 0n).map((each) => [each.name, each.value]);
        const paid = {
          "ETH in, WETH out": [["settle", 3n]],
          "WETH in, ETH out": [["deposit", 7n]],
          "ETH in and out": [["deposit", 14n]],
        };
        expect(values).to.deep.equal(paid[name as keyof typeof paid] ?? []);
      });
    }
  });

  it("the profit is what the manager booked, and a loss is told as a negative number", async function () {
    const plan = planOf([hop(weth, b), hop(b, weth)]);
    await plays(plan, delta(-3n, 5n), 77n);
    expect(await arena.refusal(encodePlan({ ...plan, minProfit: 77n }))).to.equal("landed");
    expect(await arena.refusal(encodePlan({ ...plan, minProfit: 78n }))).to.equal("ProfitTooLow");
    await plays(plan, delta(-3n, 5n), -1n);
    expect(await arena.refusal(encodePlan(plan))).to.equal("ProfitTooLow");
    // spent 1 for 0, and nothing for nothing
    await plays(plan, delta(0n, -1n));
    expect(await arena.refusal(encodePlan(plan))).to.equal("ProfitTooLow");
    await plays(plan, delta(0n, 0n));
    expect(await arena.refusal(encodePlan(plan))).to.equal("landed");
  });

  it("the callback is served once, with the plan's own bytes, to the manager, while it is called", async function () {
    const { world, executor } = arena;
    const plan = planOf([hop(weth, b), hop(b, weth)]);
    const body = bodyOf(plan);
    const flip = (place: number) => {
      const bytes = Buffer.from(body.slice(2), "hex");
      bytes[place]! ^= 1;
      return "0x" + bytes.toString("hex");
    };
    const size = (body.length - 2) / 2;
    const altered = [...Array.from({ length: size }, (_, i) => flip(i)), body + "00", body.slice(0, -2), "0x"];
    const other = await new Scripted__factory(world.deployer).deploy();
    const run = (data: string) => other.interface.encodeFunctionData("run", [[{ target: executor, data, mayFail: true }]]);
    const bad = altered.map((data) => ({ target: executor, data: callback(data), mayFail: true }));
    const strange = { target: await other.getAddress(), data: run(callback(body)), mayFail: false };
    const good = { target: executor, data: callback(body), mayFail: true };
    await manager.script(UNLOCK, [...bad, strange, good, good], coder.encode(["bytes"], [word(0n)]));
    await manager.script(SWAP, [], delta(-3n, 5n));
    const { hash } = await arena.send(encodePlan(plan));
    const refused = altered.map(() => "UnexpectedCallback");
    expect(await arena.stepped(manager, hash)).to.deep.equal([...refused, "done", "done", "UnexpectedCallback"]);
    expect(await arena.stepped(other, hash)).to.deep.equal(["UnexpectedCallback"]);
    // what it answers is what it made, as bytes
    const receipt = (await world.ethers.provider.getTransactionReceipt(hash))!;
    const answers = receipt.logs
      .filter((log) => log.address.toLowerCase() === POOL_MANAGER.toLowerCase())
      .map((log) => manager.interface.parseLog(log)!.args);
    expect(answers.find((args) => args.success && args.result !== "0x")!.result).to.equal(coder.encode(["bytes"], [word(10n)]));
    expect(await arena.refusal(callback(body), executor, world.stranger)).to.equal("NotOperator");
    // and inside plans of hops nobody is the manager
    const fast = await arena.fakePlan("v2");
    await arena.fake.script(SWAP_V2, [{ target: executor, data: callback(encodePlan(fast).slice(0, -24)), mayFail: true }], "0x");
    const late = await arena.send(encodePlan(fast)).catch(() => null);
    expect(late === null || (await arena.stepped(arena.fake, late.hash))[0] === "UnexpectedCallback").to.equal(true);
  });

  it("bytes of a V4 plan are no pools, whatever they say", async function () {
    const { world, executor } = arena;
    const plan = planOf([hop(weth, b), hop(b, weth)]);
    // where a plan of V2 and V3 hops names its first pool
    const named = getAddress(("0x02" + b.slice(2, 40)).toLowerCase());
    await world.networkHelpers.setCode(named, await world.ethers.provider.getCode(arena.fake));
    const other = Scripted__factory.connect(named, world.deployer);
    const steps = [{ target: executor, data: callback(bodyOf(plan)), mayFail: true }];
    const run = other.interface.encodeFunctionData("run", [steps]);
    await plays(plan, delta(-3n, 5n));
    await manager.script(UNLOCK, [{ target: named, data: run, mayFail: false }, ...steps], coder.encode(["bytes"], [word(0n)]));
    const { hash } = await arena.send(encodePlan(plan));
    expect(await arena.stepped(other, hash)).to.deep.equal(["UnexpectedCallback"]);
    expect(await arena.stepped(manager, hash)).to.deep.equal(["done", "done"]);
    // and the manager stays the manager, wherever else its address stands
    for (let place = 0; place < 40; place++) {
      const hookData = "0x" + "00".repeat(place) + POOL_MANAGER.slice(2) + "00".repeat(100);
      const telling = planOf([hop(weth, b, { v4: { ...key, hookData } }), hop(b, weth)]);
      await plays(telling, delta(-3n, 5n));
      expect(await arena.refusal(encodePlan(telling)), String(place)).to.equal("landed");
    }
  });

  it("has the length that its head says", async function () {
    const plan = planOf([hop(weth, b), hop(b, weth)]);
    await plays(plan, delta(-3n, 5n));
    const data = encodePlan(plan);
    const length = Number("0x" + data.slice(6, 8));
    for (let other = 0; other <= 0xff; other += other < length + 64 ? 1 : 16) {
      const changed = data.slice(0, 6) + other.toString(16).padStart(2, "0") + data.slice(8);
      expect(await arena.refusal(changed), String(other)).to.equal(other === length ? "landed" : "MalformedPlan");
    }
  });

  it("a V3 pool inside is paid once, what it is owed of the hop's input, and only with the bytes that it was given", async function () {
    const { world, executor } = arena;
    const plan = planOf([hop(weth, b), through("v3", b, weth)]);
    const data = solidityPacked(["address", "address"], [b, poolAddress]);
    const pay = (bytes: string, amounts: [bigint, bigint] = [9n, -9n]) => ({
      target: executor,
      data: v3Callback("uniswapV3SwapCallback", ...amounts)(bytes),
      mayFail: true,
    });
    const other = await new Scripted__factory(world.deployer).deploy();
    const otherAddress = await other.getAddress();
    const flip = (place: number) => {
      const bytes = Buffer.from(data.slice(2), "hex");
      bytes[place]! ^= 0x10;
      return "0x" + bytes.toString("hex");
    };
    const bad = [
      ...Array.from({ length: 40 }, (_, i) => flip(i)),
      solidityPacked(["address", "address"], [weth, poolAddress]),
      solidityPacked(["address", "address"], [b, otherAddress]),
      "0x",
    ];
    const run = other.interface.encodeFunctionData("run", [
      [pay(data), pay(solidityPacked(["address", "address"], [b, otherAddress]))],
    ]);
    for (const [amounts, owed] of [
      [[9n, -9n], 9n],
      [[-9n, 8n], 8n],
      [[0n, 7n], 7n],
      [[1n, -1n], 1n],
    ] as [[bigint, bigint], bigint][]) {
      await world.rolledBack(async () => {
        await plays(plan, delta(3n, -1n));
        const strange = { target: otherAddress, data: run, mayFail: false };
        await pool.script(SWAP_V3, [...bad.map((each) => pay(each)), strange, pay(data, amounts), pay(data, amounts)], "0x");
        const { hash } = await arena.send(encodePlan(plan));
        const refused = bad.map(() => "UnexpectedCallback");
        expect(await arena.stepped(pool, hash)).to.deep.equal([...refused, "done", "done", "UnexpectedCallback"]);
        expect(await arena.stepped(other, hash)).to.deep.equal(["UnexpectedCallback", "UnexpectedCallback"]);
        const taken = (await argumentsOf(world, hash)).filter(({ name }) => name === "take").map(({ args }) => args);
        expect(taken[0]).to.deep.equal([b, poolAddress, owed]);
      });
    }
    // a pool that did not call back while it was called is late afterwards
    await plays(plan, delta(3n, -1n), 0n, [pay(data)]);
    await pool.script(SWAP_V3, [], "0x");
    const { hash } = await arena.send(encodePlan(plan));
    expect((await arena.stepped(manager, hash)).slice(-2)).to.deep.equal(["done", "UnexpectedCallback"]);
  });

  it("ETH is taken from WETH and the manager only, while a plan runs", async function () {
    const { world, executor } = arena;
    const plan = planOf([hop(weth, b), hop(b, weth)]);
    const give = (mayFail: boolean) => ({ target: executor, data: "0x", mayFail });
    const other = await new Scripted__factory(world.deployer).deploy();
    await plays(plan, delta(-3n, 5n), 0n, []);
    const run = other.interface.encodeFunctionData("run", [[give(true)]]);
    const steps = [
      { target: executor, data: callback(bodyOf(plan)), mayFail: false },
      give(true),
      { target: await other.getAddress(), data: run, mayFail: false },
    ];
    await manager.script(UNLOCK, steps, coder.encode(["bytes"], [word(0n)]));
    const { hash } = await arena.send(encodePlan(plan));
    expect(await arena.stepped(manager, hash)).to.deep.equal(["done", "done", "done"]);
    expect(await arena.stepped(other, hash)).to.deep.equal(["UnexpectedCallback"]);
    expect(await arena.refusal("0x", executor, world.stranger)).to.equal("NotOperator");
  });
});

describe("ArbExecutor: data of V4 hooks", function () {
  it("of any length, after any other kind of hop, is what the pool gets, and no hook of another hop", async function () {
    const world = await createWorld(true);
    const [b, c] = [await world.token("B"), await world.token("C")];
    const v4 = await addV4(world);
    for (const token of [b, c]) await token.mint(v4.trader, 10n ** 30n);
    const E = ETHER;
    const hook = await v4.hook(1);
    await hook.set("0x" + "c0".repeat(40), 500, hook, "0x");
    const hooked = await v4.pool(world.weth, b, [E, 2030n * E], {
      fee: 0x800000,
      hooks: await hook.getAddress(),
      hookData: "0x" + "c0".repeat(40),
    });
    const first = {
      hooked,
      plain: await v4.pool(world.weth, b, [E, 2030n * E], { fee: 500, tickSpacing: 10 }),
      v3: await world.addV3(world.weth, b, E, 2030n * E, 500, 100_000n * E),
      v2: await world.addV2(world.weth, b, 500n * E, 1_030_000n * E, 0),
    };
    const last = await v4.pool(b, world.weth, [1970n * E, E]);
    const held = await world.weth.balanceOf(world.executorAddress);
    expect(held > 0n).to.equal(true);
    for (const [name, pool] of Object.entries(first)) {
      for (const size of [0, 1, 32, 33, 100]) {
        const hookData = "0x" + "ab".repeat(size);
        // a pool without hooks gets data, too
        const opening = pool === first.plain ? { ...first.plain, hookData } : pool;
        const plan = await v4.planFor([opening, { ...last, hookData }], E);
        await world.rolledBack(async () => {
          const data = encodePlan({ ...plan, minProfit: plan.profit });
          const { hash } = await world.operator.sendTransaction({ to: world.executorAddress, data });
          const swaps = (await argumentsOf(world, hash)).filter(({ name: what, args }) => what === "swap" && args.length === 3);
          const [made, , bytes] = swaps.at(-1)!.args as [unknown[], unknown, string];
          expect([bytes, made[4]], `${name} ${size}`).to.deep.equal([hookData, ZeroAddress]);
        });
      }
    }
    // the lowest bit of a V4 hop's kind says nothing
    const plan = await v4.planFor([first.plain, last], E);
    const data = encodePlan({ ...plan, minProfit: plan.profit });
    const kind = (Number("0x" + data.slice(34, 36)) | 1).toString(16).padStart(2, "0");
    await world.operator.sendTransaction({ to: world.executorAddress, data: data.slice(0, 34) + kind + data.slice(36) });
    expect((await world.weth.balanceOf(world.executorAddress)) - held).to.equal(plan.profit);
  });
});
