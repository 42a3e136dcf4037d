import { toQuantity } from "ethers";
import type { Witness, Witnesses } from "../chain/witnesses.js";
import type { Network } from "../config/network.js";

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
 * What used a nonce, by as many endpoints as are needed. Null while nothing is certain: they do not say the same, or a block that may
 * still change holds no such transaction. Raises the node's error.
 */
export async function agreedConsumer(
  { list, needed }: Witnesses,
  slot: { account: string; nonce: number },
  head: { number: number },
  network: Network,
): Promise<Consumer | null> {
  const settled = await Promise.allSettled(list.map(async (witness) => await findConsumer(witness, slot, head, network)));
  const found = settled.flatMap((s) => (s.status === "fulfilled" ? [s.value] : []));
  if (found.length < needed) throw settled.find((s) => s.status === "rejected")?.reason ?? new Error("too few endpoints answer");
  const [first] = found;
  const same = (other: Consumer | null): boolean =>
    other !== null && other.hash === first!.hash && (other.hash === null || other.blockNumber === first!.blockNumber);
  return first !== null && first !== undefined && found.every(same) ? first : null;
}

/**
 * Finds the transaction that used a nonce, by the account's counts at the last blocks. Null while nothing is certain. Raises the
 * node's error.
 */
async function findConsumer(
  provider: Witness,
  { account, nonce }: { account: string; nonce: number },
  head: { number: number },
  network: Network,
): Promise<Consumer | null> {
  const usedAt = async (block: number): Promise<boolean> =>
    Number(await provider.send("eth_getTransactionCount", [account, toQuantity(block)])) > nonce;
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
