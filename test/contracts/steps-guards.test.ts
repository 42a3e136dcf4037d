import { expect } from "chai";
import { AbiCoder, keccak256, type Signer } from "ethers";
import { network } from "hardhat";
import { explainRevert } from "../../src/plan/errors.js";
import type { PlanTip } from "../../src/plan/plan.js";
import { encodeExecuteSteps, encodeSteps } from "../../src/plan/steps.js";
import type { Asset, Step, StepsPlan } from "../../src/plan/step-types.js";
import {
  ArbSys__factory,
  BalancerV3Mock__factory,
  HookToken__factory,
  Scripted__factory,
  StepExecutor__factory,
  TestToken__factory,
} from "../../types/contracts/index.js";
import { argumentsOf } from "../helpers/calls.js";
import { call, ON_TRANSFER, SWAP_V2 } from "../helpers/enemies.js";
import { createWorld, ETHER, type TestPool, type World } from "../helpers/pools.js";
import { ARRIVED, balancerV3, erc20, fixed, loan, NATIVE, planOf, PREVIOUS, stepRunner, v2, v3 } from "../helpers/steps.js";

const GWEI = 10n ** 9n;
const MAX_96 = 2n ** 96n - 1n;
const E = ETHER;

/** WETH at 0, token B at 1. */
describe("Plans of steps: guards", function () {
  let world: World;
  let runner: ReturnType<typeof stepRunner>;
  let assets: Asset[];
  let tokenB: string;
  let cycle: Step[];
  let profit: bigint;
  let cheap: TestPool;
  let dear: TestPool;
  let plans: Record<string, StepsPlan>;
  const snapshots: { restore(): Promise<void> }[] = [];

  before(async function () {
    world = await createWorld(false, StepExecutor__factory);
    runner = stepRunner(world);
    const b = await world.token("B");
    const weth = await world.weth.getAddress();
    tokenB = await b.getAddress();
    assets = [await erc20(weth), await erc20(tokenB)];
    cheap = await world.addV2(world.weth, b, 500n * E, 1_030_000n * E, 0);
    dear = await world.addV2(world.weth, b, 500n * E, 970_000n * E, 1);
    const dearV3 = await world.addV3(world.weth, b, E, 1940n * E, 3000);
    await world.weth.transfer(world.executorAddress, 50n * E);
    // a balance that goes back to zero is refunded, which no plan counts
    await b.mint(world.executorAddress, 1n);
    cycle = [v2(cheap.address, [0, 1, fixed(E)], { direct: true }), v2(dear.address, [1, 0, ARRIVED])];
    profit = (await world.quoteOut(dear, tokenB, await world.quoteOut(cheap, weth, E))) - E;
    plans = {
      "two pairs": planOf(assets, cycle),
      "a pair and a V3 pool, with ETH in the table": planOf(
        [...assets, NATIVE],
        [v2(cheap.address, [0, 1, fixed(E)]), v3(dearV3.address, [1, 0, PREVIOUS])],
      ),
      "a pair that lends": planOf(assets, [
        {
          kind: "flash-v2",
          pool: cheap.address,
          assetIn: 0,
          assetOut: 1,
          amountOut: 2000n * E,
          maxIn: E,
          feePips: 3000,
          steps: [v2(dear.address, [1, 0, fixed(2000n * E)])],
        },
      ]),
    };
  });

  beforeEach(async function () {
    snapshots.push(await world.networkHelpers.takeSnapshot());
  });

  afterEach(async function () {
    await snapshots.pop()!.restore();
  });

  const base = (changes: Partial<StepsPlan> = {}) => planOf(assets, cycle, changes);
  const send = (data: string, more = {}) => world.operator.sendTransaction({ to: world.executorAddress, data, ...more });

  async function outcome(data: string, more: Record<string, string> = {}) {
    try {
      const from = await world.operator.getAddress();
      const params = [{ from, to: world.executorAddress, data, ...more }, "pending"];
      await world.provider.request({ method: "eth_call", params });
      return { name: "landed", args: [] };
    } catch (error) {
      return explainRevert((error as { data?: string }).data ?? "none");
    }
  }

  describe("own gas", function () {
    it("counts what a plan costs before refunds, and at most 3 % more, however it is sent and funded", async function () {
      const gasPrice = 3n * GWEI;
      const parentHash = (await world.ethers.provider.getBlock("latest"))!.hash!;
      const guarded = { ...plans["two pairs"]!, deadline: 2 ** 39, blocks: { from: 1, to: 10 ** 9 }, parentHash };
      for (const [name, plan] of [...Object.entries(plans), ["two pairs, with other guards", guarded] as const]) {
        for (const encode of [encodeSteps, encodeExecuteSteps]) {
          const counting = { ...plan, gasPrice: { price: 1n, scale: 0 } };
          const told = await outcome(encode({ ...counting, minProfit: E }), { gasPrice: "0x" + gasPrice.toString(16) });
          expect(told.name).to.equal("ProfitTooLow");
          const counted = ((told.args[1] as bigint) - E) / gasPrice;
          // refunds are not counted, so that the transaction is held against what it cost before them
          const used = await world.rolledBack(async () => {
            const sent = await send(encode(counting), { gasPrice });
            const options = { disableMemory: true, disableStack: true, disableStorage: true };
            const { structLogs } = (await world.provider.request({
              method: "debug_traceTransaction",
              params: [sent.hash, options],
            })) as { structLogs: { refund?: number }[] };
            return (await sent.wait())!.gasUsed + BigInt(structLogs.at(-1)!.refund ?? 0);
          });
          const text = `${name}: ${counted} counted, ${used} used`;
          expect(counted >= used && counted * 100n <= used * 103n, text).to.equal(true);
        }
      }
    });

    it("counts each byte of the calldata, wherever it stands", async function () {
      const data = encodeExecuteSteps(base({ minProfit: E, gasPrice: { price: 1n, scale: 0 } }));
      const cost = async (behind: number) =>
        (await outcome(data + "00".repeat(behind), { gasPrice: "0x3b9aca00" })).args[1] as bigint;
      const [none, one, many] = [await cost(0), await cost(1), await cost(1000)];
      expect([one - none, many - none]).to.deep.equal([16n * GWEI, 16_000n * GWEI]);
    });

    it("lands only above the least profit and its own cost together, at the plan's price and scale", async function () {
      const gasPrice = "0x" + (2n * GWEI).toString(16);
      const cost = async (price: bigint, scale: number) => {
        const data = encodeSteps(base({ minProfit: E, gasPrice: { price, scale } }));
        return ((await outcome(data, { gasPrice })).args[1] as bigint) - E;
      };
      const counted = await cost(1n, 0);
      expect(counted > 0n && counted < profit).to.equal(true);
      const at = async (minProfit: bigint) =>
        (await outcome(encodeSteps(base({ minProfit, gasPrice: { price: 1n, scale: 0 } })), { gasPrice })).name;
      expect(await at(profit - counted)).to.equal("landed");
      // a byte of calldata more or less has no price here: none of the amounts has another length
      expect(await at(profit - counted + 1n)).to.equal("ProfitTooLow");
      const one = await cost(2n ** 40n, 40);
      expect((await cost(2n ** 41n, 40)) / one).to.equal(2n);
      expect(one / (await cost(2n ** 40n, 50))).to.equal(1024n);
      expect((await cost(MAX_96, 255)) === 0n).to.equal(true);
    });

    it("refuses a price of zero, wherever it stands", async function () {
      const [now, number] = [await world.networkHelpers.time.latest(), await world.networkHelpers.time.latestBlock()];
      const parentHash = (await world.ethers.provider.getBlock("latest"))!.hash!;
      const marked = { price: 0xabcdefn, scale: 0xcd };
      for (const more of [{}, { deadline: now + 1000 }, { parentHash, blocks: { from: 1, to: number + 9 } }]) {
        const data = encodeSteps(base({ ...more, gasPrice: marked }));
        expect((await outcome(data)).name).to.equal("landed");
        expect((await outcome(data.replace("abcdefcd", "000000cd"))).name).to.equal("GasPriceMissing");
      }
    });
  });

  describe("tip", function () {
    const coinbase = "0x00000000000000000000000000000000000c01ba";

    async function tipOf(plan: StepsPlan) {
      await world.provider.request({ method: "hardhat_setCoinbase", params: [coinbase] });
      return world.rolledBack(async () => {
        const weth = await world.weth.balanceOf(world.executorAddress);
        await (await send(encodeSteps(plan), { maxFeePerGas: 100n * GWEI, maxPriorityFeePerGas: 0n })).wait();
        expect(await world.ethers.provider.getBalance(world.executorAddress)).to.equal(0n);
        const kept = (await world.weth.balanceOf(world.executorAddress)) - weth;
        return [await world.ethers.provider.getBalance(coinbase), kept];
      });
    }

    it("is fixed, or a share of what was made between floor and cap, and the rest must be the least profit", async function () {
      const of = (tip: PlanTip, minProfit = 0n, more = {}) => base({ tip, minProfit, ...more });
      const share = (bips: number, floor: bigint, cap: bigint): PlanTip => ({ kind: "share", bips, floor, cap });
      const part = (profit * 9000n) / 10_000n;
      const cases: [PlanTip, bigint][] = [
        [{ kind: "fixed", amount: 12345n }, 12345n],
        [{ kind: "fixed", amount: profit }, profit],
        [share(9000, 0n, MAX_96), part],
        [share(9000, 0n, 777n), 777n],
        [share(1, profit - 3n, profit), profit - 3n],
        [share(10_000, 0n, MAX_96), profit],
      ];
      const [now, number] = [await world.networkHelpers.time.latest(), await world.networkHelpers.time.latestBlock()];
      const all = { deadline: now + 10_000, blocks: { from: 1, to: number + 100 }, gasPrice: { price: 1n, scale: 255 } };
      for (const [tip, paid] of cases) {
        for (const more of [{}, all, { deadline: all.deadline }, { gasPrice: all.gasPrice }]) {
          expect(await tipOf(of(tip, profit - paid, more))).to.deep.equal([paid, profit - paid]);
          expect((await outcome(encodeSteps(of(tip, profit - paid + 1n, more)))).name).to.equal("ProfitTooLow");
        }
      }
      // an entry for ETH in the table neither pays nor keeps it
      const native = { ...plans["a pair and a V3 pool, with ETH in the table"]!, tip: { kind: "fixed", amount: 5n } as const };
      expect((await tipOf(native))[0]).to.equal(5n);
    });

    it("never is more than the plan made, whatever the executor holds and whatever it sells", async function () {
      const above = await outcome(encodeSteps(base({ tip: { kind: "fixed", amount: profit + 1n } })));
      expect([above.name, above.args]).to.deep.equal(["TipAboveProfit", [profit + 1n, profit]]);
      const floor = { kind: "share", bips: 1, floor: profit + 1n, cap: MAX_96 } as const;
      expect((await outcome(encodeSteps(base({ tip: floor })))).name).to.equal("TipAboveProfit");
      // a loss leaves nothing to give, and held B that is sold for it is missed
      const loss = planOf(assets, [v2(dear.address, [0, 1, fixed(E)]), v2(cheap.address, [1, 0, PREVIOUS])]);
      const one = { kind: "fixed", amount: 1n } as const;
      expect((await outcome(encodeSteps({ ...loss, tip: one }))).args).to.deep.equal([1n, 0n]);
      await (await world.token("B")).mint(world.executorAddress, 1000n * E);
      const sale = planOf(assets, [v2(dear.address, [1, 0, fixed(1000n * E)])], { tip: one });
      expect((await outcome(encodeSteps(sale))).name).to.equal("AssetLost");
      // and the other way round: counted in B, tip in WETH
      const counted = planOf(assets, [v2(cheap.address, [0, 1, fixed(E)])], { profitAsset: 1, tip: one });
      expect((await outcome(encodeSteps(counted))).name).to.equal("TipNotNative");
    });

    it("fails with a proposer that reverts or burns its gas, and a proposer that is an operator starts nothing", async function () {
      const tip = { kind: "fixed", amount: 1n } as const;
      for (const code of ["0x5f5ffd", "0x5b5f56"]) {
        await world.networkHelpers.setCode(coinbase, code);
        await world.provider.request({ method: "hardhat_setCoinbase", params: [coinbase] });
        expect((await outcome(encodeSteps(base({ tip })), { gas: "0x7a120" })).name).to.equal("TipRefused");
      }
      const proposer = await new Scripted__factory(world.deployer).deploy();
      const own = await new StepExecutor__factory(world.deployer).deploy(world.owner, [proposer]);
      await world.weth.transfer(own, 2n * E);
      await world.provider.request({ method: "hardhat_setCoinbase", params: [proposer.target] });
      const run = { target: await own.getAddress(), data: encodeSteps(base({ tip })), mayFail: false };
      await proposer.run([run], { maxPriorityFeePerGas: 0n });
      expect(await world.ethers.provider.getBalance(proposer.target)).to.equal(1n);
    });

    it("is refused off Ethereum and its testnet", async function () {
      for (const chainId of [10, 42161, 84532]) {
        const elsewhere = await idleWorld(chainId);
        expect(await elsewhere.outcome({ tip: { kind: "fixed", amount: 1n } }), String(chainId)).to.equal("TipNotHere");
      }
      expect(await (await idleWorld(11155111)).outcome({ tip: { kind: "fixed", amount: 1n } })).to.equal("TipNotNative");
    });
  });

  describe("sweep", function () {
    it("sends everything but one unit of the profit asset to the present owner, after the check", async function () {
      const held = await world.weth.balanceOf(world.executorAddress);
      expect((await outcome(encodeSteps(base({ sweep: true, minProfit: profit + 1n })))).name).to.equal("ProfitTooLow");
      await world.executor.connect(world.owner).transferOwnership(world.stranger);
      await world.executor.connect(world.stranger).acceptOwnership();
      await send(encodeSteps(base({ sweep: true, minProfit: profit })));
      expect(await world.weth.balanceOf(world.stranger)).to.equal(held + profit - 1n);
      expect(await world.weth.balanceOf(world.executorAddress)).to.equal(1n);
      // nothing above the one unit is nothing to send
      const swap = v2(await idlePair(world.deployer), [1, 0, fixed(1n)], { amountOut: 1n });
      const data = paysNothing(encodeSteps(planOf(assets, [swap], { sweep: true })));
      expect((await outcome(data)).name).to.equal("landed");
      await world.rolledBack(async () => {
        const { hash } = await send(data);
        const receivers = (await argumentsOf(world, hash)).filter(({ name }) => name === "transfer").map(({ args }) => args[0]);
        expect(receivers).to.not.include(await world.stranger.getAddress());
        expect(await world.weth.balanceOf(world.executorAddress)).to.equal(1n);
      });
    });

    it("of a token that is in the table twice, of ETH, or of what a hook gives meanwhile takes nothing that counts", async function () {
      const twice = planOf([...assets, NATIVE], cycle, { sweep: true });
      const place = 2 + 2 * (18 + 1 + 42);
      const put = (bytes: string) => {
        const data = encodeSteps(twice);
        return data.slice(0, place) + bytes + data.slice(place + bytes.length);
      };
      expect((await outcome(put("01" + assets[0]!.address.slice(2).toLowerCase()))).name).to.equal("AssetLost");
      const native = encodeSteps(twice);
      await world.networkHelpers.setBalance(world.executorAddress, 5n);
      expect((await outcome(native.slice(0, 4) + "23" + native.slice(6))).name).to.equal("MalformedPlan");
    });

    it("of a hostile token starts nothing and takes nothing", async function () {
      const hook = await new HookToken__factory(world.deployer).deploy();
      const bot = await new Scripted__factory(world.deployer).deploy();
      const own = await new StepExecutor__factory(world.deployer).deploy(world.owner, [bot]);
      const [target, token] = [await own.getAddress(), await hook.getAddress()];
      await world.weth.transfer(own, E);
      await hook.mint(own, 100n);
      await hook.setHook(bot);
      const idle = await idlePair(world.deployer);
      const table = [await erc20(token), assets[0]!];
      const plan = planOf(table, [v2(idle, [0, 1, fixed(1n)], { amountOut: 1n })], { sweep: true });
      const abi = world.executor.interface;
      const inner = { target, mayFail: true };
      const attempts = [
        encodeSteps(plan),
        encodeExecuteSteps(plan),
        abi.encodeFunctionData("sweep", [assets[0]!.address]),
        call("uniswapV2Call(address,uint256,uint256,bytes)", ["address", "uint256", "uint256", "bytes"], [target, 1n, 0n, "0x"]),
      ];
      await bot.script(
        ON_TRANSFER,
        attempts.map((data) => ({ ...inner, data })),
        "0x",
      );
      const gift = { target: token, data: hook.interface.encodeFunctionData("transfer", [target, 1n]), mayFail: false };
      await hook.mint(bot, 5n);
      await bot.script(SWAP_V2, [], "0x");
      const pool = await new Scripted__factory(world.deployer).deploy();
      await hook.mint(pool, 5n);
      await pool.script(SWAP_V2, [gift], "0x");
      const sweeping = planOf(table, [v2(await pool.getAddress(), [0, 1, fixed(1n)], { amountOut: 1n })], { sweep: true });
      const sent = await bot.run([{ target, data: encodeSteps(sweeping), mayFail: false }]);
      const receipt = (await world.ethers.provider.getTransactionReceipt(sent.hash))!;
      const failed = receipt.logs.filter((log) => log.address === bot.target).map((log) => bot.interface.parseLog(log)!.args);
      // each hook's four attempts, and the run itself
      const results = failed.map((args) => (args.success ? "done" : explainRevert(args.result as string).name));
      const refused = ["UnexpectedCallback", "PlanRunning", "PlanRunning", "UnexpectedCallback"];
      expect(results).to.deep.equal([...refused, ...refused, ...refused, "done"]);
      expect(await hook.balanceOf(world.owner)).to.equal(99n);
      expect(await world.weth.balanceOf(own)).to.equal(E);
    });
  });

  describe("parent block and window", function () {
    it("lands on the parent that it names and on no other", async function () {
      const parentHash = (await world.ethers.provider.getBlock("latest"))!.hash!;
      expect((await outcome(encodeSteps(base({ parentHash })))).name).to.equal("landed");
      for (const wrong of [
        parentHash.slice(0, -2) + (parentHash.endsWith("00") ? "01" : "00"),
        parentHash.slice(0, -24) + (parentHash.at(-24) === "f" ? "0" : "f") + parentHash.slice(-23),
      ]) {
        expect((await outcome(encodeSteps(base({ parentHash: wrong })))).name).to.equal("WrongParent");
      }
      await world.networkHelpers.mine();
      expect((await outcome(encodeSteps(base({ parentHash })))).name).to.equal("WrongParent");
    });

    it("deadline and window have forty bits each, and none of their neighbours'", async function () {
      const [now, block] = [await world.networkHelpers.time.latest(), await world.networkHelpers.time.latestBlock()];
      const high = 2 ** 39;
      const at = async (deadline: number | null, from: number, to: number) =>
        runner.refusal(base({ deadline, blocks: { from, to } }));
      expect(await at(now + 100, 0, block + 5)).to.equal("landed");
      expect(await at(now + 100, block, block + 5)).to.equal("landed");
      expect(await at(now - 100, 0, block + 5)).to.equal("Expired");
      expect(await at(now + 100, block + 5, block + 9)).to.equal("OutsideBlockWindow");
      expect(await at(now + 100, 0, block - 1)).to.equal("OutsideBlockWindow");
      expect(await at(null, high + 1, high + 2)).to.equal("OutsideBlockWindow");
      expect(await at(high + 1, 0, high + 1)).to.equal("landed");
      expect(await runner.refusal(base({ deadline: now + 100 }))).to.equal("landed");
      // a first block alone is not written by the encoder, but means what it says
      const data = encodeSteps(base({ blocks: { from: block + 5, to: high } }));
      const open = high.toString(16).padStart(10, "0");
      expect(await runner.refusal(data.replace(open, "0000000000"))).to.equal("OutsideBlockWindow");
    });

    it("on Arbitrum they are those of ArbSys, and refused without it", async function () {
      for (const chainId of [42161, 421614]) {
        const { outcome: on, ethers, networkHelpers, signer } = await idleWorld(chainId);
        const window = (from: number, to: number) => ({ blocks: { from, to } });
        const head = await ethers.provider.getBlockNumber();
        expect(await on(window(0, head + 5))).to.equal("TokenCallFailed");
        expect(await on({ parentHash: "0x" + "ab".repeat(12) })).to.equal("TokenCallFailed");
        expect(await on({ deadline: 2 ** 39 })).to.equal("landed");
        const code = await ethers.provider.getCode(await (await new ArbSys__factory(signer).deploy()).getAddress());
        await networkHelpers.setCode("0x0000000000000000000000000000000000000064", code);
        const number = (await ethers.provider.getBlockNumber()) + 1_000_000;
        expect(await on(window(number - 1, number + 1))).to.equal("landed");
        expect(await on(window(number + 2, number + 3))).to.equal("OutsideBlockWindow");
        expect(await on(window(0, number - 1))).to.equal("OutsideBlockWindow");
        const hash = (n: number) =>
          "0x" + keccak256(AbiCoder.defaultAbiCoder().encode(["string", "uint256"], ["arbitrum", n])).slice(-24);
        // a call runs in the latest block or in the one after it
        const answers = [await on({ parentHash: hash(number - 1) }), await on({ parentHash: hash(number) })];
        expect(answers.toSorted()).to.deep.equal(["WrongParent", "landed"]);
      }
    });
  });

  it("refuses guards that do not exist, two kinds of tip, and guards that are cut off", async function () {
    const data = encodeSteps(base({ sweep: true }));
    const which = 2 + 2 * 18;
    expect(data.slice(which, which + 2)).to.equal("40");
    const put = (bytes: string) => data.slice(0, which) + bytes + data.slice(which + 2);
    expect((await outcome(put("00"))).name).to.equal("landed");
    for (const [bits, size] of [
      ["80", 0],
      ["04", 20],
      ["30", 38],
    ] as const) {
      expect((await outcome(put(bits + "00".repeat(size)))).name, bits).to.equal("MalformedPlan");
    }
    expect((await outcome(data.slice(0, which + 2))).name).to.equal("MalformedPlan");
  });

  it("Balancer V3: swaps inside a loan of the vault, for an exact input, an exact output up to a cap, and straight on", async function () {
    const vault = await new BalancerV3Mock__factory(world.deployer).deploy();
    const b = await world.token("B");
    const address = await vault.getAddress();
    const pool = "0x00000000000000000000000000000000000b0013";
    await world.weth.transfer(vault, 10n * E);
    await b.mint(vault, 100_000n * E);
    for (const token of [world.weth, b]) await vault.sync(token);
    await vault.setRate(pool, world.weth, 2060n * E);
    const got = 2060n * E;
    const back = await world.quoteOut(dear, tokenB, got);
    const inLoan = (steps: Step[]) => [loan("balancer-v3", address, E, 0n, steps)];
    const sell = v2(dear.address, [1, 0, PREVIOUS]);
    const swap = balancerV3(address, pool, [0, 1, fixed(E)]);
    const paid = (got * E) / (2060n * E) + 1n;
    const exact = balancerV3(address, pool, [0, 1, fixed(got)], { maxIn: paid });
    for (const [steps, gain] of [
      [[swap, sell], back - E],
      [[{ ...swap, measure: true }, sell], back - E],
      [
        [
          { ...swap, direct: true },
          { ...sell, amount: ARRIVED },
        ],
        back - E,
      ],
      [[exact, sell], back - paid],
    ] as [Step[], bigint][]) {
      await world.rolledBack(async () => {
        const plan = planOf(assets, inLoan(steps), { minProfit: gain });
        expect(await runner.refusal({ ...plan, minProfit: gain + 1n })).to.equal("ProfitTooLow");
        expect(await runner.changes(plan)).to.deep.equal([gain, 0n]);
      });
    }
    expect(await runner.refusal(planOf(assets, inLoan([{ ...exact, maxIn: paid - 1n }, sell])))).to.equal("SwapLimit");
    // a vault that lies about what it is owed gets no more than the plan says
    const liar = await new Scripted__factory(world.deployer).deploy();
    const answer = AbiCoder.defaultAbiCoder().encode(["uint256", "uint256", "uint256"], [1n, E + 1n, 0n]);
    await liar.script("0x2bfb780c", [], answer);
    const data = encodeSteps(planOf(assets, inLoan([swap])));
    const lie = "0x" + data.slice(2).replaceAll(address.slice(2).toLowerCase(), (await liar.getAddress()).slice(2).toLowerCase());
    await liar.script("0x48c89491", [{ target: world.executorAddress, data: lie, mayFail: false }], "0x");
    expect((await outcome(lie)).name).to.equal("PaymentAboveCap");
    await liar.script("0x2bfb780c", [], AbiCoder.defaultAbiCoder().encode(["uint256", "uint256", "uint256"], [1n, E, 0n]));
    expect((await outcome(lie)).name).to.equal("ProfitTooLow");
  });
});

/** A plan of one V2 step of one unit, with an amount of zero, which the encoder does not write. */
const paysNothing = (data: string) => data.replace(`${"0".repeat(31)}1000bb8`, `${"0".repeat(32)}000bb8`);

const idlePair = async (signer: Signer) => (await new Scripted__factory(signer).deploy()).getAddress();

/** An executor on another chain id whose plans do nothing but keep their guards. */
async function idleWorld(chainId: number) {
  const override = { type: "edr-simulated", chainId } as never;
  const { ethers, provider, networkHelpers } = await network.create({ network: "default", override });
  const [signer, owner] = (await ethers.getSigners()) as unknown as [Signer & { address: string }, Signer];
  const executor = await new StepExecutor__factory(signer).deploy(owner, [signer]);
  const token = await new TestToken__factory(signer).deploy("P");
  await token.mint(executor, 10n);
  const table = [await erc20(token), await erc20(await (await new TestToken__factory(signer).deploy("Q")).getAddress())];
  const steps = [v2(await idlePair(signer), [1, 0, fixed(1n)], { amountOut: 1n })];
  const outcome = (guards: Partial<StepsPlan>) => {
    const data = paysNothing(encodeSteps(planOf(table, steps, guards)));
    const params = [{ from: signer.address, to: executor.target, data }, "latest"];
    return provider.request({ method: "eth_call", params }).then(
      () => "landed",
      (error: { data: string }) => explainRevert(error.data).name,
    );
  };
  return { ethers, networkHelpers, signer, outcome };
}
