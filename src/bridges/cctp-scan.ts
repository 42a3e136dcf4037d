import { dataSlice, getAddress } from "ethers";
import { cctpFacts } from "../config/cctp.js";
import { findToken, NETWORKS } from "../config/networks.js";
import type { TransferKey, Views } from "./bridge.js";
import { bytes32, FAST, messageTransmitter, tokenMessenger } from "./cctp-message.js";
import type { CctpData } from "./cctp-track.js";
import { ask, blockAt, logsBetween, receiptOf } from "./logs.js";
import { blockBeforeOn } from "./scan.js";

/**
 * Keys of every burn that an account made from a block on, out of the chain alone: for funds whose records are lost. Their ids name
 * transaction and log, since the real ones cannot be computed back. Burns to networks that are not in the registry are left out.
 */
export async function scanCctp(sender: string, fromChainId: number, fromBlock: number, views: Views): Promise<TransferKey[]> {
  const source = views(fromChainId);
  const here = cctpFacts(fromChainId);
  if (!here) return [];
  const topics = [tokenMessenger.getEvent("DepositForBurn")!.topicHash, null, bytes32(sender)];
  const head = await ask(source, "its newest block", source.provider.getBlockNumber());
  const sentTopic = messageTransmitter.getEvent("MessageSent")!.topicHash;
  const keys: TransferKey[] = [];
  for (const log of await logsBetween(source, { address: here.tokenMessenger.address, topics }, fromBlock, head)) {
    const burn = tokenMessenger.parseLog(log)!.args as unknown as {
      burnToken: string;
      amount: bigint;
      mintRecipient: string;
      destinationDomain: bigint;
      maxFee: bigint;
      minFinalityThreshold: bigint;
    };
    const to = NETWORKS.find(
      (n) => n.testnet === source.network.testnet && cctpFacts(n.chainId)?.domain === Number(burn.destinationDomain),
    );
    const tokenOut = to && findToken(to, "USDC");
    const receipt = await receiptOf(source, log);
    // the message is emitted right before its burn is
    const sent = receipt.logs.findLast(
      (l) => l.index < log.index && l.topics[0] === sentTopic && getAddress(l.address) === here.messageTransmitter.address,
    );
    if (!to || !tokenOut || !sent) continue;
    const began = (await blockAt(source, log.blockNumber)).timestamp;
    const isFast = Number(burn.minFinalityThreshold) <= FAST;
    const data: CctpData = {
      message: messageTransmitter.parseLog(sent)!.args[0] as string,
      sender: getAddress(sender),
      recipient: getAddress(dataSlice(burn.mintRecipient, 12)),
      tokenIn: burn.burnToken,
      tokenOut: tokenOut.address,
      amountIn: String(burn.amount),
      maxFee: String(burn.maxFee),
      minFinality: String(burn.minFinalityThreshold),
      etaSeconds: String(isFast ? here.seconds.fast : here.seconds.standard),
      sourceFrom: String(log.blockNumber),
      destinationFrom: String(await blockBeforeOn(views, to.chainId, began)),
    };
    const id = `scan:${log.transactionHash}:${log.index}`;
    keys.push({ bridge: "cctp", fromChainId, toChainId: to.chainId, id, sourceTx: log.transactionHash, data });
  }
  return keys;
}
