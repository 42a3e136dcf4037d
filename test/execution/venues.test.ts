import { expect } from "chai";
import { type BaseContract, Wallet } from "ethers";
import type { Database } from "../../src/database/open.js";
import { type Journal, openJournal } from "../../src/journal/journal.js";
import type { LandedTrade, Outcome } from "../../src/execution/outcome.js";
import { SameChainExecutor } from "../../src/execution/same-chain-executor.js";
import type { FundingId } from "../../src/funding/funding.js";
import { validateOpportunity } from "../../src/opportunity/validate.js";
import { toJson } from "../../src/opportunity/schema.js";
import type { Opportunity, OpportunityHop } from "../../src/opportunity/opportunity.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type Desk, openDesk } from "../../src/sim/desk.js";
import { findPool, movePrice, shareOf } from "../../src/sim/trader.js";
import { TransactionExecutor, nodeRoute } from "../../src/submit/transaction-executor.js";
import { VENUES } from "../../src/venues/index.js";
import { sortTokens } from "../../src/venues/v2-pair.js";
import type { PoolTraits, VenueId } from "../../src/venues/venue.js";
import { journalDatabase } from "../helpers/journal.js";
import {
  CurvePoolMock__factory,
  IERC20__factory,
  SolidlyPairMock__factory,
  VaultQuotedMock__factory,
} from "../../types/contracts/index.js";

/** Cycles with pools of other kinds than V2 and V3, from the opportunity to the booked profit, on real protocol bytecode. */
describe("trades beyond V2 and V3 pools", () => {
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
    const transactions = new TransactionExecutor(chain, wallet, nodeRoute(chain.provider), { journal });
    desk.driver = new SameChainExecutor({ ...desk.driver.context, transactions });
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
  const balance = (address: string, of: string) => IERC20__factory.connect(address, desk.chain.provider).balanceOf(of);
  const held = async (address: string) => (await balance(address, desk.executor)) + (await balance(address, desk.stepExecutor));

  /** A hop through a seeded pool, or through Balancer's weighted pool. */
  function hop(venue: VenueId, from: string, to: string, fee = 3000): OpportunityHop {
    const [tokenIn, tokenOut] = [token(from), token(to)];
    if (venue === "balancer-v2") {
      const host = local.network.lenders["balancer-v2"]!.address;
      return { venue, pool: local.balancerPoolId!, tokenIn, tokenOut, feePips: 0, host };
    }
    const { address, feePips, token0: _0, token1: _1, ...rest } = findPool(local, venue, from, to, fee)!;
    return { ...rest, pool: address, tokenIn, tokenOut, feePips };
  }

  const cycle = (hops: OpportunityHop[], changes: Partial<Opportunity> = {}): Opportunity => ({
    version: "opportunity.v1",
    id: "test",
    chainId: 1,
    hops,
    amountIn: null,
    funding: null,
    amounts: null,
    deadline: null,
    after: null,
    source: null,
    ...changes,
  });

  /** The trader sells a share of what a pool holds, in ppm. */
  async function sell(symbol: string, venue: VenueId, fee = 3000, ppm = 30_000): Promise<void> {
    const pool = findPool(local, venue, "WETH", "USDC", fee)!;
    await movePrice(local, pool, token(symbol), await shareOf(local, pool, token(symbol), ppm));
  }

  const text = (outcome: Outcome) => JSON.stringify(outcome, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v));

  /** Executes, and holds the booked profit against the estimate and the chain's balances. */
  async function lands(opportunity: Opportunity, driver = desk.driver): Promise<LandedTrade> {
    const profitToken = opportunity.hops[0]!.tokenIn;
    const before = await held(profitToken);
    const outcome = await driver.execute(opportunity);
    if (outcome.status !== "landed") throw new Error(text(outcome));
    const { trade } = outcome;
    expect(trade.profit).to.equal(trade.expectedProfit);
    expect((await held(profitToken)) - before).to.equal(trade.profit);
    expect(trade.profit > 0n).to.equal(true);
    return trade;
  }

  it("V4 and V2: the manager funds it, on the executor for the hot path", async () => {
    await sell("WETH", "uniswap-v2");
    const trade = await lands(cycle([hop("uniswap-v4", "WETH", "USDC"), hop("uniswap-v2", "USDC", "WETH")]));
    expect(trade.funding).to.equal("flash-swap");
    expect(await balance(token("WETH"), desk.stepExecutor), "the StepExecutor was not needed").to.equal(1n);
  });

  it("V4 behind V3", async () => {
    await sell("WETH", "uniswap-v4");
    await lands(cycle([hop("uniswap-v3", "WETH", "USDC", 500), hop("uniswap-v4", "USDC", "WETH")]));
  });

  it("a V4 pool of ETH at either end: the executor wraps what it takes, and the profit is booked", async () => {
    await sell("WETH", "uniswap-v2");
    const first = await lands(cycle([hop("uniswap-v4", "WETH", "USDC", 500), hop("uniswap-v2", "USDC", "WETH")]));
    expect(first.funding).to.equal("flash-swap");
  });

  it("a V4 pool of ETH last", async () => {
    await sell("USDC", "uniswap-v2");
    await lands(cycle([hop("uniswap-v2", "WETH", "USDC"), hop("uniswap-v4", "USDC", "WETH", 500)]));
    expect(await balance(token("WETH"), desk.stepExecutor)).to.equal(1n);
  });

  it("a V4 pool of ETH in the middle of a plan of steps, which unwraps and wraps for it", async () => {
    await sell("USDC", "uniswap-v2");
    const hops = [hop("uniswap-v4", "USDC", "WETH", 500), hop("uniswap-v2", "WETH", "USDC")];
    for (const funding of ["flash-swap", "aave-v3"] as FundingId[]) {
      const quoted = await desk.driver.quote(cycle(hops, { funding }));
      expect(quoted.ok).to.equal(true);
    }
    await lands(cycle(hops, { funding: "aave-v3" }));
  });

  it("a V4 pool of ETH that lends to a plan of steps", async () => {
    await sell("USDC", "uniswap-v2");
    const hops = [hop("uniswap-v4", "USDC", "WETH", 500), hop("uniswap-v2", "WETH", "USDC")];
    await lands(cycle(hops, { funding: "flash-swap" }));
  });

  it("V4 with a profit in another token than WETH: steps", async () => {
    await sell("WETH", "uniswap-v4");
    const trade = await lands(cycle([hop("uniswap-v4", "USDC", "WETH"), hop("uniswap-v3", "WETH", "USDC", 500)]));
    expect(trade.funding).to.equal("flash-swap");
    expect(await balance(token("USDC"), desk.stepExecutor)).to.equal(1n + trade.profit);
  });

  for (const funding of ["flash-swap", "uniswap-v4", "uniswap-v3-flash", "aave-v3", "own-balance"] as FundingId[]) {
    it(`Balancer V2 and V3, funded by ${funding}`, async () => {
      await sell("WETH", "uniswap-v3", 500, 60_000);
      if (funding === "own-balance") await local.fund(desk.stepExecutor, { tokens: { WETH: 500n * 10n ** 18n } });
      const hops = [hop("balancer-v2", "WETH", "USDC"), hop("uniswap-v3", "USDC", "WETH", 500)];
      const trade = await lands(cycle(hops, { funding }));
      expect(trade.funding).to.equal(funding);
    });
  }

  it("Balancer V2 last, and a given size", async () => {
    await sell("USDC", "uniswap-v2", 3000, 60_000);
    const hops = [hop("uniswap-v2", "WETH", "USDC"), hop("balancer-v2", "USDC", "WETH")];
    const trade = await lands(cycle(hops, { amountIn: 2n * 10n ** 18n, funding: "flash-swap" }));
    // a pair is paid the least that buys the same whole units of USDC
    expect(Number(trade.amountIn) / 2e18).to.be.within(0.999999, 1);
  });

  for (const funding of ["uniswap-v4", "uniswap-v3-flash"] as FundingId[]) {
    it(`V2 and V3 pools funded by ${funding}, which only a StepExecutor knows`, async () => {
      await sell("WETH", "uniswap-v2");
      const hops = [hop("uniswap-v3", "WETH", "USDC", 500), hop("uniswap-v2", "USDC", "WETH")];
      expect((await lands(cycle(hops, { funding }))).funding).to.equal(funding);
    });
  }

  it("takes the free source before Aave, and tells source by source why none can", async () => {
    await sell("WETH", "uniswap-v3", 500, 60_000);
    const hops = [hop("balancer-v2", "WETH", "USDC"), hop("uniswap-v3", "USDC", "WETH", 500)];
    const withFunding = (...funding: FundingId[]) => {
      return new SameChainExecutor({ ...desk.driver.context, settings: { ...desk.driver.context.settings, funding } });
    };
    await local.fund(desk.stepExecutor, { tokens: { WETH: 10n ** 18n } });
    const outcome = await withFunding("morpho", "own-balance").execute(cycle(hops, { amountIn: 2n * 10n ** 18n }));
    if (outcome.status !== "rejected") throw new Error(text(outcome));
    expect(outcome.rejection).to.include({ reason: "no-funding", where: "funding" });
    expect(outcome.rejection.detail).to.match(/own-balance up to 10{18}, morpho does not lend the profit token/);
    expect((await lands(cycle(hops), withFunding("aave-v3", "own-balance", "uniswap-v4"))).funding).to.equal("uniswap-v4");
  });

  /** Mocks of ours by the interfaces of protocols whose bytecode no package has; they hold what they trade. */
  describe("pools without published bytecode", () => {
    const WETH = 10n ** 18n;
    const USD = 10n ** 6n;
    let deployer: Wallet;
    before(() => {
      deployer = new Wallet(local.keys[0]!, desk.chain.provider);
    });

    const at = (contract: BaseContract) => contract.getAddress();
    const made = async <T extends BaseContract>(contract: Promise<T>): Promise<T> => {
      await (await contract).waitForDeployment();
      return await contract;
    };
    const hopOf = (venue: VenueId, pool: string, from: string, to: string, traits: PoolTraits = {}): OpportunityHop => {
      return { venue, pool, tokenIn: from, tokenOut: to, feePips: 0, ...traits };
    };

    for (const crypto of [false, true]) {
      it(`Curve, coins counted in ${crypto ? "uint256" : "int128"}: sized by search, as good as any size near it`, async () => {
        const pool = await at(await made(new CurvePoolMock__factory(deployer).deploy(token("USDC"), token("WETH"), crypto)));
        await local.fund(pool, { tokens: { WETH: 1000n * WETH, USDC: 3_100_000n * USD } });
        const hops = [hopOf("curve", pool, token("WETH"), token("USDC")), hop("uniswap-v3", "USDC", "WETH", 500)];
        const quoted = await desk.driver.quote(cycle(hops));
        if (!quoted.ok) throw new Error(quoted.rejection.detail);
        for (const percent of [90n, 97n, 103n, 110n]) {
          const other = await desk.driver.quote(cycle(hops, { amountIn: (quoted.value.amountIn * percent) / 100n }));
          expect(other.ok && other.value.profit < quoted.value.profit, `${percent} %`).to.equal(true);
        }
        expect((await lands(cycle(hops))).expectedProfit).to.equal(quoted.value.profit);
      });
    }

    it("a volatile pair of Solidly is a pair like others, on the executor for the hot path", async () => {
      const [token0, token1] = [token("USDC"), token("WETH")];
      const pair = await made(new SolidlyPairMock__factory(deployer).deploy(token0, token1, false, 30));
      const pool = await at(pair);
      await local.fund(pool, { tokens: { WETH: 1000n * WETH, USDC: 3_100_000n * USD } });
      await (await pair.sync()).wait();
      for (const hops of [
        [hopOf("solidly", pool, token("WETH"), token("USDC")), hop("uniswap-v3", "USDC", "WETH", 500)],
        [hopOf("solidly", pool, token("WETH"), token("USDC")), hop("uniswap-v2", "USDC", "WETH")],
      ]) {
        const quoted = await desk.driver.quote(cycle(hops));
        expect(quoted.ok && quoted.value.hops[0]!.pool.feePips).to.equal(3000);
      }
      await lands(cycle([hopOf("solidly", pool, token("WETH"), token("USDC")), hop("uniswap-v3", "USDC", "WETH", 500)]));
      expect(await balance(token("WETH"), desk.stepExecutor)).to.equal(1n);
    });

    it("a stable pair of Solidly", async () => {
      const [token0, token1] = sortTokens(token("DAI"), token("USDC"));
      const pair = await made(new SolidlyPairMock__factory(deployer).deploy(token0, token1, true, 5));
      const pool = await at(pair);
      await local.fund(pool, { tokens: { USDC: 1_030_000n * USD, DAI: 1_000_000n * WETH } });
      await (await pair.sync()).wait();
      const hops = [hopOf("solidly", pool, token("DAI"), token("USDC"), { stable: true }), hop("uniswap-v3", "USDC", "DAI", 100)];
      await lands(cycle(hops));
    });

    it("an ERC-4626 vault between two pools", async () => {
      const vault = await made(new VaultQuotedMock__factory(deployer).deploy(token("USDC")));
      const share = await at(vault);
      const pool = await at(await made(new CurvePoolMock__factory(deployer).deploy(share, token("WETH"), true)));
      // a share is worth 1.1 USDC, and trades at 1.15
      await local.fund(share, { tokens: { USDC: 2_200_000n * USD } });
      await (await vault.mint(pool, 1_000_000n * USD)).wait();
      await (await vault.mint(deployer.address, 1_000_000n * USD)).wait();
      await local.fund(pool, { tokens: { WETH: (1_150_000n * WETH) / 3000n } });
      const hops = [
        hop("uniswap-v3", "WETH", "USDC", 500),
        hopOf("erc4626", share, token("USDC"), share),
        hopOf("curve", pool, share, token("WETH")),
      ];
      await lands(cycle(hops));
    });

    it("reads a Slipstream pool as a V3 pool with the fee that it tells", async () => {
      const { address, token0, token1 } = findPool(local, "uniswap-v3", "WETH", "USDC", 500)!;
      const id = { address, token0, token1, feePips: 500 };
      const known = await VENUES["uniswap-v3"].load(desk.chain.provider, { ...id, venue: "uniswap-v3" }, "latest");
      const read = await VENUES.slipstream.load(desk.chain.provider, { ...id, venue: "slipstream", feePips: 0 }, "latest");
      expect(read).to.deep.equal({ ...known, venue: "slipstream" });
    });
  });

  it("refuses before it sends where no StepExecutor is", async () => {
    await sell("WETH", "uniswap-v3", 500, 60_000);
    const hops = [hop("balancer-v2", "WETH", "USDC"), hop("uniswap-v3", "USDC", "WETH", 500)];
    const driver = new SameChainExecutor({ ...desk.driver.context, stepExecutor: null });
    const outcome = await driver.execute(cycle(hops));
    if (outcome.status !== "rejected") throw new Error(text(outcome));
    expect(outcome.rejection.reason).to.equal("no-executor");
  });

  it("takes both as JSON: the V4 pool by its id, the Balancer pool from the allow-list", () => {
    const hops = [hop("balancer-v2", "WETH", "USDC"), hop("uniswap-v4", "USDC", "WETH")];
    const opportunity = cycle(hops);
    const vouched = {
      chainId: 1,
      address: local.balancerPoolId!,
      venue: "balancer-v2",
      kind: "quoted",
      tokens: [token("WETH"), token("USDC")],
      feePips: 0,
    } as const;
    const json = toJson(opportunity, local.network);
    const context = { networks: [local.network], allowedPools: [vouched], now: 0 };
    expect(validateOpportunity(json, context)).to.deep.equal({ ok: true, value: opportunity });
    const stranger = validateOpportunity(json, { ...context, allowedPools: [] });
    expect(stranger.ok ? "" : stranger.rejection.reason).to.equal("unknown-pool");
  });
});
