import type { FundingSource } from "./funding.js";

/** The pools send first and are paid out of what the cycle brings: nothing is lent, nothing is charged. */
export const flashSwap: FundingSource = {
  id: "flash-swap",
  gas: 0n,
  offer: async () => ({ source: "flash-swap", lender: null, limit: null, fee: () => 0n }),
  steps: null,
};
