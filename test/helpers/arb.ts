import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect } from "chai";
import ts from "typescript";

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

let built: string | undefined;

/**
 * The program, translated from the present sources into a folder of its own: quicker than a build with type checks, quicker to
 * start than a loader, and never stale.
 */
function program(): string {
  if (built !== undefined) return built;
  const out = path.join(ROOT, "cache", `arb-${process.pid}`);
  for (const top of ["src", path.join("types", "contracts")])
    for (const entry of readdirSync(path.join(ROOT, top), { recursive: true, encoding: "utf8" })) {
      if (!entry.endsWith(".ts") || entry.endsWith(".d.ts")) continue;
      const source = readFileSync(path.join(ROOT, top, entry), "utf8");
      const { outputText } = ts.transpileModule(source, {
        compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true },
      });
      const file = path.join(out, top, entry.replace(/\.ts$/, ".js"));
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, outputText);
    }
  process.on("exit", () => rmSync(out, { recursive: true, force: true }));
  built = path.join(out, "src", "cli", "main.js");
  return built;
}

/** Runs `arb` in a process of its own. No output may hold a secret. Fails when it has not ended by its deadline. */
export async function arb(args: string[], options: RunOptions): Promise<Run> {
  const child = spawn(process.execPath, [program(), ...args], {
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
