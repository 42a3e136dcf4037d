// One installation or build at a time in this folder: two `npm start` at once would empty node_modules or dist under each other.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { root } from "./find-node.mjs";

const file = path.join(root, ".setup.lock");
const LONGEST_WAIT_MS = 15 * 60_000;

/** Runs `work` while nobody else does. A lock whose process is gone does not count. Throws when another one takes too long. */
export async function exclusively(work) {
  const start = Date.now();
  while (!take()) {
    if (Date.now() - start > LONGEST_WAIT_MS)
      throw new Error(`Another installation or build has been running for long. If there is none, remove ${file}`);
    await sleep(200);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function take() {
  try {
    writeFileSync(file, `${process.pid}\n`, { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    if (!ownerLives()) rmSync(file, { force: true });
    return false;
  }
}

function ownerLives() {
  try {
    const text = readFileSync(file, "utf8");
    // empty for the moment between its creation and the number
    if (text.trim() !== "") process.kill(Number(text), 0);
    return true;
  } catch (error) {
    // ENOENT: it has just been given back; EPERM: it lives and is another user's
    return error.code !== "ESRCH";
  }
}
