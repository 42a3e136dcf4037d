import { expect } from "chai";
import { hexlify, randomBytes, Transaction } from "ethers";
import { type Chain, connectChain } from "../../src/chain/connect.js";
import { Secret } from "../../src/config/secrets.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import type { Journal } from "../../src/journal/journal.js";
import type { Slot } from "../../src/journal/types.js";
import type { SendTerms } from "../../src/submit/private-run.js";
import type { StuckPolicy } from "../../src/submit/stuck.js";
import { chainRoute } from "../../src/submit/relays/node.js";
import { TransactionExecutor } from "../../src/submit/transaction-executor.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { freshJournal } from "../helpers/journal.js";
import { rejection } from "../helpers/rejection.js";

const ETHER = 10n ** 18n;
const FEES = { maxFeePerGas: 5_000_000_000n, maxPriorityFeePerGas: 1n, nextBaseFee: 1_000_000_000n };
const TOO_LITTLE = { maxFeePerGas: 2n, maxPriorityFeePerGas: 1n, nextBaseFee: 1n };
const TERMS = {
  baseFee: 2_000_000_000n,
  usefulTip: 1_000_000n,
  worth: ETHER,
  cancelBudget: ETHER,
  maxFeePerGas: null,
  patienceBlocks: 4,
};

describe("TransactionExecutor: what does not land", () => {
  let local: LocalChain;
  let chain: Chain;
  let wallet: WalletManager;
  let executor: TransactionExecutor;
  let opened: Awaited<ReturnType<typeof freshJournal>>;
  let journal: Journal;

  before(async () => {
    opened = await freshJournal();
    ({ journal } = opened);
    local = await startLocalChain(1, { mining: { auto: false } });
    chain = await connectChain(local.network, [local.url], { local: true });
  });
  beforeEach(async () => {
    wallet = new WalletManager(new Secret(hexlify(randomBytes(32))));
    await local.rpc("hardhat_setBalance", [wallet.address, "0xde0b6b3a7640000"]);
    executor = new TransactionExecutor(chain, wallet, [chainRoute(chain)], { journal });
  });
  afterEach(async () => await executor.close());
  after(async () => {
    chain.close();
    await local.close();
    await opened.close();
  });
  const name = (id: string) => `${id} ${wallet.address}`;
  const call = () => ({ to: local.accounts[0]!, data: "0x12", value: 1n });
  const send = async (id: string, fees = FEES) => await executor.send(name(id), call(), 30_000n, fees);
  const outcome = async (id: string) => {
    await local.rpc("evm_mine");
    await executor.settle();
    return await journal.outcome(1, name(id));
  };
  /** Bytes for one block that no relay lands. */
  const loseInPrivate = async (id: string, lastBlock: bigint) => {
    const terms = { gasLimit: 30_000n, maxFeePerGas: FEES.maxFeePerGas, maxPriorityFeePerGas: 1n };
    const build = (nonce: number) => ({ ...terms, ...wallet.sign({ chainId: 1, nonce, ...call(), ...terms }) });
    return await journal.prepare(await executor.start(), name(id), build, { visibility: "private", lastBlock });
  };
  const head = async () => BigInt(await local.rpc<string>("eth_blockNumber"));

  it("is replaced by the same call for more, as long as the trade is worth it", async () => {
    const first = await send("worth", TOO_LITTLE);
    expect(await executor.unstick(name("worth"), TERMS)).to.include({ action: "replace" });
    const [slot] = await journal.slots(await executor.start(), { nonce: 0 });
    expect(slot!.attempts.map((a) => a.kind)).to.deep.equal(["trade", "replacement"]);
    const [old, fresh] = slot!.attempts.map((a) => Transaction.from(a.raw));
    for (const field of ["nonce", "to", "data", "value", "gasLimit"] as const) expect(fresh![field]).to.equal(old![field]);
    const ended = await outcome("worth");
    expect(ended).to.include({ status: "landed", hash: slot!.attempts[1]!.hash });
    expect(ended!.hash).to.not.equal(first.hash);
    expect(await executor.unstick(name("worth"), TERMS), "nothing is out any more").to.equal(null);
  });

  it("is cancelled where the trade is worth nothing any more, and its nonce is free", async () => {
    await send("worthless", TOO_LITTLE);
    expect(await executor.unstick(name("worthless"), { ...TERMS, worth: 0n })).to.include({ action: "cancel" });
    expect(await outcome("worthless")).to.include({ status: "superseded" });
    expect((await send("next")).nonce).to.equal(1);
  });

  it("is left alone where it pays enough", async () => {
    await send("fine");
    const pays = { ...TERMS, usefulTip: 1n };
    expect(await executor.unstick(name("fine"), pays)).to.deep.equal({ action: "wait", reason: "pays-enough" });
    expect(await outcome("fine")).to.include({ status: "landed" });
  });

  it("private bytes with a last block never come to a public node, and hold the account until that block has passed", async () => {
    const attempt = await loseInPrivate("private", (await head()) + 1n);
    await executor.settle();
    const locked = await rejection(send("next"));
    expect(locked).to.include({ code: "locked", where: attempt.hash });
    expect(await chain.provider.getTransaction(attempt.hash)).to.equal(null);
    await local.rpc("evm_mine");
    await local.rpc("evm_mine");
    const same = await rejection(send("next"));
    expect(same.message, "equal bytes would be one transaction of two intents").to.include("the same bytes");
    const other = await executor.send(name("next"), { ...call(), value: 2n }, 30_000n, FEES);
    expect(other.nonce, "the next intent takes the nonce").to.equal(0);
    expect(await outcome("next")).to.include({ status: "landed" });
    expect(await journal.outcome(1, name("private"))).to.include({ status: "superseded" });
  });

  it("a nonce whose private bytes are lost is filled below a public one, and nowhere else", async () => {
    await loseInPrivate("lost", (await head()) + 1n);
    const terms = { gasLimit: 30_000n, maxFeePerGas: FEES.maxFeePerGas, maxPriorityFeePerGas: 1n };
    const build = (nonce: number) => ({ ...terms, ...wallet.sign({ chainId: 1, nonce, ...call(), ...terms }) });
    const above = await journal.prepare(await executor.start(), name("above"), build);
    await chain.provider.send("eth_sendRawTransaction", [above.raw]);
    expect(await executor.fillGaps(FEES), "it can still land").to.deep.equal([]);
    await local.rpc("evm_mine");
    await local.rpc("evm_mine");
    expect(await executor.fillGaps(FEES)).to.deep.equal([0]);
    expect(await outcome("above")).to.include({ status: "landed" });
    await loseInPrivate("last", await head());
    await local.rpc("evm_mine");
    expect(await executor.fillGaps(FEES), "nothing waits for it").to.deep.equal([]);
  });

  const policy = (change: Partial<StuckPolicy> = {}): StuckPolicy => ({
    afterMs: 0,
    cancelBudget: ETHER,
    maxFeePerGas: null,
    patienceBlocks: 4,
    fees: async () => ({ maxFeePerGas: FEES.maxFeePerGas, maxPriorityFeePerGas: 1_000_000n, nextBaseFee: 2_000_000_000n }),
    ...change,
  });
  const planned = async (id: string, terms: SendTerms) => await executor.send(name(id), call(), 30_000n, TOO_LITTLE, terms);
  const inAnHour = () => Math.floor(Date.now() / 1000) + 3_600;

  it("tending replaces it up to the ceiling of its plan, never above", async () => {
    await planned("ceiling", { feeCeiling: 3_000_000_000n, maxTimestamp: inAnHour() });
    expect(await executor.tend(policy({ afterMs: 3_600_000 })), "not out for long").to.equal(null);
    expect(await executor.tend(policy())).to.include({ action: "replace" });
    const { attempts } = (await journal.find(1, name("ceiling")))!;
    expect(attempts.map((a) => a.kind)).to.deep.equal(["trade", "replacement"]);
    expect(attempts[1]!.maxFeePerGas).to.equal(3_000_000_000n);
    expect(await outcome("ceiling")).to.include({ status: "landed" });
    expect(await executor.tend(policy())).to.equal(null);
  });

  it("a clock that is set forward makes nothing stuck", async () => {
    await planned("set forward", { feeCeiling: 3_000_000_000n, maxTimestamp: inAnHour() });
    const real = Date.now;
    Date.now = () => real() + 2 * 3_600_000;
    try {
      expect(await executor.tend(policy({ afterMs: 3_600_000 }))).to.equal(null);
    } finally {
      Date.now = real;
    }
    expect(await executor.tend(policy())).to.include({ action: "replace" });
    expect(await outcome("set forward")).to.include({ status: "landed" });
  });

  it("tending cancels what earns too little, and what has expired, but not for more than the budget or the network's cap", async () => {
    await planned("poor", { feeCeiling: 3n, maxTimestamp: inAnHour() });
    expect(await executor.tend(policy({ cancelBudget: 1n }))).to.deep.equal({ action: "wait", reason: "cannot-pay-more" });
    expect(await executor.tend(policy())).to.include({ action: "cancel" });
    expect(await outcome("poor")).to.include({ status: "superseded" });
    await planned("capped", { feeCeiling: 3_000_000_000n, maxTimestamp: inAnHour() });
    const cap = { maxFeePerGas: 2_100_000_000n };
    expect(await executor.tend(policy({ ...cap, maxFeePerGas: 1_000_000_000n }))).to.deep.equal({
      action: "wait",
      reason: "above-cap",
    });
    expect(await executor.tend(policy(cap))).to.include({ action: "replace" });
    const { attempts } = (await journal.find(1, name("capped")))!;
    expect(attempts.at(-1)!.maxFeePerGas, "the network's cap, though the trade earns more").to.equal(2_100_000_000n);
    expect(await outcome("capped")).to.include({ status: "landed" });
    await planned("old", { feeCeiling: 3_000_000_000n, maxTimestamp: 1 });
    expect(await executor.tend(policy())).to.include({ action: "cancel" });
    expect(await outcome("old")).to.include({ status: "superseded" });
  });

  it("keeps watching until it is final: stuck, replaced, mined, and deep enough", async () => {
    await planned("whole way", { feeCeiling: 3_000_000_000n, maxTimestamp: inAnHour() });
    const faults: unknown[] = [];
    executor.keepWatching(20, (error) => faults.push(error), policy());
    const until = async (what: string, holds: (slot: Slot) => boolean): Promise<void> => {
      const end = Date.now() + 30_000;
      for (;;) {
        const slot = await journal.find(1, name("whole way"));
        if (slot !== null && holds(slot)) return;
        if (Date.now() > end) throw new Error(`never ${what}: ${String(faults[0])}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    await until("replaced", (slot) => slot.attempts.length > 1);
    await local.rpc("evm_mine");
    await until("mined", (slot) => slot.state === "mined");
    await local.rpc("hardhat_mine", [`0x${(local.network.finality.blocks + 40).toString(16)}`]);
    await until("final", (slot) => slot.state === "final");
  });

  it("a second program with the same wallet and a data folder of its own is refused, or stops at the first nonce that both sign", async () => {
    const elsewhere = await freshJournal();
    const other = new TransactionExecutor(chain, wallet, [chainRoute(chain)], { journal: elsewhere.journal });
    try {
      await send("on its way");
      const refused = await rejection(other.start());
      expect(refused).to.include({ code: "locked" });
      expect(refused.message).to.include("1 transactions on their way that are not in the journal");
      expect((refused as { hint?: string }).hint).to.include("a second program with this key must not run");
      expect(await outcome("on its way")).to.include({ status: "landed" });

      await other.start();
      expect((await send("ours")).nonce).to.equal(1);
      const theirs = await rejection(other.send(name("theirs"), { ...call(), value: 2n }, 30_000n, FEES));
      expect(theirs.message, "the node keeps the first of one nonce").to.match(/refused the transaction/);
      expect(await outcome("ours")).to.include({ status: "landed" });
      await other.settle();
      const stopped = await rejection(other.send(name("later"), call(), 30_000n, FEES));
      expect(stopped).to.include({ code: "locked" });
      expect(stopped.message).to.match(/is stopped: nonce 1 was used by a transaction that is not ours/);
      expect(await elsewhere.journal.outcome(1, name("theirs"))).to.include({ status: "foreign" });

      expect((await send("goes on")).nonce, "the first one goes on").to.equal(2);
      expect(await outcome("goes on")).to.include({ status: "landed" });
    } finally {
      await other.close();
      await elsewhere.close();
    }
  });

  it("an answer that cannot be noted fails no send that is out, and is told by the next round", async () => {
    const deaf = { ...journal, noteSend: async () => await Promise.reject(new Error("the database went away")) };
    const on = new TransactionExecutor(chain, wallet, [chainRoute(chain)], { journal: deaf });
    const attempt = await on.send(name("unnoted"), call(), 30_000n, FEES);
    expect((await rejection(on.settle())).message).to.equal("the database went away");
    await local.rpc("evm_mine");
    await on.settle();
    expect(await journal.outcome(1, name("unnoted"))).to.include({ status: "landed", hash: attempt.hash });
    await on.close();
  });
});
