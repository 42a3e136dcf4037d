import { type Provider, toQuantity } from "ethers";
import type { Network } from "../config/network.js";
import type { Requests } from "./receipt.js";

/** What used a nonce. */
export interface Consumer {
  /** Null: it is too long ago to see, or no transaction of the account did, as where an EIP-7702 authorisation counts. */
  hash: string | null;
  /** The block that used it, or where that is not seen one by which it was used. */
  blockNumber: number;
}

/** Nodes keep the state of at least so many blocks. */
const STATE_BLOCKS = 128;

/**
 * Finds the transaction that used a nonce, by the account's counts at the last blocks. Null while nothing is certain: a block that
 * may still change holds no such transaction. Raises the node's error.
 */
export async function findConsumer(
  provider: Provider & Requests,
  { account, nonce }: { account: string; nonce: number },
  head: { number: number },
  network: Network,
): Promise<Consumer | null> {
  const usedAt = async (block: number): Promise<boolean> => (await provider.getTransactionCount(account, block)) > nonce;
  let low = Math.max(0, head.number - STATE_BLOCKS);
  let high = head.number;
  if (!(await usedAt(high))) return null;
  if (low > 0 && (await usedAt(low))) return { hash: null, blockNumber: low };
  // used at high, not at low (or low is the first block)
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await usedAt(middle)) high = middle;
    else low = middle;
  }
  const block = (await provider.send("eth_getBlockByNumber", [toQuantity(high), true])) as {
    transactions: { hash: string; from: string; nonce: string }[];
  } | null;
  const found = block?.transactions.find((t) => t.from.toLowerCase() === account.toLowerCase() && Number(t.nonce) === nonce);
  if (found) return { hash: found.hash, blockNumber: high };
  return head.number - high >= network.finality.blocks ? { hash: null, blockNumber: high } : null;
}
