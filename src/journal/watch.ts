import { type Provider, toQuantity } from "ethers";
import type { Recheck } from "../chain/confirm.js";
import { classifyNodeError } from "../chain/errors.js";
import type { Network } from "../config/network.js";
import { findConsumer } from "./consumer.js";
import type { Journal } from "./journal.js";
import type { Ownership } from "./owner.js";
import { entriesOf, type LandedReceipt, readReceipt, type Requests } from "./receipt.js";
import { isLive, isVacant } from "./rules.js";
import type { Inclusion, JournaledAttempt, Slot } from "./types.js";

export type MinedAt = Omit<Inclusion, "succeeded">;

/** An account that is watched on its chain. */
export interface Watched {
  journal: Journal;
  ownership: Ownership;
  network: Network;
  provider: Provider & Requests;
  /** Whether bytes may be sent by the account's route; default: all. Private ones must not come into a public mempool. */
  carries?: (attempt: JournaledAttempt) => boolean;
  /** Whether a transaction is still where it was, by as many endpoints as there are; asked before it is called final. */
  recheck?: (inclusion: MinedAt) => Promise<Recheck>;
  /** Sends bytes of the journal again, and notes the answers. */
  resend: (attempt: JournaledAttempt) => Promise<void>;
}

/** What is known of a slot after a look at the chain. */
export type Finding =
  | { status: "final" | "mined"; attempt: JournaledAttempt; receipt: LandedReceipt | null }
  /** A node has its newest transaction, not yet in a block. */
  | { status: "pending" }
  /** The nonce is free and no node has its newest transaction. */
  | { status: "dropped" }
  /** Nothing of it can land any more: the next intent takes the slot. */
  | { status: "vacant" }
  /** The nonce was used by a transaction that is not ours. The account is stopped. */
  | { status: "foreign"; evidence: string }
  /** The nodes do not say enough; nothing is concluded, and it is looked at again. */
  | { status: "unknown"; detail: string };

export interface Head {
  number: number;
  hash: string;
  /** Newest block that the node calls final; null where it calls none so. */
  finalized: number | null;
}

/** The newest block and the newest final one. Raises the node's error. */
export async function readHead(provider: Provider & Requests): Promise<Head> {
  const [head, finalized] = await Promise.all([
    provider.send("eth_getBlockByNumber", ["latest", false]) as Promise<{ number: string; hash: string } | null>,
    // a node without the tag answers with an error; then depth alone decides
    provider.send("eth_getBlockByNumber", ["finalized", false]).then(
      (block) => block as { number: string } | null,
      (error: unknown) => {
        if (["timeout", "unreachable", "rate-limited"].includes(classifyNodeError(error).kind)) throw error;
        return null;
      },
    ),
  ]);
  if (!head?.hash) throw new Error("the node gave no head block");
  return { number: Number(head.number), hash: head.hash, finalized: finalized ? Number(finalized.number) : null };
}

/** Whether a block is deep enough: the network's depth, and at or below the node's final block where it has one. */
export function isFinal(network: Network, blockNumber: number, head: Head): boolean {
  if (head.number - blockNumber < network.finality.blocks) return false;
  return head.finalized === null || blockNumber <= head.finalized;
}

async function hashAt(provider: Requests, blockNumber: number): Promise<string | null> {
  const block = (await provider.send("eth_getBlockByNumber", [toQuantity(blockNumber), false])) as { hash: string } | null;
  return block?.hash ?? null;
}

/**
 * Looks for a receipt of every hash of the slot, on the chain that the node calls its own; notes and books what it finds. Null: none
 * has one.
 */
export async function findReceipt(
  watched: Watched,
  slot: Slot,
): Promise<{ attempt: JournaledAttempt; receipt: LandedReceipt } | null> {
  const { journal, provider, network } = watched;
  // the newest most likely lands
  for (const attempt of slot.attempts.toReversed()) {
    const receipt = await readReceipt(provider, attempt.hash);
    if (receipt === null) continue;
    await journal.step("receipt-seen");
    // a receipt of a block that the node itself no longer has is none
    if ((await hashAt(provider, receipt.blockNumber)) !== receipt.blockHash) continue;
    await journal.noteReceipt(receipt, entriesOf(receipt, attempt.raw, network, attempt.holder === null ? [] : [attempt.holder]));
    return { attempt, receipt };
  }
  return null;
}

/** One look at one slot. What a node does not answer leaves it as it was. */
export async function lookAt(watched: Watched, slot: Slot, head: Head): Promise<Finding> {
  try {
    return await look(watched, slot, head);
  } catch (error) {
    // faults of the journal itself are not the node's
    if ((error as Error).name === "ArbError" && (error as { code?: string }).code !== "network") throw error;
    const { kind, message } = classifyNodeError(error);
    return { status: "unknown", detail: `${kind}: ${message}` };
  }
}

async function look(watched: Watched, slot: Slot, head: Head): Promise<Finding> {
  const { journal, provider, network } = watched;
  if (slot.state === "final" || slot.state === "foreign") return { status: "unknown", detail: `the slot is ${slot.state}` };
  if (slot.inclusion !== null) {
    const { hash, blockNumber, blockHash } = slot.inclusion;
    const attempt = slot.attempts.find((a) => a.hash === hash);
    const now = await hashAt(provider, blockNumber);
    if (now === null) return { status: "unknown", detail: `the node has no block ${blockNumber} yet` };
    if (now === blockHash && attempt) {
      if (!isFinal(network, blockNumber, head)) return { status: "mined", attempt, receipt: null };
      // one endpoint may be on a fork of its own
      const seen = await watched.recheck?.({ hash, blockHash, blockNumber });
      if (seen !== undefined && seen.status !== "kept")
        return {
          status: "unknown",
          detail: seen.status === "unknown" ? seen.reason : `another endpoint says that it ${seen.status}`,
        };
      if (seen !== undefined && seen.depth <= network.finality.blocks) return { status: "mined", attempt, receipt: null };
      await journal.finalise(hash, blockHash);
      return { status: "final", attempt, receipt: null };
    }
    await journal.takeBack(hash, blockHash);
  }
  const found = await findReceipt(watched, slot);
  if (found !== null) return { status: "mined", ...found };

  if ((await provider.getTransactionCount(slot.account, "latest")) > slot.nonce) return await consumed(watched, slot, head);
  if (isVacant(slot, BigInt(head.number))) return { status: "vacant" };
  // an older one that is still there is the one that had to be replaced: it says nothing of the newest
  const newest = newestLive(slot, head);
  return newest !== undefined && (await provider.getTransaction(newest.hash)) !== null
    ? { status: "pending" }
    : { status: "dropped" };
}

/** The nonce is used and no receipt of ours is there: says by what, or that it is not known. */
async function consumed(watched: Watched, slot: Slot, head: Head): Promise<Finding> {
  const { journal, ownership, provider, network } = watched;
  const consumer = await findConsumer(provider, slot, head, network);
  if (consumer === null) return { status: "unknown", detail: `nonce ${slot.nonce} is used, by what is not known yet` };
  // an attempt that was journaled since the slot was read is none of somebody else's
  const [{ attempts } = slot] = await journal.slots(ownership, { nonce: slot.nonce });
  if (attempts.some((a) => a.hash === consumer.hash)) {
    return { status: "unknown", detail: `mined in block ${consumer.blockNumber}, whose receipts the node does not have yet` };
  }
  // too long ago to see by what: receipts that one node does not have (yet) do not make it another's
  for (const { hash } of consumer.hash === null ? attempts : [])
    if ((await provider.getTransaction(hash)) !== null)
      return { status: "unknown", detail: `nonce ${slot.nonce} is used, and a node still has ${hash}, without its receipt` };
  const evidence =
    consumer.hash === null
      ? `by block ${consumer.blockNumber}, no transaction of the account is seen`
      : `${consumer.hash} in block ${consumer.blockNumber}`;
  await journal.noteForeign(ownership, slot.nonce, evidence);
  return { status: "foreign", evidence };
}

/** The attempt that should land. */
function newestLive(slot: Slot, head: Head): JournaledAttempt | undefined {
  return slot.attempts.findLast((a) => isLive(a, BigInt(head.number)));
}

/** How long the attempts of a nonce that a stranger used are looked for: far beyond any depth of a reorganisation. */
const FOREIGN_MS = 86_400_000;

/** What a round over all open slots of an account found, by nonce. */
export interface Round {
  head: Head;
  findings: Map<number, Finding>;
  resent: number[];
  /** Open slots that the next intents take. */
  vacant: number[];
}

/**
 * Looks at every slot whose end is not known, in the order of the nonces, and sends again what the nodes lost: the same bytes, of which
 * the journal knows. It is what a driver does first of all, and then after each block. Raises "network" when there is no head block.
 */
export async function reconcileAccount(watched: Watched): Promise<Round> {
  const { journal, ownership, provider } = watched;
  const head = await readHead(provider);
  const findings = new Map<number, Finding>();
  const resent: number[] = [];
  for (const slot of await journal.openSlots(ownership)) {
    const finding = await lookAt(watched, slot, head);
    findings.set(slot.nonce, finding);
    if (finding.status !== "dropped") continue;
    const newest = newestLive(slot, head);
    if (newest === undefined || watched.carries?.(newest) === false) continue;
    await watched.resend(newest);
    resent.push(slot.nonce);
  }
  // a reorganisation may have taken the stranger's transaction back, and landed ours
  for (const slot of await journal.slots(ownership, { states: ["foreign"] })) {
    if (!slot.attempts.some(({ createdAt }) => Date.now() - createdAt.getTime() < FOREIGN_MS)) continue;
    const found = await findReceipt(watched, slot);
    if (found !== null) findings.set(slot.nonce, { status: "mined", ...found });
  }
  await journal.step("reconciled");
  const vacant = [...findings].flatMap(([nonce, f]) => (f.status === "vacant" ? [nonce] : []));
  return { head, findings, resent, vacant };
}
