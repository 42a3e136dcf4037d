import { IBalancerV2FeesCollector__factory, IBalancerV2Vault__factory, IERC20__factory } from "../../types/contracts/index.js";
import { readAll } from "../venues/multicall.js";
import { ceilDiv } from "../venues/tick-math.js";
import { type FundingOffer, type FundingSource, loanOf } from "./funding.js";

const vault = IBalancerV2Vault__factory.createInterface();
const collector = IBalancerV2FeesCollector__factory.createInterface();
const erc20 = IERC20__factory.createInterface();

/** Balancer V2's vault. It lends any token it holds; governance sets the fee in its ProtocolFeesCollector. */
export const balancerV2: FundingSource = {
  id: "balancer-v2",
  gas: 31_200n,
  offer: async (provider, network, _executor, token, block): Promise<FundingOffer | null> => {
    const lender = network.lenders["balancer-v2"]?.address;
    if (lender === undefined) return null;
    const [collectorData, balanceData] = (await readAll(
      provider,
      [
        { target: lender, data: vault.encodeFunctionData("getProtocolFeesCollector"), what: "getProtocolFeesCollector" },
        { target: token, data: erc20.encodeFunctionData("balanceOf", [lender]), what: "balanceOf(vault)" },
      ],
      block,
    )) as [string, string];
    // before the vault was deployed it lends nothing
    if (collectorData === "0x") return null;
    const limit = BigInt(balanceData);
    if (limit === 0n) return null;
    const target = vault.decodeFunctionResult("getProtocolFeesCollector", collectorData)[0] as string;
    const data = collector.encodeFunctionData("getFlashLoanFeePercentage");
    const [feeData] = await readAll(provider, [{ target, data, what: "getFlashLoanFeePercentage" }], block);
    const fraction = BigInt(feeData!);
    return { source: "balancer-v2", lender, limit, fee: (amount) => flashLoanFee(amount, fraction) };
  },
  steps: loanOf("balancer-v2"),
};

/** Fee in base units of a fraction of 1e18, rounded up (balancer-v2, Fees._calculateFlashLoanFeeAmount: FixedPoint.mulUp). */
export function flashLoanFee(amount: bigint, fraction: bigint): bigint {
  return ceilDiv(amount * fraction, 10n ** 18n);
}
