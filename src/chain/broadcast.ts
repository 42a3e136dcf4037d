import { setTimeout as sleep } from "node:timers/promises";
import { keccak256 } from "ethers";
import { type Endpoint, RpcError } from "./endpoint.js";
import { classifyNodeError, type NodeErrorKind } from "./errors.js";
import { NODE_ERROR_KINDS } from "./node-errors.js";
import type { SendOptions } from "./transport/types.js";

/** What one endpoint said to signed bytes. `silent`: it may have them. */
export interface EndpointAnswer {
  endpoint: string;
  status: "accepted" | "refused" | "silent";
  kind: NodeErrorKind | null;
  detail: string;
}

/** What became of signed bytes. `unknown`: some endpoint may have them; watch the hash as if they were accepted. */
export type BroadcastAnswer = { hash: string; answers: EndpointAnswer[] } & (
  | { status: "accepted"; detail: string }
  | { status: "refused"; kind: NodeErrorKind; detail: string }
  | { status: "unknown"; detail: string }
);

/** Refusals that say something of the endpoint and nothing of the transaction: named last. */
const ABOUT_ENDPOINT: ReadonlySet<NodeErrorKind> = new Set([
  "unsupported-method",
  "unauthorized",
  "rate-limited",
  "quota-exceeded",
  "syncing",
  "wrong-chain",
]);
/** Part of the time that is kept to ask whether somebody has it after all. */
const LOOK_UP_SHARE = 0.25;

/**
 * Sends signed bytes to all endpoints at once. Accepted as soon as one takes or has them; the others go on in the background.
 * Refused only where every one refused and none has the transaction: a gateway that repeats a request answers with the refusal
 * of what its first try took. Everything else is unknown. Never throws for an answer. `hash`: that of the bytes, where the caller has it.
 */
export function broadcastTo(
  members: readonly Endpoint[],
  raw: string,
  send: SendOptions,
  hash = keccak256(raw),
): Promise<BroadcastAnswer> {
  const deadline = performance.now() + send.timeoutMs;
  const toLookUp = send.timeoutMs * LOOK_UP_SHARE;
  const answers: EndpointAnswer[] = [];
  return new Promise((resolve, reject) => {
    const all = members.map(async (member) => {
      const answer = await sendTo(member, raw, hash, { ...send, timeoutMs: send.timeoutMs - toLookUp });
      answers.push(answer);
      if (answer.status === "accepted") resolve({ status: "accepted", hash, detail: answer.detail, answers });
    });
    void Promise.all(all)
      .then(() => conclude(members, hash, answers, { ...send, timeoutMs: deadline - performance.now() }))
      .then(resolve, reject);
  });
}

async function sendTo(member: Endpoint, raw: string, hash: string, send: SendOptions): Promise<EndpointAnswer> {
  const endpoint = member.name;
  const resting = member.state() === "limited" ? member.restingMs() : 0;
  try {
    if (resting > 0) {
      if (resting * 2 > send.timeoutMs)
        return { endpoint, status: "refused", kind: "rate-limited", detail: "not sent: the endpoint asks to be left alone" };
      await sleep(resting, undefined, send.signal ? { signal: send.signal } : {});
    }
    const result = await member.call(
      { method: "eth_sendRawTransaction", params: [raw] },
      { ...send, timeoutMs: send.timeoutMs - resting },
    );
    if (typeof result === "string" && result.toLowerCase() === hash)
      return { endpoint, status: "accepted", kind: null, detail: `${endpoint} took it` };
    // whatever it took, it does not say that it was this
    return { endpoint, status: "silent", kind: "malformed-answer", detail: `${endpoint} names another hash` };
  } catch (error) {
    const { kind, message } = classifyNodeError(error);
    const { taken } = NODE_ERROR_KINDS[kind];
    const detail = `${endpoint}: ${message}`;
    if (taken === "yes") return { endpoint, status: "accepted", kind, detail };
    return { endpoint, status: error instanceof RpcError && taken === "no" ? "refused" : "silent", kind, detail };
  }
}

async function conclude(
  members: readonly Endpoint[],
  hash: string,
  answers: EndpointAnswer[],
  send: SendOptions,
): Promise<BroadcastAnswer> {
  const details = answers.map((answer) => answer.detail).join("; ");
  if (answers.length === 0) return { status: "unknown", hash, answers, detail: "no endpoint can be asked" };
  if (answers.some((answer) => answer.status === "silent")) return { status: "unknown", hash, answers, detail: details };
  const known = await Promise.all(members.map((member) => has(member, hash, send)));
  const holder = members[known.indexOf(true)];
  if (holder !== undefined) return { status: "accepted", hash, answers, detail: `${holder.name} has it, though: ${details}` };
  if (known.includes(null)) return { status: "unknown", hash, answers, detail: `${details}; whether one has it is not known` };
  const telling = answers.find(({ kind }) => kind !== null && !ABOUT_ENDPOINT.has(kind)) ?? answers[0]!;
  return { status: "refused", hash, answers, kind: telling.kind ?? "unknown", detail: details };
}

/** Whether an endpoint has a transaction; null = it does not say. */
async function has(member: Endpoint, hash: string, send: SendOptions): Promise<boolean | null> {
  try {
    return (await member.call({ method: "eth_getTransactionByHash", params: [hash] }, send)) !== null;
  } catch (error) {
    // sequencers take transactions and answer nothing else: their refusal stands
    return classifyNodeError(error).kind === "unsupported-method" ? false : null;
  }
}
