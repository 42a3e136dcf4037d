import { getAddress, type TransactionReceipt } from "ethers";
import { IERC20__factory, IWETH9__factory } from "../../types/contracts/index.js";
import { findToken, networkById } from "../config/networks.js";
import { OP_PREDEPLOYS, opStandardFacts } from "../config/op-standard.js";
import { ArbError } from "../errors.js";
import type { Bridge, BridgeCall, BridgeRoute, ChainView, QuoteAnswer, TransferKey, TransferRequest, Views } from "./bridge.js";
import { ask } from "./logs.js";
import { endsOf, markOf, mintable, type OpStandardData, portal, standardBridge } from "./op-standard-abi.js";
import { momentAt } from "./scan.js";
import { lookAtOpStandard, messageIn } from "./op-standard-track.js";

const erc20 = IERC20__factory.createInterface();
const weth9 = IWETH9__factory.createInterface();

const QUOTE_SECONDS = 600;
/** Gas that the other side's call gets at least: far above what minting a token needs. */
const MIN_GAS = 200_000;
/** A deposit waits for some blocks of Ethereum; a withdrawal for the next claim about its block, which comes every hour or so. */
const DEPOSIT_SECONDS = 300;
const PROPOSAL_SECONDS = 2 * 3600;
/** Proof and finalisation on Ethereum; measured locally 194,000 and 170,000, where the tree of withdrawals is small. */
const WITHDRAWAL_GAS = 1_000_000n;
const MOST = 2n ** 128n - 1n;

/**
 * The OP Stack's standard bridge between Ethereum and OP Mainnet or Base. A deposit arrives by itself. A withdrawal is proven once a
 * claim about the network's state covers it, and finalised when nobody overthrew that claim: two calls of `claim`, days apart. Nothing
 * is ever refunded, and nothing lapses. WETH goes over as ETH and arrives as ETH.
 */
export function opStandardBridge(): Bridge {
  return {
    id: "op-standard",
    serves,
    quote,
    start,
    started,
    track: async (key, views) => (await lookAtOpStandard(key, views)).status,
    claim: async (key, views) => (await lookAtOpStandard(key, views)).call,
    recover: async (key, wish, views) => (wish === "retry" ? (await lookAtOpStandard(key, views)).call : null),
  };
}

function serves(route: BridgeRoute): boolean {
  const [from, to] = [networkById(route.fromChainId), networkById(route.toChainId)];
  if (!from || !to) return false;
  const facts = opStandardFacts(to.chainId) ?? opStandardFacts(from.chainId);
  if (!facts || (facts.l1ChainId === from.chainId) === (facts.l1ChainId === to.chainId)) return false;
  const [tokenIn, tokenOut] = [findToken(from, route.tokenIn), findToken(to, route.tokenOut)];
  return tokenIn !== null && tokenIn.symbol === tokenOut?.symbol && facts.tokens.includes(tokenIn.symbol);
}

async function quote(request: TransferRequest, views: Views): Promise<QuoteAnswer> {
  const refused = (reason: string): QuoteAnswer => ({ ok: false, reason });
  const { route, amountIn } = request;
  if (!serves(route)) return refused("the standard bridge does not carry this token between these networks");
  if (amountIn <= 0n) return refused("the amount is nothing");
  const isDeposit = opStandardFacts(route.toChainId) !== null;
  const l2ChainId = isDeposit ? route.toChainId : route.fromChainId;
  const facts = opStandardFacts(l2ChainId)!;
  const [source, target] = [views(route.fromChainId), views(route.toChainId)];
  const [l1, l2] = isDeposit ? [source, target] : [target, source];
  const [l1Token, l2Token] = isDeposit ? [route.tokenIn, route.tokenOut] : [route.tokenOut, route.tokenIn];
  const native = getAddress(l1Token) === l1.network.wrappedNative;

  const at = facts.l1Bridge.address;
  const addressOf = async (view: ChainView, abi: typeof mintable, to: string, fn: string): Promise<string> =>
    getAddress(abi.decodeFunctionResult(fn, await read(view, fn, to, abi.encodeFunctionData(fn)))[0] as string);
  const flag = async (to: string): Promise<boolean> =>
    BigInt(await read(l1, "paused", to, standardBridge.encodeFunctionData("paused"))) !== 0n;
  const [l1Messenger, other, bridgePaused, portalPaused, from, to] = await Promise.all([
    addressOf(l1, standardBridge, at, "MESSENGER"),
    addressOf(l1, standardBridge, at, "OTHER_BRIDGE"),
    flag(at),
    flag(facts.portal.address),
    momentAt(source),
    momentAt(target),
  ]);
  if (other !== OP_PREDEPLOYS.bridge)
    throw new ArbError("network", `${l1.network.title} does not have this network's standard bridge at its address`, {
      where: at,
      hint: "check the endpoint's chain",
    });
  if (bridgePaused || portalPaused) return refused("the standard bridge is paused");
  let max = MOST;
  if (!native) {
    const [made, bridge] = await Promise.all([
      addressOf(l2, mintable, l2Token, "l1Token"),
      addressOf(l2, mintable, l2Token, "l2Bridge"),
    ]);
    if (made !== getAddress(l1Token) || bridge !== OP_PREDEPLOYS.bridge)
      return refused("the token on the layer 2 is not this bridge's counterpart of the token on Ethereum");
    if (!isDeposit) {
      const asked = standardBridge.encodeFunctionData("deposits", [l1Token, l2Token]);
      max = BigInt(await read(l1, "deposits", at, asked));
    }
  }
  if (amountIn > max) return refused(`the bridge holds ${max} of this token on Ethereum`);

  let etaSeconds = DEPOSIT_SECONDS;
  if (!isDeposit) {
    const delay = await read(l1, "delay of proofs", facts.portal.address, portal.encodeFunctionData("proofMaturityDelaySeconds"));
    etaSeconds = Number(BigInt(delay)) + PROPOSAL_SECONDS;
  }
  if (from.time + etaSeconds > request.deadline) return refused(`it takes about ${etaSeconds} s, longer than the deadline`);
  const terms: OpStandardData = {
    sender: getAddress(request.sender),
    recipient: getAddress(request.recipient),
    tokenIn: getAddress(route.tokenIn),
    tokenOut: getAddress(route.tokenOut),
    amountIn: String(amountIn),
    native: native ? "1" : "0",
    mark: markOf(request.id),
    l1Messenger,
    etaSeconds: String(etaSeconds),
    sourceFrom: String(from.lookFrom),
    destinationFrom: String(to.lookFrom),
  };
  return {
    ok: true,
    quote: {
      bridge: "op-standard",
      request,
      amountIn,
      amountOut: amountIn,
      fee: 0n,
      nativeFee: 0n,
      claimGas: isDeposit ? 0n : WITHDRAWAL_GAS,
      etaSeconds,
      refundSeconds: etaSeconds,
      expiresAt: Math.min(from.time + QUOTE_SECONDS, request.deadline - etaSeconds),
      limits: { min: 1n, max },
      terms,
    },
  };
}

/** A contract's answer; nothing means that it is not there. */
async function read(view: ChainView, what: string, to: string, data: string): Promise<string> {
  const answer = await ask(view, what, view.provider.call({ to, data }));
  if (answer !== "0x") return answer;
  throw new ArbError("network", `${view.network.title} does not answer ${what} at ${to}`, {
    where: view.network.name,
    hint: "check the endpoint's chain",
  });
}

function start(quoted: { request: TransferRequest; terms: Record<string, string> }): { calls: BridgeCall[]; key: TransferKey } {
  const { route, id } = quoted.request;
  const data = quoted.terms as OpStandardData;
  const chainId = route.fromChainId;
  const key: TransferKey = { bridge: "op-standard", fromChainId: chainId, toChainId: route.toChainId, id, sourceTx: null, data };
  const to = endsOf(key).bridgeFrom;
  const amount = BigInt(data.amountIn);
  const call = (at: string, calldata: string, value: bigint, purpose: string): BridgeCall => ({
    chainId,
    to: at,
    data: calldata,
    value,
    purpose,
  });
  if (data.native === "1") {
    const unwrap = weth9.encodeFunctionData("withdraw", [amount]);
    const over = standardBridge.encodeFunctionData("bridgeETHTo", [data.recipient, MIN_GAS, data.mark]);
    const calls = [
      call(data.tokenIn, unwrap, 0n, "unwrap WETH: ETH goes over"),
      call(to, over, amount, "bridge ETH by the standard bridge"),
    ];
    return { calls, key };
  }
  const approval = erc20.encodeFunctionData("approve", [to, amount]);
  const args = [data.tokenIn, data.tokenOut, data.recipient, amount, MIN_GAS, data.mark];
  const over = standardBridge.encodeFunctionData("bridgeERC20To", args);
  const calls = [
    call(data.tokenIn, approval, 0n, "lets the standard bridge take exactly the amount"),
    call(to, over, 0n, "bridge the token by the standard bridge"),
  ];
  return { calls, key };
}

function started(key: TransferKey, receipt: TransactionReceipt): TransferKey {
  if (receipt.status !== 1)
    throw new ArbError("reverted", "the start of the standard bridge's transfer reverted: nothing left the sender", {
      where: receipt.hash,
    });
  if (!messageIn(key, receipt))
    throw new ArbError("usage", "this transaction did not start this transfer", {
      where: receipt.hash,
      hint: "look the transfer up by its key: `track` finds its start by its mark",
    });
  return { ...key, sourceTx: receipt.hash };
}
