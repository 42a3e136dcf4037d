/** The legs of a saga, each to its end, with the decisions that its failures need. */
import type { LegEnd, LegWish } from "../transfers/actions.js";
import type { ChoiceKind, Failure, SagaState } from "./recovery-manager.js";
import { held, type Holding, type SagaRun } from "./saga-run.js";

/** One leg to its end, with the decisions that its failures need. */
export async function runLeg(
  s: SagaRun,
  state: SagaState,
  wish: LegWish,
  capital: bigint,
): Promise<Holding | { amount: bigint; forced: boolean; reason: string }> {
  let { floor } = wish;
  let exceptPools: string[] = [];
  let forced = false;
  for (;;) {
    await s.stand(state, "the swap", { chainId: wish.chainId, token: wish.tokenIn, amount: wish.amountIn });
    const end = await swapLeg(s, state, { ...wish, leg: s.name(wish.leg), floor, exceptPools });
    if (end.status === "done") return { amount: end.amountOut, forced, reason: s.decisions.at(-1)?.reason ?? "as planned" };
    s.notePool(end);
    const choice = await s.decide({ state, amount: wish.amountIn, capital, pool: end.pool }, end.failure, true);
    const reason = `${end.detail}; ${s.decisions.at(-1)?.reason ?? ""}`;
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
        exceptPools = s.exceptPools;
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

export async function bothLegs(s: SagaRun, buy: LegWish, sell: LegWish): Promise<[LegEnd, LegEnd]> {
  const { actions, settings } = s.env;
  const { account } = s.input;
  let both: [LegEnd, LegEnd];
  const end = (await s.engine.now()) + settings.haltSeconds * 1000;
  for (;;) {
    both = await s.steady(
      "legs",
      async () => await Promise.all([actions.swap(s.id, account, buy), actions.swap(s.id, account, sell)]),
    );
    if (both.every((l) => l.status !== "open")) return both;
    await halted(s, "bought-not-sold", both, end);
  }
}

/** A leg of an inventory trade whose twin is done. */
export async function stranded(
  s: SagaRun,
  state: "bought-not-sold" | "sold-not-bought",
  failure: Failure,
  position: { amount: bigint; capital: bigint; proceeds?: bigint },
  wish: LegWish,
): Promise<Holding | { amount: bigint; forced: boolean; reason: string; choice?: ChoiceKind }> {
  let forced = false;
  let why = failure;
  for (;;) {
    const choice = await s.decide({ state, ...position }, why, true);
    const reason = s.decisions.at(-1)?.reason ?? "";
    if (choice === "sell-at-source" || choice === "buy-at-target") return { amount: 0n, forced, reason, choice };
    if (choice === "hold" || choice === "operator") return held(reason);
    if (choice === "sell-at-target" || choice === "continue" || choice === "other-venue") forced = true;
    const floor = forced ? 0n : wish.floor;
    const next = await swapLeg(s, state, {
      ...wish,
      leg: s.name("again"),
      floor,
      exceptPools: choice === "other-venue" ? s.exceptPools : [],
    });
    if (next.status === "done") return { amount: next.amountOut, forced, reason };
    s.notePool(next);
    why = next.failure;
  }
}

export async function swapLeg(s: SagaRun, state: SagaState, wish: LegWish): Promise<Exclude<LegEnd, { status: "open" }>> {
  const { actions, settings } = s.env;
  const deadline = (await s.engine.now()) + settings.haltSeconds * 1000;
  for (;;) {
    const end = await s.steady(wish.leg, () => actions.swap(s.id, s.input.account, wish));
    if (end.status !== "open") return end;
    await halted(s, state, [end], deadline);
  }
}

/** Signed and sent, with no known end: nothing else may be done with the money, so it is looked at again; overdue, the operator is told. */
export async function halted(
  s: SagaRun,
  state: SagaState,
  ends: { status: string; detail?: string }[],
  deadline: number,
): Promise<void> {
  const what = ends.flatMap((e) => (e.status === "open" ? [e.detail ?? ""] : [])).join("; ");
  const late = (await s.engine.now()) > deadline;
  if (late) s.env.onFault(new Error(`${s.id}: ${state}: no receipt after ${s.env.settings.haltSeconds} s: ${what}`));
  await s.stand(late ? "operator" : state, `a receipt: ${what}`);
  await s.pause(s.env.settings.pollSeconds);
}
