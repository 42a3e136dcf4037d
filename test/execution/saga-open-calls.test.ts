import { expect } from "chai";
import type { Database } from "../../src/database/open.js";
import { Rebalancing, type RebalancingInput } from "../../src/execution/rebalancing.js";
import type { SagaResult } from "../../src/transfers/types.js";
import { journalDatabase } from "../helpers/journal.js";
import {
  A,
  ACCOUNT,
  B,
  POLICY,
  forgetTrades,
  scriptedSaga,
  ScriptedEngine,
  type ScriptedSite,
  unbalanced,
} from "../helpers/scripted-saga.js";

const FOREVER = Number.POSITIVE_INFINITY;
/** `haltSeconds` of the scripted sagas. */
const HALT = 120;

describe("sagas: calls of theirs that no block takes", function () {
  this.timeout(60_000);
  let db: Database;
  let count = 0;
  before(async () => (db = await journalDatabase()));
  beforeEach(async () => await forgetTrades(db));
  after(async () => await db.close());

  const open = async (): Promise<ScriptedSite> => await scriptedSaga(db, `open-${count++}`);
  /** To its end, whose books are the world's, and the same again by its own steps. */
  const run = async (site: ScriptedSite, again = 0): Promise<[SagaResult, ScriptedEngine["made"]]> => {
    const engine = new ScriptedEngine([], site.world);
    const result = await site.run(engine, { again });
    expect(unbalanced(site, result), result.reason).to.deep.equal([]);
    expect(await site.run(new ScriptedEngine(engine.made, site.world), { again })).to.deep.equal(result);
    return [result, engine.made];
  };
  const signed = ({ world }: ScriptedSite, name: RegExp): string[] => [...world.calls.keys()].filter((id) => name.test(id));
  /** A transfer that waits for a call of ours. */
  const waitsFor = (site: ScriptedSite, call: string, shown: object): void =>
    void site.world.scripts.set("out", [
      ({ calls }) => (calls.some((c) => c === call) ? { state: "delivered" } : { state: "blocked", ...shown }),
    ]);
  const claims = (site: ScriptedSite): void => waitsFor(site, "claim", { state: "claimable" });
  const told = (site: ScriptedSite, what: RegExp): number => site.faults.filter((f) => what.test(f)).length;

  it("a claim that lands before a halt's time is over is waited for, and nothing is told", async () => {
    const site = await open();
    claims(site);
    site.world.pending.set("claim", HALT - 20);
    const [{ outcome, decisions }] = await run(site);
    expect([outcome, decisions]).to.deep.equal(["profit", []]);
    expect(signed(site, /claim/).length).to.equal(1);
    expect(site.faults).to.deep.equal([]);
  });

  it("one that is open for longer is told once and decided on; it goes on under its own name, and lands", async () => {
    const site = await open();
    claims(site);
    site.world.pending.set("claim", HALT + 5);
    const [{ outcome, decisions }] = await run(site);
    expect(outcome).to.equal("profit");
    expect(decisions.map((d) => [d.at, d.choice])).to.deep.equal([["in-flight: chain-halted", "wait"]]);
    expect(signed(site, /claim/).length).to.equal(1);
    // and by the run on its steps
    expect(told(site, /in-flight: no receipt after 120 s: out\.\d+\.claim\.\d+: claim is in no block yet/)).to.equal(2);
  });

  it("one without an end shows the operator what it waits for, and holds the trade, which goes on when it has landed", async () => {
    const site = await open();
    const { world } = site;
    claims(site);
    world.pending.set("claim", FOREVER);
    const stands = new Set<string>();
    const { store } = site.env;
    const stand = store.stand.bind(store);
    store.stand = async (id, at) => (stands.add(`${at.state}: ${at.waitsFor ?? ""}`), await stand(id, at));
    const [{ outcome, reason }] = await run(site);
    expect(outcome).to.equal("held");
    expect(reason).to.match(/the transfer .* has no end yet: a receipt: out.*claim is in no block yet/);
    expect([...stands].join("\n")).to.match(/^operator: a receipt: out/m);
    expect(world.seconds).to.be.within(POLICY.holdSeconds, POLICY.holdSeconds + 2_000);
    expect(signed(site, /claim/).length).to.equal(1);
    world.pending.clear();
    // the journal sends its bytes until they land
    world.execute({
      chainId: B,
      account: "",
      intentId: signed(site, /claim/)[0]!,
      call: world.calls.get(signed(site, /claim/)[0]!)!,
    });
    const [again] = await run(site, 1);
    expect(again.outcome, again.reason).to.equal("profit");
    expect(signed(site, /claim/).length).to.equal(1);
  });

  it("a call without an end keeps a trade from no other decision: what its bridge asks for next is done", async () => {
    const site = await open();
    const { world } = site;
    let calls = 0;
    // blocked until it is delivered again; that call is open for long, then the bridge asks for new signatures
    world.scripts.set("out", [
      (seen) => {
        calls = seen.calls.length;
        if (seen.calls.includes("re-attest")) return { state: "delivered" };
        return { state: "blocked", facts: { wish: signed(site, /retry/).length === 0 ? "retry" : "re-attest" } };
      },
    ]);
    world.pending.set("retry", FOREVER);
    const [{ outcome, decisions }] = await run(site);
    expect(outcome).to.equal("profit");
    expect(decisions.map((d) => d.choice)).to.deep.equal(["retry-delivery", "re-attest"]);
    expect([calls, signed(site, /retry/).length]).to.deep.equal([1, 1]);
  });

  for (const [wish, call, facts] of [
    ["retry-delivery", "retry", { wish: "retry" }],
    ["claim-refund", "claim-refund", { credit: "true" }],
  ] as const)
    it(`${wish} that is open for longer than a halt is not signed a second time`, async () => {
      const site = await open();
      waitsFor(site, call, { facts, ...(wish === "claim-refund" && { state: "claimable" }) });
      site.world.pending.set(call, HALT + 1);
      const [{ outcome, decisions }] = await run(site);
      expect(outcome).to.equal("profit");
      expect(decisions.map((d) => d.choice)).to.deep.equal([wish]);
      expect(signed(site, new RegExp(`\\.${call}\\.`)).length).to.equal(1);
      expect(told(site, /no receipt after 120 s/)).to.equal(2);
    });

  it("a claim that was signed before its network fell silent goes on under its name when that answers", async () => {
    const site = await open();
    const { world } = site;
    claims(site);
    const { pending } = world;
    const get = pending.get.bind(pending);
    let silent = false;
    pending.get = (name) => {
      if (name !== "claim" || silent) return get(name);
      silent = true;
      world.silent.set(B, world.seconds + 2 * HALT);
      return 1;
    };
    const [{ outcome }] = await run(site);
    expect([outcome, silent]).to.deep.equal(["profit", true]);
    expect(signed(site, /claim/).length).to.equal(1);
  });

  it("a claim that reverted has a name of its own when it is made again", async () => {
    const site = await open();
    claims(site);
    site.world.pending.set("claim", HALT + 2);
    site.world.reverts.set("claim", 1);
    const [{ outcome }] = await run(site);
    expect(outcome).to.equal("profit");
    expect(signed(site, /claim/).length).to.equal(2);
  });

  /** What a buy may take that reverted, on chains that take no approval from then on. */
  const leaves = async (looks: number): Promise<ScriptedSite> => {
    const site = await open();
    const { world } = site;
    [world.routers, world.allowances] = [true, new Map()];
    world.reverts.set("buy", 1);
    world.on.set("buy", () => {
      world.pools[A] = [];
      world.pending.set("approve", looks);
    });
    return site;
  };
  const reserved = async ({ opportunity }: ScriptedSite): Promise<unknown[]> =>
    (await db.pool.query(`select 1 from crosschain.reservation where saga = $1`, [opportunity.id])).rows;

  it("an allowance whose revocation lands before a halt's time is over is taken back", async () => {
    const site = await leaves(HALT - 20);
    expect((await run(site))[0].outcome).to.equal("no-trade");
    expect([...site.world.allowances!.values()]).to.deep.equal([0n]);
    expect(told(site, /may still take/)).to.equal(0);
  });

  it("a revocation that no block takes keeps no trade open: it is told with what stays, and the reservations are given back", async () => {
    const site = await leaves(FOREVER);
    expect((await run(site))[0].outcome).to.equal("no-trade");
    expect(site.world.seconds).to.be.within(HALT, 2 * HALT);
    const [what] = site.faults.filter((f) => /may still take/.test(f));
    expect(what).to.match(
      /^open-\d+ has ended, and 0x\w+ may still take 0xA0b8\w+ of 0x\w+: what takes it back is in no block after 120 s/,
    );
    expect(await reserved(site)).to.deep.equal([]);
    expect(signed(site, /revoke/).length).to.equal(1);
  });

  it("the same for a transfer of stock, which ends, so that the next may begin", async () => {
    const site = await open();
    const { world, opportunity } = site;
    world.allowances = new Map();
    world.reverts.set("move", FOREVER);
    world.on.set("move", () => world.pending.set("approve", FOREVER));
    const route = { fromChainId: A, toChainId: B, tokenIn: opportunity.buy.tokenIn, tokenOut: opportunity.sell.tokenOut };
    const move = { ...route, amount: 10n ** 9n, bridge: "across", maxCostPpm: 900_000 } as unknown as RebalancingInput["move"];
    const input = { id: "rebalance/USDC/1", account: ACCOUNT, move };
    const engine = new ScriptedEngine([], world);
    expect(await new Rebalancing(site.env, engine, input).run()).to.equal("not-started");
    expect(world.seconds).to.be.within(HALT, 2 * HALT);
    expect(told(site, /rebalance\/USDC\/1 has ended, and .* may still take .* in no block after 120 s/)).to.equal(1);
    const replayed = new ScriptedEngine(engine.made, world);
    expect(await new Rebalancing(site.env, replayed, input).run()).to.equal("not-started");
  });

  it("a driver without the key of what it would take back says so, with what stays", async () => {
    const site = await leaves(0);
    site.world.broken = (name) => (name === "approve" && site.world.reverts.get("buy") === 0 ? new TypeError("no key") : null);
    expect((await run(site))[0].outcome).to.equal("no-trade");
    expect(told(site, /may still take 0xA0b8\w+ of .*: no key \(tried 12 times\)/)).to.equal(2);
    expect(await reserved(site)).to.deep.equal([]);
  });

  /** As a version without a change recorded it: without the question, and without the clock that it asks for. */
  const without = (made: ScriptedEngine["made"], change: string): ScriptedEngine["made"] => {
    const left: ScriptedEngine["made"] = [];
    for (let i = 0; i < made.length; i++) {
      if (made[i]![0] !== `DBOS.patch-${change}`) left.push(made[i]!);
      else if (made[i + 1]?.[0] === "DBOS.now") i++;
    }
    return left;
  };

  for (const [what, change, make] of [
    ["claim", "open-pushes", async () => await open().then((site) => (claims(site), site.world.pending.set("claim", 50), site))],
    ["revocation", "open-revokes", async () => await leaves(50)],
  ] as const)
    it(`a ${what} that was open when an earlier version recorded it is waited for by these steps, and from any of them on by the new ones`, async () => {
      const site = await make();
      const [result, made] = await run(site);
      const earlier = without(made, change);
      expect(earlier.length).to.be.below(made.length - 50);
      expect(await site.run(new ScriptedEngine(earlier, site.world))).to.deep.equal(result);
      for (const length of [10, 30, 50, earlier.length - 5]) {
        const stop = new Error("the recorded steps are over");
        const engine = new ScriptedEngine(earlier.slice(0, length), site.world);
        const live = engine.step.bind(engine);
        engine.step = async (step, body) => {
          if (engine.isLive) throw stop;
          return await live(step, body);
        };
        expect(await site.run(engine).catch((error: unknown) => error), `after ${length} steps`).to.equal(stop);
      }
    });
});
