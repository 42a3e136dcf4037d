import { expect } from "chai";
import { array, bigInt, nat, property as check, shuffledSubarray, tuple } from "fast-check";
import { matchRefund } from "../../src/bridges/across-refunds.js";
import { property } from "../helpers/property.js";

const one = (index: number) => ({ kind: "one", index });

describe("matching refunds of Across", () => {
  it("takes the exact amount, or a sum that only this deposit explains", () => {
    expect(matchRefund([100n], 0, [])).to.deep.equal({ kind: "none" });
    expect(matchRefund([100n], 0, [99n, 101n])).to.deep.equal({ kind: "none" });
    expect(matchRefund([100n, 37n], 0, [37n, 100n])).to.deep.equal(one(1));
    expect(matchRefund([100n, 37n, 11n], 1, [48n])).to.deep.equal(one(0));
    expect(matchRefund([100n, 37n, 11n], 0, [48n])).to.deep.equal({ kind: "none" });
  });

  it("gives equal deposits a refund each, in order, and decides nothing while one is missing", () => {
    expect(matchRefund([100n, 100n], 0, [100n])).to.deep.equal({ kind: "ambiguous" });
    expect(matchRefund([100n, 100n], 0, [100n, 100n])).to.deep.equal(one(0));
    expect(matchRefund([100n, 100n], 1, [100n, 100n])).to.deep.equal(one(1));
  });

  it("decides nothing where a sum can be explained with and without it", () => {
    expect(matchRefund([30n, 20n, 50n], 0, [50n])).to.deep.equal({ kind: "ambiguous" });
    expect(matchRefund([10n, 20n, 30n, 40n], 0, [50n])).to.deep.equal({ kind: "ambiguous" });
  });

  it("finds every deposit of a bundle of distinct amounts, and no other", () => {
    const amounts = array(bigInt(10n ** 8n, 10n ** 12n), { minLength: 1, maxLength: 8 });
    const cases = amounts.chain((list) =>
      tuple(shuffledSubarray(list.map((_, i) => i)), nat(list.length - 1)).map(([paid, own]) => ({ list, paid, own })),
    );
    property(
      check(cases, ({ list, paid, own }) => {
        const sum = paid.reduce((total, i) => total + list[i]!, 0n);
        const match = matchRefund(list, own, sum === 0n ? [] : [sum]);
        // whatever the amounts, a wrong answer is never given; with distinct sums the right one is
        if (match.kind === "one") expect(paid).to.include(own);
        if (match.kind === "none") expect(paid).not.to.include(own);
      }),
      500,
    );
  });

  it("tries no sums of very many deposits", () => {
    const many = Array.from({ length: 40 }, (_, i) => 1_000n + BigInt(i));
    expect(matchRefund(many, 0, [2_001n])).to.deep.equal({ kind: "ambiguous" });
    expect(matchRefund(many, 7, [1_007n])).to.deep.equal(one(0));
  });
});
