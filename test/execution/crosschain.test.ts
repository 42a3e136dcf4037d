import { expect } from "chai";
import type { CrossChainOpportunity } from "../../src/opportunity/cross-chain.js";
import type { SagaResult } from "../../src/transfers/types.js";
import type { WalletManager } from "../../src/wallet/wallet-manager.js";
import { advance } from "../helpers/bridges.js";
import {
  A,
  B,
  balances,
  ETHER,
  openCrossChainSite,
  openDriver,
  type OpenDriver,
  POLICY,
  RULES,
  type Site,
  unbooked,
  until,
  USDC,
  widen,
} from "../helpers/cross-chain.js";

const text = (result: SagaResult): string =>
  JSON.stringify(result, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v), 1);

describe("cross-chain executor: real local chains, real SpokePools, the program's own database", function () {
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
  afterEach(() => site.across.setScript(() => ({ fill: "fill" })));
  after(async () => {
    await driver.close();
    await site.close();
  });

  /** The local relayer and data worker, stepped by the test: deterministic. */
  async function run(
    opportunity: CrossChainOpportunity,
    during: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<SagaResult> {
    await widen(site, driver.executor, opportunity);
    const handle = await driver.executor.submit(opportunity);
    let result: SagaResult | null = null;
    const ended = handle.getResult().then((r) => (result = r));
    try {
      await until(`the end of ${opportunity.id}`, async () => {
        await during();
        await site.across.step();
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
  const stateOf = async (id: string) => (await driver.executor.env.store.saga(id))?.state;
  const isFlying = async (id: string) =>
    (await driver.executor.env.store.transfersOf(id)).some((t) => t.startedAt !== null && t.ended === null);
  const pass = async (seconds: number) => {
    for (const chainId of [A, B]) await advance(site.world.chain(chainId), seconds);
  };
  /** `held`: the trade whose position stays its own. */
  const balanced = async (held: string | null = null) => {
    expect(await unbooked(site, driver.db, wallet.address, start)).to.deep.equal([]);
    const { rows } = await driver.db.pool.query(`select distinct saga from crosschain.reservation`);
    expect(rows, "nothing else stays reserved").to.deep.equal(held === null ? [] : [{ saga: held }]);
  };

  it("bridge mode: buys, carries, sells, brings home, and books to the wei, once per id", async () => {
    const result = await run(site.opportunity("bridge"));
    expect(result.outcome, text(result)).to.equal("profit");
    expect(result.final).to.equal(true);
    expect(result.net > 0n && result.net === result.profit + result.residual - result.gasCost).to.equal(true);
    // within the dust that makes amounts unique and the price of what was held back for risk
    expect(result.net >= result.expected).to.equal(true);
    await balanced();
    // starts once per id: the second submission gives the first one's end
    const again = await driver.executor.execute(site.opportunity("bridge"));
    expect(again.outcome).to.equal("profit");
    const { rows } = await driver.db.pool.query<{ n: number }>(
      `select count(*)::int as n from crosschain.transfer where saga = 'bridge'`,
    );
    expect(rows[0]?.n).to.equal(2);
  });

  it("inventory mode: both legs at once, then the stock is brought back by the cheapest bridge", async () => {
    const result = await run(site.opportunity("inventory", { mode: "inventory", amountIn: 2_000n * USDC }));
    expect(result.outcome, text(result)).to.equal("profit");
    const transfers = await driver.executor.env.store.transfersOf("inventory");
    expect(transfers.map((t) => [t.leg.split(".")[0], t.ended])).to.deep.equal([
      ["restock", "delivered"],
      ["home", "delivered"],
    ]);
    await balanced();
  });

  it("return_to_source false leaves the proceeds on the target network", async () => {
    const result = await run(site.opportunity("stays", { returnToSource: false, amountIn: 1_000n * USDC }));
    expect(result.outcome, text(result)).to.equal("profit");
    const there = result.books.find((b) => b.chainId === B && b.asset === site.opportunity("x").sell.tokenOut.toLowerCase());
    expect(there!.amount > 1_000n * USDC).to.equal(true);
    await balanced();
  });

  it("nobody fills: the deposit expires, its refund is found, and it is sold at the source", async () => {
    site.across.setScript(() => ({ fill: "never" }));
    let passed = false;
    const result = await run(site.opportunity("refund"), async () => {
      if (passed || !(await isFlying("refund"))) return;
      passed = true;
      await pass(8_000);
    });
    expect(result.outcome, text(result)).to.equal("sold-at-source");
    expect(result.decisions.map((d) => d.choice)).to.include("sell-at-source");
    await balanced();
  });

  it("relayers want more: the transfer is sped up, and arrives", async () => {
    let first = true;
    site.across.setScript(() => {
      const fill = first ? "sped-up" : "fill";
      first = false;
      return { fill };
    });
    let passed = false;
    const result = await run(site.opportunity("sped-up"), async () => {
      if (passed || !(await isFlying("sped-up"))) return;
      passed = true;
      await pass(900);
    });
    expect(
      result.decisions.map((d) => d.choice),
      text(result),
    ).to.include("speed-up");
    expect(result.outcome).to.equal("profit");
    await balanced();
  });

  it("no way out is within the limit: it is held, says what it waits for, and one command continues", async () => {
    await driver.close();
    driver = await openDriver(site, [wallet], {
      policy: { ...POLICY, maxLoss: -1n },
      rules: { ...RULES, minProfit: { USDC: 1n } },
    });
    start = await balances(site, wallet.address);
    await widen(site, driver.executor, site.opportunity("too-risky"));
    const refused = await driver.executor.execute(site.opportunity("too-risky"));
    expect(refused.outcome).to.equal("no-trade");
    expect(refused.reason).to.match(/worst way out may lose \d+/);
    await driver.close();

    driver = await openDriver(site, [wallet]);
    start = await balances(site, wallet.address);
    site.across.setScript(() => ({ fill: "never" }));
    let [passed, told] = [false, false];
    const result = await run(site.opportunity("held"), async () => {
      if (!passed && (await isFlying("held"))) {
        passed = true;
        // from here on every way out is beyond the limit
        driver.executor.env.recovery.policy.maxLoss = -10_000n * USDC;
        await pass(8_000);
      }
      if (!told && (await stateOf("held")) === "held") {
        const saga = await driver.executor.env.store.saga("held");
        expect(saga?.waitsFor).to.match(/arb transfers resume held --choice .*sell-at-source/);
        expect(saga?.due).to.not.equal(null);
        told = true;
        await driver.executor.command("held", { choice: "sell-at-source" });
      }
    });
    driver.executor.env.recovery.policy.maxLoss = POLICY.maxLoss;
    expect(result.outcome, text(result)).to.equal("sold-at-source");
    expect(result.decisions.some((d) => d.choice === "hold")).to.equal(true);
    await balanced();
  });

  it("one that ended as held goes on by one word in the database, in whatever driver runs", async () => {
    site.across.setScript(() => ({ fill: "never" }));
    let passed = false;
    const { policy } = driver.executor.env.recovery;
    // fixed when it is opened
    policy.holdSeconds = 1;
    const held = await run(site.opportunity("later"), async () => {
      if (passed || !(await isFlying("later"))) return;
      passed = true;
      Object.assign(policy, { maxLoss: -10_000n * USDC, holdLimit: 0n });
      await pass(8_000);
    });
    Object.assign(policy, POLICY);
    expect(held.outcome, text(held)).to.equal("held");
    await balanced("later");

    const { store } = driver.executor.env;
    expect(await store.wish("later", "sell-at-source")).to.equal(true);
    const result = await until("the end of the resumed saga", async () => {
      const row = await store.saga("later");
      return row?.outcome !== null && row?.outcome !== "held" ? row?.result : null;
    });
    expect(result.outcome, text(result)).to.equal("sold-at-source");
    expect(await store.wished([wallet.address])).to.deep.equal([]);
    expect(await store.wish("later", "look"), "it is at its end").to.equal(false);
    await balanced();
  });

  it("is refused with a reason: too much for a bridge, past its deadline, too little capital for inventory, no profit", async () => {
    const outcome = async (id: string, change: Partial<CrossChainOpportunity>) =>
      await driver.executor.execute(site.opportunity(id, change));
    const { buy, sell } = site.opportunity("x");
    const turned = (hop: typeof buy) => ({ ...hop, tokenIn: hop.tokenOut, tokenOut: hop.tokenIn });
    const reasons = [
      (await outcome("r1", { amountIn: 1_000_000n * USDC })).reason,
      (await outcome("r2", { deadline: 1 })).reason,
      (await outcome("r3", { mode: "inventory", amountIn: 19_000n * USDC })).reason,
      // bought where it is no cheaper
      (await outcome("r4", { buy: turned(sell), sell: turned(buy) })).reason,
    ];
    expect(reasons[0]).to.match(/no bridge carries it: across the amount is above/);
    expect(reasons[1]).to.equal("its deadline has passed");
    expect(reasons[2]).to.match(/inventory/);
    expect(reasons[3]).to.match(/the expected profit of -\d+ is/);
    await balanced();
  });
});
