import { expect } from "chai";
import { parseConfig } from "../../src/config/load.js";
import { ArbError } from "../../src/errors.js";

const networks = { base: { rpc: ["env:X"] }, arbitrum: { rpc: ["env:X"] } };
const good = { enabled: true, minProfit: ["2 USDC", "0.001 WETH"], maxLoss: ["20 USDC", "0.01 WETH"] };

const read = (crossChain: object, rest: object = { bridges: { enabled: ["cctp"] } }) =>
  parseConfig(JSON.stringify({ networks, ...rest, crossChain }, null, 1), "/arb.config.jsonc").crossChain;

function refusal(crossChain: object, rest?: object): string {
  try {
    read(crossChain, rest);
  } catch (error) {
    expect(error).to.be.instanceOf(ArbError).with.property("code", "config");
    return (error as ArbError).message;
  }
  throw new Error("was accepted");
}

describe("configuration of cross-chain trades", () => {
  it("is off by default, and while it is off", () => {
    expect(read({})).to.equal(null);
    expect(read({ ...good, enabled: false })).to.equal(null);
  });

  it("reads amounts by the token that they name, in its base units", () => {
    const c = read({
      ...good,
      holdLimit: ["5000 USDC"],
      minimumCapital: ["10000 USDC"],
      limits: [{ token: "WETH", perLeg: "1 WETH", perBridge: { cctp: "2 WETH" }, perNetwork: { base: "3 WETH" } }],
    })!;
    expect(c.rules.minProfit).to.deep.equal({ USDC: 2_000_000n, WETH: 10n ** 15n });
    expect(c.rules.minimumCapital).to.deep.equal({ USDC: 10_000_000_000n });
    expect(c.rules.limits).to.deep.equal({
      WETH: { perLeg: 10n ** 18n, perBridge: { cctp: 2n * 10n ** 18n }, perChain: { 8453: 3n * 10n ** 18n } },
    });
    // a position in a token without a limit is the operator's at once
    expect(c.policy.perToken).to.deep.equal({
      USDC: { maxLoss: 20_000_000n, holdLimit: 5_000_000_000n },
      WETH: { maxLoss: 10n ** 16n, holdLimit: 0n },
    });
  });

  it("reads times, shares and blocks", () => {
    const c = read({
      ...good,
      holdFor: "2 h",
      timeCost: "0.36 %",
      drift: "1 %",
      transferWithin: "90 min",
      arrivalBlocks: { base: 20 },
      rebalancing: [
        { token: "WETH", shares: { base: "60 %", arbitrum: "40 %" } },
        { token: "USDC", shares: { base: "60 %", arbitrum: "40 %" }, within: "200 h", timeCost: "0.0002 %" },
      ],
    })!;
    expect(c.policy).to.include({ holdSeconds: 7_200, timeCostPpb: 1_000n, tries: 2 });
    expect(c.settings).to.include({ driftPpmPerHour: 10_000, transferSeconds: 5_400, slippagePpm: 3_000 });
    expect([...c.arrivalBlocks]).to.deep.equal([[8453, 20]]);
    const [plan, slow] = c.rebalancing;
    expect([...plan!.shares].toSorted(([a], [b]) => b - a)).to.deep.equal([
      [42161, 400_000],
      [8453, 600_000],
    ]);
    expect(plan).to.include({
      token: "WETH",
      tolerancePpm: 100_000,
      maxCostPpm: 2_000,
      everyMs: 600_000,
      timeCostPpmPerHour: 10,
    });
    expect(plan).to.not.have.property("withinSeconds");
    expect(slow).to.include({ withinSeconds: 720_000, timeCostPpmPerHour: 2 });
  });

  const faults: [what: string, crossChain: object, message: RegExp, rest?: object][] = [
    ["no bridge", good, /crossChain\.enabled needs at least one bridge in bridges\.enabled/, {}],
    [
      "one network",
      good,
      /crossChain\.enabled needs at least two enabled networks/,
      { networks: { base: { rpc: ["env:X"] } }, bridges: { enabled: ["cctp"] } },
    ],
    ["no profit token", { enabled: true }, /crossChain\.minProfit names no token/],
    ["a profit token without a loss limit", { ...good, maxLoss: ["20 USDC"] }, /crossChain\.maxLoss has no entry for WETH/],
    ["an amount without a unit", { ...good, maxLoss: ["20"] }, /:\d+:\d+ crossChain\.maxLoss\[0\] has no unit/],
    ["an unknown token", { ...good, minProfit: ["2 NOPE"] }, /crossChain\.minProfit\[0\] names NOPE, which is no token/],
    ["a token twice", { ...good, minProfit: ["2 USDC", "3 USDC"] }, /crossChain\.minProfit\[1\] names USDC twice/],
    ["too many decimals", { ...good, minProfit: ["0.0000001 USDC"] }, /crossChain\.minProfit\[0\] .* has 7 decimals/],
    [
      "an amount of another token",
      { ...good, limits: [{ token: "USDC", perLeg: "1 WETH" }] },
      /crossChain\.limits\[0\]\.perLeg .* is in WETH/,
    ],
    [
      "a network that is not enabled",
      { ...good, arrivalBlocks: { ethereum: 2 } },
      /crossChain\.arrivalBlocks\.ethereum names ethereum, which is not enabled/,
    ],
    [
      "shares that are not the whole",
      { ...good, rebalancing: [{ token: "WETH", shares: { base: "50 %", arbitrum: "40 %" } }] },
      /crossChain\.rebalancing\[0\]\.shares add up to 90 %, not to 100 %/,
    ],
    [
      "a setting that does not exist",
      { ...good, maxLos: ["1 USDC"] },
      /crossChain\.maxLos is no setting; did you mean "maxLoss"/,
    ],
    ["faults while it is off", { enabled: false, minProfit: ["2 NOPE"] }, /names NOPE/],
  ];
  for (const [what, crossChain, message, rest] of faults) {
    it(`refuses ${what}, with the place`, () => {
      expect(refusal(crossChain, rest)).to.match(message);
    });
  }
});
