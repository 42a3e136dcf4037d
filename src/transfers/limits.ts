/** How much of each asset is between networks or owned by trades, with what opened trades have yet to send; and whether one more fits. */
import type { BridgeId } from "../bridges/bridge.js";
import { findToken, networkById } from "../config/networks.js";
import { type AssetLimits, brokenLimit, type Limits } from "../inventory/index.js";
import { amount } from "../journal/slots.js";
import { databaseError, type Sql } from "../journal/sql.js";
import type { Senders } from "./senders.js";

/** An amount of a token on a network, base units. */
export interface Part {
  chainId: number;
  token: string;
  amount: bigint;
}

/** What a trade or a transfer of stock will do, before it is written down. */
export interface Plan {
  legs: Part[];
  /** By the network that they leave. */
  flying: (Part & { bridge: BridgeId | null })[];
  /** The most that it will own at once, by network. */
  owned: Part[];
}

/** Symbol of a token; its address where no network lists it. */
export type SymbolOf = (chainId: number, token: string) => string;

/** Also of networks that are not set up here: other drivers on the same database may trade there. */
export const symbolsOf =
  ({ networks }: Pick<Senders, "networks">): SymbolOf =>
  (chainId, token) => {
    const network = networks.find((n) => n.chain.network.chainId === chainId)?.chain.network ?? networkById(chainId);
    return (network && findToken(network, token)?.symbol) ?? token.toLowerCase();
  };

/** Trades that may still send something. One that is closing waits for final blocks only. */
const OPEN = `with open as (
    select id, mode,
      (opportunity #>> '{buy,chainId}')::bigint as source, lower(opportunity #>> '{buy,tokenOut}') as bought_token,
      lower(opportunity #>> '{buy,tokenIn}') as profit_token,
      (opportunity #>> '{sell,chainId}')::bigint as target, lower(opportunity #>> '{sell,tokenIn}') as stock_token,
      lower(opportunity #>> '{sell,tokenOut}') as proceeds_token, (opportunity ->> 'returnToSource')::boolean as returns,
      (estimate #>> '{bought,bigint}')::numeric as bought, (estimate #>> '{sold,bigint}')::numeric as sold,
      estimate #>> '{bridges,0}' as out_bridge, estimate ->> 'homeBridge' as home_bridge
    from crosschain.saga where finished_at is null and state <> 'closing' and id <> $1
  )`;

const legsOf = (names: string): string => `t.saga = s.id and t.leg ~ '^(again[0-9]+\\.)?(${names})\\.'`;
/** Recorded, and not ended without having arrived: what was refunded or not started may be sent again. */
const isSent = (names: string): string =>
  `exists (select 1 from crosschain.transfer t where ${legsOf(names)} and coalesce(t.ended, 'delivered') = 'delivered')`;
const isGone = (names: string): string =>
  `exists (select 1 from crosschain.transfer t where ${legsOf(names)} and t.started_at is not null)`;
/** What is not in a trade's reservations yet of what it will own. */
const toCome = (planned: string, chain: string, token: string): string =>
  `greatest(0, ${planned} - (select coalesce(sum(r.amount + r.expected), 0) from crosschain.reservation r
     where r.saga = s.id and r.chain_id = ${chain} and r.token = ${token}))`;

const FLYING = `${OPEN}
  select chain, token, bridge, sum(amount)::numeric as amount from (
    select from_chain as chain, token_in as token, bridge, amount_in as amount from crosschain.transfer where ended is null and saga <> $1
    union all
    select source, bought_token, out_bridge, bought from open s where (mode = 'bridge' or returns) and not ${isSent("out|restock")}
    union all
    select target, proceeds_token, home_bridge, sold from open s where returns and not ${isSent("home")}
    union all
    select (move ->> 'fromChainId')::bigint, lower(move ->> 'tokenIn'), move ->> 'bridge', (move #>> '{amount,bigint}')::numeric
    from crosschain.rebalancing s where finished_at is null and id <> $1
      and not exists (select 1 from crosschain.transfer t where t.saga = s.id)
  ) f where amount > 0 group by chain, token, bridge`;

const OWNED = `${OPEN}
  select chain, token, sum(amount)::numeric as amount from (
    select chain_id as chain, token, amount + expected as amount from crosschain.reservation where saga <> $1
    union all
    select source, bought_token, ${toCome("bought", "source", "bought_token")} from open s where not ${isGone("out|restock")}
    union all
    select target, stock_token, ${toCome("bought", "target", "stock_token")} from open s where mode = 'bridge' and not ${isGone("out")}
    union all
    select target, proceeds_token, ${toCome("sold", "target", "proceeds_token")} from open s where not ${isGone("home")}
    union all
    select source, profit_token, ${toCome("sold", "source", "profit_token")} from open s where returns and not ${isGone("home")}
  ) o where amount > 0 group by chain, token`;

type Row = { chain: unknown; token: string; amount: unknown; bridge?: BridgeId | null };

/**
 * Which limit a plan would break, in words; null for none. What is under way and planned of others counts by symbol, on all networks.
 * `id`: whose plan it is. Raises ArbError "network" where the database does not answer.
 */
export async function brokenByPlan(sql: Sql, limits: Limits, symbolOf: SymbolOf, id: string, plan: Plan): Promise<string | null> {
  const of = ({ chainId, token }: Part): string => symbolOf(chainId, token);
  const symbols = limitedSymbols(limits, symbolOf, plan);
  if (symbols.length === 0) return null;
  const isLimited = (...kinds: (keyof AssetLimits)[]): boolean =>
    symbols.some((symbol) => kinds.some((kind) => limits[symbol]![kind] !== undefined));
  const ask = async (text: string): Promise<Plan["flying"]> => {
    const { rows } = await sql.query<Row>(text, [id]);
    return rows.map((r) => ({ chainId: Number(r.chain), token: r.token, amount: amount(r.amount), bridge: r.bridge ?? null }));
  };
  let flying: Plan["flying"] = [];
  let owned: Part[] = [];
  try {
    if (isLimited("inFlight", "perBridge")) flying = await ask(FLYING);
    if (isLimited("perChain")) owned = await ask(OWNED);
  } catch (error) {
    throw databaseError(error, "what is between networks is not known");
  }
  for (const symbol of symbols) {
    const isOf = (part: Part): boolean => of(part) === symbol;
    const sends = plan.flying.filter(isOf);
    // what others do beyond a limit is no reason against a plan that adds nothing to it
    const others = sends.length === 0 ? [] : flying.filter(isOf);
    const shared = others.map((f) => ({ ...f, bridge: sends.some((s) => s.bridge === f.bridge) ? f.bridge : null }));
    const onChain = plan.owned.filter(isOf).map((own) => {
      const there = owned.filter((o) => o.chainId === own.chainId && isOf(o));
      return { chainId: own.chainId, amount: there.reduce((sum, o) => sum + o.amount, own.amount) };
    });
    const leg = plan.legs.filter(isOf).reduce((most, l) => (l.amount > most ? l.amount : most), 0n);
    const broken = brokenLimit(limits, { symbol, leg, flying: [...shared, ...sends], onChain });
    if (broken !== null) return broken;
  }
  return null;
}

/**
 * The same within the caller's transaction, and alone: until it ends nobody else is told that his plan of one of these tokens fits. Places
 * are locked before this, by everybody.
 */
export async function brokenWithin(sql: Sql, limits: Limits, symbolOf: SymbolOf, id: string, plan: Plan): Promise<string | null> {
  for (const symbol of limitedSymbols(limits, symbolOf, plan))
    await sql.query(`select pg_advisory_xact_lock(hashtextextended($1, 78))`, [symbol]);
  return await brokenByPlan(sql, limits, symbolOf, id, plan);
}

/** In one order, so that two programs never wait for each other. */
function limitedSymbols(limits: Limits, symbolOf: SymbolOf, { legs, flying, owned }: Plan): string[] {
  const all = new Set([...legs, ...flying, ...owned].map(({ chainId, token }) => symbolOf(chainId, token)));
  return [...all].filter((symbol) => limits[symbol] !== undefined).toSorted();
}
