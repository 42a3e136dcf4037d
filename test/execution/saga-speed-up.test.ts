import { expect } from "chai";
import type { Database } from "../../src/database/open.js";
import type { Choice } from "../../src/execution/recovery-manager.js";
import type { SagaResult } from "../../src/transfers/types.js";
import { journalDatabase } from "../helpers/journal.js";
import {
  B,
  ETHER,
  forgetTrades,
  scriptedSaga,
  ScriptedEngine,
  type ScriptedSite,
  type Shown,
  unbalanced,
} from "../helpers/scripted-saga.js";

const FEE = ETHER / 2_000n;
const PROMISED = ETHER - FEE;
const SLOW: Shown = { state: "slow" };

describe("sagas: what relayers are offered, and what is asked of Across itself, when a transfer is slow", function () {
  this.timeout(60_000);
  let db: Database;
  let count = 0;
  before(async () => (db = await journalDatabase()));
  beforeEach(async () => await forgetTrades(db));
  after(async () => await db.close());

  const open = async (): Promise<ScriptedSite> => await scriptedSaga(db, `slow-${count++}`);
  /** To its end, whose books are the world's, and the same again by its own steps. */
  const run = async (site: ScriptedSite, again = 0): Promise<SagaResult & { choices: Choice[]; offers: bigint[] }> => {
    const engine = new ScriptedEngine([], site.world);
    const result = await site.run(engine, { again });
    expect(unbalanced(site, result), result.reason).to.deep.equal([]);
    expect(await site.run(new ScriptedEngine(engine.made, site.world), { again })).to.deep.equal(result);
    const choices = engine.made.flatMap(([name, value]) =>
      name.startsWith("ways#") ? [(value as { value: { choice: Choice } }).value.choice] : [],
    );
    const offers = choices.flatMap((c) => (c.kind === "speed-up" ? [c.offer!] : []));
    return { ...result, choices, offers };
  };
  const kinds = ({ choices }: { choices: Choice[] }): string => [...new Set(choices.map((c) => c.kind))].join();
  const noted = async (site: ScriptedSite): Promise<bigint | null> =>
    (await site.env.store.transfersOf(site.opportunity.id))[0]!.offered;

  it("a second speed-up offers more than the first, by one more fee where the bridge asks for no more", async () => {
    const site = await open();
    const last = PROMISED - 2n * FEE;
    site.world.scripts.set("out", [({ calls }) => (calls.length < 2 ? SLOW : { state: "delivered", amount: last })]);
    const result = await run(site);
    expect(result.offers).to.deep.equal([PROMISED - FEE, last]);
    expect(await noted(site)).to.equal(last);
    // what was offered last is what was promised
    expect([result.outcome, kinds(result)]).to.deep.equal(["profit", "speed-up"]);
  });

  it("less than the last offer is a partial amount", async () => {
    const site = await open();
    const script = ({ calls }: { calls: unknown[] }): Shown =>
      calls.length < 1 ? SLOW : { state: "delivered", amount: PROMISED - FEE - 1n };
    site.world.scripts.set("out", [script]);
    const result = await run(site);
    expect(result.decisions.map((d) => d.at)).to.include("target-leg: partial-amount");
  });

  it("a market above twice the fee is met at once, and offered again only when it asks for more", async () => {
    const site = await open();
    const { world } = site;
    world.on.set("out", () => (world.feeOf = (t) => (t.startsWith("out") ? 5_000n : 500n)));
    world.on.set("speed-up", () => (world.feeOf = (t) => (t.startsWith("out") ? 6_000n : 500n)));
    world.scripts.set("out", [({ calls }) => (calls.length < 2 ? SLOW : { state: "delivered", amount: ETHER - 12n * FEE })]);
    const result = await run(site);
    expect(result.offers).to.deep.equal([ETHER - 10n * FEE, ETHER - 12n * FEE]);
    expect(result.decisions.filter((d) => d.choice === "speed-up").map((d) => d.at)).to.deep.equal(["in-flight: fee-too-low"]);
    expect(result.outcome).to.equal("profit");
  });

  it("a market that was met is not underpaid any more", async () => {
    const site = await open();
    const { world } = site;
    world.on.set("out", () => (world.feeOf = (t) => (t.startsWith("out") ? 5_000n : 500n)));
    world.scripts.set("out", [({ looks }) => (looks < 2 ? SLOW : { state: "delivered", amount: ETHER - 11n * FEE })]);
    const result = await run(site);
    expect(result.decisions.filter((d) => d.at.startsWith("in-flight")).map((d) => d.at)).to.deep.equal([
      "in-flight: fee-too-low",
      "in-flight: fill-slow",
    ]);
    expect(result.offers).to.deep.equal([ETHER - 10n * FEE, ETHER - 11n * FEE]);
  });

  it("beyond the loss limit nothing more is offered, however much the trade would still gain", async () => {
    const site = await open();
    const { world } = site;
    for (const pool of world.pools[B]!) pool.price *= 2n;
    world.on.set("out", () => (world.feeOf = (t) => (t.startsWith("out") ? 70_000n : 500n)));
    world.scripts.set("out", [({ looks }) => (looks < 3 ? SLOW : { state: "delivered" })]);
    const result = await run(site);
    expect([result.outcome, kinds(result), await noted(site)]).to.deep.equal(["profit", "wait", null]);
  });

  it("a held trade that goes on knows what was offered before", async () => {
    const site = await open();
    let arrives = false;
    site.world.scripts.set("out", [() => (arrives ? { state: "delivered", amount: PROMISED - 4n * FEE } : SLOW)]);
    const held = await run(site);
    expect([held.outcome, held.offers]).to.deep.equal(["held", [PROMISED - FEE, PROMISED - 2n * FEE]]);
    site.world.on.set("speed-up", () => {
      arrives = site.world.transfers.values().next().value!.calls.length === 4;
    });
    const result = await run(site, 1);
    expect([result.outcome, result.offers]).to.deep.equal(["profit", [PROMISED - 3n * FEE, PROMISED - 4n * FEE]]);
  });

  it("what speed-ups do not bring is asked of Across itself, once, though a node that is behind shows it as not asked for", async () => {
    const site = await open();
    const { world } = site;
    world.refundSeconds = 10_000;
    const possible: Shown = { state: "slow", facts: { slowFill: "possible" } };
    world.scripts.set("out", [({ looks }) => (looks < 8 ? possible : { state: "delivered" })]);
    const result = await run(site);
    expect(result.choices.map((c) => c.kind)).to.deep.equal([
      "speed-up",
      "speed-up",
      "slow-fill",
      "slow-fill",
      "wait",
      "wait",
      "wait",
      "wait",
    ]);
    const [transfer] = [...world.transfers.values()];
    expect(transfer!.calls).to.deep.equal(["speed-up", "speed-up", "retry"]);
    expect(result.outcome).to.equal("profit");
  });

  it("a slow fill whose request reverts is not paid for again", async () => {
    const site = await open();
    const { world } = site;
    world.refundSeconds = 10_000;
    world.reverts.set("slow-fill", 1);
    world.scripts.set("out", [
      ({ looks }) => (looks < 6 ? { state: "slow", facts: { slowFill: "possible" } } : { state: "delivered" }),
    ]);
    const result = await run(site);
    expect(kinds(result)).to.equal("speed-up,slow-fill,wait");
    expect(new Set(world.ledger.filter((e) => e.intent.endsWith(".slow-fill")).map((e) => e.intent)).size).to.equal(1);
    expect(world.ledger.filter((e) => e.intent.endsWith(".slow-fill")).reduce((sum, e) => sum + e.gas, 0n)).to.equal(10n ** 13n);
  });
});
