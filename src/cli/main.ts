#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { decodeCommand } from "./decode.js";
import { demoCommand } from "./demo.js";
import { deployCommand } from "./deploy.js";
import { executeCommand } from "./execute.js";
import { printError } from "./output.js";
import { quoteCommand } from "./quote.js";
import { replayCommand } from "./replay.js";
import { walletCommand } from "./wallet.js";

const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as { version: string };
const json = process.argv.includes("--json");

const program = new Command("arb")
  .description("Arbitrage execution engine: atomic flash-funded trades, sized and bounded before they are sent")
  .version(version)
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })
  .configureOutput({ writeErr: (text) => process.stderr.write(text) });

for (const command of [
  demoCommand(),
  quoteCommand(),
  executeCommand(),
  replayCommand(),
  deployCommand(),
  walletCommand(),
  decodeCommand(),
]) {
  program.addCommand(withCommonOptions(command));
}

/** --json and --quiet on every command and subcommand, and errors thrown to the one place below. */
function withCommonOptions(command: Command): Command {
  command.exitOverride();
  if (command.commands.length === 0) {
    command.option("--json", "print JSON on stdout").option("--quiet", "no commentary on stderr");
  }
  for (const sub of command.commands) withCommonOptions(sub);
  return command;
}

process.on("SIGINT", () => process.exit(130));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // commander has printed its own message
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    process.exitCode = printError(error, json);
  }
}
// sockets of providers and local chains would keep the process alive
process.exit();
