import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "pg";
import { placeOf } from "../../../src/database/initialise.js";
import { readPostmaster, whoIs } from "../../../src/database/postmaster.js";
import { bundleDriver, isStopped, killNow, startTalker, type Talker, treeOf } from "../process.js";
import { audit, type Faults, newSeen, noFaults, type Seen } from "./audit.js";
import type { Order, Said } from "./driver.js";
import { LABELS, planOf, type RoundPlan, type SagaWish } from "./plan.js";
import { handOut, type Handed } from "./opportunity.js";
import { openWorld, type World } from "./world.js";

export interface CrossChainOptions {
  seed: number;
  /** The rounds to run, in this order. */
  rounds: readonly number[];
  /** File that is written after every round, so that a stopped run can go on; null: none. */
  results: string | null;
  note: (text: string) => void;
  /** Ends the run after the round that is being played. */
  signal?: AbortSignal;
}

/** How a round ended. `at`: the label of the kill, "time", or null where the driver did not reach its label. */
interface RoundResult {
  round: number;
  drivers: RoundPlan["drivers"];
  at: string | null;
  database: RoundPlan["database"];
  sagas: number;
  /** How many ended in which way. */
  outcomes: Record<string, number>;
  kills: number;
  /** Milliseconds from the kill, or from the freeze, to the first step of each saga in the other driver. */
  takeovers: number[];
  faults: Faults;
  /** Drivers that ended by themselves. */
  crashes: number;
  seconds: number;
}

interface Times {
  sagas: number;
  p50Ms: number | null;
  maxMs: number | null;
}

export interface CrossChainReport {
  seed: number;
  rounds: number;
  sagas: number;
  finished: number;
  lost: number;
  doubleStarts: number;
  doubleLegs: number;
  ledgerMismatch: number;
  nonceReused: number;
  gaps: number;
  unaccounted: number;
  /** Drivers that ended by themselves. */
  crashes: number;
  /** Sagas that the other of two drivers did not go on with within 10 s. */
  late: number;
  kills: { alone: number; boot: number; pair: number; frozen: number; atLabel: number; database: number };
  /** Of a killed driver's sagas by one that runs; of a frozen one's. */
  takeover: { killed: Times; frozen: Times };
  outcomes: Record<string, number>;
  /** Labels at which a driver was killed or frozen, of all. */
  labels: string;
  missed: string[];
  /** What is wrong, with the line that replays its round. */
  faults: string[];
  seconds: number;
}

type Driver = Talker<Order, Said>;

/** Rounds after which the chains are new: their logs are read from the start again and again. */
const ROUNDS_PER_WORLD = 30;
const START_MS = 90_000;
const SETTLE_MS = 300_000;
/** How long a label may be waited for while trades are open; then the driver is killed where it is. */
const LABEL_MS = 30_000;
const TAKEOVER_MS = 10_000;
/** Price of WETH on the source network, and on the target network after a fall, parts per million of the first price. */
const CHEAP = 930_000;
const FIRST_PRICE = 1_000_000;
const FALLEN = 900_000;

/**
 * Kills and freezes drivers while they carry out cross-chain trades. A round: one or two drivers run, get new trades, one is killed or
 * frozen, the trades go on in another, and when all have ended everything until then is accounted for.
 */
export async function runCrossChain(options: CrossChainOptions): Promise<CrossChainReport> {
  const { seed, note } = options;
  const results = options.results === null ? [] : readResults(options.results, seed);
  const todo = options.rounds.filter((round) => !results.some((r) => r.round === round));
  if (results.length > 0) note(`${results.length} rounds are done already`);
  const goesOn = (): boolean => todo.length > 0 && options.signal?.aborted !== true;
  while (goesOn()) {
    const folder = mkdtempSync(path.join(os.tmpdir(), "arb-crosschain-"));
    note(`seed ${seed}: opening two chains ...`);
    const program = await bundleDriver(folder, "crosschain/driver.ts");
    const world = await openWorld(folder);
    const state: State = { world, program, seen: await newSeen(world), wishes: [], drivers: [], pool: null, bootMs: 4_000, note };
    try {
      for (let played = 0; played < ROUNDS_PER_WORLD && goesOn(); played++) {
        const result = await playRound(state, planOf(seed, todo.shift()!));
        results.push(result);
        if (options.results !== null) writeResults(options.results, seed, results);
        const { round, drivers, at, database, sagas, seconds, faults } = result;
        note(`round ${round}: ${drivers}, ${at ?? "label not reached"}, database ${database}, ${sagas} sagas, ${seconds} s`);
        const wrong = Object.entries(faults).flatMap(([kind, list]) => (list as string[]).map((text) => `  ${kind}: ${text}`));
        for (const line of wrong) note(line);
        // what is wrong once is wrong in every later audit: the next round has a new world
        if (wrong.length > 0) break;
      }
    } finally {
      for (const { driver } of state.drivers) {
        driver.child.kill("SIGKILL");
        await driver.ended;
      }
      await state.pool?.end();
      await world.close();
      killNow(serverOf(world));
      rmSync(folder, { recursive: true, force: true });
      rmSync(program, { force: true });
    }
  }
  return reportOf(seed, results);
}

interface Running {
  driver: Driver;
  id: string;
}

interface State {
  world: World;
  /** The driver as one file. */
  program: string;
  seen: Seen;
  wishes: SagaWish[];
  /** Drivers that live and are ready, the oldest first. */
  drivers: Running[];
  pool: Pool | null;
  /** Milliseconds that a start usually takes. */
  bootMs: number;
  note: CrossChainOptions["note"];
}

async function playRound(state: State, plan: RoundPlan): Promise<RoundResult> {
  const started = performance.now();
  const { world } = state;
  const result: RoundResult = {
    round: plan.round,
    drivers: plan.drivers,
    at: null,
    database: plan.database,
    sagas: plan.wishes.length,
    outcomes: {},
    kills: 0,
    takeovers: [],
    faults: noFaults(),
    crashes: 0,
    seconds: 0,
  };
  const wanted = plan.drivers === "pair" || plan.drivers === "frozen" ? 2 : 1;
  while (state.drivers.length < wanted) if ((await start(state, result)) === null) return result;
  while (state.drivers.length > wanted) await stop(state, result);
  const [victim, other] = state.drivers as [Running, Running | undefined];

  // an operator's act: a bridge that failed three times in a row may be used again
  await state.pool!.query(`delete from crosschain.stopped_bridge`);
  await world.setPrice(0, CHEAP);
  await world.setPrice(1, FIRST_PRICE);
  const timers = [...planned(state, plan)];
  const { moment } = plan;
  const freeze = plan.drivers === "frozen";
  if (moment.at === "label") victim.driver.tell({ arm: moment.label, nth: moment.nth, freeze });
  world.expect(plan.wishes);
  state.wishes.push(...plan.wishes);
  const handed = plan.wishes.map((wish) => handOut(world, wish));
  // some of the trades are the other driver's from the start; a trade is handed to both in turn, as queues do
  give(victim, handed);
  if (other !== undefined) give(other, handed.slice(-1));

  const isAt = (): boolean => victim.driver.said.some((s) => "at" in s);
  // a label that none of the trades comes to is not waited for behind their end
  const given = victim.driver.said.length;
  const isOver = (): boolean => victim.driver.said.slice(given).filter((s) => "ended" in s).length >= handed.length;
  if (moment.at === "time") {
    await victim.driver.until(() => false, moment.ms);
    result.at = "time";
  } else if ((await victim.driver.until(() => isAt() || isOver(), LABEL_MS)) && isAt()) result.at = moment.label;
  for (const each of victim.driver.said.splice(0)) noteLoss(each, result);

  const open = freeze ? await takeFrozen(state, plan, victim, other!, result) : await killVictim(state, plan, victim, result);
  if (plan.drivers === "boot") await killInBoot(state, plan, result);
  if (state.drivers.length === 0 && (await start(state, result)) === null) return result;
  // whoever runs gets all of it again, and starts nothing twice
  for (const each of state.drivers) give(each, handed);
  await settle(state, plan, result);
  if (plan.drivers === "pair") result.takeovers.push(...(await takeoverTimes(state, open.ids, open.at)));
  for (const timer of timers) clearTimeout(timer);
  await account(state, result);
  result.seconds = Math.round(performance.now() - started) / 1000;
  return result;
}

const give = ({ driver }: Running, handed: Handed[]): void => driver.tell({ do: JSON.stringify(handed) });

/** What the round does to the world, at its times. */
function* planned({ world }: State, plan: RoundPlan): Generator<NodeJS.Timeout> {
  const { crashMs, pause } = plan;
  if (crashMs !== null) yield setTimeout(() => void world.setPrice(1, FALLEN), crashMs);
  if (pause === null) return;
  world.pauseDeposits(pause.chain, true);
  yield setTimeout(() => world.pauseDeposits(pause.chain, false), pause.ms);
}

/** Starts a driver and waits until it is ready; null where it does not start. */
async function start(state: State, result: RoundResult): Promise<Running | null> {
  const began = performance.now();
  const driver = spawnDriver(state);
  await driver.until(() => readyOf(driver) !== null, START_MS);
  const ready = readyOf(driver);
  if (ready === null) {
    driver.child.kill("SIGKILL");
    result.faults.lost.push("a driver does not start again");
    return null;
  }
  state.bootMs = performance.now() - began;
  await state.pool?.end();
  state.pool = new Pool({ connectionString: ready.url, max: 3 });
  state.pool.on("error", () => undefined); // its queries raise it
  const running = { driver, id: ready.id };
  state.drivers.push(running);
  return running;
}

const spawnDriver = ({ program, world }: State): Driver => startTalker<Order, Said>(program, [world.file], () => undefined);

function readyOf(driver: Driver): { url: string; id: string } | null {
  for (const each of driver.said) if ("ready" in each) return { url: each.ready, id: each.id };
  return null;
}

/** Lets the oldest driver end. */
async function stop(state: State, result: RoundResult): Promise<void> {
  const { driver } = state.drivers.shift()!;
  driver.tell({ stop: true });
  await Promise.race([driver.ended, sleep(START_MS, undefined, { ref: false })]);
  if (!driver.over) {
    result.faults.lost.push("a driver does not stop");
    driver.child.kill("SIGKILL");
  }
}

interface OpenSagas {
  ids: string[];
  /** When they lost their driver, milliseconds of the system's clock. */
  at: number;
}

/** The sagas that a driver was doing; of a process that does nothing any more. */
async function sagasOf(state: State, id: string): Promise<string[]> {
  const { rows } = await state.pool!.query<{ id: string }>(
    `select workflow_uuid as id from dbos.workflow_status where executor_id = $1 and status = 'PENDING'`,
    [id],
  );
  return rows.map((r) => r.id);
}

async function killVictim(state: State, plan: RoundPlan, victim: Running, result: RoundResult): Promise<OpenSagas> {
  const server = plan.database === "lives" ? [] : serverOf(state.world);
  const mine = [victim.driver.child.pid!];
  if (plan.database === "after") killNow([...mine, ...server]);
  else killNow([...server, ...mine]);
  const at = Date.now();
  await ended(victim, state, result);
  return { ids: plan.drivers === "pair" ? await sagasOf(state, victim.id) : [], at };
}

async function ended(victim: Running, state: State, result: RoundResult): Promise<void> {
  const { signal } = await victim.driver.ended;
  if (signal !== "SIGKILL") result.crashes++;
  result.kills++;
  state.drivers = state.drivers.filter((d) => d !== victim);
}

/** A new driver is killed while it starts. */
async function killInBoot(state: State, plan: RoundPlan, result: RoundResult): Promise<void> {
  const driver = spawnDriver(state);
  await driver.until(() => false, plan.bootShare * state.bootMs);
  driver.child.kill("SIGKILL");
  const { signal } = await driver.ended;
  if (signal !== "SIGKILL") result.crashes++;
  result.kills++;
}

/** Stops a driver, waits until the other one goes on with its sagas, and wakes it. */
async function takeFrozen(
  state: State,
  plan: RoundPlan,
  victim: Running,
  other: Running,
  result: RoundResult,
): Promise<OpenSagas> {
  // at a label it stops itself: one that were stopped just before would do so after it is woken, and sleep for ever
  if (result.at === "time" || result.at === null) victim.driver.child.kill("SIGSTOP");
  const { pid } = victim.driver.child;
  while (!victim.driver.over && !isStopped(pid!)) await sleep(5);
  const at = Date.now();
  const ids = await sagasOf(state, victim.id);
  const end = Date.now() + SETTLE_MS;
  // whoever finds them gone in the meantime has them from us too
  while (ids.length > 0 && Date.now() < end && !other.driver.over) {
    if ((await takeoverTimes(state, ids, at)).length > 0) break;
    await sleep(100);
  }
  await sleep(plan.wakeMs);
  // all that it lost are measured while it sleeps, so that none of the steps can be its own
  const times = (): Promise<number[]> => takeoverTimes(state, ids, at);
  while (Date.now() < at + TAKEOVER_MS && (await times()).length < ids.length) await sleep(100);
  result.takeovers.push(...(await times()));
  victim.driver.child.kill("SIGCONT");
  return { ids, at };
}

/** For each saga that went on: milliseconds from then to its first step since, by what the engine wrote down. */
async function takeoverTimes(state: State, ids: string[], at: number): Promise<number[]> {
  const { rows } = await state.pool!.query<{ first: string }>(
    `select min(started_at_epoch_ms)::text as first from dbos.operation_outputs
     where workflow_uuid = any($1) and started_at_epoch_ms > $2 group by workflow_uuid`,
    [ids, at],
  );
  return rows.map((r) => Number(r.first) - at);
}

/** Waits until every trade has ended and every transaction is final. */
async function settle(state: State, plan: RoundPlan, result: RoundResult): Promise<void> {
  const ids = plan.wishes.map((w) => w.id);
  const end = Date.now() + SETTLE_MS;
  while (Date.now() < end) {
    const { rows } = await state.pool!.query<{ open: number; slots: number }>(
      `select (select count(*)::int from crosschain.saga s join dbos.workflow_status w on w.workflow_uuid = 'saga/' || s.id
               where s.id = any($1) and s.outcome is not null and w.status not in ('PENDING', 'ENQUEUED', 'DELAYED')) as open,
         (select count(*)::int from journal.slot where state <> 'final') as slots`,
      [ids],
    );
    if (rows[0]?.open === ids.length && rows[0].slots === 0) break;
    // one that was frozen before its label stops itself there once it is awake
    for (const { driver } of state.drivers) if (!driver.over && isStopped(driver.child.pid!)) driver.child.kill("SIGCONT");
    if (state.drivers.every(({ driver }) => driver.over)) break;
    await sleep(80);
  }
  // what the drivers tried again says why it takes so long
  if (Date.now() >= end)
    for (const { driver } of state.drivers)
      for (const each of driver.said.slice(-6)) if ("fault" in each) state.note(`  a driver said: ${each.fault}`);
  for (const running of state.drivers.filter(({ driver }) => driver.over)) {
    result.crashes++;
    state.drivers = state.drivers.filter((d) => d !== running);
  }
}

async function account(state: State, result: RoundResult): Promise<void> {
  const goOn = await state.world.still();
  try {
    const found = await audit(state.world, state.pool!, state.wishes, state.seen);
    for (const kind of Object.keys(found) as (keyof Faults)[]) result.faults[kind].push(...found[kind]);
  } finally {
    goOn();
  }
  const ids = state.wishes.slice(-result.sagas).map((w) => w.id);
  const { rows } = await state.pool!.query<{ outcome: string; n: number }>(
    `select outcome, count(*)::int as n from crosschain.saga where id = any($1) and outcome is not null group by outcome`,
    [ids],
  );
  result.outcomes = Object.fromEntries(rows.map((r) => [r.outcome, r.n]));
  for (const { driver } of state.drivers) for (const each of driver.said.splice(0)) noteLoss(each, result);
}

function noteLoss(said: Said, result: RoundResult): void {
  if ("lost" in said) result.faults.lost.push(`${said.lost}: its workflow failed: ${said.why}`);
}

/** The processes of the database's server; none where it is down. */
function serverOf(world: World): number[] {
  const { data } = placeOf(world.database);
  const found = existsSync(data) ? readPostmaster(data) : null;
  return found !== null && whoIs(found.pid, data) === "ours" ? treeOf(found.pid) : [];
}

function readResults(file: string, seed: number): RoundResult[] {
  if (!existsSync(file)) return [];
  const read = JSON.parse(readFileSync(file, "utf8")) as { seed: number; results: RoundResult[] };
  return read.seed === seed ? read.results : [];
}

function writeResults(file: string, seed: number, results: RoundResult[]): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify({ seed, results }));
  renameSync(`${file}.new`, file);
}

function timesOf(times: number[]): Times {
  const sorted = times.toSorted((a, b) => a - b);
  return { sagas: sorted.length, p50Ms: sorted[Math.floor(sorted.length / 2)] ?? null, maxMs: sorted.at(-1) ?? null };
}

function reportOf(seed: number, results: readonly RoundResult[]): CrossChainReport {
  const all = noFaults();
  for (const { faults } of results) for (const kind of Object.keys(all) as (keyof Faults)[]) all[kind].push(...faults[kind]);
  const outcomes: Record<string, number> = {};
  for (const r of results)
    for (const [outcome, n] of Object.entries(r.outcomes)) outcomes[outcome] = (outcomes[outcome] ?? 0) + n;
  const sum = (what: (r: RoundResult) => number): number => results.reduce((total, r) => total + what(r), 0);
  const met = new Set(results.map((r) => r.at));
  const missed = LABELS.filter((label) => !met.has(label));
  const takeovers = (drivers: RoundPlan["drivers"]): number[] =>
    results.flatMap((r) => (r.drivers === drivers ? r.takeovers : []));
  const count = (drivers: RoundPlan["drivers"]): number => results.filter((r) => r.drivers === drivers).length;
  return {
    seed,
    rounds: results.length,
    sagas: sum((r) => r.sagas),
    finished: Object.values(outcomes).reduce((a, b) => a + b, 0),
    lost: all.lost.length,
    doubleStarts: all.doubleStarts.length,
    doubleLegs: all.doubleLegs.length,
    ledgerMismatch: all.ledgerMismatch.length,
    nonceReused: all.nonceReused.length,
    gaps: all.gaps.length,
    unaccounted: all.unaccounted.length,
    crashes: sum((r) => r.crashes),
    late: [...takeovers("pair"), ...takeovers("frozen")].filter((ms) => ms > TAKEOVER_MS).length,
    kills: {
      alone: count("alone"),
      boot: count("boot"),
      pair: count("pair"),
      frozen: count("frozen"),
      atLabel: results.filter((r) => r.at !== null && r.at !== "time").length,
      database: results.filter((r) => r.database !== "lives").length,
    },
    takeover: { killed: timesOf(takeovers("pair")), frozen: timesOf(takeovers("frozen")) },
    outcomes,
    labels: `${LABELS.length - missed.length} of ${LABELS.length}`,
    missed,
    faults: results.flatMap((r) =>
      Object.entries(r.faults).flatMap(([kind, list]) =>
        (list as string[]).map((text) => `${kind}: ${text} (npm run faults -- crosschain --seed ${seed} --round ${r.round})`),
      ),
    ),
    seconds: Math.round(sum((r) => r.seconds)),
  };
}
