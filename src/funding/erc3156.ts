import { Interface } from "ethers";
import { readAll } from "../venues/multicall.js";
import { ceilDiv } from "../venues/tick-math.js";
import { type FundingSource, loanOf } from "./funding.js";

const lending = new Interface([
  "function maxFlashLoan(address) view returns (uint256)",
  "function flashFee(address,uint256) view returns (uint256)",
]);

/** An ERC-3156 lender: on Ethereum Maker's, which mints DAI (EIP-3156; DssFlash). */
export const erc3156: FundingSource = {
  id: "erc3156",
  gas: 46_800n,
  offer: async (provider, network, _executor, token, block) => {
    const lender = network.lenders.erc3156?.address;
    if (lender === undefined) return null;
    const ask = (fn: "maxFlashLoan" | "flashFee", args: unknown[]) => {
      return { target: lender, data: lending.encodeFunctionData(fn, args), what: fn, mayRevert: true };
    };
    const [most] = await readAll(provider, [ask("maxFlashLoan", [token])], block);
    const limit = most === "0x" ? 0n : BigInt(most!);
    if (limit === 0n) return null;
    // it refuses to tell the fee of a token that it does not lend
    const [answer] = await readAll(provider, [ask("flashFee", [token, limit])], block);
    if (answer === "0x") return null;
    const feeOfAll = BigInt(answer!);
    return { source: "erc3156", lender, limit, fee: (amount) => flashFee(amount, feeOfAll, limit) };
  },
  steps: loanOf("erc3156"),
};

/** Fee in base units as the same share of the amount as of the whole, rounded up: EIP-3156 names no formula, lenders charge a share. */
export function flashFee(amount: bigint, feeOfAll: bigint, limit: bigint): bigint {
  return ceilDiv(amount * feeOfAll, limit);
}
