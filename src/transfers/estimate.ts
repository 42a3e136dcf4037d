/** Whether a cross-chain trade is worth starting: its profit after all costs, and the worst of its ways out. */
import { type RecoveryManager, type UnwindState, unwindsOf } from "../execution/recovery-manager.js";
import { type Change, type Limits, inventoryPays, stockOf } from "../inventory/index.js";
import type { Sql } from "../journal/sql.js";
import type { CrossChainOpportunity } from "../opportunity/cross-chain.js";
import { brokenByPlan, brokenWithin, type Plan, symbolsOf } from "./limits.js";
import type { Position, Quotes } from "./quotes.js";
import type { TransferStore } from "./store.js";
import type { Estimate } from "./types.js";

/** Amounts in base units of the profit token, by its symbol. */
export interface StartRules {
  /** Least expected profit after all costs. A token without an entry is not traded for profit. */
  minProfit: Record<string, bigint>;
  /** Free capital on both networks below which inventory is off: spreading less over networks costs more than it earns. */
  minimumCapital: Record<string, bigint>;
  limits: Limits;
}

/** `against`: whether a limit would be broken, for the transaction that opens it: others may have been opened since it was judged. */
export type Start =
  | { ok: true; estimate: Estimate; wanted: Change[]; against: (sql: Sql) => Promise<string | null> }
  | { ok: false; reason: string; estimate: Estimate };

/** Of a trade that was not quoted. */
export const noEstimate = (mode: "bridge" | "inventory"): Estimate => ({
  mode,
  bought: 0n,
  sold: 0n,
  home: 0n,
  gasCost: 0n,
  bridgeCost: 0n,
  profit: 0n,
  worstLoss: null,
  bridges: [],
  seconds: 0,
  waysOut: {},
});

/** Quotes everything, and decides. Raises "network" where something cannot be read. */
export async function judgeStart(
  o: CrossChainOpportunity,
  account: string,
  env: { quotes: Quotes; store: TransferStore; recovery: RecoveryManager; rules: StartRules },
): Promise<Start> {
  const { quotes, store, rules } = env;
  const profitSymbol = quotes.senders.symbol(o.buy.chainId, o.buy.tokenIn);
  let mode = o.mode ?? "bridge";
  const no = (reason: string, estimate = noEstimate(mode)): Start => ({ ok: false, reason, estimate });
  if (o.deadline !== null && o.deadline * 1000 <= Date.now()) return no("its deadline has passed");
  const least = rules.minProfit[profitSymbol];
  if (least === undefined) return no(`no least profit is set for ${profitSymbol}: it is not traded for profit`);

  const holders = {
    buy: quotes.senders.venue(o.buy.chainId, account).holder,
    sell: quotes.senders.venue(o.sell.chainId, account).holder,
  };
  const { tokenIn, tokenOut } = o.buy;
  const refused: string[] = [];
  const because = (what: string): string => [what, ...new Set(refused)].join("; ");
  const buying = { tokenIn, tokenOut, amountIn: o.amountIn, preferred: o.buy, refused };
  const [bought] = await quotes.sales(account, o.buy.chainId, buying);
  if (!bought) return no(because("no pool of the source network takes the amount"));
  refused.length = 0;
  const places = [
    { chainId: o.buy.chainId, holder: holders.buy, token: tokenIn },
    { chainId: o.sell.chainId, holder: holders.sell, token: o.sell.tokenIn },
    { chainId: o.sell.chainId, holder: holders.sell, token: o.sell.tokenOut },
  ];
  const [capitalHere, stockThere, capitalThere] = await stockOf(store.db, (id) => quotes.senders.chain(id).provider, places);

  const sellOrder = (amountIn: bigint) => ({ tokenIn: o.sell.tokenIn, tokenOut: o.sell.tokenOut, amountIn, preferred: o.sell });
  const stockWorth = await quotes.sales(account, o.sell.chainId, sellOrder(stockThere!.free));
  const capital = capitalHere!.free + capitalThere!.free + (stockWorth[0]?.amountOut ?? 0n);
  const inventoryFits = stockThere!.free >= bought.amountOut && inventoryPays(capital, rules.minimumCapital[profitSymbol] ?? 0n);
  if (o.mode === null && inventoryFits) mode = "inventory";
  if (mode === "inventory" && !inventoryFits) {
    const minimum = rules.minimumCapital[profitSymbol] ?? 0n;
    return no(
      capital < minimum
        ? `inventory is off below ${minimum} base units of ${profitSymbol}; there are ${capital}`
        : `inventory of ${bought.amountOut} is needed on the target network, ${stockThere!.free} are free`,
    );
  }

  const carried = await quotes.offers(o, account, { token: "bought", back: false, amount: bought.amountOut, id: "out?" });
  const [out] = carried.offers;
  if (!out) return no(`no bridge carries it: ${carried.refused.map((r) => `${r.bridge} ${r.reason}`).join("; ")}`);
  const sellAmount = mode === "bridge" ? out.quote.amountOut : bought.amountOut;
  const [sold] = await quotes.sales(account, o.sell.chainId, { ...sellOrder(sellAmount), refused });
  if (!sold) return no(because("no pool of the target network takes the amount"));
  const home = await quotes.home(o, account, sold.amountOut);
  if (!home) return no("no bridge brings the proceeds home");

  const gasOf = async (where: "buy" | "sell", starts: bigint) =>
    await quotes.gasIn(o[where].chainId, where === "buy" ? o.buy.tokenIn : o.sell.tokenOut, 1n, starts);
  const gasCost = (await gasOf("buy", 1n)) + (await gasOf("sell", o.returnToSource ? 1n : 0n));
  // inventory: the token's way across is paid in the token, here at the price of its sale
  const travel = mode === "bridge" ? 0n : ((bought.amountOut - out.net) * sold.amountOut) / bought.amountOut;
  const risk = mode === "bridge" ? ((out.quote.amountOut - out.net) * sold.amountOut) / out.quote.amountOut : 0n;
  const profit = home.net - o.amountIn - gasCost - travel - risk;

  const buySwap = { chainId: o.buy.chainId, hop: bought.hop, amountIn: o.amountIn };
  const sellSwap = { chainId: o.sell.chainId, hop: sold.hop, amountIn: sellAmount };
  const stuck = {
    capital: o.amountIn,
    amount: bought.amountOut,
    after: buySwap,
    exceptPools: [sold.hop.pool],
    exceptBridges: [],
  };
  const positions: [UnwindState, Omit<Position, "state">][] =
    mode === "bridge"
      ? [
          ["refunded", { ...stuck, exceptBridges: [out.quote.bridge] }],
          // what brought it there brings it back
          ["target-leg", { ...stuck, amount: sellAmount }],
        ]
      : [
          ["bought-not-sold", stuck],
          ["sold-not-bought", { ...stuck, after: sellSwap, proceeds: sold.amountOut, exceptPools: [bought.hop.pool] }],
        ];
  // what has led into the state is paid already
  const spent = mode === "bridge" ? await gasOf("buy", 1n) : (await gasOf("buy", 0n)) + (await gasOf("sell", 0n));
  const waysOut: Estimate["waysOut"] = {};
  for (const [state, position] of positions) {
    const ways = await quotes.waysOut(o, account, { ...position, state }, unwindsOf(state));
    waysOut[state] = ways.map((way) => ({ ...way, loss: way.loss === null ? null : way.loss + spent }));
  }
  const { worstLoss, refused: unsafe } = env.recovery.judge(profitSymbol, o.amountIn, waysOut);
  const estimate: Estimate = {
    mode,
    bought: bought.amountOut,
    sold: sold.amountOut,
    home: home.net,
    gasCost,
    bridgeCost: sold.amountOut - home.net + travel + risk,
    profit,
    worstLoss,
    bridges: [out.quote.bridge],
    homeBridge: home.bridge,
    seconds: out.seconds + home.seconds,
    waysOut,
  };
  if (profit < least) return no(`the expected profit of ${profit} is below ${least}`, estimate);
  if (unsafe !== null) return no(unsafe, estimate);

  const at = {
    source: { chainId: o.buy.chainId, token: o.buy.tokenIn, amount: o.amountIn },
    bought: { chainId: o.buy.chainId, token: o.buy.tokenOut, amount: bought.amountOut },
    stock: { chainId: o.sell.chainId, token: o.sell.tokenIn, amount: bought.amountOut },
    proceeds: { chainId: o.sell.chainId, token: o.sell.tokenOut, amount: sold.amountOut },
  };
  const plan: Plan = {
    legs: [at.source, at.stock],
    flying: [
      ...(mode === "bridge" || o.returnToSource ? [{ ...at.bought, bridge: out.quote.bridge }] : []),
      ...(o.returnToSource ? [{ ...at.proceeds, bridge: home.bridge }] : []),
    ],
    owned: [
      ...Object.values(at).filter((part) => part !== at.source),
      // with the profit that comes home to it
      { ...at.source, amount: o.returnToSource && sold.amountOut > o.amountIn ? sold.amountOut : o.amountIn },
    ],
  };
  const symbols = symbolsOf(quotes.senders);
  const broken = await brokenByPlan(store.db.pool, rules.limits, symbols, o.id, plan);
  if (broken !== null) return no(broken, estimate);
  const wanted: Change[] = [{ ...places[0]!, amount: o.amountIn }];
  if (mode === "inventory") wanted.push({ ...places[1]!, amount: bought.amountOut });
  const against = async (sql: Sql) => await brokenWithin(sql, rules.limits, symbols, o.id, plan);
  return { ok: true, estimate, wanted, against };
}
