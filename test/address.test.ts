import { expect } from "chai";
import { getAddress, getIcapAddress, hexlify, keccak256, toUtf8Bytes } from "ethers";
import { addressDigits } from "../src/address.js";

const SAMPLES = Array.from({ length: 300 }, (_, i) => `0x${keccak256(toUtf8Bytes(`address ${i}`)).slice(-40)}`);

/** What ethers makes of a text; null where it throws. */
function byEthers(text: string): string | null {
  try {
    return getAddress(text).slice(2).toLowerCase();
  } catch {
    return null;
  }
}

describe("addressDigits", () => {
  it("takes every spelling that ethers takes, with the same digits", () => {
    for (const lower of SAMPLES) {
      const checksum = getAddress(lower);
      const upper = `0x${lower.slice(2).toUpperCase()}`;
      for (const text of [lower, checksum, upper, checksum.slice(2), lower.slice(2), getIcapAddress(lower)])
        expect(addressDigits(text), text).to.equal(lower.slice(2));
    }
    const plain = `0x${"12".repeat(20)}`;
    expect(addressDigits(plain)).to.equal("12".repeat(20));
  });

  it("refuses a wrong capital at every place, as ethers does", () => {
    for (const lower of SAMPLES.slice(0, 40)) {
      const checksum = getAddress(lower);
      for (let i = 2; i < 42; i++) {
        const letter = checksum[i]!;
        const other = letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase();
        const text = checksum.slice(0, i) + other + checksum.slice(i + 1);
        expect(addressDigits(text), text).to.equal(byEthers(text));
      }
    }
  });

  it("refuses what is no address, also after the right one was seen", () => {
    const right = getAddress(SAMPLES[0]!);
    expect(addressDigits(right)).to.not.equal(null);
    for (const text of [
      "",
      "0x",
      right.slice(0, -1),
      `${right}0`,
      ` ${right}`,
      `${right}\n`,
      `0X${right.slice(2)}`,
      "0xg".padEnd(42, "0"),
      hexlify(new Uint8Array(32)),
    ])
      expect(addressDigits(text), JSON.stringify(text)).to.equal(byEthers(text));
  });
});
