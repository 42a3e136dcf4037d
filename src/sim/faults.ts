/** What a misbehaving node does, applied to single JSON-RPC messages. The server around it: fault-proxy.ts. */
import { keccak256, toQuantity } from "ethers";

/** Each kind is one way in which nodes and gateways really fail. */
export type FaultAction =
  | { do: "latency"; ms: number }
  /** Takes the request, forwards nothing, never answers. */
  | { do: "hang" }
  /** Breaks the connection: before forwarding, or after, when the request was carried out and only the answer is lost. */
  | { do: "reset"; when: "before" | "after" }
  /** An HTTP error; on WebSocket a JSON-RPC error with its number. `retryAfter` in seconds. */
  | { do: "status"; status: number; body?: string; retryAfter?: number }
  /** A web page with status 200, as gateways show in front of a dead node. */
  | { do: "html" }
  /** The first half of the answer. */
  | { do: "truncate" }
  | { do: "wrong-id" }
  /** A JSON-RPC error instead of an answer; nothing is forwarded. */
  | { do: "error"; code: number; message: string }
  /** More bytes than anybody wants. */
  | { do: "flood"; bytes: number }
  /** Answers as if no block came after this one; default: the newest one of the moment at which it is first asked. */
  | { do: "stale-head"; block?: number }
  | { do: "wrong-chain"; chainId: number }
  /** A receipt for what is not mined, or a real one with another status or block hash. */
  | { do: "lie-receipt"; lie: "unmined" | "status" | "block" }
  | { do: "no-receipt" }
  /** Says that it took a transaction, and forgets it. */
  | { do: "drop" };

export type Fault = FaultAction & {
  /** Only these methods; default: all to which it can apply. */
  methods?: readonly string[];
  /** Only the nth matching call, from 1. */
  nth?: number;
  /** Only the first so many matching calls. */
  times?: number;
  /** Share of matching calls that it hits, drawn from the proxy's seed. */
  probability?: number;
};

export interface RpcMessage {
  jsonrpc?: string;
  id?: unknown;
  method?: unknown;
  params?: unknown;
  result?: unknown;
  error?: unknown;
}

/** How the answer leaves. */
export type Delivery =
  | { as: "json"; message: RpcMessage }
  | { as: "text"; text: string; status: number; headers: Record<string, string> }
  | { as: "hang" }
  | { as: "reset" };

const APPLIES: Partial<Record<FaultAction["do"], RegExp>> = {
  "wrong-chain": /^(eth_chainId|net_version)$/,
  "lie-receipt": /^eth_getTransactionReceipt$/,
  "no-receipt": /^eth_getTransactionReceipt$/,
  drop: /^eth_sendRawTransaction$/,
};
const PAGE = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>";

/** The faults that are set, with what they have seen so far. */
export function faultSet(seed: number): {
  add(fault: Fault): () => void;
  clear(): void;
  /** The faults that hit this call, in the order in which they were set. */
  hits(method: string): Fault[];
  has(action: FaultAction["do"]): boolean;
  random(): number;
} {
  const active = new Map<Fault, { seen: number }>();
  let state = seed >>> 0;
  // mulberry32: the same faults on every run
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const hit = (fault: Fault, use: { seen: number }, method: string): boolean => {
    if (fault.methods !== undefined && !fault.methods.includes(method)) return false;
    if (APPLIES[fault.do]?.test(method) === false) return false;
    use.seen++;
    if (fault.nth !== undefined && use.seen !== fault.nth) return false;
    if (fault.times !== undefined && use.seen > fault.times) return false;
    return fault.probability === undefined || random() < fault.probability;
  };
  return {
    add: (fault) => {
      active.set(fault, { seen: 0 });
      return () => void active.delete(fault);
    },
    clear: () => active.clear(),
    hits: (method) => [...active].filter(([fault, use]) => hit(fault, use, method)).map(([fault]) => fault),
    has: (action) => [...active.keys()].some((fault) => fault.do === action),
    random,
  };
}

export interface Upstream {
  /** Sends the message on and gives the node's answer. */
  forward(message: RpcMessage): Promise<RpcMessage>;
  /** A question of the proxy's own. */
  ask(method: string, params: unknown[]): Promise<unknown>;
}

/** Carries one call out as the faults demand. */
export async function misbehave(
  message: RpcMessage,
  faults: readonly Fault[],
  upstream: Upstream,
  random: () => number,
): Promise<Delivery> {
  let answer: RpcMessage | null = null;
  let request = message;
  const forwarded = async (): Promise<RpcMessage> => (answer ??= await upstream.forward(request));
  const result = (value: unknown): RpcMessage => ({ jsonrpc: "2.0", id: message.id, result: value });
  for (const fault of faults) {
    switch (fault.do) {
      case "latency":
        await new Promise((resolve) => setTimeout(resolve, fault.ms).unref());
        break;
      case "hang":
        return { as: "hang" };
      case "reset":
        if (fault.when === "after") await forwarded();
        return { as: "reset" };
      case "status": {
        const headers: Record<string, string> = fault.retryAfter === undefined ? {} : { "retry-after": String(fault.retryAfter) };
        return { as: "text", status: fault.status, text: fault.body ?? `<html><title>${fault.status}</title></html>`, headers };
      }
      case "html":
        return { as: "text", status: 200, text: PAGE, headers: { "content-type": "text/html" } };
      case "truncate": {
        const whole = JSON.stringify(await forwarded());
        return { as: "text", status: 200, text: whole.slice(0, Math.floor(whole.length / 2)), headers: {} };
      }
      case "flood":
        return { as: "text", status: 200, text: `{"jsonrpc":"2.0","id":0,"result":"${"0".repeat(fault.bytes)}"}`, headers: {} };
      case "wrong-id":
        answer = { ...(await forwarded()), id: 999_999_999 };
        break;
      case "error":
        return { as: "json", message: { jsonrpc: "2.0", id: message.id, error: { code: fault.code, message: fault.message } } };
      case "stale-head": {
        fault.block ??= Number(await upstream.ask("eth_blockNumber", []));
        request = asOf(request, fault.block);
        answer = hideAfter(await forwarded(), message, fault.block);
        break;
      }
      case "wrong-chain":
        answer = result(message.method === "net_version" ? String(fault.chainId) : toQuantity(fault.chainId));
        break;
      case "no-receipt":
        answer = result(null);
        break;
      case "lie-receipt":
        answer = result(await lie(fault.lie, message, (await forwarded()).result, upstream, random));
        break;
      case "drop":
        answer = result(keccak256(String((message.params as unknown[])[0])));
        break;
    }
  }
  return { as: "json", message: await forwarded() };
}

/** The request with every mention of the newest block replaced by `block`. */
function asOf(message: RpcMessage, block: number): RpcMessage {
  const tag = toQuantity(block);
  const replace = (value: unknown): unknown => (value === "latest" || value === "pending" || value === "safe" ? tag : value);
  const params = (message.params as unknown[] | undefined)?.map((value) =>
    typeof value === "object" && value !== null && ("fromBlock" in value || "toBlock" in value)
      ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, replace(inner)]))
      : replace(value),
  );
  return { ...message, params };
}

function hideAfter(answer: RpcMessage, request: RpcMessage, block: number): RpcMessage {
  const { method } = request;
  const found = answer.result as { number?: string; blockNumber?: string | null } | null | undefined;
  const isLater = (number: string | null | undefined): boolean => number != null && Number(number) > block;
  if (method === "eth_blockNumber") return { ...answer, result: toQuantity(block) };
  if (String(method).startsWith("eth_getBlockBy") && isLater(found?.number)) return { ...answer, result: null };
  if (method === "eth_getTransactionReceipt" && isLater(found?.blockNumber)) return { ...answer, result: null };
  if (method === "eth_getTransactionByHash" && isLater(found?.blockNumber))
    return { ...answer, result: { ...found, blockNumber: null, blockHash: null, transactionIndex: null } };
  return answer;
}

async function lie(
  how: "unmined" | "status" | "block",
  message: RpcMessage,
  real: unknown,
  upstream: Upstream,
  random: () => number,
): Promise<unknown> {
  const receipt = real as { status: string } | null;
  if (how === "status") return receipt && { ...receipt, status: receipt.status === "0x1" ? "0x0" : "0x1" };
  const hash = `0x${Array.from({ length: 64 }, () => Math.floor(random() * 16).toString(16)).join("")}`;
  if (how === "block") return receipt && { ...receipt, blockHash: hash };
  if (receipt !== null) return receipt;
  const head = (await upstream.ask("eth_getBlockByNumber", ["latest", false])) as { hash: string; number: string };
  const address = `0x${"11".repeat(20)}`;
  return {
    transactionHash: (message.params as unknown[])[0],
    blockHash: head.hash,
    blockNumber: head.number,
    transactionIndex: "0x0",
    type: "0x2",
    from: address,
    to: address,
    contractAddress: null,
    status: "0x1",
    gasUsed: "0x5208",
    cumulativeGasUsed: "0x5208",
    effectiveGasPrice: "0x1",
    logsBloom: `0x${"00".repeat(256)}`,
    logs: [],
  };
}
