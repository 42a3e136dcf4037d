/** Sagas of drivers that are gone, and of versions that are gone. */
import { setTimeout as sleep } from "node:timers/promises";
import { DBOS } from "@dbos-inc/dbos-sdk";
import type { Database } from "../database/open.js";
import { HOST } from "../journal/owner.js";
import { ArbError } from "../errors.js";
import { inTransaction, keyOf } from "../journal/sql.js";
import { workflowOf } from "./store.js";
import { CONTINUED, ENGINE_SCHEMA, SAGA_VERSION } from "./version.js";

export interface TakeoverOptions {
  db: Database;
  driverId: string;
  /** Without a sign of life for this long a driver counts as gone. Milliseconds. */
  deadAfterMs: number;
  onFault: (error: unknown) => void;
  onTakeover?: (driver: string, sagas: string[]) => void;
  /** What else is to be looked at each time. */
  alsoLook?: () => Promise<void>;
}

const LOCK = 4_702_116;
const ROUNDS_PER_DEATH = 5;

/** The engine's queue of what is to go on with an account's key: drivers without it do not listen to it, and whoever starts with it does. */
export const queueOf = (account: string): string => `account/${keyOf(account)}`;

/**
 * Looks for drivers without a sign of life, and has their sagas go on in any living driver that has their account's key, here or elsewhere. One that was only frozen does
 * no harm when it wakes up: its steps are refused by the engine, its signatures by the journal. Gives what ends it.
 */
export function keepTakingOver(options: TakeoverOptions): () => Promise<void> {
  const stop = new AbortController();
  const beat = Math.max(100, Math.floor(options.deadAfterMs / ROUNDS_PER_DEATH));
  const running = (async () => {
    while (!stop.signal.aborted) {
      await takeOver(options).catch(options.onFault);
      await options.alsoLook?.().catch(options.onFault);
      await sleep(beat, undefined, { signal: stop.signal, ref: false }).catch(() => undefined);
    }
  })();
  return async () => {
    stop.abort();
    await running;
  };
}

/** One round: our own sign of life, and the sagas of those who gave none. */
export async function takeOver({ db, driverId, deadAfterMs, onTakeover }: TakeoverOptions): Promise<string[]> {
  return await inTransaction(db.pool, "the sagas of other drivers cannot be looked at", async (sql) => {
    await sql.query(`update journal.driver set beat = clock_timestamp() where id = $1`, [driverId]);
    // a driver that freezes right here must not keep the others from looking
    await sql.query(`set local idle_in_transaction_session_timeout = '2s'`);
    // one driver at a time: two would take the same sagas from each other
    const lock = await sql.query<{ mine: boolean }>(`select pg_try_advisory_xact_lock($1) as mine`, [LOCK]);
    if (lock.rows[0]?.mine !== true) return [];
    const drivers = await sql.query<{ id: string; host: string; pid: number; silent: boolean }>(
      `select d.id, d.host, d.pid, d.beat < clock_timestamp() - $2 * interval '1 ms' as silent from journal.driver d
       where d.id <> $1 and exists (select 1 from ${ENGINE_SCHEMA}.workflow_status w where w.executor_id = d.id and w.status = 'PENDING')`,
      [driverId, deadAfterMs],
    );
    const gone = drivers.rows.filter((d) => d.silent || (d.host === HOST && !isAlive(d.pid))).map((d) => d.id);
    await continueEarlier(db, gone);
    if (gone.length === 0) return [];
    const left = await DBOS.listWorkflows({ status: "PENDING", executorId: gone, applicationVersion: SAGA_VERSION });
    const byQueue = new Map<string, string[]>();
    for (const { workflowID, input } of left) {
      const queue = queueOf((input as [{ account: string }])[0].account);
      byQueue.set(queue, [...(byQueue.get(queue) ?? []), workflowID]);
    }
    for (const [queueName, ids] of byQueue) await DBOS.resumeWorkflows(ids, { queueName });
    const ids = left.map((w) => w.workflowID);
    onTakeover?.(gone.join(", "), ids);
    return ids;
  });
}

/**
 * Brings sagas of earlier versions that this one continues under its name, once nobody of theirs runs them: drivers of the earlier
 * version then leave them alone. In a transaction of its own, for the engine uses other connections.
 */
async function continueEarlier(db: Pick<Database, "pool">, gone: string[]): Promise<void> {
  await db.pool.query(
    `update ${ENGINE_SCHEMA}.workflow_status set application_version = $1
     where application_version = any($2) and (status = 'ENQUEUED' or (status = 'PENDING' and executor_id = any($3)))`,
    [SAGA_VERSION, CONTINUED, gone],
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

export interface StrandedSaga {
  /** Name of its workflow. */
  id: string;
  version: string;
  status: string;
}

/**
 * Sagas that no process of this version continues: of a version that it does not know, or ended by the engine itself, for example because
 * their steps are not the ones that they had. They stay where they are until somebody does something.
 */
export async function strandedSagas(db: Pick<Database, "pool">): Promise<StrandedSaga[]> {
  const exists = await db.pool.query<{ there: string | null }>(
    `select to_regclass('${ENGINE_SCHEMA}.workflow_status')::text as there`,
  );
  if (exists.rows[0]?.there == null) return [];
  const { rows } = await db.pool.query<StrandedSaga>(
    `select w.workflow_uuid as id, w.application_version as version, w.status from ${ENGINE_SCHEMA}.workflow_status w
     where (w.status in ('PENDING', 'ENQUEUED', 'DELAYED') and not coalesce(w.application_version = any($1), false))
        or w.status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'
        or (w.status in ('ERROR', 'CANCELLED') and exists
          (select 1 from crosschain.saga s where s.id = split_part(w.workflow_uuid, '/', 2) and s.finished_at is null))
     order by w.created_at`,
    [[SAGA_VERSION, ...CONTINUED]],
  );
  return rows;
}

/** Of a stranded saga, in words for whoever runs the program. */
export function strandedError({ id, version, status }: StrandedSaga): ArbError {
  const known = version === SAGA_VERSION || CONTINUED.includes(version);
  return new ArbError(
    "refused",
    known
      ? `${id} was ended by the workflow engine (${status}) before its trade was at its end`
      : `${id} was started by version ${version} and does not go on under ${SAGA_VERSION}`,
    {
      where: "arb transfers list",
      hint: known
        ? "its transfers and balances stand in arb transfers show; see docs/cross-chain.md"
        : "finish it with the version that it was started with; see docs/cross-chain.md",
    },
  );
}

/** The workflow that carries a saga now: its first, or that of its last resumption. */
export async function runningWorkflowOf(db: Pick<Database, "pool">, saga: string): Promise<string> {
  const { rows } = await db.pool.query<{ id: string }>(
    `select workflow_uuid as id from ${ENGINE_SCHEMA}.workflow_status where workflow_uuid = $1 or starts_with(workflow_uuid, $1 || '/')
     order by created_at desc limit 1`,
    [workflowOf(saga)],
  );
  return rows[0]?.id ?? workflowOf(saga);
}
