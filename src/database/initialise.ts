import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ArbError } from "../errors.js";
import { type Account, command, environment, give, idsOf } from "./account.js";
import { folderFault } from "./faults.js";

/** Owner of the embedded server and of its database. */
export const USER = "arb";
const INITDB_MS = 180_000;

/** What lies where below the configured folder. The name holds the major version: another one has other files. */
export function placeOf(folder: string): Record<"home" | "data" | "password" | "port" | "log", string> {
  const home = path.join(path.resolve(folder), "postgres-18");
  const at = (name: string): string => path.join(home, name);
  return { home, data: at("data"), password: at("password"), port: at("port"), log: at("log") };
}

/**
 * Makes a new database with a random password. All of it is made beside its place and moved there in one step, so that what
 * has the name `postgres-18` is complete; what a killed attempt left is removed. Raises ArbError "config".
 */
export async function initialise(account: Account, folder: string): Promise<void> {
  const { home } = placeOf(folder);
  removeLeftovers(home);
  const fresh = `${home}.new-${process.pid}`;
  try {
    mkdirSync(fresh, { mode: 0o700 });
    await initdb(account, fresh);
    give(fresh, account.keeper);
    sync(fresh);
    renameSync(fresh, home);
    sync(path.dirname(home));
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    // another process was first, where there is no lock
    if (["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "") && existsSync(home)) return;
    throw folderFault(error, folder);
  }
}

async function initdb(account: Account, fresh: string): Promise<void> {
  const data = path.join(fresh, "data");
  const password = path.join(fresh, "password");
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(password, `${randomBytes(24).toString("base64url")}\n`, { mode: 0o600, flush: true });
  give(data, account.ids);
  give(password, account.ids);
  const foreign = account.kind !== "self" && process.platform === "linux";
  const fd = openSync(password, "r");
  try {
    const [file, args] = command(account, "initdb", [
      // the account may not be able to pass the folders above: the working directory and the open file need no passing
      "-D",
      foreign ? "/proc/self/cwd" : data,
      `--pwfile=${foreign ? "/proc/self/fd/3" : password}`,
      `--username=${USER}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C",
      "--wal-segsize=4",
      "--no-instructions",
      // defaults that the user may change in postgresql.conf; what safety needs is given at each start
      ...Object.entries(MODEST).flatMap(([k, v]) => ["-c", `${k}=${v}`]),
    ]);
    const child = spawn(file, args, {
      ...idsOf(account),
      cwd: data,
      env: environment(account),
      stdio: ["ignore", "pipe", "pipe", fd],
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text: string) => (said += text));
    const late = setTimeout(() => child.kill("SIGKILL"), INITDB_MS);
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    }).finally(() => clearTimeout(late));
    if (status !== 0) throw initdbFailed(said, fresh);
  } finally {
    closeSync(fd);
  }
  give(password, account.keeper ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });
}

const MODEST = {
  shared_buffers: "32MB",
  max_connections: "80",
  max_wal_size: "256MB",
  jit: "off",
  // no helper processes for reads that a small database does not make
  io_method: "sync",
  log_checkpoints: "off",
  log_min_messages: "warning",
};

function initdbFailed(said: string, fresh: string): ArbError {
  const log = said.trim().split("\n").slice(-6).join(" | ").slice(-1_500);
  if (/No space left on device|Disk quota/.test(said))
    return new ArbError("config", "the disk of the database is full", {
      where: path.dirname(fresh),
      hint: "free 100 MB or more, or set database.folder",
    });
  const nameless = /could not look up effective user ID/.test(said);
  return new ArbError("config", `the database cannot be made: ${log}`, {
    where: path.dirname(fresh),
    hint: nameless
      ? "PostgreSQL needs a name for the user who runs it: add the uid to /etc/passwd, or set database.url"
      : "set database.folder to another place, or database.url to a PostgreSQL of your own",
  });
}

function removeLeftovers(home: string): void {
  const start = `${path.basename(home)}.new-`;
  for (const name of readdirSync(path.dirname(home))) {
    if (!name.startsWith(start) || isAlive(Number(name.slice(start.length)))) continue;
    rmSync(path.join(path.dirname(home), name), { recursive: true, force: true, maxRetries: 5 });
  }
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

function sync(folder: string): void {
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
