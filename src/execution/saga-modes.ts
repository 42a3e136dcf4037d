/** What a saga does, mode by mode. Names of steps and legs are a matter of its version. */
import type { SagaRow } from "../transfers/rows.js";
import type { Failure, SagaOutcome, SagaState } from "./recovery-manager.js";
import { bothLegs, restOf, runLeg, stranded } from "./saga-legs.js";
import { held, type Holding, less, planned, type SagaRun } from "./saga-run.js";
import { carryBy, type Moved } from "./saga-transfers.js";

export async function bridgeMode(s: SagaRun, row: SagaRow): Promise<Holding> {
  const o = s.o;
  const capital = o.amountIn;
  // at least what the plan had, less the slippage: below it the trade would not pay
  const floor = less(row.estimate.bought, s.env.settings.slippagePpm);
  const bought = await runLeg(s, "source-leg", { ...s.buy("buy", floor), amountIn: o.amountIn }, capital);
  if (bought.kind === "way") return { outcome: "no-trade", reason: bought.reason };
  if (bought.kind === "held") return held(bought.reason);
  if (await s.engine.patched("target-price")) {
    const gone = await targetPriceGone(s, bought.amount, capital, row);
    if (gone !== null) return gone;
  }
  return await carry(s, "bridge-start", bought.amount, capital, row);
}

/** Before anything is sent over: whether the target still pays, were everything to arrive. Null: it goes on. */
async function targetPriceGone(s: SagaRun, amount: bigint, capital: bigint, row: SagaRow): Promise<Holding | null> {
  const { quotes } = s.env;
  const { chainId, tokenIn, tokenOut } = s.o.sell;
  const price = await s.within("target-price", async () => {
    const [best] = await quotes.sales(s.input.account, chainId, { tokenIn, tokenOut, amountIn: amount, preferred: s.o.sell });
    return best?.amountOut ?? 0n;
  });
  // a silent target is found by the transfer's own quote
  if (!price.ok || price.value >= targetFloor(capital, row)) return null;
  const choice = await s.decide({ state: "bridge-start", amount, capital }, "price-gone", true);
  const { reason } = s;
  if (choice.kind === "sell-at-source")
    return await sellAtSource(s, "bridge-start", amount, capital, row, s.floorOf(choice, capital));
  return choice.kind === "continue" ? null : held(reason);
}

/** What must be there so that home, gas and bridges leave the capital whole. */
const targetFloor = (capital: bigint, { estimate }: SagaRow): bigint =>
  capital + estimate.gasCost + (estimate.sold - estimate.home);

/** From the bought token on the source network to its sale somewhere. `ask`: decides before it takes a bridge. */
export async function carry(
  s: SagaRun,
  from: "bridge-start" | "refunded",
  amount: bigint,
  capital: bigint,
  row: SagaRow,
  ask = false,
): Promise<Holding> {
  const o = s.o;
  const route = { from: o.buy.chainId, to: o.sell.chainId, tokenIn: o.buy.tokenOut, tokenOut: o.sell.tokenIn };
  let state = from;
  let asks = ask;
  for (;;) {
    const moved: Moved = asks
      ? { kind: "refunded", amount, partial: false }
      : await carryBy(s, { ...route, name: "out", start: state, flying: "in-flight", amount, capital });
    asks = false;
    if (moved.kind === "arrived") {
      if (!moved.partial) return await sellAtTarget(s, moved.amount, capital, row);
      const choice = await s.decide({ state: "target-leg", amount: moved.amount, capital }, "partial-amount", true);
      if (choice.kind === "bridge-back") return await bridgeBack(s, moved.amount, capital, row);
      if (choice.kind !== "continue") return held(`less arrived than was promised; ${s.reason}`);
      return await sellAtTarget(s, moved.amount, capital, row, s.floorOf(choice, capital));
    }
    let choice = moved.kind === "none" ? moved.choice : null;
    let floor = moved.kind === "none" ? moved.floor : 0n;
    let reason = moved.kind === "none" ? moved.reason : "";
    if (moved.kind === "refunded") {
      amount = moved.amount;
      state = "refunded";
      const decided = await s.decide({ state, amount, capital }, moved.partial ? "partial-amount" : "refunded", true);
      choice = decided.kind;
      floor = s.floorOf(decided, capital);
      reason = `the transfer was refunded, and no way out was taken (${choice})`;
      if (choice === "other-bridge") continue;
    }
    if (choice !== "sell-at-source" && choice !== "other-venue") return held(reason);
    return await sellAtSource(s, state, amount, capital, row, floor);
  }
}

export async function sellAtTarget(
  s: SagaRun,
  amount: bigint,
  capital: bigint,
  row: SagaRow,
  floor = targetFloor(capital, row),
): Promise<Holding> {
  const sold = await runLeg(s, "target-leg", { ...s.sell("sell", floor), amountIn: amount }, capital);
  if (sold.kind === "way" && sold.choice === "bridge-back") return await bridgeBack(s, amount, capital, row);
  if (sold.kind !== "done") return restOf(sold);
  const home = await bringHome(s, sold.amount, capital, "return-start", "return-in-flight");
  return home ?? (sold.forced ? { outcome: "sold-at-target", reason: sold.reason } : planned);
}

/** Back to the source network by a bridge, and sold there. */
async function bridgeBack(s: SagaRun, amount: bigint, capital: bigint, row: SagaRow): Promise<Holding> {
  const o = s.o;
  const route = { from: o.sell.chainId, to: o.buy.chainId, tokenIn: o.sell.tokenIn, tokenOut: o.buy.tokenOut };
  const back = await carryBy(s, { ...route, name: "back", start: "target-leg", flying: "in-flight", amount, capital });
  if (back.kind === "arrived") return await soldBack(s, back.amount, capital, row);
  if (back.kind === "refunded") return await atAnyPrice(s, back.amount, capital, 0n);
  if (back.choice !== "sell-at-target" && back.choice !== "other-venue") return held(back.reason);
  return await atAnyPrice(s, amount, capital, back.floor);
}

async function soldBack(s: SagaRun, amount: bigint, capital: bigint, row: SagaRow): Promise<Holding> {
  const end = await sellAtSource(s, "refunded", amount, capital, row, 0n);
  return end.outcome === "sold-at-source" ? { ...end, outcome: "bridged-back" } : end;
}

async function atAnyPrice(s: SagaRun, amount: bigint, capital: bigint, floor: bigint): Promise<Holding> {
  const sold = await runLeg(s, "target-leg", { ...s.sell("sell", floor), amountIn: amount }, capital);
  if (sold.kind !== "done") return restOf(sold);
  const home = await bringHome(s, sold.amount, capital, "return-start", "return-in-flight");
  return home ?? { outcome: "sold-at-target", reason: sold.reason };
}

/** What was bought, sold where it was bought; where that fails and a bridge is better, over again. */
export async function sellAtSource(
  s: SagaRun,
  state: "bridge-start" | "refunded",
  amount: bigint,
  capital: bigint,
  row: SagaRow,
  floor: bigint,
): Promise<Holding> {
  const sold = await runLeg(s, state, { ...s.unwind(floor), amountIn: amount }, capital);
  if (sold.kind === "way" && sold.choice === "other-bridge") return await carry(s, state, amount, capital, row);
  return sold.kind === "done" ? { outcome: "sold-at-source", reason: sold.reason } : restOf(sold);
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
    if (moved.kind === "arrived") {
      if (moved.partial) s.note(`${flying}: partial-amount`, "continue", `only ${moved.amount} arrived at home`);
      return null;
    }
    if (moved.kind === "none")
      return moved.choice === "keep-at-target" || moved.choice === "continue"
        ? { outcome: "kept-at-target", reason: moved.reason }
        : held(moved.reason);
    amount = moved.amount;
    at = "return-refunded";
    const choice = await s.decide({ state: at, amount, capital }, moved.partial ? "partial-amount" : "refunded", true);
    if (choice.kind !== "other-bridge") return { outcome: "kept-at-target", reason: "the way home was refunded" };
  }
}

export async function inventoryMode(s: SagaRun, row: SagaRow): Promise<Holding> {
  const { slippagePpm } = s.env.settings;
  const [buy, sell] = inventoryLegs(s, row, slippagePpm);
  await s.stand("bought-not-sold", "both legs, sent at once");
  const [bought, sold] = await bothLegs(s, buy, sell);
  if (bought.status === "unknown" || sold.status === "unknown")
    return held(
      `a leg has no known end: ${[bought, sold].flatMap((l) => (l.status === "unknown" ? [l.detail] : [])).join("; ")}`,
    );
  if (bought.status === "failed" && sold.status === "failed") {
    if (await s.engine.patched("no-legs")) for (const leg of [bought, sold]) s.notePool(leg);
    return { outcome: "no-trade", reason: `${bought.detail}; ${sold.detail}` };
  }
  if (bought.status === "done" && sold.status === "done")
    return (await rebalance(s, bought.amountOut, sold.amountOut, s.o.amountIn)) ?? planned;
  s.notePool(bought);
  s.notePool(sold);
  if (bought.status === "done" && sold.status === "failed")
    return await sellStock(s, row, { bought: bought.amountOut, failure: sold.failure });
  if (bought.status === "failed" && sold.status === "done")
    return await buyStock(s, row, { proceeds: sold.amountOut, failure: bought.failure });
  return held("a leg has no known end");
}

const inventoryLegs = (s: SagaRun, { estimate }: SagaRow, slippagePpm: number) =>
  [
    { ...s.buy("buy", less(estimate.bought, slippagePpm)), amountIn: s.o.amountIn },
    { ...s.sell("sell", less(estimate.sold, slippagePpm)), amountIn: estimate.bought },
  ] as const;

/** Inventory: bought, and the stock of the target network not sold. */
export async function sellStock(s: SagaRun, row: SagaRow, at: { bought: bigint; failure: Failure }): Promise<Holding> {
  const capital = s.o.amountIn;
  const [, sell] = inventoryLegs(s, row, s.env.settings.slippagePpm);
  const end = await stranded(s, "bought-not-sold", at.failure, { amount: at.bought, capital }, sell);
  if (end.kind === "held") return held(end.reason);
  if (end.kind === "undone") return end;
  const outcome: Holding = end.forced ? { outcome: "sold-at-target", reason: end.reason } : planned;
  return (await rebalance(s, at.bought, end.amount, capital)) ?? outcome;
}

/** Inventory: the stock of the target network sold, and nothing bought for it. */
export async function buyStock(s: SagaRun, row: SagaRow, at: { proceeds: bigint; failure: Failure }): Promise<Holding> {
  const capital = s.o.amountIn;
  const [buy] = inventoryLegs(s, row, s.env.settings.slippagePpm);
  const position = { amount: row.estimate.bought, capital, proceeds: at.proceeds };
  const end = await stranded(s, "sold-not-bought", at.failure, position, buy);
  if (end.kind === "held") return held(end.reason);
  if (end.kind === "undone") return end;
  return (await rebalance(s, end.amount, at.proceeds, capital)) ?? planned;
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
  if (moved.kind === "none" && moved.choice === "held") return held(moved.reason);
  const home = await bringHome(s, proceeds, capital, "rebalance-start", "rebalance-in-flight");
  const stays = moved.kind !== "arrived";
  return (
    home ?? (stays ? { outcome: "kept-at-target" as SagaOutcome, reason: "the stock was not brought back to its place" } : null)
  );
}
