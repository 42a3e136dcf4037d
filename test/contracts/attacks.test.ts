import { expect } from "chai";
import { concat, id, toBeHex, zeroPadValue } from "ethers";

import { encodePlan } from "../../src/plan/codec.js";

import {
  AllOrNothing__factory,
  AnyReserves__factory,
  IArbExecutor__factory,
  HookToken__factory,
  Liar__factory,
  Pieces__factory,
  Scripted__factory,
  Telling__factory,
} from "../../types/contracts/index.js";
import { type Arena, bodyOf, call, createArena, ON_TRANSFER, SWAP_V2, SWAP_V3, v3 } from "../helpers/enemies.js";
import { ETHER } from "../helpers/pools.js";

import { MOST, type RawPlan, rawBody, rawPlan, rawTerms } from "../helpers/raw-plan.js";

const FLASH_AAVE = "0x42b0b77c";

describe("ArbExecutor: attacks that fail", function () {
  let arena: Arena;
  let world: Arena["world"];
  let executor: Arena["executor"];
  let wethAddress: Arena["wethAddress"];
  let path: Arena["path"];
  let fake: Arena["fake"];
  let fakeAddress: string;
  let send: Arena["send"];
  let refusal: Arena["refusal"];
  let step: Arena["step"];
  let stepped: Arena["stepped"];
  const snapshots: { restore(): Promise<void> }[] = [];

  before(async function () {
    arena = await createArena();
    ({ world, executor, wethAddress, path, fake, send, refusal, step, stepped } = arena);
    fakeAddress = await fake.getAddress();
  });

  beforeEach(async function () {
    snapshots.push(await world.networkHelpers.takeSnapshot());
  });

  afterEach(async function () {
    await snapshots.pop()!.restore();
  });

  const onePool = (token?: string): RawPlan => ({ v3: 1, words: [[fakeAddress, 0n]], ...(token ? { token } : {}) });
  const pay = async (body: string, owed: bigint, mayFail = false) =>
    step(executor, v3("uniswapV3SwapCallback", owed, -1n)(body), mayFail);
  const operation = (asset: string, amount: bigint, premium: bigint, terms: string, initiator = executor) =>
    call(
      "executeOperation(address,uint256,uint256,address,bytes)",
      ["address", "uint256", "uint256", "address", "bytes"],
      [asset, amount, premium, initiator, terms],
    );

  describe("the contract calls itself", function () {
    it("as the last pair: swap's arguments are those of a pair's callback, and the payment is still refused", async function () {
      // the call is served as a callback: the first pool is paid, and gives nothing
      const plan: RawPlan = {
        pivot: 1,
        amountIn: ETHER,
        words: [
          [fakeAddress, 0n],
          [executor, 0n],
        ],
      };
      expect(await refusal(rawPlan(plan))).to.equal("ProfitTooLow");
      await fake.script(
        SWAP_V2,
        [await step(wethAddress, world.weth.interface.encodeFunctionData("transfer", [executor, ETHER]))],
        "0x",
      );
      expect(await refusal(rawPlan(plan))).to.equal("landed");
    });

    it("as a V3 pool or as a lender: refused", async function () {
      for (const directions of [0, 1]) {
        expect(await refusal(rawPlan({ v3: 1, directions, words: [[executor, ETHER]] }))).to.equal("UnexpectedCallback");
      }
      for (const funding of [2, 3]) {
        const plan: RawPlan = { funding, words: [[fakeAddress, 0n]], terms: [executor, ETHER, MOST] };
        expect(await refusal(rawPlan(plan))).to.equal("UnexpectedCallback");
      }
    });

    it("as the profit token: refused", async function () {
      expect(await refusal(rawPlan(onePool(executor)))).to.equal("NotOperator");
    });
  });

  describe("odd plans", function () {
    it("words behind a body's end, which no hash covers, are the pool's to choose, and buy nothing", async function () {
      // one hop, but pivot 6: the first call is read from behind the argument of execute, the others from behind the callback's
      const body = rawBody({ v3: 0xff, pivot: 6, words: [[fakeAddress, 0n]] });
      const words = concat(Array.from({ length: 6 }, () => concat([fakeAddress, toBeHex(MOST, 12)])));
      const plan = concat([body, toBeHex(0, 12)]);
      const size = (plan.length - 2) / 2;
      const execute = concat([
        id("execute(bytes)").slice(0, 10),
        toBeHex(0x20, 32),
        toBeHex(size, 32),
        plan,
        "0x" + "00".repeat(208 - size),
        fakeAddress,
        toBeHex(0, 12),
      ]);
      const callback = concat([
        id("uniswapV3SwapCallback(int256,int256,bytes)").slice(0, 10),
        toBeHex(ETHER, 32),
        toBeHex(0, 32),
        toBeHex(0x60, 32),
        toBeHex((body.length - 2) / 2, 32),
        body,
        words,
      ]);
      await fake.script(SWAP_V3, [await step(executor, callback)], "0x");
      expect(await refusal(execute)).to.equal("ProfitTooLow");
      const back = world.weth.interface.encodeFunctionData("transfer", [executor, ETHER]);
      await fake.script(SWAP_V3, [await step(executor, callback, true), await step(wethAddress, back)], "0x");
      const before = await world.weth.balanceOf(executor);
      const sent = await send(execute);
      // seven calls, one inside the other, of which the innermost is paid once
      expect(await stepped(fake, sent.hash)).to.deep.equal(Array.from({ length: 7 }, () => ["done", "done"]).flat());
      expect(await world.weth.balanceOf(executor)).to.equal(before + 6n * ETHER);
    });

    it("a false length of callback data means the same plan or none", async function () {
      const plan = onePool();
      const body = rawBody(plan);
      const size = (body.length - 2) / 2;
      const make = (length: bigint, data: string) =>
        concat([
          id("uniswapV3SwapCallback(int256,int256,bytes)").slice(0, 10),
          toBeHex(ETHER, 32),
          toBeHex(0, 32),
          toBeHex(0x60, 32),
          toBeHex(length, 32),
          data,
        ]);
      for (const length of [0n, BigInt(size) - 1n, BigInt(size) + 1n, 0x1ffn]) {
        await fake.script(SWAP_V3, [await step(executor, make(length, body), true)], "0x");
        const sent = await send(rawPlan(plan));
        expect(await stepped(fake, sent.hash)).to.deep.equal(["UnexpectedCallback"]);
      }
      // bits that are cut off, and bytes behind: the same plan, whose payment still has to come back
      for (const length of [BigInt(size), BigInt(size) + 0x200n, BigInt(size) + (1n << 255n)]) {
        await fake.script(SWAP_V3, [await step(executor, make(length, body + "ff".repeat(40)))], "0x");
        expect(await refusal(rawPlan(plan))).to.equal("ProfitTooLow");
      }
    });

    it("an argument of execute that lies strangely is the plan it points at, or refused", async function () {
      const plan = encodePlan(await world.planFor(path, ETHER, { minProfit: 1n }));
      const size = BigInt((plan.length - 2) / 2);
      const execute = id("execute(bytes)").slice(0, 10);
      const at = (offset: bigint, length: bigint, before: string, data: string) =>
        concat([execute, toBeHex(offset, 32), before, toBeHex(length, 32), data]);
      // far behind the head, unaligned, with rubbish before and behind
      expect(await refusal(at(0x20n + 7n, size, "0x" + "ee".repeat(7), plan + "ee".repeat(9)))).to.equal("landed");
      const refused = [
        at(0x20n, size + 1n, "0x", plan),
        at(0x20n, size - 1n, "0x", plan),
        at(0x20n, (1n << 256n) - 1n, "0x", plan),
        at(0x20n, 1n << 64n, "0x", plan),
        at((1n << 256n) - 4n, size, "0x", plan),
        at(0n, size, "0x", plan),
        at(0x1000n, size, "0x", plan),
      ];
      for (const data of refused) expect(await refusal(data)).to.not.equal("landed");
    });

    it("hostile reserves wrap the arithmetic of an adaptive plan, and the payment is still capped and covered", async function () {
      const pair = await new AnyReserves__factory(world.deployer).deploy();
      const most = (1n << 256n) - 1n;
      const values = [0n, 1n, 999_999n, (1n << 112n) - 1n, 1n << 160n, 1n << 255n, most - 1_000_000n, most];
      const before = await world.weth.balanceOf(executor);
      const address = await pair.getAddress();
      const cap = before - 1n;
      const backward: RawPlan = {
        flags: 1,
        v3: 2,
        pivot: 1,
        amountIn: cap,
        words: [
          [address, 3000n],
          [fakeAddress, 1n],
        ],
      };
      const forward: RawPlan = { flags: 1, funding: 1, pivot: 1, amountIn: cap, words: [backward.words[0]!, [address, MOST]] };
      const flash: RawPlan = { ...forward, funding: 0 };
      for (const reserveIn of values) {
        for (const reserveOut of values) {
          await pair.set(reserveIn, reserveOut);
          for (const owed of [1n, most / 2n]) {
            await fake.script(SWAP_V3, [await pay(rawBody(backward), owed)], "0x");
            // "landed" would have paid: the pair gives nothing
            expect(await refusal(rawPlan(backward))).to.be.oneOf(["ProfitTooLow", "PaymentAboveCap"]);
          }
        }
        expect(await refusal(rawPlan(forward))).to.equal("ProfitTooLow");
        // this pair never calls back, so nothing is paid
        expect(await refusal(rawPlan(flash))).to.equal("landed");
      }
    });
  });

  describe("tokens", function () {
    it("a token without allowance(), as an ERC-721, cannot be approved to a lender", async function () {
      const pieces = await new Pieces__factory(world.deployer).deploy();
      const token = await pieces.getAddress();
      await pieces.mint(executor, 7n);
      const plan: RawPlan = { ...onePool(token), funding: 2, terms: [fakeAddress, 7n, 0n] };
      await fake.script(FLASH_AAVE, [await step(executor, operation(token, 7n, 0n, rawTerms(plan)))], "0x");
      expect(await refusal(rawPlan(plan))).to.equal("TokenCallFailed");
    });

    it("an allowance to everything is beyond the 97 bits that a lender may be owed", async function () {
      const comet = await new AllOrNothing__factory(world.deployer).deploy();
      const token = await comet.getAddress();
      await comet.mint(executor, ETHER);
      const plan: RawPlan = { ...onePool(token), funding: 2, terms: [fakeAddress, MOST, MOST] };
      for (const [fee, error] of [
        [MOST, "BadAmount"],
        [(1n << 256n) - 1n - MOST, "LenderFeeAboveCap"],
      ] as const) {
        await fake.script(FLASH_AAVE, [await step(executor, operation(token, MOST, fee, rawTerms(plan)))], "0x");
        expect(await refusal(rawPlan(plan))).to.equal(error);
      }
    });

    it("a token that lies about every balance and allowance moves no other token", async function () {
      const liar = await (await new Liar__factory(world.deployer).deploy()).getAddress();
      const before = await world.weth.balanceOf(executor);
      const plan: RawPlan = { ...onePool(liar), funding: 2, terms: [fakeAddress, MOST, MOST] };
      await fake.script(FLASH_AAVE, [await step(executor, operation(wethAddress, MOST, 0n, rawTerms(plan)))], "0x");
      await fake.script(SWAP_V3, [await pay(rawBody(plan), MOST)], "0x");
      const sent = await send(rawPlan(plan));
      expect(await stepped(fake, sent.hash)).to.deep.equal(["done", "done"]);
      expect(await world.weth.balanceOf(executor)).to.equal(before);
      expect(await world.weth.allowance(executor, fake)).to.equal(0n);
      expect(await world.weth.allowance(executor, liar)).to.equal(0n);
    });

    it("precompiles are no tokens that lose anything", async function () {
      const before = await world.weth.balanceOf(executor);
      for (let i = 0; i <= 17; i++) {
        const plan = onePool(zeroPadValue(toBeHex(i), 20));
        await fake.script(SWAP_V3, [await pay(rawBody(plan), ETHER, true)], "0x");
        await refusal(rawPlan(plan));
        await send(rawPlan(plan)).catch(() => null);
      }
      expect(await world.weth.balanceOf(executor)).to.equal(before);
    });

    it("a token's own notice passes for a callback only while that token is called as a pool, and must pay for itself", async function () {
      const telling = await new Telling__factory(world.deployer).deploy();
      const token = await telling.getAddress();
      await telling.mint(fake, ETHER);
      const before = await world.weth.balanceOf(executor);
      const body = rawBody(onePool());
      const notice = telling.interface.encodeFunctionData("transferAndCall", [executor, 1n, body]);
      await fake.script(SWAP_V3, [await step(token, notice, true)], "0x");
      const sent = await send(rawPlan(onePool()));
      expect(await stepped(fake, sent.hash)).to.deep.equal(["UnexpectedCallback"]);
      expect(await world.weth.balanceOf(executor)).to.equal(before);
      const outside = await fake.run([await step(token, notice, true)]);
      expect(await stepped(fake, outside.hash)).to.deep.equal(["NotOperator"]);
    });

    it("a hook of the profit token cannot put a second call into a locked pair", async function () {
      const hook = await new HookToken__factory(world.deployer).deploy();
      await hook.mint(world.deployer, 10_000n * ETHER);
      await hook.mint(executor, 10n * ETHER);
      const b = await world.token("B");
      const pools = [
        await world.addV2(hook, b, 500n * ETHER, 1_030_000n * ETHER, 0),
        await world.addV2(hook, b, 500n * ETHER, 970_000n * ETHER, 1),
      ];
      const plan = await world.planFor(pools, ETHER, { profitToken: await hook.getAddress() });
      const swap = call(
        "swap(uint256,uint256,address,bytes)",
        ["uint256", "uint256", "address", "bytes"],
        [1n, 0n, executor, bodyOf(plan)],
      );
      const hooked = await new Scripted__factory(world.deployer).deploy();
      await hooked.script(ON_TRANSFER, [await step(pools[1]!.address, swap, true)], "0x");
      await hook.setHook(hooked);
      const before = await hook.balanceOf(executor);
      const sent = await send(encodePlan(plan));
      expect((await stepped(hooked, sent.hash))[0]).to.equal("Error");
      expect(await hook.balanceOf(executor)).to.be.greaterThan(before);
    });

    it("rescue survives tokens that answer with anything, and a plan that starts inside it", async function () {
      const token = await new Scripted__factory(world.deployer).deploy();
      const address = await token.getAddress();
      const contract = IArbExecutor__factory.connect(executor, world.owner);
      const transfer = id("transfer(address,uint256)").slice(0, 10);
      for (const [answer, lands] of [
        ["0x", true],
        [toBeHex(1, 32), true],
        [toBeHex(0, 32), false],
        [toBeHex(2, 32), false],
        ["0x01", false],
        ["0x" + "ff".repeat(64), false],
      ] as const) {
        await token.script(transfer, [], answer);
        const landed = await contract.rescue.staticCall(address, 1n).then(
          () => true,
          () => false,
        );
        expect(landed, answer).to.equal(lands);
      }
      await expectFailure(contract.rescue.staticCall(fakeAddress.replace(/.$/, "0"), 1n));
      // a thief's contract that is an operator, inside the rescue of its token
      const { botOperator, ownAddress } = arena;
      const own = IArbExecutor__factory.connect(ownAddress, world.owner);
      const run = botOperator.interface.encodeFunctionData("run", [[await step(ownAddress, rawPlan(onePool()))]]);
      await token.script(transfer, [await step(botOperator, run)], toBeHex(1, 32));
      await fake.script(SWAP_V3, [await step(ownAddress, v3("uniswapV3SwapCallback", ETHER, -1n)(rawBody(onePool())))], "0x");
      await expectFailure(own.rescue.staticCall(address, 1n));
    });
  });

  async function expectFailure(promise: Promise<unknown>): Promise<void> {
    const failed = await promise.then(
      () => false,
      () => true,
    );
    expect(failed).to.equal(true);
  }

  it("two bodies with one hash cannot be searched: all 248 bits of the hash are compared", async function () {
    // a comparison of fewer bits stands in the code as a mask of ones that ends in the step's zero byte
    const code = await world.ethers.provider.getCode(executor);
    for (let bytes = 4; bytes < 31; bytes++) {
      const mask = `${(0x5f + bytes + 1).toString(16)}${"ff".repeat(bytes)}00`;
      expect(code.includes(mask), `a mask of ${bytes * 8} bits`).to.equal(false);
    }
  });
});
