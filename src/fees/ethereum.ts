import { type BaseFeeRule, type FeeModel, NO_DATA_FEE } from "./fee-model.js";

/** EIP-1559: the target is half the gas limit, the base fee moves by at most one eighth. */
export const ETHEREUM_RULE: BaseFeeRule = { elasticity: 2n, denominator: 8n, minimum: 0n, dataCounts: false };

/** Ethereum and Sepolia: gas times price is all; a tip inside the plan is counted by the planner. */
export const ethereum: FeeModel = {
  tips: true,
  baseFeeRule: () => ETHEREUM_RULE,
  dataFee: () => Promise.resolve(NO_DATA_FEE),
};
