import { type Log, ZeroAddress } from "ethers";
import { ArbError } from "../errors.js";
import type { TransferKey } from "./bridge.js";
import { addressOf, messageHash, type RelayData, relayHash, spokePool } from "./across-abi.js";

/** An Across transfer as its key tells it. */
export interface AcrossTransfer {
  relay: RelayData;
  hash: string;
  fromChainId: number;
  toChainId: number;
  originPool: string;
  destinationPool: string;
  nonce: bigint;
  quoteTimestamp: number;
  /** Unix seconds of the source after which the deposit cannot be made any more (its quote is too old for the pool). */
  startBefore: number;
  etaSeconds: number;
  /** Blocks before which neither chain can have anything of this transfer. */
  sourceFrom: number;
  destinationFrom: number;
  /** Who gets what a message's calls leave; null without a message. */
  fallback: string | null;
}

/** The fields of a key's data that say where it is looked for; the others are the deposit's own. */
const FIELDS = [
  "originPool",
  "destinationPool",
  "depositor",
  "recipient",
  "inputToken",
  "outputToken",
  "inputAmount",
  "outputAmount",
  "depositId",
  "nonce",
  "quoteTimestamp",
  "fillDeadline",
  "message",
  "startBefore",
  "etaSeconds",
  "sourceFrom",
  "destinationFrom",
] as const;

export type AcrossData = Record<(typeof FIELDS)[number], string> & {
  fallback?: string;
  /** Of deposits that were not made by us: ours are exclusive to nobody. */
  exclusiveRelayer?: string;
  exclusivityDeadline?: string;
};

/** Reads a key. Throws ArbError "usage" when it is no key of Across. */
export function transferOf(key: TransferKey): AcrossTransfer {
  const missing = FIELDS.filter((f) => key.data[f] === undefined);
  if (key.bridge !== "across" || missing.length > 0)
    throw new ArbError("usage", `this is no key of an Across transfer: ${missing.join(", ") || key.bridge}`, { where: key.id });
  const d = key.data as AcrossData;
  const relay: RelayData = {
    depositor: d.depositor,
    recipient: d.recipient,
    exclusiveRelayer: d.exclusiveRelayer ?? ZeroAddress,
    inputToken: d.inputToken,
    outputToken: d.outputToken,
    inputAmount: BigInt(d.inputAmount),
    outputAmount: BigInt(d.outputAmount),
    originChainId: BigInt(key.fromChainId),
    depositId: BigInt(d.depositId),
    fillDeadline: BigInt(d.fillDeadline),
    // Nobody is exclusive: then nothing in the relay's hash depends on the block that the deposit lands in.
    exclusivityDeadline: BigInt(d.exclusivityDeadline ?? 0),
    message: d.message,
  };
  return {
    relay,
    hash: relayHash(relay, key.toChainId),
    fromChainId: key.fromChainId,
    toChainId: key.toChainId,
    originPool: d.originPool,
    destinationPool: d.destinationPool,
    nonce: BigInt(d.nonce),
    quoteTimestamp: Number(d.quoteTimestamp),
    startBefore: Number(d.startBefore),
    etaSeconds: Number(d.etaSeconds),
    sourceFrom: Number(d.sourceFrom),
    destinationFrom: Number(d.destinationFrom),
    fallback: d.fallback ?? null,
  };
}

/** A deposit as the source pool's log tells it. */
export interface SeenDeposit {
  relay: RelayData;
  destinationChainId: number;
  quoteTimestamp: number;
}

/** Reads a FundsDeposited log; null when it is another log, or one for a chain whose addresses are longer. */
export function depositIn(log: Log | { topics: readonly string[]; data: string }, originChainId: number): SeenDeposit | null {
  const event = spokePool.parseLog(log);
  if (event?.name !== "FundsDeposited") return null;
  const a = event.args;
  const [depositor, recipient, exclusiveRelayer, inputToken, outputToken] = [
    a["depositor"],
    a["recipient"],
    a["exclusiveRelayer"],
    a["inputToken"],
    a["outputToken"],
  ].map((word) => addressOf(word as string));
  if (!depositor || !recipient || !exclusiveRelayer || !inputToken || !outputToken) return null;
  const relay: RelayData = {
    depositor,
    recipient,
    exclusiveRelayer,
    inputToken,
    outputToken,
    inputAmount: a["inputAmount"] as bigint,
    outputAmount: a["outputAmount"] as bigint,
    originChainId: BigInt(originChainId),
    depositId: a["depositId"] as bigint,
    fillDeadline: a["fillDeadline"] as bigint,
    exclusivityDeadline: a["exclusivityDeadline"] as bigint,
    message: a["message"] as string,
  };
  return { relay, destinationChainId: Number(a["destinationChainId"]), quoteTimestamp: Number(a["quoteTimestamp"]) };
}

/** True when a FundsDeposited log is exactly this transfer's: the same relay hash, not only the same id. */
export function isOurDeposit(log: Log, t: AcrossTransfer): boolean {
  const seen = log.address === t.originPool ? depositIn(log, t.fromChainId) : null;
  return seen !== null && seen.destinationChainId === t.toChainId && relayHash(seen.relay, t.toChainId) === t.hash;
}

/** How a fill ended: who was paid how much, in the words of its FilledRelay log. */
export interface Fill {
  recipient: string | null;
  amount: bigint;
  kind: "fast" | "fast instead of slow" | "slow";
}

/** Reads a FilledRelay log of exactly this transfer's relay data; null for any other, as a stranger can fill another relay of our id. */
export function ourFillIn(log: Log, t: AcrossTransfer): Fill | null {
  if (log.address !== t.destinationPool) return null;
  const event = spokePool.parseLog(log);
  if (event?.name !== "FilledRelay") return null;
  const { args: a } = event;
  const { relay } = t;
  const addresses = ["depositor", "recipient", "exclusiveRelayer", "inputToken", "outputToken"] as const;
  const numbers = ["inputAmount", "outputAmount", "originChainId", "depositId", "fillDeadline", "exclusivityDeadline"] as const;
  const same =
    addresses.every((f) => addressOf(a[f] as string) === relay[f]) &&
    numbers.every((f) => a[f] === relay[f]) &&
    a["messageHash"] === messageHash(relay.message);
  if (!same) return null;
  const info = a["relayExecutionInfo"] as { updatedRecipient: string; updatedOutputAmount: bigint; fillType: bigint };
  const kind = (["fast", "fast instead of slow", "slow"] as const)[Number(info.fillType)] ?? "slow";
  return { recipient: addressOf(info.updatedRecipient), amount: info.updatedOutputAmount, kind };
}
