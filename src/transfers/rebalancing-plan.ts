/** Stock of a token on all networks, and the transfers that would bring it to its shares, with their cost by quotes of now. */
import type { TransferRequest } from "../bridges/bridge.js";
import type { BridgeOffers } from "../bridges/monitor.js";
import type { RebalancingConfig } from "../config/cross-chain.js";
import { findToken } from "../config/networks.js";
import { ArbError } from "../errors.js";
import { type Limits, type Price, rebalancingPlan, type Stock, stockOf } from "../inventory/index.js";
import { brokenByPlan, type Plan, symbolsOf } from "./limits.js";
import type { Quotes } from "./quotes.js";
import type { StockMove } from "./rebalancing-store.js";
import type { TransferStore } from "./store.js";

/** Legs of transfers that bring stock to where it belongs: what they carry counts as there already. */
const BRINGS_STOCK = /^(again\d+\.)?(restock|home|move)\b/;

/** What the absence of stock costs where nothing else is set, parts per million an hour: about 9 % a year. */
const TIME_COST_PPM = 10;

/** Stock of a token on a network, base units. */
export interface Held extends Stock {
  /** On its way here to stay. */
  incoming: bigint;
  /** Share of the whole that it should have, parts per million; null where none is set. */
  sharePpm: number | null;
}

export interface RebalancePlan {
  token: string;
  held: Held[];
  moves: StockMove[];
  /** Why transfers that the imbalance asks for are not in the plan. */
  refused: string[];
}

export interface PlanEnv {
  quotes: Quotes;
  store: TransferStore;
  rules: { limits: Limits };
}

/** Stock of a token on the given networks; those that do not list it are left out. Raises "network". */
export async function heldOf(
  env: PlanEnv,
  account: string,
  symbol: string,
  shares: ReadonlyMap<number, number>,
  chainIds: number[],
) {
  const { senders } = env.quotes;
  const places = chainIds.flatMap((chainId) => {
    const token = findToken(senders.chain(chainId).network, symbol);
    return token ? [{ chainId, holder: senders.venue(chainId, account).holder, token: token.address }] : [];
  });
  const stock = await stockOf(env.store.db, (chainId) => senders.chain(chainId).provider, places);
  const flying = (await env.store.openTransfers()).filter((t) => BRINGS_STOCK.test(t.leg) && t.startedAt !== null);
  return stock.map((s): Held => {
    const coming = flying.filter(({ quote: { request } }) => {
      const { route, recipient } = request;
      const there = route.toChainId === s.chainId && route.tokenOut.toLowerCase() === s.token.toLowerCase();
      return there && recipient.toLowerCase() === s.holder.toLowerCase();
    });
    const incoming = coming.reduce((sum, t) => sum + t.quote.amountOut, 0n);
    return { ...s, incoming, sharePpm: shares.get(s.chainId) ?? null };
  });
}

/** The plan of a token for an account. Raises "network" where something cannot be read; a bridge that refuses is an answer. */
export async function planOf(env: PlanEnv, account: string, r: RebalancingConfig): Promise<RebalancePlan> {
  const held = await heldOf(env, account, r.token, r.shares, [...r.shares.keys()]);
  const at = new Map(held.map((h) => [h.chainId, h]));
  const refused: string[] = [];
  const refuse = (reason: string): null => (refused.push(reason), null);
  const symbols = symbolsOf(env.quotes.senders);
  const price: Price = async (fromChainId, toChainId, amount) => {
    const [from, to] = [at.get(fromChainId)!, at.get(toChainId)!];
    // what is on its way cannot be sent on yet
    if (from.free < amount) return refuse(`chain ${fromChainId} has only ${from.free} free of ${amount}`);
    const route = { fromChainId, toChainId, tokenIn: from.token, tokenOut: to.token };
    const what = { route, amountIn: amount, id: `rebalance/${r.token}?` };
    const { offers, refused: by } = await stockOffers(env.quotes, account, what, r);
    const [best] = offers;
    if (!best) return refuse(by.map((b) => `${b.bridge} ${b.reason}`).join("; "));
    const { bridge } = best.quote;
    const moved = planOfMove({ fromChainId, tokenIn: from.token, amount, bridge });
    const broken = await brokenByPlan(env.store.db.pool, env.rules.limits, symbols, "", moved);
    if (broken !== null) return refuse(broken);
    const cost = amount - best.net + (await env.quotes.gasIn(fromChainId, from.token, 0n, 1n));
    if (cost * 1_000_000n > amount * BigInt(r.maxCostPpm))
      refuse(`${amount} from ${fromChainId} to ${toChainId} would cost ${cost} by ${bridge}`);
    return { bridge, cost, seconds: best.seconds };
  };
  const holdings = held.map(({ chainId, free, incoming, sharePpm }) => ({
    chainId,
    free: free + incoming,
    sharePpm: sharePpm ?? 0,
  }));
  const moves = await rebalancingPlan(holdings, r, price);
  return {
    token: r.token,
    held,
    moves: moves.map((m) => ({
      ...m,
      bridge: m.bridge as StockMove["bridge"],
      tokenIn: at.get(m.fromChainId)!.token,
      tokenOut: at.get(m.toChainId)!.token,
      maxCostPpm: r.maxCostPpm,
      ...(r.withinSeconds !== undefined && { withinSeconds: r.withinSeconds }),
      ...(r.timeCostPpmPerHour !== undefined && { timeCostPpmPerHour: r.timeCostPpmPerHour }),
    })),
    refused,
  };
}

/** What a transfer of stock adds to what the limits count. */
export function planOfMove({
  fromChainId,
  tokenIn,
  amount,
  bridge,
}: Pick<StockMove, "fromChainId" | "tokenIn" | "amount" | "bridge">): Plan {
  const part = { chainId: fromChainId, token: tokenIn, amount };
  return { legs: [part], flying: [{ ...part, bridge }], owned: [] };
}

type Wanted = Pick<TransferRequest, "route" | "amountIn" | "id">;

/**
 * Quotes of all bridges for a transfer of stock, the best first. Stock is worth the same on both sides: its time costs, and no price moves.
 * Those that cannot keep the time of trades' transfers are asked with the stock's own: the deadline of the others stays short, for what
 * they do not bring is away until then.
 */
export async function stockOffers(
  quotes: Quotes,
  account: string,
  wanted: Wanted,
  {
    withinSeconds = quotes.transferSeconds,
    timeCostPpmPerHour = TIME_COST_PPM,
  }: Pick<RebalancingConfig, "withinSeconds" | "timeCostPpmPerHour">,
): Promise<BridgeOffers> {
  const wish = { timePpmPerHour: timeCostPpmPerHour };
  const usual = Math.min(withinSeconds, quotes.transferSeconds);
  const fast = await quotes.monitor.offers(await requestOf(quotes, account, wanted, usual), wish);
  if (withinSeconds <= usual) return fast;
  const except = fast.offers.map((o) => o.quote.bridge);
  const slow = await quotes.monitor.offers(await requestOf(quotes, account, wanted, withinSeconds), { ...wish, except });
  return {
    offers: [...fast.offers, ...slow.offers].toSorted((a, b) => (a.net > b.net ? -1 : a.net < b.net ? 1 : 0)),
    refused: slow.refused.filter((r) => !except.includes(r.bridge)),
  };
}

/** A request for a transfer between an account's own places. */
async function requestOf(
  quotes: Quotes,
  account: string,
  { route, amountIn, id }: Wanted,
  withinSeconds: number,
): Promise<TransferRequest> {
  const { senders } = quotes;
  const block = await senders.chain(route.toChainId).provider.getBlock("latest");
  if (!block) throw new ArbError("network", "the node gave no block", { where: String(route.toChainId) });
  const [sender, recipient] = [senders.venue(route.fromChainId, account).holder, senders.venue(route.toChainId, account).holder];
  return { route, amountIn, sender, recipient, deadline: block.timestamp + withinSeconds, id };
}
