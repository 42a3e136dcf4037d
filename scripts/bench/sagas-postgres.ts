import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { hexlify, randomBytes } from "ethers";
import { Client } from "pg";
import { type Database, type DatabaseSettings, openDatabase } from "../../src/database/open.js";

/** A server of its own for one run. */
export interface Server {
  name: string;
  settings: DatabaseSettings;
  /** Its URL with password, for another database on the same server. */
  urlOf(database: string): string;
  pid: number;
  stop(): Promise<void>;
}

const START_MS = 30_000;
/** Where Debian's packages have their programs, newest first. */
const DEBIAN = "/usr/lib/postgresql";

/** The program's own PostgreSQL. */
export async function embeddedServer(folder: string): Promise<Server> {
  const db: Database = await openDatabase({ folder }, { name: "bench", connections: 1 });
  const secret = db.secretUrl.reveal();
  const { rows } = await db.pool.query<{ server_version: string }>("show server_version");
  return {
    name: `embedded ${rows[0]!.server_version}`,
    settings: { folder },
    urlOf: (database) => withDatabase(secret, database),
    pid: db.server!.pid,
    stop: async () => await db.close(),
  };
}

/** A private cluster by the newest of Debian's packages; null where none is installed. Raises an Error where it does not start. */
export async function debianServer(folder: string): Promise<Server | null> {
  const version = existsSync(DEBIAN) ? readdirSync(DEBIAN).toSorted((a, b) => Number(b) - Number(a))[0] : undefined;
  const bin = path.join(DEBIAN, version ?? "", "bin");
  if (version === undefined || !existsSync(path.join(bin, "initdb"))) return null;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const password = hexlify(randomBytes(16));
  const secretFile = path.join(folder, "password");
  writeFileSync(secretFile, password, { mode: 0o600 });
  // it refuses root: the package brought an account
  const ids = process.getuid?.() === 0 ? accountOf("postgres") : null;
  if (ids !== null) {
    for (const file of [folder, secretFile]) chownSync(file, ids.uid, ids.gid);
    // it must be able to come here
    chmodSync(path.dirname(folder), 0o711);
  }
  const data = path.join(folder, "data");
  const args = ["-D", data, "-U", "bench", "--auth=scram-sha-256", `--pwfile=${secretFile}`, "-E", "UTF8", "--locale=C", "-N"];
  const made = spawnSync(path.join(bin, "initdb"), args, { ...ids, cwd: "/", encoding: "utf8" });
  if (made.status !== 0) throw new Error(`initdb of ${bin} failed: ${made.stderr}`);
  const port = await freePort();
  const run = ["-D", data, "-p", String(port), "-c", "listen_addresses=127.0.0.1", "-k", folder, "-c", "max_connections=200"];
  const child = spawn(path.join(bin, "postgres"), run, { ...ids, cwd: "/", stdio: "ignore" });
  const url = `postgres://bench:${password}@127.0.0.1:${port}/postgres`;
  const stop = async (): Promise<void> => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGINT");
    await ended;
  };
  try {
    await answering(url);
  } catch (error) {
    await stop();
    throw error;
  }
  return { name: `Debian's ${version}`, settings: { url }, urlOf: (d) => withDatabase(url, d), pid: child.pid!, stop };
}

function accountOf(name: string): { uid: number; gid: number } {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((l) => l.startsWith(`${name}:`));
  if (line === undefined) throw new Error(`there is no account ${name}: run it as an ordinary user`);
  const [, , uid, gid] = line.split(":").map(Number);
  return { uid: uid!, gid: gid! };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answering(url: string): Promise<void> {
  const end = Date.now() + START_MS;
  for (;;) {
    const client = new Client({ connectionString: url });
    try {
      await client.connect();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(100);
    } finally {
      await client.end();
    }
  }
}

function withDatabase(url: string, database: string): string {
  const other = new URL(url);
  other.pathname = `/${database}`;
  return other.href;
}

/** Creates an empty database on the server, and gives its URL. */
export async function newDatabase(server: Server, name: string): Promise<string> {
  const client = new Client({ connectionString: server.urlOf("postgres") });
  await client.connect();
  try {
    await client.query(`create database ${name}`);
  } finally {
    await client.end();
  }
  return server.urlOf(name);
}

/** Memory of a process, MB: what is its own, and its share of what it shares with others. Linux. */
export function memoryOf(pids: readonly number[]): number {
  let kb = 0;
  for (const pid of pids) {
    try {
      kb += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0);
    } catch {
      // it has just ended
    }
  }
  return Math.round(kb / 1024);
}

/** Most memory that a process has had, MB. Linux. */
export function peakOf(pid: number): number {
  const kb = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Math.round(Number(kb ?? 0) / 1_024);
}

const BLOCK = Buffer.alloc(8_192);

/** How often a disk makes 8 kB durable in a second: what no engine that commits can exceed without grouping commits. */
export function syncsPerSecond(folder: string, seconds = 2): number {
  const file = openSync(path.join(folder, "sync-probe"), "w");
  const start = performance.now();
  let count = 0;
  for (; performance.now() - start < seconds * 1_000; count++) {
    writeSync(file, BLOCK, 0, BLOCK.length, (count % 1_024) * BLOCK.length);
    fdatasyncSync(file);
  }
  closeSync(file);
  return Math.round((count * 1_000) / (performance.now() - start));
}
