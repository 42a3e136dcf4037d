import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { getAddress, toBeHex, ZeroAddress } from "ethers";
import * as fc from "fast-check";
import { network } from "hardhat";
import { ArbError } from "../../src/errors.js";
import { describePlan } from "../../src/plan/describe.js";
import type { PlanTip } from "../../src/plan/plan.js";
import { MAX_STEP_AMOUNT } from "../../src/plan/step-check.js";
import type { Asset, LeafStep, Step, StepAmount, StepLender, StepsPlan } from "../../src/plan/step-types.js";
import { decodeSteps, encodeExecuteSteps, encodeSteps, isStepsPlan } from "../../src/plan/steps.js";
import { IArbExecutor__factory, type StepsReader, StepsReader__factory } from "../../types/contracts/index.js";
import { asyncProperty, property } from "../helpers/property.js";
import {
  ARRIVED,
  balancerV2,
  balancerV3,
  curve,
  fixed,
  loan,
  NATIVE,
  planOf,
  PREVIOUS,
  SURPLUS,
  v2,
  v3,
  wrap,
} from "../helpers/steps.js";
import { v4Swap } from "../helpers/v4.js";

const GOLDEN = new URL("../golden/steps.json", import.meta.url);

/** JSON has no bigint: they are strings that end in n. */
const revive = (_: string, value: unknown) =>
  typeof value === "string" && /^\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value;
const replace = (_: string, value: unknown) => (typeof value === "bigint" ? `${value}n` : value);

const address = (seed: number) => getAddress(toBeHex(BigInt(seed) * 0x1234567890abcdef1234567890abcdefn + 1n, 20));
const token = (seed: number): Asset => ({ kind: "erc20", address: address(seed) });
const MANAGER = address(99);
const POOL = address(50);
const MAX_96 = 2n ** 96n - 1n;
/** Tokens at 0 to 2, the vault's share at 3, ETH at 4, a claim at 5. */
const TABLE: Asset[] = [token(1), token(2), token(3), token(4), NATIVE, { kind: "claim", address: address(1) }];
const SHARE = TABLE[3]!.address;
const V4_POOL = { currency0: ZeroAddress, currency1: address(1), fee: 500, tickSpacing: 10, hooks: address(7) };
const vaultStep = (kind: "erc4626-deposit" | "erc4626-redeem", amount: StepAmount): LeafStep =>
  kind === "erc4626-deposit"
    ? { kind, vault: SHARE, assetIn: 1, assetOut: 3, amount, measure: true }
    : { kind, vault: SHARE, assetIn: 3, assetOut: 1, amount, measure: false };
const flashV2 = (amountOut: bigint, maxIn: bigint, feePips: number | null, steps: Step[]): Step => ({
  kind: "flash-v2",
  pool: POOL,
  assetIn: 0,
  assetOut: 1,
  amountOut,
  maxIn,
  feePips,
  steps,
});

const amountOf = fc.bigInt(1n, MAX_STEP_AMOUNT);
const sourceOf: fc.Arbitrary<StepAmount> = fc.oneof(
  amountOf.map(fixed),
  fc.constant(SURPLUS),
  fc.integer({ min: 1, max: 10_000 }).map((bips): StepAmount => ({ from: "share", bips })),
);
const poolOf = fc.integer({ min: 1, max: 1_000_000 }).map(address);
const pairOf = fc.constantFrom([0, 1], [1, 0], [2, 0], [1, 2]) as fc.Arbitrary<[number, number]>;
const feeOf = fc.integer({ min: 0, max: 999_999 });
const capOf = fc.option(amountOf);
const FORMS = ["int128", "uint256", "underlying-int128", "underlying-uint256", "native"] as const;

const leafOf: fc.Arbitrary<Step[]> = fc
  .record({
    pool: poolOf,
    pair: pairOf,
    amount: sourceOf,
    cap: capOf,
    fee: feeOf,
    given: fc.option(amountOf),
    measure: fc.boolean(),
  })
  .chain(({ pool, pair: [a, b], amount, cap, fee, given, measure }) => {
    const swap = { measure };
    return fc.constantFrom<Step[]>(
      [v2(pool, [a, b, amount], { ...swap, feePips: fee, maxIn: cap })],
      [v2(pool, [a, b, amount], { ...swap, feePips: null })],
      [v2(pool, [a, b, amount], { ...swap, feePips: fee, amountOut: given ?? 1n })],
      [v3(pool, [a, b, amount], { ...swap, direct: true }), v2(pool, [b, a, ARRIVED], { feePips: fee })],
      [v3(pool, [a, b, amount], { ...swap, maxIn: cap }), v3(pool, [b, a, PREVIOUS])],
      [curve(pool, [a, b, amount], { ...swap, i: fee % 8, j: (fee % 8) + 1, form: FORMS[fee % 5]! })],
      [balancerV2(pool, toBeHex(given ?? 7n, 32), [a, b, amount], cap)],
      [vaultStep("erc4626-deposit", amount)],
      [vaultStep("erc4626-redeem", amount)],
      [wrap("wrap", [4, 0, amount])],
      [wrap("unwrap", [0, 4, amount])],
    );
  });
const v4Of: fc.Arbitrary<Step> = fc
  .record({ amount: sourceOf, value: amountOf, fee: feeOf, data: fc.uint8Array({ maxLength: 70 }) })
  .map(({ amount, value, fee, data }): Step => ({
    kind: "v4-unlock",
    steps: [
      v4Swap({ ...V4_POOL, fee }, [4, 0, amount], {
        hookData: "0x" + Buffer.from(data).toString("hex"),
        exact: fee % 2 === 0 ? "in" : "out",
      }),
      { kind: "v4-take", asset: 0, amount: PREVIOUS },
      { kind: "v4-mint", asset: 5, amount },
      { kind: "v4-burn", asset: 5, amount },
      { kind: "v4-settle", asset: 4, max: value },
    ],
  }));
const listOf = fc.array(leafOf, { minLength: 1, maxLength: 3 }).map((list) => list.flat());
const loanOf: fc.Arbitrary<Step> = fc
  .record({ pool: poolOf, amount: amountOf, cap: amountOf, fee: feeOf, steps: listOf })
  .chain(({ pool, amount, cap, fee, steps }) =>
    fc.constantFrom<Step>(
      ...(["aave-v3", "balancer-v2", "erc3156"] as StepLender[]).map((source) => loan(source, pool, amount, cap, steps)),
      ...(["morpho", "balancer-v3"] as StepLender[]).map((source) => loan(source, pool, amount, 0n, steps)),
      loan("balancer-v3", pool, amount, 0n, [balancerV3(pool, address(fee + 3), [0, 1, fixed(cap)], { maxIn: cap })]),
      loan("balancer-v3", pool, amount, 0n, [
        balancerV3(pool, address(fee + 3), [0, 1, fixed(cap)], { direct: true, measure: true }),
        v2(pool, [1, 0, ARRIVED]),
      ]),
      { ...loan("v3-flash", pool, amount, cap, steps), token1: fee % 2 === 0 },
      flashV2(amount, cap, fee === 0 ? null : fee, steps),
      { kind: "flash-v3-swap", pool, assetIn: 0, assetOut: 1, amount, exact: fee % 2 === 0 ? "in" : "out", maxIn: cap, steps },
    ),
  );
const planArbitrary: fc.Arbitrary<StepsPlan> = fc
  .record({
    steps: fc.oneof(
      listOf,
      loanOf.map((step) => [step]),
      v4Of.map((step) => [step]),
      fc
        .tuple(loanOf, v4Of)
        .map(([outer, inner]) => ("steps" in outer ? [{ ...outer, steps: [inner, outer.steps[0]!].slice(0, 1) }] : [outer])),
    ),
    minProfit: fc.bigInt(0n, MAX_STEP_AMOUNT),
    profitAsset: fc.integer({ min: 0, max: 5 }),
    deadline: fc.option(fc.integer({ min: 1, max: 2 ** 40 - 1 })),
    from: fc.option(fc.integer({ min: 0, max: 2 ** 40 - 1 })),
    parentHash: fc.option(amountOf.map((n) => toBeHex(n >> 32n, 12))),
    gasPrice: fc.option(fc.record({ price: fc.bigInt(1n, MAX_96), scale: fc.integer({ min: 0, max: 255 }) })),
    tip: fc.option(
      fc.oneof(
        fc.bigInt(1n, MAX_96).map((amount): PlanTip => ({ kind: "fixed", amount })),
        fc
          .record({ bips: fc.integer({ min: 1, max: 10_000 }), floor: fc.bigInt(0n, MAX_96) })
          .map(({ bips, floor }): PlanTip => ({ kind: "share", bips, floor, cap: MAX_96 })),
      ),
    ),
    sweep: fc.boolean(),
  })
  .map(({ from, tip, sweep, ...rest }) => {
    const inToken = rest.profitAsset < 4;
    const blocks = from === null ? null : { from, to: 2 ** 40 - 1 };
    return planOf(TABLE, rest.steps, {
      ...rest,
      v4Manager: MANAGER,
      blocks,
      tip: inToken ? tip : null,
      sweep: inToken && sweep,
    });
  });

/** Plans as they are used, one for each kind of step. */
const EXAMPLES: Record<string, StepsPlan> = {
  "two V2 pools with own money, straight from one to the other": planOf(TABLE.slice(0, 2), [
    v2(POOL, [0, 1, fixed(10n ** 18n)], { direct: true }),
    v2(address(51), [1, 0, ARRIVED], { feePips: null, direct: false }),
  ]),
  "a V2 pair lends for a Curve exchange": planOf(TABLE.slice(0, 3), [
    flashV2(71_132_177_345n, 10n ** 18n, null, [
      curve(POOL, [1, 2, fixed(71_132_177_345n)], { i: 1, j: 0, measure: false }),
      v2(address(52), [2, 0, fixed(7n)], { feePips: 0, amountOut: 9n }),
    ]),
  ]),
  "Aave lends, one leg is split, a deadline and a block window": planOf(
    TABLE.slice(0, 2),
    [
      loan("aave-v3", address(60), 10n ** 20n, 5n * 10n ** 16n, [
        v3(POOL, [0, 1, fixed(10n ** 20n)]),
        v3(address(51), [1, 0, { from: "share", bips: 4000 }], { maxIn: null }),
        balancerV2(address(61), toBeHex(2n ** 255n, 32), [1, 0, SURPLUS]),
      ]),
    ],
    { minProfit: 12345n, deadline: 1_800_000_000, blocks: { from: 1, to: 25_000_000 } },
  ),
  "V4 with native ETH, hook data and claims": planOf(
    TABLE,
    [
      {
        kind: "v4-unlock",
        steps: [
          v4Swap(V4_POOL, [4, 0, fixed(10n ** 18n)], { hookData: "0xc0ffee" }),
          { kind: "v4-mint", asset: 5, amount: PREVIOUS },
          { kind: "v4-settle", asset: 4, max: 10n ** 18n },
        ],
      },
      vaultStep("erc4626-deposit", SURPLUS),
      vaultStep("erc4626-redeem", PREVIOUS),
      wrap("wrap", [4, 0, SURPLUS]),
    ],
    { v4Manager: MANAGER, profitAsset: 5 },
  ),
  "Balancer V3 lends and swaps; parent, own gas, a share to the proposer and the sweep": planOf(
    TABLE.slice(0, 2),
    [
      loan("balancer-v3", address(62), 10n ** 18n, 0n, [
        balancerV3(address(62), address(63), [0, 1, fixed(10n ** 18n)], { direct: true }),
        v2(POOL, [1, 0, ARRIVED]),
      ]),
    ],
    {
      parentHash: "0xaabbccddeeff001122334455",
      gasPrice: { price: 2_500_000_000n, scale: 60 },
      tip: { kind: "share", bips: 9000, floor: 10n ** 14n, cap: 10n ** 17n },
      sweep: true,
    },
  ),
};

describe("plans of steps as bytes", function () {
  let reader: StepsReader;

  before(async function () {
    const { ethers } = await network.create();
    reader = await new StepsReader__factory((await ethers.getSigners())[0] as never).deploy();
  });

  it("come back as they were", function () {
    property(
      fc.property(planArbitrary, (plan) => {
        expect(decodeSteps(encodeSteps(plan))).to.deep.equal(plan);
      }),
    );
  });

  it("mean the same to a plain reader in Solidity", async function () {
    await asyncProperty(
      fc.asyncProperty(planArbitrary, async (plan) => {
        const reading = await reader.read(encodeSteps(plan));
        expect([reading.profitAsset, reading.minProfit]).to.deep.equal([BigInt(plan.profitAsset), plan.minProfit]);
        expect(reading.deadline).to.equal(BigInt(plan.deadline ?? 0));
        expect([reading.fromBlock, reading.toBlock]).to.deep.equal([
          BigInt(plan.blocks?.from ?? 0),
          BigInt(plan.blocks?.to ?? 0),
        ]);
        expect(reading.manager).to.equal(plan.v4Manager ?? ZeroAddress);
        const { parentHash, gasPrice, tip, sweep } = plan;
        expect(reading.parent).to.equal(parentHash ?? "0x" + "00".repeat(12));
        expect([reading.gasPrice, reading.gasScale]).to.deep.equal([gasPrice?.price ?? 0n, BigInt(gasPrice?.scale ?? 0)]);
        const [bips, least, most] = tip?.kind === "share" ? [tip.bips, tip.floor, tip.cap] : [0, tip?.amount ?? 0n, 0n];
        expect([reading.tipBips, reading.tip, reading.tipCap]).to.deep.equal([BigInt(bips), least, most]);
        expect((reading.guards & 64n) !== 0n).to.equal(sweep);
        expect(reading.assets.map((asset) => asset.token)).to.deep.equal(plan.assets.map((asset) => asset.address));
        const flat = (steps: Step[], depth: bigint): [bigint, Step][] =>
          steps.flatMap((step) => [[depth, step] as [bigint, Step], ...("steps" in step ? flat(step.steps, depth + 1n) : [])]);
        const expected = flat(plan.steps, 0n);
        expect(reading.steps.map((step) => step.depth)).to.deep.equal(expected.map(([depth]) => depth));
        for (const [i, [, step]] of expected.entries()) {
          const { target, assetIn, assetOut, amount, extra } = reading.steps[i]!;
          if ("pool" in step)
            expect(step.kind === "balancer-v3-swap" ? getAddress(extra.slice(0, 42)) : target).to.equal(step.pool);
          if ("vault" in step) expect(target).to.equal(step.vault);
          if ("lender" in step) expect(target).to.equal(step.lender);
          if ("assetIn" in step) expect([assetIn, assetOut]).to.deep.equal([BigInt(step.assetIn), BigInt(step.assetOut)]);
          if ("asset" in step) expect(assetIn).to.equal(BigInt(step.asset));
          if ("maxIn" in step && step.maxIn !== null) expect(extra).to.contain(toBeHex(step.maxIn, 16).slice(2));
          if ("maxFee" in step) expect(extra).to.equal(toBeHex(step.maxFee, 16));
          if ("hookData" in step) expect(extra.slice(2 + 52)).to.equal(step.hookData.slice(2));
          if ("measure" in step && step.amount.from === "fixed") expect(amount).to.equal(step.amount.value);
        }
      }),
      60,
    );
  });

  it("are what they were: vectors that TypeScript and Solidity share", async function () {
    const vectors = Object.entries(EXAMPLES).map(([name, plan]) => ({ name, plan, data: encodeSteps(plan) }));
    if (process.env.WRITE_GOLDEN) writeFileSync(GOLDEN, JSON.stringify(vectors, replace, 2) + "\n");
    const golden = JSON.parse(readFileSync(GOLDEN, "utf8"), revive) as typeof vectors;
    expect(golden.map(({ name }) => name)).to.deep.equal(Object.keys(EXAMPLES));
    for (const { name, plan, data } of golden) {
      expect(encodeSteps(plan), name).to.equal(data);
      expect(decodeSteps(data), name).to.deep.equal(plan);
      expect((await reader.read(data)).steps.length, name).to.be.greaterThan(1);
    }
  });

  it("are told from other calldata by their first digit, which no selector of the executor starts with", function () {
    const plan = EXAMPLES["two V2 pools with own money, straight from one to the other"]!;
    expect(isStepsPlan(encodeSteps(plan))).to.equal(true);
    expect(isStepsPlan("0xa0")).to.equal(false);
    const { fragments } = IArbExecutor__factory.createInterface();
    const selectors = fragments.flatMap((f) =>
      f.type === "function" ? [IArbExecutor__factory.createInterface().getFunction(f.format() as never)!.selector] : [],
    );
    expect(selectors.filter(isStepsPlan)).to.deep.equal([]);
    const [inner] = IArbExecutor__factory.createInterface().decodeFunctionData(
      "execute",
      encodeExecuteSteps(plan),
    ) as unknown as [string];
    expect(inner).to.equal(encodeSteps(plan));
  });

  it("are printed for people, one line for each asset and step", function () {
    for (const plan of Object.values(EXAMPLES)) {
      const described = describePlan(encodeSteps(plan), null);
      expect(described).to.include({ entry: "bare", format: "steps" });
      expect(described.plan).to.deep.equal(plan);
      const count = (steps: Step[]): number =>
        steps.reduce((sum, step) => sum + 1 + ("steps" in step ? count(step.steps) : 0), 0);
      expect(described.lines.filter((line) => line.trimStart().startsWith("step ")).length).to.equal(count(plan.steps));
      expect(described.lines.filter((line) => line.startsWith("asset ")).length).to.equal(plan.assets.length);
    }
    const [lending] = Object.values(EXAMPLES).slice(1);
    expect(describePlan(encodeExecuteSteps(lending!), null).lines.join("\n")).to.contain(
      `flash-v2 ${POOL}, ${TABLE[0]!.address} -> ${TABLE[1]!.address}, lends 71132177345 units`,
    );
  });

  it("are refused with the name of the field that is wrong", function () {
    const swap = v2(POOL, [0, 1, fixed(1n)]);
    const claim: Asset = { kind: "claim", address: address(1) };
    const of = (steps: Step[], changes: Partial<StepsPlan> = {}, table = TABLE) =>
      planOf(table, steps, { v4Manager: MANAGER, ...changes });
    const cases: [where: string, plan: StepsPlan][] = [
      ["assets", of([swap], {}, [])],
      ["assets[1].address", of([swap], {}, [token(1), { kind: "erc20", address: ZeroAddress }])],
      ["assets[1].address", of([swap], {}, [token(1), { kind: "native", address: address(1) }])],
      ["assets[1].address", of([swap], {}, [token(1), token(1)])],
      ["v4Manager", of([swap], { v4Manager: null }, [token(1), claim])],
      ["v4Manager", of([{ kind: "v4-unlock", steps: [] }], { v4Manager: null }, TABLE.slice(0, 5))],
      ["profitAsset", of([swap], { profitAsset: 6 })],
      ["minProfit", of([swap], { minProfit: -1n })],
      ["minProfit", of([swap], { minProfit: MAX_STEP_AMOUNT + 1n })],
      ["deadline", of([swap], { deadline: 2 ** 40 })],
      ["blocks.to", of([swap], { blocks: { from: 5, to: 4 } })],
      ["parentHash", of([swap], { parentHash: "0x12" })],
      ["gasPrice.price", of([swap], { gasPrice: { price: 0n, scale: 0 } })],
      ["tip.cap", of([swap], { tip: { kind: "share", bips: 1, floor: 5n, cap: 4n } })],
      ["tip", of([swap], { tip: { kind: "fixed", amount: 1n }, profitAsset: 4 })],
      ["sweep", of([swap], { sweep: true, profitAsset: 5 })],
      ["steps[0]", of([balancerV3(POOL, POOL, [0, 1, fixed(1n)])])],
      ["steps", of([])],
      ["steps", of(Array.from({ length: 17 }, () => swap))],
      ["steps[0].pool", of([{ ...swap, pool: "0x12" }])],
      ["steps[0].assetIn", of([{ ...swap, assetIn: 6 }])],
      ["steps[0].assetIn", of([{ ...swap, assetIn: 4 }])],
      ["steps[0].assetOut", of([{ ...swap, assetOut: 0 }])],
      ["steps[0].amount", of([{ ...swap, amount: fixed(0n) }])],
      ["steps[0].amount", of([{ ...swap, amount: PREVIOUS }])],
      ["steps[0].amount", of([{ ...swap, amount: ARRIVED }])],
      ["steps[0].amount.bips", of([{ ...swap, amount: { from: "share", bips: 10_001 } }])],
      ["steps[1].amount", of([{ ...swap, direct: true }, swap])],
      ["steps[0].direct", of([{ ...swap, direct: true }, wrap("wrap", [4, 0, SURPLUS])])],
      ["steps[0].feePips", of([{ ...swap, feePips: 1_000_000 }])],
      ["steps[0].maxIn", of([{ ...swap, maxIn: 1n, amountOut: 1n }])],
      ["steps[0].maxIn", of([{ ...swap, maxIn: 1n, feePips: null }])],
      ["steps[0].amountOut", of([{ ...swap, amountOut: 0n }])],
      ["steps[0].j", of([curve(POOL, [0, 1, fixed(1n)], { i: 1, j: 1 })])],
      ["steps[0].poolId", of([balancerV2(POOL, "0x12", [0, 1, fixed(1n)])])],
      ["steps[0].vault", of([{ kind: "erc4626-redeem", vault: POOL, assetIn: 3, assetOut: 1, amount: SURPLUS, measure: false }])],
      ["steps[0].assetIn", of([wrap("wrap", [1, 0, SURPLUS])])],
      ["steps[0]", of([{ kind: "v4-settle", asset: 0, max: 1n }])],
      ["steps[0].steps[0]", of([{ kind: "v4-unlock", steps: [{ kind: "v4-unlock", steps: [] }] }])],
      ["steps[0].steps[0].asset", of([{ kind: "v4-unlock", steps: [{ kind: "v4-burn", asset: 0, amount: SURPLUS }] }])],
      [
        "steps[0].steps[0].tickSpacing",
        of([{ kind: "v4-unlock", steps: [v4Swap({ ...V4_POOL, tickSpacing: 0 }, [4, 0, SURPLUS])] }]),
      ],
      ["steps[0].steps[0].hookData", of([{ kind: "v4-unlock", steps: [v4Swap(V4_POOL, [4, 0, SURPLUS], { hookData: "0x1" })] }])],
      ["steps[0].maxFee", of([loan("morpho", POOL, 1n, 1n, [swap])])],
      ["steps[0].asset", of([loan("morpho", POOL, 1n, 0n, [swap], 4)])],
      ["steps[0].token1", of([{ ...loan("aave-v3", POOL, 1n, 0n, [swap]), token1: true }])],
      ["steps[0].amountOut", of([flashV2(0n, 1n, null, [])])],
      ["steps[0].maxIn", of([flashV2(1n, 0n, null, [])])],
    ];
    for (const [where, plan] of cases) {
      const attempt = () => encodeSteps(plan);
      expect(attempt, where).to.throw(ArbError).with.property("where", where);
    }
  });

  it("that encodeSteps would not write are refused", function () {
    const data = encodeSteps(EXAMPLES["V4 with native ETH, hook data and claims"]!);
    for (const bad of [
      "",
      "0x",
      "0xb",
      "0xa0" + data.slice(4),
      data + "00",
      data.slice(0, -2),
      data.replace("0xb1", "0xb3"),
      data.replace("0xb1", "0xb5"),
    ]) {
      expect(() => decodeSteps(bad), bad.slice(0, 10))
        .to.throw(ArbError)
        .with.property("code", "usage");
    }
    property(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          decodeSteps("0xb0" + Buffer.from(bytes).toString("hex"));
        } catch (error) {
          expect(error).to.be.instanceOf(ArbError);
        }
      }),
      500,
    );
  });
});
