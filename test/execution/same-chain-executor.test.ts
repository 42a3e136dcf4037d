import { expect } from "chai";
import { connectChain } from "../../src/chain/connect.js";
import type { Outcome } from "../../src/execution/outcome.js";
import { type OnStep, SameChainExecutor } from "../../src/execution/same-chain-executor.js";
import { type Found, scanBlock } from "../../src/market/watcher.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type Desk, openDesk } from "../../src/sim/desk.js";
import { startFaultProxy } from "../../src/sim/fault-proxy.js";
import { findPool, movePrice, rival, shareOf } from "../../src/sim/trader.js";
import type { Database } from "../../src/database/open.js";
import { type Journal, openJournal } from "../../src/journal/journal.js";
import { chainRoute } from "../../src/submit/relays/node.js";
import { TransactionExecutor } from "../../src/submit/transaction-executor.js";
import { quoteAtBlock } from "../../src/market/market.js";
import { SlippageManager } from "../../src/plan/slippage.js";
import type { FundingId } from "../../src/funding/funding.js";
import { journalDatabase } from "../helpers/journal.js";
import { IERC20__factory } from "../../types/contracts/index.js";

describe("SameChainExecutor on a chain with real protocols", () => {
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
    const { chain, wallet } = desk;
    const transactions = new TransactionExecutor(chain, wallet, [chainRoute(chain)], { journal });
    desk.driver = new SameChainExecutor({ ...desk.driver.context, transactions });
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
  const balance = (address: string) => IERC20__factory.connect(address, desk.chain.provider).balanceOf(desk.executor);

  /** WETH falls on Uniswap V2; what the watcher finds between it and the other WETH/USDC pools. */
  async function openGap(ppm = 20_000): Promise<Found> {
    const pool = findPool(local, "uniswap-v2", "WETH", "USDC", 3000)!;
    await movePrice(local, pool, token("WETH"), await shareOf(local, pool, token("WETH"), ppm));
    const pools = local.pools.filter(
      (p) => [p.token0, p.token1].includes(token("USDC")) && [p.token0, p.token1].includes(token("WETH")),
    );
    const found = await scanBlock(desk.chain.provider, local.network, pools, {
      profitTokens: [token("WETH")],
      lifetimeSeconds: 60,
    });
    return found[0]!;
  }

  function landed(outcome: Outcome) {
    if (outcome.status !== "landed") {
      throw new Error(
        `expected a landed trade, got ${JSON.stringify(outcome, (_, v) => (typeof v === "bigint" ? String(v) : v))}`,
      );
    }
    return outcome.trade;
  }

  for (const funding of ["flash-swap", "aave-v3", "balancer-v2", "own-balance"] as FundingId[]) {
    for (const amounts of ["fixed", "adaptive"] as const) {
      it(`lands a trade funded by ${funding} with ${amounts} amounts, its profit equal to the estimate to the wei`, async () => {
        const { opportunity } = await openGap();
        if (funding === "own-balance") await local.fund(desk.executor, { tokens: { WETH: 200n * 10n ** 18n } });
        const before = await balance(token("WETH"));
        const trade = landed(await desk.driver.execute({ ...opportunity, funding, amounts }));
        expect(trade.funding).to.equal(funding);
        expect(trade.profit).to.equal(trade.expectedProfit);
        expect((await balance(token("WETH"))) - before, "the chain's balance").to.equal(trade.profit);
        expect(trade.profit > 0n && trade.feeWei > 0n).to.equal(true);
      });
    }
  }

  it("has gas for the oracle of a pair that was last moved in the head block", async () => {
    const { opportunity } = await openGap();
    const pair = opportunity.hops.find((hop) => hop.venue === "uniswap-v2")!.pool;
    // price0CumulativeLast and price1CumulativeLast of a pair that never traded before
    for (const slot of ["0x9", "0xa"]) await local.rpc("hardhat_setStorageAt", [pair, slot, `0x${"00".repeat(32)}`]);
    const later: OnStep = async (step) => {
      if (step === "planned") await local.rpc("evm_increaseTime", [5]);
    };
    expect(landed(await desk.driver.execute(opportunity, later)).profit > 0n).to.equal(true);
  });

  it("lands an adaptive plan with less profit after a rival's dust swap", async () => {
    const { opportunity } = await openGap();
    const dust: OnStep = async (step) => {
      if (step === "planned") await rival(local, "dust", findPool(local, "uniswap-v2", "WETH", "USDC", 3000)!, token("USDC"));
    };
    const trade = landed(await desk.driver.execute({ ...opportunity, amounts: "adaptive" }, dust));
    expect(trade.profit < trade.expectedProfit, `${trade.profit} against ${trade.expectedProfit}`).to.equal(true);
    expect(trade.profit >= trade.minProfit).to.equal(true);
  });

  it("reverts on chain after a large adverse move, and every balance but gas is as before", async () => {
    const { opportunity } = await openGap();
    const before = await Promise.all(["WETH", "USDC", "DAI"].map((s) => balance(token(s))));
    const adverse: OnStep = async (step) => {
      if (step === "simulated")
        await rival(local, "adverse", findPool(local, "uniswap-v2", "WETH", "USDC", 3000)!, token("USDC"));
    };
    const gasBefore = await desk.chain.provider.getBalance(desk.wallet.address);
    const outcome = await desk.driver.execute({ ...opportunity, amounts: "adaptive" }, adverse);
    if (outcome.status !== "reverted") throw new Error(`expected a revert, got ${outcome.status}`);
    expect(outcome.reason).to.match(/no more than they are given/);
    expect(await Promise.all(["WETH", "USDC", "DAI"].map((s) => balance(token(s))))).to.deep.equal(before);
    expect(gasBefore - (await desk.chain.provider.getBalance(desk.wallet.address))).to.equal(outcome.feeWei);
  });

  it("says reverted, not unknown, where the node cannot tell why", async () => {
    const { opportunity } = await openGap();
    let sent = false;
    const forgetful = new Proxy(desk.chain.provider, {
      get: (target, key) => {
        if (sent && key === "call") return async () => Promise.reject(new Error("missing trie node"));
        const value: unknown = Reflect.get(target, key);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    const driver = new SameChainExecutor({ ...desk.driver.context, chain: { ...desk.chain, provider: forgetful } });
    const outcome = await driver.execute({ ...opportunity, amounts: "adaptive" }, async (step) => {
      sent = step === "sent";
      if (step === "simulated")
        await rival(local, "adverse", findPool(local, "uniswap-v2", "WETH", "USDC", 3000)!, token("USDC"));
    });
    if (outcome.status !== "reverted") throw new Error(`expected a revert, got ${JSON.stringify(outcome.status)}`);
    expect(outcome.reason).to.include("missing trie node");
    expect(outcome.feeWei > 0n).to.equal(true);
  });

  it("trades a part of the size, by the tiers, where the optimum lies beyond the ticks that were read", async () => {
    // a thin pool against a deep one that is far off: the optimum leaves the one bitmap word (29 % of the price) that is read
    const [deep, thin] = [
      findPool(local, "uniswap-v2", "WETH", "USDC", 3000)!,
      findPool(local, "sushiswap-v3", "WETH", "USDC", 500)!,
    ];
    await movePrice(local, deep, token("WETH"), await shareOf(local, deep, token("WETH"), 900_000));
    const watch = { profitTokens: [token("WETH")], lifetimeSeconds: 60 };
    const { opportunity } = (await scanBlock(desk.chain.provider, local.network, [deep, thin], watch))[0]!;
    const { provider } = desk.chain;
    const options = { executor: desk.executor, tickWords: 0, maxTickWords: 0 };
    const edge = await quoteAtBlock(provider, local.network, opportunity, options);
    const slippage = new SlippageManager();
    const reduce = (amount: bigint, impact: number) => slippage.size(amount, impact);
    const { result } = await quoteAtBlock(provider, local.network, opportunity, { ...options, reduce });
    if (!edge.result.ok || !result.ok) throw new Error("both must be quotes");
    expect(edge.result.value.priceImpactPpm > 5_000, "a large impact").to.equal(true);
    expect(result.value.sizing).to.equal("tiers");
    const half = edge.result.value.amountIn / 2n;
    const off = result.value.amountIn > half ? result.value.amountIn - half : half - result.value.amountIn;
    expect(off <= 1n, `${result.value.amountIn} against ${half}`).to.equal(true);
  });

  it("books profit from the executor's own logs even if another transaction of the block moves its balance", async () => {
    const { opportunity } = await openGap();
    await local.setMining({ auto: false });
    try {
      const running = desk.driver.execute(opportunity, async (step) => {
        if (step !== "sent") return;
        const data = IERC20__factory.createInterface().encodeFunctionData("transfer", [desk.executor, 12_345n]);
        await local.rpc("eth_sendTransaction", [{ from: local.owner, to: token("WETH"), data, gas: "0x30000" }]);
        await local.rpc("evm_mine");
      });
      await local.rpc("hardhat_setBalance", [local.owner, "0x56bc75e2d63100000"]);
      const trade = landed(await running);
      expect(trade.profit).to.equal(trade.expectedProfit);
    } finally {
      await local.setMining({ auto: true });
    }
  });

  it("says unknown, not failed, when no block takes the transaction in time", async () => {
    const { opportunity } = await openGap();
    await local.setMining({ auto: false });
    const impatient = new SameChainExecutor({
      ...desk.driver.context,
      settings: { ...desk.driver.context.settings, watchMs: 60 },
    });
    try {
      const outcome = await impatient.execute(opportunity);
      expect(outcome.status).to.equal("unknown");
    } finally {
      await local.setMining({ auto: true });
      await local.rpc("evm_mine");
    }
  });

  describe("refuses before it sends", () => {
    const nonce = () => desk.chain.provider.getTransactionCount(desk.wallet.address, "pending");

    async function refused(change: Parameters<typeof desk.driver.execute>[0]): Promise<string> {
      const before = await nonce();
      const outcome = await desk.driver.execute(change);
      expect(await nonce(), "nothing was sent").to.equal(before);
      if (outcome.status !== "rejected") throw new Error(`expected a rejection, got ${outcome.status}`);
      expect(outcome.rejection.opportunityId).to.equal(change.id);
      expect(outcome.rejection.detail).to.not.equal("");
      return outcome.rejection.reason;
    }

    it("a cycle in the wrong direction: not-profitable", async () => {
      const { opportunity } = await openGap();
      const hops = opportunity.hops.toReversed().map((h) => ({ ...h, tokenIn: h.tokenOut, tokenOut: h.tokenIn }));
      expect(await refused({ ...opportunity, hops })).to.equal("not-profitable");
    });

    it("a network of which nobody tells the newest block: stale-network", async () => {
      const { opportunity } = await openGap();
      const proxy = await startFaultProxy({ target: local.url, seed: 1 });
      const chain = await connectChain(local.network, [proxy.url], { local: true, staleMs: 3_600_000 });
      proxy.set({ do: "status", status: 503, methods: ["eth_getBlockByNumber"] });
      const outcome = await new SameChainExecutor({ ...desk.driver.context, chain }).execute(opportunity);
      expect(outcome.status === "rejected" && outcome.rejection.reason).to.equal("stale-network");
      chain.close();
      await proxy.close();
    });

    it("a profit below gas and margin: below-cost", async () => {
      const { opportunity } = await openGap();
      expect(await refused({ ...opportunity, amountIn: 10n ** 15n })).to.equal("below-cost");
    });

    it("a deadline that has passed: expired", async () => {
      const { opportunity } = await openGap();
      expect(await refused({ ...opportunity, deadline: Math.floor(Date.now() / 1000) - 1 })).to.equal("expired");
    });

    it("a transaction to follow that nobody knows: after-not-found", async () => {
      const { opportunity } = await openGap();
      expect(await refused({ ...opportunity, after: { hash: `0x${"ab".repeat(32)}`, raw: null } })).to.equal("after-not-found");
    });

    it("more than own balance holds: no-funding", async () => {
      const { opportunity } = await openGap();
      expect(await refused({ ...opportunity, funding: "own-balance", amountIn: 10n ** 20n })).to.equal("no-funding");
    });

    it("an operator without gas money: a refusal that says how much is missing", async () => {
      const { opportunity } = await openGap();
      await local.rpc("hardhat_setBalance", [desk.wallet.address, "0x1"]);
      expect(await refused(opportunity)).to.equal("insufficient-gas-funds");
    });
  });
});
