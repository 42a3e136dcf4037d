import { readFileSync, readlinkSync } from "node:fs";
import os from "node:os";
import { getAddress } from "ethers";
import { networkById } from "../config/networks.js";
import { ArbError } from "../errors.js";
import { databaseError, inTransaction, keyOf, type Sql } from "./sql.js";
import type { JournalDatabase } from "./sql.js";

/** The right to sign for an account on a chain, until somebody with a higher epoch has it. */
export interface Ownership {
  readonly chainId: number;
  /** EIP-55. */
  readonly account: string;
  readonly epoch: bigint;
}

/** An ownership as the journal keeps it. */
export interface Held extends Ownership {
  /** The account as in the tables. */
  readonly key: string;
  /** The next nonce by our memory; null: read it again. The database has the last word on both. */
  next: number | null;
  /** Why the account signs nothing any more; null while it may. */
  stopped: string | null;
  /** Set when somebody else took it over. */
  lost: boolean;
  /** End of the last write: one at a time, because two would sign the same nonce. */
  tail: Promise<unknown>;
}

/** What the chain counts for an account. */
export interface NonceCount {
  latest: number;
  /** With what the node has in its pool. */
  pending: number;
  /** Why `latest` may be more than that: endpoints that count differently, or do not answer. Absent or null: it is certain. */
  doubt?: string | null;
}

interface AccountRow {
  owner: string | null;
  epoch: unknown;
  next: unknown;
  stopped: string | null;
  alive: boolean;
  until: Date;
  host: string | null;
  pid: number | null;
}

/** Where this program runs: process ids mean something only in the same boot and the same id space. */
export const HOST = hostId();

function hostId(): string {
  if (process.platform !== "linux") return `${os.hostname()} (${process.platform})`;
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${os.hostname()} ${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    // without them no process of this host is ever taken for dead, and its lease runs out instead
    return `${os.hostname()} ${process.pid} ${Date.now()}`;
  }
}

/** Whether the holder surely runs no more. Another host cannot be asked: there the lease must run out. */
function isDead(host: string | null, pid: number | null): boolean {
  if (host !== HOST || pid === null || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

/** In containers every program is process 1: the number alone says nothing. */
const isSelf = (row: AccountRow): boolean => row.host === HOST && row.pid === process.pid;

const ACCOUNT = `select a.owner, a.epoch, a.next, a.stopped, a.until, a.until > clock_timestamp() as alive, d.host, d.pid
  from journal.account a left join journal.driver d on d.id = a.owner where a.chain_id = $1 and a.account = $2`;

export async function readAccount(sql: Sql, chainId: number, key: string): Promise<AccountRow | null> {
  return (await sql.query<AccountRow>(ACCOUNT, [chainId, key])).rows[0] ?? null;
}

/** Name of an account in messages. */
export function accountName(chainId: number, account: string): string {
  return `${account} on ${networkById(chainId)?.title ?? `chain ${chainId}`}`;
}

/**
 * Takes an account: a new one at the chain's count, a free one, one whose lease has run out, or one whose holder's process is dead.
 * Raises ArbError "locked" with the holder's name, and for a new account that has transactions on their way which the journal does
 * not know, as after a backup was restored. An account whose nonces were used elsewhere is taken stopped.
 */
export async function claimAccount(
  db: JournalDatabase,
  driverId: string,
  ttlMs: number,
  chainId: number,
  account: string,
  count: NonceCount,
): Promise<Held> {
  const key = keyOf(account);
  const name = accountName(chainId, getAddress(account));
  return await inTransaction(db.pool, `${name} cannot be taken`, async (sql) => {
    const made = await sql.query(
      `insert into journal.account (chain_id, account, owner, epoch, until, next)
       values ($1, $2, $3, 1, clock_timestamp() + $4 * interval '1 ms', $5) on conflict do nothing`,
      [chainId, key, driverId, ttlMs, count.latest],
    );
    if (made.rowCount === 1) {
      if (count.doubt != null) throw notCounted(name, count.doubt);
      if (count.pending > count.latest) {
        throw onTheirWay(name, count.pending - count.latest);
      }
      return held(chainId, account, key, 1n, count.latest, null);
    }
    const { rows } = await sql.query<AccountRow>(`${ACCOUNT} for update of a`, [chainId, key]);
    const row = rows[0];
    if (!row) throw new ArbError("internal", `the journal lost ${name}`);
    if (row.owner !== null && row.owner !== driverId && row.alive && !isDead(row.host, row.pid)) throw heldBy(name, row);
    const next = Number(row.next);
    const elsewhere =
      count.latest > next
        ? `the chain counts ${count.latest} transactions, the journal gave out ${next}: the key was used elsewhere`
        : null;
    // of a backup's journal, or of another program: the next intent would take the nonce of one of them
    if (elsewhere === null && count.pending > next) throw onTheirWay(name, count.pending - next);
    const taken = await sql.query<{ epoch: unknown; stopped: string | null }>(
      `update journal.account set owner = $3, epoch = epoch + 1, until = clock_timestamp() + $4 * interval '1 ms',
         wanted_by = nullif(wanted_by, $3), wanted_at = case when wanted_by = $3 then null else wanted_at end,
         stopped = coalesce(stopped, $5), stopped_at = case when stopped is null and $5::text is null then null
           else coalesce(stopped_at, clock_timestamp()) end
       where chain_id = $1 and account = $2 returning epoch, stopped`,
      [chainId, key, driverId, ttlMs, elsewhere],
    );
    const now = taken.rows[0];
    if (!now) throw new ArbError("internal", `the journal lost ${name}`);
    return held(chainId, account, key, BigInt(now.epoch as string), next, now.stopped);
  });
}

function held(chainId: number, account: string, key: string, epoch: bigint, next: number, stopped: string | null): Held {
  return { chainId, account: getAddress(account), key, epoch, next, stopped, lost: false, tail: Promise.resolve() };
}

function notCounted(name: string, doubt: string): ArbError {
  return new ArbError("network", `how many transactions ${name} has made is not certain: ${doubt}`, {
    hint: "try again; where it stays so, one of the endpoints is behind or wrong (docs/rpc.md)",
  });
}

function onTheirWay(name: string, many: number): ArbError {
  return new ArbError("locked", `${name} has ${many} transactions on their way that are not in the journal`, {
    hint: "wait until they are mined; a second program with this key must not run",
  });
}

/** The refusal of an account that another driver holds. */
export function heldBy(name: string, row: Pick<AccountRow, "owner" | "host" | "pid" | "until">): ArbError {
  const host = row.host === null ? "" : ` (process ${row.pid} on ${row.host.split(" ")[0]})`;
  return new ArbError("locked", `${name} is held by driver ${row.owner}${host}`, {
    where: `its lease runs until ${row.until.toISOString()}`,
    hint: "use another wallet for this program, or stop the other one",
  });
}

/** The refusal of a stopped account. */
export function stoppedError(name: string, reason: string): ArbError {
  return new ArbError("locked", `${name} is stopped: ${reason}`, {
    hint: "find out what used the key, then: arb journal resume (docs/journal.md)",
  });
}

/**
 * Renews the lease of every account held, and says which were lost. A lease that ran out is renewed where nobody took the account
 * meanwhile: the epoch decides, not the time.
 */
export async function renewLeases(db: JournalDatabase, driverId: string, ttlMs: number, accounts: Held[]): Promise<void> {
  const { rows } = await db.pool
    .query<{ chain_id: unknown; account: string; epoch: unknown }>({
      name: "journal-renew",
      text: `with beat as (update journal.driver set beat = clock_timestamp() where id = $1)
        update journal.account set until = clock_timestamp() + $2 * interval '1 ms' where owner = $1
        returning chain_id, account, epoch`,
      values: [driverId, ttlMs],
    })
    .catch((error: unknown) => {
      throw databaseError(error, "the leases cannot be renewed");
    });
  const mine = new Set(rows.map((r) => `${String(r.chain_id)} ${r.account} ${String(r.epoch)}`));
  for (const each of accounts) if (!mine.has(`${each.chainId} ${each.key} ${each.epoch}`)) each.lost = true;
}

/** Gives an account back at once, so that the next driver need not wait for the lease. */
export async function releaseAccount(db: JournalDatabase, driverId: string, account: Held): Promise<void> {
  account.lost = true;
  await db.pool
    .query(
      `update journal.account set owner = null, until = clock_timestamp()
       where chain_id = $1 and account = $2 and owner = $3 and epoch = $4`,
      [account.chainId, account.key, driverId, account.epoch],
    )
    .catch((error: unknown) => {
      throw databaseError(error, `${accountName(account.chainId, account.account)} cannot be given back`);
    });
}

/** Gives back what was handed over to this driver and never claimed. */
export async function releaseUnclaimed(db: JournalDatabase, driverId: string): Promise<void> {
  await db.pool
    .query(`update journal.account set owner = null, until = clock_timestamp() where owner = $1`, [driverId])
    .catch((error: unknown) => {
      throw databaseError(error, "accounts that were not claimed cannot be given back");
    });
}

/** How long a driver that asked for an account counts as waiting for it: it asks again while it does. */
const WAITS_MS = 15_000;

/** Notes that this driver waits for an account. False where no other driver has it. */
export async function wantAccount(db: JournalDatabase, driverId: string, chainId: number, account: string): Promise<boolean> {
  const { rowCount } = await db.pool
    .query(
      `update journal.account set wanted_by = $3, wanted_at = clock_timestamp()
       where chain_id = $1 and account = $2 and owner <> $3`,
      [chainId, keyOf(account), driverId],
    )
    .catch((error: unknown) => {
      throw databaseError(error, `${accountName(chainId, account)} cannot be asked for`);
    });
  return rowCount === 1;
}

/** The accounts of this driver that another one waits for. */
export async function wantedAccounts(db: JournalDatabase, driverId: string): Promise<{ chainId: number; account: string }[]> {
  const { rows } = await db.pool
    .query<{ chain_id: unknown; account: string }>(
      `select chain_id, account from journal.account
       where owner = $1 and wanted_by <> $1 and wanted_at > clock_timestamp() - $2 * interval '1 ms'`,
      [driverId, WAITS_MS],
    )
    .catch((error: unknown) => {
      throw databaseError(error, "the accounts that others wait for cannot be read");
    });
  return rows.map((row) => ({ chainId: Number(row.chain_id), account: getAddress(row.account) }));
}

/**
 * Gives an account to the driver that waits for it, with a lease of its own, so that nobody else comes first. The epoch rises: nothing
 * of this driver signs for it any more, but by a claim. `ours`: the ownership, where this driver has claimed it.
 */
export async function handOver(
  db: JournalDatabase,
  driverId: string,
  ttlMs: number,
  { chainId, account }: Pick<Ownership, "chainId" | "account">,
  ours: Held | null,
): Promise<void> {
  if (ours !== null) ours.lost = true;
  await db.pool
    .query(
      `update journal.account set owner = wanted_by, epoch = epoch + 1, until = clock_timestamp() + $4 * interval '1 ms',
         wanted_by = null, wanted_at = null
       where chain_id = $1 and account = $2 and owner = $3 and wanted_at > clock_timestamp() - $5 * interval '1 ms'`,
      [chainId, keyOf(account), driverId, ttlMs, WAITS_MS],
    )
    .catch((error: unknown) => {
      throw databaseError(error, `${accountName(chainId, account)} cannot be handed over`);
    });
}

/** Stops an account: it signs nothing until `resumeAccount`. The first reason stands. */
export async function stopAccount(sql: Sql, chainId: number, key: string, reason: string): Promise<void> {
  await sql.query(
    `update journal.account set stopped = $3, stopped_at = clock_timestamp()
     where chain_id = $1 and account = $2 and stopped is null`,
    [chainId, key, reason],
  );
}

/**
 * Lets a stopped account sign again, after the operator has looked: nonces up to the chain's count that the journal never gave out
 * are written down as foreign. Raises ArbError "usage" where nothing is stopped and "locked" while a driver holds it.
 */
export async function resumeAccount(
  db: JournalDatabase,
  chainId: number,
  account: string,
  count: NonceCount,
): Promise<{ reason: string; foreign: number }> {
  const key = keyOf(account);
  const name = accountName(chainId, getAddress(account));
  return await inTransaction(db.pool, `${name} cannot be resumed`, async (sql) => {
    const { rows } = await sql.query<AccountRow>(`${ACCOUNT} for update of a`, [chainId, key]);
    const row = rows[0];
    if (!row || row.stopped === null) throw new ArbError("usage", `${name} is not stopped`);
    if (count.doubt != null) throw notCounted(name, count.doubt);
    if (row.owner !== null && row.alive && !isDead(row.host, row.pid) && !isSelf(row)) throw heldBy(name, row);
    if (count.pending > count.latest) {
      const open = await sql.query(
        `select 1 from journal.slot where chain_id = $1 and account = $2 and nonce >= $3 and state = 'open' limit 1`,
        [chainId, key, count.latest],
      );
      if ((open.rowCount ?? 0) === 0) {
        throw new ArbError("locked", `${name} has transactions on their way that are not ours`, {
          hint: "wait until they are mined",
        });
      }
    }
    const filled = await sql.query(
      `insert into journal.slot (chain_id, account, nonce, epoch, state, evidence)
       select $1, $2, n, $5, 'foreign', $6 from generate_series($3::bigint, $4::bigint - 1) n`,
      [chainId, key, Number(row.next), count.latest, row.epoch, "not given out by this journal"],
    );
    await sql.query(
      `update journal.account set stopped = null, stopped_at = null, next = greatest(next, $3), epoch = epoch + 1, owner = null
       where chain_id = $1 and account = $2`,
      [chainId, key, count.latest],
    );
    return { reason: row.stopped, foreign: filled.rowCount ?? 0 };
  });
}

/** An account as the journal has it. */
export interface AccountState {
  chainId: number;
  /** EIP-55. */
  account: string;
  /** Driver that holds it; null where nobody does. */
  owner: string | null;
  until: Date;
  next: number;
  stopped: string | null;
  open: { nonce: number; state: string; hash: string; intentId: string | null }[];
}

/** All accounts with their slots that have no known end. */
export async function readAccounts(db: JournalDatabase): Promise<AccountState[]> {
  try {
    const { rows } = await db.pool.query<AccountRow & { chain_id: unknown; account: string }>(
      `select chain_id, account, case when until > clock_timestamp() then owner end as owner, until, next, stopped
       from journal.account order by chain_id, account`,
    );
    const open = await db.pool.query<{
      chain_id: unknown;
      account: string;
      nonce: unknown;
      state: string;
      hash: string;
      intent_id: string | null;
    }>(
      `select s.chain_id, s.account, s.nonce, s.state, a.hash, a.intent_id
       from journal.slot s join journal.attempt a using (chain_id, account, nonce)
       where s.state in ('open', 'mined') order by s.chain_id, s.account, s.nonce, a.number`,
    );
    return rows.map((row) => ({
      chainId: Number(row.chain_id),
      account: getAddress(row.account),
      owner: row.owner,
      until: row.until,
      next: Number(row.next),
      stopped: row.stopped,
      open: open.rows
        .filter((o) => o.chain_id === row.chain_id && o.account === row.account)
        .map(({ nonce, state, hash, intent_id }) => ({ nonce: Number(nonce), state, hash, intentId: intent_id })),
    }));
  } catch (error) {
    throw databaseError(error, "the journal cannot be read");
  }
}
