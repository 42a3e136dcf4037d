import { readFileSync } from "node:fs";
import path from "node:path";
import { expect } from "chai";
import type { Database } from "../../src/database/open.js";
import { runSaga } from "../../src/execution/saga.js";
import { fromStored } from "../../src/inventory/stored.js";
import type { SagaRow } from "../../src/transfers/store.js";
import type { SagaResult } from "../../src/transfers/types.js";
import { CHANGES, CONTINUED, SAGA_VERSION } from "../../src/transfers/version.js";
import { journalDatabase } from "../helpers/journal.js";
import { ScriptedEngine, scriptedSaga, type ScriptedSite } from "../helpers/scripted-saga.js";

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
});
