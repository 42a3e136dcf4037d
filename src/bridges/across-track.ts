import { Interface, type Log, type TransactionReceipt, toBeHex, ZeroAddress } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { readAll } from "../venues/multicall.js";
import { bytes32, multicallHandler, spokePool } from "./across-abi.js";
import { type AcrossTransfer, type Fill, isOurDeposit, ourFillIn, transferOf } from "./across-key.js";
import { refundOf } from "./across-refund-track.js";
import type { Arrival, ChainView, TransferKey, TransferStatus, Views } from "./bridge.js";
import { ask, blockAt, lagging, logsBetween, type Moment, momentOf, receiptOf } from "./logs.js";

const erc20 = IERC20__factory.createInterface();
const weth = new Interface(["event Withdrawal(address indexed src, uint256 wad)"]);
const TRANSFER = erc20.getEvent("Transfer").topicHash;
const WITHDRAWAL = weth.getEvent("Withdrawal")!.topicHash;
const FILL_STATUS = ["unfilled", "slow fill requested", "filled"] as const;

/** A fill this many times later than promised is slow. */
const SLOW_FACTOR = 5;
const LEAST_SLOW_SECONDS = 60;
/** A slow fill, too, reverts after the fill deadline. With less than this left no root bundle would bring one before it. */
const LEAST_SLOW_FILL_SECONDS = 1_800;

/**
 * State of an Across transfer from the two SpokePools alone. The destination's `fillStatuses` under our relay hash says whether it is
 * filled; the FilledRelay log of exactly our relay data says in which transaction; the token's log right after it says who was paid.
 * Nothing is matched by deposit id alone: anybody can fill a relay of their own that has our id.
 */
export async function trackAcross(key: TransferKey, views: Views): Promise<TransferStatus> {
  const t = transferOf(key);
  const [source, target] = [views(t.fromChainId), views(t.toChainId)];
  // the final block first: what is read after it must not be older
  const there = await momentOf(target);
  const pool = await fillState(t, target, there);
  const facts: Record<string, string> = {
    depositId: String(t.relay.depositId),
    relayHash: t.hash,
    fillStatus: pool.status,
    ...(pool.pausedFills ? { fillsPaused: "true" } : {}),
  };
  if (pool.status === "filled") return await filled(t, target, there, facts);

  const here = await momentOf(source);
  const deposit = await depositOf(t, key, source, here);
  if (!deposit) return notStarted(t, here, facts);
  facts["depositTx"] = deposit.transactionHash;
  facts["depositFinal"] = String(deposit.blockNumber <= here.final);
  const deadline = Number(t.relay.fillDeadline);
  if (pool.time <= deadline) return await waiting(t, source, deposit, pool, facts);
  facts["deadlinePassed"] = "true";
  // Final blocks decide: one that a reorganisation takes back may be replaced by an earlier one that still allows a fill.
  if (there.finalTime <= deadline)
    return status("slow", "a final block after the fill deadline", blockSeconds(target, there, pool.time), facts);
  return await refundOf(t, views, here, deposit, facts);
}

interface FillState {
  status: (typeof FILL_STATUS)[number];
  /** The destination's clock, unix seconds. */
  time: number;
  pausedFills: boolean;
}

/** Read in one call, so that the clock proves how new the status is. */
async function fillState(t: AcrossTransfer, view: ChainView, moment: Moment): Promise<FillState> {
  const read = (what: string, args: unknown[] = []) => ({
    target: t.destinationPool,
    data: spokePool.encodeFunctionData(what, args),
    what,
  });
  const reads = [read("getCurrentTime"), read("fillStatuses", [t.hash]), read("pausedFills")];
  const [time, filledWord, paused] = (await readAll(view.provider, reads, "latest")).map(BigInt) as [bigint, bigint, bigint];
  if (Number(time) < moment.finalTime) throw lagging(view);
  return { status: FILL_STATUS[Number(filledWord)] ?? "filled", time: Number(time), pausedFills: paused === 1n };
}

/** Our deposit's log: from the receipt where its transaction is known, else by its id, wherever a reorganisation has put it. */
async function depositOf(t: AcrossTransfer, key: TransferKey, view: ChainView, moment: Moment): Promise<Log | null> {
  if (key.sourceTx !== null) {
    const receipt = await ask(view, "the deposit's receipt", view.provider.getTransactionReceipt(key.sourceTx));
    const log = receipt?.logs.find((l) => isOurDeposit(l, t));
    if (log) return log;
  }
  const topics = [
    spokePool.getEvent("FundsDeposited")!.topicHash,
    toBeHex(t.toChainId, 32),
    toBeHex(t.relay.depositId, 32),
    bytes32(t.relay.depositor),
  ];
  const logs = await logsBetween(view, { address: t.originPool, topics }, t.sourceFrom, moment.head);
  return logs.find((l) => isOurDeposit(l, t)) ?? null;
}

function notStarted(t: AcrossTransfer, here: Moment, facts: Record<string, string>): TransferStatus {
  const possible = here.finalTime <= t.startBefore;
  facts["startPossible"] = String(possible);
  const waitsFor = possible
    ? `the deposit, which the pool takes until ${t.startBefore} (unix seconds)`
    : "nothing: the deposit was not made, and the pool does not take it any more";
  return status("not-started", waitsFor, possible ? 5 : 3600, facts);
}

async function waiting(
  t: AcrossTransfer,
  source: ChainView,
  deposit: Log,
  pool: FillState,
  facts: Record<string, string>,
): Promise<TransferStatus> {
  const since = (await blockAt(source, deposit.blockNumber)).timestamp;
  const late = pool.time > since + Math.max(LEAST_SLOW_SECONDS, SLOW_FACTOR * t.etaSeconds);
  // Across makes no slow fills of deposits with a message
  if (pool.status === "slow fill requested") facts["slowFill"] = "asked";
  else if (t.relay.message === "0x" && Number(t.relay.fillDeadline) - pool.time >= LEAST_SLOW_FILL_SECONDS)
    facts["slowFill"] = "possible";
  const until = `until ${t.relay.fillDeadline} (unix seconds), then the refund`;
  if (pool.status === "slow fill requested")
    return status("slow", `a relayer, or Across' slow fill with its next root bundle, ${until}`, 60, facts);
  if (pool.pausedFills) return status("slow", `fills on the destination, which are paused, ${until}`, 60, facts);
  return status(late ? "slow" : "initiated", `a relayer's fill, ${until}`, late ? 15 : 2, facts);
}

async function filled(
  t: AcrossTransfer,
  view: ChainView,
  moment: Moment,
  facts: Record<string, string>,
): Promise<TransferStatus> {
  const topics = [spokePool.getEvent("FilledRelay")!.topicHash, toBeHex(t.fromChainId, 32), toBeHex(t.relay.depositId, 32)];
  // the head anew: the fill may be younger than the one we saw
  const head = await ask(view, "its newest block", view.provider.getBlockNumber());
  const logs = await logsBetween(view, { address: t.destinationPool, topics }, t.destinationFrom, head);
  const log = logs.find((l) => ourFillIn(l, t) !== null);
  // the pool says filled: an endpoint without the log is behind
  if (!log) throw lagging(view);
  const fill = ourFillIn(log, t)!;
  facts["fill"] = fill.kind;
  facts["fillTx"] = log.transactionHash;
  if (log.blockNumber > moment.final)
    return status("initiated", `the fill in block ${log.blockNumber} to be final`, blockSeconds(view, moment), facts);
  if (fill.recipient !== t.relay.recipient) {
    facts["paidTo"] = String(fill.recipient);
    return status("stuck", "an operator: a signed speed-up sent the tokens to another receiver", 3600, facts);
  }
  const receipt = await receiptOf(view, log);
  const arrival = arrivalIn(receipt, log, fill, t, view, facts);
  if (!arrival) return status("stuck", "an operator: the fill's transaction has no log that pays the receiver", 3600, facts);
  return { ...status("delivered", "nothing", 3600, facts), arrival };
}

/**
 * The log that pays the recipient, right after the FilledRelay log and before the next fill's: the token's Transfer to it. WETH goes to
 * accounts without code (and to those that delegate, EIP-7702) as ETH, which no log of the account shows: there it is WETH's Withdrawal
 * by the pool of exactly the fill's amount. The pool sends that ETH on in the same call and reverts the whole fill when it is not
 * taken (SpokePool._unwrapwrappedNativeTokenTo), so the two logs together prove the arrival. Its token is then the zero address.
 */
function arrivalIn(
  receipt: TransactionReceipt,
  fillLog: Log,
  fill: Fill,
  t: AcrossTransfer,
  view: ChainView,
  facts: Record<string, string>,
): Arrival | null {
  const { outputToken, recipient } = t.relay;
  const after = receipt.logs.filter((l) => l.index > fillLog.index);
  const next = after.find((l) => l.address === t.destinationPool && l.topics[0] === fillLog.topics[0])?.index ?? Infinity;
  const own = after.filter((l) => l.index < next);
  const isNative = (l: Log) =>
    outputToken === view.network.wrappedNative &&
    l.address === outputToken &&
    l.topics[0] === WITHDRAWAL &&
    l.topics[1] === bytes32(t.destinationPool).toLowerCase() &&
    BigInt(l.data) === fill.amount;
  const paid = own.find((l) => isTransfer(l, outputToken, recipient) || isNative(l));
  if (!paid) return null;
  const native = paid.topics[0] === WITHDRAWAL;
  facts["paidTo"] = recipient;
  const log = t.fallback === null ? paid : (afterCalls(own, paid, t.fallback, t, facts) ?? paid);
  return {
    chainId: t.toChainId,
    txHash: receipt.hash,
    blockNumber: receipt.blockNumber,
    blockHash: receipt.blockHash,
    logIndex: log.index,
    token: native ? ZeroAddress : outputToken,
    amount: BigInt(log.data),
  };
}

/** What the handler gave the fallback recipient after its calls; null when they used everything. */
function afterCalls(own: Log[], paid: Log, fallback: string, t: AcrossTransfer, facts: Record<string, string>): Log | null {
  const { outputToken, recipient: handler } = t.relay;
  const later = own.filter((l) => l.index > paid.index);
  const [failed, drained] = (["CallsFailed", "DrainedTokens"] as const).map((name) =>
    later.find((l) => l.address === handler && l.topics[0] === multicallHandler.getEvent(name)!.topicHash),
  );
  facts["callsFailed"] = String(failed !== undefined);
  if (!drained) return null;
  facts["paidTo"] = fallback;
  return later.findLast((l) => l.index < drained.index && isTransfer(l, outputToken, fallback)) ?? null;
}

const isTransfer = (l: Log, token: string, to: string): boolean =>
  l.address === token && l.topics[0] === TRANSFER && l.topics[2] === bytes32(to).toLowerCase();

/** When to look again for a final block: the gap between head and final block, at least a block. */
const blockSeconds = (view: ChainView, moment: Moment, time = moment.finalTime): number =>
  Math.max(1, Math.ceil(view.network.blockTimeMs / 1000), Math.min(60, time - moment.finalTime));

const status = (
  state: TransferStatus["state"],
  waitsFor: string,
  checkAgainSeconds: number,
  facts: Record<string, string>,
): TransferStatus => ({ state, arrival: null, waitsFor, checkAgainSeconds, facts });
