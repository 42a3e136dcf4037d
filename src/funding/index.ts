import type { BlockTag, Provider } from "ethers";
import type { Network } from "../config/network.js";
import { aaveV3 } from "./aave-v3.js";
import { balancerV2 } from "./balancer-v2.js";
import { flashSwap } from "./flash-swap.js";
import type { FundingId, FundingOffer, FundingSource } from "./funding.js";
import { ownBalance } from "./own-balance.js";

/** Every flash source, in the order in which equally cheap ones are taken. A new one is a file in this folder and a line here. */
export const FUNDING: Record<FundingId, FundingSource> = {
  "flash-swap": flashSwap,
  "own-balance": ownBalance,
  "balancer-v2": balancerV2,
  "aave-v3": aaveV3,
};

export const FUNDING_IDS = Object.keys(FUNDING) as FundingId[];

/** Offers of the given sources (default: all) for one token at one block; those that do not lend it are left out. */
export async function fundingOffers(
  provider: Provider,
  network: Network,
  executor: string,
  token: string,
  block: BlockTag,
  ids: FundingId[] = FUNDING_IDS,
): Promise<FundingOffer[]> {
  const offers = await Promise.all(ids.map((id) => FUNDING[id].offer(provider, network, executor, token, block)));
  return offers.filter((offer) => offer !== null);
}

/** The cheapest offer that can lend `amount` (only of `wished`, if given); the first of equals. Null when none can. */
export function cheapestOffer(offers: FundingOffer[], amount: bigint, wished: FundingId | null = null): FundingOffer | null {
  let best: FundingOffer | null = null;
  for (const offer of offers) {
    if (wished !== null && offer.source !== wished) continue;
    if (offer.limit !== null && offer.limit < amount) continue;
    if (best === null || offer.fee(amount) < best.fee(amount)) best = offer;
  }
  return best;
}
