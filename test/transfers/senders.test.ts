import { expect } from "chai";
import { hexlify, randomBytes, toQuantity } from "ethers";
import { type Chain, connectChain } from "../../src/chain/connect.js";
import { Secret } from "../../src/config/secrets.js";
import { type Journal, openJournal } from "../../src/journal/journal.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type StuckBounds, stuckPolicyOf } from "../../src/submit/stuck.js";
import { Senders } from "../../src/transfers/senders.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import type { Database } from "../../src/database/open.js";
import { until } from "../helpers/cross-chain.js";
import { journalDatabase } from "../helpers/journal.js";
import { rejection } from "../helpers/rejection.js";

const ETHER = 10n ** 18n;
const GWEI = 10n ** 9n;
const CAP = 20n * GWEI;

describe("senders of sagas", function () {
  this.timeout(120_000);
  let local: LocalChain;
  let chain: Chain;
  let db: Database;
  let wallet: WalletManager;
  const open: (() => Promise<void>)[] = [];

  before(async () => {
    db = await journalDatabase();
    local = await startLocalChain(1);
    const network = { ...local.network, blockTimeMs: 100, finality: { blocks: 0, source: "test" } };
    chain = await connectChain(network, [local.url], { local: true, pollMs: 50 });
  });
  beforeEach(async () => {
    wallet = new WalletManager(new Secret(hexlify(randomBytes(32))));
    await local.rpc("hardhat_setBalance", [wallet.address, toQuantity(10n * ETHER)]);
    await local.setMining({ auto: false });
  });
  afterEach(async () => {
    for (const close of open.splice(0)) await close();
  });
  after(async () => {
    chain.close();
    await local.close();
    await db.close();
  });

  const driver = async (stuck?: StuckBounds): Promise<{ senders: Senders; journal: Journal }> => {
    const journal = await openJournal(db, { ttlMs: 3_600_000 });
    const fees = { priorityFee: GWEI / 10n, patienceBlocks: 1, maxFeePerGas: null };
    const networks = [{ chain, fees, ...(stuck && { stuck }) }];
    const senders = new Senders(journal, networks, [wallet], () => undefined, true);
    open.push(async () => {
      await senders.close();
      await journal.close();
    });
    return { senders, journal };
  };
  const order = (intentId: string) => ({
    chainId: 1,
    account: wallet.address,
    intentId,
    call: { to: local.accounts[0]!, data: "0x", value: 1n },
  });
  const mineAt = async (baseFee: bigint): Promise<void> => {
    await local.rpc("hardhat_setNextBlockBaseFeePerGas", [toQuantity(baseFee)]);
    await local.rpc("evm_mine");
  };
  const attemptsOf = async (journal: Journal, id: string) => (await journal.find(1, id))!.attempts;
  /** Makes what is out look old, so that nobody has to wait. */
  const age = async () => void (await db.pool.query(`update journal.attempt set created_at = created_at - interval '1 min'`));

  it("a transaction that no block takes any more is replaced, up to the network's cap, and its order lands", async () => {
    const { senders, journal } = await driver({ maxFeePerGas: CAP, cancelBudget: ETHER / 100n });
    await mineAt(GWEI);
    const id = `saga/stuck:buy ${wallet.address}`;
    const landing = senders.execute(order(id), 60_000);
    await until("the attempt", async () => (await journal.find(1, id)) !== null);
    await mineAt(10n * GWEI);
    await age();
    const [first, second] = await until("its replacement", async () => {
      const attempts = await attemptsOf(journal, id);
      return attempts.length > 1 ? attempts : null;
    });
    expect([first!.kind, second!.kind]).to.deep.equal(["trade", "replacement"]);
    expect(second!.intentId).to.equal(id);
    expect(second!.maxFeePerGas > 8n * GWEI && second!.maxFeePerGas <= CAP).to.equal(true);
    await until("the node", async () => (await chain.provider.getTransaction(second!.hash)) !== null);
    await mineAt(8n * GWEI);
    expect(await landing).to.deep.include({ status: "landed", hash: second!.hash });
    expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(1);
  });

  it("nothing above the cap is signed: it waits, and lands when gas is cheap again", async () => {
    const bounds = { maxFeePerGas: 2n * GWEI, cancelBudget: ETHER };
    const { senders, journal } = await driver(bounds);
    await mineAt(GWEI);
    const id = `saga/dear:buy ${wallet.address}`;
    const landing = senders.execute(order(id), 60_000);
    await until("the attempt", async () => (await journal.find(1, id)) !== null);
    await mineAt(10n * GWEI);
    await age();
    const sender = await senders.sender(1, wallet.address);
    const policy = stuckPolicyOf(chain, { priorityFee: GWEI / 10n, patienceBlocks: 1, maxFeePerGas: null }, bounds);
    const decision = await sender.tend({ ...policy, feeCeiling: bounds.maxFeePerGas });
    expect(decision).to.deep.equal({ action: "wait", reason: "above-cap" });
    expect((await attemptsOf(journal, id)).map((a) => a.kind)).to.deep.equal(["trade"]);
    await mineAt(GWEI);
    expect(await landing).to.include({ status: "landed" });
  });

  it("an order of a driver that waits for the account is carried out when its holder hands it over", async () => {
    await local.setMining({ auto: true });
    const [holder, waiting] = [await driver(), await driver()];
    expect(await holder.senders.execute(order(`saga/one:buy ${wallet.address}`), 10_000)).to.include({ status: "landed" });
    const landing = waiting.senders.execute(order(`saga/two:buy ${wallet.address}`), 10_000);
    const [wanted] = await until("the wish", async () => {
      const found = await holder.journal.wanted();
      return found.length > 0 ? found : null;
    });
    expect(wanted).to.deep.equal({ chainId: 1, account: wallet.address, claimed: true });
    await holder.senders.handOver(wanted!);
    expect(await landing).to.include({ status: "landed" });
    const { rows } = await db.pool.query<{ owner: string }>(`select owner from journal.account where account = $1`, [
      wallet.address.toLowerCase(),
    ]);
    expect(rows).to.deep.equal([{ owner: waiting.journal.driverId }]);
  });

  it("a driver whose saga went to another signs nothing for it, and asks nobody for the account", async () => {
    await local.setMining({ auto: true });
    const [holder, woken] = [await driver(), await driver()];
    await holder.senders.sender(1, wallet.address);
    const asked: string[] = [];
    woken.senders.carries = (workflow) => Promise.resolve(asked.push(workflow) === 0);
    const wanted = { ...order(`saga/gone:buy ${wallet.address}`), workflow: "saga/gone/1" };
    expect(await rejection(woken.senders.execute(wanted, 10_000))).to.include({ code: "locked" });
    expect(asked).to.deep.equal(["saga/gone/1"]);
    expect(await holder.journal.wanted()).to.deep.equal([]);
    expect(await woken.journal.find(1, `saga/gone:buy ${wallet.address}`)).to.equal(null);
  });

  it("a driver whose saga goes to another while it waits for the account or the node signs nothing for it", async () => {
    await local.setMining({ auto: true });
    const { senders, journal } = await driver();
    let asked = 0;
    senders.carries = () => Promise.resolve(asked++ === 0);
    const wanted = { ...order(`saga/going:buy ${wallet.address}`), workflow: "saga/going" };
    expect(await rejection(senders.execute(wanted, 10_000))).to.include({ code: "locked" });
    expect(await journal.find(1, wanted.intentId)).to.equal(null);
    expect(senders.has(wanted), "the account is kept for its other trades").to.equal(true);
  });

  it("without others that share, a held account is refused at once", async () => {
    await local.setMining({ auto: true });
    const { senders } = await driver();
    await senders.sender(1, wallet.address);
    const journal = await openJournal(db);
    const fees = { priorityFee: 1n, patienceBlocks: 1, maxFeePerGas: null };
    const alone = new Senders(journal, [{ chain, fees }], [wallet], () => undefined);
    open.push(async () => {
      await alone.close();
      await journal.close();
    });
    expect(await rejection(alone.sender(1, wallet.address))).to.include({ code: "locked" });
    const { rows } = await db.pool.query(`select 1 from journal.account where wanted_by is not null`);
    expect(rows).to.deep.equal([]);
  });
});
