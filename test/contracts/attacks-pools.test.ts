import { expect } from "chai";
import { ZeroAddress, zeroPadValue } from "ethers";
import { network } from "hardhat";
import { encodePlan } from "../../src/plan/codec.js";
import { explainRevert } from "../../src/plan/errors.js";
import {
  AnyReserves__factory,
  ArbExecutor__factory,
  IArbExecutor__factory,
  ForceEther__factory,
  Glutton__factory,
  Liar__factory,
  Rebasing__factory,
  Scripted__factory,
  ShareVault__factory,
  TestToken__factory,
} from "../../types/contracts/index.js";
import { type Arena, call, CALLBACKS, createArena, SWAP_V2, SWAP_V3, v3 } from "../helpers/enemies.js";
import { ETHER } from "../helpers/pools.js";
import { random as randomNumbers, SEED } from "../helpers/random.js";
import { MOST, type RawPlan, rawBody, rawPlan, rawTerms } from "../helpers/raw-plan.js";

const FLASH_AAVE = "0x42b0b77c";
const FLASH_BALANCER = "0x5c38449e";

describe("ArbExecutor: attacks by pools, keys and random plans fail", function () {
  let arena: Arena;
  let world: Arena["world"];
  let executor: Arena["executor"];
  let wethAddress: Arena["wethAddress"];
  let path: Arena["path"];
  let v3Path: Arena["v3Path"];
  let fake: Arena["fake"];
  let fakeAddress: string;
  let send: Arena["send"];
  let refusal: Arena["refusal"];
  let step: Arena["step"];
  let stepped: Arena["stepped"];
  const snapshots: { restore(): Promise<void> }[] = [];

  before(async function () {
    arena = await createArena();
    ({ world, executor, wethAddress, path, v3Path, fake, send, refusal, step, stepped } = arena);
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

  describe("pools", function () {
    it("a callback that failed and was caught can be made again, and counts once", async function () {
      const plan: RawPlan = { ...onePool(), amountIn: ETHER };
      const body = rawBody(plan);
      const back = world.weth.interface.encodeFunctionData("transfer", [executor, ETHER]);
      await fake.script(
        SWAP_V3,
        [
          await pay(body, MOST, true),
          await pay(body, (1n << 255n) - 1n, true),
          await pay(body, ETHER),
          await pay(body, 1n, true),
          await step(wethAddress, back),
        ],
        "0x",
      );
      const before = await world.weth.balanceOf(executor);
      const sent = await send(rawPlan(plan));
      expect(await stepped(fake, sent.hash)).to.deep.equal([
        "PaymentAboveCap",
        "PaymentAboveCap",
        "done",
        "UnexpectedCallback",
        "done",
      ]);
      expect(await world.weth.balanceOf(executor)).to.equal(before);
    });

    it("a negative debt, which turns the next call into an exact input, is paid for like any other", async function () {
      const first = await new Scripted__factory(world.deployer).deploy();
      const plan: RawPlan = {
        v3: 3,
        pivot: 1,
        amountIn: ETHER,
        words: [
          [await first.getAddress(), 0n],
          [fakeAddress, 0n],
        ],
      };
      const make = v3("uniswapV3SwapCallback", -5n * ETHER, -(1n << 255n));
      await fake.script(SWAP_V3, [await step(executor, make(rawBody(plan)))], "0x");
      await first.script(SWAP_V3, [await step(executor, make(rawBody(plan)), true), await pay(rawBody(plan), ETHER)], "0x");
      expect(await refusal(rawPlan(plan))).to.equal("ProfitTooLow");
    });

    it("gas that is eaten and bytes that are thrown leave no plan half done, at any gas limit", async function () {
      const glutton = await new Glutton__factory(world.deployer).deploy();
      const plan: RawPlan = { v3: 1, amountIn: ETHER, words: [[await glutton.getAddress(), ETHER]] };
      const before = await world.weth.balanceOf(executor);
      const tries: [number, number, number][] = [];
      for (let gas = 60_000; gas <= 400_000; gas += 42_500) tries.push([0, 2000, gas], [1, 0, gas], [2, 0, gas]);
      for (const left of [0, 500, 2000, 20_000, 60_000]) tries.push([0, left, 1_000_000]);
      for (const [meal, left, gas] of tries) {
        await glutton.set(meal, left);
        const landed = await world.operator
          .sendTransaction({ to: executor, data: rawPlan(plan), gasLimit: gas })
          .then(async (sent) => (await world.ethers.provider.getTransactionReceipt(sent.hash))!.status)
          .catch(() => 0);
        expect(landed, `meal ${meal}, ${left} left of ${gas}`).to.equal(0);
      }
      expect(await world.weth.balanceOf(executor)).to.equal(before);
      expect(await refusal(encodePlan(await world.planFor(path, ETHER, { minProfit: 1n })))).to.equal("landed");
    });

    it("whoever trades before it, an honest plan lands with its least profit or not at all", async function () {
      const random = randomNumbers(SEED);
      const wanted = ETHER / 200n;
      let landed = 0;
      for (const pools of [path, v3Path, [v3Path[0]!, path[1]!], [path[0]!, v3Path[1]!]]) {
        for (const amounts of ["fixed", "adaptive"] as const) {
          const plan = await world.planFor(pools, ETHER, { minProfit: wanted, amounts });
          for (let i = 0; i < 3; i++) {
            await world.rolledBack(async () => {
              const where = pools[i % 2]!;
              const tokenIn = random() < 0.5 ? where.token0 : where.token1;
              const amount =
                BigInt(Math.floor(random() ** 4 * 1e6) + 1) * (tokenIn === wethAddress ? 10n ** 13n : 2n * 10n ** 16n);
              await world.trade(where, tokenIn, amount);
              const before = await world.weth.balanceOf(executor);
              if ((await refusal(encodePlan(plan))) !== "landed") return;
              await send(encodePlan(plan));
              landed++;
              expect((await world.weth.balanceOf(executor)) - before).to.be.at.least(wanted);
            });
          }
        }
      }
      expect(landed).to.be.greaterThan(3);
    });
  });

  describe("the chain and the roles", function () {
    it("where no wrapped native token is built in, a plan without a token fails", async function () {
      const { ethers } = await network.create();
      const [deployer, owner, operator] = await ethers.getSigners();
      const contract = await new ArbExecutor__factory(deployer as never).deploy(owner!, [operator!]);
      const data = rawPlan({ v3: 1, words: [[deployer!.address, 0n]] });
      const request = {
        method: "eth_call",
        params: [{ from: operator!.address, to: await contract.getAddress(), data }, "latest"],
      };
      const error = await ethers.provider.send(request.method, request.params).then(
        () => ({ data: "0x" }),
        (caught: { data?: string }) => caught,
      );
      expect(explainRevert(error.data ?? "none").name).to.equal("TokenCallFailed");
    });

    it("no operator becomes owner, and nobody becomes owner without an offer", async function () {
      const contract = IArbExecutor__factory.connect(executor, world.owner);
      for (const account of [world.operator, world.stranger]) {
        expect(await refusal(contract.interface.encodeFunctionData("acceptOwnership"), executor, account)).to.equal("NotOwner");
        for (const name of ["rescue", "rescueNative", "transferOwnership"] as const) {
          const args = { rescue: [wethAddress, 1n], rescueNative: [1n], transferOwnership: [await account.getAddress()] }[name];
          expect(await refusal(contract.interface.encodeFunctionData(name as never, args as never), executor, account)).to.equal(
            "NotOwner",
          );
        }
      }
      await contract.transferOwnership(world.stranger);
      await contract.transferOwnership(ZeroAddress);
      expect(await refusal(contract.interface.encodeFunctionData("acceptOwnership"), executor, world.stranger)).to.equal(
        "NotOwner",
      );
    });

    it("no function's selector can be taken for the first byte of a plan", function () {
      const face = IArbExecutor__factory.createInterface();
      face.forEachFunction((f) => expect(f.selector[2], f.name).to.not.be.oneOf(["a", "b"]));
    });
  });

  describe("random plans", function () {
    it("a thief's random bytes, with pools, lenders and tokens of every kind, take nothing", async function () {
      this.timeout(120_000);
      const random = randomNumbers(SEED + 1);
      const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
      const asset = await new TestToken__factory(world.deployer).deploy("ASSET");
      const vault = await new ShareVault__factory(world.deployer).deploy(asset);
      await asset.mint(world.deployer, 300n * ETHER);
      await asset.approve(vault, 300n * ETHER);
      await vault.deposit(100n * ETHER, executor);
      await vault.deposit(200n * ETHER, world.stranger);
      const rebasing = await new Rebasing__factory(world.deployer).deploy();
      const liar = await new Liar__factory(world.deployer).deploy();
      const pair = await new AnyReserves__factory(world.deployer).deploy();
      const b = await world.token("B");
      await pair.set(10n ** 21n, 10n ** 21n);
      await rebasing.mint(executor, ETHER);
      await b.transfer(executor, ETHER);
      await new ForceEther__factory(world.deployer).deploy(executor, { value: ETHER });
      const lp = TestToken__factory.connect(path[0]!.address, world.deployer);
      await lp.transfer(executor, 10n ** 15n);
      const held = [world.weth, b, asset, vault, rebasing, lp] as const;
      const count = async () =>
        Promise.all([world.ethers.provider.getBalance(executor), ...held.map((token) => token.balanceOf(executor))]);

      const tokens = await Promise.all([world.weth, b, vault, rebasing, lp, liar].map((token) => token.getAddress()));
      const owner = await world.owner.getAddress();
      const operator = await world.operator.getAddress();
      const places = [fakeAddress, fakeAddress, await pair.getAddress(), executor, operator, owner, ...tokens.slice(0, 3)];
      places.push(zeroPadValue("0x04", 20), ...path.map((p) => p.address), ...v3Path.map((p) => p.address));
      const amounts = [0n, 1n, 3000n, 10n ** 15n, ETHER, MOST];

      const before = await count();
      const results = new Map<string, number>();
      for (let i = 0; i < 150; i++) {
        const hops = pick([0, 1, 1, 2, 2, 3, 6, 7]);
        const funding = pick([0, 0, 1, 2, 3]);
        const token = random() < 0.5 ? pick(tokens) : undefined;
        const words = Array.from({ length: hops }, () => [pick(places), pick(amounts)] as const);
        const plan: RawPlan = {
          flags: (random() < 0.4 ? 1 : 0) | (token ? 2 : 0),
          funding,
          pivot: random() < 0.7 ? Math.max(0, hops - 1) : pick([0, 1, 5, 7]),
          v3: Math.floor(random() * 256),
          directions: Math.floor(random() * 256),
          amountIn: pick(amounts),
          words,
          ...(token ? { token } : {}),
          ...(funding > 1 ? { terms: [fakeAddress, pick(amounts), pick(amounts)] as const } : {}),
        };
        const [body, terms] = [rawBody(plan), rawTerms(plan)];
        const fixed = "0xa" + (Number("0x" + body[3]!) & ~1).toString(16) + body.slice(4);
        const owed = pick([0n, 1n, 10n ** 15n, ETHER, -ETHER, MOST]);
        const serve = [
          await step(executor, v3("uniswapV3SwapCallback", owed, -1n)(body), true),
          await step(executor, CALLBACKS.uniswapV2Call!(pick([body, fixed]), wethAddress), true),
        ];
        if (random() < 0.5) serve.reverse();
        await fake.script(SWAP_V3, serve, "0x");
        await fake.script(SWAP_V2, serve, "0x");
        const asked = token ?? wethAddress;
        await fake.script(FLASH_AAVE, [await step(executor, operation(asked, 1n, pick(amounts), terms), true)], "0x");
        const types = ["address[]", "uint256[]", "uint256[]", "bytes"];
        const loan = call("receiveFlashLoan(address[],uint256[],uint256[],bytes)", types, [
          [asked],
          [1n],
          [pick(amounts)],
          terms,
        ]);
        await fake.script(FLASH_BALANCER, [await step(executor, loan, true)], "0x");
        const result = await world.operator.sendTransaction({ to: executor, data: rawPlan(plan), gasLimit: 3_000_000 }).then(
          async (sent) => ((await world.ethers.provider.getTransactionReceipt(sent.hash))!.status === 1 ? "landed" : "reverted"),
          () => "reverted",
        );
        results.set(result, (results.get(result) ?? 0) + 1);
        const now = await count();
        for (const [j, amount] of now.entries()) expect(amount, `asset ${j} after ${rawPlan(plan)}`).to.be.at.least(before[j]!);
        for (const plain of [world.weth, b, vault, lp]) expect(await plain.allowance(executor, fake)).to.equal(0n);
      }
      // the search must reach plans that land as well as plans that fail
      expect(results.get("landed")).to.be.greaterThan(10);
      expect(results.get("reverted")).to.be.greaterThan(10);
    });
  });
});
