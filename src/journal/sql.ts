import type { Pool, PoolClient, QueryResult, QueryResultRow } from "pg";
import { addressDigits } from "../address.js";
import { ArbError } from "../errors.js";

/** What the journal needs of a database: its connections. `openDatabase` of src/database gives one. */
export interface JournalDatabase {
  pool: Pool;
}

/** A connection, or the pool. */
export interface Sql {
  query<R extends QueryResultRow>(query: string | Named, values?: unknown[]): Promise<QueryResult<R>>;
}

/** A statement that every connection prepares once. */
export interface Named {
  name: string;
  text: string;
  values: unknown[];
}

export const UNIQUE_VIOLATION = "23505";

/** The SQLSTATE of an error that the server sent; null where the server said nothing, so that what it did is not known. */
export function sqlState(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : null;
}

/** A failure of the database as the user should see it. Constraint violations and faults of SQL are ours: "internal". */
export function databaseError(error: unknown, doing: string): ArbError {
  if (error instanceof ArbError) return error;
  const state = sqlState(error);
  // 08 connection, 53 resources, 57 shutdown or out of time, 55P03 a lock not had in time, 25P0 idle for too long, 40 serialization: it may
  // work again later
  const ours = state !== null && !/^(08|53|57|55P03|25P0|40)/.test(state);
  return new ArbError(ours ? "internal" : "network", `${doing}: the journal's database says ${(error as Error).message}`, {
    hint: "nothing is sent without the journal; what was journaled stays",
    cause: error,
  });
}

/** Runs `work` in one transaction. */
export async function inTransaction<T>(pool: Pool, doing: string, work: (sql: Sql) => Promise<T>): Promise<T> {
  let client: PoolClient;
  try {
    client = await pool.connect();
  } catch (error) {
    throw databaseError(error, doing);
  }
  // a checked-out client without a listener ends the program when the server dies
  const ignore = () => undefined;
  client.on("error", ignore);
  let broken: Error | undefined;
  try {
    await client.query("begin");
    const result = await work(client);
    await client.query("commit");
    return result;
  } catch (error) {
    // a connection that cannot roll back is thrown away; the server then rolls back by itself
    await client.query("rollback").catch((fault: Error) => (broken = fault));
    throw databaseError(error, doing);
  } finally {
    client.off("error", ignore);
    client.release(broken);
  }
}

/** The form of an address in the tables: two spellings of one account would be two owners. Throws ArbError "usage". */
export function keyOf(address: string): string {
  const digits = addressDigits(address);
  if (digits === null) throw new ArbError("usage", `"${address.slice(0, 60)}" is no address`);
  return `0x${digits}`;
}
