/** One connection to one endpoint: JSON-RPC 2.0 over HTTP, WebSocket or a unix socket, without retries. */
import { scrubberOf } from "../errors.js";
import { httpTransport } from "./http.js";
import { socketTransport } from "./socket.js";
import type { Transport } from "./types.js";

/** Longest answer in bytes. A block of receipts has some ten million; a hundred are an attack or a fault. */
export const MAX_ANSWER_BYTES = 64 << 20;

export interface TransportOptions {
  maxBytes?: number;
}

/**
 * The transport of an endpoint: "http://", "https://", "ws://", "wss://", or "ipc:" with the path of a unix socket. Nothing is
 * opened yet. Throws TypeError for another URL.
 */
export function openTransport(url: string, options: TransportOptions = {}): Transport {
  const maxBytes = options.maxBytes ?? MAX_ANSWER_BYTES;
  const { protocol } = new URL(url);
  const scrub = protocol === "ipc:" ? (text: string): string => text : scrubberOf(url);
  if (protocol === "http:" || protocol === "https:") return httpTransport(url, scrub, maxBytes);
  if (protocol === "ws:" || protocol === "wss:" || protocol === "ipc:") return socketTransport(url, scrub, maxBytes);
  throw new TypeError("an endpoint is http(s)://, ws(s):// or ipc:/path");
}
