// npm run mutate [-- --limit N --seed S --resume --workers N --file PART,PART --within NAME --only ID,ID --json]
// Mutation testing of the contracts: docs/mutation.md says what it does and who survives.
import { fork, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { root } from "../setup/find-node.mjs";
import { importsOf, isTarget, parse, readSources } from "./compiler.mjs";
import { mutantsOf } from "./mutants.mjs";

/** Longest time for one mutant, where the tests themselves do not need more; an endless loop ends with the block's gas long before. */
const TIMEOUT_MS = 90_000;
/** A run of all tests may take so many times as long as on the unchanged contracts: the machine may be busy. */
const PATIENCE = 6;
/** A worker is replaced after so many mutants: chains leave some memory behind. */
const WORKER_LIFE = 150;
/** Longest time until a worker has loaded everything and has run the tests twice. */
const START_MS = 1_800_000;
const TARGET_PERCENT = 95;

const { values: options } = parseArgs({
  options: {
    limit: { type: "string" },
    seed: { type: "string", default: "1" },
    workers: { type: "string" },
    file: { type: "string" },
    within: { type: "string" },
    only: { type: "string" },
    resume: { type: "boolean" },
    list: { type: "boolean" },
    json: { type: "boolean" },
  },
});

const hash = (parts) => createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, 16);
const sources = readSources();
const tests = ["test/contracts", "test/helpers", "test/mocks"].flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true })
    .filter((file) => /\.(ts|sol)$/.test(file))
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((file) => readFileSync(path.join(root, folder, file), "utf8")),
);
const testsHash = hash(tests);
/** What a file's mutants were judged in: all that the contracts with this file in them are made of. Others may change. */
const sourceHashes = Object.fromEntries(
  Object.keys(sources)
    .filter(isTarget)
    .map((file) => {
      const reached = Object.keys(sources)
        .filter(isTarget)
        .map((each) => importsOf(sources, each))
        .filter((imports) => imports.has(file))
        .flatMap((imports) => [...imports]);
      return [file, hash([...new Set(reached)].toSorted((a, b) => (a < b ? -1 : 1)).map((each) => String(sources[each])))];
    }),
);
const page = readFileSync(path.join(root, "docs", "mutation.md"), "utf8");
/** Part of the repository: a sample takes hours, and what was judged on the same source stays judged. */
const logFile = path.join(root, "test", "golden", "mutants.jsonl");
const LONGEST_REASON = 100;

const trees = parse(sources);
const all = Object.keys(sources)
  .filter(isTarget)
  .flatMap((file) => mutantsOf(file, trees[file], sources[file]));
const chosen = sample(
  all.filter(
    ({ id, file, within }) =>
      (options.file ?? "").split(",").some((part) => file.includes(part)) &&
      (!options.within || within === options.within) &&
      (!options.only || options.only.split(",").includes(id)),
  ),
);
if (options.list) {
  // a pipe takes it all before the process ends
  await new Promise((resolve) => process.stdout.write(chosen.map((mutant) => describe(mutant) + "\n").join(""), resolve));
  process.exit(0);
}

// the bindings must be those of the source
const build = spawnSync(process.execPath, [path.join(root, "node_modules/.bin/hardhat"), "build", "--quiet"], { cwd: root });
if (build.status !== 0) throw new Error(`the contracts do not build:\n${String(build.stdout)}${String(build.stderr)}`);

const known = options.resume ? earlier() : new Map();
const results = new Map(chosen.filter(({ id }) => known.has(id)).map(({ id }) => [id, known.get(id)]));
const queue = chosen.filter(({ id }) => !results.has(id));
const codes = new Map();
const started = Date.now();
console.error(`${all.length} mutants, ${chosen.length} chosen, ${results.size} known from before`);
const count = Math.max(1, Number(options.workers ?? Math.min(2, os.availableParallelism())));
await Promise.all(Array.from({ length: Math.min(count, queue.length) }, work));
summary();

/** One worker process after the other, until the queue is empty. */
async function work() {
  while (queue.length > 0) {
    const { worker, limit } = await startWorker();
    for (let i = 0; i < WORKER_LIFE && queue.length > 0; i++) {
      const mutant = queue.shift();
      const since = Date.now();
      const result = await judge(worker, mutant, limit);
      record(mutant, { ...result, ms: Date.now() - since });
      if (result.status === "timeout" || result.status === "crashed") break;
    }
    worker.kill();
  }
}

async function startWorker() {
  const tsx = new URL(import.meta.resolve("tsx")).href;
  const worker = fork(path.join(root, "scripts/mutate/worker.mjs"), [], {
    cwd: root,
    execArgv: ["--import", tsx],
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  await answer(worker, START_MS);
  worker.send({ control: true });
  const { done, by, ms } = (await answer(worker, START_MS)) ?? {};
  if (done !== "survived") throw new Error(`the tests fail without a mutant: ${by ?? "no answer"}; try \`npm test\` first`);
  return { worker, limit: Math.max(TIMEOUT_MS, PATIENCE * ms) };
}

async function judge(worker, mutant, limit) {
  worker.send({ mutant });
  const { compiled } = (await answer(worker, limit)) ?? { compiled: "invalid" };
  if (compiled === "invalid" || compiled === "unchanged") return { status: compiled };
  const code = hash([compiled]);
  if (codes.has(code)) return { status: "duplicate", by: codes.get(code) };
  codes.set(code, mutant.id);
  worker.send({ run: true });
  const outcome = await answer(worker, limit);
  if (outcome) return { status: outcome.done, by: outcome.by };
  return { status: worker.killed ? "timeout" : "crashed" };
}

/** A worker's next message; null if it does not come in time, or the tests end the process. */
function answer(worker, limit) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => end(() => (worker.kill("SIGKILL"), resolve(null))), limit);
    const end = (then) => {
      clearTimeout(timer);
      worker.off("message", onMessage).off("exit", onExit);
      then();
    };
    const onMessage = (message) =>
      end(() => (message.failed ? reject(new Error(`a worker failed: ${message.failed}`)) : resolve(message)));
    const onExit = () => end(() => resolve(null));
    worker.on("message", onMessage).on("exit", onExit);
  });
}

function record(mutant, { by, ...rest }) {
  const result = { ...rest, ...(by && { by: by.slice(0, LONGEST_REASON) }) };
  results.set(mutant.id, result);
  appendFileSync(
    logFile,
    JSON.stringify({ id: mutant.id, source: sourceHashes[mutant.file], tests: testsHash, ...result }) + "\n",
  );
  if (result.status === "survived" || result.status === "gas") console.error(`${result.status}: ${describe(mutant)}`);
  const left = queue.length;
  if (left > 0 && left % 50 === 0) {
    console.error(`${left} left, ${Math.round((Date.now() - started) / 1000)} s, score so far ${score().percent} %`);
  }
}

/** Results of earlier runs on the same source. Only new tests can change the fate of a survivor. */
function earlier() {
  const found = new Map();
  if (!existsSync(logFile)) return found;
  const current = new Map(chosen.map(({ id, file }) => [id, sourceHashes[file]]));
  for (const line of readFileSync(logFile, "utf8").split("\n").filter(Boolean)) {
    const { id, source, tests: with_, ...result } = JSON.parse(line);
    if (source !== current.get(id)) continue;
    const final = result.status !== "survived" && result.status !== "gas";
    if (final || with_ === testsHash) found.set(id, result);
    else found.delete(id);
  }
  return found;
}

function score() {
  const counts = { killed: 0, timeout: 0, crashed: 0, gas: 0, survived: 0, duplicate: 0, unchanged: 0, invalid: 0 };
  for (const { status } of results.values()) counts[status]++;
  const dead = counts.killed + counts.timeout + counts.crashed;
  const tested = dead + counts.gas + counts.survived;
  const percent = (n, of = tested) => Math.round((10_000 * n) / Math.max(1, of)) / 100;
  const equivalent = [...results].filter(([id, { status }]) => isAlive(status) && explained(id)).length;
  return {
    ...counts,
    tested,
    equivalent,
    percent: percent(dead, tested - equivalent),
    percentOfAll: percent(dead),
    percentWithGas: percent(dead + counts.gas),
  };
}

function isAlive(status) {
  return status === "survived" || status === "gas";
}

/** Whether the page gives the reason why nothing can tell this mutant from the contract. */
function explained(id) {
  return page.includes(`\`${id}\``);
}

function summary() {
  const survivors = chosen
    .filter(({ id }) => isAlive(results.get(id)?.status))
    .map((mutant) => ({ ...mutant, ...results.get(mutant.id), explained: explained(mutant.id) }));
  const total = score();
  const files = {};
  for (const { id, file } of chosen) {
    const row = (files[file] ??= { tested: 0, killed: 0, survived: 0 });
    const status = results.get(id)?.status;
    if (["killed", "timeout", "crashed"].includes(status)) row.killed++;
    else if (isAlive(status)) row.survived++;
    row.tested = row.killed + row.survived;
  }
  if (options.json)
    console.log(JSON.stringify({ tests: testsHash, mutants: chosen.length, ...total, files, survivors }, null, 2));
  else {
    console.table(files);
    for (const survivor of survivors.filter((each) => !each.explained)) {
      console.log(`${survivor.status}, not explained in docs/mutation.md: ${describe(survivor)}`);
    }
    console.log(
      `${total.tested} mutants tested, ${total.killed} killed, ${total.timeout} timed out, ${total.crashed} crashed, ${total.survived} survived, ` +
        `${total.gas} noticed by the gas tests only, of both ${total.equivalent} explained as equivalent; not counted: ${total.duplicate} duplicates, ${total.unchanged} ` +
        `without effect on the bytecode, ${total.invalid} that do not compile. Score ${total.percent} %, with the equivalent ones ${total.percentOfAll} %.`,
    );
  }
  if (total.percent < TARGET_PERCENT) {
    console.error(`The score is below ${TARGET_PERCENT} %`);
    process.exitCode = 1;
  }
}

function describe({ id, file, line, within, operator, original, text }) {
  const flat = (code) => code.replace(/\s+/g, " ").trim();
  return `${id} ${file}:${line} ${within} (${operator}): ${flat(original)} -> ${flat(text) || "nothing"}`;
}

/** With --limit a part of the mutants, which one by --seed. */
function sample(mutants) {
  const key = ({ id }) => hash([options.seed, id]);
  const shuffled = mutants.map((mutant) => [key(mutant), mutant]).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return shuffled.slice(0, options.limit ? Number(options.limit) : undefined).map(([, mutant]) => mutant);
}
