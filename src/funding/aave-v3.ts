import type { BlockTag, Provider } from "ethers";
import { IAaveV3Pool__factory, IERC20__factory } from "../../types/contracts/index.js";
import { readAll } from "../venues/multicall.js";
import { type FundingOffer, type FundingSource, loanOf } from "./funding.js";

const pool = IAaveV3Pool__factory.createInterface();
const erc20 = IERC20__factory.createInterface();

const NO_ADDRESS = `0x${"00".repeat(20)}`;
// bits of the reserve's configuration word (aave-v3-core, DataTypes.ReserveConfigurationMap)
const ACTIVE = 1n << 56n;
const PAUSED = 1n << 60n;
const FLASH_LOANS = 1n << 63n;
const V3_4 = 8n;
const V3_5 = 9n;

/** Aave V3's `flashLoanSimple`. */
export const aaveV3: FundingSource = {
  id: "aave-v3",
  gas: 120_500n,
  offer: async (provider, network, _executor, token, block): Promise<FundingOffer | null> => {
    const lender = network.lenders["aave-v3"]?.address;
    if (lender === undefined) return null;
    const ask = (what: string, data: string): { target: string; data: string; what: string } => ({ target: lender, data, what });
    const [premiumData, revisionData, reserveData] = (await readAll(
      provider,
      [
        ask("FLASHLOAN_PREMIUM_TOTAL", pool.encodeFunctionData("FLASHLOAN_PREMIUM_TOTAL")),
        ask("POOL_REVISION", pool.encodeFunctionData("POOL_REVISION")),
        ask("getReserveData", pool.encodeFunctionData("getReserveData", [token])),
      ],
      block,
    )) as [string, string, string];
    // before the lender was deployed it lends nothing
    if (premiumData === "0x") return null;
    const premium = pool.decodeFunctionResult("FLASHLOAN_PREMIUM_TOTAL", premiumData)[0] as bigint;
    const revision = pool.decodeFunctionResult("POOL_REVISION", revisionData)[0] as bigint;
    const reserve = pool.decodeFunctionResult("getReserveData", reserveData)[0];
    const settings = reserve["configuration"] as bigint;
    const aToken = reserve["aTokenAddress"] as string;
    const lends = (settings & ACTIVE) !== 0n && (settings & PAUSED) === 0n && (settings & FLASH_LOANS) !== 0n;
    if (aToken === NO_ADDRESS || !lends) return null;
    const limit = await available(provider, lender, token, aToken, revision, block);
    return limit === 0n ? null : { source: "aave-v3", lender, limit, fee: (amount) => flashLoanFee(amount, premium, revision) };
  },
  steps: loanOf("aave-v3"),
};

/**
 * Fee in base units of a premium in basis points. Up to v3.4 Aave rounds half up (aave-v3-core, PercentageMath.percentMul), since
 * v3.5 always up (aave-v3-origin, FlashLoanLogic with percentMulCeil).
 */
export function flashLoanFee(amount: bigint, premiumBps: bigint, poolRevision: bigint): bigint {
  return (amount * premiumBps + (poolRevision >= V3_5 ? 9_999n : 5_000n)) / 10_000n;
}

/** What the reserve can pay out: the tokens that its aToken holds, and since v3.4 no more than the pool counts as its own. */
async function available(
  provider: Provider,
  lender: string,
  token: string,
  aToken: string,
  revision: bigint,
  block: BlockTag,
): Promise<bigint> {
  const reads = [{ target: token, data: erc20.encodeFunctionData("balanceOf", [aToken]), what: "balanceOf(aToken)" }];
  if (revision >= V3_4) {
    reads.push({
      target: lender,
      data: pool.encodeFunctionData("getVirtualUnderlyingBalance", [token]),
      what: "getVirtualUnderlyingBalance",
    });
  }
  const amounts = (await readAll(provider, reads, block)).map(BigInt);
  return amounts.reduce((least, amount) => (amount < least ? amount : least));
}
