import { ArbError } from "../errors.js";
import { accountName, heldBy, type Held, readAccount, stoppedError } from "./owner.js";
import { databaseError, keyOf, sqlState, UNIQUE_VIOLATION } from "./sql.js";
import type { JournalDatabase } from "./sql.js";
import { readIntent, readSlots } from "./slots.js";
import type { AttemptKind, Exposure, Intent, JournaledAttempt, OnJournalStep, Signed } from "./types.js";

/** Signs for a nonce. Called again with another nonce when that one was taken; what it signed before is thrown away. */
export type Build = (nonce: number) => Signed | Promise<Signed>;

export interface Writer {
  db: JournalDatabase;
  driverId: string;
  ttlMs: number;
  onStep: OnJournalStep;
}

const MOVES = 5;

/**
 * One statement, and so one transaction with one flush: it has an effect only for the owner of the epoch, while the lease holds, from
 * exactly the nonce that was signed, for an intent that is new. What it returns is what may be sent.
 */
const PREPARE = `with own as (
    update journal.account set next = $5::bigint + 1
    where chain_id = $1 and account = $2 and owner = $3 and epoch = $4 and until > clock_timestamp() and next = $5
      and stopped is null and not exists (select 1 from journal.intent where chain_id = $1 and id = $6)
    returning 1
  ), slot as (
    insert into journal.slot (chain_id, account, nonce, epoch) select $1, $2, $5, $4 from own
  ), intent as (
    insert into journal.intent (chain_id, id, account, nonce, holder, profit_token, expected_profit)
    select $1, $6, $2, $5, $7, $8, $9 from own
  )
  insert into journal.attempt
    (hash, chain_id, account, nonce, number, kind, intent_id, raw, max_fee, priority_fee, gas_limit, exposed, last_block, follows)
  select $10, $1, $2, $5, 1, 'trade', $6, $11, $12, $13, $14, $15, $16, $17 from own
  returning raw, created_at`;

/**
 * The journaled attempt of an intent: the one that is there, else a new one in the next nonce. Raises ArbError "locked" (owned by
 * somebody else, or stopped), "network" (the database does not answer: nothing may be sent; ask again).
 */
export async function prepareAttempt(
  writer: Writer,
  held: Held,
  intent: Intent,
  build: Build,
  exposure: Exposure,
): Promise<JournaledAttempt> {
  const doing = `intent ${intent.id} cannot be journaled`;
  for (let tries = 0; tries < MOVES; tries++) {
    if (held.lost || held.stopped !== null || held.next === null) {
      const known = await settle(writer, held, intent, doing);
      if (known !== null) return known;
    }
    const nonce = held.next;
    if (nonce === null) continue;
    await writer.onStep("before-sign");
    const signed = await build(nonce);
    await writer.onStep("signed");
    const row = await insert(writer, held, nonce, intent, signed, exposure, doing);
    if (row !== null) {
      held.next = nonce + 1;
      await writer.onStep("journaled");
      return attemptOf(held, nonce, 1, "trade", intent, { ...signed, raw: row.raw }, exposure, row.created_at);
    }
    held.next = null;
  }
  throw new ArbError("internal", `${doing}: its nonce moved ${MOVES} times`, { where: accountName(held.chainId, held.account) });
}

async function insert(
  { db, driverId }: Writer,
  held: Held,
  nonce: number,
  intent: Intent,
  signed: Signed,
  exposure: Exposure,
  doing: string,
): Promise<{ raw: string; created_at: Date } | null> {
  const { estimate } = intent;
  try {
    const { rows } = await db.pool.query<{ raw: string; created_at: Date }>({
      name: "journal-prepare",
      text: PREPARE,
      values: [
        held.chainId,
        held.key,
        driverId,
        held.epoch,
        nonce,
        intent.id,
        intent.holder === undefined ? null : keyOf(intent.holder),
        estimate === undefined ? null : keyOf(estimate.token),
        estimate?.profit ?? null,
        signed.hash,
        signed.raw,
        signed.maxFeePerGas,
        signed.maxPriorityFeePerGas,
        signed.gasLimit,
        exposure.visibility === "public",
        exposure.lastBlock,
        exposure.follows ?? null,
      ],
    });
    return rows[0] ?? null;
  } catch (error) {
    // whether it took effect is not known, or somebody was first: what is there decides
    held.next = null;
    if (sqlState(error) === UNIQUE_VIOLATION) return null;
    throw databaseError(error, doing);
  }
}

/**
 * Reads what the database says about the account and the intent: the attempt of a known intent, or null with `held` put right.
 * Raises ArbError "locked" where this driver may not sign.
 */
async function settle(
  { db, driverId, ttlMs }: Writer,
  held: Held,
  intent: Intent,
  doing: string,
): Promise<JournaledAttempt | null> {
  const name = accountName(held.chainId, held.account);
  try {
    const at = await readIntent(db.pool, held.chainId, intent.id);
    if (at !== null) return await knownAttempt(db, held, intent.id, at);
    // a lease that ran out while nobody took the account is renewed, by the epoch
    await db.pool.query(
      `update journal.account set until = clock_timestamp() + $5 * interval '1 ms'
       where chain_id = $1 and account = $2 and owner = $3 and epoch = $4`,
      [held.chainId, held.key, driverId, held.epoch, ttlMs],
    );
    const row = await readAccount(db.pool, held.chainId, held.key);
    if (!row) throw new ArbError("internal", `the journal lost ${name}`);
    if (row.owner !== driverId || BigInt(row.epoch as string) !== held.epoch) {
      held.lost = true;
      if (row.owner !== null && row.owner !== driverId) throw heldBy(name, row);
      throw new ArbError("locked", `${name} is no longer ours: its epoch is ${String(row.epoch)}, ours is ${held.epoch}`);
    }
    held.stopped = row.stopped;
    if (row.stopped !== null) throw stoppedError(name, row.stopped);
    held.next = Number(row.next);
    return null;
  } catch (error) {
    throw databaseError(error, doing);
  }
}

/** The newest attempt that the journal has for an intent. Raises ArbError "usage" where it belongs to another account. */
async function knownAttempt(
  db: JournalDatabase,
  held: Held,
  intentId: string,
  at: { account: string; nonce: number },
): Promise<JournaledAttempt> {
  if (at.account !== held.key) {
    throw new ArbError("usage", `intent ${intentId} is journaled for ${accountName(held.chainId, at.account)}`, {
      hint: "an intent is done once on its chain; give a new one a new id",
    });
  }
  const [slot] = await readSlots(db.pool, held.chainId, held.key, { nonce: at.nonce });
  const attempt = slot?.attempts.findLast((a) => a.intentId === intentId);
  if (!attempt) throw new ArbError("internal", `intent ${intentId} has no attempt`, { where: `nonce ${at.nonce}` });
  return attempt;
}

export function attemptOf(
  held: Held,
  nonce: number,
  number: number,
  kind: AttemptKind,
  intent: Intent | null,
  signed: Signed,
  exposure: Exposure,
  createdAt: Date,
): JournaledAttempt {
  const { raw, hash, maxFeePerGas, maxPriorityFeePerGas, gasLimit } = signed;
  const { visibility, lastBlock, follows } = exposure;
  return {
    chainId: held.chainId,
    account: held.account,
    nonce,
    number,
    kind,
    intentId: intent?.id ?? null,
    holder: intent?.holder?.toLowerCase() ?? null,
    raw,
    hash,
    maxFeePerGas,
    maxPriorityFeePerGas,
    gasLimit,
    visibility,
    lastBlock,
    ...(follows !== undefined && { follows }),
    createdAt,
    ageMs: 0,
    broadcastAt: null,
    sends: [],
  };
}
