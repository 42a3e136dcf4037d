import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { type Database, type DatabaseOptions, openDatabase } from "../../src/database/open.js";

let server: { db: Database; folder: string } | null = null;
let starting: Promise<Database> | null = null;
let count = 0;

/** One embedded server for all test files: it is started by the first that asks, and stopped after the last test. */
async function sharedServer(): Promise<Database> {
  starting ??= (async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), "arb-database-"));
    const db = await openDatabase({ folder }, { name: "test-server", connections: 2 });
    server = { db, folder };
    return db;
  })();
  return starting;
}

/** The URL, with its password, of a new empty database of its own. */
export async function freshDatabaseUrl(): Promise<string> {
  const db = await sharedServer();
  const name = `test_${++count}`;
  await db.pool.query(`create database ${name}`);
  const url = new URL(db.secretUrl.reveal());
  url.pathname = `/${name}`;
  return url.href;
}

/** A new empty database, open. The caller closes it in `after`. */
export async function freshDatabase(options: DatabaseOptions = {}): Promise<Database> {
  return openDatabase({ url: await freshDatabaseUrl() }, { name: "test", ...options });
}

// outside of any suite: once, when all test files are done
after(async () => {
  if (server === null) return;
  await server.db.close();
  rmSync(server.folder, { recursive: true, force: true });
});

// an interrupted run must leave no server behind
process.on("exit", () => {
  const pid = server?.db.server?.pid;
  try {
    if (pid !== undefined) process.kill(pid, "SIGQUIT");
  } catch {
    // it has been stopped
  }
});
