import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { getAddress, toBeHex, ZeroAddress } from "ethers";
import * as fc from "fast-check";
import { network } from "hardhat";
import { ArbError } from "../../src/errors.js";
import type { FundingId } from "../../src/funding/funding.js";
import { BUILT_IN_TOKENS, decodePlan, encodeExecute, encodePlan, MAX_AMOUNT, MAX_HOPS } from "../../src/plan/codec.js";
import type { Plan, PlanTip } from "../../src/plan/plan.js";
import type { PoolKind } from "../../src/venues/venue.js";
import { IArbExecutor__factory, type PlanReader, PlanReader__factory } from "../../types/contracts/index.js";

const GOLDEN = new URL("../golden/plans.json", import.meta.url);
const SEED = Number(process.env.SEED ?? 20261123);
const FUNDING: FundingId[] = ["flash-swap", "own-balance", "aave-v3", "balancer-v2"];

type GoldenPlan = { name: string; plan: Plan; data: string };

/** JSON has no bigint: they are strings that end in n. */
const revive = (_: string, value: unknown) =>
  typeof value === "string" && /^\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value;
const replace = (_: string, value: unknown) => (typeof value === "bigint" ? `${value}n` : value);

const address = (seed: number) => getAddress(toBeHex(BigInt(seed) * 0x1234567890abcdef1234567890abcdefn + 1n, 20));

interface Shape {
  kinds: PoolKind[];
  amounts: bigint[];
  fees: number[];
  adaptive: boolean;
  source: FundingId;
  maxFee: bigint;
  builtIn: boolean;
  minProfit: bigint;
  deadline: number | null;
  blocks: { from: number; to: number } | null;
  parentHash?: string | null | undefined;
  poolBound?: bigint | null | undefined;
  gasPrice?: { price: bigint; scale: number } | null | undefined;
  tip?: PlanTip | null | undefined;
  sweep?: boolean | undefined;
  seed: number;
}

/** A valid plan of the given shape with addresses from its seed. */
function planOf(shape: Shape): Plan {
  const profitToken = shape.builtIn ? BUILT_IN_TOKENS[1]! : address(shape.seed);
  const token = (i: number) => (i % shape.kinds.length === 0 ? profitToken : address(shape.seed + i));
  const lent = shape.source === "aave-v3" || shape.source === "balancer-v2";
  return {
    chainId: 1,
    amounts: shape.adaptive ? "adaptive" : "fixed",
    funding: { source: shape.source, lender: lent ? address(shape.seed + 50) : null, maxFee: lent ? shape.maxFee : 0n },
    profitToken,
    hops: shape.kinds.map((kind, i) => ({
      kind,
      pool: address(shape.seed + 100 + i),
      tokenIn: token(i),
      tokenOut: token(i + 1),
      feePips: shape.fees[i]!,
      amountIn: shape.amounts[i]!,
      amountOut: shape.amounts[i + 1]!,
    })),
    maxAmountIn: MAX_AMOUNT,
    minProfit: shape.minProfit,
    deadline: shape.deadline,
    blocks: shape.blocks,
    parentHash: shape.parentHash ?? null,
    poolBound: shape.poolBound ?? null,
    gasPrice: shape.gasPrice ?? null,
    // only a profit in the wrapped native token can pay one
    tip: shape.builtIn ? (shape.tip ?? null) : null,
    sweep: shape.sweep ?? false,
  };
}

const amount = fc.bigInt({ min: 1n, max: MAX_AMOUNT });
const time = fc.integer({ min: 1, max: 2 ** 40 - 1 });
const shapes: fc.Arbitrary<Shape> = fc.integer({ min: 2, max: MAX_HOPS }).chain((hops) =>
  fc.record({
    kinds: fc.array(fc.constantFrom<PoolKind>("v2", "v3"), { minLength: hops, maxLength: hops }),
    amounts: fc.array(amount, { minLength: hops + 1, maxLength: hops + 1 }),
    fees: fc.array(fc.integer({ min: 0, max: 999_999 }), { minLength: hops, maxLength: hops }),
    adaptive: fc.boolean(),
    source: fc.constantFrom(...FUNDING),
    maxFee: fc.bigInt({ min: 0n, max: MAX_AMOUNT }),
    builtIn: fc.boolean(),
    minProfit: fc.bigInt({ min: 0n, max: MAX_AMOUNT }),
    deadline: fc.option(time),
    parentHash: fc.option(fc.uint8Array({ minLength: 32, maxLength: 32 }).map((b) => "0x" + Buffer.from(b).toString("hex"))),
    poolBound: fc.option(fc.bigInt({ min: 1n, max: 2n ** 160n - 1n })),
    gasPrice: fc.option(fc.record({ price: amount, scale: fc.integer({ min: 0, max: 255 }) })),
    tip: fc.option(
      fc.oneof(
        fc.record({ kind: fc.constant("fixed" as const), amount }),
        fc
          .tuple(fc.integer({ min: 1, max: 10_000 }), amount, amount)
          .map(([bips, a, b]) => ({ kind: "share" as const, bips, floor: a < b ? a : b, cap: a < b ? b : a })),
      ),
    ),
    sweep: fc.boolean(),
    blocks: fc.option(fc.tuple(time, time).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }))),
    seed: fc.integer({ min: 1, max: 1_000_000 }),
  }),
);

const sample: Shape = {
  kinds: ["v2", "v3"],
  amounts: [10n ** 18n, 2000n * 10n ** 18n, 102n * 10n ** 16n],
  fees: [3000, 500],
  adaptive: false,
  source: "flash-swap",
  maxFee: 0n,
  builtIn: true,
  minProfit: 10n ** 16n,
  deadline: null,
  blocks: null,
  seed: 7,
};

/** What the decoder must say about a plan, written down independently of it. */
function expected(plan: Plan) {
  const lastV3 = plan.hops.map((hop) => hop.kind).lastIndexOf("v3");
  const pivot = lastV3 < 0 ? plan.hops.length - 1 : lastV3;
  const adaptive = plan.amounts === "adaptive";
  const exact = lastV3 < 0 || (plan.hops[0]!.kind === "v2" && !adaptive);
  return {
    amounts: plan.amounts,
    funding: { ...plan.funding, loan: plan.funding.lender === null ? 0n : plan.hops[0]!.amountIn },
    profitToken: plan.profitToken === BUILT_IN_TOKENS[plan.chainId] ? null : plan.profitToken,
    pivot,
    amountIn: exact ? plan.hops[0]!.amountIn : plan.maxAmountIn,
    exact,
    hops: plan.hops.map((hop, i) => {
      const beforeV2 = i < pivot && plan.hops[i + 1]!.kind === "v2" && !adaptive;
      const v3Amount = i === pivot ? hop.amountIn : beforeV2 ? hop.amountOut : 0n;
      return {
        kind: hop.kind,
        pool: hop.pool,
        zeroForOne: BigInt(hop.tokenIn) < BigInt(hop.tokenOut),
        amount: hop.kind === "v3" ? v3Amount : adaptive ? 0n : hop.amountOut,
        feePips: hop.kind === "v2" && adaptive ? hop.feePips : null,
      };
    }),
    minProfit: plan.minProfit,
    deadline: plan.deadline,
    blocks: plan.blocks,
    parentHash: plan.parentHash == null ? null : "0x" + plan.parentHash.slice(-24),
    poolBound: plan.poolBound ?? null,
    gasPrice: plan.gasPrice ?? null,
    tip: plan.tip ?? null,
    sweep: plan.sweep ?? false,
  };
}

describe("plan codec", function () {
  let reader: PlanReader;

  before(async function () {
    const { ethers } = await network.create();
    reader = await new PlanReader__factory((await ethers.getSigners())[0] as never).deploy();
  });

  /** The Solidity reader's view in the decoder's terms. */
  async function readOnChain(data: string) {
    const r = await reader.read(data);
    const v3 = r.hops.map((hop) => hop.v3);
    const allV2 = !v3.includes(true);
    return {
      amounts: r.adaptive ? "adaptive" : "fixed",
      funding: {
        source: FUNDING[Number(r.funding)],
        lender: r.lender === ZeroAddress ? null : r.lender,
        loan: r.loan,
        maxFee: r.maxFee,
      },
      profitToken: r.token === ZeroAddress ? null : r.token,
      pivot: Number(r.pivot),
      amountIn: r.amountIn,
      exact: allV2 || (!v3[0]! && !r.adaptive),
      hops: r.hops.map((hop) => ({
        kind: hop.v3 ? "v3" : "v2",
        pool: hop.pool,
        zeroForOne: hop.zeroForOne,
        amount: !hop.v3 && r.adaptive ? 0n : hop.amount,
        feePips: !hop.v3 && r.adaptive ? Number(hop.amount) : null,
      })),
      minProfit: r.minProfit,
      deadline: r.deadline === 0n ? null : Number(r.deadline),
      blocks: r.toBlock === 0n ? null : { from: Number(r.fromBlock), to: Number(r.toBlock) },
      parentHash: r.guards & 2n ? r.parent : null,
      poolBound: r.guards & 4n ? r.poolBound : null,
      gasPrice: r.guards & 8n ? { price: r.gasPrice, scale: Number(r.gasScale) } : null,
      tip:
        r.guards & 16n
          ? { kind: "fixed" as const, amount: r.tip }
          : r.guards & 32n
            ? { kind: "share" as const, bips: Number(r.tipBips), floor: r.tip, cap: r.tipCap }
            : null,
      sweep: (r.guards & 64n) !== 0n,
    };
  }

  if (process.env.WRITE_GOLDEN) {
    const list: GoldenPlan[] = [];
    const add = (name: string, changes: Partial<Shape>) => {
      const plan = planOf({ ...sample, ...changes });
      list.push({ name, plan, data: encodePlan(plan) });
    };
    const long = { amounts: [1n, 2n, 3n, 4n, 5n].map((x) => x * 10n ** 18n), fees: [3000, 500, 2500, 100] };
    for (const a of ["v2", "v3"] as const)
      for (const b of ["v2", "v3"] as const) {
        for (const adaptive of [false, true]) add(`${a}-${b} ${adaptive ? "adaptive" : "fixed"}`, { kinds: [a, b], adaptive });
      }
    add("v3-v2-v3 fixed, token given", { ...long, kinds: ["v3", "v2", "v3"], builtIn: false });
    add("v2-v3-v3-v2 adaptive, deadline", { ...long, kinds: ["v2", "v3", "v3", "v2"], adaptive: true, deadline: 1_800_000_000 });
    add("v2-v2-v2-v2 fixed, own balance, window", {
      ...long,
      kinds: ["v2", "v2", "v2", "v2"],
      source: "own-balance",
      blocks: { from: 20_000_000, to: 20_000_003 },
    });
    add("v2-v2 adaptive, aave", { kinds: ["v2", "v2"], adaptive: true, source: "aave-v3", maxFee: 5n * 10n ** 14n });
    add("v3-v3 fixed, balancer, everything", {
      kinds: ["v3", "v3"],
      source: "balancer-v2",
      builtIn: false,
      deadline: 1_800_000_000,
      blocks: { from: 1, to: 2 },
    });
    add("v2-v3 fixed, every guard with a fixed tip", {
      deadline: 1_800_000_000,
      blocks: { from: 20_000_000, to: 20_000_003 },
      parentHash: "0x" + "ab".repeat(31) + "cd",
      poolBound: 2n ** 96n,
      gasPrice: { price: 1n, scale: 0 },
      tip: { kind: "fixed", amount: 10n ** 15n },
      sweep: true,
    });
    add("v3-v2 adaptive, aave, tip by share", {
      kinds: ["v3", "v2"],
      adaptive: true,
      source: "aave-v3",
      gasPrice: { price: 3n << 64n, scale: 96 },
      tip: { kind: "share", bips: 9000, floor: 10n ** 14n, cap: 10n ** 17n },
    });
    add("greatest values", {
      amounts: [MAX_AMOUNT, MAX_AMOUNT, MAX_AMOUNT],
      minProfit: MAX_AMOUNT,
      deadline: 2 ** 40 - 1,
      blocks: { from: 2 ** 40 - 1, to: 2 ** 40 - 1 },
    });
    writeFileSync(GOLDEN, JSON.stringify(list, replace, 2) + "\n");
  }

  const golden = JSON.parse(readFileSync(GOLDEN, "utf8"), revive) as GoldenPlan[];
  for (const { name, plan, data } of golden) {
    it(`keeps the bytes of "${name}", and reads them as the contract's side does`, async function () {
      expect(encodePlan(plan)).to.equal(data);
      expect(decodePlan(data)).to.deep.equal(expected(plan));
      expect(await readOnChain(data)).to.deep.equal(expected(plan));
    });
  }

  it("reads back whatever it writes", function () {
    fc.assert(
      fc.property(shapes, (shape) => {
        const plan = planOf(shape);
        expect(decodePlan(encodePlan(plan))).to.deep.equal(expected(plan));
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });

  it("means the same to Solidity and TypeScript for random plans", async function () {
    await fc.assert(
      fc.asyncProperty(shapes, async (shape) => {
        const data = encodePlan(planOf(shape));
        expect(await readOnChain(data)).to.deep.equal(decodePlan(data));
      }),
      { seed: SEED, numRuns: 100 },
    );
  });

  it("refuses random bytes with a usage error, or reads them", function () {
    const bytes = fc
      .uint8Array({ minLength: 0, maxLength: 300 })
      .chain((body) => fc.constantFrom(body, Uint8Array.from([0xa0 | ((body[0] ?? 0) & 7), ...body])));
    fc.assert(
      fc.property(bytes, (body) => {
        try {
          decodePlan("0x" + Buffer.from(body).toString("hex"));
        } catch (error) {
          expect(error).to.be.instanceOf(ArbError);
          expect((error as ArbError).code).to.equal("usage");
        }
      }),
      { seed: SEED, numRuns: 1000 },
    );
    expect(() => decodePlan("plan")).to.throw(ArbError, "hexadecimal");
  });

  it("wraps the same bytes for execute", function () {
    const plan = planOf(sample);
    const [wrapped] = IArbExecutor__factory.createInterface().decodeFunctionData("execute", encodeExecute(plan));
    expect(wrapped).to.equal(encodePlan(plan));
  });

  it("refuses what the contract could not or should not do, and names the field", function () {
    const base = planOf({
      ...sample,
      kinds: ["v2", "v3", "v2"],
      amounts: [100n, 200n, 300n, 400n],
      fees: [3000, 500, 2500],
      builtIn: false,
    });
    const hop = (i: number, changes: Partial<Plan["hops"][number]>): Plan => ({
      ...base,
      hops: base.hops.map((old, j) => (i === j ? { ...old, ...changes } : old)),
    });
    const lender = address(999);
    const native = planOf(sample);
    const cases: [string, Plan][] = [
      ["hops", { ...base, hops: base.hops.slice(0, 1) }],
      ["hops", { ...base, hops: [...base.hops, ...base.hops, base.hops[0]!] }],
      ["profitToken", { ...base, profitToken: "0x12" }],
      ["profitToken", { ...base, profitToken: ZeroAddress }],
      ["hops[0].pool", hop(0, { pool: "pool" })],
      ["hops[1].pool", hop(1, { pool: base.hops[0]!.pool.toLowerCase() })],
      ["hops[0].tokenIn", hop(0, { tokenIn: address(4242) })],
      ["hops[1].tokenIn", hop(1, { tokenIn: address(4242) })],
      ["hops[1].tokenOut", hop(1, { tokenOut: base.hops[1]!.tokenIn })],
      ["hops[2].tokenOut", hop(2, { tokenOut: address(4242) })],
      ["hops[1].amountIn", hop(1, { amountIn: 201n })],
      ["hops[0].amountIn", hop(0, { amountIn: 0n })],
      ["hops[2].amountOut", hop(2, { amountOut: MAX_AMOUNT + 1n })],
      ["hops[2].amountOut", hop(2, { amountOut: 0n })],
      ["hops[0].feePips", hop(0, { feePips: 1_000_000 })],
      ["hops[0].feePips", hop(0, { feePips: -1 })],
      ["hops[0].feePips", hop(0, { feePips: 0.5 })],
      ["maxAmountIn", { ...base, maxAmountIn: 99n }],
      ["maxAmountIn", { ...base, maxAmountIn: MAX_AMOUNT + 1n }],
      ["minProfit", { ...base, minProfit: -1n }],
      ["minProfit", { ...base, minProfit: MAX_AMOUNT + 1n }],
      ["funding.source", { ...base, funding: { source: "bank" as FundingId, lender: null, maxFee: 0n } }],
      ["funding.lender", { ...base, funding: { source: "flash-swap", lender, maxFee: 0n } }],
      ["funding.lender", { ...base, funding: { source: "aave-v3", lender: null, maxFee: 0n } }],
      ["funding.lender", { ...base, funding: { source: "aave-v3", lender: base.hops[1]!.pool, maxFee: 0n } }],
      ["funding.maxFee", { ...base, funding: { source: "own-balance", lender: null, maxFee: 1n } }],
      ["funding.maxFee", { ...base, funding: { source: "balancer-v2", lender, maxFee: MAX_AMOUNT + 1n } }],
      ["deadline", { ...base, deadline: 0 }],
      ["deadline", { ...base, deadline: 2 ** 40 }],
      ["deadline", { ...base, deadline: 1.5 }],
      ["blocks.from", { ...base, blocks: { from: -1, to: 5 } }],
      ["blocks.to", { ...base, blocks: { from: 6, to: 5 } }],
      ["blocks.to", { ...base, blocks: { from: 0, to: 0 } }],
      ["parentHash", { ...base, parentHash: "0x1234" }],
      ["poolBound", { ...base, poolBound: 0n }],
      ["poolBound", { ...base, poolBound: 2n ** 160n }],
      ["gasPrice.price", { ...base, gasPrice: { price: 0n, scale: 0 } }],
      ["gasPrice.scale", { ...base, gasPrice: { price: 1n, scale: 256 } }],
      ["tip", { ...base, tip: { kind: "fixed", amount: 1n } }],
      ["tip", { ...native, chainId: 8453, tip: { kind: "fixed", amount: 1n } }],
      ["tip.amount", { ...native, tip: { kind: "fixed", amount: 0n } }],
      ["tip.bips", { ...native, tip: { kind: "share", bips: 10_001, floor: 0n, cap: 1n } }],
      ["tip.floor", { ...native, tip: { kind: "share", bips: 1, floor: -1n, cap: 1n } }],
      ["tip.cap", { ...native, tip: { kind: "share", bips: 1, floor: 5n, cap: 4n } }],
    ];
    expect(encodePlan(base)).to.match(/^0xa[0-7]/);
    for (const [where, plan] of cases) {
      let caught: unknown;
      try {
        encodePlan(plan);
      } catch (error) {
        caught = error;
      }
      expect(caught, where).to.be.instanceOf(ArbError);
      expect([(caught as ArbError).code, (caught as ArbError).where]).to.deep.equal(["usage", where]);
    }
  });
});
