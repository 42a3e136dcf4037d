import { dataSlice, getAddress } from "ethers";
import { findToken, NETWORKS } from "../config/networks.js";
import { stargateFacts } from "../config/stargate.js";
import type { TransferKey, Views } from "./bridge.js";
import { bytes32 } from "./cctp-message.js";
import { ask, blockAt, logsBetween, receiptOf } from "./logs.js";
import { blockBeforeOn } from "./scan.js";
import { endpoint, packetOf, pool, taxiReceiver } from "./stargate-abi.js";
import type { StargateData } from "./stargate-track.js";

/**
 * Keys of every taxi of USDC that an account sent from a block on, out of the chain alone: for funds whose records are lost. Their ids
 * name transaction and log, since the real ones cannot be computed back. Sends to networks that are not in the registry are left out.
 */
export async function scanStargate(sender: string, fromChainId: number, fromBlock: number, views: Views): Promise<TransferKey[]> {
  const source = views(fromChainId);
  const here = stargateFacts(fromChainId);
  const tokenIn = findToken(source.network, "USDC");
  if (!here || !tokenIn) return [];
  const topics = [pool.getEvent("OFTSent")!.topicHash, null, bytes32(sender)];
  const packetTopic = endpoint.getEvent("PacketSent")!.topicHash;
  const head = await ask(source, "its newest block", source.provider.getBlockNumber());
  const keys: TransferKey[] = [];
  for (const log of await logsBetween(source, { address: here.usdcPool.address, topics }, fromBlock, head)) {
    const { guid, dstEid, amountSentLD, amountReceivedLD } = pool.parseLog(log)!.args as unknown as {
      guid: string;
      dstEid: bigint;
      amountSentLD: bigint;
      amountReceivedLD: bigint;
    };
    const to = NETWORKS.find((n) => stargateFacts(n.chainId)?.eid === Number(dstEid));
    const tokenOut = to && findToken(to, "USDC");
    const receipt = await receiptOf(source, log);
    const packet = receipt.logs
      .filter((l) => l.topics[0] === packetTopic && getAddress(l.address) === here.endpoint.address)
      .map((l) => packetOf(endpoint.parseLog(l)!.args["encodedPayload"] as string))
      .find((p) => p?.guid === guid);
    const receiver = packet ? taxiReceiver(packet) : null;
    if (!to || !tokenOut || receiver === null) continue;
    const began = (await blockAt(source, log.blockNumber)).timestamp;
    const data: StargateData = {
      sender: getAddress(sender),
      recipient: getAddress(dataSlice(receiver, 12)),
      tokenIn: tokenIn.address,
      tokenOut: tokenOut.address,
      amountIn: String(amountSentLD),
      minAmount: String(amountReceivedLD),
      etaSeconds: String(here.seconds),
      sourceFrom: String(log.blockNumber),
      destinationFrom: String(await blockBeforeOn(views, to.chainId, began)),
    };
    const id = `scan:${log.transactionHash}:${log.index}`;
    keys.push({ bridge: "stargate", fromChainId, toChainId: to.chainId, id, sourceTx: log.transactionHash, data });
  }
  return keys;
}
