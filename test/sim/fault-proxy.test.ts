import { expect } from "chai";
import { type FaultyNodes, faultyNodes } from "../helpers/faulty-nodes.js";

describe("fault proxy", () => {
  let nodes: FaultyNodes;
  beforeEach(async () => (nodes = await faultyNodes(1)));
  afterEach(async () => await nodes.close());
  const proxy = () => nodes.proxies[0]!;
  const post = async (body: unknown) => await fetch(proxy().url, { method: "POST", body: JSON.stringify(body) });
  const ask = async (method: string, params: unknown[] = []) =>
    (await (await post({ jsonrpc: "2.0", id: 7, method, params })).json()) as any;

  it("carries everything out faithfully while no fault is set, and lists what was asked", async () => {
    expect(await ask("eth_chainId")).to.deep.equal({ jsonrpc: "2.0", id: 7, result: "0x1" });
    const batch = await (
      await post([
        { id: 1, method: "eth_chainId", params: [] },
        { id: 2, method: "eth_blockNumber", params: [] },
      ])
    ).json();
    expect(batch).to.have.length(2);
    expect(proxy().calls.map((call) => call.method)).to.deep.equal(["eth_chainId", "eth_chainId", "eth_blockNumber"]);
  });

  it("hits the nth call, the first calls, single methods, or a share that the seed decides", async () => {
    const remove = proxy().set({ do: "status", status: 503, nth: 2, methods: ["eth_chainId"] });
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await post({ id: i, method: "eth_chainId", params: [] })).status);
    expect(statuses).to.deep.equal([200, 503, 200]);
    remove();
    proxy().set({ do: "error", code: -32000, message: "no", times: 1 });
    expect((await ask("eth_chainId")).error.message).to.equal("no");
    expect((await ask("eth_chainId")).result).to.equal("0x1");
    const drawn = async () => {
      const again = await faultyNodes(1);
      again.proxies[0]!.set({ do: "wrong-id", probability: 0.5 });
      const ids = [];
      for (let i = 0; i < 12; i++) {
        const body = JSON.stringify({ id: 7, method: "eth_chainId", params: [] });
        ids.push(((await (await fetch(again.proxies[0]!.url, { method: "POST", body })).json()) as any).id);
      }
      await again.close();
      return ids;
    };
    const [first, second] = [await drawn(), await drawn()];
    expect(first).to.deep.equal(second);
    expect(new Set(first).size).to.equal(2);
  });

  it("loses the answer of a transaction that is carried out, or takes one and forgets it", async () => {
    proxy().set({ do: "reset", when: "after", methods: ["eth_sendRawTransaction"] });
    const raw = await nodes.transfer(0);
    const lost = await ask("eth_sendRawTransaction", [raw]).catch(() => "lost");
    expect(lost).to.equal("lost");
    expect(Number(await nodes.rpc("eth_blockNumber"))).to.equal(1);
    proxy().clear();
    proxy().set({ do: "drop" });
    const { result: hash } = await ask("eth_sendRawTransaction", [await nodes.transfer(1)]);
    expect(await nodes.rpc("eth_getTransactionByHash", [hash])).to.equal(null);
  });

  it("freezes its head: number, blocks, state, receipts and pending transactions are as of then", async () => {
    proxy().set({ do: "stale-head" });
    const { result: frozen } = await ask("eth_blockNumber");
    const hash = await nodes.rpc("eth_sendRawTransaction", [await nodes.transfer(0)]);
    expect((await ask("eth_blockNumber")).result).to.equal(frozen);
    expect((await ask("eth_getBlockByNumber", ["latest", false])).result.number).to.equal(frozen);
    expect((await ask("eth_getBlockByNumber", ["0x1", false])).result).to.equal(null);
    expect((await ask("eth_getTransactionReceipt", [hash])).result).to.equal(null);
    expect((await ask("eth_getTransactionByHash", [hash])).result).to.include({ hash, blockNumber: null });
    const { from } = await nodes.rpc<{ from: string }>("eth_getTransactionByHash", [hash]);
    expect((await ask("eth_getTransactionCount", [from, "pending"])).result).to.equal("0x0");
    proxy().clear();
    expect((await ask("eth_getTransactionCount", [from, "latest"])).result).to.equal("0x1");
  });

  it("lies about chain and receipts", async () => {
    proxy().set({ do: "wrong-chain", chainId: 10 });
    expect((await ask("eth_chainId")).result).to.equal("0xa");
    const hash = await nodes.rpc<string>("eth_sendRawTransaction", [await nodes.transfer(0)]);
    const real = (await ask("eth_getTransactionReceipt", [hash])).result;
    for (const [lie, field] of [
      ["status", "status"],
      ["block", "blockHash"],
    ] as const) {
      const remove = proxy().set({ do: "lie-receipt", lie });
      const told = (await ask("eth_getTransactionReceipt", [hash])).result;
      expect(told[field]).not.to.equal(real[field]);
      expect({ ...told, [field]: real[field] }).to.deep.equal(real);
      remove();
    }
    proxy().set({ do: "lie-receipt", lie: "unmined" });
    expect((await ask("eth_getTransactionReceipt", [`0x${"ab".repeat(32)}`])).result).to.include({ status: "0x1" });
  });

  for (const depth of [1, 2, 5, 8])
    it(`reorganises the chain ${depth} deep: mined again one block later, replaced, and gone`, async () => {
      const hashes: string[] = [];
      for (let nonce = 0; nonce < depth; nonce++)
        hashes.push((await ask("eth_sendRawTransaction", [await nodes.transfer(nonce)])).result);
      const where = async (hash: string) =>
        Number((await nodes.rpc<{ blockNumber: string } | null>("eth_getTransactionReceipt", [hash]))?.blockNumber ?? -1);
      expect(await Promise.all(hashes.map(where))).to.deep.equal(hashes.map((_, i) => i + 1));
      const { dropped, added, ancestor } = await proxy().reorg(depth);
      expect([dropped.length, added.length, ancestor]).to.deep.equal([depth, depth + 1, 0]);
      expect(await Promise.all(hashes.map(where))).to.deep.equal(hashes.map((_, i) => i + 2));
      expect(new Set([...dropped, ...added]).size).to.equal(2 * depth + 1);
      // the marks before the branch are gone with it, the ancestor's is not
      const rival = await nodes.transfer(0, 5n);
      await proxy().reorg(depth + 1, { branch: () => [[rival], [], ...Array.from({ length: depth }, () => [])] });
      expect(await Promise.all(hashes.map(where))).to.deep.equal(hashes.map(() => -1));
      const first = await nodes.rpc<{ transactions: string[] }>("eth_getBlockByNumber", ["0x1", false]);
      expect(first.transactions).to.have.length(1);
      // it mines by itself again
      expect(await where((await ask("eth_sendRawTransaction", [await nodes.transfer(1)])).result)).to.equal(depth + 3);
    });
});
