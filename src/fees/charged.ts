import { operatorFee } from "./op-stack.js";

/** The fields of a receipt that fees follow from, as nodes send them (hex); those of other stacks are absent. */
export interface FeeReceipt {
  gasUsed: string;
  effectiveGasPrice: string;
  /** OP Stack. */
  l1Fee?: string | null;
  operatorFeeScalar?: string | null;
  operatorFeeConstant?: string | null;
  /** OP Stack since Jovian. */
  daFootprintGasScalar?: string | null;
  /** Arbitrum: the part of `gasUsed` that paid for data. */
  gasUsedForL1?: string | null;
}

/** What a mined transaction really paid, in wei, whether it succeeded or not. */
export interface ChargedFee {
  wei: bigint;
  /** gasUsed * effectiveGasPrice; on Arbitrum with the data's share. */
  executionWei: bigint;
  /** Fee for data: OP Stack's l1Fee, which is beside the execution; Arbitrum's share, which is inside it. */
  l1Wei: bigint;
  operatorWei: bigint;
}

/**
 * Everything that a mined transaction paid by its own receipt. The operator fee is not in the receipt as an amount: it follows
 * from the scalars there, by Jovian's rule where the receipt has a data footprint.
 */
export function chargedFee(receipt: FeeReceipt): ChargedFee {
  const gas = BigInt(receipt.gasUsed);
  const price = BigInt(receipt.effectiveGasPrice);
  const executionWei = gas * price;
  const operatorWei = operatorFee(gas, {
    operatorRule: receipt.daFootprintGasScalar == null ? "isthmus" : "jovian",
    operatorFeeScalar: BigInt(receipt.operatorFeeScalar ?? 0),
    operatorFeeConstant: BigInt(receipt.operatorFeeConstant ?? 0),
  });
  const opL1 = BigInt(receipt.l1Fee ?? 0);
  return {
    wei: executionWei + opL1 + operatorWei,
    executionWei,
    l1Wei: opL1 + BigInt(receipt.gasUsedForL1 ?? 0) * price,
    operatorWei,
  };
}
