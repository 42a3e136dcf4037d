import { expect } from "chai";
import { ZeroAddress } from "ethers";
import { networkById } from "../../src/config/networks.js";
import type { FundingId } from "../../src/funding/funding.js";
import { canFundItself, formatOf, isPoolsPlan } from "../../src/plan/format.js";
import type { PlanHop } from "../../src/plan/plan.js";

const WETH = networkById(1)!.wrappedNative;
const B = "0x00000000000000000000000000000000000000b0";

describe("format of a plan", () => {
  const of = (hops: [PlanHop["kind"], string, string][], source: FundingId = "flash-swap", profitToken = WETH, chainId = 1) =>
    formatOf({
      chainId,
      profitToken,
      wrapped: WETH,
      source,
      hops: hops.map(([kind, tokenIn, tokenOut]) => ({ kind, tokenIn, tokenOut })),
    });

  it("is that of V2 and V3 pools wherever those and the four old sources are enough", () => {
    for (const source of ["flash-swap", "own-balance", "aave-v3", "balancer-v2"] as const) {
      expect(
        of(
          [
            ["v2", WETH, B],
            ["v3", B, WETH],
          ],
          source,
        ),
      ).to.equal("pools");
      expect(isPoolsPlan(["v2", "v3"], source)).to.equal(true);
    }
    for (const source of ["morpho", "erc3156", "uniswap-v3-flash", "uniswap-v4", "balancer-v3"] as const) {
      expect(
        of(
          [
            ["v2", WETH, B],
            ["v3", B, WETH],
          ],
          source,
        ),
      ).to.equal("steps");
    }
  });

  it("is V4's where the manager funds it, its profit is WETH, and nothing is wrapped on the way", () => {
    expect(
      of([
        ["v4", WETH, B],
        ["v2", B, WETH],
      ]),
    ).to.equal("v4");
    expect(
      of([
        ["v4", ZeroAddress, B],
        ["v4", B, WETH],
      ]),
    ).to.equal("v4");
    expect(
      of(
        [
          ["v4", B, WETH],
          ["v3", WETH, B],
        ],
        "flash-swap",
        B,
      ),
    ).to.equal("steps");
    expect(
      of(
        [
          ["v4", WETH, B],
          ["v2", B, WETH],
        ],
        "aave-v3",
      ),
    ).to.equal("steps");
    expect(
      of(
        [
          ["v4", WETH, B],
          ["v2", B, WETH],
        ],
        "flash-swap",
        WETH,
        11155420,
      ),
    ).to.equal("steps");
    expect(
      of([
        ["v2", WETH, B],
        ["v4", B, ZeroAddress],
        ["v3", WETH, B],
        ["v2", B, WETH],
      ]),
    ).to.equal("steps");
    expect(
      of([
        ["step", WETH, B],
        ["v4", B, WETH],
      ]),
    ).to.equal("steps");
  });

  it("pools fund themselves where the first or the last gives before it takes", () => {
    expect([
      canFundItself(["quoted", "v3"]),
      canFundItself(["v4", "quoted"]),
      canFundItself(["quoted", "v2", "quoted"]),
    ]).to.deep.equal([true, true, false]);
  });
});
