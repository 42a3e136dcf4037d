/** A node that misbehaves on demand: a proxy between a driver and a local chain, over HTTP and WebSocket. */
import { createServer, type IncomingMessage, request as httpRequest, Agent, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { ArbError } from "../errors.js";
import { type Delivery, type Fault, faultSet, misbehave, type RpcMessage, type Upstream } from "./faults.js";
import { type ReorgOptions, type ReorgResult, reorgsOf } from "./reorg.js";

export type { Fault, FaultAction } from "./faults.js";

export interface ProxyCall {
  method: string;
  params: unknown;
  /** What was done to it; empty = carried out faithfully. */
  faults: Fault["do"][];
  over: "http" | "ws";
}

export interface FaultProxy {
  url: string;
  wsUrl: string;
  /** Everything that was asked, in order. */
  calls: ProxyCall[];
  /** Adds a fault; returns how to remove it. Several add up, in the order in which they were set. */
  set(fault: Fault): () => void;
  /** Removes all faults. Connections that hang stay hung. */
  clear(): void;
  /** Remembers the chain's head for `reorg`. With `remember` it is done before every transaction and block that comes through here. */
  mark(): Promise<void>;
  /** Replaces the chain's last blocks, see reorg.ts. */
  reorg(depth: number, options?: ReorgOptions): Promise<ReorgResult>;
  /** Breaks every open WebSocket. */
  dropSockets(): void;
  close(): Promise<void>;
}

export interface FaultProxyOptions {
  /** The node behind it: "http://127.0.0.1:8545". */
  target: string;
  /** Its WebSocket; default: the same host and port. */
  wsTarget?: string;
  seed: number;
  /** Marks the head before everything that mines, so that `reorg` can go back to each block. */
  remember?: boolean;
}

const MINES = /^(eth_send(Raw)?Transaction|evm_mine|hardhat_mine)$/;

/** Starts a proxy on a free port of the loopback interface. Throws ArbError "network" when it cannot listen. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const faults = faultSet(options.seed);
  const calls: ProxyCall[] = [];
  const agent = new Agent({ keepAlive: true });
  const post = (message: RpcMessage): Promise<RpcMessage> => postTo(options.target, agent, message);
  const ask = async (method: string, params: unknown[]): Promise<unknown> => {
    const { result, error } = await post({ jsonrpc: "2.0", id: 0, method, params });
    if (error !== undefined) throw new ArbError("network", `${method}: ${JSON.stringify(error)}`);
    return result;
  };
  const reorgs = reorgsOf(ask);

  const carryOut = async (message: RpcMessage, over: ProxyCall["over"], forward: Upstream["forward"]): Promise<Delivery> => {
    const method = String(message.method);
    const hits = faults.hits(method);
    calls.push({ method, params: message.params, faults: hits.map((fault) => fault.do), over });
    if (options.remember === true && MINES.test(method)) await reorgs.mark();
    return await misbehave(message, hits, { forward, ask }, () => faults.random());
  };

  const server = createServer((request, response) => {
    onHttp(request, response, (message) => carryOut(message, "http", post)).catch(() => response.destroy());
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => {
    onSocket(socket, options.wsTarget ?? options.target.replace(/^http/, "ws"), {
      carryOut: (message, forward) => carryOut(message, "ws", forward),
      isStale: () => faults.has("stale-head"),
    });
  });
  sockets.on("error", () => undefined); // repeats the errors of the HTTP server
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(new ArbError("network", "the fault proxy cannot listen", { cause })));
    server.listen(0, "127.0.0.1", () => resolve());
  });
  const at = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const dropSockets = (): void => {
    for (const client of sockets.clients) client.terminate();
  };
  return {
    url: `http://${at}`,
    wsUrl: `ws://${at}`,
    calls,
    set: (fault) => faults.add(fault),
    clear: () => faults.clear(),
    mark: () => reorgs.mark(),
    reorg: (depth, how) => reorgs.reorg(depth, how),
    dropSockets,
    close: async () => {
      dropSockets();
      sockets.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
}

async function onHttp(
  request: IncomingMessage,
  response: ServerResponse,
  carryOut: (message: RpcMessage) => Promise<Delivery>,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = JSON.parse(Buffer.concat(chunks).toString()) as RpcMessage | RpcMessage[];
  const deliveries = await Promise.all((Array.isArray(body) ? body : [body]).map(carryOut));
  const odd = deliveries.find((delivery) => delivery.as !== "json");
  if (odd === undefined) {
    const messages = deliveries.flatMap((delivery) => (delivery.as === "json" ? [delivery.message] : []));
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(Array.isArray(body) ? messages : messages[0]));
  } else if (odd.as === "reset") request.socket.resetAndDestroy();
  else if (odd.as === "text") response.writeHead(odd.status, odd.headers).end(odd.text);
}

/** Every client has a connection of its own to the node: ids and subscriptions pass through as they are. */
function onSocket(
  client: WebSocket,
  target: string,
  rules: { carryOut(message: RpcMessage, forward: Upstream["forward"]): Promise<Delivery>; isStale(): boolean },
): void {
  const upstream = new WebSocket(target);
  const opened = new Promise<void>((resolve) => upstream.on("open", () => resolve()));
  const waiting = new Map<unknown, (answer: RpcMessage) => void>();
  const send = (text: string): void => {
    if (client.readyState === WebSocket.OPEN) client.send(text);
  };
  upstream.on("message", (data: Buffer) => {
    const message = JSON.parse(data.toString()) as RpcMessage;
    if (message.method !== "eth_subscription") waiting.get(message.id)?.(message);
    else if (!rules.isStale()) send(data.toString());
  });
  upstream.on("error", () => client.terminate());
  upstream.on("close", () => client.terminate());
  client.on("error", () => client.terminate());
  client.on("close", () => upstream.terminate());
  const forward = async (message: RpcMessage): Promise<RpcMessage> => {
    await opened;
    return await new Promise((resolve) => {
      waiting.set(message.id, resolve);
      upstream.send(JSON.stringify(message));
    });
  };
  const deliver = async (data: Buffer): Promise<void> => {
    const message = JSON.parse(data.toString()) as RpcMessage;
    const delivery = await rules.carryOut(message, forward);
    if (delivery.as === "json") send(JSON.stringify(delivery.message));
    else if (delivery.as === "reset") client.terminate();
    else if (delivery.as === "text" && delivery.status === 200) send(delivery.text);
    else if (delivery.as === "text") {
      const error = { code: delivery.status === 429 ? -32005 : -32000, message: `${delivery.status} ${delivery.text}` };
      send(JSON.stringify({ jsonrpc: "2.0", id: message.id, error }));
    }
  };
  client.on("message", (data: Buffer) => void deliver(data).catch(() => client.terminate()));
}

function postTo(target: string, agent: Agent, message: RpcMessage): Promise<RpcMessage> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      target,
      { method: "POST", agent, headers: { "content-type": "application/json" } },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (text += chunk));
        response.on("end", () => {
          try {
            resolve(JSON.parse(text) as RpcMessage);
          } catch (cause) {
            reject(new ArbError("network", "the node behind the proxy gave no JSON", { cause }));
          }
        });
        response.on("error", reject);
      },
    );
    request.on("error", reject);
    request.end(JSON.stringify(message));
  });
}
