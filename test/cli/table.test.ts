import { expect } from "chai";
import { bigInt, integer, property as given } from "fast-check";
import { columns, outcomeText, tradesTable } from "../../src/cli/table.js";
import { formatTokenShort, shortDecimal } from "../../src/config/format-token.js";
import { NETWORKS, networkById } from "../../src/config/networks.js";
import type { LandedTrade, Outcome } from "../../src/execution/outcome.js";
import { parseDecimal } from "../../src/units.js";
import { property } from "../helpers/property.js";

const base = networkById(8453)!;
const usdc = base.tokens.find((t) => t.symbol === "USDC")!.address;
const HASH = `0x${"ab".repeat(32)}`;
const trade: LandedTrade = {
  opportunityId: "t-1",
  chainId: 8453,
  path: [
    { venue: "pancakeswap-v3", pool: base.wrappedNative },
    { venue: "pancakeswap-v3", pool: base.wrappedNative },
    { venue: "sushiswap-v2", pool: base.wrappedNative },
  ],
  funding: "flash-swap",
  amountIn: 31_117968380577102887n,
  expectedProfit: 565857035116594573n,
  minProfit: 100532323177703n,
  profitToken: base.wrappedNative,
  txHash: HASH,
  seconds: 0.081,
  profit: 565857035116594573n,
  gasUsed: 160131n,
  feeWei: 127264383672045n,
  blockNumber: 163,
  nonce: 7,
  routes: ["sequencer"],
  journal: "mined" as const,
  depth: 1,
};

describe("tables for people", () => {
  it("cut amounts to six digits and never show more than there is", () => {
    property(
      given(bigInt({ min: 0n, max: 2n ** 96n }), integer({ min: 0, max: 18 }), (amount, decimals) => {
        const shown = parseDecimal(shortDecimal(amount, decimals), decimals);
        const unit = 10n ** BigInt(decimals);
        expect(shown <= amount).to.equal(true);
        // six digits, or everything before the point
        expect((amount - shown) * 100_000n <= amount || amount - shown < unit).to.equal(true);
        expect(shortDecimal(amount, decimals)).to.match(/^(\d{7,}|\d{1,6}|\d+\.\d*[1-9])$/);
      }),
    );
  });

  it("show amounts with the token's symbol, and base units of an unknown token", () => {
    expect(formatTokenShort(base, base.wrappedNative, 27618750139400n)).to.equal("0.0000276187 WETH");
    expect(formatTokenShort(base, HASH.slice(0, 42), 7n)).to.equal(`7 units of ${HASH.slice(0, 42)}`);
  });

  it("fit a terminal of 160 columns", () => {
    const long = "the pools would return no more than they are given ".repeat(8);
    const outcomes: Outcome[] = [
      { status: "landed", trade },
      { status: "landed", trade: { ...trade, profitToken: usdc, amountIn: 168919086945n } },
      { status: "dry-run", trade },
      { status: "rejected", rejection: { opportunityId: "r-1", reason: "not-profitable", detail: long, where: "hops[0]" } },
      { status: "reverted", trade, reason: long, gasUsed: 148197n, feeWei: 1n },
      { status: "unknown", trade, reason: long },
    ];
    const text = tradesTable(outcomes);
    expect(Math.max(...text.split("\n").map((line) => line.length))).to.be.at.most(160);
    for (const word of ["2 executed", "1 planned", "1 rejected", "1 reverted", "1 sent"]) expect(text).to.include(word);
    expect(text.replaceAll(/\s+/g, " ")).to.include(`hops[0]: ${long.trim()}`);
  });

  it("have the whole transaction hash where one outcome is shown", () => {
    for (const outcome of [
      { status: "landed", trade },
      { status: "reverted", trade, reason: "late", gasUsed: 1n, feeWei: 1n },
      { status: "unknown", trade, reason: "late" },
    ] as const) {
      expect(outcomeText(outcome, NETWORKS)).to.include(HASH);
    }
    expect(outcomeText({ status: "landed", trade }, NETWORKS).split("\n")[0]).to.equal(
      "t-1 landed on Base: 0.565857 WETH profit (expected 0.565857 WETH)",
    );
  });

  it("align columns", () => {
    expect(columns([["a", "b"], ["ccc"], ["", "d"]])).to.equal("a    b\nccc\n     d");
  });
});
