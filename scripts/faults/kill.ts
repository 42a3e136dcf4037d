import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { placeOf } from "../../src/database/initialise.js";
import { readPostmaster, whoIs } from "../../src/database/postmaster.js";
import { type JournalStep, STEPS } from "../../src/journal/types.js";
import { audit, type Faults, isQuiet, newSeen, noFaults, type Seen } from "./audit.js";
import { planOf, type RoundPlan, type Wish } from "./plan.js";
import { bundleDriver, type Driver, killNow, startDriver, treeOf } from "./process.js";
import { openWorld, type World } from "./world.js";

export interface KillOptions {
  seed: number;
  /** The rounds to run, in this order. */
  rounds: readonly number[];
  /** File that is written after every round, so that a stopped run can go on; null: none. */
  results: string | null;
  note: (text: string) => void;
  /** Ends the run after the round that is being played; all until then is accounted for. */
  signal?: AbortSignal;
}

/** How a round ended. `killedAt`: a label, "boot", "time", or null where the driver did not reach its label. */
interface RoundResult {
  round: number;
  intents: number;
  killedAt: string | null;
  database: RoundPlan["database"];
  replacedBlocks: number;
  faults: Faults;
  /** Drivers that ended by themselves. */
  crashes: number;
  seconds: number;
}

export interface KillReport {
  seed: number;
  rounds: number;
  intents: number;
  lost: number;
  nonceReused: number;
  doubleSpends: number;
  gaps: number;
  unaccounted: number;
  /** Drivers that ended by themselves. */
  crashes: number;
  kills: { boot: number; step: number; time: number; database: number };
  replacedBlocks: number;
  /** How often the driver was killed at each label. */
  steps: Record<JournalStep, number>;
  /** Labels at which it was never killed. */
  missed: JournalStep[];
  /** What is wrong, with the line that replays its round. */
  faults: string[];
  seconds: number;
}

const SETTLE_MS = 90_000;
/** How long a label may be waited for; then the driver is killed where it is. */
const STEP_MS = 20_000;
const START_MS = 60_000;
/** How long an account may have nothing to do before it gets one more intent. */
const FILL_MS = 1_000;
/** After how many of these an account of which nothing ended gets one more, where its transactions go by relays. */
const IDLE_LOOKS = 3;

/**
 * Kills the driver again and again while it trades. A round: the driver starts, settles what the last kill left, everything until then is
 * accounted for, it gets new intents, and is killed. After the last one it starts once more, and all is accounted for.
 */
export async function runKills(options: KillOptions): Promise<KillReport> {
  const { seed, note } = options;
  const results = options.results === null ? [] : readResults(options.results, seed);
  const todo = options.rounds.filter((round) => !results.some((r) => r.round === round));
  if (results.length > 0) note(`${results.length} rounds are done already`);
  if (todo.length > 0) {
    const folder = mkdtempSync(path.join(os.tmpdir(), "arb-faults-"));
    note(`seed ${seed}: opening two chains ...`);
    const world = await openWorld(folder);
    const program = await bundleDriver(folder);
    try {
      await killInWorld(world, program, options, todo, results);
    } finally {
      rmSync(program, { force: true });
      await world.close();
      killNow(serverOf(world));
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return reportOf(seed, results);
}

interface State {
  /** The driver's file. */
  program: string;
  wishes: Wish[];
  refused: Set<string>;
  seen: Seen[];
  /** Milliseconds that a start usually takes. */
  bootMs: number;
  results: RoundResult[];
  note: KillOptions["note"];
  /** Rounds that were killed and not yet accounted for. */
  open: RoundResult[];
}

async function killInWorld(
  world: World,
  program: string,
  options: KillOptions,
  todo: readonly number[],
  results: RoundResult[],
): Promise<void> {
  const seen = await Promise.all(world.sites.map(newSeen));
  const { note } = options;
  const state: State = { program, wishes: [], refused: new Set(), seen, bootMs: 2_000, results, note, open: [] };
  for (const round of todo) {
    if (options.signal?.aborted === true) break;
    await playRound(world, state, planOf(options.seed, round));
    if (options.results !== null) writeResults(options.results, options.seed, results);
    const { killedAt, database, seconds } = state.open.at(-1) ?? results.at(-1)!;
    options.note(`round ${round}: ${killedAt ?? "label not reached"}, database ${database}, ${seconds} s`);
  }
  // what the last kill left
  const driver = startDriver(state.program, world.file, null);
  await settle(world, state, driver);
  driver.tell({ stop: true });
  await Promise.race([driver.ended, sleep(START_MS)]);
  if (!driver.over) driver.child.kill("SIGKILL");
  await driver.ended;
  if (options.results !== null) writeResults(options.results, options.seed, results);
}

async function playRound(world: World, state: State, plan: RoundPlan): Promise<void> {
  const started = performance.now();
  const { moment } = plan;
  const before = world.sites.map((s) => s.replaced);
  const result: RoundResult = {
    round: plan.round,
    intents: 0,
    killedAt: null,
    database: plan.database,
    replacedBlocks: 0,
    faults: noFaults(),
    crashes: 0,
    seconds: 0,
  };
  const early = moment.at === "step" && moment.early;
  const driver = startDriver(state.program, world.file, early ? { step: moment.step, nth: moment.nth } : null);
  try {
    if (moment.at === "boot") {
      result.killedAt = "boot";
      await driver.until(() => false, moment.share * state.bootMs);
    } else if (early) {
      if (await driver.until(() => driver.at !== null || isReady(driver) !== null, START_MS)) result.killedAt = reached(driver);
      // with nothing to settle, a start has fewer labels: the driver then meets it while it trades
      if (driver.at === null && (await trade(world, state, plan, driver, result)))
        if (await driver.until(() => driver.at !== null, STEP_MS)) result.killedAt = reached(driver);
    } else if (await trade(world, state, plan, driver, result)) await awaitMoment(world, plan, driver, result);
    await killAll(world, plan, driver);
  } finally {
    driver.child.kill("SIGKILL");
  }
  const { signal } = await driver.ended;
  if (signal !== "SIGKILL" && !(moment.at === "step" && moment.step === "lease-released")) result.crashes++;
  for (const [id, how] of driver.done) if (how === "refused") state.refused.add(id);
  result.replacedBlocks = world.sites.reduce((sum, site, i) => sum + site.replaced - before[i]!, 0);
  result.seconds = Math.round(performance.now() - started) / 1000;
  state.open.push(result);
}

const reached = (driver: Driver): string | null => driver.at?.step ?? null;

/** Settles and accounts for what was before, then hands out the round's intents. False: the driver ended. */
async function trade(world: World, state: State, plan: RoundPlan, driver: Driver, result: RoundResult): Promise<boolean> {
  if (plan.moment.at !== "step" || !plan.moment.early) {
    if (!(await settle(world, state, driver))) return false;
  }
  const { moment } = plan;
  if (moment.at === "step" && !moment.early) driver.tell({ arm: moment.step, nth: moment.nth });
  for (const [i, site] of world.sites.entries()) {
    if (plan.wishes.some((w) => w.kind === "trade" && w.chain === i)) await site.openGap();
    site.reorg(plan.reorgs[i]!, plan.branch);
    site.relayFault(plan.relays[i]!);
  }
  state.wishes.push(...plan.wishes);
  result.intents = plan.wishes.length;
  driver.tell({ do: plan.wishes });
  return true;
}

async function awaitMoment(world: World, plan: RoundPlan, driver: Driver, result: RoundResult): Promise<void> {
  const { moment } = plan;
  if (moment.at === "time") {
    result.killedAt = "time";
    await driver.until(() => false, moment.ms);
    if (plan.database === "alone") {
      killNow(serverOf(world));
      await driver.until(() => false, moment.ms);
    }
    return;
  }
  if (moment.at !== "step") return;
  if (moment.step === "lease-released") {
    await driver.until(() => driver.done.size >= 4, STEP_MS);
    driver.tell({ stop: true });
  }
  const end = Date.now() + STEP_MS;
  while (driver.at === null && !driver.over && Date.now() < end) {
    await driver.until(() => driver.at !== null, 500);
    // receipts are only taken back where blocks are replaced after they were seen
    if (moment.step === "taken-back") for (const site of world.sites) site.reorg(3, "gone");
  }
  result.killedAt = reached(driver);
}

async function killAll(world: World, plan: RoundPlan, driver: Driver): Promise<void> {
  const server = serverOf(world);
  const mine = driver.child.pid === undefined ? [] : [driver.child.pid];
  if (plan.database === "before") killNow([...server, ...mine]);
  else if (plan.database === "after") killNow([...mine, ...server]);
  else killNow(mine);
  await driver.ended;
}

/** The database's URL, once the driver has settled what was open. */
function isReady(driver: Driver): string | null {
  for (const each of driver.said) if ("ready" in each) return each.ready;
  return null;
}

/** Gives the driver everything again that has no end yet, waits until all is final, and accounts for it. False: the driver ended. */
async function settle(world: World, state: State, driver: Driver): Promise<boolean> {
  const started = performance.now();
  for (const site of world.sites) site.relayFault("none");
  if (!(await driver.until(() => isReady(driver) !== null, START_MS))) {
    for (const { faults, round } of state.open) faults.lost.push(`round ${round}: the driver does not start again`);
    return false;
  }
  state.bootMs = performance.now() - started;
  const url = isReady(driver)!;
  if (state.open.length > 0) {
    const rounds = state.open.map((r) => r.round);
    const again = state.wishes.filter(({ id }) => rounds.some((r) => id.split("-")[1] === String(r)) && !state.refused.has(id));
    driver.tell({ do: again });
    const end = Date.now() + SETTLE_MS;
    const fillers = fillersFor(again, driver);
    for (let step = 0; !driver.over && Date.now() < end; step++) {
      if (await driver.until(() => again.every(({ id }) => driver.done.has(id)), FILL_MS)) break;
      const next = fillers(step);
      state.wishes.push(...next);
      again.push(...next);
      state.open.at(-1)!.intents += next.length;
      driver.tell({ do: next });
    }
    for (;;) {
      if (driver.over || Date.now() > end) break;
      if (world.sites.every((s) => !s.restless()) && (await isQuiet(url).catch(() => false))) break;
      await sleep(60);
    }
  }
  for (const [id, how] of driver.done) if (how === "refused") state.refused.add(id);
  const resume = await Promise.all(world.sites.map(async (s) => await s.pause()));
  try {
    const faults = await audit(world, url, state.wishes, state.refused, state.seen);
    const last = state.open.at(-1) ?? state.results.at(-1);
    if (last !== undefined) addTo(last.faults, faults);
    for (const [kind, list] of Object.entries(faults)) for (const fault of list as string[]) state.note(`  ${kind}: ${fault}`);
  } finally {
    for (const each of resume) each();
  }
  state.results.push(...state.open);
  state.open = [];
  return true;
}

/**
 * A nonce whose private bytes were lost, or have expired, goes to the account's next intent: here it is. On the first chain, where relays
 * alone have anything, an account gets one when nothing of it has ended for a while.
 */
function fillersFor(wishes: readonly Wish[], driver: Driver): (step: number) => Wish[] {
  const ended = new Map<number, number>();
  let idle = [0, 0];
  return (step) => {
    const open = wishes.filter(({ id }) => !driver.done.has(id));
    const lost = open.filter(({ chain, kind }) => chain === 1 && kind === "private");
    const expired = ([0, 1] as const).flatMap((account) => {
      const waiting = open.filter((w) => w.chain === 0 && w.account === account);
      const many = wishes.filter((w) => w.chain === 0 && w.account === account).length - waiting.length;
      const moved = ended.get(account) !== many;
      ended.set(account, many);
      idle = idle.with(account, moved ? 0 : idle[account]! + 1);
      if (waiting[0] === undefined || idle[account]! < IDLE_LOOKS) return [];
      idle = idle.with(account, 0);
      return [waiting[0]];
    });
    return [...lost, ...expired].map(({ chain, account, id }): Wish => {
      return {
        id: `${id.split("-").slice(0, 3).join("-")}-${chain}${account}${step}`,
        chain,
        account,
        kind: chain === 0 ? "rival" : "call",
      };
    });
  };
}

function addTo(faults: Faults, more: Faults): void {
  for (const kind of Object.keys(faults) as (keyof Faults)[]) faults[kind].push(...more[kind]);
}

/** The processes of the database's server; none where it is down. */
function serverOf(world: World): number[] {
  const { data } = placeOf(world.database);
  const found = existsSync(data) ? readPostmaster(data) : null;
  return found !== null && whoIs(found.pid, data) === "ours" ? treeOf(found.pid) : [];
}

interface ResultsFile {
  seed: number;
  results: RoundResult[];
}

function readResults(file: string, seed: number): RoundResult[] {
  if (!existsSync(file)) return [];
  const read = JSON.parse(readFileSync(file, "utf8")) as ResultsFile;
  return read.seed === seed ? read.results : [];
}

function writeResults(file: string, seed: number, results: RoundResult[]): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify({ seed, results } satisfies ResultsFile));
  renameSync(`${file}.new`, file);
}

function reportOf(seed: number, results: readonly RoundResult[]): KillReport {
  const all = noFaults();
  for (const { faults } of results) addTo(all, faults);
  const steps = Object.fromEntries(STEPS.map((s) => [s, results.filter((r) => r.killedAt === s).length])) as Record<
    JournalStep,
    number
  >;
  const count = (what: (r: RoundResult) => boolean): number => results.filter(what).length;
  const words = results.flatMap((r) =>
    Object.entries(r.faults).flatMap(([kind, list]) =>
      (list as string[]).map((text) => `${kind}: ${text} (npm run faults -- kill --seed ${seed} --round ${r.round})`),
    ),
  );
  return {
    seed,
    rounds: results.length,
    intents: results.reduce((sum, r) => sum + r.intents, 0),
    lost: all.lost.length,
    nonceReused: all.nonceReused.length,
    doubleSpends: all.doubleSpends.length,
    gaps: all.gaps.length,
    unaccounted: all.unaccounted.length,
    crashes: results.reduce((sum, r) => sum + r.crashes, 0),
    kills: {
      boot: count((r) => r.killedAt === "boot"),
      step: count((r) => r.killedAt !== null && r.killedAt !== "boot" && r.killedAt !== "time"),
      time: count((r) => r.killedAt === "time" || r.killedAt === null),
      database: count((r) => r.database !== "lives"),
    },
    replacedBlocks: results.reduce((sum, r) => sum + r.replacedBlocks, 0),
    steps,
    missed: STEPS.filter((s) => steps[s] === 0),
    faults: words,
    seconds: Math.round(results.reduce((sum, r) => sum + r.seconds, 0)),
  };
}
