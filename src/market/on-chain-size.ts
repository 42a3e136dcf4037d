/**
 * Quotes of cycles with pools that only their own view functions can quote. Sized by search: the curves through what the pools said
 * give a first guess, and a few batches of exact quotes around it find the best input. Everything is read at the snapshot's block.
 */
import type { Provider } from "ethers";
import type { FundingOffer } from "../funding/funding.js";
import { cheapestOffer, costOf } from "../funding/index.js";
import type { Opportunity } from "../opportunity/opportunity.js";
import { MAX_AMOUNT, type QuoteAttempt, type QuoteLimits, type Snapshot, tryQuote } from "../opportunity/quoter.js";
import { optimalInput } from "../opportunity/size.js";
import { VENUES } from "../venues/index.js";
import { readQuotes, withQuotes } from "../venues/quoted-pool.js";
import { curveOf, isToken0, quoteExactIn, sameAddress } from "../venues/swap.js";
import type { Pool } from "../venues/venue.js";

/** Inputs of each pass, in thousandths of the guess that the pass before gave. */
const PASSES = [[400n, 650n, 850n, 1000n, 1150n, 1400n, 1800n], [960n, 985n, 1000n, 1015n, 1040n], [1000n]];

/** Whether a snapshot needs this file. */
export function hasQuotedPools({ pools }: Snapshot): boolean {
  return pools.some(({ kind }) => kind === "quoted");
}

export interface OnChainOptions {
  limits: QuoteLimits;
  timeoutMs: number;
}

/** As tryQuote, with the snapshot in which the quoted pools know what they were asked. Throws ArbError "network" and "timeout". */
export async function tryQuoteOnChain<S extends Snapshot>(
  provider: Provider,
  opportunity: Opportunity,
  snapshot: S,
  offers: FundingOffer[],
  { limits, timeoutMs }: OnChainOptions,
): Promise<QuoteAttempt & { snapshot: S }> {
  const search = new Search(provider, opportunity, snapshot, timeoutMs);
  const size = opportunity.amountIn ?? (await search.best(offers, limits));
  if (size === null) {
    const rejection = {
      opportunityId: opportunity.id,
      reason: "not-profitable",
      detail: "the pools' prices leave no profit at any size",
      where: null,
    } as const;
    return { result: { ok: false, rejection }, needsTicks: [...search.needsTicks], snapshot };
  }
  await search.ask([size]);
  const known = { ...snapshot, pools: search.pools };
  const { result, needsTicks } = tryQuote({ ...opportunity, amountIn: size }, known, offers, limits);
  const all = [...new Set([...needsTicks, ...search.needsTicks])];
  if (!result.ok) return { result, needsTicks: all, snapshot: known };
  const sizing = opportunity.amountIn === null ? "optimum" : "given";
  return { result: { ok: true, value: { ...result.value, opportunity, sizing } }, needsTicks: all, snapshot: known };
}

/** One search: it keeps what the pools have answered. */
class Search {
  readonly needsTicks = new Set<string>();
  readonly #state = new Map<string, Pool>();

  constructor(
    readonly provider: Provider,
    readonly opportunity: Opportunity,
    readonly snapshot: Snapshot,
    readonly timeoutMs: number,
  ) {
    for (const pool of snapshot.pools) this.#state.set(pool.address, pool);
  }

  get pools(): Pool[] {
    return this.snapshot.pools.map(({ address }) => this.#state.get(address)!);
  }

  /** The best input found, or null where none seems to pay. */
  async best(offers: FundingOffer[], limits: QuoteLimits): Promise<bigint | null> {
    const { hops } = this.opportunity;
    const curves = hops.map((hop) => curveOf(this.#poolOf(hop.pool), hop.tokenIn));
    const first = optimalInput(curves, { feeRate: 0, maxInput: Number(limits.maxAmountIn ?? MAX_AMOUNT) });
    if (first === null) return null;
    if (first.needsTicks !== null) this.needsTicks.add(hops[first.needsTicks]!.pool);
    let guess = BigInt(Math.max(1, Math.round(first.amountIn)));
    const richest = offers.reduce<FundingOffer | null>((a, b) => (a === null || isRicher(b, a) ? b : a), null);
    const offer = cheapestOffer(offers, guess, null, limits.gasPrice ?? null) ?? richest;
    const most = [offer?.limit, limits.maxAmountIn].reduce<bigint>((cap, x) => (x != null && x < cap ? x : cap), MAX_AMOUNT);

    const tried = new Map<bigint, bigint>();
    for (const pass of PASSES) {
      const inputs = [...new Set(pass.map((share) => clamp((guess * share) / 1000n, most)))];
      for (const [i, output] of (await this.ask(inputs)).entries()) {
        const input = inputs[i]!;
        if (output !== null) tried.set(input, output - input - (offer === null ? 0n : costOf(offer, input)));
      }
      if (tried.size === 0) return null;
      guess = clamp(vertex(tried), most);
    }
    const [input, profit] = bestOf(tried);
    return profit > 0n ? input : null;
  }

  /** What the whole cycle gives for each of these inputs; null where a pool cannot take it. One batch per quoted pool. */
  async ask(inputs: bigint[]): Promise<(bigint | null)[]> {
    let amounts: (bigint | null)[] = inputs;
    for (const { pool: address, tokenIn } of this.opportunity.hops) {
      const pool = this.#poolOf(address);
      if (pool.kind === "quoted") {
        const asked = [...new Set(amounts.filter((amount) => amount !== null))];
        const { provider, timeoutMs } = this;
        const block = this.snapshot.blockNumber;
        const answers = await readQuotes(provider, VENUES[pool.venue], pool, tokenIn, asked, block, timeoutMs);
        this.#state.set(address, withQuotes(pool, isToken0(pool, tokenIn), asked, answers));
      }
      const now = this.#poolOf(address);
      amounts = amounts.map((amount) => {
        if (amount === null) return null;
        const swap = quoteExactIn(now, tokenIn, amount);
        if (swap.ok) return swap.amountOut;
        if (swap.needsTicks) this.needsTicks.add(address);
        return null;
      });
    }
    return amounts;
  }

  #poolOf(address: string): Pool {
    const known = this.#state.get(address) ?? [...this.#state.values()].find((pool) => sameAddress(pool.address, address));
    if (known === undefined) throw new TypeError(`the state of pool ${address} was not read`);
    return known;
  }
}

const clamp = (amount: bigint, most: bigint): bigint => (amount < 1n ? 1n : amount > most ? most : amount);

function isRicher(a: FundingOffer, b: FundingOffer): boolean {
  return b.limit !== null && (a.limit === null || a.limit > b.limit);
}

function bestOf(tried: ReadonlyMap<bigint, bigint>): [input: bigint, profit: bigint] {
  return [...tried].reduce((a, b) => (b[1] > a[1] ? b : a));
}

/** Where the parabola through the best point and its neighbours is highest; the best point where there is none. */
function vertex(tried: ReadonlyMap<bigint, bigint>): bigint {
  const [best] = bestOf(tried);
  const inputs = [...tried.keys()].toSorted((a, b) => (a < b ? -1 : 1));
  const at = inputs.indexOf(best);
  const [low, high] = [inputs[at - 1], inputs[at + 1]];
  if (low === undefined) return best / 2n;
  if (high === undefined) return best * 2n;
  const profit = (input: bigint): number => Number(tried.get(input)!);
  const [left, right] = [Number(best - low), Number(high - best)];
  const [fall, rise] = [profit(best) - profit(low), profit(best) - profit(high)];
  const bend = left * rise + right * fall;
  if (!(bend > 0)) return best;
  return best + BigInt(Math.round((right * right * fall - left * left * rise) / (2 * bend)));
}
