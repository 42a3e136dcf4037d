/** Bridges as an ArbVault uses them: quotes within its routes, and a start that is one call of its operator. */
import { AbiCoder, getAddress, keccak256 } from "ethers";
import { type ArbVault, ArbVault__factory } from "../../types/contracts/index.js";
import { depositNonce } from "../bridges/across-abi.js";
import type {
  Bridge,
  BridgeCall,
  BridgeId,
  BridgeQuote,
  BridgeRoute,
  QuoteAnswer,
  TransferKey,
  TransferRequest,
  Views,
} from "../bridges/bridge.js";
import { FAST } from "../bridges/cctp-message.js";
import { ask, blockAt } from "../bridges/logs.js";
import { acrossFacts } from "../config/across.js";
import { cctpFacts } from "../config/cctp.js";
import { stargateFacts } from "../config/stargate.js";
import { BRIDGE_KINDS } from "../config/vault.js";
import { type Read, readAll } from "../venues/multicall.js";

const abi = ArbVault__factory.createInterface();
const BPS = 10_000n;

/** Contract and destination by which a vault's route of a bridge is named; null where the vault cannot use the bridge. */
function routeOf(bridge: BridgeId, { fromChainId, toChainId }: BridgeRoute): { contract: string; destination: bigint } | null {
  switch (bridge) {
    case "across": {
      const pool = acrossFacts(fromChainId)?.spokePool.address;
      return pool === undefined ? null : { contract: pool, destination: BigInt(toChainId) };
    }
    case "cctp": {
      const [from, to] = [cctpFacts(fromChainId), cctpFacts(toChainId)];
      return from && to ? { contract: from.tokenMessenger.address, destination: BigInt(to.domain) } : null;
    }
    case "stargate": {
      const [from, to] = [stargateFacts(fromChainId), stargateFacts(toChainId)];
      return from && to ? { contract: from.usdcPool.address, destination: BigInt(to.eid) } : null;
    }
    case "op-standard":
    case "arbitrum-gateway":
      return null;
  }
}

/** Id of a vault's route (ArbVault.routeId). */
export function routeId(contract: string, tokenIn: string, destination: bigint): string {
  const types = ["string", "address", "address", "uint256"];
  return keccak256(AbiCoder.defaultAbiCoder().encode(types, ["route", contract, tokenIn, destination]));
}

/**
 * The bridge, for accounts as it is, and for vaults (by `isVault`) within what their contract allows: the quote is refused with the
 * reason that the contract would have, the start is one call of the vault, and so is the claim of a refund that only it may make. All
 * else, the state above all, is the bridge's own.
 */
export function forVaults(bridge: Bridge, isVault: (chainId: number, address: string) => boolean): Bridge {
  return {
    ...bridge,
    quote: async (request, views) =>
      isVault(request.route.fromChainId, request.sender)
        ? await quote(bridge, request, views)
        : await bridge.quote(request, views),
    start: (quoted) => (quoted.terms["vaultRoute"] === undefined ? bridge.start(quoted) : start(bridge, quoted)),
    claim: async (key, views) => claimBy(key, await bridge.claim(key, views)),
    recover: async (key, wish, views, more) => claimBy(key, await bridge.recover(key, wish, views, more)),
  };
}

async function quote(bridge: Bridge, request: TransferRequest, views: Views): Promise<QuoteAnswer> {
  const refused = (reason: string): QuoteAnswer => ({ ok: false, reason });
  const { route, sender } = request;
  const named = routeOf(bridge.id, route);
  if (!named) return refused("the vault cannot send by this bridge");
  if (request.recipient.toLowerCase() !== sender.toLowerCase()) return refused("the vault sends to its twin only");
  const [source, target] = [views(route.fromChainId), views(route.toChainId)];
  // what arrives where no twin is deployed cannot be used by its operators, and WETH arrives there as ETH
  if ((await ask(target, "the vault's twin", target.provider.getCode(sender))) === "0x")
    return refused(`the vault's twin is not deployed on ${target.network.title}`);
  const id = routeId(named.contract, route.tokenIn, named.destination);
  const head = await ask(source, "its newest block", source.provider.getBlockNumber());
  const read = (what: string, data: string): Read => ({ target: sender, data, what });
  const reads = [
    read("whether the vault is stopped", abi.encodeFunctionData("stopped")),
    read("a route of the vault", abi.encodeFunctionData("route", [id])),
    read("a limit of the vault", abi.encodeFunctionData("available", [id])),
  ];
  const [stopped, allowed, left] = (await readAll(source.provider, reads, head)) as [string, string, string];
  const { timestamp } = await blockAt(source, head);
  if (BigInt(stopped) !== 0n) return refused("the vault is stopped");
  const terms = abi.decodeFunctionResult("route", allowed)[0] as ArbVault.RouteStructOutput;
  if (Number(terms.kind) !== BRIDGE_KINDS[bridge.id as keyof typeof BRIDGE_KINDS])
    return refused("the vault's owner has not allowed this route");
  const isAcross = bridge.id === "across";
  if (isAcross && BigInt(terms.tokenOut) !== BigInt(route.tokenOut))
    return refused("the vault's route brings another token than the one that is wanted");
  const latest = timestamp + Number(terms.maxFillSeconds);
  const deadline = isAcross && latest < request.deadline ? latest : request.deadline;
  const answer = await bridge.quote({ ...request, deadline, bare: true }, views);
  if (!answer.ok) return answer;
  const { amountIn, amountOut } = answer.quote;
  const least = amountIn - (amountIn * terms.maxFeeBps) / BPS;
  if (amountOut < least) return refused(`${amountOut} would arrive, the vault sends for no less than ${least}`);
  if (amountIn > BigInt(left)) return refused(`the vault may send ${BigInt(left)} now by its daily limit, ${amountIn} is wanted`);
  return {
    ok: true,
    quote: { ...answer.quote, request: { ...request, bare: true }, terms: { ...answer.quote.terms, vaultRoute: id } },
  };
}

function start(bridge: Bridge, quoted: BridgeQuote): { calls: BridgeCall[]; key: TransferKey } {
  const { terms, request } = quoted;
  const vault = getAddress(request.sender);
  const transfer = {
    id: depositNonce(request.id),
    amountIn: quoted.amountIn,
    amountOut: quoted.amountOut,
    quoteTimestamp: terms["quoteTimestamp"] ?? 0,
    fillDeadline: terms["fillDeadline"] ?? 0,
    fast: terms["minFinality"] !== undefined && Number(terms["minFinality"]) <= FAST,
  };
  const call: BridgeCall = {
    chainId: request.route.fromChainId,
    to: vault,
    data: abi.encodeFunctionData("bridge", [terms["vaultRoute"]!, transfer]),
    value: quoted.nativeFee,
    purpose: `send to the vault's twin by ${quoted.bridge}`,
  };
  // the key names the vault's route, with which it claims what only it may claim
  return { calls: [call], key: bridge.start(quoted).key };
}

/** A refund credit is the depositor's to claim: the vault's own function does it. Everything else may be called by anybody. */
function claimBy(key: TransferKey, call: BridgeCall | null): BridgeCall | null {
  const id = key.data["vaultRoute"];
  if (call === null || id === undefined || key.bridge !== "across" || call.chainId !== key.fromChainId) return call;
  const data = abi.encodeFunctionData("claimAcrossRefund", [id]);
  return { ...call, to: key.data["depositor"]!, data, purpose: "claim the vault's refund of an Across deposit" };
}
