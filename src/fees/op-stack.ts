import {
  type BlockTag,
  concat,
  dataSlice,
  getBytes,
  id,
  type Provider,
  Signature,
  Transaction,
  type TransactionLike,
} from "ethers";
import { IGasPriceOracle__factory, IL1Block__factory, IMulticall3__factory } from "../../types/contracts/index.js";
import type { Chain } from "../chain/connect.js";
import { classifyNodeError } from "../chain/errors.js";
import { ArbError } from "../errors.js";
import { fastLzLength } from "./fastlz.js";
import { type BaseFeeRule, type FeeModel, NO_DATA_FEE } from "./fee-model.js";

/** Predeploys of every OP Stack network (specification, predeploys). */
export const GAS_PRICE_ORACLE = "0x420000000000000000000000000000000000000F";
export const L1_BLOCK = "0x4200000000000000000000000000000000000015";

/** Everything that the fees of an OP Stack block follow from, as its predeploys say. Fees in wei. */
export interface OpFeeState {
  l1BaseFee: bigint;
  blobBaseFee: bigint;
  baseFeeScalar: bigint;
  blobBaseFeeScalar: bigint;
  /** How the operator is paid per gas: `scalar / 1e6` since Isthmus, `scalar * 100` since Jovian; before, it is not. */
  operatorRule: "none" | "isthmus" | "jovian";
  operatorFeeScalar: bigint;
  operatorFeeConstant: bigint;
}

/**
 * Fee in wei for a transaction's data on L1, by the FastLZ length of its signed bytes: what the network charges.
 * Source: OP Stack specification, Fjord, "L1-cost fee changes (FastLZ estimator)".
 */
export function l1Fee(signed: string, state: OpFeeState): bigint {
  return feeOfLength(fastLzLength(getBytes(signed)), state);
}

/** The same by the bytes that are signed, as GasPriceOracle.getL1Fee computes it: 68 bytes for the signature. */
export function l1FeeOfUnsigned(unsigned: string, state: OpFeeState): bigint {
  return feeOfLength(fastLzLength(getBytes(unsigned)) + 68, state);
}

function feeOfLength(length: number, state: OpFeeState): bigint {
  const regression = 836_500n * BigInt(length) - 42_585_600n;
  const size = regression < 100_000_000n ? 100_000_000n : regression;
  const price = 16n * state.baseFeeScalar * state.l1BaseFee + state.blobBaseFeeScalar * state.blobBaseFee;
  return (size * price) / 10n ** 12n;
}

/** Fee in wei for the operator of the network, by gas used. Source: OP Stack specification, Isthmus and Jovian, "Operator fee". */
export function operatorFee(
  gas: bigint,
  state: Omit<OpFeeState, "l1BaseFee" | "blobBaseFee" | "baseFeeScalar" | "blobBaseFeeScalar">,
): bigint {
  const { operatorRule, operatorFeeScalar, operatorFeeConstant } = state;
  if (operatorRule === "none") return 0n;
  return (
    (operatorRule === "isthmus" ? (gas * operatorFeeScalar) / 1_000_000n : gas * operatorFeeScalar * 100n) + operatorFeeConstant
  );
}

/** Bytes that nothing compresses, for which a predeploy is asked what our formula gives. */
const PROBE = concat(Array.from({ length: 9 }, (_, i) => id(`fee probe ${i}`)));
/** Gas for which the operator fee is asked: it tells Isthmus' rule from Jovian's. */
const PROBE_GAS = 1_000_000n;

const oracle = IGasPriceOracle__factory.createInterface();
const l1Block = IL1Block__factory.createInterface();

/**
 * Reads what the fees of `block` follow from. The predeploy's own answers for a probe are read along, and our formulas must
 * give the same to the wei: a network that charges otherwise (an upgrade that this version does not know) is refused.
 * Throws ArbError "network".
 */
export async function readOpFees(chain: Chain, block: BlockTag): Promise<OpFeeState> {
  const at = (name: Parameters<typeof l1Block.getFunction>[0]) => ({
    to: L1_BLOCK,
    data: l1Block.encodeFunctionData(name as never),
  });
  const reads = [
    at("basefee"),
    at("blobBaseFee"),
    at("baseFeeScalar"),
    at("blobBaseFeeScalar"),
    { to: GAS_PRICE_ORACLE, data: oracle.encodeFunctionData("getL1Fee", [PROBE]) },
    at("operatorFeeScalar"),
    at("operatorFeeConstant"),
    { to: GAS_PRICE_ORACLE, data: oracle.encodeFunctionData("getOperatorFee", [PROBE_GAS]) },
  ];
  const words = await readWords(chain, reads, block);
  const [l1BaseFee, blobBaseFee, baseFeeScalar, blobBaseFeeScalar, l1Probe, scalar, constant, operatorProbe] = words;
  if (l1BaseFee == null || blobBaseFee == null || baseFeeScalar == null || blobBaseFeeScalar == null || l1Probe == null)
    throw unknownFees(chain, block, "its fee contracts do not answer");
  const state: OpFeeState = {
    l1BaseFee,
    blobBaseFee,
    baseFeeScalar,
    blobBaseFeeScalar,
    operatorRule: "none",
    operatorFeeScalar: scalar ?? 0n,
    operatorFeeConstant: constant ?? 0n,
  };
  const l1Own = l1FeeOfUnsigned(PROBE, state);
  if (l1Own !== l1Probe) throw unknownFees(chain, block, `it takes ${l1Probe} wei for data where Fjord's formula gives ${l1Own}`);
  // an oracle of before Isthmus has no such function, and its network no operator fee
  if (operatorProbe == null) return state;
  const rule = (["jovian", "isthmus", "none"] as const).find(
    (operatorRule) => operatorFee(PROBE_GAS, { ...state, operatorRule }) === operatorProbe,
  );
  if (rule === undefined) throw unknownFees(chain, block, `its operator takes ${operatorProbe} wei for ${PROBE_GAS} gas`);
  return { ...state, operatorRule: rule };
}

/** First words of the answers; null where a call reverted or nothing is there. */
async function readWords(chain: Chain, reads: { to: string; data: string }[], block: BlockTag): Promise<(bigint | null)[]> {
  const { provider, network } = chain;
  const calls = reads.map(({ to, data }) => ({ target: to, allowFailure: true, callData: data }));
  const multicall = IMulticall3__factory.createInterface();
  const returned = await provider.call({
    to: network.multicall3.address,
    data: multicall.encodeFunctionData("aggregate3", [calls]),
    blockTag: block,
  });
  const answers =
    returned === "0x"
      ? await Promise.all(reads.map((read) => callOrNothing(provider, read, block)))
      : (multicall.decodeFunctionResult("aggregate3", returned)[0] as { success: boolean; returnData: string }[]).map((r) =>
          r.success ? r.returnData : "0x",
        );
  return answers.map((data) => (data.length < 66 ? null : BigInt(data.slice(0, 66))));
}

async function callOrNothing(provider: Provider, read: { to: string; data: string }, block: BlockTag): Promise<string> {
  try {
    return await provider.call({ ...read, blockTag: block });
  } catch (error) {
    if (classifyNodeError(error).kind === "reverted") return "0x";
    throw error;
  }
}

function unknownFees(chain: Chain, block: BlockTag, why: string): ArbError {
  return new ArbError("network", `the fees of ${chain.network.title} cannot be computed: ${why}`, {
    where: `${chain.network.name}, block ${String(block)}`,
    hint: "check that the endpoint serves this network; after an upgrade of the network, update this program",
  });
}

/** Stands for the signature of a transaction that is not signed yet: as long as one, and as hard to compress. */
const ANY_SIGNATURE = Signature.from({ r: id("fee r"), s: `0x0${id("fee s").slice(3)}`, yParity: 1 });

/** Bytes of a transaction as they will be signed, but for the signature itself. */
export function withAnySignature(tx: TransactionLike): string {
  const { from: _from, hash: _hash, ...unsigned } = tx;
  return Transaction.from({ ...unsigned, signature: ANY_SIGNATURE }).serialized;
}

/**
 * The base fee parameters of Holocene (extraData version 0) and Jovian (version 1: minimum base fee, data footprint). Source:
 * OP Stack specification, "Dynamic EIP-1559 parameters" and "Minimum base fee".
 */
function baseFeeRule(extraData: string): BaseFeeRule | null {
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

/** Optimism, Base and their Sepolias. */
export const opStack: FeeModel = {
  tips: true,
  baseFeeRule,
  dataFee: async (chain, tx, block) => {
    const state = await readOpFees(chain, block);
    return {
      ...NO_DATA_FEE,
      l1FeeWei: l1Fee(withAnySignature(tx), state),
      operatorFeeWei: operatorFee(BigInt(tx.gasLimit ?? 0), state),
    };
  },
};
