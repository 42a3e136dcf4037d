import { expect } from "chai";
import { A, B, openCrossChainSite, openDriver, type OpenDriver, type Site, USDC } from "../helpers/cross-chain.js";
import type { WalletManager } from "../../src/wallet/wallet-manager.js";

describe("cross-chain executor: real local chains, real SpokePools, the program's own database", function () {
  this.timeout(180_000);
  let site: Site;
  let driver: OpenDriver;
  let wallet: WalletManager;

  before(async () => {
    site = await openCrossChainSite();
    ({ wallet } = await site.wallet({ [A]: { USDC: 20_000n * USDC } }));
    driver = await openDriver(site, [wallet]);
    site.across.run(100);
  });
  after(async () => {
    await driver.close();
    await site.close();
  });

  it("bridge mode: buys, carries, sells, brings home, and books to the wei", async () => {
    await site.move(A, "WETH", 30_000);
    const before = await site.balance(A, "USDC", wallet.address);
    const result = await driver.executor.execute(site.opportunity("bridge-1"));
    expect(driver.faults).to.deep.equal([]);
    expect(result.outcome, JSON.stringify(result, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v))).to.equal("profit");
    const after = await site.balance(A, "USDC", wallet.address);
    console.log(result, after - before);
  });
});
