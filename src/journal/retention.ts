import { databaseError, inTransaction, type JournalDatabase, type Sql } from "./sql.js";

/** How long what is only of use for looking into things is kept, after its end is final. */
export const KEEP_DAYS = 30;

/** What was deleted. */
export interface Pruned {
  /** Answers of routes. */
  sends: number;
  /** Programs that used the database once. */
  drivers: number;
}

export interface PruneOptions {
  /** Least age in days, since the slot became final. */
  keepDays?: number;
  /** Rows that one transaction looks at. */
  batch?: number;
  signal?: AbortSignal;
}

const BATCH = 1_000;
/** Two programs that delete at once would only wait for each other. */
const LOCK = 4_702_117;

/**
 * What goes of one window of answers: those of slots that have been final for long, but not an attempt's last word, which says that it
 * was sent and who took it. Nothing of a slot that is open, mined or foreign.
 */
const SENDS = `with window_ as (
    select id, hash, at from journal.send where id > $1 order by id limit $2
  ), gone as (
    delete from journal.send s using window_ w
    where s.id = w.id
      and exists (
        select 1 from journal.attempt a join journal.slot l using (chain_id, account, nonce)
        join journal.inclusion i using (chain_id, account, nonce)
        where a.hash = w.hash and l.state = 'final' and i.taken_back_at is null
          and i.final_at < clock_timestamp() - $3 * interval '1 day')
      and w.at < clock_timestamp() - $3 * interval '1 day'
      and s.id <> (select k.id from journal.send k where k.hash = w.hash order by (k.action = 'send') desc, (k.status = 'accepted') desc, k.id desc limit 1)
    returning 1
  )
  select (select max(id) from window_)::text as upto, (select count(*) from window_)::int as seen,
    (select count(*) from gone)::int as deleted,
    coalesce((select bool_and(at >= clock_timestamp() - $3 * interval '1 day') from window_), true) as young`;

/**
 * Deletes what nothing asks for any more, in small transactions that hold nobody up. Intents, slots, attempts, inclusions and the ledger
 * are never deleted. Gives what it deleted; nothing where another program is at it. Raises ArbError "network" as the journal does.
 */
export async function pruneJournal(db: JournalDatabase, options: PruneOptions = {}): Promise<Pruned> {
  const { keepDays = KEEP_DAYS, batch = BATCH, signal } = options;
  const pruned: Pruned = { sends: 0, drivers: 0 };
  for (let from = "0"; ;) {
    if (signal?.aborted === true) return pruned;
    const row = await inTransaction(db.pool, "old answers of routes cannot be deleted", async (sql) => {
      if (!(await lock(sql))) return null;
      const { rows } = await sql.query<{ upto: string | null; seen: number; deleted: number; young: boolean }>(SENDS, [
        from,
        batch,
        keepDays,
      ]);
      return rows[0] ?? null;
    });
    if (row === null) return pruned;
    pruned.sends += row.deleted;
    // answers come in the order of their ids: what follows is younger still
    if (row.upto === null || row.seen < batch || row.young) break;
    from = row.upto;
  }
  pruned.drivers = await pruneDrivers(db, keepDays);
  return pruned;
}

async function lock(sql: Sql): Promise<boolean> {
  const { rows } = await sql.query<{ mine: boolean }>("select pg_try_advisory_xact_lock($1) as mine", [LOCK]);
  return rows[0]?.mine === true;
}

/** Programs that gave no sign of life for long, and own nothing: no account, no workflow of the engine. */
async function pruneDrivers(db: JournalDatabase, keepDays: number): Promise<number> {
  try {
    const engine = await db.pool.query<{ there: boolean }>("select to_regclass('dbos.workflow_status') is not null as there");
    const busy =
      engine.rows[0]?.there === true ? "and not exists (select 1 from dbos.workflow_status w where w.executor_id = d.id)" : "";
    const { rowCount } = await db.pool.query(
      `delete from journal.driver d where d.beat < clock_timestamp() - $1 * interval '1 day'
         and not exists (select 1 from journal.account a where a.owner = d.id) ${busy}`,
      [keepDays],
    );
    return rowCount ?? 0;
  } catch (error) {
    throw databaseError(error, "drivers of long ago cannot be deleted");
  }
}

const FIRST_MS = 60_000;
const EVERY_MS = 3_600_000;

/** Prunes a minute after the start and then every hour, until the returned function has ended it. */
export function keepPruning(
  db: JournalDatabase,
  onFault: (error: unknown) => void,
  options: PruneOptions = {},
): () => Promise<void> {
  const stop = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  const round = (): void => {
    running = pruneJournal(db, { ...options, signal: stop.signal }).catch(onFault);
  };
  const first = setTimeout(round, FIRST_MS).unref();
  const timer = setInterval(round, EVERY_MS).unref();
  return async () => {
    stop.abort();
    clearTimeout(first);
    clearInterval(timer);
    await running;
  };
}
