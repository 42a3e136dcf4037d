/** The end by hand of trades that are held. */
import { releaseWithin } from "../inventory/inventory.js";
import { toStored } from "../inventory/stored.js";
import { inTransaction, type JournalDatabase } from "../journal/sql.js";
import { sagaOf } from "./rows.js";
import { workflowOf } from "./store.js";
import type { SagaResult } from "./types.js";

/**
 * Ends a held trade as "closed": its operator has taken over what is left of it, which is free from now on. `giveUp`: also where a transfer
 * of it is in the state "stuck", which no rule of its bridge ends. Gives what keeps it from that, in words; null when it is done.
 */
export async function closeByHand(db: JournalDatabase, id: string, reason: string, giveUp = false): Promise<string | null> {
  return await inTransaction(db.pool, `${id} cannot be closed`, async (sql) => {
    const { rows } = await sql.query(`select * from crosschain.saga where id = $1 for update`, [id]);
    const saga = rows[0] ? sagaOf(rows[0]) : null;
    if (saga?.outcome !== "held" || saga.result === null) return "it is not held";
    if (saga.wish !== null) return "a driver was told to go on with it";
    const open = await sql.query<{ id: string; state: string }>(
      `select id, state from crosschain.transfer where saga = $1 and ended is null`,
      [id],
    );
    for (const transfer of open.rows)
      if (!giveUp || transfer.state !== "stuck") return `its transfer ${transfer.id} has no end yet (${transfer.state})`;
    const signed = await sql.query(
      `select 1 from journal.intent t join journal.slot s using (chain_id, account, nonce)
       where starts_with(t.id, $1) and s.state = 'open' limit 1`,
      [`${workflowOf(id)}:`],
    );
    if (signed.rows.length > 0) return "it has signed transactions without an end";
    await sql.query(
      `update crosschain.transfer set ended = 'given-up', ended_at = clock_timestamp() where saga = $1 and ended is null`,
      [id],
    );
    const result: SagaResult = { ...saga.result, outcome: "closed", reason };
    await sql.query(
      `update crosschain.saga set outcome = 'closed', result = $2, risk_chain = null, risk_token = null, risk_amount = null,
         updated_at = clock_timestamp() where id = $1`,
      [id, toStored(result)],
    );
    await releaseWithin(sql, id);
    return null;
  });
}
