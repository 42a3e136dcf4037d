/** Rows of the cross-chain tables as the program has them. */
import type { BridgeId, BridgeQuote, TransferKey } from "../bridges/bridge.js";
import type { ChoiceKind, SagaOutcome } from "../execution/recovery-manager.js";
import { fromStored } from "../inventory/stored.js";
import { amount } from "../journal/slots.js";
import type { CrossChainOpportunity } from "../opportunity/cross-chain.js";
import type { Estimate, SagaResult } from "./types.js";

export interface SagaRow {
  id: string;
  mode: "bridge" | "inventory";
  account: string;
  opportunity: CrossChainOpportunity;
  estimate: Estimate;
  state: string;
  waitsFor: string;
  due: Date | null;
  risk: { chainId: number; token: string; amount: bigint } | null;
  outcome: SagaOutcome | null;
  result: SagaResult | null;
  /** Of a held one: what it is to go on with, once a driver has heard it. */
  wish: ChoiceKind | "look" | null;
  createdAt: Date;
  updatedAt: Date;
  finishedAt: Date | null;
}

export interface TransferRow {
  id: string;
  saga: string;
  leg: string;
  bridge: BridgeId;
  quote: BridgeQuote;
  key: TransferKey;
  /** Least output that relayers were offered after the start; null before the first such offer. */
  offered: bigint | null;
  state: string;
  due: Date;
  /** By the database's clock, which set it: a driver's own may be set otherwise. */
  overdue: boolean;
  recordedAt: Date;
  startedAt: Date | null;
  /** "given-up": by an operator, where no rule of its bridge ended it. */
  ended: "delivered" | "refunded" | "not-started" | "given-up" | null;
}

export interface Stand {
  state: string;
  waitsFor?: string;
  dueSeconds?: number | null;
  risk?: SagaRow["risk"];
}

export function sagaOf(r: Record<string, unknown>): SagaRow {
  const risk =
    r["risk_amount"] === null
      ? null
      : { chainId: Number(r["risk_chain"]), token: String(r["risk_token"]), amount: amount(r["risk_amount"]) };
  return {
    id: String(r["id"]),
    mode: r["mode"] as SagaRow["mode"],
    account: String(r["account"]),
    opportunity: fromStored(r["opportunity"]),
    estimate: fromStored(r["estimate"]),
    state: String(r["state"]),
    waitsFor: String(r["waits_for"]),
    due: r["due"] as Date | null,
    risk,
    outcome: r["outcome"] as SagaOutcome | null,
    result: r["result"] === null ? null : fromStored(r["result"]),
    wish: r["wish"] as SagaRow["wish"],
    createdAt: r["created_at"] as Date,
    updatedAt: r["updated_at"] as Date,
    finishedAt: r["finished_at"] as Date | null,
  };
}

export function transferOf(r: Record<string, unknown>): TransferRow {
  const key = fromStored<TransferKey>(r["key"]);
  const offered = key.data["offered"];
  return {
    id: String(r["id"]),
    saga: String(r["saga"]),
    leg: String(r["leg"]),
    bridge: r["bridge"] as BridgeId,
    quote: fromStored(r["quote"]),
    key,
    offered: offered === undefined ? null : BigInt(offered),
    state: String(r["state"]),
    due: r["due"] as Date,
    overdue: r["overdue"] as boolean,
    recordedAt: r["recorded_at"] as Date,
    startedAt: r["started_at"] as Date | null,
    ended: r["ended"] as TransferRow["ended"],
  };
}
