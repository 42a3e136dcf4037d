import { expect } from "chai";
import { type Provider, Transaction, Wallet } from "ethers";
import type { BridgeQuote, TransferKey } from "../../src/bridges/bridge.js";
import type { Database } from "../../src/database/open.js";
import { closeByHand } from "../../src/transfers/held.js";
import { TransferStore } from "../../src/transfers/store.js";
import type { SagaResult } from "../../src/transfers/types.js";
import { IERC20__factory } from "../../types/contracts/index.js";
import { journalDatabase } from "../helpers/journal.js";

const CHAIN = 1;
const ACCOUNT = `0x${"ab".repeat(20)}`;
const TOKEN = `0x${"70".repeat(20)}`;
const BALANCE = 1_000n;
const RESULT = { outcome: "held", reason: "no way out", net: -5n, books: [], decisions: [] } as unknown as SagaResult;
const erc20 = IERC20__factory.createInterface();

describe("held trades in the database: what they own, their end by hand, and what they let others take", () => {
  let db: Database;
  let store: TransferStore;
  before(async () => {
    db = await journalDatabase();
    // a balance that is always the same
    const provider = { call: () => Promise.resolve(`0x${BALANCE.toString(16).padStart(64, "0")}`) } as unknown as Provider;
    store = new TransferStore(db, () => provider);
  });
  beforeEach(
    async () =>
      void (await db.pool.query(
        `truncate crosschain.saga, crosschain.transfer, crosschain.reservation, journal.slot, journal.intent, journal.attempt, journal.inclusion cascade`,
      )),
  );
  after(async () => await db.close());

  const ownerOf = (saga: string) => ({ saga, account: ACCOUNT, workflow: `saga/${saga}` });
  const place = { chainId: CHAIN, holder: ACCOUNT, token: TOKEN };
  const open = async (id: string, amount: bigint): Promise<string | null> =>
    await store.open({ opportunity: { id } as never, mode: "bridge", account: ACCOUNT, estimate: {} as never }, [
      { ...place, amount },
    ]);
  /** A trade that is held with a position. */
  async function held(id: string, amount = 800n): Promise<void> {
    expect(await open(id, amount)).to.equal(null);
    await store.stand(id, { state: "held", risk: { ...place, amount } });
    await store.finish(ownerOf(id), "held", RESULT);
  }
  const reserved = async (id: string): Promise<bigint[]> =>
    (await db.pool.query<{ amount: string }>(`select amount from crosschain.reservation where saga = $1`, [id])).rows.map((r) =>
      BigInt(r.amount),
    );
  const quote = (id: string): BridgeQuote =>
    ({
      bridge: "across",
      request: {
        id,
        route: { fromChainId: CHAIN, toChainId: 10, tokenIn: TOKEN, tokenOut: TOKEN },
        sender: ACCOUNT,
        recipient: ACCOUNT,
      },
      amountIn: 5n,
      amountOut: 4n,
    }) as unknown as BridgeQuote;
  const record = async (saga: string, id: string) =>
    await store.record(ownerOf(saga), "out.0", quote(id), { data: {} } as TransferKey, 60);
  const owned = async (id: string): Promise<string[]> =>
    (
      await db.pool.query<{ chain_id: string; amount: string; expected: string }>(
        `select chain_id, amount, expected from crosschain.reservation where saga = $1 and amount + expected > 0 order by chain_id`,
        [id],
      )
    ).rows.map((r) => `${r.chain_id}: ${r.amount} and ${r.expected}`);
  /** What is in the journal of one transaction: the rows alone, without the account and driver that they belong to. */
  async function journaled(
    nonce: number,
    intent: string,
    state: string,
    raw = "0x00",
    taken: Date | null | "nowhere" = null,
    ok = true,
  ) {
    const hash = raw === "0x00" ? `0x${String(nonce).padStart(64, "0")}` : Transaction.from(raw).hash!;
    const client = await db.pool.connect();
    const at = [CHAIN, ACCOUNT, nonce];
    try {
      await client.query("set session_replication_role = replica");
      await client.query(`insert into journal.slot (chain_id, account, nonce, epoch, state) values ($1, $2, $3, 1, $4)`, [
        ...at,
        state,
      ]);
      await client.query(`insert into journal.intent (chain_id, account, nonce, id) values ($1, $2, $3, $4)`, [...at, intent]);
      await client.query(
        `insert into journal.attempt (chain_id, account, nonce, hash, number, kind, intent_id, raw, max_fee, priority_fee, gas_limit, exposed)
         values ($1, $2, $3, $4, 1, 'trade', $5, $6, 1, 0, 21000, true)`,
        [...at, hash, intent, raw],
      );
      if (taken === "nowhere") return;
      await client.query(
        `insert into journal.inclusion (chain_id, account, nonce, hash, block_number, block_hash, succeeded, gas_used, fee, taken_back_at)
         values ($1, $2, $3, $4, 1, $4, $5, 21000, 1, $6)`,
        [...at, hash, ok, taken],
      );
    } finally {
      await client.query("reset session_replication_role");
      client.release();
    }
  }

  it("a held trade's position is no other trade's; it is free when the trade ends", async () => {
    await held("a");
    expect(await reserved("a")).to.deep.equal([800n]);
    expect(await open("b", 300n)).to.match(/300 of .* are wanted on chain 1, 200 are free/);
    await store.reopen(ownerOf("a"));
    expect(await reserved("a")).to.deep.equal([800n]);
    expect(await open("b", 300n)).to.match(/200 are free/);
    await store.finish(ownerOf("a"), "profit", { ...RESULT, outcome: "profit" });
    expect(await reserved("a")).to.deep.equal([]);
    expect(await open("b", 300n)).to.equal(null);
  });

  it("what may come back of a transfer is its trade's while nobody looks, and what a start brings that landed after all", async () => {
    expect(await open("a", 800n)).to.equal(null);
    const row = await record("a", "t-a");
    await store.started(ownerOf("a"), row, row.key, [place, { ...place, chainId: 10, expected: 5n }]);
    expect(await owned("a")).to.deep.equal(["10: 0 and 5"]);
    await store.finish(ownerOf("a"), "held", RESULT);
    expect(await owned("a")).to.deep.equal([`${CHAIN}: 0 and 5`, "10: 0 and 5"]);
    expect(await open("b", 996n)).to.match(/995 are free/);

    expect(await open("c", 10n)).to.equal(null);
    await record("c", "t-c");
    await store.notStarted(ownerOf("c"), "t-c", [{ ...place, chainId: 10 }]);
    expect(await owned("c")).to.deep.equal([`${CHAIN}: 10 and 0`]);
    await store.reopenTransfer(ownerOf("c"), "t-c");
    expect(await owned("c")).to.deep.equal([`${CHAIN}: 10 and 0`, "10: 0 and 5"]);
    expect((await store.transfersOf("c")).map((t) => t.ended)).to.deep.equal([null]);
  });

  it("a refund is its trade's from before it comes, until it is booked, it arrives after all, or the trade has ended", async () => {
    const refund = async (ended: "delivered" | "refunded"): Promise<string[]> => {
      const id = `r-${ended}`;
      expect(await open(id, 8n)).to.equal(null);
      const row = await record(id, `t-${id}`);
      await store.started(ownerOf(id), row, row.key, [place, { ...place, chainId: 10, expected: 5n }]);
      await store.expectRefund(ownerOf(id), row);
      expect(await owned(id)).to.deep.equal([`${CHAIN}: 0 and 5`, "10: 0 and 5"]);
      const chainId = ended === "refunded" ? CHAIN : 10;
      const log = { txHash: `0x${id}`, blockNumber: 1, blockHash: "0x1", logIndex: 0 };
      const arrival = { ...log, chainId, token: TOKEN, amount: 5n };
      const none = ended === "refunded" ? [{ ...place, chainId: 10 }] : [];
      await store.arrived(ownerOf(id), row, ended, ACCOUNT, arrival, [{ ...place, chainId, amount: 5n }, ...none]);
      const after = await owned(id);
      // as a driver that woke up does
      await store.expectRefund(ownerOf(id), row);
      expect(await owned(id)).to.deep.equal(after);
      await store.finish(ownerOf(id), "profit", { ...RESULT, outcome: "profit" });
      await store.expectRefund(ownerOf(id), row);
      expect(await owned(id)).to.deep.equal([]);
      return after;
    };
    expect(await refund("refunded")).to.deep.equal([`${CHAIN}: 5 and 0`]);
    expect(await refund("delivered")).to.deep.equal(["10: 5 and 0"]);
  });

  it("closed by hand it is at its end, with the reason in its result, and its position is free", async () => {
    await held("a");
    expect(await closeByHand(db, "a", "sold by hand")).to.equal(null);
    const row = await store.saga("a");
    expect([row?.outcome, row?.risk, row?.result]).to.deep.equal([
      "closed",
      null,
      { ...RESULT, outcome: "closed", reason: "sold by hand" },
    ]);
    expect(await reserved("a")).to.deep.equal([]);
    expect(await open("b", BALANCE)).to.equal(null);
    expect((await store.sagas(false)).map((s) => s.id)).to.deep.equal(["b"]);
  });

  it("one that is closed is not opened again, wished for, or closed once more", async () => {
    await held("a");
    await closeByHand(db, "a", "sold by hand");
    const error = await store.reopen(ownerOf("a")).catch((e: unknown) => e);
    expect(error).to.include({ code: "refused", message: "a was closed by its operator" });
    expect(await store.wish("a", "look")).to.equal(false);
    expect(await closeByHand(db, "a", "again")).to.equal("it is not held");
    const row = await store.saga("a");
    expect([row?.outcome, row?.result?.reason, row?.finishedAt]).to.satisfy(
      ([outcome, reason, at]: unknown[]) => outcome === "closed" && reason === "sold by hand" && at instanceof Date,
    );
  });

  describe("is not closed, and keeps what it owns,", () => {
    const refused = async (why: string | RegExp): Promise<void> => {
      expect(await closeByHand(db, "a", "sold by hand")).to.match(new RegExp(why));
      expect(await reserved("a")).to.deep.equal([800n]);
      expect((await store.saga("a"))?.outcome).to.not.equal("closed");
    };

    it("where it is not held", async () => {
      expect(await closeByHand(db, "nobody", "x")).to.equal("it is not held");
      await open("a", 800n);
      await refused("it is not held");
    });

    it("where a driver was told to go on with it", async () => {
      await held("a");
      await store.wish("a", "sell-at-source");
      await refused("a driver was told to go on with it");
    });

    it("where it goes on", async () => {
      await held("a");
      await store.reopen(ownerOf("a"));
      await refused("it is not held");
    });

    it("where a transfer of it has no end; another trade's is no hindrance", async () => {
      await held("a");
      await open("b", 1n);
      await record("a", "t-a");
      await record("b", "t-b");
      await refused("its transfer t-a has no end yet");
      // given up where no rule of its bridge ends it, and only then
      expect(await closeByHand(db, "a", "lost", true)).to.match(/t-a has no end yet/);
      await store.noteState("t-a", "stuck");
      await refused("its transfer t-a has no end yet");
      expect(await closeByHand(db, "a", "lost", true)).to.equal(null);
      expect((await store.transfersOf("a")).map((t) => t.ended)).to.deep.equal(["given-up"]);
      expect((await store.transfersOf("b")).map((t) => t.ended)).to.deep.equal([null]);
      expect(await reserved("a")).to.deep.equal([]);
    });

    it("where a transaction of it is signed and has no end; another trade's, or one that landed, is no hindrance", async () => {
      await held("a");
      await journaled(1, "saga/a:sell.1", "open", "0x00", "nowhere");
      await refused("it has signed transactions without an end");
      await db.pool.query(`update journal.slot set state = 'mined'`);
      // a name that only begins like it
      await journaled(2, "saga/ab:sell.1", "open", "0x00", "nowhere");
      expect(await closeByHand(db, "a", "sold by hand")).to.equal(null);
    });
  });

  it("its approvals are those of its own transactions that landed, each contract once", async () => {
    const wallet = new Wallet(`0x${"1".repeat(64)}`);
    const spender = (n: number): string => `0x${String(n).repeat(40)}`;
    let nonce = 0;
    const approve = async (
      intent: string,
      of: string,
      amount: bigint,
      how: Parameters<typeof journaled>[4] = null,
      ok = true,
    ) => {
      const data = erc20.encodeFunctionData("approve", [of, amount]);
      const raw = await wallet.signTransaction({ type: 2, chainId: CHAIN, nonce, to: TOKEN, data, gasLimit: 50_000n });
      await journaled(nonce++, intent, "mined", raw, how, ok);
    };
    await approve("saga/a:buy.0.approve.0", spender(1), 5n);
    await approve("saga/a:out.1.0", spender(2), 5n);
    await approve("saga/a:again1.sell.0.approve.0", spender(2), 9n);
    await approve("saga/a:revoke.0", spender(3), 0n);
    await approve("saga/ab:buy.0.approve.0", spender(4), 5n);
    await approve("saga/a:sell.2.approve.0", spender(5), 5n, "nowhere");
    await approve("saga/a:sell.3.approve.0", spender(6), 5n, new Date());
    await approve("saga/a:sell.4.approve.0", spender(7), 5n, null, false);
    const transfer = erc20.encodeFunctionData("transfer", [spender(8), 5n]);
    await journaled(
      nonce,
      "saga/a:sell.5",
      "mined",
      await wallet.signTransaction({ type: 2, chainId: CHAIN, nonce, to: TOKEN, data: transfer, gasLimit: 50_000n }),
    );
    const found = await store.approvals("a");
    expect(found.map((l) => [l.chainId, l.token, l.spender])).to.have.deep.members([
      [CHAIN, TOKEN, spender(1)],
      [CHAIN, TOKEN, spender(2)],
    ]);
  });
});
