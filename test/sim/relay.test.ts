import { randomUUID } from "node:crypto";
import { expect } from "chai";
import { keccak256, toQuantity } from "ethers";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type LocalRelay, startLocalRelay } from "../../src/sim/relay/relay.js";
import { Account, FAILS, GWEI, head, landed, newSigner, OK, placePayer } from "../helpers/relay.js";

describe("local relay", function () {
  this.timeout(60_000);
  let chain: LocalChain;
  let relay: LocalRelay;
  let a: Account;
  let b: Account;
  const me = newSigner();

  before(async () => {
    chain = await startLocalChain(1, { blockOrder: "fifo" });
    await placePayer(chain);
    await chain.setMining({ auto: false });
    relay = await startLocalRelay(chain);
    [a, b] = [new Account(chain, 0), new Account(chain, 1)];
  });
  after(async () => {
    await relay?.close();
    await chain?.close();
  });

  type Answer = { status: number; result?: any; error?: { code: number; message: string }; text?: string };
  interface Odd {
    signer?: typeof me;
    header?: string | null;
    change?: (body: string) => string;
    type?: string;
  }

  async function call(method: string, params: unknown[], odd: Odd = {}): Promise<Answer> {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const signature = odd.header === undefined ? (odd.signer ?? me).headers(body)["X-Flashbots-Signature"] : odd.header;
    const response = await fetch(relay.url, {
      method: "POST",
      headers: {
        "content-type": odd.type ?? "application/json",
        ...(signature !== null && { "x-flashbots-signature": signature }),
      },
      body: (odd.change ?? ((x) => x))(body),
    });
    const text = await response.text();
    try {
      return { status: response.status, ...(JSON.parse(text) as object) };
    } catch {
      return { status: response.status, text };
    }
  }
  const next = async (more = 1): Promise<string> => toQuantity((await head(chain)) + BigInt(more));

  it("takes only requests that are signed as they are", async () => {
    expect((await call("eth_sendBundle", [{}], { header: null })).error?.message).to.equal("no signature provided");
    const changed = await call("eth_sendBundle", [{}], { change: (body) => `${body} ` });
    expect(changed.error?.message).to.contain("signing address mismatch");
    expect((await call("nothing", [])).error?.code).to.equal(-32601);
    expect((await call("eth_sendBundle", [{}], { type: "text/plain" })).status).to.equal(415);
    expect((await fetch(relay.url)).status).to.equal(405);
  });

  it("simulates to the wei and leaves no trace", async () => {
    const [x, y] = [await a.sign({ value: 10n ** 15n }), await b.sign()];
    const before = await head(chain);
    const { result } = await call("eth_callBundle", [
      { txs: [x.raw, y.raw], blockNumber: await next(), stateBlockNumber: "latest" },
    ]);
    expect(result.results.map((r: { txHash: string }) => r.txHash)).to.deep.equal([x.hash, y.hash]);
    expect(BigInt(result.ethSentToCoinbase)).to.equal(10n ** 15n);
    const gas = BigInt(result.totalGasUsed);
    expect(BigInt(result.gasFees)).to.equal(gas * GWEI);
    expect(BigInt(result.coinbaseDiff)).to.equal(gas * GWEI + 10n ** 15n);
    expect(BigInt(result.results[1].coinbaseDiff)).to.equal(BigInt(result.results[1].gasUsed) * GWEI);
    expect([await head(chain), await landed(chain, x.hash)]).to.deep.equal([before, null]);
    expect(await chain.rpc("eth_pendingTransactions")).to.deep.equal([]);
    const bad = await call("eth_callBundle", [{ txs: [(await a.sign({ data: FAILS })).raw], blockNumber: await next() }]);
    expect(bad.result.results[0]).to.include({ error: "execution reverted", revert: "no" });
    const gone = await call("eth_callBundle", [
      { txs: [(await a.sign({ nonce: 0, to: a.wallet.address })).raw, x.raw], blockNumber: await next() },
    ]);
    expect(gone.error?.message).to.contain(x.hash);
  });

  it("lands a bundle in order, all of it or nothing", async () => {
    const [x, y] = [await a.sign(), await b.sign({ tip: 5n * GWEI })];
    const sent = await call("eth_sendBundle", [{ txs: [x.raw, y.raw], blockNumber: await next() }]);
    expect(sent.result.bundleHash).to.equal(keccak256(x.hash + y.hash.slice(2)));
    expect((await relay.buildBlock()).txs).to.deep.equal([x.hash, y.hash]);
    const [z, bad] = [await a.sign(), await b.sign({ data: FAILS })];
    await call("eth_sendBundle", [{ txs: [z.raw, bad.raw], blockNumber: await next() }]);
    const built = await relay.buildBlock();
    expect(built.txs).to.deep.equal([]);
    expect(built.fates[0]!.fate).to.equal(`Failed ${bad.hash}`);
    expect(await landed(chain, z.hash)).to.equal(null);
    // its block is over: it is tried no more
    expect((await relay.buildBlock()).fates).to.deep.equal([]);
  });

  it("keeps what may revert, leaves out what may be dropped", async () => {
    const [x, bad] = [await a.sign(), await b.sign({ data: FAILS })];
    await call("eth_sendBundle", [{ txs: [x.raw, bad.raw], blockNumber: await next(), revertingTxHashes: [bad.hash] }]);
    await relay.buildBlock();
    expect([await landed(chain, x.hash), await landed(chain, bad.hash)]).to.deep.equal(["mined", "reverted"]);
    const [y, worse] = [await a.sign(), await b.sign({ data: FAILS })];
    await call("eth_sendBundle", [{ txs: [y.raw, worse.raw], blockNumber: await next(), droppingTxHashes: [worse.hash] }]);
    await relay.buildBlock();
    expect([await landed(chain, y.hash), await landed(chain, worse.hash)]).to.deep.equal(["mined", null]);
  });

  it("keeps to block and timestamp", async () => {
    const x = await a.sign();
    const past = await call("eth_sendBundle", [{ txs: [x.raw], blockNumber: toQuantity(await head(chain)) }]);
    expect(past.error?.message).to.contain("block in the past");
    await call("eth_sendBundle", [{ txs: [x.raw], blockNumber: await next(2) }]);
    expect((await relay.buildBlock()).txs).to.deep.equal([]);
    const { txs, timestamp } = await relay.buildBlock();
    expect(txs).to.deep.equal([x.hash]);
    const y = await a.sign();
    await call("eth_sendBundle", [{ txs: [y.raw], blockNumber: await next(), maxTimestamp: timestamp + 5 }]);
    const late = await relay.buildBlock({ timestamp: timestamp + 12 });
    expect(late.fates.map((f) => f.fate)).to.deep.equal(["IncorrectTimestamp"]);
    await call("eth_sendBundle", [{ txs: [y.raw], blockNumber: await next(), minTimestamp: timestamp + 24, maxTimestamp: 0 }]);
    expect((await relay.buildBlock({ timestamp: timestamp + 24 })).txs).to.deep.equal([y.hash]);
  });

  it("replaces and cancels for the same signer only, and ignores what comes after a cancel", async () => {
    const uuid = randomUUID();
    const [x, y] = [await a.sign({ value: 1n }), await a.sign({ value: 2n })];
    const send = async (tx: { raw: string }, replacementUuid: string) =>
      await call("eth_sendBundle", [{ txs: [tx.raw], blockNumber: await next(), replacementUuid }]);
    await send(x, uuid);
    await send(y, uuid);
    expect((await relay.buildBlock()).txs).to.deep.equal([y.hash]);
    for (const withdraw of [
      (u: string) => call("eth_cancelBundle", [{ replacementUuid: u }]),
      (u: string) => call("eth_sendBundle", [{ txs: [], replacementUuid: u }]),
    ]) {
      const u = randomUUID();
      const z = await a.sign();
      await send(z, u);
      await call("eth_cancelBundle", [{ replacementUuid: u }], { signer: newSigner() });
      expect(relay.waiting()).to.equal(1);
      await withdraw(u);
      await send(z, u);
      expect((await relay.buildBlock()).txs).to.deep.equal([]);
    }
  });

  it("prefers what pays more per gas, whoever sent it", async () => {
    const [low, high] = [await a.sign({ value: 10n }), await a.sign({ value: 10n ** 16n })];
    const other = await b.sign({ value: 10n ** 12n });
    for (const tx of [low, high, other])
      await call("eth_sendBundle", [{ txs: [tx.raw], blockNumber: await next() }], { signer: newSigner() });
    const built = await relay.buildBlock();
    expect(built.txs).to.deep.equal([high.hash, other.hash]);
    expect(built.fates.map((f) => f.fate)).to.have.members(["included", "included", "Conflict"]);
  });

  it("puts public transactions behind the bundles, by tip, and keeps those that do not fit", async () => {
    const nonce = await b.nonce();
    const [low, lower, gap] = [
      await b.sign({ nonce, tip: 2n * GWEI }),
      await b.sign({ nonce: nonce + 1, tip: GWEI }),
      await b.sign({ nonce: nonce + 5 }),
    ];
    const rich = await new Account(chain, 2).sign({ tip: 3n * GWEI });
    for (const tx of [low, lower, gap, rich]) await chain.rpc("eth_sendRawTransaction", [tx.raw]);
    const ours = await a.sign({ tip: 1n });
    await call("eth_sendBundle", [{ txs: [ours.raw], blockNumber: await next() }]);
    expect((await relay.buildBlock()).txs).to.deep.equal([ours.hash, rich.hash, low.hash, lower.hash]);
    const left = await chain.rpc<{ hash: string }[]>("eth_pendingTransactions");
    expect(left.map((tx) => tx.hash)).to.deep.equal([gap.hash]);
    await chain.rpc("hardhat_dropTransaction", [gap.hash]);
  });

  it("holds private transactions until their last block, and lands none that reverts or pays nothing", async () => {
    const x = await a.sign();
    expect((await call("eth_sendPrivateTransaction", [{ tx: x.raw }])).result).to.equal(x.hash);
    expect(await chain.rpc("eth_getTransactionByHash", [x.hash])).to.equal(null);
    expect((await call("eth_cancelPrivateTransaction", [{ txHash: x.hash }], { signer: newSigner() })).result).to.equal(false);
    expect((await call("eth_cancelPrivateTransaction", [{ txHash: x.hash }])).result).to.equal(true);
    const [bad, free] = [await a.sign({ data: FAILS }), await b.sign({ tip: 0n })];
    for (const tx of [bad, free]) await call("eth_sendPrivateTransaction", [{ tx: tx.raw, maxBlockNumber: await next(2) }]);
    expect((await relay.buildBlock()).fates.map((f) => f.fate)).to.have.members([`Failed ${bad.hash}`, "NotProfitable"]);
    await relay.buildBlock();
    expect(relay.waiting()).to.equal(0);
    const wrong = await call("eth_sendPrivateTransaction", [{ tx: x.raw, maxBlockNumber: 12 }]);
    expect(wrong.error?.code).to.equal(-32602);
    await call("eth_sendPrivateTransaction", [{ tx: x.raw }]);
    expect((await relay.buildBlock()).txs).to.deep.equal([x.hash]);
    expect(relay.waiting()).to.equal(0);
  });

  it("keeps the limits", async () => {
    const { raw } = await a.sign();
    const many = await call("eth_sendBundle", [{ txs: Array.from({ length: 101 }, () => raw), blockNumber: await next() }]);
    expect(many.error?.message).to.equal("too many txs in bundle");
    const big = await call("eth_sendBundle", [{ txs: [`0x${"00".repeat(300_001)}`], blockNumber: await next() }]);
    expect(big.error?.message).to.equal("bundle size limit exceeded");
    const junk = await call("eth_sendBundle", [{ txs: ["0x1234"], blockNumber: await next() }]);
    expect(junk.error?.message).to.equal("failed to decode transaction");
    const strict = await startLocalRelay(chain, { limits: { eth_cancelBundle: 2 } });
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_cancelBundle", params: [{ replacementUuid: "u" }] });
    const headers = { "content-type": "application/json", ...me.headers(body) };
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await fetch(strict.url, { method: "POST", headers, body })).status);
    expect(statuses).to.deep.equal([200, 200, 429]);
    await strict.close();
  });

  it("tries blocks in secret: nobody else sees one that was taken back", async () => {
    const told: string[] = [];
    const socket = new WebSocket(chain.wsUrl);
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    socket.addEventListener("message", (event) => told.push(String(event.data)));
    socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads"] }));
    await chain.rpc("eth_blockNumber");
    const { raw } = await a.sign({ data: OK });
    const before = await head(chain);
    const seen = new Set<string>();
    const reading = { on: true };
    const reader = (async () => {
      while (reading.on) seen.add(String(await head(chain)));
    })();
    for (let i = 0; i < 5; i++) await call("eth_callBundle", [{ txs: [raw], blockNumber: await next() }]);
    reading.on = false;
    await reader;
    expect([...seen]).to.deep.equal([String(before)]);
    const { hash } = await relay.buildBlock();
    const end = Date.now() + 10_000;
    while (told.length < 2 && Date.now() < end) await chain.rpc("eth_blockNumber");
    socket.close();
    expect(told.slice(1).map((text) => JSON.parse(text).params.result.hash)).to.deep.equal([hash]);
  });

  it("builds by itself, beside a chain that mines public transactions at once", async () => {
    await chain.setMining({ auto: true });
    const slots = await startLocalRelay(chain, { slotMs: 20 });
    const open = await b.sign();
    await chain.rpc("eth_sendRawTransaction", [open.raw]);
    expect(await landed(chain, open.hash)).to.equal("mined");
    const before = await head(chain);
    const bundle = await a.sign();
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_sendBundle", params: [{ txs: [bundle.raw] }] });
    await fetch(slots.url, { method: "POST", headers: { "content-type": "application/json", ...me.headers(body) }, body });
    const end = Date.now() + 30_000;
    while ((await landed(chain, bundle.hash)) === null && Date.now() < end) await new Promise((r) => setTimeout(r, 5));
    expect([await landed(chain, bundle.hash), await head(chain)]).to.deep.equal(["mined", before + 1n]);
    expect(await chain.rpc("hardhat_getAutomine")).to.equal(true);
    await slots.close();
    await chain.setMining({ auto: false });
  });

  it("needs a chain whose blocks it can order", async () => {
    const other = await startLocalChain(1);
    const error = await startLocalRelay(other).catch((e: Error) => e.message);
    expect(error).to.contain("cannot order");
    await other.close();
  });
});
