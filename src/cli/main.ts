#!/usr/bin/env node
import { readFileSync } from "node:fs";
import path from "node:path";
import { Command, CommanderError } from "commander";
import { ArbError } from "../errors.js";
import { ROOT } from "./common.js";
import { databaseCommand } from "./database.js";
import { decodeCommand } from "./decode.js";
import { demoCommand } from "./demo.js";
import { deployCommand } from "./deploy.js";
import { executeCommand } from "./execute.js";
import { inventoryCommand } from "./inventory.js";
import { journalCommand } from "./journal.js";
import { initCommand } from "./init.js";
import { printError } from "./output.js";
import { quoteCommand } from "./quote.js";
import { recoverCommand } from "./recover.js";
import { replayCommand } from "./replay.js";
import { transfersCommand } from "./transfers.js";
import { vaultCommand } from "./vault.js";
import { walletCommand } from "./wallet.js";

const { version } = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as { version: string };
const json = process.argv.includes("--json");

const program = new Command("arb")
  .description("Arbitrage execution engine: atomic flash-funded trades, sized and bounded before they are sent")
  .version(version)
  .exitOverride()
  // with --json stderr holds one JSON object, made below
  .configureOutput(json ? { outputError: () => undefined } : {});

const commands = [
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
for (const command of commands) program.addCommand(withCommonOptions(command));

/** --json and --quiet on every command and subcommand, and errors thrown to the one place below. */
function withCommonOptions(command: Command): Command {
  command.exitOverride();
  if (json) command.configureOutput({ outputError: () => undefined });
  if (command.commands.length === 0) {
    command.option("--json", "print JSON on stdout").option("--quiet", "no commentary on stderr");
  }
  for (const sub of command.commands) withCommonOptions(sub);
  return command;
}

process.on("SIGINT", () => process.exit(130));
// a reader that has seen enough (`arb execute ... | head`) ends the program quietly
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // commander has printed its own message, but for --json
    if (json && error.exitCode !== 0) printError(new ArbError("usage", error.message.replace(/^error: /, "")), json);
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    process.exitCode = printError(error, json);
  }
}
// sockets of providers and local chains would keep the process alive
process.exit();
