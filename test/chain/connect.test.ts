import { expect } from "chai";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { network as hardhat } from "hardhat";
import { chainFromProvider, connectChain } from "../../src/chain/connect.js";
import { classifyNodeError } from "../../src/chain/errors.js";
import { waitForReceipt } from "../../src/chain/receipts.js";
import { networkById } from "../../src/config/networks.js";
import type { ArbError } from "../../src/errors.js";
import { readAll } from "../../src/venues/multicall.js";
import { rejection } from "../helpers/rejection.js";

const KEY = "SECRETKEY";
const ethereum = networkById(1)!;

/** Answers JSON-RPC by a function of the method; `null` never answers. */
async function fakeNode(answer: (method: string) => unknown): Promise<{ url: string; calls: string[]; close(): void }> {
  const calls: string[] = [];
  const server: Server = createServer((req, res) => {
    let body = "";
    req.on("data", (d: Buffer) => (body += d.toString()));
    req.on("end", () => {
      const { id, method } = JSON.parse(body) as { id: number; method: string };
      calls.push(method);
      const result = answer(method);
      if (result === null) return;
      if (result instanceof Error) {
        res.writeHead(Number(result.message)).end("<html>no</html>");
        return;
      }
      res.setHeader("content-type", "application/json");
      res.end(JSON.stringify({ jsonrpc: "2.0", id, result: result === undefined ? null : result }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v2/${KEY}`,
    calls,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function failure(run: Promise<unknown>): Promise<ArbError> {
  try {
    await run;
  } catch (error) {
    expect(`${(error as Error).stack} ${JSON.stringify(error)}`).not.to.include(KEY);
    return error as ArbError;
  }
  throw new Error("was accepted");
}

describe("connectChain", () => {
  const open: { close(): void }[] = [];
  const node = async (answer: (method: string) => unknown): ReturnType<typeof fakeNode> => {
    const n = await fakeNode(answer);
    open.push(n);
    return n;
  };
  after(() => open.forEach((n) => n.close()));

  it("accepts the network's own endpoint by chain id and genesis hash", async () => {
    const good = await node((m) => (m === "eth_chainId" ? "0x1" : { hash: ethereum.genesisHash }));
    const chain = await connectChain(ethereum, [good.url]);
    expect(chain.genesisChecked).to.equal(true);
    expect(chain.endpoint).to.match(/^127\.0\.0\.1:\d+$/);
    expect(good.calls).to.deep.equal(["eth_chainId", "eth_getBlockByNumber"]);
    chain.close();
  });

  it("refuses another chain and another genesis, without trying the next endpoint", async () => {
    const other = await node(() => "0xa");
    const fork = await node((m) => (m === "eth_chainId" ? "0x1" : { hash: `0x${"12".repeat(32)}` }));
    const next = await node((m) => (m === "eth_chainId" ? "0x1" : { hash: ethereum.genesisHash }));
    expect(await failure(connectChain(ethereum, [other.url, next.url]))).to.include({ code: "config" });
    const genesis = await failure(connectChain(ethereum, [fork.url, next.url]));
    expect(genesis.message).to.match(/another genesis block/);
    expect(next.calls).to.deep.equal([]);
    (await connectChain(ethereum, [fork.url], { local: true })).close();
  });

  it("takes the next endpoint when one hangs, errs or speaks no JSON-RPC, and names hosts only when none is left", async () => {
    const hangs = await node(() => null);
    const errs = await node(() => new Error("503"));
    const limits = await node(() => new Error("429"));
    const nonsense = await node(() => "hello");
    const pruned = await node((m) => (m === "eth_chainId" ? "0x1" : undefined));
    const all = [hangs.url, errs.url, limits.url, nonsense.url];
    const start = performance.now();
    const chain = await connectChain(ethereum, [...all, pruned.url], { timeoutMs: 150 });
    expect(chain.genesisChecked).to.equal(false);
    chain.close();
    const none = await failure(connectChain(ethereum, all, { timeoutMs: 150 }));
    expect(none.code).to.equal("network");
    expect(none.message).to.match(/timeout.*rate-limited|rate-limited/);
    expect(performance.now() - start).to.be.lessThan(3_000);
    expect(await failure(connectChain(ethereum, ["ws://127.0.0.1:1"]))).to.include({ code: "network" });
    expect((await failure(connectChain(ethereum, [`ftp://127.0.0.1/${KEY}`]))).message).to.match(/http:\/\/ or https/);
    expect((await failure(connectChain(ethereum, []))).code).to.equal("config");
  });
});

describe("an endpoint's failures after the connection", () => {
  /** Knows its chain, and answers everything else by `misbehave`. */
  async function connectedTo(misbehave: (res: ServerResponse, url: string) => void) {
    const server = createServer((req, res) => {
      let body = "";
      req.on("data", (d: Buffer) => (body += d.toString()));
      req.on("end", () => {
        const { id, method } = JSON.parse(body) as { id: number; method: string };
        if (method === "eth_chainId") res.end(JSON.stringify({ jsonrpc: "2.0", id, result: "0x1" }));
        else misbehave(res, req.url ?? "");
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v2/${KEY}?apikey=${KEY}`;
    const chain = await connectChain(ethereum, [url], { local: true, timeoutMs: 150 });
    const close = (): void => {
      chain.close();
      server.closeAllConnections();
      server.close();
    };
    return { chain, close };
  }

  it("hold no part of the key in message, stack, fields or cause, even where the server repeats the path", async () => {
    for (const status of [401, 404, 500]) {
      const { chain, close } = await connectedTo((res, url) => res.writeHead(status).end(`Cannot POST ${url}, bad key ${KEY}`));
      const read = { target: ethereum.wrappedNative, data: "0x", what: "a word" };
      const errors = await Promise.all([
        rejection(chain.provider.getBalance(ethereum.wrappedNative)),
        rejection(chain.provider.send("eth_sendRawTransaction", ["0x"])),
        rejection(readAll(chain.provider, [read], "latest")),
      ]);
      for (const error of errors) {
        const all = [inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error), error.stack, String(error.cause)];
        expect(all.join("\n")).not.to.include(KEY);
        expect(all.join("\n")).to.include(`${status}`);
      }
      close();
    }
  });

  it("end at the deadline although bytes keep coming", async () => {
    let drops: NodeJS.Timeout | undefined;
    let left = 100;
    const { chain, close } = await connectedTo((res) => {
      res.writeHead(200);
      drops = setInterval(() => (left-- > 0 ? res.write(" ") : res.end()), 20);
    });
    const start = performance.now();
    const error = await rejection(chain.provider.getBalance(ethereum.wrappedNative));
    clearInterval(drops);
    close();
    expect(classifyNodeError(error).kind).to.equal("timeout");
    expect(performance.now() - start).to.be.lessThan(1500);
  });
});

describe("waitForReceipt", () => {
  it("gives the receipt of a mined transaction, and unknown, never failed, otherwise", async () => {
    const conn = await hardhat.create({ network: "default", override: { chainId: 1 } as any });
    const { provider } = await chainFromProvider(ethereum, conn.ethers.provider, { local: true });
    const [signer] = await conn.ethers.getSigners();
    const tx = await signer!.sendTransaction({ to: signer!.address, value: 1n });
    const mined = await waitForReceipt(provider, tx.hash, { deadlineMs: 1_000, pollMs: 5 });
    expect(mined).to.deep.include({ status: "mined", success: true });

    const missing = `0x${"ab".repeat(32)}`;
    const unknown = await waitForReceipt(provider, missing, { deadlineMs: 40, pollMs: 10 });
    expect(unknown).to.deep.include({ status: "unknown", hash: missing, lastError: null });
    const aborted = await waitForReceipt(provider, missing, {
      deadlineMs: 60_000,
      pollMs: 30_000,
      signal: AbortSignal.timeout(20),
    });
    expect(aborted.status).to.equal("unknown");

    const broken = { getTransactionReceipt: () => Promise.reject(new Error("connect ECONNREFUSED")) } as any;
    expect(await waitForReceipt(broken, missing, { deadlineMs: 20, pollMs: 5 })).to.deep.include({
      status: "unknown",
      lastError: "unreachable: connect ECONNREFUSED",
    });
    const silent = { getTransactionReceipt: () => new Promise(() => {}) } as any;
    const late = await waitForReceipt(silent, missing, { deadlineMs: 30, pollMs: 5 });
    expect(late).to.include({ status: "unknown" });
    await conn.close();
  });
});
