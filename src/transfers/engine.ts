import { DBOS, DBOSClient } from "@dbos-inc/dbos-sdk";
import type { BackupHead } from "../database/backup.js";
import type { Database } from "../database/open.js";
import { APPLICATION, ENGINE_SCHEMA } from "./version.js";

/** Tables of the workflow engine that have rows from the start: what the engine knows of itself. */
export const ENGINE_OWN = ["dbos_migrations", "application_versions"].map((table) => `${ENGINE_SCHEMA}.${table}`);
/** The version of the engine's tables. It is that of the tables which are there, never of those that a backup is of. */
export const ENGINE_VERSION = ENGINE_OWN[0]!;

const silent = { info: () => undefined, debug: () => undefined, warn: () => undefined, error: () => undefined };

/** Makes the workflow engine's tables, where a backup has some. No workflow runs in this process. */
export async function makeEngineTables(db: Pick<Database, "plainPool" | "url">, { tables }: BackupHead): Promise<void> {
  if (!tables.some(({ name }) => name.startsWith(`${ENGINE_SCHEMA}.`))) return;
  const pool = db.plainPool({ application_name: "arb-restore", max: 4 });
  try {
    DBOS.setConfig({
      name: APPLICATION,
      systemDatabaseUrl: db.url,
      systemDatabasePool: pool,
      systemDatabaseSchemaName: ENGINE_SCHEMA,
      executorID: "restore",
      logger: silent,
    });
    try {
      await DBOS.launch();
    } finally {
      await DBOS.shutdown();
    }
  } finally {
    await pool.end();
  }
}

/** Works with the engine's tables from outside. */
export async function withEngineClient<T>(
  db: Pick<Database, "plainPool" | "url">,
  work: (client: DBOSClient) => Promise<T>,
): Promise<T> {
  const pool = db.plainPool({ application_name: "arb sagas", max: 2 });
  try {
    const client = await DBOSClient.create({
      systemDatabaseUrl: db.url,
      systemDatabasePool: pool,
      systemDatabaseSchemaName: ENGINE_SCHEMA,
    });
    try {
      return await work(client);
    } finally {
      await client.destroy();
    }
  } finally {
    await pool.end();
  }
}
