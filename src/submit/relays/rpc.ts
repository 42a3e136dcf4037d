import { classifyNodeError, endpointName, type NodeErrorKind, withoutEndpoint } from "../../chain/errors.js";
import type { RouteAnswer } from "../route.js";

/** What came back from one JSON-RPC request. */
export type Reply =
  | { kind: "result"; result: unknown }
  | { kind: "error"; code: number | null; message: string; data: unknown }
  /** Surely nobody read the request: the connection was refused, or the server said so by its HTTP status. */
  | { kind: "unread"; reason: NodeErrorKind; detail: string }
  /** No answer, or none that can be read: the request may have been taken. */
  | { kind: "lost"; detail: string };

export interface RpcOptions {
  /** Milliseconds until the whole answer must be there. */
  deadlineMs: number;
  /** Headers made from the exact bytes of the body, for example a signature over them. */
  headers?: (body: string) => Record<string, string>;
}

const MAX_ANSWER = 4 << 20;
/** The kinds that a node or relay uses only where it did not take the bytes. */
const NOT_TAKEN: ReadonlySet<NodeErrorKind> = new Set([
  "nonce-too-low",
  "insufficient-funds",
  "fee-below-base-fee",
  "replacement-underpriced",
  "underpriced",
  "gas-limit-exceeded",
  "intrinsic-gas-too-low",
  "unsupported-method",
  "rate-limited",
]);
/** JSON-RPC 2.0: parse error, invalid request, unknown method, invalid parameters. */
const NOT_READ: ReadonlySet<number> = new Set([-32700, -32600, -32601, -32602]);
/** HTTP answers that are given before the body is acted on. 5xx may come from a gateway that had passed it on. */
const NOT_ACCEPTED: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 413, 415, 429]);
const NEVER_CONNECTED: ReadonlySet<string> = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"]);

/**
 * One POST, one answer, within the deadline; never repeated, never redirected. Never throws for what the network or the server does.
 * No text of it holds any part of the URL but the host.
 */
export async function postRpc(url: string, method: string, params: unknown[], options: RpcOptions): Promise<Reply> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const headers = { "content-type": "application/json", ...options.headers?.(body) };
  let status: number;
  let text: string;
  try {
    const signal = AbortSignal.timeout(Math.max(1, Math.round(options.deadlineMs)));
    // a redirect would hand the bytes to a host that nobody configured
    const response = await fetch(url, { method: "POST", headers, body, signal, redirect: "error" });
    status = response.status;
    text = await readLimited(response);
  } catch (error) {
    const codes = codesIn(error);
    if (codes.length > 0 && codes.every((code) => NEVER_CONNECTED.has(code)))
      return { kind: "unread", reason: "unreachable", detail: `${endpointName(url)} cannot be reached (${codes[0]})` };
    const late = (error as { name?: unknown }).name === "TimeoutError";
    const why = late ? `no answer in ${options.deadlineMs} ms` : `the connection broke (${codes[0] ?? shown(error, url)})`;
    return { kind: "lost", detail: `${endpointName(url)}: ${why}` };
  }
  return readReply(url, status, text);
}

function readReply(url: string, status: number, text: string): Reply {
  const host = endpointName(url);
  const message = parsed(text);
  if (message) {
    const { error } = message;
    if (typeof error === "object" && error !== null && typeof error.message === "string") {
      const code = typeof error.code === "number" ? error.code : null;
      return { kind: "error", code, message: shown(error.message, url), data: error.data };
    }
    if (status < 300 && "result" in message) return { kind: "result", result: message.result };
  }
  if (NOT_ACCEPTED.has(status))
    return { kind: "unread", reason: status === 429 ? "rate-limited" : "unknown", detail: `${host} answers HTTP ${status}` };
  return { kind: "lost", detail: status < 300 ? `${host} gave no JSON-RPC answer` : `${host} answers HTTP ${status}` };
}

interface Message {
  result?: unknown;
  error?: { code?: unknown; message?: unknown; data?: unknown } | null;
}

/** null where the text is no JSON object; then the status alone says what happened. */
function parsed(text: string): Message | null {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/**
 * What a reply to sent bytes means; `read` says what the result means. Only answers that are given where the bytes were surely not
 * taken are refusals; every other error is "unknown". `refusals`: further error codes and words that mean not taken.
 */
export function answerOf(
  reply: Reply,
  read: (result: unknown) => RouteAnswer,
  refusals: { codes?: number[]; words?: RegExp } = {},
): RouteAnswer {
  switch (reply.kind) {
    case "result":
      return read(reply.result);
    case "lost":
      return { status: "unknown", detail: reply.detail };
    case "unread":
      return { status: "refused", kind: reply.reason, detail: reply.detail };
    case "error":
      return answerOfError(reply, refusals);
  }
}

/** The same for an error that was thrown or answered. */
export function answerOfError(
  error: { code?: unknown; message: string },
  refusals: { codes?: number[]; words?: RegExp } = {},
): RouteAnswer {
  const code = typeof error.code === "number" ? error.code : null;
  const { kind, message } = classifyNodeError(error);
  if (kind === "already-known") return { status: "accepted", detail: message };
  if (code === -32601) return { status: "refused", kind: "unsupported-method", detail: message };
  const notTaken =
    NOT_TAKEN.has(kind) ||
    (code !== null && (NOT_READ.has(code) || refusals.codes?.includes(code) === true)) ||
    refusals.words?.test(message) === true;
  return notTaken ? { status: "refused", kind, detail: message } : { status: "unknown", detail: message };
}

/** Reads an answer that must be the hash of what was sent: a server that names another one took something else, or lies. */
export function expectHash(hash: string): (result: unknown) => RouteAnswer {
  return (result) =>
    typeof result === "string" && result.toLowerCase() === hash.toLowerCase()
      ? { status: "accepted" }
      : { status: "unknown", detail: "the answer names another transaction" };
}

async function readLimited(response: Response): Promise<string> {
  if (!response.body) return "";
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > MAX_ANSWER) throw new Error("the answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Text of a server as it may be shown: no part of the URL, no control characters, not long. */
function shown(value: unknown, url: string): string {
  const error = value instanceof Error ? value : new Error(String(value));
  // control characters would steer the terminal that shows the text
  return withoutEndpoint(error, url)
    .message.replace(/\p{Cc}+/gu, " ")
    .slice(0, 300);
}

function codesIn(error: unknown): string[] {
  const { code, cause, errors } = (error ?? {}) as { code?: unknown; cause?: unknown; errors?: unknown };
  if (Array.isArray(errors)) return errors.flatMap(codesIn);
  const inner = cause === undefined ? [] : codesIn(cause);
  return inner.length > 0 ? inner : typeof code === "string" ? [code] : [];
}
