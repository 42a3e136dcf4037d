import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { ETHER } from "../helpers/pools.js";
import { createVaultWorld, type VaultWorld } from "../helpers/vault.js";

/** Gas of whole transactions, compared with test/golden/vault-gas.json. WRITE_GOLDEN=1 rewrites the file. */
const GAS = new URL("../golden/vault-gas.json", import.meta.url);

describe("ArbVault: gas", function () {
  let w: VaultWorld;
  before(async function () {
    w = await createVaultWorld();
  });

  it("costs no more gas than recorded, and than docs/vault.md says", async function () {
    const golden = JSON.parse(readFileSync(GAS, "utf8")) as Record<string, number>;
    const measured: Record<string, number> = {};
    const run = async (row: string, send: () => Promise<{ wait(): Promise<{ gasUsed: bigint } | null> }>) => {
      // the second of its kind: usage and balances are not zero any more
      await (await send()).wait();
      measured[row] = Number((await (await send()).wait())!.gasUsed);
    };
    await w.world.rolledBack(async () => {
      await w.world.trade(w.v2, w.weth, ETHER);
      await w.world.trade(w.v3, w.weth, ETHER);
      const v2 = await w.setMarket(await w.market(w.v2, w.weth));
      const v3 = await w.setMarket(await w.market(w.v3, w.weth));
      await run("swap, V2, feeds", () => w.asOperator.swap([v2], ETHER, 0n));
      await run("swap, V3, feeds", () => w.asOperator.swap([v3], ETHER, 0n));
      await w.poolContract(w.v3.address).getFunction("increaseObservationCardinalityNext")(50);
      await w.world.networkHelpers.time.increase(3600);
      await w.setMarket(await w.market(w.v3, w.weth, { price: w.byPool(w.v3.address) }));
      await run("swap, V3, average price", () => w.asOperator.swap([v3], ETHER, 0n));
      const across = await w.setRoute(await w.route("across"));
      await run("bridge, without the bridge's own gas", () => w.asOperator.bridge(across, w.transfer()));
    });
    if (process.env.WRITE_GOLDEN) writeFileSync(GAS, JSON.stringify(measured, null, 2) + "\n");
    else
      for (const [row, gas] of Object.entries(measured)) {
        // zeros in the addresses of a call make a little difference
        expect(gas, `${row} grew`).to.be.at.most(golden[row]! + 200);
      }
    const docs = readFileSync(new URL("../../docs/vault.md", import.meta.url), "utf8");
    for (const [row, gas] of Object.entries(process.env.WRITE_GOLDEN ? measured : golden))
      expect(docs, row).to.include(`| ${row} | ${gas.toLocaleString("en-US")} |`);
  });
});
