/** The transfers of a saga: chosen, started once, and followed until their money is somewhere. */
import type { BridgeQuote, RecoverWish } from "../bridges/bridge.js";
import { spedUp, type Wrapped } from "../bridges/bridge-executor.js";
import { earlierFailureOf } from "../transfers/failures.js";
import { FAULT_TRIES } from "../transfers/faults.js";
import type { ChoiceKind, Failure, SagaState } from "./recovery-manager.js";
import { isOver } from "./saga-legs.js";
import { NeedsOperator, type SagaRun } from "./saga-run.js";

/** What became of a transfer. Amounts in base units of what is there now. */
export type Moved =
  /** `partial`: less than the quote promised. */
  | { kind: "arrived"; amount: bigint; partial: boolean }
  | { kind: "refunded"; amount: bigint; partial: boolean }
  /** Still where it was, or without an end ("held"). `floor`: least that a sale must give which was decided on. */
  | { kind: "none"; choice: ChoiceKind | "held"; floor: bigint; reason: string };

/** How often at most a transfer is looked at within its age: news of it are late by a tenth of it. */
const LOOKS_PER_AGE = 10;

export interface Carriage {
  name: string;
  start: SagaState;
  flying: SagaState;
  from: number;
  to: number;
  tokenIn: string;
  tokenOut: string;
  amount: bigint;
  capital: bigint;
}

/** Over by the best bridge of now, with the decisions that a start needs which does not happen. */
export async function carryBy(s: SagaRun, t: Carriage): Promise<Moved> {
  const { actions, quotes, settings } = s.env;
  const { account } = s.input;
  const back = t.from === s.o.sell.chainId;
  const token = t.tokenIn === (back ? s.o.sell.tokenIn : s.o.buy.tokenOut) ? "bought" : "profit";
  const position = { state: t.start, amount: t.amount, capital: t.capital, token } as const;
  const patience = (await s.engine.now()) + s.times.haltSeconds * 1000;
  for (;;) {
    const leg = s.name(t.name);
    await s.stand(t.start, "a bridge", { chainId: t.from, token: t.tokenIn, amount: t.amount });
    const asked = await s.within(`${leg}.quote`, async () => {
      const what = { token, back, amount: t.amount, id: leg, except: s.exceptBridges } as const;
      const { offers, refused } = await quotes.offers(s.o, account, what);
      return { quote: offers[0]?.quote ?? null, refused: refused.map((r) => `${r.bridge}: ${r.reason}`).join("; ") };
    });
    let failure: Failure = asked.ok ? "bridge-paused" : "chain-halted";
    let detail = asked.ok ? asked.value.refused : asked.fault;
    const quote = asked.ok ? asked.value.quote : null;
    if (quote !== null) {
      const begun = await begin(s, leg, quote);
      if (begun.status === "started") return await fly(s, { ...t, token }, leg, quote, begun.dueSeconds);
      if (begun.status === "unknown") return { kind: "none", choice: "held", floor: 0n, reason: begun.detail };
      failure = begun.status === "halted" ? "chain-halted" : "start-reverted";
      detail = begun.detail;
      s.loose.push(...actions.bridges.spenders(quote));
      const coin = await wrapBack(s, t.start, leg, quote);
      if (coin !== null) return { kind: "none", choice: "held", floor: 0n, reason: coin };
    }
    const halt = failure === "chain-halted" ? s.times.holdSeconds * 1000 : 0;
    const timeLeft = (await s.engine.now()) < patience + halt;
    const choice = await s.decide(position, failure, timeLeft);
    const { kind } = choice;
    const reason = `${detail}; ${s.reason}`;
    if (kind === "wait") await s.pause(settings.pollSeconds * 5);
    else if (kind === "other-bridge" && quote !== null) s.exceptBridges.push(quote.bridge);
    else if (kind === "hold" || kind === "operator") return { kind: "none", choice: "held", floor: 0n, reason };
    else if (kind !== "retry" && kind !== "continue" && kind !== "other-bridge")
      return { kind: "none", choice: kind, floor: s.floorOf(choice, t.capital), reason };
  }
}

export type Begun =
  | { status: "started"; dueSeconds: number }
  | { status: "failed"; detail: string }
  /** The network is silent, and nothing is signed: the start will never be made. */
  | { status: "halted"; detail: string }
  | { status: "unknown"; detail: string };

/** Starts a transfer, or finds out what became of a start that is signed. */
export async function begin(s: SagaRun, leg: string, quote: BridgeQuote): Promise<Begun> {
  const { bridges } = s.env.actions;
  const deadline = (await s.engine.now()) + s.times.haltSeconds * 1000;
  const abandoned = async () => await s.steady(`${leg}.abandon`, () => bridges.abandonStart(s.owner, quote));
  for (;;) {
    let tried;
    try {
      tried = await s.within(`${leg}.start`, () => bridges.start(s.owner, leg, quote));
    } catch (error) {
      // the position that is held has no transfer then, or one that is under way
      if (error instanceof NeedsOperator && (await abandoned())) s.loose.push(...bridges.spenders(quote));
      throw error;
    }
    if (tried.ok && tried.value.status !== "open") return tried.value;
    const detail = tried.ok ? (tried.value as { detail: string }).detail : tried.fault;
    if (!tried.ok && (await abandoned())) return { status: "halted", detail };
    if (await isOver(s, "bridge-start", [{ status: "open", detail }], deadline)) return { status: "unknown", detail };
  }
}

type Flight = Pick<Carriage, "flying" | "start" | "to" | "from" | "tokenIn" | "amount" | "capital"> & {
  token: "bought" | "profit";
};

/** A started transfer until its money is somewhere. */
export async function fly(s: SagaRun, t: Flight, leg: string, quote: BridgeQuote, dueSeconds: number): Promise<Moved> {
  const { actions, settings } = s.env;
  const id = quote.request.id;
  const begun = await s.engine.now();
  const lastWait = begun + (dueSeconds + quote.refundSeconds + s.times.holdSeconds) * 1000;
  const risk = { chainId: t.from, token: t.tokenIn, amount: quote.amountIn };
  let promised = quote.amountOut;
  // a thousand that wait write down what changes, not that they have looked
  const quiet = await s.engine.patched("quiet");
  let stood: string | null = null;
  const looks = s.env.looks(`${t.from} ${t.to}`);
  const calls: OpenCalls = new Map();
  for (;;) {
    const tried = await s.within(`${leg}.track`, async () => await looks.take(() => actions.track(s.owner, id)));
    const seen = tried.ok ? tried.value : null;
    const waitsFor = tried.ok ? tried.value.waitsFor : tried.fault;
    const now = await s.engine.now();
    if (!quiet || waitsFor !== stood)
      await s.stand(t.flying, waitsFor, risk, Math.max(0, Math.round(dueSeconds - (now - begun) / 1000)));
    stood = waitsFor;
    if (seen?.offered !== undefined) promised = seen.offered;
    if (seen !== null && (seen.state === "delivered" || seen.state === "refunded") && seen.amount !== null) {
      const amount = seen.amount;
      const refunded = seen.state === "refunded";
      if (seen.native) await wrapped(s, t.flying, leg, refunded ? t.from : t.to, amount);
      if (refunded && !s.exceptBridges.includes(quote.bridge)) s.exceptBridges.push(quote.bridge);
      // steps of saga-1 did not look
      const partial = seen.failure !== undefined && amount < (refunded ? quote.amountIn : promised);
      return { kind: refunded ? "refunded" : "arrived", amount, partial };
    }
    let late: string | null = null;
    // a credit is claimed by a decision of its own
    if (seen?.state === "claimable" && seen.failure !== "refund-claimable") {
      late = await push(s, t.flying, leg, id, "claim", calls);
      if (late === null) continue;
    }
    if (seen?.state === "not-started" && !seen.startPossible) {
      // a reorganisation took the start back, and the bridge takes it no more: the money never left
      await s.steady(`${leg}.lost`, async () => {
        const { route } = quote.request;
        const holderOn = (chainId: number): string => actions.senders.venue(chainId, s.input.account).holder;
        await s.env.store.notStarted(s.owner, id, [
          { chainId: t.to, holder: holderOn(t.to), token: route.tokenOut },
          // else another trade takes what is this one's again
          { chainId: t.from, holder: holderOn(t.from), token: route.tokenIn, amount: quote.amountIn },
        ]);
        return null;
      });
      const coin = await wrapBack(s, t.flying, leg, quote);
      if (coin !== null) return { kind: "none", choice: "held", floor: 0n, reason: coin };
      return { kind: "refunded", amount: quote.amountIn, partial: false };
    }
    // a network that takes no call of ours is as good as halted
    const halted = seen === null || late !== null;
    const failure = halted ? "chain-halted" : seen.failure === undefined ? earlierFailureOf(seen) : seen.failure;
    if (failure !== null) {
      const timeLeft = now < lastWait;
      const { offered, slowFill } = seen ?? {};
      const known = { ...(offered !== undefined && { offered }), ...(slowFill && { slowFill }) };
      const position = { state: t.flying, amount: t.amount, capital: t.capital, token: t.token, quote, ...known };
      const { kind, offer } = await s.decide(position, failure, timeLeft, true);
      if (kind === "speed-up") {
        promised = offer ?? spedUp(quote);
        await push(s, t.flying, leg, id, "speed-up", calls, offer);
      }
      if (kind === "re-attest") await push(s, t.flying, leg, id, "re-attest", calls);
      else if (kind === "retry-delivery") await push(s, t.flying, leg, id, "retry", calls);
      else if (kind === "slow-fill") await push(s, t.flying, leg, id, "slow-fill", calls);
      else if (kind === "claim-refund") await push(s, t.flying, leg, id, "claim-refund", calls);
      else if (kind !== "wait" && kind !== "speed-up") {
        await s.stand("operator", late ?? waitsFor, risk);
        stood = null;
      }
      if (!timeLeft)
        return { kind: "none", choice: "held", floor: 0n, reason: `the transfer ${id} has no end yet: ${late ?? waitsFor}` };
    }
    // what has been away for long is looked at less often: a thousand transfers at every bridge's pace would be a storm of questions
    const elapsed = (now - begun) / 1000;
    const wanted = seen?.checkAgainSeconds ?? settings.mostPollSeconds;
    const again = Math.max(wanted, settings.pollSeconds, elapsed / LOOKS_PER_AGE);
    await s.pause(Math.min(again, settings.mostPollSeconds));
  }
}

/**
 * What a start that failed had unwrapped, as the token again: another start would take the same of other trades. Gives why that is not
 * known, in words; null when it is wrapped.
 */
async function wrapBack(s: SagaRun, state: SagaState, leg: string, quote: BridgeQuote): Promise<string | null> {
  const { bridges } = s.env.actions;
  if (!(await s.engine.patched("start-coins"))) return null;
  const coin = await s.within(`${leg}.unwrapped`, async () =>
    bridges.unwraps(quote) ? await bridges.unwrapped(s.owner, quote) : 0n,
  );
  if (!coin.ok) return `what its start unwrapped is not known: ${coin.fault}`;
  if (coin.value > 0n) await wrapped(s, state, leg, quote.request.route.fromChainId, coin.value);
  return null;
}

/** What came as the native coin, as the token that the trade goes on with. Raises NeedsOperator where it is not wrapped. */
export async function wrapped(s: SagaRun, state: SagaState, leg: string, chainId: number, amount: bigint): Promise<void> {
  const { actions, settings } = s.env;
  let deadline: number | null = null;
  let why = "";
  for (let i = 0, failures = 0; failures < FAULT_TRIES;) {
    // an intent that failed stays failed
    const name = i === 0 ? `${leg}.wrap` : `${leg}.wrap.${i}`;
    // earlier versions recorded whether it was done, and nothing else
    const end = await s.steady(`${leg}.wrap`, async (): Promise<Wrapped | boolean> => {
      const seen = await actions.bridges.wrap(s.owner, name, chainId, amount);
      if (seen.status === "failed") s.env.onFault(new Error(`${s.id}: what arrived is not wrapped yet: ${seen.detail}`));
      return seen;
    });
    if (end === true || (end !== false && end.status === "done")) return;
    if (end !== false && end.status === "open") {
      why = end.detail;
      // a second one would wrap what pays for gas
      deadline ??= (await s.engine.now()) + s.times.haltSeconds * 1000;
      if (await isOver(s, state, [end], deadline)) break;
      continue;
    }
    i++;
    // steps of earlier versions went on however often it was not done
    if (end !== false) {
      why = end.detail;
      failures++;
    }
    await s.pause(settings.mostPollSeconds);
  }
  throw new NeedsOperator(`what arrived as the coin is not wrapped: ${why}`, FAULT_TRIES);
}

type Wish = RecoverWish | "claim" | "slow-fill";
/** Calls of one transfer that were sent and have no known end, by their wish. `until`: when they are told; null while it is not sure that they are sent. */
type OpenCalls = Map<Wish, { name: string; until: number | null; isTold: boolean }>;

/**
 * Makes the bridge's call of now. One that fails is followed by a pause, so that it is not paid for again and again at once. Gives null, or
 * what is waited for where it has no end after `haltSeconds`: the next push of the same wish goes on with it, for it may land yet.
 */
async function push(
  s: SagaRun,
  state: SagaState,
  leg: string,
  id: string,
  wish: Wish,
  calls: OpenCalls,
  offer?: bigint,
): Promise<string | null> {
  const call = calls.get(wish) ?? { name: s.name(`${leg}.${wish}`), until: null, isTold: false };
  const { name } = call;
  const { settings } = s.env;
  const { bridges } = s.env.actions;
  for (;;) {
    const tried = await s.within(name, async () => {
      if (wish === "claim") return await bridges.claim(s.owner, name, id);
      return wish === "slow-fill" ? await bridges.slowFill(s.owner, id) : await bridges.recover(s.owner, name, id, wish, offer);
    });
    if (!tried.ok) {
      // it may be signed; a silent network is found by the next look
      if (await s.engine.patched("open-pushes")) calls.set(wish, call);
      return null;
    }
    const pushed = tried.value;
    if (!pushed.open) {
      // where there is nothing to be called now, what was sent may land yet
      if (pushed.called !== false) calls.delete(wish);
      if (!pushed.sent && (await s.engine.patched("failed-calls"))) await s.pause(settings.mostPollSeconds);
      return null;
    }
    if (await s.engine.patched("open-pushes")) {
      calls.set(wish, call);
      const now = await s.engine.now();
      call.until ??= now + s.times.haltSeconds * 1000;
      if (now >= call.until) {
        const what = `${name}: ${pushed.detail}`;
        const waitsFor = `a receipt: ${what}`;
        if (!call.isTold) {
          s.env.onFault(new Error(`${s.id}: ${state}: no receipt after ${s.times.haltSeconds} s: ${what}`));
          await s.stand("operator", waitsFor);
        }
        call.isTold = true;
        return waitsFor;
      }
    }
    await s.pause(settings.pollSeconds);
  }
}
