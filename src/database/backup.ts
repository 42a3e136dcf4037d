import { createHash } from "node:crypto";
import { createWriteStream, existsSync, renameSync, rmSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type pg from "pg";
import { ArbError } from "../errors.js";
import { copyOut, quoted } from "./copy.js";
import { databaseFault } from "./faults.js";
import { SCHEMA } from "./migrate.js";
import type { Database } from "./open.js";

/**
 * The backup's file: gzip of lines. A head (JSON), then for each table its rows as COPY writes them and a line `\.`, then a foot (JSON)
 * with the SHA-256 of all lines before. It is logical: any later version of PostgreSQL and of the program reads it.
 */
export interface BackupHead {
  format: "arb-backup";
  version: 1;
  createdAt: string;
  server: string;
  /** Migrations of the schema that the rows are of. */
  migrations: string[];
  /** In an order in which every row finds what it refers to. */
  tables: { name: string; columns: string[]; rows: number }[];
  sequences: { name: string; value: string | null }[];
}

export const END_OF_TABLE = "\\.\n";

/**
 * Writes all tables of the program, as they were at one moment, while others go on working. The file has mode 0600 and appears only
 * when it is complete and synced. Raises ArbError "refused" where there is a file, "config" where it cannot be written.
 */
export async function backupDatabase(db: Pick<Database, "client" | "url">, file: string): Promise<BackupHead> {
  if (existsSync(file))
    throw new ArbError("refused", "a file is already there; nothing was written", { where: file, hint: "choose another name" });
  const fresh = `${file}.part-${process.pid}`;
  try {
    const head = await withClient(db, async (client) => {
      await client.query("begin isolation level repeatable read read only");
      return write(client, fresh);
    });
    renameSync(fresh, file);
    return head;
  } catch (error) {
    rmSync(fresh, { force: true });
    const { code = "" } = error as NodeJS.ErrnoException;
    if (["ENOENT", "EACCES", "EPERM", "EROFS", "ENOSPC", "ENOTDIR"].includes(code))
      throw new ArbError("config", `the backup cannot be written (${code})`, { where: file, cause: error });
    throw databaseFault(error, db.url);
  }
}

async function write(client: pg.Client, file: string): Promise<BackupHead> {
  const head = await describe(client);
  const gzip = createGzip();
  const done = pipeline(gzip, createWriteStream(file, { flags: "wx", mode: 0o600, flush: true }));
  // awaited below, and wherever rows are awaited
  done.catch(() => undefined);
  try {
    const hash = createHash("sha256");
    const into = hashing(gzip, hash);
    into.write(`${JSON.stringify(head)}\n`);
    for (const { name, columns, rows } of head.tables) {
      const list = columns.map(quoted).join(", ");
      const copied = await Promise.race([copyOut(client, `copy ${name} (${list}) to stdout`, into), failing(done)]);
      if (copied !== rows) throw new ArbError("internal", `${String(copied)} rows of ${name} were copied, ${rows} were counted`);
      into.write(END_OF_TABLE);
    }
    gzip.end(`${JSON.stringify({ sha256: hash.digest("hex") })}\n`);
    await done;
    return head;
  } catch (error) {
    gzip.destroy();
    throw error;
  }
}

/** A disk that is full ends the wait for rows. */
const failing = (done: Promise<void>): Promise<never> => done.then(() => new Promise<never>(() => undefined));

type Sink = Parameters<typeof copyOut>[2];

function hashing(gzip: ReturnType<typeof createGzip>, hash: ReturnType<typeof createHash>): Sink {
  const sink = {
    write(chunk: Buffer | string) {
      hash.update(chunk);
      return gzip.write(chunk);
    },
    once: (event: string, listener: () => void) => gzip.once(event, listener),
  };
  return sink as unknown as Sink;
}

async function describe(client: pg.Client): Promise<BackupHead> {
  const { rows: tables } = await client.query<{ oid: number; name: string; columns: string[]; refers: number[] }>(TABLES);
  const { rows: sequences } = await client.query<{ name: string; value: string | null }>(SEQUENCES);
  const { rows: servers } = await client.query<{ server: string }>("select current_setting('server_version') as server");
  const ordered = inOrder(tables);
  const counted: BackupHead["tables"] = [];
  for (const { name, columns } of ordered) {
    const { rows } = await client.query<{ n: number }>(`select count(*)::float8 as n from ${name}`);
    counted.push({ name, columns, rows: rows[0]?.n ?? 0 });
  }
  const known = ordered.some((t) => t.name === `${SCHEMA}.migration`);
  const migrations = known
    ? (await client.query<{ name: string }>(`select name from ${SCHEMA}.migration order by applied_at, name`)).rows
    : [];
  return {
    format: "arb-backup",
    version: 1,
    createdAt: new Date().toISOString(),
    server: servers[0]?.server ?? "",
    migrations: migrations.map((m) => m.name),
    tables: counted,
    sequences,
  };
}

/** Tables after those that their rows refer to. Raises ArbError "internal" on a circle, which our schema does not have. */
function inOrder<T extends { oid: number; name: string; refers: number[] }>(tables: readonly T[]): T[] {
  const ordered: T[] = [];
  const done = new Set<number>();
  while (ordered.length < tables.length) {
    const next = tables.find((t) => !done.has(t.oid) && t.refers.every((r) => r === t.oid || done.has(r)));
    if (!next) throw new ArbError("internal", "the database's tables refer to each other in a circle");
    done.add(next.oid);
    ordered.push(next);
  }
  return ordered;
}

/** What is not PostgreSQL's own. */
const OURS = "n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'";

export const TABLES = `
  select c.oid::int as oid, format('%I.%I', n.nspname, c.relname) as name,
    array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
          and a.attgenerated = '' order by a.attnum) as columns,
    array(select distinct f.confrelid::int from pg_constraint f where f.conrelid = c.oid and f.contype = 'f') as refers
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and ${OURS} order by 2`;

const SEQUENCES = `
  select format('%I.%I', schemaname, sequencename) as name, last_value::text as value from pg_sequences order by 1`;

/** A connection without statement deadlines, for work that takes as long as there are rows. */
export async function withClient<T>(db: Pick<Database, "client">, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = db.client({ lock_timeout: 15_000, application_name: "arb-backup" });
  let lost: Error | null = null;
  client.on("error", (error) => (lost = error));
  await client.connect();
  try {
    return await work(client);
  } catch (error) {
    throw lost ?? error;
  } finally {
    // also ends a transaction that failed
    await client.end().catch(() => undefined);
  }
}
