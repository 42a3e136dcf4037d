import { POOL_MANAGERS } from "../helpers/v4-world.js";
import { expect } from "chai";
import { concat, dataSlice, getBytes, hexlify, id, toBeHex, zeroPadValue } from "ethers";
import { BUILT_IN_TOKENS, encodeExecute, encodePlan } from "../../src/plan/codec.js";
import type { Plan } from "../../src/plan/plan.js";
import {
  ArbExecutor__factory,
  BalancerLender__factory,
  HookToken__factory,
  OddToken__factory,
  PullLender__factory,
  Scripted__factory,
  TestToken__factory,
} from "../../types/contracts/index.js";
import { type Arena, bodyOf, call, CALLBACKS, createArena, ON_TRANSFER, SWAP_V3, v3 } from "../helpers/enemies.js";
import { ETHER } from "../helpers/pools.js";
import { random } from "../helpers/random.js";

/**
 * One test per way in which arbitrage bots and contracts like them were robbed, named by what each of them teaches. The victims'
 * names and dates are those of the public incident reports (DeFiHackLabs).
 */
describe("ArbExecutor: incidents", function () {
  let arena: Arena;
  let world: Arena["world"];
  let executor: string;
  let weth: string;
  let held: bigint[];
  const snapshots: { restore(): Promise<void> }[] = [];

  before(async function () {
    arena = await createArena();
    world = arena.world;
    executor = arena.executor;
    weth = arena.wethAddress;
  });

  beforeEach(async function () {
    snapshots.push(await world.networkHelpers.takeSnapshot());
    held = await arena.balances();
  });

  afterEach(async function () {
    // whatever an incident tries: nothing that the executors held is gone
    const after = await arena.balances();
    await snapshots.pop()!.restore();
    for (const [i, amount] of after.entries()) expect(amount >= held[i]!, "a balance fell").to.equal(true);
  });

  const honest = (changes: Partial<Plan> = {}) => world.planFor(arena.path, ETHER, changes);
  const outcome = (data: string, from = world.operator, to = executor) =>
    from.sendTransaction({ to, data, gasLimit: 3_000_000n }).then(
      () => "landed",
      () => "reverted",
    );
  const transfer = (to: string, amount: bigint) => world.weth.interface.encodeFunctionData("transfer", [to, amount]);

  it("every selector is guarded, known or not (UnprotectedArbBot 2026-07, 0xB5CB printMoney 2025-06, BNB48 2022-09)", async function () {
    const views = new Set(["owner", "pendingOwner", "operators"].map((name) => id(`${name}()`).slice(0, 10)));
    const next = random(7);
    const known = ["printMoney()", "execute(bytes)", "rescue(address,uint256)", "rescueNative(uint256)", "sweep(address)"]
      .concat(["transferOwnership(address)", "acceptOwnership()", "withdraw()", "multicall(bytes[])", "execute(address,bytes)"])
      .concat(["pancakeCall(address,uint256,uint256,bytes)", "callFunction(address,(address,uint256),bytes)"])
      .concat(["onFlashLoan(address,address,uint256,uint256,bytes)", "unlockCallback(bytes)", "lockAcquired(bytes)"])
      .concat(["onMorphoFlashLoan(uint256,bytes)", "uniswapV3FlashCallback(uint256,uint256,bytes)"])
      .map((signature) => id(signature).slice(0, 10));
    const any = Array.from({ length: 150 }, () => zeroPadValue(toBeHex(Math.floor(next() * 2 ** 32)), 4));
    const words = concat([weth, weth, weth].map((word) => zeroPadValue(word, 32)));
    for (const selector of [...known, ...any].filter((each) => !views.has(each))) {
      const answer = await arena.refusal(concat([selector, words, bodyOf(await honest())]), executor, world.stranger);
      // "empty": arguments that do not decode
      expect(answer, selector).to.be.oneOf(["NotOperator", "NotOwner", "empty"]);
    }
  });

  it("what others approved to the executor stays theirs (UnprotectedArbBot 2026-07, SquidMulticall 2026-04, Seneca 2024)", async function () {
    const victim = await world.stranger.getAddress();
    await world.weth.transfer(victim, 10n * ETHER);
    await world.weth.connect(world.stranger).approve(executor, 2n ** 256n - 1n);
    // a stolen operator key: the token itself, or the victim, as a pool and as a lender
    for (const target of [weth, victim, executor]) {
      for (const kind of ["v2", "v3"] as const) {
        const plan = await honest();
        plan.hops[1] = { ...plan.hops[1]!, kind, pool: target };
        await outcome(encodePlan(plan));
      }
      for (const source of ["aave-v3", "balancer-v2"] as const) {
        await outcome(encodePlan(await honest({ funding: { source, lender: target, maxFee: 0n } })));
      }
    }
    expect(await world.weth.balanceOf(victim)).to.equal(10n * ETHER);
    const code = ArbExecutor__factory.bytecode;
    expect(code.includes(id("transferFrom(address,address,uint256)").slice(2, 10)), "transferFrom in the code").to.equal(false);
  });

  it("an allowance that is not used up lets nothing land (jaredfromsubway 2026-06, 0x8c2d 2023-11)", async function () {
    const lender = await arena.fake.getAddress();
    const plan = await honest({ funding: { source: "aave-v3", lender, maxFee: 10n } });
    const types = ["address", "uint256", "uint256", "address", "bytes"];
    const data = call("executeOperation(address,uint256,uint256,address,bytes)", types, [
      weth,
      ETHER,
      10n,
      executor,
      encodePlan(plan).slice(0, -24),
    ]);
    const take = (amount: bigint) => world.weth.interface.encodeFunctionData("transferFrom", [executor, lender, amount]);
    for (const [taken, result] of [
      [0n, "AllowanceLeft"],
      [ETHER + 9n, "AllowanceLeft"],
      [ETHER + 10n, "landed"],
    ] as const) {
      const steps = [await arena.step(weth, transfer(executor, ETHER)), await arena.step(executor, data)];
      await arena.fake.script("0x42b0b77c", [...steps, await arena.step(weth, take(taken))], "0x");
      expect(await arena.refusal(encodePlan(plan))).to.equal(result);
    }
  });

  it("a message about money is not money (AllbridgeCCTP 2026-08)", async function () {
    const lender = await arena.fake.getAddress();
    const plan = await honest({ funding: { source: "balancer-v2", lender, maxFee: 0n } });
    const types = ["address[]", "uint256[]", "uint256[]", "bytes"];
    const claimed = call("receiveFlashLoan(address[],uint256[],uint256[],bytes)", types, [
      [weth],
      [1000n * ETHER],
      [0n],
      encodePlan(plan).slice(0, -24),
    ]);
    await arena.fake.script("0x5c38449e", [await arena.step(executor, claimed)], "0x");
    // the loan never came, but is paid back: the executor's own money is missing at the end
    expect(await arena.refusal(encodePlan(plan))).to.equal("ProfitTooLow");
  });

  it("who started a loan is not read from the loan's data (SquidRouterModule 2026-05, 0xbadc0de 2022-09)", async function () {
    const lender = await arena.fake.getAddress();
    const plan = await honest({ funding: { source: "aave-v3", lender, maxFee: 1n } });
    const types = ["address", "uint256", "uint256", "address", "bytes"];
    const steps = [];
    for (const initiator of [await world.operator.getAddress(), await world.owner.getAddress(), lender]) {
      const values = [weth, ETHER, 1n, initiator, encodePlan(plan).slice(0, -24)];
      steps.push(
        await arena.step(executor, call("executeOperation(address,uint256,uint256,address,bytes)", types, values), true),
      );
    }
    await arena.fake.script("0x42b0b77c", steps, "0x");
    const sent = await arena.send(encodePlan(plan));
    expect(await arena.stepped(arena.fake, sent.hash)).to.deep.equal(steps.map(() => "UnexpectedCallback"));
  });

  it("a real lender's loan that someone sends us is not served (Unverified6883 and 670471 2025-07)", async function () {
    const balancer = await new BalancerLender__factory(world.deployer).deploy();
    const aave = await new PullLender__factory(world.deployer).deploy();
    for (const lender of [balancer, aave]) await world.weth.transfer(lender, 100n * ETHER);
    for (const body of ["0x", bodyOf(await honest()), encodePlan(await honest())]) {
      const loans = [
        [balancer, balancer.interface.encodeFunctionData("flashLoan", [executor, [weth], [ETHER], body])],
        [aave, aave.interface.encodeFunctionData("flashLoanSimple", [executor, weth, ETHER, body, 0])],
      ] as const;
      for (const [lender, data] of loans) {
        expect(await arena.refusal(data, await lender.getAddress(), world.stranger)).to.equal("NotOperator");
      }
    }
  });

  it("a pool made by the attacker gets no more than it gives (0xB5CB and the 116.7 ETH bot 2025-04)", async function () {
    for (const place of [0, 1]) {
      const plan = await world.planFor(arena.v3Path, ETHER);
      plan.hops[place] = { ...plan.hops[place]!, pool: await arena.fake.getAddress() };
      for (const [a, b] of [
        [ETHER, -1n],
        [1n, -ETHER],
        [-1n, ETHER],
        [ETHER, ETHER],
      ] as const) {
        await arena.fake.script(
          SWAP_V3,
          [await arena.step(executor, v3("uniswapV3SwapCallback", a, b)(bodyOf(plan)), true)],
          "0x",
        );
        await outcome(encodePlan(plan));
        const now = await arena.balances();
        for (const [i, amount] of now.entries()) expect(amount >= held[i]!).to.equal(true);
      }
    }
  });

  it("corrupted calldata never costs anything (1inch Fusion v1 2025-03)", async function () {
    const data = getBytes(encodePlan(await honest({ amounts: "adaptive", minProfit: 1n })));
    for (let i = 0; i < data.length; i++) {
      const changed = Uint8Array.from(data);
      changed[i]! ^= 0x80 >> (i % 8);
      const answer = await arena.refusal(hexlify(changed));
      // the first bytes are the head; the token's balance is checked whatever they say
      if (answer === "landed") {
        await world.rolledBack(async () => {
          await arena.send(hexlify(changed));
          const now = await arena.balances();
          for (const [k, amount] of now.entries()) expect(amount >= held[k]!, `byte ${i}`).to.equal(true);
        });
      }
    }
    const wrapped = getBytes(encodeExecute(await honest()));
    // the offset and the length of the bytes
    for (const place of [4 + 31, 4 + 63]) {
      const changed = Uint8Array.from(wrapped);
      changed[place]! ^= 0x20;
      expect(await arena.refusal(hexlify(changed))).to.not.equal("landed");
    }
  });

  it("a target that is a token, the executor or nobody is harmless (0x Settler 2025-03)", async function () {
    for (const target of [weth, executor, "0x000000000000000000000000000000000000dEaD"]) {
      for (const place of [0, 1]) {
        for (const source of ["flash-swap", "own-balance"] as const) {
          const plan = await honest({ funding: { source, lender: null, maxFee: 0n }, minProfit: 1n });
          plan.hops[place] = { ...plan.hops[place]!, pool: target };
          expect(await outcome(encodePlan(plan))).to.equal("reverted");
        }
      }
    }
  });

  it("the code hides no address but the wrapped native tokens and Uniswap's PoolManagers (AIXBTForcedSwap 2025-01)", async function () {
    const named = [...Object.values(BUILT_IN_TOKENS), ...Object.values(POOL_MANAGERS)];
    const known = new Set(named.map((address) => address.toLowerCase()));
    const code = getBytes(ArbExecutor__factory.bytecode);
    const found = new Set<string>();
    for (let i = 0; i < code.length; i++) {
      const size = code[i]! >= 0x60 && code[i]! <= 0x7f ? code[i]! - 0x5f : 0;
      if (size === 20) found.add(hexlify(code.slice(i + 1, i + 21)));
      i += size;
    }
    // v3-core's greatest price, as it stands and as it is written to choose between two without a branch
    const price = 1461446703485210103287273052203988822378723970341n;
    for (const number of [2n ** 160n - 1n, price, price ^ 4295128740n]) known.add(toBeHex(number, 20));
    for (const value of found) expect(known.has(value), value).to.equal(true);
    expect(found.size).to.be.greaterThan(2);
  });

  it("a pool of the same plan is not the pool that was called (0xdd7c spoofed factory 2024-07)", async function () {
    const other = await new Scripted__factory(world.deployer).deploy();
    const plan = await world.planFor(arena.v3Path, ETHER);
    plan.hops = [
      { ...plan.hops[0]!, pool: await other.getAddress() },
      { ...plan.hops[1]!, pool: await arena.fake.getAddress() },
    ];
    const data = v3("uniswapV3SwapCallback", ETHER, -1n)(bodyOf(plan));
    const run = other.interface.encodeFunctionData("run", [[await arena.step(executor, data, true)]]);
    await arena.fake.script(SWAP_V3, [await arena.step(other, run)], "0x");
    const sent = await arena.send(encodePlan(plan));
    expect(await arena.stepped(other, sent.hash)).to.deep.equal(["UnexpectedCallback"]);
  });

  it("a pool that was called before is a stranger afterwards, in the same transaction too (Sushi RouteProcessor2 2023-04)", async function () {
    const plan = await arena.fakePlan("v3");
    const late = arena.fake.interface.encodeFunctionData("run", [
      [
        await arena.step(arena.ownAddress, v3("uniswapV3SwapCallback", ETHER, -1n)(bodyOf(plan)), true),
        await arena.step(arena.ownAddress, CALLBACKS.uniswapV2Call!(bodyOf(plan), weth), true),
      ],
    ]);
    const sent = await arena.botOperator.run([
      await arena.step(arena.ownAddress, encodePlan(plan)),
      await arena.step(arena.fake, late),
    ]);
    expect((await arena.stepped(arena.fake, sent.hash)).slice(0, 2)).to.deep.equal(["NotOperator", "NotOperator"]);
  });

  it("a plan seen in the mempool is worth nothing to its thief (ungated swaps of 0xa247 and others 2023-11)", async function () {
    const data = encodePlan(await honest());
    for (const bytes of [data, encodeExecute(await honest())]) {
      expect(await arena.refusal(bytes, executor, world.stranger)).to.equal("NotOperator");
    }
    expect(await outcome(data)).to.equal("landed");
  });

  it("a plan alone, late, twice or after its victim's trade was taken out is safe (unbundled sandwich bots 2023-04)", async function () {
    const number = await world.networkHelpers.time.latestBlock();
    const plan = await honest({ minProfit: 1n, blocks: { from: number + 1, to: number + 1 } });
    // its block passes without it
    await world.networkHelpers.mine();
    expect(await outcome(encodePlan(plan))).to.equal("reverted");
    const twice = await honest({ minProfit: 10n ** 15n });
    expect(await outcome(encodePlan(twice))).to.equal("landed");
    expect(await outcome(encodePlan(twice))).to.equal("reverted");
  });

  it("two plans in the wrong order of two blocks end in a revert, not in a loss (two-block reorder 2023-04)", async function () {
    const first = await honest();
    await world.networkHelpers.mine();
    const state = await world.networkHelpers.takeSnapshot();
    await arena.send(encodePlan(first));
    // made for the state after the first
    const second = await world.planFor(arena.path.toReversed(), ETHER / 10n, { minProfit: 1n });
    const third = await honest({ minProfit: 1n });
    await state.restore();
    expect(await outcome(encodePlan(second))).to.equal("reverted");
    expect(await outcome(encodePlan(third))).to.equal("landed");
    expect(await outcome(encodePlan(first))).to.equal("reverted");
  });

  it("a price that was moved before the plan costs a revert at most (MEVa47b 2022-10)", async function () {
    for (const amounts of ["fixed", "adaptive"] as const) {
      const plan = await honest({ amounts, minProfit: 1n });
      await world.rolledBack(async () => {
        await world.trade(arena.path[0]!, weth, 100n * ETHER);
        expect(await outcome(encodePlan(plan))).to.equal("reverted");
      });
    }
  });

  it("a token that delivers a tenth to others is not traded (Salmonella 2021-03)", async function () {
    const odd = await new OddToken__factory(world.deployer).deploy();
    await odd.mint(world.deployer, 10n ** 30n);
    const path = [
      await world.addV2(world.weth, odd, 500n * ETHER, 1_030_000n * ETHER, 0),
      await world.addV2(world.weth, odd, 500n * ETHER, 970_000n * ETHER, 1),
    ];
    const plan = await world.planFor(path, ETHER);
    await odd.turn(2, world.deployer);
    expect(await outcome(encodePlan(plan))).to.equal("reverted");
  });

  it("profit in a worthless token is no reason to lose a real one (fake wrappers of 2026-06)", async function () {
    // on the same side of B as WETH is
    let fake = await new TestToken__factory(world.deployer).deploy("FAKE");
    const b = BigInt(await (await world.token("B")).getAddress());
    while (BigInt(await fake.getAddress()) < b) fake = await new TestToken__factory(world.deployer).deploy("FAKE");
    const pool = await new Scripted__factory(world.deployer).deploy();
    const profitToken = await fake.getAddress();
    await fake.mint(pool, 100n * ETHER);
    const plan = await world.planFor(arena.v3Path, ETHER);
    plan.profitToken = profitToken;
    plan.hops = [
      { ...plan.hops[0]!, tokenIn: profitToken, pool: arena.v3Path[0]!.address },
      { ...plan.hops[1]!, tokenOut: profitToken, pool: await pool.getAddress() },
    ];
    const pay = await arena.step(fake, fake.interface.encodeFunctionData("transfer", [executor, 2n * ETHER]));
    const back = await arena.step(executor, v3("uniswapV3SwapCallback", ETHER, -1n)(bodyOf(plan)), true);
    await pool.script(SWAP_V3, [pay, back], "0x");
    const sent = await arena.send(encodePlan(plan));
    // the real pool asks for WETH and is offered the fake one: its callback fails, and only the gift stays
    expect(await arena.stepped(pool, sent.hash)).to.deep.equal(["done", "Error"]);
    expect(await world.weth.balanceOf(executor)).to.equal(held[0]);
  });

  it("a gift before a plan is no profit of the plan (profit by donation)", async function () {
    const plan = await honest();
    const { profit } = await world.expectation(plan, arena.path);
    await world.weth.transfer(executor, 100n * ETHER);
    expect(await arena.refusal(encodePlan({ ...plan, minProfit: profit + 1n }))).to.equal("ProfitTooLow");
  });

  it("a gift after a plan, or during one, opens nothing (profit by donation)", async function () {
    const plan = await arena.fakePlan("v3");
    await arena.fake.script(SWAP_V3, [await arena.step(weth, transfer(executor, 3n))], "0x");
    expect(await arena.refusal(encodePlan({ ...plan, minProfit: 4n }))).to.equal("ProfitTooLow");
    expect(await outcome(encodePlan({ ...plan, minProfit: 3n }))).to.equal("landed");
    await world.weth.transfer(executor, 5n);
    expect(await world.weth.balanceOf(executor)).to.equal(held[0]! + 8n);
  });

  it("a hook of a token cannot start a second plan inside the first (ERC-777 reentrancy)", async function () {
    const hook = await new HookToken__factory(world.deployer).deploy();
    await hook.mint(world.deployer, 10n ** 30n);
    const path = [
      await world.addV2(world.weth, hook, 500n * ETHER, 1_030_000n * ETHER, 0),
      await world.addV2(world.weth, hook, 500n * ETHER, 970_000n * ETHER, 1),
    ];
    const plan = await world.planFor(path, ETHER);
    const attempts = [encodePlan(await honest()), encodeExecute(await honest()), CALLBACKS.uniswapV2Call!(bodyOf(plan), weth)];
    await arena.botOperator.script(
      ON_TRANSFER,
      await Promise.all(attempts.map((data) => arena.step(arena.ownAddress, data, true))),
      "0x",
    );
    await hook.setHook(arena.botOperator);
    const sent = await arena.botOperator.run([await arena.step(arena.ownAddress, encodePlan(plan))]);
    const results = await arena.stepped(arena.botOperator, sent.hash);
    expect(results).to.deep.equal(["UnexpectedCallback", "PlanRunning", "UnexpectedCallback", "done"]);
  });

  it("nobody becomes owner or operator by asking (0xbadc0de, MEV_0ad8 2022-11)", async function () {
    const face = world.executor.interface;
    const thief = await world.stranger.getAddress();
    for (const by of [world.stranger, world.operator]) {
      for (const data of [face.encodeFunctionData("transferOwnership", [thief]), face.encodeFunctionData("acceptOwnership")]) {
        expect(await arena.refusal(data, executor, by)).to.equal("NotOwner");
      }
      // an operator's key opens no door of the owner's
      expect(await arena.refusal(face.encodeFunctionData("rescue", [weth, 1n]), executor, by)).to.equal("NotOwner");
    }
    expect(
      dataSlice((await world.provider.request({ method: "eth_getCode", params: [executor, "latest"] })) as string, 0, 1),
    ).to.not.equal("0xef");
  });
});
