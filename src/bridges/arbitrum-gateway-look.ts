import type { BridgeCall, TransferState, TransferStatus } from "./bridge.js";

export interface ArbitrumGatewayLook {
  status: TransferStatus;
  /** Redeems the ticket, or has the outbox pay; null when there is nothing to do. */
  call: BridgeCall | null;
}

export const waiting = (
  state: TransferState,
  waitsFor: string,
  facts: Record<string, string>,
  checkAgainSeconds: number,
  call: BridgeCall | null = null,
): ArbitrumGatewayLook => ({ status: { state, arrival: null, waitsFor, checkAgainSeconds, facts }, call });
