import { expect } from "chai";
import * as fc from "fast-check";
import { ArbError } from "../src/errors.js";
import {
  ETHER,
  formatAmount,
  formatDecimal,
  formatGwei,
  formatPercent,
  GWEI,
  parseAmount,
  parseDecimal,
  parseDuration,
  parsePercent,
  unitOf,
} from "../src/units.js";

const USDC = { symbol: "USDC", decimals: 6 };
const seed = Number(process.env["SEED"] ?? 20_261_123);

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).to.be.instanceOf(ArbError);
    expect((error as ArbError).code).to.equal("usage");
    expect((error as ArbError).hint).to.be.a("string");
    return (error as ArbError).message;
  }
  throw new Error("was accepted");
}

describe("amounts", () => {
  it("reads and writes amounts with units", () => {
    expect(parseAmount("20 USDC", USDC)).to.equal(20_000_000n);
    expect(parseAmount("0.000001usdc", USDC)).to.equal(1n);
    expect(parseAmount("0.5 ETH", ETHER)).to.equal(5n * 10n ** 17n);
    expect(parseAmount("0.1 gwei", GWEI)).to.equal(100_000_000n);
    expect(parseAmount("7 USD₮0", { symbol: "USD₮0", decimals: 6 })).to.equal(7_000_000n);
    expect(formatAmount(1_500_000n, USDC)).to.equal("1.5 USDC");
    expect(formatAmount(-1n, ETHER)).to.equal("-0.000000000000000001 ETH");
    expect(formatGwei(100_000_000n)).to.equal("0.1 gwei");
    expect(unitOf("0.0001 WETH")).to.equal("WETH");
    expect(unitOf("0.0001")).to.equal(null);
  });

  const refused: [string, RegExp][] = [
    ["", /is empty/],
    ["-1 USDC", /is negative/],
    ["1e6 USDC", /has an exponent/],
    ["1e-3", /has an exponent/],
    ["1.5E+3 USDC", /has an exponent/],
    ["1,000 USDC", /has a separator/],
    ["1 000 USDC", /has a separator/],
    ["1_000 USDC", /has a separator/],
    ["0,5 USDC", /has a separator/],
    ["0x10 USDC", /is hexadecimal/],
    [".5 USDC", /not a decimal number/],
    ["5. USDC", /not a decimal number/],
    ["1.2.3 USDC", /not a decimal number/],
    ["+1 USDC", /not a decimal number/],
    ["USDC", /is empty/],
    ["0.0000001 USDC", /has 7 decimals, the unit has 6/],
    ["20", /has no unit/],
    ["20 USDT", /is in USDT/],
    ["20 ETH", /is in ETH/],
    [`${"9".repeat(80)} USDC`, /larger than 2\^256/],
  ];
  for (const [text, message] of refused)
    it(`refuses ${JSON.stringify(text.slice(0, 20))}`, () => {
      expect(refusal(() => parseAmount(text, USDC))).to.match(message);
    });

  it("every base-unit amount survives writing and reading", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), fc.integer({ min: 0, max: 36 }), (value, decimals) => {
        const unit = { symbol: "TKN", decimals };
        expect(parseDecimal(formatDecimal(value, decimals), decimals)).to.equal(value);
        expect(parseAmount(formatAmount(value, unit), unit)).to.equal(value);
        expect(formatDecimal(value, decimals)).not.to.match(/\.\d*0$/);
      }),
      { seed, numRuns: 500 },
    );
  });

  it("random text is read exactly or refused with a reason, never anything else", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."0123456789.,-+eEx_ USDC".split("")), maxLength: 14 }), (text) => {
        let value: bigint;
        try {
          value = parseAmount(text, USDC);
        } catch (error) {
          expect(error).to.be.instanceOf(ArbError);
          return;
        }
        expect(text.trim()).to.match(/^\d+(\.\d{1,6})?\s*USDC$/i);
        expect(value).to.equal(BigInt(Math.round(Number.parseFloat(text) * 1e6)));
      }),
      { seed, numRuns: 2000 },
    );
  });
});

describe("percentages and durations", () => {
  it("reads percentages in parts per million and writes them back", () => {
    expect(parsePercent("0.5 %")).to.equal(5000);
    expect(parsePercent("20%")).to.equal(200_000);
    expect(parsePercent("0.0001 %")).to.equal(1);
    expect(refusal(() => parsePercent("0.5"))).to.match(/not a percentage/);
    expect(refusal(() => parsePercent("0.00001 %"))).to.match(/5 decimals/);
    expect(refusal(() => parsePercent("-1 %"))).to.match(/negative/);
    expect(refusal(() => parsePercent("99999999 %"))).to.match(/more than/);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000_000_000 }), (ppm) => {
        expect(parsePercent(formatPercent(ppm))).to.equal(ppm);
      }),
      { seed, numRuns: 200 },
    );
  });

  it("reads durations in milliseconds", () => {
    expect(parseDuration("200 ms")).to.equal(200);
    expect(parseDuration("1.5 s")).to.equal(1500);
    expect(parseDuration("2min")).to.equal(120_000);
    expect(parseDuration("0.5 h")).to.equal(1_800_000);
    expect(refusal(() => parseDuration("30"))).to.match(/not a duration/);
    expect(refusal(() => parseDuration("30 S"))).to.match(/not a duration/);
    expect(refusal(() => parseDuration("0.5 ms"))).to.match(/finer/);
    expect(refusal(() => parseDuration("10000 h"))).to.match(/longer than a year/);
  });
});
