import type { Block, BlockTag, TransactionLike } from "ethers";
import type { Network } from "../config/network.js";
import type { Chain } from "../chain/connect.js";
import { ArbError } from "../errors.js";
import { formatGwei } from "../units.js";
import { arbitrum } from "./arbitrum.js";
import { ethereum, ETHEREUM_RULE } from "./ethereum.js";
import type { DataFee, FeeModel, ParentHeader } from "./fee-model.js";
import { opStack } from "./op-stack.js";
import { type PriorityRule, recentPriorityFee } from "./priority.js";

const MODELS: Record<Network["stack"], FeeModel> = { l1: ethereum, op: opStack, arbitrum };

/** Base fee in wei of the block after `parent`, exactly; null where it does not follow from the header. */
export function nextBaseFee(stack: Network["stack"], parent: ParentHeader): bigint | null {
  const rule = MODELS[stack].baseFeeRule(parent.extraData);
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

/** A proposer may move the gas limit by less than this part of it per block. */
const LIMIT_STEP = 1024n;

/**
 * Largest base fee in wei that can hold `blocks` blocks after one with `baseFee`: full blocks all the way, whatever their
 * proposers make of the gas limit (a limit that the elasticity does not divide lets it rise a little more). On OP Stack networks
 * it holds until their parameters change. Where the rule is unknown, as on Arbitrum, Ethereum's steepest rise of one eighth per
 * block is taken, which is no bound.
 */
export function highestBaseFee(
  stack: Network["stack"],
  baseFee: bigint,
  blocks: number,
  { extraData, gasLimit }: Pick<ParentHeader, "extraData" | "gasLimit">,
): bigint {
  const { elasticity, denominator, minimum } = MODELS[stack].baseFeeRule(extraData) ?? ETHEREUM_RULE;
  let fee = baseFee;
  let leastLimit = gasLimit;
  for (let i = 0; i < blocks; i++) {
    leastLimit -= leastLimit / LIMIT_STEP;
    const target = leastLimit / elasticity > 0n ? leastLimit / elasticity : 1n;
    const rise = (fee * (elasticity - 1n) * (target + 1n)) / target / denominator;
    fee += rise > 1n ? rise : 1n;
    if (fee < minimum) fee = minimum;
  }
  return fee;
}

export interface FeePolicy {
  /** Tip in wei per gas, or how it follows what others pay. */
  priorityFee: bigint | PriorityRule;
  /** How many blocks the transaction may wait: its fee cap stands that many full blocks. */
  patienceBlocks: number;
  /** Highest fee per gas in wei that may be signed; null = no limit. */
  maxFeePerGas: bigint | null;
}

/** Half of a block's gas paid at most this. */
const USUAL_PERCENTILE = 50;

/** What a configuration says about fees, as a policy. */
export function feePolicy(
  network: { priorityFee: bigint; maxPriorityFee: bigint | null; maxFeePerGas: bigint },
  patienceBlocks: number,
): FeePolicy {
  const { priorityFee: least, maxPriorityFee: most, maxFeePerGas } = network;
  return { priorityFee: most === null ? least : { percentile: USUAL_PERCENTILE, least, most }, patienceBlocks, maxFeePerGas };
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
  const { stack } = chain.network;
  const [parent, tip] = await Promise.all([block ?? chain.provider.getBlock("latest"), tipOf(chain, policy.priorityFee)]);
  if (!parent?.hash || parent.baseFeePerGas === null)
    throw new ArbError("network", `${chain.endpoint} gave no block with a base fee`, { where: chain.network.name });
  const { baseFeePerGas, gasUsed, gasLimit, extraData, blobGasUsed } = parent;
  const exactFee = nextBaseFee(stack, { baseFeePerGas, gasUsed, gasLimit, extraData, blobGasUsed });
  const next = exactFee ?? baseFeePerGas;
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
  const wanted = highestBaseFee(stack, next, policy.patienceBlocks, { extraData, gasLimit }) + tip;
  return {
    maxFeePerGas: limit !== null && wanted > limit ? limit : wanted,
    maxPriorityFeePerGas: tip,
    nextBaseFee: next,
    exact: exactFee !== null,
    blockNumber: parent.number,
    blockHash: parent.hash,
  };
}

async function tipOf(chain: Chain, wanted: bigint | PriorityRule): Promise<bigint> {
  if (!MODELS[chain.network.stack].tips) return 0n;
  return typeof wanted === "bigint" ? wanted : await recentPriorityFee(chain, wanted);
}

/** What an unsigned transaction costs beside gas times price, by the state of `block`; see `FeeModel.dataFee`. */
export async function dataFee(chain: Chain, tx: TransactionLike, block: BlockTag = "latest"): Promise<DataFee> {
  return await MODELS[chain.network.stack].dataFee(chain, tx, block);
}

/**
 * Most in wei that a transaction pays beside its gas limit times its price: what its sender must hold on top. 0 on networks that
 * charge everything as gas.
 */
export async function feeBesideGas(chain: Chain, tx: TransactionLike): Promise<bigint> {
  if (chain.network.stack !== "op") return 0n;
  const { l1FeeWei, operatorFeeWei } = await dataFee(chain, tx);
  // a tenth on top: it moves with Ethereum's fees until the transaction is mined
  return ((l1FeeWei + operatorFeeWei) * 11n) / 10n;
}
