import type { NodeErrorKind } from "../chain/errors.js";
import type { AttemptKind, JournaledAttempt, Slot } from "./types.js";

/**
 * Answers that mean: this node will not take these bytes. "nonce-too-low" is none of them: it says that the nonce is used, which may
 * have been by these very bytes.
 */
export const NOT_TAKEN: ReadonlySet<NodeErrorKind> = new Set<NodeErrorKind>([
  "insufficient-funds",
  "fee-below-base-fee",
  "replacement-underpriced",
  "underpriced",
  "gas-limit-exceeded",
  "intrinsic-gas-too-low",
]);

/** What another attempt of a slot would be. Fees in wei per gas. */
export interface Proposal {
  kind: AttemptKind;
  intentId: string | null;
  maxFeePerGas: bigint;
  maxPriorityFeePerGas: bigint;
  /** The caller wants the intents of the slot to compete: whichever lands first ends the others. */
  rival: boolean;
}

export interface SlotSituation {
  /** Newest block that was seen. */
  head: bigint;
  /** Whether a higher nonce of the account has an attempt that is public, and so waits for this slot. */
  publicAbove: boolean;
}

/**
 * Least fee that replaces another in public mempools: 12.5 % more, rounded up. Nodes ask for 10 % (geth, reth) to 12.5 %, of the
 * fee cap and of the tip, and always for more than before.
 */
export function bumped(fee: bigint): bigint {
  const more = (fee * 1125n + 999n) / 1000n;
  return more > fee ? more : fee + 1n;
}

/** Every route that it was sent to surely refused it. Without a note it may have been sent just before a crash. */
export function isVoid(attempt: JournaledAttempt): boolean {
  return (
    attempt.sends.length > 0 && attempt.sends.every((s) => s.status === "refused" && s.kind !== null && NOT_TAKEN.has(s.kind))
  );
}

/** Private bytes whose blocks have passed. A block of a reorganised chain could still take them: the hash stays watched. */
export function isOver(attempt: JournaledAttempt, head: bigint): boolean {
  return attempt.visibility === "private" && attempt.lastBlock !== null && attempt.lastBlock < head;
}

/** Whether an attempt may still land, as far as is known. */
export function isLive(attempt: JournaledAttempt, head: bigint): boolean {
  return !isVoid(attempt) && !isOver(attempt, head);
}

/** Whether everybody may have the bytes, and so may land them at any time. */
export function isPublic(attempt: JournaledAttempt): boolean {
  return attempt.visibility === "public" && !isVoid(attempt);
}

/** An open slot in which nothing can land any more: the next intent takes it instead of a new nonce. */
export function isVacant(slot: Slot, head: bigint): boolean {
  return slot.state === "open" && !slot.attempts.some((a) => isLive(a, head));
}

/**
 * Why an attempt may not join a slot; null when it may. The rules:
 * 1. Only an open slot takes another attempt.
 * 2. A replacement is for an intent of the slot; a trade is for a new one; a cancel and a no-op are for none.
 * 3. Over a public attempt only with both fees at least 12.5 % higher: any less and nodes keep the old one.
 * 4. An intent takes a slot in which another one is live only as its declared rival.
 * 5. A no-op only fills a slot below one that is already public: elsewhere it would spend gas to free nothing.
 */
export function refusalOf(slot: Slot, proposal: Proposal, { head, publicAbove }: SlotSituation): string | null {
  const { kind, intentId } = proposal;
  if (slot.state !== "open") return `the slot is ${slot.state}`;
  const intents = new Set(slot.attempts.flatMap((a) => (a.intentId === null ? [] : [a.intentId])));
  if (kind === "replacement" && (intentId === null || !intents.has(intentId)))
    return "a replacement is for an intent of its slot";
  if (kind === "trade" && (intentId === null || intents.has(intentId))) return "a trade in a used slot is for a new intent";
  if ((kind === "cancel" || kind === "no-op") && intentId !== null) return `a ${kind} is for no intent`;
  if (kind === "no-op" && !publicAbove) return "a no-op only fills a slot below one that is already public";
  const live = slot.attempts.filter((a) => isLive(a, head));
  if (kind === "trade" && !proposal.rival && live.some((a) => a.intentId !== intentId)) {
    return "another intent can still land in it, and they are not declared rivals";
  }
  for (const attempt of live.filter(isPublic)) {
    const [cap, tip] = [bumped(attempt.maxFeePerGas), bumped(attempt.maxPriorityFeePerGas)];
    if (proposal.maxFeePerGas < cap || proposal.maxPriorityFeePerGas < tip) {
      return `attempt ${attempt.number} is public: over it the fee cap must be at least ${cap} and the tip ${tip} wei per gas`;
    }
  }
  return null;
}
