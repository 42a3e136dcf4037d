import { formatEther, getAddress, type TransactionReceipt } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { classifyNodeError } from "../chain/errors.js";
import { findToken, networkById } from "../config/networks.js";
import { stargateFacts } from "../config/stargate.js";
import { ArbError } from "../errors.js";
import { uniqueAmount } from "./across.js";
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
import { bytes32, fiatToken } from "./cctp-message.js";
import { ask, blockAt } from "./logs.js";
import { PAUSED, pool } from "./stargate-abi.js";
import { lookAtStargate, reasonOf, sentBy, type StargateData } from "./stargate-track.js";

const erc20 = IERC20__factory.createInterface();

/** How far before its head a chain may be reorganised, so that no log of ours is before where we look. */
const REORG_SECONDS = 300;
const QUOTE_SECONDS = 60;
/** The message's fee may rise by a tenth before the send; what is too much comes back to the sender. */
const FEE_HEADROOM = 10n;
/** The pool's fee may rise by one basis point; beyond that the send reverts and nothing leaves. */
const SLIPPAGE = 10_000n;

export interface StargateOptions {
  /** Most that a message may cost, wei of the source chain. */
  maxNativeFee: bigint;
}

/**
 * Stargate v2, taxi mode: USDC into the pool of the source, a LayerZero message of its own, USDC out of the pool of the destination. A
 * send that passes has its credit reserved: it is never refunded, only delivered; late, or after a retry.
 */
export function stargateBridge(options: StargateOptions): Bridge {
  return {
    id: "stargate",
    serves,
    quote: (request, views) => quote(request, views, options),
    start,
    started,
    track: async (key, views) => (await lookAtStargate(key, views)).status,
    claim: async (key, views) => (await lookAtStargate(key, views)).call,
    recover,
  };
}

function serves(route: BridgeRoute): boolean {
  const [from, to] = [networkById(route.fromChainId), networkById(route.toChainId)];
  if (!from || !to || from === to || !stargateFacts(from.chainId) || !stargateFacts(to.chainId)) return false;
  return [findToken(from, route.tokenIn), findToken(to, route.tokenOut)].every((token) => token?.symbol === "USDC");
}

async function quote(request: TransferRequest, views: Views, options: StargateOptions): Promise<QuoteAnswer> {
  const refused = (reason: string): QuoteAnswer => ({ ok: false, reason });
  const { route } = request;
  if (!serves(route)) return refused("Stargate carries USDC between networks that both have its pool");
  if (request.amountIn <= 0n) return refused("the amount is nothing");
  const [source, target] = [views(route.fromChainId), views(route.toChainId)];
  const [sender, recipient] = [getAddress(request.sender), getAddress(request.recipient)];
  const amountIn = uniqueAmount(request.amountIn, request.id);
  const [from, to] = await Promise.all([sideOf(source, route.tokenIn, sender), sideOf(target, route.tokenOut, recipient)]);
  for (const side of [from, to]) if (side.refusal !== null) return refused(side.refusal);

  const eid = stargateFacts(route.toChainId)!.eid;
  const params = sendParam(eid, recipient, amountIn, 0n);
  const offered = await askPool(source, "quoteOFT", [params]);
  if (!offered.ok) return refused(`the pool refuses: ${offered.reason}`);
  const [limit, , receipt] = offered.result as unknown as [
    { minAmountLD: bigint; maxAmountLD: bigint },
    unknown,
    { amountSentLD: bigint; amountReceivedLD: bigint },
  ];
  if (amountIn > limit.maxAmountLD) return refused(`the pool has credit for ${limit.maxAmountLD} on this path only`);
  if (amountIn < limit.minAmountLD || receipt.amountSentLD !== amountIn || receipt.amountReceivedLD === 0n)
    return refused(`the amount is below what the pool takes, or finer than it counts`);
  const received = receipt.amountReceivedLD;
  const minAmount = received - received / SLIPPAGE;

  const priced = await askPool(source, "quoteSend", [sendParam(eid, recipient, amountIn, minAmount), false]);
  if (!priced.ok) return refused(`the message cannot be sent: ${priced.reason}`);
  const [{ nativeFee: fee }] = priced.result as unknown as [{ nativeFee: bigint }];
  const nativeFee = fee + fee / FEE_HEADROOM;
  if (nativeFee > options.maxNativeFee)
    return refused(`the message costs up to ${formatEther(nativeFee)} ETH, allowed are ${formatEther(options.maxNativeFee)} ETH`);
  const etaSeconds = stargateFacts(route.fromChainId)!.seconds;
  if (from.time + etaSeconds > request.deadline) return refused(`it takes about ${etaSeconds} s, longer than the deadline`);

  const terms: StargateData = {
    sender,
    recipient,
    tokenIn: getAddress(route.tokenIn),
    tokenOut: getAddress(route.tokenOut),
    amountIn: String(amountIn),
    minAmount: String(minAmount),
    etaSeconds: String(etaSeconds),
    sourceFrom: String(from.lookFrom),
    destinationFrom: String(to.lookFrom),
  };
  return {
    ok: true,
    quote: {
      bridge: "stargate",
      request,
      amountIn,
      amountOut: minAmount,
      fee: amountIn - minAmount,
      nativeFee,
      claimGas: 0n,
      etaSeconds,
      refundSeconds: 2 * etaSeconds,
      expiresAt: Math.min(from.time + QUOTE_SECONDS, request.deadline - etaSeconds),
      limits: { min: limit.minAmountLD, max: limit.maxAmountLD },
      terms: { ...terms, expected: String(received) },
    },
  };
}

/** `oftCmd` is empty: a taxi. A bus would wait for other passengers. */
const sendParam = (eid: number, to: string, amount: bigint, minAmount: bigint): unknown[] => [
  eid,
  bytes32(to),
  amount,
  minAmount,
  "0x",
  "0x",
  "0x",
];

/** A view of the source's pool; a revert is an answer. */
async function askPool(
  view: ChainView,
  fn: "quoteOFT" | "quoteSend",
  args: unknown[],
): Promise<{ ok: true; result: unknown[] } | { ok: false; reason: string }> {
  const to = stargateFacts(view.network.chainId)!.usdcPool.address;
  const call = view.provider.call({ to, data: pool.encodeFunctionData(fn, args) }).then(
    (data) => ({ ok: true as const, result: pool.decodeFunctionResult(fn, data).toArray() as unknown[] }),
    (error: unknown) => {
      const { kind, message, revertData } = classifyNodeError(error);
      if (kind !== "reverted") throw error;
      return { ok: false as const, reason: reasonOf(revertData) ?? message };
    },
  );
  return await ask(view, fn, call);
}

interface Side {
  refusal: string | null;
  time: number;
  lookFrom: number;
}

/** One end of the transfer: is its pool open, is our account free there? */
async function sideOf(view: ChainView, token: string, account: string): Promise<Side> {
  const { network, provider } = view;
  const at = stargateFacts(network.chainId)!.usdcPool.address;
  const head = await ask(view, "its newest block", provider.getBlockNumber());
  const read = async (to: string, what: string, data: string): Promise<string> => {
    const answer = await ask(view, what, provider.call({ to, data, blockTag: head }));
    if (answer !== "0x") return answer;
    throw new ArbError("network", `${network.title} does not answer ${what} at ${to}`, {
      where: network.name,
      hint: "check the endpoint's chain",
    });
  };
  const [pooled, status, blocked, { timestamp }] = await Promise.all([
    read(at, "the pool's token", pool.encodeFunctionData("token")),
    read(at, "the pool's status", pool.encodeFunctionData("status")),
    read(token, "isBlacklisted", fiatToken.encodeFunctionData("isBlacklisted", [account])),
    blockAt(view, head),
  ]);
  const refusal =
    BigInt(pooled) !== BigInt(token)
      ? `the pool on ${network.title} holds another token`
      : BigInt(status) === PAUSED
        ? `the pool on ${network.title} is paused`
        : BigInt(blocked) !== 0n
          ? `${account} is blocked by the issuer of USDC on ${network.title}`
          : null;
  const lookFrom = Math.max(0, head - Math.ceil((REORG_SECONDS * 1000) / network.blockTimeMs));
  return { refusal, time: timestamp, lookFrom };
}

function start(quoted: BridgeQuote): { calls: BridgeCall[]; key: TransferKey } {
  const { route, id } = quoted.request;
  const { expected: _shown, ...terms } = quoted.terms;
  const data = terms as StargateData;
  const chainId = route.fromChainId;
  const to = stargateFacts(chainId)!.usdcPool.address;
  const params = sendParam(stargateFacts(route.toChainId)!.eid, data.recipient, quoted.amountIn, BigInt(data.minAmount));
  const approval = erc20.encodeFunctionData("approve", [to, quoted.amountIn]);
  const send = pool.encodeFunctionData("send", [params, [quoted.nativeFee, 0n], data.sender]);
  return {
    calls: [
      { chainId, to: data.tokenIn, data: approval, value: 0n, purpose: "lets Stargate's pool take exactly the amount" },
      { chainId, to, data: send, value: quoted.nativeFee, purpose: "send USDC by Stargate" },
    ],
    key: { bridge: "stargate", fromChainId: chainId, toChainId: route.toChainId, id, sourceTx: null, data },
  };
}

function started(key: TransferKey, receipt: TransactionReceipt): TransferKey {
  if (receipt.status !== 1)
    throw new ArbError("reverted", "the send by Stargate reverted: nothing left the sender but gas", { where: receipt.hash });
  const sent = sentBy(key, receipt);
  if (!sent)
    throw new ArbError("usage", "this transaction did not make this transfer's send", {
      where: receipt.hash,
      hint: "look the transfer up by its key: `track` finds its send by its amount",
    });
  return { ...key, sourceTx: receipt.hash, data: { ...key.data, guid: sent.packet.guid } };
}

/** `retry`: pays out what the pool holds back, or executes what LayerZero verified, when that would pass now. */
async function recover(key: TransferKey, wish: RecoverWish, views: Views): Promise<BridgeCall | null> {
  return wish === "retry" ? (await lookAtStargate(key, views)).call : null;
}
