/** Why a step of a trade failed, as far as it says whether trying again can help. */
import { classifyNodeError } from "../chain/errors.js";
import { ArbError } from "../errors.js";

/**
 * "silent": a network, a node or the database gave no answer, which may come. "locked": another driver has what is needed. "fault": an
 * answer, or a mistake, that stays what it is however often it is asked for.
 */
export type FaultKind = "silent" | "locked" | "fault";

/** How often a step that fails by a "fault" is tried, each time after a longer pause: then an operator is needed. */
export const FAULT_TRIES = 12;

export function faultKindOf(error: unknown): FaultKind {
  if (error instanceof ArbError) {
    if (error.code === "network" || error.code === "timeout") return "silent";
    return error.code === "locked" ? "locked" : "fault";
  }
  // what no client of a node has looked at yet
  const { action } = classifyNodeError(error);
  return action === "retry-later" || action === "retry-elsewhere" || action === "quarantine-endpoint" ? "silent" : "fault";
}
