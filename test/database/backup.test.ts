import { createHash } from "node:crypto";
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { expect } from "chai";
import { backupDatabase } from "../../src/database/backup.js";
import { type Migration, migrate } from "../../src/database/migrate.js";
import { type Database, openDatabase } from "../../src/database/open.js";
import { restoreDatabase } from "../../src/database/restore.js";
import { temporaryFolder } from "../helpers/arb.js";
import { freshDatabase, freshDatabaseUrl } from "../helpers/database.js";
import { rejection } from "../helpers/rejection.js";

// the table that is referred to comes last in the alphabet, and a trigger would change what is restored
const SCHEMA: Migration = {
  name: "backup-001",
  up: `
    create table arb.z_account (id int8 generated always as identity primary key, name text not null, parent int8 references arb.z_account);
    create table arb."A slot" (account int8 not null references arb.z_account, nonce int8, big numeric, raw bytea, note text,
      at timestamptz, doc jsonb, list int8[], twice int8 generated always as (nonce * 2) stored, primary key (account, nonce));
    insert into arb.z_account (name) values ('made by the migration');
    create function arb.deface() returns trigger language plpgsql as $$ begin new.note := 'defaced'; return new; end $$;
    create trigger deface before insert on arb."A slot" for each row execute function arb.deface();`,
};
const LATER: Migration = { name: "backup-002", up: "alter table arb.z_account add column colour text" };

describe("a backup", () => {
  const { folder, remove } = temporaryFolder();
  const file = path.join(folder, "one.arb-backup");
  let db: Database;
  const all = async (from: Database) =>
    (
      await from.pool.query(
        `select s.*, to_json(z.*)::text as z from arb."A slot" s join arb.z_account z on z.id = s.account order by nonce`,
      )
    ).rows;

  before(async () => {
    db = await freshDatabase();
    await migrate(db, [SCHEMA]);
    await db.pool.query("insert into arb.z_account (name, parent) select 'row ' || i, 1 from generate_series(1, 3000) i");
    const insert = `insert into arb."A slot" (account, nonce, big, raw, note, at, doc, list) values ($1, $2, $3, $4, $5, now(), $6, $7)`;
    await db.pool.query(insert, [
      1n,
      2n ** 61n,
      (2n ** 256n - 1n).toString(),
      Buffer.from([0, 10, 92, 255]),
      "x",
      { a: [1] },
      [1n, null],
    ]);
    await db.pool.query(insert, [2n, 9007199254740993n, "-0.000000000000000001", null, null, null, null]);
    await db.pool.query(`alter table arb."A slot" disable trigger user`);
    await db.pool.query(`update arb."A slot" set note = E'line\\nand \\\\. and \\t tab and \\u20ae' where account = 1`);
    await db.pool.query(`alter table arb."A slot" enable trigger user`);
    const head = await backupDatabase(db, file);
    expect(head.tables.map((t) => [t.name, t.rows])).to.deep.equal([
      ["arb.migration", 1],
      ["arb.z_account", 3001],
      [`arb."A slot"`, 2],
    ]);
  });
  after(async () => {
    await db.close();
    remove();
  });

  it("restores every digit, byte and sequence into an empty database, which later migrations then bring up to date", async () => {
    const target = await freshDatabase({ alone: true });
    await restoreDatabase(target, file, [SCHEMA, LATER]);
    expect(await all(target)).to.deep.equal(await all(db));
    const { rows } = await target.pool.query("insert into arb.z_account (name) values ('next') returning id");
    expect(rows).to.deep.equal([{ id: 3002n }]);
    await target.pool.query(`insert into arb."A slot" (account, nonce) values (3, 1)`);
    expect((await all(target))[0]).to.include({ note: "defaced", twice: 2n });
    expect(await migrate(target, [SCHEMA, LATER])).to.deep.equal(["backup-002"]);
    await target.close();
  });

  it("is private, complete or absent, and overwrites nothing", async () => {
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    const before = readFileSync(file);
    expect(await rejection(backupDatabase(db, file))).to.include({ code: "refused", where: file });
    expect(readFileSync(file).equals(before)).to.equal(true);
    expect(await rejection(backupDatabase(db, path.join(folder, "none", "x")))).to.include({ code: "config" });
    expect(readdirSync(folder)).to.deep.equal(["one.arb-backup"]);
  });

  it("is refused by a database that is not empty, by an older version, and while another program has it open", async () => {
    const url = await freshDatabaseUrl();
    const target = await openDatabase({ url });
    expect(await rejection(openDatabase({ url }, { alone: true }))).to.include({ code: "locked" });
    expect(await rejection(restoreDatabase(target, file, [LATER]))).to.include({ code: "refused", where: file });
    await migrate(target, [SCHEMA]);
    const error = await rejection(restoreDatabase(target, file, [SCHEMA]));
    expect(error).to.include({ code: "refused" });
    expect(error.message).to.include("arb.z_account has rows");
    await target.close();
  });

  it("that is damaged, cut off or something else is refused, and the database stays empty", async () => {
    const target = await freshDatabase();
    const bytes = readFileSync(file);
    const text = gunzipSync(bytes).toString("latin1");
    const bad = {
      cut: bytes.subarray(0, bytes.length - 40),
      changed: gzipSync(Buffer.from(text.replace("row 17", "row 18"), "latin1")),
      shortened: gzipSync(Buffer.from(text.replace(/\n[^\n]*row 17\t[^\n]*/, ""), "latin1")),
      newer: gzipSync(Buffer.from(text.replace('"version":1', '"version":2'), "latin1")),
      other: gzipSync("hello\n"),
      plain: Buffer.from("hello"),
      empty: Buffer.alloc(0),
    };
    for (const [name, content] of Object.entries(bad)) {
      const at = path.join(folder, `bad-${name}`);
      writeFileSync(at, content);
      expect(await rejection(restoreDatabase(target, at, [SCHEMA])), name).to.include({ code: "usage", where: at });
      rmSync(at);
    }
    expect(await rejection(restoreDatabase(target, path.join(folder, "none"), [SCHEMA]))).to.include({ code: "usage" });
    const { rows } = await target.pool.query("select to_regclass('arb.migration') as t");
    expect(rows).to.deep.equal([{ t: null }]);
    await target.close();
  });

  it("that names something else than a table runs nothing of it: the embedded server's user may run programs", async () => {
    const target = await freshDatabase();
    const marks = (name: string) => [
      `${name}; create table arb.planted (n int8); --`,
      `arb.z_account; create table arb.planted (n int8)`,
    ];
    const [first] = gunzipSync(readFileSync(file)).toString("latin1").split("\n");
    for (const name of marks("arb.none")) {
      const head = { ...(JSON.parse(first!) as object), tables: [{ name, columns: [], rows: 0 }], sequences: [] };
      const lines = `${JSON.stringify(head)}\n\\.\n`;
      const foot = JSON.stringify({ sha256: createHash("sha256").update(lines).digest("hex") });
      const at = path.join(folder, "crafted");
      writeFileSync(at, gzipSync(`${lines}${foot}\n`));
      expect(await rejection(restoreDatabase(target, at, [SCHEMA])), name).to.include({ code: "refused" });
      rmSync(at);
    }
    await target.close();
  });
});
