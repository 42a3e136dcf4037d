import { getAddress } from "ethers";
import type { NodeErrorKind } from "../chain/errors.js";
import type { Sql } from "./sql.js";
import type { AttemptKind, Inclusion, JournaledAttempt, SendNote, Slot, SlotState } from "./types.js";

/** Which slots of an account. */
export type SlotFilter = { nonce: number } | { states: SlotState[] } | { from: number };

interface SlotRow {
  nonce: unknown;
  state: SlotState;
  evidence: string | null;
}

interface AttemptRow {
  hash: string;
  nonce: unknown;
  number: number;
  kind: AttemptKind;
  intent_id: string | null;
  holder: string | null;
  raw: string;
  max_fee: unknown;
  priority_fee: unknown;
  gas_limit: unknown;
  exposed: boolean;
  last_block: unknown;
  follows: string | null;
  created_at: Date;
  age_ms: number;
  broadcast_at: Date | null;
}

/** Slots of an account with all that is known of them, by nonce. */
export async function readSlots(sql: Sql, chainId: number, account: string, filter: SlotFilter): Promise<Slot[]> {
  const [condition, value] =
    "nonce" in filter
      ? ["nonce = $3", filter.nonce]
      : "from" in filter
        ? ["nonce >= $3", filter.from]
        : ["state = any($3)", filter.states];
  const { rows } = await sql.query<SlotRow>(
    `select nonce, state, evidence from journal.slot where chain_id = $1 and account = $2 and ${condition} order by nonce`,
    [chainId, account, value],
  );
  if (rows.length === 0) return [];
  const nonces = rows.map((r) => Number(r.nonce));
  const of = [chainId, account, nonces];
  const attempts = await sql.query<AttemptRow>(
    `select a.*, (extract(epoch from clock_timestamp() - a.created_at) * 1000)::float8 as age_ms, i.holder
     from journal.attempt a left join journal.intent i on i.chain_id = a.chain_id and i.id = a.intent_id
     where a.chain_id = $1 and a.account = $2 and a.nonce = any($3) order by a.nonce, a.number`,
    of,
  );
  const sends = await sql.query<{ hash: string; route: string; status: SendNote["status"]; kind: NodeErrorKind | null }>(
    `select s.hash, s.route, s.status, s.kind from journal.send s join journal.attempt a using (hash)
     where a.chain_id = $1 and a.account = $2 and a.nonce = any($3) and s.action = 'send' order by s.id`,
    of,
  );
  const inclusions = await sql.query<{
    nonce: unknown;
    hash: string;
    block_number: unknown;
    block_hash: string;
    succeeded: boolean;
  }>(
    `select nonce, hash, block_number, block_hash, succeeded from journal.inclusion
     where chain_id = $1 and account = $2 and nonce = any($3) and taken_back_at is null`,
    of,
  );
  const sendsOf = groupBy(sends.rows, (s) => s.hash);
  const attemptsOf = groupBy(attempts.rows, (a) => Number(a.nonce));
  const checksum = getAddress(account);
  return rows.map((row): Slot => {
    const nonce = Number(row.nonce);
    const mined = inclusions.rows.find((i) => Number(i.nonce) === nonce);
    return {
      chainId,
      account: checksum,
      nonce,
      state: row.state,
      evidence: row.evidence,
      attempts: (attemptsOf.get(nonce) ?? []).map((a) => attemptOf(a, chainId, checksum, sendsOf.get(a.hash) ?? [])),
      inclusion: mined ? inclusionOf(mined) : null,
    };
  });
}

/** The slot of an intent; null when the journal has no such intent on the chain. */
export async function readIntent(sql: Sql, chainId: number, id: string): Promise<{ account: string; nonce: number } | null> {
  const { rows } = await sql.query<{ account: string; nonce: unknown }>(
    `select account, nonce from journal.intent where chain_id = $1 and id = $2`,
    [chainId, id],
  );
  const row = rows[0];
  return row ? { account: row.account, nonce: Number(row.nonce) } : null;
}

/** Whether a nonce above has an attempt that everybody may have. */
export async function publicAbove(sql: Sql, chainId: number, account: string, nonce: number): Promise<boolean> {
  const { rowCount } = await sql.query(
    `select 1 from journal.attempt a join journal.slot s using (chain_id, account, nonce)
     where a.chain_id = $1 and a.account = $2 and a.nonce > $3 and a.exposed and s.state = 'open' limit 1`,
    [chainId, account, nonce],
  );
  return (rowCount ?? 0) > 0;
}

function groupBy<K, V>(values: V[], keyOf: (value: V) => K): Map<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  return groups;
}

function attemptOf(row: AttemptRow, chainId: number, account: string, sends: SendNote[]): JournaledAttempt {
  return {
    chainId,
    account,
    nonce: Number(row.nonce),
    number: row.number,
    kind: row.kind,
    intentId: row.intent_id,
    holder: row.holder,
    raw: row.raw,
    hash: row.hash,
    maxFeePerGas: amount(row.max_fee),
    maxPriorityFeePerGas: amount(row.priority_fee),
    gasLimit: amount(row.gas_limit),
    visibility: row.exposed ? "public" : "private",
    lastBlock: row.last_block === null ? null : amount(row.last_block),
    ...(row.follows === null ? {} : { follows: row.follows }),
    createdAt: row.created_at,
    ageMs: row.age_ms,
    broadcastAt: row.broadcast_at,
    sends: sends.map(({ route, status, kind }) => ({ route, status, kind })),
  };
}

function inclusionOf(row: { hash: string; block_number: unknown; block_hash: string; succeeded: boolean }): Inclusion {
  return { hash: row.hash, blockNumber: Number(row.block_number), blockHash: row.block_hash, succeeded: row.succeeded };
}

/** int8 and numeric columns arrive as text or as bigint, never as a float. */
export function amount(value: unknown): bigint {
  if (typeof value !== "string" && typeof value !== "bigint") throw new TypeError("an amount of the database is no integer");
  return BigInt(value);
}
