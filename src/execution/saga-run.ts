/** What every part of a saga works with: durable steps, waits, names, what it did so far, and its decisions. */
import type { BridgeId } from "../bridges/bridge.js";
import type { CrossChainOpportunity } from "../opportunity/cross-chain.js";
import type { LegEnd, LegWish } from "../transfers/actions.js";
import type { Position } from "../transfers/quotes.js";
import type { Stand } from "../transfers/store.js";
import type { SagaResult } from "../transfers/types.js";
import type { Env } from "./cross-chain-executor.js";
import { allowed, type ChoiceKind, type Failure, type SagaOutcome } from "./recovery-manager.js";

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

/** Where the money of a saga came to rest. */
export type Holding = { outcome: SagaOutcome | "as-planned"; reason: string };

export const planned: Holding = { outcome: "as-planned", reason: "as planned" };
export const held = (reason: string): Holding => ({ outcome: "held", reason });
export const less = (amount: bigint, ppm: number): bigint => amount - (amount * BigInt(ppm)) / 1_000_000n;

/** One run of a saga. Nothing here reads a clock or a chain but through a step. */
export class SagaRun {
  tries: Partial<Record<ChoiceKind, number>> = {};
  exceptPools: string[] = [];
  exceptBridges: BridgeId[] = [];
  /** Approvals that failed steps may have left. */
  loose: { chainId: number; token: string; spender: string }[] = [];
  decisions: SagaResult["decisions"] = [];
  wish: ChoiceKind | null = null;
  #legs = 0;
  #steps = 0;

  constructor(
    readonly env: Env,
    readonly engine: Engine,
    readonly input: SagaInput,
  ) {}

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
  ): Promise<ChoiceKind> {
    const { quotes, recovery, settings } = this.env;
    const token = quotes.senders.symbol(this.o.buy.chainId, this.o.buy.tokenIn);
    const position: Position = { ...p, exceptPools: this.exceptPools, exceptBridges: this.exceptBridges };
    const until = (await this.engine.now()) + recovery.policy.holdSeconds * 1000;
    for (;;) {
      const choices = await this.steady("ways", () => quotes.waysOut(this.o, this.input.account, position));
      const wish = this.wish;
      const taken = { ...this.tries };
      const decided = recovery.decide({ state: p.state, failure, token, capital: p.capital, choices, taken, timeLeft, wish });
      const { kind } = decided.choice;
      if (wish !== null && kind === wish) this.wish = null;
      const at = `${p.state}: ${failure}`;
      const last = this.decisions.at(-1);
      if (last?.at !== at || last.choice !== kind) this.decisions.push({ at, choice: kind, reason: decided.reason });
      if (kind !== "hold" && kind !== "operator") {
        this.tries[kind] = (this.tries[kind] ?? 0) + 1;
        return kind;
      }
      if (once || (await this.engine.now()) >= until) return kind;
      const left = Math.round((until - (await this.engine.now())) / 1000);
      const can = allowed(p.state, failure).join(", ");
      await this.stand(
        kind === "hold" ? "held" : "operator",
        `${decided.reason}; arb transfers resume ${this.id} --choice with one of: ${can}`,
        undefined,
        left,
      );
      await this.pause(Math.min(settings.recheckSeconds, Math.max(0.05, left)));
    }
  }

  name(what: string): string {
    const again = this.input.again === 0 ? "" : `again${this.input.again}.`;
    return `${again}${what}.${this.#legs++}`;
  }

  notePool(end: LegEnd): void {
    if (end.status !== "failed") return;
    if (end.pool !== null && !this.exceptPools.includes(end.pool)) this.exceptPools.push(end.pool);
    const chainId = end.pool === null ? null : this.chainOf(end.pool);
    if (end.spender !== null && chainId !== null) this.loose.push({ ...chainId, spender: end.spender });
  }

  /** The network and input token of a failed leg, by the pool that it was in. */
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

  async pause(seconds: number): Promise<void> {
    const said = await this.engine.pause(seconds);
    if (said !== null && said.choice !== "look") this.wish = said.choice;
  }

  async stand(state: string, waitsFor: string, risk?: Stand["risk"], dueSeconds: number | null = null): Promise<void> {
    const stand: Stand = { state, waitsFor, dueSeconds, ...(risk === undefined ? {} : { risk }) };
    await this.steady("stand", async () => (await this.env.store.stand(this.id, stand), null));
  }

  /** Runs a step until it says that it is done. */
  async until(name: string, body: () => Promise<boolean>): Promise<void> {
    while (!(await this.steady(name, body))) await this.pause(this.env.settings.pollSeconds);
  }

  /**
   * A step that is tried until it has an answer. While a chain or the database gives none, nothing is known, and so nothing is decided;
   * each failure is told.
   */
  async steady<T>(name: string, body: () => Promise<T>): Promise<T> {
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
      await this.pause(Math.min(pollSeconds * 2 ** i, mostPollSeconds));
    }
  }
}
