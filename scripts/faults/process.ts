import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import type { JournalStep } from "../../src/journal/types.js";
import type { Order, Said } from "./driver.js";

/** A running process that talks in JSON lines: takes orders, and says what happens. */
export interface Talker<O, S> {
  child: ChildProcess;
  /** Everything that it said, in order. */
  said: S[];
  ended: Promise<{ code: number | null; signal: string | null }>;
  over: boolean;
  tell(order: O): void;
  /** Waits until `ready` says so, the process is over, or the time has passed; gives whether it was ready. */
  until(ready: () => boolean, ms: number): Promise<boolean>;
}

/** A running driver. */
export interface Driver extends Talker<Order, Said> {
  done: Map<string, string>;
  /** Where it stands still and waits for its end; null while it runs. */
  at: { step: JournalStep; hits: Partial<Record<JournalStep, number>> } | null;
}

/** One of this folder's programs as one file: hundreds of starts from its sources would take most of a run. Gives the file. */
export async function bundleDriver(folder: string, program = "driver.ts"): Promise<string> {
  // beside the sources, from where packages are found
  const outfile = path.join(import.meta.dirname, "..", "..", "cache", `faults-driver-${path.basename(folder)}.mjs`);
  const entry = path.join(import.meta.dirname, program);
  const own = createRequire(import.meta.url);
  // tsx's own, which it runs these sources by
  const esbuild = createRequire(own.resolve("tsx"))("esbuild") as { build(options: object): Promise<unknown> };
  await esbuild.build({ entryPoints: [entry], outfile, bundle: true, platform: "node", format: "esm", packages: "external" });
  return outfile;
}

/** Starts a program of `bundleDriver`; the first argument is a file of its world. `heard` sees each line before anybody who waits for it. */
export function startTalker<O, S>(program: string, args: [string, ...string[]], heard: (what: S) => void): Talker<O, S> {
  const env = { ...process.env, NODE_COMPILE_CACHE: path.join(path.dirname(args[0]), "compiled") };
  const child = spawn(process.execPath, [program, ...args], { stdio: ["pipe", "pipe", "inherit"], env });
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const each of waiting) each();
  };
  const talker: Talker<O, S> = {
    child,
    said: [],
    over: false,
    ended: once(child, "close").then(([code, signal]: (number | string | null)[]) => {
      talker.over = true;
      wake();
      return { code: code as number | null, signal: signal as string | null };
    }),
    // one that is gone takes no orders; the next one gets them again
    tell: (order) => void (talker.over || child.stdin.write(`${JSON.stringify(order)}\n`)),
    until: async (ready, ms) => {
      const end = Date.now() + ms;
      while (!ready()) {
        if (talker.over || Date.now() >= end) return false;
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, end - Date.now());
          const go = (): void => {
            clearTimeout(timer);
            waiting.delete(go);
            resolve();
          };
          waiting.add(go);
        });
      }
      return true;
    },
  };
  child.stdin.on("error", () => undefined); // it was killed while it was written to
  createInterface({ input: child.stdout }).on("line", (line) => {
    const what = JSON.parse(line) as S;
    talker.said.push(what);
    heard(what);
    wake();
  });
  return talker;
}

export function startDriver(program: string, file: string, armed: { step: JournalStep; nth: number } | null): Driver {
  const more = armed === null ? [] : [armed.step, String(armed.nth)];
  const driver: Driver = Object.assign(
    startTalker<Order, Said>(program, [file, ...more], (what) => {
      if ("done" in what) driver.done.set(what.done, what.how);
      if ("at" in what) driver.at = { step: what.at, hits: what.hits };
    }),
    { done: new Map<string, string>(), at: null },
  );
  return driver;
}

/** kill -9 of processes that may be gone. */
export function killNow(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

/** What Linux says of a process behind its name: its state, its parent and more. Raises where it is gone. */
function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** Whether a process was stopped by a signal and not woken yet; Linux. */
export const isStopped = (pid: number): boolean => statOf(pid)[0] === "T";

/** A process and all that descend from it; Linux. */
export function treeOf(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      parents.set(Number(name), Number(statOf(Number(name))[1]));
    } catch {
      // it has just ended
    }
  }
  const tree = [root];
  for (const pid of tree) for (const [child, parent] of parents) if (parent === pid) tree.push(child);
  return tree;
}
