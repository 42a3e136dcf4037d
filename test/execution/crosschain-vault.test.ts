import { expect } from "chai";
import { cctpBridge } from "../../src/bridges/cctp.js";
import { iris } from "../../src/bridges/iris.js";
import { stargateBridge } from "../../src/bridges/stargate.js";
import type { CrossChainOpportunity } from "../../src/opportunity/cross-chain.js";
import { type LocalCctp, startLocalCctp } from "../../src/sim/bridges/cctp.js";
import { type LocalStargate, startLocalStargate } from "../../src/sim/bridges/stargate.js";
import type { SagaResult } from "../../src/transfers/types.js";
import type { WalletManager } from "../../src/wallet/wallet-manager.js";
import { advance } from "../helpers/bridges.js";
import {
  A,
  B,
  balances,
  ETHER,
  localAcrossBridge,
  openCrossChainSite,
  openDriver,
  type OpenDriver,
  POLICY,
  type Site,
  unbooked,
  until,
  USDC,
} from "../helpers/cross-chain.js";
import { openVaultDesk, type VaultDesk } from "../helpers/cross-chain-vault.js";

const text = (result: SagaResult): string =>
  JSON.stringify(result, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v), 1);

describe("cross-chain executor with its inventory in ArbVault: real chains, pools, SpokePools and Stargate", function () {
  this.timeout(300_000);
  let site: Site;
  let cctp: LocalCctp;
  let stargate: LocalStargate;
  let desk: VaultDesk;
  let driver: OpenDriver;
  let wallet: WalletManager;
  let start: { vault: Map<string, bigint>; account: Map<string, bigint> };

  before(async () => {
    site = await openCrossChainSite();
    const chains = [A, B].map((id) => site.world.chain(id));
    cctp = await startLocalCctp(chains);
    stargate = await startLocalStargate(chains);
    ({ wallet } = await site.wallet());
    desk = await openVaultDesk(site, wallet.address);
    await desk.fund(A, { USDC: 30_000n * USDC, WETH: 10n * ETHER });
    await desk.fund(B, { USDC: 30_000n * USDC, WETH: 10n * ETHER });
    start = { vault: await balances(site, desk.vault), account: await balances(site, wallet.address) };
    driver = await openDriver(site, [wallet], {
      networks: desk.networks,
      bridges: [
        localAcrossBridge(),
        cctpBridge({ iris: iris({ url: cctp.url, deadlineMs: 20_000 }), speed: "fast" }),
        stargateBridge({ maxNativeFee: ETHER / 100n }),
      ],
      policy: { ...POLICY, maxLoss: 150n * USDC },
    });
  });
  afterEach(() => site.across.setScript(() => ({ fill: "fill" })));
  after(async () => {
    await driver.close();
    await cctp.close();
    await site.close();
  });

  /** Steps relayers, data worker and LayerZero until the trade has ended; false of `during`: not yet. */
  async function run(o: CrossChainOpportunity, during: () => Promise<unknown> = () => Promise.resolve()): Promise<SagaResult> {
    const handle = await driver.executor.submit(o);
    let result: SagaResult | null = null;
    const ended = handle.getResult().then((r) => (result = r));
    try {
      await until(`the end of ${o.id}`, async () => {
        if ((await during()) === false) return result;
        await site.across.step();
        await stargate.step();
        return result;
      });
    } catch (error) {
      const saga = await driver.executor.env.store.saga(o.id);
      throw new Error(`${(error as Error).message}: ${saga?.state}, ${saga?.waitsFor}; faults: ${driver.faults.join("; ")}`, {
        cause: error,
      });
    }
    return await ended;
  }
  const legs = async (id: string) =>
    (await driver.executor.env.store.transfersOf(id)).map((t) => [t.leg.split(".")[0], t.bridge, t.ended]);
  const isFlying = async (id: string) =>
    (await driver.executor.env.store.transfersOf(id)).some((t) => t.startedAt !== null && t.ended === null);
  const gap = async (sell: "WETH" | "USDC" = "WETH") => await site.move(A, sell, 12_000);
  /** Every balance of the vault and of its operator is in the books, and the operator holds nothing but its gas. */
  const balanced = async () => {
    expect(await unbooked(site, driver.db, desk.vault, start.vault)).to.deep.equal([]);
    expect(await unbooked(site, driver.db, wallet.address, start.account)).to.deep.equal([]);
    for (const chainId of [A, B])
      for (const symbol of ["USDC", "WETH"]) expect(await site.balance(chainId, symbol, wallet.address)).to.equal(0n);
    const { rows } = await driver.db.pool.query(`select * from crosschain.reservation`);
    expect(rows, "nothing stays reserved").to.deep.equal([]);
  };
  /** USDC is bought with WETH, so that USDC travels. */
  const backwards = (id: string, change: Partial<CrossChainOpportunity>): CrossChainOpportunity => {
    const o = site.opportunity(id);
    const turned = (hop: CrossChainOpportunity["buy"]) => ({ ...hop, tokenIn: hop.tokenOut, tokenOut: hop.tokenIn });
    return { ...o, buy: turned(o.buy), sell: turned(o.sell), amountIn: ETHER, ...change };
  };

  it("bridge mode by Across: buys, sends to its twin, sells there, brings home; the operator pays gas and nothing else", async () => {
    await gap();
    const result = await run(site.opportunity("vault-bridge", { bridges: ["across"] }));
    expect(result.outcome, text(result)).to.equal("profit");
    expect(await legs("vault-bridge")).to.deep.equal([
      ["out", "across", "delivered"],
      ["home", "across", "delivered"],
    ]);
    expect(driver.faults).to.deep.equal([]);
    await balanced();
  });

  it("inventory mode: both legs at once from the vaults, then the stock is brought back", async () => {
    await gap();
    const o = site.opportunity("vault-inventory", { mode: "inventory", amountIn: 2_000n * USDC, bridges: ["across"] });
    const result = await run(o);
    expect(result.outcome, text(result)).to.equal("profit");
    expect((await legs("vault-inventory")).map(([leg, , ended]) => [leg, ended])).to.deep.equal([
      ["restock", "delivered"],
      ["home", "delivered"],
    ]);
    await balanced();
  });

  it("nobody fills: the refund comes back to the vault, and is sold there", async () => {
    await gap();
    site.across.setScript(() => ({ fill: "never" }));
    let passed = false;
    const result = await run(site.opportunity("vault-refund", { bridges: ["across"] }), async () => {
      if (passed || !(await isFlying("vault-refund"))) return;
      passed = true;
      for (const chainId of [A, B]) await advance(site.world.chain(chainId), 8_000);
    });
    site.across.setScript(() => ({ fill: "fill" }));
    expect(result.outcome, text(result)).to.equal("sold-at-source");
    expect(result.decisions.map((d) => d.choice)).to.not.include("speed-up");
    expect(await legs("vault-refund")).to.deep.equal([["out", "across", "refunded"]]);
    await balanced();
  });

  /** Trades that are counted in WETH need limits in WETH. */
  async function inWeth(o: CrossChainOpportunity, during?: () => Promise<unknown>): Promise<SagaResult> {
    const { policy } = driver.executor.env.recovery;
    const before = { ...policy };
    Object.assign(policy, { maxLoss: ETHER / 10n, holdLimit: 2n * ETHER });
    try {
      return await run(o, during);
    } finally {
      Object.assign(policy, before);
    }
  }

  it("by CCTP: the vault burns, the mint is ours to send, and is booked once", async () => {
    for (let i = 0; i < 4; i++) await gap("USDC");
    const result = await inWeth(backwards("vault-cctp", { bridges: ["cctp", "across"] }));
    expect(result.outcome, text(result)).to.equal("profit");
    expect(await legs("vault-cctp")).to.deep.equal([
      ["out", "cctp", "delivered"],
      ["home", "across", "delivered"],
    ]);
    await balanced();
  });

  it("a refund that the token refused is claimed by the vault itself", async () => {
    for (let i = 0; i < 3; i++) await gap("USDC");
    site.across.setScript(() => ({ fill: "never", refund: "fails" })); // of USDC only
    let passed = false;
    const result = await inWeth(backwards("vault-credit", { bridges: ["across"] }), async () => {
      if (passed || !(await isFlying("vault-credit"))) return;
      passed = true;
      for (const chainId of [A, B]) await advance(site.world.chain(chainId), 8_000);
    });
    site.across.setScript(() => ({ fill: "fill" }));
    expect(result.outcome, text(result)).to.equal("sold-at-source");
    expect(await legs("vault-credit")).to.deep.equal([["out", "across", "refunded"]]);
    await balanced();
  });

  it("by Stargate: the operator pays the message, and what it paid too much is in the books", async () => {
    await stargate.setMessageFee(A, ETHER / 10_000n);
    await gap("USDC");
    const result = await inWeth(backwards("vault-stargate", { bridges: ["stargate", "across"] }));
    expect(result.outcome, text(result)).to.equal("profit");
    expect((await legs("vault-stargate"))[0]).to.deep.equal(["out", "stargate", "delivered"]);
    await balanced();
  });

  it("the vault's limits and price bound refuse with their reasons, before anything is sent", async () => {
    await gap();
    await gap();
    const outcome = async (id: string, change: Partial<CrossChainOpportunity> = {}) =>
      await driver.executor.execute(site.opportunity(id, { bridges: ["across"], ...change }));
    await desk.limitMarket(A, "USDC", 1_000n * USDC);
    const limited = await outcome("vault-limit");
    expect(limited.outcome).to.equal("no-trade");
    expect(limited.reason).to.match(/daily limit/);
    await desk.limitMarket(A, "USDC", 2_000_000n * USDC);

    await desk.setPrice(B, 1_100_000);
    const dear = await outcome("vault-oracle");
    expect(dear.outcome).to.equal("no-trade");
    expect(dear.reason).to.match(/no pool of the target network takes the amount; .*the vault takes no less than \d+/);
    await desk.setPrice(B, 1_000_000);

    await desk.forbidRoute(A, "across", "WETH");
    const closed = await outcome("vault-route");
    expect(closed.outcome).to.equal("no-trade");
    expect(closed.reason).to.match(/across the vault's owner has not allowed this route/);
    await balanced();
  });

  it("the price bound closes under way: the position is held, and goes on by itself when it opens within its time", async () => {
    await desk.allowRoute(A, "across", "WETH");
    // what earlier trades sold there is bought again
    for (let i = 0; i < 4; i++) {
      await gap();
      await site.move(B, "USDC", 12_000);
    }
    let at: "open" | "closed" | "held" = "open";
    const o = site.opportunity("vault-closed", { bridges: ["across"], returnToSource: false });
    const result = await run(o, async () => {
      if (at === "open") {
        if (!(await isFlying("vault-closed"))) return false;
        for (const chainId of [A, B]) await desk.setPrice(chainId, 2_000_000);
        at = "closed";
      }
      const saga = await driver.executor.env.store.saga("vault-closed");
      if (at === "closed" && saga?.state === "held") {
        expect(saga.waitsFor).to.match(/no way out can be quoted; arb transfers resume vault-closed/);
        expect(saga.risk).to.include({ chainId: B });
        for (const chainId of [A, B]) await desk.setPrice(chainId, 1_000_000);
        at = "held";
      }
      return true;
    });
    expect(at).to.equal("held");
    expect(["profit", "sold-at-target"], text(result)).to.include(result.outcome);
    expect(result.decisions.map((d) => d.choice)).to.include("hold");
    await balanced();
  });

  it("relayers stay away, and nobody can sign for the vault: Across is asked for a slow fill, which arrives and is sold", async () => {
    for (let i = 0; i < 4; i++) {
      await gap();
      await site.move(B, "USDC", 12_000);
    }
    site.across.setScript(({ relay }) => ({ fill: relay.inputToken === site.opportunity("").buy.tokenOut ? "never" : "fill" }));
    let passed = false;
    const result = await run(site.opportunity("vault-slow", { bridges: ["across"] }), async () => {
      if (passed || !(await isFlying("vault-slow"))) return;
      passed = true;
      for (const chainId of [A, B]) await advance(site.world.chain(chainId), 900);
    });
    expect(result.outcome, text(result)).to.equal("profit");
    expect(result.decisions.map((d) => d.choice)).to.deep.equal(["slow-fill"]);
    expect(await legs("vault-slow")).to.deep.equal([
      ["out", "across", "delivered"],
      ["home", "across", "delivered"],
    ]);
    await balanced();
  });
});
