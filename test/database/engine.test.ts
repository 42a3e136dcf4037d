import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { DBOS } from "@dbos-inc/dbos-sdk";
import { expect } from "chai";
import { backupDatabase } from "../../src/database/backup.js";
import { migrate } from "../../src/database/migrate.js";
import type { Database } from "../../src/database/open.js";
import { restoreDatabase } from "../../src/database/restore.js";
import { MIGRATIONS } from "../../src/database/schema.js";
import { ENGINE_OWN, ENGINE_VERSION, makeEngineTables, withEngineClient } from "../../src/transfers/engine.js";
import { pruneSagas } from "../../src/transfers/retention.js";
import { APPLICATION, ENGINE_SCHEMA } from "../../src/transfers/version.js";
import { freshDatabase } from "../helpers/database.js";

const silent = { info: () => undefined, debug: () => undefined, warn: () => undefined, error: () => undefined };
const workflow = DBOS.registerWorkflow(async (text: string) => `done: ${text}`, { name: "engine-test" });

describe("the workflow engine's tables", () => {
  let db: Database;
  let folder: string;

  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "arb engine "));
    db = await freshDatabase();
    await migrate(db, MIGRATIONS);
    const pool = db.plainPool({ max: 4 });
    DBOS.setConfig({
      name: APPLICATION,
      systemDatabaseUrl: db.url,
      systemDatabasePool: pool,
      systemDatabaseSchemaName: ENGINE_SCHEMA,
      executorID: "test",
      logger: silent,
    });
    await DBOS.launch();
    try {
      const ids = ["saga/old", "saga/old/1", "saga/older", "saga/held", "saga/fresh", "saga/open", "saga/old-not"];
      for (const id of ids) await (await DBOS.startWorkflow(workflow, { workflowID: id })(id)).getResult();
    } finally {
      await DBOS.shutdown();
      await pool.end();
    }
    const saga = async (id: string, outcome: string | null, days: number) =>
      await db.pool.query(
        `insert into crosschain.saga (id, mode, account, opportunity, estimate, state, outcome, finished_at)
         values ($1, 'bridge', '0x1111111111111111111111111111111111111111', '{}', '{}', 'done', $2,
                 case when $2::text is null then null else clock_timestamp() - $3 * interval '1 day' end)`,
        [id, outcome, days],
      );
    await saga("old", "done", 31);
    await saga("older", "no-trade", 900);
    await saga("held", "held", 900);
    await saga("fresh", "done", 29);
    await saga("open", null, 0);
  });
  after(async () => {
    await db.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const workflows = async (of: Database): Promise<string[]> => {
    const { rows } = await of.pool.query<{ id: string }>(
      `select workflow_uuid as id from ${ENGINE_SCHEMA}.workflow_status where workflow_uuid like 'saga/%' order by 1`,
    );
    return rows.map((r) => r.id);
  };

  it("are in a backup, and come back into an empty database, of whatever version the engine's tables there are", async () => {
    const file = path.join(folder, "backup");
    await backupDatabase(db, file);
    const empty = await freshDatabase();
    try {
      const others = {
        make: async (head: object) => await makeEngineTables(empty, head as never),
        own: ENGINE_OWN,
        version: ENGINE_VERSION,
      };
      await restoreDatabase(empty, file, MIGRATIONS, others);
      expect(await workflows(empty)).to.deep.equal(await workflows(db));
      const status = await withEngineClient(empty, async (client) => await client.getWorkflow("saga/open"));
      expect(status).to.include({ status: "SUCCESS", output: "done: saga/open" });
      const { rows } = await empty.pool.query(`select 1 from ${ENGINE_VERSION}`);
      expect(rows).to.have.length(1);
    } finally {
      await empty.close();
    }
  });

  it("lose the steps of what ended long ago, and nothing of what is open, held, or ended lately", async () => {
    const remove = async (ids: string[]) => await withEngineClient(db, async (client) => await client.deleteWorkflows(ids));
    expect(await pruneSagas(db, remove)).to.equal(3);
    expect(await workflows(db)).to.deep.equal(["saga/fresh", "saga/held", "saga/old-not", "saga/open"]);
    const { rowCount } = await db.pool.query("select 1 from crosschain.saga");
    expect(rowCount).to.equal(5);
    expect(await pruneSagas(db, remove)).to.equal(0);
  });
});
