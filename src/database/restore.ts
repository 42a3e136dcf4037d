import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import type pg from "pg";
import { ArbError } from "../errors.js";
import { type BackupHead, END_OF_TABLE, TABLES, withClient } from "./backup.js";
import { copyIn, quoted } from "./copy.js";
import { databaseFault } from "./faults.js";
import { type Migration, migrateWithin, SCHEMA } from "./migrate.js";
import type { Database } from "./open.js";

const CHUNK = 64 * 1024;

/** Tables in the database that are a library's. */
export interface OtherTables {
  /** Makes them, by connections of its own, where the backup has some. */
  make(head: BackupHead): Promise<void>;
  /** Those that have rows as soon as they are made. */
  own: readonly string[];
  /** The one that says of which version they are; a backup's rows of it are left out. */
  version: string | null;
}

const NO_OTHERS: OtherTables = { make: () => Promise.resolve(), own: [], version: null };

/**
 * Reads a backup and checks all of it, without a database. Raises ArbError "usage" when it is none, is damaged or cut off, or when
 * its format is of a newer version.
 */
export async function checkBackup(file: string): Promise<BackupHead> {
  const damaged = (what: string): ArbError =>
    new ArbError("usage", `the backup ${what}`, { where: file, hint: "take another one; nothing was changed" });
  const hash = createHash("sha256");
  let first: Buffer | null = null;
  let last: Buffer | null = null;
  try {
    for await (const line of lines(file)) {
      first ??= line;
      if (last !== null) hash.update(last);
      last = line;
    }
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code.startsWith("Z_")) throw damaged("is damaged or cut off");
    if (code.startsWith("E")) throw new ArbError("usage", `the backup cannot be read (${code})`, { where: file, cause: error });
    throw error;
  }
  const head = json(first) as BackupHead | null;
  if (head?.format !== "arb-backup") throw damaged("is no backup of this program");
  if (head.version !== 1) throw damaged("was written by a newer version of this program");
  if ((json(last) as { sha256?: string } | null)?.sha256 !== hash.digest("hex")) throw damaged("is damaged or cut off");
  return head;
}

/**
 * Restores a backup into an empty database, in one transaction: the schema of the backup's migrations, then its rows; later
 * migrations run at the next start. The database must be open `alone`.
 * Raises ArbError "refused" when the database is not empty or the backup is of a newer version, "usage" when it is damaged.
 */
export async function restoreDatabase(
  db: Pick<Database, "client" | "url">,
  file: string,
  migrations: readonly Migration[],
  others: OtherTables = NO_OTHERS,
): Promise<BackupHead> {
  const head = await checkBackup(file);
  const known = new Set(migrations.map((m) => m.name));
  const newer = head.migrations.filter((name) => !known.has(name));
  if (newer.length > 0)
    throw new ArbError("refused", `the backup was made by a newer version of this program (${newer.join(", ")})`, {
      where: file,
      hint: "restore it with that version",
    });
  try {
    await withClient(db, async (client) => {
      await client.query("begin");
      await refuseUnlessEmpty(client, db.url, others.own);
      const wanted = new Set(head.migrations);
      await migrateWithin(
        client,
        migrations.filter((m) => wanted.has(m.name)),
        db.url,
      );
      await others.make(head);
      await load(client, head, file, others.version);
      await client.query("commit");
    });
    return head;
  } catch (error) {
    throw databaseFault(error, db.url);
  }
}

async function refuseUnlessEmpty(client: pg.Client, shown: string, own: readonly string[]): Promise<void> {
  const { rows: tables } = await client.query<{ name: string }>(TABLES);
  for (const { name } of tables) {
    if (name === `${SCHEMA}.migration` || own.includes(name)) continue;
    const { rows } = await client.query<{ any: boolean }>(`select exists (select 1 from ${name}) as any`);
    if (rows[0]?.any === true)
      throw new ArbError("refused", `the database is not empty: ${name} has rows`, {
        where: shown,
        hint: "restore into a new database: set database.folder or database.url to one",
      });
  }
}

async function load(client: pg.Client, head: BackupHead, file: string, version: string | null): Promise<void> {
  const { rows: there } = await client.query<{ name: string; columns: string[] }>(TABLES);
  const columnsOf = new Map(there.map((t) => [t.name, new Set(t.columns)]));
  for (const { name, columns } of head.tables)
    // the names go into statements as they are
    if (!columnsOf.has(name) || columns.length === 0 || columns.some((c) => columnsOf.get(name)?.has(c) !== true))
      throw new ArbError("refused", `the backup has a table that this version does not make: ${name}`, {
        where: file,
        hint: "restore it with the version that wrote it",
      });
  // rows that migrations made are in the backup, too
  const filled = head.tables.map((t) => t.name).filter((name) => name !== version);
  if (filled.length > 0) await client.query(`truncate ${filled.join(", ")}`);
  const source = lines(file);
  await source.next();
  for (const { name, columns, rows } of head.tables) {
    if (name === version) {
      const left = tableOf(source);
      while ((await left.next()).done !== true);
      continue;
    }
    await client.query(`alter table ${name} disable trigger user`);
    const count = await copyIn(client, `copy ${name} (${columns.map(quoted).join(", ")}) from stdin`, tableOf(source));
    if (count !== rows)
      throw new ArbError("usage", `the backup holds ${count} rows of ${name} instead of ${rows}`, { where: file });
    await client.query(`alter table ${name} enable trigger user`);
  }
  for (const { name, value } of head.sequences)
    if (value !== null) await client.query("select setval($1::regclass, $2)", [name, value]);
}

/** The rows up to the end of a table, in larger pieces. Reads on where the last one ended. */
async function* tableOf(source: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let size = 0;
  for (;;) {
    const { value: line, done } = await source.next();
    if (done === true) throw new ArbError("usage", "the backup ends within a table");
    if (line.equals(END)) break;
    parts.push(line);
    size += line.length;
    if (size < CHUNK) continue;
    yield Buffer.concat(parts);
    parts = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(parts);
}

const END = Buffer.from(END_OF_TABLE);

/** The lines of a gzip file, each with its end. */
async function* lines(file: string): AsyncGenerator<Buffer> {
  const read = createReadStream(file);
  const gunzip = createGunzip();
  read.on("error", (error) => gunzip.destroy(error));
  let rest: Buffer[] = [];
  for await (const chunk of read.pipe(gunzip) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let to = chunk.indexOf(10); to >= 0; to = chunk.indexOf(10, from)) {
      const piece = chunk.subarray(from, to + 1);
      yield rest.length === 0 ? piece : Buffer.concat([...rest, piece]);
      rest = [];
      from = to + 1;
    }
    if (from < chunk.length) rest.push(chunk.subarray(from));
  }
  if (rest.length > 0) yield Buffer.concat(rest);
}

function json(line: Buffer | null): unknown {
  try {
    return JSON.parse(line?.toString("utf8") ?? "null");
  } catch {
    // no backup of ours
    return null;
  }
}
