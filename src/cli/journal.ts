import { Command } from "commander";
import { type Config, loadConfig } from "../config/load.js";
import { countsOf } from "../chain/witnesses.js";
import { networkById } from "../config/networks.js";
import { migrate } from "../database/migrate.js";
import { type Database, openDatabase } from "../database/open.js";
import { MIGRATIONS } from "../database/schema.js";
import { databaseSettings } from "../database/settings.js";
import { ArbError } from "../errors.js";

import { connectTo } from "../execution/session.js";
import { routeRecords, type RouteRecord } from "../journal/answers.js";
import { type AccountState, readAccounts, resumeAccount } from "../journal/owner.js";
import type { CommonOptions } from "./common.js";
import { makeOutput } from "./output.js";

type Options = CommonOptions & { config: string };

export function journalCommand(): Command {
  const journal = new Command("journal").description("what was signed and has no final end yet, and accounts that were stopped");
  const sub = (name: string, description: string): Command =>
    journal.command(name).description(description).option("--config <file>", "configuration", "arb.config.jsonc");
  sub("status", "every account with its owner, its next nonce, and what is still open").action(async (options: Options) => {
    const accounts = await withDatabase(loadConfig(options.config), readAccounts);
    makeOutput(options).result(accounts, () =>
      accounts.length === 0 ? "nothing was signed yet" : accounts.map(textOf).join("\n"),
    );
  });
  sub("resume", "lets a stopped account sign again, after you found out what used its key; stop the bot first")
    .requiredOption("--network <name>", "the account's network")
    .requiredOption("--account <address>", "the account")
    .action(async (options: Options & { network: string; account: string }) => {
      const config = loadConfig(options.config);
      const network = config.networks.find((n) => n.network.name === options.network);
      if (!network) throw new ArbError("usage", `${options.network} is not configured`, { where: "--network" });
      const chain = await connectTo(network, config);
      try {
        const counts = await countsOf(chain, options.account);
        const resumed = await withDatabase(config, (db) => resumeAccount(db, network.network.chainId, options.account, counts));
        makeOutput(options).result(
          resumed,
          () =>
            `${options.account} signs again; ${resumed.foreign} nonces of others are written down (it was stopped: ${resumed.reason})`,
        );
      } finally {
        chain.close();
      }
    });
  sub("routes", "every relay and other route: what it answered, and how much of what it took has landed").action(
    async (options: Options) => {
      const records = await withDatabase(loadConfig(options.config), routeRecords);
      makeOutput(options).result(records, () =>
        records.length === 0 ? "nothing was sent yet" : records.map(routeText).join("\n"),
      );
    },
  );
  return journal;
}

function routeText(r: RouteRecord): string {
  const title = networkById(r.chainId)?.title ?? `chain ${r.chainId}`;
  return [
    `${r.route} on ${title}: ${r.transactions} transactions, ${r.landed} of those it took have landed`,
    `  sends: ${r.accepted} accepted, ${r.refused} refused, ${r.unknown} without a clear answer${r.medianMs === null ? "" : `; ${r.medianMs} ms`}`,
    ...(r.cancels === 0 ? [] : [`  cancels: ${r.cancels}, of which not confirmed ${r.cancelsFailed}`]),
    ...(r.simulations === 0 ? [] : [`  simulations: ${r.simulations}, of which failed ${r.simulationsFailed}`]),
  ].join("\n");
}

async function withDatabase<T>(config: Config, work: (db: Database) => Promise<T>): Promise<T> {
  const db = await openDatabase(await databaseSettings(config), { name: "arb journal", connections: 2 });
  try {
    await migrate(db, MIGRATIONS);
    return await work(db);
  } finally {
    await db.close();
  }
}

function textOf({ chainId, account, owner, next, stopped, open }: AccountState): string {
  const title = networkById(chainId)?.title ?? `chain ${chainId}`;
  const head = `${account} on ${title}: next nonce ${next}, ${owner === null ? "free" : `held by ${owner}`}`;
  return [
    head,
    ...(stopped === null ? [] : [`  STOPPED: ${stopped}`]),
    ...open.map((o) => `  ${o.nonce} ${o.state} ${o.intentId ?? "-"} ${o.hash}`),
  ].join("\n");
}
