/** Text of requests and replies, the same on every transport. */
import { type RpcErrorBody, type RpcReply, type RpcRequest, type SendOptions, TransportError } from "./types.js";

let lastId = 0;
/** An id that no other request of this process has. */
export const nextId = (): number => ++lastId;

export const encode = (id: number, { method, params }: RpcRequest): string =>
  `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":${JSON.stringify(params)}}`;

export interface WireMessage {
  id?: unknown;
  method?: unknown;
  params?: unknown;
  result?: unknown;
  error?: unknown;
}

/** Parses an answer; `scrub` cleans what is shown of one that is no JSON. */
export function parse(text: string, scrub: (text: string) => string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const start = text.slice(0, 80).replaceAll(/[^\x20-\x7e]+/g, " ");
    throw new TransportError("MALFORMED", scrub(`the answer is no JSON: ${start}`), { sent: true });
  }
}

/** Result or error of one message that belongs to a request. Throws TransportError for what is neither. */
export function replyOf(message: WireMessage, scrub: (text: string) => string): RpcReply {
  if (message.error !== undefined && message.error !== null) {
    const {
      code,
      message: text,
      data,
    } = (typeof message.error === "object" ? message.error : { message: message.error }) as {
      code?: unknown;
      message?: unknown;
      data?: unknown;
    };
    const error: RpcErrorBody = { code: typeof code === "number" ? code : -32000, message: scrub(String(text)) };
    // hexadecimal data is what a call reverted with; other texts may repeat the endpoint
    if (data !== undefined) error.data = cleaned(data, scrub);
    return { error };
  }
  if (message.result === undefined)
    throw new TransportError("MALFORMED", "the answer is no JSON-RPC: neither result nor error", { sent: true });
  return { result: message.result };
}

function cleaned(data: unknown, scrub: (text: string) => string): unknown {
  if (typeof data === "string") return /^0x[0-9a-f]*$/i.test(data) ? data : scrub(data);
  if (Array.isArray(data)) return data.map((item) => cleaned(item, scrub));
  if (typeof data !== "object" || data === null) return data;
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, cleaned(value, scrub)]));
}

/**
 * Runs `start` with a deadline and an abort: `settle` may be called once, `stop` is called when the time is over or the caller
 * gave up. Timer and listener are gone afterwards.
 */
export function timed<T>(
  { timeoutMs, signal }: SendOptions,
  sent: () => boolean,
  start: (resolve: (value: T) => void, reject: (error: Error) => void) => (() => void) | void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let stop: (() => void) | void;
    let done = false;
    const finish = (act: () => void): void => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      act();
    };
    const fail = (code: string, text: string): void => {
      finish(() => {
        reject(new TransportError(code, text, { sent: sent() }));
        stop?.();
      });
    };
    const onAbort = (): void => fail("ABORTED", "the call was given up");
    const timer = setTimeout(() => fail("TIMEOUT", `timeout: no answer in ${Math.round(timeoutMs)} ms`), Math.max(0, timeoutMs));
    if (signal?.aborted === true) {
      onAbort();
      return;
    }
    signal?.addEventListener("abort", onAbort);
    stop = start(
      (value) => finish(() => resolve(value)),
      (error) => finish(() => reject(error)),
    );
  });
}
