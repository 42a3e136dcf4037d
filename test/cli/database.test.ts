import { statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect } from "chai";
import { openDatabase } from "../../src/database/open.js";
import { arb, jsonLines, temporaryFolder } from "../helpers/arb.js";
import { freshDatabaseUrl } from "../helpers/database.js";

describe("arb database", () => {
  const { folder: cwd, remove } = temporaryFolder();
  after(remove);
  const at = (name: string) => path.join(cwd, name);
  const config = (name: string, database: object | undefined) =>
    writeFileSync(at(name), JSON.stringify({ networks: { base: { rpc: ["env:BASE_RPC"] } }, ...(database ? { database } : {}) }));
  let url: string;
  before(async () => {
    url = await freshDatabaseUrl();
    config("folder.jsonc", { folder: "my data" });
    config("url.jsonc", { url: "env:THE_DATABASE" });
    config("plain.jsonc", undefined);
  });

  it("status makes no database", async () => {
    const run = await arb(["database", "status", "--config", "folder.jsonc", "--json"], { cwd });
    expect(run).to.include({ code: 0, stderr: "" });
    expect(jsonLines(run)).to.deep.equal([{ state: "absent", folder: at("my data") }]);
    const unset = await arb(["database", "status", "--config", "plain.jsonc"], { cwd });
    expect(unset.stdout).to.equal(`no database yet in ${at("arb-data")}\n`);
  });

  it("status, backup and restore work on a database by reference and by DATABASE_URL, and never print its password", async () => {
    const { password } = new URL(url);
    const byReference = { cwd, env: { THE_DATABASE: url } };
    const byEnvironment = { cwd, env: { DATABASE_URL: await freshDatabaseUrl() } };
    const status = await arb(["database", "status", "--config", "url.jsonc", "--json"], byReference);
    expect(jsonLines(status)[0]).to.include({ state: "running" });
    const backup = await arb(["database", "backup", "b", "--config", "url.jsonc", "--json"], byReference);
    expect(backup, backup.stderr).to.include({ code: 0 });
    expect(statSync(at("b")).mode & 0o777).to.equal(0o600);
    const again = await arb(["database", "backup", "b", "--config", "url.jsonc"], byReference);
    expect(again.code).to.equal(7);
    const restored = await arb(["database", "restore", "b", "--config", "plain.jsonc"], byEnvironment);
    expect(restored, restored.stderr).to.include({ code: 0 });
    for (const run of [status, backup, again, restored]) expect(run.stdout + run.stderr).not.to.include(password);
  });

  it("restore is refused while a program uses the database", async () => {
    const bot = await openDatabase({ url });
    const run = await arb(["database", "restore", "b", "--config", "url.jsonc", "--json"], { cwd, env: { THE_DATABASE: url } });
    await bot.close();
    expect(run.code).to.equal(9);
    expect(JSON.parse(run.stderr).error).to.include({ code: "locked", message: "another program has the database open" });
  });

  it("refuses a URL in the configuration itself, and a folder beside a URL", async () => {
    config("wrong.jsonc", { url: "postgresql://a:hidden-word@h/d" });
    const run = await arb(["database", "status", "--config", "wrong.jsonc"], { cwd });
    expect(run.code).to.equal(3);
    expect(run.stderr).to.include("by reference").and.not.to.include("hidden-word");
    config("both.jsonc", { url: "env:X", folder: "y" });
    expect((await arb(["database", "status", "--config", "both.jsonc"], { cwd })).stderr).to.include("a folder and a url");
  });
});
