import { Command, Option } from "commander";
import { formatToken } from "../config/format-token.js";
import { loadConfig, type Config } from "../config/load.js";
import { networkById } from "../config/networks.js";
import { migrate } from "../database/migrate.js";
import { type Database, openDatabase } from "../database/open.js";
import { MIGRATIONS } from "../database/schema.js";
import { databaseSettings } from "../database/settings.js";
import { ArbError, EXIT_CODES } from "../errors.js";
import { CHOICES, type ChoiceKind } from "../execution/recovery-manager.js";
import { reportOf } from "../transfers/report.js";
import type { SagaResult } from "../transfers/types.js";
import { ETHER, formatAmount, formatDecimal } from "../units.js";
import { RebalancingStore } from "../transfers/rebalancing-store.js";
import { closeByHand } from "../transfers/held.js";
import type { SagaRow, TransferRow } from "../transfers/rows.js";
import { TransferStore } from "../transfers/store.js";
import { runningWorkflowOf, strandedError, strandedSagas } from "../transfers/takeover.js";
import { withEngineClient } from "../transfers/engine.js";
import { COMMANDS } from "../transfers/version.js";
import type { CommonOptions } from "./common.js";
import { makeOutput } from "./output.js";
import { sagaText, storyOf } from "./saga-text.js";

type Options = CommonOptions & { config: string };

/** What `list` and `show` say of a cross-chain trade. Amounts are base units. */
interface Shown {
  id: string;
  mode: string;
  state: string;
  outcome: string | null;
  ageSeconds: number;
  /** ISO time by which what it waits for must be there. */
  deadline: string | null;
  overdue: boolean;
  waitsFor: string;
  /** `symbol` is null for a token that the registry does not list. */
  atRisk: { chainId: number; token: string; symbol: string | null; amount: string } | null;
  bridges: string[];
}

export function transfersCommand(): Command {
  const transfers = new Command("transfers").description(
    "cross-chain trades: what they wait for, what is at risk, and how to go on",
  );
  const sub = (name: string, description: string): Command =>
    transfers.command(name).description(description).option("--config <file>", "configuration", "arb.config.jsonc");
  sub("list", "trades that are not at their end, and held ones")
    .option("--all", "finished ones too")
    .action(async (options: Options & { all?: boolean }) => {
      const found = await withStore(loadConfig(options.config), async (store, db) => {
        const sagas = await store.sagas(options.all === true);
        const trades = await Promise.all(sagas.map(async (s) => shownOf(s, await store.transfersOf(s.id))));
        return { trades, otherVersions: await strandedSagas(db) };
      });
      makeOutput(options).result(found, () =>
        [
          ...(found.trades.length === 0 ? ["no cross-chain trade is under way"] : found.trades.map(lineOf)),
          ...found.otherVersions.map((s) => `STANDS STILL: ${strandedError(s).message}; ${strandedError(s).hint}`),
        ].join("\n"),
      );
      // for scripts that look: money of ours stands still
      if (found.otherVersions.length > 0) process.exitCode = EXIT_CODES.refused;
    });
  sub("show", "one trade with its transfers, its estimate, and its books")
    .argument("<id>", "id of the opportunity")
    .action(async (id: string, options: Options) => {
      const found = await withStore(loadConfig(options.config), async (store) => {
        const saga = await sagaOf(store, id);
        const rows = await store.transfersOf(id);
        const report = await reportOf(store, saga);
        const keys = new Map(rows.map((t) => [t.id, { due: t.due.toISOString(), key: t.key }]));
        const moved = report.transfers.map((t) => ({ ...t, ...keys.get(t.id) }));
        const { estimate, result } = saga;
        const shown = { ...shownOf(saga, rows), estimate, result, legs: report.legs, transfers: moved, books: report.books };
        return { report, shown };
      });
      const { report, shown } = found;
      makeOutput(options).result(shown, () =>
        [
          ...(report.outcome === null ? [lineOf(shown), ...storyOf(report).map((line) => `  ${line}`)] : [sagaText(report)]),
          ...shown.transfers.map((t) => `  ${t.id}: ${t.state}, due ${t.due ?? "?"}`),
          ...shown.books.map((b) => `  ${bookText(b)}`),
        ].join("\n"),
      );
    });
  const tell = (name: string, description: string, fixed: ChoiceKind | null): void => {
    const command = sub(name, description).argument("<id>", "id of the opportunity");
    if (fixed === null)
      command.addOption(
        new Option("--choice <choice>", "what to do at its next decision, where its state allows it").choices(
          Object.keys(CHOICES),
        ),
      );
    command.action(async (id: string, options: Options & { choice?: ChoiceKind }) => {
      const choice = fixed ?? options.choice ?? "look";
      const held = await withStore(loadConfig(options.config), async (store, db) => {
        if (id.startsWith("rebalance/")) {
          if (choice !== "look")
            throw new ArbError("usage", `${id} has nothing to choose: it looks again`, { where: "--choice" });
          await standing(new RebalancingStore(db, store.providers), id);
          await say(db, id, choice);
          return false;
        }
        const saga = await sagaOf(store, id);
        // a row that a driver reads, now or when one starts
        if (saga.outcome === "held" && (await store.wish(id, choice))) return true;
        if (saga.outcome !== null)
          throw new ArbError("usage", `${id} has ended: ${saga.outcome}`, { where: "arb transfers show" });
        await say(db, id, choice);
        return false;
      });
      const what = choice === "look" ? "looks again at once" : choice;
      makeOutput(options).result({ id, told: choice, held }, () =>
        held
          ? `${id} is held, and goes on (${what}) with the driver that runs with its account, or the next that starts`
          : `${id} was told: ${what}`,
      );
    });
  };
  tell("resume", "has a waiting trade look again at once, or do what you choose", null);
  tell("recover", "the same for a transfer under way: speed-up, slow-fill, re-attest, retry-delivery, claim-refund", null);
  sub("close", "ends a held trade whose position you have taken over: it is not traded on, and what it had reserved is free")
    .argument("<id>", "id of the opportunity")
    .option("--reason <text>", "what you did with it, for the books", "taken over by hand")
    .option("--give-up", "also where a transfer of it is stuck: no rule of its bridge ends it")
    .action(async (id: string, options: Options & { reason: string; giveUp?: boolean }) => {
      const isStock = id.startsWith("rebalance/");
      await withStore(loadConfig(options.config), async (store, db) => {
        if (isStock) return await closeStock(store, db, id, options.giveUp === true);
        await sagaOf(store, id);
        const missing = await closeByHand(store.db, id, options.reason, options.giveUp);
        if (missing !== null)
          throw new ArbError("refused", `${id} cannot be closed: ${missing}`, {
            where: "arb transfers show",
            hint: `arb transfers resume ${id}`,
          });
      });
      makeOutput(options).result({ id, closed: !isStock, reason: options.reason }, () =>
        isStock ? `${id} was told: it is given up at its next look, if it is stuck then` : `${id} is closed: ${options.reason}`,
      );
    });
  tell("hold", "has a trade hold its position at its next decision", "hold");
  return transfers;
}

async function sagaOf(store: TransferStore, id: string): Promise<SagaRow> {
  const saga = await store.saga(id);
  if (!saga) throw new ArbError("usage", `there is no cross-chain trade ${id}`, { where: "arb transfers list --all" });
  return saga;
}

/** Raises ArbError "usage" where there is no such rebalancing, or it has ended. */
async function standing(store: RebalancingStore, id: string): Promise<void> {
  const row = await store.find(id);
  if (!row) throw new ArbError("usage", `there is no rebalancing ${id}`, { where: "arb inventory" });
  if (row.outcome !== null) throw new ArbError("usage", `${id} has ended: ${row.outcome}`, { where: "arb inventory" });
}

/** A transfer of stock ends by its workflow, at its next look. */
async function closeStock(store: TransferStore, db: Database, id: string, giveUp: boolean): Promise<void> {
  await standing(new RebalancingStore(db, store.providers), id);
  const [transfer] = (await store.transfersOf(id)).filter((t) => t.ended === null);
  if (transfer?.state !== "stuck" || !giveUp)
    throw new ArbError(
      "refused",
      `${id} cannot be closed: its transfer ${transfer === undefined ? "is not written down" : `is ${transfer.state}`}`,
      {
        where: "arb inventory",
        hint: "one that is stuck is closed with --give-up; others go on by themselves",
      },
    );
  await say(db, id, "close");
}

/** Leaves a message in the workflow engine: it is read by whatever driver runs the trade, now or when one starts. */
async function say(db: Database, id: string, choice: string): Promise<void> {
  const workflow = await runningWorkflowOf(db, id);
  await withEngineClient(db, async (client) => await client.send(workflow, { choice }, COMMANDS));
}

async function withStore<T>(config: Config, work: (store: TransferStore, db: Database) => Promise<T>): Promise<T> {
  const db = await openDatabase(await databaseSettings(config), { name: "arb transfers", connections: 2 });
  try {
    await migrate(db, MIGRATIONS);
    const store = new TransferStore(db, (chainId) => {
      throw new ArbError("internal", `chain ${chainId} is not needed here`);
    });
    return await work(store, db);
  } finally {
    await db.close();
  }
}

function shownOf(saga: SagaRow, transfers: TransferRow[]): Shown {
  const { id, mode, state, outcome, due, risk } = saga;
  const waitsFor = outcome === "held" ? heldFor(saga) : saga.waitsFor;
  return {
    id,
    mode,
    state,
    outcome,
    ageSeconds: Math.round((Date.now() - saga.createdAt.getTime()) / 1000),
    deadline: due?.toISOString() ?? null,
    overdue: due !== null && due.getTime() < Date.now(),
    waitsFor,
    atRisk:
      risk === null || (outcome !== null && outcome !== "held")
        ? null
        : { ...risk, symbol: symbolOf(risk), amount: String(risk.amount) },
    bridges: [...new Set(transfers.map((t) => t.bridge))],
  };
}

/** Why a trade is held, and what continues it. */
function heldFor({ id, result, wish }: SagaRow): string {
  if (wish !== null) return `a driver with its account, to go on (${wish})`;
  const command = `arb transfers resume ${id}`;
  const reason = result?.reason ?? "";
  return `the operator: ${reason}${reason.includes(command) ? "" : `; ${command}`}`;
}

function bookText({ chainId, asset, amount, gas }: SagaResult["books"][number]): string {
  const network = networkById(chainId);
  const title = network?.title ?? `chain ${chainId}`;
  if (asset === "native") return `books on ${title}: ${formatAmount(amount, ETHER)}, gas ${formatAmount(gas, ETHER)}`;
  return `books on ${title}: ${network ? formatToken(network, asset, amount) : `${amount} units of ${asset}`}`;
}

const tokenOf = ({ chainId, token }: { chainId: number; token: string }) =>
  networkById(chainId)?.tokens.find((t) => t.address.toLowerCase() === token.toLowerCase());
const symbolOf = (at: { chainId: number; token: string }): string | null => tokenOf(at)?.symbol ?? null;

function lineOf(s: Shown): string {
  const { atRisk } = s;
  const token = atRisk && tokenOf(atRisk);
  const amount = (at: NonNullable<Shown["atRisk"]>) =>
    token ? `${formatDecimal(BigInt(at.amount), token.decimals)} ${token.symbol}` : `${at.amount} units of ${at.token}`;
  const risk =
    atRisk === null ? "" : `, at risk ${amount(atRisk)} on ${networkById(atRisk.chainId)?.title ?? `chain ${atRisk.chainId}`}`;
  const due = s.deadline === null ? "" : `, ${s.overdue ? "OVERDUE since" : "until"} ${s.deadline}`;
  return `${s.id} (${s.mode}, ${s.ageSeconds} s): ${s.outcome ?? s.state}${s.waitsFor === "" ? "" : `, waits for ${s.waitsFor}`}${due}${risk}`;
}
