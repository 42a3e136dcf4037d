import { expect } from "chai";
import {
  MAX_SQRT_RATIO,
  MAX_TICK,
  MIN_SQRT_RATIO,
  MIN_TICK,
  sqrtRatioAtTick,
  squareRoot,
  tickAtSqrtRatio,
} from "../../src/venues/tick-math.js";
import { random } from "../helpers/random.js";

describe("tick maths", () => {
  it("has the pools' own price limits", () => {
    // TickMath.MIN_SQRT_RATIO and MAX_SQRT_RATIO, which every pool checks against
    expect(MIN_SQRT_RATIO).to.equal(4295128739n);
    expect(MAX_SQRT_RATIO).to.equal(1461446703485210103287273052203988822378723970342n);
    expect(sqrtRatioAtTick(0)).to.equal(1n << 96n);
    expect(() => sqrtRatioAtTick(MAX_TICK + 1)).to.throw(RangeError);
    expect(() => sqrtRatioAtTick(0.5)).to.throw(RangeError);
  });

  it("finds the tick of a price on, just below and just above every kind of tick", () => {
    const next = random();
    const ticks = [MIN_TICK, MIN_TICK + 1, -1, 0, 1, MAX_TICK - 1];
    while (ticks.length < 500) ticks.push(Math.floor(MIN_TICK + 1 + next() * (MAX_TICK - MIN_TICK - 2)));
    for (const tick of ticks) {
      const ratio = sqrtRatioAtTick(tick);
      expect(tickAtSqrtRatio(ratio)).to.equal(tick);
      expect(tickAtSqrtRatio(sqrtRatioAtTick(tick + 1) - 1n)).to.equal(tick);
      if (tick > MIN_TICK) expect(tickAtSqrtRatio(ratio - 1n)).to.equal(tick - 1);
    }
    expect(() => tickAtSqrtRatio(MAX_SQRT_RATIO)).to.throw(RangeError);
    expect(() => tickAtSqrtRatio(MIN_SQRT_RATIO - 1n)).to.throw(RangeError);
  });

  it("takes integer square roots downwards", () => {
    for (const root of [0n, 1n, 2n, 3n, 10n ** 20n, (1n << 160n) - 1n]) {
      expect(squareRoot(root * root)).to.equal(root);
      expect(squareRoot(root * root + 2n * root)).to.equal(root);
    }
  });
});
