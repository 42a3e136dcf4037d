import { expect } from "chai";
import { classifyNodeError } from "../../src/chain/errors.js";
import { beforeDeadline } from "../../src/chain/receipts.js";
import type { Fault } from "../../src/sim/fault-proxy.js";
import { localAccounts } from "../../src/sim/node.js";
import { type FaultyNodes, faultyNodes } from "../helpers/faulty-nodes.js";

const SHORT_MS = 300;
/** What answers at all must not fail because the machine is loaded; what hangs need not be waited for. */
const deadlineFor = (fault: Fault): number => (fault.do === "hang" ? SHORT_MS : 20_000);
/** Nothing waits beyond its deadline, with room for the machine. */
const inTime = <T>(promise: Promise<T>): Promise<T> => beforeDeadline(promise, 40_000);

/** Every fault, and what a pool makes of it where its only endpoint has it. */
const TABLE: { name: string; fault: Fault; read: string; send: string; receipt: string }[] = [
  { name: "latency", fault: { do: "latency", ms: 30 }, read: "ok", send: "accepted", receipt: "mined" },
  { name: "hang", fault: { do: "hang" }, read: "timeout", send: "unknown", receipt: "unknown" },
  {
    name: "reset before forwarding",
    fault: { do: "reset", when: "before" },
    read: "unreachable",
    send: "unknown",
    receipt: "unknown",
  },
  {
    name: "reset after forwarding",
    fault: { do: "reset", when: "after" },
    read: "unreachable",
    send: "unknown",
    receipt: "unknown",
  },
  {
    name: "429",
    fault: { do: "status", status: 429, retryAfter: 60 },
    read: "rate-limited",
    send: "unknown",
    receipt: "unknown",
  },
  { name: "502", fault: { do: "status", status: 502 }, read: "unreachable", send: "unknown", receipt: "unknown" },
  { name: "HTML with 200", fault: { do: "html" }, read: "malformed-answer", send: "unknown", receipt: "unknown" },
  { name: "truncated JSON", fault: { do: "truncate" }, read: "malformed-answer", send: "unknown", receipt: "unknown" },
  { name: "another id", fault: { do: "wrong-id" }, read: "malformed-answer", send: "unknown", receipt: "unknown" },
  { name: "a flood", fault: { do: "flood", bytes: 300_000 }, read: "malformed-answer", send: "unknown", receipt: "unknown" },
  {
    name: "an error of the node",
    fault: { do: "error", code: -32603, message: "Internal error" },
    read: "node-fault",
    send: "unknown",
    receipt: "unknown",
  },
  { name: "a stale head", fault: { do: "stale-head", block: 0 }, read: "ok", send: "accepted", receipt: "missing" },
  { name: "a dropped transaction", fault: { do: "drop" }, read: "ok", send: "accepted", receipt: "mined" },
  { name: "a missing receipt", fault: { do: "no-receipt" }, read: "ok", send: "accepted", receipt: "missing" },
  {
    name: "a receipt with another status",
    fault: { do: "lie-receipt", lie: "status" },
    read: "ok",
    send: "accepted",
    receipt: "mined",
  },
  {
    name: "a receipt of another block",
    fault: { do: "lie-receipt", lie: "block" },
    read: "ok",
    send: "accepted",
    receipt: "unknown",
  },
  // the transaction of this row's receipt is really mined; the next test has one that is not
  { name: "an invented receipt", fault: { do: "lie-receipt", lie: "unmined" }, read: "ok", send: "accepted", receipt: "mined" },
];
/** What a second, honest endpoint cannot repair: the two contradict each other. */
const DISPUTED = ["a receipt with another status", "a receipt of another block", "a missing receipt", "a stale head"];

describe("RPC pool under faults", () => {
  let nodes: FaultyNodes;
  let nonce = 0;
  let mined: string;
  before(async () => {
    nodes = await faultyNodes(2);
    mined = await nodes.rpc("eth_sendRawTransaction", [await nodes.transfer(nonce++)]);
  });
  after(async () => await nodes.close());
  afterEach(() => nodes.proxies.forEach((proxy) => proxy.clear()));

  const account = localAccounts()[9]!.address;
  const readOf = async (pool: ReturnType<FaultyNodes["pool"]>, deadlineMs: number) =>
    await pool.call("eth_getBalance", [account, "latest"], { deadlineMs }).then(
      () => "ok",
      (error: unknown) => classifyNodeError(error).kind as string,
    );
  /** A pool whose endpoints have proved what they are before anything goes wrong. */
  const opened = async (count: number) => {
    const pool = nodes.pool(
      nodes.proxies.slice(0, count).map((proxy) => proxy.url),
      { maxBytes: 200_000 },
    );
    await Promise.all((pool as unknown as { members: any[] }).members.map((member) => member.verify({ timeoutMs: 10_000 })));
    return pool;
  };
  const isMined = async (hash: string) => (await nodes.rpc("eth_getTransactionReceipt", [hash])) !== null;

  for (const { name, fault, read, send, receipt } of TABLE) {
    it(`${name}: alone it is ${read}, ${send}, ${receipt}; with a second endpoint all goes well`, async () => {
      const deadlineMs = deadlineFor(fault);
      const alone = await opened(1);
      nodes.proxies[0]!.set({ ...fault });
      expect(await inTime(readOf(alone, deadlineMs)), "read").to.equal(read);
      const answer = await inTime(alone.broadcast(await nodes.transfer(nonce), { deadlineMs }));
      expect(answer.status, `broadcast: ${answer.detail}`).to.equal(send);
      if (await isMined(answer.hash)) nonce++;
      expect((await inTime(alone.receipt(mined, { deadlineMs }))).status, "receipt").to.equal(receipt);
      nodes.proxies[0]!.clear();

      const both = await opened(2);
      nodes.proxies[0]!.set({ ...fault });
      // room for the machine: the deadline is no part of this
      expect(await both.call("eth_getBalance", [account, "latest"], { deadlineMs: 20_000 })).to.match(/^0x/);
      const sent = await both.broadcast(await nodes.transfer(nonce), { deadlineMs: 20_000 });
      expect(sent.status, sent.detail).to.equal("accepted");
      if (fault.do !== "drop" || (await isMined(sent.hash))) nonce++;
      const verdict = await inTime(both.receipt(mined, { deadlineMs }));
      if (DISPUTED.includes(name)) expect(verdict.status).to.equal("unknown");
      else expect(verdict.status).to.be.oneOf(["mined", "unknown"]); // unknown where the faulty one does not answer: one is too few
      if (receipt === "mined" && !DISPUTED.includes(name)) expect(verdict.status).to.equal("mined");
      nodes.proxies[0]!.clear();
      await nodes.rpc("eth_sendRawTransaction", [await nodes.transfer(nonce)]).then(
        () => nonce++,
        () => undefined,
      );
      nonce = Number(await nodes.rpc("eth_getTransactionCount", [localAccounts()[0]!.address, "latest"]));
    });
  }

  it("never takes an invented receipt: alone by the block that does not hold it, with two by the other", async () => {
    const invented = `0x${"ab".repeat(32)}`;
    for (const count of [1, 2]) {
      const pool = await opened(count);
      const remove = nodes.proxies[0]!.set({ do: "lie-receipt", lie: "unmined" });
      expect((await pool.receipt(invented)).status).to.equal("unknown");
      remove();
      expect(await pool.receipt(invented)).to.deep.equal({ status: "missing" });
    }
  });

  it("says accepted where one endpoint took what another forgot, refused what the second try of a gateway refused", async () => {
    const pool = await opened(2);
    nodes.proxies[0]!.set({ do: "drop" });
    const raw = await nodes.transfer(nonce++);
    expect((await pool.broadcast(raw)).status).to.equal("accepted");
    await nodes.rpc("evm_mine");
    nodes.proxies[0]!.clear();
    // both refuse it now, because its nonce is used: by itself
    const again = await pool.broadcast(raw);
    expect(again.status, again.detail).to.equal("accepted");
    // another transaction of the same nonce is refused by everyone, and nobody has it
    const rival = await pool.broadcast(await nodes.transfer(nonce - 1, 2n));
    expect(rival).to.include({ status: "refused", kind: "nonce-too-low" });
    // one refuses and one is silent: it may have been taken
    nodes.proxies[1]!.set({ do: "hang", methods: ["eth_sendRawTransaction"] });
    const doubtful = await pool.broadcast(await nodes.transfer(nonce - 1, 3n), { deadlineMs: SHORT_MS });
    expect(doubtful.status).to.equal("unknown");
  });

  it("serves a flood of reads while an endpoint fails at random", async () => {
    const pool = await opened(2);
    nodes.proxies[0]!.set({ do: "reset", when: "before", probability: 0.3 });
    nodes.proxies[0]!.set({ do: "status", status: 503, probability: 0.3 });
    const all = await Promise.all(
      Array.from({ length: 200 }, () => pool.call<string>("eth_getBalance", [account, "latest"], { deadlineMs: 30_000 })),
    );
    expect(new Set(all).size).to.equal(1);
    expect(nodes.proxies[1]!.calls.length).to.be.greaterThan(0);
  });
});
