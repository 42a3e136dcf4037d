/** State of the pools that an opportunity needs, at one block. */
import type { BlockTag, Provider } from "ethers";
import type { Network } from "../config/network.js";
import { ArbError } from "../errors.js";
import type { FundingId, FundingOffer } from "../funding/funding.js";
import { FUNDING, FUNDING_IDS, type GasPrice, fundingOffers } from "../funding/index.js";
import type { Opportunity } from "../opportunity/opportunity.js";
import type { Quote } from "../opportunity/quote.js";
import { type QuoteAttempt, type QuoteLimits, type Snapshot, tryQuote } from "../opportunity/quoter.js";
import type { Result } from "../opportunity/reject.js";
import { canFundItself } from "../plan/format.js";
import { VENUES } from "../venues/index.js";
import { DEFAULT_TIMEOUT_MS, withDeadline } from "../venues/multicall.js";
import { sortTokens } from "../venues/v2-pair.js";
import { DEFAULT_TICK_WORDS } from "../venues/v3-pool.js";
import type { LoadOptions, PoolId } from "../venues/venue.js";
import { hasQuotedPools, tryQuoteOnChain } from "./on-chain-size.js";

/** Bitmap words on either side of the price beyond which a quote is given up. */
const MAX_TICK_WORDS = 128;
const REORG_RETRIES = 2;

export interface LoadedSnapshot extends Snapshot {
  /** Unix seconds of the block. */
  timestamp: number;
}

/**
 * Reads pools at one block (default: latest), in parallel, and checks afterwards that the block is still the same. Options per pool
 * as in Venue.load. Throws ArbError "network", "timeout", and "refused" where there is no pool at an address.
 */
export async function loadSnapshot(
  provider: Provider,
  pools: PoolId[],
  block: BlockTag = "latest",
  options: (pool: PoolId) => LoadOptions = () => ({}),
): Promise<LoadedSnapshot> {
  let at = await readBlock(provider, block);
  for (let retry = 0; ; retry++) {
    const number = at.number;
    const states = await Promise.all(pools.map((pool) => VENUES[pool.venue].load(provider, pool, number, options(pool))));
    const after = await readBlock(provider, number);
    if (after.hash === at.hash) return { blockNumber: number, blockHash: at.hash, timestamp: at.timestamp, pools: states };
    // reads of two forks must not be mixed
    if (retry === REORG_RETRIES) {
      throw new ArbError("network", `block ${number} changed ${retry + 1} times while it was read`, {
        hint: "wait for the chain to settle",
      });
    }
    at = await readBlock(provider, block);
  }
}

/** The pools of an opportunity, in the order of its hops. */
export function poolsOf(opportunity: Opportunity): PoolId[] {
  return opportunity.hops.map(({ pool, tokenIn, tokenOut, ...rest }) => {
    const [token0, token1] = sortTokens(tokenIn, tokenOut);
    return { ...rest, address: pool, token0, token1 };
  });
}

export interface MarketOptions {
  /** Address of the executor: its balance is one of the funding sources. */
  executor: string;
  /** The StepExecutor, whose balance counts for cycles that only it can trade; default: the executor. */
  stepExecutor?: string | null;
  block?: BlockTag;
  limits?: QuoteLimits;
  /** Sources that may fund it when the opportunity names none; among equally cheap ones the first counts. */
  funding?: FundingId[];
  /** Bitmap words to start with on either side of a V3 price; more are read when the quote asks for them. */
  tickWords?: number;
  /** Bitmap words on either side of the price beyond which no more ticks are read. */
  maxTickWords?: number;
  /**
   * What to trade of a size that is no exact optimum because the ticks that were read end before it; given the size in base
   * units and the price impact in ppm. Default: all of it.
   */
  reduce?: (amountIn: bigint, impactPpm: number) => bigint;
  timeoutMs?: number;
  /** What gas costs in the profit token, so that sources are compared with the gas that they add; default: by their fees alone. */
  gasPrice?: () => Promise<GasPrice | null>;
}

/**
 * Quotes an opportunity on the state of one block: reads its pools and its funding, and reads on where a quote leaves the known
 * ticks. A pool without code is a rejection; failures to read are thrown as ArbError "network" or "timeout".
 */
export async function quoteAtBlock(
  provider: Provider,
  network: Network,
  opportunity: Opportunity,
  options: MarketOptions,
): Promise<{ result: Result<Quote>; snapshot: Snapshot | null; offers: FundingOffer[] }> {
  const pools = poolsOf(opportunity);
  const words = new Map(pools.map((pool) => [pool.address, options.tickWords ?? DEFAULT_TICK_WORDS]));
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const loadOptions = (pool: PoolId): LoadOptions => ({ tickWords: words.get(pool.address)!, timeoutMs });

  const sources = opportunity.funding === null ? (options.funding ?? FUNDING_IDS) : [opportunity.funding];
  const kinds = pools.map(({ venue, stable }) => (stable === true ? "quoted" : (VENUES[venue].plansAs ?? VENUES[venue].kind)));
  // where the pools can fund it for nothing, what costs more gas need not be asked
  const free = sources.includes("flash-swap") && canFundItself(kinds);
  const asked = free ? sources.filter((id) => FUNDING[id].gas <= FUNDING["flash-swap"].gas) : sources;
  let snapshot: LoadedSnapshot;
  let gasPrice: GasPrice | null;
  try {
    [snapshot, gasPrice] = await Promise.all([
      loadSnapshot(provider, pools, options.block, loadOptions),
      asked.length > 1 ? (options.gasPrice?.() ?? null) : null,
    ]);
  } catch (error) {
    if (!(error instanceof ArbError) || error.code !== "refused") throw error;
    const hop = pools.findIndex((pool) => pool.address === error.where);
    const rejection = {
      opportunityId: opportunity.id,
      reason: "unknown-pool",
      detail: error.message,
      where: `hops[${hop}].pool`,
    } as const;
    return { result: { ok: false, rejection }, snapshot: null, offers: [] };
  }
  const profitToken = opportunity.hops[0]!.tokenIn;
  const holder = hasQuotedPools(snapshot) ? (options.stepExecutor ?? options.executor) : options.executor;
  const contracts = pools.map(({ address, host }) => host ?? address);
  const offers = await fundingOffers(provider, network, holder, profitToken, snapshot.blockNumber, asked, contracts);
  const limits = { maxAmountIn: null, ...options.limits, gasPrice, asked };

  for (;;) {
    let attempt: QuoteAttempt;
    if (hasQuotedPools(snapshot)) {
      const found = await tryQuoteOnChain(provider, opportunity, snapshot, offers, { limits, timeoutMs });
      attempt = found;
      snapshot = found.snapshot;
      await requireSameBlock(provider, snapshot);
    } else attempt = tryQuote(opportunity, snapshot, offers, limits);
    const mostWords = options.maxTickWords ?? MAX_TICK_WORDS;
    const wider = attempt.needsTicks.filter((address) => words.get(address)! < mostWords);
    if (wider.length === 0) {
      const isOptimum = attempt.needsTicks.length === 0 || opportunity.amountIn !== null;
      const result = isOptimum ? attempt.result : reduced(attempt.result, snapshot, offers, options);
      return { result, snapshot, offers };
    }
    for (const address of wider) words.set(address, Math.min(mostWords, Math.max(1, words.get(address)! * 4)));
    const at = snapshot.blockNumber;
    const reread = await Promise.all(
      snapshot.pools.map(async (pool) =>
        wider.includes(pool.address) ? VENUES[pool.venue].load(provider, pool, at, loadOptions(pool)) : pool,
      ),
    );
    await requireSameBlock(provider, snapshot);
    snapshot = { ...snapshot, pools: reread };
  }
}

/** A quote at the edge of what is known, made smaller by the caller's tiers. */
function reduced(result: Result<Quote>, snapshot: Snapshot, offers: FundingOffer[], options: MarketOptions): Result<Quote> {
  // what the pools were not asked cannot be quoted again
  if (!result.ok || !options.reduce || hasQuotedPools(snapshot)) return result;
  const { opportunity, amountIn, priceImpactPpm, funding } = result.value;
  const smaller = { ...opportunity, amountIn: options.reduce(amountIn, priceImpactPpm), funding: funding.source };
  const requoted = tryQuote(smaller, snapshot, offers, options.limits ?? { maxAmountIn: null }).result;
  return requoted.ok ? { ok: true, value: { ...requoted.value, opportunity, sizing: "tiers" } } : requoted;
}

/** What was read after the snapshot must be of the same block. */
async function requireSameBlock(provider: Provider, { blockNumber, blockHash }: Snapshot): Promise<void> {
  const { hash } = await readBlock(provider, blockNumber);
  if (hash === blockHash) return;
  throw new ArbError("network", `block ${blockNumber} was replaced while it was read`, { hint: "quote again" });
}

export interface BlockHead {
  number: number;
  hash: string;
  /** Unix seconds. */
  timestamp: number;
}

/** A block's head. Raises ArbError "network" and "timeout". */
export async function readBlock(provider: Provider, tag: BlockTag): Promise<BlockHead> {
  const block = await withDeadline(provider.getBlock(tag), DEFAULT_TIMEOUT_MS, `block ${String(tag)}`);
  if (block?.hash == null)
    throw new ArbError("network", `the node does not have block ${String(tag)}`, { hint: "it may not be synced yet" });
  return { number: block.number, hash: block.hash, timestamp: block.timestamp };
}
