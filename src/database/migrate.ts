import { createHash } from "node:crypto";
import type pg from "pg";
import { ArbError } from "../errors.js";
import { databaseFault } from "./faults.js";
import type { Database } from "./open.js";

/** Runs one statement, or several without values. */
export type Sql = <Row extends pg.QueryResultRow = pg.QueryResultRow>(text: string, values?: unknown[]) => Promise<Row[]>;

/** One step of the schema. It never changes once it was released: what comes later is a new one. */
export interface Migration {
  /** Unique for ever, for example "journal-001-slots". */
  name: string;
  /** The change: statements, of which a checksum is kept, or a function. */
  up: string | ((sql: Sql) => Promise<void>);
}

/** Schema of everything that belongs to the program, `arb.migration` among it. */
export const SCHEMA = "arb";
const LOCK = 4_702_115;

/**
 * Brings the database to the given migrations, in their order, all or none: one transaction, one program at a time. Returns the
 * names of those that were applied now. Raises ArbError "refused" when a newer version has been here (no downgrade), or when a
 * migration is not the one that was applied.
 */
export async function migrate(db: Pick<Database, "pool" | "url">, migrations: readonly Migration[]): Promise<string[]> {
  try {
    const client = await db.pool.connect();
    try {
      await client.query("begin");
      const applied = await migrateWithin(client, migrations, db.url);
      await client.query("commit");
      return applied;
    } catch (error) {
      await client.query("rollback").catch(() => undefined);
      throw error;
    } finally {
      client.release();
    }
  } catch (error) {
    throw databaseFault(error, db.url);
  }
}

/** The same inside a transaction of the caller. */
export async function migrateWithin(client: pg.ClientBase, migrations: readonly Migration[], shown: string): Promise<string[]> {
  const sql: Sql = async (text, values) => (await client.query(text, values)).rows as never;
  // a driver that starts beside us waits here until we have committed, as long as its lock_timeout allows
  await sql("select pg_advisory_xact_lock($1)", [LOCK]);
  await sql(`create schema if not exists ${SCHEMA}`);
  await sql(
    `create table if not exists ${SCHEMA}.migration (name text primary key, checksum text, applied_at timestamptz not null default now())`,
  );
  const done = new Map(
    (await sql<{ name: string; checksum: string | null }>(`select name, checksum from ${SCHEMA}.migration`)).map((r) => [
      r.name,
      r.checksum,
    ]),
  );
  check(done, migrations, shown);
  const applied: string[] = [];
  for (const { name, up } of migrations) {
    if (done.has(name)) continue;
    if (typeof up === "string") await sql(up);
    else await up(sql);
    await sql(`insert into ${SCHEMA}.migration (name, checksum) values ($1, $2)`, [name, checksumOf(up)]);
    applied.push(name);
  }
  return applied;
}

/** Null for a function: its text depends on how it was translated. */
const checksumOf = (up: Migration["up"]): string | null =>
  typeof up === "string" ? createHash("sha256").update(up).digest("hex") : null;

function check(done: ReadonlyMap<string, string | null>, migrations: readonly Migration[], shown: string): void {
  const ours = new Map(migrations.map((m) => [m.name, checksumOf(m.up)]));
  if (ours.size !== migrations.length) throw new ArbError("internal", "two migrations have the same name");
  const unknown = [...done.keys()].filter((name) => !ours.has(name));
  if (unknown.length > 0)
    throw new ArbError("refused", `the database was used by a newer version of this program (${unknown.join(", ")})`, {
      where: shown,
      hint: "start that version, or restore a backup of this one into an empty database",
    });
  for (const [name, checksum] of done) {
    const own = ours.get(name);
    if (own && checksum && own !== checksum)
      throw new ArbError("refused", `the migration ${name} is not the one that the database was made with`, {
        where: shown,
        hint: "start the version that made it",
      });
  }
}
