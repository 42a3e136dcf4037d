import type { BlockTag, TransactionLike } from "ethers";
import type { Chain } from "../chain/connect.js";

/** What the next base fee follows from. */
export interface ParentHeader {
  baseFeePerGas: bigint;
  gasUsed: bigint;
  gasLimit: bigint;
  /** Fee parameters of OP Stack networks stand here. */
  extraData: string;
  /** On OP Stack networks since Jovian: gas-equivalent of the block's data. */
  blobGasUsed: bigint | null;
}

/** How the base fee moves from block to block (EIP-1559 with parameters). */
export interface BaseFeeRule {
  elasticity: bigint;
  denominator: bigint;
  /** Wei per gas. */
  minimum: bigint;
  /** Whether the block's data counts like gas. */
  dataCounts: boolean;
}

/** What a transaction costs beside gas limit times gas price. */
export interface DataFee {
  /** OP Stack: fee for the data on L1, in wei. Failed transactions pay it too. */
  l1FeeWei: bigint;
  /** OP Stack: the operator's fee, in wei, at the gas limit; what is charged follows from the gas used. */
  operatorFeeWei: bigint;
  /** Arbitrum: all gas by the node's own components, `l1Gas` included; 0 elsewhere. */
  gas: bigint;
  /** Arbitrum: the part of it that pays for data. */
  l1Gas: bigint;
}

export const NO_DATA_FEE: DataFee = { l1FeeWei: 0n, operatorFeeWei: 0n, gas: 0n, l1Gas: 0n };

/** How one family of networks charges for a transaction. */
export interface FeeModel {
  /** Whether a tip per gas buys anything. */
  tips: boolean;
  /** Rule for the block after a header with `extraData`; null where the base fee does not follow from the parent. */
  baseFeeRule(extraData: string): BaseFeeRule | null;
  /**
   * Fee for data and operator of an unsigned transaction on the state of `block`. Throws ArbError "network" where the network
   * charges by a formula that this version does not know.
   */
  dataFee(chain: Chain, tx: TransactionLike, block: BlockTag): Promise<DataFee>;
}
