import { randomBytes } from "node:crypto";
import { ArbError } from "../errors.js";
import type { RouteAnswer } from "../submit/route.js";
import { answersOf, type RelayAnswer } from "./answers.js";
import { type Asked, expose, finalise, type IntentOutcome, noteReceipt, noteSend, outcomeOf, takeBack } from "./notes.js";
import {
  accountName,
  claimAccount,
  handOver,
  type Held,
  HOST,
  type NonceCount,
  type Ownership,
  releaseAccount,
  releaseUnclaimed,
  renewLeases,
  stopAccount,
  wantAccount,
  wantedAccounts,
} from "./owner.js";
import { type Build, prepareAttempt, type Writer } from "./prepare.js";
import type { Entry, LandedReceipt } from "./receipt.js";
import { databaseError, inTransaction, type JournalDatabase, keyOf } from "./sql.js";
import { readIntent, readSlots, type SlotFilter } from "./slots.js";
import { type Successor, supersedeSlot } from "./supersede.js";
import type { Exposure, Intent, JournaledAttempt, OnJournalStep, Slot } from "./types.js";

export interface JournalOptions {
  /** Unique to this process, never used again. */
  driverId?: string;
  /** How long an account stays ours after the last sign of life, milliseconds. */
  ttlMs?: number;
  /** Between two signs of life, milliseconds. */
  renewMs?: number;
  /** A sign of life failed; the next one is tried, and the database refuses what the lease no longer covers. */
  onFault?: (error: unknown) => void;
  onStep?: OnJournalStep;
}

/**
 * The record of everything that is signed. Guarantees, by the tables and not by the callers' care:
 * 1. An intent has one slot on its chain, a slot has one nonce, and a nonce is given out once.
 * 2. What `prepare` and `supersede` give back is committed; nothing else may be sent.
 * 3. Who lost an account to another driver gets no new nonce, frozen or not.
 * 4. At most one transaction of a slot counts as mined; nothing is booked twice; what is booked is reversed, never deleted.
 */
export interface Journal {
  readonly db: JournalDatabase;
  readonly driverId: string;
  /** Takes an account, or gives the ownership that this journal has already. Raises ArbError "locked". */
  claim(chainId: number, account: string, count: () => Promise<NonceCount>): Promise<Ownership>;
  /** Notes that we wait for an account, whose holder may hand it over. False where no other driver has it. */
  want(chainId: number, account: string): Promise<boolean>;
  /** Accounts of ours that another driver waits for. `claimed`: something in this process works with it. */
  wanted(): Promise<(Pick<Ownership, "chainId" | "account"> & { claimed: boolean })[]>;
  /** Hands an account over to the driver that waits for it, after the write in progress. */
  handOver(account: Pick<Ownership, "chainId" | "account">): Promise<void>;
  /** Whether an ownership is over: as far as this process knows, another driver has the account, or nobody. */
  lost(ownership: Ownership): boolean;
  /** Why an account signs nothing; null while it may. */
  stopped(ownership: Ownership): string | null;
  prepare(ownership: Ownership, intent: string | Intent, build: Build, exposure?: Exposure): Promise<JournaledAttempt>;
  supersede(ownership: Ownership, nonce: number, next: Successor): Promise<JournaledAttempt>;
  /** Slots of an account, by nonce. */
  slots(ownership: Pick<Ownership, "chainId" | "account">, filter: SlotFilter): Promise<Slot[]>;
  /** Slots whose end is not known. */
  openSlots(ownership: Pick<Ownership, "chainId" | "account">): Promise<Slot[]>;
  /** The slot of an intent; null when the journal does not have it. */
  find(chainId: number, intentId: string): Promise<Slot | null>;
  /** Notes what a route answered; `asked`: default a send without a target block. */
  noteSend(hash: string, routeId: string, answer: RouteAnswer, asked?: Partial<Asked>): Promise<void>;
  /** What routes answered about a transaction, and what landed of it; see answersOf. */
  answers(hash: string): Promise<RelayAnswer[]>;
  /** To be called before private bytes are sent where everybody sees them. */
  expose(hash: string): Promise<void>;
  noteReceipt(receipt: LandedReceipt, entries: Entry[]): Promise<boolean>;
  takeBack(hash: string, blockHash: string): Promise<boolean>;
  finalise(hash: string, blockHash: string): Promise<boolean>;
  /** A nonce was used by a transaction that is not ours: the slot ends, the account stops. */
  noteForeign(ownership: Ownership, nonce: number, evidence: string): Promise<void>;
  outcome(chainId: number, intentId: string): Promise<IntentOutcome | null>;
  /** Sends one sign of life now. */
  renew(): Promise<void>;
  step: OnJournalStep;
  /** Gives every account back and stops the signs of life; the database stays open. */
  close(): Promise<void>;
}

const PUBLIC: Exposure = { visibility: "public", lastBlock: null };

/** Opens the journal of a database whose migrations have run. Raises ArbError "usage" when the driver's id was used before. */
export async function openJournal(db: JournalDatabase, options: JournalOptions = {}): Promise<Journal> {
  const driverId = options.driverId ?? `${process.pid}-${randomBytes(6).toString("hex")}`;
  const ttlMs = options.ttlMs ?? 15_000;
  const renewMs = options.renewMs ?? Math.max(1, Math.floor(ttlMs / 3));
  const onStep: OnJournalStep = options.onStep ?? (() => undefined);
  const registered = await db.pool
    .query(`insert into journal.driver (id, host, pid) values ($1, $2, $3) on conflict do nothing`, [driverId, HOST, process.pid])
    .catch((error: unknown) => {
      throw databaseError(error, "the journal cannot be opened");
    });
  if (registered.rowCount !== 1) {
    throw new ArbError("usage", `driver ${driverId} was here before`, { hint: "every start of a driver needs an id of its own" });
  }
  const writer: Writer = { db, driverId, ttlMs, onStep };
  const accounts = new Map<string, Promise<Held>>();
  const mine = async (): Promise<Held[]> =>
    (await Promise.allSettled(accounts.values())).flatMap((r) => (r.status === "fulfilled" ? [r.value] : []));
  const heldOf = async ({ chainId, account, epoch }: Ownership): Promise<Held> => {
    const held = await accounts.get(`${chainId} ${keyOf(account)}`);
    if (held?.epoch !== epoch) throw new ArbError("locked", `${accountName(chainId, account)} is no longer ours`);
    return held;
  };
  const renew = async (): Promise<void> => {
    const held = await mine();
    await renewLeases(db, driverId, ttlMs, held);
    await onStep("lease-renewed");
  };
  const beat = setInterval(() => void renew().catch(options.onFault ?? (() => undefined)), renewMs);
  beat.unref();

  const take = async (chainId: number, account: string, count: () => Promise<NonceCount>): Promise<Held> => {
    const held = await claimAccount(db, driverId, ttlMs, chainId, account, await count());
    await onStep("lease-taken");
    return held;
  };
  return {
    db,
    driverId,
    step: onStep,
    renew,
    claim: async (chainId, account, count) => {
      const key = `${chainId} ${keyOf(account)}`;
      const known = accounts.get(key);
      if (known !== undefined && !(await known.then((h) => h.lost))) return await known;
      const taking = take(chainId, account, count);
      accounts.set(key, taking);
      taking.catch(() => accounts.get(key) === taking && accounts.delete(key));
      return await taking;
    },
    want: async (chainId, account) => await wantAccount(db, driverId, chainId, account),
    wanted: async () => {
      const live = new Set((await mine()).flatMap((h) => (h.lost ? [] : [`${h.chainId} ${h.key}`])));
      const wanted = await wantedAccounts(db, driverId);
      return wanted.map((w) => ({ ...w, claimed: live.has(`${w.chainId} ${keyOf(w.account)}`) }));
    },
    handOver: async (account) => {
      const held = await accounts.get(`${account.chainId} ${keyOf(account.account)}`)?.catch(() => undefined);
      if (held === undefined) await handOver(db, driverId, ttlMs, account, null);
      else await inTurn(held, () => handOver(db, driverId, ttlMs, account, held));
    },
    lost: (ownership) => (ownership as Held).lost,
    stopped: (ownership) => (ownership as Held).stopped,
    prepare: async (ownership, intent, build, exposure = PUBLIC) => {
      const held = await heldOf(ownership);
      const wanted = typeof intent === "string" ? { id: intent } : intent;
      return await inTurn(held, () => prepareAttempt(writer, held, wanted, build, exposure));
    },
    supersede: async (ownership, nonce, next) => {
      const held = await heldOf(ownership);
      return await inTurn(held, () => supersedeSlot(writer, held, nonce, next));
    },
    slots: async ({ chainId, account }, filter) => await readOrFail(readSlots(db.pool, chainId, keyOf(account), filter)),
    openSlots: async ({ chainId, account }) =>
      await readOrFail(readSlots(db.pool, chainId, keyOf(account), { states: ["open", "mined"] })),
    find: async (chainId, intentId) => {
      const at = await readOrFail(readIntent(db.pool, chainId, intentId));
      if (at === null) return null;
      return (await readOrFail(readSlots(db.pool, chainId, at.account, { nonce: at.nonce })))[0] ?? null;
    },
    noteSend: async (hash, route, answer, asked = {}) => {
      await noteSend(db, hash, route, answer, { action: "send", targetBlock: null, tookMs: null, ...asked });
      await onStep("send-noted");
    },
    answers: async (hash) => await answersOf(db, hash),
    expose: async (hash) => await expose(db, hash),
    noteReceipt: async (receipt, entries) => await noteReceipt(db, receipt, entries, onStep),
    takeBack: async (hash, blockHash) => await takeBack(db, hash, blockHash, onStep),
    finalise: async (hash, blockHash) => await finalise(db, hash, blockHash, onStep),
    noteForeign: async (ownership, nonce, evidence) => {
      const key = keyOf(ownership.account);
      const reason = `nonce ${nonce} was used by a transaction that is not ours (${evidence})`;
      await inTransaction(db.pool, `nonce ${nonce} cannot be marked as used elsewhere`, async (sql) => {
        await sql.query(
          `update journal.slot set state = 'foreign', evidence = $4
           where chain_id = $1 and account = $2 and nonce = $3 and state = 'open'`,
          [ownership.chainId, key, nonce, evidence],
        );
        await stopAccount(sql, ownership.chainId, key, reason);
      });
      const held = await accounts.get(`${ownership.chainId} ${key}`);
      if (held) held.stopped ??= reason;
    },
    outcome: async (chainId, intentId) => await outcomeOf(db, chainId, intentId),
    close: async () => {
      clearInterval(beat);
      const held = await mine();
      accounts.clear();
      for (const account of held) {
        await account.tail.catch(() => undefined);
        if (!account.lost) await releaseAccount(db, driverId, account);
      }
      await releaseUnclaimed(db, driverId);
      await onStep("lease-released");
    },
  };
}

/** Runs the writes of one account one after another. */
function inTurn<T>(held: Held, work: () => Promise<T>): Promise<T> {
  const turn = held.tail.then(work, work);
  held.tail = turn.catch(() => undefined);
  return turn;
}

async function readOrFail<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (error) {
    throw databaseError(error, "the journal cannot be read");
  }
}
