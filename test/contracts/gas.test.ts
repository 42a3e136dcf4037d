import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { encodeExecute, encodePlan } from "../../src/plan/codec.js";
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
    world = await createWorld();
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
    guarded: boolean,
  ) {
    const plan = await world.planFor(path, ETHER, { amounts });
    const { profit } = await world.expectation(plan, path);
    const bounded = { ...plan, minProfit: (profit * 9n) / 10n, deadline: guarded ? 2 ** 32 - 1 : null };
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
        await measure(`${name} ${amounts}`, paths[name]!, amounts, encodePlan, false);
      });
    }
    it(`${name} with a deadline costs no more than recorded`, async function () {
      await measure(`${name} fixed, deadline`, paths[name]!, "fixed", encodePlan, true);
    });
    it(`${name} through execute(bytes) costs no more than recorded`, async function () {
      await measure(`${name} fixed, execute`, paths[name]!, "fixed", encodeExecute, false);
    });
  }
});
