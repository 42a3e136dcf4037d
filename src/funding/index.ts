import type { BlockTag, Provider } from "ethers";
import type { Network } from "../config/network.js";
import { sameAddress } from "../venues/swap.js";
import { aaveV3 } from "./aave-v3.js";
import { balancerV2 } from "./balancer-v2.js";
import { balancerV3 } from "./balancer-v3.js";
import { erc3156 } from "./erc3156.js";
import { flashSwap } from "./flash-swap.js";
import type { FundingId, FundingOffer, FundingSource } from "./funding.js";
import { morpho } from "./morpho.js";
import { ownBalance } from "./own-balance.js";
import { uniswapV3Flash } from "./uniswap-v3-flash.js";
import { uniswapV4 } from "./uniswap-v4.js";

/** Every flash source, in the order in which equally cheap ones are taken. A new one is a file in this folder and a line here. */
export const FUNDING: Record<FundingId, FundingSource> = {
  "flash-swap": flashSwap,
  "own-balance": ownBalance,
  "uniswap-v4": uniswapV4,
  "balancer-v2": balancerV2,
  "balancer-v3": balancerV3,
  morpho,
  erc3156,
  "uniswap-v3-flash": uniswapV3Flash,
  "aave-v3": aaveV3,
};

export const FUNDING_IDS = Object.keys(FUNDING) as FundingId[];

/**
 * Offers of the given sources (default: all) for one token at one block. Left out are those that do not lend it, and lenders that are
 * among `pools`, the contracts of the cycle, if they are locked while they trade.
 */
export async function fundingOffers(
  provider: Provider,
  network: Network,
  executor: string,
  token: string,
  block: BlockTag,
  ids: FundingId[] = FUNDING_IDS,
  pools: readonly string[] = [],
): Promise<FundingOffer[]> {
  const offers = await Promise.all(ids.map((id) => FUNDING[id].offer(provider, network, executor, token, block, pools)));
  return offers.filter((offer) => offer !== null).filter((offer) => NETTED.includes(offer.source) || !isPool(offer, pools));
}

/** These lend and trade at once: they net what they are owed. */
const NETTED: readonly FundingId[] = ["uniswap-v4", "balancer-v3"];

function isPool({ lender }: FundingOffer, pools: readonly string[]): boolean {
  return lender !== null && pools.some((pool) => sameAddress(pool, lender));
}

/** What gas costs in base units of the token that is lent. */
export type GasPrice = (gas: bigint) => bigint;

/** What an offer costs for an amount: the lender's fee, and the gas that it adds where its price is known. Base units. */
export function costOf(offer: FundingOffer, amount: bigint, gasPrice: GasPrice | null = null): bigint {
  return offer.fee(amount) + (gasPrice === null ? 0n : gasPrice(FUNDING[offer.source].gas));
}

/**
 * The cheapest offer that can lend `amount` (only of `wished`, if given). Of equals the one with less gas, then the first. Null when
 * none can.
 */
export function cheapestOffer(
  offers: FundingOffer[],
  amount: bigint,
  wished: FundingId | null = null,
  gasPrice: GasPrice | null = null,
): FundingOffer | null {
  let best: FundingOffer | null = null;
  for (const offer of offers) {
    if (wished !== null && offer.source !== wished) continue;
    if (offer.limit !== null && offer.limit < amount) continue;
    if (best === null || isCheaper(offer, best, amount, gasPrice)) best = offer;
  }
  return best;
}

function isCheaper(a: FundingOffer, b: FundingOffer, amount: bigint, gasPrice: GasPrice | null): boolean {
  const [first, second] = [costOf(a, amount, gasPrice), costOf(b, amount, gasPrice)];
  return first < second || (first === second && FUNDING[a.source].gas < FUNDING[b.source].gas);
}
