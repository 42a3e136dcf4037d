/** The workflow of one transfer of stock, and the schedule that starts them: one at a time for a token. */
import { setTimeout as sleep } from "node:timers/promises";
import type { BridgeQuote } from "../bridges/bridge.js";
import type { Pushed, Seen, StartEnd, Wrapped } from "../bridges/bridge-executor.js";
import type { RebalancingConfig } from "../config/cross-chain.js";
import { ArbError } from "../errors.js";
import type { Sql } from "../journal/sql.js";
import { openRevocation, staysApproved } from "../transfers/approvals.js";
import { FAULT_TRIES, type FaultKind, faultKindOf } from "../transfers/faults.js";
import { brokenWithin, symbolsOf } from "../transfers/limits.js";
import { planOf, planOfMove, stockOffers } from "../transfers/rebalancing-plan.js";
import { type RebalancingEnd, RebalancingStore, type StockMove } from "../transfers/rebalancing-store.js";
import { workflowOf } from "../transfers/store.js";
import type { Owner } from "../transfers/types.js";
import type { Env } from "./cross-chain-executor.js";
import { ErrorHandler } from "./error-handler.js";
import type { Command, Engine } from "./saga-run.js";

export interface RebalancingInput {
  id: string;
  account: string;
  move: StockMove;
}

const LEG = "move";
/** One wait for the operator: each is a step. */
const ASK_SECONDS = 3_600;
/** So often at least a transfer is looked at while it takes what was promised. */
const LOOKS_PER_TRANSFER = 200;
const PPM = 1_000_000n;

type Tried<T> = { ok: true; value: T } | { ok: false; kind: FaultKind; fault: string };

/** Steps of earlier versions say only whether it was done. */
const isWrapped = (end: Wrapped | { done: boolean }): boolean => ("done" in end ? end.done : end.status === "done");

export const rebalancingStore = (env: Env): RebalancingStore => new RebalancingStore(env.store.db, env.store.providers);

/**
 * One transfer of stock to its end. Nothing is sent twice: its start is recorded first, like a trade's. It ends when the money is on one
 * side, in a final block; until then it waits, finishes what can be finished, and tells when it is late.
 */
export class Rebalancing {
  #steps = 0;
  #pushes = 0;
  /** An operator has given it up. */
  #isClosed = false;
  #isSlowFillAsked = false;
  readonly #owner: Owner;

  constructor(
    readonly env: Env,
    readonly engine: Engine,
    readonly input: RebalancingInput,
  ) {
    this.#owner = { saga: input.id, account: input.account, workflow: workflowOf(input.id) };
  }

  async run(): Promise<RebalancingEnd> {
    const quote = await this.#steady("quote", () => this.#quote());
    if (quote.quote === null) return await this.#end("not-started", quote.reason);
    const started = await this.#begin(quote.quote);
    if (started.status === "failed") {
      if (await this.engine.patched("stock-approvals")) await this.#revoke(quote.quote);
      if (await this.engine.patched("stock-coins")) await this.#wrapBack(quote.quote);
      return await this.#end("not-started", started.detail);
    }
    return await this.#fly(quote.quote);
  }

  async #quote(): Promise<{ quote: BridgeQuote | null; reason: string }> {
    const { id, account, move } = this.input;
    const { quotes } = this.env;
    const { fromChainId, toChainId, tokenIn, tokenOut, amount, maxCostPpm } = move;
    const route = { fromChainId, toChainId, tokenIn, tokenOut };
    const wanted = { route, amountIn: amount, id: `${workflowOf(id)}:${LEG}` };
    const { offers, refused } = await stockOffers(quotes, account, wanted, move);
    const [best] = offers;
    if (!best) return { quote: null, reason: refused.map((r) => `${r.bridge}: ${r.reason}`).join("; ") };
    const cost = amount - best.net + (await quotes.gasIn(fromChainId, tokenIn, 0n, 1n));
    return cost * PPM > amount * BigInt(maxCostPpm)
      ? { quote: null, reason: `it would cost ${cost} of ${amount} by now` }
      : { quote: best.quote, reason: "" };
  }

  async #begin(quote: BridgeQuote): Promise<Exclude<StartEnd, { status: "open" }>> {
    const { id } = this.input;
    const { haltSeconds } = this.env.settings;
    let until: number | null = null;
    for (let told = false; ;) {
      const begun = await this.#steady("start", () => this.env.actions.bridges.start(this.#owner, LEG, quote));
      if (begun.status !== "open") return begun;
      if (!told && (await this.engine.patched("late-starts"))) {
        const now = await this.engine.now();
        until ??= now + haltSeconds * 1000;
        told = now >= until;
        if (told)
          this.env.onFault(
            new ArbError("timeout", `${id} has not started after ${haltSeconds} s: ${begun.detail}`, { where: "arb inventory" }),
          );
      }
      await this.#stand("starting", `a receipt: ${begun.detail}`);
      await this.#pause(this.env.settings.pollSeconds);
    }
  }

  /** What a start that failed may have left approved. */
  async #revoke(quote: BridgeQuote): Promise<void> {
    const { actions, settings } = this.env;
    for (const [i, at] of actions.bridges.spenders(quote).entries()) {
      let until: number | null = null;
      while (!(await this.#steady("revoke", () => actions.revoke(this.#owner, `${LEG}.revoke.${i}`, at)))) {
        if (await this.engine.patched("open-revokes")) {
          const now = await this.engine.now();
          until ??= now + settings.haltSeconds * 1000;
          if (now >= until) {
            this.env.onFault(staysApproved(this.#owner, at, openRevocation(settings.haltSeconds)));
            break;
          }
        }
        await this.#pause(settings.pollSeconds);
      }
    }
  }

  /** What a start that failed had unwrapped: as the coin it would be no stock. */
  async #wrapBack(quote: BridgeQuote): Promise<void> {
    const { bridges } = this.env.actions;
    const coin = await this.#steady("unwrapped", async () =>
      bridges.unwraps(quote) ? await bridges.unwrapped(this.#owner, quote) : 0n,
    );
    if (coin > 0n) await this.#wrap(quote.request.route.fromChainId, coin);
  }

  async #fly(quote: BridgeQuote): Promise<RebalancingEnd> {
    const { id, move } = this.input;
    const { bridges } = this.env.actions;
    const { pollSeconds, mostPollSeconds } = this.env.settings;
    // each look is a step: a withdrawal of a week is not looked at every minute
    const mostSeconds = Math.max(mostPollSeconds, quote.etaSeconds / LOOKS_PER_TRANSFER);
    let told = false;
    for (;;) {
      const seen = await this.#steady("track", () => bridges.track(this.#owner, quote.request.id));
      await this.#stand(seen.state, seen.waitsFor);
      // said of a state that has passed it says nothing
      if (seen.state !== "stuck") this.#isClosed = false;
      if (this.#isClosed) return await this.#giveUp(quote.request.id, seen.waitsFor);
      if ((seen.state === "delivered" || seen.state === "refunded") && seen.amount !== null) {
        if (seen.native) await this.#wrap(seen.state === "delivered" ? move.toChainId : move.fromChainId, seen.amount);
        return await this.#end(seen.state, `${seen.amount} ${seen.state === "delivered" ? "arrived" : "came back"}`);
      }
      if (seen.state === "not-started" && !seen.startPossible) {
        await this.#steady("lost", async () => (await this.env.store.notStarted(this.#owner, quote.request.id, []), null));
        if (await this.engine.patched("start-coins")) await this.#wrapBack(quote);
        return await this.#end("not-started", "a reorganisation took its start back; nothing left");
      }
      const pushed = await this.#push(quote, seen);
      if (seen.overdue && !told) {
        told = true;
        this.env.onFault(new ArbError("timeout", `${id} is overdue: ${seen.waitsFor}`, { where: "arb inventory" }));
      }
      // a call that failed is paid for: it is not made again at once
      const again = pushed?.open === false ? mostPollSeconds : Math.max(seen.checkAgainSeconds, pollSeconds);
      if (pushed?.sent === true) continue;
      await this.#pause(Math.min(again, mostSeconds));
    }
  }

  async #pause(seconds: number): Promise<Command | null> {
    const said = await this.engine.pause(seconds);
    if (said?.choice === "close") this.#isClosed = true;
    return said;
  }

  async #giveUp(transfer: string, waitsFor: string): Promise<RebalancingEnd> {
    await this.#steady("give-up", async () => {
      const row = await this.env.store.transfer(transfer);
      if (row !== null) await this.env.store.giveUp(this.#owner, row);
      return null;
    });
    return await this.#end("given-up", `its operator has given it up: ${waitsFor}`);
  }

  /** What the state asks for; null where that is to wait. What is only slow pays no relayer more: stock is in no hurry. */
  async #push(quote: BridgeQuote, seen: Seen): Promise<Pushed | null> {
    const { bridges } = this.env.actions;
    const owner = this.#owner;
    const name = `${LEG}.push.${this.#pushes}`;
    const transfer = quote.request.id;
    let pushed;
    if (seen.state === "claimable") pushed = await this.#steady("claim", () => bridges.claim(owner, name, transfer));
    else if (seen.state === "blocked") {
      await this.#steady("re-attest", () => bridges.recover(owner, `${name}.re-attest`, transfer, "re-attest"));
      pushed = await this.#steady("retry", () => bridges.recover(owner, name, transfer, "retry"));
    } else if (seen.slowFill === "possible" && (seen.state === "slow" || seen.overdue) && !this.#isSlowFillAsked) {
      const asked = await this.#steady("slow-fill", () => this.#askSlowFill(transfer));
      this.#isSlowFillAsked = asked.sent;
      return asked;
    } else return null;
    // one that is open goes on under its own name
    if (!pushed.open) this.#pushes++;
    return pushed;
  }

  /** Asks the bridge to fill it itself, where that costs no more gas than the transfer may cost. */
  async #askSlowFill(transfer: string): Promise<Pushed> {
    const { toChainId, tokenOut, amount, maxCostPpm } = this.input.move;
    const gas = await this.env.quotes.slowFillGas(toChainId, tokenOut);
    if (gas * PPM > amount * BigInt(maxCostPpm)) return { sent: false, open: false, detail: `its gas would cost ${gas}` };
    return await this.env.actions.bridges.slowFill(this.#owner, transfer);
  }

  async #wrap(chainId: number, amount: bigint): Promise<void> {
    const { bridges } = this.env.actions;
    for (let i = 0; ;) {
      // one that failed stays failed, one that is open goes on under its own name
      const name = i === 0 ? `${LEG}.wrap` : `${LEG}.wrap.${i}`;
      const end = await this.#steady("wrap", () => bridges.wrap(this.#owner, name, chainId, amount));
      if (isWrapped(end)) return;
      if (end.status === "failed" && ++i % FAULT_TRIES === 0) await this.#ask(`what arrived is not wrapped: ${end.detail}`);
      else await this.#pause(this.env.settings.pollSeconds);
    }
  }

  /** What no further try brings on waits for the operator, however long. */
  async #ask(fault: string): Promise<void> {
    const { id } = this.input;
    const what = `${id} stands still: ${fault}`;
    const hint = `arb transfers resume ${id}`;
    this.env.onFault(new ArbError("refused", what, { where: "arb inventory", hint }));
    await this.#stand("held", `${fault}; when that is mended: ${hint}`);
    while ((await this.#pause(ASK_SECONDS)) === null);
  }

  async #end(outcome: RebalancingEnd, detail: string): Promise<RebalancingEnd> {
    const { id, account, move } = this.input;
    await this.#steady("end", async () => {
      const { senders } = this.env.actions;
      const holders = new Set(
        [account, ...[move.fromChainId, move.toChainId].map((c) => senders.venue(c, account).holder)].map((h) => h.toLowerCase()),
      );
      const books = [];
      for (const holder of holders) books.push(...(await this.env.store.books(id, holder)));
      await rebalancingStore(this.env).finish(id, outcome, detail, books);
      return null;
    });
    return outcome;
  }

  async #stand(state: string, waitsFor: string): Promise<void> {
    await this.#steady("stand", async () => (await rebalancingStore(this.env).stand(this.input.id, state, waitsFor), null));
  }

  /** A step that is tried until it has an answer; each failure is told. One that fails by an answer waits for the operator at last. */
  async #steady<T>(name: string, body: () => Promise<T>): Promise<T> {
    const { pollSeconds, mostPollSeconds } = this.env.settings;
    let faults = 0;
    for (let i = 0; ; i++) {
      const tried = await this.engine.step(`${name}#${this.#steps++}`, async (): Promise<Tried<T>> => {
        try {
          return { ok: true, value: await body() };
        } catch (error) {
          this.env.onFault(error);
          return { ok: false, kind: faultKindOf(error), fault: new ErrorHandler().describe(error).message };
        }
      });
      if (tried.ok) return tried.value;
      // what it stands for is told by itself
      if (tried.kind === "fault" && name !== "stand" && ++faults % FAULT_TRIES === 0) {
        await this.#ask(tried.fault);
        i = 0;
      } else await this.#pause(Math.min(pollSeconds * 2 ** i, mostPollSeconds));
    }
  }
}

/**
 * One look at a token's stock: goes on with what is under way, else starts the plan's first move. Gives what is started or under way; null
 * where nothing needs to be moved, or where it would cost too much.
 */
export async function lookAtStock(
  env: Env,
  account: string,
  config: RebalancingConfig,
  start: (input: RebalancingInput) => Promise<void>,
): Promise<string | null> {
  const store = rebalancingStore(env);
  const known = await store.underWay(config.token);
  if (known) {
    const own = env.actions.senders.wallets.find((w) => w.address.toLowerCase() === known.account);
    // whoever wrote it down may have ended before its workflow began
    if (own) await start({ id: known.id, account: own.address, move: known.move });
    return known.id;
  }
  const { moves } = await planOf(env, account, config);
  const [move] = moves;
  if (!move) return null;
  const holder = env.actions.senders.venue(move.fromChainId, account).holder;
  const wanted = [{ chainId: move.fromChainId, holder, token: move.tokenIn, amount: move.amount }];
  const against = async (sql: Sql, id: string) =>
    await brokenWithin(sql, env.rules.limits, symbolsOf(env.actions.senders), id, planOfMove(move));
  const opened = await store.open(config.token, account, move, wanted, against);
  if (opened === null) return null;
  await start({ id: opened.id, account, move });
  return opened.id;
}

/** Whose stock of a token is looked at: one account of each stock, for a vault is the same for whoever operates it. */
export function stockHolders(
  { shares }: Pick<RebalancingConfig, "shares">,
  accounts: readonly string[],
  holderOf: (chainId: number, account: string) => string,
): string[] {
  const stocks = accounts.map((account) => [...shares.keys()].map((c) => holderOf(c, account).toLowerCase()).join());
  return accounts.filter((_, i) => stocks.indexOf(stocks[i]!) === i);
}

/**
 * Looks at the stock of each token, account after account, again and again; a look that fails is told, and tried at its next time. Who
 * comes first changes each time, for only one transfer of a token is under way. Gives what ends it.
 */
export function keepLooking<T extends RebalancingConfig>(
  tokens: readonly T[],
  accountsOf: (r: T) => string[],
  look: (r: T, account: string) => Promise<unknown>,
  onFault: (e: unknown) => void,
) {
  const stop = new AbortController();
  const loops = tokens.map(async (r) => {
    // a fault that nobody catches here would end the program
    const accounts = await Promise.resolve(r).then(accountsOf).catch(onFault);
    if (accounts === undefined) return;
    if (accounts.length === 0)
      onFault(
        new ArbError("config", `no account trades on all networks of the shares of ${r.token}: it is not rebalanced`, {
          where: "networks.NAME.wallets",
        }),
      );
    for (let first = 0; !stop.signal.aborted; first++) {
      for (let i = 0; i < accounts.length && !stop.signal.aborted; i++)
        await look(r, accounts[(first + i) % accounts.length]!).catch(onFault);
      await sleep(r.everyMs, undefined, { signal: stop.signal, ref: false }).catch(() => undefined);
    }
  });
  return async (): Promise<void> => {
    stop.abort();
    await Promise.all(loops);
  };
}
