/** The legs of a saga, each to its end, with the decisions that its failures need. */
import { intentOf } from "../bridges/bridge-executor.js";
import type { LegEnd, LegWish } from "../transfers/actions.js";
import type { Choice, ChoiceKind, Failure, SagaState } from "./recovery-manager.js";
import { held, type Holding, less, type SagaRun } from "./saga-run.js";

/** How a leg ended. `way`: what was decided is not the leg's to do. */
export type LegDone =
  | { kind: "done"; amount: bigint; forced: boolean; reason: string }
  | { kind: "way"; choice: ChoiceKind; reason: string }
  | { kind: "held"; reason: string };

type Ended = Exclude<LegEnd, { status: "open" }>;
/** A leg's end as a saga knows it: also that it has none, and that its network is silent with nothing signed. */
type Known = Ended | { status: "unknown"; detail: string } | Halt;
type Halt = { status: "failed"; failure: "chain-halted"; detail: string; pool: null; spender: null };

/** One leg to its end, with the decisions that its failures need. */
export async function runLeg(s: SagaRun, state: SagaState, wish: LegWish, capital: bigint): Promise<LegDone> {
  let { floor } = wish;
  let exceptPools: string[] = [];
  let forced = false;
  let since: number | null = null;
  for (;;) {
    await s.stand(state, "the swap", { chainId: wish.chainId, token: wish.tokenIn, amount: wish.amountIn });
    const end = await swapLeg(s, state, { ...wish, leg: s.name(wish.leg), floor, exceptPools });
    if (end.status === "done") return { kind: "done", amount: end.amountOut, forced, reason: s.reason || "as planned" };
    if (end.status === "unknown") return { kind: "held", reason: end.detail };
    s.notePool(end);
    let timeLeft = true;
    if (end.failure === "chain-halted") {
      const now = await s.engine.now();
      since ??= now;
      timeLeft = now < since + s.times.holdSeconds * 1000;
    }
    const choice = await s.decide({ state, amount: wish.amountIn, capital, pool: end.pool }, end.failure, timeLeft);
    const reason = `${end.detail}; ${s.reason}`;
    switch (choice.kind) {
      case "give-up":
      case "bridge-back":
        return { kind: "way", choice: choice.kind, reason };
      case "other-bridge":
        if (await s.engine.patched("ways-back")) return { kind: "way", choice: choice.kind, reason };
        break;
      case "sell-at-target":
      case "sell-at-source":
      case "continue":
        [floor, forced] = [s.floorOf(choice, capital), true];
        break;
      case "other-venue":
        exceptPools = s.exceptPools;
        // within the loss that was decided on; for the first leg the plan's own floor stays
        if (state !== "source-leg") [floor, forced] = [s.floorOf(choice, capital), true];
        break;
      case "wait":
        await s.pause(s.env.settings.recheckSeconds);
        break;
      case "retry":
        break;
      case "speed-up":
      case "slow-fill":
      case "re-attest":
      case "retry-delivery":
      case "claim-refund":
      case "buy-at-target":
      case "keep-at-target":
      case "hold":
      case "operator":
        return { kind: "held", reason };
    }
  }
}

/** Both legs of an inventory trade, sent at once. Silent networks are told apart by leg. */
export async function bothLegs(s: SagaRun, buy: LegWish, sell: LegWish): Promise<[Known, Known]> {
  const { actions } = s.env;
  const deadline = (await s.engine.now()) + s.times.haltSeconds * 1000;
  for (;;) {
    const tried = await s.within(
      "legs",
      async () => await Promise.all([actions.swap(s.owner, buy), actions.swap(s.owner, sell)]),
    );
    // one of the networks is silent: each leg by itself, one after the other as steps must be
    if (!tried.ok) return [await swapLeg(s, "bought-not-sold", buy), await swapLeg(s, "bought-not-sold", sell)];
    const both = tried.value;
    const over = both.some((l) => l.status === "open") ? await isOver(s, "bought-not-sold", both, deadline) : false;
    for (const [wish, end] of [[buy, both[0]] as const, [sell, both[1]] as const]) noteEnd(s, wish, end);
    if (over || both.every((l) => l.status !== "open")) return [endOf(both[0]), endOf(both[1])];
  }
}

const endOf = (end: LegEnd): Ended | { status: "unknown"; detail: string } =>
  end.status === "open" ? { status: "unknown", detail: end.detail } : end;

/** How a leg of an inventory trade whose twin is done was brought to an end. */
export type Single =
  | { kind: "done"; amount: bigint; forced: boolean; reason: string }
  /** Its twin was undone instead. */
  | { kind: "undone"; outcome: "sold-at-source" | "bought-back"; reason: string }
  | { kind: "held"; reason: string };

/** A leg of an inventory trade whose twin is done: done after all, or the twin undone. */
export async function stranded(
  s: SagaRun,
  state: "bought-not-sold" | "sold-not-bought",
  failure: Failure,
  position: { amount: bigint; capital: bigint; proceeds?: bigint },
  wish: LegWish,
): Promise<Single> {
  let forced = false;
  let why = failure;
  let since: number | null = null;
  for (;;) {
    let timeLeft = true;
    if (why === "chain-halted") {
      const now = await s.engine.now();
      since ??= now;
      timeLeft = now < since + s.times.holdSeconds * 1000;
    }
    const choice = await s.decide({ state, ...position }, why, timeLeft);
    const { reason } = s;
    if (choice.kind === "hold" || choice.kind === "operator") return { kind: "held", reason };
    if (choice.kind === "wait") await s.pause(s.env.settings.recheckSeconds);
    const undo = choice.kind === "sell-at-source" || choice.kind === "buy-at-target";
    if (choice.kind === "sell-at-target" || choice.kind === "continue" || choice.kind === "other-venue") forced = true;
    const floor = undo || forced ? strandedFloor(s, state, position, choice) : wish.floor;
    let next: LegWish;
    if (undo) {
      next = undoing(s, state, position, floor);
      await s.stand(state, "the swap", { chainId: next.chainId, token: next.tokenIn, amount: next.amountIn });
    } else next = { ...wish, leg: "again", floor, exceptPools: choice.kind === "other-venue" ? s.exceptPools : [] };
    const end = await swapLeg(s, state, { ...next, leg: s.name(next.leg) });
    if (end.status === "unknown") return { kind: "held", reason: end.detail };
    if (end.status === "done" && undo)
      return { kind: "undone", outcome: state === "bought-not-sold" ? "sold-at-source" : "bought-back", reason };
    if (end.status === "done") return { kind: "done", amount: end.amountOut, forced, reason };
    s.notePool(end);
    why = end.failure;
  }
}

/** The swap that undoes the leg that is done. */
function undoing(
  s: SagaRun,
  state: "bought-not-sold" | "sold-not-bought",
  { amount, proceeds = 0n }: { amount: bigint; proceeds?: bigint },
  floor: bigint,
): LegWish {
  if (state === "bought-not-sold") return { ...s.unwind(floor), amountIn: amount };
  const { tokenIn, tokenOut } = s.o.sell;
  return { ...s.sell("rebuy", floor), tokenIn: tokenOut, tokenOut: tokenIn, preferred: null, amountIn: proceeds };
}

/** Least output of a decided swap, in the token that it gives. */
function strandedFloor(
  s: SagaRun,
  state: "bought-not-sold" | "sold-not-bought",
  { amount, capital, proceeds = 0n }: { amount: bigint; capital: bigint; proceeds?: bigint },
  choice: Choice,
): bigint {
  if (state === "bought-not-sold") return s.floorOf(choice, capital);
  if (choice.loss === null || proceeds <= 0n) return 0n;
  // as Quotes.waysOut values it: what is missing of the token at the price of its sale
  const value = capital - choice.loss;
  const spent = choice.kind === "buy-at-target" ? capital : proceeds;
  const bought = amount + ((value - spent) * amount) / proceeds;
  return bought > 0n ? less(bought, s.env.settings.slippagePpm) : 0n;
}

function noteEnd(s: SagaRun, { chainId, leg }: LegWish, end: LegEnd): void {
  if (end.status !== "open") s.noteEnd(chainId, intentOf(s.id, leg), end.status === "done");
}

/** One swap to a known end; "unknown" where it has none in time, "chain-halted" where its network is silent and nothing is signed. */
export async function swapLeg(s: SagaRun, state: SagaState, wish: LegWish): Promise<Known> {
  const { actions } = s.env;
  const deadline = (await s.engine.now()) + s.times.haltSeconds * 1000;
  for (;;) {
    const tried = await s.within(wish.leg, () => actions.swap(s.owner, wish));
    if (tried.ok) {
      noteEnd(s, wish, tried.value);
      if (tried.value.status !== "open") return tried.value;
      if (await isOver(s, state, [tried.value], deadline)) return { status: "unknown", detail: tried.value.detail };
      continue;
    }
    // no leg has this name again: what is not signed by now never will be
    const detail = tried.fault;
    if (!(await s.steady(`${wish.leg}.signed`, () => actions.isSigned(s.id, wish.chainId, wish.leg))))
      return { status: "failed", failure: "chain-halted", detail, pool: null, spender: null };
    if (await isOver(s, state, [{ status: "open", detail }], deadline)) return { status: "unknown", detail };
  }
}

/**
 * Signed and sent, with no known end: nothing else may be done with the money, so it is looked at again. Overdue, the operator is told;
 * after the time of holding the saga is held.
 */
export async function isOver(
  s: SagaRun,
  state: SagaState,
  ends: { status: string; detail?: string }[],
  deadline: number,
): Promise<boolean> {
  const what = ends.flatMap((e) => (e.status === "open" ? [e.detail ?? ""] : [])).join("; ");
  const now = await s.engine.now();
  const late = now > deadline;
  if (late) s.env.onFault(new Error(`${s.id}: ${state}: no receipt after ${s.times.haltSeconds} s: ${what}`));
  await s.stand(late ? "operator" : state, `a receipt: ${what}`);
  if (now > deadline + s.times.holdSeconds * 1000 && (await s.engine.patched("open-ends"))) return true;
  await s.pause(s.env.settings.pollSeconds);
  return false;
}

export const restOf = (end: LegDone): Holding => (end.kind === "held" ? held(end.reason) : held(`no way on: ${end.reason}`));
