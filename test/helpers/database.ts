import { existsSync, mkdtempSync, rmSync } from "node:fs";
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

// a process runs many test files: the server ends with it, also with an interrupted one
process.on("exit", () => {
  if (server === null) return;
  const pid = server.db.server?.pid;
  try {
    if (pid !== undefined) process.kill(pid, "SIGQUIT");
  } catch {
    // it has been stopped
  }
  // a server that ends still writes for a moment, and what comes between makes `rmSync` give up without a word
  for (let tries = 40; tries > 0 && existsSync(server.folder); tries--) {
    rmSync(server.folder, { recursive: true, force: true });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  }
});
