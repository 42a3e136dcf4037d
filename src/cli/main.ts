#!/usr/bin/env node
import { CommanderError } from "commander";
import { ArbError } from "../errors.js";
import { printError } from "./output.js";
import { makeProgram } from "./program.js";

// with it stderr holds one JSON object
const json = process.argv.includes("--json");

process.on("SIGINT", () => process.exit(130));
// a reader that has seen enough (`arb execute ... | head`) ends the program quietly
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

try {
  await makeProgram(json).parseAsync();
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
