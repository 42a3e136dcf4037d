import { expect } from "chai";
import * as fc from "fast-check";
import { ZeroAddress } from "ethers";
import { SettableFeed__factory } from "../../types/contracts/index.js";
import { ETHER, type TestPool } from "../helpers/pools.js";
import { asyncProperty } from "../helpers/property.js";
import { createVaultWorld, type Market, refusal, type VaultWorld } from "../helpers/vault.js";

const PARTS = 4;
const floorDiv = (a: bigint, b: bigint): bigint => (a < 0n && a % b !== 0n ? a / b - 1n : a / b);
const divUp = (a: bigint, b: bigint): bigint => (a + b - 1n) / b;

/** What an amount is worth at a tick: amount * 1.0001^tick, rounded up (Uniswap V3 whitepaper, 6.1). */
function atTick(amount: bigint, tick: bigint): bigint {
  const size = tick < 0n ? -tick : tick;
  const [up, down] = [10_001n ** size, 10_000n ** size];
  return tick < 0n ? divUp(amount * down, up) : divUp(amount * up, down);
}

describe("ArbVault: prices", function () {
  let w: VaultWorld;
  /** A pair that gives next to nothing: what a swap there is refused with tells the oracle's answer. */
  let poor: TestPool;

  before(async function () {
    w = await createVaultWorld();
    poor = await w.world.addV2(w.world.weth, w.b, 10_000n, 10_000n, 1);
  });

  const poorMarket = async (price: Market["price"], tokenIn = w.weth) =>
    w.market(poor, tokenIn, { price, maxLossBps: 0, dailyLimit: 2n ** 128n - 1n });

  /** The oracle's answer for an amount, or the name of its refusal. */
  async function worth(id: string, amountIn: bigint): Promise<bigint | string> {
    const from = await w.world.operator.getAddress();
    const data = w.vault.interface.encodeFunctionData("swap", [[id], amountIn, 0n]);
    try {
      await w.world.provider.request({ method: "eth_call", params: [{ from, to: w.self, data }, "latest"] });
    } catch (error) {
      const revert = w.vault.interface.parseError((error as { data?: string }).data ?? "0x");
      return revert?.name === "BelowOracle" ? (revert.args.least as bigint) : (revert?.name ?? String(error));
    }
    throw new Error("the poor pair gave enough");
  }

  it("by feeds, any decimals: what the amount is worth, rounded up", async function () {
    this.timeout(120_000);
    const deployer = w.world.deployer;
    await w.world.rolledBack(async () => {
      await asyncProperty(
        fc.asyncProperty(
          fc.integer({ min: 0, max: 18 }),
          fc.integer({ min: 0, max: 18 }),
          fc.bigInt(1n, 10n ** 24n),
          fc.bigInt(1n, 10n ** 12n),
          fc.bigInt(10n ** 12n, 10n ** 20n),
          async (decimalsIn, decimalsOut, priceIn, priceOut, amount) => {
            const feedIn = await new SettableFeed__factory(deployer).deploy(decimalsIn, priceIn);
            const feedOut = await new SettableFeed__factory(deployer).deploy(decimalsOut, priceOut);
            const price = { ...(await w.byFeeds(w.weth, w.tokenB)), feedIn, feedOut } as Market["price"];
            const id = await w.setMarket(await poorMarket(price));
            const exact = divUp(amount * priceIn * 10n ** BigInt(decimalsOut), priceOut * 10n ** BigInt(decimalsIn));
            // what is worth next to nothing even the poor pair gives
            if (exact > 10_000n) expect(await worth(id, amount)).to.equal(exact);
          },
        ),
        25,
      );
    });
  });

  it("refuses answers that are old, of the future, zero or negative, and amounts that do not fit", async function () {
    await w.world.rolledBack(async () => {
      const time = w.world.networkHelpers.time;
      const id = await w.setMarket(await poorMarket({ ...(await w.byFeeds(w.weth, w.tokenB)), maxAgeIn: 100, maxAgeOut: 50 }));
      const now = BigInt(await time.latest()) + 1000n;
      const answer = async (feed: string, value: bigint, at: bigint) => {
        await w.feeds[feed]!.set(value, at, at);
      };
      await answer(w.weth, 2000n * 10n ** 8n, now - 100n);
      await answer(w.tokenB, 10n ** 8n, now - 50n);
      await time.setNextBlockTimestamp(now);
      await w.world.networkHelpers.mine();
      const block = { blockTag: "latest" } as const;
      const ask = () => refusal(w.asOperator.swap.staticCall([id], ETHER, 0n, block));
      expect(await ask()).to.equal("BelowOracle");
      for (const [feed, age] of [
        [w.weth, 101n],
        [w.tokenB, 51n],
        [w.weth, -1000n],
      ] as const) {
        await w.world.rolledBack(async () => {
          const at = BigInt(await time.latest()) + 1n;
          await answer(w.weth, 1n, at);
          await answer(w.tokenB, 1n, at + 1n);
          await answer(feed, 1n, at + 2n - age);
          expect(await ask(), `${feed} ${age}`).to.equal("StalePrice");
        });
      }
      for (const bad of [0n, -1n, -(2n ** 255n)]) {
        for (const feed of [w.weth, w.tokenB]) {
          await w.world.rolledBack(async () => {
            const at = BigInt(await time.latest());
            await answer(w.weth, 1n, at);
            await answer(w.tokenB, 1n, at);
            await answer(feed, bad, at);
            expect(await ask()).to.equal("NoPrice");
          });
        }
      }
      expect(await refusal(w.asOperator.swap.staticCall([id], 2n ** 120n, 0n))).to.equal("NoPrice");
      await answer(w.weth, 2n ** 200n, BigInt(await time.latest()));
      await answer(w.tokenB, 1n, BigInt(await time.latest()));
      expect(await refusal(w.asOperator.swap.staticCall([id], 2n ** 119n, 0n))).to.match(/Panic|overflow/);
    });
  });

  it("refuses while an L2's sequencer is down, and for an hour after", async function () {
    await w.world.rolledBack(async () => {
      const time = w.world.networkHelpers.time;
      const feed = await new SettableFeed__factory(w.world.deployer).deploy(0, 0n);
      await feed.set(0n, 1n, 1n);
      const sequencer = await feed.getAddress();
      for (const price of [await w.byFeeds(w.weth, w.tokenB)]) {
        const id = await w.setMarket(await poorMarket({ ...price, sequencer }));
        const outcome = async (down: bigint, since: number) => {
          await feed.set(down, since, since);
          return refusal(w.asOperator.swap.staticCall([id], ETHER, 0n));
        };
        const now = await time.latest();
        expect(await outcome(0n, now - 4000)).to.equal("BelowOracle");
        expect(await outcome(1n, now - 4000)).to.equal("SequencerDown");
        expect(await outcome(0n, now - 3000)).to.equal("SequencerDown");
        expect(await outcome(0n, now + 1000)).to.equal("SequencerDown");
        expect(await outcome(0n, 0)).to.equal("SequencerDown");
      }
    });
  });

  it("takes no source that cannot price the two tokens today", async function () {
    const feeds = await w.byFeeds(w.weth, w.tokenB);
    const average = w.byPool(w.v3.address);
    const c = await w.world.token("C");
    const other = await w.world.addV3(c, w.b, ETHER, ETHER, 3000);
    const outcome = async (price: Market["price"]) => refusal(w.asOwner.setMarket.staticCall(await poorMarket(price)));
    expect(await outcome(feeds)).to.equal("done");
    expect(await outcome({ ...feeds, feedOut: ZeroAddress })).to.equal("InvalidSource");
    expect(await outcome({ ...feeds, maxAgeIn: 0 })).to.equal("InvalidSource");
    expect(await outcome({ ...feeds, maxAgeOut: 0 })).to.equal("InvalidSource");
    expect(await outcome({ ...average, feedOut: feeds.feedOut })).to.equal("InvalidSource");
    expect(await outcome({ ...average, window: 599 })).to.equal("InvalidSource");
    expect(await outcome({ ...average, pool: other.address })).to.equal("InvalidSource");
    // a pool that does not remember as much
    expect(await outcome({ ...average, window: 10 ** 6 })).to.equal("OLD");
    await w.world.rolledBack(async () => {
      await w.feeds[w.weth]!.set(0n, 0n, 0n);
      expect(await outcome(feeds)).to.equal("NoPrice");
    });
  });

  describe("by the average of a V3 pool", function () {
    let pool: TestPool;
    before(async function () {
      pool = w.v3;
      await w.poolContract(pool.address).getFunction("increaseObservationCardinalityNext")(200);
      await w.world.trade(pool, w.weth, ETHER);
      await w.world.networkHelpers.time.increase(7200);
      await w.world.networkHelpers.mine();
    });

    /** The contract's rule in JavaScript: the highest of the quarters' mean prices of the sold token. */
    async function expected(window: number, tokenIn: string, amount: bigint): Promise<bigint> {
      const part = Math.floor(window / PARTS);
      const ago = Array.from({ length: PARTS + 1 }, (_, i) => part * (PARTS - i));
      const [sums] = (await w.poolContract(pool.address).getFunction("observe").staticCall(ago)) as [bigint[]];
      const sign = tokenIn === pool.token0 ? 1n : -1n;
      const ticks = ago.slice(1).map((_, i) => sign * floorDiv(sums[i + 1]! - sums[i]!, BigInt(part)));
      return atTick(
        amount,
        ticks.reduce((a, b) => (a > b ? a : b)),
      );
    }

    it("is the highest mean of four quarters, to 18 digits, whatever was traded", async function () {
      this.timeout(120_000);
      await w.world.rolledBack(async () => {
        await asyncProperty(
          fc.asyncProperty(
            fc.array(fc.tuple(fc.boolean(), fc.bigInt(1n, 60n), fc.integer({ min: 1, max: 400 })), {
              minLength: 1,
              maxLength: 3,
            }),
            fc.integer({ min: 600, max: 1500 }),
            fc.bigInt(10n ** 15n, 10n ** 20n),
            async (trades, window, amount) => {
              for (const [sell, size, seconds] of trades) {
                await w.world.trade(pool, sell ? w.weth : w.tokenB, size * ETHER * (sell ? 10n : 20_000n));
                await w.world.networkHelpers.time.increase(seconds);
              }
              for (const tokenIn of [w.weth, w.tokenB]) {
                const id = await w.setMarket(await poorMarket(w.byPool(pool.address, window), tokenIn));
                const exact = await expected(window, tokenIn, amount);
                if (exact < 10_000n) continue;
                const answer = await worth(id, amount);
                expect(answer, String(answer)).to.be.a("bigint");
                const difference = (answer as bigint) - exact;
                expect(difference < 0n ? -difference : difference).to.be.at.most(exact / 10n ** 18n + 1n);
              }
            },
          ),
          8,
        );
      });
    });

    it("is the pool's own price once nobody has traded for its window", async function () {
      await w.world.rolledBack(async () => {
        await w.world.trade(pool, w.weth, 300n * ETHER);
        await w.world.networkHelpers.time.increase(1900);
        await w.world.networkHelpers.mine();
        const id = await w.setMarket(await poorMarket(w.byPool(pool.address)));
        const { sqrtPriceX96 } = (await w.poolContract(pool.address).getFunction("slot0")()) as { sqrtPriceX96: bigint };
        const amount = 10n ** 20n;
        const square = sqrtPriceX96 * sqrtPriceX96;
        const now = w.weth === pool.token0 ? (amount * square) >> 192n : (amount << 192n) / square;
        const answer = (await worth(id, amount)) as bigint;
        // a tick is a hundredth of a percent
        const difference = answer > now ? answer - now : now - answer;
        expect(difference).to.be.at.most(now / 9_900n);
      });
    });

    it("one block at an absurd price, and back, does not lower it", async function () {
      await w.world.rolledBack(async () => {
        const window = 600;
        const id = await w.setMarket(await poorMarket(w.byPool(pool.address, window)));
        const before = (await worth(id, ETHER)) as bigint;
        const mean = async () => {
          const [sums] = (await w.poolContract(pool.address).getFunction("observe").staticCall([window, 0])) as [bigint[]];
          return floorDiv((sums[1]! - sums[0]!) * (w.weth === pool.token0 ? 1n : -1n), BigInt(window));
        };
        const meanBefore = await mean();
        const held = await w.b.balanceOf(w.world.trader);
        await w.world.weth.transfer(w.world.trader, 500_000n * ETHER);
        await w.world.trade(pool, w.weth, 700_000n * ETHER);
        const got = (await w.b.balanceOf(w.world.trader)) - held;
        await w.world.networkHelpers.time.setNextBlockTimestamp((await w.world.networkHelpers.time.latest()) + 12);
        await w.world.trade(pool, w.tokenB, got);
        await w.world.networkHelpers.mine();
        // the plain mean falls by more than 5 %
        expect(Number(meanBefore - (await mean()))).to.be.greaterThan(513);
        expect(await worth(id, ETHER)).to.be.at.least(before);
      });
    });

    it("has no answer where a price has lost its digits", async function () {
      const c = await w.world.token("C");
      const d = await w.world.token("D");
      const far = await w.world.addV3(c, d, 1n, 10n ** 20n, 3000, ETHER);
      await w.world.networkHelpers.time.increase(4000);
      await w.world.networkHelpers.mine();
      const address = await c.getAddress();
      const pair = await w.world.addV2(c, d, ETHER, ETHER, 1);
      const price = w.byPool(far.address);
      expect(await refusal(w.asOwner.setMarket.staticCall(await w.market(pair, address, { price })))).to.equal("NoPrice");
    });
  });
});
