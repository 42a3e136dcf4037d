import { expect } from "chai";
import type { Database } from "../../src/database/open.js";
import { type Journal, openJournal } from "../../src/journal/journal.js";
import type { Outcome } from "../../src/execution/outcome.js";
import { type OnStep, SameChainExecutor } from "../../src/execution/same-chain-executor.js";
import { scanBlock } from "../../src/market/watcher.js";
import type { Opportunity } from "../../src/opportunity/opportunity.js";
import { decodePlan } from "../../src/plan/codec.js";
import type { Plan } from "../../src/plan/plan.js";
import { DEFAULT_GUARDS, type GuardSettings } from "../../src/plan/planner-guards.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type Desk, openDesk } from "../../src/sim/desk.js";
import { findPool, movePrice, rival, shareOf } from "../../src/sim/trader.js";
import { TransactionExecutor, nodeRoute } from "../../src/submit/transaction-executor.js";
import { journalDatabase } from "../helpers/journal.js";
import { IERC20__factory } from "../../types/contracts/index.js";

describe("guards that the planner sets", () => {
  let local: LocalChain;
  let desk: Desk;
  let snapshot: string;
  let db: Database;
  let journal: Journal;

  before(async () => {
    db = await journalDatabase();
    local = await startLocalChain(1);
    desk = await openDesk(local, null);
  });
  beforeEach(async () => {
    snapshot = await local.rpc<string>("evm_snapshot");
    // a chain that was turned back is another chain: nothing of it is remembered
    await db.pool.query("truncate journal.driver cascade");
    journal = await openJournal(db);
  });
  afterEach(async () => {
    await journal.close();
    await local.rpc("evm_revert", [snapshot]);
  });
  after(async () => {
    desk.close();
    await local.close();
    await db.close();
  });

  const token = (symbol: string) => local.network.tokens.find((t) => t.symbol === symbol)!.address;
  const weth = (of: string) => IERC20__factory.connect(token("WETH"), desk.chain.provider).balanceOf(of);
  const text = (outcome: Outcome) => JSON.stringify(outcome, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v));

  function guarded(guards: Partial<GuardSettings>): SameChainExecutor {
    const { chain, wallet } = desk;
    const transactions = new TransactionExecutor(chain, wallet, nodeRoute(chain.provider), { journal });
    const settings = { ...desk.driver.context.settings, guards: { ...DEFAULT_GUARDS, ...guards } };
    return new SameChainExecutor({ ...desk.driver.context, settings, transactions });
  }

  /** A gap that makes the V2 pair the first pool: WETH rises there. */
  async function openGap(): Promise<Opportunity> {
    const pool = findPool(local, "uniswap-v2", "WETH", "USDC", 3000)!;
    await movePrice(local, pool, token("USDC"), await shareOf(local, pool, token("USDC"), 20_000));
    const options = { profitTokens: [token("WETH")], lifetimeSeconds: 60 };
    const pools = local.pools.filter((p) => [p.token0, p.token1].includes(token("USDC")) && p.venue !== "uniswap-v4");
    const [found] = await scanBlock(desk.chain.provider, local.network, pools, options);
    return { ...found!.opportunity, amounts: "adaptive" };
  }

  /** Executes; gives the plan that was sent with what came of it. */
  async function run(driver: SameChainExecutor, opportunity: Opportunity, then?: () => Promise<unknown>) {
    let plan: Plan | undefined;
    const onStep: OnStep = async (step, { trade }) => {
      if (step !== "planned") return;
      plan = trade!.plan;
      await then?.();
    };
    return { outcome: await driver.execute(opportunity, onStep), plan: plan! };
  }
  const landed = (outcome: Outcome) => {
    if (outcome.status !== "landed") throw new Error(text(outcome));
    expect(outcome.trade.profit).to.equal(outcome.trade.expectedProfit);
    return outcome.trade;
  };

  const first = () => findPool(local, "uniswap-v2", "WETH", "USDC", 3000)!;

  it("the first pool: a plan lands after dust", async () => {
    const opportunity = await openGap();
    expect(opportunity.hops[0]!.pool).to.equal(first().address);
    const dust = await run(guarded({ firstPool: "always" }), opportunity, () => rival(local, "dust", first(), token("WETH")));
    expect(dust.plan.poolBound).to.be.a("bigint");
    expect(dust.outcome.status).to.equal("landed");
  });

  it("the first pool: a lost race costs under 40,000 gas", async () => {
    const opportunity = await openGap();
    const { outcome } = await run(guarded({ firstPool: "always" }), opportunity, () =>
      rival(local, "adverse", first(), token("WETH")),
    );
    if (outcome.status !== "reverted") throw new Error(text(outcome));
    expect(Number(outcome.gasUsed)).to.be.lessThan(40_000);
  });

  it("no check of the first pool on Ethereum, unless it is asked for", async () => {
    const { plan, outcome } = await run(guarded({}), await openGap());
    expect(plan.poolBound ?? null).to.equal(null);
    landed(outcome);
  });

  it("own gas: the contract counts it, and the plan asks for that much less", async () => {
    const opportunity = await openGap();
    const without = await guarded({}).quote(opportunity);
    const [plain, counted] = await Promise.all(
      [{}, { ownGas: true }].map(async (guards) => await guarded(guards).plan(without.ok ? without.value : (null as never))),
    );
    if (!plain!.ok || !counted!.ok) throw new Error("no plan");
    const { plan, cost } = counted!.value;
    expect(plan.gasPrice).to.deep.equal({ price: 1n, scale: 0 });
    const less = plain!.value.plan.minProfit - plan.minProfit;
    expect(less > 0n && less <= (cost.wei * 11n) / 10n).to.equal(true);
    landed((await run(guarded({ ownGas: true }), opportunity)).outcome);
  });

  it("of a bundle: the plan names the block that it must follow", async () => {
    const driver = guarded({});
    const quoted = await driver.quote(await openGap());
    if (!quoted.ok) throw new Error(quoted.rejection.detail);
    const { blockHash } = quoted.value;
    const planned = await driver.plan(quoted.value, blockHash);
    if (!planned.ok) throw new Error(planned.rejection.detail);
    expect(decodePlan(planned.value.call.data).parentHash).to.equal(`0x${blockHash.slice(-24)}`);
  });

  it("sweep: the profit goes to the owner, and is booked", async () => {
    await local.fund(desk.executor, { tokens: { WETH: 12_345n } });
    const [held, before] = [await weth(desk.executor), await weth(desk.owner)];
    const trade = landed((await run(guarded({ sweep: true }), await openGap())).outcome);
    expect(await weth(desk.executor)).to.equal(1n);
    expect((await weth(desk.owner)) - before).to.equal(trade.profit + held - 1n);
  });

  it("tip: the proposer gets its share, and the profit is what is left", async () => {
    const opportunity = await openGap();
    const quoted = await guarded({}).quote(opportunity);
    const whole = quoted.ok ? quoted.value.profit : 0n;
    const tip = { bips: 4000, floor: 1n, cap: 10n ** 20n };
    const driver = guarded({ tip });
    const trade = landed((await run(driver, opportunity)).outcome);
    expect(trade.profit).to.equal(whole - (whole * 4000n) / 10_000n);
    const few = { ...opportunity, id: "few" };
    const greedy = await guarded({ tip: { ...tip, bips: 10_000 } }).execute({ ...few, amountIn: 10n ** 18n });
    if (greedy.status !== "rejected") throw new Error(text(greedy));
  });
});
