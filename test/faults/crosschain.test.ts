import { expect } from "chai";
import { LABELS, planOf } from "../../scripts/faults/crosschain/plan.js";
import { type CrossChainReport, runCrossChain } from "../../scripts/faults/crosschain/run.js";

/**
 * Rounds of this seed in which driver and database are killed and a new driver goes on, and in which one of two is frozen and wakes up, by
 * bridge and from inventory.
 */
const SEED = 777;
const ROUNDS = [2, 7];

describe("faults: cross-chain drivers that are killed and frozen while sagas run", () => {
  it("loses no trade, starts and sells nothing twice, and the books are the chains' to the wei", async function () {
    this.timeout(1_200_000);
    const notes: string[] = [];
    const report: CrossChainReport = await runCrossChain({
      seed: SEED,
      rounds: ROUNDS,
      results: null,
      note: (text) => notes.push(text),
    });
    // how fast a trade is taken over depends on the machine, and is not asked here
    const counts = { rounds: ROUNDS.length, lost: 0, doubleStarts: 0, doubleLegs: 0, ledgerMismatch: 0, crashes: 0 };
    const more = { nonceReused: 0, gaps: 0, unaccounted: 0, finished: report.sagas };
    expect(report, `${notes.join("\n")}\n${report.faults.join("\n")}`).to.deep.include({ ...counts, ...more });
    expect(report.sagas).to.be.at.least(4);
    expect(report.kills).to.include({ alone: 1, frozen: 1 });
  });

  it("200 rounds of any seed have every label, every kind of fault and every bridge, and amounts that are unique", () => {
    for (const seed of [1, 777, 123_456_789]) {
      const plans = Array.from({ length: 200 }, (_, round) => planOf(seed, round));
      const labels = new Set(plans.flatMap(({ moment }) => (moment.at === "label" ? [moment.label] : [])));
      expect(labels.size).to.be.at.least(LABELS.length * 0.85);
      expect(new Set(plans.map((p) => p.drivers))).to.have.all.keys("alone", "boot", "pair", "frozen");
      const wishes = plans.flatMap((p) => p.wishes);
      expect(wishes.length).to.be.at.least(400);
      expect(new Set(wishes.map((w) => w.amountIn)).size).to.equal(wishes.length);
      expect(new Set(wishes.map((w) => w.homeBridge))).to.have.all.keys("across", "cctp", "stargate");
      expect(new Set(wishes.map((w) => w.out)).size).to.equal(8);
      expect(planOf(seed, 7)).to.deep.equal(plans[7]);
    }
  });
});
