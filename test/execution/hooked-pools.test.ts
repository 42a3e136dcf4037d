import { expect } from "chai";
import { type BaseContract, toBeHex, Wallet, ZeroAddress } from "ethers";
import type { Database } from "../../src/database/open.js";
import type { LandedTrade, Outcome } from "../../src/execution/outcome.js";
import { SameChainExecutor } from "../../src/execution/same-chain-executor.js";
import type { FundingId } from "../../src/funding/funding.js";
import { type Journal, openJournal } from "../../src/journal/journal.js";
import { loadSnapshot, poolsOf } from "../../src/market/market.js";
import type { Opportunity, OpportunityHop } from "../../src/opportunity/opportunity.js";
import { toJson } from "../../src/opportunity/schema.js";
import { validateOpportunity } from "../../src/opportunity/validate.js";
import { decodeSteps } from "../../src/plan/steps.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type Desk, openDesk } from "../../src/sim/desk.js";
import { findPool } from "../../src/sim/trader.js";
import { squareRoot } from "../../src/venues/tick-math.js";
import { DYNAMIC_FEE } from "../../src/venues/uniswap-v4-hooks.js";
import { v4PoolId } from "../../src/venues/uniswap-v4.js";
import { sortTokens } from "../../src/venues/v2-pair.js";
import type { QuotedPool } from "../../src/venues/venue.js";
import { chainRoute } from "../../src/submit/relays/node.js";
import { TransactionExecutor } from "../../src/submit/transaction-executor.js";
import { journalDatabase } from "../helpers/journal.js";
import {
  BalancerV3Mock__factory,
  BalancerV3RouterMock__factory,
  IERC20__factory,
  IPoolManager__factory,
  TakingHook__factory,
  V4Trader__factory,
} from "../../types/contracts/index.js";

const WETH = 10n ** 18n;
const USD = 10n ** 6n;
/** Before and after swaps, and the latter returns an amount (v4-core, Hooks.sol). */
const HOOK_FLAGS = 0xc4n;
const SPACING = 60;

/** Cycles through pools that only the chain can quote: hooks of Uniswap V4 on the published PoolManager and Quoter, Balancer V3. */
describe("trades in pools with hooks, and in Balancer V3", () => {
  let local: LocalChain;
  let desk: Desk;
  let snapshot: string;
  let db: Database;
  let journal: Journal;
  let deployer: Wallet;

  before(async () => {
    db = await journalDatabase();
    local = await startLocalChain(1);
    desk = await openDesk(local, null);
    deployer = new Wallet(local.keys[0]!, desk.chain.provider);
  });
  beforeEach(async () => {
    snapshot = await local.rpc<string>("evm_snapshot");
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
  const balance = (of: string, holder: string) => IERC20__factory.connect(of, desk.chain.provider).balanceOf(holder);
  const held = async (of: string) => (await balance(of, desk.executor)) + (await balance(of, desk.stepExecutor));
  const text = (outcome: Outcome) => JSON.stringify(outcome, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v));

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

  function plain(from: string, to: string, venue: "uniswap-v2" | "uniswap-v3" = "uniswap-v3"): OpportunityHop {
    const { address, feePips } = findPool(local, venue, from, to, venue === "uniswap-v2" ? 3000 : 500)!;
    return { venue, pool: address, tokenIn: token(from), tokenOut: token(to), feePips };
  }

  /** Executes, and holds the booked profit against the estimate and the chain's balances. */
  async function lands(opportunity: Opportunity): Promise<LandedTrade & { txHash: string }> {
    const profitToken = opportunity.hops[0]!.tokenIn;
    const before = await held(profitToken);
    const outcome = await desk.driver.execute(opportunity);
    if (outcome.status !== "landed") throw new Error(text(outcome));
    const { trade } = outcome;
    expect(trade.profit).to.equal(trade.expectedProfit);
    expect((await held(profitToken)) - before).to.equal(trade.profit);
    expect(trade.profit > 0n).to.equal(true);
    return trade;
  }

  const stepsOf = async (hash: string) => decodeSteps((await desk.chain.provider.getTransaction(hash))!.data);

  describe("Uniswap V4 with hooks", () => {
    interface Terms {
      fee: number;
      /** Dollars per WETH; the others stand at 3,000. */
      price: bigint;
      native?: boolean;
      hookFee?: number;
      shareBips?: bigint;
      hookData?: string;
    }

    /** A pool of USDC and WETH, or ETH, whose hook does as the terms say. */
    async function hookedPool({ fee, price, native = false, hookFee = 0, shareBips = 0n, hookData = "0x" }: Terms) {
      const manager = IPoolManager__factory.connect(local.network.poolManager!.address, deployer);
      const template = await new TakingHook__factory(deployer).deploy(manager);
      await template.waitForDeployment();
      const hooks = toBeHex((0x77n << 100n) | HOOK_FLAGS, 20);
      await local.rpc("hardhat_setCode", [hooks, await desk.chain.provider.getCode(template)]);
      const hook = TakingHook__factory.connect(hooks, deployer);
      const trader = await new V4Trader__factory(deployer).deploy(manager);
      await trader.waitForDeployment();
      await local.fund(await trader.getAddress(), {
        eth: 10_000n * WETH,
        tokens: { WETH: 10_000n * WETH, USDC: 30_000_000n * USD },
      });

      const ether = native ? ZeroAddress : token("WETH");
      const [currency0, currency1] = sortTokens(ether, token("USDC"));
      const key = { currency0, currency1, fee, tickSpacing: SPACING, hooks };
      const [amount0, amount1] = currency0 === ether ? [WETH, price * USD] : [price * USD, WETH];
      await (await manager.initialize(key, squareRoot((amount1 << 192n) / amount0))).wait();
      const tick = Math.floor(Math.log(Number(amount1) / Number(amount0)) / Math.log(1.0001) / SPACING) * SPACING;
      await (await trader.add(key, tick - 100 * SPACING, tick + 100 * SPACING, 10n ** 16n)).wait();
      await (await hook.set(hookFee, shareBips, hookData)).wait();
      const pool = v4PoolId(currency0, currency1, fee, SPACING, hooks);
      const hop = (from: string, to: string): OpportunityHop => ({
        venue: "uniswap-v4-hooks",
        pool,
        tokenIn: token(from),
        tokenOut: token(to),
        feePips: fee,
        tickSpacing: SPACING,
        hooks,
        hookData,
        host: local.network.poolManager!.address,
        quoter: local.network.quoters["uniswap-v4-hooks"]!.address,
      });
      return { hop, hook, key, trader };
    }

    it("a dynamic fee and a share that the hook keeps: quoted and landed to the unit", async () => {
      const { hop } = await hookedPool({ fee: DYNAMIC_FEE, price: 3200n, hookFee: 700, shareBips: 20n });
      const trade = await lands(cycle([hop("WETH", "USDC"), plain("USDC", "WETH")]));
      expect(trade.funding).to.equal("flash-swap");
      expect(await balance(token("WETH"), desk.executor), "steps took it").to.equal(1n);
    });

    it("is worth less by what the hook takes: no maths of ours stands in for the chain's", async () => {
      const { hop, hook } = await hookedPool({ fee: DYNAMIC_FEE, price: 3200n, hookFee: 700 });
      const opportunity = cycle([hop("WETH", "USDC"), plain("USDC", "WETH")], { amountIn: WETH });
      const out = async () => {
        const quoted = await desk.driver.quote(opportunity);
        if (!quoted.ok) throw new Error(quoted.rejection.detail);
        return quoted.value.hops[0]!.amountOut;
      };
      const whole = await out();
      await (await hook.set(700, 100n, "0x")).wait();
      expect(await out()).to.equal(whole - (whole * 100n) / 10_000n);
      await (await hook.set(50_000, 0n, "0x")).wait();
      expect((await out()) < (whole * 96n) / 100n).to.equal(true);
    });

    it("last, with data for the hook and a fee of the pool's own", async () => {
      const { hop } = await hookedPool({ fee: 500, price: 2800n, shareBips: 5n, hookData: "0xc0ffee" });
      const trade = await lands(cycle([plain("WETH", "USDC", "uniswap-v2"), hop("USDC", "WETH")]));
      const { steps } = await stepsOf(trade.txHash);
      expect(JSON.stringify(steps, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v))).to.contain('"0xc0ffee"');
    });

    for (const funding of ["flash-swap", "uniswap-v4", "aave-v3", "uniswap-v3-flash"] as FundingId[]) {
      it(`of ETH, first, funded by ${funding}`, async () => {
        const { hop } = await hookedPool({ fee: DYNAMIC_FEE, price: 3200n, native: true, hookFee: 700, shareBips: 20n });
        expect((await lands(cycle([hop("WETH", "USDC"), plain("USDC", "WETH")], { funding }))).funding).to.equal(funding);
      });
    }

    it("of ETH, last, with a profit in another token", async () => {
      const { hop } = await hookedPool({ fee: DYNAMIC_FEE, price: 3200n, native: true, hookFee: 700, shareBips: 20n });
      await lands(cycle([plain("USDC", "WETH", "uniswap-v2"), hop("WETH", "USDC")]));
    });

    it("tells the fee of the moment, which the pool's slot has", async () => {
      const { hop, hook, key } = await hookedPool({ fee: DYNAMIC_FEE, price: 3200n });
      await (await hook.setPoolFee(key, 1234)).wait();
      const { pools } = await loadSnapshot(desk.chain.provider, poolsOf(cycle([hop("WETH", "USDC"), plain("USDC", "WETH")])));
      const [pool] = pools as [QuotedPool];
      expect(pool.feePips).to.equal(1234);
      expect(pool.v4!.key.fee).to.equal(DYNAMIC_FEE);
    });

    it("a hook that changes its mind after the quote: the plan reverts, and costs no asset", async () => {
      const { hop, hook } = await hookedPool({ fee: DYNAMIC_FEE, price: 3200n, hookFee: 700 });
      const before = await held(token("WETH"));
      const outcome = await desk.driver.execute(cycle([hop("WETH", "USDC"), plain("USDC", "WETH")]), async (step) => {
        if (step === "simulated") await (await hook.set(700, 3000n, "0x")).wait();
      });
      expect(outcome.status, text(outcome)).to.equal("reverted");
      expect(await held(token("WETH"))).to.equal(before);
    });

    it("is taken from the allow-list only, whose key it gets", async () => {
      const { hop } = await hookedPool({ fee: DYNAMIC_FEE, price: 3200n });
      const opportunity = cycle([hop("WETH", "USDC"), plain("USDC", "WETH")]);
      const { pool, feePips, tickSpacing, hooks, hookData } = hop("WETH", "USDC");
      const vouched = {
        chainId: 1,
        address: pool,
        venue: "uniswap-v4-hooks",
        kind: "quoted",
        tokens: [token("WETH"), token("USDC")],
        feePips,
        traits: { tickSpacing: tickSpacing!, hooks: hooks!, hookData: hookData! },
      } as const;
      const json = toJson(opportunity, local.network);
      const context = { networks: [local.network], allowedPools: [vouched], now: 0 };
      expect(validateOpportunity(json, context)).to.deep.equal({ ok: true, value: opportunity });
      const [first, ...rest] = json.hops;
      const wrong = validateOpportunity({ ...json, hops: [{ ...first!, tickSpacing: 10 }, ...rest] }, context);
      expect(wrong.ok ? "" : wrong.rejection.where).to.equal("hops[0].tickSpacing");
      const stranger = validateOpportunity(json, { ...context, allowedPools: [] });
      expect(stranger.ok ? "" : stranger.rejection.reason).to.equal("unknown-pool");
    });
  });

  describe("Balancer V3 (a vault of ours by its interfaces)", () => {
    const POOL = "0x00000000000000000000000000000000000000b3";

    /** Vault and Router at the registry's addresses, with a pool that buys and sells WETH at a price in dollars. */
    async function vaultPool(price: bigint): Promise<(from: string, to: string) => OpportunityHop> {
      const [host, quoter] = [local.network.lenders["balancer-v3"]!.address, local.network.quoters["balancer-v3"]!.address];
      const place = async (at: string, contract: BaseContract): Promise<void> => {
        await contract.waitForDeployment();
        await local.rpc("hardhat_setCode", [at, await desk.chain.provider.getCode(contract)]);
      };
      await place(host, await new BalancerV3Mock__factory(deployer).deploy());
      await place(quoter, await new BalancerV3RouterMock__factory(deployer).deploy(host));
      const vault = BalancerV3Mock__factory.connect(host, deployer);
      await local.fund(host, { tokens: { WETH: 500n * WETH, USDC: 1_500_000n * USD } });
      await (await vault.setTokens(POOL, [token("USDC"), token("WETH")])).wait();
      await (await vault.setRate(POOL, token("WETH"), price * USD)).wait();
      await (await vault.setRate(POOL, token("USDC"), (WETH * WETH) / (price * USD))).wait();
      for (const symbol of ["WETH", "USDC"]) await (await vault.sync(token(symbol))).wait();
      const terms = { venue: "balancer-v3", pool: POOL, feePips: 0, host, quoter } as const;
      return (from, to) => ({ ...terms, tokenIn: token(from), tokenOut: token(to) });
    }

    for (const funding of ["flash-swap", "balancer-v3", "aave-v3", "uniswap-v4"] as FundingId[]) {
      it(`first, funded by ${funding}: the vault is unlocked by ${funding === "balancer-v3" ? "that" : "one unit"}`, async () => {
        const hop = await vaultPool(3200n);
        const trade = await lands(cycle([hop("WETH", "USDC"), plain("USDC", "WETH")], { funding }));
        expect(trade.funding).to.equal(funding);
        const [outer] = (await stepsOf(trade.txHash)).steps;
        if (outer?.kind !== "loan") throw new Error("the vault is not unlocked");
        expect(outer.source).to.equal("balancer-v3");
        expect(outer.amount).to.equal(funding === "balancer-v3" ? trade.amountIn : 1n);
      });
    }

    it("last, behind a pair that lends; and in the middle", async () => {
      const hop = await vaultPool(2800n);
      await lands(cycle([plain("WETH", "USDC", "uniswap-v2"), hop("USDC", "WETH")], { id: "last" }));
      const dai = findPool(local, "uniswap-v3", "USDC", "DAI", 100)!;
      const back = findPool(local, "uniswap-v3", "WETH", "DAI", 3000) ?? findPool(local, "uniswap-v2", "WETH", "DAI", 3000)!;
      const hops: OpportunityHop[] = [
        { venue: dai.venue, pool: dai.address, tokenIn: token("DAI"), tokenOut: token("USDC"), feePips: dai.feePips },
        hop("USDC", "WETH"),
        { venue: back.venue, pool: back.address, tokenIn: token("WETH"), tokenOut: token("DAI"), feePips: back.feePips },
      ];
      await lands(cycle(hops, { id: "middle" }));
    });

    it("refuses a pool that the vault does not have, and a token that the pool does not trade", async () => {
      const hop = await vaultPool(3200n);
      const stranger = { ...hop("WETH", "USDC"), pool: "0x00000000000000000000000000000000000000B4" };
      const none = await desk.driver.quote(cycle([stranger, plain("USDC", "WETH")]));
      expect(none.ok ? "" : none.rejection.detail).to.contain("has no pool");
      const other = await desk.driver.quote(cycle([hop("WETH", "DAI"), plain("DAI", "WETH", "uniswap-v2")]));
      expect(other.ok ? "" : other.rejection.detail).to.contain(`does not trade ${token("DAI")}`);
    });
  });
});
