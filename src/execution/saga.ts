/** The workflow of one cross-chain trade, in terms of durable steps. Nothing here reads a clock or a chain but through a step. */
import type { BridgeId, BridgeQuote } from "../bridges/bridge.js";
import { judgeStart } from "../transfers/estimate.js";
import type { LegEnd, LegWish } from "../transfers/actions.js";
import { allFinal, closeBooks } from "../transfers/closing.js";
import type { Position } from "../transfers/quotes.js";
import type { SagaRow, Stand } from "../transfers/store.js";
import type { SagaResult } from "../transfers/types.js";
import type { CrossChainOpportunity } from "../opportunity/cross-chain.js";
import type { Env } from "./cross-chain-executor.js";
import type { ChoiceKind, Failure, SagaOutcome, SagaState } from "./recovery-manager.js";
import { allowed } from "./recovery-manager.js";

/** What a workflow engine gives: steps that are done once, waits that outlive the process, and what an operator said. */
export interface Engine {
  step<T>(name: string, body: () => Promise<T>): Promise<T>;
  /** Waits; what an operator says ends it early. */
  pause(seconds: number): Promise<Command | null>;
  now(): Promise<number>;
}

export interface Command {
  choice: ChoiceKind | "look";
}

/** A saga goes on from where it was held. */
export interface SagaInput {
  opportunity: CrossChainOpportunity;
  account: string;
  /** 0 at first; then how often it was resumed after its end. Part of the names of its legs. */
  again: number;
}

/** What became of a transfer. Amounts in base units of what is there now. */
type Moved =
  | { kind: "arrived"; amount: bigint }
  | { kind: "refunded"; amount: bigint }
  | { kind: "none"; choice: ChoiceKind | "held"; reason: string };

type Holding = { outcome: SagaOutcome | "as-planned"; reason: string };

/** One cross-chain trade from its opening to its books. Names of steps and legs are a matter of the saga's version. */
export class Saga {
  #legs = 0;
  #steps = 0;
  #tries: Partial<Record<ChoiceKind, number>> = {};
  #exceptPools: string[] = [];
  #exceptBridges: BridgeId[] = [];
  #loose: { chainId: number; token: string; spender: string }[] = [];
  #decisions: SagaResult["decisions"] = [];
  #wish: ChoiceKind | null = null;

  constructor(
    readonly env: Env,
    readonly engine: Engine,
    readonly input: SagaInput,
  ) {}

  get #o(): CrossChainOpportunity {
    return this.input.opportunity;
  }

  get #id(): string {
    return this.input.opportunity.id;
  }

  async run(): Promise<SagaResult> {
    const { account } = this.input;
    const row = this.input.again === 0 ? await this.#open() : await this.#steady("reopen", () => this.#row());
    if (row.outcome !== null && row.result !== null && this.input.again === 0) return row.result;
    const end =
      this.input.again > 0
        ? await this.#resume(row)
        : row.mode === "bridge"
          ? await this.#bridgeMode(row)
          : await this.#inventoryMode(row);
    for (const [i, at] of this.#loose.entries())
      await this.#until(`revoke.${i}`, () => this.env.actions.revoke(this.#id, account, i, at));
    const final = await this.#final();
    return await this.#steady("close", async () => {
      const result = await closeBooks(this.env.actions, row, { ...end, final, decisions: this.#decisions });
      await this.env.store.finish(this.#id, result.outcome, result);
      return result;
    });
  }

  async #row(): Promise<SagaRow> {
    const row = await this.env.store.saga(this.#id);
    if (!row) throw new Error(`the saga ${this.#id} is not in the database`);
    return row;
  }

  async #open(): Promise<SagaRow> {
    const { account, opportunity } = this.input;
    const { store } = this.env;
    return await this.#steady("open", async () => {
      const known = await store.saga(opportunity.id);
      if (known) return known;
      const start = await judgeStart(opportunity, account, this.env);
      const refuse = async (reason: string) => {
        const nothing = { profit: 0n, residual: 0n, gasCost: 0n, net: 0n, books: [], final: true, decisions: [] };
        const result: SagaResult = { outcome: "no-trade", reason, expected: start.estimate.profit, ...nothing };
        await store.refuse(opportunity, account, start.estimate, result);
        return await this.#row();
      };
      if (!start.ok) return await refuse(start.reason);
      const { estimate, wanted } = start;
      const missing = await store.open({ opportunity, mode: estimate.mode, account, estimate }, wanted);
      return missing === null ? await this.#row() : await refuse(missing);
    });
  }

  async #bridgeMode(row: SagaRow): Promise<Holding> {
    const o = this.#o;
    const capital = o.amountIn;
    // at least what the plan had, less the slippage: below it the trade would not pay
    const floor = less(row.estimate.bought, this.env.settings.slippagePpm);
    const bought = await this.#leg("source-leg", { ...this.#buy("buy", floor), amountIn: o.amountIn }, capital);
    if ("outcome" in bought) return bought;
    return await this.#carry("bridge-start", bought.amount, capital, row);
  }

  /** From the bought token on the source network to its sale somewhere. */
  async #carry(from: SagaState, amount: bigint, capital: bigint, row: SagaRow): Promise<Holding> {
    const o = this.#o;
    const route = { from: o.buy.chainId, to: o.sell.chainId, tokenIn: o.buy.tokenOut, tokenOut: o.sell.tokenIn };
    let state = from;
    for (;;) {
      const moved = await this.#transfer({ ...route, name: "out", start: state, flying: "in-flight", amount, capital });
      if (moved.kind === "arrived") return await this.#sellAtTarget(moved.amount, capital, row);
      if (moved.kind === "refunded") {
        amount = moved.amount;
        state = "refunded";
        const choice = await this.#decide({ state, amount, capital }, "refunded", true);
        if (choice === "other-bridge") continue;
        if (choice === "sell-at-source") return await this.#sellAtSource("sold-at-source", amount, capital);
        return held(`the transfer was refunded, and no way out was taken (${choice})`);
      }
      if (moved.choice === "sell-at-source") return await this.#sellAtSource("sold-at-source", amount, capital);
      return held(moved.reason);
    }
  }

  async #sellAtTarget(amount: bigint, capital: bigint, row: SagaRow): Promise<Holding> {
    const o = this.#o;
    // what must be there so that home, gas and bridges leave the capital whole
    const floor = capital + row.estimate.gasCost + (row.estimate.sold - row.estimate.home);
    const sold = await this.#leg("target-leg", { ...this.#sell("sell", floor), amountIn: amount }, capital);
    if ("outcome" in sold) {
      if (sold.outcome !== "bridged-back") return sold;
      const route = { from: o.sell.chainId, to: o.buy.chainId, tokenIn: o.sell.tokenIn, tokenOut: o.buy.tokenOut };
      const back = await this.#transfer({ ...route, name: "back", start: "target-leg", flying: "in-flight", amount, capital });
      if (back.kind === "arrived") return await this.#sellAtSource("bridged-back", back.amount, capital);
      if (back.kind === "refunded") return await this.#atAnyPrice(back.amount, capital);
      return back.choice === "sell-at-target" ? await this.#atAnyPrice(amount, capital) : held(back.reason);
    }
    const home = await this.#home(sold.amount, capital, "return-start", "return-in-flight");
    return home ?? (sold.forced ? { outcome: "sold-at-target", reason: sold.reason } : planned);
  }

  async #atAnyPrice(amount: bigint, capital: bigint): Promise<Holding> {
    const sold = await this.#leg("target-leg", { ...this.#sell("sell", 0n), amountIn: amount }, capital);
    if ("outcome" in sold) return sold;
    return (
      (await this.#home(sold.amount, capital, "return-start", "return-in-flight")) ?? {
        outcome: "sold-at-target",
        reason: sold.reason,
      }
    );
  }

  async #sellAtSource(outcome: SagaOutcome, amount: bigint, capital: bigint): Promise<Holding> {
    const { buy } = this.#o;
    const wish = {
      ...this.#sell("unwind", 0n),
      chainId: buy.chainId,
      tokenIn: buy.tokenOut,
      tokenOut: buy.tokenIn,
      preferred: null,
    };
    const sold = await this.#leg("refunded", { ...wish, amountIn: amount }, capital);
    return "outcome" in sold ? sold : { outcome, reason: sold.reason };
  }

  /** Brings proceeds home where that is wanted. Null: as planned. */
  async #home(amount: bigint, capital: bigint, start: SagaState, flying: SagaState): Promise<Holding | null> {
    const o = this.#o;
    if (!o.returnToSource) return null;
    const route = { from: o.sell.chainId, to: o.buy.chainId, tokenIn: o.sell.tokenOut, tokenOut: o.buy.tokenIn };
    let at = start;
    for (;;) {
      const moved = await this.#transfer({ ...route, name: "home", start: at, flying, amount, capital });
      if (moved.kind === "arrived") return null;
      if (moved.kind === "none")
        return moved.choice === "keep-at-target" ? { outcome: "kept-at-target", reason: moved.reason } : held(moved.reason);
      amount = moved.amount;
      at = "return-refunded";
      const choice = await this.#decide({ state: at, amount, capital }, "refunded", true);
      if (choice !== "other-bridge") return { outcome: "kept-at-target", reason: "the way home was refunded" };
    }
  }

  async #inventoryMode(row: SagaRow): Promise<Holding> {
    const o = this.#o;
    const capital = o.amountIn;
    const { slippagePpm } = this.env.settings;
    const sells = row.estimate.bought;
    const buy = { ...this.#buy("buy", less(row.estimate.bought, slippagePpm)), amountIn: o.amountIn };
    const sell = { ...this.#sell("sell", less(row.estimate.sold, slippagePpm)), amountIn: sells };
    await this.#stand("bought-not-sold", "both legs, sent at once");
    let [bought, sold] = await this.#both(buy, sell);
    if (bought.status === "failed" && sold.status === "failed")
      return { outcome: "no-trade", reason: `${bought.detail}; ${sold.detail}` };
    let outcome: Holding = planned;
    if (sold.status === "failed" && bought.status === "done") {
      this.#notePool(sold);
      const stranded = await this.#stranded("bought-not-sold", sold.failure, { amount: bought.amountOut, capital }, sell);
      if ("outcome" in stranded) return stranded;
      if (stranded.choice === "sell-at-source") return await this.#sellAtSource("sold-at-source", bought.amountOut, capital);
      outcome = stranded.forced ? { outcome: "sold-at-target", reason: stranded.reason } : outcome;
      sold = { status: "done", amountIn: sells, amountOut: stranded.amount, pool: null, hash: "" };
    } else if (bought.status === "failed" && sold.status === "done") {
      this.#notePool(bought);
      const position = { amount: sells, capital, proceeds: sold.amountOut };
      const stranded = await this.#stranded("sold-not-bought", bought.failure, position, buy);
      if ("outcome" in stranded) return stranded;
      if (stranded.choice === "buy-at-target") {
        const wish = { ...this.#sell("rebuy", 0n), tokenIn: o.sell.tokenOut, tokenOut: o.sell.tokenIn, preferred: null };
        const back = await this.#leg("target-leg", { ...wish, amountIn: sold.amountOut }, capital);
        return "outcome" in back ? back : { outcome: "bought-back", reason: stranded.reason };
      }
      bought = { status: "done", amountIn: o.amountIn, amountOut: stranded.amount, pool: null, hash: "" };
    }
    if (bought.status !== "done" || sold.status !== "done") return held("a leg has no known end");
    return (await this.#rebalance(bought.amountOut, sold.amountOut, capital)) ?? outcome;
  }

  /** Brings the stock back to where it was, by the cheapest bridges. Null: done, or not wanted. */
  async #rebalance(boughtAmount: bigint, proceeds: bigint, capital: bigint): Promise<Holding | null> {
    const o = this.#o;
    if (!o.returnToSource) return null;
    const out = { from: o.buy.chainId, to: o.sell.chainId, tokenIn: o.buy.tokenOut, tokenOut: o.sell.tokenIn };
    const moved = await this.#transfer({
      ...out,
      name: "restock",
      start: "rebalance-start",
      flying: "rebalance-in-flight",
      amount: boughtAmount,
      capital,
    });
    const stays = moved.kind !== "arrived" && !(moved.kind === "none" && moved.choice === "held");
    if (moved.kind === "none" && moved.choice === "held") return held(moved.reason);
    const home = await this.#home(proceeds, capital, "rebalance-start", "rebalance-in-flight");
    return home ?? (stays ? { outcome: "kept-at-target", reason: "the stock was not brought back to its place" } : null);
  }

  async #both(buy: LegWish, sell: LegWish): Promise<[LegEnd, LegEnd]> {
    const { actions, settings } = this.env;
    const { account } = this.input;
    let both: [LegEnd, LegEnd];
    const end = (await this.engine.now()) + settings.haltSeconds * 1000;
    for (;;) {
      both = await this.#steady(
        "legs",
        async () => await Promise.all([actions.swap(this.#id, account, buy), actions.swap(this.#id, account, sell)]),
      );
      if (both.every((l) => l.status !== "open")) return both;
      await this.#halted("bought-not-sold", both, end);
    }
  }

  /** A leg of an inventory trade whose twin is done. */
  async #stranded(
    state: "bought-not-sold" | "sold-not-bought",
    failure: Failure,
    position: { amount: bigint; capital: bigint; proceeds?: bigint },
    wish: LegWish,
  ): Promise<Holding | { amount: bigint; forced: boolean; reason: string; choice?: ChoiceKind }> {
    let forced = false;
    let why = failure;
    for (;;) {
      const choice = await this.#decide({ state, ...position }, why, true);
      const reason = this.#decisions.at(-1)?.reason ?? "";
      if (choice === "sell-at-source" || choice === "buy-at-target") return { amount: 0n, forced, reason, choice };
      if (choice === "hold" || choice === "operator") return held(reason);
      if (choice === "sell-at-target" || choice === "continue" || choice === "other-venue") forced = true;
      const floor = forced ? 0n : wish.floor;
      const next = await this.#swap(state, {
        ...wish,
        leg: this.#name("again"),
        floor,
        exceptPools: choice === "other-venue" ? this.#exceptPools : [],
      });
      if (next.status === "done") return { amount: next.amountOut, forced, reason };
      this.#notePool(next);
      why = next.failure;
    }
  }

  /** One leg to its end, with the decisions that its failures need. */
  async #leg(
    state: SagaState,
    wish: LegWish,
    capital: bigint,
  ): Promise<Holding | { amount: bigint; forced: boolean; reason: string }> {
    let { floor } = wish;
    let exceptPools: string[] = [];
    let forced = false;
    for (;;) {
      await this.#stand(state, "the swap", { chainId: wish.chainId, token: wish.tokenIn, amount: wish.amountIn });
      const end = await this.#swap(state, { ...wish, leg: this.#name(wish.leg), floor, exceptPools });
      if (end.status === "done") return { amount: end.amountOut, forced, reason: this.#decisions.at(-1)?.reason ?? "as planned" };
      this.#notePool(end);
      const choice = await this.#decide({ state, amount: wish.amountIn, capital, pool: end.pool }, end.failure, true);
      const reason = `${end.detail}; ${this.#decisions.at(-1)?.reason ?? ""}`;
      switch (choice) {
        case "give-up":
          return { outcome: "no-trade", reason };
        case "bridge-back":
          return { outcome: "bridged-back", reason };
        case "sell-at-target":
        case "continue":
          [floor, forced] = [0n, true];
          break;
        case "other-venue":
          exceptPools = this.#exceptPools;
          // within the loss that was decided on; for the first leg the plan's own floor stays
          if (state !== "source-leg") [floor, forced] = [0n, true];
          break;
        case "retry":
        case "other-bridge":
          break;
        case "wait":
        case "speed-up":
        case "re-attest":
        case "retry-delivery":
        case "claim-refund":
        case "sell-at-source":
        case "buy-at-target":
        case "keep-at-target":
        case "hold":
        case "operator":
          return held(reason);
      }
    }
  }

  async #swap(state: SagaState, wish: LegWish): Promise<Exclude<LegEnd, { status: "open" }>> {
    const { actions, settings } = this.env;
    const deadline = (await this.engine.now()) + settings.haltSeconds * 1000;
    for (;;) {
      const end = await this.#steady(wish.leg, () => actions.swap(this.#id, this.input.account, wish));
      if (end.status !== "open") return end;
      await this.#halted(state, [end], deadline);
    }
  }

  /** Signed and sent, with no known end: nothing else may be done with the money, so it is looked at again; overdue, the operator is told. */
  async #halted(state: SagaState, ends: { status: string; detail?: string }[], deadline: number): Promise<void> {
    const what = ends.flatMap((e) => (e.status === "open" ? [e.detail ?? ""] : [])).join("; ");
    const late = (await this.engine.now()) > deadline;
    if (late) this.env.onFault(new Error(`${this.#id}: ${state}: no receipt after ${this.env.settings.haltSeconds} s: ${what}`));
    await this.#stand(late ? "operator" : state, `a receipt: ${what}`);
    await this.#pause(this.env.settings.pollSeconds);
  }

  async #transfer(t: {
    name: string;
    start: SagaState;
    flying: SagaState;
    from: number;
    to: number;
    tokenIn: string;
    tokenOut: string;
    amount: bigint;
    capital: bigint;
  }): Promise<Moved> {
    const { actions, quotes, settings } = this.env;
    const { account } = this.input;
    const back = t.from === this.#o.sell.chainId;
    const token = t.tokenIn === (back ? this.#o.sell.tokenIn : this.#o.buy.tokenOut) ? "bought" : "profit";
    const position = { state: t.start, amount: t.amount, capital: t.capital };
    const patience = (await this.engine.now()) + settings.haltSeconds * 1000;
    for (;;) {
      const leg = this.#name(t.name);
      await this.#stand(t.start, "a bridge", { chainId: t.from, token: t.tokenIn, amount: t.amount });
      const best = await this.#steady(`${leg}.quote`, async () => {
        const asked = { token, back, amount: t.amount, id: leg, except: this.#exceptBridges } as const;
        const { offers, refused } = await quotes.offers(this.#o, account, asked);
        return { quote: offers[0]?.quote ?? null, refused: refused.map((r) => `${r.bridge}: ${r.reason}`).join("; ") };
      });
      let failure: Failure = "bridge-paused";
      let detail = best.refused;
      if (best.quote !== null) {
        const begun = await this.#begin(leg, best.quote);
        if (begun.status === "started") return await this.#fly(t, leg, best.quote, begun.dueSeconds);
        failure = "start-reverted";
        detail = begun.detail;
        this.#loose.push(...actions.spenders(best.quote));
      }
      const timeLeft = (await this.engine.now()) < patience;
      const choice = await this.#decide(position, failure, timeLeft);
      const reason = `${detail}; ${this.#decisions.at(-1)?.reason ?? ""}`;
      if (choice === "wait") await this.#pause(settings.pollSeconds * 5);
      else if (choice === "other-bridge" && best.quote !== null) this.#exceptBridges.push(best.quote.bridge);
      else if (choice === "hold" || choice === "operator") return { kind: "none", choice: "held", reason };
      else if (choice !== "retry" && choice !== "continue" && choice !== "other-bridge") return { kind: "none", choice, reason };
    }
  }

  async #begin(leg: string, quote: BridgeQuote) {
    const { actions, settings } = this.env;
    const deadline = (await this.engine.now()) + settings.haltSeconds * 1000;
    for (;;) {
      const begun = await this.#steady(`${leg}.start`, () => actions.start(this.#id, this.input.account, leg, quote));
      if (begun.status !== "open") return begun;
      await this.#halted("bridge-start", [begun], deadline);
    }
  }

  /** A started transfer until its money is somewhere. */
  async #fly(
    t: { flying: SagaState; start: SagaState; to: number; from: number; tokenIn: string; amount: bigint; capital: bigint },
    leg: string,
    quote: BridgeQuote,
    dueSeconds: number,
  ): Promise<Moved> {
    const { actions, settings } = this.env;
    const { account } = this.input;
    const id = quote.request.id;
    const begun = await this.engine.now();
    const lastWait = begun + (dueSeconds + quote.refundSeconds + this.env.recovery.policy.holdSeconds) * 1000;
    for (;;) {
      const seen = await this.#steady(`${leg}.track`, () => actions.track(account, id));
      const now = await this.engine.now();
      const risk = { chainId: t.from, token: t.tokenIn, amount: quote.amountIn };
      await this.#stand(t.flying, seen.waitsFor, risk, Math.max(0, Math.round(dueSeconds - (now - begun) / 1000)));
      if ((seen.state === "delivered" || seen.state === "refunded") && seen.amount !== null) {
        const at = seen.state === "delivered" ? t.to : t.from;
        if (seen.native)
          await this.#until(
            `${leg}.wrap`,
            async () => (await actions.wrap(this.#id, account, `${leg}.wrap`, at, seen.amount ?? 0n)).done,
          );
        if (seen.state === "refunded" && !this.#exceptBridges.includes(quote.bridge)) this.#exceptBridges.push(quote.bridge);
        return { kind: seen.state === "delivered" ? "arrived" : "refunded", amount: seen.amount };
      }
      if (seen.state === "claimable") {
        await this.#push(leg, id, "claim");
        continue;
      }
      if (seen.state === "not-started" && !seen.startPossible) {
        // a reorganisation took the start back, and the bridge takes it no more: the money never left
        await this.#steady(`${leg}.lost`, async () => (await this.env.store.notStarted(id), null));
        return { kind: "refunded", amount: quote.amountIn };
      }
      const failure = failureOf(seen.state, seen.overdue);
      if (failure !== null) {
        const timeLeft = now < lastWait;
        const choice = await this.#decide(
          { state: t.flying, amount: t.amount, capital: t.capital, quote },
          failure,
          timeLeft,
          true,
        );
        if (choice === "speed-up") await this.#push(leg, id, "speed-up");
        else if (choice === "re-attest") await this.#push(leg, id, "re-attest");
        else if (choice === "retry-delivery") await this.#push(leg, id, "retry");
        else if (choice === "claim-refund") await this.#push(leg, id, "claim-refund");
        else if (choice !== "wait") await this.#stand("operator", seen.waitsFor, risk);
        if (!timeLeft) return { kind: "none", choice: "held", reason: `the transfer ${id} has no end yet: ${seen.waitsFor}` };
      }
      await this.#pause(Math.min(Math.max(seen.checkAgainSeconds, settings.pollSeconds), settings.mostPollSeconds));
    }
  }

  async #push(leg: string, id: string, wish: Parameters<Env["actions"]["push"]>[4]): Promise<void> {
    const name = this.#name(`${leg}.${wish}`);
    const { actions, settings } = this.env;
    for (;;) {
      const pushed = await this.#steady(name, () => actions.push(this.#id, this.input.account, name, id, wish));
      if (!pushed.open) return;
      await this.#pause(settings.pollSeconds);
    }
  }

  /**
   * Asks the RecoveryManager, by quotes of now. A position that is to be held, or waits for the operator, is quoted again and again until
   * a way out is within the limits, the operator says what, or the time of holding is over. `once`: gives these choices to the caller.
   */
  async #decide(
    p: Omit<Position, "exceptPools" | "exceptBridges">,
    failure: Failure,
    timeLeft: boolean,
    once = false,
  ): Promise<ChoiceKind> {
    const { quotes, recovery, settings } = this.env;
    const position: Position = { ...p, exceptPools: this.#exceptPools, exceptBridges: this.#exceptBridges };
    const until = (await this.engine.now()) + recovery.policy.holdSeconds * 1000;
    for (;;) {
      const choices = await this.#steady("ways", () => quotes.waysOut(this.#o, this.input.account, position));
      const wish = this.#wish;
      const taken = { ...this.#tries };
      const decided = recovery.decide({ state: p.state, failure, capital: p.capital, choices, taken, timeLeft, wish });
      const { kind } = decided.choice;
      if (wish !== null && kind === wish) this.#wish = null;
      const at = `${p.state}: ${failure}`;
      const last = this.#decisions.at(-1);
      if (last?.at !== at || last.choice !== kind) this.#decisions.push({ at, choice: kind, reason: decided.reason });
      if (kind !== "hold" && kind !== "operator") {
        this.#tries[kind] = (this.#tries[kind] ?? 0) + 1;
        return kind;
      }
      if (once || (await this.engine.now()) >= until) return kind;
      const left = Math.round((until - (await this.engine.now())) / 1000);
      const can = allowed(p.state, failure).join(", ");
      await this.#stand(
        kind === "hold" ? "held" : "operator",
        `${decided.reason}; arb transfers resume ${this.#id} --choice with one of: ${can}`,
        undefined,
        left,
      );
      await this.#pause(Math.min(settings.recheckSeconds, Math.max(0.05, left)));
    }
  }

  /** A saga that ended as held: what its position is follows from its books. */
  async #resume(row: SagaRow): Promise<Holding> {
    const { store, actions } = this.env;
    const o = this.#o;
    const { account } = this.input;
    await this.#steady("own", async () => (await store.reopen(this.#id).catch(() => undefined), null));
    const open = await this.#steady(
      "open-transfer",
      async () => (await store.transfersOf(this.#id)).find((t) => t.ended === null) ?? null,
    );
    const capital = o.amountIn;
    if (open !== null) {
      const home = open.leg.includes("home");
      const route = open.quote.request.route;
      const at = { start: "bridge-start" as const, from: route.fromChainId, to: route.toChainId, tokenIn: route.tokenIn };
      const end = await this.#fly(
        { ...at, flying: home ? "return-in-flight" : "in-flight", amount: open.quote.amountIn, capital },
        this.#name("look"),
        open.quote,
        0,
      );
      if (end.kind === "none") return held(end.reason);
      if (home) return end.kind === "arrived" ? planned : { outcome: "kept-at-target", reason: "the way home was refunded" };
    }
    const books = await this.#steady("books", () => store.books(this.#id, actions.holder(o, account, "buy")));
    const at = (chainId: number, token: string) =>
      books.find((b) => b.chainId === chainId && b.asset === token.toLowerCase())?.amount ?? 0n;
    const [here, there] = [at(o.buy.chainId, o.buy.tokenOut), at(o.sell.chainId, o.sell.tokenIn)];
    if (there > 0n && there >= here) return await this.#sellAtTarget(there, capital, row);
    if (here > 0n && there >= 0n) return await this.#carry("refunded", here, capital, row);
    if (here > 0n) return await this.#sellAtSource("sold-at-source", here, capital);
    const proceeds = at(o.sell.chainId, o.sell.tokenOut);
    if (proceeds > 0n) return (await this.#home(proceeds, capital, "return-start", "return-in-flight")) ?? planned;
    return held("nothing of it is left to be traded");
  }

  async #final(): Promise<boolean> {
    const { settings, actions } = this.env;
    const until = (await this.engine.now()) + settings.finalSeconds * 1000;
    for (;;) {
      if (await this.#steady("final", () => allFinal(actions, this.#id))) return true;
      if ((await this.engine.now()) >= until) return false;
      await this.#stand("closing", "final blocks for its transactions", null);
      await this.#pause(settings.pollSeconds);
    }
  }

  #name(what: string): string {
    const again = this.input.again === 0 ? "" : `again${this.input.again}.`;
    return `${again}${what}.${this.#legs++}`;
  }

  #notePool(end: LegEnd): void {
    if (end.status !== "failed") return;
    if (end.pool !== null && !this.#exceptPools.includes(end.pool)) this.#exceptPools.push(end.pool);
    const chainId = end.pool === null ? null : this.#chainOf(end.pool);
    if (end.spender !== null && chainId !== null) this.#loose.push({ ...chainId, spender: end.spender });
  }

  /** The network and input token of a failed leg, by the pool that it was in. */
  #chainOf(pool: string): { chainId: number; token: string } {
    const { buy, sell } = this.#o;
    return pool === buy.pool ? { chainId: buy.chainId, token: buy.tokenIn } : { chainId: sell.chainId, token: sell.tokenIn };
  }

  #buy(leg: string, floor: bigint): Omit<LegWish, "amountIn"> {
    const { chainId, tokenIn, tokenOut } = this.#o.buy;
    return { leg, chainId, tokenIn, tokenOut, floor, preferred: this.#o.buy, exceptPools: [] };
  }

  #sell(leg: string, floor: bigint): Omit<LegWish, "amountIn"> {
    const { chainId, tokenIn, tokenOut } = this.#o.sell;
    return { leg, chainId, tokenIn, tokenOut, floor, preferred: this.#o.sell, exceptPools: [] };
  }

  async #pause(seconds: number): Promise<void> {
    const said = await this.engine.pause(seconds);
    if (said !== null && said.choice !== "look") this.#wish = said.choice;
  }

  async #stand(state: string, waitsFor: string, risk?: Stand["risk"], dueSeconds: number | null = null): Promise<void> {
    const stand: Stand = { state, waitsFor, dueSeconds, ...(risk === undefined ? {} : { risk }) };
    await this.#steady("stand", async () => (await this.env.store.stand(this.#id, stand), null));
  }

  /** Runs a step until it says that it is done. */
  async #until(name: string, body: () => Promise<boolean>): Promise<void> {
    while (!(await this.#steady(name, body))) await this.#pause(this.env.settings.pollSeconds);
  }

  /**
   * A step that is tried until it has an answer. While a chain or the database gives none, nothing is known, and so nothing is decided;
   * each failure is told.
   */
  async #steady<T>(name: string, body: () => Promise<T>): Promise<T> {
    for (let i = 0; ; i++) {
      const step = `${name}#${this.#steps++}`;
      const tried = await this.engine.step(step, async (): Promise<{ ok: true; value: T } | { ok: false; fault: string }> => {
        try {
          return { ok: true, value: await body() };
        } catch (error) {
          this.env.onFault(error);
          return { ok: false, fault: error instanceof Error ? error.message : String(error) };
        }
      });
      if (tried.ok) return tried.value;
      const { pollSeconds, mostPollSeconds } = this.env.settings;
      await this.#pause(Math.min(pollSeconds * 2 ** i, mostPollSeconds));
    }
  }
}

const planned: Holding = { outcome: "as-planned", reason: "as planned" };
const held = (reason: string): Holding => ({ outcome: "held", reason });
const less = (amount: bigint, ppm: number): bigint => amount - (amount * BigInt(ppm)) / 1_000_000n;

function failureOf(state: string, overdue: boolean): Failure | null {
  switch (state) {
    case "slow":
      return "fill-slow";
    case "expired":
    case "refunding":
      return "expired";
    case "blocked":
      return "delivery-blocked";
    case "stuck":
      return "stuck";
    case "attesting":
      return overdue ? "attestation-late" : null;
    default:
      return overdue ? "fill-slow" : null;
  }
}
