import { expect } from "chai";
import * as fc from "fast-check";
import { zeroPadValue } from "ethers";
import {
  FalseToken__factory,
  MissingReturnToken__factory,
  StakingToken__factory,
  StargateStandIn__factory,
} from "../../types/contracts/index.js";
import { ETHER } from "../helpers/pools.js";
import { asyncProperty } from "../helpers/property.js";
import { createVaultWorld, refusal, type VaultWorld } from "../helpers/vault.js";

const DAY = 86_400n;

describe("ArbVault: bridges", function () {
  let w: VaultWorld;
  before(async function () {
    w = await createVaultWorld();
  });

  const kinds = ["across", "cctp", "stargate"] as const;
  const valueOf = (kind: (typeof kinds)[number]) => (kind === "stargate" ? { value: 1_000n } : {});
  const contractOf = (kind: (typeof kinds)[number]) => ({ across: w.spokePool, cctp: w.messenger, stargate: w.stargate })[kind];

  for (const kind of kinds) {
    it(`${kind}: only the twin receives and is refunded, no more is taken, no allowance stays`, async function () {
      await w.world.rolledBack(async () => {
        const id = await w.setRoute(await w.route(kind));
        const transfer = w.transfer();
        const before = await w.holds(w.tokenB);
        const [event] = await w.events(w.asOperator.bridge(id, transfer, valueOf(kind)));
        expect([...event!.args]).to.deep.equal([id, transfer.id, transfer.amountIn, transfer.amountOut]);
        expect(await w.holds(w.tokenB)).to.equal(before - BigInt(transfer.amountIn));
        const standIn = contractOf(kind);
        expect([await standIn.strayed(), await standIn.tookMore()]).to.deep.equal([false, false]);
        expect(await standIn.arrives(w.tokenB)).to.be.at.least(transfer.amountOut);
        expect(await w.allowance(w.tokenB, standIn)).to.equal(0n);
      });
    });

    it(`${kind}: refuses a fee above the route's, an id that is taken, a stop, a route that is not there`, async function () {
      await w.world.rolledBack(async () => {
        const id = await w.setRoute(await w.route(kind));
        const outcome = (changes: Parameters<typeof w.transfer>[0], route = id) =>
          refusal(w.asOperator.bridge.staticCall(route, w.transfer(changes), valueOf(kind)));
        expect(await outcome({ amountIn: 10_001n, amountOut: 9_981n })).to.not.equal("FeeTooHigh");
        expect(await outcome({ amountIn: 10_001n, amountOut: 9_980n })).to.equal("FeeTooHigh");
        expect(await outcome({ amountIn: 2n ** 255n })).to.match(/Panic|overflow/);
        expect(await outcome({}, await w.vault.routeId(w.self, w.tokenB, 1n))).to.equal("UnknownRoute");
        await w.asOperator.bridge(id, w.transfer({ id: 77n }), valueOf(kind));
        expect(await outcome({ id: 77n })).to.equal("TransferUsed");
        // for all routes together
        const other = await w.setRoute(await w.route("cctp", { destination: 11n }));
        expect(await refusal(w.asOperator.bridge.staticCall(other, w.transfer({ id: 77n })))).to.equal("TransferUsed");
        expect(await outcome({ amountIn: 9_000n * ETHER + 10n ** 18n })).to.equal("AboveDailyLimit");
        await w.asOperator.stop();
        expect(await outcome({})).to.equal("Stopped");
        await w.asOwner.resume();
        expect(await outcome({})).to.equal("done");
        await w.setRoute(await w.route(kind, { kind: 0 }));
        expect(await outcome({})).to.equal("UnknownRoute");
        expect((await w.vault.route(id)).dailyLimit).to.equal(0n);
      });
    });
  }

  it("across: deposits with our id, to the route's chain and token, to be filled in the route's time", async function () {
    await w.world.rolledBack(async () => {
      const id = await w.setRoute(await w.route("across"));
      const now = await w.world.networkHelpers.time.latest();
      const outcome = (fillDeadline: number) => refusal(w.asOperator.bridge.staticCall(id, w.transfer({ fillDeadline })));
      expect(await outcome(now + 3500)).to.equal("done");
      expect(await outcome(now + 3700)).to.equal("FillDeadlineTooLate");
      await w.asOperator.bridge(id, w.transfer({ id: 501n, fillDeadline: now + 3000 }));
      const { spokePool } = w;
      expect([await spokePool.nonce(), await spokePool.destination(), await spokePool.fillDeadline()]).to.deep.equal([
        501n,
        10n,
        BigInt(now + 3000),
      ]);
      expect(await spokePool.outputToken()).to.equal(zeroPadValue(w.tokenB, 32).toLowerCase());
    });
  });

  it("across: a refund that is owed is claimed to the vault, by operators and the owner, also while it is stopped", async function () {
    await w.world.rolledBack(async () => {
      const id = await w.setRoute(await w.route("across"));
      const cctp = await w.setRoute(await w.route("cctp"));
      await w.b.mint(w.spokePool, 10n);
      await w.asOperator.stop();
      const before = await w.holds(w.tokenB);
      await w.asOperator.claimAcrossRefund(id);
      await w.asOwner.claimAcrossRefund(id);
      expect(await w.holds(w.tokenB)).to.equal(before + 2n);
      expect(await refusal(w.asStranger.claimAcrossRefund.staticCall(id))).to.equal("NotOperator");
      expect(await refusal(w.asOwner.claimAcrossRefund.staticCall(cctp))).to.equal("UnknownRoute");
    });
  });

  it("cctp: the greatest fee is what may be missing, fast or not", async function () {
    await w.world.rolledBack(async () => {
      const id = await w.setRoute(await w.route("cctp"));
      for (const fast of [true, false]) {
        await w.asOperator.bridge(id, w.transfer({ amountIn: 10_000n, amountOut: 9_990n, fast }));
        expect([await w.messenger.maxFee(), await w.messenger.finality(), await w.messenger.domain()]).to.deep.equal([
          10n,
          fast ? 1000n : 2000n,
          10n,
        ]);
      }
      await w.asOperator.bridge(id, w.transfer({ amountIn: 10_000n, amountOut: 10_000n, fast: false }));
      expect(await w.messenger.maxFee()).to.equal(0n);
      const more = w.transfer({ amountIn: 10_000n, amountOut: 10_001n });
      expect(await refusal(w.asOperator.bridge.staticCall(id, more))).to.match(/Panic|overflow/);
    });
  });

  it("stargate: what its shared decimals cannot tell stays, and the event tells what left", async function () {
    await w.world.rolledBack(async () => {
      const id = await w.setRoute(await w.route("stargate"));
      const amountIn = 1_000n * ETHER + 999_999_999_999n;
      const before = await w.holds(w.tokenB);
      const [event] = await w.events(w.asOperator.bridge(id, w.transfer({ amountIn }), { value: 1_000n }));
      expect(event!.args.amountIn).to.equal(1_000n * ETHER);
      expect(await w.holds(w.tokenB)).to.equal(before - 1_000n * ETHER);
      expect(await w.allowance(w.tokenB, w.stargate)).to.equal(0n);
      // its fee of 0.06 % is held against the route's
      const tight = await w.setRoute(await w.route("stargate", { maxFeeBps: 5 }));
      const asks = w.transfer({ amountIn: 1_000n * ETHER, amountOut: 999_500n * 10n ** 15n });
      expect(await refusal(w.asOperator.bridge.staticCall(tight, asks, { value: 1_000n }))).to.equal("Stargate_SlippageTooHigh");
    });
  });

  it("stargate: the caller pays the message and gets back what it did not need; the vault's ETH stays", async function () {
    await w.world.rolledBack(async () => {
      const provider = w.world.ethers.provider;
      await w.world.deployer.sendTransaction({ to: w.self, value: 7n });
      const id = await w.setRoute(await w.route("stargate"));
      const operator = await w.world.operator.getAddress();
      const before = await provider.getBalance(operator);
      const receipt = (await (await w.asOperator.bridge(id, w.transfer(), { value: 5_000n })).wait())!;
      expect(before - (await provider.getBalance(operator)) - receipt.fee).to.equal(1_000n);
      expect(await provider.getBalance(w.self)).to.equal(7n);
      expect(await refusal(w.asOperator.bridge.staticCall(id, w.transfer()))).to.not.equal("done");
      for (const kind of ["across", "cctp"] as const) {
        const other = await w.setRoute(await w.route(kind));
        expect(await refusal(w.asOperator.bridge.staticCall(other, w.transfer(), { value: 1n }))).to.equal("UnexpectedValue");
      }
    });
  });

  it("takes no route that no twin can receive, or that no bridge or token serves", async function () {
    const outcome = async (kind: (typeof kinds)[number], changes: Parameters<typeof w.route>[1]) =>
      refusal(w.asOwner.setRoute.staticCall(await w.route(kind, changes)));
    for (const kind of kinds) {
      expect(await outcome(kind, {})).to.equal("done");
      expect(await outcome(kind, { maxFeeBps: 500 })).to.equal("done");
      expect(await outcome(kind, { maxFeeBps: 501 })).to.equal("InvalidRoute");
      expect(await outcome(kind, { tokenIn: await w.world.stranger.getAddress() })).to.equal("InvalidRoute");
    }
    for (const kind of ["across", "cctp"] as const)
      expect(await outcome(kind, { bridge: await w.world.stranger.getAddress() })).to.equal("InvalidRoute");
    expect(await outcome("across", { tokenOut: zeroPadValue("0x", 32) })).to.equal("InvalidRoute");
    expect(await outcome("across", { tokenOut: `0x01${"00".repeat(31)}` })).to.equal("InvalidRoute");
    expect(await outcome("across", { maxFillSeconds: 0 })).to.equal("InvalidRoute");
    expect(await outcome("across", { destination: 2n ** 40n })).to.equal("done");
    expect(await outcome("cctp", { destination: 2n ** 32n })).to.equal("InvalidRoute");
    expect(await outcome("stargate", { tokenIn: w.weth })).to.equal("InvalidRoute");
  });

  it("sends tokens that return nothing, and notices those that answer false", async function () {
    await w.world.rolledBack(async () => {
      const deployer = w.world.deployer;
      const usdt = await new MissingReturnToken__factory(deployer).deploy();
      const token = await usdt.getAddress();
      await usdt.mint(w.self, 10_000_000n);
      const bridge = await new StargateStandIn__factory(deployer).deploy(token, 10n, 0n, 0n);
      const id = await w.setRoute(await w.route("stargate", { tokenIn: token, bridge: await bridge.getAddress() }));
      // the allowance that Stargate leaves is one that this token would not let us change later
      for (let i = 0; i < 2; i++) await w.asOperator.bridge(id, w.transfer({ amountIn: 1_000_009n, amountOut: 999_000n }));
      expect(await w.holds(token)).to.equal(8_000_000n);
      expect(await usdt.allowance(w.self, bridge)).to.equal(0n);
      const liar = await new FalseToken__factory(deployer).deploy();
      await liar.mint(w.self, 10n);
      expect(await refusal(w.asOwner.withdraw.staticCall(liar, 1n))).to.equal("TokenCallFailed");
      expect(await refusal(w.asOwner.withdraw.staticCall(await w.world.stranger.getAddress(), 1n))).to.equal("TokenCallFailed");
    });
  });

  it("wraps ETH one to one, by the token of a market or route only", async function () {
    await w.world.rolledBack(async () => {
      const deployer = w.world.deployer;
      const staking = await new StakingToken__factory(deployer).deploy();
      const id = await w.setRoute(await w.route("cctp", { tokenIn: w.weth }));
      const market = await w.setMarket(await w.market(w.v2, w.weth));
      const wrong = await w.setRoute(await w.route("cctp", { tokenIn: await staking.getAddress() }));
      await deployer.sendTransaction({ to: w.self, value: ETHER });
      const outcome = (token: string, by: string) => refusal(w.asOperator.wrap.staticCall(token, by));
      expect(await outcome(w.weth, market)).to.equal("done");
      expect(await outcome(await staking.getAddress(), wrong)).to.equal("NotWrapped");
      expect(await outcome(await staking.getAddress(), id)).to.equal("InvalidMarket");
      const before = await w.holds(w.weth);
      await w.asOperator.wrap(w.weth, id);
      expect(await w.holds(w.weth)).to.equal(before + ETHER);
      await w.setRoute(await w.route("cctp", { tokenIn: w.weth, kind: 0 }));
      expect(await outcome(w.weth, id)).to.equal("InvalidMarket");
    });
  });

  describe("the daily limit", function () {
    const LIMIT = 1_000_000n;

    it("refills evenly, to the unit, and never lets more than twice itself leave within a day", async function () {
      this.timeout(120_000);
      const limited = await w.route("cctp", { dailyLimit: LIMIT });
      const id = await w.setRoute(limited);
      await asyncProperty(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.bigInt(1n, 40_000n), fc.bigInt(2n, LIMIT)), { minLength: 10, maxLength: 14 }),
          async (steps) => {
            await w.world.rolledBack(async () => {
              let [used, at] = [0n, 0n];
              const sent: [bigint, bigint][] = [];
              let now = BigInt(await w.world.networkHelpers.time.latest());
              for (const [seconds, wish] of steps) {
                now += seconds;
                const refilled = at === 0n ? used : (LIMIT * (now - at)) / DAY;
                const left = used > refilled ? used - refilled : 0n;
                const amountIn = wish > LIMIT - left ? LIMIT - left : wish;
                if (amountIn < 2n) continue;
                at = now;
                await w.world.networkHelpers.time.setNextBlockTimestamp(now);
                const transfer = w.transfer({ amountIn, amountOut: amountIn });
                await (await w.asOperator.bridge(id, transfer)).wait();
                used = left + amountIn;
                sent.push([now, amountIn]);
                expect(await w.vault.available(id)).to.equal(LIMIT - used);
                const day = sent.reduce((sum, [t, amount]) => (t + DAY >= now ? sum + amount : sum), 0n);
                expect(day <= 2n * LIMIT).to.equal(true);
                const more = w.transfer({ amountIn: LIMIT - used + 100n });
                expect(await refusal(w.asOperator.bridge.staticCall(id, more))).to.equal("AboveDailyLimit");
              }
            });
          },
        ),
        4,
      );
    });

    it("counts what was sent before it was changed, and what had been refilled by then", async function () {
      await w.world.rolledBack(async () => {
        const time = w.world.networkHelpers.time;
        const set = async (dailyLimit: bigint, at: number, kind?: number) => {
          await time.setNextBlockTimestamp(at);
          return w.setRoute(await w.route("cctp", { dailyLimit, destination: 20n, ...(kind === undefined ? {} : { kind }) }));
        };
        const start = (await time.latest()) + 10;
        const id = await set(LIMIT, start);
        await time.setNextBlockTimestamp(start + 1);
        await w.asOperator.bridge(id, w.transfer({ amountIn: LIMIT, amountOut: LIMIT }));
        // half a day later half is free again; a limit ten times as high does not make the day start anew
        await set(10n * LIMIT, start + 1 + 43_200);
        expect(await w.vault.available(id)).to.equal(10n * LIMIT - LIMIT / 2n);
        await set(LIMIT / 10n, start + 2 + 43_200);
        expect(await w.vault.available(id)).to.equal(0n);
        // forbidden and allowed again within the same moments
        await set(0n, start + 3 + 43_200, 0);
        await set(LIMIT, start + 4 + 43_200);
        expect(await w.vault.available(id)).to.be.lessThan(LIMIT / 2n + LIMIT / 100n);
        await set(2n ** 128n - 1n, start + 5 + 43_200);
        expect(await w.vault.available(id)).to.be.greaterThan(2n ** 127n);
        expect(await refusal(w.asOperator.bridge.staticCall(id, w.transfer({ amountIn: 2n ** 200n })))).to.equal(
          "AboveDailyLimit",
        );
      });
    });

    it("of a market counts what was offered to the pool", async function () {
      await w.world.rolledBack(async () => {
        const id = await w.setMarket(await w.market(w.v2, w.weth, { dailyLimit: 2n * ETHER }));
        await w.asOperator.swap([id], 2n * ETHER, 0n);
        expect(await refusal(w.asOperator.swap.staticCall([id], ETHER, 0n))).to.equal("AboveDailyLimit");
        await w.world.networkHelpers.time.increase(43_200);
        await w.world.networkHelpers.mine();
        expect(await refusal(w.asOperator.swap.staticCall([id], ETHER, 0n))).to.equal("done");
        // a market's direction has its own
        const back = await w.setMarket(await w.market(w.v2, w.tokenB));
        expect(await w.vault.available(back)).to.equal(100_000n * ETHER);
      });
    });
  });
});
