import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { hexlify, randomBytes, toQuantity, Wallet } from "ethers";
import { Pool } from "pg";
import { toStored } from "../../src/inventory/stored.js";
import type { CrossChainOpportunity } from "../../src/opportunity/cross-chain.js";
import { type Counterparts, openCounterparts } from "../../src/sim/bridges/counterparts.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import { findPool, movePrice, shareOf } from "../../src/sim/trader.js";
import { type LocalWorld, startLocalWorld } from "../../src/sim/world.js";
import { bundleDriver, startTalker, type Talker, treeOf } from "../faults/process.js";
import type { DriverWorld, Order, Said } from "./sagas-driver.js";
import { debianServer, embeddedServer, memoryOf, newDatabase, peakOf, type Server, syncsPerSecond } from "./sagas-postgres.js";

const CHAINS = [1, 42161] as const;
const ACCOUNTS = 20;
const USDC = 10n ** 6n;
const ETHER = 10n ** 18n;
const AMOUNT = 20n * USDC;
/** How long all of them wait for their bridge, before it delivers. */
const HOLD_MS = 20_000;
const DEADLINE_MS = 3_600_000;
/** Of the pool on the first network that is sold before: so that the last of a thousand trades pays, too. */
const GAP_PPM = 250_000;
/** Blocks without a transaction until gas costs next to nothing, so that small trades pay. */
const EMPTY_BLOCKS = 256;

interface SagaRow {
  database: string;
  sagas: number;
  /** Those that ended as "profit". */
  profit: number;
  /** Sagas per second, from the first to the last one's end, without the time in which all wait. */
  sagasPerSecond: number;
  stepsPerSaga: number;
  stepsPerSecond: number;
  stepP50Ms: number;
  stepP99Ms: number;
  /** While all are in flight: looks and notes per second, and the driver's share of one processor. */
  waitingStepsPerSecond: number;
  waitingCpu: number;
  /** Processor's seconds of the driver for a saga, without what it takes while all wait. */
  cpuSecondsPerSaga: number;
  driverRssMb: number;
  driverPeakMb: number;
  postgresMb: number;
  /** Of the driver, while all are in flight. */
  connections: number;
  /** When all have ended: tables and indexes, and what each saga has of it. */
  databaseMb: number;
  kbPerSaga: number;
  /** Load average of a minute at the start and at the end: what else ran on the machine. */
  load: string;
  /** Bare DBOS workflows with as many steps that do nothing, on the same server. */
  bareStepsPerSecond: number;
  bareRssMb: number;
  syncsPerSecond: number;
}

export interface SagaReport {
  name: "sagas";
  chains: string;
  rows: (SagaRow | { database: string; skipped: string })[];
  /** Of the run on the first database: steps by name. */
  steps: object[];
  faults: Record<string, number>;
}

/** Runs many sagas at once on each kind of database: the real workflow, engine, journal and bridges' own contracts, on local chains. */
export async function measureSagas(
  count: number,
  databases: readonly ("embedded" | "debian")[],
  progress: (what: string) => void,
): Promise<SagaReport> {
  const report: SagaReport = {
    name: "sagas",
    chains: "two local chains (EDR) and a relayer in this process, the driver and PostgreSQL in their own",
    rows: [],
    steps: [],
    faults: {},
  };
  for (const kind of databases) {
    const folder = mkdtempSync(path.join(os.tmpdir(), "arb-sagas-"));
    let server: Server | null = null;
    try {
      server = kind === "embedded" ? await embeddedServer(path.join(folder, "db")) : await debianServer(path.join(folder, "db"));
      if (server === null) {
        report.rows.push({ database: kind, skipped: "not installed (apt-get install postgresql)" });
        continue;
      }
      progress(`${count} sagas, PostgreSQL ${server.name}`);
      const { row, steps, faults } = await measureOn(server, folder, count, progress);
      report.rows.push(row);
      // of the first
      if (report.steps.length === 0) Object.assign(report, { steps, faults });
    } finally {
      await server?.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return report;
}

type Driver = Talker<Order, Said>;

async function measureOn(server: Server, folder: string, count: number, progress: (what: string) => void) {
  const world = await startLocalWorld([...CHAINS]);
  let bridges: Counterparts | undefined;
  let driver: Driver | undefined;
  let program: string | undefined;
  let relaying: Promise<void> | undefined;
  const stop = new AbortController();
  try {
    bridges = await openCounterparts(world);
    const keys = Array.from({ length: ACCOUNTS }, () => hexlify(randomBytes(32)));
    const wishes = await prepare(world, keys, count);
    const file = path.join(folder, "world.json");
    const chains = world.chains.map(({ network, url }) => ({ chainId: network.chainId, url }));
    // the same server and a database of its own, by URL: what is measured is the server
    const url = await newDatabase(server, "sagas");
    const told: DriverWorld = { database: { url }, keys, chains };
    writeFileSync(file, JSON.stringify(told), { mode: 0o600 });
    program = await bundleDriver(folder, "../bench/sagas-driver.ts");
    const outcomes = new Map<string, string>();
    driver = startTalker<Order, Said>(program, [file], (what) => {
      if ("ended" in what) outcomes.set(what.ended, what.outcome);
      if ("ended" in what && what.outcome !== "profit") progress(`${what.ended} ended as ${what.outcome}: ${what.reason}`);
      if ("lost" in what) outcomes.set(what.lost, what.why);
    });
    await need(driver, () => driver!.said.some((s) => "ready" in s), "the driver is not ready");
    const inFlight = new Pool({ connectionString: url, max: 1 });
    try {
      const loadBefore = loadOf();
      const emptyBytes = await numberOf(inFlight, `select pg_database_size('sagas') as n`);
      const started = performance.now();
      driver.tell({ sagas: toStored(wishes) });
      for (;;) {
        const { rows } = await inFlight.query<{ n: number }>(
          `select count(*)::int as n from crosschain.transfer where started_at is not null and ended is null`,
        );
        if (rows[0]!.n + outcomes.size >= count) break;
        if (driver.over || performance.now() - started > DEADLINE_MS) throw new Error(`${rows[0]!.n} of ${count} are in flight`);
        progress(`${rows[0]!.n} in flight`);
        await sleep(2_000);
      }
      const sendSeconds = (performance.now() - started) / 1_000;
      const first = await tell(driver);
      await sleep(HOLD_MS);
      const waiting = await tell(driver);
      const driverRssMb = memoryOf([driver.child.pid!]);
      const postgresMb = memoryOf(treeOf(server.pid));
      const connections = await numberOf(inFlight, `select count(*) as n from pg_stat_activity where datname = 'sagas'`);
      progress(
        `all are in flight after ${sendSeconds.toFixed(0)} s: ${driverRssMb} MB and ${round(first.cpuSeconds / count)} processor seconds each of the driver, ` +
          `${postgresMb} MB of PostgreSQL, ${connections - 1} connections, ` +
          `${round((waiting.total.n * 1_000) / HOLD_MS)} steps and ${round((waiting.cpuSeconds * 1_000) / HOLD_MS)} processors while they wait; the bridge delivers`,
      );
      const telling = setInterval(() => progress(`${outcomes.size} have ended`), 10_000);
      const released = performance.now();
      relaying = relay(bridges, stop.signal, progress);
      try {
        await need(driver, () => outcomes.size >= count, "the sagas have no end");
      } finally {
        clearInterval(telling);
      }
      const endSeconds = (performance.now() - released) / 1_000;
      const last = await tell(driver);
      const driverPeakMb = peakOf(driver.child.pid!);
      const bytes = await numberOf(inFlight, `select pg_database_size('sagas') as n`);
      const load = `${loadBefore} to ${loadOf()}`;
      const stepsDone = first.total.n + last.total.n;
      const seconds = sendSeconds + endSeconds;
      const stepsPerSaga = Math.round((stepsDone + waiting.total.n) / count);
      progress("bare workflows");
      const bare = await runPeer(await newDatabase(server, "bare"), count, stepsPerSaga);
      const row: SagaRow = {
        database: server.name,
        sagas: count,
        profit: [...outcomes.values()].filter((o) => o === "profit").length,
        sagasPerSecond: round(count / seconds),
        stepsPerSaga,
        stepsPerSecond: round(stepsDone / seconds),
        stepP50Ms: last.total.p50Ms,
        stepP99Ms: last.total.p99Ms,
        waitingStepsPerSecond: round((waiting.total.n * 1_000) / HOLD_MS),
        waitingCpu: round((waiting.cpuSeconds * 1_000) / HOLD_MS),
        cpuSecondsPerSaga: round((first.cpuSeconds + last.cpuSeconds) / count),
        driverRssMb,
        driverPeakMb,
        postgresMb,
        // one of them is ours, which counts
        connections: connections - 1,
        databaseMb: round(bytes / 2 ** 20),
        kbPerSaga: round((bytes - emptyBytes) / count / 1_024),
        load,
        bareStepsPerSecond: round((count * stepsPerSaga) / bare.seconds),
        bareRssMb: bare.rssMb,
        syncsPerSecond: syncsPerSecond(folder),
      };
      return { row, steps: last.steps, faults: { ...first.faults, ...waiting.faults, ...last.faults } };
    } finally {
      await inFlight.end();
    }
  } finally {
    stop.abort();
    await relaying;
    driver?.tell({ stop: true });
    await Promise.race([driver?.ended, sleep(10_000, undefined, { ref: false })]);
    driver?.child.kill("SIGKILL");
    if (program !== undefined) rmSync(program, { force: true });
    await bridges?.close();
    await world.close();
  }
}

/** Fills what was sent, again and again; a chain that is too busy to answer is asked again. */
async function relay({ across }: Counterparts, stop: AbortSignal, progress: (what: string) => void): Promise<void> {
  while (!stop.aborted) {
    await across.step().catch((error: unknown) => progress(`the relayer goes on after: ${String(error)}`));
    await sleep(20);
  }
}

/** A gap between the two networks, accounts with capital, and as many trades as are asked for, each account's in turn. */
async function prepare(world: LocalWorld, keys: string[], count: number) {
  const [source, target] = CHAINS.map((chainId) => world.chain(chainId)) as [LocalWorld["chains"][0], LocalWorld["chains"][0]];
  const pool = findPool(source, "uniswap-v2", "WETH", "USDC", 3000)!;
  const weth = tokenOf(source.network, "WETH").address;
  await movePrice(source, pool, weth, await shareOf(source, pool, weth, GAP_PPM));
  const accounts = keys.map((key) => new Wallet(key).address);
  const capital = (BigInt(Math.ceil(count / keys.length)) + 1n) * AMOUNT;
  for (const account of accounts) {
    await source.fund(account, { eth: 10n * ETHER, tokens: { USDC: capital } });
    await target.fund(account, { eth: 10n * ETHER });
  }
  for (const chain of world.chains) await chain.rpc("hardhat_mine", [toQuantity(EMPTY_BLOCKS)]);
  const leg = (chain: typeof source, tokenIn: string, tokenOut: string) => ({
    chainId: chain.network.chainId,
    venue: "uniswap-v2" as const,
    pool: findPool(chain, "uniswap-v2", "WETH", "USDC", 3000)!.address,
    tokenIn: tokenOf(chain.network, tokenIn).address,
    tokenOut: tokenOf(chain.network, tokenOut).address,
    feePips: 3000,
  });
  return Array.from({ length: count }, (_, i) => {
    const opportunity: CrossChainOpportunity = {
      version: "opportunity.v1",
      id: `bench-${i}`,
      buy: leg(source, "USDC", "WETH"),
      sell: leg(target, "WETH", "USDC"),
      amountIn: AMOUNT,
      mode: "bridge",
      bridges: ["across"],
      returnToSource: true,
      deadline: null,
      source: null,
    };
    return { opportunity, account: accounts[i % accounts.length]! };
  });
}

async function need(driver: Driver, ready: () => boolean, what: string): Promise<void> {
  if (!(await driver.until(ready, DEADLINE_MS))) throw new Error(driver.over ? `${what}: it ended by itself` : what);
}

type Told = Extract<Said, { total: unknown }>;

async function tell(driver: Driver): Promise<Told> {
  const known = driver.said.length;
  const answer = (): Told | undefined => driver.said.slice(known).find((s): s is Told => "total" in s);
  driver.tell({ tell: true });
  await need(driver, () => answer() !== undefined, "the driver does not tell");
  return answer()!;
}

const loadOf = (): string => os.loadavg()[0]!.toFixed(1);

async function numberOf(pool: Pool, query: string): Promise<number> {
  return Number((await pool.query<{ n: string }>(query)).rows[0]!.n);
}

const round = (value: number): number => Math.round(value * 100) / 100;

async function runPeer(url: string, workflows: number, steps: number): Promise<{ seconds: number; rssMb: number }> {
  const args = ["--import", "tsx", path.join(import.meta.dirname, "sagas-peer.ts"), url, String(workflows), String(steps)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (more: string) => (text += more));
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error("the bare workflows failed");
  return JSON.parse(text) as { seconds: number; rssMb: number };
}
