import { type Block, dataSlice, isError, Transaction, type TransactionLike } from "ethers";
import { IGasPriceOracle__factory, INodeInterface__factory } from "../../types/contracts/index.js";
import type { Network } from "../config/network.js";
import { ArbError } from "../errors.js";
import { formatGwei } from "../units.js";
import type { Chain } from "./connect.js";
import { classifyNodeError } from "./errors.js";

const GAS_PRICE_ORACLE = "0x420000000000000000000000000000000000000F";
const NODE_INTERFACE = "0x00000000000000000000000000000000000000C8";

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

interface BaseFeeRule {
  elasticity: bigint;
  denominator: bigint;
  minimum: bigint;
  /** Whether the block's data counts like gas. */
  dataCounts: boolean;
}

const ETHEREUM_RULE: BaseFeeRule = { elasticity: 2n, denominator: 8n, minimum: 0n, dataCounts: false };

/**
 * The rule that the next block of a network follows; null where the base fee does not follow from the parent (Arbitrum prices
 * by time) or its parameters are not in the header.
 * Sources: EIP-1559; OP Stack Holocene (extraData version 0) and Jovian (version 1, minimum base fee, data footprint).
 */
function baseFeeRule(stack: Network["stack"], extraData: string): BaseFeeRule | null {
  if (stack === "l1") return ETHEREUM_RULE;
  if (stack === "arbitrum") return null;
  const version = /^0x00[0-9a-f]{16}$/i.test(extraData) ? 0 : /^0x01[0-9a-f]{32}$/i.test(extraData) ? 1 : null;
  if (version === null) return null;
  const denominator = BigInt(dataSlice(extraData, 1, 5));
  const elasticity = BigInt(dataSlice(extraData, 5, 9));
  if (denominator === 0n || elasticity === 0n) return null;
  return {
    denominator,
    elasticity,
    minimum: version === 1 ? BigInt(dataSlice(extraData, 9, 17)) : 0n,
    dataCounts: version === 1,
  };
}

/** Base fee in wei of the block after `parent`, exactly; null where it does not follow from the header. */
export function nextBaseFee(stack: Network["stack"], parent: ParentHeader): bigint | null {
  const rule = baseFeeRule(stack, parent.extraData);
  if (!rule) return null;
  const base = parent.baseFeePerGas;
  const used = rule.dataCounts && (parent.blobGasUsed ?? 0n) > parent.gasUsed ? (parent.blobGasUsed ?? 0n) : parent.gasUsed;
  const target = parent.gasLimit / rule.elasticity;
  let next = base;
  if (used > target) {
    const rise = (base * (used - target)) / target / rule.denominator;
    next = base + (rise > 1n ? rise : 1n);
  } else if (used < target) next = base - (base * (target - used)) / target / rule.denominator;
  return next < rule.minimum ? rule.minimum : next;
}

/**
 * Largest base fee in wei that can hold `blocks` blocks after one with `baseFee`: full blocks all the way. Where the rule is
 * unknown, Ethereum's steepest rise of one eighth per block is taken.
 */
export function highestBaseFee(stack: Network["stack"], baseFee: bigint, blocks: number, extraData: string): bigint {
  const { elasticity, denominator } = baseFeeRule(stack, extraData) ?? ETHEREUM_RULE;
  let fee = baseFee;
  for (let i = 0; i < blocks; i++) {
    const rise = (fee * (elasticity - 1n)) / denominator;
    fee += rise > 1n ? rise : 1n;
  }
  return fee;
}

export interface FeePolicy {
  /** Tip in wei per gas. */
  priorityFee: bigint;
  /** How many blocks the transaction may wait: its fee cap stands that many full blocks. */
  patienceBlocks: number;
  /** Highest fee per gas in wei that may be signed; null = no limit. */
  maxFeePerGas: bigint | null;
}

export interface FeeSuggestion {
  maxFeePerGas: bigint;
  maxPriorityFeePerGas: bigint;
  /** Base fee of the next block in wei: what will really be paid, beside the tip. */
  nextBaseFee: bigint;
  /** False where the next base fee does not follow from the header; it is the parent's then. */
  exact: boolean;
  blockNumber: number;
  blockHash: string;
}

/**
 * Fees for a transaction meant for the block after `block` (default: the latest). On Arbitrum tips buy nothing and are 0.
 * Raises ArbError "refused" when the next block alone is dearer than the policy's limit, "network" when there is no block.
 */
export async function suggestFees(chain: Chain, policy: FeePolicy, block?: Block): Promise<FeeSuggestion> {
  const parent = block ?? (await chain.provider.getBlock("latest"));
  if (!parent?.hash || parent.baseFeePerGas === null)
    throw new ArbError("network", `${chain.endpoint} gave no block with a base fee`, { where: chain.network.name });
  const stack = chain.network.stack;
  const exactFee = nextBaseFee(stack, {
    baseFeePerGas: parent.baseFeePerGas,
    gasUsed: parent.gasUsed,
    gasLimit: parent.gasLimit,
    extraData: parent.extraData,
    blobGasUsed: parent.blobGasUsed,
  });
  const next = exactFee ?? parent.baseFeePerGas;
  const tip = stack === "arbitrum" ? 0n : policy.priorityFee;
  const limit = policy.maxFeePerGas;
  if (limit !== null && next + tip > limit)
    throw new ArbError(
      "refused",
      `gas costs ${formatGwei(next + tip)} on ${chain.network.title}, your limit is ${formatGwei(limit)}`,
      {
        where: `block ${parent.number}`,
        hint: "wait for cheaper gas or raise networks.NAME.maxFeePerGas",
      },
    );
  const wanted = highestBaseFee(stack, next, policy.patienceBlocks, parent.extraData) + tip;
  return {
    maxFeePerGas: limit !== null && wanted > limit ? limit : wanted,
    maxPriorityFeePerGas: tip,
    nextBaseFee: next,
    exact: exactFee !== null,
    blockNumber: parent.number,
    blockHash: parent.hash,
  };
}

/** What a transaction costs beside gas used times gas price. */
export interface DataFee {
  /** OP Stack: fee for the data on L1, in wei. Failed transactions pay it too. */
  l1FeeWei: bigint;
  /** OP Stack: the operator's fee, in wei, at the gas limit. */
  operatorFeeWei: bigint;
  /** Arbitrum: the part of eth_estimateGas that pays for data; a simulation without it must add it. */
  l1Gas: bigint;
}

const NO_DATA_FEE: DataFee = { l1FeeWei: 0n, operatorFeeWei: 0n, l1Gas: 0n };

/**
 * Data fee of an unsigned transaction by the network's own oracle. A missing oracle or function (local worlds, networks before
 * the upgrade that brought it) costs nothing; a node that does not answer raises its error.
 * Sources: OP Stack specification, GasPriceOracle (Fjord, Isthmus, Jovian); Arbitrum NodeInterface.
 */
export async function dataFee(chain: Chain, tx: TransactionLike): Promise<DataFee> {
  const { stack } = chain.network;
  if (stack === "op") {
    if ((await chain.provider.getCode(GAS_PRICE_ORACLE)) === "0x") return NO_DATA_FEE;
    const oracle = IGasPriceOracle__factory.connect(GAS_PRICE_ORACLE, chain.provider);
    const { from: _from, ...unsigned } = tx;
    const [l1FeeWei, operatorFeeWei] = await Promise.all([
      oracle.getL1Fee(Transaction.from({ ...unsigned, signature: null }).unsignedSerialized),
      orZero(oracle.getOperatorFee(tx.gasLimit ?? 0)),
    ]);
    return { l1FeeWei, operatorFeeWei, l1Gas: 0n };
  }
  if (stack === "arbitrum") {
    const node = INodeInterface__factory.connect(NODE_INTERFACE, chain.provider);
    const to = tx.to ?? "0x0000000000000000000000000000000000000000";
    const overrides = { from: tx.from ?? null, value: tx.value ?? 0n };
    const l1Gas = await orZero(
      node.gasEstimateComponents.staticCall(to, !tx.to, tx.data ?? "0x", overrides).then((r) => r.gasEstimateForL1),
    );
    return { ...NO_DATA_FEE, l1Gas };
  }
  return NO_DATA_FEE;
}

/** 0 for a function that is not there: no code answers with nothing (BAD_DATA), an older contract reverts. */
async function orZero(answer: Promise<bigint>): Promise<bigint> {
  try {
    return await answer;
  } catch (error) {
    if (isError(error, "BAD_DATA") || classifyNodeError(error).kind === "reverted") return 0n;
    throw error;
  }
}
