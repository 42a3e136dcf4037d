import { expect } from "chai";
import { accessListOf } from "../../src/sim/access-list.js";

describe("access list of a traced transaction", () => {
  const account = (digit: string) => `0x${digit.repeat(40)}`;
  const touched = {
    [account("A")]: { storage: { "0x1": "0x5", "0x00ff": "0x0" } },
    [account("b")]: {},
    [account("c")]: { storage: { "0x2": "0x1" } },
    [`0x${"0".repeat(39)}4`]: {},
    [`0x${"0".repeat(38)}11`]: {},
    [`0x${"0".repeat(37)}100`]: {},
  };

  it("names each account and its slots as whole words", () => {
    expect(accessListOf(touched, new Set([account("c")]))).to.deep.equal([
      { address: account("a"), storageKeys: [`0x${"0".repeat(63)}1`, `0x${"0".repeat(62)}ff`] },
      { address: account("b"), storageKeys: [] },
    ]);
  });

  it("leaves out precompiles, which are always warm, and no other low address", () => {
    const low = { [`0x${"0".repeat(38)}12`]: {}, [`0x${"0".repeat(37)}101`]: {} };
    expect(accessListOf({ ...touched, ...low }, new Set()).map(({ address }) => BigInt(address))).to.include.members([
      0x12n,
      0x101n,
    ]);
    expect(accessListOf(touched, new Set())).to.have.lengthOf(3);
  });
});
