import { expect } from "chai";
import * as fc from "fast-check";
import { BrowserProvider } from "ethers";
import type { PriceSource } from "../../src/config/vault.js";
import { worthAt } from "../../src/vault/vault-prices.js";
import { explainVault, marketId, vaultVenue } from "../../src/vault/vault-venue.js";
import type { LegQuote } from "../../src/execution/legs.js";
import { SettableFeed__factory } from "../../types/contracts/index.js";
import { ETHER, type TestPool } from "../helpers/pools.js";
import { asyncProperty } from "../helpers/property.js";
import { createVaultWorld, type Market, type VaultWorld } from "../helpers/vault.js";

describe("the vault's price bound, asked before anything is sent", function () {
  this.timeout(120_000);
  let w: VaultWorld;
  let provider: BrowserProvider;
  /** A pair that gives next to nothing: what the contract refuses a swap there with tells its oracle's answer. */
  let poor: TestPool;

  before(async () => {
    w = await createVaultWorld();
    provider = new BrowserProvider(w.world.provider, undefined, { cacheTimeout: -1 });
    poor = await w.world.addV2(w.world.weth, w.b, 10_000n, 10_000n, 1);
  });
  after(() => provider.destroy());

  const plain = async (price: Market["price"]): Promise<PriceSource> => ({
    feedIn: await addressOf(price.feedIn),
    feedOut: await addressOf(price.feedOut),
    maxAgeIn: Number(price.maxAgeIn),
    maxAgeOut: Number(price.maxAgeOut),
    sequencer: await addressOf(price.sequencer),
    pool: await addressOf(price.pool),
    window: Number(price.window),
  });
  const addressOf = async (of: unknown): Promise<string> =>
    typeof of === "string" ? of : await (of as { getAddress(): Promise<string> }).getAddress();

  /** The contract's own answer, or the name of its refusal. */
  async function said(id: string, amountIn: bigint): Promise<bigint | string> {
    const from = await w.world.operator.getAddress();
    const data = w.vault.interface.encodeFunctionData("swap", [[id], amountIn, 0n]);
    try {
      await w.world.provider.request({ method: "eth_call", params: [{ from, to: w.self, data }, "latest"] });
    } catch (error) {
      const revert = w.vault.interface.parseError((error as { data?: string }).data ?? "0x");
      return revert?.name === "BelowOracle" ? (revert.args.least as bigint) : (revert?.name ?? "other");
    }
    throw new Error("the poor pair gave enough");
  }

  async function ours(price: Market["price"], tokenIn: string, amountIn: bigint): Promise<bigint | string> {
    const head = (await provider.getBlock("latest"))!;
    const tokenOut = tokenIn === w.weth ? w.tokenB : w.weth;
    const at = { block: head.number, timestamp: head.timestamp };
    const answer = await worthAt(provider, await plain(price), { tokenIn, tokenOut, amountIn }, at);
    return answer.ok ? answer.worth : answer.reason;
  }

  const allow = async (price: Market["price"], tokenIn: string): Promise<string> =>
    await w.setMarket(await w.market(poor, tokenIn, { price, maxLossBps: 0, dailyLimit: 2n ** 128n - 1n }));

  it("by feeds of any decimals: to the unit what the contract says", async () => {
    await w.world.rolledBack(async () => {
      await asyncProperty(
        fc.asyncProperty(
          fc.integer({ min: 0, max: 18 }),
          fc.integer({ min: 0, max: 18 }),
          fc.bigInt(1n, 10n ** 24n),
          fc.bigInt(1n, 10n ** 12n),
          fc.bigInt(10n ** 12n, 10n ** 20n),
          async (decimalsIn, decimalsOut, priceIn, priceOut, amount) => {
            const feedIn = await new SettableFeed__factory(w.world.deployer).deploy(decimalsIn, priceIn);
            const feedOut = await new SettableFeed__factory(w.world.deployer).deploy(decimalsOut, priceOut);
            const price = { ...(await w.byFeeds(w.weth, w.tokenB)), feedIn, feedOut } as Market["price"];
            const id = await allow(price, w.weth);
            const contract = await said(id, amount);
            // a price of next to nothing is below what the poor pair gives
            if (typeof contract === "bigint") expect(await ours(price, w.weth, amount)).to.equal(contract);
          },
        ),
        25,
      );
    });
  });

  it("by a pool's average, both ways, with prices that moved: to the unit what the contract says", async () => {
    await w.world.rolledBack(async () => {
      await w.poolContract(w.v3.address).getFunction("increaseObservationCardinalityNext")(50);
      for (const [seconds, amount] of [
        [700, 3n * ETHER],
        [400, 40n * ETHER],
        [300, 1n * ETHER],
        [500, 90n * ETHER],
        [300, 2n * ETHER],
      ] as const) {
        await w.world.networkHelpers.time.increase(seconds);
        await w.world.trade(w.v3, w.weth, amount);
      }
      let compared = 0;
      for (const tokenIn of [w.weth, w.tokenB]) {
        const price = w.byPool(w.v3.address, 1200);
        const id = await allow(price, tokenIn);
        for (const amount of [1n, 10n ** 9n, 7n * ETHER + 3n]) {
          const contract = await said(id, amount);
          if (typeof contract !== "bigint") continue;
          expect(await ours(price, tokenIn, amount)).to.equal(contract);
          compared++;
        }
      }
      expect(compared).to.be.greaterThan(3);
    });
  });

  it("gives no price where the contract has none: old answers, none, a sequencer that is down, a pool without memory", async () => {
    await w.world.rolledBack(async () => {
      const feeds = await w.byFeeds(w.weth, w.tokenB);
      const sequencer = await new SettableFeed__factory(w.world.deployer).deploy(0, 0n);
      const old = { ...feeds, maxAgeIn: 1 };
      await w.world.networkHelpers.time.increase(100);
      expect(await ours(old, w.weth, ETHER)).to.match(/too old/);
      expect(await ours({ ...feeds, sequencer: await sequencer.getAddress() }, w.weth, ETHER)).to.match(/sequencer/);
      await sequencer.set(0n, 1n, 1n);
      expect(await ours({ ...feeds, sequencer: await sequencer.getAddress() }, w.weth, ETHER)).to.be.a("bigint");
      await w.feeds[w.weth]!.set(0n, 1n, 1n);
      expect(await ours(feeds, w.weth, ETHER)).to.match(/no price/);
      expect(await ours(w.byPool(w.v3.address, 10 ** 8), w.weth, ETHER)).to.match(/does not remember/);
    });
  });

  it("says of each swap why the vault would refuse it: stopped, stranger, market, daily limit, price", async () => {
    await w.world.rolledBack(async () => {
      const operator = await w.world.operator.getAddress();
      const hop = { venue: "uniswap-v2" as const, pool: w.v2.address, tokenIn: w.weth, tokenOut: w.tokenB, feePips: 3000 };
      const quote = (amountOut: bigint, pool = w.v2.address): LegQuote => ({
        hop: { ...hop, pool },
        amountOut,
        impactPpm: 0,
        blockNumber: 0,
        timestamp: 0,
      });
      const ask = async (quotes: LegQuote[], amountIn: bigint, account = operator) =>
        await vaultVenue(w.self, provider, account).refusals!(quotes, amountIn);
      const id = await w.setMarket(await w.market(w.v2, w.weth, { dailyLimit: 5n * ETHER }));
      expect(marketId(w.v2.address, w.weth)).to.equal(id);
      const fair = 1_990n * ETHER;
      const [fine, low, unknown] = await ask([quote(fair), quote(1_900n * ETHER), quote(fair, poor.address)], ETHER);
      expect(fine).to.equal(null);
      expect(low).to.match(/takes no less than 1980000000000000000000/);
      expect(unknown).to.match(/not allowed this pool/);
      expect(await ask([quote(10n * fair)], 6n * ETHER)).to.match(/daily limit/);
      expect((await ask([quote(fair)], ETHER, w.self))[0]).to.match(/no operator/);
      await w.asOperator.stop();
      expect((await ask([quote(fair)], ETHER))[0]).to.equal("the vault is stopped");
    });
  });

  it("puts the contract's own refusals in words, and knows nobody else's", () => {
    const errors = w.vault.interface;
    expect(explainVault(errors.encodeErrorResult("AboveDailyLimit", [marketId(w.self, w.weth), 7n]))).to.match(/leaves 7 now/);
    expect(explainVault(errors.encodeErrorResult("BelowOracle", [marketId(w.self, w.weth), 1n, 2n]))).to.match(/no less than 2/);
    expect(explainVault(errors.encodeErrorResult("Busy", []))).to.equal("the vault refuses: Busy");
    expect(explainVault("0x12345678")).to.equal(null);
    expect(explainVault("0x")).to.equal(null);
  });
});
