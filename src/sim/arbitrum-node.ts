import { brotliCompressSync, constants } from "node:zlib";
import { AbiCoder, getBytes, toQuantity } from "ethers";
import { INodeInterface__factory } from "../../types/contracts/index.js";
import { nodeInterface as outboxAbi } from "../bridges/arbitrum-withdrawal.js";
import { NODE_INTERFACE } from "../fees/arbitrum.js";
import { outboxProof, sendCount } from "./arbitrum-outbox.js";
import type { LocalNode } from "./node.js";

/**
 * What makes a local node answer as one of Arbitrum, where contracts see L1's `block.number` and everybody else the L2's. The
 * simulated chain's own number plays L1's; JSON-RPC and ArbSys (contracts/sim/LocalArbSys.sol) give that number plus a
 * constant. So a contract or a plan that takes `block.number` for the block's number is caught here and not on the live chain.
 */
export const L2_OFFSET = 400_000_000n;

/** Wei per byte of compressed data that a local Arbitrum estimates for L1. */
const L1_PRICE_PER_BYTE = 1_000_000_000n;
/** The node's estimates have ten percent on top (Nitro, GasEstimationL1PricePadding). */
const PADDING = [11n, 10n] as const;
/** Bytes of a transaction beside its calldata that do not compress: signature, hashes, addresses. */
const ENVELOPE = 120n;

const nodeInterface = INodeInterface__factory.createInterface();
const PROOF = outboxAbi.getFunction("constructOutboxProof")!.selector;
const COMPONENTS = nodeInterface.getFunction("gasEstimateComponents").selector;

/** Methods with a block among their parameters, and its place. */
const BLOCK_PARAMETER: Record<string, number> = {
  eth_call: 1,
  eth_estimateGas: 1,
  eth_getBalance: 1,
  eth_getCode: 1,
  eth_getTransactionCount: 1,
  eth_getStorageAt: 2,
  eth_getBlockByNumber: 0,
  eth_getBlockTransactionCountByNumber: 0,
  eth_getTransactionByBlockNumberAndIndex: 0,
  eth_feeHistory: 1,
  eth_createAccessList: 1,
  debug_traceCall: 1,
};
const FILTERS = new Set(["eth_getLogs", "eth_newFilter"]);
/** Methods that answer with a block, a transaction, a receipt or logs. */
const ANSWERS =
  /^eth_(getBlockBy|getTransaction(ByHash|ByBlock|Receipt)|getBlockReceipts|getLogs|getFilter|feeHistory|sendRawTransactionSync)/;
/** Their fields that are numbers of blocks. */
const NUMBERS = new Set(["number", "blockNumber", "oldestBlock"]);

/** Wraps the requests and subscriptions of a local node. */
export function arbitrumNode(node: LocalNode): LocalNode {
  const request = async (method: string, params: unknown[]): Promise<unknown> => {
    const asked = toL1(method, params);
    if (method === "eth_blockNumber") return shifted((await node.request(method, asked)) as string, L2_OFFSET);
    if (method === "eth_call" && isNodeInterface(asked[0], COMPONENTS)) return await components(node, asked);
    if (method === "eth_call" && isNodeInterface(asked[0], PROOF)) {
      const { data, input } = asked[0];
      const [size, leaf] = outboxAbi.decodeFunctionData("constructOutboxProof", input ?? data ?? "0x") as unknown as [
        bigint,
        bigint,
      ];
      return await outboxProof(node, size, leaf);
    }
    if (method === "eth_getBlockByHash") {
      const block = toL2(await node.request(method, asked)) as { number: string } | null;
      // so that a withdrawal's proof can be asked for by the block that the rollup confirmed
      return block && { ...block, sendCount: await sendCount(node, shifted(block.number, -L2_OFFSET)) };
    }
    const answer = await node.request(method, asked);
    if (method === "eth_estimateGas") return toQuantity(BigInt(answer as string) + (await l1Gas(node, asked[0])).gas);
    return ANSWERS.test(method) ? toL2(answer) : answer;
  };
  return {
    request,
    onNotification: (listener) =>
      node.onNotification(({ subscription, result }) => listener({ subscription, result: toL2(result) })),
    // whoever is alone with the chain sees it as it counts itself
    alone: (work) => node.alone(work),
    close: () => node.close(),
  };
}

const shifted = (number: string, by: bigint): string => toQuantity(BigInt(number) + by);
const isNumber = (value: unknown): value is string => typeof value === "string" && /^0x[0-9a-f]{1,16}$/i.test(value);

/** Numbers of the L2 in a request as the simulated chain counts; tags and hashes stay. A number before the first is none of its blocks. */
function toL1(method: string, params: unknown[]): unknown[] {
  const own = (value: unknown): unknown => {
    if (!isNumber(value)) return value;
    return BigInt(value) < L2_OFFSET ? toQuantity(2n ** 63n - 1n) : shifted(value, -L2_OFFSET);
  };
  if (FILTERS.has(method) && params[0] !== null && typeof params[0] === "object") {
    const filter: Record<string, unknown> = { ...params[0] };
    // a range that begins before the chain begins with it
    for (const end of ["fromBlock", "toBlock"]) {
      const at = filter[end];
      if (isNumber(at)) filter[end] = BigInt(at) < L2_OFFSET ? "0x0" : own(at);
    }
    return [filter, ...params.slice(1)];
  }
  const place = BLOCK_PARAMETER[method];
  if (place === undefined || params.length <= place) return params;
  const block = params[place];
  const byNumber = block !== null && typeof block === "object" && "blockNumber" in block;
  return params.with(place, byNumber ? { ...block, blockNumber: own(block.blockNumber) } : own(block));
}

/** The same back: also the fields that only Arbitrum's blocks and receipts have. */
function toL2(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toL2);
  if (value === null || typeof value !== "object") return value;
  const fields = value as Record<string, unknown>;
  const out: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(fields)) {
    out[key] = NUMBERS.has(key) && isNumber(field) ? shifted(field, L2_OFFSET) : typeof field === "object" ? toL2(field) : field;
  }
  const { number, parentHash, blockNumber, gasUsed, transactionHash } = fields;
  if (isNumber(number) && parentHash !== undefined) out["l1BlockNumber"] = number;
  if (isNumber(blockNumber) && gasUsed !== undefined && transactionHash !== undefined) {
    // the simulated chain takes nothing for L1 data: its receipts must not say that it did
    Object.assign(out, { gasUsedForL1: "0x0", l1BlockNumber: blockNumber, timeboosted: false });
  }
  return out;
}

function isNodeInterface(
  call: unknown,
  selector: string,
): call is { data?: string; input?: string; from?: string; value?: string } {
  const { to, data, input } = (call ?? {}) as Record<string, unknown>;
  return typeof to === "string" && BigInt(to) === BigInt(NODE_INTERFACE) && String(input ?? data).startsWith(selector);
}

/** gasEstimateComponents, which Arbitrum's nodes answer themselves: gas with the L1 part, that part, base fee, price of L1 data. */
async function components(node: LocalNode, [call, block]: unknown[]): Promise<string> {
  const { data, input, from, value } = call as { data?: string; input?: string; from?: string; value?: string };
  const [to, creates, inner] = nodeInterface.decodeFunctionData("gasEstimateComponents", input ?? data ?? "0x");
  const asked = { ...(creates === true ? {} : { to: to as string }), data: inner as string, from, value };
  const estimate = BigInt((await node.request("eth_estimateGas", [asked, block ?? "latest"])) as string);
  const l1 = await l1Gas(node, asked);
  return AbiCoder.defaultAbiCoder().encode(
    ["uint64", "uint64", "uint256", "uint256"],
    [estimate + l1.gas, l1.gas, l1.baseFee, L1_PRICE_PER_BYTE / 16n],
  );
}

/** Gas at the present base fee that pays for a call's data. A stand-in: the live network's price follows L1's blobs. */
async function l1Gas(node: LocalNode, call: unknown): Promise<{ gas: bigint; baseFee: bigint }> {
  const { data, input } = (call ?? {}) as { data?: string; input?: string };
  const head = (await node.request("eth_getBlockByNumber", ["latest", false])) as { baseFeePerGas: string };
  const baseFee = BigInt(head.baseFeePerGas);
  const options = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
  const size = BigInt(brotliCompressSync(getBytes(input ?? data ?? "0x"), options).length) + ENVELOPE;
  return { gas: (size * L1_PRICE_PER_BYTE * PADDING[0]) / PADDING[1] / baseFee, baseFee };
}
