/** The workflow of one cross-chain trade, in terms of durable steps: from its opening to its books. */
import { type Loose, openRevocation, staysApproved } from "../transfers/approvals.js";
import { allFinal, closeBooks, type Prices } from "../transfers/closing.js";
import { judgeStart, noEstimate } from "../transfers/estimate.js";
import { otherEnds } from "../transfers/ends.js";
import type { SagaRow } from "../transfers/rows.js";
import type { Estimate, SagaResult } from "../transfers/types.js";
import type { Env } from "./cross-chain-executor.js";
import { bridgeMode, inventoryMode } from "./saga-modes.js";
import { resume } from "./saga-resume.js";
import { type Engine, held, type Holding, NeedsOperator, type SagaInput, SagaRun, type Times, timesOf } from "./saga-run.js";

export { type Command, type Engine, runOf, type SagaInput } from "./saga-run.js";

/** Runs one trade to its books. Run again on an engine with its steps, it goes on where they end. */
export async function runSaga(env: Env, engine: Engine, input: SagaInput): Promise<SagaResult> {
  const s = new SagaRun(env, engine, input);
  const row = input.again === 0 ? await openSaga(s) : await s.steady("reopen", async () => await opened(s));
  if (row.outcome !== null && row.result !== null && input.again === 0) return row.result;
  // steps of saga-1 have none
  s.times = row.times ?? s.times;
  const end = await orHeld(s, async () => {
    if (input.again > 0) return await resume(s, row);
    return row.mode === "bridge" ? await bridgeMode(s, row) : await inventoryMode(s, row);
  });
  if (input.again > 0 && end.outcome !== "held") await addEarlierApprovals(s);
  await revokeAll(s);
  const final = await isFinal(s, end.outcome === "held");
  return await close(s, row, await asItStands(s, end), final);
}

/**
 * What a reorganisation turned over is not decided by what was: where a step that failed has happened after all, or one that happened has
 * not, the saga is held, and goes on from its books.
 */
async function asItStands(s: SagaRun, end: Holding): Promise<Holding> {
  if (!(await s.engine.patched("other-ends"))) return end;
  const ask = async () => await s.steady("ends", () => otherEnds(s.env.actions, s.owner, s.told));
  const other = await ask().catch((error: unknown) => {
    if (!(error instanceof NeedsOperator)) throw error;
    return error.message;
  });
  if (other.length === 0) return end;
  // what cannot be looked at is not known to stand
  const reason =
    typeof other === "string" ? `its transactions' ends are not known: ${other}` : `after a reorganisation ${other.join("; ")}`;
  s.note("closing", "operator", reason);
  s.env.onFault(new Error(`${s.id}: ${reason}`));
  return held(`${reason}; ${end.reason}`);
}

/** Where no further try brings it on, it is held: with the reason, and the command that continues it. */
async function orHeld(s: SagaRun, work: () => Promise<Holding>): Promise<Holding> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof NeedsOperator)) throw error;
    const reason = `${error.message}; when that is mended: arb transfers resume ${s.id}`;
    s.note("a step", "operator", error.message);
    return held(reason);
  }
}

/** The books, by prices of now; by those that are to be had where a network is silent; without any where none can be had. */
async function close(s: SagaRun, row: SagaRow, end: Holding, final: boolean): Promise<SagaResult> {
  const { actions, store } = s.env;
  const by = async (prices: Prices, holding = end): Promise<SagaResult> => {
    const result = await closeBooks(actions, row, { ...holding, final, decisions: s.decisions }, prices);
    await store.finish(s.owner, result.outcome, result);
    return result;
  };
  let fault = "";
  try {
    const closed = await s.within("close", async () => await by("now"));
    return closed.ok ? closed.value : await s.steady("close-halted", async () => await by("any"));
  } catch (error) {
    if (!(error instanceof NeedsOperator)) throw error;
    fault = error.message;
  }
  const reason = `${end.reason}; its books have no prices: ${fault}; when that is mended: arb transfers resume ${s.id}`;
  return await s.steady("close-unpriced", async () => await by("none", held(reason)));
}

type Opened = SagaRow & { times?: Times };

/** The saga's row, with the waits that it keeps for its whole life. */
async function opened(s: SagaRun): Promise<Opened> {
  const row = await s.env.store.saga(s.id);
  if (!row) throw new Error(`the saga ${s.id} is not in the database`);
  return { ...row, times: timesOf(s.env) };
}

async function openSaga(s: SagaRun): Promise<Opened> {
  const { account, opportunity } = s.input;
  const { env } = s;
  const { store } = env;
  const refuse = async (reason: string, estimate: Estimate): Promise<Opened> => {
    const nothing = { profit: 0n, residual: 0n, gasCost: 0n, net: 0n, books: [], final: true, decisions: [] };
    const result: SagaResult = { outcome: "no-trade", reason, expected: estimate.profit, ...nothing };
    await store.refuse(opportunity, account, estimate, result);
    return await opened(s);
  };
  const refused = async (fault: string) =>
    await s.steady("not-opened", async () => await refuse(fault, noEstimate(opportunity.mode ?? "bridge")));
  const open = async (): Promise<Opened> => {
    if (await store.saga(opportunity.id)) return await opened(s);
    const start = await judgeStart(opportunity, account, s.env);
    if (!start.ok) return await refuse(start.reason, start.estimate);
    const { estimate, wanted, against } = start;
    const missing = await store.open({ opportunity, mode: estimate.mode, account, estimate }, wanted, against);
    return missing === null ? await opened(s) : await refuse(missing, estimate);
  };
  try {
    const tried = await s.within("open", async () => await env.openings.take(open));
    return tried.ok ? tried.value : await refused(tried.fault);
  } catch (error) {
    if (!(error instanceof NeedsOperator)) throw error;
    return await refused(error.message);
  }
}

/** What was approved before it was held, for calls that were without an end then: nobody knew yet whether they would take it. */
async function addEarlierApprovals(s: SagaRun): Promise<void> {
  if (!(await s.engine.patched("earlier-approvals"))) return;
  const earlier = await unlessFaulty([], async () => await s.steady("approvals", () => s.env.store.approvals(s.id)));
  const nameOf = ({ chainId, token, spender }: Loose): string => `${chainId} ${token} ${spender}`.toLowerCase();
  const known = new Set(s.loose.map(nameOf));
  s.loose.push(...earlier.filter((at) => !known.has(nameOf(at))));
}

/** What failed steps may have left approved. What keeps it from that keeps no saga from its end: it is told, with the allowance that stays. */
async function revokeAll(s: SagaRun): Promise<void> {
  for (const [i, at] of s.loose.entries()) {
    const why = await revoked(s, i, at).catch((error: unknown) => {
      if (!(error instanceof NeedsOperator)) throw error;
      return error.message;
    });
    if (why !== null) s.env.onFault(staysApproved(s.owner, at, why));
  }
}

/** Why it is not known to be taken back; null where it is, or where the step has told that it is not. */
async function revoked(s: SagaRun, i: number, at: Loose): Promise<string | null> {
  let until: number | null = null;
  for (;;) {
    const tried = await s.within(`revoke.${i}`, async () => await s.env.actions.revoke(s.owner, s.again(`revoke.${i}`), at));
    if (!tried.ok) return tried.fault;
    if (tried.value) return null;
    if (await s.engine.patched("open-revokes")) {
      const now = await s.engine.now();
      until ??= now + s.times.haltSeconds * 1000;
      if (now >= until) return openRevocation(s.times.haltSeconds);
    }
    await s.pause(s.env.settings.pollSeconds);
  }
}

async function unlessFaulty<T>(otherwise: T, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof NeedsOperator)) throw error;
    return otherwise;
  }
}

/** `atRisk`: it ends with a position, which stays shown. */
async function isFinal(s: SagaRun, atRisk: boolean): Promise<boolean> {
  const until = (await s.engine.now()) + s.times.finalSeconds * 1000;
  return await unlessFaulty(false, async () => {
    for (;;) {
      if (await s.steady("final", () => allFinal(s.env.actions, s.id))) return true;
      if ((await s.engine.now()) >= until) return false;
      await s.stand("closing", "final blocks for its transactions", atRisk ? undefined : null);
      await s.pause(s.env.settings.pollSeconds);
    }
  });
}
