import { readFileSync } from "node:fs";
import path from "node:path";
import { Command } from "commander";
import { ROOT } from "./common.js";
import { databaseCommand } from "./database.js";
import { decodeCommand } from "./decode.js";
import { demoCommand } from "./demo.js";
import { deployCommand } from "./deploy.js";
import { executeCommand } from "./execute.js";
import { inventoryCommand } from "./inventory.js";
import { journalCommand } from "./journal.js";
import { initCommand } from "./init.js";
import { quoteCommand } from "./quote.js";
import { recoverCommand } from "./recover.js";
import { replayCommand } from "./replay.js";
import { transfersCommand } from "./transfers.js";
import { vaultCommand } from "./vault.js";
import { walletCommand } from "./wallet.js";

const { version } = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as { version: string };

const makeCommands = (): Command[] => [
  demoCommand(),
  initCommand(),
  walletCommand(),
  deployCommand(),
  vaultCommand(),
  quoteCommand(),
  executeCommand(),
  replayCommand(),
  decodeCommand(),
  databaseCommand(),
  journalCommand(),
  transfersCommand(),
  inventoryCommand(),
  recoverCommand(),
];

/** The program with all of its commands. Throws CommanderError for what it does not understand; `json`: says nothing of it itself. */
export function makeProgram(json: boolean): Command {
  const program = new Command("arb")
    .description("Arbitrage execution engine: atomic flash-funded trades, sized and bounded before they are sent")
    .version(version)
    .exitOverride()
    .configureOutput(json ? { outputError: () => undefined } : {});
  for (const command of makeCommands()) program.addCommand(withCommonOptions(command, json));
  return program;
}

/** --json and --quiet on every command and subcommand, and errors thrown to the one place that runs it. */
function withCommonOptions(command: Command, json: boolean): Command {
  command.exitOverride();
  if (json) command.configureOutput({ outputError: () => undefined });
  if (command.commands.length === 0) {
    command.option("--json", "print JSON on stdout").option("--quiet", "no commentary on stderr");
  }
  for (const sub of command.commands) withCommonOptions(sub, json);
  return command;
}
