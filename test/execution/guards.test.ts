import { expect } from "chai";
import type { Database } from "../../src/database/open.js";
import { type Journal, openJournal } from "../../src/journal/journal.js";
import type { Outcome } from "../../src/execution/outcome.js";
import { type OnStep, SameChainExecutor } from "../../src/execution/same-chain-executor.js";
import { scanBlock } from "../../src/market/watcher.js";
import type { Opportunity } from "../../src/opportunity/opportunity.js";
import { decodePlan } from "../../src/plan/codec.js";
import { decodeSteps } from "../../src/plan/steps.js";
import type { Plan } from "../../src/plan/plan.js";
import type { PlannedTrade } from "../../src/plan/planner.js";
import { DEFAULT_GUARDS, type GuardSettings } from "../../src/plan/planner-guards.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type Desk, openDesk } from "../../src/sim/desk.js";
import { findPool, movePrice, rival, shareOf } from "../../src/sim/trader.js";
import { TransactionBuilder } from "../../src/plan/transaction-builder.js";
import { chainRoute } from "../../src/submit/relays/node.js";
import { TransactionExecutor } from "../../src/submit/transaction-executor.js";
import { journalDatabase } from "../helpers/journal.js";
import { ArbExecutor__factory, IERC20__factory } from "../../types/contracts/index.js";

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
    await desk.close();
    await local.close();
    await db.close();
  });

  const token = (symbol: string) => local.network.tokens.find((t) => t.symbol === symbol)!.address;
  const weth = (of: string) => IERC20__factory.connect(token("WETH"), desk.chain.provider).balanceOf(of);
  const text = (outcome: Outcome) => JSON.stringify(outcome, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v));

  function guarded(guards: Partial<GuardSettings>): SameChainExecutor {
    const { chain, wallet } = desk;
    const transactions = new TransactionExecutor(chain, wallet, [chainRoute(chain)], { journal });
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
      if (step !== "simulated") return;
      plan = trade!.plan;
      await then?.();
    };
    return { outcome: await driver.execute(opportunity, onStep), plan: plan! };
  }
  /** The plan for the state of the moment. */
  async function planOf(driver: SameChainExecutor, opportunity: Opportunity): Promise<PlannedTrade> {
    const quoted = await driver.quote(opportunity);
    if (!quoted.ok) throw new Error(quoted.rejection.detail);
    const planned = await driver.plan(quoted.value);
    if (!planned.ok) throw new Error(planned.rejection.detail);
    return planned.value;
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

  describe("of plans of steps", () => {
    /** A gap between Balancer's pool, which only steps can trade in, and a V3 pool that funds the cycle. */
    async function openStepsGap(): Promise<Opportunity> {
      const cheap = findPool(local, "uniswap-v3", "WETH", "USDC", 500)!;
      await movePrice(local, cheap, token("WETH"), await shareOf(local, cheap, token("WETH"), 60_000));
      const [wrapped, usdc] = [token("WETH"), token("USDC")];
      const host = local.network.lenders["balancer-v2"]!.address;
      return {
        version: "opportunity.v1",
        id: "steps",
        chainId: 1,
        hops: [
          { venue: "balancer-v2", pool: local.balancerPoolId!, tokenIn: wrapped, tokenOut: usdc, feePips: 0, host },
          { venue: "uniswap-v3", pool: cheap.address, tokenIn: usdc, tokenOut: wrapped, feePips: 500 },
        ],
        amountIn: null,
        funding: "flash-swap",
        amounts: null,
        deadline: null,
        after: null,
        source: null,
      };
    }

    /** What the block of a transaction gave its proposer beside the transaction's priority fee, wei. */
    async function tipOf(hash: string): Promise<bigint> {
      const receipt = (await desk.chain.provider.getTransactionReceipt(hash))!;
      const block = (await desk.chain.provider.getBlock(receipt.blockNumber))!;
      const at = (number: number) => desk.chain.provider.getBalance(block.miner, number);
      const gained = (await at(receipt.blockNumber)) - (await at(receipt.blockNumber - 1));
      return gained - receipt.gasUsed * (receipt.gasPrice - block.baseFeePerGas!);
    }

    /** Sends a plan's call as the operator, whatever it comes to. */
    async function send(call: { to: string; data: string }): Promise<{ status: string; reason: string | null }> {
      const from = desk.wallet.address;
      await local.rpc("hardhat_impersonateAccount", [from]);
      const request = { from, to: call.to, data: call.data, gas: "0xf4240" };
      let reason: string | null = null;
      await local.rpc("eth_call", [request, "pending"]).catch((error: unknown) => (reason = String(error)));
      await local.rpc("evm_setAutomine", [false]);
      const hash = await local.rpc<string>("eth_sendTransaction", [request]);
      await local.rpc("evm_mine");
      await local.rpc("evm_setAutomine", [true]);
      await local.rpc("hardhat_stopImpersonatingAccount", [from]);
      const { status } = await local.rpc<{ status: string }>("eth_getTransactionReceipt", [hash]);
      return { status, reason };
    }

    it("own gas: the contract counts it, and the plan asks for that much less", async () => {
      const opportunity = await openStepsGap();
      const quoted = await guarded({}).quote(opportunity);
      if (!quoted.ok) throw new Error(quoted.rejection.detail);
      const plain = await guarded({}).plan(quoted.value);
      const counted = await guarded({ ownGas: true }).plan(quoted.value);
      if (!plain.ok || !counted.ok) throw new Error("no plan");
      const { plan, cost, call } = counted.value;
      expect(call.to).to.equal(desk.stepExecutor);
      expect(decodeSteps(call.data).gasPrice).to.deep.equal({ price: 1n, scale: 0 });
      const less = plain.value.plan.minProfit - plan.minProfit;
      expect(less > 0n && less <= (cost.wei * 11n) / 10n).to.equal(true);
      landed((await run(guarded({ ownGas: true }), opportunity)).outcome);
    });

    it("own gas: what does not cover it is refused on chain", async () => {
      const opportunity = await openStepsGap();
      const planned = await planOf(guarded({ ownGas: true }), opportunity);
      // the whole profit as the least: no unit is left for the gas
      const { plan, quote } = planned;
      const builder = new TransactionBuilder(desk.chain.network, desk.chain.provider);
      const tight = { ...plan, minProfit: quote.profit };
      expect((await send(builder.executePlan(desk.stepExecutor, tight))).status).to.equal("0x0");
      expect((await send(builder.executePlan(desk.stepExecutor, { ...tight, gasPrice: null }))).status).to.equal("0x1");
    });

    it("parent hash: lands behind that block, and behind no other", async () => {
      const opportunity = await openStepsGap();
      const driver = guarded({});
      const quoted = await driver.quote(opportunity);
      if (!quoted.ok) throw new Error(quoted.rejection.detail);
      const { blockHash, profit } = quoted.value;
      const planned = await driver.plan(quoted.value, blockHash);
      if (!planned.ok) throw new Error(planned.rejection.detail);
      const { call } = planned.value;
      expect(decodeSteps(call.data).parentHash).to.equal(`0x${blockHash.slice(-24)}`);
      const again = await local.rpc<string>("evm_snapshot");
      const before = await weth(desk.stepExecutor);
      expect((await send(call)).status).to.equal("0x1");
      expect((await weth(desk.stepExecutor)) - before).to.equal(profit);
      await local.rpc("evm_revert", [again]);
      await local.rpc("evm_mine");
      const { status, reason } = await send(call);
      expect(status).to.equal("0x0");
      expect(reason).to.contain(ArbExecutor__factory.createInterface().getError("WrongParent")!.selector.slice(2));
    });

    it("sweep: the profit goes to the owner, and is booked", async () => {
      await local.fund(desk.stepExecutor, { tokens: { WETH: 12_345n } });
      const [held, before] = [await weth(desk.stepExecutor), await weth(desk.owner)];
      const trade = landed((await run(guarded({ sweep: true }), await openStepsGap())).outcome);
      expect(await weth(desk.stepExecutor)).to.equal(1n);
      expect((await weth(desk.owner)) - before).to.equal(trade.profit + held - 1n);
    });

    it("tip: the proposer gets its share to the wei, and the profit is what is left", async () => {
      const opportunity = await openStepsGap();
      const quoted = await guarded({}).quote(opportunity);
      const whole = quoted.ok ? quoted.value.profit : 0n;
      const { plan, outcome } = await run(guarded({ tip: { bips: 4000, floor: 1n, cap: 10n ** 20n } }), opportunity);
      const trade = landed(outcome);
      expect(plan.tip).to.deep.include({ kind: "share", bips: 4000 });
      const share = (whole * 4000n) / 10_000n;
      expect(trade.profit).to.equal(whole - share);
      expect(await tipOf(trade.txHash)).to.equal(share);
    });

    it("all at once, with a loan around the cycle", async () => {
      const opportunity = { ...(await openStepsGap()), funding: "aave-v3" as const };
      const before = await weth(desk.owner);
      const held = await weth(desk.stepExecutor);
      const tip = { bips: 2500, floor: 1n, cap: 10n ** 20n };
      const { outcome } = await run(guarded({ ownGas: true, sweep: true, tip }), opportunity);
      const trade = landed(outcome);
      expect((await weth(desk.owner)) - before).to.equal(trade.profit + held - 1n);
      const sent = (await desk.chain.provider.getTransaction(trade.txHash))!;
      const { gasPrice, sweep, tip: written, deadline } = decodeSteps(sent.data);
      expect({ gasPrice, sweep, tip: written }).to.deep.equal({
        gasPrice: { price: 1n, scale: 0 },
        sweep: true,
        tip: { kind: "share", ...tip },
      });
      expect(deadline).to.be.a("number");
      // a quarter of what there was before the tip; rounding is the contract's
      const tipped = await tipOf(trade.txHash);
      expect(tipped).to.equal(((tipped + trade.profit) * 2500n) / 10_000n);
    });

    it("the first pool's guard has no place there: it is left off where it is set up, and refused where it is asked for", async () => {
      const { plan } = await planOf(guarded({ firstPool: "always" }), await openStepsGap());
      expect(plan.poolBound ?? null).to.equal(null);
      const builder = new TransactionBuilder(desk.chain.network, desk.chain.provider);
      expect(() => builder.executePlan(desk.stepExecutor, { ...plan, poolBound: 1n })).to.throw(/poolBound/);
    });
  });
});
