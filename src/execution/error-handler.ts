import { classifyNodeError, withoutUrls } from "../chain/errors.js";
import { ArbError, type ErrorCode } from "../errors.js";
import type { RejectReason, Rejection } from "../opportunity/reject.js";

const REASON_OF: Partial<Record<ErrorCode, RejectReason>> = {
  refused: "risk-limit",
  "no-profit": "not-profitable",
};

/**
 * Decides what an error before sending means: an opportunity that is refused with a reason, or a fault of the program or
 * its surroundings that must reach the user. Nothing is swallowed: what it does not know is rethrown.
 */
export class ErrorHandler {
  /** The rejection that `error` amounts to. Rethrows everything that is not about this one opportunity. */
  toRejection(error: unknown, opportunityId: string): Rejection {
    if (error instanceof ArbError) {
      const reason = error.reason ?? REASON_OF[error.code];
      if (reason) return { opportunityId, reason, detail: error.message, where: error.where ?? null };
      throw error;
    }
    const { kind, message } = classifyNodeError(error);
    if (kind === "insufficient-funds") {
      return { opportunityId, reason: "insufficient-gas-funds", detail: message, where: null };
    }
    if (kind === "reverted") return { opportunityId, reason: "simulation-reverted", detail: message, where: null };
    throw error;
  }

  /** What to show for any error: message, place and hint; never a stack with secrets in it. */
  describe(error: unknown): { code: ErrorCode; message: string; where: string | null; hint: string | null } {
    if (error instanceof ArbError) {
      return { code: error.code, message: error.message, where: error.where ?? null, hint: error.hint ?? null };
    }
    // ethers puts whole endpoint URLs, and so their keys, into its messages
    return {
      code: "internal",
      message: withoutUrls(error instanceof Error ? error.message : String(error)),
      where: null,
      hint: null,
    };
  }
}
