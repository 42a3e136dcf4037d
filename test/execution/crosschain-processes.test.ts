import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { expect } from "chai";
import type { Database } from "../../src/database/open.js";
import { toStored } from "../../src/inventory/stored.js";
import type { WalletManager } from "../../src/wallet/wallet-manager.js";
import { strandedSagas } from "../../src/transfers/takeover.js";
import { A, B, balances, openCrossChainSite, type Site, unbooked, until, USDC } from "../helpers/cross-chain.js";
import { journalDatabase } from "../helpers/journal.js";

type Said = { ready?: string; started?: string; ended?: string; outcome?: string; fault?: string; lost?: string };

// minutes on a busy machine, so only on request
const onRequest = process.env["SAGAS"] === undefined ? describe.skip : describe;

onRequest("cross-chain executor: drivers in processes of their own on one database", function () {
  this.timeout(240_000);
  let site: Site;
  let db: Database;
  let wallet: WalletManager;
  let key: string;
  let start: Map<string, bigint>;
  const children: ChildProcess[] = [];

  before(async () => {
    site = await openCrossChainSite();
    db = await journalDatabase();
    ({ wallet, key } = await site.wallet({ [A]: { USDC: 20_000n * USDC } }));
    start = await balances(site, wallet.address);
    await site.move(A, "WETH", 60_000);
  });
  after(async () => {
    for (const child of children) {
      child.kill("SIGCONT");
      child.kill("SIGKILL");
    }
    await db.close();
    await site.close();
  });

  function driver() {
    const urls = JSON.stringify(Object.fromEntries([A, B].map((c) => [c, site.world.chain(c).url])));
    const args = ["--import", "tsx", path.join(import.meta.dirname, "crosschain-driver.ts"), db.secretUrl.reveal(), key, urls];
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    children.push(child);
    const said: Said[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => said.push(JSON.parse(line) as Said));
    return {
      child,
      said,
      gone: once(child, "close"),
      ready: async () =>
        await until("a driver that is ready", () => Promise.resolve(said.some((s) => s.ready !== undefined)), 60),
      start: (id: string) => child.stdin.write(`${toStored({ opportunity: site.opportunity(id, { amountIn: 500n * USDC }) })}\n`),
    };
  }
  const open = async (): Promise<string[]> =>
    (await db.pool.query<{ id: string }>(`select id from crosschain.saga where finished_at is null`)).rows.map((r) => r.id);
  const flying = async (): Promise<number> =>
    (await db.pool.query(`select 1 from crosschain.transfer where started_at is not null and ended is null`)).rows.length;
  const allEnd = async (ids: string[]): Promise<string[]> =>
    await until(
      `the end of ${ids.join(", ")}`,
      async () => {
        await site.across.step();
        const { rows } = await db.pool.query<{ outcome: string }>(
          `select outcome from crosschain.saga where id = any($1) and outcome is not null`,
          [ids],
        );
        return rows.length === ids.length ? rows.map((r) => r.outcome) : null;
      },
      90,
    );
  /** Every transfer once, every leg once, nothing left over, books equal to the chains. */
  const nothingTwice = async (): Promise<void> => {
    const deposits = await db.pool.query<{ n: number }>(
      `select count(*)::int as n from crosschain.transfer where started_at is not null group by saga, split_part(leg, '.', 1) having count(*) > 1`,
    );
    expect(deposits.rows).to.deep.equal([]);
    const legs = await db.pool.query(
      `select split_part(t.id, '.', 1) from journal.intent t join journal.inclusion i using (chain_id, account, nonce)
       where i.taken_back_at is null and i.succeeded and t.id ~ ':(buy|sell)[.][0-9]+$' group by 1 having count(*) > 1`,
    );
    expect(legs.rows).to.deep.equal([]);
    expect(await unbooked(site, db, wallet.address, start)).to.deep.equal([]);
    expect((await db.pool.query(`select * from crosschain.reservation`)).rows).to.deep.equal([]);
  };

  it("a killed driver's sagas go on in another; a frozen one is followed, and does no harm when it wakes", async () => {
    const first = driver();
    await first.ready();
    const ids = ["kill-1", "kill-2", "kill-3"];
    for (const id of ids) first.start(id);
    await until("transfers under way", async () => (await flying()) > 0 && (await open()).length === 3, 60);
    first.child.kill("SIGKILL");
    await first.gone;
    const second = driver();
    await second.ready();
    expect(await allEnd(ids)).to.deep.equal(["profit", "profit", "profit"]);
    await nothingTwice();

    for (const id of ["freeze-1", "freeze-2"]) second.start(id);
    await until("a transfer under way", async () => (await flying()) > 0, 60);
    const third = driver();
    await third.ready();
    second.child.kill("SIGSTOP");
    const moved = await until(
      "the takeover",
      async () => {
        const { rows } = await db.pool.query<{ n: number }>(
          `select count(*)::int as n from dbos.workflow_status where status in ('PENDING', 'SUCCESS') and executor_id = $1`,
          [third.said.find((s) => s.ready !== undefined)!.ready],
        );
        return (rows[0]?.n ?? 0) > 0;
      },
      60,
    );
    expect(moved).to.equal(true);
    expect((await allEnd(["freeze-1", "freeze-2"])).every((o) => o === "profit")).to.equal(true);
    second.child.kill("SIGCONT");
    await until("the woken driver's next sign of life", async () => {
      const { rows } = await db.pool.query(
        `select 1 from journal.driver where id = $1 and beat > clock_timestamp() - interval '1 s'`,
        [second.said.find((s) => s.ready !== undefined)!.ready],
      );
      return rows.length > 0;
    });
    await nothingTwice();
    expect([...first.said, ...second.said, ...third.said].filter((s) => s.lost !== undefined)).to.deep.equal([]);
  });

  it("sagas of another version are flagged by name, never silent", async () => {
    expect(await strandedSagas(db)).to.deep.equal([]);
    await db.pool.query(
      `update dbos.workflow_status set application_version = 'saga-0', status = 'PENDING' where workflow_uuid = 'saga/kill-1'`,
    );
    expect(await strandedSagas(db)).to.deep.equal([{ id: "saga/kill-1", version: "saga-0", status: "PENDING" }]);
    const late = driver();
    const flagged = await until("the flag", () => Promise.resolve(late.said.find((s) => s.fault?.includes("saga/kill-1"))), 60);
    expect(flagged.fault).to.include("saga-0");
  });
});
