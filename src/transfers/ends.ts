/** Whether what a trade went on by still stands: a reorganisation may give a transaction another end than it had. */
import type { Actions } from "./actions.js";
import type { Owner } from "./types.js";

/** What a saga was told of one of its transactions, by which it chose its way. */
export interface Told {
  chainId: number;
  intentId: string;
  landed: boolean;
}

/**
 * What of it is not so by the journal, in words. A transfer that was noted as not started, and whose start has landed after all, is open
 * again: its money is on its way. Raises "network" without the database, "locked" where another driver carries the trade.
 */
export async function otherEnds({ senders, store, bridges }: Actions, owner: Owner, told: Told[]): Promise<string[]> {
  const other: string[] = [];
  for (const { chainId, intentId, landed } of told) {
    const outcome = await senders.outcome(chainId, intentId);
    if ((outcome?.status === "landed") === landed) continue;
    const { title } = senders.chain(chainId).network;
    other.push(`${intentId} on ${title} had ${landed ? "landed" : "failed"}, and is ${outcome?.status ?? "not signed"} now`);
  }
  for (const row of await store.transfersOf(owner.saga))
    if (row.ended === "not-started" && (await bridges.hasStarted(row))) {
      await store.reopenTransfer(owner, row.id);
      other.push(`the start of ${row.id} had failed, and has landed now`);
    }
  return other;
}
