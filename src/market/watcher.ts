/** Compares pools that trade the same tokens after each block and tells where a cycle pays. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Provider } from "ethers";
import type { Network } from "../config/network.js";
import { flashSwap } from "../funding/flash-swap.js";
import type { FundingOffer } from "../funding/funding.js";
import type { Opportunity } from "../opportunity/opportunity.js";
import type { Quote } from "../opportunity/quote.js";
import { type Snapshot, quoteOpportunity } from "../opportunity/quoter.js";
import { optimalInput } from "../opportunity/size.js";
import { DEFAULT_TIMEOUT_MS, withDeadline } from "../venues/multicall.js";
import { curveOf, sameAddress } from "../venues/swap.js";
import { sortTokens } from "../venues/v2-pair.js";
import type { Pool, PoolId } from "../venues/venue.js";
import { loadSnapshot } from "./market.js";

export interface WatchOptions {
  /** Tokens that a cycle may start and end with, best first. */
  profitTokens: string[];
  /** Seconds after the block at which an opportunity expires. */
  lifetimeSeconds: number;
  tickWords?: number;
}

/** An opportunity with the quote that showed it. */
export interface Found {
  opportunity: Opportunity;
  quote: Quote;
}

/** Finds what pays in the given states: for each token pair with a profit token the best cycle of two pools. Best profit first. */
export function findCycles(
  network: Network,
  snapshot: Snapshot & { timestamp: number },
  flash: FundingOffer,
  options: WatchOptions,
): Found[] {
  const found: Found[] = [];
  for (const pools of groupByPair(snapshot.pools)) {
    let best: Found | null = null;
    for (const profitToken of options.profitTokens) {
      for (const [first, second] of orderedPairs(pools)) {
        const middle = otherToken(first, profitToken);
        if (middle === null) continue;
        // the floats tell most cycles apart; only what seems to pay is quoted exactly
        const size = optimalInput([curveOf(first, profitToken), curveOf(second, middle)], { feeRate: 0, maxInput: Infinity });
        if (size === null) continue;
        const opportunity: Opportunity = {
          version: "opportunity.v1",
          id: `watch-${network.chainId}-${snapshot.blockNumber}-${first.address.slice(2, 10)}-${second.address.slice(2, 10)}`,
          chainId: network.chainId,
          hops: [hopOf(first, profitToken, middle), hopOf(second, middle, profitToken)],
          amountIn: null,
          funding: null,
          amounts: null,
          deadline: snapshot.timestamp + options.lifetimeSeconds,
          after: null,
          source: "watcher",
        };
        const quoted = quoteOpportunity(opportunity, snapshot, [flash]);
        if (quoted.ok && (best === null || quoted.value.profit > best.quote.profit)) best = { opportunity, quote: quoted.value };
      }
      // profits in different tokens cannot be compared without a price: the first token that pays is taken
      if (best !== null) break;
    }
    if (best !== null) found.push(best);
  }
  return found;
}

/** Reads the pools at the latest block and finds what pays. */
export async function scanBlock(provider: Provider, network: Network, pools: PoolId[], options: WatchOptions): Promise<Found[]> {
  const { tickWords } = options;
  const snapshot = await loadSnapshot(provider, pools, "latest", () => (tickWords === undefined ? {} : { tickWords }));
  const flash = await flashSwap.offer(provider, network, network.wrappedNative, options.profitTokens[0]!, snapshot.blockNumber);
  return findCycles(network, snapshot, flash!, options);
}

/** Scans every new block until the signal ends it. A block that passes while another is read is left out: only the newest counts. */
export async function* watchBlocks(
  provider: Provider,
  network: Network,
  pools: PoolId[],
  options: WatchOptions & { pollMs: number; signal: AbortSignal },
): AsyncGenerator<Found> {
  let seen = -1;
  while (!options.signal.aborted) {
    const number = await withDeadline(provider.getBlockNumber(), DEFAULT_TIMEOUT_MS, "the latest block number");
    if (number > seen) {
      seen = number;
      yield* await scanBlock(provider, network, pools, options);
    } else {
      // an abort during the pause is the end, not a failure
      await sleep(options.pollMs, undefined, { signal: options.signal }).catch((error: unknown) => {
        if (!options.signal.aborted) throw error;
      });
    }
  }
}

function groupByPair(pools: Pool[]): Pool[][] {
  const groups = new Map<string, Pool[]>();
  for (const pool of pools) {
    const key = sortTokens(pool.token0, pool.token1).join("").toLowerCase();
    groups.set(key, [...(groups.get(key) ?? []), pool]);
  }
  return [...groups.values()].filter((group) => group.length >= 2);
}

function orderedPairs(pools: Pool[]): [Pool, Pool][] {
  return pools.flatMap((first) => pools.filter((second) => second !== first).map((second): [Pool, Pool] => [first, second]));
}

function otherToken(pool: Pool, token: string): string | null {
  if (sameAddress(pool.token0, token)) return pool.token1;
  return sameAddress(pool.token1, token) ? pool.token0 : null;
}

function hopOf(pool: Pool, tokenIn: string, tokenOut: string): Opportunity["hops"][number] {
  const { venue, address, feePips, host } = pool;
  const spacing = pool.kind === "v4" ? { tickSpacing: pool.tickSpacing } : {};
  return { venue, pool: address, tokenIn, tokenOut, feePips, ...spacing, ...(host === undefined ? {} : { host }) };
}
