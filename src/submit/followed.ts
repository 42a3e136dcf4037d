import { isHexString } from "ethers";
import type { RpcProvider } from "../chain/connect.js";
import type { Followed } from "../opportunity/opportunity.js";
import { type PendingTransaction, readPending, rebuild, type RpcTransaction } from "../opportunity/pending.js";

/** Where a transaction stands that one of ours is to follow. */
export type FollowedNow =
  | { status: "pending"; pending: PendingTransaction }
  /** It is in a block already: the state is behind it as it is. */
  | { status: "landed" }
  /** Its nonce is used by another one. */
  | { status: "replaced"; detail: string }
  /** It cannot be the next of its sender, or of no kind that is followed. */
  | { status: "not-next"; detail: string }
  | { status: "not-found"; detail: string };

/** Looks it up. A transaction that is found is the one that was named: bytes and hash agree. Raises as the node does. */
export async function lookUpFollowed(provider: RpcProvider, chainId: number, { hash, raw }: Followed): Promise<FollowedNow> {
  if ((await provider.getTransactionReceipt(hash)) !== null) return { status: "landed" };
  const bytes = raw ?? (await bytesOf(provider, hash));
  if (typeof bytes === "object" && bytes !== null) return { status: "landed" };
  if (bytes === null) return { status: "not-found", detail: `no node knows the transaction ${hash}` };
  const pending = readPending(bytes);
  if (typeof pending === "string") return { status: "not-next", detail: pending };
  if (pending.hash !== hash) return { status: "not-found", detail: `the bytes are the transaction ${pending.hash}, not ${hash}` };
  if (pending.chainId !== null && pending.chainId !== BigInt(chainId))
    return { status: "not-found", detail: `the bytes are a transaction of chain ${pending.chainId}` };
  return await standingOfSender(provider, pending);
}

/** Where bytes that were pending a moment ago stand now. */
export async function standingOfSender(provider: RpcProvider, pending: PendingTransaction): Promise<FollowedNow> {
  const { hash, from, nonce } = pending;
  const next = await provider.getTransactionCount(from, "latest");
  if (next === nonce) return { status: "pending", pending };
  if (next < nonce) return { status: "not-next", detail: `${from} has nonce ${next} to send before its nonce ${nonce}` };
  // it may have landed between the two questions
  if ((await provider.getTransactionReceipt(hash)) !== null) return { status: "landed" };
  return { status: "replaced", detail: `${from} used nonce ${nonce} for another transaction than ${hash}` };
}

/** Its bytes as a node has them; null where none does. */
async function bytesOf(provider: RpcProvider, hash: string): Promise<string | null | { landed: true }> {
  const found = (await provider.send("eth_getTransactionByHash", [hash])) as (RpcTransaction & { blockHash?: unknown }) | null;
  if (found === null) return null;
  if (typeof found.blockHash === "string") return { landed: true };
  const made = rebuild(found);
  if (made !== null) return made.serialized;
  // of kinds that are not told field by field some nodes give the bytes
  const raw = await provider.send("eth_getRawTransactionByHash", [hash]).catch(() => null);
  return isHexString(raw) && raw !== "0x" ? raw : null;
}
