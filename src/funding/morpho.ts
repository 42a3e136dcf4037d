import { type FundingSource, loanOf } from "./funding.js";
import { freeOffer } from "./holdings.js";

/** Morpho Blue's `flashLoan`: any token that it holds, for nothing (morpho-blue, Morpho.sol). */
export const morpho: FundingSource = {
  id: "morpho",
  gas: 47_700n,
  offer: (provider, network, _executor, token, block) =>
    freeOffer("morpho", provider, network.lenders.morpho?.address, token, block),
  steps: loanOf("morpho"),
};
