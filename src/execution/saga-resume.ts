/** How a saga that ended as held goes on: what its position is follows from its transactions, its transfers and its books. */
import { openCalls } from "../transfers/closing.js";
import type { SagaRow, TransferRow } from "../transfers/rows.js";
import { bringHome, buyStock, carry, rebalance, sellAtSource, sellAtTarget, sellStock } from "./saga-modes.js";
import { held, type Holding, planned, type SagaRun } from "./saga-run.js";
import { begin, type Begun, fly, wrapped } from "./saga-transfers.js";

const UNDER_WAY: Exclude<Begun, { status: "failed" }> = { status: "started", dueSeconds: 0 };

export async function resume(s: SagaRun, row: SagaRow): Promise<Holding> {
  const { store } = s.env;
  await s.steady("own", async () => (await store.reopen(s.owner), null));
  if (await s.engine.patched("open-ends")) {
    const open = await settled(s);
    if (open !== null) return open;
  }
  const moving = await s.steady(
    "open-transfer",
    async () => (await store.transfersOf(s.id)).find((t) => t.ended === null) ?? null,
  );
  const capital = s.o.amountIn;
  if (moving !== null) {
    const home = moving.leg.includes("home");
    const { fromChainId, toChainId, tokenIn } = moving.quote.request.route;
    const token = moving.leg.includes("home") ? ("profit" as const) : ("bought" as const);
    const at = { start: "bridge-start" as const, from: fromChainId, to: toChainId, tokenIn, token };
    const flying = home ? ("return-in-flight" as const) : ("in-flight" as const);
    const amount = moving.quote.amountIn;
    const begun = moving.startedAt === null && (await s.engine.patched("unstarted")) ? await startOf(s, moving) : UNDER_WAY;
    if (begun !== null && begun.status !== "started") return held(begun.detail);
    // null: it never will start, and is no transfer any more
    if (begun !== null) {
      const end = await fly(s, { ...at, flying, amount, capital }, s.name("look"), moving.quote, begun.dueSeconds);
      if (end.kind === "none") return held(end.reason);
      if (home) return end.kind === "arrived" ? planned : { outcome: "kept-at-target", reason: "the way home was refunded" };
    }
  }
  if (await s.engine.patched("coins")) await wrapArrivals(s);
  return await fromBooks(s, row, capital);
}

/** What arrived as a network's coin, and was not wrapped before it was held: it is the position. */
async function wrapArrivals(s: SagaRun): Promise<void> {
  const { store, actions } = s.env;
  const wrappedOf = (chainId: number) => actions.senders.chain(chainId).network.wrappedNative;
  const left = await s.steady("coins", async () => [...(await store.unwrapped(s.id, wrappedOf))]);
  for (const [chainId, amount] of left)
    await wrapped(s, chainId === s.o.buy.chainId ? "refunded" : "target-leg", s.name("coin"), chainId, amount);
}

/** What became of a start that was not known to have happened. Null: it never will. */
async function startOf(s: SagaRun, { leg, quote }: TransferRow): Promise<Exclude<Begun, { status: "failed" }> | null> {
  const { bridges } = s.env.actions;
  const isAbandoned = await s.steady("unstarted", () => bridges.abandonStart(s.owner, quote));
  const begun = isAbandoned ? null : await begin(s, leg, quote);
  if (begun !== null && begun.status !== "failed") return begun;
  s.loose.push(...bridges.spenders(quote));
  return null;
}

/** Signed transactions first: what they did or will do is part of the position. Null: all have their end. */
async function settled(s: SagaRun): Promise<Holding | null> {
  const end = (await s.engine.now()) + s.times.haltSeconds * 1000;
  for (;;) {
    const open = await s.steady("open-calls", () => openCalls(s.env.actions, s.id));
    if (open === 0) return null;
    if ((await s.engine.now()) >= end) return held(`${open} of its transactions have no end yet`);
    await s.stand("operator", `the end of ${open} transactions`);
    await s.pause(s.env.settings.pollSeconds);
  }
}

async function fromBooks(s: SagaRun, row: SagaRow, capital: bigint): Promise<Holding> {
  const { store, actions } = s.env;
  const o = s.o;
  const holders = [
    ...new Set((["buy", "sell"] as const).map((where) => actions.holder(o, s.input.account, where).toLowerCase())),
  ];
  const books = await s.steady("books", async () => (await Promise.all(holders.map((h) => store.books(s.id, h)))).flat());
  const at = (chainId: number, token: string): bigint =>
    books.filter((b) => b.chainId === chainId && b.asset === token.toLowerCase()).reduce((sum, b) => sum + b.amount, 0n);
  const [here, there] = [at(o.buy.chainId, o.buy.tokenOut), at(o.sell.chainId, o.sell.tokenIn)];
  const proceeds = at(o.sell.chainId, o.sell.tokenOut);
  // what came back of the stock is less by the bridge's fee, and no sale that waits for its purchase: the capital is spent
  const isBought = at(o.buy.chainId, o.buy.tokenIn) !== 0n;
  const restocked = row.mode === "inventory" && there < 0n && here <= 0n && isBought && (await s.engine.patched("restocked"));
  if (row.mode === "inventory" && there < 0n && !restocked) {
    if (here <= 0n) return await buyStock(s, row, { proceeds, failure: "leg-failed" });
    return (await rebalance(s, here, proceeds, capital)) ?? planned;
  }
  if (row.mode === "inventory" && here > 0n && there === 0n)
    return await sellStock(s, row, { bought: here, failure: "leg-failed" });
  if (there > 0n && there >= here) return await sellAtTarget(s, there, capital, row);
  // by a decision, for the operator may have said how
  if (here > 0n && there >= 0n) return await carry(s, "refunded", here, capital, row, await s.engine.patched("ways-back"));
  if (here > 0n) return await sellAtSource(s, "refunded", here, capital, row, 0n);
  if (proceeds > 0n) return (await bringHome(s, proceeds, capital, "return-start", "return-in-flight")) ?? planned;
  if (await s.engine.patched("all-home"))
    return at(o.buy.chainId, o.buy.tokenIn) === 0n
      ? { outcome: "no-trade", reason: "nothing was bought" }
      : { outcome: "as-planned", reason: "all of it is at home" };
  return held("nothing of it is left to be traded");
}
