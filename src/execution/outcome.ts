import type { FundingId } from "../funding/funding.js";
import type { SlotState } from "../journal/types.js";
import type { Rejection } from "../opportunity/reject.js";
import type { VenueId } from "../venues/venue.js";

/** One signed transaction on its way. */
export interface Attempt {
  opportunityId: string;
  chainId: number;
  from: string;
  nonce: number;
  hash: string;
  raw: string;
  /** Milliseconds since the epoch, when it was handed to the route. */
  sentAt: number;
}

/** What was sent, whatever became of it. Amounts in base units of the profit token. */
export interface Trade {
  opportunityId: string;
  chainId: number;
  path: { venue: VenueId; pool: string }[];
  funding: FundingId;
  amountIn: bigint;
  expectedProfit: bigint;
  /** Least profit that the contract would accept. */
  minProfit: bigint;
  profitToken: string;
  txHash: string;
  /** From intake to the receipt. */
  seconds: number;
}

/** What a landed trade really did, read from its receipt and checked against balances. */
export interface LandedTrade extends Trade {
  profit: bigint;
  gasUsed: bigint;
  /** Everything paid for inclusion, in wei: gas, and the L1 part where the network has one. */
  feeWei: bigint;
  blockNumber: number;
  nonce: number;
  /** Routes that said that they took it. */
  routes: string[];
  /** What the journal says of its nonce: "mined" until no reorganisation can take it back, then "final". */
  journal: SlotState;
  /** Blocks on top of it and its own, when it was booked. */
  depth: number;
}

/**
 * The end of an opportunity. `dry-run`: planned and simulated, would be sent now. `unknown`: sent, and the deadline passed
 * without an answer; it may still land.
 */
export type Outcome =
  | { status: "dry-run"; trade: Trade }
  | { status: "rejected"; rejection: Rejection }
  | { status: "landed"; trade: LandedTrade }
  | { status: "reverted"; trade: Trade; reason: string; gasUsed: bigint; feeWei: bigint }
  | { status: "unknown"; trade: Trade; reason: string };
