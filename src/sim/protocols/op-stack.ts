import { concat, toBeHex, toQuantity } from "ethers";
import { send, type Site } from "../site.js";

/** Predeploy that keeps what transactions pay for L1 data, and the only account that may set it (OP Stack specification, predeploys). */
const L1_BLOCK = "0x4200000000000000000000000000000000000015";
const DEPOSITOR = "0xDeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001";
const SET_L1_BLOCK_VALUES_ECOTONE = "0x440a5e20";

/** Data fee parameters of an ordinary day in 2026; the scalars are OP Mainnet's. Wei. */
const DATA_FEE = { baseFeeScalar: 5_227n, blobBaseFeeScalar: 1_014_213n, l1BaseFee: 800_000_000n, blobBaseFee: 1_000_000n };

/** Makes transactions pay for their L1 data, as on a live OP Stack network; a fresh simulated chain takes nothing. */
export async function chargeDataFee(site: Site): Promise<void> {
  const { baseFeeScalar, blobBaseFeeScalar, l1BaseFee, blobBaseFee } = DATA_FEE;
  const values = [
    toBeHex(baseFeeScalar, 4),
    toBeHex(blobBaseFeeScalar, 4),
    toBeHex(0, 8), // sequence number
    toBeHex(0, 8), // L1 timestamp
    toBeHex(0, 8), // L1 block number
    toBeHex(l1BaseFee, 32),
    toBeHex(blobBaseFee, 32),
    toBeHex(0, 32), // L1 block hash
    toBeHex(0, 32), // batcher
  ];
  await site.rpc("hardhat_impersonateAccount", [DEPOSITOR]);
  await site.rpc("hardhat_setBalance", [DEPOSITOR, toQuantity(10n ** 20n)]);
  await send(site, L1_BLOCK, concat([SET_L1_BLOCK_VALUES_ECOTONE, ...values]), { from: DEPOSITOR });
  await site.rpc("hardhat_stopImpersonatingAccount", [DEPOSITOR]);
}
