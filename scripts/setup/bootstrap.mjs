// Runs before `npm start` and `npm test`, on whatever Node started npm: installs what package-lock.json says, once per lock
// file, and then the pinned extracts. Prints on stderr only, so that `npm --silent start -- --json` stays one JSON object.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { extractAll } from "./extracts.mjs";
import { findNode, root } from "./find-node.mjs";
import { linkBins } from "./link-bins.mjs";
import { exclusively } from "./lock.mjs";

const mark = path.join(root, "node_modules", ".installed-from");
const want = createHash("sha256")
  .update(readFileSync(path.join(root, "package-lock.json")))
  .digest("hex");
const isInstalled = () => existsSync(mark) && readFileSync(mark, "utf8") === want;

function install() {
  console.error("Installing dependencies (once) ...");
  // 2: npm's own report belongs on stderr
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: root, stdio: ["ignore", 2, 2] });
  if (npm.error) throw npm.error;
  if (npm.status !== 0) throw new Error("npm ci failed; see its message above");
}

try {
  if (isInstalled()) {
    linkBins();
    findNode();
    await extractAll();
  } else {
    await exclusively(async () => {
      // another one may have done it while this one waited
      const todo = !isInstalled();
      if (todo) install();
      linkBins();
      findNode();
      await extractAll();
      if (todo) writeFileSync(mark, want);
    });
  }
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
