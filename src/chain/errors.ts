import { isError } from "ethers";

/** What a node's refusal means for the one who sent the request. */
export type NodeErrorKind =
  | "nonce-too-low"
  | "nonce-too-high"
  | "insufficient-funds"
  | "fee-below-base-fee"
  | "replacement-underpriced"
  | "underpriced"
  | "already-known"
  | "reverted"
  | "gas-limit-exceeded"
  | "intrinsic-gas-too-low"
  | "unsupported-method"
  | "rate-limited"
  | "timeout"
  | "unreachable"
  | "unknown";

export interface NodeError {
  kind: NodeErrorKind;
  /** The node's own words with every URL cut to its host: endpoints carry access keys in their path. */
  message: string;
  /** What the call reverted with; null when the node gave none. */
  revertData: string | null;
}

/** In this order: "replacement transaction underpriced" is no "transaction underpriced". Sources: geth, reth, Nitro, op-geth, Hardhat. */
const PATTERNS: [RegExp, NodeErrorKind][] = [
  [/already known|already imported|known transaction|transaction already in|already exists/i, "already-known"],
  [
    /nonce (is )?too low|nonce has already been used|invalid nonce.*lower|expected nonce to be \d+ but got|old nonce/i,
    "nonce-too-low",
  ],
  [/nonce (is )?too high|nonce gap|gapped-nonce/i, "nonce-too-high"],
  [/insufficient (funds|balance)|doesn't have enough funds|not enough funds|balance too low/i, "insufficient-funds"],
  [
    /max ?fee ?per ?gas (\S+ )?(is )?(too low|less than)|less than block base fee|fee cap less than|below (the )?base ?fee|lower than the block's base ?fee|too low for the next block/i,
    "fee-below-base-fee",
  ],
  [/replacement (transaction|fee)|could not replace/i, "replacement-underpriced"],
  [/underpriced|gas price too low|tip.*(too low|below)/i, "underpriced"],
  [/intrinsic gas|gas too low|requires at least \d+ gas/i, "intrinsic-gas-too-low"],
  [
    /exceeds (the )?(block |transaction )?gas (limit|cap)|gas limit (is )?too high|exceeds maximum per transaction/i,
    "gas-limit-exceeded",
  ],
  [/execution reverted|revert(ed)?\b|always failing transaction|out of gas|invalid opcode/i, "reverted"],
  [
    /method not found|does not exist\/is not available|method .* (not supported|is not supported)|unsupported method/i,
    "unsupported-method",
  ],
  [/too many requests|rate ?limit|\b429\b|request limit|compute units/i, "rate-limited"],
  [/time(d)? ?out|deadline exceeded/i, "timeout"],
  [
    /ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|EPIPE|socket hang up|fetch failed|server response 5\d\d|bad gateway/i,
    "unreachable",
  ],
];

/** ethers' codes, for errors whose text says less than their code. */
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

/** Reads any error that a provider threw. `unknown` means exactly that: never treat it as "not accepted". */
export function classifyNodeError(error: unknown): NodeError {
  const texts = [...new Set(messagesIn(error, 0))];
  const data = revertDataIn(error, 0);
  const message = withoutUrls(texts[0] ?? "no message");
  for (const [pattern, kind] of PATTERNS) if (texts.some((t) => pattern.test(t))) return { kind, message, revertData: data };
  const code = (error as { code?: unknown } | null)?.code;
  const kind = typeof code === "string" ? CODES[code] : undefined;
  return { kind: kind ?? (data === null ? "unknown" : "reverted"), message, revertData: data };
}

/** Cuts every URL in a text to its host, because paths and queries of endpoints hold access keys. */
export function withoutUrls(text: string): string {
  return text.replace(/\b(https?|wss?):\/\/[^\s"'<>]+/gi, (url) => endpointName(url));
}

/** Takes every part of an endpoint but its host out of a text: servers repeat the path, and so its key, in their answers. */
export function hideEndpoint(url: string): (text: string) => string {
  const { pathname, search, searchParams, username, password } = new URL(url);
  const words = [...pathname.split("/"), ...searchParams.values(), username, password].filter((word) => word.length >= 8);
  const secrets = [pathname + search, ...words].filter((part) => part.length > 1);
  return (text) => secrets.reduce((rest, secret) => rest.replaceAll(secret, "(hidden)"), withoutUrls(text));
}

/**
 * An error of a request to `url` as a new error without any part of it but the host. Code and the server's answer are kept, so that
 * it classifies as before.
 */
export function withoutEndpoint(error: unknown, url: string): Error {
  const clean = hideEndpoint(url);
  const { message, code, info } = error as { message?: unknown; code?: unknown; info?: Record<string, unknown> | null };
  const answer = Object.entries(info ?? {}).flatMap(([key, value]) => (typeof value === "string" ? [[key, clean(value)]] : []));
  return Object.assign(new Error(clean(String(message))), { code, info: Object.fromEntries(answer) as Record<string, string> });
}

/** The part of an endpoint that may be shown: host and port. */
export function endpointName(url: string): string {
  try {
    return new URL(url).host;
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
