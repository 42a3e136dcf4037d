import { expect } from "chai";
import { Interface, type Signer } from "ethers";
import { network } from "hardhat";
import { encodeExecute, encodePlan } from "../../src/plan/codec.js";
import { explainRevert } from "../../src/plan/errors.js";
import { packageText } from "../../src/sim/artifacts.js";
import { ArbExecutor__factory, IArbExecutor__factory } from "../../types/contracts/index.js";
import { callsOf } from "../helpers/calls.js";
import { createWorld, ETHER, type TestPool, type World } from "../helpers/pools.js";
import { POOL_MANAGERS, type AnyPool, addV4, type V4Pool, type V4World } from "../helpers/v4-world.js";

for (const wethFirst of [true, false]) {
  describe(`ArbExecutor: V4 plans, WETH is token${wethFirst ? 0 : 1}`, function () {
    let world: World;
    let v4: V4World;
    let pools: Record<string, AnyPool>;
    const snapshots: { restore(): Promise<void> }[] = [];

    before(async function () {
      world = await createWorld(wethFirst);
      const [b, c, E] = [await world.token("B"), await world.token("C"), ETHER];
      v4 = await addV4(world);
      for (const token of [b, c]) await token.mint(v4.trader, 10n ** 30n);
      const hook = await v4.hook(1);
      await hook.set("0xc0ffee", 500, hook, "0x");
      pools = {
        "WB v4": await v4.pool(world.weth, b, [E, 2030n * E], { fee: 500, tickSpacing: 10 }),
        "WB v4 hooked": await v4.pool(world.weth, b, [E, 2030n * E], {
          fee: 0x800000,
          hooks: await hook.getAddress(),
          hookData: "0xc0ffee",
        }),
        "EB v4": await v4.pool(null, b, [E, 2030n * E], { fee: 500, tickSpacing: 10 }),
        "BW v4": await v4.pool(b, world.weth, [1970n * E, E]),
        "BE v4": await v4.pool(b, null, [1970n * E, E]),
        "BC v4": await v4.pool(b, c, [E, E], { fee: 100, tickSpacing: 1 }),
        "CW v4": await v4.pool(c, world.weth, [1970n * E, E]),
        "WB v3": await world.addV3(world.weth, b, E, 2030n * E, 500, 100_000n * E),
        "BW v3": await world.addV3(b, world.weth, 1970n * E, E, 3000, 100_000n * E),
        "WB v2": await world.addV2(world.weth, b, 500n * E, 1_030_000n * E, 0),
        "BW v2": await world.addV2(b, world.weth, 970_000n * E, 500n * E, 1),
        "BC v3": await world.addV3(b, c, E, E, 500, 2_000_000n * E),
      };
    });

    beforeEach(async function () {
      snapshots.push(await world.networkHelpers.takeSnapshot());
    });

    afterEach(async function () {
      await snapshots.pop()!.restore();
    });

    const send = (data: string) => world.operator.sendTransaction({ to: world.executorAddress, data });

    async function refusal(data: string, from = world.operator, more = {}): Promise<string> {
      try {
        const request = { from: await from.getAddress(), to: world.executorAddress, data, ...more };
        await world.provider.request({ method: "eth_call", params: [request, "latest"] });
        return "landed";
      } catch (error) {
        const explained = explainRevert((error as { data?: string }).data ?? "none");
        return explained.name;
      }
    }

    for (const names of [
      ["WB v4", "BW v4"],
      ["WB v4 hooked", "BW v4"],
      ["WB v4", "BW v3"],
      ["WB v4", "BW v2"],
      ["WB v3", "BW v4"],
      ["WB v2", "BW v4"],
      ["EB v4", "BE v4"],
      ["EB v4", "BW v4"],
      ["WB v4", "BE v4"],
      ["EB v4", "BW v3"],
      ["WB v2", "BE v4"],
      ["WB v4", "BC v4", "CW v4"],
      ["WB v2", "BC v3", "CW v4"],
      ["EB v4", "BC v3", "CW v4"],
    ]) {
      it(`${names.join(", ")} gains what was computed, with nothing of its own`, async function () {
        const path = names.map((name) => pools[name]!);
        const plan = await v4.planFor(path, ETHER);
        expect(plan.profit > 0n).to.equal(true);
        const data = encodePlan({ ...plan, minProfit: plan.profit });
        expect(await refusal(encodePlan({ ...plan, minProfit: plan.profit + 1n }))).to.equal("ProfitTooLow");
        for (const bytes of [data, encodeExecute({ ...plan, minProfit: plan.profit })]) {
          await world.rolledBack(async () => {
            const before = await world.weth.balanceOf(world.executorAddress);
            const { hash } = await send(bytes);
            expect((await callsOf(world, hash))[0]).to.equal("CALL unlock");
            expect((await world.weth.balanceOf(world.executorAddress)) - before).to.equal(plan.profit);
            expect(await world.ethers.provider.getBalance(world.executorAddress)).to.equal(0n);
            for (const name of ["B", "C"]) {
              expect(await (await world.token(name)).balanceOf(world.executorAddress)).to.equal(0n);
            }
          });
        }
        if (path.length === 2) expect((data.length - 2) / 2).to.be.at.most(120);
      });
    }

    it("keeps deadline, tip, own gas and sweep", async function () {
      const plan = await v4.planFor([pools["WB v4"]!, pools["BW v4"]!], ETHER);
      expect(await refusal(encodePlan({ ...plan, deadline: 1 }))).to.equal("Expired");
      const tip = { kind: "share", bips: 5000, floor: 0n, cap: ETHER } as const;
      const rest = plan.profit - plan.profit / 2n;
      const all = { ...plan, deadline: 2 ** 33, tip, sweep: true, minProfit: rest };
      expect(await refusal(encodePlan({ ...all, minProfit: rest + 1n }))).to.equal("ProfitTooLow");
      const held = await world.weth.balanceOf(world.executorAddress);
      await send(encodePlan(all));
      expect(await world.weth.balanceOf(world.owner)).to.equal(held + rest - 1n);
      const counting = { ...plan, minProfit: plan.profit, gasPrice: { price: 1n, scale: 0 } };
      const gasPrice = { gasPrice: "0x3b9aca00" };
      expect(await refusal(encodePlan(counting), world.operator, gasPrice)).to.equal("ProfitTooLow");
      expect(await refusal(encodePlan({ ...counting, minProfit: 1n }), world.operator, gasPrice)).to.equal("landed");
    });

    it("a loss, a stranger, cut bytes and a chain without a manager are refused", async function () {
      const loss = await v4.planFor([pools["BW v4"]!, pools["WB v4"]!], ETHER);
      expect(loss.profit < 0n).to.equal(true);
      expect(await refusal(encodePlan(loss))).to.equal("ProfitTooLow");
      const plan = await v4.planFor([pools["WB v4"]!, pools["BW v4"]!], ETHER);
      const data = encodePlan(plan);
      expect(await refusal(data, world.stranger)).to.equal("NotOperator");
      for (const bytes of [data.slice(0, -2), data + "00", "0xa9" + data.slice(4), "0xaa" + data.slice(4)]) {
        expect(await refusal(bytes)).to.equal("MalformedPlan");
      }
      await world.networkHelpers.setCode("0x000000000004444c5dc75cB358380D2e3dE08A90", "0x");
      expect(await refusal(data)).to.equal("empty");
    });

    it("a hostile hook can neither start nor continue anything, and send no ETH", async function () {
      const plan = await v4.planFor([pools["WB v4"]!, pools["BW v4"]!], ETHER);
      const hooked = pools["WB v4 hooked"] as V4Pool;
      const face = IArbExecutor__factory.createInterface();
      const hook = await v4.hook(1);
      const weth = await world.weth.getAddress();
      const trap = await v4.planFor([hooked, pools["BW v4"]!], ETHER);
      const unlock = new Interface(["function unlockCallback(bytes)"]);
      const body = "0x" + encodePlan(trap).slice(2, -24);
      for (const attack of [
        encodePlan(plan),
        encodeExecute(plan),
        face.encodeFunctionData("sweep", [weth]),
        face.encodeFunctionData("rescue", [weth, 1n]),
        unlock.encodeFunctionData("unlockCallback", [body]),
        "0x",
      ]) {
        await hook.set("0xc0ffee", 500, world.executorAddress, attack);
        await world.rolledBack(async () => {
          await send(encodePlan({ ...trap, minProfit: trap.profit }));
          expect(await hook.succeeded()).to.equal(false);
        });
      }
    });

    it("a fake V3 pool gets no more than what the plan leaves to be taken: it lands with its profit or not at all", async function () {
      const real = pools["BW v3"] as TestPool;
      const fake = { ...real, address: await world.trader.getAddress() };
      const plan = await v4.planFor([pools["WB v4"]!, real], ETHER);
      plan.hops[1] = { ...plan.hops[1]!, pool: fake.address };
      const before = await world.weth.balanceOf(world.executorAddress);
      expect(await refusal(encodePlan(plan))).to.not.equal("landed");
      expect(await world.weth.balanceOf(world.executorAddress)).to.equal(before);
    });
  });
}

describe("ArbExecutor: the PoolManager of each chain", function () {
  const sdk = packageText(".extracts/@uniswap/sdk-core@7.19.4/dist/cjs/src/addresses.js").toLowerCase();
  // answers every call with bytes that hold the number 5
  const FIVE = "0x60056040526020602052602060005260606000f3";

  for (const [chainId, manager] of [...Object.entries(POOL_MANAGERS), ["11155420", ""]] as [string, string][]) {
    it(`on chain ${chainId} is ${manager === "" ? "none" : "the one that Uniswap names"}`, async function () {
      const override = { type: "edr-simulated", chainId: Number(chainId) } as never;
      const { ethers, provider, networkHelpers } = await network.create({ network: "default", override });
      const [operator, owner] = (await ethers.getSigners()) as unknown as [Signer & { address: string }, Signer];
      const executor = await new ArbExecutor__factory(operator).deploy(owner, [operator]);
      const outcome = (minProfit: number) => {
        const data = "0xa8001100" + "00".repeat(12) + "06" + minProfit.toString(16).padStart(24, "0");
        const request = { from: operator.address, to: executor.target, data };
        return provider.request({ method: "eth_call", params: [request, "latest"] }).then(
          () => "landed",
          (error: { data: string }) => explainRevert(error.data).name,
        );
      };
      expect(await outcome(0)).to.equal("empty");
      if (manager === "") return;
      expect(sdk).to.contain(manager.toLowerCase());
      await networkHelpers.setCode(manager, FIVE);
      expect([await outcome(5), await outcome(6)]).to.deep.equal(["landed", "ProfitTooLow"]);
    });
  }
});
