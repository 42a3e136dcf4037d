/** Finds money of ours that is between networks or stranded, from chain state alone: the database may be gone. */
import { ZeroAddress } from "ethers";
import { ArbVault__factory, IERC20__factory } from "../../types/contracts/index.js";
import { spokePool } from "../bridges/across-abi.js";
import type { Bridge, BridgeCall, BridgeId, ChainView, TransferKey, TransferState, Views } from "../bridges/bridge.js";
import { ask } from "../bridges/logs.js";
import { SCANS } from "../bridges/scans.js";
import { acrossFacts } from "../config/across.js";
import type { Token } from "../config/network.js";
import { NETWORKS } from "../config/networks.js";
import { ArbError } from "../errors.js";
import { forVaults, routeId } from "../vault/vault-bridge.js";

const erc20 = IERC20__factory.createInterface();
const vault = ArbVault__factory.createInterface();

/** Something of ours that a scan found. Amounts in base units. */
export interface Found {
  kind: "transfer" | "refund-credit" | "balance";
  /** Account or vault whose it is. */
  holder: string;
  chainId: number;
  toChainId: number | null;
  /** Zero for the network's coin. */
  token: string;
  symbol: string;
  amount: bigint;
  bridge: BridgeId | null;
  /** Of a transfer; "unknown" where a network or a service did not answer. */
  state: TransferState | "unknown" | null;
  /** Transaction that it began with. */
  txHash: string | null;
  ageSeconds: number | null;
  /** Unix seconds. */
  deadline: number | null;
  waitsFor: string;
  /** The call that finishes it, or its next step; null where there is none now. */
  finish: BridgeCall | null;
  /** Of the call's network, when this was seen; null without a call. */
  seen: SeenBlocks | null;
}

/** Blocks around a look: what is in one up to `from` was surely seen, what is in one after `to` surely not. */
export interface SeenBlocks {
  from: number;
  to: number;
}

export interface Holder {
  address: string;
  /** An ArbVault, whose refunds only it can claim. */
  isVault: boolean;
}

export interface ScanOptions {
  holders: Holder[];
  views: ChainView[];
  bridges: readonly Bridge[];
  /** How far back the chains are searched, seconds. Withdrawals of layer 2s take more than a week. */
  lookBackSeconds: number;
}

/**
 * Transfers of the holders that are not at their end, refunds that wait to be claimed, and balances of listed tokens; a vault's coin as
 * well. A transfer whose state cannot be read is told as unknown, never left out. Raises "network" where a network cannot be searched.
 */
export async function scanForFunds({ holders, views: all, bridges, lookBackSeconds }: ScanOptions): Promise<Found[]> {
  const views: Views = (chainId) => {
    const view = all.find((v) => v.network.chainId === chainId);
    if (!view) throw new ArbError("config", `chain ${chainId} is not configured`, { where: "networks" });
    return view;
  };
  const isVault = (_: number, address: string) => holders.some((h) => h.isVault && h.address === address);
  const able = bridges.map((bridge) => forVaults(bridge, isVault));
  const found: Found[] = [];
  for (const view of all) {
    const head = await ask(view, "its newest block", view.provider.getBlock("latest"));
    if (!head) continue;
    const from = Math.max(0, head.number - Math.ceil((lookBackSeconds * 1000) / view.network.blockTimeMs));
    for (const holder of holders) {
      const transfers: Found[] = [];
      for (const bridge of able) {
        const keys = await SCANS[bridge.id](holder.address, view.network.chainId, from, views);
        for (const key of keys) {
          const open = await openTransfer(bridge, holder.isVault ? ofVault(key) : key, holder, view, views);
          if (open !== null) transfers.push(open);
        }
      }
      found.push(...transfers);
      for (const token of view.network.tokens) {
        const credit = await refundCredit(holder, view, token);
        const isTold = transfers.some((t) => t.bridge === "across" && t.state === "claimable" && t.token === token.address);
        if (credit !== null && !isTold) found.push(credit);
        const read = erc20.encodeFunctionData("balanceOf", [holder.address]);
        const balance = await word(view, `the balance of ${token.symbol}`, token.address, read);
        if (balance > 0n) found.push(balanceOf(holder, view, token.address, token.symbol, balance));
      }
      // an account's coin is its gas; a vault needs none, so that what lies there came by a bridge
      const coin = holder.isVault ? await ask(view, "the vault's coin", view.provider.getBalance(holder.address)) : 0n;
      if (coin > 0n) found.push(balanceOf(holder, view, ZeroAddress, view.network.nativeSymbol, coin));
    }
  }
  return found;
}

const NOTHING = {
  toChainId: null,
  bridge: null,
  state: null,
  txHash: null,
  ageSeconds: null,
  deadline: null,
  finish: null,
  seen: null,
} as const;

function balanceOf({ address, isVault }: Holder, view: ChainView, token: string, symbol: string, amount: bigint): Found {
  const where = isVault ? "in the vault: an operator trades with it, the owner withdraws it" : "in the account";
  const place = { holder: address, chainId: view.network.chainId, token, symbol, amount };
  return { ...NOTHING, kind: "balance", ...place, waitsFor: `nothing: it is ${where}` };
}

/** A vault's own function claims its refunds: the route by which it sent names them. */
function ofVault(key: TransferKey): TransferKey {
  const { originPool, inputToken } = key.data;
  if (key.bridge !== "across" || originPool === undefined || inputToken === undefined) return key;
  return { ...key, data: { ...key.data, vaultRoute: routeId(originPool, inputToken, BigInt(key.toChainId)) } };
}

/** What a key's transfer waits for; null where it is at its end. */
async function openTransfer(
  bridge: Bridge,
  key: TransferKey,
  holder: Holder,
  view: ChainView,
  views: Views,
): Promise<Found | null> {
  const { data, fromChainId, toChainId, sourceTx } = key;
  const token = data["tokenIn"] ?? data["inputToken"] ?? ZeroAddress;
  const listed = view.network.tokens.find((t) => t.address.toLowerCase() === token.toLowerCase());
  const began = await ask(view, "the transfer's block", view.provider.getBlock(Number(data["sourceFrom"])));
  const now = await ask(view, "its newest block", view.provider.getBlock("latest"));
  const what = {
    kind: "transfer" as const,
    holder: holder.address,
    chainId: fromChainId,
    toChainId,
    token,
    symbol: listed?.symbol ?? token,
    amount: BigInt(data["amountIn"] ?? data["inputAmount"] ?? 0),
    bridge: bridge.id,
    txHash: sourceTx,
    ageSeconds: began && now ? Math.max(0, now.timestamp - began.timestamp) : null,
  };
  try {
    const finals = new Map<number, number>();
    for (const chainId of new Set([fromChainId, toChainId])) {
      const of = views(chainId);
      // a node that is a few blocks behind may answer the looks at the newest block: what is final every node has
      finals.set(chainId, Number(await ask(of, "its final block", of.finalBlock())));
    }
    const status = await bridge.track(key, views);
    if (status.state === "delivered" || status.state === "refunded") return null;
    const finish = status.state === "claimable" ? await bridge.claim(key, views) : null;
    const deadline = status.facts["ticketExpiresAt"] ?? data["fillDeadline"];
    return {
      ...what,
      state: status.state,
      deadline: deadline === undefined ? null : Number(deadline),
      waitsFor: status.waitsFor,
      finish,
      seen: finish && {
        from: finals.get(finish.chainId) ?? 0,
        to: await newestOf(views(finish.chainId)),
      },
    };
  } catch (error) {
    if (!(error instanceof ArbError)) throw error;
    return { ...what, state: "unknown", deadline: null, waitsFor: `an answer: ${error.message}`, finish: null, seen: null };
  }
}

const newestOf = async (view: ChainView): Promise<number> => await ask(view, "its newest block", view.provider.getBlockNumber());

/** What a call gives; 0 where there is no contract. */
async function word(view: ChainView, what: string, to: string, data: string, block?: number): Promise<bigint> {
  const at = block === undefined ? {} : { blockTag: block };
  const answer = await ask(view, what, view.provider.call({ to, data, ...at }));
  return answer === "0x" ? 0n : BigInt(answer);
}

async function refundCredit({ address, isVault }: Holder, view: ChainView, token: Token): Promise<Found | null> {
  const { chainId } = view.network;
  const pool = acrossFacts(chainId)?.spokePool.address;
  if (pool === undefined) return null;
  const data = spokePool.encodeFunctionData("getRelayerRefund", [token.address, address]);
  if ((await word(view, "refund credits", pool, data)) === 0n) return null;
  // of one block, so that it is known which claims are in it
  const block = await newestOf(view);
  const amount = await word(view, "refund credits", pool, data, block);
  if (amount === 0n) return null;
  const purpose = "claim a refund of Across";
  const padded = (of: string): string => `0x${of.slice(2).toLowerCase().padStart(64, "0")}`;
  const plain = spokePool.encodeFunctionData("claimRelayerRefund", [padded(token.address), padded(address)]);
  const finish = isVault
    ? await vaultClaim(address, view, pool, token, purpose)
    : { chainId, to: pool, data: plain, value: 0n, purpose };
  const what = { holder: address, chainId, token: token.address, symbol: token.symbol, amount };
  return {
    ...NOTHING,
    kind: "refund-credit",
    ...what,
    bridge: "across",
    waitsFor: "our claim",
    finish,
    seen: finish && { from: block, to: block },
  };
}

/** By any route of the token that the vault still has: it names pool and token. */
async function vaultClaim(
  address: string,
  view: ChainView,
  pool: string,
  token: Token,
  purpose: string,
): Promise<BridgeCall | null> {
  for (const { chainId } of NETWORKS) {
    const id = routeId(pool, token.address, BigInt(chainId));
    const read = vault.encodeFunctionData("route", [id]);
    const answer = await ask(view, "a route of the vault", view.provider.call({ to: address, data: read }));
    if (answer === "0x") return null;
    const { kind } = vault.decodeFunctionResult("route", answer)[0] as { kind: bigint };
    if (kind === 0n) continue;
    const data = vault.encodeFunctionData("claimAcrossRefund", [id]);
    return { chainId: view.network.chainId, to: address, data, value: 0n, purpose };
  }
  return null;
}
