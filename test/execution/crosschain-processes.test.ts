import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { expect } from "chai";
import { hexlify, randomBytes } from "ethers";
import type { Database } from "../../src/database/open.js";
import type { CrossChainOpportunity } from "../../src/opportunity/cross-chain.js";
import { toStored } from "../../src/inventory/stored.js";
import type { WalletManager } from "../../src/wallet/wallet-manager.js";
import { queueOf, strandedSagas } from "../../src/transfers/takeover.js";
import { SAGA_VERSION } from "../../src/transfers/version.js";
import { A, B, balances, openCrossChainSite, type Site, unbooked, until as untilSo, USDC } from "../helpers/cross-chain.js";
import { journalDatabase } from "../helpers/journal.js";

type Said = { ready?: string; started?: string; ended?: string; outcome?: string; fault?: string; lost?: string };

describe("cross-chain executor: drivers in processes of their own on one database", function () {
  this.timeout(240_000);
  let site: Site;
  let db: Database;
  let wallet: WalletManager;
  let key: string;
  let start: Map<string, bigint>;
  const children: ChildProcess[] = [];
  const heard: Said[][] = [];

  before(async () => {
    site = await openCrossChainSite();
    db = await journalDatabase();
    ({ wallet, key } = await site.wallet({ [A]: { USDC: 20_000n * USDC } }));
    start = await balances(site, wallet.address);
    await site.move(A, "WETH", 60_000);
  });
  afterEach(async () => {
    for (const child of children.splice(0).filter((c) => c.exitCode === null && c.signalCode === null)) {
      child.kill("SIGKILL");
      await once(child, "close");
    }
  });
  after(async () => {
    await db.close();
    await site.close();
  });

  /** Bounded; says what the drivers said where it was not so in time. */
  async function until<T>(what: string, ask: () => Promise<T | null | false | undefined>): Promise<T> {
    try {
      return await untilSo(what, ask, 90);
    } catch (error) {
      const { rows } = await db.pool.query<{ id: string }>(
        `select id, state, waits_for, outcome, status, application_version, executor_id
         from crosschain.saga left join dbos.workflow_status on workflow_uuid = 'saga/' || id where finished_at is null`,
      );
      const drivers = heard.splice(0).map(
        (said, i) =>
          `driver ${i}: ${said
            .slice(-10)
            .map((s) => JSON.stringify(s))
            .join(" ")}`,
      );
      throw new Error([(error as Error).message, ...drivers, ...rows.map((r) => JSON.stringify(r))].join("\n"), { cause: error });
    }
  }
  function driver(leaseMs = 6_000, stopAt = "", ofKey = key) {
    const urls = JSON.stringify(Object.fromEntries([A, B].map((c) => [c, site.world.chain(c).url])));
    const file = path.join(import.meta.dirname, "crosschain-driver.ts");
    const args = ["--import", "tsx", file, db.secretUrl.reveal(), ofKey, urls, String(leaseMs), stopAt];
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    children.push(child);
    const said: Said[] = [];
    heard.push(said);
    createInterface({ input: child.stdout }).on("line", (line) => said.push(JSON.parse(line) as Said));
    return {
      child,
      said,
      gone: once(child, "close"),
      ready: async () => await until("a driver that is ready", () => Promise.resolve(said.some((s) => s.ready !== undefined))),
      start: (id: string, change: Partial<CrossChainOpportunity> = {}) =>
        child.stdin.write(`${toStored({ opportunity: site.opportunity(id, { amountIn: 500n * USDC, ...change }) })}\n`),
    };
  }
  const open = async (): Promise<string[]> =>
    (await db.pool.query<{ id: string }>(`select id from crosschain.saga where finished_at is null`)).rows.map((r) => r.id);
  const flying = async (): Promise<number> =>
    (await db.pool.query(`select 1 from crosschain.transfer where started_at is not null and ended is null`)).rows.length;
  const allEnd = async (ids: string[]): Promise<string[]> =>
    await until(`the end of ${ids.join(", ")}`, async () => {
      await site.across.step();
      const { rows } = await db.pool.query<{ outcome: string }>(
        `select outcome from crosschain.saga where id = any($1) and outcome is not null`,
        [ids],
      );
      return rows.length === ids.length ? rows.map((r) => r.outcome) : null;
    });
  /**
   * One that was cut off between its approval and its deposit finds another saga's approval in its place: its start fails, and it takes the
   * cheapest way of then, which may be a sale in another pool of the source.
   */
  const good = (outcome: string): boolean => outcome === "profit" || outcome === "sold-at-source";
  /** For messages: how sagas ended, and what was decided on their way. */
  const decided = async (ids: string[]): Promise<string> => {
    const { rows } = await db.pool.query(
      `select id, result ->> 'reason' as reason, result -> 'decisions' as decisions from crosschain.saga where id = any($1)`,
      [ids],
    );
    return JSON.stringify(rows);
  };
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
    await until("transfers under way", async () => (await flying()) > 0 && (await open()).length === 3);
    const stranger = driver(6_000, "", hexlify(randomBytes(32)));
    await stranger.ready();
    first.child.kill("SIGKILL");
    await first.gone;
    // a driver without the account's key leaves them to those that have it
    await until("all of them wait for a driver with the key", async () => {
      const { rows } = await db.pool.query<{ queue: string }>(
        `select queue_name as queue from dbos.workflow_status where status = 'ENQUEUED'`,
      );
      return rows.length === 3 && rows.every((r) => r.queue === queueOf(wallet.address));
    });
    const second = driver();
    await second.ready();
    expect((await allEnd(ids)).every(good), await decided(ids)).to.equal(true);
    await nothingTwice();

    for (const id of ["freeze-1", "freeze-2"]) second.start(id);
    await until("both open, and a transfer under way", async () => (await flying()) > 0 && (await open()).length === 2);
    const third = driver();
    await third.ready();
    second.child.kill("SIGSTOP");
    const moved = await until("the takeover", async () => {
      const { rows } = await db.pool.query<{ n: number }>(
        `select count(*)::int as n from dbos.workflow_status where status in ('PENDING', 'SUCCESS') and executor_id = $1`,
        [third.said.find((s) => s.ready !== undefined)!.ready],
      );
      return (rows[0]?.n ?? 0) > 0;
    });
    expect(moved).to.equal(true);
    const frozen = ["freeze-1", "freeze-2"];
    expect((await allEnd(frozen)).every(good), await decided(frozen)).to.equal(true);
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

  it("a driver that wakes with its accounts, after its sagas went to another, hands them over", async () => {
    const idOf = (of: ReturnType<typeof driver>) => of.said.find((s) => s.ready !== undefined)!.ready;
    const sagas = ["saga/wake-1", "saga/wake-2"];
    const running = async (id: string | undefined): Promise<boolean> => {
      const { rows } = await db.pool.query(
        `select 1 from dbos.workflow_status where workflow_uuid = any($1) and executor_id = $2 and status = 'PENDING'`,
        [sagas, id],
      );
      return rows.length === 2;
    };
    const ownerOf = async (chainId: number) =>
      (await db.pool.query<{ owner: string }>(`select owner from journal.account where chain_id = $1`, [chainId])).rows[0]?.owner;
    // the leases outlive the test: only who has an account can give it back
    const sleeper = driver(3_600_000, "wake-2 buy.");
    await sleeper.ready();
    for (const id of ["wake-1", "wake-2"]) sleeper.start(id);
    await until("both of them running, and the account taken", async () => {
      return (await running(idOf(sleeper))) && (await ownerOf(A)) === idOf(sleeper);
    });
    const heir = driver(3_600_000);
    await heir.ready();
    await until("the takeover", async () => await running(idOf(heir)));
    expect(await ownerOf(A)).to.equal(idOf(sleeper));
    sleeper.child.kill("SIGCONT");
    expect(await allEnd(["wake-1", "wake-2"])).to.deep.equal(["profit", "profit"]);
    await nothingTwice();
    expect(await ownerOf(A)).to.equal(idOf(heir));
    expect([...sleeper.said, ...heir.said].filter((s) => s.lost !== undefined)).to.deep.equal([]);
  });

  it("a saga that the previous version began goes on under the present one, to the same end", async () => {
    const before = driver();
    await before.ready();
    before.start("earlier");
    await until("a transfer under way", async () => (await flying()) > 0);
    before.child.kill("SIGKILL");
    await before.gone;
    await writeAsSaga1(db, "saga/earlier");
    expect(await strandedSagas(db)).to.deep.equal([]);
    const next = driver();
    await next.ready();
    expect(await allEnd(["earlier"])).to.deep.equal(["profit"]);
    await nothingTwice();
    // also on the network where the second driver had nothing to send
    const ended = await db.pool.query(`select result ->> 'final' as final from crosschain.saga where id = 'earlier'`);
    expect(ended.rows).to.deep.equal([{ final: "true" }]);
    const { rows } = await db.pool.query<{ version: string; status: string }>(
      `select application_version as version, status from dbos.workflow_status where workflow_uuid = 'saga/earlier'`,
    );
    expect(rows).to.deep.equal([{ version: SAGA_VERSION, status: "SUCCESS" }]);
  });

  it("sagas of a version that is not continued are flagged by name, never silent", async () => {
    expect(await strandedSagas(db)).to.deep.equal([]);
    const old = driver();
    await old.ready();
    old.start("old", { deadline: 1 });
    await until("its end", () => Promise.resolve(old.said.some((s) => s.ended === "old")));
    old.child.kill("SIGKILL");
    await old.gone;
    await db.pool.query(
      `update dbos.workflow_status set application_version = 'saga-0', status = 'PENDING' where workflow_uuid = 'saga/old'`,
    );
    expect(await strandedSagas(db)).to.deep.equal([{ id: "saga/old", version: "saga-0", status: "PENDING" }]);
    const late = driver();
    const flagged = await until("the flag", () => Promise.resolve(late.said.find((s) => s.fault?.includes("saga/old"))));
    expect(flagged.fault).to.include("saga-0");
  });
});

/**
 * The steps of a saga as saga-1 would have recorded them: without the marks of later changes and the steps that came with them, with its
 * own numbers, and without what its steps did not give.
 */
async function writeAsSaga1(on: Database, workflow: string): Promise<void> {
  type Step = { function_id: number; function_name: string; output: string | null };
  const { rows } = await on.pool.query<Step>(
    `select function_id, function_name, output from dbos.operation_outputs where workflow_uuid = $1 order by function_id`,
    [workflow],
  );
  const isLater = (r: Step): boolean => /^DBOS[.]patch-|^target-price#/.test(r.function_name);
  const later = rows.filter(isLater).map((r) => r.function_id);
  let steps = 0;
  const kept = rows
    .filter((r) => !isLater(r))
    .map((r) => {
      // a wait that was cut off has the row of its end before that of its answer: numbers without a row stay without one
      const id = r.function_id - later.filter((l) => l < r.function_id).length;
      const named = /^(.*)#\d+$/.exec(r.function_name);
      const name = named ? `${named[1]}#${steps++}` : r.function_name;
      const output = r.output === null ? null : (JSON.parse(r.output) as { json?: { value?: Record<string, unknown> } | number });
      if (
        output !== null &&
        typeof output.json === "object" &&
        output.json.value != null &&
        typeof output.json.value === "object"
      ) {
        delete output.json.value["times"];
        delete output.json.value["failure"];
      }
      return { from: r.function_id, id, name, output: output === null ? null : JSON.stringify(output) };
    });
  const sql = await on.pool.connect();
  try {
    await sql.query("begin");
    await sql.query(`delete from dbos.operation_outputs where workflow_uuid = $1 and not function_id = any($2)`, [
      workflow,
      kept.map((k) => k.from),
    ]);
    // in rising order, so that no number is taken twice
    for (const { from, id, name, output } of kept)
      await sql.query(
        `update dbos.operation_outputs set function_id = $3, function_name = $4, output = $5 where workflow_uuid = $1 and function_id = $2`,
        [workflow, from, id, name, output],
      );
    await sql.query(`update dbos.workflow_status set application_version = 'saga-1' where workflow_uuid = $1`, [workflow]);
    await sql.query("commit");
  } finally {
    sql.release();
  }
}
