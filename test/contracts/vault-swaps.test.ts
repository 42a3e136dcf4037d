import { expect } from "chai";
import { AbiCoder, ZeroAddress } from "ethers";
import {
  ArbVault__factory,
  HookToken__factory,
  OddToken__factory,
  type Scripted,
  Scripted__factory,
  SettableFeed__factory,
} from "../../types/contracts/index.js";
import { SWAP_V3, ON_TRANSFER, v3 as callback } from "../helpers/enemies.js";
import { ETHER, type TestPool } from "../helpers/pools.js";
import { createVaultWorld, type Market, refusal, selector, type VaultWorld } from "../helpers/vault.js";

const coder = AbiCoder.defaultAbiCoder();

describe("ArbVault: swaps", function () {
  let w: VaultWorld;
  before(async function () {
    w = await createVaultWorld();
  });

  for (const kind of ["v2", "v3"] as const) {
    it(`sells in a ${kind} pool, both ways, to the wei of the quote`, async function () {
      await w.world.rolledBack(async () => {
        const pool = w[kind];
        for (const [tokenIn, tokenOut, amountIn] of [
          [w.weth, w.tokenB, ETHER],
          [w.tokenB, w.weth, 3_000n * ETHER],
        ] as const) {
          const id = await w.setMarket(await w.market(pool, tokenIn));
          const expected = await w.world.quoteOut(pool, tokenIn, amountIn);
          const before = [await w.holds(tokenIn), await w.holds(tokenOut)];
          const [event] = await w.events(w.asOperator.swap([id], amountIn, expected));
          expect([...event!.args]).to.deep.equal([id, amountIn, expected]);
          expect([await w.holds(tokenIn), await w.holds(tokenOut)]).to.deep.equal([before[0]! - amountIn, before[1]! + expected]);
        }
      });
    });
  }

  it("sells along a chain of markets that meet, and refuses all others", async function () {
    await w.world.rolledBack(async () => {
      const there = await w.setMarket(await w.market(w.v2, w.weth));
      const back = await w.setMarket(await w.market(w.v3, w.tokenB));
      const before = await w.holds(w.tokenB);
      await w.asOperator.swap([there, back], ETHER, 0n);
      expect(await w.holds(w.tokenB)).to.equal(before);
      expect(await refusal(w.asOperator.swap.staticCall([there, there], ETHER, 0n))).to.equal("MarketsDoNotMeet");
      expect(await refusal(w.asOperator.swap.staticCall([], ETHER, 0n))).to.equal("InvalidMarket");
      const unknown = await w.vault.marketId(w.v2.address, w.self);
      expect(await refusal(w.asOperator.swap.staticCall([there, unknown], ETHER, 0n))).to.equal("UnknownMarket");
      await w.setMarket(await w.market(w.v3, w.tokenB, { kind: 0 }));
      expect(await refusal(w.asOperator.swap.staticCall([there, back], ETHER, 0n))).to.equal("UnknownMarket");
      expect((await w.vault.market(back)).tokenIn).to.equal(ZeroAddress);
    });
  });

  it("gives what the oracle says less the greatest loss, and not one unit less", async function () {
    await w.world.rolledBack(async () => {
      const out = await w.world.quoteOut(w.v2, w.weth, ETHER);
      const deployer = w.world.deployer;
      const [feedIn, feedOut] = [
        await new SettableFeed__factory(deployer).deploy(18, out),
        await new SettableFeed__factory(deployer).deploy(18, ETHER),
      ];
      const price = { ...(await w.byFeeds(w.weth, w.tokenB)), feedIn, feedOut } as Market["price"];
      const id = await w.setMarket(await w.market(w.v2, w.weth, { price, maxLossBps: 0 }));
      expect(await refusal(w.asOperator.swap.staticCall([id], ETHER, 0n))).to.equal("done");
      await feedIn.set(out + 1n, 1n, await w.world.networkHelpers.time.latest());
      expect(await refusal(w.asOperator.swap.staticCall([id], ETHER, 0n))).to.equal("BelowOracle");
      // the greatest that can be set: 5 %
      await w.setMarket(await w.market(w.v2, w.weth, { price, maxLossBps: 500 }));
      await feedIn.set((out * 10_000n) / 9_500n, 1n, await w.world.networkHelpers.time.latest());
      expect(await refusal(w.asOperator.swap.staticCall([id], ETHER, 0n))).to.equal("done");
      await feedIn.set((out * 10_000n) / 9_500n + 2n, 1n, await w.world.networkHelpers.time.latest());
      expect(await refusal(w.asOperator.swap.staticCall([id], ETHER, 0n))).to.equal("BelowOracle");
    });
  });

  it("refuses a pool that was moved, and less than the operator asks for", async function () {
    await w.world.rolledBack(async () => {
      const id = await w.setMarket(await w.market(w.v3, w.weth));
      const out = await w.world.quoteOut(w.v3, w.weth, ETHER);
      expect(await refusal(w.asOperator.swap.staticCall([id], ETHER, out + 1n))).to.equal("BelowLeastOut");
      await w.world.trade(w.v3, w.weth, 2_000n * ETHER);
      expect(await refusal(w.asOperator.swap.staticCall([id], ETHER, 0n))).to.equal("BelowOracle");
    });
  });

  it("does not give dust away: what is worth less than a unit costs a unit", async function () {
    await w.world.rolledBack(async () => {
      const id = await w.setMarket(await w.market(w.v2, w.tokenB, { maxLossBps: 500 }));
      // worth half a unit of WETH, for which the pair gives nothing
      expect(await refusal(w.asOperator.swap.staticCall([id], 1_000n, 0n))).to.not.equal("done");
      const v3 = await w.setMarket(await w.market(w.v3, w.tokenB, { maxLossBps: 500 }));
      expect(await refusal(w.asOperator.swap.staticCall([v3], 1_000n, 0n))).to.equal("BelowOracle");
    });
  });

  it("a V3 pool that runs dry leaves the rest in the vault, and the price counts for all that was offered", async function () {
    await w.world.rolledBack(async () => {
      const c = await w.world.token("C");
      const tokenC = await c.getAddress();
      await c.mint(w.self, 10n ** 35n);
      const pool = await w.world.addV3(c, w.b, ETHER, ETHER, 3000, ETHER / 1000n);
      // a price that even a pool which runs dry is above
      const feeds = await Promise.all([1n, 10n ** 26n].map((p) => new SettableFeed__factory(w.world.deployer).deploy(8, p)));
      const price = { ...(await w.byFeeds(w.weth, w.tokenB)), feedIn: feeds[0]!, feedOut: feeds[1]! } as Market["price"];
      const id = await w.setMarket(await w.market(pool, tokenC, { price, dailyLimit: 2n ** 128n - 1n }));
      const before = await w.holds(tokenC);
      const offered = 10n ** 34n;
      await feeds[0]!.set(10n ** 26n, 1n, await w.world.networkHelpers.time.latest());
      expect(await refusal(w.asOperator.swap.staticCall([id], offered, 0n))).to.equal("BelowOracle");
      await feeds[0]!.set(1n, 1n, await w.world.networkHelpers.time.latest());
      await w.asOperator.swap([id], offered, 0n);
      expect(before - (await w.holds(tokenC))).to.be.lessThan(offered);
      expect(await w.allowance(tokenC, w.poolContract(pool.address))).to.equal(0n);
      // the limit counts what was offered
      expect(await w.vault.available(id)).to.equal(2n ** 128n - 1n - offered);
    });
  });

  it("a pair with a gift in it gives the gift to the vault, and takes no more", async function () {
    await w.world.rolledBack(async () => {
      const id = await w.setMarket(await w.market(w.v2, w.weth));
      const plain = await w.asOperator.swap.staticCall([id], ETHER, 0n);
      await w.world.weth.transfer(w.v2.address, 3n * ETHER);
      expect(await w.asOperator.swap.staticCall([id], ETHER, 0n)).to.be.greaterThan(plain * 3n);
      const before = await w.holds(w.weth);
      await w.asOperator.swap([id], ETHER, 0n);
      expect(before - (await w.holds(w.weth))).to.equal(ETHER);
    });
  });

  it("a token that takes a fee counts as a loss", async function () {
    await w.world.rolledBack(async () => {
      const odd = await new OddToken__factory(w.world.deployer).deploy();
      const token = await odd.getAddress();
      await odd.mint(w.world.deployer, 10n ** 30n);
      await odd.mint(w.self, 10n ** 24n);
      const pool = await w.world.addV2(w.b, odd, 10n ** 24n, 10n ** 24n);
      w.feeds[token] = await new SettableFeed__factory(w.world.deployer).deploy(8, 10n ** 8n);
      const [sell, buy] = [await w.setMarket(await w.market(pool, token)), await w.setMarket(await w.market(pool, w.tokenB))];
      for (const id of [sell, buy]) expect(await refusal(w.asOperator.swap.staticCall([id], ETHER, 0n))).to.equal("done");
      await odd.turn(1, ZeroAddress);
      for (const id of [sell, buy]) expect(await refusal(w.asOperator.swap.staticCall([id], ETHER, 0n))).to.equal("BelowOracle");
    });
  });

  describe("with a pool that keeps no rules", function () {
    let fake: Scripted;
    let id: string;
    let pool: TestPool;

    before(async function () {
      fake = await new Scripted__factory(w.world.deployer).deploy();
      pool = { ...w.v3, address: await fake.getAddress() };
      for (const name of ["token0", "token1"] as const)
        await fake.script(selector(`${name}()`), [], coder.encode(["address"], [w.v3[name]]));
      id = await w.setMarket(await w.market(pool, w.weth));
      await w.b.mint(pool.address, 10n ** 30n);
    });

    const give = async (amount: bigint) => ({
      target: w.tokenB,
      data: w.b.interface.encodeFunctionData("transfer", [w.self, amount]),
      mayFail: false,
    });
    const owed = (amount: bigint, name = "uniswapV3SwapCallback", to = w.self) => ({
      target: to,
      data: callback(name, w.weth === pool.token0 ? amount : -1n, w.weth === pool.token0 ? -1n : amount)("0x"),
      mayFail: false,
    });
    async function outcome(steps: { target: string; data: string; mayFail: boolean }[]): Promise<string> {
      await fake.script(SWAP_V3, steps, coder.encode(["int256", "int256"], [1n, -1n]));
      return refusal(w.asOperator.swap.staticCall([id], ETHER, 0n));
    }

    it("pays what was offered, once, to the pool that is being called, by either name", async function () {
      const fair = await give(2_000n * ETHER);
      expect(await outcome([fair, owed(ETHER)])).to.equal("done");
      expect(await outcome([fair, owed(ETHER, "pancakeV3SwapCallback")])).to.equal("done");
      expect(await outcome([fair, owed(ETHER + 1n)])).to.equal("UnexpectedCallback");
      expect(await outcome([fair, owed(0n)])).to.equal("UnexpectedCallback");
      expect(await outcome([fair, owed(-ETHER)])).to.equal("UnexpectedCallback");
      expect(await outcome([fair, owed(1n), owed(1n)])).to.equal("UnexpectedCallback");
      expect(await outcome([await give(1_979n * ETHER), owed(ETHER)])).to.equal("BelowOracle");
      expect(await outcome([])).to.equal("BelowOracle");
    });

    it("refuses callbacks of strangers, and of the pool when it is not called", async function () {
      const other = await new Scripted__factory(w.world.deployer).deploy();
      await other.script(ON_TRANSFER, [owed(1n)], "0x");
      expect(await outcome([{ target: await other.getAddress(), data: ON_TRANSFER, mayFail: false }])).to.equal(
        "UnexpectedCallback",
      );
      expect(await refusal(fake.run.staticCall([owed(1n)]))).to.include("UnexpectedCallback");
      expect(await refusal(w.asOperator.uniswapV3SwapCallback.staticCall(1n, 1n, "0x"))).to.equal("UnexpectedCallback");
    });

    it("a callback that was not used up in one hop is not served in the next", async function () {
      await w.world.rolledBack(async () => {
        // the second market's pair sends a token whose hook has the first pool call back
        const hooked = await new HookToken__factory(w.world.deployer).deploy();
        const token = await hooked.getAddress();
        await hooked.mint(w.world.deployer, 10n ** 30n);
        const pair = await w.world.addV2(w.b, hooked, 10n ** 24n, 10n ** 24n);
        w.feeds[token] = await new SettableFeed__factory(w.world.deployer).deploy(8, 10n ** 8n);
        const second = await w.setMarket(await w.market(pair, w.tokenB));
        await fake.script(SWAP_V3, [await give(2_000n * ETHER)], coder.encode(["int256", "int256"], [0n, 0n]));
        await fake.script(ON_TRANSFER, [owed(ETHER)], "0x");
        expect(await refusal(w.asOperator.swap.staticCall([id, second], ETHER, 0n))).to.equal("done");
        await hooked.setHook(fake);
        expect(await refusal(w.asOperator.swap.staticCall([id, second], ETHER, 0n))).to.not.equal("done");
      });
    });
  });

  it("nobody enters in the middle of a call: neither an operator nor an owner that a token calls", async function () {
    await w.world.rolledBack(async () => {
      const deployer = w.world.deployer;
      const person = await new Scripted__factory(deployer).deploy();
      const token = await new HookToken__factory(deployer).deploy();
      const address = await token.getAddress();
      for (const role of ["owner", "operator"]) {
        const vault = await new ArbVault__factory(deployer).deploy(
          role === "owner" ? person : w.world.owner,
          role === "owner" ? [w.world.operator] : [w.world.operator, person],
        );
        const self = await vault.getAddress();
        await token.setHook(ZeroAddress);
        await token.mint(deployer, 10n ** 30n);
        await token.mint(self, 10n ** 24n);
        const pool = await w.world.addV2(w.b, token, 10n ** 24n, 10n ** 24n, role === "owner" ? 0 : 1);
        w.feeds[address] = await new SettableFeed__factory(deployer).deploy(8, 10n ** 8n);
        const m = await w.market(pool, address);
        const call = (name: string, args: unknown[]) => ({
          target: self,
          data: vault.interface.encodeFunctionData(name as "swap", args as never),
          mayFail: true,
        });
        if (role === "owner") await person.run([call("setMarket", [m])]);
        else await vault.connect(w.world.owner).setMarket(m);
        const id = await vault.marketId(pool.address, address);
        const tries =
          role === "owner"
            ? [
                call("withdraw", [address, 1n]),
                call("withdrawNative", [0n]),
                call("setMarket", [m]),
                call("setRoute", [await w.route("cctp")]),
                call("setOperator", [pool.address, true]),
                call("transferOwnership", [pool.address]),
                call("acceptOwnership", []),
                call("claimAcrossRefund", [id]),
              ]
            : [
                call("swap", [[id], 1n, 0n]),
                call("bridge", [id, w.transfer()]),
                call("wrap", [address, id]),
                call("claimAcrossRefund", [id]),
              ];
        await person.script(ON_TRANSFER, tries, "0x");
        await token.setHook(person);
        const receipt = (await (await vault.connect(w.world.operator).swap([id], ETHER, 0n)).wait())!;
        const steps = receipt.logs.flatMap((log) =>
          log.address === person.target ? [person.interface.parseLog(log)!.args] : [],
        );
        expect(steps.length).to.equal(tries.length);
        const busy = vault.interface.getError("Busy")!.selector;
        for (const step of steps) expect([step.success, step.result]).to.deep.equal([false, busy]);
      }
    });
  });
});
