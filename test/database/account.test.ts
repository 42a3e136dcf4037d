import { lstatSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect } from "chai";
import { give } from "../../src/database/account.js";

describe("files that root gives to another account", () => {
  it("never what a link of that account leads to", function () {
    if (process.getuid?.() !== 0) this.skip();
    const folder = mkdtempSync(path.join(os.tmpdir(), "arb-account-"));
    const [precious, link] = [path.join(folder, "precious"), path.join(folder, "log")];
    writeFileSync(precious, "");
    symlinkSync(precious, link);
    give(link, { uid: 65_534, gid: 65_534 });
    expect([statSync(precious).uid, lstatSync(link).uid]).to.deep.equal([0, 65_534]);
    rmSync(folder, { recursive: true });
  });
});
