import { expect } from "chai";
import { encodePlan } from "../../src/plan/codec.js";
import {
  Hybrid__factory,
  Pieces__factory,
  Rebasing__factory,
  Rewards__factory,
  Scripted__factory,
  ShareVault__factory,
  TestToken__factory,
} from "../../types/contracts/index.js";
import { type Arena, bodyOf, call, createArena, SWAP_V3, v3 } from "../helpers/enemies.js";
import { ETHER } from "../helpers/pools.js";
import { MOST, type RawPlan, rawBody, rawPlan, rawTerms } from "../helpers/raw-plan.js";

/**
 * What an executor must not hold (SECURITY.md): assets whose worth is not their balance. Each test shows what is lost; one that fails
 * means that a limit was lifted, and then it moves, turned round, to attacks.test.ts.
 */
describe("ArbExecutor: assets that it does not protect", function () {
  let world: Arena["world"];
  let executor: Arena["executor"];
  let wethAddress: Arena["wethAddress"];
  let v3Path: Arena["v3Path"];
  let fake: Arena["fake"];
  let fakeAddress: string;
  let send: Arena["send"];
  let refusal: Arena["refusal"];
  let step: Arena["step"];
  const snapshots: { restore(): Promise<void> }[] = [];

  before(async function () {
    ({ world, executor, wethAddress, v3Path, fake, send, refusal, step } = await createArena());
    fakeAddress = await fake.getAddress();
  });

  beforeEach(async function () {
    snapshots.push(await world.networkHelpers.takeSnapshot());
  });

  afterEach(async function () {
    await snapshots.pop()!.restore();
  });

  /** One V3 hop, the thief's own pool, which is paid whatever it asks for. */
  const onePool = (token?: string): RawPlan => ({ v3: 1, words: [[fakeAddress, 0n]], ...(token ? { token } : {}) });
  const pay = async (body: string, owed: bigint) => step(executor, v3("uniswapV3SwapCallback", owed, -1n)(body));

  describe("with an operator's key", function () {
    it("an ERC-404's approval of a piece outlives the plan: allowance() does not tell it", async function () {
      const hybrid = await new Hybrid__factory(world.deployer).deploy();
      const token = await hybrid.getAddress();
      await hybrid.mintPiece(executor);
      const lender = await new Scripted__factory(world.deployer).deploy();
      const plan: RawPlan = { ...onePool(token), funding: 2, terms: [await lender.getAddress(), 1n, 0n] };
      const callback = call(
        "executeOperation(address,uint256,uint256,address,bytes)",
        ["address", "uint256", "uint256", "address", "bytes"],
        [token, 1n, 0n, executor, rawTerms(plan)],
      );
      await lender.script("0x42b0b77c", [await step(executor, callback)], "0x");
      await send(rawPlan(plan));
      expect(await hybrid.allowance(executor, lender)).to.equal(0n);
      const thief = await world.stranger.getAddress();
      await lender.run([await step(token, hybrid.interface.encodeFunctionData("transferFrom", [executor, thief, 1n]))]);
      expect(await hybrid.balanceOf(executor)).to.equal(0n);
      expect(await hybrid.ownerOf(1n)).to.equal(thief);
    });

    it("a piece is exchanged for a cheaper one: the number of pieces is the balance", async function () {
      const pieces = await new Pieces__factory(world.deployer).deploy();
      const [dear, cheap] = [7n, 8n];
      await pieces.mint(executor, dear);
      await pieces.mint(fake, cheap);
      const plan = onePool(await pieces.getAddress());
      const give = pieces.interface.encodeFunctionData("transfer", [executor, cheap]);
      await fake.script(SWAP_V3, [await pay(rawBody(plan), dear), await step(pieces, give)], "0x");
      await send(rawPlan(plan));
      expect(await pieces.ownerOf(dear)).to.equal(fakeAddress);
      expect(await pieces.ownerOf(cheap)).to.equal(executor);
    });

    it("all shares of a vault are borrowed, redeemed, and made anew from fewer assets", async function () {
      const asset = await new TestToken__factory(world.deployer).deploy("ASSET");
      const vault = await new ShareVault__factory(world.deployer).deploy(asset);
      await asset.mint(world.deployer, 100n * ETHER);
      await asset.approve(vault, 100n * ETHER);
      await vault.deposit(100n * ETHER, executor);
      // what the vault has earned since
      await asset.mint(vault, 50n * ETHER);
      const shares = await vault.balanceOf(executor);
      const worth = await vault.toAssets(shares);
      expect(worth).to.equal(150n * ETHER);

      const plan = onePool(await vault.getAddress());
      const face = vault.interface;
      const steps = [
        await pay(rawBody(plan), shares),
        await step(vault, face.encodeFunctionData("redeem", [shares, fakeAddress])),
        await step(asset, asset.interface.encodeFunctionData("approve", [await vault.getAddress(), shares])),
        await step(vault, face.encodeFunctionData("deposit", [shares, executor])),
      ];
      await fake.script(SWAP_V3, steps, "0x");
      await send(rawPlan(plan));
      expect(await vault.balanceOf(executor)).to.equal(shares);
      expect(await vault.toAssets(shares)).to.equal(100n * ETHER);
      expect(await asset.balanceOf(fake)).to.equal(50n * ETHER);
    });

    it("shares of a rebasing token leave while its rate is pushed up", async function () {
      const token = await new Rebasing__factory(world.deployer).deploy();
      await token.mint(executor, 100n * ETHER);
      const plan = onePool(await token.getAddress());
      const setRate = async (rate: bigint) => step(token, token.interface.encodeFunctionData("setRate", [rate]));
      await fake.script(SWAP_V3, [await setRate(2n * ETHER), await pay(rawBody(plan), 100n * ETHER)], "0x");
      await send(rawPlan(plan));
      await token.setRate(ETHER);
      expect(await token.balanceOf(executor)).to.equal(50n * ETHER);
    });

    it("rewards that anyone may claim for the executor pass as a plan's income", async function () {
      const weth = TestToken__factory.connect(wethAddress, world.deployer);
      const rewards = await new Rewards__factory(world.deployer).deploy(weth);
      await world.weth.transfer(rewards, 2n * ETHER);
      await rewards.credit(executor, 2n * ETHER);
      const held = await world.weth.balanceOf(executor);
      const plan = onePool();
      const claim = rewards.interface.encodeFunctionData("claim", [executor]);
      await fake.script(SWAP_V3, [await step(rewards, claim), await pay(rawBody(plan), 2n * ETHER)], "0x");
      await send(rawPlan({ ...plan, amountIn: MOST }));
      expect(await world.weth.balanceOf(executor)).to.equal(held);
      expect(await rewards.owed(executor)).to.equal(0n);
    });
  });

  describe("without a key", function () {
    it("a hostile pool pays an honest plan's profit out of the executor's own unclaimed rewards", async function () {
      const weth = TestToken__factory.connect(wethAddress, world.deployer);
      const rewards = await new Rewards__factory(world.deployer).deploy(weth);
      await world.weth.transfer(rewards, 2n * ETHER);
      await rewards.credit(executor, 2n * ETHER);
      const plan = await world.planFor(v3Path, ETHER, { minProfit: ETHER / 100n });
      plan.hops[1] = { ...plan.hops[1]!, pool: fakeAddress };
      const taken = plan.hops[0]!.amountOut;
      const steps = [
        await step(rewards, rewards.interface.encodeFunctionData("claim", [executor])),
        // owed to it in B, which the first pool sends for at most the plan's cap in WETH; it gives nothing for it
        await step(executor, v3("uniswapV3SwapCallback", taken, -1n)(bodyOf(plan))),
      ];
      const held = await world.weth.balanceOf(executor);
      await fake.script(SWAP_V3, steps.slice(1), "0x");
      expect(await refusal(encodePlan(plan))).to.equal("ProfitTooLow");
      await fake.script(SWAP_V3, steps, "0x");
      await send(encodePlan(plan));
      const b = await world.token("B");
      expect(await b.balanceOf(fake)).to.be.at.least(taken);
      // booked: a profit; in fact: two rewards gone, and less than one of them arrived
      expect((await world.weth.balanceOf(executor)) - held).to.be.within(plan.minProfit, ETHER + ETHER / 10n);
    });
  });
});
