import { expect } from "chai";
import { loadSnapshot } from "../../src/market/market.js";
import type { Opportunity } from "../../src/opportunity/opportunity.js";
import { quoteOpportunity } from "../../src/opportunity/quoter.js";
import { encodePlan } from "../../src/plan/codec.js";
import { planHop } from "../../src/plan/plan-hop.js";
import type { PoolId } from "../../src/venues/venue.js";
import { ETHER, type TestPool, type World, createWorld } from "../helpers/pools.js";

/** Size and amounts of the quoter, executed by the contract, for every order of pool kinds up to four hops. */
for (const wethFirst of [false, true]) {
  describe(`what is quoted is what lands, WETH is token${wethFirst ? 0 : 1}`, () => {
    let world: World;
    let pools: Record<string, TestPool>;

    before(async () => {
      world = await createWorld(wethFirst);
      const [b, c, d] = [await world.token("B"), await world.token("C"), await world.token("D")];
      const E = ETHER;
      pools = {
        "WB v2": await world.addV2(world.weth, b, 500n * E, 1_030_000n * E + 7n, 0),
        "WB v3": await world.addV3(world.weth, b, E, 2060n * E, 500),
        "BW v2": await world.addV2(b, world.weth, 970_000n * E + 3n, 500n * E, 1),
        "BW v3": await world.addV3(b, world.weth, 1940n * E, E, 3000),
        "BC v2": await world.addV2(b, c, 1_000_000n * E, 1_000_000n * E + 1n),
        "BC v3": await world.addV3(b, c, E, E, 500, 2_000_000n * E),
        "CD v2": await world.addV2(c, d, 1_000_000n * E, 1_000_000n * E),
        "CD v3": await world.addV3(c, d, E, E, 500, 2_000_000n * E),
        "CW v2": await world.addV2(c, world.weth, 970_000n * E, 500n * E),
        "CW v3": await world.addV3(c, world.weth, 1940n * E, E, 3000),
        "DW v2": await world.addV2(d, world.weth, 970_000n * E, 500n * E),
        "DW v3": await world.addV3(d, world.weth, 1940n * E, E, 3000),
      };
    });

    const LEGS = [
      ["WB", "BW"],
      ["WB", "BC", "CW"],
      ["WB", "BC", "CD", "DW"],
    ];
    for (const legs of LEGS) {
      for (let bits = 0; bits < 1 << legs.length; bits++) {
        const kinds = legs.map((_, i) => (((bits >> i) & 1) === 1 ? "v3" : "v2"));
        it(`${kinds.join("-")}: the best size and an odd one, fixed and adaptive, to the wei`, async () => {
          const path = legs.map((leg, i) => pools[`${leg} ${kinds[i]}`]!);
          const ids = path.map(({ kind, ...rest }): PoolId => ({ venue: kind === "v2" ? "uniswap-v2" : "uniswap-v3", ...rest }));
          const snapshot = await loadSnapshot(world.ethers.provider, ids, "latest", () => ({ tickWords: 8 }));
          let tokenIn = await world.weth.getAddress();
          const hops = ids.map(({ venue, address, token0, token1, feePips }) => {
            const tokenOut = tokenIn === token0 ? token1 : token0;
            const hop = { venue, pool: address, tokenIn, tokenOut, feePips };
            tokenIn = tokenOut;
            return hop;
          });
          for (const amountIn of [null, 1_234_567_890_123_456_789n]) {
            const opportunity = { id: "a", chainId: 1, hops, amountIn, funding: null } as unknown as Opportunity;
            const offer = { source: "flash-swap", lender: null, limit: null, fee: () => 0n } as const;
            const quoted = quoteOpportunity(opportunity, snapshot, [offer]);
            if (!quoted.ok) throw new Error(quoted.rejection.detail);
            const { value: quote } = quoted;
            for (const amounts of ["fixed", "adaptive"] as const) {
              await world.rolledBack(async () => {
                const data = encodePlan({
                  chainId: 1,
                  amounts,
                  funding: { source: "flash-swap", lender: null, maxFee: 0n },
                  profitToken: quote.hops[0]!.tokenIn,
                  hops: quote.hops.map((hop) => planHop(hop, quote.hops[0]!.tokenIn)),
                  // the tightest bounds that the quote allows
                  maxAmountIn: quote.amountIn,
                  minProfit: quote.profit,
                  deadline: null,
                  blocks: null,
                });
                const before = await world.weth.balanceOf(world.executorAddress);
                await world.operator.sendTransaction({ to: world.executorAddress, data });
                expect((await world.weth.balanceOf(world.executorAddress)) - before).to.equal(quote.profit);
              });
            }
          }
        });
      }
    }
  });
}
