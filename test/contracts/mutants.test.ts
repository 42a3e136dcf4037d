import { expect } from "chai";
import { concat, dataLength, dataSlice, toBeHex, zeroPadValue } from "ethers";
import { encodePlan } from "../../src/plan/codec.js";
import type { Plan } from "../../src/plan/plan.js";
import { explainRevert } from "../../src/plan/errors.js";
import {
  BalancerLender__factory,
  EvasiveToken__factory,
  type PullLender,
  PullLender__factory,
  TestToken__factory,
} from "../../types/contracts/index.js";
import { type Arena, createArena } from "../helpers/enemies.js";
import { createWorld, ETHER, type TestPool, type World } from "../helpers/pools.js";

/** What only mutation testing showed to be untested: each test kills mutants that survived all others. */
describe("ArbExecutor: bits that nothing else looks at", function () {
  let arena: Arena;
  let plan: Plan;

  before(async function () {
    arena = await createArena();
    plan = await arena.world.planFor(arena.path, ETHER, { minProfit: 1n });
  });

  it("deadline and window have forty bits each, and none of their neighbours'", async function () {
    const now = await arena.world.networkHelpers.time.latest();
    const block = await arena.world.networkHelpers.time.latestBlock();
    const high = 2 ** 39;
    const outcome = (deadline: number | null, from: number, to: number) =>
      arena.refusal(encodePlan({ ...plan, deadline, blocks: { from, to } }));
    expect(await outcome(now + 100, 0, block + 5)).to.equal("landed");
    expect(await outcome(now + 100, block, block + 5)).to.equal("landed");
    expect(await outcome(now - 100, 0, block + 5)).to.equal("Expired");
    expect(await outcome(now + 100, block + 5, block + 9)).to.equal("OutsideBlockWindow");
    expect(await outcome(now + 100, 0, block - 1)).to.equal("OutsideBlockWindow");
    expect(await outcome(now + 100, 1, block - 1)).to.equal("OutsideBlockWindow");
    // the topmost bit counts
    expect(await outcome(high + 1, 0, high + 1)).to.equal("landed");
    expect(await outcome(null, high + 1, high + 2)).to.equal("OutsideBlockWindow");
  });

  it("a plan without a token, a lender or guards has the length that its hops say", async function () {
    const data = encodePlan(plan);
    expect(await arena.refusal(data)).to.equal("landed");
    for (const changed of [`${data}00`, `${data}0000`, data.slice(0, -2)])
      expect(await arena.refusal(changed), String(changed.length - data.length)).to.equal("MalformedPlan");
  });

  it("leaves nothing behind: plans of any kind can follow each other in one transaction", async function () {
    const { world, botOperator, ownAddress } = arena;
    const lender = await arena.fake.getAddress();
    const idle = await arena.fakePlan("v2", { minProfit: 0n });
    const lent = (["aave-v3", "balancer-v2"] as const).map((source): Plan => {
      return { ...plan, minProfit: 0n, funding: { source, lender, maxFee: 0n } };
    });
    const all = [idle, ...lent].flatMap((each) => [each, { ...each, sweep: true }, { ...each, deadline: 2 ** 39 }]);
    const steps = all.map((each) => ({ target: ownAddress, data: encodePlan(each), mayFail: false }));
    await world.rolledBack(async () => {
      await botOperator.run([...steps, ...steps]);
      expect(await world.weth.balanceOf(ownAddress)).to.equal(1n);
    });
  });

  it("guards are read behind a lender and behind a token, too", async function () {
    const now = await arena.world.networkHelpers.time.latest();
    const lender = await arena.fake.getAddress();
    for (const chainId of [1, 31337]) {
      for (const source of ["flash-swap", "aave-v3", "balancer-v2"] as const) {
        const lent = source !== "flash-swap";
        // with another chain's number the encoder names the token; the lender is idle, so that only the guard can refuse
        const changed: Plan = {
          ...plan,
          chainId,
          minProfit: 0n,
          funding: { source, lender: lent ? lender : null, maxFee: lent ? 2n ** 95n : 0n },
        };
        expect(await arena.refusal(encodePlan({ ...changed, deadline: now + 100 }))).to.equal("landed");
        expect(await arena.refusal(encodePlan({ ...changed, deadline: now - 100 }))).to.equal("Expired");
        expect(await arena.refusal(encodePlan({ ...changed, blocks: { from: 2 ** 39, to: 2 ** 39 + 1 } }))).to.equal(
          "OutsideBlockWindow",
        );
        const missed = { ...changed, minProfit: 10n ** 24n };
        expect(await arena.refusal(encodePlan(lent ? missed : { ...missed, funding: { ...plan.funding } }))).to.not.equal(
          "landed",
        );
      }
    }
  });

  it("a pair that cannot tell its reserves says so itself", async function () {
    const getReserves = "0x0902f1ac";
    const pool = await arena.fake.getAddress();
    // an idle executor's refusal of a stranger's call stands for the pair's own words
    await arena.fake.script(getReserves, [await arena.step(arena.ownAddress, "0x")], "0x");
    for (const place of [0, 1]) {
      const hops = plan.hops.map((hop, i) => (i === place ? { ...hop, pool } : hop));
      expect(await arena.refusal(encodePlan({ ...plan, amounts: "adaptive", hops }))).to.equal("NotOperator");
    }
  });

  /** A token that answers as it is told, cycles of which gain, and an Aave-like lender of it. */
  const evasive = async () => {
    const { world } = arena;
    const token = await new EvasiveToken__factory(world.deployer).deploy();
    const lender = await new PullLender__factory(world.deployer).deploy();
    for (const holder of [world.deployer, lender]) await token.mint(holder, 10n ** 30n);
    const b = await world.token("B");
    const path = [
      await world.addV2(token, b, 500n * ETHER, 1_030_000n * ETHER, 0),
      await world.addV2(token, b, 500n * ETHER, 970_000n * ETHER, 1),
    ];
    const terms = { profitToken: await token.getAddress(), minProfit: 1n };
    const funding = { source: "aave-v3", lender: await lender.getAddress(), maxFee: ETHER } as const;
    return {
      token,
      own: encodePlan(await world.planFor(path, ETHER, terms)),
      lent: encodePlan(await world.planFor(path, ETHER, { ...terms, funding })),
    };
  };

  it("a token that does not answer with a word is no token, before, during and after a plan", async function () {
    const { token, lent } = await evasive();
    expect(await arena.refusal(lent)).to.equal("landed");
    const [word, ...odd] = [0, 1, 2, 3];
    for (const answer of odd) {
      await token.turn(word!, answer);
      expect(await arena.refusal(lent), `allowance ${answer}`).to.equal(answer === 2 ? "unknown" : "TokenCallFailed");
      await token.turn(answer, word!);
      expect(await arena.refusal(lent), `balance ${answer}`).to.equal(answer === 2 ? "unknown" : "TokenCallFailed");
    }
  });

  it("Aave hears true from a plan whose token answers nothing to an approval", async function () {
    const { token, lent } = await evasive();
    await token.hush();
    expect(await arena.refusal(lent)).to.equal("landed");
  });

  it("a token that answers with a word only behind the swaps is none either", async function () {
    const { token, own } = await evasive();
    expect(await arena.refusal(own)).to.equal("landed");
    for (const answer of [1, 2, 3]) {
      await token.turnUntilTransfer(answer);
      expect(await arena.refusal(own), `balance ${answer}`).to.equal(answer === 2 ? "unknown" : "TokenCallFailed");
    }
  });

  it("refusals tell the number that came and the number that was allowed, in this order", async function () {
    const { world } = arena;
    const lender = await new BalancerLender__factory(world.deployer).deploy();
    await world.weth.transfer(lender, 10n * ETHER);
    await lender.setFee(7n);
    const funding = { source: "balancer-v2", lender: await lender.getAddress(), maxFee: 6n } as const;
    const lent = await world.planFor(arena.path, ETHER, { funding });
    expect(await explained(world, encodePlan(lent))).to.deep.equal(["LenderFeeAboveCap", 7n, 6n]);
    for (const first of [arena.v3Path[0]!, arena.path[0]!]) {
      const pools = [first, arena.v3Path[1]!];
      const made = await world.planFor(pools, ETHER, { amounts: "adaptive" });
      const { payment } = await world.expectation(made, pools);
      const cap = payment - 1n;
      const hops = made.hops.map((hop, i) => (i === 0 ? { ...hop, amountIn: cap } : hop));
      const refused = await explained(world, encodePlan({ ...made, hops, maxAmountIn: cap }));
      expect(refused).to.deep.equal(["PaymentAboveCap", payment, cap]);
    }
  });

  it("every bit of a V2 fee counts", async function () {
    const data = encodePlan({ ...plan, amounts: "adaptive" });
    expect(await arena.refusal(data)).to.equal("landed");
    for (const hop of [0, 1]) {
      const place = 16 + 32 * hop + 20;
      const fee = (extra: bigint) =>
        concat([
          dataSlice(data, 0, place),
          zeroPadValue(toBeHex(3000n + extra), 12),
          dataSlice(data, place + 12, dataLength(data)),
        ]);
      for (const bit of [95n, 90n, 64n, 20n]) expect(await arena.refusal(fee(1n << bit))).to.not.equal("landed");
    }
  });

  describe("amounts of 96 bits, in every place that a plan has for them", function () {
    const amountIn = (3n << 94n) - 1n;
    let world: World;
    let profitToken: string;
    let pools: Record<string, TestPool>;
    let pull: PullLender;

    before(async function () {
      world = await createWorld();
      const deploy = async (name: string) => {
        const token = await new TestToken__factory(world.deployer).deploy(name);
        for (const holder of [world.deployer, world.trader]) await token.mint(holder, 1n << 130n);
        return token;
      };
      const [p, q, r] = [await deploy("P"), await deploy("Q"), await deploy("R")];
      const deep = 1n << 110n;
      const low = (deep * 9n) / 10n;
      profitToken = await p.getAddress();
      pools = {
        "PQ v2": await world.addV2(p, q, low, deep, 0),
        "PQ v3": await world.addV3(p, q, low, deep, 3000, deep),
        "QR v2": await world.addV2(q, r, deep, deep, 0),
        "QP v2": await world.addV2(q, p, low, deep, 1),
        "QP v3": await world.addV3(q, p, low, deep, 10_000, deep),
        "RP v2": await world.addV2(r, p, low, deep, 0),
        "RP v3": await world.addV3(r, p, low, deep, 3000, deep),
      };
      pull = await new PullLender__factory(world.deployer).deploy();
      await p.mint(pull, 1n << 97n);
      await p.mint(world.executorAddress, amountIn + 1n);
    });

    const PATHS = ["PQ v2, QP v2", "PQ v2, QP v3", "PQ v3, QP v2", "PQ v3, QP v3", "PQ v3, QR v2, RP v3", "PQ v2, QR v2, RP v3"];
    for (const names of PATHS) {
      for (const amounts of ["fixed", "adaptive"] as const) {
        it(`${names}, ${amounts}`, async function () {
          const path = names.split(", ").map((name) => pools[name]!);
          for (const source of ["flash-swap", "own-balance", "aave-v3"] as const) {
            const lent = source === "aave-v3";
            const fee = lent ? amountIn / 2000n : 0n;
            const funding = { source, lender: lent ? await pull.getAddress() : null, maxFee: fee };
            const made = await world.planFor(path, amountIn, { profitToken, amounts, funding });
            const { profit, payment } = await world.expectation(made, path);
            expect(profit > 1n << 90n && payment > 1n << 95n).to.equal(true);
            const run = (changes: Partial<Plan>) =>
              outcomeOf(world, encodePlan({ ...made, minProfit: profit - fee, ...changes }));
            expect(await run({})).to.equal("landed");
            expect(await run({ minProfit: profit - fee + 1n })).to.equal("ProfitTooLow");
          }
        });
      }
    }
  });
});

/** Name and arguments of the error that an operator's call ends with, or "landed". */
async function explained(world: World, data: string): Promise<unknown[]> {
  const call = { from: await world.operator.getAddress(), to: world.executorAddress, data };
  return world.provider.request({ method: "eth_call", params: [call, "latest"] }).then(
    () => ["landed"],
    (error: { data?: string }) => {
      const { name, args } = explainRevert(error.data ?? "none");
      return [name, ...args];
    },
  );
}

const outcomeOf = async (world: World, data: string) => (await explained(world, data))[0];
