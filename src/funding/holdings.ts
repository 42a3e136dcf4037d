import type { BlockTag, Provider } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { readAll } from "../venues/multicall.js";
import type { FundingId, FundingOffer } from "./funding.js";

const erc20 = IERC20__factory.createInterface();

/** The offer of a lender that lends for nothing all that it holds; null where it is not deployed or holds none of the token. */
export async function freeOffer(
  source: FundingId,
  provider: Provider,
  lender: string | undefined,
  token: string,
  block: BlockTag,
): Promise<FundingOffer | null> {
  if (lender === undefined) return null;
  const data = erc20.encodeFunctionData("balanceOf", [lender]);
  const [[held], code] = await Promise.all([
    readAll(provider, [{ target: token, data, what: `balanceOf(${source})` }], block),
    provider.getCode(lender, block),
  ]);
  const limit = held === "0x" ? 0n : BigInt(held!);
  return code === "0x" || limit === 0n ? null : { source, lender, limit, fee: () => 0n };
}
