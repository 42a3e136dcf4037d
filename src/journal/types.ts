import type { NodeErrorKind } from "../chain/errors.js";

export type AttemptKind = "trade" | "replacement" | "cancel" | "no-op";

/** What is wanted once on a chain. */
export interface Intent {
  /** Unique on its chain: the opportunity's id, or `<workflowId>:<leg>`. */
  id: string;
  /** Contract whose balances the transaction moves, beside the account's own. */
  holder?: string;
  /** Profit that was estimated, base units of a token of `holder`. */
  estimate?: { token: string; profit: bigint };
}

/** A signed transaction with what the rules of its slot must know. Fees in wei per gas. */
export interface Signed {
  raw: string;
  hash: string;
  maxFeePerGas: bigint;
  maxPriorityFeePerGas: bigint;
  gasLimit: bigint;
}

/** How far an attempt may be seen. It is journaled before the bytes leave. */
export interface Exposure {
  /** "public": it is, or may be, sent where anybody can take it for ever. */
  visibility: "public" | "private";
  /** Last block in which private bytes can land; null: no such bound, so that they count as public for the rules. */
  lastBlock: bigint | null;
  /** Hash of the pending transaction behind which alone the bytes are sent; absent: they stand for themselves. */
  follows?: string;
}

/** Signed bytes as the journal has them. */
export interface JournaledAttempt extends Signed, Exposure {
  chainId: number;
  /** EIP-55. */
  account: string;
  nonce: number;
  /** 1 for the first of its slot. */
  number: number;
  kind: AttemptKind;
  /** Null for a cancel and a no-op. */
  intentId: string | null;
  /** Contract whose balances it moves, in lower case. */
  holder: string | null;
  createdAt: Date;
  /** Milliseconds since then when it was read, by the database's clock, which is not this machine's. */
  ageMs: number;
  /** When a route first answered about it; null while nothing is known of a send, which does not mean that there was none. */
  broadcastAt: Date | null;
  sends: SendNote[];
}

export interface SendNote {
  route: string;
  status: "accepted" | "refused" | "unknown";
  kind: NodeErrorKind | null;
}

export type SlotState = "open" | "mined" | "final" | "foreign";

export interface Slot {
  chainId: number;
  account: string;
  nonce: number;
  state: SlotState;
  /** In the order in which they were journaled; empty only for a foreign slot. */
  attempts: JournaledAttempt[];
  /** Where one of them is mined, while that holds. */
  inclusion: Inclusion | null;
  /** What was found of the transaction that used the nonce, for a foreign slot. */
  evidence: string | null;
}

export interface Inclusion {
  hash: string;
  blockNumber: number;
  blockHash: string;
  succeeded: boolean;
}

/** Named points of the code, for the test that kills the program at each of them. Those of runs: what relays are given. */
export const STEPS = [
  "before-sign",
  "signed",
  "journaled",
  "before-send",
  "sent",
  "send-noted",
  "superseding",
  "superseded",
  "receipt-seen",
  "receipt-noted",
  "ledger-booked",
  "taken-back",
  "final",
  "lease-taken",
  "lease-renewed",
  "lease-released",
  "reconciled",
  "run-started",
  "bundle-given",
  "tip-raised",
  "run-withdrawn",
  "run-ended",
] as const;

export type JournalStep = (typeof STEPS)[number];
export type OnJournalStep = (step: JournalStep) => void | Promise<void>;
