/** What a saga does, mode by mode, and how one that was held goes on. Names of steps and legs are a matter of its version. */
import type { SagaRow } from "../transfers/store.js";
import type { SagaOutcome, SagaState } from "./recovery-manager.js";
import { bothLegs, runLeg, stranded } from "./saga-legs.js";
import { held, type Holding, less, planned, type SagaRun } from "./saga-run.js";
import { carryBy, fly } from "./saga-transfers.js";

export async function bridgeMode(s: SagaRun, row: SagaRow): Promise<Holding> {
  const o = s.o;
  const capital = o.amountIn;
  // at least what the plan had, less the slippage: below it the trade would not pay
  const floor = less(row.estimate.bought, s.env.settings.slippagePpm);
  const bought = await runLeg(s, "source-leg", { ...s.buy("buy", floor), amountIn: o.amountIn }, capital);
  if ("outcome" in bought) return bought;
  return await carry(s, "bridge-start", bought.amount, capital, row);
}

/** From the bought token on the source network to its sale somewhere. */
export async function carry(s: SagaRun, from: SagaState, amount: bigint, capital: bigint, row: SagaRow): Promise<Holding> {
  const o = s.o;
  const route = { from: o.buy.chainId, to: o.sell.chainId, tokenIn: o.buy.tokenOut, tokenOut: o.sell.tokenIn };
  let state = from;
  for (;;) {
    const moved = await carryBy(s, { ...route, name: "out", start: state, flying: "in-flight", amount, capital });
    if (moved.kind === "arrived") return await sellAtTarget(s, moved.amount, capital, row);
    if (moved.kind === "refunded") {
      amount = moved.amount;
      state = "refunded";
      const choice = await s.decide({ state, amount, capital }, "refunded", true);
      if (choice === "other-bridge") continue;
      if (choice === "sell-at-source") return await sellAtSource(s, "sold-at-source", amount, capital);
      return held(`the transfer was refunded, and no way out was taken (${choice})`);
    }
    if (moved.choice === "sell-at-source") return await sellAtSource(s, "sold-at-source", amount, capital);
    return held(moved.reason);
  }
}

export async function sellAtTarget(s: SagaRun, amount: bigint, capital: bigint, row: SagaRow): Promise<Holding> {
  const o = s.o;
  // what must be there so that home, gas and bridges leave the capital whole
  const floor = capital + row.estimate.gasCost + (row.estimate.sold - row.estimate.home);
  const sold = await runLeg(s, "target-leg", { ...s.sell("sell", floor), amountIn: amount }, capital);
  if ("outcome" in sold) {
    if (sold.outcome !== "bridged-back") return sold;
    const route = { from: o.sell.chainId, to: o.buy.chainId, tokenIn: o.sell.tokenIn, tokenOut: o.buy.tokenOut };
    const back = await carryBy(s, { ...route, name: "back", start: "target-leg", flying: "in-flight", amount, capital });
    if (back.kind === "arrived") return await sellAtSource(s, "bridged-back", back.amount, capital);
    if (back.kind === "refunded") return await atAnyPrice(s, back.amount, capital);
    return back.choice === "sell-at-target" ? await atAnyPrice(s, amount, capital) : held(back.reason);
  }
  const home = await bringHome(s, sold.amount, capital, "return-start", "return-in-flight");
  return home ?? (sold.forced ? { outcome: "sold-at-target", reason: sold.reason } : planned);
}

export async function atAnyPrice(s: SagaRun, amount: bigint, capital: bigint): Promise<Holding> {
  const sold = await runLeg(s, "target-leg", { ...s.sell("sell", 0n), amountIn: amount }, capital);
  if ("outcome" in sold) return sold;
  return (
    (await bringHome(s, sold.amount, capital, "return-start", "return-in-flight")) ?? {
      outcome: "sold-at-target",
      reason: sold.reason,
    }
  );
}

export async function sellAtSource(s: SagaRun, outcome: SagaOutcome, amount: bigint, capital: bigint): Promise<Holding> {
  const { buy } = s.o;
  const wish = {
    ...s.sell("unwind", 0n),
    chainId: buy.chainId,
    tokenIn: buy.tokenOut,
    tokenOut: buy.tokenIn,
    preferred: null,
  };
  const sold = await runLeg(s, "refunded", { ...wish, amountIn: amount }, capital);
  return "outcome" in sold ? sold : { outcome, reason: sold.reason };
}

/** Brings proceeds home where that is wanted. Null: as planned. */
export async function bringHome(
  s: SagaRun,
  amount: bigint,
  capital: bigint,
  start: SagaState,
  flying: SagaState,
): Promise<Holding | null> {
  const o = s.o;
  if (!o.returnToSource) return null;
  const route = { from: o.sell.chainId, to: o.buy.chainId, tokenIn: o.sell.tokenOut, tokenOut: o.buy.tokenIn };
  let at = start;
  for (;;) {
    const moved = await carryBy(s, { ...route, name: "home", start: at, flying, amount, capital });
    if (moved.kind === "arrived") return null;
    if (moved.kind === "none")
      return moved.choice === "keep-at-target" ? { outcome: "kept-at-target", reason: moved.reason } : held(moved.reason);
    amount = moved.amount;
    at = "return-refunded";
    const choice = await s.decide({ state: at, amount, capital }, "refunded", true);
    if (choice !== "other-bridge") return { outcome: "kept-at-target", reason: "the way home was refunded" };
  }
}

export async function inventoryMode(s: SagaRun, row: SagaRow): Promise<Holding> {
  const o = s.o;
  const capital = o.amountIn;
  const { slippagePpm } = s.env.settings;
  const sells = row.estimate.bought;
  const buy = { ...s.buy("buy", less(row.estimate.bought, slippagePpm)), amountIn: o.amountIn };
  const sell = { ...s.sell("sell", less(row.estimate.sold, slippagePpm)), amountIn: sells };
  await s.stand("bought-not-sold", "both legs, sent at once");
  let [bought, sold] = await bothLegs(s, buy, sell);
  if (bought.status === "failed" && sold.status === "failed")
    return { outcome: "no-trade", reason: `${bought.detail}; ${sold.detail}` };
  let outcome: Holding = planned;
  if (sold.status === "failed" && bought.status === "done") {
    s.notePool(sold);
    const single = await stranded(s, "bought-not-sold", sold.failure, { amount: bought.amountOut, capital }, sell);
    if ("outcome" in single) return single;
    if (single.choice === "sell-at-source") return await sellAtSource(s, "sold-at-source", bought.amountOut, capital);
    outcome = single.forced ? { outcome: "sold-at-target", reason: single.reason } : outcome;
    sold = { status: "done", amountIn: sells, amountOut: single.amount, pool: null, hash: "" };
  } else if (bought.status === "failed" && sold.status === "done") {
    s.notePool(bought);
    const position = { amount: sells, capital, proceeds: sold.amountOut };
    const single = await stranded(s, "sold-not-bought", bought.failure, position, buy);
    if ("outcome" in single) return single;
    if (single.choice === "buy-at-target") {
      const wish = { ...s.sell("rebuy", 0n), tokenIn: o.sell.tokenOut, tokenOut: o.sell.tokenIn, preferred: null };
      const back = await runLeg(s, "target-leg", { ...wish, amountIn: sold.amountOut }, capital);
      return "outcome" in back ? back : { outcome: "bought-back", reason: single.reason };
    }
    bought = { status: "done", amountIn: o.amountIn, amountOut: single.amount, pool: null, hash: "" };
  }
  if (bought.status !== "done" || sold.status !== "done") return held("a leg has no known end");
  return (await rebalance(s, bought.amountOut, sold.amountOut, capital)) ?? outcome;
}

/** Brings the stock back to where it was, by the cheapest bridges. Null: done, or not wanted. */
export async function rebalance(s: SagaRun, boughtAmount: bigint, proceeds: bigint, capital: bigint): Promise<Holding | null> {
  const o = s.o;
  if (!o.returnToSource) return null;
  const out = { from: o.buy.chainId, to: o.sell.chainId, tokenIn: o.buy.tokenOut, tokenOut: o.sell.tokenIn };
  const moved = await carryBy(s, {
    ...out,
    name: "restock",
    start: "rebalance-start",
    flying: "rebalance-in-flight",
    amount: boughtAmount,
    capital,
  });
  const stays = moved.kind !== "arrived" && !(moved.kind === "none" && moved.choice === "held");
  if (moved.kind === "none" && moved.choice === "held") return held(moved.reason);
  const home = await bringHome(s, proceeds, capital, "rebalance-start", "rebalance-in-flight");
  return home ?? (stays ? { outcome: "kept-at-target", reason: "the stock was not brought back to its place" } : null);
}

/** A saga that ended as held: what its position is follows from its books. */
export async function resume(s: SagaRun, row: SagaRow): Promise<Holding> {
  const { store, actions } = s.env;
  const o = s.o;
  const { account } = s.input;
  await s.steady("own", async () => (await store.reopen(s.id).catch(() => undefined), null));
  const open = await s.steady("open-transfer", async () => (await store.transfersOf(s.id)).find((t) => t.ended === null) ?? null);
  const capital = o.amountIn;
  if (open !== null) {
    const home = open.leg.includes("home");
    const route = open.quote.request.route;
    const at = { start: "bridge-start" as const, from: route.fromChainId, to: route.toChainId, tokenIn: route.tokenIn };
    const end = await fly(
      s,
      { ...at, flying: home ? "return-in-flight" : "in-flight", amount: open.quote.amountIn, capital },
      s.name("look"),
      open.quote,
      0,
    );
    if (end.kind === "none") return held(end.reason);
    if (home) return end.kind === "arrived" ? planned : { outcome: "kept-at-target", reason: "the way home was refunded" };
  }
  const books = await s.steady("books", () => store.books(s.id, actions.holder(o, account, "buy")));
  const at = (chainId: number, token: string) =>
    books.find((b) => b.chainId === chainId && b.asset === token.toLowerCase())?.amount ?? 0n;
  const [here, there] = [at(o.buy.chainId, o.buy.tokenOut), at(o.sell.chainId, o.sell.tokenIn)];
  if (there > 0n && there >= here) return await sellAtTarget(s, there, capital, row);
  if (here > 0n && there >= 0n) return await carry(s, "refunded", here, capital, row);
  if (here > 0n) return await sellAtSource(s, "sold-at-source", here, capital);
  const proceeds = at(o.sell.chainId, o.sell.tokenOut);
  if (proceeds > 0n) return (await bringHome(s, proceeds, capital, "return-start", "return-in-flight")) ?? planned;
  return held("nothing of it is left to be traded");
}
