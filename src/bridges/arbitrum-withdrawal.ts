/** Arbitrum's token bridge from Arbitrum One to Ethereum: burnt there, confirmed by the rollup about a week later, and paid by a call of ours. */
import { getAddress, Interface, type JsonRpcApiProvider, type Log, type TransactionReceipt, zeroPadValue } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { classifyNodeError } from "../chain/errors.js";
import { ARB_SYS, arbitrumGatewayFacts } from "../config/arbitrum-gateway.js";
import { ArbError } from "../errors.js";
import { NODE_INTERFACE } from "../fees/arbitrum.js";
import { uniqueAmount } from "./across.js";
import { gateway, router } from "./arbitrum-gateway-abi.js";
import { type ArbitrumGatewayLook, waiting } from "./arbitrum-gateway-look.js";
import type { Arrival, BridgeCall, ChainView, QuoteAnswer, TransferKey, TransferRequest, Views } from "./bridge.js";
import { ask, blockAt, logsBetween, type Moment, momentOf, receiptOf } from "./logs.js";
import { momentAt } from "./scan.js";

export const withdrawals = new Interface([
  "function outboundTransfer(address l1Token, address to, uint256 amount, bytes data) payable returns (bytes)",
  "event WithdrawalInitiated(address l1Token, address indexed from, address indexed to, uint256 indexed l2ToL1Id, uint256 exitNum, uint256 amount)",
  "event WithdrawalFinalized(address l1Token, address indexed from, address indexed to, uint256 indexed exitNum, uint256 amount)",
]);
export const arbSys = new Interface([
  "event L2ToL1Tx(address caller, address indexed destination, uint256 indexed hash, uint256 indexed position, uint256 arbBlockNum, uint256 ethBlockNum, uint256 timestamp, uint256 callvalue, bytes data)",
]);
export const outbox = new Interface([
  "function executeTransaction(bytes32[] proof, uint256 index, address l2Sender, address to, uint256 l2Block, uint256 l1Block, uint256 l2Timestamp, uint256 value, bytes data)",
  "event SendRootUpdated(bytes32 indexed outputRoot, bytes32 indexed l2BlockHash)",
  "event OutBoxTransactionExecuted(address indexed to, address indexed l2Sender, uint256 indexed zero, uint256 transactionIndex)",
]);
export const nodeInterface = new Interface([
  "function constructOutboxProof(uint64 size, uint64 leaf) view returns (bytes32 send, bytes32 root, bytes32[] proof)",
]);
const erc20 = IERC20__factory.createInterface();
const word = (address: string): string => zeroPadValue(address, 32).toLowerCase();

/** The rollup's challenge period (45,818 blocks of Ethereum, 6.4 days) and the time between two of its assertions, rounded up. */
export const WITHDRAWAL_SECONDS = 7 * 24 * 3600;
const SLACK_SECONDS = 24 * 3600;
const QUOTE_SECONDS = 600;
/** Measured locally 139,000, where the tree of messages is small; each of some twenty levels costs a few hundred. */
const EXECUTE_GAS = 300_000n;

/** What a key of a withdrawal holds. The amount is made unique by the transfer's id. */
export type ArbitrumWithdrawalData = Record<
  | "sender"
  | "recipient"
  | "tokenIn"
  | "tokenOut"
  | "amountIn"
  | "l1Gateway"
  | "l2Gateway"
  | "etaSeconds"
  | "sourceFrom"
  | "destinationFrom",
  string
>;

export async function quoteWithdrawal(request: TransferRequest, views: Views): Promise<QuoteAnswer> {
  const refused = (reason: string): QuoteAnswer => ({ ok: false, reason });
  const { route } = request;
  if (request.amountIn <= 0n) return refused("the amount is nothing");
  const facts = arbitrumGatewayFacts(route.fromChainId)!;
  const [source, target] = [views(route.fromChainId), views(route.toChainId)];
  const l1Token = getAddress(route.tokenOut);
  const [l2Gateway, l2Token, from, to] = await Promise.all([
    addressAt(source, facts.l2Router.address, router, "getGateway", [l1Token]),
    addressAt(source, facts.l2Router.address, router, "calculateL2TokenAddress", [l1Token]),
    momentAt(source),
    momentAt(target),
  ]);
  if (l2Gateway === null) return refused("the router has no gateway for this token: it is not bridged any more");
  if (l2Token !== getAddress(route.tokenIn)) return refused("the router's counterpart of this token is another one");
  const l1Gateway = await addressAt(source, l2Gateway, gateway, "counterpartGateway", []);
  if (l1Gateway === null) return refused("the gateway names no counterpart on Ethereum");
  if (from.time + WITHDRAWAL_SECONDS > request.deadline)
    return refused(`it takes about ${WITHDRAWAL_SECONDS} s, longer than the deadline`);
  const amountIn = uniqueAmount(request.amountIn, request.id);
  const terms: ArbitrumWithdrawalData = {
    sender: getAddress(request.sender),
    recipient: getAddress(request.recipient),
    tokenIn: l2Token,
    tokenOut: l1Token,
    amountIn: String(amountIn),
    l1Gateway,
    l2Gateway,
    etaSeconds: String(WITHDRAWAL_SECONDS),
    sourceFrom: String(from.lookFrom),
    destinationFrom: String(to.lookFrom),
  };
  return {
    ok: true,
    quote: {
      bridge: "arbitrum-gateway",
      request,
      amountIn,
      amountOut: amountIn,
      fee: 0n,
      nativeFee: 0n,
      claimGas: EXECUTE_GAS,
      etaSeconds: WITHDRAWAL_SECONDS,
      refundSeconds: WITHDRAWAL_SECONDS,
      expiresAt: Math.min(from.time + QUOTE_SECONDS, request.deadline - WITHDRAWAL_SECONDS),
      limits: { min: 1n, max: 2n ** 128n - 1n },
      terms,
    },
  };
}

async function addressAt(view: ChainView, to: string, abi: Interface, fn: string, args: unknown[]): Promise<string | null> {
  const answer = await ask(view, fn, view.provider.call({ to, data: abi.encodeFunctionData(fn, args) }));
  if (answer === "0x")
    throw new ArbError("network", `${view.network.title} does not answer ${fn} at ${to}`, {
      where: view.network.name,
      hint: "check the endpoint's chain",
    });
  return BigInt(answer) === 0n ? null : getAddress(`0x${answer.slice(-40)}`);
}

/** The gateway burns the tokens itself: nothing is approved. */
export function startWithdrawal({ route, id }: TransferRequest, data: ArbitrumWithdrawalData) {
  const chainId = route.fromChainId;
  const calldata = withdrawals.encodeFunctionData("outboundTransfer", [data.tokenOut, data.recipient, data.amountIn, "0x"]);
  const to = arbitrumGatewayFacts(chainId)!.l2Router.address;
  const call: BridgeCall = { chainId, to, data: calldata, value: 0n, purpose: "withdraw the token by Arbitrum's gateway" };
  const key: TransferKey = {
    bridge: "arbitrum-gateway",
    fromChainId: chainId,
    toChainId: route.toChainId,
    id,
    sourceTx: null,
    data,
  };
  return { calls: [call], key };
}

/** A message to Ethereum, as ArbSys wrote it down. */
interface Message {
  receipt: TransactionReceipt;
  position: bigint;
  l2Block: bigint;
  l1Block: bigint;
  timestamp: bigint;
  value: bigint;
  data: string;
}

/** The message of a key's withdrawal in a receipt; null when it has none. */
export function withdrawalIn(key: TransferKey, receipt: TransactionReceipt): Message | null {
  if (receipt.status !== 1) return null;
  const data = key.data as ArbitrumWithdrawalData;
  const topic = withdrawals.getEvent("WithdrawalInitiated")!.topicHash;
  for (const log of receipt.logs) {
    if (getAddress(log.address) !== data.l2Gateway || log.topics[0] !== topic) continue;
    const { l1Token, from, to, l2ToL1Id, amount } = withdrawals.parseLog(log)!.args as unknown as {
      l1Token: string;
      from: string;
      to: string;
      l2ToL1Id: bigint;
      amount: bigint;
    };
    if (l1Token !== data.tokenOut || from !== data.sender || to !== data.recipient || amount !== BigInt(data.amountIn)) continue;
    const message = receipt.logs
      .filter((l) => getAddress(l.address) === ARB_SYS && l.topics[0] === arbSys.getEvent("L2ToL1Tx")!.topicHash)
      .map((l) => arbSys.parseLog(l)!.args)
      .find((a) => a["position"] === l2ToL1Id && a["caller"] === data.l2Gateway && a["destination"] === data.l1Gateway);
    if (message)
      return {
        receipt,
        position: l2ToL1Id,
        l2Block: message["arbBlockNum"] as bigint,
        l1Block: message["ethBlockNum"] as bigint,
        timestamp: message["timestamp"] as bigint,
        value: message["callvalue"] as bigint,
        data: message["data"] as string,
      };
  }
  return null;
}

export async function lookAtArbitrumWithdrawal(key: TransferKey, views: Views): Promise<ArbitrumGatewayLook> {
  const data = key.data as ArbitrumWithdrawalData;
  const [source, target] = [views(key.fromChainId), views(key.toChainId)];
  const found = await findMessages(key, data, source);
  if (found.length > 1) {
    const transactions = found.map((m) => m.receipt.hash).join(", ");
    return waiting("stuck", "an operator: several withdrawals fit the key", { transactions }, 300);
  }
  const message = found[0];
  if (!message) return waiting("not-started", "the withdrawal to be sent", { sourceTx: key.sourceTx ?? "none" }, 2);
  const facts = { sourceTx: message.receipt.hash, position: String(message.position) };
  const moment = await momentOf(target);
  const arrival = await findPayment(key, data, message, target, moment);
  if (arrival) {
    if (arrival.blockNumber > moment.final)
      return waiting("initiated", `block ${arrival.blockNumber} with the arrival to be final`, facts, 2);
    return { status: { state: "delivered", arrival, waitsFor: "nothing", checkAgainSeconds: 0, facts }, call: null };
  }
  const call = await buildExecution(key, data, message, source, target, moment);
  if (call !== null) {
    const from = data.recipient;
    const passes = await ask(
      target,
      "whether the outbox would pay",
      target.provider.call({ to: call.to, data: call.data, from }).then(
        () => true,
        (error: unknown) => {
          if (classifyNodeError(error).kind !== "reverted") throw error;
          return false;
        },
      ),
    );
    return passes
      ? waiting("claimable", "our call: have the outbox pay", facts, 0, call)
      : waiting("blocked", "the outbox to take the message, which reverts now", { ...facts, wish: "retry" }, 300);
  }
  const began = (await blockAt(source, message.receipt.blockNumber)).timestamp;
  const newest = await ask(source, "its newest block", source.provider.getBlockNumber());
  const age = (await blockAt(source, Math.max(newest, message.receipt.blockNumber))).timestamp - began;
  const late = age > Number(data.etaSeconds) + SLACK_SECONDS;
  return waiting(late ? "slow" : "attesting", "Arbitrum's rollup to confirm the block of the withdrawal", facts, 600);
}

async function findMessages(key: TransferKey, data: ArbitrumWithdrawalData, source: ChainView): Promise<Message[]> {
  if (key.sourceTx !== null) {
    const receipt = await ask(source, "the withdrawal's receipt", source.provider.getTransactionReceipt(key.sourceTx));
    const message = receipt && withdrawalIn(key, receipt);
    if (message) return [message];
  }
  const topics = [withdrawals.getEvent("WithdrawalInitiated")!.topicHash, word(data.sender), word(data.recipient)];
  const head = await ask(source, "its newest block", source.provider.getBlockNumber());
  const found: Message[] = [];
  for (const log of await logsBetween(source, { address: data.l2Gateway, topics }, Number(data.sourceFrom), head)) {
    if (withdrawals.parseLog(log)!.args["amount"] !== BigInt(data.amountIn)) continue;
    const message = withdrawalIn(key, await receiptOf(source, log));
    if (message) found.push(message);
  }
  return found;
}

/** The token's transfer in the outbox's execution of our message: its number is the message's place in the tree. */
async function findPayment(
  key: TransferKey,
  data: ArbitrumWithdrawalData,
  { position }: Message,
  target: ChainView,
  { head }: Moment,
): Promise<Arrival | null> {
  const address = arbitrumGatewayFacts(key.fromChainId)!.outbox.address;
  const topics = [outbox.getEvent("OutBoxTransactionExecuted")!.topicHash, word(data.l1Gateway), word(data.l2Gateway)];
  const executed = (await logsBetween(target, { address, topics }, Number(data.destinationFrom), head)).find(
    (log) => outbox.parseLog(log)!.args["transactionIndex"] === position,
  );
  if (!executed) return null;
  const receipt = await receiptOf(target, executed);
  const paid = paidIn(receipt, data, executed.index);
  if (!paid)
    throw new ArbError("network", `a node of ${target.network.title} shows an executed withdrawal without its transfer`, {
      where: receipt.hash,
      hint: "it is asked again; use an endpoint that gives whole receipts",
    });
  const { blockNumber, blockHash, hash: txHash } = receipt;
  const place = { chainId: key.toChainId, txHash, blockNumber, blockHash };
  return { ...place, logIndex: paid.index, token: data.tokenOut, amount: BigInt(data.amountIn) };
}

/** The outbox's event comes before what it executes: the first payment after it is its own. */
function paidIn(receipt: TransactionReceipt, data: ArbitrumWithdrawalData, after: number): Log | undefined {
  const [transfer] = erc20.encodeFilterTopics("Transfer", []);
  return receipt.logs.find(
    (log) =>
      log.index > after &&
      getAddress(log.address) === data.tokenOut &&
      log.topics[0] === transfer &&
      log.topics[2] === word(data.recipient) &&
      BigInt(log.data) === BigInt(data.amountIn),
  );
}

/** The call that has the outbox pay; null while no confirmed root covers the message. Throws "network" where our node disagrees with it. */
async function buildExecution(
  key: TransferKey,
  data: ArbitrumWithdrawalData,
  m: Message,
  source: ChainView,
  target: ChainView,
  { head }: Moment,
): Promise<BridgeCall | null> {
  const to = arbitrumGatewayFacts(key.fromChainId)!.outbox.address;
  const topics = [outbox.getEvent("SendRootUpdated")!.topicHash];
  const root = (await logsBetween(target, { address: to, topics }, Number(data.destinationFrom), head)).at(-1);
  if (!root) return null;
  const [, confirmed, blockHash] = root.topics as [string, string, string];
  if (!(source.provider as Partial<JsonRpcApiProvider>).send)
    throw new ArbError("internal", "a withdrawal's proof needs a provider that sends JSON-RPC calls", {
      where: source.network.name,
    });
  const rpc = source.provider as JsonRpcApiProvider;
  const block = (await ask(source, "the confirmed block", rpc.send("eth_getBlockByHash", [blockHash, false]))) as {
    sendCount?: string;
  } | null;
  const disagrees = (why: string): ArbError =>
    new ArbError("network", `a node of ${source.network.title} ${why}`, {
      where: blockHash,
      hint: "use an endpoint that follows the chain that the rollup confirmed",
    });
  if (block?.sendCount === undefined) throw disagrees("does not have the block that the rollup confirmed, or not its sendCount");
  if (BigInt(block.sendCount) <= m.position) return null;
  const asked = nodeInterface.encodeFunctionData("constructOutboxProof", [BigInt(block.sendCount), m.position]);
  const answer = await ask(source, "the proof", source.provider.call({ to: NODE_INTERFACE, data: asked }));
  const [, said, proof] = nodeInterface.decodeFunctionResult("constructOutboxProof", answer) as unknown as [
    string,
    string,
    string[],
  ];
  if (said.toLowerCase() !== confirmed.toLowerCase())
    throw disagrees("proves the withdrawal against another root than the confirmed one");
  const args = [[...proof], m.position, data.l2Gateway, data.l1Gateway, m.l2Block, m.l1Block, m.timestamp, m.value, m.data];
  const calldata = outbox.encodeFunctionData("executeTransaction", args);
  return { chainId: key.toChainId, to, data: calldata, value: 0n, purpose: "have Arbitrum's outbox pay the withdrawal" };
}
