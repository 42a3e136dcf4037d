import { readFileSync } from "node:fs";
import { expect } from "chai";
import { ArbError } from "../../src/errors.js";
import { artifact, EXTRACTS, link, packageText } from "../../src/sim/artifacts.js";

describe("files of protocol packages", () => {
  it("come from packages that extracts.json pins in the same version", () => {
    const text = readFileSync(new URL("../../scripts/setup/extracts.json", import.meta.url), "utf8");
    const pinned = (JSON.parse(text) as { name: string; version: string }[]).map((e) => `.extracts/${e.name}@${e.version}/`);
    for (const folder of Object.values(EXTRACTS))
      expect(
        pinned.some((p) => folder.startsWith(p)),
        folder,
      ).to.equal(true);
  });

  it("say what to run when one is missing", () => {
    expect(() => packageText("no-such-package/file.json"))
      .to.throw(ArbError)
      .that.includes({ code: "config", hint: "run `node scripts/setup/bootstrap.mjs`, which brings all of them" });
  });

  it("are linked with every library at the places that the compiler left, or not at all", () => {
    const token = artifact(`${EXTRACTS.usdc}/v2/FiatTokenV2_2.sol/FiatTokenV2_2.json`);
    const library = "0x00000000000000000000000000000000DeaDBeef";
    const { bytecode } = link(token, { SignatureChecker: library });
    expect(token.bytecode).to.match(/__\$/);
    expect(bytecode).to.match(/^0x[0-9a-f]+$/);
    expect(bytecode.split(library.slice(2).toLowerCase())).to.have.lengthOf(3);
    expect(bytecode).to.have.lengthOf(token.bytecode.length);
    expect(() => link(token, {})).to.throw("SignatureChecker");
  });
});
