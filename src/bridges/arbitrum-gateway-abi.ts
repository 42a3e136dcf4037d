import {
  concat,
  dataSlice,
  encodeRlp,
  getAddress,
  Interface,
  keccak256,
  type TransactionReceipt,
  toBeArray,
  toBeHex,
  ZeroAddress,
} from "ethers";
import { arbitrumGatewayFacts } from "../config/arbitrum-gateway.js";
import type { TransferKey } from "./bridge.js";

export const router = new Interface([
  "function getGateway(address token) view returns (address)",
  "function calculateL2TokenAddress(address l1Token) view returns (address)",
  "function outboundTransferCustomRefund(address l1Token, address refundTo, address to, uint256 amount, uint256 maxGas, uint256 gasPriceBid, bytes data) payable returns (bytes)",
]);

export const gateway = new Interface([
  "function counterpartGateway() view returns (address)",
  "function getOutboundCalldata(address l1Token, address from, address to, uint256 amount, bytes data) view returns (bytes)",
  "event DepositInitiated(address l1Token, address indexed from, address indexed to, uint256 indexed sequenceNumber, uint256 amount)",
  "event DepositFinalized(address indexed l1Token, address indexed from, address indexed to, uint256 amount)",
]);

export const inbox = new Interface([
  "function calculateRetryableSubmissionFee(uint256 dataLength, uint256 baseFee) view returns (uint256)",
  "function paused() view returns (bool)",
  "event InboxMessageDelivered(uint256 indexed messageNum, bytes data)",
]);

export const delayed = new Interface([
  "event MessageDelivered(uint256 indexed messageIndex, bytes32 indexed beforeInboxAcc, address inbox, uint8 kind, address sender, bytes32 messageDataHash, uint256 baseFeeL1, uint64 timestamp)",
]);

export const retryables = new Interface([
  "function redeem(bytes32 ticketId) returns (bytes32)",
  "function getTimeout(bytes32 ticketId) view returns (uint256)",
  "error NoTicketWithID()",
  "event TicketCreated(bytes32 indexed ticketId)",
  "event RedeemScheduled(bytes32 indexed ticketId, bytes32 indexed retryTxHash, uint64 indexed sequenceNum, uint64 donatedGas, address gasDonor, uint256 maxRefund, uint256 submissionFeeRefund)",
]);

/** What a key of the gateways holds. The amount is made unique by the transfer's id, since the gateways refuse data of ours. */
export type ArbitrumGatewayData = Record<
  | "sender"
  | "recipient"
  | "tokenIn"
  | "tokenOut"
  | "amountIn"
  | "l1Gateway"
  | "l2Gateway"
  | "maxGas"
  | "gasPrice"
  | "submissionCost"
  | "etaSeconds"
  | "sourceFrom"
  | "destinationFrom",
  string
>;

/** Kind of the inbox's messages that are retryable tickets (Nitro, L1MessageType_submitRetryableTx). */
export const RETRYABLE = 9;

export interface Ticket {
  messageNumber: bigint;
  /** As the layer 2 sees it: a contract's address comes aliased. */
  sender: string;
  l1BaseFee: bigint;
  to: string;
  callValue: bigint;
  deposit: bigint;
  submissionCost: bigint;
  excessRefund: string;
  callValueRefund: string;
  maxGas: bigint;
  gasPrice: bigint;
  data: string;
}

/** A ticket out of the inbox's message: eight words and the call's length, then the call (Nitro, AbsInbox). */
export function ticketOf(messageNumber: bigint, sender: string, l1BaseFee: bigint, message: string): Ticket {
  const word = (i: number) => BigInt(dataSlice(message, 32 * i, 32 * (i + 1)));
  const address = (i: number) => getAddress(dataSlice(message, 32 * i + 12, 32 * (i + 1)));
  return {
    messageNumber,
    sender: getAddress(sender),
    l1BaseFee,
    to: address(0),
    callValue: word(1),
    deposit: word(2),
    submissionCost: word(3),
    excessRefund: address(4),
    callValueRefund: address(5),
    maxGas: word(6),
    gasPrice: word(7),
    data: dataSlice(message, 288, 288 + Number(word(8))),
  };
}

/** Id of a ticket: hash of its submitting transaction, type 0x69 (Nitro, ArbitrumSubmitRetryableTx). */
export function ticketId(chainId: number, t: Ticket): string {
  const number = (n: bigint): Uint8Array => toBeArray(n);
  const fields = [
    number(BigInt(chainId)),
    toBeHex(t.messageNumber, 32),
    t.sender,
    number(t.l1BaseFee),
    number(t.deposit),
    number(t.gasPrice),
    number(t.maxGas),
    t.to === ZeroAddress ? "0x" : t.to,
    number(t.callValue),
    t.callValueRefund,
    number(t.submissionCost),
    t.excessRefund,
    t.data,
  ];
  return keccak256(concat(["0x69", encodeRlp(fields)]));
}

/** All tickets that a receipt's transaction put into the inbox. */
export function ticketsIn(receipt: Pick<TransactionReceipt, "logs">, at: { inbox: string; bridge: string }): Ticket[] {
  const of = (address: string, abi: Interface, name: string) =>
    receipt.logs
      .filter((log) => getAddress(log.address) === address && log.topics[0] === abi.getEvent(name)!.topicHash)
      .map((log) => abi.parseLog(log)!.args.toObject() as Record<string, unknown>);
  const messages = of(at.inbox, inbox, "InboxMessageDelivered");
  const tickets: Ticket[] = [];
  for (const { messageIndex, kind, sender, baseFeeL1 } of of(at.bridge, delayed, "MessageDelivered")) {
    const message = messages.find((m) => m["messageNum"] === messageIndex);
    if (message && Number(kind) === RETRYABLE)
      tickets.push(ticketOf(messageIndex as bigint, sender as string, baseFeeL1 as bigint, message["data"] as string));
  }
  return tickets;
}

export interface SentTicket {
  receipt: TransactionReceipt;
  id: string;
}

/** The ticket of a key in a receipt; null when it has none. */
export function sentIn(key: TransferKey, receipt: TransactionReceipt): SentTicket | null {
  if (receipt.status !== 1) return null;
  const data = key.data as ArbitrumGatewayData;
  const facts = arbitrumGatewayFacts(key.toChainId)!;
  const topic = gateway.getEvent("DepositInitiated")!.topicHash;
  for (const log of receipt.logs) {
    if (getAddress(log.address) !== data.l1Gateway || log.topics[0] !== topic) continue;
    const { l1Token, from, to, sequenceNumber, amount } = gateway.parseLog(log)!.args as unknown as {
      l1Token: string;
      from: string;
      to: string;
      sequenceNumber: bigint;
      amount: bigint;
    };
    if (l1Token !== data.tokenIn || from !== data.sender || to !== data.recipient || amount !== BigInt(data.amountIn)) continue;
    const ticket = ticketsIn(receipt, { inbox: facts.inbox.address, bridge: facts.bridge.address }).find(
      (t) => t.messageNumber === sequenceNumber,
    );
    if (ticket) return { receipt, id: ticketId(key.toChainId, ticket) };
  }
  return null;
}
