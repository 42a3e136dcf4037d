import { expect } from "chai";
import { Contract } from "ethers";
import { encodePlan } from "../../src/plan/codec.js";
import { explainRevert } from "../../src/plan/errors.js";
import type { Plan } from "../../src/plan/plan.js";
import {
  BalancerLender__factory,
  type OddToken,
  OddToken__factory,
  PullLender__factory,
  TestToken__factory,
} from "../../types/contracts/index.js";
import { createWorld, ETHER, type TestPool, type World } from "../helpers/pools.js";

const KINDS = [
  "Plain",
  "Fee",
  "Salmonella",
  "Rebasing",
  "Blocklist",
  "Paused",
  "GasBomb",
  "ReturnBomb",
  "RevertBomb",
  "Liar",
  "Two",
] as const;
type Kind = (typeof KINDS)[number];

/** Whether the odd token is traded on the way, or is what the cycle starts and ends with. */
const ROLES = ["between", "profit"] as const;
const GAS = 8_000_000n;

describe("ArbExecutor: odd tokens", function () {
  let world: World;
  let odd: OddToken;
  let oddAddress: string;
  let paths: Record<(typeof ROLES)[number], TestPool[]>;

  before(async function () {
    world = await createWorld();
    odd = await new OddToken__factory(world.deployer).deploy();
    oddAddress = await odd.getAddress();
    await odd.mint(world.deployer, 10n ** 30n);
    await odd.mint(world.executorAddress, 10n * ETHER);
    await world.weth.transfer(world.executorAddress, 10n * ETHER);
    const b = await world.token("B");
    const pairs = async (token: typeof world.weth | typeof b) => [
      await world.addV2(token, odd, 500n * ETHER, 1_030_000n * ETHER, 0),
      await world.addV2(token, odd, 500n * ETHER, 970_000n * ETHER, 1),
    ];
    const ofWeth = await pairs(world.weth);
    // for one odd token B asks more in the second pair
    paths = { between: ofWeth, profit: (await pairs(b)).toReversed() };
  });

  const balances = async () => Promise.all([world.weth.balanceOf(world.executorAddress), odd.balanceOf(world.executorAddress)]);

  /** What becomes of a plan, in a real transaction: "gained", or the name of the error. What the executor has never falls. */
  async function outcome(plan: Plan): Promise<string> {
    const before = await balances();
    const data = encodePlan(plan);
    const call = { from: await world.operator.getAddress(), to: world.executorAddress, data, gas: "0x" + GAS.toString(16) };
    const refused = await world.provider.request({ method: "eth_call", params: [call, "latest"] }).then(
      () => null,
      (error: { data?: unknown }) => explainRevert(typeof error.data === "string" ? error.data : "0x"),
    );
    return world.rolledBack(async () => {
      const sent = world.operator.sendTransaction({ to: world.executorAddress, data, gasLimit: GAS });
      const landed = await sent.then(
        () => true,
        () => false,
      );
      const after = await balances();
      for (const [i, amount] of after.entries()) expect(amount >= before[i]!, "a balance fell").to.equal(true);
      expect(landed).to.equal(refused === null);
      if (refused) return refused.name === "Error" ? String(refused.args[0]) : refused.name;
      return after.some((amount, i) => amount > before[i]!) ? "gained" : "landed without a gain";
    });
  }

  /** Makes the token odd at the expense of someone, and runs the plan that was made before it was. */
  async function runOdd(role: (typeof ROLES)[number], kind: Kind, target: string, source: "flash-swap" | "own-balance") {
    return world.rolledBack(async () => {
      const profitToken = role === "profit" ? oddAddress : await world.weth.getAddress();
      const plan = await world.planFor(paths[role], ETHER, { profitToken, funding: { source, lender: null, maxFee: 0n } });
      plan.minProfit = 1n;
      await odd.turn(KINDS.indexOf(kind), target);
      return outcome(plan);
    });
  }

  // a transfer from the first pair into the second is the second's input; the last one's output is the profit
  const EXPECTED: Record<(typeof ROLES)[number], Record<Kind, string>> = {
    between: {
      Plain: "gained",
      Fee: "UniswapV2: K",
      Salmonella: "UniswapV2: K",
      Rebasing: "UniswapV2: INSUFFICIENT_INPUT_AMOUNT",
      Blocklist: "UniswapV2: TRANSFER_FAILED",
      Paused: "UniswapV2: TRANSFER_FAILED",
      GasBomb: "UniswapV2: TRANSFER_FAILED",
      ReturnBomb: "gained",
      RevertBomb: "UniswapV2: TRANSFER_FAILED",
      Liar: "UniswapV2: INSUFFICIENT_INPUT_AMOUNT",
      Two: "gained",
    },
    profit: {
      Plain: "gained",
      Fee: "UniswapV2: K",
      Salmonella: "ProfitTooLow",
      Rebasing: "ProfitTooLow",
      Blocklist: "UniswapV2: TRANSFER_FAILED",
      Paused: "UniswapV2: TRANSFER_FAILED",
      GasBomb: "UniswapV2: TRANSFER_FAILED",
      ReturnBomb: "gained",
      RevertBomb: "UniswapV2: TRANSFER_FAILED",
      Liar: "UniswapV2: INSUFFICIENT_INPUT_AMOUNT",
      Two: "TokenCallFailed",
    },
  };

  /** Where the executor itself makes the first transfer, a token's own words reach the caller. */
  const PAID_FIRST: Partial<Record<Kind, string>> = {
    Blocklist: "blocked",
    Paused: "paused",
    GasBomb: "TokenCallFailed",
    // its own bytes, which mean nothing
    RevertBomb: "unknown",
  };

  for (const role of ROLES) {
    for (const kind of KINDS) {
      it(`${kind} as the ${role} token: ${EXPECTED[role][kind]}, and nothing is lost`, async function () {
        const target = role === "between" ? paths.between[1]!.address : world.executorAddress;
        expect(await runOdd(role, kind, target, "flash-swap")).to.equal(EXPECTED[role][kind]);
        expect(await runOdd(role, kind, target, "own-balance")).to.equal(
          (role === "profit" && PAID_FIRST[kind]) || EXPECTED[role][kind],
        );
      });
    }
  }

  it("a token that shrinks what the executor held lets nothing land, whoever pays", async function () {
    for (const source of ["flash-swap", "own-balance"] as const) {
      expect(await runOdd("profit", "Rebasing", world.executorAddress, source)).to.equal("ProfitTooLow");
    }
  });

  it("a token that grows what the executor holds counts as profit only while a plan runs", async function () {
    await world.rolledBack(async () => {
      const plan = await world.planFor(paths.profit, ETHER, { profitToken: oddAddress });
      const { profit } = await world.expectation(plan, paths.profit);
      await odd.mint(world.executorAddress, 1000n * ETHER);
      expect(await outcome({ ...plan, minProfit: profit + 1n })).to.equal("ProfitTooLow");
      expect(await outcome({ ...plan, minProfit: profit })).to.equal("gained");
    });
  });

  it("amounts of the full 96 bits trade and are lent; larger ones on the way are cut to less, never to another pool", async function () {
    await world.rolledBack(async () => {
      const [p, q] = [
        await new TestToken__factory(world.deployer).deploy("P"),
        await new TestToken__factory(world.deployer).deploy("Q"),
      ];
      for (const token of [p, q]) await token.mint(world.deployer, 1n << 130n);
      const deep = 1n << 110n;
      const path = [await world.addV2(p, q, (deep * 9n) / 10n, deep, 0), await world.addV2(p, q, deep, (deep * 9n) / 10n, 1)];
      const amountIn = (3n << 94n) - 1n;
      const profitToken = await p.getAddress();
      const lender = await new BalancerLender__factory(world.deployer).deploy();
      await p.mint(lender, 1n << 100n);
      const lend = { source: "balancer-v2", lender: await lender.getAddress(), maxFee: 0n } as const;
      const flash = { source: "flash-swap", lender: null, maxFee: 0n } as const;
      const plan = await world.planFor(path, amountIn, { profitToken, amounts: "adaptive", funding: lend });
      const { profit } = await world.expectation(plan, path);
      expect(profit > 1n << 90n).to.equal(true);
      const run = async (changes: Partial<Plan>) => {
        const before = await p.balanceOf(world.executorAddress);
        const sent = world.operator.sendTransaction({ to: world.executorAddress, data: encodePlan({ ...plan, ...changes }) });
        const landed = await sent.then(
          () => true,
          (error: Error) => error.message,
        );
        return landed === true ? (await p.balanceOf(world.executorAddress)) - before : landed;
      };
      await world.rolledBack(async () => expect(await run({ minProfit: profit })).to.equal(profit));
      await world.rolledBack(async () => {
        const aave = await new PullLender__factory(world.deployer).deploy();
        await p.mint(aave, 1n << 100n);
        const fee = amountIn / 2000n;
        const funding = { source: "aave-v3", lender: await aave.getAddress(), maxFee: fee } as const;
        expect(await run({ minProfit: profit - fee, funding })).to.equal(profit - fee);
      });
      await world.rolledBack(async () => {
        await p.mint(world.executorAddress, amountIn);
        expect(await run({ minProfit: profit, funding: { ...flash, source: "own-balance" } })).to.equal(profit);
      });
      for (const amounts of ["adaptive", "fixed"] as const) {
        await world.rolledBack(async () => expect(await run({ minProfit: profit, amounts, funding: flash })).to.equal(profit));
      }
      // the first pair now gives more than 96 bits: a pair's own callback data have 12 bytes for that, memory has 32
      await q.transfer(path[0]!.address, 2n * deep);
      await new Contract(path[0]!.address, ["function sync()"], world.deployer).getFunction("sync")();
      await world.rolledBack(async () => expect(((await run({ minProfit: profit })) as bigint) > 2n * profit).to.equal(true));
      expect(await run({ funding: flash })).to.contain("UniswapV2: K");
    });
  });
});
