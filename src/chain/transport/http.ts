import http from "node:http";
import https from "node:https";
import { type RpcReply, type RpcRequest, type SendOptions, type Transport, TransportError } from "./types.js";
import { encode, nextId, parse, replyOf, timed, type WireMessage } from "./wire.js";

/** More connections than this would queue at the server anyway. */
const MAX_CONNECTIONS = 64;
const SHOWN_OF_BODY = 160;

/** JSON-RPC over HTTP with connections that stay open. No redirects: they would carry the key elsewhere. */
export function httpTransport(url: string, scrub: (text: string) => string, maxBytes: number): Transport {
  const { protocol, hostname, port, pathname, search, username, password } = new URL(url);
  const { request: open, Agent } = protocol === "https:" ? https : http;
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });
  const base = {
    agent,
    method: "POST",
    hostname: hostname.replace(/^\[|\]$/g, ""), // IPv6 stands in brackets in URLs only
    port,
    path: pathname + search,
    ...(username === "" ? {} : { auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}` }),
  };

  let closed = false;

  const post = (
    body: string,
    options: SendOptions,
  ): Promise<{ status: number; text: string; retryAfterMs: number | undefined }> => {
    let sent = false;
    if (closed) return Promise.reject(new TransportError("ABORTED", "the connection is closed", { sent }));
    return timed(
      options,
      () => sent,
      (resolve, reject) => {
        const bytes = Buffer.from(body);
        const request = open({ ...base, headers: { "content-type": "application/json", "content-length": bytes.length } });
        const fail = (error: Error): void => reject(failureOf(error, sent, scrub));
        request.on("error", fail);
        request.on("socket", (socket) => {
          if (!socket.connecting) sent = true;
          else socket.once(protocol === "https:" ? "secureConnect" : "connect", () => (sent = true));
        });
        request.on("response", (response) => {
          const chunks: Buffer[] = [];
          let size = 0;
          response.on("data", (chunk: Buffer) => {
            size += chunk.length;
            chunks.push(chunk);
            if (size <= maxBytes) return;
            reject(new TransportError("MALFORMED", `the answer is too long: more than ${maxBytes} bytes`, { sent: true }));
            request.destroy();
          });
          response.on("error", fail);
          response.on("end", () => {
            const status = response.statusCode ?? 0;
            const text = (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString("utf8");
            resolve({ status, text, retryAfterMs: retryAfter(response.headers["retry-after"]) });
          });
          response.on("close", () => {
            if (!response.complete) fail(Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }));
          });
        });
        request.end(bytes);
        return () => request.destroy();
      },
    );
  };

  /** The messages of an answer. Gateways put JSON-RPC errors into answers with an error status too. */
  const messagesOf = (answer: Awaited<ReturnType<typeof post>>): WireMessage[] => {
    const { status, text, retryAfterMs } = answer;
    const failed = (): TransportError => {
      const shown = text.replaceAll(/\s+/g, " ").slice(0, SHOWN_OF_BODY);
      return new TransportError("HTTP", scrub(`server response ${status} ${shown}`), { sent: true, status, retryAfterMs });
    };
    if (status === 429) throw failed();
    let message: unknown;
    try {
      message = parse(text, scrub);
    } catch (error) {
      throw status === 200 ? error : failed();
    }
    const list = (Array.isArray(message) ? message : [message]) as (WireMessage | null)[];
    if (list.some((m) => typeof m !== "object" || m === null))
      throw new TransportError("MALFORMED", "the answer is no JSON-RPC: neither result nor error", { sent: true });
    if (status !== 200 && list.some((m) => m?.error === undefined)) throw failed();
    return list as WireMessage[];
  };

  const wrongId = (): TransportError =>
    new TransportError("MALFORMED", "the answer has another id than the request", { sent: true });

  return {
    kind: "http",
    connect: () => Promise.resolve(0),
    request: async (request: RpcRequest, options) => {
      const id = nextId();
      const [message] = messagesOf(await post(encode(id, request), options));
      // errors about the request as a whole have no id
      if (message === undefined || (message.id !== id && (message.error === undefined || message.id != null))) throw wrongId();
      return replyOf(message, scrub);
    },
    batch: async (requests, options) => {
      const ids = requests.map(nextId);
      const body = `[${requests.map((request, i) => encode(ids[i]!, request)).join(",")}]`;
      const messages = messagesOf(await post(body, options));
      const [first] = messages;
      // a refusal of the batch as a whole
      if (messages.length === 1 && first?.error !== undefined && first.id == null) {
        const whole = replyOf(first, scrub);
        return requests.map(() => whole);
      }
      const byId = new Map(messages.map((message) => [message.id, message]));
      return ids.map((id): RpcReply => {
        const message = byId.get(id);
        if (message === undefined) throw wrongId();
        return replyOf(message, scrub);
      });
    },
    close: () => {
      closed = true;
      agent.destroy();
    },
  };
}

function failureOf(error: Error, sent: boolean, scrub: (text: string) => string): TransportError {
  if (error instanceof TransportError) return error;
  const { code } = error as NodeJS.ErrnoException;
  // an AggregateError of several addresses has no text of its own
  const text = error.message === "" ? `connect ${code ?? "failed"}` : error.message;
  return new TransportError(code ?? "ECONNRESET", scrub(text), { sent });
}

/** Milliseconds of a Retry-After header, which holds seconds or a date (RFC 9110). */
function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) && ms >= 0 ? ms : undefined;
}
