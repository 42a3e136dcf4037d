import { statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect } from "chai";
import { Secret } from "../../src/config/secrets.js";
import { openDatabase } from "../../src/database/open.js";
import { openJournalOf } from "../../src/journal/open.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { arb, jsonLines, PRIVATE_KEY, temporaryFolder } from "../helpers/arb.js";
import { freshDatabaseUrl } from "../helpers/database.js";

const BLOCK = `0x${"aa".repeat(32)}`;
const PAID = { gasUsed: 21_000n, gas: 5n, l1Fee: 0n, operatorFee: 0n };

describe("arb journal routes", () => {
  const { folder: cwd, remove } = temporaryFolder();
  after(remove);
  writeFileSync(path.join(cwd, "arb.config.jsonc"), JSON.stringify({ networks: { base: { rpc: ["env:BASE_RPC"] } } }));

  it("tells of every route what it answered, in what time, and how much of what it took has landed", async () => {
    const url = await freshDatabaseUrl();
    const routes = async (...flags: string[]) => await arb(["journal", "routes", ...flags], { cwd, env: { DATABASE_URL: url } });
    expect((await routes()).stdout).to.equal("nothing was sent yet\n");

    const { journal, close } = await openJournalOf({ url });
    const wallet = new WalletManager(new Secret(PRIVATE_KEY));
    const account = await journal.claim(1, wallet.address, async () => ({ latest: 0, pending: 0 }));
    const fees = { gasLimit: 30_000n, maxFeePerGas: 10n, maxPriorityFeePerGas: 1n };
    const call = { chainId: 1, to: wallet.address, data: "0x", value: 0n, ...fees };
    const build = (nonce: number) => ({ ...fees, ...wallet.sign({ ...call, nonce }) });
    const [first, second] = [await journal.prepare(account, "a", build), await journal.prepare(account, "b", build)];
    const accepted = { status: "accepted" } as const;
    const refused = { status: "refused", kind: "underpriced", detail: "too little" } as const;
    await journal.noteSend(first.hash, "mine", accepted, { tookMs: 20 });
    await journal.noteSend(second.hash, "mine", accepted, { tookMs: 40 });
    await journal.noteSend(second.hash, "mine", refused, { tookMs: 60 });
    await journal.noteSend(second.hash, "mine", { status: "unknown", detail: "late" }, { action: "cancel", targetBlock: 7n });
    await journal.noteSend(first.hash, "mine", refused, { action: "simulate", targetBlock: 7n });
    await journal.noteSend(first.hash, "node", { status: "unknown", detail: "late" });
    await journal.noteReceipt({ hash: first.hash, blockNumber: 7, blockHash: BLOCK, succeeded: true, logs: [], ...PAID }, []);
    await close();
    wallet.close();

    const json = await routes("--json");
    expect(json, json.stderr).to.include({ code: 0 });
    const zero = { accepted: 0, refused: 0, cancels: 0, cancelsFailed: 0, simulations: 0, simulationsFailed: 0, landed: 0 };
    expect(jsonLines(json).flat()).to.deep.equal([
      {
        ...zero,
        chainId: 1,
        route: "mine",
        accepted: 2,
        refused: 1,
        unknown: 0,
        transactions: 2,
        landed: 1,
        cancels: 1,
        cancelsFailed: 1,
        simulations: 1,
        simulationsFailed: 1,
        medianMs: 40,
      },
      { ...zero, chainId: 1, route: "node", unknown: 1, transactions: 1, medianMs: null },
    ]);
    expect((await routes()).stdout.split("\n")).to.deep.equal([
      "mine on Ethereum: 2 transactions, 1 of those it took have landed",
      "  sends: 2 accepted, 1 refused, 0 without a clear answer; 40 ms",
      "  cancels: 1, of which not confirmed 1",
      "  simulations: 1, of which failed 1",
      "node on Ethereum: 1 transactions, 0 of those it took have landed",
      "  sends: 0 accepted, 0 refused, 1 without a clear answer",
      "",
    ]);
  });
});

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

  it("prune takes the age from the configuration, and from its option before that", async () => {
    const ofBot = { cwd, env: { DATABASE_URL: await freshDatabaseUrl() } };
    const { db, close } = await openJournalOf({ url: ofBot.env.DATABASE_URL });
    await db.pool.query(
      `insert into journal.driver (id, host, pid, beat) values ('ended', 'here', 1, clock_timestamp() - interval '3 days')`,
    );
    await close();
    config("keep.jsonc", { keepDays: 2 });
    const prune = async (...flags: string[]) => await arb(["database", "prune", ...flags, "--json"], ofBot);
    for (const [flags, drivers] of [
      [["--config", "plain.jsonc"], 0],
      [["--config", "keep.jsonc", "--days", "9"], 0],
      [["--config", "keep.jsonc"], 1],
    ] as const) {
      const run = await prune(...flags);
      expect(run, run.stderr).to.include({ code: 0 });
      expect(jsonLines(run), flags.join(" ")).to.deep.equal([{ sends: 0, drivers, sagas: 0 }]);
    }
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
