import { readFileSync } from "node:fs";
import { expect } from "chai";

describe("docs/security.md", function () {
  it("names tests that exist", function () {
    const text = readFileSync(new URL("../docs/security.md", import.meta.url), "utf8");
    const cells = [...text.matchAll(/`(\w[\w.-]*\.(?:test\.ts|t\.sol))`((?: "[^"]+",?)+)/g)];
    expect(cells.length).to.be.greaterThan(20);
    for (const [, file, titles] of cells) {
      const source = readFileSync(new URL(`contracts/${file}`, import.meta.url), "utf8");
      for (const [, title] of titles!.matchAll(/"([^"]+)"/g)) expect(source.includes(title!), `${file}: ${title}`).to.equal(true);
    }
  });
});
