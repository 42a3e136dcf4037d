import { getAddress, Interface, type TransactionReceipt, ZeroHash } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { classifyNodeError } from "../chain/errors.js";
import { stargateFacts } from "../config/stargate.js";
import { ArbError } from "../errors.js";
import type { Arrival, BridgeCall, ChainView, TransferKey, TransferState, TransferStatus, Views } from "./bridge.js";
import { bytes32 } from "./cctp-message.js";
import { ask, blockAt, logsBetween, type Moment, momentOf, receiptOf } from "./logs.js";
import { endpoint, type Packet, packetOf, payloadHash, pool, taxiReceiver } from "./stargate-abi.js";

const erc20 = IERC20__factory.createInterface();
const words = new Interface(["error Error(string)"]);

/** What a key of Stargate holds. The amount is made unique by the transfer's id, since the protocol carries no mark of ours. */
export type StargateData = Record<
  "sender" | "recipient" | "tokenIn" | "tokenOut" | "amountIn" | "minAmount" | "etaSeconds" | "sourceFrom" | "destinationFrom",
  string
>;

export interface StargateLook {
  status: TransferStatus;
  /** Pays out what is held back, or executes what is verified; null when that is not possible, or not needed. */
  call: BridgeCall | null;
}

/** Our message, as the source chain shows it. */
export interface Sent {
  receipt: TransactionReceipt;
  packet: Packet;
  amountReceived: bigint;
}

export async function lookAtStargate(key: TransferKey, views: Views): Promise<StargateLook> {
  const data = key.data as StargateData;
  const [source, target] = [views(key.fromChainId), views(key.toChainId)];
  const found = await findSend(key, data, source);
  if (found.length > 1) {
    const transactions = found.map((s) => s.receipt.hash).join(", ");
    return waiting("stuck", "an operator: several sends of this amount fit the key", { transactions }, 300);
  }
  const sent = found[0];
  if (!sent) return waiting("not-started", "the send to be sent", { sourceTx: key.sourceTx ?? "none" }, 2);
  const moment = await momentOf(target);
  const facts = { sourceTx: sent.receipt.hash, guid: sent.packet.guid };
  const arrival = await findArrival(data, sent, target, moment);
  if (arrival) {
    const isFinal = arrival.blockNumber <= moment.final;
    if (!isFinal) return waiting("initiated", `block ${arrival.blockNumber} with the delivery to be final`, facts, 2);
    return { status: { state: "delivered", arrival, waitsFor: "nothing", checkAgainSeconds: 0, facts }, call: null };
  }
  return await undelivered(key, data, sent, source, target, moment, facts);
}

async function undelivered(
  key: TransferKey,
  data: StargateData,
  { receipt, packet, amountReceived }: Sent,
  source: ChainView,
  target: ChainView,
  { head }: Moment,
  facts: Record<string, string>,
): Promise<StargateLook> {
  const there = stargateFacts(key.toChainId)!;
  const [from, newest] = [
    await blockAt(source, receipt.blockNumber),
    await ask(source, "its newest block", source.provider.getBlockNumber()),
  ];
  const age = (await blockAt(source, Math.max(newest, receipt.blockNumber))).timestamp - from.timestamp;
  const late = age > 2 * Number(data.etaSeconds);
  const more = { ...facts, ageSeconds: String(age) };
  const origin = [packet.srcEid, packet.sender, packet.nonce];
  // all at the head that the logs were read to, so that none of them shows what the logs do not
  const read = async (abi: Interface, to: string, fn: string, args: unknown[]): Promise<string> =>
    await ask(target, fn, target.provider.call({ to, data: abi.encodeFunctionData(fn, args), blockTag: head }));
  const [held, verified, executed] = await Promise.all([
    read(pool, there.usdcPool.address, "unreceivedTokens", [packet.guid, 0]),
    read(endpoint, there.endpoint.address, "inboundPayloadHash", [packet.receiver, ...origin]),
    read(endpoint, there.endpoint.address, "lazyInboundNonce", [packet.receiver, packet.srcEid, packet.sender]),
  ]);
  if (held === "0x" || verified === "0x" || executed === "0x")
    throw new ArbError("network", `${target.network.title} does not have Stargate v2 at its addresses`, {
      where: target.network.name,
      hint: "check the endpoint's chain",
    });

  if (held !== ZeroHash) {
    const args = [packet.guid, 0, packet.srcEid, data.recipient, amountReceived, "0x"];
    const calldata = pool.encodeFunctionData("retryReceiveToken", args);
    const purpose = "take the USDC that Stargate holds back";
    return await callable(
      target,
      { chainId: key.toChainId, to: there.usdcPool.address, data: calldata, value: 0n, purpose },
      more,
    );
  }
  if (verified === payloadHash(packet)) {
    if (!late) return waiting("initiated", "LayerZero's executor", more, 2);
    const calldata = endpoint.encodeFunctionData("lzReceive", [origin, packet.receiver, packet.guid, packet.message, "0x"]);
    const purpose = "execute the message that LayerZero verified";
    return await callable(
      target,
      { chainId: key.toChainId, to: there.endpoint.address, data: calldata, value: 0n, purpose },
      more,
    );
  }
  if (BigInt(executed) >= packet.nonce)
    return waiting("stuck", "an operator: LayerZero passed over this message without delivering it", more, 300);
  return waiting(late ? "slow" : "attesting", "LayerZero's verifiers", more, late ? 30 : 2);
}

/** Asks before anybody pays gas: what would revert is blocked. */
async function callable(target: ChainView, call: BridgeCall, facts: Record<string, string>): Promise<StargateLook> {
  const refusal = await ask(
    target,
    "whether the delivery would be taken",
    target.provider.call({ to: call.to, data: call.data }).then(
      () => null,
      (error: unknown) => {
        const { kind, message, revertData } = classifyNodeError(error);
        if (kind !== "reverted") throw error;
        return reasonOf(revertData) ?? message;
      },
    ),
  );
  if (refusal !== null) return waiting("blocked", `what refuses the delivery (${refusal})`, { ...facts, wish: "retry" }, 60);
  return { ...waiting("claimable", "our call", facts, 0), call };
}

/** Name or words of a revert; null for one that is not Stargate's nor Solidity's. */
export function reasonOf(revertData: string | null): string | null {
  if (revertData === null || revertData === "0x") return null;
  const known = words.parseError(revertData) ?? pool.parseError(revertData);
  return known === null ? null : known.name === "Error" ? String(known.args[0]) : known.name;
}

function waiting(state: TransferState, waitsFor: string, facts: Record<string, string>, checkAgainSeconds: number): StargateLook {
  return { status: { state, arrival: null, waitsFor, checkAgainSeconds, facts }, call: null };
}

/** The token's own Transfer out of the pool that OFTReceived of our guid reports. */
async function findArrival(data: StargateData, sent: Sent, target: ChainView, { head }: Moment): Promise<Arrival | null> {
  const at = stargateFacts(target.network.chainId)!.usdcPool.address;
  const filter = { address: at, topics: [pool.getEvent("OFTReceived")!.topicHash, sent.packet.guid, bytes32(data.recipient)] };
  const [received] = await logsBetween(target, filter, Number(data.destinationFrom), head);
  if (!received) return null;
  const { amountReceivedLD } = pool.parseLog(received)!.args as unknown as { amountReceivedLD: bigint };
  const receipt = await receiptOf(target, received);
  const topics = [erc20.getEvent("Transfer").topicHash, bytes32(at), bytes32(data.recipient)];
  const paid = receipt.logs
    .filter((log) => log.index < received.index && getAddress(log.address) === getAddress(data.tokenOut))
    .findLast((log) => topics.every((topic, i) => log.topics[i] === topic) && BigInt(log.data) === amountReceivedLD);
  if (!paid)
    throw new ArbError("network", `a node of ${target.network.title} shows a delivery without its transfer`, {
      where: receipt.hash,
      hint: "it is asked again; use an endpoint that gives whole receipts",
    });
  return {
    chainId: target.network.chainId,
    txHash: receipt.hash,
    blockNumber: receipt.blockNumber,
    blockHash: receipt.blockHash,
    logIndex: paid.index,
    token: getAddress(data.tokenOut),
    amount: amountReceivedLD,
  };
}

/** Our send: by its hash, or where that is not known, or was reorganised away, by the sender's logs. */
async function findSend(key: TransferKey, data: StargateData, source: ChainView): Promise<Sent[]> {
  if (key.sourceTx !== null) {
    const receipt = await ask(source, "the send's receipt", source.provider.getTransactionReceipt(key.sourceTx));
    const sent = receipt && sentBy(key, receipt);
    if (sent) return [sent];
  }
  const filter = {
    address: stargateFacts(key.fromChainId)!.usdcPool.address,
    topics: [pool.getEvent("OFTSent")!.topicHash, null, bytes32(data.sender)],
  };
  const head = await ask(source, "its newest block", source.provider.getBlockNumber());
  const found: Sent[] = [];
  for (const log of await logsBetween(source, filter, Number(data.sourceFrom), head)) {
    if (pool.parseLog(log)!.args["amountSentLD"] !== BigInt(data.amountIn)) continue;
    const sent = sentBy(key, await receiptOf(source, log));
    if (sent) found.push(sent);
  }
  return found;
}

/** What a transaction sent for this key; null when nothing. The guid is read anew: after a reorganisation it is another one. */
export function sentBy(key: TransferKey, receipt: TransactionReceipt): Sent | null {
  if (receipt.status !== 1) return null;
  const data = key.data as StargateData;
  const [here, there] = [stargateFacts(key.fromChainId)!, stargateFacts(key.toChainId)!];
  const packets = receipt.logs
    .filter((l) => getAddress(l.address) === here.endpoint.address && l.topics[0] === endpoint.getEvent("PacketSent")!.topicHash)
    .map((l) => packetOf(endpoint.parseLog(l)!.args["encodedPayload"] as string));
  for (const log of receipt.logs) {
    if (getAddress(log.address) !== here.usdcPool.address || log.topics[0] !== pool.getEvent("OFTSent")!.topicHash) continue;
    const { guid, dstEid, fromAddress, amountSentLD, amountReceivedLD } = pool.parseLog(log)!.args as unknown as {
      guid: string;
      dstEid: bigint;
      fromAddress: string;
      amountSentLD: bigint;
      amountReceivedLD: bigint;
    };
    if (Number(dstEid) !== there.eid || fromAddress !== data.sender || amountSentLD !== BigInt(data.amountIn)) continue;
    const packet = packets.find((p) => p?.guid === guid);
    if (packet?.receiver === there.tokenMessaging.address && taxiReceiver(packet) === bytes32(data.recipient))
      return { receipt, packet, amountReceived: amountReceivedLD };
  }
  return null;
}
