import { concat, toBeHex, toQuantity } from "ethers";
import { L1_BLOCK } from "../../fees/op-stack.js";
import { send, type Site } from "../site.js";

/** The only account that may set what the predeploy knows of L1 (OP Stack specification, predeploys). */
const DEPOSITOR = "0xDeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001";
const SET_L1_BLOCK_VALUES_ISTHMUS = "0x098999be";

/**
 * Fee parameters of an ordinary day in 2026; the data scalars are OP Mainnet's. Wei. The operator's are ours, small but not
 * zero, so that nothing that forgets it adds up.
 */
const FEES = {
  baseFeeScalar: 5_227n,
  blobBaseFeeScalar: 1_014_213n,
  l1BaseFee: 800_000_000n,
  blobBaseFee: 1_000_000n,
  operatorFeeScalar: 1_000_000n,
  operatorFeeConstant: 100_000_000n,
};

/** What the predeploy is told of L1, in its packed form. Source: OP Stack specification, Isthmus, "L1 attributes". */
export function l1BlockValues(fees: typeof FEES = FEES): string {
  return concat([
    SET_L1_BLOCK_VALUES_ISTHMUS,
    toBeHex(fees.baseFeeScalar, 4),
    toBeHex(fees.blobBaseFeeScalar, 4),
    toBeHex(0, 8), // sequence number
    toBeHex(0, 8), // L1 timestamp
    toBeHex(0, 8), // L1 block number
    toBeHex(fees.l1BaseFee, 32),
    toBeHex(fees.blobBaseFee, 32),
    toBeHex(0, 32), // L1 block hash
    toBeHex(0, 32), // batcher
    toBeHex(fees.operatorFeeScalar, 4),
    toBeHex(fees.operatorFeeConstant, 8),
  ]);
}

/**
 * Makes transactions pay for their L1 data and the operator, as on a live OP Stack network; a fresh simulated chain takes
 * nothing. The chain has the real predeploys of Isthmus, and charges by its rules.
 */
export async function chargeDataFee(site: Site, fees: typeof FEES = FEES): Promise<void> {
  await site.rpc("hardhat_impersonateAccount", [DEPOSITOR]);
  await site.rpc("hardhat_setBalance", [DEPOSITOR, toQuantity(10n ** 20n)]);
  await send(site, L1_BLOCK, l1BlockValues(fees), { from: DEPOSITOR });
  await site.rpc("hardhat_stopImpersonatingAccount", [DEPOSITOR]);
}
