import { getAddress, keccak256, type TransactionReceipt, zeroPadValue, ZeroAddress } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { classifyNodeError } from "../chain/errors.js";
import { ArbError } from "../errors.js";
import type { Arrival, ChainView, TransferKey, Views } from "./bridge.js";
import { ask, blockAt, logsBetween, type Moment, momentOf, receiptOf } from "./logs.js";
import { endsOf, messageFor, messenger, type OpStandardData, standardBridge } from "./op-standard-abi.js";
import { type OpStandardLook, type SentMessage, waiting } from "./op-standard-look.js";
import { lookAtWithdrawal } from "./op-standard-withdrawal.js";

const erc20 = IERC20__factory.createInterface();
/** A deposit is called slow when it takes this much longer than it should. */
const SLACK_SECONDS = 1800;
/** From this account a relay that fails reverts, rather than only writing that down (Constants.ESTIMATION_ADDRESS). */
const ESTIMATION = "0x0000000000000000000000000000000000000001";

export async function lookAtOpStandard(key: TransferKey, views: Views): Promise<OpStandardLook> {
  const data = key.data as OpStandardData;
  const [source, target] = [views(key.fromChainId), views(key.toChainId)];
  const found = await findSent(key, data, source);
  if (found.length > 1) {
    const transactions = found.map((s) => s.receipt.hash).join(", ");
    return waiting("stuck", "an operator: this transfer was started more than once", { transactions }, 300);
  }
  const sent = found[0];
  if (!sent) return waiting("not-started", "the start to be sent", { sourceTx: key.sourceTx ?? "none" }, 2);
  const facts = { sourceTx: sent.receipt.hash, message: sent.hash };
  const moment = await momentOf(target);
  const ends = endsOf(key);
  const arrival = await findArrival(key, data, sent, target, moment);
  if (arrival) {
    if (arrival.blockNumber > moment.final)
      return waiting("initiated", `block ${arrival.blockNumber} with the arrival to be final`, facts, 2);
    return { status: { state: "delivered", arrival, waitsFor: "nothing", checkAgainSeconds: 0, facts }, call: null };
  }
  const asked = messenger.encodeFunctionData("failedMessages", [sent.hash]);
  const failed = await ask(
    target,
    "failedMessages",
    target.provider.call({ to: ends.messengerTo, data: asked, blockTag: moment.head }),
  );
  if (failed === "0x")
    throw new ArbError("network", `${target.network.title} does not have the messenger at its address`, {
      where: ends.messengerTo,
      hint: "check the endpoint's chain",
    });
  if (BigInt(failed) !== 0n) return await relayAgain(key, sent, target, ends.messengerTo, facts);
  if (!ends.isDeposit) return await lookAtWithdrawal(key, sent, source, target, moment, facts);

  const began = (await blockAt(source, sent.receipt.blockNumber)).timestamp;
  const head = await ask(source, "its newest block", source.provider.getBlockNumber());
  const age = (await blockAt(source, Math.max(head, sent.receipt.blockNumber))).timestamp - began;
  const late = age > Number(data.etaSeconds) + SLACK_SECONDS;
  return waiting(late ? "slow" : "initiated", `${target.network.title} to take the deposit over`, facts, late ? 60 : 10);
}

/** What failed at its destination can be handed over again by anybody, for ever. */
async function relayAgain(
  key: TransferKey,
  { relay }: SentMessage,
  target: ChainView,
  to: string,
  facts: Record<string, string>,
): Promise<OpStandardLook> {
  const passes = await ask(
    target,
    "the message again",
    target.provider.call({ from: ESTIMATION, to, data: relay }).then(
      () => true,
      (error: unknown) => {
        if (classifyNodeError(error).kind !== "reverted") throw error;
        return false;
      },
    ),
  );
  if (!passes)
    return waiting("blocked", "the message to pass on its destination, where it reverts", { ...facts, wish: "retry" }, 60);
  const call = { chainId: key.toChainId, to, data: relay, value: 0n, purpose: "hand the bridge's failed message over again" };
  return waiting("claimable", "our call", facts, 0, call);
}

/** The message in a receipt; null when it has none of this key. */
export function messageIn(key: TransferKey, receipt: TransactionReceipt): SentMessage | null {
  const ends = endsOf(key);
  const data = key.data as OpStandardData;
  if (receipt.status !== 1) return null;
  const wanted = messageFor(data);
  const topic = messenger.getEvent("SentMessage")!.topicHash;
  for (const log of receipt.logs) {
    if (getAddress(log.address) !== getAddress(ends.messengerFrom) || log.topics[0] !== topic) continue;
    const sent = messenger.parseLog(log)!.args as unknown as {
      target: string;
      sender: string;
      message: string;
      messageNonce: bigint;
      gasLimit: bigint;
    };
    if (sent.message !== wanted || sent.target !== ends.bridgeTo || sent.sender !== ends.bridgeFrom) continue;
    const value = data.native === "1" ? data.amountIn : 0n;
    const args = [sent.messageNonce, sent.sender, sent.target, value, sent.gasLimit, sent.message];
    const relay = messenger.encodeFunctionData("relayMessage", args);
    return { receipt, relay, hash: keccak256(relay) };
  }
  return null;
}

/** By the transaction's hash; where that is not known, or was reorganised away, by our mark in the sender's logs. */
async function findSent(key: TransferKey, data: OpStandardData, source: ChainView): Promise<SentMessage[]> {
  if (key.sourceTx !== null) {
    const receipt = await ask(source, "the start's receipt", source.provider.getTransactionReceipt(key.sourceTx));
    const sent = receipt && messageIn(key, receipt);
    if (sent) return [sent];
  }
  const word = (address: string) => zeroPadValue(address, 32).toLowerCase();
  const topics =
    data.native === "1"
      ? [standardBridge.getEvent("ETHBridgeInitiated")!.topicHash, word(data.sender), word(data.recipient)]
      : [standardBridge.getEvent("ERC20BridgeInitiated")!.topicHash, word(data.tokenIn), word(data.tokenOut), word(data.sender)];
  const head = await ask(source, "its newest block", source.provider.getBlockNumber());
  const found: SentMessage[] = [];
  for (const log of await logsBetween(source, { address: endsOf(key).bridgeFrom, topics }, Number(data.sourceFrom), head)) {
    if (standardBridge.parseLog(log)!.args["extraData"] !== data.mark) continue;
    const sent = messageIn(key, await receiptOf(source, log));
    if (sent) found.push(sent);
  }
  return found;
}

/** The token's Transfer that the bridge's own event of our message follows. ETH has no such log: there it is the event itself. */
async function findArrival(
  key: TransferKey,
  data: OpStandardData,
  sent: SentMessage,
  target: ChainView,
  { head }: Moment,
): Promise<Arrival | null> {
  const ends = endsOf(key);
  const filter = { address: ends.messengerTo, topics: [messenger.getEvent("RelayedMessage")!.topicHash, sent.hash] };
  const [relayed] = await logsBetween(target, filter, Number(data.destinationFrom), head);
  if (!relayed) return null;
  const receipt = await receiptOf(target, relayed);
  const incomplete = (): ArbError =>
    new ArbError("network", `a node of ${target.network.title} shows a relayed message without its transfer`, {
      where: receipt.hash,
      hint: "it is asked again; use an endpoint that gives whole receipts",
    });
  const before = receipt.logs.filter((log) => log.index < relayed.index);
  const name = data.native === "1" ? "ETHBridgeFinalized" : "ERC20BridgeFinalized";
  const args =
    data.native === "1"
      ? [data.sender, data.recipient, data.amountIn, data.mark]
      : [data.tokenOut, data.tokenIn, data.sender, data.recipient, data.amountIn, data.mark];
  const wanted = standardBridge.encodeEventLog(name, args);
  const same = (log: (typeof before)[number], as: { topics: (string | null)[]; data: string }) =>
    log.data === as.data && as.topics.every((topic, i) => log.topics[i] === topic);
  const finalized = before.findLast((log) => getAddress(log.address) === ends.bridgeTo && same(log, wanted));
  if (!finalized) throw incomplete();
  const settle = { chainId: key.toChainId, txHash: receipt.hash, blockNumber: receipt.blockNumber, blockHash: receipt.blockHash };
  const amount = BigInt(data.amountIn);
  if (data.native === "1") return { ...settle, logIndex: finalized.index, token: ZeroAddress, amount };
  const [topic] = erc20.encodeFilterTopics("Transfer", []);
  const paid = before.findLast(
    (log) =>
      log.index < finalized.index &&
      getAddress(log.address) === data.tokenOut &&
      log.topics[0] === topic &&
      log.topics[2] === zeroPadValue(data.recipient, 32).toLowerCase() &&
      BigInt(log.data) === amount,
  );
  if (!paid) throw incomplete();
  return { ...settle, logIndex: paid.index, token: data.tokenOut, amount };
}
