import { acrossFacts } from "../config/across.js";
import { bytes32, spokePool } from "./across-abi.js";
import { type AcrossData, depositIn } from "./across-key.js";
import type { TransferKey, Views } from "./bridge.js";
import { ask, blockAt, logsBetween } from "./logs.js";
import { blockBeforeOn } from "./scan.js";

/** How long a usual fill takes, seconds: it only decides what counts as slow. */
const USUAL_SECONDS = 60;

/**
 * Keys of every deposit that an account made from a block on, out of the chain alone: for funds whose records are lost. Their ids name
 * transaction and log, since the real ones cannot be computed back. Deposits to networks without a known SpokePool are left out.
 */
export async function scanAcross(
  depositor: string,
  fromChainId: number,
  fromBlock: number,
  views: Views,
): Promise<TransferKey[]> {
  const source = views(fromChainId);
  const here = acrossFacts(fromChainId);
  if (!here) return [];
  const topics = [spokePool.getEvent("FundsDeposited")!.topicHash, null, null, bytes32(depositor).toLowerCase()];
  const head = await ask(source, "its newest block", source.provider.getBlockNumber());
  const keys: TransferKey[] = [];
  for (const log of await logsBetween(source, { address: here.spokePool.address, topics }, fromBlock, head)) {
    const seen = depositIn(log, fromChainId);
    const there = seen && acrossFacts(seen.destinationChainId);
    if (!seen || !there) continue;
    const { relay, destinationChainId, quoteTimestamp } = seen;
    const began = (await blockAt(source, log.blockNumber)).timestamp;
    const data: AcrossData = {
      originPool: here.spokePool.address,
      destinationPool: there.spokePool.address,
      depositor: relay.depositor,
      recipient: relay.recipient,
      inputToken: relay.inputToken,
      outputToken: relay.outputToken,
      inputAmount: String(relay.inputAmount),
      outputAmount: String(relay.outputAmount),
      depositId: String(relay.depositId),
      nonce: "0",
      quoteTimestamp: String(quoteTimestamp),
      fillDeadline: String(relay.fillDeadline),
      message: relay.message,
      exclusiveRelayer: relay.exclusiveRelayer,
      exclusivityDeadline: String(relay.exclusivityDeadline),
      // the deposit is there: it need not be possible any more
      startBefore: String(relay.fillDeadline),
      etaSeconds: String(USUAL_SECONDS),
      sourceFrom: String(log.blockNumber),
      destinationFrom: String(await blockBeforeOn(views, destinationChainId, began)),
    };
    const id = `scan:${log.transactionHash}:${log.index}`;
    keys.push({ bridge: "across", fromChainId, toChainId: destinationChainId, id, sourceTx: log.transactionHash, data });
  }
  return keys;
}
