import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import * as fc from "fast-check";
import { classifyNodeError } from "../../src/chain/errors.js";
import { openTransport } from "../../src/chain/transport/open.js";
import { jsonStream } from "../../src/chain/transport/socket.js";
import { TransportError } from "../../src/chain/transport/types.js";
import { eventually, type FaultyNodes, faultyNodes, ipcNode } from "../helpers/faulty-nodes.js";
import { property } from "../helpers/property.js";
import { rejection } from "../helpers/rejection.js";

const chainId = { method: "eth_chainId", params: [] };
const send = { timeoutMs: 10_000 };

describe("jsonStream", () => {
  it("finds the values of a stream however it is cut, with and without line breaks", () => {
    property(
      fc.property(
        fc.array(fc.object({ maxDepth: 2 })),
        fc.constantFrom("", "\n", "\r\n "),
        fc.integer({ min: 1, max: 7 }),
        (values, end, step) => {
          const bytes = Buffer.from(values.map((value) => JSON.stringify(value) + end).join(""));
          const found: unknown[] = [];
          const read = jsonStream((text) => found.push(JSON.parse(text)));
          let waiting = 0;
          for (let i = 0; i < bytes.length; i += step) waiting = read(bytes.subarray(i, i + step));
          expect(found).to.deep.equal(values.map((value) => JSON.parse(JSON.stringify(value))));
          expect(waiting).to.equal(0);
        },
      ),
    );
  });
});

describe("transports", () => {
  let nodes: FaultyNodes;
  let ipc: Awaited<ReturnType<typeof ipcNode>>;
  before(async () => {
    nodes = await faultyNodes(1);
    ipc = await ipcNode((method, params) => nodes.rpc(method, params), "");
  });
  after(async () => {
    await ipc.close();
    await nodes.close();
  });
  afterEach(() => nodes.proxies[0]!.clear());
  const urls = () => ({ http: nodes.proxies[0]!.url, ws: nodes.proxies[0]!.wsUrl, ipc: ipc.url });

  for (const kind of ["http", "ws", "ipc"] as const) {
    it(`${kind}: answers, refusals, batches in order, many at once`, async () => {
      const transport = openTransport(urls()[kind]);
      expect(transport.kind).to.equal(kind);
      expect(await transport.request(chainId, send)).to.deep.equal({ result: "0x1" });
      expect(await transport.request({ method: "no_such", params: [] }, send)).to.have.nested.property("error.code");
      const batch = await transport.batch(
        [chainId, { method: "no_such", params: [] }, { method: "eth_blockNumber", params: [] }],
        send,
      );
      expect(batch.map((reply) => "result" in reply)).to.deep.equal([true, false, true]);
      const many = await Promise.all(Array.from({ length: 100 }, () => transport.request(chainId, send)));
      expect(many).to.have.length(100);
      transport.close();
    });

    it(`${kind}: an abort and a deadline end a call, and closing ends what is under way`, async () => {
      const silent = await silentServer(kind);
      const transport = openTransport(silent.url);
      expect(await rejection(transport.request(chainId, { timeoutMs: 30 }))).to.include({ code: "TIMEOUT" });
      const stop = new AbortController();
      const aborted = rejection(transport.request(chainId, { ...send, signal: stop.signal }));
      stop.abort();
      expect(await aborted).to.include({ code: "ABORTED" });
      const open = rejection(transport.request(chainId, send));
      await eventually("the request arrives", () => silent.connections() > 0);
      transport.close();
      expect(await open).to.be.instanceOf(TransportError);
      await eventually("the connections are gone", async () => silent.connections() === 0);
      await silent.close();
    });

    it(`${kind}: says that nothing was sent where nobody listens`, async () => {
      const nowhere = { http: "http://127.0.0.1:1", ws: "ws://127.0.0.1:1", ipc: "ipc:/nowhere/geth.ipc" }[kind];
      const error = await rejection(openTransport(nowhere).request(chainId, send));
      expect(error).to.include({ sent: false });
      expect(classifyNodeError(error).kind).to.equal("unreachable");
    });

    it(`${kind}: refuses an answer beyond its size`, async () => {
      const transport = openTransport(urls()[kind], { maxBytes: 200 });
      const block = { method: "eth_getBlockByNumber", params: ["latest", false] };
      expect(classifyNodeError(await rejection(transport.request(block, send))).kind).to.equal("malformed-answer");
      expect(await transport.request(chainId, send)).to.deep.equal({ result: "0x1" });
      transport.close();
    });
  }

  for (const kind of ["ws", "ipc"] as const)
    it(`${kind}: a lost connection ends its calls, the next one has another number, and is not used for a checked one`, async () => {
      const transport = openTransport(urls()[kind]);
      const first = await transport.connect(send);
      await transport.request(chainId, { ...send, generation: first });
      if (kind === "ws") nodes.proxies[0]!.dropSockets();
      else for (const socket of ipc.sockets) socket.destroy();
      await eventually("a new connection", async () => (await transport.connect(send)) !== first);
      expect(await rejection(transport.request(chainId, { ...send, generation: first }))).to.include({ sent: false });
      expect(await transport.request(chainId, send)).to.deep.equal({ result: "0x1" });
      transport.close();
    });

  it("http: reads Retry-After, follows no redirect, and takes a JSON-RPC error whatever the status", async () => {
    const answers: [number, Record<string, string>, string][] = [
      [429, { "retry-after": "7" }, "slow down"],
      [302, { location: nodes.url }, ""],
      [413, {}, '{"jsonrpc":"2.0","id":null,"error":{"code":-32614,"message":"eth_getLogs is limited to a 10,000 range"}}'],
    ];
    const server = createServer((_, response) => {
      const [status, headers, text] = answers.shift()!;
      response.writeHead(status, headers).end(text);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const transport = openTransport(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect(await rejection(transport.request(chainId, send))).to.include({ status: 429, retryAfterMs: 7_000 });
    expect(await rejection(transport.request(chainId, send))).to.include({ status: 302 });
    expect(await transport.request(chainId, send)).to.have.nested.property("error.code", -32614);
    transport.close();
    server.close();
  });
});

/** Takes connections and requests, and never answers. */
async function silentServer(
  kind: "http" | "ws" | "ipc",
): Promise<{ url: string; connections(): number; close(): Promise<void> }> {
  if (kind === "ipc") {
    const node = await ipcNode(() => new Promise(() => undefined));
    return { url: node.url, connections: () => node.sockets.size, close: () => node.close() };
  }
  let connections = 0;
  const server: Server = createServer(() => undefined);
  server.on("connection", (socket) => {
    connections++;
    socket.on("close", () => connections--);
  });
  // a handshake that nobody completes
  server.on("upgrade", (_, socket) => socket.on("end", () => socket.destroy()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `${kind}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
