/** What `execute` and `quote` do with an opportunity across chains. */
import { formatToken } from "../config/format-token.js";
import type { Network } from "../config/network.js";
import { EXIT_CODES } from "../errors.js";
import type { CrossChainExecutor } from "../execution/cross-chain-executor.js";
import type { CrossChainSession } from "../execution/cross-chain-session.js";
import type { CrossChainOpportunity } from "../opportunity/cross-chain.js";
import type { AnyOpportunity } from "../opportunity/intake.js";
import type { Start } from "../transfers/estimate.js";
import { type SagaReport, sagaReport } from "../transfers/report.js";
import type { Estimate } from "../transfers/types.js";
import { type Output, outcomeJson } from "./output.js";
import { sagaText } from "./saga-text.js";
import { outcomeText } from "./table.js";

const LOOK_MS = 250;

export const isAcross = (o: AnyOpportunity): o is CrossChainOpportunity => "buy" in o;

/** Prints what a trade would give, and with which ways out; or why it would not be started. `status` as the command has it. */
export function printJudged(
  status: "quoted" | "dry-run",
  o: CrossChainOpportunity,
  start: Start,
  networks: readonly Network[],
  output: Output,
): void {
  if (!start.ok) return printRefusal(o.id, start.reason, output);
  output.result(judgedJson(status, o, start.estimate), () => judgedText(status, o, start.estimate, networks));
}

function printRefusal(opportunityId: string, detail: string, output: Output): void {
  const outcome = {
    status: "rejected",
    rejection: { opportunityId, reason: "not-started", detail, where: null },
  } as const;
  output.result(outcomeJson(outcome), () => outcomeText(outcome, []));
}

function judgedJson(status: string, o: CrossChainOpportunity, e: Estimate): Record<string, unknown> {
  return {
    status,
    opportunityId: o.id,
    mode: e.mode,
    fromChainId: o.buy.chainId,
    toChainId: o.sell.chainId,
    profitToken: o.buy.tokenIn,
    amountIn: o.amountIn,
    expectedProfit: e.profit,
    worstLoss: e.worstLoss,
    bridges: e.bridges,
    seconds: e.seconds,
    estimate: { bought: e.bought, sold: e.sold, home: e.home, gasCost: e.gasCost, bridgeCost: e.bridgeCost },
    waysOut: Object.entries(e.waysOut).map(([state, ways]) => ({ state, ways })),
  };
}

function judgedText(status: string, o: CrossChainOpportunity, e: Estimate, networks: readonly Network[]): string {
  const of = (chainId: number) => networks.find((n) => n.chainId === chainId)!;
  const [from, to] = [of(o.buy.chainId), of(o.sell.chainId)];
  const units = (amount: bigint) => formatToken(from, o.buy.tokenIn, amount);
  const head = `${o.id}: ${units(e.profit)} net profit expected, ${from.title} -> ${to.title}, ${e.mode}${status === "dry-run" ? ", not started" : ""}`;
  const least = (ways: Estimate["waysOut"][string]) =>
    ways.map(
      (w) => `${w.kind} ${w.loss === null ? "?" : `${w.loss < 0n ? "gains" : "loses"} ${units(w.loss < 0n ? -w.loss : w.loss)}`}`,
    );
  return [
    head,
    `  ${units(o.amountIn)} -> ${formatToken(from, o.buy.tokenOut, e.bought)} -> by ${e.bridges.join(", ")} -> ${formatToken(to, o.sell.tokenOut, e.sold)}, ${o.returnToSource ? `${units(e.home)} at home` : "which stay there"}, about ${e.seconds} s`,
    `  taken off: gas ${units(e.gasCost)}, bridges with time and failures ${units(e.bridgeCost)}`,
    ...Object.entries(e.waysOut).map(([state, ways]) => `  if stuck in ${state}: ${least(ways).join(", ")}`),
    `  worst of the best ways out: ${e.worstLoss === null ? "none" : `${e.worstLoss < 0n ? "gains" : "loses"} ${units(e.worstLoss < 0n ? -e.worstLoss : e.worstLoss)}`}`,
  ].join("\n");
}

/**
 * Starts a trade, and follows it to its end; with `detach` only until it is written down and begun. Gives the exit code. An interrupt
 * ends this program and not the trade.
 */
export async function executeAcross(
  o: CrossChainOpportunity,
  session: CrossChainSession,
  networks: readonly Network[],
  output: Output,
  detach: boolean,
): Promise<number> {
  const executor = await session.executor();
  const handle = await executor.submit(o, session.account(o));
  const end = { failed: null as unknown, over: false };
  handle.getResult().then(
    () => (end.over = true),
    (error: unknown) => Object.assign(end, { over: true, failed: error }),
  );
  return await following([o.id], output, async () => {
    await follow(o.id, executor, output, () => end.over, detach);
    if (end.failed !== null) throw end.failed;
    return await printEnd(o.id, executor, networks, output);
  });
}

/** Follows trades of earlier runs to their ends, and held ones that are to go on. Gives the exit codes. */
export async function continueAcross(
  session: CrossChainSession,
  networks: readonly Network[],
  output: Output,
  except: ReadonlySet<string>,
): Promise<number[]> {
  const wished = new Set((await session.store.wished(session.accounts)).map((s) => s.id));
  const open = (await session.store.sagas(false)).filter((s) => (s.outcome === null || wished.has(s.id)) && !except.has(s.id));
  if (open.length === 0) return [];
  const executor = await session.executor();
  const ids = open.map((s) => s.id);
  output.note(`goes on with what an earlier run began: ${ids.join(", ")}`);
  return await following(ids, output, async () => {
    return await Promise.all(
      ids.map(async (id) => {
        await follow(id, executor, output, () => false, false);
        return await printEnd(id, executor, networks, output);
      }),
    );
  });
}

/** Tells of each new state until the trade has its end, or, with `detach`, until it is under way. */
async function follow(
  id: string,
  { env }: CrossChainExecutor,
  output: Output,
  isOver: () => boolean,
  detach: boolean,
): Promise<void> {
  let told = "";
  for (;;) {
    const over = isOver();
    const saga = await env.store.saga(id);
    // a held one that is to go on has no end yet
    const ended = over || (saga !== null && saga.outcome !== null);
    if ((ended && saga?.wish == null) || (saga !== null && detach)) return;
    const state = saga === null ? "" : `${saga.state}${saga.waitsFor === "" ? "" : `, waits for ${saga.waitsFor}`}`;
    if (state !== told && state !== "") output.note(`${id}: ${state}`);
    told = state;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function printEnd(id: string, { env }: CrossChainExecutor, networks: readonly Network[], output: Output): Promise<number> {
  const report = await sagaReport(env.store, id);
  if (isRefusal(report)) printRefusal(id, report.reason, output);
  else {
    const status = report.outcome === null ? "started" : "ended";
    output.result({ status, ...report }, () => sagaText(report, networks));
  }
  // held: the money is not home, and a command continues
  return report.outcome === "held" ? EXIT_CODES.timeout : EXIT_CODES.ok;
}

/** Refused before anything was signed. */
const isRefusal = (r: SagaReport): boolean => r.outcome === "no-trade" && r.books.length === 0 && r.decisions.length === 0;

/** While it works, an interrupt says how to go on before it ends the program. */
async function following<T>(ids: string[], output: Output, work: () => Promise<T>): Promise<T> {
  const say = (): void =>
    output.note(
      `${ids.join(", ")}: interrupted. Nothing is lost: what is under way is in the database, and goes on with the next \`arb execute\`, or in any other driver on it. \`arb transfers list\` shows it`,
    );
  process.prependListener("SIGINT", say);
  try {
    return await work();
  } finally {
    process.off("SIGINT", say);
  }
}
