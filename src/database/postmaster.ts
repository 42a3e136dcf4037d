import { spawnSync } from "node:child_process";
import { readFileSync, readlinkSync, realpathSync } from "node:fs";
import path from "node:path";

/** What postmaster.pid of a data folder says. */
export interface Postmaster {
  pid: number;
  /** Null until it listens. */
  port: number | null;
}

/** The process that postmaster.pid names, dead or alive; null without such a file. */
export function readPostmaster(data: string): Postmaster | null {
  let text: string;
  try {
    text = readFileSync(path.join(data, "postmaster.pid"), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  const [pid = "", , , port = ""] = text.split("\n");
  // empty for the moment between its creation and its first line
  if (!/^\d+$/.test(pid.trim())) return null;
  return { pid: Number(pid), port: Number(port) > 0 ? Number(port) : null };
}

/**
 * What a pid of postmaster.pid is now: "ours" (a postgres on this data folder), "gone", or "stranger": a zombie that nobody
 * reaped, or another program that was given the number. PostgreSQL takes a stranger for a living server and refuses to start.
 */
export function whoIs(pid: number, data: string): "ours" | "gone" | "stranger" {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return "gone";
  }
  return process.platform === "linux" ? inProc(pid, data) : byPs(pid);
}

function inProc(pid: number, data: string): "ours" | "gone" | "stranger" {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return "gone";
    throw error;
  }
  // the name is in parentheses and may hold anything
  const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
  const state = stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
  if (state === "Z" || state === "X") return "stranger";
  // the moment before it becomes postgres
  if (!["postgres", "unshare", "node", "MainThread"].includes(name)) return "stranger";
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data) ? "ours" : "stranger";
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return "gone";
    // another user's process: its password tells the rest
    return name === "postgres" ? "ours" : "stranger";
  }
}

function byPs(pid: number): "ours" | "gone" | "stranger" {
  const { stdout } = spawnSync("ps", ["-o", "stat=,comm=", "-p", String(pid)], { encoding: "utf8", timeout: 10_000 });
  const line = stdout.trim();
  if (line === "") return "gone";
  if (line.startsWith("Z")) return "stranger";
  return line.endsWith("postgres") ? "ours" : "stranger";
}
