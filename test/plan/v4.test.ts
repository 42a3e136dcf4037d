import { expect } from "chai";
import { getAddress, toBeHex, ZeroAddress } from "ethers";
import * as fc from "fast-check";
import { networkByName } from "../../src/config/networks.js";
import { ArbError } from "../../src/errors.js";
import { BUILT_IN_TOKENS, encodePlan, MAX_AMOUNT } from "../../src/plan/codec.js";
import { describePlan } from "../../src/plan/describe.js";
import type { Plan, PlanHop } from "../../src/plan/plan.js";
import { decodeV4Plan } from "../../src/plan/v4.js";

const SEED = Number(process.env.SEED ?? 20261123);
const WETH = BUILT_IN_TOKENS[1]!;
const address = (seed: number) => getAddress(toBeHex(BigInt(seed) * 0x1234567890abcdef1234567890abcdefn + 1n, 20));
const amount = fc.bigInt({ min: 1n, max: MAX_AMOUNT });

const hop = fc.record({
  kind: fc.constantFrom<PlanHop["kind"]>("v2", "v3", "v4"),
  fee: fc.integer({ min: 0, max: 0xffffff }),
  tickSpacing: fc.integer({ min: 1, max: 32_767 }),
  hooks: fc.option(fc.integer({ min: 1, max: 1000 })),
  hookData: fc.uint8Array({ maxLength: 20 }).map((b) => "0x" + Buffer.from(b).toString("hex")),
  amount,
});
const shapes = fc.record({
  hops: fc.array(hop, { minLength: 1, maxLength: 2 }),
  ends: fc.tuple(fc.boolean(), fc.boolean()),
  out: amount,
  minProfit: amount,
  deadline: fc.option(fc.integer({ min: 1, max: 2 ** 40 - 1 })),
  sweep: fc.boolean(),
});
type Shape = typeof shapes extends fc.Arbitrary<infer T> ? T : never;

/** A valid plan of that shape; its first hop is of V4, the ends are ETH only where V4 trades it. */
function planOf(shape: Shape): Plan {
  const kinds = [{ ...shape.hops[0]!, kind: "v4" as const }, ...shape.hops];
  const [starts, ends] = [shape.ends[0], shape.ends[1] && kinds.at(-1)!.kind === "v4"];
  const token = (i: number) => {
    if (i === 0) return starts ? ZeroAddress : WETH;
    if (i === kinds.length) return ends ? ZeroAddress : WETH;
    return address(i);
  };
  return {
    chainId: 1,
    amounts: "fixed",
    funding: { source: "flash-swap", lender: null, maxFee: 0n },
    profitToken: WETH,
    hops: kinds.map(({ kind, fee, tickSpacing, hooks, hookData, amount: amountIn }, i) => ({
      kind,
      pool: address(100 + i),
      tokenIn: token(i),
      tokenOut: token(i + 1),
      feePips: 0,
      amountIn,
      amountOut: kinds[i + 1]?.amount ?? shape.out,
      ...(kind === "v4" ? { v4: { fee, tickSpacing, hooks: hooks === null ? ZeroAddress : address(hooks), hookData } } : {}),
    })),
    maxAmountIn: MAX_AMOUNT,
    minProfit: shape.minProfit,
    deadline: shape.deadline,
    blocks: null,
    sweep: shape.sweep,
  };
}

describe("plans with V4 hops", function () {
  it("are read back as they were written, and described", function () {
    fc.assert(
      fc.property(shapes, (shape) => {
        const plan = planOf(shape);
        const data = encodePlan(plan);
        const read = decodeV4Plan(data);
        expect(read).to.deep.include({ amountIn: plan.hops[0]!.amountIn, minProfit: plan.minProfit, sweep: plan.sweep });
        expect([read.startsNative, read.endsNative, read.deadline]).to.deep.equal([
          plan.hops[0]!.tokenIn === ZeroAddress,
          plan.hops.at(-1)!.tokenOut === ZeroAddress,
          plan.deadline,
        ]);
        expect(read.hops).to.deep.equal(
          plan.hops.map((written, i) => ({
            kind: written.kind,
            pool: written.kind === "v4" ? null : written.pool,
            tokenOut: i === plan.hops.length - 1 ? null : written.tokenOut,
            amountOut: written.kind === "v2" ? written.amountOut : null,
            key: written.v4 ?? null,
          })),
        );
        expect(describePlan(data, networkByName("ethereum")).format).to.equal("V4");
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it("refuse what the contract could not do, and name the field", function () {
    const base = planOf({
      hops: [{ kind: "v4", fee: 500, tickSpacing: 10, hooks: null, hookData: "0x", amount: 5n }],
      ends: [false, false],
      out: 7n,
      minProfit: 1n,
      deadline: null,
      sweep: false,
    });
    const at = (i: number, changes: Partial<PlanHop>) => ({
      ...base,
      hops: base.hops.map((h, j) => (i === j ? { ...h, ...changes } : h)),
    });
    const key = base.hops[0]!.v4!;
    const cases: [string, Plan][] = [
      ["hops", { ...base, hops: base.hops.slice(0, 1) }],
      ["amounts", { ...base, amounts: "adaptive" }],
      ["profitToken", { ...base, profitToken: address(9) }],
      ["funding", { ...base, funding: { source: "own-balance", lender: null, maxFee: 0n } }],
      ["poolBound", { ...base, poolBound: 1n }],
      ["hops[0].tokenIn", at(0, { tokenIn: address(9) })],
      ["hops[1].tokenIn", at(1, { tokenIn: address(9) })],
      ["hops[1].v4", at(1, { kind: "v3" })],
      ["hops[0].v4.fee", at(0, { v4: { ...key, fee: 2 ** 24 } })],
      ["hops[0].v4.tickSpacing", at(0, { v4: { ...key, tickSpacing: 0 } })],
      ["hops[0].v4.hookData", at(0, { v4: { ...key, hookData: "0x1" } })],
      ["hops", at(0, { v4: { ...key, hookData: "0x" + "11".repeat(250) } })],
      ["hops[1].amountIn", at(1, { amountIn: MAX_AMOUNT + 1n })],
    ];
    for (const [where, plan] of cases) {
      let caught: unknown;
      try {
        encodePlan(plan);
      } catch (error) {
        caught = error;
      }
      expect(caught, where).to.be.instanceOf(ArbError);
      expect((caught as ArbError).where).to.equal(where);
    }
  });

  it("keep their bytes", function () {
    const plan = planOf({
      hops: [{ kind: "v4", fee: 500, tickSpacing: 10, hooks: null, hookData: "0x", amount: 10n ** 18n }],
      ends: [false, true],
      out: 10n ** 18n,
      minProfit: 5n,
      deadline: null,
      sweep: false,
    });
    expect(encodePlan(plan)).to.equal(
      "0xa8023200" +
        "000000000de0b6b3a7640000" +
        "02" +
        address(1).slice(2).toLowerCase() +
        "0001f400000a" +
        "06" +
        "0001f400000a" +
        "000000000000000000000005",
    );
  });
});
