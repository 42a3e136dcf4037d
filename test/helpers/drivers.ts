import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const ROOT = path.resolve(import.meta.dirname, "..", "..");
const DEADLINE_MS = 50_000;

/** A process of test/database/driver.ts. */
export interface Driver {
  process: ChildProcess;
  /** What it said: where its database is, or why it has none. */
  said: Record<string, any>;
  /** Lets it close its database, and waits for its end. */
  close(): Promise<void>;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
}

/** Starts a driver and waits until it has its database, or says why not. */
export async function startDriver(args: string[], ids: { uid?: number; gid?: number; home?: string } = {}): Promise<Driver> {
  const { home = process.env["HOME"] ?? "/", ...user } = ids;
  const child = spawn(process.execPath, ["--import", "tsx", path.join(ROOT, "test", "database", "driver.ts"), ...args], {
    cwd: ROOT,
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], HOME: home },
    ...user,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(child, "close");
  const close = async () => {
    child.stdin.end();
    await ended;
  };
  const kill = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  await until(
    () => stdout.includes("\n") || child.exitCode !== null || child.signalCode !== null,
    () => `the driver said ${stdout}${stderr}`,
  );
  if (!stdout.includes("\n")) throw new Error(`the driver ended: ${stderr}`);
  return { process: child, said: JSON.parse(stdout) as Record<string, any>, close, kill };
}

/** Polls until something is so. Fails after 50 s with what `else_` says. */
export async function until(
  so: () => boolean | Promise<boolean>,
  else_: () => string = () => "it did not happen",
): Promise<void> {
  const end = Date.now() + DEADLINE_MS;
  while (!(await so())) {
    if (Date.now() > end) throw new Error(else_());
    await sleep(20);
  }
}
