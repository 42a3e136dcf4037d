/** Exact amounts, size and funding of an opportunity on given pool states. */
import { type GasPrice, cheapestOffer, costOf } from "../funding/index.js";
import type { FundingId, FundingOffer } from "../funding/funding.js";
import { canFundItself, isPoolsPlan } from "../plan/format.js";
import { VENUES } from "../venues/index.js";
import { type NoLiquidity, curveOf, priceImpactPpm, quoteExactIn, quoteExactOut, sameAddress } from "../venues/swap.js";
import type { Pool } from "../venues/venue.js";
import type { Opportunity } from "./opportunity.js";
import type { Quote, QuotedHop } from "./quote.js";
import type { RejectReason, Rejection, Result } from "./reject.js";
import { type Size, optimalInput } from "./size.js";

/** The contract's plan carries amounts in 96 bits. */
export const MAX_AMOUNT = (1n << 96n) - 1n;

/** Pool states of one block. */
export interface Snapshot {
  blockNumber: number;
  blockHash: string;
  pools: Pool[];
}

export interface QuoteLimits {
  /** Largest input in base units of the profit token; null = none but the funding's and the pools'. */
  maxAmountIn: bigint | null;
  /** What gas costs in the profit token: sources are then compared with the gas that they add. */
  gasPrice?: GasPrice | null;
  /** Every source that was asked, so that a refusal can name those that do not lend. */
  asked?: FundingId[];
}

/** A hop of the cycle with the state of its pool. */
export type RouteHop = Pick<QuotedHop, "pool" | "tokenIn" | "tokenOut">;

export interface QuoteAttempt {
  result: Result<Quote>;
  /** Addresses of V3 pools of which more ticks would give an answer, or a better size. */
  needsTicks: string[];
}

/** Sizes (or takes the given amount), funds and quotes an opportunity. Nothing is read: pools and offers must be of one block. */
export function quoteOpportunity(
  opportunity: Opportunity,
  snapshot: Snapshot,
  offers: FundingOffer[],
  limits: QuoteLimits = { maxAmountIn: null },
): Result<Quote> {
  return tryQuote(opportunity, snapshot, offers, limits).result;
}

/** As quoteOpportunity, and tells which pools were not known far enough. */
export function tryQuote(
  opportunity: Opportunity,
  snapshot: Snapshot,
  offers: FundingOffer[],
  limits: QuoteLimits,
): QuoteAttempt {
  const refuse = (reason: RejectReason, detail: string, where: string | null, needsTicks: string[] = []): QuoteAttempt => ({
    result: { ok: false, rejection: { opportunityId: opportunity.id, reason, detail, where } },
    needsTicks,
  });

  const route: RouteHop[] = [];
  for (const [i, hop] of opportunity.hops.entries()) {
    const pool = snapshot.pools.find((p) => sameAddress(p.address, hop.pool));
    if (pool === undefined) return refuse("unknown-pool", `the state of pool ${hop.pool} was not read`, `hops[${i}].pool`);
    route.push({ pool, tokenIn: hop.tokenIn, tokenOut: hop.tokenOut });
  }
  const wished = offers.filter((offer) => opportunity.funding === null || offer.source === opportunity.funding);
  const usable = wished.filter((offer) => offer.source !== "flash-swap" || canFundItself(kindsOf(route)));
  if (usable.length === 0) return refuse("no-funding", whyNone(route, wished, null, opportunity.funding, limits), "funding");

  const tried = opportunity.amountIn === null ? best(route, usable, limits) : given(route, usable, opportunity.amountIn, limits);
  if ("reason" in tried) return refuse(tried.reason, tried.detail, tried.where, tried.needsTicks);
  const { amounts, offer, needsTicks } = tried;
  const hops = route.map((hop, i) => ({ ...hop, amountIn: amounts[i]!, amountOut: amounts[i + 1]! }));
  const tooLarge = amounts.findIndex((amount) => amount > MAX_AMOUNT);
  if (tooLarge >= 0) {
    return refuse(
      "amount-out-of-range",
      `${amounts[tooLarge]} base units do not fit the plan's 96 bits`,
      `hops[${Math.max(0, tooLarge - 1)}]`,
    );
  }
  const [amountIn, amountOut] = [amounts[0]!, amounts.at(-1)!];
  const fundingFee = offer.fee(amountIn);
  const profit = amountOut - amountIn - fundingFee;
  if (profit <= 0n) {
    return refuse(
      "not-profitable",
      `${amountIn} in gives ${amountOut} out, the flash fee is ${fundingFee} (base units)`,
      null,
      needsTicks,
    );
  }
  const quote: Quote = {
    opportunity,
    blockNumber: snapshot.blockNumber,
    blockHash: snapshot.blockHash,
    hops,
    amountIn,
    amountOut,
    funding: offer,
    fundingFee,
    profit,
    sizing: opportunity.amountIn === null ? "optimum" : "given",
    priceImpactPpm: Math.max(...hops.map((hop) => priceImpactPpm(hop.pool, hop.tokenIn, hop.amountIn, hop.amountOut))),
  };
  return { result: { ok: true, value: quote }, needsTicks };
}

/**
 * The amounts that the contract moves on these pools: hop i takes entry i and gives entry i + 1. It starts at the pivot, the last
 * V3 hop of a plan of V2 and V3 pools (or hop 0 in every other), with the quoted input there; pools behind it pass on exact outputs,
 * pools before it are asked for exactly what the next one takes. What the first pool is paid can so be a few units less than the
 * amount that was sized. Put other pool states into the hops to see what the same plan does there (adaptive amounts).
 */
export function executionAmounts(quote: Pick<Quote, "hops" | "funding">): { ok: true; amounts: bigint[] } | NoLiquidity {
  const pivot = pivotOf(quote.hops, quote.funding.source);
  return walk(quote.hops, quote.hops[pivot]!.amountIn, pivot);
}

interface Found {
  amounts: bigint[];
  offer: FundingOffer;
  needsTicks: string[];
}

type NotFound = Pick<Rejection, "reason" | "detail" | "where"> & { needsTicks: string[] };

function given(route: RouteHop[], offers: FundingOffer[], amountIn: bigint, limits: QuoteLimits): Found | NotFound {
  if (amountIn <= 0n || amountIn > MAX_AMOUNT || (limits.maxAmountIn !== null && amountIn > limits.maxAmountIn)) {
    const most = limits.maxAmountIn ?? MAX_AMOUNT;
    return {
      reason: "amount-out-of-range",
      detail: `${amountIn} is not within 1 to ${most} base units`,
      where: "amountIn",
      needsTicks: [],
    };
  }
  // which pool is called first, and so what the first is paid, depends on who funds it
  let found: (Found & { cost: bigint }) | null = null;
  let failure: NoLiquidity | null = null;
  let needed = amountIn;
  for (const offer of offers) {
    const walked = walkFrom(route, 0, amountIn, offer.source);
    if (!walked.ok) {
      failure ??= walked;
      continue;
    }
    needed = walked.amounts[0]!;
    if (cheapestOffer([offer], needed) === null) continue;
    const [amountOut, gasPrice] = [walked.amounts.at(-1)!, limits.gasPrice ?? null];
    const cost = needed + costOf(offer, needed, gasPrice) - amountOut;
    const { amounts } = walked;
    const isBetter =
      found === null || cost < found.cost || (cost === found.cost && cheapestOffer([found.offer, offer], needed) === offer);
    if (isBetter) found = { amounts, offer, needsTicks: [], cost };
  }
  if (found !== null) return found;
  return failure === null ? noFunding(route, offers, needed, limits) : noLiquidity(route, failure);
}

/** The best size for each offer, and of these the one that leaves most. */
function best(route: RouteHop[], offers: FundingOffer[], limits: QuoteLimits): Found | NotFound {
  const curves = route.map((hop) => curveOf(hop.pool, hop.tokenIn));
  let found: (Found & { profit: bigint }) | null = null;
  let failure: NotFound | null = null;
  const needsTicks = new Set<string>();
  const gasPrice = limits.gasPrice ?? null;
  for (const offer of offers) {
    const most = [offer.limit, limits.maxAmountIn, MAX_AMOUNT].reduce<bigint>(
      (least, cap) => (cap !== null && cap < least ? cap : least),
      MAX_AMOUNT,
    );
    if (most <= 0n) continue;
    const size = optimalInput(curves, { feeRate: feeRate(offer), maxInput: Number(most) });
    if (size === null) continue;
    if (size.needsTicks !== null) needsTicks.add(route[size.needsTicks]!.pool.address);
    const refined = refine(route, size, offer, most);
    if ("reason" in refined) failure ??= refined;
    else {
      const profit = refined.profit - (costOf(offer, 0n, gasPrice) - offer.fee(0n));
      const isBetter =
        found === null ||
        profit > found.profit ||
        (profit === found.profit && cheapestOffer([found.offer, offer], refined.amounts[0]!) === offer);
      if (isBetter) found = { amounts: refined.amounts, profit, offer, needsTicks: [] };
    }
  }
  if (found !== null) return { ...found, needsTicks: [...needsTicks] };
  return (
    failure ?? {
      reason: "not-profitable",
      detail: "the pools' prices leave no profit at any size",
      where: null,
      needsTicks: [...needsTicks],
    }
  );
}

/**
 * Exact amounts near a size. Tokens are whole units: the profit is a staircase whose steps are as high as one unit of the coarsest
 * token is worth. So besides the size itself this tries the neighbouring amounts of that token, with the least input that yields them.
 */
function refine(
  route: RouteHop[],
  size: Size,
  offer: FundingOffer,
  most: bigint,
): { amounts: bigint[]; profit: bigint } | NotFound {
  const { source } = offer;
  const guess = size.amountIn >= Number(most) ? most : BigInt(Math.max(1, Math.round(size.amountIn)));
  const tries: { hop: number; amount: bigint }[] = [{ hop: 0, amount: guess }];
  const first = walkFrom(route, 0, guess, source);
  if (first.ok) {
    // the fewest units of a token stand for the whole size: each is worth most
    let coarsest = 0;
    for (let i = 1; i < route.length; i++) if (first.amounts[i]! < first.amounts[coarsest]!) coarsest = i;
    for (const change of [-1n, 0n, 1n, 2n]) tries.push({ hop: coarsest, amount: first.amounts[coarsest]! + change });
  }
  if (size.edge !== null) {
    for (const change of [-1n, 0n, 1n]) tries.push({ hop: size.edge.hop, amount: size.edge.exactInput + change });
  }
  let found: { amounts: bigint[]; profit: bigint } | null = null;
  let failure: NoLiquidity | null = null;
  for (const [i, { hop, amount }] of tries.entries()) {
    const walked = i === 0 ? first : walkFrom(route, hop, amount, source);
    if (!walked.ok) {
      failure ??= walked;
      continue;
    }
    const [amountIn, amountOut] = [walked.amounts[0]!, walked.amounts.at(-1)!];
    const profit = amountOut - amountIn - offer.fee(amountIn);
    if (amountIn <= most && (found === null || profit > found.profit)) found = { amounts: walked.amounts, profit };
  }
  if (found !== null) return found;
  return failure === null ? noFunding(route, [offer], guess, { maxAmountIn: null }) : noLiquidity(route, failure);
}

/** Execution amounts of the cycle in which hop `from` takes (at least) `amount`. */
function walkFrom(
  route: RouteHop[],
  from: number,
  amount: bigint,
  source: FundingId,
): { ok: true; amounts: bigint[] } | NoLiquidity {
  const pivot = pivotOf(route, source);
  let atPivot = amount;
  for (let i = from; i < pivot; i++) {
    const swap = quoteExactIn(route[i]!.pool, route[i]!.tokenIn, atPivot);
    if (!swap.ok) return swap;
    atPivot = swap.amountOut;
  }
  for (let i = from - 1; i >= pivot; i--) {
    const swap = quoteExactOut(route[i]!.pool, route[i]!.tokenOut, atPivot);
    if (!swap.ok) return swap;
    atPivot = swap.amountIn;
  }
  const walked = walk(route, atPivot, pivot);
  const first = route[0]!;
  if (!walked.ok || first.pool.kind !== "v2" || isPoolsPlan(kindsOf(route), source)) return walked;
  // a pair that lends is paid what its reserves ask for the output, which can be less where the output was rounded
  const least = quoteExactOut(first.pool, first.tokenOut, walked.amounts[1]!);
  return least.ok ? { ok: true, amounts: [least.amountIn, ...walked.amounts.slice(1)] } : least;
}

/** Forward from the pivot with exact inputs, backward from it with exact outputs. */
function walk(route: RouteHop[], atPivot: bigint, pivot: number): { ok: true; amounts: bigint[] } | NoLiquidity {
  const amounts = Array.from({ length: route.length + 1 }, () => atPivot);
  for (let i = pivot; i < route.length; i++) {
    const swap = quoteExactIn(route[i]!.pool, route[i]!.tokenIn, amounts[i]!);
    if (!swap.ok) return swap;
    amounts[i + 1] = swap.amountOut;
  }
  for (let i = pivot - 1; i >= 0; i--) {
    const swap = quoteExactOut(route[i]!.pool, route[i]!.tokenOut, amounts[i + 1]!);
    if (!swap.ok) return swap;
    amounts[i] = swap.amountIn;
  }
  return { ok: true, amounts };
}

/** The hop whose input is what was sized; the contract calls it first. Plans of V4 hops and of steps run forward from the first. */
function pivotOf(route: RouteHop[], source: FundingId): number {
  const kinds = kindsOf(route);
  return isPoolsPlan(kinds, source) ? Math.max(0, kinds.lastIndexOf("v3")) : 0;
}

/** What the pools are in a plan. */
const kindsOf = (route: RouteHop[]): string[] => route.map(({ pool }) => VENUES[pool.venue].plansAs ?? pool.kind);

/** An offer's fee as a fraction, measured on an amount at which rounding does not show. */
function feeRate(offer: FundingOffer): number {
  return Number(offer.fee(10n ** 30n)) / 1e30;
}

function noLiquidity(route: RouteHop[], failure: NoLiquidity): NotFound {
  const hop = route.findIndex((h) => h.pool.address === failure.pool);
  const needsTicks = failure.needsTicks ? [failure.pool] : [];
  return { reason: "no-liquidity", detail: `pool ${failure.pool}: ${failure.detail}`, where: `hops[${hop}]`, needsTicks };
}

function noFunding(route: RouteHop[], offers: FundingOffer[], amount: bigint, limits: QuoteLimits): NotFound {
  return { reason: "no-funding", detail: whyNone(route, offers, amount, null, limits), where: "funding", needsTicks: [] };
}

/** Why no source can fund it, source by source. Base units. */
function whyNone(
  route: RouteHop[],
  offers: FundingOffer[],
  amount: bigint | null,
  wished: FundingId | null,
  limits: QuoteLimits,
): string {
  const lending = offers.map(({ source, limit }) => {
    if (source === "flash-swap" && !canFundItself(kindsOf(route)))
      return "flash-swap: neither the first nor the last pool can lend";
    return `${source} up to ${limit}`;
  });
  const asked = wished === null ? (limits.asked ?? []) : [wished];
  const silent = asked
    .filter((id) => !offers.some(({ source }) => source === id))
    .map((id) => `${id} does not lend the profit token`);
  const needed = amount === null ? "no source can fund it" : `${amount} base units are needed`;
  return `${needed}; ${[...lending, ...silent].join(", ")}`;
}
