import { AbiCoder, dataLength, formatEther, getAddress, type Interface, type TransactionReceipt } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { arbitrumGatewayFacts } from "../config/arbitrum-gateway.js";
import { findToken, networkById } from "../config/networks.js";
import { ArbError } from "../errors.js";
import { uniqueAmount } from "./across.js";
import { type ArbitrumGatewayData, gateway, inbox, router, sentIn } from "./arbitrum-gateway-abi.js";
import { type ArbitrumWithdrawalData, quoteWithdrawal, startWithdrawal, withdrawalIn } from "./arbitrum-withdrawal.js";
import { lookAtArbitrumGateway } from "./arbitrum-gateway-track.js";
import type { Bridge, BridgeCall, BridgeRoute, ChainView, QuoteAnswer, TransferKey, TransferRequest, Views } from "./bridge.js";
import { ask, blockAt } from "./logs.js";
import { momentAt } from "./scan.js";

const erc20 = IERC20__factory.createInterface();

/** Nitro waits for some ten minutes of Ethereum's blocks before it takes a message over. */
const DEPOSIT_SECONDS = 900;
const QUOTE_SECONDS = 600;
/** Gas that the ticket's call may use on the layer 2; what it does not use comes back there. */
const MAX_GAS = 400_000n;
/** Ethereum's base fee, and with it the ticket's, may rise by this factor before the start; the rest comes back on the layer 2. */
const FEE_ROOM = 3n;
/** Most that a layer 2's gas price may rise before the ticket has to be redeemed by hand. */
const PRICE_ROOM = 3n;

export interface ArbitrumGatewayOptions {
  /** Most that a ticket may cost with its gas on the layer 2, wei. */
  maxNativeFee: bigint;
}

/**
 * Arbitrum's token bridge between Ethereum and Arbitrum One. A deposit is a retryable ticket that mints on the layer 2; one that did not
 * redeem itself is redeemed by anybody, for a week; after that what it carries is lost. A withdrawal is paid by the outbox, when we call
 * it, once the rollup has confirmed it; it does not lapse.
 */
export function arbitrumGatewayBridge(options: ArbitrumGatewayOptions): Bridge {
  return {
    id: "arbitrum-gateway",
    serves,
    quote: (request, views) => quote(request, views, options),
    start,
    started,
    track: async (key, views) => (await lookAtArbitrumGateway(key, views)).status,
    claim: async (key, views) => (await lookAtArbitrumGateway(key, views)).call,
    recover: async (key, wish, views) => (wish === "retry" ? (await lookAtArbitrumGateway(key, views)).call : null),
  };
}

function serves(route: BridgeRoute): boolean {
  const [from, to] = [networkById(route.fromChainId), networkById(route.toChainId)];
  const facts = arbitrumGatewayFacts(route.toChainId) ?? arbitrumGatewayFacts(route.fromChainId);
  if (!from || !to || !facts || (facts.l1ChainId === from.chainId) === (facts.l1ChainId === to.chainId)) return false;
  const [tokenIn, tokenOut] = [findToken(from, route.tokenIn), findToken(to, route.tokenOut)];
  return tokenIn !== null && tokenIn.symbol === tokenOut?.symbol && facts.tokens.includes(tokenIn.symbol);
}

async function quote(request: TransferRequest, views: Views, options: ArbitrumGatewayOptions): Promise<QuoteAnswer> {
  const refused = (reason: string): QuoteAnswer => ({ ok: false, reason });
  const { route } = request;
  if (!serves(route)) return refused("Arbitrum's gateways do not carry this token between these networks");
  if (arbitrumGatewayFacts(route.fromChainId)) return await quoteWithdrawal(request, views);
  if (request.amountIn <= 0n) return refused("the amount is nothing");
  const facts = arbitrumGatewayFacts(route.toChainId)!;
  const [source, target] = [views(route.fromChainId), views(route.toChainId)];
  const [sender, recipient, l1Token] = [getAddress(request.sender), getAddress(request.recipient), getAddress(route.tokenIn)];
  const amountIn = uniqueAmount(request.amountIn, request.id);

  const at = facts.l1Router.address;
  const [paused, l1Gateway, l2Token, from, to, head] = await Promise.all([
    read(source, inbox, facts.inbox.address, "paused", []),
    read(source, router, at, "getGateway", [l1Token]),
    read(source, router, at, "calculateL2TokenAddress", [l1Token]),
    momentAt(source),
    momentAt(target),
    ask(target, "its newest block", target.provider.getBlockNumber()),
  ]);
  if (paused === true) return refused("Arbitrum's inbox is paused");
  if (BigInt(l1Gateway as string) === 0n) return refused("the router has no gateway for this token: it is not bridged any more");
  if (l2Token !== getAddress(route.tokenOut)) return refused("the router's counterpart of this token is another one");
  const l2Gateway = (await read(source, gateway, l1Gateway as string, "counterpartGateway", [])) as string;
  const calldata = (await read(source, gateway, l1Gateway as string, "getOutboundCalldata", [
    l1Token,
    sender,
    recipient,
    amountIn,
    "0x",
  ])) as string;
  const base = async (view: ChainView, number: number): Promise<bigint> => (await blockAt(view, number)).baseFeePerGas ?? 0n;
  const l1Fee = await base(source, await ask(source, "its newest block", source.provider.getBlockNumber()));
  const gasPrice = PRICE_ROOM * (await base(target, head));
  const submission = (await read(source, inbox, facts.inbox.address, "calculateRetryableSubmissionFee", [
    dataLength(calldata),
    FEE_ROOM * l1Fee,
  ])) as bigint;
  const nativeFee = submission + MAX_GAS * gasPrice;
  if (nativeFee > options.maxNativeFee)
    return refused(`the ticket costs up to ${formatEther(nativeFee)} ETH, allowed are ${formatEther(options.maxNativeFee)} ETH`);
  if (from.time + DEPOSIT_SECONDS > request.deadline)
    return refused(`it takes about ${DEPOSIT_SECONDS} s, longer than the deadline`);

  const terms: ArbitrumGatewayData = {
    sender,
    recipient,
    tokenIn: l1Token,
    tokenOut: getAddress(route.tokenOut),
    amountIn: String(amountIn),
    l1Gateway: getAddress(l1Gateway as string),
    l2Gateway: getAddress(l2Gateway),
    maxGas: String(MAX_GAS),
    gasPrice: String(gasPrice),
    submissionCost: String(submission),
    etaSeconds: String(DEPOSIT_SECONDS),
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
      nativeFee,
      claimGas: 0n,
      etaSeconds: DEPOSIT_SECONDS,
      refundSeconds: DEPOSIT_SECONDS,
      expiresAt: Math.min(from.time + QUOTE_SECONDS, request.deadline - DEPOSIT_SECONDS),
      limits: { min: 1n, max: 2n ** 128n - 1n },
      terms,
    },
  };
}

async function read(view: ChainView, abi: Interface, to: string, fn: string, args: unknown[]): Promise<unknown> {
  const answer = await ask(view, fn, view.provider.call({ to, data: abi.encodeFunctionData(fn, args) }));
  if (answer !== "0x") return abi.decodeFunctionResult(fn, answer)[0] as unknown;
  throw new ArbError("network", `${view.network.title} does not answer ${fn} at ${to}`, {
    where: view.network.name,
    hint: "check the endpoint's chain",
  });
}

function start(quoted: { request: TransferRequest; terms: Record<string, string>; nativeFee: bigint }): {
  calls: BridgeCall[];
  key: TransferKey;
} {
  const { route, id } = quoted.request;
  if (arbitrumGatewayFacts(route.fromChainId)) return startWithdrawal(quoted.request, quoted.terms as ArbitrumWithdrawalData);
  const data = quoted.terms as ArbitrumGatewayData;
  const chainId = route.fromChainId;
  // the gateway takes the tokens, the router the call
  const approval = erc20.encodeFunctionData("approve", [data.l1Gateway, BigInt(data.amountIn)]);
  const extra = AbiCoder.defaultAbiCoder().encode(["uint256", "bytes"], [data.submissionCost, "0x"]);
  const over = router.encodeFunctionData("outboundTransferCustomRefund", [
    data.tokenIn,
    data.recipient, // what the ticket does not use comes back to whom the tokens go
    data.recipient,
    data.amountIn,
    data.maxGas,
    data.gasPrice,
    extra,
  ]);
  const to = arbitrumGatewayFacts(route.toChainId)!.l1Router.address;
  return {
    calls: [
      { chainId, to: data.tokenIn, data: approval, value: 0n, purpose: "lets Arbitrum's gateway take exactly the amount" },
      { chainId, to, data: over, value: quoted.nativeFee, purpose: "bridge the token by Arbitrum's gateway" },
    ],
    key: { bridge: "arbitrum-gateway", fromChainId: chainId, toChainId: route.toChainId, id, sourceTx: null, data },
  };
}

function started(key: TransferKey, receipt: TransactionReceipt): TransferKey {
  if (receipt.status !== 1)
    throw new ArbError("reverted", "the transfer by Arbitrum's gateway reverted: nothing left the sender", {
      where: receipt.hash,
    });
  const sent = arbitrumGatewayFacts(key.fromChainId) ? withdrawalIn(key, receipt) : sentIn(key, receipt);
  if (!sent)
    throw new ArbError("usage", "this transaction did not start this transfer", {
      where: receipt.hash,
      hint: "look the transfer up by its key: `track` finds its start by sender and amount",
    });
  return { ...key, sourceTx: receipt.hash };
}
