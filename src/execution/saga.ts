/** The workflow of one cross-chain trade, in terms of durable steps: from its opening to its books. */
import { allFinal, closeBooks } from "../transfers/closing.js";
import { judgeStart, noEstimate } from "../transfers/estimate.js";
import type { SagaRow } from "../transfers/store.js";
import type { Estimate, SagaResult } from "../transfers/types.js";
import type { Env } from "./cross-chain-executor.js";
import { bridgeMode, inventoryMode } from "./saga-modes.js";
import { resume } from "./saga-resume.js";
import { type Engine, type SagaInput, SagaRun, type Times, timesOf } from "./saga-run.js";

export type { Command, Engine, SagaInput } from "./saga-run.js";

/** Runs one trade to its books. Run again on an engine with its steps, it goes on where they end. */
export async function runSaga(env: Env, engine: Engine, input: SagaInput): Promise<SagaResult> {
  const s = new SagaRun(env, engine, input);
  const row = input.again === 0 ? await openSaga(s) : await s.steady("reopen", async () => await opened(s));
  if (row.outcome !== null && row.result !== null && input.again === 0) return row.result;
  // steps of saga-1 have none
  s.times = row.times ?? s.times;
  const end =
    input.again > 0 ? await resume(s, row) : row.mode === "bridge" ? await bridgeMode(s, row) : await inventoryMode(s, row);
  await revokeAll(s);
  const final = await isFinal(s);
  const close = async (lenient: boolean): Promise<SagaResult> => {
    const result = await closeBooks(env.actions, row, { ...end, final, decisions: s.decisions }, lenient);
    await env.store.finish(s.id, result.outcome, result);
    return result;
  };
  const closed = await s.within("close", async () => await close(false));
  return closed.ok ? closed.value : await s.steady("close-halted", async () => await close(true));
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
  const { store } = s.env;
  const refuse = async (reason: string, estimate: Estimate): Promise<Opened> => {
    const nothing = { profit: 0n, residual: 0n, gasCost: 0n, net: 0n, books: [], final: true, decisions: [] };
    const result: SagaResult = { outcome: "no-trade", reason, expected: estimate.profit, ...nothing };
    await store.refuse(opportunity, account, estimate, result);
    return await opened(s);
  };
  const tried = await s.within("open", async () => {
    if (await store.saga(opportunity.id)) return await opened(s);
    const start = await judgeStart(opportunity, account, s.env);
    if (!start.ok) return await refuse(start.reason, start.estimate);
    const { estimate, wanted } = start;
    const missing = await store.open({ opportunity, mode: estimate.mode, account, estimate }, wanted);
    return missing === null ? await opened(s) : await refuse(missing, estimate);
  });
  if (tried.ok) return tried.value;
  return await s.steady("not-opened", async () => await refuse(tried.fault, noEstimate(opportunity.mode ?? "bridge")));
}

/** What failed steps may have left approved. A silent network keeps no saga from its end: it is told. */
async function revokeAll(s: SagaRun): Promise<void> {
  for (const [i, at] of s.loose.entries())
    for (;;) {
      const tried = await s.within(`revoke.${i}`, async () => await s.env.actions.revoke(s.id, s.input.account, i, at));
      if (!tried.ok || tried.value) break;
      await s.pause(s.env.settings.pollSeconds);
    }
}

async function isFinal(s: SagaRun): Promise<boolean> {
  const until = (await s.engine.now()) + s.times.finalSeconds * 1000;
  for (;;) {
    if (await s.steady("final", () => allFinal(s.env.actions, s.id))) return true;
    if ((await s.engine.now()) >= until) return false;
    await s.stand("closing", "final blocks for its transactions", null);
    await s.pause(s.env.settings.pollSeconds);
  }
}
