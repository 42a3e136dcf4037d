import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { encodeExecute, encodePlan } from "../../src/plan/codec.js";
import type { Plan } from "../../src/plan/plan.js";
import { createWorld, ETHER, type TestPool, type World } from "../helpers/pools.js";

/**
 * Gas of whole transactions, compared with test/golden/gas.json: a row may fall but not rise. The scenario: real Uniswap pools
 * that have traded in earlier blocks, no tick crossed, an executor that holds a little WETH, 1 WETH as input, a least profit of
 * 90 %. WRITE_GOLDEN=1 rewrites the file.
 */
const FILE = new URL("../golden/gas.json", import.meta.url);
const golden = JSON.parse(readFileSync(FILE, "utf8")) as Record<string, number>;

describe("ArbExecutor: gas", function () {
  let world: World;
  let paths: Record<string, TestPool[]>;
  const measured: Record<string, number> = {};

  before(async function () {
    world = await createWorld(true);
    const b = await world.token("B");
    const E = ETHER;
    const firstV2 = await world.addV2(world.weth, b, 500n * E, 1_010_000n * E, 0);
    const lastV2 = await world.addV2(world.weth, b, 500n * E, 990_000n * E, 1);
    const firstV3 = await world.addV3(world.weth, b, E, 2015n * E, 500, 100_000n * E);
    const lastV3 = await world.addV3(world.weth, b, E, 1985n * E, 3000, 100_000n * E);
    for (const pool of [firstV2, lastV2, firstV3, lastV3]) {
      await world.trade(pool, await world.weth.getAddress(), E / 10n);
      await world.trade(pool, await b.getAddress(), 200n * E);
    }
    paths = { "V2-V2": [firstV2, lastV2], "V2-V3": [firstV2, lastV3], "V3-V2": [firstV3, lastV2], "V3-V3": [firstV3, lastV3] };
  });

  after(function () {
    console.table(Object.fromEntries(Object.entries(measured).map(([row, gas]) => [row, { gas, golden: golden[row] }])));
    if (process.env.WRITE_GOLDEN) writeFileSync(FILE, JSON.stringify(measured, null, 2) + "\n");
  });

  async function measure(
    row: string,
    path: TestPool[],
    amounts: "fixed" | "adaptive",
    encode: typeof encodePlan,
    guards: Partial<Plan> = {},
  ) {
    const plan = await world.planFor(path, ETHER, { amounts });
    const { profit } = await world.expectation(plan, path);
    const bounded = { ...plan, minProfit: (profit * 9n) / 10n, ...guards };
    const gas = await world.rolledBack(async () => {
      const sent = await world.operator.sendTransaction({ to: world.executorAddress, data: encode(bounded) });
      return Number((await sent.wait())!.gasUsed);
    });
    measured[row] = gas;
    if (!process.env.WRITE_GOLDEN) expect(gas, `${row} grew`).to.be.at.most(golden[row]!);
  }

  for (const name of ["V2-V2", "V2-V3", "V3-V2", "V3-V3"]) {
    for (const amounts of ["fixed", "adaptive"] as const) {
      it(`${name} ${amounts} costs no more than recorded`, async function () {
        await measure(`${name} ${amounts}`, paths[name]!, amounts, encodePlan);
      });
    }
    it(`${name} with a deadline costs no more than recorded`, async function () {
      await measure(`${name} fixed, deadline`, paths[name]!, "fixed", encodePlan, { deadline: 2 ** 32 - 1 });
    });
    it(`${name} through execute(bytes) costs no more than recorded`, async function () {
      await measure(`${name} fixed, execute`, paths[name]!, "fixed", encodeExecute);
    });
  }

  // each guard alone, on the shortest path; the difference to "V2-V2 fixed" is what it costs
  const GUARDS: Record<string, () => Promise<Partial<Plan>>> = {
    "parent hash": async () => ({ parentHash: (await world.ethers.provider.getBlock("latest"))!.hash! }),
    "first pool": async () => ({ poolBound: 1n }),
    "own gas": async () => ({ gasPrice: { price: 1n, scale: 0 }, minProfit: 0n }),
    "fixed tip": async () => ({ tip: { kind: "fixed", amount: 10n ** 12n } }),
    "tip by share": async () => ({ tip: { kind: "share", bips: 100, floor: 0n, cap: ETHER } }),
    sweep: async () => ({ sweep: true }),
  };
  for (const [guard, make] of Object.entries(GUARDS)) {
    it(`V2-V2 with the guard "${guard}" costs no more than recorded`, async function () {
      // a proposer and an owner that exist and held WETH before, as in use
      await world.networkHelpers.setBalance("0x00000000000000000000000000000000000c01ba", 1n);
      await world.provider.request({ method: "hardhat_setCoinbase", params: ["0x00000000000000000000000000000000000c01ba"] });
      if ((await world.weth.balanceOf(world.owner)) === 0n) await world.weth.transfer(world.owner, 1n);
      await measure(`V2-V2 fixed, ${guard}`, paths["V2-V2"]!, "fixed", encodePlan, await make());
    });
  }

  for (const first of ["V2-V2", "V3-V3"]) {
    it(`${first} fails for no more than recorded when its first pool has moved, and for under 40,000`, async function () {
      const path = paths[first]!;
      const plan = await world.planFor(path, ETHER, { poolBound: first === "V2-V2" ? 2n ** 112n : 2n ** 159n });
      const gas = await world.rolledBack(async () => {
        await world.provider.request({ method: "evm_setAutomine", params: [false] });
        const call = { to: world.executorAddress, data: encodePlan(plan), gasLimit: 500_000n };
        const sent = await world.operator.sendTransaction(call);
        await world.networkHelpers.mine();
        await world.provider.request({ method: "evm_setAutomine", params: [true] });
        const receipt = (await world.ethers.provider.getTransactionReceipt(sent.hash))!;
        expect(receipt.status).to.equal(0);
        return Number(receipt.gasUsed);
      });
      measured[`${first} fixed, first pool moved`] = gas;
      expect(gas).to.be.lessThan(40_000);
      if (!process.env.WRITE_GOLDEN) expect(gas).to.be.at.most(golden[`${first} fixed, first pool moved`]!);
    });
  }

  it("stays at or below the bars of the peers' best", function () {
    const bars = { "V2-V2": 132_300, "V2-V3": 140_100, "V3-V2": 140_900, "V3-V3": 149_900 };
    for (const [row, bar] of Object.entries(bars)) expect(measured[`${row} fixed`]).to.be.at.most(bar);
  });
});
