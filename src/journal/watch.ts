import type { Provider } from "ethers";
import type { Recheck } from "../chain/confirm.js";
import { classifyNodeError } from "../chain/errors.js";
import { agreedCount, agreedHead, type AgreedHead, isCanonical, type Witnesses } from "../chain/witnesses.js";
import type { Network } from "../config/network.js";
import { ArbError } from "../errors.js";
import { agreedConsumer } from "./consumer.js";
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
  /** The endpoints for themselves; default: the provider alone. What a slot becomes is concluded from what two of them say. */
  witnesses?: Witnesses;
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

export type Head = AgreedHead;

/** A head below everything: where too few endpoints tell theirs, nothing is over and nothing final. */
const NO_HEAD: Head = { number: 0, hash: "", finalized: -1 };

const witnessesOf = ({ witnesses, provider }: Pick<Watched, "provider" | "witnesses">): Witnesses =>
  witnesses ?? {
    needed: 1,
    list: [{ name: "the node", send: async (method, params) => await provider.send(method, [...params]) }],
  };

/** The head that the account's endpoints agree on. Raises the node's error where none answers. */
export async function readHead(watched: Pick<Watched, "provider" | "witnesses">): Promise<Head> {
  return (await agreedHead(witnessesOf(watched))) ?? NO_HEAD;
}

/** Whether a block is deep enough: the network's depth, and at or below the node's final block where it has one. */
export function isFinal(network: Network, blockNumber: number, head: Head): boolean {
  if (head.number - blockNumber < network.finality.blocks) return false;
  return head.finalized === null || blockNumber <= head.finalized;
}

/**
 * Looks for a receipt of every hash of the slot, on the chain that the nodes call their own; notes and books what it finds. Null: none
 * has one. Raises where the nodes do not agree on its block.
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
    // a receipt of a block that the nodes themselves no longer have is none
    const block = await isCanonical(witnessesOf(watched), receipt.blockNumber, receipt.blockHash);
    if (block.is === "unknown")
      throw new ArbError("network", `the receipt of ${attempt.hash} is not certain: ${block.why}`, { where: network.name });
    if (block.is === "replaced") continue;
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
  const witnesses = witnessesOf(watched);
  if (slot.state === "final" || slot.state === "foreign") return { status: "unknown", detail: `the slot is ${slot.state}` };
  if (slot.inclusion !== null) {
    const { hash, blockNumber, blockHash } = slot.inclusion;
    const attempt = slot.attempts.find((a) => a.hash === hash);
    const block = await isCanonical(witnesses, blockNumber, blockHash);
    if (block.is === "unknown") return { status: "unknown", detail: block.why };
    if (block.is === "kept" && attempt) {
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

  const used = await agreedCount(witnesses, slot.account, "latest");
  if (used.sure !== null && used.sure > slot.nonce) return await consumed(watched, slot, head);
  // free by one and used by another, or by one and nobody else answers
  if (used.most > slot.nonce) return { status: "unknown", detail: `whether nonce ${slot.nonce} is used: ${used.doubt}` };
  if (used.sure !== null && isVacant(slot, BigInt(head.number))) return { status: "vacant" };
  // an older one that is still there is the one that had to be replaced: it says nothing of the newest
  const newest = newestLive(slot, head);
  return newest !== undefined && (await provider.getTransaction(newest.hash)) !== null
    ? { status: "pending" }
    : { status: "dropped" };
}

/** The nonce is used and no receipt of ours is there: says by what, or that it is not known. */
async function consumed(watched: Watched, slot: Slot, head: Head): Promise<Finding> {
  const { journal, ownership, network } = watched;
  const witnesses = witnessesOf(watched);
  const consumer = await agreedConsumer(witnesses, slot, head, network);
  if (consumer === null) return { status: "unknown", detail: `nonce ${slot.nonce} is used, by what is not known yet` };
  // an attempt that was journaled since the slot was read is none of somebody else's
  const [{ attempts } = slot] = await journal.slots(ownership, { nonce: slot.nonce });
  if (attempts.some((a) => a.hash === consumer.hash)) {
    return { status: "unknown", detail: `mined in block ${consumer.blockNumber}, whose receipts the node does not have yet` };
  }
  // too long ago to see by what: receipts that one node does not have (yet) do not make it another's
  for (const { hash } of consumer.hash === null ? attempts : []) {
    const had = await Promise.all(witnesses.list.map(async (w) => await w.send("eth_getTransactionByHash", [hash])));
    if (had.some((transaction) => transaction !== null))
      return { status: "unknown", detail: `nonce ${slot.nonce} is used, and a node still has ${hash}, without its receipt` };
  }
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
  const { journal, ownership } = watched;
  const head = await readHead(watched);
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
    if (!slot.attempts.some(({ ageMs }) => ageMs < FOREIGN_MS)) continue;
    const found = await findReceipt(watched, slot);
    if (found !== null) findings.set(slot.nonce, { status: "mined", ...found });
  }
  await journal.step("reconciled");
  const vacant = [...findings].flatMap(([nonce, f]) => (f.status === "vacant" ? [nonce] : []));
  return { head, findings, resent, vacant };
}
