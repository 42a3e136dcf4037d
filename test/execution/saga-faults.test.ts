import { expect } from "chai";
import { BridgeExecutor } from "../../src/bridges/bridge-executor.js";
import type { Database } from "../../src/database/open.js";
import { ArbError } from "../../src/errors.js";
import { Rebalancing, type RebalancingInput } from "../../src/execution/rebalancing.js";
import { FAULT_TRIES } from "../../src/transfers/faults.js";
import { TransferStore } from "../../src/transfers/store.js";
import type { SagaResult } from "../../src/transfers/types.js";
import { journalDatabase } from "../helpers/journal.js";
import {
  A,
  ACCOUNT,
  B,
  ETHER,
  POLICY,
  USDC,
  forgetTrades,
  scriptedSaga,
  ScriptedEngine,
  type ScriptedSite,
  unbalanced,
} from "../helpers/scripted-saga.js";

const FOREVER = Number.POSITIVE_INFINITY;

describe("sagas: what no further try brings on, what others use up, and what is refused for a while", function () {
  this.timeout(60_000);
  let db: Database;
  let count = 0;
  before(async () => (db = await journalDatabase()));
  beforeEach(async () => await forgetTrades(db));
  after(async () => await db.close());

  const open = async (): Promise<ScriptedSite> => await scriptedSaga(db, `fault-${count++}`);
  /** To its end, whose books are the world's, and the same again by its own steps. */
  const run = async (site: ScriptedSite, again = 0): Promise<SagaResult> => {
    const engine = new ScriptedEngine([], site.world);
    const result = await site.run(engine, { again });
    expect(unbalanced(site, result), result.reason).to.deep.equal([]);
    // a held trade keeps what it owns
    const kept = await db.pool.query(`select 1 from crosschain.reservation`);
    if (result.outcome !== "held") expect(kept.rows).to.deep.equal([]);
    const recorded = new ScriptedEngine(engine.made, site.world);
    // a run that goes on opens its trade again by a step, which is recorded
    expect(await site.run(recorded, { again })).to.deep.equal(result);
    return result;
  };
  const landed = ({ world }: ScriptedSite, name: RegExp): number =>
    new Set(world.ledger.filter((e) => name.test(e.intent) && e.amount > 0n).map((e) => e.intent)).size;

  it("approves again what another trade used up while this one was between its approval and its start", async () => {
    const site = await open();
    const { world } = site;
    world.allowances = new Map();
    world.on.set("approve", () => {
      world.on.delete("approve");
      world.allowances!.clear();
      throw new Error("killed");
    });
    const result = await run(site);
    expect([result.outcome, result.decisions]).to.deep.equal(["profit", []]);
    expect([...world.allowances.values()]).to.deep.equal([0n, 0n]);
  });

  it("without its key it is held with nothing bought, and ends without a trade when it goes on", async () => {
    const site = await open();
    site.world.broken = () => new ArbError("secrets", "this driver has no key of 0xa11ce");
    const { outcome, reason } = await run(site);
    expect(outcome).to.equal("held");
    expect(reason).to.match(/no key of 0xa11ce \(tried 12 times\); when that is mended: arb transfers resume fault-\d+$/);
    expect(site.faults.length).to.equal(FAULT_TRIES);
    site.world.broken = () => null;
    expect((await run(site, 1)).outcome).to.equal("no-trade");
  });

  it("without its key at the bridge it is held with what was bought, which goes on when it is there", async () => {
    const site = await open();
    site.world.broken = (name) => (name === "out" ? new ArbError("secrets", "this driver has no key of it") : null);
    const { outcome, reason } = await run(site);
    expect(outcome).to.equal("held");
    expect(reason).to.match(/no key of it \(tried 12 times\)/);
    site.world.broken = () => null;
    expect((await run(site, 1)).outcome).to.equal("profit");
  });

  it("an account that another driver keeps is waited for as long as a halt and a held position, then it is held", async () => {
    const site = await open();
    site.world.broken = (name) => (name === "sell" ? new ArbError("locked", "another driver has 0xa11ce") : null);
    const { outcome, reason } = await run(site);
    expect([outcome, /another driver has 0xa11ce/.test(reason)]).to.deep.equal(["held", true]);
    expect(site.world.seconds).to.be.within(120 + POLICY.holdSeconds, 120 + POLICY.holdSeconds + 400);
    site.world.broken = () => null;
    expect((await run(site, 1)).outcome).to.equal("profit");
  });

  it("a silent node is no fault: it is waited for as before", async () => {
    const site = await open();
    const silence = new ArbError("timeout", "no answer after 5000 ms");
    site.world.broken = (name) => (name === "sell" && site.world.seconds < 400 ? silence : null);
    const { outcome, decisions } = await run(site);
    expect(outcome, JSON.stringify(decisions)).to.equal("profit");
  });

  it("a wrap that reverts holds the coin that arrived; it is wrapped and sold when the trade goes on", async () => {
    const site = await open();
    site.world.scripts.set("out", [() => ({ state: "delivered", native: true })]);
    site.world.reverts.set("wrap", FOREVER);
    const { outcome, reason } = await run(site);
    expect(outcome).to.equal("held");
    expect(reason).to.match(/not wrapped: wrap reverted \(tried 12 times\)/);
    site.world.reverts.delete("wrap");
    expect((await run(site, 1)).outcome).to.equal("profit");
    expect(landed(site, /coin/)).to.equal(1);
  });

  it("a wrap that no block takes for a while is not signed a second time", async () => {
    const site = await open();
    site.world.scripts.set("out", [() => ({ state: "delivered", native: true })]);
    site.world.pending.set("wrap", 5);
    const { outcome } = await run(site);
    expect(outcome).to.equal("profit");
    expect(landed(site, /wrap/)).to.equal(1);
  });

  it("a wrap that landed and is not booked yet is not signed a second time when a held trade goes on", async () => {
    const site = await open();
    const { world } = site;
    let isHere = false;
    world.scripts.set("out", [() => (isHere ? { state: "delivered", native: true } : { state: "slow" })]);
    expect((await run(site)).outcome).to.equal("held");
    isHere = true;
    world.unbooked.set("wrap", 2);
    expect((await run(site, 1)).outcome).to.equal("profit");
    expect(landed(site, /wrap|coin/)).to.equal(1);
  });

  it("books without a price end as held, and as what they are when there is one", async () => {
    const site = await open();
    site.world.on.set("home", () => (site.world.unpriced = true));
    const { outcome, reason, gasCost } = await run(site);
    expect([outcome, gasCost]).to.deep.equal(["held", 0n]);
    expect(reason).to.match(/its books have no prices: gas has no price/);
    site.world.unpriced = false;
    const mended = await run(site, 1);
    expect(mended.outcome).to.equal("profit");
    expect(mended.gasCost > 0n).to.equal(true);
  });

  it("inventory that was brought back less the bridge's fee is not bought a second time when it goes on", async () => {
    const site = await scriptedSaga(db, `fault-${count++}`, { mode: "inventory" });
    site.world.on.set("home", () => (site.world.unpriced = true));
    expect((await run(site)).outcome).to.equal("held");
    site.world.unpriced = false;
    expect((await run(site, 1)).outcome).to.equal("profit");
    expect(landed(site, /:(again1\.)?(buy|again|rebuy)\.\d+$|:buy$/)).to.equal(1);
  });

  for (const [how, seconds] of [
    ["passes", 60],
    ["stays", FOREVER],
  ] as const) {
    it(`a refund that no pool takes, as by the vault's oracle, which ${how}: waits as long as a position is held`, async () => {
      const site = await open();
      const { world } = site;
      world.scripts.set("out", [() => ({ state: "refunded" })]);
      world.refuses = (transfer) => /again/.test(transfer);
      const pools = world.pools[A]!;
      let from: number | null = null;
      world.on.set("out", () => (from = world.seconds));
      world.beforeSale = (chainId) =>
        void (world.pools[A] = chainId === A && from !== null && world.seconds < from + seconds ? [] : pools);
      const { outcome } = await run(site);
      expect(outcome).to.equal(how === "passes" ? "sold-at-source" : "held");
      if (how === "stays") expect(world.seconds).to.be.at.least(POLICY.holdSeconds);
    });

    it(`a sale at the target that no pool takes, which ${how}: waits as long as a position is held`, async () => {
      const site = await open();
      const { world } = site;
      world.refuses = (transfer) => /back/.test(transfer);
      const pools = world.pools[B]!;
      let from: number | null = null;
      world.on.set("out", () => (from = world.seconds));
      world.beforeSale = (chainId) =>
        void (world.pools[B] = chainId === B && from !== null && world.seconds < from + seconds ? [] : pools);
      const { outcome } = await run(site);
      expect(outcome).to.equal(how === "passes" ? "profit" : "held");
      if (how === "stays") expect(world.seconds).to.be.at.least(POLICY.holdSeconds);
    });
  }

  it("what the operator told it to hold is not sold at the next quote", async () => {
    const site = await open();
    const { world } = site;
    world.scripts.set("out", [() => ({ state: "refunded" })]);
    const engine = new ScriptedEngine([], world);
    engine.said = { choice: "hold" };
    // heard at a wait
    world.pending.set("out", 1);
    const { outcome, decisions } = await site.run(engine);
    expect(outcome, JSON.stringify(decisions)).to.equal("held");
    expect(world.seconds).to.be.at.least(POLICY.holdSeconds);
  });

  for (const how of ["reverted", "landed"])
    it(`a start that had no end when it was held, and has ${how} since, is no transfer to wait for any more`, async () => {
      const site = await open();
      const { world } = site;
      world.pending.set("out", FOREVER);
      // fewer looks in the same time
      site.env.settings.pollSeconds = 30;
      const held = await run(site);
      expect([held.outcome, /in no block yet/.test(held.reason)]).to.deep.equal(["held", true]);
      world.pending.clear();
      if (how === "reverted") world.reverts.set("out", 1);
      const before = world.seconds;
      const again = await run(site, 1);
      expect(again.outcome, again.reason).to.equal("profit");
      expect(world.seconds - before).to.be.below(POLICY.holdSeconds);
    });

  for (const how of ["reverted", "was never signed"])
    it(`what a start may take that ${how} is taken back when the held trade goes on another way`, async () => {
      const site = await open();
      const { world } = site;
      world.allowances = new Map();
      site.env.settings.pollSeconds = 30;
      if (how === "reverted") world.pending.set("out", FOREVER);
      else world.broken = (name) => (name === "out" ? new ArbError("locked", "another driver has 0xa11ce") : null);
      // what the driver that was killed had noted is lost
      site.env.actions.bridges.abandonStart = async () => await Promise.resolve(false);
      expect((await run(site)).outcome).to.equal("held");
      site.env.actions.bridges.abandonStart = BridgeExecutor.prototype.abandonStart.bind(site.env.actions.bridges);
      world.pending.clear();
      world.broken = () => null;
      if (how === "reverted") world.reverts.set("out", 1);
      world.refuses = () => true;
      const { outcome, reason } = await run(site, 1);
      expect(outcome, reason).to.equal("sold-at-source");
      expect([...world.allowances.values()]).to.deep.equal([0n]);
    });

  it("what was approved before a trade was held is left while it is held, and taken back when it has gone on to its end", async () => {
    const site = await open();
    const { world } = site;
    const allowances = new Map<string, bigint>();
    [world.routers, world.allowances] = [true, allowances];
    site.env.settings.pollSeconds = 30;
    // as the journal has them
    site.env.store.approvals = async () =>
      await Promise.resolve(
        [...allowances.keys()].map((key) => {
          const [chainId, token] = key.split(" ") as [string, string];
          return { chainId: Number(chainId), token, spender: `0x${"b4".repeat(20)}` };
        }),
      );
    world.pending.set("sell", FOREVER);
    expect((await run(site)).outcome).to.equal("held");
    const left = [...allowances.values()].filter((amount) => amount > 0n);
    expect(left.length).to.be.greaterThan(0);
    // what the sale may take belongs to a call that may land yet
    expect((await run(site, 1)).outcome).to.equal("held");
    expect([...allowances.values()].filter((amount) => amount > 0n).length).to.be.at.least(left.length);
    world.pending.clear();
    const { outcome, reason } = await run(site, 2);
    expect(outcome, reason).to.equal("profit");
    expect(new Set(allowances.values())).to.deep.equal(new Set([0n]));
  });

  it("what a swap may take that reverted after a look at it had no end is taken back", async () => {
    const site = await open();
    const { world } = site;
    [world.routers, world.allowances] = [true, new Map()];
    world.pending.set("buy", 1);
    world.reverts.set("buy", 1);
    world.on.set("buy", () => (world.pools[A] = []));
    expect((await run(site)).outcome).to.equal("no-trade");
    expect([...world.allowances.values()]).to.deep.equal([0n]);
  });

  it("what both legs of an inventory trade may take is taken back where neither happens after it was approved", async () => {
    const site = await scriptedSaga(db, `fault-${count++}`, { mode: "inventory" });
    const { world } = site;
    [world.routers, world.allowances] = [true, new Map()];
    // cut off between the approvals and the swaps; then no pool takes either
    world.broken = (name) => (name === "buy" || name === "sell" ? new ArbError("network", "no answer") : null);
    let cut = false;
    world.beforeSale = () => {
      if (cut || world.allowances!.size < 2) return;
      cut = true;
      world.broken = () => null;
      [world.pools[A], world.pools[B]] = [[], []];
    };
    const { outcome, reason } = await run(site);
    expect([outcome, cut], reason).to.deep.equal(["no-trade", true]);
    expect([...world.allowances!.values()]).to.deep.equal([0n, 0n]);
  });

  it("what a swap in another pool than the planned one may take is taken back on its own network", async () => {
    const site = await open();
    const { world } = site;
    [world.routers, world.allowances] = [true, new Map()];
    world.pools[A] = world.pools[A]!.slice(1);
    world.reverts.set("buy", 1);
    world.on.set("buy", () => (world.pools[A] = []));
    expect((await run(site)).outcome).to.equal("no-trade");
    expect([...world.allowances.values()]).to.deep.equal([0n]);
  });

  it("a driver whose clock is fast does not take a transfer for overdue", async () => {
    const site = await open();
    site.world.scripts.set("out", [({ looks }) => ({ state: looks < 3 ? "initiated" : "delivered" })]);
    const now = Date.now.bind(Date);
    Date.now = () => now() + 3_600_000;
    try {
      expect((await run(site)).decisions).to.deep.equal([]);
    } finally {
      Date.now = now;
    }
  });

  it("what a transfer of stock may take is taken back where its start reverted", async () => {
    const site = await open();
    const { world, opportunity } = site;
    world.allowances = new Map();
    world.reverts.set("move", FOREVER);
    const route = { fromChainId: A, toChainId: B, tokenIn: opportunity.buy.tokenIn, tokenOut: opportunity.sell.tokenOut };
    const move = { ...route, amount: 10n ** 9n, bridge: "across", maxCostPpm: 900_000 } as unknown as RebalancingInput["move"];
    const input = { id: "rebalance/USDC/1", account: ACCOUNT, move };
    const engine = new ScriptedEngine([], world);
    expect(await new Rebalancing(site.env, engine, input).run()).to.equal("not-started");
    expect([...world.allowances.values()]).to.deep.equal([0n]);
  });

  it("a transfer of stock that no rule of its bridge ends is given up by its operator's word, and not before", async () => {
    const site = await open();
    const { world, opportunity } = site;
    let looks = 0;
    const engine = new ScriptedEngine([], world);
    world.scripts.set("move", [
      () => {
        // said while it is still under way: it says nothing about what comes after
        if (++looks === 1 || looks === 5) engine.said = { choice: "close" };
        return { state: looks < 3 ? "initiated" : "stuck" };
      },
    ]);
    const route = { fromChainId: A, toChainId: B, tokenIn: opportunity.buy.tokenIn, tokenOut: opportunity.sell.tokenOut };
    const move = { ...route, amount: 10n ** 9n, bridge: "across", maxCostPpm: 900_000 } as unknown as RebalancingInput["move"];
    const input = { id: "rebalance/USDC/2", account: ACCOUNT, move };
    expect(await new Rebalancing(site.env, engine, input).run()).to.equal("given-up");
    expect(looks).to.equal(6);
    expect((await site.env.store.transfersOf(input.id)).map((t) => t.ended)).to.deep.equal(["given-up"]);
  });

  it("a bridge that is taken out of the configuration does not end the workflow of a trade whose start by it failed", async () => {
    const site = await open();
    site.world.reverts.set("out", 1);
    const engine = new ScriptedEngine([], site.world);
    await site.run(engine);
    const before = engine.made.slice(0, 1 + engine.made.findIndex(([step]) => /^out\.\d+\.start#/.test(step)));
    const without = await scriptedSaga(db, `fault-${count++}`, { bridges: ["stargate"] });
    const told: unknown[] = [];
    // its journal is that of the trade
    const inSite = (intent: string) => intent.replace(without.opportunity.id, site.opportunity.id);
    const outcome = (chainId: number, intent: string) =>
      Promise.resolve(without.world.outcome(chainId, intent) ?? site.world.outcome(chainId, inSite(intent)));
    Object.assign(without.env.actions.senders, { onFault: (error: unknown) => told.push(error), outcome });
    const again = new ScriptedEngine(before, without.world);
    expect((await without.run(again)).outcome).to.equal("profit");
    expect(told.map(String).join()).to.match(/the bridge across is not set up/);
  });

  it("what a start that failed had unwrapped is wrapped again before anything else is done with it", async () => {
    for (const silent of [false, true]) {
      const site = await open();
      const { world } = site;
      world.unwraps = true;
      // when the coin is there, the start reverts, or its network is silent until it is given up
      if (!silent) world.reverts.set("out", 1);
      else
        world.broken = (name) =>
          name === "out" && world.seconds < 130 && [...world.calls.values()].some((c) => c.data.startsWith("0x2e1a7d4d"))
            ? new ArbError("network", "no answer")
            : null;
      const result = await run(site);
      expect(result.outcome, result.reason).to.equal("profit");
      const wraps = world.ledger.filter(
        (e) => e.intent.endsWith(".wrap") && e.asset === site.opportunity.buy.tokenOut.toLowerCase(),
      );
      expect(wraps.map((e) => e.amount)).to.deep.equal([ETHER]);
    }
  });

  it("an unwrapping that had no end when its trade was held is wrapped again when it goes on, and is no profit", async () => {
    const site = await open();
    const { world } = site;
    world.unwraps = true;
    world.pending.set("out", FOREVER);
    expect((await run(site)).outcome).to.equal("held");
    // it lands, and its start is not signed: the bridge refuses the trade from now on
    world.pending.clear();
    const unwrap = [...world.calls.keys()].find((c) => /:out\.\d+\.0$/.test(c))!;
    world.execute({ chainId: A, account: ACCOUNT, intentId: unwrap, call: world.calls.get(unwrap)! });
    world.refuses = () => true;
    const { outcome, reason, books } = await run(site, 1);
    expect(outcome, reason).to.equal("sold-at-source");
    const weth = books.find((b) => b.chainId === A && b.asset === site.opportunity.buy.tokenOut.toLowerCase());
    expect(weth?.amount).to.equal(0n);
  });

  it("what a node does not show of a start that landed is no start that failed: nothing is sent again", async () => {
    const site = await open();
    let looks = 0;
    // a hole in a node's index of logs, beyond the time in which the bridge would take the deposit
    site.world.scripts.set("out", [
      () => (looks++ < 5 ? { state: "not-started", facts: { startPossible: "false" } } : { state: "delivered" }),
    ]);
    const result = await run(site);
    expect([result.outcome, result.decisions]).to.deep.equal(["profit", []]);
    expect(looks).to.be.greaterThan(5);
    expect(site.faults.join()).to.match(/does not show the start of saga\/fault-\d+:out\.\d+, which landed/);
    expect(landed(site, /:out\.\d+\.\d+$/) + [...site.world.calls.keys()].filter((c) => /:out\.\d+\.0$/.test(c)).length).to.equal(
      1,
    );
  });

  it("a start that had failed in a block that was replaced, and has landed since, is followed and not forgotten", async () => {
    const site = await open();
    const { world } = site;
    world.reverts.set("out", 1);
    const starts = () => [...world.calls.keys()].filter((c) => /:out\.\d+\.0$/.test(c));
    // when the other one is under way, the first block is replaced
    world.on.set("home", () => {
      world.on.delete("home");
      world.reorganise(starts()[0]!, A);
    });
    // stock of other trades, which it takes
    world.move(A, site.opportunity.buy.tokenOut, ETHER);
    const first = await site.run();
    expect(first.outcome, first.reason).to.equal("held");
    expect(first.reason).to.match(/the start of saga\/fault-\d+:out\.\d+ had failed, and has landed now/);
    expect((await site.env.store.transfersOf(site.opportunity.id)).filter((t) => t.ended === null)).to.have.length(1);
    const second = await site.run(new ScriptedEngine([], world), { again: 1 });
    // with what it took of the others' stock, which the books have as owed
    expect([second.outcome, second.residual < -2_900n * USDC, second.net < 200n * USDC]).to.deep.equal(["profit", true, true]);
    expect((await site.env.store.transfersOf(site.opportunity.id)).filter((t) => t.ended === null)).to.deep.equal([]);
    expect(starts()).to.have.length(2);
  });

  it("what cannot be compared with the journal at the end is not taken for as it was: the trade is held", async () => {
    const site = await open();
    Object.assign(site.env.actions.senders, { outcome: () => Promise.reject(new TypeError("broken")) });
    const { outcome, reason } = await run(site);
    expect(outcome).to.equal("held");
    expect(reason).to.match(/^its transactions' ends are not known: .*broken.*; as planned/);
  });

  it("a leg that had failed in a block that was replaced, and has landed since, holds the trade", async () => {
    const site = await open();
    const { world } = site;
    world.reverts.set("buy", 1);
    world.on.set("home", () => {
      world.on.delete("home");
      world.reorganise(
        [...world.calls.keys()].find((c) => c.endsWith(":buy.0"))!,
        A,
      );
    });
    const result = await run(site);
    expect(result.outcome, result.reason).to.equal("held");
    expect(result.reason).to.match(/:buy\.0 on Ethereum had failed, and is landed now/);
    expect(result.books.find((b) => b.chainId === A && b.asset === site.opportunity.buy.tokenOut.toLowerCase())?.amount).to.equal(
      ETHER,
    );
    const sold = await run(site, 1);
    expect(sold.outcome, sold.reason).to.be.oneOf(["profit", "sold-at-source"]);
  });

  it("what a reorganisation gave back of a start belongs to its trade again, and nothing is expected of it", async () => {
    const site = await open();
    const { store } = site.env;
    // its block is replaced, and it reverts in the next
    site.world.on.set("out", () => {
      site.world.on.delete("out");
      site.world.reverts.set("out", 1);
      site.world.reorganise(
        [...site.world.calls.keys()].findLast((c) => /:out\.\d+\.0$/.test(c))!,
        A,
      );
    });
    let owned: string[] = [];
    store.notStarted = async (...args) => {
      await TransferStore.prototype.notStarted.apply(store, args);
      const { rows } = await db.pool.query<{ chain_id: string; amount: string; expected: string }>(
        `select chain_id, amount, expected from crosschain.reservation where token <> $1 and amount + expected > 0`,
        [site.opportunity.buy.tokenIn.toLowerCase()],
      );
      owned = rows.map((r) => `${r.chain_id} ${r.amount} ${r.expected}`);
    };
    await run(site);
    expect(owned).to.deep.equal([`${A} ${ETHER} 0`]);
  });
});
