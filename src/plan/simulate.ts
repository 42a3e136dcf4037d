import type { BlockTag, Provider } from "ethers";
import { explainRevert } from "./errors.js";
import type { Call } from "./transaction-builder.js";

export type Simulation = { ok: true; data: string } | { ok: false; reason: string };

/** Runs the exact call as `from` on the state of `block` (`eth_call`). A revert is an answer; a node that fails throws. */
export async function simulate(provider: Provider, call: Call, from: string, gasLimit: bigint, block: BlockTag): Promise<Simulation> {
  try {
    return { ok: true, data: await provider.call({ ...call, from, gasLimit, blockTag: block }) };
  } catch (error) {
    const reason = revertReason(error);
    if (reason === null) throw error;
    return { ok: false, reason };
  }
}

/** The decoded reason where `error` is a node's report of a revert, else null. */
export function revertReason(error: unknown): string | null {
  const data = revertData(error);
  if (data !== null) return explainRevert(data).text;
  const { code, message } = error as { code?: string; message?: string };
  if (code === "CALL_EXCEPTION") return "reverted without a reason";
  return message !== undefined && /revert|out of gas/i.test(message) ? message : null;
}

/** Revert data hides at different depths of ethers' and nodes' errors. */
function revertData(error: unknown, depth = 0): string | null {
  if (typeof error !== "object" || error === null || depth > 4) return null;
  const { data, info, error: inner } = error as { data?: unknown; info?: unknown; error?: unknown };
  if (typeof data === "string" && /^0x([0-9a-f]{2})*$/i.test(data)) return data;
  return revertData(data, depth + 1) ?? revertData(inner, depth + 1) ?? revertData(info, depth + 1);
}
