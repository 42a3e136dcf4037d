import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import * as fc from "fast-check";
import { WebSocketServer } from "ws";
import { type BlockEvent, chainMemory, type Head } from "../../src/chain/heads.js";
import { openPool } from "../../src/chain/pool.js";
import { ethereum, eventually, type FaultyNodes, faultyNodes } from "../helpers/faulty-nodes.js";
import { asyncProperty } from "../helpers/property.js";

/** Blocks of a made-up tree; a branch is a list of labels from the root. */
function tree() {
  const blocks = new Map<string, Head>();
  const hash = (path: string) => `0x${Buffer.from(path).toString("hex").padEnd(64, "0").slice(-64)}`;
  const add = (parent: Head | null, salt: number): Head => {
    const number = parent === null ? 0 : parent.number + 1;
    const block = {
      number,
      hash: hash(`${blocks.size}:${salt}`),
      parentHash: parent?.hash ?? hash("none"),
      timestamp: number,
      baseFeePerGas: null,
    };
    blocks.set(block.hash, block);
    return block;
  };
  return { add, parent: (h: string) => Promise.resolve(blocks.get(h) ?? null) };
}

describe("chainMemory", () => {
  it("tells every block of every branch once, connected, and how deep each reorganisation goes", async () => {
    const step = fc.record({ back: fc.integer({ min: 0, max: 8 }), forward: fc.integer({ min: 1, max: 9 }) });
    await asyncProperty(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const { add, parent } = tree();
        const memory = chainMemory();
        let branch = [add(null, 0)];
        let told: Head[] = [];
        const follow = (events: BlockEvent[]) => {
          for (const { block, reorg, missed } of events) {
            expect(missed).to.equal(0);
            if (reorg !== null) {
              expect(reorg.dropped).to.deep.equal(told.slice(-reorg.depth));
              told = told.slice(0, told.length - reorg.depth);
            }
            if (told.length > 0) expect(block.parentHash).to.equal(told.at(-1)!.hash);
            told.push(block);
          }
        };
        follow(await memory.add(branch[0]!, "a", parent));
        for (const [i, { back, forward }] of steps.entries()) {
          branch = branch.slice(0, Math.max(1, branch.length - back));
          for (let k = 0; k < forward; k++) branch.push(add(branch.at(-1)!, i));
          // only the last one is announced: the others must be read
          follow(await memory.add(branch.at(-1)!, "a", parent));
          expect(told).to.deep.equal(branch);
          expect(await memory.add(branch.at(-1)!, "a", parent)).to.deep.equal([]);
        }
      }),
    );
  });

  it("says how many blocks it missed where the gap is too long to read, and that a fork is deeper than it remembers", async () => {
    const { add, parent } = tree();
    const memory = chainMemory();
    const root = add(null, 0);
    let far = root;
    for (let i = 0; i < 300; i++) far = add(far, 1);
    await memory.add(root, "a", parent);
    const events = await memory.add(far, "a", parent);
    expect(events[0]!.missed + events.length).to.equal(300);
    expect(events[0]!.reorg).to.equal(null);
    let other = root;
    for (let i = 0; i < 300; i++) other = add(other, 2);
    const [first] = await memory.add(other, "a", parent);
    expect(first!.reorg).to.include({ deeper: true });
  });
});

describe("onBlock", () => {
  let nodes: FaultyNodes;
  beforeEach(async () => (nodes = await faultyNodes(2)));
  afterEach(async () => await nodes.close());

  const record = (pool: ReturnType<FaultyNodes["pool"]>) => {
    const events: BlockEvent[] = [];
    const stop = pool.onBlock((event) => events.push(event));
    return { events, stop, tip: () => events.at(-1)?.block.number ?? -1 };
  };

  for (const kind of ["http", "ws"] as const)
    it(`${kind}: tells each new block, and reorganisations with their depth and what they dropped`, async () => {
      const [proxy] = nodes.proxies;
      const pool = nodes.pool([kind === "http" ? proxy!.url : proxy!.wsUrl], { pollMs: 20 });
      const { events, tip, stop } = record(pool);
      await eventually("the first block", () => tip() >= 0);
      let nonce = 0;
      for (let i = 0; i < 4; i++) {
        await proxy!.mark();
        await nodes.rpc("eth_sendRawTransaction", [await nodes.transfer(nonce++)]);
      }
      await eventually("four blocks", () => tip() === 4);
      const { dropped, added } = await proxy!.reorg(3);
      await eventually("the other branch", () => events.at(-1)?.block.hash === added.at(-1));
      const [reorg] = events.flatMap((event) => event.reorg ?? []);
      expect(reorg!.dropped.map((block) => block.hash)).to.deep.equal(dropped);
      // a node that is seen in the middle of it tells the same in two steps
      expect(events.filter((event) => added.includes(event.block.hash)).map((event) => event.block.hash)).to.deep.equal(added);
      stop();
    });

  it("keeps telling when the subscription goes silent, when the connection breaks, and when its endpoint dies", async () => {
    const [first, second] = nodes.proxies;
    const pool = nodes.pool([first!.wsUrl, second!.url], { pollMs: 20, timeoutMs: 300 });
    const { tip, stop, events } = record(pool);
    await eventually("the first block", () => tip() >= 0);
    first!.dropSockets();
    await nodes.mine();
    await eventually("a block after the connection broke", () => tip() === 1);
    first!.set({ do: "stale-head" });
    await nodes.mine();
    await nodes.mine();
    await nodes.mine();
    await eventually("blocks from the other endpoint", () => tip() === 4);
    expect(events.map((event) => event.block.number)).to.deep.equal([0, 1, 2, 3, 4]);
    stop();
  });

  it("is not ended by notifications that are none", async () => {
    const block = { number: "0x1", hash: `0x${"11".repeat(32)}`, parentHash: `0x${"00".repeat(32)}`, timestamp: "0x1" };
    const wrong = [undefined, null, 7, {}, { result: { ...block, baseFeePerGas: "no number" } }];
    const http = createServer();
    const server = new WebSocketServer({ server: http });
    let subscriptions = 0;
    server.on("connection", (socket) =>
      socket.on("message", (data: Buffer) => {
        const { id, method } = JSON.parse(data.toString()) as { id: number; method: string };
        const result = method === "eth_chainId" ? "0x1" : method === "eth_subscribe" ? "0xa" : null;
        socket.send(JSON.stringify({ jsonrpc: "2.0", id, result }));
        if (method !== "eth_subscribe") return;
        subscriptions++;
        for (const params of [...wrong, { result: { ...block, baseFeePerGas: "0x7" } }])
          socket.send(JSON.stringify({ jsonrpc: "2.0", method: "eth_subscription", params }));
      }),
    );
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    const { port } = http.address() as AddressInfo;
    const pool = openPool(ethereum, [`ws://127.0.0.1:${port}`], { local: true, pollMs: 20 });
    const { events, stop } = record(pool);
    await eventually("the right one", () => events.some(({ block: { baseFeePerGas } }) => baseFeePerGas === 7n));
    expect(subscriptions).to.equal(1);
    stop();
    pool.close();
    server.close();
    await new Promise((resolve) => http.close(resolve));
  });
});
