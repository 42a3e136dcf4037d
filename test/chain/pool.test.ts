import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { expect } from "chai";
import { confirmReceipt } from "../../src/chain/confirm.js";
import type { Endpoint } from "../../src/chain/endpoint.js";
import { connectChain } from "../../src/chain/connect.js";
import { classifyNodeError } from "../../src/chain/errors.js";
import { openPool } from "../../src/chain/pool.js";
import { rateLimit } from "../../src/chain/rate-limit.js";
import { localAccounts } from "../../src/sim/node.js";
import { ethereum, eventually, type FaultyNodes, faultyNodes, ipcNode } from "../helpers/faulty-nodes.js";
import { rejection } from "../helpers/rejection.js";

const [sender, , , , , , , , , receiver] = localAccounts().map(({ address }) => address);
const balanceOf = ["eth_getBalance", [receiver!, "latest"]] as const;

describe("RPC pool", () => {
  let nodes: FaultyNodes;
  beforeEach(async () => (nodes = await faultyNodes(2)));
  afterEach(async () => await nodes.close());

  describe("identity", () => {
    for (const kind of ["http", "ws"] as const)
      it(`${kind}: an endpoint that is of another chain after a break is named, and never asked again`, async () => {
        const [first, second] = nodes.proxies;
        const chain = await connectChain(ethereum, [kind === "ws" ? first!.wsUrl : first!.url, second!.url], { local: true });
        first!.set({ do: "wrong-chain", chainId: 5 });
        if (kind === "ws") first!.dropSockets();
        else first!.set({ do: "reset", when: "before", methods: ["eth_getTransactionReceipt"] });
        await eventually("the quarantine", async () => {
          expect(await chain.pool!.call(...balanceOf)).to.match(/^0x/);
          // both endpoints are asked for a receipt
          await chain.pool!.receipt(`0x${"ab".repeat(32)}`);
          return chain.pool!.health()[0]!.state === "quarantined";
        });
        const [health] = chain.pool!.health();
        expect(health!.why).to.match(/^127\.0\.0\.1:\d+ is chain 5, Ethereum is 1$/);
        const asked = first!.calls.length;
        first!.clear();
        await chain.pool!.call(...balanceOf);
        expect(first!.calls.length).to.equal(asked);
        chain.close();
      });

    it("uses no endpoint before it is checked, and says so when none is left", async () => {
      for (const proxy of nodes.proxies) proxy.set({ do: "wrong-chain", chainId: 10 });
      const pool = nodes.pool();
      expect(await rejection(pool.call(...balanceOf))).to.include({ code: "config" });
      await pool.call(...balanceOf).catch(() => undefined);
      expect(await rejection(pool.call(...balanceOf))).to.include({ code: "network" });
      expect((await pool.broadcast(await nodes.transfer(0))).status).to.equal("unknown");
      expect(nodes.proxies.flatMap((proxy) => proxy.calls).map((call) => call.method)).to.not.include.members(["eth_getBalance"]);
    });
  });

  it("pins reads to a block: later blocks change nothing, and a block that was replaced fails", async () => {
    const [first] = nodes.proxies;
    const pool = nodes.pool();
    await first!.mark();
    await pool.broadcast(await nodes.transfer(0));
    const pinned = await pool.pin();
    const before = await pinned.balance(receiver!);
    await pool.broadcast(await nodes.transfer(1));
    expect(await pinned.balance(receiver!)).to.equal(before);
    expect(await pinned.nonce(sender!)).to.equal(1);
    expect(await pinned.code(receiver!)).to.equal("0x");
    expect(await pinned.logs({})).to.deep.equal([]);
    expect(await pinned.calls([{ to: receiver! }, { to: receiver! }])).to.deep.equal([{ result: "0x" }, { result: "0x" }]);
    expect(await (await pool.pin({ hash: pinned.block.hash })).balance(receiver!)).to.equal(before);
    await first!.reorg(2);
    expect(classifyNodeError(await rejection(pinned.balance(receiver!))).kind).to.equal("block-not-found");
    expect(await rejection(pool.pin({ number: 99 }))).to.include({ code: "network" });
  });

  it("re-checks an inclusion by its block: kept with its depth, moved, gone", async () => {
    const [first] = nodes.proxies;
    const pool = nodes.pool();
    const { hash } = await pool.broadcast(await nodes.transfer(0));
    await nodes.mine();
    const verdict = await pool.receipt(hash);
    expect(verdict).to.deep.include({ status: "mined", success: true });
    const receipt = verdict.status === "mined" ? verdict.receipt : null;
    const inclusion = { hash, blockHash: receipt!.blockHash, blockNumber: Number(receipt!.blockNumber) };
    expect(await pool.recheck(inclusion)).to.deep.equal({ status: "kept", depth: 2 });
    await first!.reorg(2);
    expect((await pool.recheck(inclusion)).status).to.equal("moved");
    await first!.reorg(3, { branch: () => [[], [], [], []] });
    expect(await pool.recheck(inclusion)).to.deep.equal({ status: "gone" });
    nodes.proxies[1]!.set({ do: "hang", methods: ["eth_getTransactionReceipt"] });
    expect((await pool.recheck(inclusion, { deadlineMs: 200 })).status).to.equal("unknown");
  });

  it("notes who contradicts whom", async () => {
    const pool = nodes.pool();
    const { hash } = await pool.broadcast(await nodes.transfer(0));
    nodes.proxies[0]!.set({ do: "lie-receipt", lie: "status" });
    const verdict = await pool.receipt(hash);
    expect(verdict.status === "unknown" && verdict.reason).to.match(/different receipts/);
    expect(pool.health().map((health) => health.disagreements)).to.deep.equal([1, 1]);
  });

  it("believes no L1 fee that one endpoint alone names: it is booked", async () => {
    const { hash } = await nodes.pool().broadcast(await nodes.transfer(0));
    const real = await nodes.rpc<object>("eth_getTransactionReceipt", [hash]);
    const member = (fields: object): Endpoint =>
      ({ name: "one", call: async () => ({ ...real, ...fields }), state: () => "ready", disagreed: () => undefined }) as never;
    const look = async (other: object) =>
      (await confirmReceipt([member({ l1Fee: "0x10" }), member(other)], hash, { timeoutMs: 5_000 })).status;
    expect(await look({ l1Fee: "0x10" })).to.equal("mined");
    for (const other of [{ l1Fee: "0x11" }, { l1Fee: "0x10", operatorFeeConstant: "0x5" }])
      expect(await look(other)).to.equal("unknown");
  });

  it("calls a network stale whose newest block is old on every endpoint, and not where one is ahead", async () => {
    // the chain's own time decides, whatever its genesis says
    const latest = await nodes.rpc<{ timestamp: string }>("eth_getBlockByNumber", ["latest", false]);
    await nodes.rpc("evm_setNextBlockTimestamp", [Math.max(Math.floor(Date.now() / 1000), Number(latest.timestamp) + 1)]);
    await nodes.mine();
    const patient = nodes.pool(undefined, { staleMs: 3_600_000 });
    expect(await patient.stale()).to.equal(null);
    expect(await nodes.pool().stale()).to.equal(null); // a local world has no blocks while nobody trades
    const strict = nodes.pool(undefined, { staleMs: 1 });
    await eventually("the block ages", async () => (await strict.stale()) !== null);
    expect(await strict.stale()).to.match(/newest block of Ethereum, 1, is \d+ s old/);
    nodes.proxies[0]!.set({ do: "hang" });
    expect(await patient.stale()).to.equal(null);
    nodes.proxies[1]!.set({ do: "hang" });
    expect(await patient.stale({ deadlineMs: 100 })).to.match(/no endpoint of Ethereum/);
  });

  it("asks the endpoint that is ahead, once the other is known to lag", async () => {
    const pool = nodes.pool(undefined, { staleMs: 3_600_000 });
    for (let i = 0; i < 5; i++) await nodes.mine();
    nodes.proxies[0]!.set({ do: "stale-head", block: 1 });
    await pool.stale();
    await eventually("both are measured", () => pool.health().every((health) => health.head !== null));
    const [lagging, ahead] = pool.health();
    expect([lagging!.head, ahead!.head]).to.deep.equal([1, 5]);
    expect(pool.preferred()).to.equal(ahead!.name);
  });

  it("leaves an endpoint that hangs, though no call was lost", async () => {
    const pool = nodes.pool();
    await eventually("both are checked", async () => {
      await pool.receipt(`0x${"ab".repeat(32)}`);
      return pool.health().every((health) => health.state === "ready");
    });
    const preferred = nodes.proxies[pool.endpoints.indexOf(pool.preferred())]!;
    const name = pool.preferred();
    preferred.set({ do: "hang" });
    await pool.call(...balanceOf);
    expect(pool.health().find((health) => health.name === name)!.failures).to.deep.equal({ timeout: 1 });
    await eventually("the other one is preferred", async () => {
      await pool.call(...balanceOf);
      return pool.preferred() !== name;
    });
  });

  describe("limits", () => {
    it("keeps to its own rate, and asks elsewhere what does not fit in time", async () => {
      let now = 0;
      const limit = rateLimit(10, () => now);
      for (let i = 0; i < 10; i++) expect(await limit.take(1, 0)).to.equal(true);
      expect(await limit.take(1, 50)).to.equal(false);
      expect(limit.wait(1)).to.equal(100);
      now = 100;
      expect(await limit.take(1, 0)).to.equal(true);
      now = 5_000;
      expect(await limit.take(25, 0)).to.equal(true);
      expect(limit.wait(1)).to.equal(1_600);
      const pool = nodes.pool(undefined, { requestsPerSecond: 5 });
      await Promise.all(Array.from({ length: 12 }, () => pool.call(...balanceOf, { deadlineMs: 20_000 })));
      for (const proxy of nodes.proxies)
        expect(proxy.calls.filter((call) => call.method === "eth_getBalance").length).to.be.at.least(5);
    });

    it("leaves an endpoint alone for as long as it asks", async () => {
      const [first, second] = nodes.proxies;
      const pool = nodes.pool();
      await pool.call(...balanceOf);
      first!.set({ do: "status", status: 429, retryAfter: 3_600 });
      second!.set({ do: "latency", ms: 1 });
      await Promise.all(Array.from({ length: 5 }, () => pool.call(...balanceOf)));
      expect(pool.health()[0]).to.include({ state: "limited" });
      const asked = first!.calls.length;
      for (let i = 0; i < 10; i++) await pool.call(...balanceOf);
      const sent = await pool.broadcast(await nodes.transfer(0));
      expect(sent.status).to.equal("accepted");
      expect(first!.calls.length).to.equal(asked);
      expect(first!.calls.at(-1)!.faults).to.deep.equal(["status"]);
    });

    it("sends batches in pieces that the endpoint takes, and learns its limit", async () => {
      const most = 3;
      const server = await batchServer(most);
      const pool = openPool(ethereum, [server.url], { local: true });
      const calls = Array.from({ length: 10 }, (_, i) => ({ method: "eth_getBalance", params: [`0x${i}`, "latest"] }));
      const replies = await pool.batch(calls);
      expect(replies).to.deep.equal(calls.map(({ params }) => ({ result: params[0] })));
      await pool.batch(calls);
      expect(server.sizes.filter((size) => size > most)).to.have.length(2);
      expect(classifyNodeError(await rejection(pool.batch([{ method: "evm_mine", params: [] }]))).message).to.match(/only reads/);
      pool.close();
      await server.close();
    });
  });

  it("works over WebSocket, IPC and HTTP at once, and leaves nothing open", async () => {
    const ipc = await ipcNode((method, params) => nodes.rpc(method, params));
    const chain = await connectChain(ethereum, [ipc.url, nodes.proxies[0]!.wsUrl, nodes.proxies[1]!.url], { local: true });
    expect(chain.endpoint).to.equal("geth.ipc");
    const pool = chain.pool!;
    await eventually("all are checked", () => pool.health().every((health) => health.state === "ready"));
    expect(pool.health().map((health) => health.kind)).to.deep.equal(["ipc", "ws", "http"]);
    const heard: number[] = [];
    pool.onBlock(({ block }) => heard.push(block.number));
    const sent = await pool.broadcast(await nodes.transfer(0));
    expect(sent.status).to.equal("accepted");
    await eventually("the block", () => heard.includes(1));
    const receipt = await chain.provider.getTransactionReceipt(sent.hash);
    expect(receipt!.status).to.equal(1);
    expect(await chain.provider.getBalance(receiver!, receipt!.blockHash)).to.equal(await chain.provider.getBalance(receiver!));
    const open = pool.call("eth_getBalance", [receiver!, "latest"]).catch((error: unknown) => classifyNodeError(error).kind);
    chain.close();
    await open;
    await eventually("the sockets are closed", () => ipc.sockets.size === 0);
    expect(classifyNodeError(await rejection(pool.call(...balanceOf))).kind).to.be.oneOf(["unreachable", "unknown"]);
    await ipc.close();
  });

  it("shows no part of any endpoint's key, whatever fails, over HTTP and WebSocket", async () => {
    const KEY = "SECRETKEY42";
    const server = createServer((request, response) => response.writeHead(500).end(`no ${request.url} ${KEY}`));
    server.on("upgrade", (request, socket) => socket.end(`HTTP/1.1 403 no ${request.url}\r\n\r\n${KEY}`));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const urls = [`http://127.0.0.1:${port}/v2/${KEY}?k=${KEY}`, `ws://user:${KEY}@127.0.0.1:${port}/ws/${KEY}`];
    const shown: string[] = [];
    for (const list of [urls, [urls[0]!], [urls[1]!]]) {
      const pool = openPool(ethereum, list, { local: true, timeoutMs: 5_000, staleMs: 1 });
      const answers = [
        await rejection(pool.call(...balanceOf)),
        await rejection(pool.batch([{ method: "eth_chainId", params: [] }])),
        await pool.broadcast("0x02"),
        await pool.receipt(`0x${"ab".repeat(32)}`),
        await pool.stale(),
        pool.health(),
        await rejection(connectChain(ethereum, list, { timeoutMs: 5_000 })),
      ];
      shown.push(...answers.map((answer) => `${inspect(answer, { depth: 9, showHidden: true })} ${JSON.stringify(answer)}`));
      pool.close();
    }
    expect(shown.join("\n")).not.to.include(KEY);
    server.closeAllConnections();
    server.close();
  });
});

/** A node that takes batches of at most `most` calls, and answers a balance with the account's own text. */
async function batchServer(most: number): Promise<{ url: string; sizes: number[]; close(): Promise<void> }> {
  const sizes: number[] = [];
  const server: Server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      const body = JSON.parse(text) as { id: number; method: string; params: string[] } | { id: number; params: string[] }[];
      if (!Array.isArray(body)) return response.end(JSON.stringify({ jsonrpc: "2.0", id: body.id, result: "0x1" }));
      sizes.push(body.length);
      const error = { code: -32600, message: "batch too large" };
      if (body.length > most) return response.end(JSON.stringify({ jsonrpc: "2.0", id: null, error }));
      // in another order than asked
      return response.end(JSON.stringify(body.map(({ id, params }) => ({ jsonrpc: "2.0", id, result: params[0] })).toReversed()));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sizes,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
