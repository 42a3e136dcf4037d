import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import type { JournalStep } from "../../src/journal/types.js";
import type { Order, Said } from "./driver.js";

/** A running driver. */
export interface Driver {
  child: ChildProcess;
  /** Everything that it said, in order. */
  said: Said[];
  done: Map<string, string>;
  /** Where it stands still and waits for its end; null while it runs. */
  at: { step: JournalStep; hits: Partial<Record<JournalStep, number>> } | null;
  ended: Promise<{ code: number | null; signal: string | null }>;
  over: boolean;
  tell(order: Order): void;
  /** Waits until `ready` says so, the driver is over, or the time has passed; gives whether it was ready. */
  until(ready: () => boolean, ms: number): Promise<boolean>;
}

/** The driver as one file: hundreds of starts from its sources would take most of a run. Gives the file. */
export async function bundleDriver(folder: string): Promise<string> {
  // beside the sources, from where packages are found
  const outfile = path.join(import.meta.dirname, "..", "..", "cache", `faults-driver-${path.basename(folder)}.mjs`);
  const entry = path.join(import.meta.dirname, "driver.ts");
  const own = createRequire(import.meta.url);
  // tsx's own, which it runs these sources by
  const esbuild = createRequire(own.resolve("tsx"))("esbuild") as { build(options: object): Promise<unknown> };
  await esbuild.build({ entryPoints: [entry], outfile, bundle: true, platform: "node", format: "esm", packages: "external" });
  return outfile;
}

export function startDriver(program: string, file: string, armed: { step: JournalStep; nth: number } | null): Driver {
  const args = [program, file];
  if (armed !== null) args.push(armed.step, String(armed.nth));
  const env = { ...process.env, NODE_COMPILE_CACHE: path.join(path.dirname(file), "compiled") };
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"], env });
  const said: Said[] = [];
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const each of waiting) each();
  };
  const driver: Driver = {
    child,
    said,
    done: new Map(),
    at: null,
    over: false,
    ended: once(child, "close").then(([code, signal]: (number | string | null)[]) => {
      driver.over = true;
      wake();
      return { code: code as number | null, signal: signal as string | null };
    }),
    // a driver that is gone takes no orders; the next one gets them again
    tell: (order) => void (driver.over || child.stdin.write(`${JSON.stringify(order)}\n`)),
    until: async (ready, ms) => {
      const end = Date.now() + ms;
      while (!ready()) {
        if (driver.over || Date.now() >= end) return false;
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
    const what = JSON.parse(line) as Said;
    said.push(what);
    if ("done" in what) driver.done.set(what.done, what.how);
    if ("at" in what) driver.at = { step: what.at, hits: what.hits };
    wake();
  });
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

/** A process and all that descend from it; Linux. */
export function treeOf(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // it has just ended
    }
  }
  const tree = [root];
  for (const pid of tree) for (const [child, parent] of parents) if (parent === pid) tree.push(child);
  return tree;
}
