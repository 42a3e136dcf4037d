import { ArbError } from "../errors.js";
import type { RouteAnswer } from "../submit/route.js";
import { book, reverse } from "./ledger.js";
import type { Entry, LandedReceipt } from "./receipt.js";
import { databaseError, inTransaction, type JournalDatabase, type Sql } from "./sql.js";
import { amount } from "./slots.js";
import type { OnJournalStep } from "./types.js";

/**
 * Facts about attempts, written down as they are seen. They are true whoever sees them, and so ask for no ownership; each may be told
 * again without effect.
 */

/** What a route was asked for. */
export interface Asked {
  action: "send" | "cancel" | "simulate";
  targetBlock: bigint | null;
  tookMs: number | null;
}

/** Notes what a route answered. */
export async function noteSend(
  db: JournalDatabase,
  hash: string,
  route: string,
  answer: RouteAnswer,
  { action, targetBlock, tookMs }: Asked,
): Promise<void> {
  const kind = answer.status === "refused" ? answer.kind : null;
  // PostgreSQL takes no zero byte in a text, and a relay may answer with one
  await db.pool
    .query({
      name: "journal-send",
      text: `with note as (
          insert into journal.send (hash, route, status, kind, detail, target_block, action, took_ms)
          values ($1, $2, $3, $4, $5, $6, $7, $8)
        )
        update journal.attempt set broadcast_at = coalesce(broadcast_at, clock_timestamp()) where hash = $1 and $7 = 'send'`,
      values: [
        hash,
        route,
        answer.status,
        kind,
        (answer.detail ?? "").replaceAll("\0", "").slice(0, 500),
        targetBlock,
        action,
        tookMs,
      ],
    })
    .catch((error: unknown) => {
      throw databaseError(error, `what ${route} answered cannot be noted`);
    });
}

/** Writes down that bytes may be seen by everybody, before they are sent that way. */
export async function expose(db: JournalDatabase, hash: string): Promise<void> {
  await db.pool.query(`update journal.attempt set exposed = true where hash = $1`, [hash]).catch((error: unknown) => {
    throw databaseError(error, `${hash} cannot be marked as public`);
  });
}

interface SlotKey {
  chain_id: unknown;
  account: string;
  nonce: unknown;
  state: string;
}

/** Locks the slot of a hash. */
async function slotOf(sql: Sql, hash: string): Promise<SlotKey> {
  const { rows } = await sql.query<SlotKey>(
    `select s.chain_id, s.account, s.nonce, s.state from journal.slot s join journal.attempt a using (chain_id, account, nonce)
     where a.hash = $1 for update of s`,
    [hash],
  );
  const row = rows[0];
  if (!row) throw new ArbError("internal", "a receipt of a transaction that is not in the journal", { where: hash });
  return row;
}

interface ActiveRow {
  id: string;
  hash: string;
  block_hash: string;
  final_at: Date | null;
}

async function activeOf(sql: Sql, { chain_id, account, nonce }: SlotKey): Promise<ActiveRow | null> {
  const { rows } = await sql.query<ActiveRow>(
    `select id::text, hash, block_hash, final_at from journal.inclusion
     where chain_id = $1 and account = $2 and nonce = $3 and taken_back_at is null`,
    [chain_id, account, nonce],
  );
  return rows[0] ?? null;
}

async function undo(sql: Sql, slot: SlotKey, active: ActiveRow): Promise<void> {
  await sql.query(`update journal.inclusion set taken_back_at = clock_timestamp() where id = $1`, [active.id]);
  await reverse(sql, active.id);
  await sql.query(`update journal.slot set state = 'open' where chain_id = $1 and account = $2 and nonce = $3`, [
    slot.chain_id,
    slot.account,
    slot.nonce,
  ]);
}

/**
 * Notes a receipt and books what it changed, in one transaction. A receipt of another block or of another attempt of the slot takes
 * the earlier one back first, with its bookings. Gives true when it was new.
 */
export async function noteReceipt(
  db: JournalDatabase,
  receipt: LandedReceipt,
  entries: Entry[],
  onStep: OnJournalStep,
): Promise<boolean> {
  const fresh = await inTransaction(db.pool, `the receipt of ${receipt.hash} cannot be noted`, async (sql) => {
    const slot = await slotOf(sql, receipt.hash);
    const active = await activeOf(sql, slot);
    if (active?.hash === receipt.hash && active.block_hash === receipt.blockHash) return false;
    if (active !== null && active.final_at !== null) {
      throw new ArbError("internal", `nonce ${String(slot.nonce)} is final in block ${active.block_hash}, and seen in another`, {
        where: receipt.hash,
        hint: "the node is not on the network's final chain; check the endpoints",
      });
    }
    if (active !== null) await undo(sql, slot, active);
    const { rows } = await sql.query<{ id: string }>(
      `insert into journal.inclusion (chain_id, account, nonce, hash, block_number, block_hash, succeeded, gas_used, fee)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id::text`,
      [
        slot.chain_id,
        slot.account,
        slot.nonce,
        receipt.hash,
        receipt.blockNumber,
        receipt.blockHash,
        receipt.succeeded,
        receipt.gasUsed,
        receipt.gas + receipt.l1Fee + receipt.operatorFee,
      ],
    );
    await onStep("receipt-noted");
    await book(sql, rows[0]?.id ?? "", Number(slot.chain_id), entries);
    await sql.query(
      `update journal.slot set state = 'mined', evidence = null where chain_id = $1 and account = $2 and nonce = $3`,
      [slot.chain_id, slot.account, slot.nonce],
    );
    return true;
  });
  if (fresh) await onStep("ledger-booked");
  return fresh;
}

/** A reorganisation removed the block that a hash was seen in: the slot is open again, and the ledger has counter entries. */
export async function takeBack(db: JournalDatabase, hash: string, blockHash: string, onStep: OnJournalStep): Promise<boolean> {
  const taken = await inTransaction(db.pool, `${hash} cannot be taken back`, async (sql) => {
    const slot = await slotOf(sql, hash);
    const active = await activeOf(sql, slot);
    if (active?.hash !== hash || active.block_hash !== blockHash) return false;
    if (active.final_at !== null) {
      throw new ArbError("internal", `nonce ${String(slot.nonce)} is final in block ${blockHash}, which the node no longer has`, {
        where: hash,
        hint: "the node is not on the network's final chain; check the endpoints",
      });
    }
    await undo(sql, slot, active);
    return true;
  });
  if (taken) await onStep("taken-back");
  return taken;
}

/** The block that a hash was seen in is final. */
export async function finalise(db: JournalDatabase, hash: string, blockHash: string, onStep: OnJournalStep): Promise<boolean> {
  const done = await inTransaction(db.pool, `${hash} cannot be made final`, async (sql) => {
    const slot = await slotOf(sql, hash);
    const active = await activeOf(sql, slot);
    if (active?.hash !== hash || active.block_hash !== blockHash || active.final_at !== null) return false;
    await sql.query(`update journal.inclusion set final_at = clock_timestamp() where id = $1`, [active.id]);
    await sql.query(`update journal.slot set state = 'final' where chain_id = $1 and account = $2 and nonce = $3`, [
      slot.chain_id,
      slot.account,
      slot.nonce,
    ]);
    return true;
  });
  if (done) await onStep("final");
  return done;
}

/** What was earned and paid for an intent, as booked until now. */
export interface IntentOutcome {
  chainId: number;
  intentId: string;
  account: string;
  nonce: number;
  /** "superseded": another attempt of its slot landed. */
  status: "open" | "landed" | "reverted" | "superseded" | "foreign";
  final: boolean;
  hash: string | null;
  expectedProfit: bigint | null;
  /** Of the estimated token, by the holder's balance; null while nothing landed. */
  profit: bigint | null;
  /** Everything paid for inclusion, wei. */
  feeWei: bigint | null;
}

/** The outcome of an intent by the journal; null when it has none. */
export async function outcomeOf(db: JournalDatabase, chainId: number, intentId: string): Promise<IntentOutcome | null> {
  const { rows } = await db.pool
    .query<{
      account: string;
      nonce: unknown;
      state: string;
      hash: string | null;
      landed_intent: string | null;
      succeeded: boolean | null;
      fee: unknown;
      expected_profit: unknown;
      profit: unknown;
    }>(
      `select t.account, t.nonce, s.state, i.hash, a.intent_id as landed_intent, i.succeeded, i.fee, t.expected_profit,
         (select sum(l.amount) from journal.ledger l
          where l.inclusion = i.id and l.holder = t.holder and l.asset = t.profit_token) as profit
       from journal.intent t join journal.slot s using (chain_id, account, nonce)
       left join journal.inclusion i
         on i.chain_id = t.chain_id and i.account = t.account and i.nonce = t.nonce and i.taken_back_at is null
       left join journal.attempt a on a.hash = i.hash
       where t.chain_id = $1 and t.id = $2`,
      [chainId, intentId],
    )
    .catch((error: unknown) => {
      throw databaseError(error, `the outcome of ${intentId} cannot be read`);
    });
  const row = rows[0];
  if (!row) return null;
  const ours = row.hash !== null && row.landed_intent === intentId;
  const landed = row.succeeded === true ? "landed" : "reverted";
  return {
    chainId,
    intentId,
    account: row.account,
    nonce: Number(row.nonce),
    status: row.state === "foreign" ? "foreign" : row.hash === null ? "open" : ours ? landed : "superseded",
    final: row.state === "final",
    hash: row.hash,
    expectedProfit: row.expected_profit === null ? null : amount(row.expected_profit),
    profit: !ours || row.expected_profit === null ? null : row.profit === null ? 0n : amount(row.profit),
    feeWei: ours ? amount(row.fee) : null,
  };
}
