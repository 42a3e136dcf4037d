import { expect } from "chai";
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

describe("set-up scripts, several at once", () => {
  let clone: string;

  beforeEach(() => {
    clone = mkdtempSync(path.join(os.tmpdir(), "a clone "));
    cpSync(path.resolve(import.meta.dirname, "../../scripts/setup"), path.join(clone, "scripts/setup"), { recursive: true });
  });
  afterEach(() => rmSync(clone, { recursive: true, force: true }));

  const together = async (count: number, args: string[]): Promise<string[]> => {
    const ends = await Promise.all(Array.from({ length: count }, () => run(process.execPath, args, { cwd: clone })));
    return ends.map((e) => e.stderr);
  };

  it("link the carried Node without a fault, and leave a right link alone", async () => {
    const home = path.join(clone, "node_modules", `node-${process.platform}-${process.arch}`, "bin");
    mkdirSync(home, { recursive: true });
    writeFileSync(path.join(home, "node"), "");
    const script = path.join(clone, "scripts/setup/link-bins.mjs");
    const code = `const { linkBins } = await import(${JSON.stringify(script)}); for (let i = 0; i < 300; i++) linkBins();`;
    expect(await together(4, ["--input-type=module", "-e", code])).to.deep.equal(["", "", "", ""]);
    expect(readlinkSync(path.join(clone, "node_modules/.bin/node"))).to.match(/^\.\.\/node-.*bin\/node$/);
  });

  it("work one after the other, also after one that died", async () => {
    const log = JSON.stringify(path.join(clone, "log"));
    writeFileSync(path.join(clone, ".setup.lock"), "4194999\n"); // above Linux' highest process id
    const code = `
      import { appendFileSync } from "node:fs";
      import { exclusively } from ${JSON.stringify(path.join(clone, "scripts/setup/lock.mjs"))};
      await exclusively(async () => {
        appendFileSync(${log}, "in ");
        await new Promise((resolve) => setTimeout(resolve, 50));
        appendFileSync(${log}, "out ");
      });`;
    await together(4, ["--input-type=module", "-e", code]);
    expect(readFileSync(path.join(clone, "log"), "utf8")).to.equal("in out ".repeat(4));
    expect(existsSync(path.join(clone, ".setup.lock"))).to.equal(false);
  });
});
