import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { type GasReport, type GasRow, measureGas } from "../../scripts/bench/gas.js";

/**
 * What `npm run bench -- gas` measures, compared with test/golden/bench-gas.json: a row may fall but not rise.
 * WRITE_GOLDEN=1 rewrites the file.
 */
const FILE = new URL("../golden/bench-gas.json", import.meta.url);

describe("benchmark: gas", function () {
  let report: GasReport;
  let golden: GasReport;
  const keyOf = ({ path, funding, amounts }: GasRow) => `${path} ${amounts} ${funding}`;

  before(async function () {
    // the first time compiles Morpho
    this.timeout(300_000);
    report = await measureGas();
    if (process.env.WRITE_GOLDEN) writeFileSync(FILE, JSON.stringify(report, null, 2) + "\n");
    golden = JSON.parse(readFileSync(FILE, "utf8")) as GasReport;
  });

  it("costs no more in any row than recorded, and has every row", function () {
    const recorded = new Map(golden.rows.map((row) => [keyOf(row), row]));
    expect(report.rows.map(keyOf)).to.have.members([...recorded.keys()]);
    for (const row of report.rows) {
      for (const figure of ["gasUsed", "gasUsedWithAccessList", "calldataBytes"] as const) {
        expect(row[figure], `${keyOf(row)}: ${figure} grew`).to.be.at.most(recorded.get(keyOf(row))![figure]);
      }
    }
  });

  it("costs no more for any guard or failure than recorded", function () {
    expect(report.guards.map(({ guard }) => guard)).to.deep.equal(golden.guards.map(({ guard }) => guard));
    for (const [i, { guard, gasUsed }] of report.guards.entries()) {
      expect(gasUsed, guard).to.be.at.most(golden.guards[i]!.gasUsed);
    }
    expect(report.failures).to.have.lengthOf(golden.failures.length);
    for (const [i, { path, check, gasUsed }] of report.failures.entries()) {
      expect(gasUsed, `${path} fails, check: ${check}`).to.be.at.most(golden.failures[i]!.gasUsed);
    }
  });

  it("loses a race for under 40,000 gas, if it looks at the first pool before anything else", function () {
    const checked = report.failures.filter(({ check }) => check === "first pool");
    expect(checked).to.have.lengthOf(4);
    for (const { path, gasUsed } of checked) expect(gasUsed, path).to.be.lessThan(40_000);
  });

  it("stays within the bars, and at least 2.1 times below the usual design", function () {
    const judged = report.rows.filter(({ bar }) => bar !== null);
    expect(judged.map(({ path }) => path)).to.include.members(["V2-V2", "V2-V3", "V3-V2", "V3-V3", "V4-V4"]);
    for (const row of judged) {
      expect(row.gasUsed, keyOf(row)).to.be.at.most(row.bar!);
      expect(row.naiveRatio, keyOf(row)).to.be.at.least(report.leastNaiveRatio);
    }
  });

  it("lies between the floor and the other designs", function () {
    for (const row of report.rows) {
      expect(row.gasUsed, keyOf(row)).to.be.greaterThan(row.floor);
      expect(row.gasUsedWithAccessList, keyOf(row)).to.be.lessThan(row.gasUsed);
      expect(row.gasUsed, keyOf(row)).to.be.lessThan(row.naive);
      if (row.funding === "flash-swap") expect(row.gasUsed, keyOf(row)).to.be.lessThan(row.universalRouter);
    }
  });

  it("takes at most 120 bytes for two hops that fund themselves", function () {
    const short = report.rows.filter(({ path, funding }) => path.length === 5 && funding === "flash-swap");
    expect(short).to.have.length.greaterThan(7);
    for (const row of short) expect(row.calldataBytes, keyOf(row)).to.be.at.most(120);
  });
});
