import type { TransactionReceipt } from "ethers";
import type { BridgeCall, TransferState, TransferStatus } from "./bridge.js";

export interface OpStandardLook {
  status: TransferStatus;
  /** Proves, finalises, or relays again; null when there is nothing to do. */
  call: BridgeCall | null;
}

/** The bridge's message, as the source chain shows it. `relay` is the call that hands it over; its hash is the message's. */
export interface SentMessage {
  receipt: TransactionReceipt;
  relay: string;
  hash: string;
}

export const waiting = (
  state: TransferState,
  waitsFor: string,
  facts: Record<string, string>,
  checkAgainSeconds: number,
  call: BridgeCall | null = null,
): OpStandardLook => ({ status: { state, arrival: null, waitsFor, checkAgainSeconds, facts }, call });
