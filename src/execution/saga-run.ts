/** What every part of a saga works with: durable steps, waits, names, what it did so far, and its decisions. */
import type { BridgeId } from "../bridges/bridge.js";
import type { CrossChainOpportunity } from "../opportunity/cross-chain.js";
import type { LegWish } from "../transfers/actions.js";
import type { Loose } from "../transfers/approvals.js";
import { FAULT_TRIES, type FaultKind, faultKindOf } from "../transfers/faults.js";
import type { Told } from "../transfers/ends.js";
import type { Position } from "../transfers/quotes.js";
import type { Stand } from "../transfers/rows.js";
import { workflowOf } from "../transfers/store.js";
import type { Owner, SagaResult } from "../transfers/types.js";
import type { Change } from "../transfers/version.js";
import type { Env } from "./cross-chain-executor.js";
import { ErrorHandler } from "./error-handler.js";
import { allowed, type Choice, type ChoiceKind, type Decision, type Failure, type SagaOutcome } from "./recovery-manager.js";

/** What a workflow engine gives: steps that are done once, waits that outlive the process, and what an operator said. */
export interface Engine {
  step<T>(name: string, body: () => Promise<T>): Promise<T>;
  /** Waits; what an operator says ends it early. */
  pause(seconds: number): Promise<Command | null>;
  now(): Promise<number>;
  /** False only where the saga's steps were recorded by a version that did not have this change yet. */
  patched(change: Change): Promise<boolean>;
}

export interface Command {
  /** "close": of a transfer of stock that is stuck. */
  choice: ChoiceKind | "look" | "close";
}

/** A saga goes on from where it was held. */
export interface SagaInput {
  opportunity: CrossChainOpportunity;
  account: string;
  /** 0 at first; then how often it was resumed after its end. Part of the names of its legs. */
  again: number;
  /** What the operator said with it. */
  wish?: ChoiceKind;
}

/** Waits of a saga, fixed when it is opened: a later start may have others. */
export type Times = { haltSeconds: number; holdSeconds: number; finalSeconds: number };

type Tried<T> =
  | { ok: true; value: T }
  /** `silent`: a network or a bridge gave no answer, or has no new block. Steps of earlier versions have no `kind`. */
  | { ok: false; fault: string; silent?: boolean; kind?: FaultKind };

/** A step that no further try brings on: the saga is held, and an operator continues it. */
export class NeedsOperator extends Error {
  constructor(
    readonly fault: string,
    readonly tries: number,
  ) {
    super(`${fault} (tried ${tries} times)`);
    this.name = "NeedsOperator";
  }
}

/** Where the money of a saga came to rest. */
export type Holding = { outcome: SagaOutcome | "as-planned"; reason: string };

/** Id of the workflow of a saga's first run, or of one after it was held. */
export const runOf = (id: string, again: number): string => (again === 0 ? workflowOf(id) : `${workflowOf(id)}/${again}`);

export const planned: Holding = { outcome: "as-planned", reason: "as planned" };
export const held = (reason: string): Holding => ({ outcome: "held", reason });
export const less = (amount: bigint, ppm: number): bigint => amount - (amount * BigInt(ppm)) / 1_000_000n;

export const timesOf = ({ settings, recovery }: Env): Times => ({
  haltSeconds: settings.haltSeconds,
  holdSeconds: recovery.policy.holdSeconds,
  finalSeconds: settings.finalSeconds,
});

/** How long a failing step is tried again. Counted by what the steps recorded, so that a run on them gives up at the same try. */
class Patience {
  #tries = 0;
  #faults = 0;
  #lockedUntil: number | null = null;

  constructor(readonly s: SagaRun) {}

  /** Raises NeedsOperator where it is over. */
  async lose(tried: { fault: string; kind?: FaultKind }): Promise<void> {
    this.#tries++;
    if (tried.kind === "fault" && ++this.#faults >= FAULT_TRIES) throw new NeedsOperator(tried.fault, this.#tries);
    if (tried.kind !== "locked") return;
    const now = await this.s.engine.now();
    const { haltSeconds, holdSeconds } = this.s.times;
    this.#lockedUntil ??= now + (haltSeconds + holdSeconds) * 1000;
    if (now >= this.#lockedUntil) throw new NeedsOperator(tried.fault, this.#tries);
  }
}

/** One run of a saga. Nothing here reads a clock or a chain but through a step. */
export class SagaRun {
  tries: Partial<Record<ChoiceKind, number>> = {};
  exceptPools: string[] = [];
  exceptBridges: BridgeId[] = [];
  /** Approvals that failed steps may have left. */
  loose: Loose[] = [];
  decisions: SagaResult["decisions"] = [];
  /** What its transactions came to, as far as it went on by that. */
  readonly #told = new Map<string, Told>();
  wish: ChoiceKind | null;
  times: Times;
  readonly owner: Owner;
  #legs = 0;
  #steps = 0;

  constructor(
    readonly env: Env,
    readonly engine: Engine,
    readonly input: SagaInput,
  ) {
    this.wish = input.wish ?? null;
    const { id } = input.opportunity;
    this.owner = { saga: id, account: input.account, workflow: runOf(id, input.again) };
    this.times = timesOf(env);
  }

  get o(): CrossChainOpportunity {
    return this.input.opportunity;
  }

  get id(): string {
    return this.input.opportunity.id;
  }

  /**
   * Asks the RecoveryManager, by quotes of now. A position that is to be held, or waits for the operator, is quoted again and again until
   * a way out is within the limits, the operator says what, or the time of holding is over. `once`: gives these choices to the caller.
   */
  async decide(
    p: Omit<Position, "exceptPools" | "exceptBridges">,
    failure: Failure,
    timeLeft: boolean,
    once = false,
  ): Promise<Choice> {
    const until = (await this.engine.now()) + this.times.holdSeconds * 1000;
    for (;;) {
      const { choice, reason, earlier } = await this.#ask(p, failure, timeLeft);
      const { kind } = choice;
      // "hold" stands until something else is said: the next quote must not sell what was to be kept. In saga-1 it was taken once
      if (kind === this.wish && (kind !== "hold" || earlier)) this.wish = null;
      this.note(`${p.state}: ${failure}`, kind, reason);
      if (kind !== "hold" && kind !== "operator") {
        this.tries[kind] = (this.tries[kind] ?? 0) + 1;
        return choice;
      }
      if (once || (await this.engine.now()) >= until) return choice;
      const left = Math.round((until - (await this.engine.now())) / 1000);
      const can = allowed(p.state, failure).join(", ");
      await this.stand(
        kind === "hold" ? "held" : "operator",
        `${reason}; arb transfers resume ${this.id} --choice with one of: ${can}`,
        this.#riskOf(p),
        left,
      );
      await this.pause(Math.min(this.env.settings.recheckSeconds, Math.max(0.05, left)));
    }
  }

  /**
   * Quoted and decided in one step, so that what was decided stands whatever the limits of a later start are. Where a network that the
   * quotes need is silent for too long, only ways that need no quote are left.
   */
  async #ask(
    p: Omit<Position, "exceptPools" | "exceptBridges">,
    failure: Failure,
    timeLeft: boolean,
  ): Promise<{ choice: Choice; reason: string; earlier: boolean }> {
    const { quotes, recovery } = this.env;
    const position: Position = { ...p, exceptPools: this.exceptPools, exceptBridges: this.exceptBridges };
    const token = quotes.senders.symbol(this.o.buy.chainId, this.o.buy.tokenIn);
    const situation = { state: p.state, failure, token, capital: p.capital, taken: { ...this.tries }, timeLeft, wish: this.wish };
    const asked = await this.within("ways", async (): Promise<Choice[] | Decision> => {
      const lenient = failure === "chain-halted";
      const choices = await quotes.waysOut(this.o, this.input.account, position, allowed(p.state, failure), lenient);
      return recovery.decide({ ...situation, choices });
    });
    if (!asked.ok) {
      const none = await this.steady("no-ways", () => Promise.resolve(recovery.decide({ ...situation, choices: [] })));
      return { ...none, earlier: false };
    }
    // steps of saga-1 hold the quotes alone
    const earlier = Array.isArray(asked.value);
    const decided = Array.isArray(asked.value) ? recovery.decide({ ...situation, choices: asked.value }, true) : asked.value;
    return { ...decided, earlier };
  }

  /** What a position is of; undefined where the step before has said it. */
  #riskOf({ state, amount, proceeds }: Pick<Position, "state" | "amount" | "proceeds">): Stand["risk"] {
    const { buy, sell } = this.o;
    if (state === "bridge-start" || state === "refunded" || state === "bought-not-sold")
      return { chainId: buy.chainId, token: buy.tokenOut, amount };
    if (state === "target-leg") return { chainId: sell.chainId, token: sell.tokenIn, amount };
    return state === "sold-not-bought" && proceeds !== undefined
      ? { chainId: sell.chainId, token: sell.tokenOut, amount: proceeds }
      : undefined;
  }

  /** For the books: what was decided, once for each time that it changes. */
  note(at: string, choice: ChoiceKind, reason: string): void {
    const last = this.decisions.at(-1);
    if (last?.at !== at || last.choice !== choice) this.decisions.push({ at, choice, reason });
  }

  get reason(): string {
    return this.decisions.at(-1)?.reason ?? "";
  }

  /** Least that a sale must give which was decided on: what was quoted for it, less the slippage. In the profit token. */
  floorOf({ loss }: Choice, capital: bigint): bigint {
    const floor = loss === null ? 0n : less(capital - loss, this.env.settings.slippagePpm);
    return floor > 0n ? floor : 0n;
  }

  name(what: string): string {
    return `${this.again(what)}.${this.#legs++}`;
  }

  /** What a saga that goes on signs has names of its own: those of before have their end. */
  again(what: string): string {
    return this.input.again === 0 ? what : `again${this.input.again}.${what}`;
  }

  /** A transaction's end, by which the saga goes on. */
  noteEnd(chainId: number, intentId: string, landed: boolean): void {
    this.#told.set(`${chainId} ${intentId}`, { chainId, intentId, landed });
  }

  get told(): Told[] {
    return [...this.#told.values()];
  }

  notePool(end: { status: string; pool?: string | null; spender?: string | null; approved?: Loose }): void {
    if (end.status !== "failed" || end.pool === undefined || end.spender === undefined) return;
    if (end.pool !== null && !this.exceptPools.includes(end.pool)) this.exceptPools.push(end.pool);
    if (end.approved !== undefined) this.loose.push(end.approved);
    else if (end.spender !== null && end.pool !== null) this.loose.push({ ...this.chainOf(end.pool), spender: end.spender });
  }

  /** The network and input token of a failed leg, by the pool that it was in: all that earlier steps say of it. */
  chainOf(pool: string): { chainId: number; token: string } {
    const { buy, sell } = this.o;
    return pool === buy.pool ? { chainId: buy.chainId, token: buy.tokenIn } : { chainId: sell.chainId, token: sell.tokenIn };
  }

  buy(leg: string, floor: bigint): Omit<LegWish, "amountIn"> {
    const { chainId, tokenIn, tokenOut } = this.o.buy;
    return { leg, chainId, tokenIn, tokenOut, floor, preferred: this.o.buy, exceptPools: [] };
  }

  sell(leg: string, floor: bigint): Omit<LegWish, "amountIn"> {
    const { chainId, tokenIn, tokenOut } = this.o.sell;
    return { leg, chainId, tokenIn, tokenOut, floor, preferred: this.o.sell, exceptPools: [] };
  }

  /** Sells what was bought where it was bought. */
  unwind(floor: bigint): Omit<LegWish, "amountIn"> {
    const { chainId, tokenIn, tokenOut } = this.o.buy;
    return { ...this.sell("unwind", floor), chainId, tokenIn: tokenOut, tokenOut: tokenIn, preferred: null };
  }

  async pause(seconds: number): Promise<void> {
    const said = await this.engine.pause(seconds);
    if (said !== null && said.choice !== "look" && said.choice !== "close") this.wish = said.choice;
  }

  async stand(state: string, waitsFor: string, risk?: Stand["risk"], dueSeconds: number | null = null): Promise<void> {
    const stand: Stand = { state, waitsFor, dueSeconds, ...(risk === undefined ? {} : { risk }) };
    await this.steady("stand", async () => (await this.env.store.stand(this.id, stand), null));
  }

  /**
   * A step that is tried until it has an answer: where nothing is known, nothing is decided. Each failure is told. Raises NeedsOperator for
   * failures that are answers, and for an account that another driver does not give away.
   */
  async steady<T>(name: string, body: () => Promise<T>): Promise<T> {
    const patience = new Patience(this);
    for (let i = 0; ; i++) {
      const tried = await this.#try(name, body);
      if (tried.ok) return tried.value;
      await patience.lose(tried);
      await this.#back(i);
    }
  }

  /** The same, until the network has been silent for so long that it counts as halted (`haltSeconds`); then it gives the last fault. */
  async within<T>(name: string, body: () => Promise<T>): Promise<Tried<T>> {
    let end: number | null = null;
    const patience = new Patience(this);
    for (let i = 0; ; i++) {
      const tried = await this.#try(name, body);
      if (tried.ok) return tried;
      await patience.lose(tried);
      if (tried.silent === true && (await this.engine.patched("halts"))) {
        const now = await this.engine.now();
        end ??= now + this.times.haltSeconds * 1000;
        if (now >= end) return tried;
      }
      await this.#back(i);
    }
  }

  async #try<T>(name: string, body: () => Promise<T>): Promise<Tried<T>> {
    return await this.engine.step(`${name}#${this.#steps++}`, async (): Promise<Tried<T>> => {
      try {
        return { ok: true, value: await body() };
      } catch (error) {
        this.env.onFault(error);
        const kind = faultKindOf(error);
        return { ok: false, fault: new ErrorHandler().describe(error).message, silent: kind === "silent", kind };
      }
    });
  }

  async #back(i: number): Promise<void> {
    const { pollSeconds, mostPollSeconds } = this.env.settings;
    await this.pause(Math.min(pollSeconds * 2 ** i, mostPollSeconds));
  }
}
