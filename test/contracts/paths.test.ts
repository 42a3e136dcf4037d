import { expect } from "chai";
import { encodePlan } from "../../src/plan/codec.js";
import { callsOf } from "../helpers/calls.js";
import type { TestToken } from "../../types/contracts/index.js";
import { createWorld, ETHER, type TestPool, type World } from "../helpers/pools.js";

for (const wethFirst of [false, true]) {
  describe(`ArbExecutor: paths, WETH is token${wethFirst ? 0 : 1}`, function () {
    let world: World;
    /** Pools by leg and kind: WB buys B dear, BC, CD at par, BW, CW, DW sell dear. */
    let pools: Record<string, TestPool>;

    before(async function () {
      world = await createWorld(wethFirst);
      const tokens = [];
      for (const name of "BCDEF") tokens.push(await world.token(name));
      const [b, c, d, e, f] = tokens as [TestToken, TestToken, TestToken, TestToken, TestToken];
      const E = ETHER;
      pools = {
        "WB v2": await world.addV2(world.weth, b, 500n * E, 1_030_000n * E, 0),
        "WB v3": await world.addV3(world.weth, b, E, 2060n * E, 500),
        "BW v2": await world.addV2(b, world.weth, 970_000n * E, 500n * E, 1),
        "BW v3": await world.addV3(b, world.weth, 1940n * E, E, 3000),
        "BC v2": await world.addV2(b, c, 1_000_000n * E, 1_000_000n * E),
        "BC v3": await world.addV3(b, c, E, E, 500, 2_000_000n * E),
        "CD v2": await world.addV2(c, d, 1_000_000n * E, 1_000_000n * E),
        "CD v3": await world.addV3(c, d, E, E, 500, 2_000_000n * E),
        "CW v2": await world.addV2(c, world.weth, 970_000n * E, 500n * E),
        "CW v3": await world.addV3(c, world.weth, 1940n * E, E, 3000),
        "DW v2": await world.addV2(d, world.weth, 970_000n * E, 500n * E),
        "DW v3": await world.addV3(d, world.weth, 1940n * E, E, 3000),
        "DE v2": await world.addV2(d, e, 1_000_000n * E, 1_000_000n * E),
        "DE v3": await world.addV3(d, e, E, E, 500, 2_000_000n * E),
        "EF v2": await world.addV2(e, f, 1_000_000n * E, 1_000_000n * E),
        "EF v3": await world.addV3(e, f, E, E, 500, 2_000_000n * E),
        "EW v2": await world.addV2(e, world.weth, 970_000n * E, 500n * E),
        "EW v3": await world.addV3(e, world.weth, 1940n * E, E, 3000),
        "FW v2": await world.addV2(f, world.weth, 970_000n * E, 500n * E),
        "FW v3": await world.addV3(f, world.weth, 1940n * E, E, 3000),
      };
    });

    const LEGS: Record<number, string[]> = {
      2: ["WB", "BW"],
      3: ["WB", "BC", "CW"],
      4: ["WB", "BC", "CD", "DW"],
      5: ["WB", "BC", "CD", "DE", "EW"],
      6: ["WB", "BC", "CD", "DE", "EF", "FW"],
    };
    /** Of the longest: one kind alone, both in turn, and one kind between the other at both ends. */
    const FEW = [0, 0b111111, 0b010101, 0b101010, 0b011110, 0b100001];
    for (const [hops, legs] of Object.entries(LEGS)) {
      const all = Array.from({ length: 1 << Number(hops) }, (_, bits) => bits);
      for (const bits of Number(hops) > 4 ? FEW : all) {
        const names = legs.map((leg, i) => `${leg} ${((bits >> i) & 1) === 1 ? "v3" : "v2"}`);
        for (const amounts of ["fixed", "adaptive"] as const) {
          for (const source of ["flash-swap", "own-balance"] as const) {
            it(`${names.map((name) => name.slice(3)).join("-")} ${amounts} ${source} gains what was computed`, async function () {
              await world.rolledBack(async () => {
                const path = names.map((name) => pools[name]!);
                const amountIn = 2n * ETHER;
                if (source === "own-balance") await world.weth.transfer(world.executorAddress, amountIn);
                const plan = await world.planFor(path, amountIn, { amounts, funding: { source, lender: null, maxFee: 0n } });
                const { payment, profit } = await world.expectation(plan, path);
                expect(profit > 0n).to.equal(true);
                // the tightest bounds: the cap and the least profit are exactly what happens
                const bounded = { ...plan, maxAmountIn: plan.hops[0]!.amountIn, minProfit: profit };
                expect(payment <= bounded.maxAmountIn).to.equal(true);
                const before = await world.weth.balanceOf(world.executorAddress);
                const sent = await world.operator.sendTransaction({ to: world.executorAddress, data: encodePlan(bounded) });
                expect((await callsOf(world, sent.hash)).length >= names.length).to.equal(true);
                expect((await world.weth.balanceOf(world.executorAddress)) - before).to.equal(profit);
                for (const name of "BCDEF") {
                  expect(await (await world.token(name)).balanceOf(world.executorAddress)).to.equal(0n);
                }
              });
            });
          }
        }
      }
    }
  });
}
