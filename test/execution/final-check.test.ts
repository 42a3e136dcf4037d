import { expect } from "chai";
import type { Chain } from "../../src/chain/connect.js";
import { networkById } from "../../src/config/networks.js";
import { termsOf } from "../../src/execution/final-check.js";
import type { PlannedTrade } from "../../src/plan/planner.js";

describe("the terms that a planned trade is sent on", () => {
  const chain = { network: networkById(1)! } as Chain;
  const head = { number: 100, timestamp: 1_000 };
  const planned = {
    plan: { deadline: 1_060 },
    quote: { profit: 1_000n },
    cost: { gas: 10n, wei: 100n, inProfitToken: 100n },
    feeCeiling: 50n,
    tip: 0n,
  } as unknown as PlannedTrade;
  const tips = { budgetPpm: 100_000, stepPpm: 1, blocksPerTip: 1 };

  it("end with the plan's deadline, and climb within the budgeted share of the profit", () => {
    expect(termsOf(planned, chain, head, tips, { maxFeePerGas: null })).to.deep.equal({
      lastBlock: 105n,
      maxTimestamp: 1_060,
      feeCeiling: 50n,
      ladder: { stepPpm: 1, blocksPerTip: 1, budget: 100n },
    });
  });

  it("never let more be signed than the network's cap, whatever the trade earns", () => {
    expect(termsOf(planned, chain, head, tips, { maxFeePerGas: 40n }).feeCeiling).to.equal(40n);
    expect(termsOf(planned, chain, head, tips, { maxFeePerGas: 60n }).feeCeiling).to.equal(50n);
  });
});
