import { id as hashOf, toBeHex, toQuantity } from "ethers";
import type { Pool } from "pg";
import { IERC20__factory } from "../../../types/contracts/index.js";
import { type RelayData, relayHash, spokePool } from "../../../src/bridges/across-abi.js";
import { depositIn } from "../../../src/bridges/across-key.js";
import { cctpFacts } from "../../../src/config/cctp.js";
import { stargateFacts } from "../../../src/config/stargate.js";
import { fromStored } from "../../../src/inventory/stored.js";
import { tokenOf } from "../../../src/sim/protocols/tokens.js";
import type { SagaResult } from "../../../src/transfers/types.js";
import { type AttemptRow, attemptsOf, auditAccount, auditOffers } from "../audit.js";
import { minedBy } from "../world.js";
import type { SagaWish } from "./plan.js";
import type { Purpose, Site, World } from "./world.js";

/** What is wrong, by kind; each with words that say what the chain has and what the tables have. All empty = everything is accounted for. */
export interface Faults {
  /** Trades without an end, and money that neither arrived nor came back though its trade has ended. */
  lost: string[];
  /** Transfers of one trade that were started twice. */
  doubleStarts: string[];
  /** Purchases or sales that one trade made twice. */
  doubleLegs: string[];
  /** Balances that are not the books, to the wei; books of trades that are not all books; what stays reserved. */
  ledgerMismatch: string[];
  nonceReused: string[];
  gaps: string[];
  /** Transactions that only the chain or only the journal has, approvals that are left. */
  unaccounted: string[];
}

export const noFaults = (): Faults => ({
  lost: [],
  doubleStarts: [],
  doubleLegs: [],
  ledgerMismatch: [],
  nonceReused: [],
  gaps: [],
  unaccounted: [],
});

interface Paid {
  chainId: number;
  account: string;
  symbol: "USDC" | "WETH";
  to: string;
  value: bigint;
  tx: string;
}

/** A deposit into Across, whose id tells what it is for. */
interface Deposit {
  relay: RelayData;
  from: number;
  to: number;
  tx: string;
}

/** What earlier audits saw of the chains: they have no reorganisations, so blocks are read once. */
export interface Seen {
  upTo: number[];
  mined: Awaited<ReturnType<typeof minedBy>>[];
  paid: Paid[];
  deposits: Deposit[];
  /** Balances when the world was new, by place. */
  first: Map<string, bigint>;
}

const SYMBOLS = ["USDC", "WETH", "native"] as const;

export async function newSeen(world: World): Promise<Seen> {
  const upTo = await Promise.all(world.sites.map(headOf));
  const first = new Map<string, bigint>();
  for (const site of world.sites)
    for (const account of world.accounts)
      for (const symbol of SYMBOLS) first.set(placeName(site, account, symbol), await balanceOf(site, account, symbol));
  return { upTo, mined: [[], []], paid: [], deposits: [], first };
}

/**
 * Accounts for every trade that was handed out, on chains that stand still and with drivers that have nothing to do. The counts are the
 * chains': deposits and swaps by our accounts, and balances; the tables are compared with them.
 */
export async function audit(world: World, pool: Pool, wishes: readonly SagaWish[], seen: Seen): Promise<Faults> {
  const faults = noFaults();
  await look(world, seen);
  const intents = new Map<string, string>();
  for (const [i, site] of world.sites.entries()) {
    const attempts = new Map<string, AttemptRow>();
    for (const account of world.accounts) {
      const rows = await attemptsOf(pool, site.local.network.chainId, account);
      for (const row of rows) {
        attempts.set(row.hash, row);
        if (row.intent_id !== null) intents.set(row.hash, row.intent_id);
      }
      const own = seen.mined[i]!.filter((m) => m.from === account.toLowerCase());
      await auditAccount(site, pool, account, rows, own, faults);
    }
    auditOffers({ ...site, given: () => new Map<string, string>() }, attempts, faults);
  }
  const ended = await auditEnds(pool, wishes, faults);
  await auditTransfers(world, pool, seen, intents, ended, faults);
  auditLegs(world, wishes, seen, intents, faults);
  await auditBooks(world, pool, seen, faults);
  await auditApprovals(world, faults);
  return faults;
}

const headOf = async ({ local }: Site): Promise<number> => Number(await local.rpc<string>("eth_blockNumber"));
const token = ({ local }: Site, symbol: string): string => tokenOf(local.network, symbol).address;
const placeName = ({ local }: Site, account: string, symbol: string): string =>
  `${local.network.chainId} ${account.toLowerCase()} ${symbol}`;

async function balanceOf(site: Site, account: string, symbol: (typeof SYMBOLS)[number]): Promise<bigint> {
  if (symbol === "native") return BigInt(await site.local.rpc<string>("eth_getBalance", [account, "latest"]));
  const data = IERC20__factory.createInterface().encodeFunctionData("balanceOf", [account]);
  return BigInt(await site.local.rpc<string>("eth_call", [{ to: token(site, symbol), data }, "latest"]));
}

/** Reads the blocks since the last audit: our transactions, our deposits, and what our accounts paid. */
async function look(world: World, seen: Seen): Promise<void> {
  const owners = world.accounts.map((a) => toBeHex(a, 32));
  for (const [i, site] of world.sites.entries()) {
    const { chainId } = site.local.network;
    const head = await headOf(site);
    const range = { fromBlock: toQuantity(seen.upTo[i]! + 1), toBlock: toQuantity(head) };
    seen.mined[i]!.push(...(await minedBy(site, seen.upTo[i]!, head)));
    seen.upTo[i] = head;
    const logsOf = async (address: string, topics: unknown[]) =>
      await site.local.rpc<{ address: string; topics: string[]; data: string; transactionHash: string }[]>("eth_getLogs", [
        { address, topics, ...range },
      ]);
    const spoke = world.bridges.across.pool(chainId).address;
    for (const log of await logsOf(spoke, [spokePool.getEvent("FundsDeposited")!.topicHash, null, null, owners])) {
      const deposit = depositIn(log, chainId)!;
      seen.deposits.push({ relay: deposit.relay, from: chainId, to: deposit.destinationChainId, tx: log.transactionHash });
    }
    const transfer = hashOf("Transfer(address,address,uint256)");
    for (const symbol of ["USDC", "WETH"] as const)
      for (const log of await logsOf(token(site, symbol), [transfer, owners])) {
        const [account, to] = [log.topics[1]!, log.topics[2]!].map((word) => `0x${word.slice(26)}`) as [string, string];
        seen.paid.push({ chainId, account, symbol, to, value: BigInt(log.data), tx: log.transactionHash });
      }
  }
}

/** Every trade that was handed out has an end in the tables and in the engine. Gives the ends. */
async function auditEnds(pool: Pool, wishes: readonly SagaWish[], faults: Faults): Promise<Map<string, string>> {
  const { rows } = await pool.query<{
    id: string;
    outcome: string | null;
    state: string;
    waits_for: string;
    status: string | null;
  }>(
    `select s.id, s.outcome, s.state, s.waits_for, w.status from crosschain.saga s
     left join dbos.workflow_status w on w.workflow_uuid = 'saga/' || s.id`,
  );
  const known = new Map(rows.map((r) => [r.id, r]));
  for (const { id } of wishes) {
    const row = known.get(id);
    if (row === undefined) faults.lost.push(`${id} is not in the tables`);
    else if (row.outcome === null) faults.lost.push(`${id} has no end: ${row.state}, waits for ${row.waits_for}`);
    else if (row.status !== "SUCCESS") faults.lost.push(`${id} ended as ${row.outcome}, and its workflow is ${row.status}`);
  }
  const wished = new Set(wishes.map((w) => w.id));
  for (const { id } of rows) if (!wished.has(id)) faults.unaccounted.push(`the tables have ${id}, which nobody asked for`);
  return new Map(rows.flatMap((r) => (r.outcome === null ? [] : [[r.id, r.outcome]])));
}

/** Deposits on the chains: each once, one of a kind that is not refunded, none without an end, and the same ones as in the tables. */
async function auditTransfers(
  world: World,
  pool: Pool,
  seen: Seen,
  intents: ReadonlyMap<string, string>,
  ended: ReadonlyMap<string, string>,
  faults: Faults,
): Promise<void> {
  const byId = new Map<bigint, Deposit[]>();
  for (const deposit of seen.deposits) byId.set(deposit.relay.depositId, [...(byId.get(deposit.relay.depositId) ?? []), deposit]);
  const live = new Map<string, string[]>();
  const onChain = new Set<string>();
  for (const [id, deposits] of byId) {
    const purpose: Purpose | undefined = world.purposes.get(id);
    const { tx, from } = deposits[0]!;
    if (purpose === undefined) {
      faults.unaccounted.push(`chain ${from}: the deposit ${id} in ${tx} is of no trade that was handed out`);
      continue;
    }
    const { saga, leg } = purpose;
    onChain.add(tx);
    if (deposits.length > 1)
      faults.doubleStarts.push(`${saga} ${leg}: the chain has the deposit ${id} ${deposits.length} times (${tx})`);
    const end = world.refunded.has(id) ? "refunded" : (await isFilled(world, deposits[0]!)) ? "filled" : "open";
    if (end === "open" && ended.has(saga))
      faults.lost.push(`${saga} ended as ${ended.get(saga)}, its deposit in ${tx} is still open`);
    if (end !== "refunded") live.set(`${saga} ${leg}`, [...(live.get(`${saga} ${leg}`) ?? []), tx]);
  }
  for (const { tx, to, value, symbol } of seen.paid) {
    if (payee(world, to) !== "bridge") continue;
    onChain.add(tx);
    const [, saga, leg] = intents.get(tx)?.match(/^saga\/([^:]+):([a-z]+)\./) ?? [];
    if (saga === undefined)
      faults.unaccounted.push(`${tx} gave ${value} ${symbol} to the bridge at ${to}, and no trade of ours did`);
    else live.set(`${saga} ${leg}`, [...(live.get(`${saga} ${leg}`) ?? []), tx]);
  }
  for (const [name, transactions] of live)
    if (transactions.length > 1) faults.doubleStarts.push(`${name} was started in ${transactions.join(" and in ")}`);
  const { rows } = await pool.query<{ id: string; tx: string | null; started: boolean; ended: string | null }>(
    `select id, key ->> 'sourceTx' as tx, started_at is not null as started, ended from crosschain.transfer`,
  );
  for (const { id, tx, started, ended: end } of rows) {
    if (started && !onChain.has(tx ?? ""))
      faults.ledgerMismatch.push(`${id}: the tables have its start in ${tx}, the chain has none`);
    if (tx !== null) onChain.delete(tx);
    if (end === null) faults.lost.push(`${id}: the tables have no end of it`);
  }
  for (const tx of onChain) faults.ledgerMismatch.push(`the chain has a deposit in ${tx}, the tables have none`);
}

async function isFilled(world: World, { relay, to }: Deposit): Promise<boolean> {
  const pool = world.bridges.across.pool(to);
  const data = spokePool.encodeFunctionData("fillStatuses", [relayHash(relay, to)]);
  return BigInt(await pool.chain.rpc<string>("eth_call", [{ to: pool.address, data }, "latest"])) === 2n;
}

/** Whom a payment of ours went to: Across by its deposits, a pool, or else a bridge that takes tokens by itself (CCTP, Stargate). */
function payee(world: World, to: string): "across" | "pool" | "bridge" {
  const is = (address: string): boolean => address.toLowerCase() === to.toLowerCase();
  if (world.sites.some((s) => is(world.bridges.across.pool(s.local.network.chainId).address))) return "across";
  return world.sites.some((s) => s.local.pools.some((p) => is(p.host ?? p.address))) ? "pool" : "bridge";
}

/** What our accounts paid into pools: at most one purchase and one sale for each trade, all of them of a known trade. */
function auditLegs(
  world: World,
  wishes: readonly SagaWish[],
  seen: Seen,
  intents: ReadonlyMap<string, string>,
  faults: Faults,
): void {
  const amounts = new Map(wishes.map((w) => [BigInt(w.amountIn), w.id]));
  const legs = new Map<string, string[]>();
  const add = (name: string, tx: string): void => void legs.set(name, [...(legs.get(name) ?? []), tx]);
  for (const { chainId, symbol, to, value, tx } of seen.paid) {
    if (payee(world, to) !== "pool") continue;
    // by the unique amount: the chain alone
    const bought = symbol === "USDC" ? amounts.get(value) : undefined;
    if (bought !== undefined) add(`${bought}: purchases for ${value}, by their amount`, tx);
    const saga = intents.get(tx)?.match(/^saga\/([^:]+):/)?.[1];
    if (saga === undefined)
      faults.unaccounted.push(`chain ${chainId}: ${tx} paid ${value} ${symbol} to ${to}, and no trade of ours did`);
    else add(`${saga}: ${symbol === "USDC" ? "purchases" : "sales"}, by the journal`, tx);
  }
  for (const [name, transactions] of legs)
    if (transactions.length > 1)
      faults.doubleLegs.push(`${name}: the chain has ${transactions.length}, ${transactions.join(", ")}`);
}

/** Balances against ledger and arrivals, to the wei, and these against the sum of all trades' own books. */
async function auditBooks(world: World, pool: Pool, seen: Seen, faults: Faults): Promise<void> {
  const { rows } = await pool.query<{ account: string; result: unknown }>(
    `select account, result from crosschain.saga where result is not null`,
  );
  const booked = new Map<string, bigint>();
  for (const row of rows)
    for (const { chainId, asset, amount, gas } of fromStored<SagaResult>(row.result).books) {
      const key = `${chainId} ${row.account.toLowerCase()} ${asset}`;
      booked.set(key, (booked.get(key) ?? 0n) + amount - gas);
    }
  for (const site of world.sites) {
    const { chainId } = site.local.network;
    for (const account of world.accounts)
      for (const symbol of SYMBOLS) {
        const asset = symbol === "native" ? symbol : token(site, symbol).toLowerCase();
        const tables = await tablesSay(pool, chainId, account, asset);
        const place = placeName(site, account, symbol);
        const gift = world.gifts.get(place) ?? 0n;
        const chain = (await balanceOf(site, account, symbol)) - seen.first.get(place)! - gift;
        const of = `chain ${chainId}, ${account}, ${symbol}`;
        if (chain !== tables.all)
          faults.ledgerMismatch.push(`${of}: the chain changed by ${chain}, the tables say ${tables.all}: ${tables.words}`);
        const sagas = booked.get(`${chainId} ${account.toLowerCase()} ${asset}`) ?? 0n;
        if (sagas !== tables.all)
          faults.ledgerMismatch.push(`${of}: the books of all trades say ${sagas}, the tables ${tables.all}: ${tables.words}`);
      }
  }
  const reserved = await pool.query<{ saga: string; token: string; amount: string }>(
    `select r.saga, r.token, r.amount::text from crosschain.reservation r left join crosschain.saga s on s.id = r.saga
     where s.outcome is distinct from 'held'`,
  );
  for (const { saga, token: of, amount } of reserved.rows)
    faults.ledgerMismatch.push(`${saga} has ended, and ${amount} of ${of} stay reserved for it`);
}

/** Ledger, arrivals in transactions of others, and what came back of native fees. */
async function tablesSay(pool: Pool, chainId: number, account: string, asset: string): Promise<{ all: bigint; words: string }> {
  const { rows } = await pool.query<Record<"ledger" | "arrivals" | "refunds", string>>(
    `select (select coalesce(sum(amount), 0) from journal.ledger where chain_id = $1 and holder = $2 and asset = $3)::text as ledger,
       (select coalesce(sum(amount), 0) from crosschain.arrival r where chain_id = $1 and holder = $2 and asset = $3 and not exists (
          select 1 from journal.attempt a where a.chain_id = r.chain_id and a.hash = r.tx_hash))::text as arrivals,
       (select coalesce(sum(amount), 0) from crosschain.unseen
        where $3 = 'native' and chain_id = $1 and holder = $2)::text as refunds`,
    [chainId, account.toLowerCase(), asset],
  );
  const { ledger, arrivals, refunds } = rows[0]!;
  const words = `ledger ${ledger}, arrivals ${arrivals}, refunds of native fees ${refunds}`;
  return { all: BigInt(ledger) + BigInt(arrivals) + BigInt(refunds), words };
}

/** Nobody may take anything of ours any more. */
async function auditApprovals(world: World, faults: Faults): Promise<void> {
  const erc20 = IERC20__factory.createInterface();
  for (const site of world.sites) {
    const { chainId } = site.local.network;
    const others = [cctpFacts(chainId)!.tokenMessenger.address, stargateFacts(chainId)!.usdcPool.address];
    const spenders = new Set([world.bridges.across.pool(chainId).address, ...others, ...Object.values(site.local.routers)]);
    for (const account of world.accounts)
      for (const symbol of ["USDC", "WETH"])
        for (const spender of spenders) {
          const data = erc20.encodeFunctionData("allowance", [account, spender]);
          const left = BigInt(await site.local.rpc<string>("eth_call", [{ to: token(site, symbol), data }, "latest"]));
          if (left > 0n) faults.unaccounted.push(`chain ${chainId}: ${spender} may still take ${left} ${symbol} of ${account}`);
        }
  }
}
