import type { TransactionRequest } from "ethers";
import type { Chain } from "../chain/connect.js";
import { classifyNodeError } from "../chain/errors.js";
import { ArbError } from "../errors.js";

/** Share that is added to gas estimates, in parts per million. */
export const DEFAULT_GAS_BUFFER_PPM = 200_000;

/**
 * Gas that a call of `tx.from` is expected to use by the node's estimate, and the limit to give it: the estimate plus a buffer and
 * `extra` gas, never beyond the network's cap for one transaction.
 * Raises ArbError "reverted" (it would fail), "refused" (the estimate alone is beyond the cap, or the sender cannot pay), "network".
 */
export async function estimateGas(
  chain: Chain,
  tx: TransactionRequest,
  bufferPpm = DEFAULT_GAS_BUFFER_PPM,
  extra = 0n,
): Promise<{ estimate: bigint; limit: bigint }> {
  let estimate: bigint;
  try {
    estimate = await chain.provider.estimateGas(tx);
  } catch (error) {
    const { kind, message, revertData } = classifyNodeError(error);
    if (kind === "gas-limit-exceeded") throw beyondCap(chain, message);
    if (kind === "insufficient-funds") {
      throw new ArbError(
        "refused",
        `${typeof tx.from === "string" ? tx.from : "the sender"} cannot pay the gas on ${chain.network.title}`,
        {
          where: chain.network.name,
          hint: `send ${chain.network.nativeSymbol} to it`,
          reason: "insufficient-gas-funds",
        },
      );
    }
    throw new ArbError(kind === "reverted" ? "reverted" : "network", `gas cannot be estimated (${kind}: ${message})`, {
      where: `${chain.network.name}${revertData === null ? "" : `, revert data ${revertData}`}`,
      ...(revertData === null ? {} : { revertData }),
    });
  }
  const cap = chain.network.transactionGasCap;
  if (cap !== null && estimate > BigInt(cap)) throw beyondCap(chain, `it needs ${estimate}`);
  const buffered = estimate + (estimate * BigInt(bufferPpm) + 999_999n) / 1_000_000n + extra;
  return { estimate, limit: cap !== null && buffered > BigInt(cap) ? BigInt(cap) : buffered };
}

function beyondCap(chain: Chain, detail: string): ArbError {
  const cap = chain.network.transactionGasCap;
  return new ArbError(
    "refused",
    `the transaction needs more gas than ${chain.network.title} allows for one (${cap ?? "its block limit"}): ${detail}`,
    {
      where: chain.network.name,
      hint: "take fewer hops",
    },
  );
}
