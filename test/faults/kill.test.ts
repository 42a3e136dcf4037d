import { expect } from "chai";
import { planOf } from "../../scripts/faults/plan.js";
import { type KillReport, runKills } from "../../scripts/faults/kill.js";
import { STEPS } from "../../src/journal/types.js";

/** Rounds of this seed that differ: after a signature is journaled, while receipts are taken back, and while a relay has a bundle; each with the database. */
const SEED = 777;

describe("faults: a driver that is killed while it trades", () => {
  it("loses nothing, sends nothing twice, and its books are the chain's to the wei", async function () {
    this.timeout(400_000);
    const notes: string[] = [];
    const rounds = [86, 101, 32];
    const report: KillReport = await runKills({ seed: SEED, rounds, results: null, note: (text) => notes.push(text) });
    const counts = { lost: 0, nonceReused: 0, doubleSpends: 0, gaps: 0, unaccounted: 0, crashes: 0, rounds: 3 };
    expect(report, `${notes.join("\n")}\n${report.faults.join("\n")}`).to.deep.include(counts);
    expect(report.intents).to.be.at.least(36);
  });

  it("200 rounds of any seed are enough for every label, and for 2,000 intents", () => {
    for (const seed of [1, 777, 123_456_789]) {
      const plans = Array.from({ length: 200 }, (_, round) => planOf(seed, round));
      const labels = new Set(plans.flatMap(({ moment }) => (moment.at === "step" ? [moment.step] : [])));
      expect([...labels]).to.have.members([...STEPS]);
      const traded = plans.filter(({ moment }) => moment.at === "time" || (moment.at === "step" && !moment.early));
      expect(traded.reduce((sum, { wishes }) => sum + wishes.length, 0)).to.be.at.least(2_000);
      expect(plans.filter(({ database }) => database !== "lives")).to.have.length(66);
      expect(planOf(seed, 7)).to.deep.equal(plans[7]);
    }
  });
});
