import { isHexString } from "ethers";
import { type BlockBuilder, revertText, type TrialRow } from "./block-builder.js";
import { bundleHash, readTxs } from "./bundle-book.js";
import { rpcError } from "./http.js";

interface CallParams {
  txs?: unknown;
  blockNumber?: unknown;
  stateBlockNumber?: unknown;
  timestamp?: number;
}

/**
 * eth_callBundle: the bundle alone in the next block, with what each transaction did and paid. Decimal strings in wei. Source:
 * docs.flashbots.net, eth_callBundle. Only the newest state is served.
 */
export async function callBundle(builder: BlockBuilder, params: CallParams): Promise<Record<string, unknown>> {
  const txs = readTxs(params.txs);
  if (txs.length === 0) throw rpcError(-32000, "bundle with no txs");
  if (!isHexString(params.blockNumber)) throw rpcError(-32602, "blockNumber must be a hex string");
  const head = await builder.head();
  const state = params.stateBlockNumber ?? "latest";
  if (state !== "latest" && state !== "pending" && Number(state) !== head.number)
    throw rpcError(-32000, "only the newest state is served here");
  const timestamp = params.timestamp ?? head.nextTimestamp;
  if (timestamp < head.timestamp) throw rpcError(-32602, "timestamp is before that of the parent block");

  const results: Record<string, unknown>[] = [];
  let earnedBefore = 0n;
  let gasFees = 0n;
  let totalGasUsed = 0n;
  // one block more for each transaction: what it alone earned is the difference
  for (let count = 1; count <= txs.length; count++) {
    const trial = await builder.trial(txs.slice(0, count), timestamp, async ({ rows }) => {
      const row = rows[count - 1];
      return row?.included === true ? await builder.returned(row.hash) : "0x";
    });
    const row = trial.rows[count - 1];
    if (!row?.included) throw rpcError(-32000, `err: ${row?.refusal ?? "the transaction fits in no block"}; txhash ${row?.hash}`);
    results.push(resultOf(row, trial.earned - earnedBefore, trial.seen ?? "0x"));
    earnedBefore = trial.earned;
    gasFees += row.gasFees;
    totalGasUsed += row.gasUsed;
  }
  return {
    bundleGasPrice: String(earnedBefore / totalGasUsed),
    bundleHash: bundleHash(txs),
    coinbaseDiff: String(earnedBefore),
    ethSentToCoinbase: String(earnedBefore - gasFees),
    gasFees: String(gasFees),
    results,
    stateBlockNumber: head.number,
    totalGasUsed: Number(totalGasUsed),
  };
}

function resultOf(row: TrialRow, earned: bigint, returned: string): Record<string, unknown> {
  return {
    txHash: row.hash,
    gasUsed: Number(row.gasUsed),
    gasPrice: String(earned / row.gasUsed),
    gasFees: String(row.gasFees),
    coinbaseDiff: String(earned),
    ethSentToCoinbase: String(earned - row.gasFees),
    fromAddress: row.from,
    toAddress: row.to,
    ...(row.ok ? { value: returned } : { error: "execution reverted", revert: revertText(returned) }),
  };
}
