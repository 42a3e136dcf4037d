import type { Database } from "../database/open.js";
import { KEEP_DAYS } from "../journal/retention.js";
import { databaseError } from "../journal/sql.js";
import { ENGINE_SCHEMA } from "./version.js";

const BATCH = 100;

/**
 * Deletes the steps of sagas that ended long ago, by `remove`, which the engine gives. The sagas themselves, their transfers and arrivals
 * stay; so do the steps of what is held, which may go on. Gives how many workflows went.
 */
export async function pruneSagas(
  db: Pick<Database, "pool">,
  remove: (workflowIds: string[]) => Promise<void>,
  options: { keepDays?: number; signal?: AbortSignal } = {},
): Promise<number> {
  const { keepDays = KEEP_DAYS, signal } = options;
  let removed = 0;
  try {
    const { rows } = await db.pool.query<{ there: boolean }>(
      `select to_regclass('${ENGINE_SCHEMA}.workflow_status') is not null and to_regclass('crosschain.saga') is not null as there`,
    );
    while (rows[0]?.there === true) {
      if (signal?.aborted === true) break;
      const old = await db.pool.query<{ id: string }>(
        // a workflow's id: saga/ID, or saga/ID/N where it went on after it was held
        `select w.workflow_uuid as id from ${ENGINE_SCHEMA}.workflow_status w
         join crosschain.saga s on w.workflow_uuid = 'saga/' || s.id or starts_with(w.workflow_uuid, 'saga/' || s.id || '/')
         where w.status in ('SUCCESS', 'ERROR', 'CANCELLED') and s.outcome <> 'held'
           and s.finished_at < clock_timestamp() - $1 * interval '1 day'
         order by w.created_at limit $2`,
        [keepDays, BATCH],
      );
      if (old.rows.length === 0) break;
      await remove(old.rows.map((r) => r.id));
      removed += old.rows.length;
    }
  } catch (error) {
    throw databaseError(error, "the steps of old sagas cannot be deleted");
  }
  return removed;
}
