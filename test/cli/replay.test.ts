import { existsSync } from "node:fs";
import path from "node:path";
import { expect } from "chai";
import { arb, jsonLines, temporaryFolder } from "../helpers/arb.js";

const file = path.resolve("../shared/recorded/cases/1-17666333-37.json.gz");

describe("arb replay", () => {
  const { folder: cwd, remove } = temporaryFolder();
  after(remove);

  it("prints our result beside the searcher's", async function () {
    if (!existsSync(file)) {
      console.log(`      skipped: no recording at ${file}`);
      this.skip();
    }
    const run = await arb(["replay", file, "--json"], { cwd });
    expect(run.code, run.stderr).to.equal(0);
    const [result] = jsonLines(run) as [Record<string, any>];
    expect(Object.keys(result).toSorted()).to.deep.equal(
      ["caseId", "chainId", "ours", "profitToken", "searcher", "unrecordedReads"].toSorted(),
    );
    expect(BigInt(result["ours"]["grossProfit"]) > 0n).to.equal(true);
    expect(result["ours"]["gasUsed"]).to.be.a("number");
  });

  it("ends with 2 for a file that is not there", async () => {
    const run = await arb(["replay", "none.json"], { cwd });
    expect(run).to.include({ code: 2, stdout: "" });
    expect(run.stderr).to.match(/none\.json/);
  });
});
