import net from "node:net";
import { inspect } from "node:util";
import { expect } from "chai";
import { openDatabase } from "../../src/database/open.js";
import { parseDatabaseUrl } from "../../src/database/url.js";
import { ArbError } from "../../src/errors.js";
import { freshDatabase, freshDatabaseUrl } from "../helpers/database.js";
import { until } from "../helpers/drivers.js";
import { rejection } from "../helpers/rejection.js";

const CANARY = "canary-password-77aa";

/** Everything that an error could print. */
function everything(error: Error): string {
  let text = "";
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    text += `${at.message} ${at.stack ?? ""} ${inspect(at, { depth: 9 })}`;
  return text;
}

describe("an open database", () => {
  it("gives int8 as bigint and numeric as string", async () => {
    const db = await freshDatabase();
    try {
      const { rows } = await db.pool.query(
        "select 9007199254740993::int8 as a, 1.10::numeric as b, array[1, null]::int8[] as c, $1::int8 as d",
        [2n ** 63n - 1n],
      );
      expect(rows).to.deep.equal([{ a: 9007199254740993n, b: "1.10", c: [1n, null], d: 2n ** 63n - 1n }]);
    } finally {
      await db.close();
    }
  });

  it("ends a statement at its deadline", async () => {
    const db = await freshDatabase({ statementMs: 200 });
    expect(await rejection(db.pool.query("select pg_sleep(30)"))).to.include({ code: "57014" });
    await db.close();
  });

  it("survives the loss of connections in use and idle", async () => {
    const notices: string[] = [];
    const url = await freshDatabaseUrl();
    const db = await openDatabase({ url }, { onNotice: (text) => notices.push(text) });
    const other = await openDatabase({ url });
    const busy = await db.pool.connect();
    const idle = await db.pool.connect();
    const { rows } = await idle.query<{ pid: number }>("select pg_backend_pid() as pid");
    idle.release();
    const asleep = rejection(busy.query("select pg_sleep(30)"));
    await other.pool.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    expect(await asleep).to.include({ code: "57P01" });
    busy.release(true);
    let pid = rows[0]!.pid;
    await until(async () => {
      const again = await db.pool.query<{ pid: number }>("select pg_backend_pid() as pid").catch(() => null);
      pid = again?.rows[0]?.pid ?? pid;
      return pid !== rows[0]!.pid;
    });
    await until(() => notices.length > 0);
    await db.close();
    await other.close();
  });

  it("is not opened while somebody has it alone", async () => {
    const url = await freshDatabaseUrl();
    const first = await openDatabase({ url });
    expect(await rejection(openDatabase({ url }, { alone: true }))).to.include({ code: "locked" });
    await first.close();
    const alone = await openDatabase({ url }, { alone: true });
    const waiting = openDatabase({ url });
    await alone.close();
    await (await waiting).close();
  });

  it("refuses an old server, a server without fsync, and a standby", async () => {
    for (const [row, message] of [
      [["14.9", "140009", "on", "false"], /PostgreSQL 14\.9/],
      [["16.1", "160001", "off", "false"], /fsync off/],
      [["16.1", "160001", "on", "true"], /standby/],
    ] as const) {
      const { port, close } = await fakeServer(["version", "number", "fsync", "standby"], row);
      const error = await rejection(openDatabase({ url: `postgresql://me:${CANARY}@127.0.0.1:${port}/db` }));
      expect(error).to.include({ code: "config", where: `postgresql://me@127.0.0.1:${port}/db` });
      expect(error.message).to.match(message);
      expect(everything(error)).not.to.include(CANARY);
      close();
    }
  });

  it("tells a wrong password, a missing database and a server that is away, and never the password", async () => {
    const right = new URL(await freshDatabaseUrl());
    const cases: [string, (url: URL) => void][] = [
      ["secrets", (url) => (url.password = CANARY)],
      ["config", (url) => (url.pathname = "/nowhere")],
      ["network", (url) => ((url.port = "1"), (url.password = CANARY))],
    ];
    for (const [code, change] of cases) {
      const url = new URL(right);
      change(url);
      const error = await rejection(openDatabase({ url: url.href }));
      expect(error).to.be.instanceOf(ArbError);
      expect(error.code, error.message).to.equal(code);
      expect(everything(error)).not.to.include(CANARY).and.not.to.include(right.password);
    }
  });

  describe("by URL", () => {
    const parse = (rest: string) => parseDatabaseUrl(`postgresql://me:p%40ss@${rest}`);

    it("checks certificates of other machines unless it is told not to", () => {
      expect(parse("db.example.org/x").client.ssl).to.deep.equal({ rejectUnauthorized: true });
      expect(parse("db.example.org/x?sslmode=require").client.ssl).to.deep.equal({ rejectUnauthorized: true });
      expect(parse("db.example.org/x?sslmode=no-verify").client.ssl).to.deep.equal({ rejectUnauthorized: false });
      expect(parse("db.example.org/x?sslmode=disable").client.ssl).to.equal(false);
      for (const host of ["127.0.0.1", "localhost:5433", "[::1]"]) expect(parse(`${host}/x`).client.ssl).to.equal(false);
      expect(parse("localhost/x").client).to.include({ password: "p@ss", port: 5432, database: "x", user: "me" });
    });

    it("is refused when it is wrong, without being repeated", async () => {
      const wrong = [
        "mysql://a:PW@h/d",
        "PW",
        "postgresql://a:PW@h",
        "postgresql://:PW@h/d",
        "postgresql://a:PW%@h/d",
        "postgresql://a:PW@h/d?x=1",
        "postgresql://a:PW@h:99999/d",
        "postgresql://a:PW@h/d?sslmode=x",
      ];
      for (const url of wrong) {
        const error = await rejection(openDatabase({ url: url.replace("PW", CANARY) }));
        expect(error, url).to.include({ code: "config" });
        expect(everything(error)).not.to.include(CANARY);
      }
    });
  });
});

/** A server that lets everybody in and answers every query with one row of text. */
async function fakeServer(names: readonly string[], row: readonly string[]): Promise<{ port: number; close: () => void }> {
  const message = (type: string, body: Buffer) => {
    const head = Buffer.alloc(5);
    head.write(type);
    head.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  const int16 = (n: number) => Buffer.from([n >> 8, n & 255]);
  const int32 = (n: number) => Buffer.concat([int16(n >> 16), int16(n & 65_535)]);
  const ready = message("Z", Buffer.from("I"));
  const fields = names.map((n) =>
    Buffer.concat([Buffer.from(`${n}\0`), int32(0), int16(0), int32(25), int16(65_535), int32(0), int16(0)]),
  );
  const values = row.map((v) => Buffer.concat([int32(v.length), Buffer.from(v)]));
  const answer = Buffer.concat([
    message("T", Buffer.concat([int16(names.length), ...fields])),
    message("D", Buffer.concat([int16(row.length), ...values])),
    message("C", Buffer.from("SELECT 1\0")),
    ready,
  ]);
  const server = net.createServer((socket) => {
    let greeted = false;
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      if (!greeted) socket.write(Buffer.concat([message("R", int32(0)), ready]));
      else if (data[0] === 0x51) socket.write(answer);
      greeted = true;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as net.AddressInfo).port, close: () => server.close() };
}
