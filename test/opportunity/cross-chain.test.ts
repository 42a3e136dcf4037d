import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { NETWORKS, networkById } from "../../src/config/networks.js";
import { crossChainJsonSchema, isCrossChain, validateCrossChain } from "../../src/opportunity/cross-chain.js";
import { VENUES } from "../../src/venues/index.js";

const context = { networks: NETWORKS, allowedPools: [], now: 1_700_000_000 };
const token = (chainId: number, symbol: string) => networkById(chainId)!.tokens.find((t) => t.symbol === symbol)!.address;
const leg = (chainId: number, from: string, to: string) => {
  const [tokenIn, tokenOut] = [token(chainId, from), token(chainId, to)];
  const pool = VENUES["uniswap-v3"].poolAddress(networkById(chainId)!, tokenIn, tokenOut, 500);
  return { chainId, venue: "uniswap-v3", pool, tokenIn, tokenOut, fee: "0.05 %" };
};
const good = () => ({
  version: "opportunity.v1",
  id: "x-1",
  buy: leg(1, "USDC", "WETH"),
  sell: leg(42161, "WETH", "USDC"),
  amountIn: "3000 USDC",
});

describe("opportunity.v1 across chains", () => {
  it("takes a complete one; proceeds are brought home unless it says otherwise", () => {
    const result = validateCrossChain(good(), context);
    if (!result.ok) throw new Error(result.rejection.detail);
    expect(result.value).to.include({ returnToSource: true, mode: null, bridges: null, amountIn: 3_000_000_000n });
    const stays = validateCrossChain({ ...good(), return_to_source: false }, context);
    expect(stays.ok && stays.value.returnToSource).to.equal(false);
    expect([isCrossChain(good()), isCrossChain({ hops: [] }), isCrossChain(null)]).to.deep.equal([true, false, false]);
  });

  const refused: [string, object, string, string | null][] = [
    ["both legs on one network", { sell: leg(1, "WETH", "USDC") }, "malformed", "sell.chainId"],
    ["a test network and a main one", { sell: leg(421614, "WETH", "USDC") }, "malformed", "sell.chainId"],
    ["another token at the target", { sell: leg(42161, "USDC", "WETH") }, "not-a-cycle", "sell.tokenIn"],
    [
      "a pool that no factory made",
      { buy: { ...leg(1, "USDC", "WETH"), pool: `0x${"11".repeat(20)}` } },
      "unknown-pool",
      "buy.pool",
    ],
    ["an unknown network", { buy: { ...leg(1, "USDC", "WETH"), chainId: 56 } }, "unknown-chain", "buy.chainId"],
    ["the wrong unit", { amountIn: "1 WETH" }, "malformed", "amountIn"],
    ["a passed deadline", { deadline: 1_600_000_000 }, "expired", "deadline"],
    ["no amount", { amountIn: undefined }, "malformed", "amountIn"],
    ["an unknown field", { returnToSource: true }, "malformed", "returnToSource"],
    ["a bridge that does not exist", { bridges: ["hop"] }, "malformed", "bridges[0]"],
  ];
  for (const [what, change, reason, where] of refused) {
    it(`refuses ${what}, with its place`, () => {
      const result = validateCrossChain({ ...good(), ...change }, context);
      expect(result.ok ? null : [result.rejection.reason, result.rejection.where]).to.deep.equal([reason, where]);
    });
  }

  it("is what the published schema says", () => {
    const file = new URL("../../docs/opportunity.v1.cross-chain.schema.json", import.meta.url);
    if (process.env["UPDATE_SCHEMA"] === "1") writeFileSync(file, `${JSON.stringify(crossChainJsonSchema(), null, 2)}\n`);
    expect(JSON.parse(readFileSync(file, "utf8"))).to.deep.equal(JSON.parse(JSON.stringify(crossChainJsonSchema())));
  });
});
