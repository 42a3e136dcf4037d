import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { ArbError } from "../errors.js";

/** What a JSON-RPC server answers from. `request` throws EIP-1193 errors: an Error with `code` and perhaps `data`. */
export interface RpcBackend {
  request(method: string, params: unknown[]): Promise<unknown>;
  /** Calls back with every message of `eth_subscribe`; returns how to stop. */
  onNotification(listener: (message: { subscription: string; result: unknown }) => void): () => void;
}

export interface RpcServer {
  url: string;
  wsUrl: string;
  /** Stops listening and drops every open connection. */
  close(): Promise<void>;
}

interface Reply {
  jsonrpc: "2.0";
  id: unknown;
  result?: unknown;
  error?: { code: number; message: string; data?: unknown };
}

const MAX_BODY = 16 << 20;
/** The simulated chain says -32004 to a method that it does not know; real nodes say -32601. */
const NOT_SUPPORTED = -32004;
const METHOD_NOT_FOUND = -32601;

/** Serves JSON-RPC 2.0 over HTTP (with batches) and WebSocket (with subscriptions) on 127.0.0.1; port 0 = any free one. Throws ArbError "network". */
export async function serveRpc(backend: RpcBackend, port = 0): Promise<RpcServer> {
  const http = createServer((request, response) => void onHttp(backend, request, response));
  const sockets = new WebSocketServer({ server: http, maxPayload: MAX_BODY });
  sockets.on("connection", (socket) => onSocket(backend, socket));
  // it repeats the errors of the HTTP server, which are handled below; unheard they would end the process
  sockets.on("error", () => undefined);
  await new Promise<void>((resolve, reject) => {
    http.once("error", (cause) => reject(new ArbError("network", `cannot listen on 127.0.0.1:${port}`, { cause })));
    http.listen(port, "127.0.0.1", () => resolve());
  });
  const at = `127.0.0.1:${(http.address() as AddressInfo).port}`;
  return {
    url: `http://${at}`,
    wsUrl: `ws://${at}`,
    close: async () => {
      for (const client of sockets.clients) client.terminate();
      sockets.close();
      const closed = new Promise<void>((resolve) => http.close(() => resolve()));
      http.closeAllConnections();
      await closed;
    },
  };
}

async function onHttp(backend: RpcBackend, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let size = 0;
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_BODY) break;
      chunks.push(chunk);
    }
  } catch {
    return; // the client went away while it was sending: there is nobody to answer
  }
  const tooLong = size > MAX_BODY;
  const body = tooLong
    ? JSON.stringify(failure(null, -32600, "request too large"))
    : await answer(backend, Buffer.concat(chunks).toString());
  response.writeHead(tooLong ? 413 : 200, { "content-type": "application/json" }).end(body);
}

function onSocket(backend: RpcBackend, socket: WebSocket): void {
  const mine = new Set<unknown>();
  const send = (text: string) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(text);
  };
  const stop = backend.onNotification((message) => {
    if (mine.has(message.subscription)) send(JSON.stringify({ jsonrpc: "2.0", method: "eth_subscription", params: message }));
  });
  const recording: RpcBackend = {
    ...backend,
    request: async (method, params) => {
      const result = await backend.request(method, params);
      if (method === "eth_subscribe") mine.add(result);
      return result;
    },
  };
  socket.on("message", (data: Buffer) => void answer(recording, data.toString()).then(send));
  socket.on("error", () => socket.terminate());
  socket.on("close", () => {
    stop();
    // the node may have been closed already; then its subscriptions are gone with it
    for (const id of mine) backend.request("eth_unsubscribe", [id]).catch(() => undefined);
  });
}

/** The reply to one request or to a batch, as text. Never rejects. */
async function answer(backend: RpcBackend, text: string): Promise<string> {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return JSON.stringify(failure(null, -32700, "parse error"));
  }
  if (!Array.isArray(message)) return JSON.stringify(await answerOne(backend, message));
  if (message.length === 0) return JSON.stringify(failure(null, -32600, "empty batch"));
  return JSON.stringify(await Promise.all(message.map((m) => answerOne(backend, m))));
}

async function answerOne(backend: RpcBackend, message: unknown): Promise<Reply> {
  const { id = null, method, params = [] } = (message ?? {}) as { id?: unknown; method?: unknown; params?: unknown };
  if (typeof method !== "string" || !Array.isArray(params)) return failure(id, -32600, "invalid request");
  try {
    return { jsonrpc: "2.0", id, result: await backend.request(method, params) };
  } catch (error) {
    const { code, message: text, data } = error as { code?: unknown; message?: string; data?: unknown };
    const number = typeof code === "number" ? code : -32603;
    return failure(id, number === NOT_SUPPORTED ? METHOD_NOT_FOUND : number, text ?? String(error), data);
  }
}

function failure(id: unknown, code: number, message: string, data?: unknown): Reply {
  return { jsonrpc: "2.0", id, error: { code, message, ...(data === undefined ? {} : { data }) } };
}
