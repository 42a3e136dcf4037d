import { existsSync } from "node:fs";
import path from "node:path";
import { Command } from "commander";
import { loadConfig } from "../config/load.js";
import { backupDatabase, type BackupHead } from "../database/backup.js";
import { databaseFault } from "../database/faults.js";
import { migrate, SCHEMA } from "../database/migrate.js";
import { type Database, type DatabaseOptions, openDatabase } from "../database/open.js";
import { restoreDatabase } from "../database/restore.js";
import { MIGRATIONS } from "../database/schema.js";
import { databaseSettings } from "../database/settings.js";
import { ArbError } from "../errors.js";
import { pruneJournal } from "../journal/retention.js";
import { ENGINE_OWN, ENGINE_VERSION, makeEngineTables, withEngineClient } from "../transfers/engine.js";
import { pruneSagas } from "../transfers/retention.js";
import type { CommonOptions } from "./common.js";
import { makeOutput } from "./output.js";
import { columns } from "./table.js";

type Options = CommonOptions & { config: string };

export function databaseCommand(): Command {
  const database = new Command("database").description(
    "the database of signed transactions and outcomes: its state, backup, restore",
  );
  const sub = (name: string, description: string): Command =>
    database.command(name).description(description).option("--config <file>", "configuration", "arb.config.jsonc");
  sub("status", "where the database is, its version, size and migrations; makes none").action(async (options: Options) => {
    const output = makeOutput(options);
    const settings = await databaseSettings(loadConfig(options.config));
    if ("folder" in settings && !existsSync(path.join(settings.folder, "postgres-18"))) {
      output.result({ state: "absent", folder: settings.folder }, () => `no database yet in ${settings.folder}`);
      return;
    }
    const status = await withDatabase(options, {}, statusOf);
    output.result(status, () =>
      columns(Object.entries(status).map(([k, v]) => [k, Array.isArray(v) ? v.join(", ") : String(v)])),
    );
  });
  sub("backup", "writes all tables, as they are at one moment, into a new file; the bot may run")
    .argument("<file>")
    .action(async (file: string, options: Options) => {
      const head = await withDatabase(options, {}, async (db) => backupDatabase(db, file));
      makeOutput(options).result({ file, ...countsOf(head) }, () => `${file}: ${textOf(head)}`);
    });
  sub("restore", "reads a backup into an empty database; refused while a program uses it")
    .argument("<file>")
    .action(async (file: string, options: Options) => {
      const head = await withDatabase(options, { alone: true }, async (db) => {
        const make = async (of: BackupHead) => await makeEngineTables(db, of);
        return await restoreDatabase(db, file, MIGRATIONS, { make, own: ENGINE_OWN, version: ENGINE_VERSION });
      });
      makeOutput(options).result({ file, ...countsOf(head) }, () => `restored from ${file}: ${textOf(head)}`);
    });
  sub("prune", "deletes answers of routes about slots that have been final for long; the bot, which does it too, may run")
    .option("--days <days>", "least age; default: the configuration's database.keepDays")
    .action(async (options: Options & { days?: string }) => {
      const days = options.days ?? String(loadConfig(options.config).database.keepDays);
      const keepDays = Number(days);
      if (!/^\d{1,5}$/.test(days)) throw new ArbError("usage", "the age is no number of days", { where: "--days" });
      const pruned = await withDatabase(options, {}, async (db) => {
        await migrate(db, MIGRATIONS);
        const sagas = await pruneSagas(db, async (ids) => await withEngineClient(db, (client) => client.deleteWorkflows(ids)), {
          keepDays,
        });
        return { ...(await pruneJournal(db, { keepDays })), sagas };
      });
      makeOutput(options).result(
        pruned,
        () =>
          `deleted: ${pruned.sends} answers of routes, ${pruned.drivers} ended programs, the steps of ${pruned.sagas} cross-chain trades`,
      );
    });
  return database;
}

async function withDatabase<T>(options: Options, open: DatabaseOptions, work: (db: Database) => Promise<T>): Promise<T> {
  const settings = await databaseSettings(loadConfig(options.config));
  const db = await openDatabase(settings, { name: "arb database", connections: 2, ...open });
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}

interface Status {
  state: "running" | "stopped";
  url: string;
  server: string;
  sizeBytes: bigint;
  connections: bigint;
  migrations: string[];
  pending: string[];
}

async function statusOf(db: Database): Promise<Status> {
  try {
    const { rows } = await db.pool.query<{ server: string; size: bigint; connections: bigint; migrated: boolean }>(
      `select current_setting('server_version') as server, pg_database_size(current_database()) as size,
              (select count(*) from pg_stat_activity where datname = current_database() and application_name not like 'arb database%') as connections,
              to_regclass('${SCHEMA}.migration') is not null as migrated`,
    );
    const [row] = rows;
    const done =
      row?.migrated === true
        ? (await db.pool.query<{ name: string }>(`select name from ${SCHEMA}.migration order by applied_at, name`)).rows.map(
            (r) => r.name,
          )
        : [];
    return {
      // started for this question only: it stops again
      state: db.server?.started === true ? "stopped" : "running",
      url: db.url,
      server: row?.server ?? "",
      sizeBytes: row?.size ?? 0n,
      connections: row?.connections ?? 0n,
      migrations: done,
      pending: MIGRATIONS.map((m) => m.name).filter((name) => !done.includes(name)),
    };
  } catch (error) {
    throw databaseFault(error, db.url);
  }
}

const rowsOf = (head: BackupHead): number => head.tables.reduce((sum, t) => sum + t.rows, 0);
const countsOf = (head: BackupHead) => ({ createdAt: head.createdAt, tables: head.tables.length, rows: rowsOf(head) });
const textOf = (head: BackupHead): string => `${head.tables.length} tables, ${rowsOf(head)} rows of ${head.createdAt}`;
