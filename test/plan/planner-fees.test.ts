import { expect } from "chai";
import { suggestFees, dataFee } from "../../src/fees/fees.js";
import { scanBlock } from "../../src/market/watcher.js";
import type { Quote } from "../../src/opportunity/quote.js";
import type { Result } from "../../src/opportunity/reject.js";
import { feeCeiling, mostTip } from "../../src/plan/cost.js";
import { makePlan, type PlannedTrade, type PlannerContext } from "../../src/plan/planner.js";
import { simulate } from "../../src/plan/simulate.js";
import { TransactionBuilder } from "../../src/plan/transaction-builder.js";
import { L2_OFFSET } from "../../src/sim/arbitrum-node.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type Desk, openDesk } from "../../src/sim/desk.js";
import { chargeDataFee } from "../../src/sim/protocols/op-stack.js";
import { findPool, movePrice, shareOf } from "../../src/sim/trader.js";
import { freshJournal } from "../helpers/journal.js";

const ETHER = 10n ** 18n;

/** A chain with a desk, and a quote between Uniswap V2 and V3 in WETH. */
async function scene(chainId: number): Promise<{ local: LocalChain; desk: Desk; quote: Quote; close(): Promise<void> }> {
  const local = await startLocalChain(chainId);
  const { journal, close: closeJournal } = await freshJournal();
  const desk = await openDesk(local, journal);
  const token = (symbol: string) => local.network.tokens.find((t) => t.symbol === symbol)!.address;
  const pool = findPool(local, "uniswap-v3", "WETH", "USDC", 3000)!;
  await movePrice(local, pool, token("USDC"), await shareOf(local, pool, token("USDC"), 60_000));
  const others = local.pools.filter((p) => [p.token0, p.token1].every((t) => [token("WETH"), token("USDC")].includes(t)));
  const [found] = await scanBlock(desk.chain.provider, local.network, others, {
    profitTokens: [token("WETH")],
    lifetimeSeconds: 60,
  });
  const quote = await desk.driver.quote(found!.opportunity);
  if (!quote.ok) throw new Error(quote.rejection.detail);
  const close = async () => {
    desk.close();
    await closeJournal();
    await local.close();
  };
  return { local, desk, quote: quote.value, close };
}

async function planOf(desk: Desk, quote: Quote, change: Partial<PlannerContext> = {}, patienceBlocks = 2) {
  const { chain, executor, operator, slippage, settings } = desk.driver.context;
  const builder = new TransactionBuilder(chain.network, chain.provider);
  const fees = await suggestFees(chain, { ...settings.fees, patienceBlocks });
  const minNetProfit = settings.minNetProfit.get(quote.hops[0]!.tokenIn)!;
  const headTime = (await chain.provider.getBlock("latest"))!.timestamp;
  const context = { chain, executor, operator, builder, slippage, fees, settings: { ...settings, minNetProfit }, headTime };
  return { result: await makePlan(quote, { ...context, ...change }), context };
}

function planned(result: Result<PlannedTrade>): PlannedTrade {
  if (!result.ok) throw new Error(`${result.rejection.reason}: ${result.rejection.detail}`);
  return result.value;
}

describe("what a tip takes", () => {
  it("is the contract's own arithmetic", () => {
    const share = { kind: "share", bips: 2_500, floor: 10n, cap: 1_000n } as const;
    expect([0n, 39n, 400n, 10_000n].map((profit) => mostTip(share, profit))).to.deep.equal([10n, 10n, 100n, 1_000n]);
    expect(mostTip({ kind: "fixed", amount: 7n }, 3n)).to.equal(7n);
    expect(mostTip(null, 3n)).to.equal(0n);
  });
});

describe("the highest fee that a trade may sign", () => {
  it("costs no more than the trade earns, and a wei per gas more would", () => {
    const cost = { gas: 150_000n, wei: 150_000n * 20n + 77n, inProfitToken: 9_001n };
    const ceiling = feeCeiling(30_000n, cost, 77n);
    const inToken = (fee: bigint) => ((cost.gas * fee + 77n) * cost.inProfitToken) / cost.wei;
    expect(inToken(ceiling) <= 30_000n).to.equal(true);
    expect(inToken(ceiling + 1n) > 30_000n - 1n).to.equal(true);
    expect(feeCeiling(cost.inProfitToken, cost, 77n)).to.equal(20n);
  });
});

describe("a plan on the OP Stack", () => {
  let at: Awaited<ReturnType<typeof scene>>;
  before(async () => {
    at = await scene(10);
  });
  after(async () => await at.close());

  it("earns the fees for data and operator beside gas, and lands paying what was expected of them", async () => {
    const { desk, quote, local } = at;
    const trade = planned((await planOf(desk, quote)).result);
    const { maxPriorityFeePerGas, nextBaseFee } = trade.fees;
    const beside = trade.cost.wei - trade.cost.gas * (nextBaseFee + maxPriorityFeePerGas);
    expect(trade.plan.minProfit >= trade.cost.wei, "WETH is the profit").to.equal(true);
    const snapshot = await local.rpc("evm_snapshot");
    const outcome = await desk.driver.execute(quote.opportunity);
    if (outcome.status !== "landed") throw new Error(outcome.status);
    const receipt = await local.rpc<Record<string, string>>("eth_getTransactionReceipt", [outcome.trade.txHash]);
    const l1 = BigInt(receipt["l1Fee"]!);
    expect(l1 > 0n && l1 <= beside, `${l1} paid, ${beside} expected`).to.equal(true);
    // the operator's fee is expected at the gas limit, a fifth above
    expect(outcome.trade.feeWei - BigInt(receipt["gasUsed"]!) * BigInt(receipt["effectiveGasPrice"]!) <= beside).to.equal(true);
    expect(l1 * 100n > (beside - outcome.trade.gasUsed * 2n) * 90n).to.equal(true);
    await local.rpc("evm_revert", [snapshot]);
  });

  it("is refused as below cost where data alone eats the profit", async () => {
    const { desk, quote, local } = at;
    const snapshot = await local.rpc("evm_snapshot");
    await local.fund(desk.wallet.address, { eth: 1_000n * ETHER });
    const site = { network: local.network, rpc: local.rpc, owner: local.owner, trader: local.trader };
    // at least 100 bytes by the regression: 100e6 * 16 * scalar * fee / 1e12 = 1.6 times the profit
    const dear = { blobBaseFeeScalar: 0n, blobBaseFee: 1n, operatorFeeScalar: 0n, operatorFeeConstant: 0n };
    await chargeDataFee(site, { ...dear, baseFeeScalar: 1_000n, l1BaseFee: quote.profit });
    const now = { ...quote, blockNumber: await desk.chain.provider.getBlockNumber() };
    const { context } = await planOf(desk, now);
    const settings = { ...context.settings, maxGasCost: quote.profit * 1000n };
    const { result } = await planOf(desk, now, { settings });
    expect(result.ok).to.equal(false);
    if (!result.ok) expect(result.rejection.reason).to.equal("below-cost");
    await local.rpc("evm_revert", [snapshot]);
  });

  it("caps what may be signed by what the trade earns, however patient it is", async () => {
    const { desk, quote } = at;
    const { context } = await planOf(desk, quote);
    const trade = planned((await planOf(desk, quote, {}, 2_000)).result);
    expect(trade.fees.maxFeePerGas).to.equal(trade.feeCeiling);
    const { gas, wei } = trade.cost;
    const beside = wei - gas * (trade.fees.nextBaseFee + trade.fees.maxPriorityFeePerGas);
    const worst = gas * trade.feeCeiling + beside;
    expect(worst <= trade.plan.minProfit - context.settings.minNetProfit).to.equal(true);
    expect(trade.feeCeiling >= trade.fees.nextBaseFee + trade.fees.maxPriorityFeePerGas).to.equal(true);
  });
});

describe("a plan on Ethereum with a tip to the proposer", () => {
  let at: Awaited<ReturnType<typeof scene>>;
  before(async () => {
    at = await scene(1);
  });
  after(async () => await at.close());

  it("counts it before the costs, and keeps the least profit after it", async () => {
    const { desk, quote } = at;
    const tip = { kind: "share", bips: 5_000, floor: 0n, cap: ETHER } as const;
    const trade = planned((await planOf(desk, quote, { tip })).result);
    expect(trade.plan.tip).to.deep.equal(tip);
    const run = await simulate(desk.chain.provider, trade.call, desk.wallet.address, trade.gasLimit, quote.blockNumber);
    expect(run.ok).to.equal(true);
    // a tip that leaves less than the costs is refused, and one unit less than that is not
    const { context } = await planOf(desk, quote);
    const room = quote.profit - trade.cost.wei - (trade.cost.wei * 100_000n) / 1_000_000n - context.settings.minNetProfit;
    expect((await planOf(desk, quote, { tip: { kind: "fixed", amount: room / 2n } })).result.ok).to.equal(true);
    const greedy = (await planOf(desk, quote, { tip: { kind: "fixed", amount: room + trade.cost.wei } })).result;
    if (greedy.ok) throw new Error("a tip beyond the profit was planned");
    expect(greedy.rejection.reason).to.equal("below-cost");
    expect(greedy.rejection.detail).to.match(/after a tip of/);
  });
});

describe("a plan on Arbitrum", () => {
  let at: Awaited<ReturnType<typeof scene>>;
  before(async () => {
    at = await scene(42161);
  });
  after(async () => await at.close());

  it("may land in blocks by the numbers that JSON-RPC gives, not by block.number, and behind the parent that it names", async () => {
    const { desk, quote } = at;
    const trade = planned((await planOf(desk, quote)).result);
    const { chain, executor } = desk.driver.context;
    const builder = new TransactionBuilder(chain.network, chain.provider);
    const head = await chain.provider.getBlockNumber();
    const run = async (change: Partial<PlannedTrade["plan"]>) => {
      const call = builder.executePlan(executor, { ...trade.plan, ...change });
      return (await simulate(chain.provider, call, desk.wallet.address, trade.gasLimit, head)).ok;
    };
    const window = (from: number) => ({ blocks: { from, to: from + 5 } });
    expect(await run(window(head))).to.equal(true);
    expect(await run(window(head - Number(L2_OFFSET)))).to.equal(false);
    const hashOf = async (number: number) => (await chain.provider.getBlock(number))!.hash;
    expect(await run({ parentHash: await hashOf(head - 1) })).to.equal(true);
    expect(await run({ parentHash: await hashOf(head - 2) })).to.equal(false);
  });

  it("expects the gas that pays for data, inside the gas and not beside it", async () => {
    const { desk, quote } = at;
    const trade = planned((await planOf(desk, quote)).result);
    const fee = await dataFee(desk.chain, { ...trade.call, from: desk.wallet.address }, quote.blockNumber);
    expect(fee.l1Gas > 0n).to.equal(true);
    expect(trade.cost.wei).to.equal(trade.cost.gas * trade.fees.nextBaseFee);
    const outcome = await desk.driver.execute(quote.opportunity);
    if (outcome.status !== "landed") throw new Error(outcome.status);
    // the local chain takes none of it
    expect(trade.cost.gas > outcome.trade.gasUsed + fee.l1Gas / 2n).to.equal(true);
  });
});
