import { expect } from "chai";
import { toQuantity } from "ethers";
import { agreedHead, type Witness } from "../../src/chain/witnesses.js";
import type { Database } from "../../src/database/open.js";
import { doubtTeller } from "../../src/journal/doubts.js";
import { type Journal, openJournal } from "../../src/journal/journal.js";
import { type Finding, lookAt, readHead, reconcileAccount, type Watched } from "../../src/journal/watch.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { journalDatabase } from "../helpers/journal.js";
import { rejection } from "../helpers/rejection.js";
import { newWallet, openSite, PRIVATE, signer, type Site } from "./world.js";

type Answer = (params: readonly unknown[]) => unknown;
type Lies = Record<string, Answer>;

describe("journal: two endpoints of which one is wrong", () => {
  let db: Database;
  let journal: Journal;
  let local: LocalChain;
  let site: Site;
  let snapshot: string;

  before(async () => {
    db = await journalDatabase();
    local = await startLocalChain(1, { mining: { auto: false } });
  });
  beforeEach(async () => {
    journal = await openJournal(db);
    site = await openSite(local, journal);
    await site.mine();
    snapshot = await local.rpc<string>("evm_snapshot");
  });
  afterEach(async () => {
    await local.rpc("evm_revert", [snapshot]);
    site.chain.close();
    await journal.close();
  });
  after(async () => {
    await local.close();
    await db.close();
  });

  const honest: Witness = { name: "honest", send: async (method, params) => await local.rpc(method, params) };
  const wrong = (lies: Lies): Witness => ({
    name: "wrong",
    send: async (method, params) => (lies[method] ? lies[method](params) : await local.rpc(method, params)),
  });
  /** What is asked first must not matter: each case is looked at with the wrong one first, and last. */
  const watchedBoth = (lies: Lies): Watched[] =>
    [
      [honest, wrong(lies)],
      [wrong(lies), honest],
    ].map((list) => ({
      ...site.watched,
      witnesses: { list, needed: 2 },
      carries: ({ visibility }) => visibility === "public",
    }));
  const mine = async (blocks: number) => void (await local.rpc("hardhat_mine", [toQuantity(blocks)]));
  const look = async (watched: Watched, nonce = 0): Promise<Finding> => {
    const [slot] = await journal.slots(site.account, { nonce });
    return await lookAt(watched, slot!, await readHead(watched));
  };
  const block = async (tag: unknown, full: unknown = false) =>
    await local.rpc<{ number: string; hash: string; transactions: unknown[] } | null>("eth_getBlockByNumber", [tag, full]);
  const silent = () => Promise.reject(new Error("connect ECONNREFUSED"));
  const SILENT: Lies = Object.fromEntries(
    ["eth_getBlockByNumber", "eth_getTransactionCount", "eth_getTransactionByHash"].map((method) => [method, silent]),
  );

  it("makes no nonce look used by another: nothing is foreign, no account is stopped", async () => {
    const attempt = await site.prepare("not used");
    await site.send(attempt);
    const stranger = { hash: `0x${"ab".repeat(32)}`, from: site.wallet.address.toLowerCase(), nonce: "0x0" };
    const head = Number(await local.rpc("eth_blockNumber"));
    const lies: Lies = {
      // from the head on, so that its own search ends at the block that it invents
      eth_getTransactionCount: ([, tag]) => (tag === "latest" || Number(tag) >= head ? "0x1" : "0x0"),
      eth_getBlockByNumber: async ([tag, full]) => {
        const real = await block(tag, full);
        return full === true ? { ...real, transactions: [stranger] } : real;
      },
    };
    for (const watched of watchedBoth(lies)) {
      const finding = await look(watched);
      expect(finding).to.include({ status: "unknown" });
      expect((finding as { detail: string }).detail)
        .to.include("wrong counts 1")
        .and.to.include("honest counts 0");
    }
    expect(journal.stopped(site.account)).to.equal(null);
    // alone it would have been believed
    const alone = await look({ ...site.watched, witnesses: { list: [wrong(lies)], needed: 1 } });
    expect(alone.status).to.equal("foreign");
  });

  it("makes no slot free: private bytes hold it until two have seen their last block pass", async () => {
    const head = Number(await local.rpc("eth_blockNumber"));
    await site.prepare("held", PRIVATE(BigInt(head + 3)));
    const ahead: Lies = {
      eth_getBlockByNumber: async ([tag, full]) => {
        const real = await block(tag, full);
        return tag === "latest" ? { ...real, number: toQuantity(head + 50) } : real;
      },
    };
    for (const watched of watchedBoth(ahead)) expect((await reconcileAccount(watched)).vacant).to.deep.equal([]);
    await mine(4);
    for (const watched of watchedBoth(SILENT)) expect((await reconcileAccount(watched)).vacant).to.deep.equal([]);
    // behind: for it the block has not passed
    const behind: Lies = {
      eth_getBlockByNumber: async ([tag, full]) => await block(tag === "latest" ? toQuantity(head) : tag, full),
    };
    for (const watched of watchedBoth(behind)) expect((await reconcileAccount(watched)).vacant).to.deep.equal([]);
    for (const watched of watchedBoth({})) expect((await reconcileAccount(watched)).vacant).to.deep.equal([0]);
  });

  it("makes nothing final, by its head or by its final block, and keeps nothing from it but by its silence", async () => {
    await site.send(await site.prepare("deep"));
    await site.mine();
    expect(await look(watchedBoth({})[0]!)).to.include({ status: "mined" });
    const inclusion = Number(await local.rpc("eth_blockNumber"));
    const head: Lies = {
      eth_getBlockByNumber: async ([tag, full]) => {
        const real = await block(tag, full);
        return tag === "latest" || tag === "finalized" ? { ...real, number: toQuantity(inclusion + 500) } : real;
      },
    };
    for (const watched of watchedBoth(head)) expect(await look(watched)).to.include({ status: "mined" });
    await mine(20);
    const late: Lies = {
      eth_getBlockByNumber: async ([tag, full]) => await block(tag === "finalized" ? toQuantity(inclusion - 1) : tag, full),
    };
    for (const watched of [...watchedBoth(late), ...watchedBoth(SILENT)])
      expect((await look(watched)).status).to.not.equal("final");
    expect(await look(watchedBoth({})[0]!)).to.include({ status: "final" });
  });

  it("takes no receipt back: a block is replaced when two have another one", async () => {
    const attempt = await site.prepare("kept");
    await site.send(attempt);
    await site.mine();
    expect(await look(watchedBoth({})[0]!)).to.include({ status: "mined" });
    const lies: Lies = {
      eth_getBlockByNumber: async ([tag, full]) => {
        const real = await block(tag, full);
        return tag === "latest" || tag === "finalized" ? real : { ...real, hash: `0x${"cd".repeat(32)}` };
      },
    };
    for (const watched of watchedBoth(lies)) expect(await look(watched)).to.include({ status: "unknown" });
    expect((await journal.slots(site.account, { nonce: 0 }))[0]!.inclusion?.hash).to.equal(attempt.hash);
  });

  it("still sends again what the nodes lost while one of them is away", async () => {
    await site.prepare("lost");
    const sent: string[] = [];
    const [watched] = watchedBoth(SILENT);
    const resend = async ({ hash }: { hash: string }) => void sent.push(hash);
    expect((await reconcileAccount({ ...watched!, resend })).resent).to.deep.equal([0]);
    expect(sent).to.have.length(1);
  });

  describe("the final block of a node", () => {
    const finalized = async (answer: () => unknown) => {
      const lies: Lies = {
        eth_getBlockByNumber: async ([tag, full]) => (tag === "finalized" ? await answer() : await block(tag, full)),
      };
      return await agreedHead({ list: [wrong(lies)], needed: 1 });
    };
    const refusal = (code: number, message: string) => () => Promise.reject(Object.assign(new Error(message), { code }));

    it("is left out where the node does not know the tag, and none is final where it has none yet", async () => {
      expect((await finalized(refusal(-32601, "the method is not supported")))?.finalized).to.equal(null);
      expect((await finalized(refusal(-32602, "invalid argument 0: hex string without 0x prefix")))?.finalized).to.equal(null);
      expect((await finalized(() => null))?.finalized).to.equal(-1);
      expect((await finalized(refusal(-39001, "finalized block not found")))?.finalized).to.equal(-1);
    });

    it("is not known where the node fails: that is no answer", async () => {
      for (const fault of [refusal(-32603, "internal error"), refusal(-32000, "daily request count exceeded"), silent])
        expect((await rejection(finalized(fault))).message).to.not.equal("");
      expect((await rejection(finalized(() => ({ number: "soon" })))).message).to.include("malformed");
    });
  });

  it("takes no new account while the counts differ, and does not stop a known one for what one counts", async () => {
    const wallet = newWallet();
    const doubt = "a counts 0, b counts 3";
    const error = await rejection(journal.claim(1, wallet.address, async () => ({ latest: 0, pending: 3, doubt })));
    expect(error).to.include({ code: "network" });
    expect(error.message).to.include(doubt);
    const account = await journal.claim(1, wallet.address, async () => ({ latest: 0, pending: 0 }));
    await journal.prepare(account, `of ${wallet.address}`, signer(wallet));
    await journal.close();
    journal = await openJournal(db);
    const again = await journal.claim(1, wallet.address, async () => ({ latest: 0, pending: 1, doubt }));
    expect(journal.stopped(again)).to.equal(null);
  });

  it("is told once when a slot stays uncertain, and again after something was known", () => {
    const told: string[] = [];
    const doubts = doubtTeller("somewhere", (error) => told.push(error.message));
    const unknown = new Map([[7, { status: "unknown", detail: "a counts 7, b counts 8" } as const]]);
    for (let i = 0; i < 30; i++) doubts.note(unknown);
    expect(told).to.have.length(1);
    expect(told[0]).to.include("nonce 7").and.to.include("b counts 8");
    doubts.note(new Map([[7, { status: "pending" } as const]]));
    for (let i = 0; i < 30; i++) doubts.note(unknown);
    expect(told).to.have.length(2);
  });
});
