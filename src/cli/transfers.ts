import { Command, Option } from "commander";
import { loadConfig, type Config } from "../config/load.js";
import { networkById } from "../config/networks.js";
import { migrate } from "../database/migrate.js";
import { type Database, openDatabase } from "../database/open.js";
import { MIGRATIONS } from "../database/schema.js";
import { databaseSettings } from "../database/settings.js";
import { ArbError } from "../errors.js";
import { CHOICES, type ChoiceKind } from "../execution/recovery-manager.js";
import { formatDecimal } from "../units.js";
import { TransferStore, type SagaRow, type TransferRow, workflowOf } from "../transfers/store.js";
import { strandedSagas } from "../transfers/takeover.js";
import { withEngineClient } from "../transfers/engine.js";
import { COMMANDS } from "../transfers/version.js";
import type { CommonOptions } from "./common.js";
import { makeOutput } from "./output.js";

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
  atRisk: { chainId: number; token: string; amount: string } | null;
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
          ...found.otherVersions.map(
            (s) => `${s.id} STANDS STILL: ${s.status} under version ${s.version}, which this program does not continue`,
          ),
        ].join("\n"),
      );
    });
  sub("show", "one trade with its transfers, its estimate, and its books")
    .argument("<id>", "id of the opportunity")
    .action(async (id: string, options: Options) => {
      const found = await withStore(loadConfig(options.config), async (store) => {
        const saga = await sagaOf(store, id);
        const rows = await store.transfersOf(id);
        const books = await store.books(id, saga.account);
        return {
          ...shownOf(saga, rows),
          estimate: saga.estimate,
          result: saga.result,
          transfers: rows.map((t) => ({
            id: t.id,
            bridge: t.bridge,
            state: t.state,
            amountIn: t.quote.amountIn,
            amountOut: t.quote.amountOut,
            due: t.due.toISOString(),
            key: t.key,
          })),
          books,
        };
      });
      makeOutput(options).result(found, () =>
        [
          lineOf(found),
          ...found.transfers.map((t) => `  ${t.id} by ${t.bridge}: ${t.state}, ${t.amountIn} -> ${t.amountOut}, due ${t.due}`),
          ...found.books.map((b) => `  chain ${b.chainId} ${b.asset}: ${b.amount}${b.gas === 0n ? "" : `, gas ${b.gas} wei`}`),
          ...(found.result === null
            ? []
            : [`  ${found.result.outcome}: net ${found.result.net}, expected ${found.result.expected}; ${found.result.reason}`]),
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
      await withStore(loadConfig(options.config), async (store, db) => {
        const saga = await sagaOf(store, id);
        if (saga.outcome !== null)
          throw new ArbError("usage", `${id} has ended: ${saga.outcome}`, {
            where: "arb transfers show",
            ...(saga.outcome === "held"
              ? { hint: "CrossChainExecutor.resume continues a held position in a running driver" }
              : {}),
          });
        await say(db, id, choice);
      });
      const what = choice === "look" ? "looks again at once" : choice;
      makeOutput(options).result({ id, told: choice }, () => `${id} was told: ${what}`);
    });
  };
  tell("resume", "has a waiting trade look again at once, or do what you choose", null);
  tell("recover", "the same for a transfer under way: speed-up, re-attest, retry-delivery, claim-refund", null);
  tell("hold", "has a trade hold its position at its next decision", "hold");
  return transfers;
}

async function sagaOf(store: TransferStore, id: string): Promise<SagaRow> {
  const saga = await store.saga(id);
  if (!saga) throw new ArbError("usage", `there is no cross-chain trade ${id}`, { where: "arb transfers list --all" });
  return saga;
}

/** Leaves a message in the workflow engine: it is read by whatever driver runs the trade, now or when one starts. */
async function say(db: Database, id: string, choice: string): Promise<void> {
  await withEngineClient(db, async (client) => await client.send(workflowOf(id), { choice }, COMMANDS));
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
  const { id, mode, state, outcome, waitsFor, due, risk } = saga;
  return {
    id,
    mode,
    state,
    outcome,
    ageSeconds: Math.round((Date.now() - saga.createdAt.getTime()) / 1000),
    deadline: due?.toISOString() ?? null,
    overdue: due !== null && due.getTime() < Date.now(),
    waitsFor,
    atRisk: risk === null || outcome !== null ? null : { ...risk, amount: String(risk.amount) },
    bridges: [...new Set(transfers.map((t) => t.bridge))],
  };
}

function lineOf(s: Shown): string {
  const token =
    s.atRisk && networkById(s.atRisk.chainId)?.tokens.find((t) => t.address.toLowerCase() === s.atRisk?.token.toLowerCase());
  const risk =
    s.atRisk === null
      ? ""
      : `, at risk ${token ? `${formatDecimal(BigInt(s.atRisk.amount), token.decimals)} ${token.symbol}` : `${s.atRisk.amount} of ${s.atRisk.token}`} of chain ${s.atRisk.chainId}`;
  const due = s.deadline === null ? "" : `, ${s.overdue ? "OVERDUE since" : "until"} ${s.deadline}`;
  return `${s.id} (${s.mode}, ${s.ageSeconds} s): ${s.outcome ?? s.state}${s.waitsFor === "" ? "" : `, waits for ${s.waitsFor}`}${due}${risk}`;
}
