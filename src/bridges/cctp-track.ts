import { getAddress, Interface, isError, type Log, type TransactionReceipt, ZeroAddress } from "ethers";
import { IERC20__factory, IMulticall3__factory } from "../../types/contracts/index.js";
import { classifyNodeError } from "../chain/errors.js";
import { cctpFacts } from "../config/cctp.js";
import { ArbError } from "../errors.js";
import type { Arrival, BridgeCall, ChainView, TransferKey, TransferStatus, Views } from "./bridge.js";
import {
  type Attested,
  attestedOf,
  bytes32,
  isSameBody,
  isSameMessage,
  LEAST_FINALITY,
  messageTransmitter,
  STANDARD,
  tokenMessenger,
  withAttested,
} from "./cctp-message.js";
import type { Iris, IrisMessage } from "./iris.js";
import { ask, blockAt, logsBetween, type Moment, momentOf, receiptOf } from "./logs.js";

const erc20 = IERC20__factory.createInterface();
const multicall = IMulticall3__factory.createInterface();
const revertReason = new Interface(["error Error(string)"]);

/** What a key of CCTP holds: everything that follows from the quote, and so is known before the burn is sent. */
export type CctpData = Record<
  | "message"
  | "sender"
  | "recipient"
  | "tokenIn"
  | "tokenOut"
  | "amountIn"
  | "maxFee"
  | "minFinality"
  | "etaSeconds"
  | "sourceFrom"
  | "destinationFrom",
  string
>;

/** What one look at both chains and the service shows. `call` mints; set in state `claimable` only. */
export interface CctpLook {
  status: TransferStatus;
  call: BridgeCall | null;
  /** Nonce that the attesters gave the message, once they have. */
  nonce: string | null;
}

/** Chain state first: a mint that has happened needs no attestation service. */
export async function lookAtCctp(key: TransferKey, views: Views, iris: Iris): Promise<CctpLook> {
  const data = key.data as CctpData;
  const [source, target] = [views(key.fromChainId), views(key.toChainId)];
  const moment = await momentOf(target);
  const mint = await findMint(data, source, target, moment);
  if (mint) return minted(mint, moment);

  const burns = await findBurns(key, data, source);
  if (burns.length > 1) {
    const transactions = burns.map((b) => b.hash).join(", ");
    return waiting("stuck", "an operator: the same burn was sent more than once", { transactions }, 300);
  }
  const burn = burns[0];
  if (!burn) return waiting("not-started", "the burn to be sent", { sourceTx: key.sourceTx ?? "none" }, 2);
  const burnBlock = await blockAt(source, burn.blockNumber);
  const newest = await blockAt(
    source,
    Math.max(burn.blockNumber, await ask(source, "its newest block", source.provider.getBlockNumber())),
  );
  const age = newest.timestamp - burnBlock.timestamp;
  const facts = { sourceTx: burn.hash, sourceBlock: String(burn.blockNumber), ageSeconds: String(age) };
  const late = age > 2 * Number(data.etaSeconds);

  const said = await iris.messages(cctpFacts(key.fromChainId)!.domain, burn.hash);
  const ours = ourMessage(data, said);
  if (!ours) return waiting(late ? "slow" : "initiated", "the attestation service to see the burn", facts, 2);
  const nonce = ours.nonce ?? ours.decided?.nonce ?? null;
  const more = { ...facts, nonce: nonce ?? "none", ...(ours.delayReason === null ? {} : { delayReason: ours.delayReason }) };
  if (ours.status !== "complete" || ours.attestation === null) {
    const why = ours.delayReason === null ? "confirmations" : `finality of the source (${ours.delayReason})`;
    const state = ours.delayReason !== null || late ? "slow" : "attesting";
    return { ...waiting(state, `the attestation: ${why}`, more, ours.delayReason === null ? 2 : 30), nonce };
  }
  return await decide(key, data, target, complete(data, ours), ours.attestation, more);
}

function minted(mint: { arrival: Arrival; facts: Record<string, string> }, moment: Moment): CctpLook {
  const { arrival, facts } = mint;
  const state = arrival.blockNumber <= moment.final ? "delivered" : "initiated";
  if (state === "initiated") return waiting(state, `block ${arrival.blockNumber} with the mint to be final`, facts, 2);
  return { status: { state, arrival, waitsFor: "nothing", checkAgainSeconds: 0, facts }, call: null, nonce: null };
}

function waiting(
  state: TransferStatus["state"],
  waitsFor: string,
  facts: Record<string, string>,
  checkAgainSeconds: number,
): CctpLook {
  return { status: { state, arrival: null, waitsFor, checkAgainSeconds, facts }, call: null, nonce: null };
}

/** The signed message, and whether the contract takes it now: asked before anybody pays gas for it. */
async function decide(
  key: TransferKey,
  data: CctpData,
  target: ChainView,
  attested: Attested,
  attestation: string,
  facts: Record<string, string>,
): Promise<CctpLook> {
  const { nonce } = attested;
  const to = cctpFacts(key.toChainId)!.messageTransmitter.address;
  const message = withAttested(data.message, attested);
  const more = { ...facts, nonce, finality: String(attested.finality), feeExecuted: String(attested.fee) };
  const blocked = (why: string, wish: string, also: Record<string, string> = {}): CctpLook => ({
    ...waiting("blocked", why, { ...more, wish, ...also }, wish === "re-attest" ? 2 : 60),
    nonce,
  });
  const isFast = attested.finality < STANDARD;
  // strictly: the mint must still be good in the block after this one
  if (isFast && attested.expirationBlock > 0n && attested.expirationBlock <= (await blockSeenByContracts(target)) + 1n)
    return blocked(`a new signature: the fast one expired in block ${attested.expirationBlock}`, "re-attest");
  const calldata = messageTransmitter.encodeFunctionData("receiveMessage", [message, attestation]);
  const refusal = await refusalOf(target, to, calldata, data.recipient);
  if (refusal === null) {
    const call = { chainId: key.toChainId, to, data: calldata, value: 0n, purpose: "mint the USDC that CCTP attested" };
    const status = waiting("claimable", "our mint", { ...more, expirationBlock: String(attested.expirationBlock) }, 0).status;
    return { status, call, nonce };
  }
  if (/Nonce already used/.test(refusal))
    return { ...waiting("initiated", "the node to show the mint, which has happened", { ...more, nonceUsed: "true" }, 2), nonce };
  if (/expired and must be re-signed/.test(refusal)) return blocked("a new signature: the fast one expired", "re-attest");
  if (/attest|signature|ECDSA/i.test(refusal)) throw unfit(`its signature is refused by the contract: ${refusal}`);
  if (/paused/i.test(refusal))
    return blocked(`${target.network.title} to take mints again (${refusal})`, "retry", { paused: "true" });
  if (/blacklist|denylist/i.test(refusal)) return blocked(`the issuer to unblock the recipient (${refusal})`, "retry");
  return { ...waiting("stuck", `an operator: the mint is refused (${refusal})`, more, 300), nonce };
}

/** `block.number` in contracts: on Arbitrum that is L1's, and Circle's expirations count by it. */
async function blockSeenByContracts(view: ChainView): Promise<bigint> {
  const call = { to: view.network.multicall3.address, data: multicall.encodeFunctionData("getBlockNumber") };
  return BigInt(await ask(view, "the block number that contracts see", view.provider.call(call)));
}

/** Why the contract would not take a call now; null when it would. Throws ArbError "network" when the node does not say. */
async function refusalOf(view: ChainView, to: string, data: string, from: string): Promise<string | null> {
  const call = view.provider.call({ to, data, from }).then(
    () => null,
    (error: unknown) => {
      const { kind, message, revertData } = classifyNodeError(error);
      if (kind !== "reverted") throw error;
      const words = revertData === null ? null : revertReason.parseError(revertData);
      return String(words?.args[0] ?? (isError(error, "CALL_EXCEPTION") ? error.reason : null) ?? message);
    },
  );
  return await ask(view, "whether the mint would be taken", call);
}

/**
 * Which of a transaction's messages is ours: equal to what we burned but for the four fields that attesters fill in. A service
 * that knows only other complete messages for our transaction answers for another one, or lies.
 */
function ourMessage(data: CctpData, said: IrisMessage[]): IrisMessage | null {
  const ours = said.find((m) => m.message !== null && isSameMessage(data.message, m.message));
  if (ours) return ours;
  // "0x": before it is complete, and sometimes after; the signature then tells whether the rest fits
  const bare = said.filter((m) => m.message === null);
  if (bare.length > 0) return bare.find((m) => m.body === null || isSameBody(data.message, m.body)) ?? null;
  if (said.length > 0) throw unfit("none of the messages that it names is the one that was sent");
  return null;
}

/** What the attesters decided, within what we agreed to. Throws ArbError "network" for a message that must not be used. */
function complete(data: CctpData, m: IrisMessage): Attested {
  const attested = m.message === null ? m.decided : attestedOf(m.message);
  if (!attested || BigInt(attested.nonce) === 0n) throw unfit("it calls a message complete that has no nonce");
  if (attested.fee > BigInt(data.maxFee)) throw unfit(`its message takes a fee of ${attested.fee}, agreed were ${data.maxFee}`);
  if (attested.finality < LEAST_FINALITY || attested.finality > 0xffffffff)
    throw unfit(`its message has a finality of ${attested.finality}`);
  return attested;
}

const unfit = (why: string): ArbError =>
  new ArbError("network", `the attestation service's answer cannot be used: ${why}`, {
    hint: "nothing was sent; it is asked again. Should it stay so, tell Circle: the burn stays valid",
  });

/** The mint that settles this key, whoever sent it, found by the recipient's logs on the destination. */
async function findMint(
  data: CctpData,
  source: ChainView,
  target: ChainView,
  { head }: Moment,
): Promise<{ arrival: Arrival; facts: Record<string, string> } | null> {
  const facts = cctpFacts(target.network.chainId)!;
  const topic = tokenMessenger.getEvent("MintAndWithdraw")!.topicHash;
  const filter = {
    address: facts.tokenMessenger.address,
    topics: [topic, bytes32(data.recipient), bytes32(data.tokenOut)],
  };
  for (const log of await logsBetween(target, filter, Number(data.destinationFrom), head)) {
    const { amount, feeCollected } = tokenMessenger.parseLog(log)!.args as unknown as { amount: bigint; feeCollected: bigint };
    if (amount + feeCollected !== BigInt(data.amountIn)) continue;
    const receipt = await receiptOf(target, log);
    const arrival = settled(data, source.network.chainId, target.network.chainId, receipt);
    if (arrival) return { arrival, facts: { mintTx: receipt.hash, minter: receipt.from, feeCollected: String(feeCollected) } };
  }
  return null;
}

/**
 * The token's own Transfer to the recipient, in the receiveMessage of our message: other mints of the same transaction, and
 * messages of other burns, are not ours.
 */
function settled(data: CctpData, fromChainId: number, toChainId: number, receipt: TransactionReceipt): Arrival | null {
  const [here, there] = [cctpFacts(toChainId)!, cctpFacts(fromChainId)!];
  const received = messageTransmitter.getEvent("MessageReceived")!.topicHash;
  let after = -1;
  for (const log of receipt.logs) {
    if (log.topics[0] !== received || getAddress(log.address) !== here.messageTransmitter.address) continue;
    const { sourceDomain, sender, messageBody } = messageTransmitter.parseLog(log)!.args as unknown as {
      sourceDomain: bigint;
      sender: string;
      messageBody: string;
    };
    const isOurs =
      Number(sourceDomain) === there.domain &&
      sender === bytes32(there.tokenMessenger.address) &&
      isSameBody(data.message, messageBody);
    const paid = isOurs ? payment(data, receipt.logs, after, log.index) : undefined;
    if (paid)
      return {
        chainId: toChainId,
        txHash: receipt.hash,
        blockNumber: receipt.blockNumber,
        blockHash: receipt.blockHash,
        logIndex: paid.index,
        token: getAddress(data.tokenOut),
        amount: BigInt(paid.data),
      };
    after = log.index;
  }
  return null;
}

/** The new tokens that went to the recipient between two logs of a transaction. */
function payment(data: CctpData, logs: readonly Log[], after: number, before: number): Log | undefined {
  const topics = [erc20.getEvent("Transfer").topicHash, bytes32(ZeroAddress), bytes32(data.recipient)];
  return logs.find(
    (log) =>
      log.index > after &&
      log.index < before &&
      getAddress(log.address) === getAddress(data.tokenOut) &&
      topics.every((topic, i) => log.topics[i] === topic),
  );
}

/** Receipts of our burn: by its hash, or where that is not known, or was reorganised away, by the depositor's logs. */
async function findBurns(key: TransferKey, data: CctpData, source: ChainView): Promise<TransactionReceipt[]> {
  if (key.sourceTx !== null) {
    const receipt = await ask(source, "the burn's receipt", source.provider.getTransactionReceipt(key.sourceTx));
    if (receipt && hasBurn(receipt, data, key.fromChainId)) return [receipt];
  }
  const found: TransactionReceipt[] = [];
  const filter = {
    address: cctpFacts(key.fromChainId)!.tokenMessenger.address,
    topics: [
      tokenMessenger.getEvent("DepositForBurn")!.topicHash,
      bytes32(data.tokenIn),
      bytes32(data.sender),
      bytes32(`0x${BigInt(data.minFinality).toString(16).padStart(40, "0")}`),
    ],
  };
  const head = await ask(source, "its newest block", source.provider.getBlockNumber());
  for (const log of await logsBetween(source, filter, Number(data.sourceFrom), head)) {
    const receipt = await receiptOf(source, log);
    if (hasBurn(receipt, data, key.fromChainId)) found.push(receipt);
  }
  return found;
}

/** Whether a transaction sent exactly our message. */
export function hasBurn(receipt: TransactionReceipt, data: CctpData, fromChainId: number): boolean {
  const transmitter = cctpFacts(fromChainId)!.messageTransmitter.address;
  const topic = messageTransmitter.getEvent("MessageSent")!.topicHash;
  return (
    receipt.status === 1 &&
    receipt.logs.some(
      (log) =>
        log.topics[0] === topic &&
        getAddress(log.address) === transmitter &&
        messageTransmitter.parseLog(log)!.args[0] === data.message,
    )
  );
}
