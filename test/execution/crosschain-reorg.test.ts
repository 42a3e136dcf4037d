import { expect } from "chai";
import type { SagaResult } from "../../src/transfers/types.js";
import { reorgsOf, type Reorgs } from "../../src/sim/reorg.js";
import type { WalletManager } from "../../src/wallet/wallet-manager.js";
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
  widen,
} from "../helpers/cross-chain.js";

/** More than the blocks that are dropped, and those that a slow machine makes until then. */
const FINALITY = 12;

describe("cross-chain executor: reorganisations that replace the start of a transfer", function () {
  this.timeout(120_000);
  let site: Site;
  let driver: OpenDriver;
  let wallet: WalletManager;
  let start: Map<string, bigint>;
  let reorgs: Reorgs;

  before(async () => {
    site = await openCrossChainSite({ finality: FINALITY });
    ({ wallet } = await site.wallet({ [A]: { USDC: 20_000n * USDC } }));
    start = await balances(site, wallet.address);
    driver = await openDriver(site, [wallet]);
    const chain = site.world.chain(A);
    reorgs = reorgsOf(async (method, params) => await chain.rpc(method, params));
    // a point to go back to before every start
    const { bridges } = driver.executor.env.actions;
    const begin = bridges.start.bind(bridges);
    bridges.start = async (...args) => {
      if (args[2].request.route.fromChainId === A) await reorgs.mark();
      return await begin(...args);
    };
  });
  after(async () => {
    await driver.close();
    await site.close();
  });

  const height = async (): Promise<number> => Number(await site.world.chain(A).rpc<string>("eth_blockNumber"));
  const deposits = async (id: string) => (await driver.executor.env.store.transfersOf(id)).filter((t) => t.leg.startsWith("out"));

  const takenBack = async (): Promise<number> =>
    (await driver.db.pool.query(`select 1 from journal.inclusion where taken_back_at is not null`)).rows.length;

  /** One trade; when its first transfer is under way, its start's block is dropped, and `then` happens. */
  async function run(id: string, then: () => Promise<unknown>): Promise<SagaResult> {
    const opportunity = site.opportunity(id);
    await widen(site, driver.executor, opportunity);
    let marked = Number.POSITIVE_INFINITY;
    const mark = reorgs.mark.bind(reorgs);
    reorgs.mark = async () => {
      marked = Math.min(marked, await height());
      await mark();
    };
    let dropped = false;
    site.across.setScript(() => ({ fill: "fill" }));
    const handle = await driver.executor.submit(opportunity);
    let result: SagaResult | null = null;
    handle.getResult().then(
      (r) => (result = r),
      () => undefined,
    );
    await until(`the end of ${id}`, async () => {
      if (!dropped && (await deposits(id)).some((t) => t.startedAt !== null)) {
        dropped = true;
        await reorgs.reorg((await height()) - marked, { branch: (old) => [[], ...old.map(() => [])] });
        await then();
      } else if (dropped) await site.across.step();
      // none before: what is final is never taken back
      if (dropped) for (const chainId of [A, B]) await site.world.chain(chainId).rpc("hardhat_mine", ["0x1"]);
      return result;
    });
    reorgs.mark = mark;
    return result!;
  }

  it("a start that is dropped is sent again, and followed to the trade's planned end", async () => {
    const result = await run("dropped", () => Promise.resolve());
    expect([result.outcome, result.final], result.reason).to.deep.equal(["profit", true]);
    expect(await deposits("dropped")).to.have.length(1);
    expect(await takenBack()).to.be.greaterThan(0);
    expect(await unbooked(site, driver.db, wallet.address, start)).to.deep.equal([]);
  });

  it("one that reverts when it is sent again never was: its money is used once more, and only then", async () => {
    const before = await takenBack();
    const pool = site.across.pool(A);
    const result = await run("undone", async () => await pool.pause("deposits", true));
    await pool.pause("deposits", false);
    expect([result.outcome, result.final], result.reason).to.deep.equal(["sold-at-source", true]);
    expect(await takenBack()).to.be.greaterThan(before);
    expect((await deposits("undone")).map((t) => t.ended)).to.deep.equal(["not-started"]);
    expect(await unbooked(site, driver.db, wallet.address, start)).to.deep.equal([]);
    expect((await driver.db.pool.query(`select 1 from crosschain.reservation`)).rows).to.deep.equal([]);
  });
});
