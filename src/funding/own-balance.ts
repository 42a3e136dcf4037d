import { IERC20__factory } from "../../types/contracts/index.js";
import { readAll } from "../venues/multicall.js";
import type { FundingOffer, FundingSource } from "./funding.js";

const erc20 = IERC20__factory.createInterface();

/** What the executor itself holds, but for one base unit: a balance slot that falls to zero costs more gas to fill again. */
export const ownBalance: FundingSource = {
  id: "own-balance",
  gas: 0n,
  offer: async (provider, _network, executor, token, block): Promise<FundingOffer | null> => {
    const data = erc20.encodeFunctionData("balanceOf", [executor]);
    const [balance] = await readAll(provider, [{ target: token, data, what: "balanceOf(executor)" }], block);
    const limit = BigInt(balance!) - 1n;
    return limit <= 0n ? null : { source: "own-balance", lender: null, limit, fee: () => 0n };
  },
  steps: ({ steps }) => steps,
};
