import { encodeBytes32String, toQuantity, Transaction } from "ethers";
import { Client, Pool } from "pg";
import { Tally__factory } from "../../types/contracts/index.js";
import { connectChain } from "../../src/chain/connect.js";
import { reconcile } from "../../src/journal/ledger.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import type { Wish } from "./plan.js";
import { minedBy, type Site, type World } from "./world.js";

/** What is wrong, by kind; each with words that say what and where. All empty = everything is accounted for. */
export interface Faults {
  /** Intents that were handed to the driver and have no end, or another one than they must have. */
  lost: string[];
  /** A nonce that was signed for another intent with no journaled supersession. */
  nonceReused: string[];
  /** Intents that the chain carried out more than once. */
  doubleSpends: string[];
  /** Nonces that were given out and never used, or used and never given out. */
  gaps: string[];
  /** What the chain has and the journal has not, or the other way round; books that are not the chain's to the wei. */
  unaccounted: string[];
}

export const noFaults = (): Faults => ({ lost: [], nonceReused: [], doubleSpends: [], gaps: [], unaccounted: [] });

/**
 * What earlier audits saw of a chain. An audit is made where no reorganisation is under way, and later ones go back no further, so that
 * its blocks need not be read again.
 */
export interface Seen {
  /** The head when the world was new: books are compared from there. */
  from: number;
  upTo: number;
  mined: { hash: string; from: string; nonce: number; blockHash: string }[];
  /** How often the counting contract was called for each intent. */
  times: Map<string, number>;
}

export async function newSeen(site: Site): Promise<Seen> {
  const from = Number(await site.local.rpc<string>("eth_blockNumber"));
  return { from, upTo: from, mined: [], times: new Map() };
}

interface AttemptRow {
  hash: string;
  nonce: string;
  number: number;
  kind: string;
  intent_id: string | null;
  raw: string;
  state: string;
  included: string | null;
  last_block: string | null;
}

/**
 * Accounts for everything that the driver was ever asked, on a chain that stands still and with a driver that has nothing to do: blocks,
 * contract and balances on one side, the journal's rows on the other. `refused`: opportunities that were gone before anything was signed.
 */
export async function audit(
  world: World,
  url: string,
  wishes: readonly Wish[],
  refused: ReadonlySet<string>,
  seen: readonly Seen[],
): Promise<Faults> {
  const faults = noFaults();
  const pool = new Pool({ connectionString: url, max: 2 });
  pool.on("error", () => undefined); // its queries raise it
  try {
    for (const [i, site] of world.sites.entries()) {
      await auditSite(
        site,
        pool,
        wishes.filter((w) => w.chain === i),
        refused,
        seen[i]!,
        faults,
      );
    }
  } finally {
    await pool.end();
  }
  return faults;
}

async function auditSite(
  site: Site,
  pool: Pool,
  wishes: readonly Wish[],
  refused: ReadonlySet<string>,
  seen: Seen,
  faults: Faults,
): Promise<void> {
  const { network } = site.local;
  const head = await look(site, seen);
  const { mined, from } = seen;
  const attempts = new Map<string, AttemptRow>();
  for (const account of site.accounts) {
    const rows = await attemptsOf(pool, network.chainId, account);
    for (const row of rows) attempts.set(row.hash, row);
    await auditAccount(
      site,
      pool,
      account,
      rows,
      mined.filter((m) => m.from === account.toLowerCase()),
      faults,
    );
  }
  auditOffers(site, attempts, faults);
  auditWishes(wishes, refused, seen, attempts, faults);
  await auditBooks(site, pool, from, head, faults);
}

async function attemptsOf(pool: Pool, chainId: number, account: string): Promise<AttemptRow[]> {
  const { rows } = await pool.query<AttemptRow>(
    `select a.hash, a.nonce::text, a.number, a.kind, a.intent_id, a.raw, s.state, i.block_hash as included, a.last_block::text
     from journal.slot s join journal.attempt a using (chain_id, account, nonce)
     left join journal.inclusion i on i.hash = a.hash and i.taken_back_at is null
     where s.chain_id = $1 and s.account = $2 order by a.nonce, a.number`,
    [chainId, account.toLowerCase()],
  );
  return rows;
}

/** Every nonce was given out once and landed once; every landing is in the journal, and every inclusion of the journal on the chain. */
async function auditAccount(
  site: Site,
  pool: Pool,
  account: string,
  attempts: AttemptRow[],
  mined: { hash: string; nonce: number; blockHash: string }[],
  faults: Faults,
): Promise<void> {
  const { chainId } = site.local.network;
  const where = (nonce: number | string): string => `chain ${chainId}, ${account}, nonce ${nonce}`;
  const { rows } = await pool.query<{ next: string; stopped: string | null; nonces: string[] }>(
    `select a.next::text, a.stopped, array(select s.nonce::text from journal.slot s
       where s.chain_id = a.chain_id and s.account = a.account order by s.nonce) as nonces
     from journal.account a where a.chain_id = $1 and a.account = $2`,
    [chainId, account.toLowerCase()],
  );
  const row = rows[0];
  if (row === undefined) {
    if (mined.length > 0) faults.unaccounted.push(`${where("all")}: the journal does not know the account`);
    return;
  }
  if (row.stopped !== null) faults.unaccounted.push(`${where("all")}: stopped, ${row.stopped}`);
  const count = Number(await site.local.rpc<string>("eth_getTransactionCount", [account, "latest"]));
  const given = new Set(row.nonces.map(Number));
  for (let nonce = 0; nonce < Math.max(count, Number(row.next), given.size); nonce++) {
    if (!given.has(nonce)) faults.gaps.push(`${where(nonce)}: it was never given out`);
    else if (nonce >= count) faults.gaps.push(`${where(nonce)}: given out, and not used`);
  }
  const byHash = new Map(attempts.map((a) => [a.hash, a]));
  const onChain = new Map(mined.map((m) => [m.hash, m]));
  for (const { hash, nonce, blockHash } of mined) {
    const attempt = byHash.get(hash);
    if (attempt === undefined) faults.unaccounted.push(`${where(nonce)}: ${hash} is on the chain and not in the journal`);
    else if (attempt.included !== blockHash)
      faults.unaccounted.push(`${where(nonce)}: ${hash} is in block ${blockHash}, the journal says ${attempt.included}`);
  }
  for (const { hash, nonce, included } of attempts) {
    if (included !== null && !onChain.has(hash))
      faults.unaccounted.push(`${where(nonce)}: the journal has ${hash} in a block, the chain has not`);
  }
}

/** Nothing was offered to a node, a relay or a sequencer that is not in the journal, and signed bytes are what the journal says of them. */
function auditOffers(site: Site, attempts: Map<string, AttemptRow>, faults: Faults): void {
  const own = new Set(site.accounts.map((a) => a.toLowerCase()));
  for (const [hash, raw] of [...site.offered, ...site.given()]) {
    if (attempts.has(hash)) continue;
    const transaction = Transaction.from(raw);
    if (!own.has(transaction.from?.toLowerCase() ?? "")) continue;
    faults.nonceReused.push(`nonce ${transaction.nonce} of ${transaction.from}: ${hash} was sent and never journaled`);
  }
  for (const { hash, nonce, raw, last_block } of attempts.values()) {
    const signed = Transaction.from(raw);
    if (signed.nonce !== Number(nonce) || signed.hash !== hash)
      faults.nonceReused.push(`nonce ${nonce}: the bytes of ${hash} are of nonce ${signed.nonce}`);
    if (last_block !== null && site.offered.has(hash)) faults.unaccounted.push(`nonce ${nonce}: private ${hash} was made public`);
  }
}

/** Reads the blocks since the last audit. Gives the head. */
async function look(site: Site, seen: Seen): Promise<number> {
  const { local, tally } = site;
  const head = Number(await local.rpc<string>("eth_blockNumber"));
  seen.mined.push(...(await minedBy(site, seen.upTo, head)));
  const range = { fromBlock: toQuantity(seen.upTo + 1), toBlock: toQuantity(head) };
  const topics = [Tally__factory.createInterface().getEvent("Done").topicHash];
  const logs = await local.rpc<{ topics: string[] }[]>("eth_getLogs", [{ address: tally, topics, ...range }]);
  for (const log of logs) seen.times.set(log.topics[1]!, (seen.times.get(log.topics[1]!) ?? 0) + 1);
  seen.upTo = head;
  return head;
}

/** The wish that an intent is for: what a rival took the slot of is tried again under another id. */
const wishOf = (intentId: string): string => intentId.split(".")[0]!;

function auditWishes(
  wishes: readonly Wish[],
  refused: ReadonlySet<string>,
  { mined, times }: Seen,
  attempts: Map<string, AttemptRow>,
  faults: Faults,
): void {
  const landed = new Map<string, number>();
  for (const { hash } of mined) {
    const given = attempts.get(hash)?.intent_id ?? null;
    const id = given && wishOf(given);
    if (id !== null) landed.set(id, (landed.get(id) ?? 0) + 1);
  }
  const known = new Set([...attempts.values()].flatMap(({ intent_id }) => (intent_id === null ? [] : [wishOf(intent_id)])));
  for (const { id, kind } of wishes) {
    const word = encodeBytes32String(id);
    const done = Math.max(times.get(word) ?? 0, landed.get(id) ?? 0);
    if (done > 1) faults.doubleSpends.push(`${id} (${kind}) was done ${done} times`);
    const must = kind === "call" || kind === "stuck";
    if (must && times.get(word) === undefined) faults.lost.push(`${id} (${kind}) is not on the chain`);
    else if (!known.has(id) && !(kind === "trade" && refused.has(id))) faults.lost.push(`${id} (${kind}) is not in the journal`);
  }
  const wished = new Set(wishes.map(({ id }) => encodeBytes32String(id)));
  for (const word of times.keys()) if (!wished.has(word)) faults.unaccounted.push(`${word} was done and never asked for`);
}

/** The ledger against balances of the accounts and of the executor, to the wei. */
async function auditBooks(site: Site, pool: Pool, fromBlock: number, toBlock: number, faults: Faults): Promise<void> {
  const { network, url: target } = site.local;
  const chain = await connectChain(network, [target], { local: true });
  try {
    const accounts = site.accounts.map((holder) => ({ holder, asset: "native" }));
    const tokens = ["WETH", "USDC"].map((t) => ({ holder: site.executor, asset: tokenOf(network, t).address }));
    for (const of of [...accounts, ...tokens]) {
      const books = await reconcile(pool, chain.provider, { chainId: network.chainId, ...of, fromBlock, toBlock });
      if (books.difference !== 0n)
        faults.unaccounted.push(`${network.name} ${of.holder} ${of.asset}: ledger ${books.ledger}, chain ${books.chain}`);
    }
  } finally {
    chain.close();
  }
}

/** Whether every slot is final: nothing moves any more. */
export async function isQuiet(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000, query_timeout: 5_000 });
  client.on("error", () => undefined); // its queries raise it
  try {
    await client.connect();
    const { rowCount } = await client.query("select 1 from journal.slot where state <> 'final' limit 1");
    return rowCount === 0;
  } finally {
    await client.end();
  }
}
