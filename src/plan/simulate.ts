import type { BlockTag, Provider } from "ethers";
import { classifyNodeError } from "../chain/errors.js";
import { explainRevert } from "./errors.js";
import type { Call } from "./transaction-builder.js";

export type Simulation = { ok: true; data: string } | { ok: false; reason: string };

/** Runs the exact call as `from` on the state of `block` (`eth_call`). A revert is an answer; a node that fails throws. */
export async function simulate(
  provider: Provider,
  call: Call,
  from: string,
  gasLimit: bigint | null,
  block: BlockTag,
): Promise<Simulation> {
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
  const { kind, message, revertData } = classifyNodeError(error);
  if (revertData !== null) return explainRevert(revertData).text;
  return kind === "reverted" ? message : null;
}
