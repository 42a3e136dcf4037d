/** What we own on every network, what of it belongs to a trade that is under way, and how much more may be begun. */
import type { Provider } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import type { BridgeId } from "../bridges/bridge.js";
import { withDeadline } from "../venues/multicall.js";
import { type JournalDatabase, keyOf, type Sql } from "../journal/sql.js";
import { amount } from "../journal/slots.js";

/** A token of one holder on one network. */
export interface Place {
  chainId: number;
  holder: string;
  token: string;
}

/** What a saga owns and expects at a place, base units: absolute, so that a step that runs again changes nothing. */
export interface Change extends Place {
  amount?: bigint;
  expected?: bigint;
}

/** Limits of one asset (by symbol), base units; absent = none. */
export interface AssetLimits {
  /** Most that one leg may move. */
  perLeg?: bigint;
  /** Most that may be between networks at once. */
  inFlight?: bigint;
  /** The same for one bridge. */
  perBridge?: Partial<Record<BridgeId, bigint>>;
  /** Most that sagas may own on a network at once. */
  perChain?: Record<number, bigint>;
}

export type Limits = Record<string, AssetLimits>;

export interface Stock extends Place {
  balance: bigint;
  /** Owned by sagas. */
  reserved: bigint;
  /** Will be a saga's when it arrives. */
  expected: bigint;
  /** What a new saga may take. */
  free: bigint;
}

/** Tokens between networks. */
export interface Flying {
  transfer: string;
  bridge: BridgeId;
  fromChainId: number;
  toChainId: number;
  token: string;
  amount: bigint;
}

const READ_MS = 5_000;

/** Takes the locks of places in one order, so that two programs never wait for each other; held until the transaction ends. */
async function lockPlaces(sql: Sql, places: Place[]): Promise<void> {
  // a frozen driver gives its locks back by this
  await sql.query(`set local idle_in_transaction_session_timeout = '7s'`);
  const names = new Set(places.map((p) => `${p.chainId} ${keyOf(p.holder)} ${keyOf(p.token)}`));
  for (const name of [...names].toSorted()) await sql.query(`select pg_advisory_xact_lock(hashtextextended($1, 77))`, [name]);
}

/** Everything that is reserved and expected at a place. */
async function claims(sql: Sql, { chainId, holder, token }: Place): Promise<{ reserved: bigint; expected: bigint }> {
  const { rows } = await sql.query<{ amount: unknown; expected: unknown }>(
    `select coalesce(sum(amount), 0)::numeric as amount, coalesce(sum(expected), 0)::numeric as expected
     from crosschain.reservation where chain_id = $1 and holder = $2 and token = $3`,
    [chainId, keyOf(holder), keyOf(token)],
  );
  return { reserved: amount(rows[0]?.amount), expected: amount(rows[0]?.expected) };
}

async function balanceAt(provider: Provider, { holder, token, chainId }: Place): Promise<bigint> {
  const reading = IERC20__factory.connect(token, provider).balanceOf(holder);
  return await withDeadline(reading, READ_MS, `the balance of ${holder} on chain ${chainId}`);
}

/** Provider of a network. Throws ArbError "config" where it is not set up. */
export type Providers = (chainId: number) => Provider;

/** Stock of places, read now. Raises ArbError "network". */
export async function stockOf(db: JournalDatabase, providers: Providers, places: Place[]): Promise<Stock[]> {
  return await Promise.all(
    places.map(async (place) => {
      const [balance, claimed] = await Promise.all([balanceAt(providers(place.chainId), place), claims(db.pool, place)]);
      const free = balance - claimed.reserved - claimed.expected;
      return { ...place, balance, ...claimed, free: free > 0n ? free : 0n };
    }),
  );
}

/**
 * Reserves all of it or nothing, within the caller's transaction. What is expected of others counts as taken already: between the
 * block that brings it and its booking it would belong to nobody. Gives what is missing; null when it is reserved.
 */
export async function reserveWithin(sql: Sql, providers: Providers, saga: string, wanted: Change[]): Promise<string | null> {
  await lockPlaces(sql, wanted);
  for (const place of wanted) {
    const want = place.amount ?? 0n;
    if (want === 0n) continue;
    // read under the lock: nothing is released between this and the insertion
    const balance = await balanceAt(providers(place.chainId), place);
    const { reserved, expected } = await claims(sql, place);
    const free = balance - reserved - expected;
    if (free < want) return `${want} of ${place.token} are wanted on chain ${place.chainId}, ${free > 0n ? free : 0n} are free`;
  }
  for (const change of wanted) await changeWithin(sql, saga, change);
  return null;
}

async function changeWithin(sql: Sql, saga: string, change: Change): Promise<void> {
  const { chainId, holder, token, amount: owned = 0n, expected = 0n } = change;
  await sql.query(
    `insert into crosschain.reservation (saga, chain_id, holder, token, amount, expected) values ($1, $2, $3, $4, $5, $6)
     on conflict (saga, chain_id, holder, token) do update set amount = $5, expected = $6`,
    [saga, chainId, keyOf(holder), keyOf(token), owned, expected],
  );
}

/**
 * Whether a saga or a rebalancing is over. One that is not stays so until the caller's transaction ends: nothing is reserved after an
 * end, where nobody would give it back.
 */
export async function isOver(sql: Sql, id: string): Promise<boolean> {
  for (const table of ["saga", "rebalancing"]) {
    const { rows } = await sql.query<{ over: boolean }>(
      `select finished_at is not null as over from crosschain.${table} where id = $1 for share`,
      [id],
    );
    if (rows[0]) return rows[0].over;
  }
  return false;
}

/**
 * Sets what a saga owns and expects at several places, all at once, within the caller's transaction. One that has ended owns nothing,
 * whatever a driver that was frozen in one of its steps wants to write when it wakes. `mustCarry` raises where it is another's to write.
 */
export async function setWithin(sql: Sql, saga: string, changes: Change[], mustCarry: () => Promise<void>): Promise<void> {
  await lockPlaces(sql, changes);
  if (await isOver(sql, saga)) return;
  // under the locks: who carries it now writes after us, and its values stand
  await mustCarry();
  for (const change of changes) await changeWithin(sql, saga, change);
}

/** A saga expects at least so much at a place, beside what it owns there, within the caller's transaction; where it `may`, asked under the lock. */
export async function expectWithin(
  sql: Sql,
  saga: string,
  { chainId, holder, token, expected = 0n }: Change,
  may: () => Promise<boolean> = () => Promise.resolve(true),
): Promise<void> {
  await lockPlaces(sql, [{ chainId, holder, token }]);
  if (!(await may())) return;
  await sql.query(
    `insert into crosschain.reservation (saga, chain_id, holder, token, amount, expected) values ($1, $2, $3, $4, 0, $5)
     on conflict (saga, chain_id, holder, token) do update set expected = greatest(reservation.expected, excluded.expected)`,
    [saga, chainId, keyOf(holder), keyOf(token), expected],
  );
}

/** A saga owns nothing any more. */
export async function releaseWithin(sql: Sql, saga: string): Promise<void> {
  await sql.query(`delete from crosschain.reservation where saga = $1`, [saga]);
}

/** Transfers that have neither arrived nor come back. */
export async function inFlight(sql: Sql): Promise<Flying[]> {
  const { rows } = await sql.query<{
    id: string;
    bridge: BridgeId;
    from_chain: unknown;
    to_chain: unknown;
    token_in: string;
    amount_in: unknown;
  }>(
    `select id, bridge, from_chain, to_chain, token_in, amount_in from crosschain.transfer where ended is null order by recorded_at`,
  );
  return rows.map((r) => ({
    transfer: r.id,
    bridge: r.bridge,
    fromChainId: Number(r.from_chain),
    toChainId: Number(r.to_chain),
    token: r.token_in,
    amount: amount(r.amount_in),
  }));
}

/** Everything that the limits need to know about one asset. Base units. */
export interface Usage {
  symbol: string;
  leg: bigint;
  /** Transfers of the asset under way, with the one to be begun. */
  flying: { bridge: BridgeId | null; amount: bigint }[];
  /** Owned by sagas on the network that it goes to, with this one. */
  onChain: { chainId: number; amount: bigint }[];
}

/** Which limit a trade would break, in words; null for none. */
export function brokenLimit(limits: Limits, { symbol, leg, flying, onChain }: Usage): string | null {
  const limit = limits[symbol];
  if (!limit) return null;
  if (limit.perLeg !== undefined && leg > limit.perLeg)
    return `one leg may move ${limit.perLeg} units of ${symbol}, this one is ${leg}`;
  const total = flying.reduce((sum, f) => sum + f.amount, 0n);
  if (limit.inFlight !== undefined && total > limit.inFlight)
    return `${limit.inFlight} units of ${symbol} may be between networks, it would be ${total}`;
  for (const [bridge, most] of Object.entries(limit.perBridge ?? {})) {
    const there = flying.filter((f) => f.bridge === bridge).reduce((sum, f) => sum + f.amount, 0n);
    if (there > most) return `${most} units of ${symbol} may be on their way by ${bridge}, it would be ${there}`;
  }
  for (const { chainId, amount: owned } of onChain) {
    const most = limit.perChain?.[chainId];
    if (most !== undefined && owned > most)
      return `trades may own ${most} units of ${symbol} on chain ${chainId}, it would be ${owned}`;
  }
  return null;
}
