import { expect } from "chai";
import { networkById } from "../../src/config/networks.js";
import type { Opportunity } from "../../src/opportunity/opportunity.js";
import { executionAmounts, quoteOpportunity } from "../../src/opportunity/quoter.js";
import { planHop } from "../../src/plan/plan-hop.js";
import { DEFAULT_GUARDS, type GuardSettings, guardsFor, tipFor } from "../../src/plan/planner-guards.js";
import type { Plan } from "../../src/plan/plan.js";
import { SlippageManager } from "../../src/plan/slippage.js";
import { afterSwap, isToken0, quoteExactIn } from "../../src/venues/swap.js";
import type { V2Pool, V3Pool } from "../../src/venues/venue.js";
import { SEED, random } from "../helpers/random.js";
import { randomCycle } from "../helpers/synthetic-pools.js";

const base = networkById(8453)!;
const ethereum = networkById(1)!;
const FLASH = { source: "flash-swap", lender: null, limit: null, fee: () => 0n } as const;

/** A quoted random cycle with the guards that it gets; null where it does not pay. */
function guardedCycle(
  next: () => number,
  kinds: ("v2" | "v3")[],
  settings: Partial<GuardSettings>,
  network = base,
  after: Opportunity["after"] = null,
) {
  const route = randomCycle(next, kinds, 0.005 + 0.03 * next());
  const hops = route.map(({ pool, tokenIn, tokenOut }) => {
    return { venue: pool.venue, pool: pool.address, tokenIn, tokenOut, feePips: pool.feePips };
  });
  const opportunity = { id: "a", chainId: network.chainId, hops, amountIn: null, funding: null, after } as unknown as Opportunity;
  const quoted = quoteOpportunity(opportunity, { blockNumber: 1, blockHash: "0x", pools: route.map((r) => r.pool) }, [FLASH]);
  if (!quoted.ok || quoted.value.profit < 1000n) return null;
  const quote = quoted.value;
  const draft: Plan = {
    chainId: network.chainId,
    amounts: "adaptive",
    funding: { source: "flash-swap", lender: null, maxFee: 0n },
    profitToken: quote.hops[0]!.tokenIn,
    hops: quote.hops.map((hop) => planHop(hop, network.wrappedNative)),
    maxAmountIn: quote.amountIn,
    minProfit: 0n,
    deadline: null,
    blocks: null,
  };
  const floor = (quote.profit * BigInt(Math.floor(next() * 90))) / 100n + 1n;
  const bounds = new SlippageManager().bounds({ ...quote, amounts: "adaptive" }, floor);
  const facts = { quote, draft, format: "pools", bounds, kept: quote.profit, network, wei: 10n ** 14n } as const;
  const cost = { inProfitToken: 250_000n, gasInToken: 200_000n };
  return { quote, draft, bounds, guards: guardsFor({ ...DEFAULT_GUARDS, ...settings }, { ...facts, ...cost }) };
}

describe(`guards of the planner (seed ${SEED})`, () => {
  it("the first pool's bound refuses no plan that would land, and refuses most that would not", () => {
    const next = random();
    const seen = { lands: 0, fails: 0, caught: 0 };
    for (let i = 0; i < 600; i++) {
      const kinds = (["v2", "v3"] as const).map((_, k) => ((i >> k) & 1 ? "v3" : "v2")) as ("v2" | "v3")[];
      const made = guardedCycle(next, kinds, {});
      if (made === null) continue;
      const { quote, bounds, guards } = made;
      const first = quote.hops[0]!;
      const pool = first.pool as V2Pool | V3Pool;
      // a rival buys before us
      const swap = quoteExactIn(pool, first.tokenIn, (quote.amountIn * BigInt(1 + Math.floor(next() * 1500))) / 1000n + 1n);
      if (!swap.ok) continue;
      const moved = afterSwap(pool, swap) as V2Pool | V3Pool;
      const ran = executionAmounts({ ...quote, hops: [{ ...first, pool: moved }, ...quote.hops.slice(1)] });
      const lands = ran.ok && ran.amounts[0]! <= bounds.maxAmountIn && ran.amounts.at(-1)! - ran.amounts[0]! >= bounds.minProfit;
      const zeroForOne = isToken0(pool, first.tokenIn);
      const at = moved.kind === "v3" ? moved.sqrtPriceX96 : zeroForOne ? moved.reserve1 : moved.reserve0;
      const bound = guards.poolBound ?? null;
      const stands = bound === null || (moved.kind === "v3" && !zeroForOne ? at <= bound : at >= bound);
      if (lands) {
        seen.lands++;
        expect(stands, `cycle ${i} of ${kinds.join("-")} would land`).to.equal(true);
      } else {
        seen.fails++;
        if (!stands) seen.caught++;
      }
    }
    expect(seen.lands, JSON.stringify(seen)).to.be.greaterThan(50);
    expect(seen.caught / seen.fails, JSON.stringify(seen)).to.be.greaterThan(0.5);
  });

  it("is off on Ethereum and by request", () => {
    expect(guardedCycle(random(), ["v2", "v2"], {}, ethereum)!.guards.poolBound).to.equal(undefined);
    expect(guardedCycle(random(), ["v2", "v2"], { firstPool: "never" })!.guards.poolBound).to.equal(undefined);
    expect(guardedCycle(random(), ["v2", "v2"], { firstPool: "always" }, ethereum)!.guards.poolBound).to.be.a("bigint");
  });

  it("is on everywhere behind a pending transaction, but by request", () => {
    const after = { hash: `0x${"ab".repeat(32)}`, raw: null };
    expect(guardedCycle(random(), ["v2", "v2"], {}, ethereum, after)!.guards.poolBound).to.be.a("bigint");
    expect(guardedCycle(random(), ["v2", "v2"], { firstPool: "never" }, ethereum, after)!.guards.poolBound).to.equal(undefined);
  });

  it("prices gas in other tokens as a fraction of two to the 64", () => {
    const { guards, bounds } = guardedCycle(random(), ["v2", "v2"], { ownGas: true })!;
    expect(guards.gasPrice).to.deep.equal({ price: (250_000n << 64n) / 10n ** 14n, scale: 64 });
    expect(guards.minProfit).to.equal(bounds.minProfit - 200_000n);
  });

  it("tips only where a proposer takes them and only out of WETH", () => {
    const plan = (chainId: number, profitToken: string) => ({ chainId, profitToken }) as Plan;
    const tip = { bips: 5000, floor: 100n, cap: 1000n };
    const of = (network: typeof ethereum, token = network.wrappedNative) =>
      tipFor({ ...DEFAULT_GUARDS, tip }, plan(network.chainId, token), network.wrappedNative);
    expect(of(ethereum)).to.deep.equal({ kind: "share", ...tip });
    expect(of(base)).to.equal(null);
    expect(of(ethereum, ethereum.tokens[1]!.address)).to.equal(null);
    expect(tipFor(DEFAULT_GUARDS, plan(1, ethereum.wrappedNative), ethereum.wrappedNative)).to.equal(null);
  });
});
