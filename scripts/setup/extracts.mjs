// Single files out of npm packages that are too heavy, or too entangled, to install whole: `npm pack`, check the pinned
// sha512, keep only the listed files under node_modules/.extracts/NAME@VERSION/. The list is extracts.json.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { root } from "./find-node.mjs";

const run = promisify(execFile);
const folder = path.join(root, "node_modules", ".extracts");

/** Brings every extract that is not there yet. Throws when a tarball's checksum differs from the pinned one. */
export async function extractAll() {
  const list = JSON.parse(readFileSync(path.join(import.meta.dirname, "extracts.json"), "utf8"));
  const missing = list.filter((e) => !isThere(e));
  if (missing.length > 0) console.error(`Fetching ${missing.length} pinned protocol files (once) ...`);
  for (let i = 0; i < missing.length; i += 4) await Promise.all(missing.slice(i, i + 4).map(extract));
}

const home = (e) => path.join(folder, `${e.name}@${e.version}`);
const stampOf = (e) => JSON.stringify([e.integrity, e.files]);
const isThere = (e) => {
  const stamp = path.join(home(e), ".stamp");
  return existsSync(stamp) && readFileSync(stamp, "utf8") === stampOf(e);
};

async function extract(e) {
  const spec = `${e.name}@${e.version}`;
  const tmp = mkdtempSync(path.join(os.tmpdir(), "extract-"));
  try {
    const { stdout } = await run("npm", ["pack", spec, "--json", "--pack-destination", tmp, "--loglevel=error"], {
      cwd: tmp,
      timeout: 120_000,
      maxBuffer: 1 << 26,
    });
    const tarball = path.join(tmp, JSON.parse(stdout)[0].filename);
    const got = `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`;
    if (got !== e.integrity)
      throw new Error(`${spec}: the tarball's checksum is ${got}, pinned is ${e.integrity}; nothing was kept`);
    const out = path.join(tmp, "out");
    mkdirSync(out);
    await run("tar", ["xzf", tarball, "-C", out, "--strip-components=1", ...e.files.map((f) => `package/${f}`)]);
    writeFileSync(path.join(out, ".stamp"), stampOf(e));
    rmSync(home(e), { recursive: true, force: true });
    mkdirSync(path.dirname(home(e)), { recursive: true });
    move(out, home(e));
  } finally {
    rmSync(tmp, { recursive: true, force: true });
  }
}

function move(from, to) {
  try {
    renameSync(from, to);
  } catch (error) {
    if (error.code !== "EXDEV") throw error;
    cpSync(from, to, { recursive: true }); // the temporary folder is on another disk
  }
}
