import { expect } from "chai";
import type { CrossChainOpportunity } from "../../src/opportunity/cross-chain.js";
import type { SagaResult } from "../../src/transfers/types.js";
import type { WalletManager } from "../../src/wallet/wallet-manager.js";
import {
  A,
  B,
  balances,
  ETHER,
  openCrossChainSite,
  openDriver,
  type OpenDriver,
  POLICY,
  type Site,
  unbooked,
  until,
  USDC,
  widen,
} from "../helpers/cross-chain.js";

const text = (result: SagaResult): string =>
  JSON.stringify(result, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v), 1);

describe("cross-chain executor: the target's market falls while the tokens travel", function () {
  this.timeout(240_000);
  let site: Site;
  let driver: OpenDriver;
  let wallet: WalletManager;
  let start: Map<string, bigint>;

  before(async () => {
    site = await openCrossChainSite();
    ({ wallet } = await site.wallet({
      [A]: { USDC: 20_000n * USDC },
      [B]: { USDC: 5_000n * USDC, WETH: 5n * ETHER },
    }));
    start = await balances(site, wallet.address);
    driver = await openDriver(site, [wallet]);
  });
  after(async () => {
    await driver.close();
    await site.close();
  });

  /** The local relayer and data worker, stepped by the test once `ready` says so: nothing arrives before. */
  async function run(opportunity: CrossChainOpportunity, ready: () => Promise<boolean>): Promise<SagaResult> {
    await widen(site, driver.executor, opportunity);
    const handle = await driver.executor.submit(opportunity);
    let result: SagaResult | null = null;
    const ended = handle.getResult().then((r) => (result = r));
    try {
      await until(`the end of ${opportunity.id}`, async () => {
        if (await ready()) await site.across.step();
        return result;
      });
    } catch (error) {
      const saga = await driver.executor.env.store.saga(opportunity.id);
      throw new Error(`${(error as Error).message}: ${saga?.state}, ${saga?.waitsFor}; faults: ${driver.faults.join("; ")}`, {
        cause: error,
      });
    }
    return await ended;
  }
  const isFlying = async (id: string) =>
    (await driver.executor.env.store.transfersOf(id)).some((t) => t.startedAt !== null && t.ended === null);
  const balanced = async () => {
    expect(await unbooked(site, driver.db, wallet.address, start)).to.deep.equal([]);
    const { rows } = await driver.db.pool.query(`select * from crosschain.reservation`);
    expect(rows, "nothing stays reserved").to.deep.equal([]);
  };

  it("the target's price is gone: what was bought is brought back and sold where it came from", async () => {
    let moved = false;
    const result = await run(site.opportunity("gone"), async () => {
      if (moved || !(await isFlying("gone"))) return moved;
      await site.crash(B);
      moved = true;
      return true;
    });
    expect(result.decisions[0]?.at, text(result)).to.equal("target-leg: price-gone");
    expect(result.decisions[0]?.choice).to.equal("bridge-back");
    expect(result.outcome).to.equal("bridged-back");
    expect(result.net > -POLICY.maxLoss).to.equal(true);
    await balanced();
  });
});
