import { expect } from "chai";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { computeAddress } from "ethers";
import { PASSWORD, PRIVATE_KEY, arb, jsonLines, temporaryFolder } from "../helpers/arb.js";

describe("arb wallet", () => {
  const { folder: cwd, remove } = temporaryFolder();
  after(remove);
  const at = (file: string) => path.join(cwd, file);
  const password = ["--password", "file:password"];
  before(() => {
    writeFileSync(at("password"), `${PASSWORD}\n`, { mode: 0o600 });
    writeFileSync(at("key"), `${PRIVATE_KEY}\n`, { mode: 0o600 });
    writeFileSync(at("open"), `${PASSWORD}\n`, { mode: 0o644 });
    writeFileSync(at("wrong"), "another password\n", { mode: 0o600 });
  });

  it("creates an encrypted key that only its owner can read", async () => {
    const run = await arb(["wallet", "create", "new.json", ...password, "--json"], { cwd });
    expect(run).to.include({ code: 0, stderr: "" });
    const [{ address, file }] = jsonLines(run) as [{ address: string; file: string }];
    expect(file).to.equal("new.json");
    expect(statSync(at("new.json")).mode & 0o777).to.equal(0o600);
    const keystore = JSON.parse(readFileSync(at("new.json"), "utf8")) as Record<string, any>;
    expect(keystore["version"]).to.equal(3);
    expect(keystore["crypto"]["kdfparams"]["n"]).to.equal(131072);
    expect(keystore["address"]).to.equal(address.slice(2).toLowerCase());
  });

  it("imports a private key and a keystore to the same address", async () => {
    const byKey = await arb(["wallet", "import", "key.json", "--key", "file:key", ...password], { cwd });
    const byFile = await arb(["wallet", "import", "copy.json", "--from", "key.json", ...password], { cwd });
    const address = computeAddress(PRIVATE_KEY);
    expect([byKey, byFile].map((r) => [r.code, r.stdout])).to.deep.equal([
      [0, `${address} in key.json\n`],
      [0, `${address} in copy.json\n`],
    ]);
    expect([at("key.json"), at("copy.json")].map((f) => statSync(f).mode & 0o777)).to.deep.equal([0o600, 0o600]);
  });

  it("never overwrites a file", async () => {
    const before = readFileSync(at("key.json"), "utf8");
    const runs = await Promise.all([
      arb(["wallet", "create", "key.json", ...password], { cwd }),
      arb(["wallet", "import", "key.json", "--key", "file:key", ...password], { cwd }),
    ]);
    for (const run of runs) {
      expect(run).to.include({ code: 4, stdout: "" });
      expect(run.stderr).to.match(/already there; keys are never overwritten \(at key\.json\)/);
    }
    expect(readFileSync(at("key.json"), "utf8")).to.equal(before);
  });

  const refused: [what: string, args: string[], code: number, message: RegExp][] = [
    ["a password that lies open to others", ["create", "x.json", "--password", "file:open"], 4, /others can read/],
    ["a password as itself", ["create", "x.json", "--password", PASSWORD], 4, /by reference, never as itself/],
    ["a prompt without a terminal", ["create", "x.json"], 4, /no terminal to ask/],
    ["the wrong password", ["import", "x.json", "--from", "key.json", "--password", "file:wrong"], 4, /does not open/],
    ["a key and a keystore at once", ["import", "x.json", "--from", "a", "--key", "file:b"], 2, /exactly one/],
    ["a key that is none", ["import", "x.json", "--key", "file:wrong", ...password], 4, /no private key/],
  ];
  for (const [what, args, code, message] of refused) {
    it(`refuses ${what} and writes nothing`, async () => {
      const run = await arb(["wallet", ...args], { cwd });
      expect(run).to.include({ code, stdout: "" });
      expect(run.stderr).to.match(message);
      expect(existsSync(at("x.json"))).to.equal(false);
    });
  }
});
