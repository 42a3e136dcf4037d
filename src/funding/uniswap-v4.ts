import type { FundingSource } from "./funding.js";
import { freeOffer } from "./holdings.js";

/** Uniswap V4's PoolManager: inside an `unlock` any token that it holds may be taken and must be settled, for nothing. */
export const uniswapV4: FundingSource = {
  id: "uniswap-v4",
  gas: 49_200n,
  offer: (provider, network, _executor, token, block) =>
    freeOffer("uniswap-v4", provider, network.poolManager?.address, token, block),
  steps: ({ asset, amount, steps }) => {
    const take = { kind: "v4-take", asset, amount: { from: "fixed", value: amount } } as const;
    return [{ kind: "v4-unlock", steps: [take, ...steps, { kind: "v4-settle", asset, max: amount }] }];
  },
};
