/** What the database knows of the transfers that bring stock to its shares. */
import type { BridgeId } from "../bridges/bridge.js";
import { type Change, type Providers, releaseWithin, reserveWithin } from "../inventory/inventory.js";
import type { Move } from "../inventory/rebalance.js";
import { fromStored, toStored } from "../inventory/stored.js";
import { databaseError, inTransaction, type JournalDatabase, keyOf, type Sql } from "../journal/sql.js";
import { ArbError } from "../errors.js";
import type { BookLine } from "./types.js";

/** "given-up": by an operator, where no rule of the bridge ended it. */
export type RebalancingEnd = "delivered" | "refunded" | "not-started" | "given-up";

/** One transfer of stock, planned with its cost. Amounts in base units of the token. */
export interface StockMove extends Move {
  bridge: BridgeId;
  tokenIn: string;
  tokenOut: string;
  /** Most that it may cost, parts per million of its amount. */
  maxCostPpm: number;
  /** As in its configuration. */
  withinSeconds?: number;
  timeCostPpmPerHour?: number;
}

export interface RebalancingRow {
  id: string;
  /** Symbol. */
  token: string;
  account: string;
  move: StockMove;
  state: string;
  waitsFor: string;
  createdAt: Date;
  finishedAt: Date | null;
  outcome: RebalancingEnd | null;
  detail: string;
  books: BookLine[] | null;
}

export class RebalancingStore {
  constructor(
    readonly db: JournalDatabase,
    readonly providers: Providers,
  ) {}

  /**
   * Writes a move down and reserves its tokens, both or neither. Null where another of the token is under way, whoever began it, or where
   * the tokens are not free any more. `against`: asked last in the same transaction, with its id, what else speaks against it.
   */
  async open(
    token: string,
    account: string,
    move: StockMove,
    wanted: Change[],
    against: (sql: Sql, id: string) => Promise<string | null> = () => Promise.resolve(null),
  ): Promise<RebalancingRow | null> {
    const taken = "taken";
    try {
      return await inTransaction(this.db.pool, `a rebalancing of ${token} cannot be opened`, async (sql) => {
        const count = await sql.query<{ n: number }>(`select count(*)::int as n from crosschain.rebalancing where token = $1`, [
          token,
        ]);
        const id = `rebalance/${token}/${(count.rows[0]?.n ?? 0) + 1}`;
        const { rows } = await sql.query(
          `insert into crosschain.rebalancing (id, token, account, move, state) values ($1, $2, $3, $4, 'planned')
           on conflict do nothing returning *`,
          [id, token, keyOf(account), toStored(move)],
        );
        const [row] = rows;
        if (!row) throw new ArbError("refused", taken);
        const missing = (await reserveWithin(sql, this.providers, id, wanted)) ?? (await against(sql, id));
        if (missing !== null) throw new ArbError("refused", taken);
        return rowOf(row);
      });
    } catch (error) {
      if (error instanceof ArbError && error.message === taken) return null;
      throw error;
    }
  }

  async stand(id: string, state: string, waitsFor: string): Promise<void> {
    await this.#run(`update crosschain.rebalancing set state = $2, waits_for = $3 where id = $1 and finished_at is null`, [
      id,
      state,
      waitsFor,
    ]);
  }

  /** Ends it and gives back what it had reserved, in one transaction. The first end stands. */
  async finish(id: string, outcome: RebalancingEnd, detail: string, books: BookLine[]): Promise<void> {
    await inTransaction(this.db.pool, `${id} cannot be ended`, async (sql) => {
      const { rowCount } = await sql.query(
        `update crosschain.rebalancing set state = 'done', waits_for = '', outcome = $2, detail = $3, books = $4,
           finished_at = clock_timestamp() where id = $1 and finished_at is null`,
        [id, outcome, detail, toStored(books)],
      );
      if (rowCount === 1) await releaseWithin(sql, id);
    });
  }

  async find(id: string): Promise<RebalancingRow | null> {
    const [row] = await this.#run(`select * from crosschain.rebalancing where id = $1`, [id]);
    return row ? rowOf(row) : null;
  }

  async row(id: string): Promise<RebalancingRow> {
    const row = await this.find(id);
    if (!row) throw new ArbError("internal", `the rebalancing ${id} is not in the database`);
    return row;
  }

  /** The one of a token that is under way. */
  async underWay(token: string): Promise<RebalancingRow | null> {
    const [row] = await this.#run(`select * from crosschain.rebalancing where token = $1 and finished_at is null`, [token]);
    return row ? rowOf(row) : null;
  }

  /** Newest first. */
  async latest(limit: number): Promise<RebalancingRow[]> {
    return (await this.#run(`select * from crosschain.rebalancing order by created_at desc limit $1`, [limit])).map(rowOf);
  }

  async #run(text: string, values: unknown[]): Promise<Record<string, unknown>[]> {
    try {
      return (await this.db.pool.query(text, values)).rows as Record<string, unknown>[];
    } catch (error) {
      throw databaseError(error, "the rebalancings cannot be read or written");
    }
  }
}

function rowOf(r: Record<string, unknown>): RebalancingRow {
  return {
    id: String(r["id"]),
    token: String(r["token"]),
    account: String(r["account"]),
    move: fromStored(r["move"]),
    state: String(r["state"]),
    waitsFor: String(r["waits_for"]),
    createdAt: r["created_at"] as Date,
    finishedAt: r["finished_at"] as Date | null,
    outcome: r["outcome"] as RebalancingEnd | null,
    detail: String(r["detail"]),
    books: r["books"] === null ? null : fromStored(r["books"]),
  };
}
