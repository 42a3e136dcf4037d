import { type Log, toBeHex } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { acrossFacts } from "../config/across.js";
import { readAll } from "../venues/multicall.js";
import { bytes32, relayHash, spokePool } from "./across-abi.js";
import { type AcrossTransfer, depositIn, isOurDeposit, type SeenDeposit } from "./across-key.js";
import { matchRefund } from "./across-refunds.js";
import { ArbError } from "../errors.js";
import type { Arrival, ChainView, TransferStatus, Views } from "./bridge.js";
import { firstBlockSince, logsBetween, type Moment, receiptOf } from "./logs.js";

const TRANSFER = IERC20__factory.createInterface().getEvent("Transfer").topicHash;
const REFUND_ROOT = spokePool.getEvent("ExecutedRelayerRefundRoot")!.topicHash;

/** Deposits this much older may be refunded in one sum with ours: the longest fill deadline, and a bundle. */
const SHARED_SECONDS = 12 * 3600;
/** The two chains' clocks differ a little. */
const CLOCK_SLACK = 600;
/** Without a refund after this long, something is wrong with Across itself. */
const STUCK_SECONDS = 3 * 24 * 3600;

/** SpokePool.FillStatus.Filled. */
const FILLED = 2n;

interface Refund {
  log: Log;
  amount: bigint;
  deferred: boolean;
}

/** State of a transfer whose fill deadline has passed for good: where its refund is. */
export async function refundOf(
  t: AcrossTransfer,
  views: Views,
  here: Moment,
  deposit: Log,
  facts: Record<string, string>,
): Promise<TransferStatus> {
  const { relay } = t;
  const view = views(t.fromChainId);
  const since = await firstBlockSince(view, Number(relay.fillDeadline) - CLOCK_SLACK, deposit.blockNumber, here.head);
  const refunds = await refundsOf(t, view, since, here.head);
  const answer = (state: TransferStatus["state"], waitsFor: string, checkAgainSeconds: number): TransferStatus => ({
    state,
    arrival: null,
    waitsFor,
    checkAgainSeconds,
    facts,
  });
  const noneYet = () => {
    const overdue = here.finalTime > Number(relay.fillDeadline) + STUCK_SECONDS;
    if (overdue) return answer("stuck", "an operator: Across has not refunded this deposit for three days", 3600);
    return answer("expired", "the refund with one of Across' next root bundles, usually within hours", 600);
  };
  if (refunds.length === 0) return noneYet();
  const { deposits, own } = await depositsAround(t, views, here, deposit);
  const match = matchRefund(
    deposits,
    own,
    refunds.map((r) => r.amount),
  );
  if (match.kind === "none") return noneYet();
  if (match.kind === "ambiguous")
    return answer("stuck", "an operator: a refund came that may be for this deposit or for others of the same sender", 3600);
  const { log, amount, deferred } = refunds[match.index]!;
  facts["refundTx"] = log.transactionHash;
  facts["refundAmount"] = String(amount);
  const receipt = await receiptOf(view, log);
  const before = receipt.logs.filter((l) => l.index < log.index);
  const leafStart = before.findLast((l) => l.address === t.originPool && l.topics[0] === REFUND_ROOT)?.index ?? -1;
  const payment = before.findLast((l) => l.index > leafStart && isPayment(l, t, relay.depositor, amount));
  if (payment) return paid(t, here, payment, answer);
  if (!deferred) return answer("stuck", "an operator: a refund was executed without paying this deposit's sender", 3600);

  const claim = await claimAfter(t, view, log, here.head);
  if (claim) {
    facts["claimTx"] = claim.transactionHash;
    return paid(t, here, claim, answer);
  }
  facts["credit"] = "true";
  if (log.blockNumber > here.final) return answer("refunding", `the credit in block ${log.blockNumber} to be final`, 5);
  return answer("claimable", "a claim by the sender: the refund could not be transferred, it is a credit in the pool", 3600);
}

function paid(
  t: AcrossTransfer,
  here: Moment,
  payment: Log,
  answer: (state: TransferStatus["state"], waitsFor: string, checkAgainSeconds: number) => TransferStatus,
): TransferStatus {
  if (payment.blockNumber > here.final) return answer("refunding", `the refund in block ${payment.blockNumber} to be final`, 5);
  const arrival: Arrival = {
    chainId: t.fromChainId,
    txHash: payment.transactionHash,
    blockNumber: payment.blockNumber,
    blockHash: payment.blockHash,
    logIndex: payment.index,
    token: t.relay.inputToken,
    // one transfer may pay several deposits; this is the part of ours
    amount: t.relay.inputAmount,
  };
  return { ...answer("refunded", "nothing", 3600), arrival };
}

/** What the depositor was refunded in this token, in the chain's order. */
async function refundsOf(t: AcrossTransfer, view: ChainView, from: number, to: number): Promise<Refund[]> {
  const topics = [REFUND_ROOT, toBeHex(t.fromChainId, 32)];
  const logs = await logsBetween(view, { address: t.originPool, topics }, from, to);
  return logs.flatMap((log) => {
    const { args: a } = spokePool.parseLog(log)!;
    if (a["l2TokenAddress"] !== t.relay.inputToken) return [];
    const amounts = [...(a["refundAmounts"] as bigint[])];
    return [...(a["refundAddresses"] as string[])].flatMap((receiver, i): Refund[] =>
      receiver === t.relay.depositor ? [{ log, amount: amounts[i]!, deferred: a["deferredRefunds"] === true }] : [],
    );
  });
}

/** Amounts of the depositor's deposits of the token that a refund may be for, and which of them is ours. Filled ones have none. */
async function depositsAround(
  t: AcrossTransfer,
  views: Views,
  here: Moment,
  deposit: Log,
): Promise<{ deposits: bigint[]; own: number }> {
  const view = views(t.fromChainId);
  const from = deposit.blockNumber - Math.ceil((SHARED_SECONDS * 1000) / view.network.blockTimeMs);
  const topics = [spokePool.getEvent("FundsDeposited")!.topicHash, null, null, bytes32(t.relay.depositor)];
  const logs = await logsBetween(view, { address: t.originPool, topics }, from, here.head);
  const all = logs.flatMap((log) => {
    const seen = depositIn(log, t.fromChainId);
    return seen?.relay.inputToken === t.relay.inputToken ? [{ seen, ours: isOurDeposit(log, t) }] : [];
  });
  const filled = await filledAmong(
    all.map((d) => d.seen),
    views,
  );
  const open = all.filter((d, i) => d.ours || !filled[i]);
  const own = open.findIndex((d) => d.ours);
  if (own < 0)
    throw new ArbError("network", "a node no longer has the log of the transfer's deposit", {
      where: view.network.name,
      hint: "after a reorganisation the next look finds the new one",
    });
  return { deposits: open.map((d) => d.seen.relay.inputAmount), own };
}

/** Which deposits were filled on their destinations; false also for destinations that are not in the registry. */
async function filledAmong(deposits: SeenDeposit[], views: Views): Promise<boolean[]> {
  const filled = deposits.map(() => false);
  for (const chainId of new Set(deposits.map((d) => d.destinationChainId))) {
    const target = acrossFacts(chainId)?.spokePool.address;
    if (target === undefined) continue;
    const here = [...deposits.entries()].filter(([, d]) => d.destinationChainId === chainId);
    const reads = here.map(([, { relay }]) => ({
      target,
      data: spokePool.encodeFunctionData("fillStatuses", [relayHash(relay, chainId)]),
      what: "fillStatuses",
    }));
    const answers = await readAll(views(chainId).provider, reads, "latest");
    for (const [i, [index]] of here.entries()) filled[index] = BigInt(answers[i]!) === FILLED;
  }
  return filled;
}

/** The payment of the first claim of the depositor's credit after it was booked. */
async function claimAfter(t: AcrossTransfer, view: ChainView, credit: Log, head: number): Promise<Log | null> {
  const topics = [
    spokePool.getEvent("ClaimedRelayerRefund")!.topicHash,
    bytes32(t.relay.inputToken),
    null,
    bytes32(t.relay.depositor),
  ];
  const logs = await logsBetween(view, { address: t.originPool, topics }, credit.blockNumber, head);
  const later = (l: Log) =>
    l.blockNumber > credit.blockNumber || (l.blockNumber === credit.blockNumber && l.index > credit.index);
  const claim = logs.find(later);
  if (!claim) return null;
  const { args: a } = spokePool.parseLog(claim)!;
  const receipt = await receiptOf(view, claim);
  const to = `0x${(a["refundAddress"] as string).slice(26)}`;
  return receipt.logs.findLast((l) => l.index < claim.index && isPayment(l, t, to, a["amount"] as bigint)) ?? null;
}

const isPayment = (l: Log, t: AcrossTransfer, to: string, amount: bigint): boolean =>
  l.address === t.relay.inputToken &&
  l.topics[0] === TRANSFER &&
  l.topics[1] === bytes32(t.originPool).toLowerCase() &&
  l.topics[2] === bytes32(to).toLowerCase() &&
  BigInt(l.data) === amount;
