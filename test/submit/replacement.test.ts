import { expect } from "chai";
import * as fc from "fast-check";
import { property } from "../helpers/property.js";
import { firstTip, highestTip, nextTip } from "../../src/submit/ladder.js";
import { CANCEL_GAS, decideStuck, replacementFees, type StuckAttempt } from "../../src/submit/replacement.js";

const amount = fc.bigInt({ min: 0n, max: 10n ** 21n });
const fee = fc.bigInt({ min: 0n, max: 10n ** 13n });

describe("the ladder of tips", () => {
  it("climbs, ends, and never costs more than its budget", () => {
    property(
      fc.property(
        fee,
        fc.integer({ min: 0, max: 3_000_000 }),
        amount,
        fc.bigInt({ min: 0n, max: 30_000_000n }),
        (start, stepPpm, budget, gasLimit) => {
          const ladder = { start, stepPpm: Math.max(stepPpm, 50_000), budget, gasLimit };
          let tip = firstTip(ladder);
          for (let raises = 0; raises < 2_000; raises++) {
            expect(tip * gasLimit <= budget).to.equal(true);
            const next = nextTip(ladder, tip);
            if (next === null) {
              expect(tip).to.equal(highestTip(ladder));
              return;
            }
            expect(next > tip).to.equal(true);
            tip = next;
          }
          throw new Error("it does not end");
        },
      ),
    );
  });

  it("pays nothing where there is no budget", () => {
    const ladder = { start: 5n, stepPpm: 125_000, budget: 0n, gasLimit: 100n };
    expect([firstTip(ladder), nextTip(ladder, 0n)]).to.deep.equal([0n, null]);
    expect(firstTip({ ...ladder, budget: 10n ** 18n, gasLimit: 0n })).to.equal(0n);
  });
});

describe("a stuck transaction", () => {
  const stuck: StuckAttempt = {
    fees: { maxFeePerGas: 20n, maxPriorityFeePerGas: 2n },
    gasLimit: 200_000n,
    baseFee: 30n,
    usefulTip: 3n,
    worth: 20_000_000n,
    cancelBudget: 2_100_000n,
    maxFeePerGas: null,
    patienceBlocks: 2,
  };

  it("is replaced by at least 12.5 % in both fields, rounded up", () => {
    expect(replacementFees({ maxFeePerGas: 8n, maxPriorityFeePerGas: 0n })).to.deep.equal({
      maxFeePerGas: 9n,
      maxPriorityFeePerGas: 1n,
    });
    expect(replacementFees({ maxFeePerGas: 9n, maxPriorityFeePerGas: 1n })).to.deep.equal({
      maxFeePerGas: 11n,
      maxPriorityFeePerGas: 2n,
    });
    expect(decideStuck(stuck)).to.deep.equal({ action: "replace", fees: { maxFeePerGas: 42n, maxPriorityFeePerGas: 3n } });
  });

  it("waits while it pays enough", () => {
    const enough = { ...stuck, fees: { maxFeePerGas: 33n, maxPriorityFeePerGas: 3n } };
    expect(decideStuck(enough)).to.deep.equal({ action: "wait", reason: "pays-enough" });
  });

  it("is cancelled where the trade no longer earns the price, and left where that is too dear too", () => {
    expect(decideStuck({ ...stuck, worth: 5_000_000n })).to.deep.equal({
      action: "cancel",
      fees: { maxFeePerGas: 42n, maxPriorityFeePerGas: 3n },
    });
    expect(decideStuck({ ...stuck, worth: 0n, cancelBudget: 0n })).to.deep.equal({ action: "wait", reason: "cannot-pay-more" });
    // worth nothing any more: even one that pays enough is cancelled, it would only cost
    expect(decideStuck({ ...stuck, worth: 0n, fees: { maxFeePerGas: 33n, maxPriorityFeePerGas: 3n } }).action).to.equal("cancel");
  });

  it("is replaced within the network's cap, else cancelled within it, else left", () => {
    expect(decideStuck({ ...stuck, maxFeePerGas: 35n })).to.deep.equal({
      action: "replace",
      fees: { maxFeePerGas: 35n, maxPriorityFeePerGas: 3n },
    });
    expect(decideStuck({ ...stuck, maxFeePerGas: 35n, worth: 1n })).to.deep.equal({
      action: "cancel",
      fees: { maxFeePerGas: 35n, maxPriorityFeePerGas: 3n },
    });
    // below the base fee it would only be stuck again; below 12.5 % more no mempool takes it
    for (const maxFeePerGas of [29n, 22n])
      expect(decideStuck({ ...stuck, maxFeePerGas })).to.deep.equal({ action: "wait", reason: "above-cap" });
  });

  it("never pays more than the trade earns or the network allows, nor less than a mempool asks", () => {
    const blocks = fc.integer({ min: 0, max: 20 });
    property(
      fc.property(
        fee,
        fee,
        fc.bigInt({ min: 21_000n, max: 10n ** 7n }),
        fee,
        fee,
        amount,
        amount,
        blocks,
        fc.option(fee, { nil: null }),
        (cap, tip, gasLimit, baseFee, usefulTip, worth, cancelBudget, patienceBlocks, maxFeePerGas) => {
          const fees = { maxFeePerGas: cap > tip ? cap : tip, maxPriorityFeePerGas: tip };
          const decision = decideStuck({ fees, gasLimit, baseFee, usefulTip, worth, cancelBudget, maxFeePerGas, patienceBlocks });
          if (decision.action === "wait") return;
          const [gas, limit] = decision.action === "replace" ? [gasLimit, worth] : [CANCEL_GAS, cancelBudget];
          const made = decision.fees;
          expect(made.maxFeePerGas * gas <= limit, "within what it is worth").to.equal(true);
          expect(maxFeePerGas === null || made.maxFeePerGas <= maxFeePerGas, "within the cap").to.equal(true);
          expect(made.maxPriorityFeePerGas <= made.maxFeePerGas, "a fee that nodes take").to.equal(true);
          expect(
            made.maxFeePerGas * 8n >= fees.maxFeePerGas * 9n && made.maxPriorityFeePerGas * 8n >= tip * 9n,
            "12.5 %",
          ).to.equal(true);
          expect(made.maxFeePerGas >= baseFee, "lands").to.equal(true);
        },
      ),
    );
  });
});
