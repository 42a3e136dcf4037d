import { expect } from "chai";
import type { Database } from "../../src/database/open.js";
import { judgeStart, type Start } from "../../src/transfers/estimate.js";
import { journalDatabase } from "../helpers/journal.js";
import { A, ACCOUNT, B, scriptedSaga, type ScriptedSite, USDC } from "../helpers/scripted-saga.js";

describe("judging a start: the ways out are quoted, and the worst of them counts", () => {
  let db: Database;
  let count = 0;
  before(async () => (db = await journalDatabase()));
  after(async () => await db.close());

  const site = async (mode: "bridge" | "inventory", policy: { maxLoss?: bigint; holdLimit?: bigint }): Promise<ScriptedSite> =>
    await scriptedSaga(db, `judged-${count++}`, { mode, policy });
  const judged = async ({ env, opportunity }: ScriptedSite): Promise<Start> =>
    await judgeStart(opportunity, ACCOUNT, { ...env, rules: { ...env.rules, minProfit: { USDC } } });
  /** One network's pools pay less for ether than they take for it, USDC. */
  const spread = (s: ScriptedSite, chainId: number, [buys, sells]: [bigint, bigint]): void => {
    s.world.beforeSale = (at, selling) => {
      if (at === chainId) for (const pool of s.world.pools[at]!) pool.price = (selling ? buys : sells) * USDC;
    };
  };
  const reason = (start: Start): string => (start.ok ? "it may start" : start.reason);

  for (const mode of ["bridge", "inventory"] as const) {
    it(`${mode}: refused where the resale at the source would lose more than maxLoss, opened where it would not`, async () => {
      const most = 100n * USDC;
      const refused = await site(mode, { maxLoss: most });
      spread(refused, A, [1_000n, 3_000n]);
      const start = await judged(refused);
      expect(start.estimate.profit > 50n * USDC, reason(start)).to.equal(true);
      expect(start.estimate.worstLoss! > 2_000n * USDC).to.equal(true);
      expect(reason(start)).to.match(
        /where the price does not pay any more, the best way out would lose 20\d+, more than 100000000$/,
      );

      const opened = await site(mode, { maxLoss: most });
      spread(opened, A, [2_950n, 3_000n]);
      const fine = await judged(opened);
      expect(fine.ok, reason(fine)).to.equal(true);
      expect(fine.estimate.worstLoss! > 50n * USDC && fine.estimate.worstLoss! < most, String(fine.estimate.worstLoss)).to.equal(
        true,
      );
    });
  }

  it("inventory: refused where what was sold could only be bought back too dear", async () => {
    const dear = await site("inventory", { maxLoss: 100n * USDC });
    spread(dear, B, [3_120n, 3_300n]);
    expect(reason(await judged(dear))).to.match(/^in sold-not-bought, .* would lose 1\d{8}, more than 100000000$/);
    const fine = await site("inventory", { maxLoss: 200n * USDC });
    spread(fine, B, [3_120n, 3_300n]);
    expect(reason(await judged(fine))).to.equal("it may start");
  });

  it("bridge: bringing back what arrived is quoted with all its fees", async () => {
    const s = await site("bridge", {});
    s.world.feePpm = 10_000n;
    const start = await judged(s);
    const [back] = start.estimate.waysOut["target-leg"]!.filter((w) => w.kind === "bridge-back");
    // two transfers for 1 % each, and 0.3 % of the sale, beside the 0.17 % that the other pool at the source pays more
    expect(back!.loss! > 63n * USDC && back!.loss! < 65n * USDC, String(back!.loss)).to.equal(true);
    expect(start.estimate.worstLoss).to.equal(back!.loss);
  });

  it("where no bridge takes it back, it starts up to what may be held", async () => {
    for (const [holdLimit, expected] of [
      [3_000n * USDC, /^it may start$/],
      [
        2_999n * USDC,
        /^in target-leg, .* no way out can be quoted, and 3000000000 are more than the 2999000000 that may be held$/,
      ],
    ] as const) {
      const s = await site("bridge", { holdLimit });
      s.world.refuses = (transfer) => transfer === "back?";
      const start = await judged(s);
      expect(start.estimate.worstLoss).to.equal(null);
      expect(reason(start)).to.match(expected);
    }
  });
});
