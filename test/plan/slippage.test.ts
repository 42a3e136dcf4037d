import { expect } from "chai";
import { bigInt, constantFrom, property as forAll } from "fast-check";
import { SlippageManager } from "../../src/plan/slippage.js";
import { property } from "../helpers/property.js";

const slippage = new SlippageManager();

describe("SlippageManager", () => {
  it("allows 0.5 % above a margin of 2 %, 0.3 % above 1 %, else 0.1 %", () => {
    const table: [number, number][] = [
      [50_000, 5_000],
      [20_001, 5_000],
      [20_000, 3_000],
      [10_001, 3_000],
      [10_000, 1_000],
      [1, 1_000],
      [0, 1_000],
      [-5, 1_000],
    ];
    for (const [margin, tolerance] of table) expect(slippage.tolerancePpm(margin), `margin ${margin} ppm`).to.equal(tolerance);
  });

  it("halves the size above 0.5 % of price impact, keeps 70 % above 0.3 %, else all of it", () => {
    const table: [number, bigint][] = [
      [5_001, 500n],
      [5_000, 700n],
      [3_001, 700n],
      [3_000, 1_000n],
      [0, 1_000n],
    ];
    for (const [impact, size] of table) expect(slippage.size(1_000n, impact), `impact ${impact} ppm`).to.equal(size);
  });

  it("takes other tiers from the configuration", () => {
    const own = new SlippageManager({
      margins: [{ abovePpm: 0, tolerancePpm: 7 }],
      impacts: [{ abovePpm: 1, sizePpm: 250_000 }],
    });
    expect(own.tolerancePpm(999_999)).to.equal(7);
    expect(own.size(1_000n, 2)).to.equal(250n);
  });

  it("bounds an exact optimum by the floor alone", () => {
    const trade = {
      amountIn: 1_000_000n,
      amountOut: 1_030_000n,
      profit: 30_000n,
      sizing: "optimum",
      amounts: "adaptive",
    } as const;
    expect(slippage.bounds(trade, 2_000n)).to.deep.equal({ minProfit: 2_000n, maxAmountIn: 1_028_000n });
  });

  it("bounds a given size by the tier's tolerance too", () => {
    const trade = { amountIn: 1_000_000n, amountOut: 1_030_000n, profit: 30_000n, sizing: "given", amounts: "fixed" } as const;
    // margin 3 %: 0.5 % of the output may be missing
    expect(slippage.bounds(trade, 2_000n)).to.deep.equal({ minProfit: 30_000n - 5_150n, maxAmountIn: 1_000_000n });
    expect(slippage.bounds(trade, 29_000n).minProfit, "the floor is higher").to.equal(29_000n);
  });

  it("never lets a trade that pays its cap and gets the quoted output end below the floor", () => {
    const amount = bigInt({ min: 1n, max: 10n ** 24n });
    property(
      forAll(amount, amount, amount, constantFrom("optimum", "given", "tiers"), (amountIn, gain, floor, sizing) => {
        const amountOut = amountIn + gain;
        const trade = { amountIn, amountOut, profit: gain, sizing, amounts: "adaptive" } as const;
        const bounds = slippage.bounds(trade, floor);
        expect(bounds.minProfit >= floor).to.equal(true);
        if (gain >= floor) expect(amountOut - bounds.maxAmountIn >= floor).to.equal(true);
        expect(bounds.maxAmountIn >= amountIn).to.equal(true);
      }),
    );
  });
});
