import { existsSync } from "node:fs";
import { expect } from "chai";
import { measureReplays, RECORDINGS, type ReplayReport } from "../../scripts/bench/replay.js";

/** What `npm run bench -- replay` measures: real blocks, beside the searcher that won there. */
describe("benchmark: recorded blocks", function () {
  let report: ReplayReport;

  before(async function () {
    if (!existsSync(RECORDINGS)) {
      console.log(`      skipped: no recordings at ${RECORDINGS}`);
      this.skip();
    }
    report = await measureReplays();
  });

  it("costs less gas than the searcher by the share that is promised, in every block since London", function () {
    const judged = report.rows.filter(({ bar }) => bar !== null);
    expect(judged.map(({ caseId }) => caseId))
      .to.include("1-17666333-37")
      .and.to.have.length.greaterThan(5);
    for (const { caseId, gasRatio, bar } of judged) expect(gasRatio, caseId).to.be.at.most(bar!);
  });

  it("takes an access list where it pays: each entry saves 100", function () {
    for (const { ourGas, ourGasWithoutAccessList, ourGasWithAccessList } of report.rows) {
      expect(ourGasWithAccessList).to.be.lessThan(ourGasWithoutAccessList);
      expect(ourGas).to.equal(ourGasWithAccessList);
      expect((ourGasWithoutAccessList - ourGasWithAccessList!) % 100).to.equal(0);
    }
  });

  it("brings at least 99.9 % of what the searcher got", function () {
    for (const { caseId, ourGross, searcherGross } of report.rows) {
      expect(BigInt(ourGross) * 1000n >= BigInt(searcherGross) * 999n, caseId).to.equal(true);
    }
  });
});
