import { spawnSync } from "node:child_process";
import { lchownSync, lstatSync, readFileSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { ArbError } from "../errors.js";
import { type Binaries, cannotRun, worldReadable } from "./binaries.js";

/**
 * As whom PostgreSQL runs. It refuses root, so that root needs a way out, in this order:
 * 1. the folder lies in the place of an ordinary user: that user runs it, and may later use it without root;
 * 2. a user namespace, in which root appears as an ordinary user: no file changes its owner;
 * 3. an unprivileged account of the machine, which then owns the data.
 */
export interface Account {
  kind: "self" | "owner" | "namespace" | "account";
  /** Ids that the program is started with; absent: ours. */
  ids?: { uid: number; gid: number };
  /** Owner of the files that we write beside the data; absent: we. */
  keeper?: { uid: number; gid: number };
  /** What stands before the program on the command line. */
  prefix: readonly string[];
  binaries: Binaries;
}

const PROBE_MS = 30_000;

/**
 * Chooses the account for a folder and proves that it can run the programs. `only` narrows the choice, for tests.
 * Raises ArbError "config" when PostgreSQL cannot run here, with what each way answered.
 */
export function chooseAccount(binaries: Binaries, folder: string, only?: Account["kind"]): Account {
  if (process.getuid?.() !== 0) {
    const self: Account = { kind: "self", prefix: [], binaries };
    const fault = probe(self);
    if (fault !== null) throw cannotRun(binaries, fault);
    return self;
  }
  const faults: string[] = [];
  for (const candidate of candidates(binaries, folder)) {
    if (only !== undefined && candidate.kind !== only) continue;
    const fault = probe(candidate);
    if (fault === null) return candidate;
    faults.push(`${candidate.kind}: ${fault}`);
    // an unprivileged account may not see a checkout in a private folder
    if (candidate.ids === undefined) continue;
    const copied = { ...candidate, binaries: worldReadable(binaries) };
    const again = probe(copied);
    if (again === null) return copied;
    faults.push(`${candidate.kind} with a copy: ${again}`);
  }
  throw new ArbError("config", `PostgreSQL does not run as root, and no other way works here: ${faults.join("; ")}`, {
    where: folder,
    hint: "start the program as an ordinary user, or set database.url to a PostgreSQL of your own (15 or newer)",
  });
}

function* candidates(binaries: Binaries, folder: string): Generator<Account> {
  const accounts = readAccounts();
  const place = ownerOfPlace(folder);
  const owner = accounts.find((a) => a.uid === place && a.uid !== 0);
  if (owner) yield { kind: "owner", ids: owner, keeper: owner, prefix: [], binaries };
  const other =
    ["postgres", "nobody"].map((n) => accounts.find((a) => a.name === n)).find((a) => a) ?? accounts.find((a) => a.uid > 0);
  if (!other) return;
  if (process.platform === "linux") {
    const { uid, gid } = other;
    yield {
      kind: "namespace",
      prefix: ["unshare", "--user", `--map-user=${uid}`, `--map-group=${gid}`, "--"],
      binaries,
    };
  }
  yield { kind: "account", ids: other, prefix: [], binaries };
}

/** The accounts of /etc/passwd: initdb refuses a uid without a name. */
function readAccounts(): { name: string; uid: number; gid: number }[] {
  let text: string;
  try {
    text = readFileSync("/etc/passwd", "utf8");
  } catch (error) {
    // a bare container: no other account exists
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  return text.split("\n").flatMap((line) => {
    const [name = "", , uid = "", gid = ""] = line.split(":");
    return /^\d+$/.test(uid) && /^\d+$/.test(gid) ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
}

function ownerOfPlace(folder: string): number {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    const found = statSync(at, { throwIfNoEntry: false });
    if (found) return found.uid;
    if (at === path.dirname(at)) return 0;
  }
}

/** Null when the program says its version; else why not. */
function probe(account: Account): string | null {
  const [file, args] = command(account, "postgres", ["--version"]);
  const run = spawnSync(file, args, {
    ...idsOf(account),
    cwd: "/",
    env: environment(account),
    encoding: "utf8",
    timeout: PROBE_MS,
  });
  if (run.error) return (run.error as NodeJS.ErrnoException).code ?? run.error.message;
  if (run.status === 0 && run.stdout.includes("PostgreSQL")) return null;
  return run.stderr.trim().split("\n").at(-1) ?? `status ${String(run.status)}`;
}

/** File and arguments that run a program of the package as the account. */
export function command(account: Account, program: string, args: readonly string[]): [string, string[]] {
  const [file = "", ...rest] = [...account.prefix, path.join(account.binaries.native, "bin", program), ...args];
  return [file, rest];
}

export const idsOf = (account: Account): { uid?: number; gid?: number } =>
  account.ids ? { uid: account.ids.uid, gid: account.ids.gid } : {};

/** Nothing of our own environment that could hold a secret or change how PostgreSQL works (PGDATA, PGPORT ...). */
export function environment(account: Account): Record<string, string> {
  return { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC", ...account.binaries.env };
}

/**
 * Gives a file to an owner; without one, or where we are not root, it stays ours. Never what a link leads to: in the folder of an
 * ordinary user it may lead to any file of root's.
 */
export function give(file: string, owner: { uid: number; gid: number } | undefined): void {
  if (owner && process.getuid?.() === 0) lchownSync(file, owner.uid, owner.gid);
}

/**
 * Makes a data folder belong to the account that will run on it: root may have run it in another way before. The folder
 * itself comes last, so that an interrupted change is done again.
 */
export function giveData(folder: string, account: Account): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = account.ids ?? { uid: 0, gid: 0 };
  if (lstatSync(folder).uid === uid) return;
  const entries = readdirSync(folder, { recursive: true, encoding: "utf8" });
  for (const entry of entries) {
    lchownSync(path.join(folder, entry), uid, gid);
  }
  lchownSync(folder, uid, gid);
}
