import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { inspect } from "node:util";
import { expect } from "chai";
import { findBinaries, withLinks } from "../../src/database/binaries.js";
import { type Database, type DatabaseOptions, openDatabase } from "../../src/database/open.js";
import { ArbError } from "../../src/errors.js";
import { startDriver, until } from "../helpers/drivers.js";
import { rejection } from "../helpers/rejection.js";

const IS_ROOT = process.getuid?.() === 0;
const ROOT = path.resolve(import.meta.dirname, "..", "..");
/** A uid with a name and without rights. */
const NOBODY = 65_534;

describe("the embedded PostgreSQL", function () {
  let base: string;
  /** A folder with a database that was made and stopped; each test works on a copy. */
  let model: string;
  const open: Database[] = [];

  before(async () => {
    base = mkdtempSync(path.join(os.tmpdir(), "arb embedded-"));
    model = path.join(base, "model with spaces");
    const db = await openDatabase({ folder: model });
    await db.pool.query("create table kept (n int8)");
    await db.pool.query("insert into kept values (1)");
    await db.close();
  });
  afterEach(async () => {
    for (const db of open.splice(0)) await db.close();
  });
  after(() => rmSync(base, { recursive: true, force: true }));

  let count = 0;
  function copy(): string {
    const folder = path.join(base, `copy ${++count}`);
    cpSync(model, folder, { recursive: true, verbatimSymlinks: true });
    rmSync(path.join(folder, "postgres-18", "port"));
    chmodSync(path.join(folder, "postgres-18", "data"), 0o700);
    return folder;
  }
  async function start(folder: string, options: DatabaseOptions = {}): Promise<Database> {
    const db = await openDatabase({ folder }, options);
    open.push(db);
    return db;
  }
  const at = (folder: string, name: string) => path.join(folder, "postgres-18", name);
  const kept = async (db: Database) => (await db.pool.query<{ n: bigint }>("select n from kept")).rows.map((r) => r.n);
  const lives = (pid: number) => existsSync(`/proc/${pid}/stat`) && !/\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));

  it("keeps its password to its owner, listens on loopback only, and syncs", async () => {
    const folder = copy();
    const db = await start(folder);
    expect(statSync(at(folder, "password")).mode & 0o777).to.equal(0o600);
    expect(statSync(at(folder, "data")).mode & 0o077).to.equal(0);
    const show = async (name: string) => (await db.pool.query(`show ${name}`)).rows[0][name];
    expect(await show("listen_addresses")).to.equal("127.0.0.1");
    expect(await show("unix_socket_directories")).to.equal("");
    expect(await show("fsync")).to.equal("on");
    expect(await show("password_encryption")).to.equal("scram-sha-256");
    expect(
      readFileSync(at(folder, "data/pg_hba.conf"), "utf8")
        .split("\n")
        .filter((l) => /^(local|host)/.test(l) && !l.endsWith("scram-sha-256")),
    ).to.deep.equal([]);
  });

  it("is stopped by the last of two that close it", async () => {
    const folder = copy();
    const first = await openDatabase({ folder });
    const second = await openDatabase({ folder });
    const { pid } = first.server!;
    expect([first.server!.started, second.server!.started, second.server!.pid]).to.deep.equal([true, false, pid]);
    await first.close();
    expect(await kept(second)).to.deep.equal([1n]);
    await second.close();
    expect(existsSync(at(folder, "data/postmaster.pid"))).to.equal(false);
  });

  it("is adopted, on the same port, after the program that started it was killed", async () => {
    const folder = copy();
    const driver = await startDriver([folder]);
    await driver.kill();
    const db = await start(folder);
    expect(db.server).to.deep.include({ pid: driver.said["pid"], port: driver.said["port"], started: false });
    expect(await kept(db)).to.deep.equal([1n]);
  });

  it("recovers from a kill of everything, with the pid file left behind", async () => {
    const folder = copy();
    const driver = await startDriver([folder]);
    process.kill(driver.said["pid"] as number, "SIGKILL");
    await driver.kill();
    expect(existsSync(at(folder, "data/postmaster.pid"))).to.equal(true);
    const db = await start(folder);
    expect(db.server!.started).to.equal(true);
    expect(await kept(db)).to.deep.equal([1n]);
  });

  it("takes a pid file that names another program for stale", async () => {
    const folder = copy();
    writeFileSync(at(folder, "data/postmaster.pid"), `${process.pid}\n${at(folder, "data")}\n1\n5432\n\n127.0.0.1\n\nready\n`, {
      mode: 0o600,
    });
    expect((await start(folder)).server!.started).to.equal(true);
  });

  it("comes back on its port when it is killed under a living program", async () => {
    const notices: string[] = [];
    const db = await start(copy(), { onNotice: (text) => notices.push(text) });
    const before = db.server!;
    // in use at that moment: without a listener this ends the process
    const client = await db.pool.connect();
    process.kill(before.pid, "SIGKILL");
    await until(() => !lives(before.pid) || process.platform !== "linux");
    await until(async () =>
      client.query("select 1").then(
        () => false,
        () => true,
      ),
    );
    client.release(true);
    await until(
      async () =>
        db.pool.query("select 1").then(
          () => true,
          () => false,
        ),
      () => notices.join("; "),
    );
    expect(await kept(db)).to.deep.equal([1n]);
    await until(() => db.server!.pid !== before.pid);
    expect(db.server!.port).to.equal(before.port);
  });

  it("is made once by three that start at once in a new folder, where one was killed before", async () => {
    const folder = path.join(base, "at once");
    mkdirSync(path.join(folder, "postgres-18.new-999999999", "data"), { recursive: true });
    const drivers = await Promise.all([0, 1, 2].map(() => startDriver([folder])));
    const pids = new Set(drivers.map((d) => d.said["pid"] as number));
    expect(pids.size, JSON.stringify(drivers.map((d) => d.said))).to.equal(1);
    expect(drivers.filter((d) => d.said["started"]).length).to.equal(1);
    await Promise.all(drivers.map((d) => d.close()));
    expect(existsSync(at(folder, "data/postmaster.pid"))).to.equal(false);
    expect(readdirSync(folder).filter((n) => n.includes(".new-"))).to.deep.equal([]);
  });

  it("takes another port when its own is taken, and keeps that one", async () => {
    const folder = copy();
    const taken = net.createServer().listen(0, "127.0.0.1");
    await until(() => taken.listening);
    const { port } = taken.address() as net.AddressInfo;
    writeFileSync(at(folder, "port"), `${port}\n`);
    try {
      const db = await start(folder);
      expect(db.server!.port).not.to.equal(port);
      expect(Number(readFileSync(at(folder, "port"), "utf8"))).to.equal(db.server!.port);
    } finally {
      taken.close();
    }
  });

  it("says what to do when the password file is another one, and prints no password", async () => {
    const folder = copy();
    const right = readFileSync(at(folder, "password"), "utf8").trim();
    writeFileSync(at(folder, "password"), "canary-of-a-password\n", { mode: 0o600 });
    const error = await rejection(openDatabase({ folder }));
    expect(error).to.include({ code: "secrets", where: at(folder, "password") });
    expect(inspect(error, { depth: 9 })).not.to.match(/canary-of/);
    writeFileSync(at(folder, "password"), `${right}\n`, { mode: 0o600 });
    const db = await start(folder);
    expect(`${inspect(db, { depth: 9, showHidden: false })}${JSON.stringify(db.secretUrl)}${db.url}`).not.to.include(right);
  });

  it("refuses a password file that others can read", async () => {
    const folder = copy();
    chmodSync(at(folder, "password"), 0o644);
    expect(await rejection(openDatabase({ folder }))).to.include({
      code: "secrets",
      hint: `run: chmod 600 ${at(folder, "password")}`,
    });
  });

  it("tells damaged data, a file in its place, and a platform without a package", async () => {
    const folder = copy();
    rmSync(at(folder, "data/PG_VERSION"));
    expect((await rejection(openDatabase({ folder }))).message).to.match(/damaged/);
    const file = path.join(base, "file");
    writeFileSync(file, "");
    for (const place of [file, path.join(file, "below")])
      expect(await rejection(openDatabase({ folder: place }))).to.include({ code: "config" });
    expect(() => findBinaries("sunos", "sparc")).to.throw(ArbError, /not installed for this platform/);
  });

  it("says in its error what PostgreSQL logged", async () => {
    const folder = copy();
    writeFileSync(at(folder, "data/postgresql.conf"), "no_such_setting = 1\n", { flag: "a" });
    const error = await rejection(openDatabase({ folder }));
    expect(error.message).to.match(/unrecognized configuration parameter "no_such_setting"/);
  });

  describe("its libraries", () => {
    function installation(): string {
      const home = path.join(base, `installed ${++count}`);
      cpSync(findBinaries().native, path.join(home, "native"), { recursive: true, verbatimSymlinks: true });
      for (const name of readdirSync(path.join(home, "native", "lib")))
        if (lstatSync(path.join(home, "native", "lib", name)).isSymbolicLink()) rmSync(path.join(home, "native", "lib", name));
      return path.join(home, "native");
    }
    const runs = (native: string, env: Record<string, string>, ids = {}) =>
      spawnSync(path.join(native, "bin", "postgres"), ["--version"], { env, encoding: "utf8", cwd: "/", ...ids }).stdout;

    it("are linked where npm's install scripts were blocked, any number of times", () => {
      const native = installation();
      expect(runs(native, {})).to.equal("");
      for (let i = 0; i < 2; i++) {
        const { env } = withLinks({ version: "", native, env: {} }, path.join(base, "unused"));
        expect(runs(native, env)).to.match(/PostgreSQL/);
      }
      expect(existsSync(path.join(base, "unused"))).to.equal(false);
    });

    it("are linked elsewhere where the package cannot be written", function () {
      const native = installation();
      const spare = path.join(base, "spare links");
      chmodSync(path.join(native, "lib"), 0o555);
      if (IS_ROOT) {
        // root writes everywhere: let an ordinary user make the links
        if (!reachable(NOBODY)) this.skip();
        chmodSync(base, 0o755);
        mkdirSync(spare);
        chownSync(spare, NOBODY, NOBODY);
        const code = `import { withLinks } from "./src/database/binaries.ts"; console.log(JSON.stringify(withLinks({ version: "", native: ${JSON.stringify(native)}, env: {} }, ${JSON.stringify(spare)}).env))`;
        const run = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", code], {
          cwd: ROOT,
          uid: NOBODY,
          gid: NOBODY,
          encoding: "utf8",
          env: { HOME: "/tmp" },
        });
        expect(run.status, run.stderr).to.equal(0);
        expect(runs(native, JSON.parse(run.stdout) as Record<string, string>)).to.match(/PostgreSQL/);
      } else {
        for (let i = 0; i < 2; i++)
          expect(runs(native, withLinks({ version: "", native, env: {} }, spare).env)).to.match(/PostgreSQL/);
      }
      chmodSync(path.join(native, "lib"), 0o755);
    });
  });

  describe("as root", () => {
    before(function () {
      if (!IS_ROOT) this.skip();
    });

    it("runs in a user namespace, or as an unprivileged account, on the same data, below a private folder", async function () {
      const folder = copy();
      chmodSync(base, 0o700);
      const canNamespace = spawnSync("unshare", ["--user", "--map-user=65534", "true"]).status === 0;
      for (const as of ["account", ...(canNamespace ? ["namespace"] : []), "account"] as const) {
        const db = await openDatabase({ folder }, { as: as as "account" });
        expect(await kept(db)).to.deep.equal([1n]);
        const owner = statSync(at(folder, "data")).uid;
        if (as === "namespace") expect(owner).to.equal(0);
        else expect(owner).not.to.equal(0);
        await db.close();
      }
    });

    it("is made as an unprivileged account below a private folder", async () => {
      const db = await start(path.join(base, "fresh for an account"), { as: "account" });
      expect((await db.pool.query("select 1 as one")).rows).to.deep.equal([{ one: 1 }]);
    });

    it("runs as the ordinary user in whose place the folder lies, who may use it alone afterwards", async function () {
      const folder = copy();
      const place = path.join(base, "place of a user");
      mkdirSync(place);
      cpSync(folder, path.join(place, "db"), { recursive: true, verbatimSymlinks: true });
      spawnSync("chown", ["-R", `${NOBODY}:${NOBODY}`, place]);
      chmodSync(path.join(place, "db", "postgres-18", "data"), 0o700);
      const db = await start(path.join(place, "db"));
      expect(statSync(`/proc/${db.server!.pid}`).uid).to.equal(NOBODY);
      expect(await kept(db)).to.deep.equal([1n]);
      await db.close();
      const foreign = spawnSync("find", [place, "!", "-user", String(NOBODY)], { encoding: "utf8" });
      expect(foreign.stdout).to.equal("");
      if (!reachable(NOBODY)) return;
      chmodSync(base, 0o755);
      const driver = await startDriver([path.join(place, "db")], { uid: NOBODY, gid: NOBODY, home: "/tmp" });
      await driver.close();
      expect(driver.said).to.include({ started: true, uid: NOBODY });
    });

    it("tells an ordinary user that the folder is another's", async function () {
      if (!reachable(NOBODY)) this.skip();
      chmodSync(base, 0o755);
      const folder = copy();
      const driver = await startDriver([folder], { uid: NOBODY, gid: NOBODY, home: "/tmp" });
      await driver.close();
      expect(driver.said).to.include({ code: "config", error: "the database's folder cannot be read or written" });
      const fresh = await startDriver([path.join(base, "not theirs")], { uid: NOBODY, gid: NOBODY, home: "/tmp" });
      await fresh.close();
      expect(fresh.said).to.include({ code: "config", error: "the database's folder cannot be read or written" });
    });
  });
});

/** Whether a user can read this checkout: in a private folder it cannot. */
function reachable(uid: number): boolean {
  const file = path.join(ROOT, "test", "database", "driver.ts");
  return (
    spawnSync("/bin/sh", ["-c", `test -r "$1" && test -x "$2"`, "sh", file, process.execPath], { uid, gid: uid }).status === 0
  );
}
