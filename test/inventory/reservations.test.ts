import { expect } from "chai";
import type { Provider } from "ethers";
import { priced } from "../../src/bridges/monitor.js";
import { BridgeMonitor } from "../../src/bridges/monitor.js";
import type { BridgeQuote } from "../../src/bridges/bridge.js";
import type { Database } from "../../src/database/open.js";
import { inFlight, stockOf } from "../../src/inventory/index.js";
import type { LocalChain } from "../../src/sim/chain.js";
import { startLocalChain } from "../../src/sim/chain.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import { connectChain, type Chain } from "../../src/chain/connect.js";
import { TransferStore } from "../../src/transfers/store.js";
import { journalDatabase } from "../helpers/journal.js";
import { A, B, USDC } from "../helpers/cross-chain-settings.js";

const HOLDER = `0x${"ab".repeat(20)}`;
const ownerOf = (saga: string) => ({ saga, account: HOLDER, workflow: `saga/${saga}` });

describe("inventory: reservations and bridges in the database, balances of a real chain", () => {
  let local: LocalChain;
  let chain: Chain;
  let db: Database;
  let store: TransferStore;
  let token: string;
  const providers = (): Provider => chain.provider;

  before(async () => {
    local = await startLocalChain(A);
    chain = await connectChain(local.network, [local.url], { local: true });
    token = tokenOf(local.network, "USDC").address;
    await local.fund(HOLDER, { tokens: { USDC: 1_000n * USDC } });
    db = await journalDatabase();
    store = new TransferStore(db, providers);
  });
  after(async () => {
    await db.close();
    chain.close();
    await local.close();
  });

  const place = () => ({ chainId: A, holder: HOLDER, token });
  const open = async (id: string, amount: bigint, more: { amount: bigint; token: string }[] = []) =>
    await store.open({ opportunity: { id } as never, mode: "bridge", account: HOLDER, estimate: {} as never }, [
      { ...place(), amount },
      ...more.map((m) => ({ ...place(), ...m })),
    ]);
  const free = async () => (await stockOf(db, providers, [place()]))[0]!.free;

  it("reserves all or nothing, and never more than there is, however many ask at once", async () => {
    const weth = tokenOf(local.network, "WETH").address;
    expect(await open("both", 100n * USDC, [{ token: weth, amount: 1n }])).to.match(/are wanted on chain 1, 0 are free/);
    expect(await free()).to.equal(1_000n * USDC);
    const answers = await Promise.all(Array.from({ length: 8 }, async (_, i) => await open(`many-${i}`, 300n * USDC)));
    expect(answers.filter((a) => a === null)).to.have.length(3);
    expect(await free()).to.equal(100n * USDC);
  });

  it("counts what is expected as taken, and gives back what a saga had when it ends", async () => {
    const id = (await store.sagas(true))[0]!.id;
    await store.own(ownerOf(id), [{ ...place(), amount: 200n * USDC, expected: 50n * USDC }]);
    expect(await free()).to.equal(150n * USDC);
    // absolute: a step that runs again changes nothing
    await store.own(ownerOf(id), [{ ...place(), amount: 200n * USDC, expected: 50n * USDC }]);
    expect(await free()).to.equal(150n * USDC);
    await store.finish(ownerOf(id), "no-trade", {} as never);
    expect(await free()).to.equal(400n * USDC);
  });

  const quote = (id: string): BridgeQuote => ({
    bridge: "across",
    request: {
      route: { fromChainId: A, toChainId: B, tokenIn: token, tokenOut: tokenOf(local.network, "WETH").address },
      amountIn: 1_000_000n,
      sender: HOLDER,
      recipient: HOLDER,
      deadline: 0,
      id,
    },
    amountIn: 1_000_000n,
    amountOut: 990_000n,
    fee: 10_000n,
    nativeFee: 0n,
    claimGas: 0n,
    etaSeconds: 10,
    refundSeconds: 36_000,
    expiresAt: 0,
    limits: { min: 0n, max: 0n },
    terms: {},
  });
  const key = (id: string) => ({ bridge: "across" as const, fromChainId: A, toChainId: B, id, sourceTx: null, data: {} });

  it("writes a transfer down once, counts it as in flight, and books its arrival once", async () => {
    const saga = (await store.sagas(false))[0]!.id;
    const row = await store.record(ownerOf(saga), "out.0", quote("t-1"), key("t-1"), 60);
    expect(
      (await store.record(ownerOf(saga), "out.0", { ...quote("t-1"), amountIn: 5n }, key("t-1"), 60)).quote.amountIn,
    ).to.equal(1_000_000n);
    await store.started(ownerOf(saga), row, { ...key("t-1"), sourceTx: `0x${"1".repeat(64)}` }, []);
    expect((await inFlight(db.pool)).map((f) => [f.bridge, f.amount])).to.deep.equal([["across", 1_000_000n]]);
    const arrival = { chainId: B, txHash: "0x1", blockNumber: 1, blockHash: "0x2", logIndex: 0, token, amount: 990_000n };
    for (let i = 0; i < 2; i++) await store.arrived(ownerOf(saga), row, "delivered", HOLDER, arrival, []);
    expect(await inFlight(db.pool)).to.deep.equal([]);
    // a look that began before its end
    await store.noteState(row.id, "slow");
    expect((await store.transfer(row.id))!.state).to.equal("delivered");
    expect((await store.books(saga, HOLDER)).map((b) => [b.chainId, b.amount])).to.deep.equal([[B, 990_000n]]);
  });

  it("compares bridges after time and failures of our own history, and stops one that misses its deadlines", async () => {
    const clean = { transfers: 50, late: 0, refunded: 0, medianSeconds: 5 };
    const [good, bad] = [
      priced(quote("a"), clean, 10_000, 0n),
      priced(quote("a"), { ...clean, refunded: 25, medianSeconds: 3_600 }, 10_000, 0n),
    ];
    expect(good.seconds).to.equal(10);
    expect(bad.seconds).to.equal(3_600);
    expect(bad.failurePpm > good.failurePpm && bad.net < good.net).to.equal(true);
    expect(good.net).to.equal(990_000n - good.timeCost - good.failureCost);

    const monitor = new BridgeMonitor({
      db,
      bridges: [],
      views: () => {
        throw new Error("no chain is asked");
      },
      driftPpmPerHour: 0,
      costIn: (_, wei) => Promise.resolve(wei),
      gasPrice: () => Promise.resolve(1n),
    });
    const saga = (await store.sagas(false))[0]!.id;
    for (let i = 0; i < 3; i++) {
      expect(await monitor.judge("across"), `${i} misses`).to.equal(null);
      const id = `late-${i}`;
      const row = await store.record(ownerOf(saga), `out.${i + 1}`, quote(id), key(id), -60);
      await store.started(ownerOf(saga), row, key(id), []);
    }
    expect(await monitor.judge("across")).to.match(/last 3 transfers missed/);
    expect([...(await monitor.stopped()).keys()]).to.deep.equal(["across"]);
    const { late, transfers } = await monitor.history("across", A, B);
    expect([transfers, late]).to.deep.equal([4, 3]);
  });

  it("what a woken driver writes of a saga that has ended reserves nothing, nor what it writes while it ends", async () => {
    const before = await free();
    expect(await open("woken", 10n * USDC)).to.equal(null);
    const row = await store.record(ownerOf("woken"), "out.0", quote("t-woken"), key("t-woken"), 60);
    const stale = [{ ...place(), amount: 10n * USDC, expected: 5n * USDC }];
    await Promise.all([
      store.finish(ownerOf("woken"), "no-trade", {} as never),
      ...Array.from({ length: 6 }, async () => await store.own(ownerOf("woken"), stale)),
    ]);
    await store.own(ownerOf("woken"), stale);
    await store.started(ownerOf("woken"), row, { ...key("t-woken"), sourceTx: `0x${"2".repeat(64)}` }, stale);
    const arrival = { chainId: B, txHash: "0x3", blockNumber: 1, blockHash: "0x4", logIndex: 0, token, amount: 990_000n };
    await store.arrived(ownerOf("woken"), row, "delivered", HOLDER, arrival, stale);
    expect(await free()).to.equal(before);
    expect((await db.pool.query(`select 1 from crosschain.reservation where saga = 'woken'`)).rows).to.deep.equal([]);
  });

  it("what a woken driver writes of a trade that another carries, or that goes on under its own next run, is refused", async () => {
    // as the workflow engine keeps it
    await db.pool.query(`create schema dbos`);
    await db.pool.query(`create table dbos.workflow_status (workflow_uuid text primary key, executor_id text, status text)`);
    await db.pool.query(`insert into dbos.workflow_status values ('saga/taken', 'b', 'PENDING'), ('saga/again', 'a', 'SUCCESS'),
      ('saga/again/1', 'a', 'PENDING')`);
    const [a, b] = ["a", "b"].map((driver) => new TransferStore(db, providers, driver)) as [TransferStore, TransferStore];
    for (const id of ["taken", "again"]) {
      expect(await open(id, 10n * USDC)).to.equal(null);
      const [carrier, owner] = id === "taken" ? [b, ownerOf(id)] : [a, { ...ownerOf(id), workflow: `saga/${id}/1` }];
      const row = await store.record(ownerOf(id), "out.0", quote(`t-${id}`), key(`t-${id}`), 60);
      await carrier.own(owner, [{ ...place(), amount: 7n * USDC }]);
      const rows = async () => (await db.pool.query(`select * from crosschain.reservation where saga = $1`, [id])).rows;
      const now = await rows();
      const stale = [{ ...place(), amount: 10n * USDC, expected: 5n * USDC }];
      const arrival = { chainId: B, txHash: `0x${id}`, blockNumber: 1, blockHash: "0x5", logIndex: 0, token, amount: 990_000n };
      const writes: Record<string, () => Promise<void>> = {
        own: async () => await a.own(ownerOf(id), stale),
        record: async () => void (await a.record(ownerOf(id), "out.1", quote(`late-${id}`), key(`late-${id}`), 60)),
        started: async () => await a.started(ownerOf(id), row, key(`t-${id}`), stale),
        notStarted: async () => await a.notStarted(ownerOf(id), row.id, stale),
        arrived: async () => await a.arrived(ownerOf(id), row, "delivered", HOLDER, arrival, stale),
        finish: async () => await a.finish(ownerOf(id), "held", {} as never),
        reopen: async () => await a.reopen(ownerOf(id)),
      };
      for (const [name, write] of Object.entries(writes)) {
        const error = await write().then(
          () => null,
          (e: unknown) => e,
        );
        expect(error, `${id}: ${name}`).to.include({ code: "locked" });
      }
      expect(await rows()).to.deep.equal(now);
      const kept = await store.transfer(row.id);
      expect([kept?.startedAt, kept?.ended, (await store.saga(id))?.outcome]).to.deep.equal([null, null, null]);
    }
  });

  it("an account's coin in a block: what is booked of all its transactions there, and what came back by the others", async () => {
    const hash = (n: number) => `0x${String(n).padStart(64, "0")}`;
    const client = await db.pool.connect();
    const write = async (text: string, values: unknown[] = []) => await client.query<{ id: string }>(text, values);
    const include = async (n: number, block: number, fee: bigint) => {
      const { rows } = await write(
        `insert into journal.inclusion (chain_id, account, nonce, hash, block_number, block_hash, succeeded, gas_used, fee)
         values ($1, $2, $3, $4, $5, $4, true, 21000, 1) returning id`,
        [A, HOLDER, n, hash(n), block],
      );
      const entry = `insert into journal.ledger (inclusion, chain_id, holder, asset, kind, amount) values ($1, $2, $3, 'native', $4, $5)`;
      await write(entry, [rows[0]!.id, A, HOLDER, "gas", -fee]);
      await write(entry, [rows[0]!.id, A, HOLDER, "value", -100n]);
    };
    try {
      // the rows alone, without the intents and attempts that they belong to
      await write("set session_replication_role = replica");
      expect(await store.coinIn(A, HOLDER, hash(1), 7)).to.equal(null);
      await include(2, 7, 5n);
      await include(3, 8, 9n);
      expect(await store.coinIn(A, HOLDER, hash(1), 7), "another one is booked, this one is not").to.equal(null);
      await include(1, 7, 3n);
      expect(await store.coinIn(A, HOLDER, hash(1), 7)).to.deep.equal({ sum: -208n, transactions: 2 });
      await write(`insert into crosschain.unseen (chain_id, tx_hash, holder, transfer, amount) values ($1, $2, $3, 'x', 20)`, [
        A,
        hash(2),
        HOLDER,
      ]);
      expect(await store.coinIn(A, HOLDER, hash(1), 7), "not once more for this one").to.deep.equal({
        sum: -188n,
        transactions: 2,
      });
      expect(await store.coinIn(A, HOLDER, hash(2), 7), "its own stands").to.deep.equal({ sum: -208n, transactions: 2 });
    } finally {
      await write("reset session_replication_role");
      client.release();
    }
  });
});
