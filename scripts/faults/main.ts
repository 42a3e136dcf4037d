import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { columns } from "../../src/cli/table.js";
import { runCrossChain } from "./crosschain/run.js";
import { runKills } from "./kill.js";

const USAGE = `usage: npm run faults -- kill|crosschain [--rounds N] [--seed S] [--round K] [--resume] [--json]
  --rounds N   rounds, each with one kill; 200
  --seed S     what happens when; a new one
  --round K    plays this round of the seed alone
  --resume     goes on where the last run of the seed stopped
  --json       one JSON object on stdout, progress on stderr\n`;

/** After how many rounds every label must have been met; a shorter run has not enough for all. */
const ALL_LABELS = 150;

function usage(): never {
  process.stderr.write(USAGE);
  process.exit(2);
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: "string", default: "200" },
        seed: { type: "string" },
        round: { type: "string" },
        resume: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    });
  } catch {
    return usage();
  }
}

const { values, positionals } = readArguments();
const numberOf = (text: string): number => (/^\d{1,9}$/.test(text) ? Number(text) : usage());
const part = positionals.join(" ");
if (part !== "kill" && part !== "crosschain") usage();
const results = path.resolve("cache", `faults-${part}.json`);
const rounds =
  values.round === undefined ? Array.from({ length: numberOf(values.rounds) }, (_, i) => i) : [numberOf(values.round)];
const seed = values.seed === undefined ? newSeed() : numberOf(values.seed);
const note = (text: string): void => void process.stderr.write(`${text}\n`);
note(`seed ${seed}`);

function newSeed(): number {
  if (values.resume)
    try {
      return (JSON.parse(readFileSync(results, "utf8")) as { seed: number }).seed;
    } catch {
      // there is no run to go on with
    }
  return Math.floor(Math.random() * 1e9);
}

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    note("stopping after this round; go on with --resume");
    stop.abort();
  });

let report: Awaited<ReturnType<typeof run>>;
try {
  if (values.round === undefined && !values.resume) rmSync(results, { force: true });
  report = await run({ seed, rounds, results: values.round === undefined ? results : null, note, signal: stop.signal });
} catch (error) {
  // the message alone: Hardhat's errors carry whole source files
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
}
if (values.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
else {
  const { faults, missed, ...counts } = report;
  const lines = Object.entries(counts).flatMap(([name, value]) =>
    typeof value === "object"
      ? Object.entries(value).map(([key, n]) => [`${name} ${key}`, typeof n === "object" ? JSON.stringify(n) : String(n)])
      : [[name, String(value)]],
  );
  process.stdout.write(`${columns(lines)}\n${faults.join("\n")}\n`);
  if (missed.length > 0) process.stdout.write(`never killed at: ${missed.join(", ")}\n`);
}
// what Hardhat keeps open would hold the process
process.exit(isWrong(report) || stop.signal.aborted ? 1 : 0);

async function run(options: Parameters<typeof runKills>[0]) {
  return part === "kill" ? await runKills(options) : await runCrossChain(options);
}

function isWrong(told: Awaited<ReturnType<typeof run>>): boolean {
  const counts = told.faults.length + told.crashes;
  if ("sagas" in told) return counts + told.late > 0 || told.finished < told.sagas;
  return counts > 0 || (told.rounds >= ALL_LABELS && told.missed.length > 0);
}
