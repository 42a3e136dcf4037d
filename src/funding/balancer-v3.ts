import { type FundingSource, loanOf } from "./funding.js";
import { freeOffer } from "./holdings.js";

/** Balancer V3's Vault between `unlock` and `settle`: any token that it holds, for nothing (balancer-v3, Vault.sol, sendTo). */
export const balancerV3: FundingSource = {
  id: "balancer-v3",
  gas: 75_000n,
  offer: (provider, network, _executor, token, block) =>
    freeOffer("balancer-v3", provider, network.lenders["balancer-v3"]?.address, token, block),
  steps: loanOf("balancer-v3"),
};
