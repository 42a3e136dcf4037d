import { expect } from "chai";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { networkById } from "../../src/config/networks.js";
import { Secret } from "../../src/config/secrets.js";
import { migrate } from "../../src/database/migrate.js";
import { type Database, openDatabase } from "../../src/database/open.js";
import { MIGRATIONS } from "../../src/database/schema.js";
import { makeEngineTables } from "../../src/transfers/engine.js";
import { TransferStore } from "../../src/transfers/store.js";
import type { Estimate, SagaResult } from "../../src/transfers/types.js";
import { SAGA_VERSION } from "../../src/transfers/version.js";
import { arb, jsonLines, type Run, temporaryFolder } from "../helpers/arb.js";
import { freshDatabaseUrl } from "../helpers/database.js";

const ACCOUNT = `0x${"ab".repeat(20)}`;
const [BASE, ARBITRUM] = [8453, 42161];
const USDC = 10n ** 6n;
const tokenOf = (chainId: number, symbol: string): string =>
  networkById(chainId)!.tokens.find((t) => t.symbol === symbol)!.address;
const hop = (chainId: number, from: string, to: string) => ({
  chainId,
  venue: "uniswap-v2" as const,
  pool: `0x${"90".repeat(20)}`,
  tokenIn: tokenOf(chainId, from),
  tokenOut: tokenOf(chainId, to),
  feePips: 3000,
});

describe("arb transfers hold, recover and close, in processes of their own", function () {
  this.timeout(120_000);
  const { folder: cwd, remove } = temporaryFolder();
  let db: Database;
  let store: TransferStore;

  before(async () => {
    const url = await freshDatabaseUrl();
    db = await openDatabase({ url: new Secret(url) }, { name: "transfers" });
    await migrate(db, MIGRATIONS);
    await makeEngineTables(db, { tables: [{ name: "dbos.workflow_status" }] } as never);
    store = new TransferStore(db, () => {
      throw new Error("no network is needed");
    });
    writeFileSync(path.join(cwd, "database-url"), url, { mode: 0o600 });
    // no network is asked
    const networks = { base: { rpc: ["http://127.0.0.1:9"] }, arbitrum: { rpc: ["http://127.0.0.1:9"] } };
    writeFileSync(path.join(cwd, "arb.config.jsonc"), JSON.stringify({ networks, database: { url: "file:database-url" } }));
  });
  after(async () => {
    await db.close();
    remove();
  });

  async function open(id: string): Promise<void> {
    const opportunity = {
      version: "opportunity.v1" as const,
      id,
      buy: hop(BASE, "USDC", "WETH"),
      sell: hop(ARBITRUM, "WETH", "USDC"),
      amountIn: 3_000n * USDC,
      mode: "bridge" as const,
      bridges: null,
      returnToSource: true,
      deadline: null,
      source: null,
    };
    await store.open({ opportunity, mode: "bridge", account: ACCOUNT, estimate: { profit: 5n } as Estimate }, []);
    const risk = { chainId: BASE, token: tokenOf(BASE, "WETH"), amount: 10n ** 18n };
    await store.stand(id, { state: "in-flight", waitsFor: "a relayer", risk });
    const place = { chainId: BASE, holder: ACCOUNT, token: risk.token };
    await store.own({ saga: id, account: ACCOUNT, workflow: `saga/${id}` }, [{ ...place, amount: risk.amount }]);
  }
  async function hold(id: string): Promise<void> {
    await open(id);
    const result = { outcome: "held", reason: "no pool takes it", books: [], decisions: [], net: 0n } as unknown as SagaResult;
    await store.finish({ saga: id, account: ACCOUNT, workflow: `saga/${id}` }, "held", result);
  }
  /** Its workflow, as a driver that is away has left it. */
  const running = async (id: string): Promise<void> =>
    void (await db.pool.query(
      `insert into dbos.workflow_status (workflow_uuid, status, name, application_version, executor_id) values ($1, 'PENDING', 'x', $2, 'away')`,
      [`saga/${id}`, SAGA_VERSION],
    ));
  const heard = async (id: string): Promise<unknown[]> => {
    const text = `select topic, message from dbos.notifications where destination_uuid = $1 order by created_at_epoch_ms`;
    const { rows } = await db.pool.query<{ topic: string; message: string }>(text, [`saga/${id}`]);
    return rows.map((r) => [r.topic, /"choice":\s*"([a-z-]+)"/.exec(r.message)?.[1]]);
  };
  const reserved = async (id: string): Promise<number> =>
    (await db.pool.query(`select 1 from crosschain.reservation where saga = $1`, [id])).rows.length;
  const transfers = async (...args: string[]): Promise<Run> => await arb(["transfers", ...args], { cwd, deadlineMs: 60_000 });
  const refusal = (run: Run): unknown => {
    expect(run.stdout).to.equal("");
    return (JSON.parse(run.stderr) as { error: unknown }).error;
  };

  it("hold and recover leave word for a running trade's driver; a held one notes it in its row", async () => {
    await open("flies");
    await running("flies");
    await hold("rests");
    const told = await transfers("hold", "flies", "--json");
    expect(told.code, told.stderr).to.equal(0);
    expect(jsonLines(told)).to.deep.equal([{ id: "flies", told: "hold", held: false }]);
    const text = await transfers("recover", "flies", "--choice", "speed-up");
    expect([text.code, text.stdout]).to.deep.equal([0, "flies was told: speed-up\n"]);
    const look = await transfers("recover", "flies");
    expect([look.code, look.stdout]).to.deep.equal([0, "flies was told: looks again at once\n"]);
    expect(await heard("flies")).to.deep.equal([
      ["command", "hold"],
      ["command", "speed-up"],
      ["command", "look"],
    ]);
    expect((await store.saga("flies"))?.wish).to.equal(null);

    const held = await transfers("hold", "rests", "--json");
    expect(jsonLines(held)).to.deep.equal([{ id: "rests", told: "hold", held: true }]);
    const again = await transfers("recover", "rests", "--choice", "claim-refund");
    expect(again.stdout).to.equal(
      "rests is held, and goes on (claim-refund) with the driver that runs with its account, or the next that starts\n",
    );
    expect([(await store.saga("rests"))?.wish, await heard("rests")]).to.deep.equal(["claim-refund", []]);
    const listed = await transfers("list");
    expect(listed.stdout).to.match(
      /^rests \(bridge, \d+ s\): held, waits for a driver with its account, to go on \(claim-refund\), at risk 1 WETH on Base$/m,
    );
  });

  it("close ends a held trade, gives back what it had reserved, and keeps it for the books", async () => {
    for (const id of ["sold", "moved"]) await hold(id);
    const listed = await transfers("list");
    expect(listed.stdout).to.match(
      /^sold \(.*: held, waits for the operator: no pool takes it; arb transfers resume sold, at risk 1 WETH on Base$/m,
    );
    const json = await transfers("close", "sold", "--reason", "sold on an exchange", "--json");
    expect(json.code, json.stderr).to.equal(0);
    expect(jsonLines(json)).to.deep.equal([{ id: "sold", closed: true, reason: "sold on an exchange" }]);
    const text = await transfers("close", "moved");
    expect([text.code, text.stdout]).to.deep.equal([0, "moved is closed: taken over by hand\n"]);
    expect([await reserved("sold"), await reserved("moved")]).to.deep.equal([0, 0]);

    const [left, all, shown] = [
      await transfers("list"),
      await transfers("list", "--all", "--json"),
      await transfers("show", "sold", "--json"),
    ];
    expect(left.stdout).to.not.match(/^(sold|moved) /m);
    const rows = (jsonLines(all)[0]!["trades"] as Record<string, unknown>[]).filter((t) => t["id"] === "sold");
    expect(rows.map((t) => [t["outcome"], t["atRisk"]])).to.deep.equal([["closed", null]]);
    expect(jsonLines(shown)[0]!["result"]).to.include({ outcome: "closed", reason: "sold on an exchange" });
    const resumed = await transfers("resume", "sold");
    expect([resumed.code, /sold has ended: closed/.test(resumed.stderr)]).to.deep.equal([2, true]);
  });

  it("an id that there is none of is a fault of the command", async () => {
    for (const command of ["hold", "recover", "close"]) {
      const text = await transfers(command, "nobody");
      expect([text.code, text.stdout], command).to.deep.equal([2, ""]);
      expect(text.stderr).to.match(/there is no cross-chain trade nobody \(at arb transfers list --all\)/);
    }
    expect(refusal(await transfers("close", "nobody", "--json"))).to.include({
      code: "usage",
      message: "there is no cross-chain trade nobody",
    });
  });

  it("what is not held is not closed, nor what was told to go on: each says why, and what to do", async () => {
    await open("still-flies");
    await hold("told");
    await store.wish("told", "look");
    const flying = await transfers("close", "still-flies", "--json");
    expect(flying.code).to.equal(7);
    expect(refusal(flying)).to.deep.equal({
      code: "refused",
      message: "still-flies cannot be closed: it is not held",
      where: "arb transfers show",
      hint: "arb transfers resume still-flies",
    });
    const told = await transfers("close", "told");
    expect([told.code, told.stdout]).to.deep.equal([7, ""]);
    expect(told.stderr).to.match(/told cannot be closed: a driver was told to go on with it/);
    expect([await reserved("still-flies"), await reserved("told")]).to.deep.equal([1, 1]);
  });
});
