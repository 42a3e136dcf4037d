import { expect } from "chai";
import { reportOf, toJson } from "../../src/cli/output.js";
import type { Outcome } from "../../src/execution/outcome.js";
import { runDemo } from "../../src/sim/demo.js";
import type { CrossChainTrade } from "../../src/sim/demo-cross-chain.js";
import { LOCAL_CHAIN_IDS } from "../../src/sim/world.js";

type Json = Record<string, any>;

describe("the main job on four local chains", function () {
  // fifteen trades; on a busy machine they take their time
  this.timeout(1_800_000);
  let outcomes: Outcome[];
  let crossChain: CrossChainTrade[];
  let report: Record<"trades" | "rejected" | "reverted", Json[]>;
  const notes: string[] = [];
  before(async () => {
    ({ outcomes, crossChain } = await runDemo((text) => notes.push(text)));
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
    expect(notes.filter((n) => n.startsWith("  "))).to.have.lengthOf(outcomes.length + crossChain.length);
  });

  describe("across chains", () => {
    const trade = (id: string) => {
      const found = crossChain.find((t) => t.report.opportunityId === id);
      if (!found) throw new Error(`no trade ${id}`);
      return found.report;
    };

    it("ends each as its scene has it, with balances of the chains equal to the books", () => {
      expect(crossChain.flatMap((t) => t.faults)).to.deep.equal([]);
      expect(crossChain.map((t) => t.report.opportunityId).toSorted()).to.deep.equal(
        ["bridge-fails", "by-across", "by-cctp", "by-stargate", "from-inventory"].toSorted(),
      );
      for (const { report: told } of crossChain) {
        const { opportunityId, net, profit, residual, gasCost, final } = told;
        expect({ opportunityId, final }).to.deep.equal({ opportunityId, final: true });
        expect(net! > 0n && net === profit! + residual! - gasCost!, opportunityId).to.equal(true);
      }
    });

    it("carries by each bridge, and brings capital and profit home where that is wanted", () => {
      const ways = (id: string) => trade(id).transfers.map((t) => `${t.leg.split(".")[0]} ${t.bridge} ${t.ended}`);
      expect(ways("by-across")).to.deep.equal(["out across delivered", "home across delivered"]);
      expect(ways("by-cctp")).to.deep.equal(["out cctp delivered", "home across delivered"]);
      expect(ways("by-stargate")).to.deep.equal(["out stargate delivered", "home across delivered"]);
      expect(ways("from-inventory")).to.deep.equal(["restock cctp delivered", "home across delivered"]);
      expect(ways("bridge-fails")).to.deep.equal(["out across refunded", "out cctp delivered"]);
      expect(trade("bridge-fails").decisions.at(-1)).to.include({ at: "refunded: refunded", choice: "other-bridge" });
    });

    it("arrives with at least what the bridge promised, and swaps what it says", () => {
      for (const { report: told } of crossChain) {
        for (const t of told.transfers) if (t.ended === "delivered") expect(t.arrived! >= t.promised, t.id).to.equal(true);
        // from inventory both are sent at once, and either may be first
        const [buy, sell, ...more] = told.legs.toSorted((x, y) => (x.leg < y.leg ? -1 : 1));
        expect([buy!.leg.split(".")[0], sell!.leg.split(".")[0], more.length]).to.deep.equal(["buy", "sell", 0]);
        expect([buy!.chainId, sell!.chainId]).to.deep.equal([told.fromChainId, told.toChainId]);
        expect(buy!.amountIn).to.equal(told.amountIn);
      }
    });
  });
});
