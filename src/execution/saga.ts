/** The workflow of one cross-chain trade, in terms of durable steps: from its opening to its books. */
import { allFinal, closeBooks } from "../transfers/closing.js";
import { judgeStart } from "../transfers/estimate.js";
import type { SagaRow } from "../transfers/store.js";
import type { SagaResult } from "../transfers/types.js";
import type { Env } from "./cross-chain-executor.js";
import { bridgeMode, inventoryMode, resume } from "./saga-modes.js";
import { type Engine, type SagaInput, SagaRun } from "./saga-run.js";

export type { Command, Engine, SagaInput } from "./saga-run.js";

/** Runs one trade to its books. Run again on an engine with its steps, it goes on where they end. */
export async function runSaga(env: Env, engine: Engine, input: SagaInput): Promise<SagaResult> {
  const s = new SagaRun(env, engine, input);
  const { account } = input;
  const row = input.again === 0 ? await openSaga(s) : await s.steady("reopen", () => readRow(s));
  if (row.outcome !== null && row.result !== null && input.again === 0) return row.result;
  const end =
    input.again > 0 ? await resume(s, row) : row.mode === "bridge" ? await bridgeMode(s, row) : await inventoryMode(s, row);
  for (const [i, at] of s.loose.entries()) await s.until(`revoke.${i}`, () => env.actions.revoke(s.id, account, i, at));
  const final = await isFinal(s);
  return await s.steady("close", async () => {
    const result = await closeBooks(env.actions, row, { ...end, final, decisions: s.decisions });
    await env.store.finish(s.id, result.outcome, result);
    return result;
  });
}

async function readRow(s: SagaRun): Promise<SagaRow> {
  const row = await s.env.store.saga(s.id);
  if (!row) throw new Error(`the saga ${s.id} is not in the database`);
  return row;
}

async function openSaga(s: SagaRun): Promise<SagaRow> {
  const { account, opportunity } = s.input;
  const { store } = s.env;
  return await s.steady("open", async () => {
    const known = await store.saga(opportunity.id);
    if (known) return known;
    const start = await judgeStart(opportunity, account, s.env);
    const refuse = async (reason: string) => {
      const nothing = { profit: 0n, residual: 0n, gasCost: 0n, net: 0n, books: [], final: true, decisions: [] };
      const result: SagaResult = { outcome: "no-trade", reason, expected: start.estimate.profit, ...nothing };
      await store.refuse(opportunity, account, start.estimate, result);
      return await readRow(s);
    };
    if (!start.ok) return await refuse(start.reason);
    const { estimate, wanted } = start;
    const missing = await store.open({ opportunity, mode: estimate.mode, account, estimate }, wanted);
    return missing === null ? await readRow(s) : await refuse(missing);
  });
}

async function isFinal(s: SagaRun): Promise<boolean> {
  const { settings, actions } = s.env;
  const until = (await s.engine.now()) + settings.finalSeconds * 1000;
  for (;;) {
    if (await s.steady("final", () => allFinal(actions, s.id))) return true;
    if ((await s.engine.now()) >= until) return false;
    await s.stand("closing", "final blocks for its transactions", null);
    await s.pause(settings.pollSeconds);
  }
}
