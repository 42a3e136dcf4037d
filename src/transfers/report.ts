/** A cross-chain trade as it is told to people and programs: what it did on each network, against what was expected. */
import type { BridgeId } from "../bridges/bridge.js";
import { ArbError } from "../errors.js";
import type { SagaOutcome } from "../execution/recovery-manager.js";
import { amount } from "../journal/slots.js";
import { databaseError } from "../journal/sql.js";
import type { SagaRow, TransferRow } from "./rows.js";
import { type TransferStore, workflowOf } from "./store.js";
import type { Estimate, SagaResult } from "./types.js";

/** A swap that it made, by the journal. Amounts in base units. */
export interface LegReport {
  leg: string;
  chainId: number;
  tokenIn: string;
  tokenOut: string;
  amountIn: bigint;
  amountOut: bigint;
  txHash: string;
  block: number;
}

/** A transfer by a bridge. Amounts in base units. */
export interface TransferReport {
  id: string;
  leg: string;
  bridge: BridgeId;
  fromChainId: number;
  toChainId: number;
  tokenIn: string;
  tokenOut: string;
  amountIn: bigint;
  /** Least that was to arrive. */
  promised: bigint;
  /** What arrived, or came back; null while it is under way or where it was never started. */
  arrived: bigint | null;
  state: string;
  ended: TransferRow["ended"];
  /** From its start to its end; null before. */
  seconds: number | null;
  /** What the bridge promised. */
  promisedSeconds: number;
  startTx: string | null;
  endTx: string | null;
}

/** Amounts in base units of the profit token where nothing else is said. */
export interface SagaReport {
  opportunityId: string;
  mode: "bridge" | "inventory";
  /** null while it goes on. */
  outcome: SagaOutcome | null;
  reason: string;
  fromChainId: number;
  toChainId: number;
  /** On the network of the first leg. */
  profitToken: string;
  amountIn: bigint;
  /** Net result that was expected when it was started. */
  expected: bigint;
  net: bigint | null;
  profit: bigint | null;
  residual: bigint | null;
  gasCost: bigint | null;
  /** What each choice to start was made by. */
  estimate: Pick<Estimate, "bought" | "sold" | "home" | "gasCost" | "bridgeCost" | "worstLoss" | "seconds">;
  legs: LegReport[];
  transfers: TransferReport[];
  decisions: SagaResult["decisions"];
  /** By network and asset; gas in wei where the asset is "native". */
  books: SagaResult["books"];
  /** Whether every transaction of it is in a final block. */
  final: boolean;
  seconds: number;
}

/** What the database knows of a saga. Raises ArbError "usage" for one that is not there, "network" without the database. */
export async function sagaReport(store: TransferStore, id: string): Promise<SagaReport> {
  const saga = await store.saga(id);
  if (!saga) throw new ArbError("usage", `there is no cross-chain trade ${id}`, { where: "arb transfers list --all" });
  return await reportOf(store, saga);
}

export async function reportOf(store: TransferStore, saga: SagaRow): Promise<SagaReport> {
  const { opportunity: o, estimate, result } = saga;
  const { bought, sold, home, gasCost, bridgeCost, worstLoss, seconds } = estimate;
  return {
    opportunityId: saga.id,
    mode: saga.mode,
    outcome: saga.outcome,
    reason: result?.reason ?? saga.waitsFor,
    fromChainId: o.buy.chainId,
    toChainId: o.sell.chainId,
    profitToken: o.buy.tokenIn,
    amountIn: o.amountIn,
    expected: estimate.profit,
    net: result?.net ?? null,
    profit: result?.profit ?? null,
    residual: result?.residual ?? null,
    gasCost: result?.gasCost ?? null,
    estimate: { bought, sold, home, gasCost, bridgeCost, worstLoss, seconds },
    legs: await legsOf(store, saga.id),
    transfers: await transfersOf(store, saga.id),
    decisions: result?.decisions ?? [],
    books: result?.books ?? (await store.books(saga.id, saga.account)),
    final: result?.final ?? false,
    seconds: ((saga.finishedAt ?? new Date()).getTime() - saga.createdAt.getTime()) / 1000,
  };
}

/** Transactions that took one token of ours and gave another. */
async function legsOf(store: TransferStore, id: string): Promise<LegReport[]> {
  const rows = await ask(
    store,
    `select a.intent_id, a.chain_id, a.hash, i.block_number, i.id,
       array_agg(l.asset) filter (where l.amount < 0) as paid, array_agg((-l.amount)::text) filter (where l.amount < 0) as paid_amounts,
       array_agg(l.asset) filter (where l.amount > 0) as got, array_agg(l.amount::text) filter (where l.amount > 0) as got_amounts
     from (select inclusion, asset, sum(amount)::numeric as amount from journal.ledger where asset <> 'native'
             group by inclusion, holder, asset) l
       join journal.inclusion i on i.id = l.inclusion join journal.attempt a on a.hash = i.hash
     where starts_with(a.intent_id, $1) and i.taken_back_at is null and i.succeeded group by a.intent_id, a.chain_id, a.hash, i.block_number, i.id
     order by i.id`,
    [`${workflowOf(id)}:`],
  );
  return rows.flatMap((r) => {
    const [paid, got] = [r["paid"] as string[] | null, r["got"] as string[] | null];
    if (paid?.length !== 1 || got?.length !== 1) return [];
    return {
      leg: String(r["intent_id"]).slice(workflowOf(id).length + 1),
      chainId: Number(r["chain_id"]),
      tokenIn: paid[0]!,
      tokenOut: got[0]!,
      amountIn: amount((r["paid_amounts"] as unknown[])[0]),
      amountOut: amount((r["got_amounts"] as unknown[])[0]),
      txHash: String(r["hash"]),
      block: Number(r["block_number"]),
    };
  });
}

async function transfersOf(store: TransferStore, id: string): Promise<TransferReport[]> {
  const rows = await ask(
    store,
    `select t.id, r.amount, r.tx_hash, extract(epoch from t.ended_at - t.started_at)::float8 as seconds
     from crosschain.transfer t left join crosschain.arrival r on r.transfer = t.id where t.saga = $1`,
    [id],
  );
  const ends = new Map(rows.map((r) => [String(r["id"]), r]));
  return (await store.transfersOf(id)).map((t) => {
    const { route } = t.quote.request;
    const end = ends.get(t.id);
    const [arrived, seconds, endTx] = [end?.["amount"] ?? null, end?.["seconds"] ?? null, end?.["tx_hash"] ?? null];
    return {
      id: t.id,
      leg: t.leg,
      bridge: t.bridge,
      ...route,
      amountIn: t.quote.amountIn,
      promised: t.quote.amountOut,
      arrived: arrived === null ? null : amount(arrived),
      state: t.state,
      ended: t.ended,
      seconds: seconds === null ? null : Number(seconds),
      promisedSeconds: t.quote.etaSeconds,
      startTx: t.key.sourceTx,
      endTx: endTx === null ? null : (endTx as string),
    };
  });
}

async function ask(store: TransferStore, text: string, values: unknown[]): Promise<Record<string, unknown>[]> {
  try {
    return (await store.db.pool.query(text, values)).rows as Record<string, unknown>[];
  } catch (error) {
    throw databaseError(error, "the cross-chain tables cannot be read");
  }
}
