/** One leg of a cross-chain trade: a plain swap from a balance of our own, quoted by our own exact arithmetic. */
import type { Provider } from "ethers";
import type { Network } from "../config/network.js";
import { ArbError } from "../errors.js";
import { type BlockHead, type LoadedSnapshot, loadSnapshot, readBlock } from "../market/market.js";
import type { OpportunityHop } from "../opportunity/opportunity.js";
import { type Call, TransactionBuilder } from "../plan/transaction-builder.js";
import { afterSwap, type NoLiquidity, priceImpactPpm, quoteExactIn, sameAddress } from "../venues/swap.js";
import { sortTokens } from "../venues/v2-pair.js";
import { VENUES } from "../venues/index.js";
import type { Pool, PoolId, VenueId } from "../venues/venue.js";

/** A swap to be made. Amounts in base units; `deadline` in unix seconds of the chain. */
export interface LegOrder {
  hop: OpportunityHop;
  amountIn: bigint;
  minOut: bigint;
  deadline: number;
}

/** How legs are executed on one network, and whose balance they move. */
export interface LegVenue {
  id: string;
  /** Whose tokens are swapped: the account, or its vault. */
  holder: string;
  /** Whether it can swap in this pool. */
  serves(hop: OpportunityHop): boolean;
  /** The contract that must be allowed to take the input; null where none. */
  spender(hop: OpportunityHop): string | null;
  call(order: LegOrder): Call;
  /** Why it would refuse each of these swaps of an amount now, null where it would not. Left out: it refuses none that it serves. */
  refusals?(quotes: LegQuote[], amountIn: bigint): Promise<(string | null)[]>;
  /** What a revert of its own contract means, in words; null for another contract's. */
  explain?(revertData: string): string | null;
}

/** Venues whose routers swap plainly (TransactionBuilder.swap). */
const ROUTED: VenueId[] = ["uniswap-v2", "sushiswap-v2", "uniswap-v3"];

/** Swaps of an account's own tokens through the venue's router, with an approval of exactly the input before. */
export function routerVenue(network: Network, provider: Provider, account: string): LegVenue {
  const builder = new TransactionBuilder(network, provider);
  const routerOf = (hop: OpportunityHop) => network.venues[hop.venue]?.router?.address ?? null;
  return {
    id: "router",
    holder: account,
    serves: (hop) => ROUTED.includes(hop.venue) && routerOf(hop) !== null,
    spender: routerOf,
    call: ({ hop, amountIn, minOut, deadline }) => {
      const { venue, tokenIn, tokenOut, feePips } = hop;
      return builder.swap({ venue, tokenIn, tokenOut, feePips, amountIn, minAmountOut: minOut, recipient: account, deadline });
    },
  };
}

/** What a pool would give now. Base units. */
export interface LegQuote {
  hop: OpportunityHop;
  amountOut: bigint;
  impactPpm: number;
  blockNumber: number;
  timestamp: number;
}

/** Bitmap words on either side of the price that are read, until the quote needs no more. */
const TICK_WORDS = [2, 8, 32, 128];

/** What was read of pools at a provider's newest block, for everybody who asks at that block: many trades quote the same pools. */
const readAt = new WeakMap<Provider, { hash: string; pools: Map<string, Promise<LoadedSnapshot>> }>();

async function poolAt(provider: Provider, head: BlockHead, id: PoolId, tickWords: number): Promise<LoadedSnapshot> {
  const load = async () => await loadSnapshot(provider, [id], head.number, () => ({ tickWords }));
  const last = readAt.get(provider);
  const { pools } = last?.hash === head.hash ? last : { pools: new Map<string, Promise<LoadedSnapshot>>() };
  if (last?.pools !== pools) readAt.set(provider, { hash: head.hash, pools });
  const key = `${id.venue} ${id.address} ${id.token0} ${id.token1} ${id.feePips} ${tickWords}`;
  const known = pools.get(key) ?? load();
  pools.set(key, known);
  try {
    const snapshot = await known;
    // the block was replaced while it was read
    if (snapshot.blockHash !== head.hash) pools.delete(key);
    return snapshot;
  } catch (error) {
    // that there is no such pool is an answer
    if (!(error instanceof ArbError) || error.code !== "refused") pools.delete(key);
    throw error;
  }
}

/** Exact output of one pool at a block; null where it cannot take the amount or is not there. Raises ArbError "network". */
async function quoteLeg(
  provider: Provider,
  head: BlockHead,
  hop: OpportunityHop,
  { amountIn, after }: SaleOrder,
): Promise<LegQuote | null> {
  if (amountIn <= 0n) return null;
  const [token0, token1] = sortTokens(hop.tokenIn, hop.tokenOut);
  const id: PoolId = { venue: hop.venue, address: hop.pool, token0, token1, feePips: hop.feePips };
  for (const tickWords of TICK_WORDS) {
    let snapshot;
    try {
      snapshot = await poolAt(provider, head, id, tickWords);
    } catch (error) {
      if (error instanceof ArbError && error.code === "refused") return null;
      throw error;
    }
    const pool = after && sameAddress(after.hop.pool, hop.pool) ? poolAfter(snapshot.pools[0]!, after) : snapshot.pools[0]!;
    if ("needsTicks" in pool) {
      if (pool.needsTicks) continue;
      return null;
    }
    const swap = quoteExactIn(pool, hop.tokenIn, amountIn);
    if ("needsTicks" in swap) {
      if (swap.needsTicks) continue;
      return null;
    }
    const { amountOut } = swap;
    const impactPpm = priceImpactPpm(pool, hop.tokenIn, amountIn, amountOut);
    return { hop, amountOut, impactPpm, blockNumber: snapshot.blockNumber, timestamp: snapshot.timestamp };
  }
  return null;
}

/** The pool as a swap of ours will leave it; the reason where it cannot take that, or does not tell. */
function poolAfter(pool: Pool, { hop, amountIn }: OwnSwap): Pool | NoLiquidity {
  const swap = quoteExactIn(pool, hop.tokenIn, amountIn);
  if ("needsTicks" in swap) return swap;
  if (pool.kind === "quoted") return { ok: false, pool: pool.address, detail: "what it becomes is not told", needsTicks: false };
  return afterSwap(pool, swap);
}

/** Every pool of two tokens that the registry's factories may have made, and that a venue of ours can swap in. */
export const poolsFor = (network: Network, venue: LegVenue, tokenIn: string, tokenOut: string): OpportunityHop[] =>
  madePools(network, tokenIn, tokenOut).filter((hop) => venue.serves(hop));

/** Each address is a hash or two: with a thousand trades under way they took a tenth of the driver's time. */
const made = new WeakMap<Network, Map<string, OpportunityHop[]>>();

function madePools(network: Network, tokenIn: string, tokenOut: string): OpportunityHop[] {
  const known = made.get(network) ?? new Map<string, OpportunityHop[]>();
  made.set(network, known);
  const key = `${tokenIn} ${tokenOut}`;
  let hops = known.get(key);
  if (hops === undefined) {
    hops = (Object.entries(network.venues) as [VenueId, NonNullable<Network["venues"][VenueId]>][]).flatMap(([venue, facts]) =>
      facts.feesPips.flatMap((feePips) => {
        const pool = VENUES[venue].poolAddress(network, tokenIn, tokenOut, feePips);
        return pool === null ? [] : [{ venue, pool, tokenIn, tokenOut, feePips }];
      }),
    );
    known.set(key, hops);
  }
  return hops;
}

/** A swap of ours that will have been made. `amountIn` in base units. */
export interface OwnSwap {
  hop: OpportunityHop;
  amountIn: bigint;
}

/** A swap that is asked for. `amountIn` in base units. */
export interface SaleOrder {
  tokenIn: string;
  tokenOut: string;
  amountIn: bigint;
  preferred?: OpportunityHop | null;
  except?: string[];
  /** Its pool is quoted as this leaves it. */
  after?: OwnSwap;
  /** Gets the reasons of what the venue refuses. */
  refused?: string[];
}

/** Quotes of all pools for a swap, the best first, without those in `except` and those that the venue refuses. Raises ArbError "network". */
export async function quoteAll(provider: Provider, network: Network, venue: LegVenue, order: SaleOrder): Promise<LegQuote[]> {
  const { tokenIn, tokenOut, amountIn, preferred, except = [] } = order;
  const known = poolsFor(network, venue, tokenIn, tokenOut);
  const hops =
    preferred && venue.serves(preferred) && !known.some((h) => sameAddress(h.pool, preferred.pool))
      ? [preferred, ...known]
      : known;
  const usable = hops.filter((h) => !except.some((e) => sameAddress(e, h.pool)));
  const head = await readBlock(provider, "latest");
  const asked = await Promise.all(usable.map(async (hop) => await quoteLeg(provider, head, hop, order)));
  const quotes = asked.filter((q) => q !== null);
  const refusals = quotes.length === 0 ? [] : ((await venue.refusals?.(quotes, amountIn)) ?? []);
  order.refused?.push(...refusals.filter((reason) => reason !== null));
  return quotes
    .filter((_, i) => (refusals[i] ?? null) === null)
    .toSorted((a, b) => (a.amountOut > b.amountOut ? -1 : a.amountOut < b.amountOut ? 1 : 0));
}
