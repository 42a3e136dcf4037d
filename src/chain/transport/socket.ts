/** JSON-RPC over a connection that stays open and carries messages both ways: WebSocket, or a unix socket (IPC). */
import net from "node:net";
import { WebSocket } from "ws";
import { type RpcReply, type RpcRequest, type SendOptions, type Transport, TransportError } from "./types.js";
import { encode, nextId, parse, replyOf, timed, type WireMessage } from "./wire.js";

const HANDSHAKE_MS = 10_000;
/** A call that was given up says that the line is dead only when nothing came for so long. */
const SILENCE_MS = 1_000;

/** An open line; `events` are called by it, `closed` once. */
interface Line {
  send(text: string): void;
  drop(): void;
}

interface LineEvents {
  open(): void;
  message(text: string): void;
  closed(error: Error): void;
}

interface Connection {
  generation: number;
  line: Line;
  isOpen: boolean;
  opened: Promise<void>;
  pending: Map<unknown, { resolve: (message: WireMessage) => void; reject: (error: Error) => void }>;
  /** `performance.now()` of the last sign of life. */
  heard: number;
}

type Notification = { subscription: string; result: unknown } | null;

export function socketTransport(url: string, scrub: (text: string) => string, maxBytes: number): Transport {
  const kind = url.startsWith("ipc:") ? "ipc" : "ws";
  const listeners = new Set<(message: Notification) => void>();
  let connection: Connection | null = null;
  let generations = 0;
  let closed = false;

  const lost = (code: string, text: string, sent: boolean): TransportError => new TransportError(code, scrub(text), { sent });

  const dial = (): Connection => {
    let onOpen: () => void = () => undefined;
    let onFail: (error: Error) => void = () => undefined;
    const opened = new Promise<void>((resolve, reject) => {
      onOpen = resolve;
      onFail = reject;
    });
    opened.catch(() => undefined); // those who wait for it get the error; nobody may wait
    const made: Connection = { generation: ++generations, line: noLine, isOpen: false, opened, pending: new Map(), heard: 0 };
    const handshake = setTimeout(() => end(lost("TIMEOUT", "timeout: the connection does not open", false)), HANDSHAKE_MS);
    const end = (error: Error): void => {
      clearTimeout(handshake);
      if (connection === made) connection = null;
      made.line.drop();
      onFail(error);
      for (const { reject } of made.pending.values()) reject(error);
      made.pending.clear();
      if (made.isOpen) for (const listener of listeners) listener(null);
      made.isOpen = false;
    };
    const connect = kind === "ipc" ? ipcLine : wsLine;
    made.line = connect(url, maxBytes, {
      open: () => {
        clearTimeout(handshake);
        made.isOpen = true;
        made.heard = performance.now();
        onOpen();
      },
      message: (text) => receive(made, text, end),
      closed: (error) => {
        const { code } = error as NodeJS.ErrnoException;
        end(lost(code ?? "ECONNRESET", error.message, made.isOpen));
      },
    });
    connection = made;
    return made;
  };

  const receive = (from: Connection, text: string, end: (error: Error) => void): void => {
    from.heard = performance.now();
    let message: unknown;
    try {
      message = parse(text, scrub);
    } catch (error) {
      // nobody knows whose answer it was
      end(error as Error);
      return;
    }
    for (const part of (Array.isArray(message) ? message : [message]) as (WireMessage | null)[]) {
      if (typeof part !== "object" || part === null) continue;
      if (part.method === "eth_subscription") {
        // null would say that the connection is lost, and what a listener throws here ends the program
        if (typeof part.params === "object" && part.params !== null)
          for (const listener of listeners) listener(part.params as Notification);
        continue;
      }
      // only errors about a request as a whole come without its id
      const alone = part.error != null && from.pending.size === 1;
      const key = part.id ?? (alone ? from.pending.keys().next().value : undefined);
      from.pending.get(key)?.resolve(part);
    }
  };

  const ready = async (options: SendOptions): Promise<Connection> => {
    if (closed) throw lost("ABORTED", "the connection is closed", false);
    const now = connection ?? dial();
    if (!now.isOpen)
      await timed<void>(
        options,
        () => false,
        (resolve, reject) => void now.opened.then(resolve, reject),
      );
    return now;
  };

  const request = async (what: RpcRequest, options: SendOptions): Promise<RpcReply> => {
    const start = performance.now();
    const on = connection?.isOpen === true ? connection : await ready(options);
    if (options.generation !== undefined && on.generation !== options.generation)
      throw lost("ECONNRESET", "connection closed and opened anew", false);
    if (!on.isOpen) throw lost("ECONNRESET", "connection closed", false);
    const id = nextId();
    const left = { ...options, timeoutMs: options.timeoutMs - (performance.now() - start) };
    const message = await timed<WireMessage>(
      left,
      () => true,
      (resolve, reject) => {
        on.pending.set(id, { resolve, reject });
        on.line.send(encode(id, what));
        return () => {
          // a line on which nothing at all comes is dead, though the system does not know it yet
          const waited = performance.now() - start;
          if (on.heard < start && (options.signal?.aborted !== true || waited > SILENCE_MS)) on.line.drop();
        };
      },
    ).finally(() => on.pending.delete(id));
    return replyOf(message, scrub);
  };

  return {
    kind,
    connect: async (options) => (await ready(options)).generation,
    request,
    batch: (requests, options) => Promise.all(requests.map((what) => request(what, options))),
    onNotification: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: () => {
      closed = true;
      listeners.clear();
      connection?.line.drop();
    },
  };
}

const noLine: Line = { send: () => undefined, drop: () => undefined };

function wsLine(url: string, maxBytes: number, events: LineEvents): Line {
  // compression costs more time than it saves on answers of a few hundred bytes
  const socket = new WebSocket(url, { maxPayload: maxBytes, handshakeTimeout: HANDSHAKE_MS, perMessageDeflate: false });
  let why: Error = Object.assign(new Error("connection closed"), { code: "ECONNRESET" });
  socket.on("open", () => events.open());
  socket.on("message", (data: Buffer) => events.message(data.toString()));
  socket.on("error", (error: Error) => (why = named(error)));
  socket.on("close", () => events.closed(why));
  return { send: (text) => socket.send(text), drop: () => socket.terminate() };
}

/** The client's own names for a refused handshake and an oversized message, in the words of the error table. */
function named(error: Error): Error {
  const status = /^Unexpected server response: (\d+)/.exec(error.message)?.[1];
  if (status !== undefined) return Object.assign(new Error(`server response ${status}`), { code: "HTTP" });
  if ((error as NodeJS.ErrnoException).code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH")
    return Object.assign(new Error("the answer is too long"), { code: "MALFORMED" });
  return error;
}

function ipcLine(url: string, maxBytes: number, events: LineEvents): Line {
  const socket = net.connect(decodeURIComponent(new URL(url).pathname));
  let why: Error = Object.assign(new Error("connection closed"), { code: "ECONNRESET" });
  const tooLong = (): void => {
    why = Object.assign(new Error("the answer is too long"), { code: "MALFORMED" });
    socket.destroy();
  };
  const read = jsonStream((text) => (text.length > maxBytes ? tooLong() : events.message(text)));
  socket.on("connect", () => events.open());
  socket.on("data", (chunk: Buffer) => {
    if (read(chunk) > maxBytes) tooLong();
  });
  socket.on("error", (error) => (why = error));
  socket.on("close", () => events.closed(why));
  return { send: (text) => socket.write(`${text}\n`), drop: () => socket.destroy() };
}

const [QUOTE, ESCAPE, OPEN, OPEN_LIST, CLOSE, CLOSE_LIST] = Buffer.from('"\\{[}]');

/**
 * Cuts a stream of JSON values, with or without anything between them, into texts: not every node ends its messages with a line
 * break. The returned function takes a chunk and gives how many bytes wait for their end.
 */
export function jsonStream(onText: (text: string) => void): (chunk: Buffer) => number {
  let held: Buffer[] = [];
  let size = 0;
  let depth = 0;
  let inString = false;
  let escaped = false;
  return (chunk) => {
    let from = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === ESCAPE) escaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE) inString = true;
      else if (byte === OPEN || byte === OPEN_LIST) depth++;
      else if ((byte === CLOSE || byte === CLOSE_LIST) && depth > 0 && --depth === 0) {
        held.push(chunk.subarray(from, i + 1));
        onText(Buffer.concat(held).toString().trim());
        held = [];
        size = 0;
        from = i + 1;
      }
    }
    const rest = chunk.subarray(from);
    if (depth > 0) {
      held.push(rest);
      size += rest.length;
    }
    return size;
  };
}
