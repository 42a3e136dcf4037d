import { getAddress, type TransactionReceipt, type TypedDataDomain, verifyTypedData, ZeroAddress } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { ACROSS_TOKENS, acrossFacts } from "../config/across.js";
import { findToken, networkById } from "../config/networks.js";
import { ArbError } from "../errors.js";
import { readAll } from "../venues/multicall.js";
import { bytes32, depositNonce, handlerMessage, relayTuple, SPEED_UP_TYPES, spokePool, unsafeDepositId } from "./across-abi.js";
import type { FeeSource } from "./across-fees.js";
import { type AcrossData, isOurDeposit, transferOf } from "./across-key.js";
import { trackAcross } from "./across-track.js";
import type {
  Bridge,
  BridgeCall,
  BridgeQuote,
  BridgeRoute,
  ChainView,
  QuoteAnswer,
  RecoverWish,
  TransferKey,
  TransferRequest,
  Views,
} from "./bridge.js";
import { ask } from "./logs.js";

const erc20 = IERC20__factory.createInterface();

/** Root bundles come every one to two hours, wait for a challenge period, and travel by the canonical bridge. */
export const REFUND_SECONDS = 6 * 3600;
/** A slow fill comes with a root bundle, too, but need not wait for the fill deadline. */
export const SLOW_FILL_SECONDS = 2 * 3600;
/** How far before its head a chain may be reorganised, so that no log of ours is before where we look. */
const REORG_SECONDS = 300;
/** A block after a reorganisation may be a little older than the one the quote was made on. */
const CLOCK_SLACK = 30;
/** Less than this between now and the fill deadline leaves relayers no time. */
const LEAST_FILL_SECONDS = 60;
/** Share of the amount that is held back to make it unique: one part in this many at most. It stays with the sender. */
const UNIQUE_PART = 10_000n;

/**
 * Across V3: a deposit into the source's SpokePool, which any relayer may fill on the destination for the difference of the two
 * amounts; unfilled at its deadline it is refunded on the source. `fees` is asked what relayers want.
 */
export function acrossBridge(options: { fees: FeeSource }): Bridge {
  return {
    id: "across",
    serves,
    quote: (request, views) => quote(request, views, options.fees),
    start,
    started,
    track: trackAcross,
    claim,
    recover,
  };
}

/** The same asset, listed in the registry, with the same decimals, between two networks that have a SpokePool. */
function serves(route: BridgeRoute): boolean {
  const [from, to] = [networkById(route.fromChainId), networkById(route.toChainId)];
  if (!from || !to || from === to || from.testnet !== to.testnet) return false;
  if (!acrossFacts(from.chainId) || !acrossFacts(to.chainId)) return false;
  const [tokenIn, tokenOut] = [findToken(from, route.tokenIn), findToken(to, route.tokenOut)];
  if (!tokenIn || !tokenOut || !ACROSS_TOKENS.includes(tokenIn.symbol)) return false;
  return tokenIn.symbol === tokenOut.symbol && tokenIn.decimals === tokenOut.decimals;
}

/** The amount less a share that follows from the id, so that a refund tells which deposit it is for. Base units. */
export function uniqueAmount(amount: bigint, id: string): bigint {
  const range = amount / UNIQUE_PART;
  return range === 0n ? amount : amount - (depositNonce(id) % range);
}

async function quote(request: TransferRequest, views: Views, fees: FeeSource): Promise<QuoteAnswer> {
  const refused = (reason: string): QuoteAnswer => ({ ok: false, reason });
  const { route } = request;
  if (!serves(route)) return refused("Across does not carry this token between these networks");
  if (request.amountIn <= 0n) return refused("the amount is nothing");
  const [source, target] = [views(route.fromChainId), views(route.toChainId)];
  const amountIn = uniqueAmount(request.amountIn, request.id);
  const [from, to, said] = await Promise.all([poolState(source), poolState(target), fees(request, amountIn)]);
  if (from.pausedDeposits) return refused(`deposits are paused on ${source.network.title}`);
  if (to.pausedFills) return refused(`fills are paused on ${target.network.title}`);
  if (!said.ok) return refused(said.reason);
  const { fee, limits, etaSeconds, source: feeSource } = said.advice;
  if (amountIn < limits.min) return refused(`the amount is below the least of ${limits.min}`);
  if (amountIn > limits.max) return refused(`the amount is above the most of ${limits.max}`);
  const amountOut = amountIn - fee;
  if (amountOut <= 0n) return refused("the fee takes the whole amount");

  const [depositor, recipient] = [getAddress(request.sender), getAddress(request.recipient)];
  const latestQuote = from.time - CLOCK_SLACK;
  const oldestQuote = from.time - Math.floor(from.quoteBuffer / 2);
  const quoteTimestamp = Math.min(latestQuote, Math.max(oldestQuote, said.advice.quoteTimestamp ?? latestQuote));
  const fillDeadline = Math.min(request.deadline, from.time + from.fillBuffer - CLOCK_SLACK);
  if (fillDeadline < Math.max(from.time, to.time) + Math.max(LEAST_FILL_SECONDS, 2 * etaSeconds))
    return refused("the deadline leaves relayers no time");
  const startBefore = quoteTimestamp + from.quoteBuffer;
  const nonce = depositNonce(request.id);
  const terms: AcrossData = {
    originPool: from.address,
    destinationPool: to.address,
    depositor,
    recipient,
    inputToken: getAddress(route.tokenIn),
    outputToken: getAddress(route.tokenOut),
    inputAmount: String(amountIn),
    outputAmount: String(amountOut),
    depositId: String(unsafeDepositId(depositor, depositor, nonce)),
    nonce: String(nonce),
    quoteTimestamp: String(quoteTimestamp),
    fillDeadline: String(fillDeadline),
    message: "0x",
    startBefore: String(startBefore),
    etaSeconds: String(etaSeconds),
    sourceFrom: String(from.lookFrom),
    destinationFrom: String(to.lookFrom),
  };
  return {
    ok: true,
    quote: {
      bridge: "across",
      request,
      amountIn,
      amountOut,
      fee,
      nativeFee: 0n,
      claimGas: 0n,
      etaSeconds,
      refundSeconds: fillDeadline - from.time + REFUND_SECONDS,
      expiresAt: Math.min(startBefore, fillDeadline - Math.max(LEAST_FILL_SECONDS, etaSeconds)),
      limits,
      terms: { ...terms, feeSource },
    },
  };
}

interface PoolState {
  address: string;
  time: number;
  pausedDeposits: boolean;
  pausedFills: boolean;
  quoteBuffer: number;
  fillBuffer: number;
  /** Block from which this transfer's logs are looked for. */
  lookFrom: number;
}

async function poolState(view: ChainView): Promise<PoolState> {
  const { network, provider } = view;
  const address = acrossFacts(network.chainId)!.spokePool.address;
  const names = ["getCurrentTime", "pausedDeposits", "pausedFills", "depositQuoteTimeBuffer", "fillDeadlineBuffer"] as const;
  const reads = names.map((what) => ({ target: address, data: spokePool.encodeFunctionData(what), what }));
  const head = await ask(view, "its newest block", provider.getBlockNumber());
  const answers = await readAll(provider, reads, "latest");
  if (answers.includes("0x"))
    throw new ArbError("network", `${network.title} has no SpokePool at ${address}`, {
      where: network.name,
      hint: "check the endpoint's chain",
    });
  const [time, deposits, fills, quoteBuffer, fillBuffer] = names.map((name, i) =>
    Number(spokePool.decodeFunctionResult(name, answers[i]!)[0]),
  ) as [number, number, number, number, number];
  const lookFrom = Math.max(0, head - Math.ceil((REORG_SECONDS * 1000) / network.blockTimeMs));
  return { address, time, pausedDeposits: deposits === 1, pausedFills: fills === 1, quoteBuffer, fillBuffer, lookFrom };
}

/**
 * A quote whose tokens go through Across' MulticallHandler: it runs `calls` on the destination inside the fill, and gives what they
 * leave, or everything when one of them fails, to `fallbackRecipient`. Without that recipient a failing call would stop every fill,
 * so one must be given, here or in the request. Relayers may want more for it, or refuse.
 * Throws ArbError "usage" without a recipient.
 */
export function withCalls(
  quoted: BridgeQuote,
  calls: { target: string; data: string; value: bigint }[],
  fallbackRecipient = quoted.request.fallbackRecipient,
): BridgeQuote {
  if (fallbackRecipient === undefined || BigInt(fallbackRecipient) === 0n)
    throw new ArbError("usage", "calls at the destination need a recipient for what they leave", { where: quoted.request.id });
  const fallback = getAddress(fallbackRecipient);
  const handler = acrossFacts(quoted.request.route.toChainId)!.multicallHandler.address;
  return { ...quoted, terms: { ...quoted.terms, recipient: handler, message: handlerMessage(calls, fallback), fallback } };
}

function start(quoted: BridgeQuote): { calls: BridgeCall[]; key: TransferKey } {
  const { route, id } = quoted.request;
  const { feeSource: _said, ...data } = quoted.terms;
  const key: TransferKey = {
    bridge: "across",
    fromChainId: route.fromChainId,
    toChainId: route.toChainId,
    id,
    sourceTx: null,
    data,
  };
  const { relay, originPool, nonce, quoteTimestamp } = transferOf(key);
  const chainId = route.fromChainId;
  const approval = {
    chainId,
    to: relay.inputToken,
    data: erc20.encodeFunctionData("approve", [originPool, relay.inputAmount]),
    value: 0n,
    purpose: "lets Across' SpokePool take exactly the deposit",
  };
  const deposit = spokePool.encodeFunctionData("unsafeDeposit", [
    bytes32(relay.depositor),
    bytes32(relay.recipient),
    bytes32(relay.inputToken),
    bytes32(relay.outputToken),
    relay.inputAmount,
    relay.outputAmount,
    route.toChainId,
    bytes32(ZeroAddress),
    nonce,
    quoteTimestamp,
    relay.fillDeadline,
    0,
    relay.message,
  ]);
  return { calls: [approval, { chainId, to: originPool, data: deposit, value: 0n, purpose: "deposit into Across" }], key };
}

function started(key: TransferKey, receipt: TransactionReceipt): TransferKey {
  const t = transferOf(key);
  if (receipt.status !== 1)
    throw new ArbError("reverted", "the deposit into Across reverted: nothing left the sender", { where: receipt.hash });
  if (!receipt.logs.some((log) => isOurDeposit(log, t)))
    throw new ArbError("usage", "this transaction did not make this transfer's deposit", {
      where: receipt.hash,
      hint: "look the transfer up by its key: `track` finds its deposit by its id",
    });
  return { ...key, sourceTx: receipt.hash };
}

/** A refund whose transfer failed is a credit in the pool, which only the depositor can claim. */
async function claim(key: TransferKey, views: Views, refundTo?: string): Promise<BridgeCall | null> {
  const status = await trackAcross(key, views);
  if (status.state !== "claimable") return null;
  const { relay, originPool, fromChainId } = transferOf(key);
  const data = spokePool.encodeFunctionData("claimRelayerRefund", [
    bytes32(relay.inputToken),
    bytes32(getAddress(refundTo ?? relay.depositor)),
  ]);
  return { chainId: fromChainId, to: originPool, data, value: 0n, purpose: "claim the refund of an Across deposit" };
}

/**
 * `speed-up`: `more.outputAmount` (base units, below the present one) with the depositor's `more.signature` of `speedUpToSign`.
 * `retry`: asks for a slow fill, paid by Across itself where relayers stay away. `claim-refund`: as `claim`; `more.refundTo` names
 * another receiver, for a depositor that the token's issuer blocks.
 */
async function recover(
  key: TransferKey,
  wish: RecoverWish,
  views: Views,
  more: Record<string, string> = {},
): Promise<BridgeCall | null> {
  if (wish === "claim-refund") return await claim(key, views, more["refundTo"]);
  if (wish === "re-attest") return null;
  const status = await trackAcross(key, views);
  if (status.state !== "initiated" && status.state !== "slow") return null;
  if (status.facts["fill"] !== undefined || status.facts["deadlinePassed"] === "true") return null;
  return wish === "speed-up" ? speedUp(key, more) : slowFill(key, status.facts["fillStatus"]);
}

/** What the depositor must sign so that relayers may fill with `outputAmount` instead: EIP-712 domain, types and value. */
export function speedUpToSign(
  key: TransferKey,
  outputAmount: bigint,
): { domain: TypedDataDomain; types: typeof SPEED_UP_TYPES; value: Record<string, unknown> } {
  const { relay } = transferOf(key);
  return {
    domain: { name: "ACROSS-V2", version: "1.0.0", chainId: relay.originChainId },
    types: SPEED_UP_TYPES,
    value: {
      depositId: relay.depositId,
      originChainId: relay.originChainId,
      updatedOutputAmount: outputAmount,
      updatedRecipient: bytes32(relay.recipient),
      updatedMessage: relay.message,
    },
  };
}

function speedUp(key: TransferKey, more: Record<string, string>): BridgeCall {
  const { relay, originPool, fromChainId } = transferOf(key);
  const [outputAmount, signature] = [BigInt(more["outputAmount"] ?? 0), more["signature"] ?? "0x"];
  if (outputAmount <= 0n || outputAmount >= relay.outputAmount)
    throw new ArbError("usage", `a speed-up offers relayers more: its output must be below ${relay.outputAmount}`, {
      where: key.id,
    });
  const { domain, types, value } = speedUpToSign(key, outputAmount);
  // A contract's signature (ERC-1271) would have to be valid on both chains; our vault signs nothing.
  if (signature === "0x" || verifyTypedData(domain, types, value, signature) !== relay.depositor)
    throw new ArbError("usage", "a speed-up needs the depositor's own signature", {
      where: key.id,
      hint: "sign what speedUpToSign gives with the depositor's key; a contract cannot speed up",
    });
  const data = spokePool.encodeFunctionData("speedUpDeposit", [
    bytes32(relay.depositor),
    relay.depositId,
    outputAmount,
    bytes32(relay.recipient),
    relay.message,
    signature,
  ]);
  return { chainId: fromChainId, to: originPool, data, value: 0n, purpose: "offer relayers a higher fee" };
}

/** Across makes no slow fills of deposits with a message. */
function slowFill(key: TransferKey, fillStatus: string | undefined): BridgeCall | null {
  const { relay, destinationPool, toChainId } = transferOf(key);
  if (relay.message !== "0x" || fillStatus !== "unfilled") return null;
  const data = spokePool.encodeFunctionData("requestSlowFill", [relayTuple(relay)]);
  return { chainId: toChainId, to: destinationPool, data, value: 0n, purpose: "ask Across for a slow fill" };
}
