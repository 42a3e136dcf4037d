import { expect } from "chai";
import type { Outcome } from "../../src/execution/outcome.js";
import { SameChainExecutor } from "../../src/execution/same-chain-executor.js";
import type { Opportunity } from "../../src/opportunity/opportunity.js";
import type { PendingTransaction } from "../../src/opportunity/pending.js";
import { toJson } from "../../src/opportunity/schema.js";
import { validateOpportunity } from "../../src/opportunity/validate.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type Desk, openDesk } from "../../src/sim/desk.js";
import { type LocalRelay, startLocalRelay } from "../../src/sim/relay/relay.js";
import { openRoutes, type Routes } from "../../src/submit/open-routes.js";
import { chainRoute } from "../../src/submit/relays/node.js";
import { TransactionExecutor } from "../../src/submit/transaction-executor.js";
import { freshJournal } from "../helpers/journal.js";
import { openVictim, opportunityBehind, type Victim } from "../helpers/pending.js";

/** Opportunities that follow a pending transaction, from their JSON form to the block. Blocks come when a test builds them. */
describe("an opportunity behind a pending transaction", function () {
  this.timeout(120_000);
  let opened: Awaited<ReturnType<typeof freshJournal>>;
  let local: LocalChain;
  let relay: LocalRelay;
  let routes: Routes;
  let desk: Desk;
  let victim: Victim;
  let found: Opportunity;

  // nothing is turned back between tests: each has a chain of its own
  beforeEach(async () => {
    opened = await freshJournal();
    local = await startLocalChain(1, { blockOrder: "fifo" });
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
    desk = await openDesk(local, opened.journal, routes);
    victim = await openVictim(local);
    found = await opportunityBehind(desk, victim);
    await local.setMining({ auto: false });
  });
  afterEach(async () => {
    await desk?.close();
    await relay?.close();
    await local?.close();
    await opened?.close();
  });

  const bundles = () => relay.requests.filter((r) => r.method === "eth_sendBundle").map((r) => r.params[0] as { txs: string[] });
  const until = async (what: string, holds: () => Promise<boolean> | boolean): Promise<void> => {
    const end = Date.now() + 60_000;
    while (!(await holds())) {
      if (Date.now() > end) throw new Error(`never: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  /** As it comes in: JSON, validated. */
  const taken = (after: unknown): Opportunity => {
    const json = { ...toJson(found, local.network), after };
    const now = Math.floor(Date.now() / 1000);
    const result = validateOpportunity(json, { networks: [local.network], allowedPools: [], now });
    if (!result.ok) throw new Error(result.rejection.detail);
    return result.value;
  };
  const mempool = async (tx: PendingTransaction) => await local.rpc("eth_sendRawTransaction", [tx.raw]);
  const rejected = (outcome: Outcome) =>
    outcome.status === "rejected" ? outcome.rejection : { reason: outcome.status, detail: "" };
  /** Executes, and builds blocks as soon as something waits for them. */
  const blockAfterBundle = async (running: Promise<Outcome>, build: () => Promise<unknown> = () => relay.buildBlock()) => {
    await until("a bundle", () => bundles().length > 0);
    await build();
    return await running;
  };

  it("lands in the same block right behind it, found by its hash, and is booked", async () => {
    const pending = await victim.swap();
    await mempool(pending);
    const outcome = await blockAfterBundle(desk.driver.execute(taken(pending.hash)));
    if (outcome.status !== "landed") throw new Error(JSON.stringify(rejected(outcome)));
    const { trade } = outcome;
    const block = await local.rpc<{ transactions: string[] }>("eth_getBlockByNumber", [
      `0x${trade.blockNumber.toString(16)}`,
      false,
    ]);
    expect(block.transactions.slice(0, 2)).to.deep.equal([pending.hash, trade.txHash]);
    expect(trade.profit).to.equal(trade.expectedProfit);
    expect(trade.routes).to.deep.equal(["mine"]);
    const booked = await opened.journal.outcome(1, found.id);
    expect(booked).to.include({ status: "landed", hash: trade.txHash, profit: trade.profit, feeWei: trade.feeWei });
    for (const { txs } of bundles()) expect(txs, "ours is never in front, never alone").to.deep.equal([pending.raw, txs[1]]);
    const answers = await opened.journal.answers(trade.txHash);
    expect(answers.map(({ action, status, route }) => `${action} ${status} ${route}`).toSorted()).to.deep.equal([
      "send accepted mine",
      "simulate accepted mine",
    ]);
  });

  it("lands behind bytes that no node has, block after block until one takes them", async () => {
    const pending = await victim.swap();
    relay.faults.add({ kind: "accept-and-drop" }, { method: "eth_sendBundle", times: 1 });
    const running = desk.driver.execute(taken({ raw: pending.raw }));
    await until("a first bundle", () => bundles().length === 1);
    expect((await relay.buildBlock()).txs).to.deep.equal([]);
    await until("a second bundle", () => bundles().length === 2);
    await relay.buildBlock();
    const outcome = await running;
    if (outcome.status !== "landed") throw new Error(JSON.stringify(rejected(outcome)));
    expect(outcome.trade.profit > 0n).to.equal(true);
    expect(bundles().every(({ txs }) => txs[0] === pending.raw && txs.length === 2)).to.equal(true);
  });

  it("is withdrawn when the other lands alone first; nothing is paid", async () => {
    const pending = await victim.swap();
    await mempool(pending);
    relay.faults.add({ kind: "accept-and-drop" }, { method: "eth_sendBundle", times: 2 });
    const outcome = await blockAfterBundle(desk.driver.execute(taken(pending.hash)));
    expect(rejected(outcome)).to.include({ reason: "not-included" });
    expect(rejected(outcome).detail).to.match(/^the transaction that it follows landed without it/);
    const slot = (await opened.journal.find(1, found.id))!;
    expect(slot.inclusion).to.equal(null);
    // a busy machine asks the relay for more than one block; the cancel may be noted behind the outcome
    const actions = async () =>
      [...new Set((await opened.journal.answers(slot.attempts[0]!.hash)).map((a) => a.action))].toSorted();
    await until("the relay's answers", async () => (await actions()).length === 3);
    expect(await actions()).to.deep.equal(["cancel", "send", "simulate"]);
  });

  it("is withdrawn when the other is replaced", async () => {
    const pending = await victim.swap();
    const running = desk.driver.execute(taken({ hash: pending.hash, raw: pending.raw }));
    await until("a bundle", () => bundles().length > 0);
    relay.faults.add({ kind: "accept-and-drop" }, { method: "eth_sendBundle", times: 9 });
    const cancel = { type: 2, chainId: 1, nonce: pending.nonce, to: victim.wallet.address, gasLimit: 21_000n };
    const fees = { maxFeePerGas: 200n * 10n ** 9n, maxPriorityFeePerGas: 10n ** 11n };
    await local.rpc("eth_sendRawTransaction", [await victim.wallet.signTransaction({ ...cancel, ...fees })]);
    // the chain's own block: the relay's would have the bundle first
    await local.rpc("evm_mine");
    const outcome = await running;
    expect(rejected(outcome)).to.include({ reason: "not-included" });
    expect(rejected(outcome).detail).to.match(/^the transaction that it follows was replaced/);
  });

  it("ends when the other never comes", async () => {
    const pending = await victim.swap();
    const head = await local.rpc<{ timestamp: string }>("eth_getBlockByNumber", ["latest", false]);
    const opportunity = {
      ...taken({ raw: pending.raw }),
      deadline: Math.max(Number(head.timestamp), Math.floor(Date.now() / 1000)) + 30,
    };
    relay.faults.add({ kind: "accept-and-drop" }, { method: "eth_sendBundle", times: 99 });
    const running = desk.driver.execute(opportunity);
    const seen = { bundles: 0 };
    void running.finally(() => (seen.bundles = Infinity));
    while (seen.bundles !== Infinity) {
      await until("another bundle, or the end", () => bundles().length > seen.bundles || seen.bundles === Infinity);
      if (seen.bundles === Infinity) break;
      seen.bundles = bundles().length;
      await relay.buildBlock();
    }
    expect(rejected(await running)).to.include({ reason: "not-included" });
    expect((await opened.journal.find(1, found.id))!.inclusion).to.equal(null);
  });

  it("is refused before anything is signed, with the reason", async () => {
    const execute = async (after: unknown) => rejected(await desk.driver.execute(taken(after)));
    expect(await execute(`0x${"ab".repeat(32)}`)).to.include({ reason: "after-not-found" });
    const later = await victim.swap({ nonce: 7 });
    expect(await execute({ raw: later.raw })).to.include({ reason: "after-not-next" });
    const poor = await victim.swap({ maxFeePerGas: 1n, tip: 1n });
    expect(await execute({ raw: poor.raw })).to.include({ reason: "after-not-next" });
    const failing = await victim.swap({ minOut: 2n ** 100n });
    expect(await execute({ raw: failing.raw })).to.include({ reason: "after-not-next" });
    const used = await victim.swap({ nonce: 0 });
    expect(await execute({ raw: used.raw })).to.include({ reason: "after-replaced" });

    const pending = await victim.swap();
    const { chain, wallet } = desk;
    const { journal } = opened;
    const plain = new TransactionExecutor(chain, wallet, [chainRoute(chain)], { journal });
    const driver = new SameChainExecutor({ ...desk.driver.context, transactions: plain });
    expect(rejected(await driver.execute(taken({ raw: pending.raw })))).to.include({ reason: "after-not-bundled" });
    await plain.close();
    expect(await opened.journal.find(1, found.id), "nothing was journaled").to.equal(null);
    expect(bundles()).to.deep.equal([]);
  });

  it("is traded like any other where the transaction has landed already", async () => {
    const pending = await victim.swap();
    await mempool(pending);
    await relay.buildBlock();
    const outcome = await blockAfterBundle(desk.driver.execute(taken(pending.hash)));
    expect(outcome.status).to.equal("landed");
    expect(bundles()[0]!.txs).to.have.length(1);
  });

  it("is never sent without the other after a restart", async () => {
    const pending = await victim.swap();
    relay.faults.add({ kind: "accept-and-drop" }, { method: "eth_sendBundle", times: 2 });
    const running = desk.driver.execute(taken({ raw: pending.raw }));
    await until("a bundle", () => bundles().length > 0);
    await desk.driver.context.transactions!.close();
    expect((await running).status).to.equal("rejected");
    const before = bundles().length;
    const { chain, wallet } = desk;
    const again = new TransactionExecutor(chain, wallet, routes.routes, { journal: opened.journal, simulator: routes.simulator });
    const round = await again.settle();
    expect(round.resent).to.deep.equal([]);
    expect(bundles().slice(before)).to.deep.equal([]);
    await again.close();
  });
});
