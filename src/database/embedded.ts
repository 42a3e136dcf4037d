import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { randomInt } from "node:crypto";
import net from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { readPrivateFile, Secret } from "../config/secrets.js";
import { ArbError } from "../errors.js";
import { type Account, chooseAccount, command, environment, give, giveData, idsOf } from "./account.js";
import { findBinaries, withLinks } from "./binaries.js";
import { isLost, isNotReady, isWrongPassword } from "./faults.js";
import { initialise, placeOf, USER } from "./initialise.js";
import { readPostmaster, whoIs } from "./postmaster.js";
import { ScramClient } from "./scram-client.js";

/** The database of the server that belongs to the program. */
export const DATABASE = "arb";
/** How long a stopping server may take; a checkpoint of a slow disk is within. */
const STOP_MS = 60_000;
const CONNECT_MS = 5_000;
const POLL_MS = 15;
const LOG_LIMIT = 4 * 1024 * 1024;

/** A server that answered with our password. */
export interface Server {
  port: number;
  pid: number;
  password: Secret;
  /** Its data folder, `<folder>/postgres-18/data`. */
  data: string;
  /** Whether this call started it; false = it ran already. */
  started: boolean;
}

export interface EmbeddedOptions {
  /** How long the start may take, crash recovery included. */
  startMs?: number;
  /** The port that a restart must keep, because others hold connections to it. */
  port?: number;
  /** Narrows how root runs it, for tests. */
  as?: Account["kind"];
}

/**
 * The server of a data folder: adopted where one runs, else started, and initialised before where the folder is new. The caller
 * holds the lock of ./lock.ts. The server is a process of its own that outlives us: `stopServer` ends it.
 * Raises ArbError "config" (folder, disk, platform), "secrets" (password file), "network" (did not start in time).
 */
export async function ensureServer(folder: string, options: EmbeddedOptions = {}): Promise<Server> {
  const end = performance.now() + (options.startMs ?? 120_000);
  const place = placeOf(folder);
  const account = lazily(() => chooseAccount(withLinks(findBinaries(), path.join(folder, "lib")), folder, options.as));
  if (!existsSync(place.home)) await initialise(account(), folder);
  checkComplete(place.home, place.data);
  const password = new Secret(readPrivateFile(place.password).trim());
  let child: Started | null = null;
  let logFrom = sizeOf(place.log);
  let port = options.port ?? keptPort(place.port);
  for (;;) {
    const found = readPostmaster(place.data);
    const who = found === null ? "gone" : whoIs(found.pid, place.data);
    if (found !== null && who === "ours" && found.port !== null) {
      const state = await ask(found.port, password);
      if (state === "ready") {
        if (options.port !== undefined && found.port !== options.port) throw movedAway(found.port, options.port, place.home);
        await ensureDatabase(found.port, password);
        keepPort(place.port, found.port, account);
        return { port: found.port, pid: found.pid, password, data: place.data, started: child !== null };
      }
      if (state === "stranger") {
        if (child !== null) process.kill(found.pid, "SIGINT");
        throw new ArbError("secrets", "the database does not accept the password that is kept beside it", {
          where: place.password,
          hint: "put the right file back; it is made once, with the database, and is in every copy of the folder",
        });
      }
    } else if (child === null || child.ended()) {
      if (child !== null) {
        const log = tail(place.log, logFrom);
        child = null;
        // another starter was first, or processes of a killed server are still going: both end by themselves
        if (/could not bind|Address already in use/.test(log)) {
          if (options.port !== undefined) await sleep(200);
          else port = null;
        } else if (!/lock file "postmaster.pid" already exists|shared memory block/.test(log)) throw startFailed(log, place.home);
      }
      if (found !== null && who === "stranger") rmSync(path.join(place.data, "postmaster.pid"), { force: true });
      if (port === null || (options.port === undefined && !(await isFree(port)))) port = await freePort();
      logFrom = rotate(place.log);
      giveData(place.data, account());
      child = start(account(), place.data, place.log, port);
    }
    if (performance.now() > end)
      throw new ArbError("network", "the database was not ready in time", {
        where: place.home,
        hint: `it may be recovering after a crash: start again, or read ${place.log}: ${tail(place.log, logFrom)}`,
      });
    await sleep(POLL_MS);
  }
}

/** Fast shutdown: open transactions are rolled back, a checkpoint is written. Raises ArbError "network" when it does not end. */
export async function stopServer(server: Pick<Server, "pid" | "data">, deadlineMs = STOP_MS): Promise<void> {
  const end = performance.now() + deadlineMs;
  if (whoIs(server.pid, server.data) !== "ours") return;
  process.kill(server.pid, "SIGINT");
  while (whoIs(server.pid, server.data) === "ours") {
    if (performance.now() > end)
      throw new ArbError("network", "the database did not stop in time", {
        where: server.data,
        hint: `it goes on by itself; its process is ${server.pid}`,
      });
    await sleep(POLL_MS);
  }
}

/** Settings of a client of the server, as the user that owns it. */
export function clientOf(server: Pick<Server, "port" | "password">, database = DATABASE): pg.ClientConfig {
  return {
    host: "127.0.0.1",
    port: server.port,
    user: USER,
    password: server.password.reveal(),
    database,
    ssl: false,
    connectionTimeoutMillis: CONNECT_MS,
  };
}

interface Started {
  process: ChildProcess;
  ended(): boolean;
}

function start(account: Account, data: string, logFile: string, port: number): Started {
  const settings = {
    listen_addresses: "127.0.0.1",
    // paths of sockets may have 107 bytes only
    unix_socket_directories: "",
    fsync: "on",
    full_page_writes: "on",
    synchronous_commit: "on",
  };
  const args = [
    "-D",
    seenFrom(account, data),
    "-p",
    String(port),
    ...Object.entries(settings).flatMap(([k, v]) => ["-c", `${k}=${v}`]),
  ];
  const [file, all] = command(account, "postgres", args);
  const log = openLog(logFile);
  give(logFile, account.keeper);
  // a group of its own: Ctrl-C in our terminal must not stop it before we have written our last rows
  const child = spawn(file, all, {
    ...idsOf(account),
    cwd: data,
    env: environment(account),
    detached: true,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  let failed = false;
  child.on("error", () => (failed = true));
  child.unref();
  return { process: child, ended: () => failed || child.exitCode !== null || child.signalCode !== null };
}

/**
 * The data folder as the server names it. As another account it may lie below folders that the account cannot pass: its working
 * directory is opened before the account changes, and needs no passing.
 */
export const seenFrom = (account: Account, data: string): string =>
  account.kind !== "self" && process.platform === "linux" ? "/proc/self/cwd" : data;

async function ask(port: number, password: Secret): Promise<"ready" | "waiting" | "stranger"> {
  const client = new ScramClient(clientOf({ port, password }, "postgres"));
  client.on("error", () => undefined);
  try {
    await client.connect();
    return "ready";
  } catch (error) {
    if (isNotReady(error) || isLost(error)) return "waiting";
    // SCRAM also proves that the server knows the password: any other server, whatever it answers, is a stranger
    if (isWrongPassword(error)) return "stranger";
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function ensureDatabase(port: number, password: Secret): Promise<void> {
  const client = new ScramClient(clientOf({ port, password }, "postgres"));
  client.on("error", () => undefined);
  await client.connect();
  try {
    const { rowCount } = await client.query("select 1 from pg_database where datname = $1", [DATABASE]);
    if (rowCount === 0) await client.query(`create database ${DATABASE}`);
  } catch (error) {
    // 42P04: another process made it in this moment; 23505 is the same fault a little later
    if (!["42P04", "23505"].includes((error as { code?: string }).code ?? "")) throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function checkComplete(home: string, data: string): void {
  try {
    if (readFileSync(path.join(data, "PG_VERSION"), "utf8").trim() === "18") return;
  } catch (error) {
    // another user's folder is not damaged
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  throw new ArbError("config", "the database's folder is damaged: it holds no complete data of PostgreSQL 18", {
    where: home,
    hint: "put a copy of the folder back, or move it away and restore a backup: arb database restore FILE",
  });
}

function keptPort(file: string): number | null {
  try {
    const port = Number(readFileSync(file, "utf8"));
    return Number.isInteger(port) && port > 0 && port < 65_536 ? port : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

function keepPort(file: string, port: number, account: () => Account): void {
  if (keptPort(file) === port) return;
  const fresh = `${file}.${process.pid}`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, `${port}\n`, { mode: 0o600, flag: "wx" });
  give(fresh, account().keeper);
  renameSync(fresh, file);
}

/** A free port below those that the system gives to outgoing connections, so that it is still free at the next start. */
async function freePort(): Promise<number> {
  for (let i = 0; i < 200; i++) {
    const port = randomInt(15_000, 32_000);
    if (await isFree(port)) return port;
  }
  throw new ArbError("network", "no free port was found for the database", { where: "127.0.0.1:15000-32000" });
}

async function isFree(port: number): Promise<boolean> {
  const server = net.createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

/** Opens the log, but no link: below an ordinary user's folder it could lead root to any file. */
function openLog(file: string): number {
  const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW } = constants;
  return openSync(file, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW, 0o600);
}

/** Empties a log that has grown large. Returns where the next lines will begin. */
function rotate(file: string): number {
  if (sizeOf(file) > LOG_LIMIT) {
    const log = openLog(file);
    ftruncateSync(log, 0);
    closeSync(log);
  }
  return sizeOf(file);
}

/** The last lines that the server wrote since a place in its log. */
function tail(file: string, from: number): string {
  const text = existsSync(file) ? readFileSync(file).subarray(from).toString("utf8").trim() : "";
  return text === "" ? "(nothing was logged)" : text.split("\n").slice(-6).join(" | ").slice(-1_500);
}

function startFailed(log: string, home: string): ArbError {
  if (/No space left on device/.test(log))
    return new ArbError("config", "the disk of the database is full", { where: home, hint: "free space there and start again" });
  const owner = /wrong ownership|Permission denied|has invalid permissions/.test(log);
  return new ArbError("config", `the database does not start: ${log}`, {
    where: home,
    hint: owner
      ? "the folder belongs to another user: start as that user, or give the whole folder to this one (chown -R)"
      : "what failed stands in the log beside the data",
  });
}

const movedAway = (found: number, wanted: number, home: string): ArbError =>
  new ArbError("network", `the database was started on port ${found} while port ${wanted} was needed`, {
    where: home,
    hint: "restart this program",
  });

function lazily<T>(make: () => T): () => T {
  let made: { value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}
