import { expect } from "chai";
import type { RebalancingConfig } from "../../src/config/cross-chain.js";
import { rebalancingStore } from "../../src/execution/rebalancing.js";
import { planOf } from "../../src/transfers/rebalancing-plan.js";
import { advance } from "../helpers/bridges.js";
import {
  A,
  B,
  balances,
  openCrossChainSite,
  openDriver,
  type OpenDriver,
  type Site,
  unbooked,
  until,
  USDC,
} from "../helpers/cross-chain.js";
import { openVaultDesk, type VaultDesk } from "../helpers/cross-chain-vault.js";
import type { WalletManager } from "../../src/wallet/wallet-manager.js";

const HALF: RebalancingConfig = {
  token: "USDC",
  shares: new Map([
    [A, 500_000],
    [B, 500_000],
  ]),
  tolerancePpm: 50_000,
  maxCostPpm: 5_000,
  everyMs: 60_000,
};

describe("rebalancing: the stock of the vaults is brought to its shares, one recorded transfer at a time", function () {
  this.timeout(300_000);
  let site: Site;
  let desk: VaultDesk;
  let driver: OpenDriver;
  let wallet: WalletManager;
  let start: { vault: Map<string, bigint>; account: Map<string, bigint> };

  before(async () => {
    site = await openCrossChainSite();
    ({ wallet } = await site.wallet());
    desk = await openVaultDesk(site, wallet.address);
    await desk.fund(A, { USDC: 90_000n * USDC });
    await desk.fund(B, { USDC: 10_000n * USDC });
    start = { vault: await balances(site, desk.vault), account: await balances(site, wallet.address) };
    driver = await openDriver(site, [wallet], { networks: desk.networks });
  });
  afterEach(() => site.across.setScript(() => ({ fill: "fill" })));
  after(async () => {
    await driver.close();
    await site.close();
  });

  const look = async (change: Partial<RebalancingConfig> = {}) => await driver.executor.rebalance({ ...HALF, ...change });
  const row = async (id: string) => await rebalancingStore(driver.executor.env).row(id);
  const ended = async (id: string, during: () => Promise<unknown> = () => Promise.resolve()) =>
    await until(
      `the end of ${id}; faults: ${driver.faults.join("; ")}`,
      async () => {
        await during();
        await site.across.step();
        const found = await row(id);
        return found.outcome === null ? null : found;
      },
      120,
    );
  const balanced = async () => {
    expect(await unbooked(site, driver.db, desk.vault, start.vault)).to.deep.equal([]);
    expect(await unbooked(site, driver.db, wallet.address, start.account)).to.deep.equal([]);
    expect((await driver.db.pool.query(`select * from crosschain.reservation`)).rows).to.deep.equal([]);
  };

  it("plans with costs, and leaves alone what is near enough, too dear, or beyond a limit", async () => {
    const { env } = driver.executor;
    const plan = await planOf(env, wallet.address, HALF);
    expect(plan.held.map((h) => [h.chainId, h.free])).to.deep.equal([
      [A, 90_000n * USDC],
      [B, 10_000n * USDC],
    ]);
    expect(plan.moves.map((m) => [m.fromChainId, m.toChainId, m.amount, m.bridge])).to.deep.equal([
      [A, B, 40_000n * USDC, "across"],
    ]);
    expect(plan.moves[0]!.cost >= 20n * USDC, String(plan.moves[0]!.cost)).to.equal(true);
    expect(await look({ tolerancePpm: 500_000 })).to.equal(null);
    expect(await look({ maxCostPpm: 100 })).to.equal(null);
    const dear = await planOf(env, wallet.address, { ...HALF, maxCostPpm: 100 });
    expect([dear.moves.length, dear.refused.join()]).to.satisfy(
      ([n, why]: [number, string]) => n === 0 && /would cost \d+/.test(why),
    );
    const limited = await planOf({ ...env, rules: { limits: { USDC: { inFlight: 1_000n * USDC } } } }, wallet.address, HALF);
    expect(limited.moves).to.deep.equal([]);
    expect(limited.refused.join()).to.match(/may be between networks/);
    await balanced();
  });

  it("moves what is too much, one transfer at a time, and books it to the wei", async () => {
    const id = await look();
    expect(id).to.equal("rebalance/USDC/1");
    expect(await look(), "one at a time").to.equal(id);
    const { outcome, books } = await ended(id!);
    expect(outcome).to.equal("delivered");
    const amounts = new Map(books!.filter((b) => b.asset !== "native").map((b) => [b.chainId, b.amount]));
    expect(
      amounts.get(A)! < -39_990n * USDC && amounts.get(B)! > 39_950n * USDC,
      JSON.stringify([...amounts.values()].map(String)),
    ).to.equal(true);
    expect(await look(), "near enough now").to.equal(null);
    await balanced();
  });

  it("what comes back is stock again, and the next look plans anew", async () => {
    await desk.fund(A, { USDC: 40_000n * USDC });
    start.vault = new Map([...start.vault, [`${A} USDC`, start.vault.get(`${A} USDC`)! + 40_000n * USDC]]);
    site.across.setScript(() => ({ fill: "never" }));
    const id = await look();
    let passed = false;
    const { outcome } = await ended(id!, async () => {
      const [transfer] = await driver.executor.env.store.transfersOf(id!);
      if (passed || transfer?.startedAt == null) return;
      passed = true;
      for (const chainId of [A, B]) await advance(site.world.chain(chainId), 8_000);
    });
    expect(outcome).to.equal("refunded");
    await balanced();
    site.across.setScript(() => ({ fill: "fill" }));
    const next = await look();
    expect([next, (await ended(next!)).outcome]).to.deep.equal(["rebalance/USDC/3", "delivered"]);
    await balanced();
  });

  it("what no relayer fills is asked of Across itself, once", async () => {
    await desk.fund(A, { USDC: 40_000n * USDC });
    start.vault = new Map([...start.vault, [`${A} USDC`, start.vault.get(`${A} USDC`)! + 40_000n * USDC]]);
    site.across.setScript(() => ({ fill: "never" }));
    const id = (await look())!;
    let passed = false;
    const { outcome } = await ended(id, async () => {
      const [transfer] = await driver.executor.env.store.transfersOf(id);
      if (passed || transfer?.startedAt == null) return;
      passed = true;
      for (const chainId of [A, B]) await advance(site.world.chain(chainId), 900);
    });
    expect(outcome).to.equal("delivered");
    const { rows } = await driver.db.pool.query(`select intent_id from journal.attempt where intent_id like '%slow-fill%'`);
    expect(rows).to.deep.equal([{ intent_id: `saga/${id}:move.slow-fill` }]);
    await balanced();
  });

  it("goes on in another driver when its own ends in the middle", async () => {
    await desk.fund(A, { USDC: 40_000n * USDC });
    start.vault = new Map([...start.vault, [`${A} USDC`, start.vault.get(`${A} USDC`)! + 40_000n * USDC]]);
    const id = (await look())!;
    await until("its start", async () => (await driver.executor.env.store.transfersOf(id))[0]?.startedAt, 120);
    const { db } = driver;
    await driver.executor.close();
    await driver.journal.close();
    const next = await openDriver(site, [wallet], { networks: desk.networks, db, rebalancing: [HALF], deadAfterMs: 500 });
    driver = { ...next, close: async () => (await next.close(), await db.close()) };
    const { outcome } = await ended(id);
    expect(outcome).to.equal("delivered");
    const { rows } = await db.pool.query(`select 1 from crosschain.transfer where saga = $1`, [id]);
    expect(rows).to.have.length(1);
    await balanced();
  });
});
