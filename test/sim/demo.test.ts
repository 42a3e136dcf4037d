import { expect } from "chai";
import { reportOf, toJson } from "../../src/cli/output.js";
import type { Outcome } from "../../src/execution/outcome.js";
import { runDemo } from "../../src/sim/demo.js";
import { LOCAL_CHAIN_IDS } from "../../src/sim/world.js";

type Json = Record<string, any>;

describe("the main job on four local chains", () => {
  let outcomes: Outcome[];
  let report: Record<"trades" | "rejected" | "reverted", Json[]>;
  const notes: string[] = [];
  before(async () => {
    outcomes = await runDemo((text) => notes.push(text));
    report = JSON.parse(toJson(reportOf(outcomes))) as typeof report;
  });
  const landed = () => outcomes.flatMap((o) => (o.status === "landed" ? [o.trade] : []));

  it("lands at least six trades, on all four chains", () => {
    expect(landed()).to.have.length.above(5);
    expect(new Set(landed().map((t) => t.chainId))).to.deep.equal(new Set(LOCAL_CHAIN_IDS));
    for (const { profit, minProfit, opportunityId } of landed()) expect(profit >= minProfit, opportunityId).to.equal(true);
  });

  it("funds them by the pools, by Aave V3, by Balancer V2 and by its own balance", () => {
    expect([...new Set(landed().map((t) => t.funding))].toSorted()).to.deep.equal([
      "aave-v3",
      "balancer-v2",
      "flash-swap",
      "own-balance",
    ]);
  });

  it("lands with less than expected where a rival came first, and as expected elsewhere", () => {
    const less = landed().filter((t) => t.profit < t.expectedProfit);
    expect(less.map((t) => t.chainId)).to.deep.equal([42161]);
    expect(landed().filter((t) => t.profit > t.expectedProfit)).to.deep.equal([]);
  });

  it("rejects one before sending and reverts one, each with its reason", () => {
    expect(report.rejected.map((r) => r["reason"])).to.deep.equal(["below-cost"]);
    expect(report.reverted).to.have.lengthOf(1);
    expect(report.reverted[0]!["reason"]).to.match(/The plan needed 0\.\d+ WETH; after block \d+/);
  });

  it("reports exactly the documented fields", () => {
    const fields = (list: Json[]) => new Set(list.map((entry) => Object.keys(entry).toSorted().join(" ")));
    const of = (...names: string[]) => new Set([names.toSorted().join(" ")]);
    expect(Object.keys(report)).to.deep.equal(["trades", "rejected", "reverted"]);
    expect(fields(report.trades)).to.deep.equal(
      of(
        "opportunityId",
        "chainId",
        "path",
        "funding",
        "amountIn",
        "expectedProfit",
        "profit",
        "profitToken",
        "gasUsed",
        "feeWei",
        "txHash",
        "block",
        "seconds",
        "routes",
        "nonce",
        "journal",
        "depth",
        "final",
      ),
    );
    expect(fields(report.trades.flatMap((t) => t["path"] as Json[]))).to.deep.equal(of("venue", "pool"));
    expect(fields(report.rejected)).to.deep.equal(of("opportunityId", "reason", "detail"));
    expect(fields(report.reverted)).to.deep.equal(of("opportunityId", "chainId", "txHash", "reason", "gasUsed", "feeWei"));
    for (const trade of report.trades) {
      for (const name of ["amountIn", "expectedProfit", "profit", "feeWei"]) expect(trade[name]).to.match(/^\d+$/);
      expect([trade["chainId"], trade["gasUsed"], trade["block"], trade["seconds"]].every(Number.isFinite)).to.equal(true);
    }
  });

  it("sends through a relay on Ethereum and the sequencer elsewhere, and has each in the journal", () => {
    for (const { chainId, routes, journal, depth } of landed())
      expect({ routes, journal, depth }).to.deep.equal({
        routes: [chainId === 1 ? "relay" : "sequencer"],
        journal: "mined",
        depth: 1,
      });
    const nonces = landed().map((t) => `${t.chainId} ${t.nonce}`);
    expect(new Set(nonces).size).to.equal(nonces.length);
  });

  it("says what it does, scene by scene", () => {
    expect(notes.filter((n) => n.startsWith("  "))).to.have.lengthOf(outcomes.length);
  });
});
