import { expect } from "chai";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type LocalRelay, startLocalRelay } from "../../src/sim/relay/relay.js";
import { type Campaign, type CampaignTools, runCampaign } from "../../src/submit/bundle-campaign.js";
import { bundleRoute } from "../../src/submit/relays/bundle.js";
import { privateTransactionRoute } from "../../src/submit/relays/private-transaction.js";
import type { SignedBytes } from "../../src/submit/route.js";
import type { RelayRecord } from "../../src/submit/submission.js";
import { Account, client, FAILS, GWEI, head, newSigner, placePayer } from "../helpers/relay.js";

describe("a campaign of bundles", function () {
  this.timeout(60_000);
  let chain: LocalChain;
  let relay: LocalRelay;
  let a: Account;
  let b: Account;

  before(async () => {
    chain = await startLocalChain(1, { blockOrder: "fifo", mining: { auto: false } });
    await placePayer(chain);
    relay = await startLocalRelay(chain);
    [a, b] = [new Account(chain, 0), new Account(chain, 1)];
  });
  after(async () => {
    await relay?.close();
    await chain?.close();
  });
  afterEach(() => {
    relay.faults.clear();
    relay.requests.splice(0);
  });

  const GAS = 100_000n;
  interface World {
    campaign: Campaign;
    tools: CampaignTools;
    records: RelayRecord[];
    signed: (SignedBytes & { tip: bigint })[];
    stop: AbortController;
  }

  /** A campaign of account a for the next `blocks` blocks; attempts that were journaled stand in `signed`. */
  async function world(blocks: number, over: Partial<Campaign> = {}, data?: string): Promise<World> {
    const nonce = await a.nonce();
    const signed: World["signed"] = [];
    const records: RelayRecord[] = [];
    const stop = new AbortController();
    const bundles = client(relay.url);
    const ladder = { start: GWEI, stepPpm: 500_000, budget: 3n * GWEI * GAS, gasLimit: GAS };
    const campaign = { lastBlock: (await head(chain)) + BigInt(blocks), ladder, blocksPerTip: 1, ...over };
    const tools: CampaignTools = {
      routes: [bundleRoute("flashbots", bundles)],
      head: async () => await head(chain),
      landed: async (hashes) => {
        for (const hash of hashes) {
          const receipt = await chain.rpc<{ blockNumber: string; status: string } | null>("eth_getTransactionReceipt", [hash]);
          if (receipt) return { hash, blockNumber: BigInt(receipt.blockNumber), success: receipt.status === "0x1" };
        }
        return null;
      },
      sign: async (tip) => {
        const bytes = await a.sign({ nonce, tip, ...(data !== undefined && { data }) });
        signed.push({ ...bytes, tip });
        return bytes;
      },
      simulate: async (txs, block) => await bundles.callBundle(txs, block, 20_000),
      record: (record) => void records.push(record),
      signal: stop.signal,
      deadlineMs: 20_000,
      pollMs: 5,
      patienceMs: 30_000,
    };
    return { campaign, tools, records, signed, stop };
  }

  const sends = () => relay.requests.filter((r) => r.method === "eth_sendBundle").map((r) => r.params[0] as any);

  it("aims at one block after another, climbs its ladder to the budget, and lands", async () => {
    const w = await world(10);
    const running = runCampaign(w.campaign, w.tools);
    // what it sent for four blocks is lost by the relay; then it behaves
    relay.faults.add({ kind: "accept-and-drop" }, { times: 4 });
    const first = await head(chain);
    for (let i = 1; i <= 5; i++) {
      await settledRecords(w, i);
      await relay.buildBlock();
    }
    const end = await running;
    expect(sends().map((p) => BigInt(p.blockNumber))).to.deep.equal([1n, 2n, 3n, 4n, 5n].map((i) => first + i));
    expect(new Set(sends().map((p) => p.replacementUuid)).size).to.equal(5);
    expect(w.signed.map((s) => s.tip)).to.deep.equal([GWEI, (3n * GWEI) / 2n, (9n * GWEI) / 4n, 3n * GWEI]);
    // the budget is used up: the last bytes are sent again
    expect(sends().map((p) => p.txs)).to.deep.equal([...w.signed, w.signed[3]!].map((s) => [s.raw]));
    if (end.status !== "landed") throw new Error(end.status);
    expect(end.landing).to.deep.equal({ hash: w.signed[3]!.hash, blockNumber: first + 5n, success: true });
    expect(end.hashes).to.have.members(w.signed.map((s) => s.hash));
    expect(w.records.map((r) => r.kind)).to.deep.equal(["answer", "answer", "answer", "answer", "answer", "landed"]);
  });

  async function settledRecords(w: World, count: number): Promise<void> {
    const end = Date.now() + 30_000;
    while (w.records.length < count) {
      if (Date.now() > end) throw new Error("the answers do not come");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  it("ends at its last block, and leaves every hash to be watched", async () => {
    const w = await world(2, {}, FAILS);
    const running = runCampaign(w.campaign, w.tools);
    for (let i = 1; i <= 2; i++) {
      await settledRecords(w, i);
      await relay.buildBlock();
    }
    expect(await running).to.deep.equal({ status: "expired", hashes: w.signed.map((s) => s.hash), lastError: null });
    expect(w.signed).to.have.length(2);
  });

  it("withdraws what may still land when the opportunity dies, and watches it all the same", async () => {
    for (const late of [false, true]) {
      relay.requests.splice(0);
      const w = await world(5);
      const running = runCampaign(w.campaign, w.tools);
      await settledRecords(w, 1);
      if (late) relay.faults.add({ kind: "accept-and-drop" }, { method: "eth_cancelBundle" });
      w.stop.abort();
      const end = await running;
      expect(end).to.deep.equal({ status: "died", hashes: [w.signed[0]!.hash], lastError: null });
      const cancels = w.records.filter((r) => r.kind === "answer" && r.action === "cancel");
      expect(cancels.map((r) => r.kind === "answer" && r.answer.status)).to.deep.equal(["accepted"]);
      const { txs } = await relay.buildBlock();
      expect(txs, "the cancel was acknowledged both times").to.deep.equal(late ? [w.signed[0]!.hash] : []);
    }
  });

  it("takes back private transactions of earlier attempts too", async () => {
    const w = await world(6, {}, FAILS);
    w.tools.routes.push(privateTransactionRoute("flashbots-private", client(relay.url, "flashbots", newSigner())));
    const running = runCampaign(w.campaign, w.tools);
    for (let i = 1; i <= 2; i++) {
      await settledRecords(w, 2 * i);
      await relay.buildBlock();
    }
    await settledRecords(w, 6);
    w.stop.abort();
    expect((await running).hashes).to.have.length(3);
    const taken = relay.requests.filter((r) => r.method === "eth_cancelPrivateTransaction");
    expect(taken.map((r) => (r.params[0] as any).txHash)).to.have.members(w.signed.map((s) => s.hash));
    expect(relay.waiting()).to.equal(0);
  });

  it("finds landed what a relay had refused", async () => {
    const w = await world(5);
    relay.faults.add({ kind: "refuse-and-keep" });
    const running = runCampaign(w.campaign, w.tools);
    await settledRecords(w, 1);
    expect(w.records[0]).to.have.nested.property("answer.status", "refused");
    await relay.buildBlock();
    expect((await running).status).to.equal("landed");
  });

  it("follows a pending transaction only where the simulation says that both succeed", async () => {
    const followed = await b.sign();
    await chain.rpc("eth_sendRawTransaction", [followed.raw]);
    const w = await world(3, { after: followed });
    const running = runCampaign(w.campaign, w.tools);
    await settledRecords(w, 2);
    const { txs } = await relay.buildBlock();
    expect(txs).to.deep.equal([followed.hash, w.signed[0]!.hash]);
    expect((await running).status).to.equal("landed");
    expect(w.records.map((r) => r.kind === "answer" && r.action)).to.deep.equal(["simulate", "send", false]);

    const doomed = await b.sign({ data: FAILS });
    for (const over of [{ after: doomed }, { after: await b.sign() }]) {
      const x = await world(1, over, over.after === doomed ? undefined : FAILS);
      const idle = runCampaign(x.campaign, x.tools);
      await settledRecords(x, 1);
      await relay.buildBlock();
      expect(await idle).to.deep.equal({ status: "expired", hashes: [], lastError: null });
      expect(x.records).to.have.length(1);
      expect(x.records[0]).to.have.nested.property("answer.kind", "reverted");
    }
  });

  it("ends when the followed transaction has landed without it, and sends nothing that was not simulated", async () => {
    const followed = await b.sign();
    const w = await world(4, { after: followed });
    relay.faults.add({ kind: "status", status: 503 }, { method: "eth_callBundle" });
    const running = runCampaign(w.campaign, w.tools);
    await settledRecords(w, 1);
    expect(w.records[0]).to.have.nested.property("answer.status", "unknown");
    await chain.rpc("eth_sendRawTransaction", [followed.raw]);
    await relay.buildBlock();
    expect(await running).to.deep.equal({ status: "followed-landed", hashes: [], lastError: null });
    expect(sends()).to.deep.equal([]);
  });

  it("outlives a node that does not answer, and gives up on a chain that stands still", async () => {
    const w = await world(5);
    const { landed: look, head: number } = w.tools;
    let looks = 0;
    let heads = 0;
    w.tools.landed = async (hashes) => {
      if (looks++ === 0) throw new Error("socket hang up");
      return await look(hashes);
    };
    w.tools.head = async () => {
      if ([1, 2, 3].includes(heads++)) throw new Error("socket hang up");
      return await number();
    };
    const running = runCampaign(w.campaign, w.tools);
    await settledRecords(w, 1);
    await relay.buildBlock();
    // it did not see that the first landed, and sent the same nonce again
    await settledRecords(w, 2);
    await relay.buildBlock();
    const found = await running;
    expect(found).to.have.nested.property("landing.hash", w.signed[0]!.hash);

    const x = await world(5);
    x.tools.patienceMs = 60;
    x.tools.landed = () => Promise.reject(new Error("socket hang up"));
    const end = await runCampaign(x.campaign, x.tools);
    expect(end).to.deep.equal({ status: "stalled", hashes: [x.signed[0]!.hash], lastError: "socket hang up" });
    expect(x.records.map((r) => r.kind === "answer" && r.action)).to.deep.equal(["send", "cancel"]);
    expect(relay.waiting()).to.equal(0);
  });

  it("stops where its slot is taken, and where its answers cannot be recorded", async () => {
    const w = await world(5);
    let turns = 0;
    const { sign } = w.tools;
    w.tools.sign = async (tip) => (turns++ === 0 ? await sign(tip) : null);
    const running = runCampaign(w.campaign, w.tools);
    await settledRecords(w, 1);
    relay.faults.clear();
    await chain.rpc("evm_mine");
    const end = await running;
    expect(end.status).to.equal("slot-lost");
    const x = await world(5);
    x.tools.record = () => {
      throw new Error("disk full");
    };
    const failed = runCampaign(x.campaign, x.tools).catch((error: Error) => error.message);
    const limit = Date.now() + 30_000;
    while (sends().length < 2 && Date.now() < limit) await new Promise((resolve) => setTimeout(resolve, 5));
    await relay.buildBlock();
    await relay.buildBlock();
    expect(await failed).to.equal("disk full");
  });
});
