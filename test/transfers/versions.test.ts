import { readFileSync } from "node:fs";
import path from "node:path";
import { expect } from "chai";
import type { Database } from "../../src/database/open.js";
import { Rebalancing, type RebalancingInput } from "../../src/execution/rebalancing.js";
import type { Choice } from "../../src/execution/recovery-manager.js";
import { runSaga } from "../../src/execution/saga.js";
import { fromStored } from "../../src/inventory/stored.js";
import { FAULT_TRIES } from "../../src/transfers/faults.js";
import type { SagaRow } from "../../src/transfers/rows.js";
import type { SagaResult } from "../../src/transfers/types.js";
import { CHANGES, CONTINUED, SAGA_VERSION } from "../../src/transfers/version.js";
import { journalDatabase } from "../helpers/journal.js";
import { A, ACCOUNT, B, ETHER, ScriptedEngine, scriptedSaga, type ScriptedSite } from "../helpers/scripted-saga.js";

type Steps = [string, unknown][];

/** Whole sagas as versions before this one recorded them: names of steps, and what each gave. */
const RECORDED: Record<string, Record<string, Steps>> = Object.fromEntries(
  CONTINUED.map((version) => {
    const file = path.join(import.meta.dirname, `../golden/${version}.json`);
    return [version, fromStored<Record<string, Steps>>(readFileSync(file, "utf8"))];
  }),
);

describe("sagas of earlier versions", function () {
  this.timeout(120_000);
  let db: Database;
  let site: ScriptedSite;

  before(async () => {
    db = await journalDatabase();
    site = await scriptedSaga(db, "site-of-versions");
  });
  after(async () => await db.close());

  const inputOf = (steps: Steps) => {
    const { value } = steps[0]![1] as { value: SagaRow };
    return { opportunity: value.opportunity, account: value.account, again: 0 };
  };

  it("are never of the present version", () => {
    expect(CONTINUED).to.not.include(SAGA_VERSION);
    expect(Object.keys(CHANGES).length).to.be.greaterThan(0);
  });

  for (const [version, sagas] of Object.entries(RECORDED))
    for (const [name, steps] of Object.entries(sagas)) {
      it(`${version}: ${name} runs through its recorded steps, in their order, to the same end`, async () => {
        const engine = new ScriptedEngine(steps, site.world);
        const result = await runSaga(site.env, engine, inputOf(steps));
        expect(result).to.deep.equal((steps.at(-1)![1] as { value: SagaResult }).value);
        expect(engine.made.length).to.equal(steps.filter(([step]) => step !== "DBOS.sleep").length);
      });

      it(`${version}: ${name}, stopped after any of its steps, asks for nothing that was not recorded before`, async () => {
        for (let length = 1; length < steps.length; length++) {
          const engine = new ScriptedEngine(steps.slice(0, length), site.world);
          // what comes after the recorded steps would need the chains of then
          const stop = new Error("the recorded steps are over");
          const live = engine.step.bind(engine);
          engine.step = async (step, body) => {
            if (engine.isLive) throw stop;
            return await live(step, body);
          };
          let why: unknown = null;
          await runSaga(site.env, engine, inputOf(steps)).catch((error: unknown) => (why = error));
          expect(why, `after ${length} steps`).to.equal(stop);
        }
      });
    }

  /** A whole run with more steps put in before the first whose name this is; the later ones are numbered on. */
  const withBefore = (steps: Steps, name: RegExp, more: (number: number) => Steps): Steps => {
    const at = steps.findIndex(([step]) => name.test(step));
    const number = Number(/#(\d+)$/.exec(steps[at]![0])![1]);
    const added = more(number);
    const shift = added.filter(([step]) => /#\d+$/.test(step)).length;
    const later = steps
      .slice(at)
      .map(([step, value]): Steps[number] => [step.replace(/#(\d+)$/, (_, n) => `#${Number(n) + shift}`), value]);
    return [...steps.slice(0, at), ...added, ...later];
  };
  /** As `site`, with a trade of its own. */
  const opened = async (name: string): Promise<ScriptedSite> => await scriptedSaga(db, `versions-${name}`);

  it("a wrap that was not done many times goes on at the next step, as it did when these were recorded", async () => {
    const own = await opened("wrap");
    own.world.scripts.set("out", [() => ({ state: "delivered", native: true })]);
    const engine = new ScriptedEngine([], own.world);
    const result = await own.run(engine);
    const again = (n: number): Steps =>
      Array.from({ length: 2 * FAULT_TRIES }, (_, i) => [
        [`out.1.wrap#${n + i}`, { ok: true, value: false }] as Steps[number],
        ["DBOS.recv", null] as Steps[number],
      ]).flat();
    const recorded = withBefore(engine.made, /\.wrap#/, again);
    expect(await own.run(new ScriptedEngine(recorded, own.world))).to.deep.equal(result);
  });

  it("a held position of saga-1 is quoted again after the operator's word was taken once", async () => {
    const own = await opened("hold");
    const { world } = own;
    const pools = world.pools[B]!;
    let from: number | null = null;
    world.on.set("out", () => (from = world.seconds));
    world.beforeSale = (chainId) =>
      void (world.pools[B] = chainId === B && from !== null && world.seconds < from + 20 ? [] : pools);
    world.refuses = (transfer) => transfer.includes("back");
    const engine = new ScriptedEngine([], world);
    await own.run(engine);
    const decided = engine.made.flatMap(([step], i) => (step.startsWith("ways#") ? [i] : []));
    const kindOf = (i: number) => (engine.made[i]![1] as { value: { choice: Choice } }).value.choice.kind;
    expect(decided.map(kindOf)).to.deep.equal(["hold", "retry"]);
    const recorded = engine.made.map(([step, value], i): Steps[number] => {
      if (i === decided[0]) return [step, { ok: true, value: [] }];
      if (i === decided[1]) return [step, { ok: true, value: [(value as { value: { choice: Choice } }).value.choice] }];
      return [step, value];
    });
    const replayed = new ScriptedEngine(recorded, world);
    await runSaga(own.env, replayed, { opportunity: own.opportunity, account: ACCOUNT, again: 0, wish: "hold" });
    expect(replayed.made.length).to.equal(recorded.length);
  });

  it("a speed-up that was decided without an offer offers twice the fee, and what arrives for it is no partial amount", async () => {
    const own = await opened("offer");
    own.world.scripts.set("out", [
      ({ calls }) => (calls.length < 1 ? { state: "slow" } : { state: "delivered", amount: ETHER - ETHER / 1_000n }),
    ]);
    const engine = new ScriptedEngine([], own.world);
    const result = await own.run(engine);
    expect(result.decisions.map((d) => d.choice)).to.deep.equal(["speed-up"]);
    const earlier = engine.made.map(([step, made]): Steps[number] => {
      if (!/^ways#|\.track#/.test(step)) return [step, made];
      const { ok, value } = made as { ok: boolean; value: Record<string, unknown> };
      if (step.startsWith("ways#")) {
        const { offer: _offer, given: _given, ...choice } = value["choice"] as Choice;
        return [step, { ok, value: { ...value, choice } }];
      }
      const { offered: _offered, ...seen } = value;
      return [step, { ok, value: seen }];
    });
    expect(earlier).to.not.deep.equal(engine.made);
    expect(await own.run(new ScriptedEngine(earlier, own.world))).to.deep.equal(result);
  });

  it("a rebalancing's wrap that was done is not asked for again", async () => {
    const quote = { bridge: "across", amountIn: 5n, request: { id: "saga/rebalance/WETH/1:move" } };
    const value = { state: "delivered", waitsFor: "", amount: 5n, native: true, overdue: false };
    const recorded: Steps = [
      ["quote#0", { ok: true, value: { quote, reason: "" } }],
      ["start#1", { ok: true, value: { status: "started", dueSeconds: 1, amountIn: 5n } }],
      ["track#2", { ok: true, value }],
      ["stand#3", { ok: true, value: null }],
      ["wrap#4", { ok: true, value: { done: false, detail: "in no block yet" } }],
      ["DBOS.recv", null],
      ["wrap#5", { ok: true, value: { done: true, detail: "" } }],
      ["end#6", { ok: true, value: null }],
    ];
    const move = { fromChainId: A, toChainId: B } as RebalancingInput["move"];
    const input = { id: "rebalance/WETH/1", account: ACCOUNT, move };
    expect(await new Rebalancing(site.env, new ScriptedEngine(recorded, site.world), input).run()).to.equal("delivered");
  });
});
