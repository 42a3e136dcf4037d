import type { NodeErrorKind } from "../chain/errors.js";
import type { Asked } from "./notes.js";
import { amount } from "./slots.js";
import { databaseError, type JournalDatabase } from "./sql.js";

/** What one route said about a transaction. */
export interface RelayAnswer {
  route: string;
  action: Asked["action"];
  status: "accepted" | "refused" | "unknown";
  kind: NodeErrorKind | null;
  detail: string;
  targetBlock: bigint | null;
  tookMs: number | null;
  at: Date;
}

interface AnswerRow {
  route: string;
  action: Asked["action"];
  status: RelayAnswer["status"];
  kind: NodeErrorKind | null;
  detail: string;
  target_block: unknown;
  took_ms: number | null;
  at: Date;
}

/** Everything that routes answered about a transaction: to sends, cancels and simulations, in the order in which it was noted. Raises ArbError "network". */
export async function answersOf(db: JournalDatabase, hash: string): Promise<RelayAnswer[]> {
  const { rows } = await db.pool
    .query<AnswerRow>(
      `select route, action, status, kind, detail, target_block, took_ms, at from journal.send where hash = $1 order by id`,
      [hash],
    )
    .catch((error: unknown) => {
      throw databaseError(error, `what routes answered about ${hash} cannot be read`);
    });
  return rows.map(({ target_block: block, took_ms: tookMs, ...row }) => {
    return { ...row, tookMs, targetBlock: block === null ? null : amount(block) };
  });
}

/** A route's record on a chain. Counts of answers; `landed` and `transactions` count transactions. */
export interface RouteRecord {
  chainId: number;
  route: string;
  accepted: number;
  refused: number;
  unknown: number;
  /** Transactions that it was given. */
  transactions: number;
  /** Of those that it said to take: how many are in a block now, by whichever route. */
  landed: number;
  cancels: number;
  /** Cancels that it did not confirm. */
  cancelsFailed: number;
  simulations: number;
  /** Simulations that failed, or were not given. */
  simulationsFailed: number;
  /** Middle time to an answer of a send, milliseconds; null where none is known. */
  medianMs: number | null;
}

/** Every route by what it answered and what landed. Raises ArbError "network". */
export async function routeRecords(db: JournalDatabase): Promise<RouteRecord[]> {
  type Row = Omit<RouteRecord, "chainId"> & { chainId: unknown };
  const { rows } = await db.pool
    .query<Row>(
      `select a.chain_id as "chainId", s.route,
         count(*) filter (where s.action = 'send' and s.status = 'accepted')::int as accepted,
         count(*) filter (where s.action = 'send' and s.status = 'refused')::int as refused,
         count(*) filter (where s.action = 'send' and s.status = 'unknown')::int as unknown,
         count(distinct s.hash) filter (where s.action = 'send')::int as transactions,
         count(distinct i.hash) filter (where s.action = 'send' and s.status = 'accepted')::int as landed,
         count(*) filter (where s.action = 'cancel')::int as cancels,
         count(*) filter (where s.action = 'cancel' and s.status <> 'accepted')::int as "cancelsFailed",
         count(*) filter (where s.action = 'simulate')::int as simulations,
         count(*) filter (where s.action = 'simulate' and s.status <> 'accepted')::int as "simulationsFailed",
         percentile_disc(0.5) within group (order by s.took_ms) filter (where s.action = 'send') as "medianMs"
       from journal.send s join journal.attempt a using (hash)
       left join journal.inclusion i on i.hash = s.hash and i.taken_back_at is null
       group by a.chain_id, s.route order by a.chain_id, s.route`,
    )
    .catch((error: unknown) => {
      throw databaseError(error, "the record of the routes cannot be read");
    });
  return rows.map((row) => ({ ...row, chainId: Number(row.chainId) }));
}
