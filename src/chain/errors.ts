import path from "node:path";
import { isError } from "ethers";
import { NODE_ERROR_KINDS, type NodeErrorAction, type NodeErrorKind } from "./node-errors.js";

export type { NodeErrorAction, NodeErrorKind } from "./node-errors.js";

export interface NodeError {
  kind: NodeErrorKind;
  /** What to do about this kind. */
  action: NodeErrorAction;
  /** The node's own words with every URL cut to its host: endpoints carry access keys in their path. */
  message: string;
  /** What the call reverted with; null when the node gave none. */
  revertData: string | null;
}

/** In this order: "replacement transaction underpriced" is no "transaction underpriced". The texts stand in node-errors.ts. */
const PATTERNS: [RegExp, NodeErrorKind][] = [
  [/was added to the mempool but wasn't (processed|confirmed)/i, "sent-not-mined"],
  [/already ?known|already imported|known transaction|transaction already in|existing txn with same hash/i, "already-known"],
  [
    /nonce (is )?too high|nonce ?gap|gapped-nonce|nonce ?too ?far|nonce is too distant|transaction with a lower nonce/i,
    "nonce-too-high",
  ],
  [
    /nonce (is )?too low|nonce has already been used|invalid nonce.*lower|expected nonce to be \d+ but got|old ?nonce|^mined$/i,
    "nonce-too-low",
  ],
  [/in-flight transaction limit|account limit exceeded|spammer|NotCurrentNonceForDelegation/i, "account-limit"],
  [
    /already reserved|not an eoa|sender ?is ?contract|nonce has max value|not authorized to send|not on the whitelist|conflicts with existing transaction|PendingTxsOfConflictingType/i,
    "account-refused",
  ],
  [
    /insufficient ?(funds|balance)|doesn't have enough funds|not enough funds|balance too low|gas required exceeds allowance|overdraws|upfront cost exceeds/i,
    "insufficient-funds",
  ],
  [/invalid chain ?id|wrong chain ?id|chain ?id (does not match|mismatch)/i, "wrong-chain"],
  [/exceeds the configured cap|transaction fee cap exceeded/i, "fee-too-high"],
  [
    /conditional (validation|cost)|failed (header|(parent block \S+ )?state) check|condition not met|storage (value|root) mismatch/i,
    "condition-failed",
  ],
  [
    /max ?fee ?per ?(blob ?)?gas (\S+ )?(is )?(too low|less than)|less than block base fee|fee ?cap less than|below (the )?(current )?base ?fee|lower than the block's base ?fee|too low for the next block|below chain minimum/i,
    "fee-below-base-fee",
  ],
  [
    /replacement ?(transaction|fee|not ?allowed)|replace existing|tries to replace|replaced by transaction/i,
    "replacement-underpriced",
  ],
  [/underpriced|gas ?price (too low|below)|tip.*(too low|below)|fee ?too ?low|priority fee below|price below/i, "underpriced"],
  [/intrinsic ?gas( too low| exceeds|$)|gas too low|requires at least \d+ gas|floor data gas/i, "intrinsic-gas-too-low"],
  [
    /exceeds (the )?(block |transaction )?(block's )?gas (limit|cap)|gas ?limit ?((is )?too high|exceed)|intrinsic gas too high|exceeds maximum per transaction/i,
    "gas-limit-exceeded",
  ],
  [/tx ?pool is full|sub-?pool is full|pool size constraints|transaction pool not enabled/i, "txpool-full"],
  [
    /invalid sender|invalid (transaction )?signature|oversized|input data too large|init_?-?code|initcode|type (is )?not (supported|activated)|negative value|higher than max fee|blob|replay-protected|decode signed transaction|empty transaction|RLPTooLong|FailedToResolveSender/i,
    "invalid-transaction",
  ],
  [/sequencer temporarily not available|not accepting transactions|any of the forwarding targets/i, "sequencer-down"],
  [/execution aborted|time-?(d)? ?-?out|deadline exceeded|ETIMEDOUT|server response (504|524)/i, "timeout"],
  [/execution reverted|revert(ed)?\b|always failing transaction|out of gas|invalid opcode|EVM error/i, "reverted"],
  [/invalid block range/i, "bad-request"],
  [/(daily|monthly) .*(exceeded|reached)|quota/i, "quota-exceeded"],
  [
    /(block|requested) range|\brange \d+ exceeds|limited to a [\d,]+ range|query returned more than|response (size|too large)|too many results|exceeds limit of|server response 413/i,
    "range-limit",
  ],
  [
    /batch too large|max batch size|batch (size|requests?) (limit|not|too|are)|too many (calls|requests) in (a )?batch/i,
    "batch-limit",
  ],
  [
    /missing trie node|state .*(not|un)\s?available|no state available|pruned|world state unavailable|ancient/i,
    "state-unavailable",
  ],
  [
    /header (for hash )?not found|block not found|unknown block|not currently canonical|invalid block tag|block .* not found/i,
    "block-not-found",
  ],
  [/initial sync|^syncing|node is syncing|indexing is in progress|not (yet )?synced/i, "syncing"],
  [
    /method not (found|enabled)|does not exist\/is not available|method .* (not supported|is not supported)|unsupported method|notifications not supported|not available on the|publishing transactions not supported|(service|timeboost) not enabled/i,
    "unsupported-method",
  ],
  [
    /too many requests|rate ?limit|request rate|request limit|\b429\b|compute units|credits limited|request limit reached/i,
    "rate-limited",
  ],
  [/unauthorized|must be authenticated|invalid (project|api) ?(id|key)|server response 40[13]|forbidden/i, "unauthorized"],
  [
    /ECONNREFUSED|ECONNRESET|ECONNABORTED|ENOTFOUND|ENOENT|EAI_AGAIN|EPIPE|EHOSTUNREACH|ENETUNREACH|socket hang up|fetch failed|server response [45]\d\d|bad gateway|certificate|upstream|connection (is )?closed/i,
    "unreachable",
  ],
  [/no JSON|another id than|answer is too long|malformed answer/i, "malformed-answer"],
  [/internal (server )?error|internal blocking|failed to calculate l1/i, "node-fault"],
  [/invalid (argument|params|request)|missing value for required|parse error/i, "bad-request"],
];

/** ethers' and Node's codes, for errors whose text says less than their code. */
const CODES: Record<string, NodeErrorKind> = {
  NONCE_EXPIRED: "nonce-too-low",
  INSUFFICIENT_FUNDS: "insufficient-funds",
  REPLACEMENT_UNDERPRICED: "replacement-underpriced",
  CALL_EXCEPTION: "reverted",
  TIMEOUT: "timeout",
  ECONNREFUSED: "unreachable",
  ECONNRESET: "unreachable",
  NETWORK_ERROR: "unreachable",
};

/** JSON-RPC codes with one meaning, for texts that no pattern knows. Sources: JSON-RPC 2.0, EIP-1474, execution-apis. */
const RPC_CODES: Record<number, NodeErrorKind> = {
  3: "reverted",
  4: "sent-not-mined",
  4444: "state-unavailable",
  429: "rate-limited",
  [-32700]: "bad-request",
  [-32602]: "bad-request",
  [-32601]: "unsupported-method",
  [-32603]: "node-fault",
  [-32005]: "rate-limited",
  [-32001]: "block-not-found",
  [-38010]: "nonce-too-low",
  [-38011]: "nonce-too-high",
  [-38013]: "intrinsic-gas-too-low",
  [-38014]: "insufficient-funds",
  [-38015]: "gas-limit-exceeded",
};

/** Reads any error that a provider threw. `unknown` means exactly that: never treat it as "not accepted". */
export function classifyNodeError(error: unknown): NodeError {
  const texts = [...new Set(messagesIn(error, 0))];
  const revertData = revertDataIn(error, 0);
  const kind = kindOf(error, texts) ?? (revertData === null ? "unknown" : "reverted");
  return { kind, action: NODE_ERROR_KINDS[kind].action, message: withoutUrls(texts[0] ?? "no message"), revertData };
}

function kindOf(error: unknown, texts: string[]): NodeErrorKind | undefined {
  for (const [pattern, kind] of PATTERNS) if (texts.some((text) => pattern.test(text))) return kind;
  const {
    code,
    error: inner,
    info,
  } = (error ?? {}) as {
    code?: unknown;
    error?: { code?: unknown };
    info?: { error?: { code?: unknown } } | null;
  };
  for (const number of [inner?.code, info?.error?.code, code]) {
    const kind = typeof number === "number" ? RPC_CODES[number] : undefined;
    if (kind !== undefined) return kind;
  }
  return typeof code === "string" ? CODES[code] : undefined;
}

/** Cuts every URL in a text to its host, because paths and queries of endpoints hold access keys. */
export function withoutUrls(text: string): string {
  return text.replace(/\b(https?|wss?):\/\/[^\s"'<>]+/gi, (url) => endpointName(url));
}

/** Removes everything but the host of `url` from texts: servers repeat the path, and so the key, in their answers. */
export function scrubberOf(url: string): (text: string) => string {
  const { pathname, search, searchParams, username, password } = new URL(url);
  const words = [...pathname.split("/"), ...searchParams.values(), username, password].filter((word) => word.length >= 8);
  const secrets = [pathname + search, ...words, ...words.map(decoded)];
  const hidden = [...new Set(secrets)].filter((part) => part.length > 1);
  return (text) => hidden.reduce((rest, secret) => rest.replaceAll(secret, "(hidden)"), withoutUrls(text));
}

/** An error of a request to `url` as a new error, cleaned like that; code and the server's answer are kept, so that it classifies as before. */
export function withoutEndpoint(error: unknown, url: string): Error {
  const scrub = scrubberOf(url);
  const { message, code, info } = error as { message?: unknown; code?: unknown; info?: Record<string, unknown> | null };
  const answer = Object.entries(info ?? {}).flatMap(([key, value]) => (typeof value === "string" ? [[key, scrub(value)]] : []));
  return Object.assign(new Error(scrub(String(message))), { code, info: Object.fromEntries(answer) as Record<string, string> });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray % is no escape
  }
}

/** The part of an endpoint that may be shown: host and port. */
export function endpointName(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url);
    // a socket's path is no secret: it is a file of this machine
    return protocol === "ipc:" ? path.basename(pathname) : host;
  } catch {
    return "(malformed URL)"; // never the text itself: it may hold a key
  }
}

/** The node's own message first, wrappers after it. */
function messagesIn(value: unknown, depth: number): string[] {
  if (depth > 6 || value === null || value === undefined) return [];
  if (typeof value === "string") return depth === 0 ? [value] : [];
  if (typeof value !== "object") return [];
  const e = value as Record<string, unknown>;
  const inner = ["error", "info", "data", "cause"].flatMap((key) => messagesIn(e[key], depth + 1));
  const own = ["message", "shortMessage", "responseBody", "responseStatus"].flatMap((k) =>
    typeof e[k] === "string" ? [e[k]] : [],
  );
  return [...inner, ...own];
}

function revertDataIn(value: unknown, depth: number): string | null {
  if (depth > 6 || typeof value !== "object" || value === null) return null;
  const e = value as Record<string, unknown>;
  if (isError(value, "CALL_EXCEPTION") && value.data !== null && value.data !== "0x") return value.data;
  if (typeof e["data"] === "string" && /^0x([0-9a-f]{2}){4,}$/i.test(e["data"])) return e["data"];
  for (const key of ["error", "info", "data", "cause"]) {
    const found = revertDataIn(e[key], depth + 1);
    if (found !== null) return found;
  }
  return null;
}
