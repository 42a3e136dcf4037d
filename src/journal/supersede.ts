import { ArbError } from "../errors.js";
import { accountName, type Held, heldBy, readAccount, stoppedError } from "./owner.js";
import { attemptOf, type Writer } from "./prepare.js";
import { isLive, refusalOf } from "./rules.js";
import { databaseError, keyOf, sqlState, UNIQUE_VIOLATION } from "./sql.js";
import { publicAbove, readSlots } from "./slots.js";
import type { AttemptKind, Exposure, Intent, JournaledAttempt, Signed, Slot } from "./types.js";

/** Another attempt for a slot. */
export interface Successor {
  kind: AttemptKind;
  /** trade: the new intent. replacement: the intent of the slot that it is for. cancel, no-op: null. */
  intent: Intent | null;
  /** Signs for the slot's nonce; `slot` has the attempts whose fees must be exceeded. */
  build: (nonce: number, slot: Slot) => Signed | Promise<Signed>;
  exposure: Exposure;
  /** Newest block that was seen: private attempts whose last block is below it have had their chance. */
  head: bigint;
  /** The intents of the slot compete on purpose; whichever lands ends the others. */
  rival?: boolean;
}

/** The same guards as for a new nonce; the number makes two successors at once exclude each other. */
const JOIN = `with own as (
    select 1 from journal.account where chain_id = $1 and account = $2 and owner = $3 and epoch = $4
      and until > clock_timestamp() and (stopped is null or $7 in ('cancel', 'no-op', 'replacement')) for update
  ), slot as (
    select 1 from journal.slot, own where chain_id = $1 and account = $2 and nonce = $5 and state = 'open'
  ), intent as (
    insert into journal.intent (chain_id, id, account, nonce, holder, profit_token, expected_profit)
    select $1, $8, $2, $5, $9, $10, $11 from slot where $7 = 'trade'
  )
  insert into journal.attempt
    (hash, chain_id, account, nonce, number, kind, intent_id, raw, max_fee, priority_fee, gas_limit, exposed, last_block, follows)
  select $12, $1, $2, $5, $6, $7, $8, $13, $14, $15, $16, $17, $18, $19 from slot
  returning raw, created_at`;

/**
 * Journals another attempt of an open slot, before anything of it is sent; at most one of the slot's attempts can land. Raises ArbError
 * "refused" where the rules of rules.ts forbid it, "locked" where this driver may not sign, "network" where the database does not
 * answer.
 */
export async function supersedeSlot(writer: Writer, held: Held, nonce: number, next: Successor): Promise<JournaledAttempt> {
  const { db, driverId } = writer;
  const where = `nonce ${nonce} of ${accountName(held.chainId, held.account)}`;
  const doing = `the ${next.kind} for ${where} cannot be journaled`;
  try {
    const [slot] = await readSlots(db.pool, held.chainId, held.key, { nonce });
    if (!slot) throw new ArbError("usage", `the journal never gave out ${where}`);
    await writer.onStep("superseding");
    const signed = await next.build(nonce, slot);
    const intentId = next.intent?.id ?? null;
    const proposal = { kind: next.kind, intentId, ...feesOf(signed), rival: next.rival ?? false };
    const above = next.kind === "no-op" && (await publicAbove(db.pool, held.chainId, held.key, nonce));
    const refusal = refusalOf(slot, proposal, { head: next.head, publicAbove: above });
    if (refusal !== null) throw new ArbError("refused", `no ${next.kind} for ${where}: ${refusal}`);
    const number = (slot.attempts.at(-1)?.number ?? 0) + 1;
    const { intent, exposure } = next;
    const { rows } = await db.pool.query<{ raw: string; created_at: Date }>({
      name: "journal-join",
      text: JOIN,
      values: [
        held.chainId,
        held.key,
        driverId,
        held.epoch,
        nonce,
        number,
        next.kind,
        intentId,
        intent?.holder === undefined ? null : keyOf(intent.holder),
        intent?.estimate === undefined ? null : keyOf(intent.estimate.token),
        intent?.estimate?.profit ?? null,
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
    const row = rows[0];
    if (row === undefined) throw await whyNot(writer, held, where);
    await writer.onStep("superseded");
    return attemptOf(held, nonce, number, next.kind, intent, { ...signed, raw: row.raw }, exposure, row.created_at);
  } catch (error) {
    if (sqlState(error) === UNIQUE_VIOLATION) {
      // equal bytes have one hash, and so belong to the intent that they were first signed for
      const same = (error as { constraint?: string }).constraint === "attempt_pkey";
      const why = same ? "the same bytes are journaled already" : "another attempt of this intent or of this slot came first";
      const hint = same ? { hint: "any other fee or calldata makes another transaction of it" } : {};
      throw new ArbError("refused", `no ${next.kind} for ${where}: ${why}`, { ...hint, cause: error });
    }
    throw databaseError(error, doing);
  }
}

const feesOf = ({ maxFeePerGas, maxPriorityFeePerGas }: Signed) => ({ maxFeePerGas, maxPriorityFeePerGas });

async function whyNot({ db, driverId }: Writer, held: Held, where: string): Promise<ArbError> {
  const name = accountName(held.chainId, held.account);
  const row = await readAccount(db.pool, held.chainId, held.key);
  if (row && row.owner !== null && row.owner !== driverId) {
    held.lost = true;
    return heldBy(name, row);
  }
  if (row?.owner === null || (row && BigInt(row.epoch as string) !== held.epoch)) {
    held.lost = true;
    return new ArbError("locked", `${name} is no longer ours`);
  }
  if (row && row.stopped !== null) return stoppedError(name, row.stopped);
  if (row && !row.alive) return new ArbError("locked", `the lease of ${name} has run out; it is renewed with the next heartbeat`);
  return new ArbError("refused", `${where} is no longer open`);
}

/** The highest fees of the live attempts of a slot, which a replacement must exceed. */
export function highestFees(slot: Slot, head: bigint): { maxFeePerGas: bigint; maxPriorityFeePerGas: bigint } {
  const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
  return slot.attempts
    .filter((a) => isLive(a, head))
    .reduce(
      (most, a) => ({
        maxFeePerGas: max(most.maxFeePerGas, a.maxFeePerGas),
        maxPriorityFeePerGas: max(most.maxPriorityFeePerGas, a.maxPriorityFeePerGas),
      }),
      { maxFeePerGas: 0n, maxPriorityFeePerGas: 0n },
    );
}
