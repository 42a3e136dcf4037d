import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { expect } from "chai";

const ROOT = path.resolve(import.meta.dirname, "..", "..");
const DEADLINE_MS = 30_000;

/** The secrets of all runs. They must appear in no output of any of them. */
export const PASSWORD = "canary password 5f1e";
export const PRIVATE_KEY = "0xc0ffee11c0ffee22c0ffee33c0ffee44c0ffee55c0ffee66c0ffee77c0ffee88";
const CANARIES = [PASSWORD, PRIVATE_KEY.slice(2)];

export interface Run {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd: string;
  /** Text for stdin; absent: stdin is empty. */
  stdin?: string;
  env?: Record<string, string>;
  /** 30 s when left out. */
  deadlineMs?: number;
  /** Called with all of stderr so far, whenever more came. */
  onStderr?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
}

let building: Promise<string> | undefined;

/**
 * The program, translated from the present sources into a folder of its own, file by file: quicker than a build with type checks, quicker
 * to start than a loader, and never stale.
 */
async function program(): Promise<string> {
  const out = path.join(ROOT, "cache", `arb-${process.pid}`);
  const entryPoints = ["src", path.join("types", "contracts")].flatMap((top) =>
    readdirSync(path.join(ROOT, top), { recursive: true, encoding: "utf8" })
      .filter((entry) => entry.endsWith(".ts") && !entry.endsWith(".d.ts"))
      .map((entry) => path.join(ROOT, top, entry)),
  );
  process.on("exit", () => rmSync(out, { recursive: true, force: true }));
  // tsx's own, which runs the scripts
  const own = createRequire(import.meta.url);
  const esbuild = createRequire(own.resolve("tsx"))("esbuild") as { build(options: object): Promise<unknown> };
  await esbuild.build({ entryPoints, outbase: ROOT, outdir: out, format: "esm", platform: "node", target: "es2023" });
  return path.join(out, "src", "cli", "main.js");
}

/** Runs `arb` in a process of its own. No output may hold a secret. Fails when it has not ended by its deadline. */
export async function arb(args: string[], options: RunOptions): Promise<Run> {
  building ??= program();
  const child = spawn(process.execPath, [await building, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env["PATH"], HOME: options.cwd, ...options.env },
  });
  const run: Run = { code: null, stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (run.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    run.stderr += text;
    options.onStderr?.(run.stderr, (signal) => child.kill(signal));
  });
  // a program that ends before it has read everything closes the pipe
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.stdin ?? "");
  const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  const late = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (c, s) => resolve([c, s]));
  });
  clearTimeout(late);
  if (signal === "SIGKILL") throw new Error(`arb ${args.join(" ")} did not end within ${deadlineMs} ms: ${run.stderr}`);
  for (const secret of CANARIES) expect(`${run.stdout}${run.stderr}`.toLowerCase()).not.to.include(secret);
  return { ...run, code };
}

/** The lines of stdout as JSON values. */
export function jsonLines(run: Run): Record<string, any>[] {
  return run.stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, any>);
}

/** An empty folder, and how to remove it. It goes with the process at the latest: one that lists tests runs none of their hooks. */
export function temporaryFolder(): { folder: string; remove: () => void } {
  const folder = mkdtempSync(path.join(os.tmpdir(), "arb-cli-"));
  folders.add(folder);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

const folders = new Set<string>();
process.on("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
