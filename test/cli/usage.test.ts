import { expect } from "chai";
import { arb, temporaryFolder } from "../helpers/arb.js";

describe("arb: usage", () => {
  const { folder: cwd, remove } = temporaryFolder();
  after(remove);

  it("explains itself with --help", async () => {
    const run = await arb(["--help"], { cwd });
    expect([run.code, run.stderr]).to.deep.equal([0, ""]);
    for (const command of ["demo", "init", "wallet", "deploy", "quote", "execute", "replay"]) {
      expect(run.stdout).to.match(new RegExp(`^  ${command} `, "m"));
    }
  });

  it("tells its version", async () => {
    const run = await arb(["--version"], { cwd });
    expect(run.code).to.equal(0);
    expect(run.stdout).to.match(/^\d+\.\d+\.\d+\n$/);
  });

  const wrong: [what: string, args: string[], message: RegExp][] = [
    ["an unknown command", ["trade"], /unknown command 'trade'/],
    ["no command", [], /Usage: arb/],
    ["an unknown option", ["quote", "--fast"], /unknown option '--fast'/],
    ["a missing option", ["deploy", "--network", "base"], /required option '--owner <address>' not specified/],
    ["an unknown network", ["deploy", "--network", "bass", "--owner", "0x"], /no network "bass".*\n.*known are ethereum/],
  ];
  for (const [what, args, message] of wrong) {
    it(`ends with 2 for ${what}, and says so on stderr only`, async () => {
      const run = await arb(args, { cwd });
      expect([run.code, run.stdout]).to.deep.equal([2, ""]);
      expect(run.stderr).to.match(message);
    });
  }

  it("reports wrong usage as one JSON object with --json", async () => {
    const run = await arb(["quote", "--json", "--fast"], { cwd });
    expect(run.code).to.equal(2);
    expect(JSON.parse(run.stderr)).to.deep.equal({
      error: { code: "usage", message: "unknown option '--fast'", where: null, hint: null },
    });
  });

  it("ends with 3 without a configuration, and says how to make one", async () => {
    const run = await arb(["quote", "opportunity.json"], { cwd });
    expect([run.code, run.stdout]).to.deep.equal([3, ""]);
    expect(run.stderr).to.match(/cannot be read \(at arb\.config\.jsonc\)\n +make one with: arb init\n$/);
  });
});
