/** What went wrong with a transfer that is under way, from what the chains show of it. */
import type { BridgeId, TransferState, TransferStatus } from "../bridges/bridge.js";
import type { Failure } from "../execution/recovery-manager.js";

export interface Look {
  bridge: BridgeId;
  status: Pick<TransferStatus, "state" | "facts">;
  /** Past the time that was promised, with its grace. */
  overdue: boolean;
  /** Relayers are offered less than the bridge asks for now. */
  underpaid: boolean;
  /** A network of it has no new block, in words. */
  halted: string | null;
}

/** The failure of RecoveryManager's table; null while it goes as promised, or is at its end. */
export function failureOf({ bridge, status, overdue, underpaid, halted }: Look): Failure | null {
  const { state, facts } = status;
  if (state === "delivered" || state === "refunded") return null;
  if (state === "claimable") return facts["credit"] === "true" ? "refund-claimable" : null;
  if (state === "stuck") return "stuck";
  if (state === "blocked")
    return facts["wish"] === "re-attest"
      ? "attestation-expired"
      : facts["paused"] === "true"
        ? "bridge-paused"
        : "delivery-blocked";
  const late = overdue || state === "slow";
  if (late && halted !== null) return "chain-halted";
  if (state === "expired" || state === "refunding") return "expired";
  if (!late) return null;
  if (facts["fillsPaused"] === "true") return "bridge-paused";
  if (underpaid || facts["delayReason"] === "insufficient_fee") return "fee-too-low";
  // CCTP and Stargate are slow by their signatures alone
  const signed = state === "attesting" || (state === "slow" && (bridge === "cctp" || bridge === "stargate"));
  return signed ? "attestation-late" : "fill-slow";
}

/** As saga-1 had it, for steps that were recorded by it. */
export function earlierFailureOf({ state, overdue }: { state: TransferState; overdue: boolean }): Failure | null {
  switch (state) {
    case "slow":
      return "fill-slow";
    case "expired":
    case "refunding":
      return "expired";
    case "blocked":
      return "delivery-blocked";
    case "stuck":
      return "stuck";
    case "attesting":
      return overdue ? "attestation-late" : null;
    case "not-started":
    case "initiated":
    case "claimable":
    case "delivered":
    case "refunded":
      return overdue ? "fill-slow" : null;
  }
}
