import { expect } from "chai";
import { AbiCoder, keccak256, type Signer } from "ethers";
import { network } from "hardhat";
import { encodeExecute, encodePlan, MAX_AMOUNT } from "../../src/plan/codec.js";
import { explainRevert } from "../../src/plan/errors.js";
import type { Plan } from "../../src/plan/plan.js";
import {
  ArbExecutor__factory,
  ArbSys__factory,
  IUniswapV2Pair__factory,
  IUniswapV3Pool__factory,
  Scripted__factory,
  TestToken__factory,
} from "../../types/contracts/index.js";
import { callsOf } from "../helpers/calls.js";
import { createWorld, ETHER, type TestPool, type World } from "../helpers/pools.js";

const GWEI = 10n ** 9n;

describe("ArbExecutor: guards", function () {
  let world: World;
  let pools: Record<string, TestPool>;
  let path: TestPool[];
  const snapshots: { restore(): Promise<void> }[] = [];

  before(async function () {
    world = await createWorld();
    const b = await world.token("B");
    const E = ETHER;
    pools = {
      "first v2": await world.addV2(world.weth, b, 500n * E, 1_030_000n * E, 0),
      "last v2": await world.addV2(world.weth, b, 500n * E, 970_000n * E, 1),
      "first v3": await world.addV3(world.weth, b, E, 2060n * E, 500),
      "last v3": await world.addV3(world.weth, b, E, 1940n * E, 3000),
    };
    path = [pools["first v2"]!, pools["last v2"]!];
  });

  beforeEach(async function () {
    snapshots.push(await world.networkHelpers.takeSnapshot());
  });

  afterEach(async function () {
    await snapshots.pop()!.restore();
  });

  /** The error that a plan's call reverts with, and its arguments; "landed" if it does not. */
  async function outcome(data: string, more: Record<string, string> = {}) {
    try {
      const from = await world.operator.getAddress();
      const request = { from, to: world.executorAddress, data, ...more };
      await world.provider.request({ method: "eth_call", params: [request, "pending"] });
      return { name: "landed", args: [] };
    } catch (error) {
      return explainRevert((error as { data?: string }).data ?? "none");
    }
  }

  const send = (data: string, more = {}) => world.operator.sendTransaction({ to: world.executorAddress, data, ...more });

  describe("own gas", function () {
    for (const kinds of ["v2-v2", "v2-v3", "v3-v2", "v3-v3"]) {
      for (const amounts of ["fixed", "adaptive"] as const) {
        it(`counts what ${kinds} ${amounts} costs, and at most 6 % more`, async function () {
          const [first, last] = kinds.split("-") as ["v2" | "v3", "v2" | "v3"];
          const used = [pools[`first ${first}`]!, pools[`last ${last}`]!];
          const plan = await world.planFor(used, ETHER, { amounts, gasPrice: { price: 1n, scale: 0 } });
          const gasPrice = 3n * GWEI;
          const told = await outcome(encodePlan({ ...plan, minProfit: MAX_AMOUNT }), { gasPrice: "0x" + gasPrice.toString(16) });
          expect(told.name).to.equal("ProfitTooLow");
          const counted = ((told.args[1] as bigint) - MAX_AMOUNT) / gasPrice;
          const receipt = await (await send(encodePlan(plan), { gasPrice })).wait();
          expect(counted >= receipt!.gasUsed, `${counted} counted, ${receipt!.gasUsed} used`).to.equal(true);
          expect(counted * 100n <= receipt!.gasUsed * 106n, `${counted} counted, ${receipt!.gasUsed} used`).to.equal(true);
        });
      }
    }

    it("counts each byte of the calldata, wherever it stands", async function () {
      const plan = await world.planFor(path, ETHER, { gasPrice: { price: 1n, scale: 0 }, minProfit: MAX_AMOUNT });
      const cost = async (behind: number) =>
        (await outcome(encodeExecute(plan) + "00".repeat(behind), { gasPrice: "0x3b9aca00" })).args[1] as bigint;
      const [none, one, many] = [await cost(0), await cost(1), await cost(1000)];
      expect([one - none, many - none]).to.deep.equal([16n * GWEI, 16_000n * GWEI]);
    });

    it("lands only above the least profit and its own cost together", async function () {
      const plan = await world.planFor(path, ETHER, { gasPrice: { price: 1n, scale: 0 } });
      const { profit } = await world.expectation(plan, path);
      const gasPrice = "0x" + (2n * GWEI).toString(16);
      const told = await outcome(encodePlan({ ...plan, minProfit: MAX_AMOUNT }), { gasPrice });
      const cost = (told.args[1] as bigint) - MAX_AMOUNT;
      expect(cost > 0n && cost < profit).to.equal(true);
      const at = async (minProfit: bigint) => (await outcome(encodePlan({ ...plan, minProfit }), { gasPrice })).name;
      expect(await at(profit - cost)).to.equal("landed");
      expect(await at(profit - cost + 1n)).to.equal("ProfitTooLow");
    });

    it("converts wei by the plan's price and scale", async function () {
      const plan = await world.planFor(path, ETHER, { minProfit: MAX_AMOUNT });
      const cost = async (price: bigint, scale: number) => {
        const data = encodePlan({ ...plan, gasPrice: { price, scale } });
        return ((await outcome(data, { gasPrice: "0x3b9aca00" })).args[1] as bigint) - MAX_AMOUNT;
      };
      const one = await cost(2n ** 40n, 40);
      expect((await cost(2n ** 41n, 40)) / one).to.equal(2n);
      expect(one / (await cost(2n ** 40n, 50))).to.equal(1024n);
    });

    it("refuses a price of zero", async function () {
      const plan = await world.planFor(path, ETHER, { gasPrice: { price: 1n, scale: 0 } });
      const data = encodePlan(plan);
      expect((await outcome(data.slice(0, -28) + "00".repeat(14))).name).to.equal("MalformedPlan");
      expect((await outcome(data.slice(0, -4) + "0000")).name).to.equal("GasPriceMissing");
    });
  });

  describe("tip", function () {
    const coinbase = "0x00000000000000000000000000000000000c01ba";

    const tipOf = async (plan: Plan) => {
      await world.provider.request({ method: "hardhat_setCoinbase", params: [coinbase] });
      return world.rolledBack(async () => {
        const weth = await world.weth.balanceOf(world.executorAddress);
        const receipt = await (await send(encodePlan(plan), { maxFeePerGas: 100n * GWEI, maxPriorityFeePerGas: 0n })).wait();
        expect(receipt!.status).to.equal(1);
        expect(await callsOf(world, receipt!.hash)).to.include("CALL withdraw");
        expect(await world.ethers.provider.getBalance(world.executorAddress)).to.equal(0n);
        return {
          tip: await world.ethers.provider.getBalance(coinbase),
          kept: (await world.weth.balanceOf(world.executorAddress)) - weth,
        };
      });
    };

    it("pays a fixed one out of the profit, and the rest must be the least profit", async function () {
      const plan = await world.planFor(path, ETHER);
      const { profit } = await world.expectation(plan, path);
      const tip = { kind: "fixed", amount: 12345n } as const;
      expect(await tipOf({ ...plan, tip, minProfit: profit - 12345n })).to.deep.equal({ tip: 12345n, kept: profit - 12345n });
      expect((await outcome(encodePlan({ ...plan, tip, minProfit: profit - 12344n }))).name).to.equal("ProfitTooLow");
      const all = { kind: "fixed", amount: profit } as const;
      expect(await tipOf({ ...plan, tip: all })).to.deep.equal({ tip: profit, kept: 0n });
    });

    it("never pays more than the plan made, whatever the executor holds", async function () {
      const plan = await world.planFor(path, ETHER);
      const { profit } = await world.expectation(plan, path);
      await world.weth.transfer(world.executorAddress, 5n * ETHER);
      const above = await outcome(encodePlan({ ...plan, tip: { kind: "fixed", amount: profit + 1n } }));
      expect([above.name, above.args]).to.deep.equal(["TipAboveProfit", [profit + 1n, profit]]);
      const floor = { kind: "share", bips: 1, floor: profit + 1n, cap: MAX_AMOUNT } as const;
      expect((await outcome(encodePlan({ ...plan, tip: floor }))).name).to.equal("TipAboveProfit");
      const loss = await world.planFor(path.toReversed(), ETHER, { tip: { kind: "fixed", amount: 1n } });
      expect((await outcome(encodePlan(loss))).name).to.equal("TipAboveProfit");
    });

    it("pays a share of what was really made, between floor and cap", async function () {
      const plan = await world.planFor(path, ETHER, { amounts: "adaptive" });
      const { profit } = await world.expectation(plan, path);
      const share = (bips: number, floor: bigint, cap: bigint) => ({
        ...plan,
        tip: { kind: "share", bips, floor, cap } as const,
      });
      expect((await tipOf(share(9000, 0n, MAX_AMOUNT))).tip).to.equal((profit * 9000n) / 10_000n);
      expect((await tipOf(share(9000, 0n, 777n))).tip).to.equal(777n);
      expect((await tipOf(share(1, profit - 3n, profit))).tip).to.equal(profit - 3n);
      expect((await tipOf(share(10_000, 0n, MAX_AMOUNT))).kept).to.equal(0n);
    });

    it("a proposer that is a contract and reverts, or burns all its gas, makes the plan fail", async function () {
      const plan = await world.planFor(path, ETHER, { tip: { kind: "fixed", amount: 1n } });
      for (const code of ["0x5f5ffd", "0x5b5f56"]) {
        await world.networkHelpers.setCode(coinbase, code);
        await world.provider.request({ method: "hardhat_setCoinbase", params: [coinbase] });
        expect((await outcome(encodePlan(plan), { gas: "0x7a120" })).name).to.equal("TipRefused");
      }
    });

    it("a proposer that is a contract starts nothing while it is paid, and may be an operator", async function () {
      const plan = await world.planFor(path, ETHER, { tip: { kind: "fixed", amount: 1n } });
      const proposer = await new Scripted__factory(world.deployer).deploy();
      const own = await new ArbExecutor__factory(world.deployer).deploy(world.owner, [proposer]);
      const ownAddress = await own.getAddress();
      await world.provider.request({ method: "hardhat_setCoinbase", params: [proposer.target] });
      // receive() of the scripted contract does nothing, so its balance is all that changes
      const data = encodePlan(plan);
      await proposer.run([{ target: ownAddress, data, mayFail: false }], { maxPriorityFeePerGas: 0n });
      expect(await world.ethers.provider.getBalance(proposer.target)).to.equal(1n);
    });

    it("is refused in another profit token, and off Ethereum and its testnet", async function () {
      const [token, idle] = [await new TestToken__factory(world.deployer).deploy("P"), await idlePool(world.deployer)];
      const data = idlePlan(idle, await token.getAddress(), "10" + "00".repeat(11) + "01");
      expect((await outcome(data)).name).to.equal("TipNotNative");
      for (const chainId of [10, 8453, 42161, 84532]) {
        const elsewhere = await idleWorld(chainId);
        expect(await elsewhere.outcome("10" + "00".repeat(11) + "01"), String(chainId)).to.equal("TipNotHere");
      }
      const [here, testnet] = [await idleWorld(1), await idleWorld(11155111)];
      const tip = "10" + "00".repeat(11) + "01";
      expect(await here.outcome(tip)).to.not.equal("TipNotHere");
      expect(await testnet.outcome(tip)).to.equal(await here.outcome(tip));
    });
  });

  describe("parent block", function () {
    it("lands on the parent that it names and on no other", async function () {
      const plan = await world.planFor(path, ETHER);
      // what eth_call runs in has the latest block as its parent
      const parent = (await world.ethers.provider.getBlock("latest"))!.hash!;
      const from = await world.operator.getAddress();
      const call = async (parentHash: string) => {
        const data = encodePlan({ ...plan, parentHash });
        const request = { from, to: world.executorAddress, data };
        return world.provider.request({ method: "eth_call", params: [request, "pending"] }).then(
          () => "landed",
          (error: { data: string }) => explainRevert(error.data).name,
        );
      };
      expect(await call(parent)).to.equal("landed");
      expect(await call(parent.slice(0, -2) + (parent.endsWith("00") ? "01" : "00"))).to.equal("WrongParent");
      await send(encodePlan({ ...plan, parentHash: parent }));
      const late = await send(encodePlan({ ...plan, parentHash: parent }), { gasLimit: 500_000n }).then(
        async (sent) => {
          await sent.wait();
          return "landed";
        },
        (error: Error) => error.message,
      );
      expect(late).to.contain("WrongParent");
    });

    it("on Arbitrum it and the block window are those of ArbSys, and refused without it", async function () {
      for (const chainId of [42161, 421614]) {
        const { outcome: on, ethers, networkHelpers, signer } = await idleWorld(chainId);
        const window = (from: number, to: number) =>
          "01" + "00".repeat(5) + from.toString(16).padStart(10, "0") + to.toString(16).padStart(10, "0");
        const head = await ethers.provider.getBlockNumber();
        expect(await on(window(0, head + 5))).to.equal("OutsideBlockWindow");
        expect(await on("02" + "ab".repeat(12))).to.equal("WrongParent");
        const code = await ethers.provider.getCode(await (await new ArbSys__factory(signer).deploy()).getAddress());
        await networkHelpers.setCode("0x0000000000000000000000000000000000000064", code);
        const number = (await ethers.provider.getBlockNumber()) + 1_000_000;
        expect(await on(window(number - 1, number + 1))).to.equal("landed");
        expect(await on(window(number + 2, number + 3))).to.equal("OutsideBlockWindow");
        expect(await on(window(0, number - 1))).to.equal("OutsideBlockWindow");
        const hash = (n: number) =>
          keccak256(AbiCoder.defaultAbiCoder().encode(["string", "uint256"], ["arbitrum", n])).slice(-24);
        // a call runs in the latest block or in the one after it
        const answers = [await on("02" + hash(number - 1)), await on("02" + hash(number))];
        expect(answers.toSorted()).to.deep.equal(["WrongParent", "landed"]);
      }
    });
  });

  describe("first pool", function () {
    for (const kind of ["v2", "v3"] as const) {
      for (const forward of [true, false]) {
        it(`refuses a ${kind} pool that moved ${forward ? "against" : "for"} a ${forward ? "WETH" : "B"} seller, for under 40,000 gas`, async function () {
          const b = await world.token("B");
          const tokenB = await b.getAddress();
          const weth = await world.weth.getAddress();
          const first = pools[`first ${kind}`]!;
          const last = pools[kind === "v2" ? "last v2" : "last v3"]!;
          const used = forward ? [first, last] : [last, first];
          const sold = forward ? weth : tokenB;
          const where = used[0]!;
          const zeroForOne = sold === where.token0;
          const bound = async () => {
            if (kind === "v3") return (await IUniswapV3Pool__factory.connect(where.address, world.deployer).slot0()).sqrtPriceX96;
            const reserves = await IUniswapV2Pair__factory.connect(where.address, world.deployer).getReserves();
            return zeroForOne ? reserves.reserve1 : reserves.reserve0;
          };
          const poolBound = await bound();
          // a cycle of either direction; whether it gains is not asked
          const plan = await world.planFor(used, forward ? ETHER : 2000n * ETHER, { profitToken: sold, poolBound });
          expect((await outcome(encodePlan(plan))).name).to.not.equal("PoolMoved");
          // the bound is exact
          const stricter = kind === "v3" && !zeroForOne ? poolBound - 1n : poolBound + 1n;
          expect((await outcome(encodePlan({ ...plan, poolBound: stricter }))).name).to.equal("PoolMoved");
          await world.trade(where, sold === weth ? tokenB : weth, sold === weth ? 100n * ETHER : ETHER / 10n);
          expect((await outcome(encodePlan(plan))).name).to.not.equal("PoolMoved");
          await world.trade(where, sold, sold === weth ? ETHER : 2000n * ETHER);
          expect((await outcome(encodePlan(plan))).name).to.equal("PoolMoved");
          await world.provider.request({ method: "evm_setAutomine", params: [false] });
          const sent = await send(encodePlan(plan), { gasLimit: 500_000n });
          await world.networkHelpers.mine();
          await world.provider.request({ method: "evm_setAutomine", params: [true] });
          const receipt = (await world.ethers.provider.getTransactionReceipt(sent.hash))!;
          expect(receipt.status).to.equal(0);
          expect(Number(receipt.gasUsed)).to.be.lessThan(40_000);
        });
      }
    }
  });

  describe("sweep", function () {
    it("sends everything but one unit to the present owner, after the check", async function () {
      const plan = await world.planFor(path, ETHER, { sweep: true });
      const { profit } = await world.expectation(plan, path);
      const held = await world.weth.balanceOf(world.executorAddress);
      expect((await outcome(encodePlan({ ...plan, minProfit: profit + 1n }))).name).to.equal("ProfitTooLow");
      const { hash } = await send(encodePlan({ ...plan, minProfit: profit }));
      expect((await callsOf(world, hash)).slice(-2)).to.deep.equal(["STATICCALL balanceOf", "CALL transfer"]);
      expect(await world.weth.balanceOf(world.owner)).to.equal(held + profit - 1n);
      expect(await world.weth.balanceOf(world.executorAddress)).to.equal(1n);
      // from the dust again
      const again = await world.planFor(path, ETHER, { sweep: true });
      const more = (await world.expectation(again, path)).profit;
      await send(encodePlan({ ...again, minProfit: more }));
      expect(await world.weth.balanceOf(world.executorAddress)).to.equal(1n);
      // nothing above the one unit is nothing to send
      const idle = idlePlan(await idlePool(world.deployer), await world.weth.getAddress(), "40");
      await world.rolledBack(async () => {
        expect(await callsOf(world, (await send(idle)).hash)).to.not.include("CALL transfer");
      });
      // the owner that took over gets the next one
      await world.executor.connect(world.owner).transferOwnership(world.stranger);
      await world.executor.connect(world.stranger).acceptOwnership();
      const last = await world.planFor(path, ETHER, { sweep: true });
      const rest = (await world.expectation(last, path)).profit;
      await send(encodePlan(last));
      expect(await world.weth.balanceOf(world.stranger)).to.equal(rest);
    });

    it("by call: owner and operators only, to the owner, one unit stays", async function () {
      const held = await world.weth.balanceOf(world.executorAddress);
      const weth = await world.weth.getAddress();
      const refused = await world.executor
        .connect(world.stranger)
        .sweep.staticCall(weth)
        .then(
          () => "done",
          (error: Error) => error.message,
        );
      expect(refused).to.contain("NotOwner");
      await world.executor.connect(world.operator).sweep(weth);
      expect(await world.weth.balanceOf(world.owner)).to.equal(held - 1n);
      await world.executor.connect(world.owner).sweep(weth);
      expect(await world.weth.balanceOf(world.executorAddress)).to.equal(1n);
      await world.weth.transfer(world.executorAddress, 5n);
      await world.executor.connect(world.owner).sweep(weth);
      expect(await world.weth.balanceOf(world.owner)).to.equal(held + 4n);
    });
  });

  it("refuses guards that do not exist, and two kinds of tip", async function () {
    const idle = await idlePool(world.deployer);
    const weth = await world.weth.getAddress();
    expect((await outcome(idlePlan(idle, weth, "80"))).name).to.equal("MalformedPlan");
    expect((await outcome(idlePlan(idle, weth, "30" + "00".repeat(38)))).name).to.equal("MalformedPlan");
    expect((await outcome(idlePlan(idle, weth, "00"))).name).to.equal("landed");
  });
});

const idlePool = async (signer: Signer) => (await new Scripted__factory(signer).deploy()).getAddress();

/** A plan through pools that do nothing, with the given guards. */
const idlePlan = (idle: string, token: string, guards: string) =>
  "0xa6110000" +
  "00".repeat(12) +
  (idle.slice(2) + "00".repeat(12)).repeat(2) +
  token.slice(2).toLowerCase() +
  "00".repeat(12) +
  guards;

/** An executor on another chain id whose plans do nothing but keep their guards. */
async function idleWorld(chainId: number) {
  const override = { type: "edr-simulated", chainId } as never;
  const { ethers, provider, networkHelpers } = await network.create({ network: "default", override });
  const [signer, owner] = (await ethers.getSigners()) as unknown as [Signer & { address: string }, Signer];
  const executor = await new ArbExecutor__factory(signer).deploy(owner, [signer]);
  const token = await (await new TestToken__factory(signer).deploy("P")).getAddress();
  const idle = await idlePool(signer);
  const outcome = (guards: string) =>
    provider
      .request({
        method: "eth_call",
        params: [{ from: signer.address, to: executor.target, data: idlePlan(idle, token, guards) }, "latest"],
      })
      .then(
        () => "landed",
        (error: { data: string }) => explainRevert(error.data).name,
      );
  return { ethers, networkHelpers, signer, outcome };
}
