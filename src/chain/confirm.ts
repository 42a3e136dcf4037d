/** Receipts that two endpoints agree on, and whether they still hold later. */
import type { Endpoint } from "./endpoint.js";
import { classifyNodeError } from "./errors.js";
import { headOf } from "./heads.js";
import type { SendOptions } from "./transport/types.js";

/** A receipt as the node gives it. */
export interface RawReceipt {
  transactionHash: string;
  blockHash: string;
  blockNumber: string;
  transactionIndex: string;
  status: string;
  gasUsed: string;
  effectiveGasPrice?: string;
  logs: { address: string; topics: string[]; data: string }[];
  /** OP Stack: what is paid beside the gas follows from these. */
  l1Fee?: string | null;
  operatorFeeScalar?: string | null;
  operatorFeeConstant?: string | null;
  daFootprintGasScalar?: string | null;
}

/**
 * `missing`: nobody who must be asked has it. `unknown`: too few answered, one has it and another not (yet), or they
 * contradict each other; never book it.
 */
export type ReceiptVerdict =
  | { status: "mined"; receipt: RawReceipt; success: boolean; confirmedBy: string[] }
  | { status: "missing" }
  /** `lag`: seen by too few, and the others say that they have none. */
  | { status: "unknown"; why: "lag" | "contradiction" | "no-answer"; reason: string };

/** Where a transaction was mined. */
export interface Inclusion {
  hash: string;
  blockHash: string;
  blockNumber: number;
}

/** `depth`: blocks on top of it and itself, as the slower endpoint counts. */
export type Recheck =
  | { status: "kept"; depth: number }
  | { status: "moved"; receipt: RawReceipt }
  | { status: "gone" }
  | { status: "unknown"; reason: string };

/** How many endpoints must say the same: two where there are two. */
const two = (members: readonly Endpoint[]): number => Math.min(2, members.length);

/**
 * One look at a receipt. Asks two endpoints, and the others where these do not settle it. A single endpoint cannot be compared:
 * there the block must at least exist and hold the transaction at that place. `needed`: how many must say the same. Never throws.
 */
export async function confirmReceipt(
  members: readonly Endpoint[],
  hash: string,
  send: SendOptions,
  needed = two(members),
): Promise<ReceiptVerdict> {
  if (members.length === 0) return { status: "unknown", why: "no-answer", reason: "no endpoint can be asked" };
  const deadline = performance.now() + send.timeoutMs;
  const first = [...members].toSorted((a, b) => Number(isAway(a)) - Number(isAway(b)));
  const answers = await Promise.all(first.slice(0, needed).map((member) => receiptOf(member, hash, send)));
  let verdict = await judge(answers, needed, { ...send, timeoutMs: deadline - performance.now() });
  if (verdict.status === "unknown" && members.length > answers.length && performance.now() < deadline) {
    const late = { ...send, timeoutMs: deadline - performance.now() };
    const more = await Promise.all(first.slice(answers.length).map((member) => receiptOf(member, hash, late)));
    verdict = await judge([...answers, ...more], needed, { ...send, timeoutMs: deadline - performance.now() });
  }
  return verdict;
}

const isAway = (member: Endpoint): boolean => member.state() === "away" || member.state() === "limited";

interface ReceiptAnswer {
  member: Endpoint;
  receipt: RawReceipt | null;
  failure: string | null;
}

async function receiptOf(member: Endpoint, hash: string, send: SendOptions): Promise<ReceiptAnswer> {
  try {
    const receipt = (await member.call({ method: "eth_getTransactionReceipt", params: [hash] }, send)) as RawReceipt | null;
    if (receipt !== null && !isReceiptOf(receipt, hash)) return { member, receipt: null, failure: "gave no receipt of it" };
    return { member, receipt, failure: null };
  } catch (error) {
    const { kind, message } = classifyNodeError(error);
    return { member, receipt: null, failure: `${kind}: ${message}` };
  }
}

function isReceiptOf(receipt: RawReceipt, hash: string): boolean {
  return (
    typeof receipt === "object" &&
    typeof receipt.transactionHash === "string" &&
    receipt.transactionHash.toLowerCase() === hash.toLowerCase() &&
    /^0x[0-9a-f]{64}$/i.test(receipt.blockHash) &&
    /^0x[0-9a-f]+$/i.test(receipt.blockNumber) &&
    /^0x[01]$/.test(receipt.status) &&
    Array.isArray(receipt.logs)
  );
}

/** Everything of a receipt that is booked, as one text. */
const essence = (r: RawReceipt): string =>
  JSON.stringify([
    [r.blockHash, r.blockNumber, r.transactionIndex, r.status, r.gasUsed, r.effectiveGasPrice ?? ""],
    [r.l1Fee ?? "", r.operatorFeeScalar ?? "", r.operatorFeeConstant ?? "", r.daFootprintGasScalar ?? ""],
    r.logs.map((log) => [log.address, log.topics, log.data]),
  ]).toLowerCase();

async function judge(answers: ReceiptAnswer[], needed: number, send: SendOptions): Promise<ReceiptVerdict> {
  const having = answers.filter((answer) => answer.receipt !== null);
  const without = answers.filter((answer) => answer.receipt === null && answer.failure === null);
  const failed = answers.filter((answer) => answer.failure !== null);
  const receipt = having[0]?.receipt ?? null;
  if (receipt === null) {
    if (without.length >= needed) return { status: "missing" };
    const reason = failed.map(({ member, failure }) => `${member.name} ${failure ?? ""}`).join("; ");
    return { status: "unknown", why: "no-answer", reason: reason === "" ? "too few endpoints can be asked" : reason };
  }
  const names = having.map(({ member }) => member.name);
  if (new Set(having.map((answer) => essence(answer.receipt!))).size > 1) {
    for (const { member } of having) member.disagreed();
    return { status: "unknown", why: "contradiction", reason: `${names.join(" and ")} give different receipts` };
  }
  if (having.length < needed) {
    const others = [
      ...without.map(({ member }) => `${member.name} has none`),
      ...failed.map(({ member }) => `${member.name} fails`),
    ];
    const why = failed.length === 0 && without.length > 0 ? "lag" : "no-answer";
    return {
      status: "unknown",
      why,
      reason: `only ${names.join()} gives a receipt; ${others.join(", ") || "no other is asked"}`,
    };
  }
  if (having.length === 1) {
    const doubt = await doubtOf(having[0]!.member, receipt, send);
    if (doubt !== null) return { status: "unknown", why: "contradiction", reason: doubt };
  }
  return { status: "mined", receipt, success: BigInt(receipt.status) === 1n, confirmedBy: names };
}

/** Why a single endpoint's receipt does not fit its own chain; null when it fits. */
async function doubtOf(member: Endpoint, receipt: RawReceipt, send: SendOptions): Promise<string | null> {
  try {
    const request = { method: "eth_getBlockByNumber", params: [receipt.blockNumber, false] };
    const block = (await member.call(request, send)) as { hash?: string; transactions?: string[] } | null;
    const at = block?.transactions?.[Number(receipt.transactionIndex)];
    const fits =
      block?.hash?.toLowerCase() === receipt.blockHash.toLowerCase() &&
      at?.toLowerCase() === receipt.transactionHash.toLowerCase();
    if (fits) return null;
    member.disagreed();
    return `${member.name} gives a receipt that its own block ${Number(receipt.blockNumber)} does not have`;
  } catch (error) {
    const { kind, message } = classifyNodeError(error);
    return `${member.name} does not show the block of the receipt (${kind}: ${message})`;
  }
}

/** Whether a transaction is still in its block, and that block still in the chain, on as many endpoints. Never throws. */
export async function recheckInclusion(
  members: readonly Endpoint[],
  inclusion: Inclusion,
  send: SendOptions,
  needed = two(members),
): Promise<Recheck> {
  const deadline = performance.now() + send.timeoutMs;
  const verdict = await confirmReceipt(members, inclusion.hash, send, needed);
  if (verdict.status === "unknown") return { status: "unknown", reason: verdict.reason };
  if (verdict.status === "missing") return { status: "gone" };
  const { receipt } = verdict;
  if (receipt.blockHash.toLowerCase() !== inclusion.blockHash.toLowerCase()) return { status: "moved", receipt };
  const rest = { ...send, timeoutMs: Math.max(1, deadline - performance.now()) };
  const confirming = members.filter((member) => verdict.confirmedBy.includes(member.name));
  try {
    const depths = await Promise.all(
      confirming.map(async (member) => {
        const ask = async (tag: string) =>
          headOf(await member.call({ method: "eth_getBlockByNumber", params: [tag, false] }, rest));
        const [block, head] = await Promise.all([ask(receipt.blockNumber), ask("latest")]);
        if (head !== null) member.saw(head.number);
        const holds = block?.hash.toLowerCase() === inclusion.blockHash.toLowerCase();
        return holds && head !== null ? head.number - inclusion.blockNumber + 1 : null;
      }),
    );
    if (depths.includes(null)) return { status: "unknown", reason: `block ${inclusion.blockNumber} is being replaced` };
    return { status: "kept", depth: Math.min(...depths.map(Number)) };
  } catch (error) {
    const { kind, message } = classifyNodeError(error);
    return { status: "unknown", reason: `${kind}: ${message}` };
  }
}
