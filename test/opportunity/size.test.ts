import { expect } from "chai";
import type { FundingOffer } from "../../src/funding/funding.js";
import type { Opportunity } from "../../src/opportunity/opportunity.js";
import { type RouteHop, executionAmounts, quoteOpportunity, tryQuote } from "../../src/opportunity/quoter.js";
import { optimalInput } from "../../src/opportunity/size.js";
import { v3Piece } from "../../src/venues/concentrated-liquidity.js";
import { curve, curveOf, quoteExactIn } from "../../src/venues/swap.js";
import { sqrtRatioAtTick } from "../../src/venues/tick-math.js";
import { fakeAddress, makeV2, makeV3, randomCycle } from "../helpers/synthetic-pools.js";
import { SEED, random } from "../helpers/random.js";

const FLASH: FundingOffer = { source: "flash-swap", lender: null, limit: null, fee: () => 0n };
const AAVE: FundingOffer = {
  source: "aave-v3",
  lender: fakeAddress(7),
  limit: 10n ** 26n,
  fee: (x) => (x * 5n + 5000n) / 10_000n,
};
const KINDS: ("v2" | "v3")[][] = [
  ["v2", "v2"],
  ["v2", "v3"],
  ["v3", "v2"],
  ["v3", "v3"],
  ["v2", "v3", "v2"],
  ["v3", "v2", "v2"],
  ["v3", "v3", "v3"],
  ["v2", "v3", "v3", "v2"],
];

function opportunityOf(route: RouteHop[], changes: Partial<Opportunity> = {}): Opportunity {
  const hops = route.map(({ pool, tokenIn, tokenOut }) => ({
    venue: pool.venue,
    pool: pool.address,
    tokenIn,
    tokenOut,
    feePips: pool.feePips,
  }));
  const rest = { amountIn: null, funding: null, amounts: null, deadline: null, after: null, source: null };
  return { version: "opportunity.v1", id: "test", chainId: 1, hops, ...rest, ...changes };
}

const snapshotOf = (route: RouteHop[]) => ({
  blockNumber: 1,
  blockHash: `0x${"11".repeat(32)}`,
  pools: route.map((hop) => hop.pool),
});

/** Profit of an input when every hop is quoted forward, exactly; null where a pool cannot take it. */
function forwardProfit(route: RouteHop[], amountIn: bigint, fee: (amount: bigint) => bigint): bigint | null {
  let amount = amountIn;
  for (const hop of route) {
    const swap = quoteExactIn(hop.pool, hop.tokenIn, amount);
    if (!swap.ok) return null;
    amount = swap.amountOut;
  }
  return amount - amountIn - fee(amountIn);
}

/** Golden section on exact quotes, down to one unit. */
function goldenSection(route: RouteHop[], high: bigint, fee: (amount: bigint) => bigint): { amountIn: bigint; profit: bigint } {
  const value = (x: bigint): bigint => forwardProfit(route, x, fee) ?? -x - 1n;
  let [a, b] = [1n, high];
  const cut = (): bigint => ((b - a) * 618033988749894848n) / 10n ** 18n;
  let [c, d] = [b - cut(), a + cut()];
  let [atC, atD] = [value(c), value(d)];
  while (b - a > 2n) {
    if (atC >= atD) {
      [b, d, atD] = [d, c, atC];
      c = b - cut();
      atC = value(c);
    } else {
      [a, c, atC] = [c, d, atD];
      d = a + cut();
      atD = value(d);
    }
  }
  return atC >= atD ? { amountIn: c, profit: atC } : { amountIn: d, profit: atD };
}

/** Units of the profit token that one unit of each intermediate token stands for, in sum, and one for each end. */
function oneUnitOfEach(amounts: bigint[]): bigint {
  return amounts.slice(1, -1).reduce((sum, amount) => sum + amounts[0]! / (amount || 1n) + 1n, 2n);
}

describe(`optimal size (seed ${SEED})`, () => {
  for (const [k, kinds] of KINDS.entries()) {
    it(`is within one unit of each intermediate token of golden section: ${kinds.join("-")}`, () => {
      const next = random(SEED + k);
      let profitable = 0;
      for (let i = 0; i < 120; i++) {
        const route = randomCycle(next, kinds, 0.002 + 0.04 * next());
        const offer = i % 3 === 0 ? AAVE : FLASH;
        const quoted = quoteOpportunity(opportunityOf(route), snapshotOf(route), [offer]);
        if (!quoted.ok) {
          const golden = goldenSection(route, 10n ** 24n, offer.fee);
          expect(quoted.rejection.reason).to.equal("not-profitable");
          expect(golden.profit <= 10n ** 6n, `golden section found ${golden.profit}`).to.equal(true);
          continue;
        }
        profitable++;
        const { hops, amountIn, amountOut, profit, fundingFee } = quoted.value;
        const golden = goldenSection(route, amountIn * 4n, offer.fee);
        const amounts = [...hops.map((hop) => hop.amountIn), amountOut];
        expect(profit >= golden.profit - oneUnitOfEach(amounts), `${profit} against ${golden.profit}, cycle ${i}`).to.equal(true);
        expect(profit).to.equal(amountOut - amountIn - fundingFee);
        // what the contract would move on these very states is what was quoted
        expect(executionAmounts(quoted.value)).to.deep.equal({ ok: true, amounts });
      }
      expect(profitable).to.be.greaterThan(60);
    });
  }

  it("meets the closed form of two constant-product pools", () => {
    const [x, y] = [makeV2(10n ** 21n, 2n * 10n ** 24n, 3000, 1), makeV2(10n ** 21n, 18n * 10n ** 23n, 3000, 2)];
    const size = optimalInput([curveOf(x, x.token0), curveOf(y, y.token1)], { feeRate: 0, maxInput: Infinity })!;
    // one arc of two: sqrt(g^2 a b' ...) from Angeris et al., "An analysis of Uniswap markets", section 2
    const g = 0.997;
    const [a, b, c, d] = [1e21, 2e24, 1.8e24, 1e21];
    const closed = (Math.sqrt(g * g * a * b * c * d) - a * c) / (g * c + g * g * b);
    expect(Math.abs(size.amountIn / closed - 1) < 1e-12).to.equal(true);
  });

  it("finds an optimum that lies exactly on the edge of a range, from either side", () => {
    // the far pool buys at a fixed ratio so deep that the best input is where the near pool's dense range ends
    for (const slack of [-1e-13, 0, 1e-13]) {
      const edgeTick = -600;
      const near = makeV3(
        sqrtRatioAtTick(0),
        [
          [-600, 600, 10n ** 24n],
          [-60000, 60000, 10n ** 18n],
        ],
        { feePips: 3000, tickSpacing: 60, n: 1 },
      );
      const marginal = 1.0001 ** edgeTick * 0.997 * 0.997;
      const depth = 1e30;
      const far = makeV2(BigInt(depth), BigInt(Math.floor((depth / marginal) * (1 + slack))), 3000, 2);
      const route = [
        { pool: near, tokenIn: near.token0, tokenOut: near.token1 },
        { pool: { ...far, token0: near.token1, token1: near.token0 }, tokenIn: near.token1, tokenOut: near.token0 },
      ];
      const quoted = quoteOpportunity(opportunityOf(route), snapshotOf(route), [FLASH]);
      if (!quoted.ok) throw new Error(quoted.rejection.detail);
      const edge = v3Piece(near, true, 1)!.exactInput;
      expect(Math.abs(Number(quoted.value.amountIn) / Number(edge) - 1) < 1e-5).to.equal(true);
      const golden = goldenSection(route, quoted.value.amountIn * 4n, FLASH.fee);
      expect(quoted.value.profit >= golden.profit - 4n).to.equal(true);
    }
  });

  it("stops at the far side of an empty gap to the exact unit", () => {
    const near = makeV3(
      sqrtRatioAtTick(0),
      [
        [-600, 600, 10n ** 24n],
        [-6000, -5400, 10n ** 24n],
      ],
      { feePips: 3000, tickSpacing: 60, n: 1 },
    );
    const far = makeV2(10n ** 30n, (10n ** 30n * 5n) / 4n, 3000, 2);
    const route = [
      { pool: near, tokenIn: near.token0, tokenOut: near.token1 },
      { pool: { ...far, token0: near.token1, token1: near.token0 }, tokenIn: near.token1, tokenOut: near.token0 },
    ];
    const quoted = quoteOpportunity(opportunityOf(route), snapshotOf(route), [FLASH]);
    if (!quoted.ok) throw new Error(quoted.rejection.detail);
    const golden = goldenSection(route, quoted.value.amountIn * 4n, FLASH.fee);
    expect(quoted.value.profit >= golden.profit - 2n, `${quoted.value.profit} against ${golden.profit}`).to.equal(true);
    const gap = v3Piece(near, true, 1)!.exactInput;
    expect([gap - 1n, gap, gap + 1n]).to.include(quoted.value.amountIn);
  });

  it("keeps to the limits of funding and of the caller", () => {
    const route = randomCycle(random(5), ["v2", "v2"], 0.05);
    const free = quoteOpportunity(opportunityOf(route), snapshotOf(route), [FLASH]);
    if (!free.ok) throw new Error(free.rejection.detail);
    const half = free.value.amountIn / 2n;
    const poor: FundingOffer = { ...FLASH, source: "own-balance", limit: half };
    for (const [offers, limits] of [
      [[poor], { maxAmountIn: null }],
      [[FLASH], { maxAmountIn: half }],
    ] as const) {
      const quoted = quoteOpportunity(opportunityOf(route), snapshotOf(route), [...offers], limits);
      if (!quoted.ok) throw new Error(quoted.rejection.detail);
      expect(quoted.value.amountIn <= half).to.equal(true);
      expect(half - quoted.value.amountIn < half / 10n ** 9n + 10n).to.equal(true);
    }
    // of a free but small source and a dear but large one, the one that leaves more is taken
    const both = quoteOpportunity(opportunityOf(route), snapshotOf(route), [{ ...poor, limit: 10n }, AAVE]);
    expect(both.ok && both.value.funding.source).to.equal("aave-v3");
  });

  it("asks for more ticks where a better size may lie behind the known ones", () => {
    const near = makeV3(sqrtRatioAtTick(0), [[-6000, 6000, 10n ** 24n]], { feePips: 3000, tickSpacing: 60, n: 1 });
    const known = { ...near, tickRange: [-300, 300] as [number, number], ticks: [] };
    const far = makeV2(10n ** 30n, (10n ** 30n * 5n) / 4n, 3000, 2);
    const second = { pool: { ...far, token0: near.token1, token1: near.token0 }, tokenIn: near.token1, tokenOut: near.token0 };
    const part = [{ pool: known, tokenIn: near.token0, tokenOut: near.token1 }, second];
    const attempt = tryQuote(opportunityOf(part), snapshotOf(part), [FLASH], { maxAmountIn: null });
    expect(attempt.needsTicks).to.deep.equal([near.address]);
    // what is known still gives a sound, smaller trade
    expect(attempt.result.ok).to.equal(true);
    const last = curve(known, known.token0).at(-1)!;
    expect(last.reserveOut).to.equal(0);
    expect(attempt.result.ok && Number(attempt.result.value.amountIn) <= last.inputBefore).to.equal(true);
  });

  it("names what stands in the way", () => {
    const route = randomCycle(random(6), ["v2", "v3"], 0.05);
    const reason = (changes: Partial<Opportunity>, offers = [FLASH], pools = snapshotOf(route)): string => {
      const result = quoteOpportunity(opportunityOf(route, changes), pools, offers);
      return result.ok ? "ok" : `${result.rejection.reason} at ${result.rejection.where}`;
    };
    expect(reason({})).to.equal("ok");
    // so little that the first pool gives nothing
    expect(reason({ amountIn: 1000n })).to.equal("no-liquidity at hops[0]");
    expect(reason({ amountIn: 10n ** 27n })).to.match(/no-liquidity at hops\[\d\]|not-profitable at null/);
    expect(reason({ amountIn: 1n << 96n })).to.equal("amount-out-of-range at amountIn");
    expect(reason({ funding: "aave-v3" })).to.equal("no-funding at funding");
    expect(reason({ amountIn: 10n ** 9n }, [{ ...FLASH, limit: 5n }])).to.match(/no-funding at funding|not-profitable/);
    expect(reason({}, [FLASH], { ...snapshotOf(route), pools: [] })).to.equal("unknown-pool at hops[0].pool");
    const back = route.toReversed().map((hop) => ({ ...hop, tokenIn: hop.tokenOut, tokenOut: hop.tokenIn }));
    const other = quoteOpportunity(opportunityOf(back), snapshotOf(back), [FLASH]);
    expect(other.ok ? "ok" : other.rejection.reason).to.equal("not-profitable");
  });
});
