import { expect } from "chai";
import { hexlify, randomBytes, Transaction } from "ethers";
import { type Chain, connectChain } from "../../src/chain/connect.js";
import { Secret } from "../../src/config/secrets.js";
import type { Journal } from "../../src/journal/journal.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type LocalRelay, startLocalRelay } from "../../src/sim/relay/relay.js";
import { type PendingTransaction, readPending } from "../../src/opportunity/pending.js";
import { openRoutes, type Routes } from "../../src/submit/open-routes.js";
import type { SendTerms } from "../../src/submit/private-run.js";
import { TransactionExecutor } from "../../src/submit/transaction-executor.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { freshJournal } from "../helpers/journal.js";

const GWEI = 10n ** 9n;
const GAS = 30_000n;
const FEES = { maxFeePerGas: 20n * GWEI, maxPriorityFeePerGas: GWEI, nextBaseFee: 2n * GWEI };

/** What is sent by a relay, through the journal. Blocks come when a test builds them. */
describe("TransactionExecutor by relays", function () {
  this.timeout(60_000);
  let local: LocalChain;
  let chain: Chain;
  let relay: LocalRelay;
  let routes: Routes;
  let wallet: WalletManager;
  let executor: TransactionExecutor;
  let opened: Awaited<ReturnType<typeof freshJournal>>;
  let journal: Journal;

  before(async () => {
    opened = await freshJournal();
    ({ journal } = opened);
    local = await startLocalChain(1, { blockOrder: "fifo", mining: { auto: false } });
    chain = await connectChain(local.network, [local.url], { local: true });
    relay = await startLocalRelay(local);
    const submission = {
      routes: ["mine"],
      relays: [{ id: "mine", url: relay.url, like: "flashbots" }],
      relayKey: null,
      sequencer: null,
      sequencerMode: "raw" as const,
      expressLaneKey: null,
      refund: null,
    };
    routes = await openRoutes({ network: local.network, submission }, { nodes: [local.url] });
  });
  beforeEach(async () => {
    relay.requests.splice(0);
    wallet = new WalletManager(new Secret(hexlify(randomBytes(32))));
    await local.rpc("hardhat_setBalance", [wallet.address, "0xde0b6b3a7640000"]);
    executor = open();
  });
  afterEach(async () => {
    relay.faults.clear();
    await executor.close();
  });
  after(async () => {
    chain?.close();
    await relay?.close();
    await local?.close();
    await opened?.close();
  });

  const open = () => {
    const { simulator } = routes;
    return new TransactionExecutor(chain, wallet, routes.routes, { journal, simulator, pollMs: 5, sendMs: 20_000 });
  };
  const name = (id: string) => `${id} ${wallet.address}`;
  const head = async () => BigInt(await local.rpc<string>("eth_blockNumber"));
  const send = async (id: string, terms: SendTerms, value = 1n) =>
    await executor.send(name(id), { to: local.accounts[0]!, data: "0x12", value }, GAS, FEES, terms);
  const slotOf = async (id: string) => (await journal.find(1, name(id)))!;
  const until = async (what: string, holds: () => Promise<boolean> | boolean): Promise<void> => {
    const end = Date.now() + 30_000;
    while (!(await holds())) {
      if (Date.now() > end) throw new Error(`never: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const bundles = (count: number) =>
    until(`${count} bundles`, () => relay.requests.filter((r) => r.method === "eth_sendBundle").length >= count);

  it("journals a private attempt, lands it in the next block, and notes which relay took it", async () => {
    const attempt = await send("first", { lastBlock: (await head()) + 3n });
    await bundles(1);
    const [journaled] = (await slotOf("first")).attempts;
    expect(journaled).to.deep.include({ kind: "trade", visibility: "private", hash: attempt.hash });
    expect(await chain.provider.getTransaction(attempt.hash), "no node has it").to.equal(null);
    await relay.buildBlock();
    expect((await executor.watch(attempt, 20_000, 5)).status).to.equal("mined");
    expect(await executor.standing(attempt)).to.deep.equal({
      nonce: 0,
      routes: ["mine"],
      journal: "mined",
      attempts: 1,
      depth: 1,
    });
  });

  it("raises the tip block by block, each time journaled first, and never above ceiling and budget", async () => {
    const ladder = { stepPpm: 500_000, blocksPerTip: 1, budget: 2n * GWEI * GAS };
    relay.faults.add({ kind: "accept-and-drop" }, { times: 3 });
    const attempt = await send("climb", { lastBlock: (await head()) + 9n, ladder, feeCeiling: 21n * GWEI });
    for (let i = 1; i <= 4; i++) {
      await bundles(i);
      await relay.buildBlock();
    }
    const watched = await executor.watch(attempt, 20_000, 5);
    expect(watched.status).to.equal("mined");
    const { attempts } = await slotOf("climb");
    expect(attempts.map((a) => a.kind)).to.deep.equal(["trade", "replacement", "replacement"]);
    const signed = attempts.map(({ raw }) => Transaction.from(raw));
    expect(signed.map((t) => t.maxPriorityFeePerGas)).to.deep.equal([GWEI, (3n * GWEI) / 2n, 2n * GWEI]);
    expect(signed.map((t) => t.maxFeePerGas)).to.deep.equal([20n * GWEI, (41n * GWEI) / 2n, 21n * GWEI]);
    expect(new Set(signed.map((t) => t.nonce))).to.deep.equal(new Set([0]));
  });

  it("says that no block took it when its last one has passed; the next intent takes the nonce", async () => {
    relay.faults.add({ kind: "accept-and-drop" }, { times: 1 });
    const attempt = await send("late", { lastBlock: (await head()) + 1n });
    await bundles(1);
    await relay.buildBlock();
    expect(await executor.watch(attempt, 20_000, 5)).to.deep.equal({ status: "unlanded", end: "expired" });
    const next = await send("next", { lastBlock: (await head()) + 3n }, 2n);
    expect(next.nonce).to.equal(attempt.nonce);
    await bundles(2);
    await relay.buildBlock();
    expect((await executor.watch(next, 20_000, 5)).status).to.equal("mined");
    await executor.settle();
    expect(await journal.outcome(1, name("late"))).to.include({ status: "superseded" });
  });

  it("lets two opportunities compete for one nonce; the one that does not land is told so", async () => {
    const lastBlock = (await head()) + 3n;
    relay.faults.add({ kind: "accept-and-drop" }, { times: 1 });
    const a = await send("a", { lastBlock });
    await bundles(1);
    const b = await send("b", { lastBlock }, 2n);
    expect(b.nonce).to.equal(a.nonce);
    await bundles(2);
    await relay.buildBlock();
    expect((await executor.watch(b, 20_000, 5)).status).to.equal("mined");
    expect((await executor.watch(a, 20_000, 5)).status).to.equal("superseded");
  });

  it("withdraws what would not succeed any more", async () => {
    relay.faults.add({ kind: "accept-and-drop" }, { times: 1 });
    const attempt = await send("dead", { lastBlock: (await head()) + 5n, alive: async () => false });
    await bundles(1);
    await relay.buildBlock();
    expect(await executor.watch(attempt, 20_000, 5)).to.deep.equal({ status: "unlanded", end: "died" });
    expect(relay.requests.filter((r) => r.method === "eth_sendBundle")).to.have.length(1);
  });

  it("lands right behind a pending transaction, and is simulated behind it first", async () => {
    const other = new WalletManager(new Secret(hexlify(randomBytes(32))));
    await local.rpc("hardhat_setBalance", [other.address, "0xde0b6b3a7640000"]);
    const { maxFeePerGas, maxPriorityFeePerGas } = FEES;
    const transfer = { to: local.accounts[1]!, data: "0x", value: 1n, gasLimit: 21_000n, maxFeePerGas, maxPriorityFeePerGas };
    const followed = other.sign({ chainId: 1, nonce: 0, ...transfer });
    expect(executor.canFollow).to.equal(true);
    const attempt = await send("behind", {
      lastBlock: (await head()) + 3n,
      after: readPending(followed.raw) as PendingTransaction,
    });
    await bundles(1);
    const methods = relay.requests.map((r) => r.method);
    expect(methods.indexOf("eth_callBundle")).to.be.lessThan(methods.indexOf("eth_sendBundle"));
    const { txs } = await relay.buildBlock();
    expect(txs).to.deep.equal([followed.hash, attempt.hash]);
    expect((await executor.watch(attempt, 20_000, 5)).status).to.equal("mined");
  });

  it("goes on with the same bytes after a restart, until their last block", async () => {
    relay.faults.add({ kind: "accept-and-drop" }, { times: 1 });
    const attempt = await send("again", { lastBlock: (await head()) + 9n });
    await bundles(1);
    await executor.close();
    executor = open();
    await executor.settle();
    const sent = relay.requests.filter((r) => r.method === "eth_sendBundle").map((r) => r.params[0] as { txs: string[] });
    expect(sent.at(-1)!.txs).to.deep.equal([attempt.raw]);
    await relay.buildBlock();
    expect((await executor.watch(attempt, 20_000, 5)).status).to.equal("mined");
  });
});
