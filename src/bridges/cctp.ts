import { getAddress, type TransactionReceipt } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { cctpFacts } from "../config/cctp.js";
import { findToken, networkById } from "../config/networks.js";
import { ArbError } from "../errors.js";
import { readAll } from "../venues/multicall.js";
import { uniqueAmount } from "./across.js";
import type {
  Bridge,
  BridgeCall,
  BridgeRoute,
  ChainView,
  QuoteAnswer,
  RecoverWish,
  TransferKey,
  TransferRequest,
  Views,
} from "./bridge.js";
import {
  bytes32,
  FAST,
  fiatToken,
  markOf,
  messageOf,
  messageTransmitter,
  STANDARD,
  tokenMessenger,
  tokenMinter,
} from "./cctp-message.js";
import { type CctpData, hasBurn, lookAtCctp } from "./cctp-track.js";
import type { Iris } from "./iris.js";
import { ask, blockAt } from "./logs.js";

const erc20 = IERC20__factory.createInterface();

/** How far before its head a chain may be reorganised, so that no log of ours is before where we look. */
const REORG_SECONDS = 300;
/** How long a quote's fee is relied on. */
const QUOTE_SECONDS = 120;
/** A fast fee may rise by a tenth between quote and burn; with a lower bound the transfer would wait for finality instead. */
const FEE_HEADROOM = 10n;
/** Measured 171,556 (final) and 186,165 (fast, mints twice); with room for our mark in the message. */
const MINT_GAS = 230_000n;
/** Denominator of Iris.fastFee. */
const FEE_UNIT = 10n ** 12n;

export interface CctpOptions {
  iris: Iris;
  /** `auto`: standard where it arrives before the request's deadline, for it is free; else fast. */
  speed?: "fast" | "standard" | "auto";
}

/**
 * CCTP v2: burns USDC on the source, waits for Circle's signatures, and mints on the destination with a call of ours (or anybody's).
 * A burn is never refunded: it can be minted at any time later. A fast transfer whose fee is too low, or that Circle has no
 * allowance for, becomes a standard one.
 */
export function cctpBridge({ iris, speed = "auto" }: CctpOptions): Bridge {
  return {
    id: "cctp",
    serves,
    quote: (request, views) => quote(request, views, iris, speed),
    start,
    started,
    track: async (key, views) => (await lookAtCctp(key, views, iris)).status,
    claim: async (key, views) => (await lookAtCctp(key, views, iris)).call,
    recover: (key, wish, views) => recover(key, wish, views, iris),
  };
}

function serves(route: BridgeRoute): boolean {
  const [from, to] = [networkById(route.fromChainId), networkById(route.toChainId)];
  if (!from || !to || from === to || from.testnet !== to.testnet) return false;
  if (!cctpFacts(from.chainId) || !cctpFacts(to.chainId)) return false;
  return [findToken(from, route.tokenIn), findToken(to, route.tokenOut)].every((token) => token?.symbol === "USDC");
}

async function quote(request: TransferRequest, views: Views, iris: Iris, wanted: CctpOptions["speed"]): Promise<QuoteAnswer> {
  const refused = (reason: string): QuoteAnswer => ({ ok: false, reason });
  const { route } = request;
  // without a mark the amount must tell this burn from others
  const amountIn = request.bare === true ? uniqueAmount(request.amountIn, request.id) : request.amountIn;
  if (!serves(route)) return refused("CCTP carries USDC between networks that both have it, and nothing else");
  if (amountIn <= 0n) return refused("the amount is nothing");
  const [source, target] = [views(route.fromChainId), views(route.toChainId)];
  const [sender, recipient] = [getAddress(request.sender), getAddress(request.recipient)];
  const [here, there] = [cctpFacts(route.fromChainId)!, cctpFacts(route.toChainId)!];
  const [from, to] = await Promise.all([
    sideOf(source, route.tokenIn, sender, there.domain),
    sideOf(target, route.tokenOut, recipient, here.domain),
  ]);
  for (const side of [from, to]) if (side.refusal !== null) return refused(side.refusal);
  const [limit, leastFee] = await burnTerms(source, from.minter, route.tokenIn, amountIn);
  if (amountIn > limit) return refused(`the amount is above the most of one message, ${limit}`);

  const { seconds } = here;
  const inTime = from.time + seconds.standard <= request.deadline;
  let isFast = wanted === "fast" || (wanted === "auto" && !inTime);
  let maxFee = leastFee;
  if (isFast) {
    const [rate, allowance] = await Promise.all([iris.fastFee(here.domain, there.domain), iris.fastAllowance()]);
    if (rate === null || amountIn > allowance) {
      const why = rate === null ? "no fast transfer from this network" : `fast transfers are left for ${allowance} only`;
      if (wanted === "fast" || !inTime) return refused(why);
      isFast = false;
    } else {
      const fee = (amountIn * rate + FEE_UNIT - 1n) / FEE_UNIT;
      const bounded = fee + (fee + FEE_HEADROOM - 1n) / FEE_HEADROOM;
      maxFee = bounded > leastFee ? bounded : leastFee;
    }
  } else if (!inTime) return refused(`a standard transfer takes about ${seconds.standard} s, longer than the deadline`);
  if (maxFee >= amountIn) return refused("the fee takes the whole amount");

  const etaSeconds = isFast ? seconds.fast : seconds.standard;
  if (from.time + etaSeconds > request.deadline) return refused(`it takes about ${etaSeconds} s, longer than the deadline`);
  const minFinality = isFast ? FAST : STANDARD;
  const message = messageOf({
    sourceDomain: here.domain,
    destinationDomain: there.domain,
    sender: here.tokenMessenger.address,
    recipient: there.tokenMessenger.address,
    minFinality,
    burnToken: route.tokenIn,
    mintRecipient: recipient,
    amount: amountIn,
    messageSender: sender,
    maxFee,
    hookData: request.bare === true ? "0x" : markOf(request.id),
  });
  const terms: CctpData = {
    message,
    sender,
    recipient,
    tokenIn: getAddress(route.tokenIn),
    tokenOut: getAddress(route.tokenOut),
    amountIn: String(amountIn),
    maxFee: String(maxFee),
    minFinality: String(minFinality),
    etaSeconds: String(etaSeconds),
    sourceFrom: String(from.lookFrom),
    destinationFrom: String(to.lookFrom),
  };
  return {
    ok: true,
    quote: {
      bridge: "cctp",
      request,
      amountIn,
      amountOut: amountIn - maxFee,
      fee: maxFee,
      nativeFee: 0n,
      claimGas: MINT_GAS,
      etaSeconds,
      refundSeconds: seconds.standard,
      expiresAt: Math.min(from.time + QUOTE_SECONDS, request.deadline - etaSeconds),
      limits: { min: leastFee + 1n, max: limit },
      terms,
    },
  };
}

interface Side {
  /** Why nothing can go through here; null = it can. */
  refusal: string | null;
  time: number;
  minter: string;
  lookFrom: number;
}

/** One end of the transfer: is it open, does it know the other, is our account free there? */
async function sideOf(view: ChainView, token: string, account: string, otherDomain: number): Promise<Side> {
  const { network, provider } = view;
  const facts = cctpFacts(network.chainId)!;
  const [messenger, transmitter] = [facts.tokenMessenger.address, facts.messageTransmitter.address];
  const head = await ask(view, "its newest block", provider.getBlockNumber());
  const { timestamp } = await blockAt(view, head);
  const read = (target: string, what: string, data: string) => ({ target, what, data });
  const answers = await readAll(
    provider,
    [
      read(transmitter, "paused", messageTransmitter.encodeFunctionData("paused")),
      read(token, "paused", fiatToken.encodeFunctionData("paused")),
      read(token, "isBlacklisted", fiatToken.encodeFunctionData("isBlacklisted", [account])),
      read(messenger, "isDenylisted", tokenMessenger.encodeFunctionData("isDenylisted", [account])),
      read(messenger, "remoteTokenMessengers", tokenMessenger.encodeFunctionData("remoteTokenMessengers", [otherDomain])),
      read(messenger, "localMinter", tokenMessenger.encodeFunctionData("localMinter")),
    ],
    head,
  );
  if (answers.includes("0x"))
    throw new ArbError("network", `${network.title} does not have CCTP v2 at its addresses`, {
      where: network.name,
      hint: "check the endpoint's chain",
    });
  const [paused, tokenPaused, blacklisted, denied, remote] = answers.map((answer) => BigInt(answer) !== 0n);
  const refusal =
    paused || tokenPaused
      ? `CCTP or USDC is paused on ${network.title}`
      : blacklisted || denied
        ? `${account} is blocked by the issuer of USDC on ${network.title}`
        : remote
          ? null
          : `${network.title} does not take messages of the other network`;
  const minter = getAddress(`0x${answers[5]!.slice(-40)}`);
  const lookFrom = Math.max(0, head - Math.ceil((REORG_SECONDS * 1000) / network.blockTimeMs));
  return { refusal, time: timestamp, minter, lookFrom };
}

/** The most that one message burns, and the least fee that the contract asks for, base units. */
async function burnTerms(view: ChainView, minter: string, token: string, amount: bigint): Promise<[bigint, bigint]> {
  const messenger = cctpFacts(view.network.chainId)!.tokenMessenger.address;
  const limit = { target: minter, what: "burn limit", data: tokenMinter.encodeFunctionData("burnLimitsPerMessage", [token]) };
  const fee = { target: messenger, what: "least fee", data: tokenMessenger.encodeFunctionData("getMinFeeAmount", [amount]) };
  const answers = await readAll(view.provider, [limit, fee], "latest");
  return [BigInt(answers[0]!), BigInt(answers[1]!)];
}

function start(quoted: { request: TransferRequest; terms: Record<string, string> }): { calls: BridgeCall[]; key: TransferKey } {
  const { route, id } = quoted.request;
  const data = quoted.terms as CctpData;
  const chainId = route.fromChainId;
  const to = cctpFacts(chainId)!.tokenMessenger.address;
  const approval = erc20.encodeFunctionData("approve", [to, BigInt(data.amountIn)]);
  const burnArguments = [
    data.amountIn,
    cctpFacts(route.toChainId)!.domain,
    bytes32(data.recipient),
    data.tokenIn,
    bytes32("0x0000000000000000000000000000000000000000"), // anybody may mint: a mint by somebody else is as good
    data.maxFee,
    data.minFinality,
  ];
  const burn =
    quoted.request.bare === true
      ? tokenMessenger.encodeFunctionData("depositForBurn", burnArguments)
      : tokenMessenger.encodeFunctionData("depositForBurnWithHook", [...burnArguments, markOf(id)]);
  return {
    calls: [
      { chainId, to: data.tokenIn, data: approval, value: 0n, purpose: "lets CCTP take exactly the amount to burn" },
      { chainId, to, data: burn, value: 0n, purpose: "burn USDC for CCTP" },
    ],
    key: { bridge: "cctp", fromChainId: chainId, toChainId: route.toChainId, id, sourceTx: null, data },
  };
}

function started(key: TransferKey, receipt: TransactionReceipt): TransferKey {
  if (receipt.status !== 1)
    throw new ArbError("reverted", "the burn for CCTP reverted: nothing left the sender", { where: receipt.hash });
  if (!hasBurn(receipt, key.data as CctpData, key.fromChainId))
    throw new ArbError("usage", "this transaction did not make this transfer's burn", {
      where: receipt.hash,
      hint: "look the transfer up by its key: `track` finds its burn by its mark",
    });
  return { ...key, sourceTx: receipt.hash };
}

/**
 * `re-attest`: tells the service to sign again; that is no transaction, so the answer is null, and `track` shows the new signature
 * when it is there. `retry`: the mint again, when what blocked it is gone.
 */
async function recover(key: TransferKey, wish: RecoverWish, views: Views, iris: Iris): Promise<BridgeCall | null> {
  if (wish !== "re-attest" && wish !== "retry") return null;
  const { status, call, nonce } = await lookAtCctp(key, views, iris);
  if (wish === "retry") return call;
  if (status.facts["wish"] === "re-attest" && nonce !== null) await iris.reattest(nonce);
  return null;
}
