import { getAddress, type Log, type TransactionReceipt, zeroPadValue } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { classifyNodeError } from "../chain/errors.js";
import { ARB_RETRYABLE, arbitrumGatewayFacts } from "../config/arbitrum-gateway.js";
import { ArbError } from "../errors.js";
import { type ArbitrumGatewayData, gateway, retryables, type SentTicket, sentIn } from "./arbitrum-gateway-abi.js";
import { type ArbitrumGatewayLook, waiting } from "./arbitrum-gateway-look.js";
import {
  type ArbitrumWithdrawalData,
  lookAtArbitrumWithdrawal,
  WITHDRAWAL_SECONDS,
  withdrawalIn,
} from "./arbitrum-withdrawal.js";
import type { Arrival, ChainView, TransferKey, Views } from "./bridge.js";
import { ask, blockAt, logsBetween, type Moment, momentOf, receiptOf } from "./logs.js";

const erc20 = IERC20__factory.createInterface();
const word = (address: string): string => zeroPadValue(address, 32).toLowerCase();

export async function lookAtArbitrumGateway(key: TransferKey, views: Views): Promise<ArbitrumGatewayLook> {
  return arbitrumGatewayFacts(key.fromChainId) ? await lookAtArbitrumWithdrawal(key, views) : await lookAtDeposit(key, views);
}

async function lookAtDeposit(key: TransferKey, views: Views): Promise<ArbitrumGatewayLook> {
  const data = key.data as ArbitrumGatewayData;
  const [source, target] = [views(key.fromChainId), views(key.toChainId)];
  const found = await findSent(key, data, source);
  if (found.length > 1) {
    const transactions = found.map((s) => s.receipt.hash).join(", ");
    return waiting("stuck", "an operator: several deposits fit the key", { transactions }, 300);
  }
  const sent = found[0];
  if (!sent) return waiting("not-started", "the deposit to be sent", { sourceTx: key.sourceTx ?? "none" }, 2);
  const facts = { sourceTx: sent.receipt.hash, ticket: sent.id };
  const moment = await momentOf(target);
  const { arrival, tries, bounced } = await findArrival(key, data, sent, target, moment);
  if (bounced) return await lookAtBounce(key, data, bounced, facts, views);
  if (arrival) {
    if (arrival.blockNumber > moment.final)
      return waiting("initiated", `block ${arrival.blockNumber} with the arrival to be final`, facts, 2);
    return { status: { state: "delivered", arrival, waitsFor: "nothing", checkAgainSeconds: 0, facts }, call: null };
  }
  const timeout = await timeoutOf(target, sent.id, moment.head);
  if (timeout !== null) {
    const redeem = retryables.encodeFunctionData("redeem", [sent.id]);
    const purpose = "redeem the ticket that did not redeem itself";
    const call = { chainId: key.toChainId, to: ARB_RETRYABLE, data: redeem, value: 0n, purpose };
    const more = { ...facts, ticketExpiresAt: String(timeout), failedTries: String(tries) };
    return waiting("claimable", "our call: redeem the ticket before it expires", more, 0, call);
  }
  const created = { address: ARB_RETRYABLE, topics: [retryables.getEvent("TicketCreated")!.topicHash, sent.id] };
  if ((await logsBetween(target, created, Number(data.destinationFrom), moment.head)).length > 0)
    return waiting("stuck", "an operator: the ticket is gone without a redemption; it expired, or was cancelled", facts, 300);

  const began = (await blockAt(source, sent.receipt.blockNumber)).timestamp;
  const head = await ask(source, "its newest block", source.provider.getBlockNumber());
  const age = (await blockAt(source, Math.max(head, sent.receipt.blockNumber))).timestamp - began;
  const late = age > 3 * Number(data.etaSeconds);
  return waiting(late ? "slow" : "initiated", "Arbitrum to take the ticket over", facts, late ? 60 : 15);
}

/** When a ticket lapses, unix seconds; null when there is none of this id (any more, or yet). */
async function timeoutOf(target: ChainView, id: string, head: number): Promise<bigint | null> {
  const asked = retryables.encodeFunctionData("getTimeout", [id]);
  const call = target.provider.call({ to: ARB_RETRYABLE, data: asked, blockTag: head }).catch((error: unknown) => {
    const { kind, revertData } = classifyNodeError(error);
    if (kind !== "reverted" || revertData !== retryables.getError("NoTicketWithID")!.selector) throw error;
    return null;
  });
  const answer = await ask(target, "the ticket's timeout", call);
  if (answer === null) return null;
  if (answer !== "0x") return BigInt(answer);
  throw new ArbError("network", `${target.network.title} does not answer for its retryable tickets`, {
    where: target.network.name,
    hint: "check the endpoint's chain",
  });
}

/** By the transaction's hash; where that is not known, or was reorganised away, by the sender's deposits of the amount. */
async function findSent(key: TransferKey, data: ArbitrumGatewayData, source: ChainView): Promise<SentTicket[]> {
  if (key.sourceTx !== null) {
    const receipt = await ask(source, "the deposit's receipt", source.provider.getTransactionReceipt(key.sourceTx));
    const sent = receipt && sentIn(key, receipt);
    if (sent) return [sent];
  }
  const topics = [gateway.getEvent("DepositInitiated")!.topicHash, word(data.sender), word(data.recipient)];
  const head = await ask(source, "its newest block", source.provider.getBlockNumber());
  const found: SentTicket[] = [];
  for (const log of await logsBetween(source, { address: data.l1Gateway, topics }, Number(data.sourceFrom), head)) {
    if (gateway.parseLog(log)!.args["amount"] !== BigInt(data.amountIn)) continue;
    const sent = sentIn(key, await receiptOf(source, log));
    if (sent) found.push(sent);
  }
  return found;
}

/** The transfer in the redemption of our ticket that passed. Redemptions that fail leave the ticket as it was. */
async function findArrival(
  key: TransferKey,
  data: ArbitrumGatewayData,
  sent: SentTicket,
  target: ChainView,
  { head }: Moment,
): Promise<{ arrival: Arrival | null; tries: number; bounced: TransactionReceipt | null }> {
  const filter = { address: ARB_RETRYABLE, topics: [retryables.getEvent("RedeemScheduled")!.topicHash, sent.id] };
  const scheduled = await logsBetween(target, filter, Number(data.destinationFrom), head);
  let tries = 0;
  for (const log of scheduled) {
    const hash = log.topics[2]!;
    const receipt = await ask(target, "a redemption's receipt", target.provider.getTransactionReceipt(hash));
    if (!receipt)
      throw new ArbError("network", `a node of ${target.network.title} shows a redemption without its receipt`, {
        where: hash,
        hint: "it is asked again; use an endpoint that keeps up",
      });
    if (receipt.status !== 1) {
      tries++;
      continue;
    }
    const paid = paidIn(receipt, data);
    if (!paid && withdrawalIn(bounceOf(key, data, receipt), receipt)) return { arrival: null, tries, bounced: receipt };
    if (!paid)
      throw new ArbError("network", `a node of ${target.network.title} shows a redemption without its transfer`, {
        where: hash,
        hint: "it is asked again; use an endpoint that gives whole receipts",
      });
    const { blockNumber, blockHash } = receipt;
    const place = { chainId: key.toChainId, txHash: receipt.hash, blockNumber, blockHash };
    return {
      arrival: { ...place, logIndex: paid.index, token: data.tokenOut, amount: BigInt(data.amountIn) },
      tries,
      bounced: null,
    };
  }
  return { arrival: null, tries, bounced: null };
}

/** The withdrawal to the sender that the layer 2's gateway begins when its token does not fit the one on Ethereum. */
const bounceOf = (key: TransferKey, data: ArbitrumGatewayData, redemption: TransactionReceipt): TransferKey => ({
  ...key,
  fromChainId: key.toChainId,
  toChainId: key.fromChainId,
  sourceTx: redemption.hash,
  data: {
    sender: data.l2Gateway,
    recipient: data.sender,
    tokenIn: data.tokenOut,
    tokenOut: data.tokenIn,
    amountIn: data.amountIn,
    l1Gateway: data.l1Gateway,
    l2Gateway: data.l2Gateway,
    etaSeconds: String(WITHDRAWAL_SECONDS),
    sourceFrom: String(redemption.blockNumber),
    destinationFrom: data.sourceFrom,
  } satisfies ArbitrumWithdrawalData,
});

/** A deposit that the layer 2 sent back: refunded when the outbox has paid it. */
async function lookAtBounce(
  key: TransferKey,
  data: ArbitrumGatewayData,
  redemption: TransactionReceipt,
  facts: Record<string, string>,
  views: Views,
): Promise<ArbitrumGatewayLook> {
  const { status, call } = await lookAtArbitrumWithdrawal(bounceOf(key, data, redemption), views);
  const state = status.state === "delivered" ? "refunded" : status.state === "attesting" ? "refunding" : status.state;
  return { status: { ...status, state, facts: { ...facts, ...status.facts, bouncedBy: redemption.hash } }, call };
}

function paidIn(receipt: TransactionReceipt, data: ArbitrumGatewayData): Log | undefined {
  const finalized = gateway.encodeEventLog("DepositFinalized", [data.tokenIn, data.sender, data.recipient, data.amountIn]);
  const ours = receipt.logs.find(
    (log) =>
      getAddress(log.address) === data.l2Gateway &&
      log.data === finalized.data &&
      finalized.topics.every((topic, i) => log.topics[i] === topic),
  );
  if (!ours) return undefined;
  const [transfer] = erc20.encodeFilterTopics("Transfer", []);
  return receipt.logs.find(
    (log) =>
      getAddress(log.address) === data.tokenOut &&
      log.topics[0] === transfer &&
      log.topics[2] === word(data.recipient) &&
      BigInt(log.data) === BigInt(data.amountIn),
  );
}
