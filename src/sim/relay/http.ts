import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type FaultScript, type RelayFault } from "./faults.js";

/** One request as it came in. */
export interface RelayRequest {
  method: string;
  params: unknown[];
  /** The exact body. */
  body: string;
  path: URL;
  headers: IncomingMessage["headers"];
  /** False: answer as usual, but change nothing. */
  act: boolean;
}

export type Handler = (request: RelayRequest) => Promise<unknown>;

export interface HttpService {
  url: string;
  close(): Promise<void>;
}

const MAX_BODY = 30 << 20;

/** An error with the code that the JSON-RPC answer gets. `status`: the HTTP status, 200 as the relays' servers have it. */
export function rpcError(code: number, message: string, more: { data?: unknown; status?: number } = {}): Error {
  return Object.assign(new Error(message), { code, ...more });
}

/** JSON-RPC over POST as relays serve it: other methods get 405, other content 415, errors come with HTTP 200. */
export async function serveRelay(handler: Handler, faults: FaultScript, port = 0): Promise<HttpService> {
  const server = createServer((request, response) => {
    // the client may go away at any time; there is nobody to answer then
    serve(handler, faults, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(handler: Handler, faults: FaultScript, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "POST") return void response.writeHead(405).end("only POST method is allowed");
  if (request.headers["content-type"]?.startsWith("application/json") !== true)
    return void response.writeHead(415).end("header Content-Type must be application/json");
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) return void response.writeHead(413).end("request too large");
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks).toString("utf8");
  const call = read(body);
  const fault = faults.next(call?.method ?? "");
  if (fault?.kind === "down") return void request.socket.destroy();
  if (fault?.kind === "status")
    return void response.writeHead(fault.status, { "content-type": "text/html" }).end(fault.body ?? "<html>sorry</html>");
  const path = new URL(request.url ?? "/", "http://127.0.0.1");
  const answer = call
    ? await run(handler, { ...call, body, path, headers: request.headers, act: fault?.kind !== "accept-and-drop" })
    : { status: 200, reply: { error: { code: -32700, message: "parse error" } } };
  if (fault?.kind === "hang") return;
  if (fault?.kind === "lose-answer") return void request.socket.destroy();
  if (fault?.kind === "slow") await sleep(fault.ms, undefined, { ref: false });
  const reply = JSON.stringify({ jsonrpc: "2.0", id: call?.id ?? null, ...twisted(fault, answer.reply) });
  response.writeHead(answer.status, { "content-type": "application/json" }).end(reply);
}

function twisted(fault: RelayFault | null, reply: object): object {
  if (fault?.kind === "refuse-and-keep") return { error: { code: -32000, message: fault.message ?? "bundle with no txs" } };
  return fault?.kind === "other-answer" ? { result: fault.result } : reply;
}

function read(body: string): { id: unknown; method: string; params: unknown[] } | null {
  try {
    const { id, method, params = [] } = JSON.parse(body) as { id?: unknown; method?: unknown; params?: unknown };
    return typeof method === "string" && Array.isArray(params) ? { id, method, params } : null;
  } catch {
    return null;
  }
}

async function run(handler: Handler, request: RelayRequest): Promise<{ status: number; reply: object }> {
  try {
    return { status: 200, reply: { result: (await handler(request)) ?? null } };
  } catch (error) {
    const { code, message, data, status = 200 } = error as { code?: unknown; message: string; data?: unknown; status?: number };
    const number = typeof code === "number" ? code : -32603;
    return { status, reply: { error: { code: number, message, ...(data === undefined ? {} : { data }) } } };
  }
}
