/** The transfers of a saga: chosen, started once, and followed until their money is somewhere. */
import type { BridgeQuote } from "../bridges/bridge.js";
import type { Env } from "./cross-chain-executor.js";
import type { ChoiceKind, Failure, SagaState } from "./recovery-manager.js";
import { halted } from "./saga-legs.js";
import type { SagaRun } from "./saga-run.js";

/** What became of a transfer. Amounts in base units of what is there now. */
export type Moved =
  | { kind: "arrived"; amount: bigint }
  | { kind: "refunded"; amount: bigint }
  | { kind: "none"; choice: ChoiceKind | "held"; reason: string };

/** How often at most a transfer is looked at within its age: news of it are late by a tenth of it. */
const LOOKS_PER_AGE = 10;

export async function carryBy(
  s: SagaRun,
  t: {
    name: string;
    start: SagaState;
    flying: SagaState;
    from: number;
    to: number;
    tokenIn: string;
    tokenOut: string;
    amount: bigint;
    capital: bigint;
  },
): Promise<Moved> {
  const { actions, quotes, settings } = s.env;
  const { account } = s.input;
  const back = t.from === s.o.sell.chainId;
  const token = t.tokenIn === (back ? s.o.sell.tokenIn : s.o.buy.tokenOut) ? "bought" : "profit";
  const position = { state: t.start, amount: t.amount, capital: t.capital };
  const patience = (await s.engine.now()) + settings.haltSeconds * 1000;
  for (;;) {
    const leg = s.name(t.name);
    await s.stand(t.start, "a bridge", { chainId: t.from, token: t.tokenIn, amount: t.amount });
    const best = await s.steady(`${leg}.quote`, async () => {
      const asked = { token, back, amount: t.amount, id: leg, except: s.exceptBridges } as const;
      const { offers, refused } = await quotes.offers(s.o, account, asked);
      return { quote: offers[0]?.quote ?? null, refused: refused.map((r) => `${r.bridge}: ${r.reason}`).join("; ") };
    });
    let failure: Failure = "bridge-paused";
    let detail = best.refused;
    if (best.quote !== null) {
      const begun = await begin(s, leg, best.quote);
      if (begun.status === "started") return await fly(s, t, leg, best.quote, begun.dueSeconds);
      failure = "start-reverted";
      detail = begun.detail;
      s.loose.push(...actions.spenders(best.quote));
    }
    const timeLeft = (await s.engine.now()) < patience;
    const choice = await s.decide(position, failure, timeLeft);
    const reason = `${detail}; ${s.decisions.at(-1)?.reason ?? ""}`;
    if (choice === "wait") await s.pause(settings.pollSeconds * 5);
    else if (choice === "other-bridge" && best.quote !== null) s.exceptBridges.push(best.quote.bridge);
    else if (choice === "hold" || choice === "operator") return { kind: "none", choice: "held", reason };
    else if (choice !== "retry" && choice !== "continue" && choice !== "other-bridge") return { kind: "none", choice, reason };
  }
}

export async function begin(s: SagaRun, leg: string, quote: BridgeQuote) {
  const { actions, settings } = s.env;
  const deadline = (await s.engine.now()) + settings.haltSeconds * 1000;
  for (;;) {
    const begun = await s.steady(`${leg}.start`, () => actions.start(s.id, s.input.account, leg, quote));
    if (begun.status !== "open") return begun;
    await halted(s, "bridge-start", [begun], deadline);
  }
}

/** A started transfer until its money is somewhere. */
export async function fly(
  s: SagaRun,
  t: { flying: SagaState; start: SagaState; to: number; from: number; tokenIn: string; amount: bigint; capital: bigint },
  leg: string,
  quote: BridgeQuote,
  dueSeconds: number,
): Promise<Moved> {
  const { actions, settings } = s.env;
  const { account } = s.input;
  const id = quote.request.id;
  const begun = await s.engine.now();
  const lastWait = begun + (dueSeconds + quote.refundSeconds + s.env.recovery.policy.holdSeconds) * 1000;
  for (;;) {
    const seen = await s.steady(`${leg}.track`, () => actions.track(account, id));
    const now = await s.engine.now();
    const risk = { chainId: t.from, token: t.tokenIn, amount: quote.amountIn };
    await s.stand(t.flying, seen.waitsFor, risk, Math.max(0, Math.round(dueSeconds - (now - begun) / 1000)));
    if ((seen.state === "delivered" || seen.state === "refunded") && seen.amount !== null) {
      const at = seen.state === "delivered" ? t.to : t.from;
      if (seen.native)
        await s.until(`${leg}.wrap`, async () => (await actions.wrap(s.id, account, `${leg}.wrap`, at, seen.amount ?? 0n)).done);
      if (seen.state === "refunded" && !s.exceptBridges.includes(quote.bridge)) s.exceptBridges.push(quote.bridge);
      return { kind: seen.state === "delivered" ? "arrived" : "refunded", amount: seen.amount };
    }
    if (seen.state === "claimable") {
      await push(s, leg, id, "claim");
      continue;
    }
    if (seen.state === "not-started" && !seen.startPossible) {
      // a reorganisation took the start back, and the bridge takes it no more: the money never left
      await s.steady(`${leg}.lost`, async () => (await s.env.store.notStarted(id), null));
      return { kind: "refunded", amount: quote.amountIn };
    }
    const failure = failureOf(seen.state, seen.overdue);
    if (failure !== null) {
      const timeLeft = now < lastWait;
      const choice = await s.decide({ state: t.flying, amount: t.amount, capital: t.capital, quote }, failure, timeLeft, true);
      if (choice === "speed-up") await push(s, leg, id, "speed-up");
      else if (choice === "re-attest") await push(s, leg, id, "re-attest");
      else if (choice === "retry-delivery") await push(s, leg, id, "retry");
      else if (choice === "claim-refund") await push(s, leg, id, "claim-refund");
      else if (choice !== "wait") await s.stand("operator", seen.waitsFor, risk);
      if (!timeLeft) return { kind: "none", choice: "held", reason: `the transfer ${id} has no end yet: ${seen.waitsFor}` };
    }
    // what has been away for long is looked at less often: a thousand transfers at every bridge's pace would be a storm of questions
    const elapsed = (now - begun) / 1000;
    const again = Math.max(seen.checkAgainSeconds, settings.pollSeconds, elapsed / LOOKS_PER_AGE);
    await s.pause(Math.min(again, settings.mostPollSeconds));
  }
}

export async function push(s: SagaRun, leg: string, id: string, wish: Parameters<Env["actions"]["push"]>[4]): Promise<void> {
  const name = s.name(`${leg}.${wish}`);
  const { actions, settings } = s.env;
  for (;;) {
    const pushed = await s.steady(name, () => actions.push(s.id, s.input.account, name, id, wish));
    if (!pushed.open) return;
    await s.pause(settings.pollSeconds);
  }
}

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
