import { createServer, type Server, type Socket } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Wallet } from "ethers";
import { jsonStream } from "../../src/chain/transport/socket.js";
import { openPool, type PoolOptions, type RpcPool } from "../../src/chain/pool.js";
import { networkById } from "../../src/config/networks.js";
import { type FaultProxy, startFaultProxy } from "../../src/sim/fault-proxy.js";
import { localAccounts, startNode } from "../../src/sim/node.js";
import { serveRpc } from "../../src/sim/server.js";

export const ethereum = networkById(1)!;
export const SEED = Number(process.env["SEED"] ?? 20_261_123);

export interface FaultyNodes {
  /** Nodes of one chain, each behind a proxy of its own. */
  proxies: FaultProxy[];
  url: string;
  wsUrl: string;
  rpc<T>(method: string, params?: unknown[]): Promise<T>;
  /** Signed bytes of a transfer from account 0, not sent. Other `value`s are rivals for the same nonce. */
  transfer(nonce: number, value?: bigint): Promise<string>;
  pool(urls?: string[], options?: PoolOptions): RpcPool;
  mine(): Promise<void>;
  close(): Promise<void>;
}

/** An empty chain with `count` proxies before it. Pools that were opened here are closed with it. */
export async function faultyNodes(count = 2): Promise<FaultyNodes> {
  const node = await startNode(ethereum);
  const server = await serveRpc(node);
  const proxies: FaultProxy[] = [];
  for (let i = 0; i < count; i++) proxies.push(await startFaultProxy({ target: server.url, seed: SEED + i, remember: true }));
  const rpc = async <T>(method: string, params: unknown[] = []): Promise<T> => (await node.request(method, params)) as T;
  const pools: RpcPool[] = [];
  return {
    proxies,
    url: server.url,
    wsUrl: server.wsUrl,
    rpc,
    transfer: (nonce, value = 1n) =>
      new Wallet(localAccounts()[0]!.privateKey).signTransaction({
        type: 2,
        chainId: 1,
        nonce,
        to: localAccounts()[9]!.address,
        value,
        gasLimit: 21_000n,
        maxFeePerGas: 10n ** 11n,
        maxPriorityFeePerGas: 1n,
      }),
    pool: (urls = proxies.map((proxy) => proxy.url), options = {}) => {
      const pool = openPool(ethereum, urls, { local: true, timeoutMs: 5_000, ...options });
      pools.push(pool);
      return pool;
    },
    mine: () => rpc("evm_mine"),
    close: async () => {
      for (const pool of pools) pool.close();
      for (const proxy of proxies) await proxy.close();
      await server.close();
      await node.close();
    },
  };
}

/** The chain on a unix socket, as nodes offer it: JSON values one after another, `end` between them. */
export async function ipcNode(
  rpc: (method: string, params: unknown[]) => Promise<unknown>,
  end = "\n",
): Promise<{ url: string; sockets: Set<Socket>; close(): Promise<void> }> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "arb-ipc-"));
  const file = path.join(folder, "geth.ipc");
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    const read = jsonStream((text) => {
      const { id, method, params } = JSON.parse(text) as { id: number; method: string; params: unknown[] };
      rpc(method, params).then(
        (result) => socket.write(JSON.stringify({ jsonrpc: "2.0", id, result }) + end),
        (error: Error) =>
          socket.write(JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32000, message: error.message } }) + end),
      );
    });
    socket.on("data", read);
  });
  await new Promise<void>((resolve) => server.listen(file, resolve));
  return {
    url: `ipc:${file}`,
    sockets,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Asks until the answer is true; throws when it is not in time, by default ten seconds. */
export async function eventually(what: string, check: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`${what} did not happen in time`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
