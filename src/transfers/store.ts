/** What the database knows of cross-chain trades: beside the trades themselves their transfers, what arrived, and their books. */
import { type Arrival, type BridgeQuote, REFUNDING, type TransferKey } from "../bridges/bridge.js";
import { ArbError } from "../errors.js";
import { type Change, expectWithin, isOver } from "../inventory/inventory.js";
import { toStored } from "../inventory/stored.js";
import { amount } from "../journal/slots.js";
import { inTransaction, keyOf } from "../journal/sql.js";
import { type TransferRow, transferOf } from "./rows.js";
import { arrivalOf, refundOf, SagaStore, workflowOf } from "./saga-store.js";
import type { Owner } from "./types.js";

export { workflowOf } from "./saga-store.js";

/** What the books have of an account's coin in one block. */
export interface CoinInBlock {
  /** Wei; negative for what left. */
  sum: bigint;
  /** The account's transactions of that block which are booked. */
  transactions: number;
}

export class TransferStore extends SagaStore {
  /**
   * Writes a transfer down before anything of it is sent. The first of its id stands, and is given back. Raises "locked" where another driver
   * carries the trade: it may have given this transfer up, and nobody would end it.
   */
  async record(owner: Owner, leg: string, quote: BridgeQuote, key: TransferKey, dueSeconds: number): Promise<TransferRow> {
    const { route, id } = quote.request;
    const values = [
      id,
      owner.saga,
      leg,
      quote.bridge,
      route.fromChainId,
      route.toChainId,
      keyOf(route.tokenIn),
      keyOf(route.tokenOut),
      quote.amountIn,
      quote.amountOut,
      toStored(quote),
      toStored(key),
      dueSeconds,
    ];
    await inTransaction(this.db.pool, `the transfer ${id} cannot be written down`, async (sql) => {
      await this.mustCarry(owner, sql);
      await sql.query(
        `insert into crosschain.transfer (id, saga, leg, bridge, from_chain, to_chain, token_in, token_out, amount_in, amount_out, quote,
           key, state, due) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'not-started',
           clock_timestamp() + $13 * interval '1 s')
         on conflict (id) do nothing`,
        values,
      );
    });
    const row = await this.transfer(id);
    if (!row) throw new ArbError("internal", `the transfer ${id} was not written down`);
    return row;
  }

  async transfer(id: string): Promise<TransferRow | null> {
    const rows = await this.run(`select *, due < clock_timestamp() as overdue from crosschain.transfer where id = $1`, [id]);
    return rows[0] ? transferOf(rows[0]) : null;
  }

  async transfersOf(saga: string): Promise<TransferRow[]> {
    return (
      await this.run(
        `select *, due < clock_timestamp() as overdue from crosschain.transfer where saga = $1 order by recorded_at`,
        [saga],
      )
    ).map(transferOf);
  }

  async openTransfers(): Promise<TransferRow[]> {
    return (
      await this.run(
        `select *, due < clock_timestamp() as overdue from crosschain.transfer where ended is null order by recorded_at`,
        [],
      )
    ).map(transferOf);
  }

  /** The start is on the chain: what left is no longer the saga's there, and what will arrive is expected. */
  async started(owner: Owner, row: TransferRow, key: TransferKey, changes: Change[]): Promise<void> {
    await inTransaction(this.db.pool, `the start of ${row.id} cannot be noted`, async (sql) => {
      const { rowCount } = await sql.query(
        `update crosschain.transfer set key = $2, state = 'initiated', started_at = clock_timestamp(),
           due = clock_timestamp() + (due - recorded_at) where id = $1 and started_at is null`,
        [row.id, toStored(key)],
      );
      if (rowCount === 1) await this.set(sql, owner, changes);
    });
  }

  /** A lower output that relayers are about to be offered. The least stands. Raises "locked" where another driver carries the trade. */
  async noteOffer(owner: Owner, id: string, offer: bigint): Promise<void> {
    await inTransaction(this.db.pool, `the offer for ${id} cannot be noted`, async (sql) => {
      await this.mustCarry(owner, sql);
      await sql.query(
        `update crosschain.transfer set key = jsonb_set(key, '{data,offered}', to_jsonb($2::text))
         where id = $1 and ended is null and coalesce((key->'data'->>'offered')::numeric, amount_out) > $2::numeric`,
        [id, String(offer)],
      );
    });
  }

  /** What a transfer without an end brings back is its saga's from before it comes. Raises "locked" where another driver carries the trade. */
  async expectRefund(owner: Owner, { id, quote }: Pick<TransferRow, "id" | "quote">): Promise<void> {
    await inTransaction(this.db.pool, `the refund of ${id} cannot be reserved`, async (sql) => {
      // a driver that was frozen here would reserve it when it has been booked, and nobody would give it back
      await expectWithin(sql, owner.saga, refundOf(quote), async () => {
        if (await isOver(sql, owner.saga)) return false;
        await this.mustCarry(owner, sql);
        return (await sql.query(`select 1 from crosschain.transfer where id = $1 and ended is null`, [id])).rows.length > 0;
      });
    });
  }

  /** An operator has given a transfer up that no rule of its bridge ends: nothing is expected of it any more. */
  async giveUp(owner: Owner, { id, quote }: TransferRow): Promise<void> {
    await inTransaction(this.db.pool, `${id} cannot be given up`, async (sql) => {
      await this.mustCarry(owner, sql);
      await sql.query(
        `update crosschain.transfer set ended = 'given-up', ended_at = clock_timestamp() where id = $1 and ended is null`,
        [id],
      );
      const { chainId, holder, token } = arrivalOf(quote);
      await this.set(sql, owner, [{ chainId, holder, token }]);
    });
  }

  /** What a transfer that has not ended shows now. */
  async noteState(id: string, state: string): Promise<void> {
    await this.run(`update crosschain.transfer set state = $2 where id = $1 and ended is null`, [id, state]);
  }

  /** It was never started, and never will be: what it was to bring is not expected any more. */
  async notStarted(owner: Owner, id: string, changes: Change[]): Promise<void> {
    await inTransaction(this.db.pool, `the end of ${id} cannot be noted`, async (sql) => {
      await this.mustCarry(owner, sql);
      await this.set(sql, owner, changes);
      await sql.query(
        `update crosschain.transfer set state = 'not-started', ended = 'not-started', ended_at = clock_timestamp()
         where id = $1 and ended is null`,
        [id],
      );
    });
  }

  /** A transfer that was noted as not started has started after all: what it brings is expected again. */
  async reopenTransfer(owner: Owner, id: string): Promise<void> {
    await inTransaction(this.db.pool, `${id} cannot be opened again`, async (sql) => {
      await this.mustCarry(owner, sql);
      const { rows } = await sql.query(
        `update crosschain.transfer set ended = null, ended_at = null where id = $1 and ended = 'not-started'
         returning *, false as overdue`,
        [id],
      );
      for (const { quote } of rows.map(transferOf)) await expectWithin(sql, owner.saga, arrivalOf(quote));
    });
  }

  /** Books an arrival or a refund, once: one log pays one transfer, and one transfer is paid by one log. */
  async arrived(
    owner: Owner,
    row: TransferRow,
    ended: "delivered" | "refunded",
    holder: string,
    arrival: Arrival,
    changes: Change[],
  ): Promise<void> {
    await inTransaction(this.db.pool, `the arrival of ${row.id} cannot be booked`, async (sql) => {
      const noted = await sql.query(
        `update crosschain.transfer set state = $2, ended = $2, ended_at = clock_timestamp() where id = $1 and ended is null`,
        [row.id, ended],
      );
      if (noted.rowCount !== 1) return;
      await sql.query(
        `insert into crosschain.arrival (transfer, chain_id, holder, asset, amount, tx_hash, log_index, block_number, block_hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
        [
          row.id,
          arrival.chainId,
          keyOf(holder),
          /^0x0{40}$/.test(arrival.token) ? "native" : keyOf(arrival.token),
          arrival.amount,
          arrival.txHash,
          arrival.logIndex,
          arrival.blockNumber,
          arrival.blockHash,
        ],
      );
      await this.set(sql, owner, changes);
      if (ended === "refunded" || !REFUNDING.has(row.bridge)) return;
      // nothing comes back of what arrived
      const { chainId, holder: sender, token } = refundOf(row.quote);
      await sql.query(
        `update crosschain.reservation set expected = 0 where saga = $1 and chain_id = $2 and holder = $3 and token = $4`,
        [owner.saga, chainId, keyOf(sender), keyOf(token)],
      );
    });
  }

  /**
   * What the books have of an account's coin in the block of one of its transactions, what came back by the others included; null where
   * the journal has not booked this one yet.
   */
  async coinIn(chainId: number, account: string, hash: string, blockNumber: number): Promise<CoinInBlock | null> {
    const rows = await this.run(
      `with there as (
         select i.id, i.hash, i.account from journal.inclusion i
         where i.chain_id = $1 and i.block_number = $3 and i.taken_back_at is null
       )
       select coalesce((select sum(l.amount) from journal.ledger l join there on there.id = l.inclusion
                        where l.holder = $2 and l.asset = 'native'), 0)
            + coalesce((select sum(u.amount) from crosschain.unseen u join there on there.hash = u.tx_hash
                        where u.chain_id = $1 and u.holder = $2 and u.tx_hash <> $4), 0)::numeric as sum,
         (select count(*)::int from there where account = $2) as transactions,
         exists (select 1 from there where hash = $4) as booked`,
      [chainId, keyOf(account), blockNumber, hash],
    );
    const [row] = rows;
    return row?.["booked"] === true ? { sum: amount(row["sum"]), transactions: row["transactions"] as number } : null;
  }

  /** Books the coin that moved within a transaction of ours without a log. The first of its kind stands. */
  async unseen(transfer: string, chainId: number, hash: string, holder: string, amountMoved: bigint): Promise<void> {
    await this.run(
      `insert into crosschain.unseen (chain_id, tx_hash, holder, transfer, amount) values ($1, $2, $3, $4, $5) on conflict do nothing`,
      [chainId, hash, keyOf(holder), transfer, amountMoved],
    );
  }

  /** Books a coin that arrives in a transaction of its receiver: the journal has of that what logs show, which is no coin. */
  async arrivedInOwn(transfer: string, holder: string, { chainId, txHash, amount: arrived }: Arrival): Promise<void> {
    await this.run(
      `insert into crosschain.unseen (chain_id, tx_hash, holder, transfer, amount) select $1, $2, $3, $4, $5
       where exists (select 1 from journal.attempt where hash = $2 and account = $3) on conflict do nothing`,
      [chainId, txHash, keyOf(holder), transfer, arrived],
    );
  }

  /** What an intent changed for a holder, by asset in lower case ("native" with fees), as booked by the journal. */
  async changeOf(chainId: number, intentId: string, holder: string): Promise<Map<string, bigint>> {
    const rows = await this.run(
      `select l.asset, sum(l.amount)::numeric as sum from journal.ledger l join journal.inclusion i on i.id = l.inclusion
       join journal.attempt a on a.hash = i.hash
       where a.chain_id = $1 and a.intent_id = $2 and l.holder = $3 and i.taken_back_at is null group by l.asset`,
      [chainId, intentId, keyOf(holder)],
    );
    return new Map(rows.map((r) => [String(r["asset"]), amount(r["sum"])]));
  }

  /** What arrived for a saga as a network's coin, or was unwrapped for a start that failed, and is not wrapped yet. Wei by network. */
  async unwrapped(saga: string, wrappedOf: (chainId: number) => string): Promise<Map<number, bigint>> {
    const arrived = await this.run(
      `select r.chain_id, sum(r.amount)::numeric as sum from crosschain.arrival r join crosschain.transfer t on t.id = r.transfer
       where t.saga = $1 and r.asset = 'native' group by r.chain_id`,
      [saga],
    );
    const left = new Map(arrived.map((r) => [Number(r["chain_id"]), amount(r["sum"])]));
    const taken = await this.run(
      `select t.from_chain, t.id, -sum(l.amount)::numeric as sum, l.asset from crosschain.transfer t
       join journal.attempt a on a.chain_id = t.from_chain and starts_with(a.intent_id, t.id || '.')
       join journal.inclusion i on i.hash = a.hash join journal.ledger l on l.inclusion = i.id
       where t.saga = $1 and t.ended = 'not-started' and i.taken_back_at is null and l.kind = 'wrap' and l.amount < 0
       group by t.from_chain, t.id, l.asset`,
      [saga],
    );
    for (const r of taken) {
      const chainId = Number(r["from_chain"]);
      if (String(r["asset"]) === keyOf(wrappedOf(chainId))) left.set(chainId, (left.get(chainId) ?? 0n) + amount(r["sum"]));
    }
    for (const [chainId, sum] of left) left.set(chainId, sum - (await this.wrappedBy(saga, chainId, wrappedOf(chainId))));
    return new Map([...left].filter(([, sum]) => sum > 0n));
  }

  /** What the wraps of a saga gave on a network, by the journal. */
  async wrappedBy(saga: string, chainId: number, token: string): Promise<bigint> {
    const rows = await this.run(
      `select coalesce(sum(l.amount), 0)::numeric as sum from journal.ledger l join journal.inclusion i on i.id = l.inclusion
       join journal.attempt a on a.hash = i.hash
       where a.chain_id = $1 and starts_with(a.intent_id, $2) and substr(a.intent_id, length($2) + 1) like '%.wrap%' and l.asset = $3
         and i.taken_back_at is null`,
      [chainId, `${workflowOf(saga)}:`, keyOf(token)],
    );
    return amount(rows[0]?.["sum"]);
  }

  /** Everything that a saga changed: its own transactions by the journal, and what others brought. By network and asset. */
  async books(saga: string, holder: string): Promise<{ chainId: number; asset: string; amount: bigint; gas: bigint }[]> {
    const rows = await this.run(
      `select chain_id, asset, sum(amount)::numeric as amount, sum(gas)::numeric as gas from crosschain.entry
       where (starts_with(intent_id, $1) or saga = $2) and holder = $3 group by chain_id, asset order by chain_id, asset`,
      [`${workflowOf(saga)}:`, saga, keyOf(holder)],
    );
    return rows.map((r) => ({
      chainId: Number(r["chain_id"]),
      asset: String(r["asset"]),
      amount: amount(r["amount"]),
      gas: amount(r["gas"]),
    }));
  }
}
