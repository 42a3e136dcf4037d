#!/usr/bin/env node
// Starts `arb` on whatever Node the machine has: finds one that suits, builds dist/ in a clone where it is missing or
// stale, and runs it with the same arguments, streams and exit code.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { isBuilt } from "../scripts/setup/build-stamp.mjs";
import { findNode, root } from "../scripts/setup/find-node.mjs";
import { exclusively } from "../scripts/setup/lock.mjs";

try {
  if (!existsSync(path.join(root, "node_modules"))) throw new Error("The packages are not installed: run `npm ci` in " + root);
  const node = findNode();
  if (!isBuilt()) {
    await exclusively(() => {
      // another one may have built it while this one waited
      if (isBuilt()) return;
      console.error("Building (the sources changed) ...");
      const { status } = spawnSync(node, [path.join(root, "scripts", "build.mjs")], { stdio: ["ignore", 2, 2] });
      if (status !== 0) throw new Error("The build failed; see the messages above.");
    });
  }
  const child = spawn(node, [path.join(root, "dist", "src", "cli", "main.js"), ...process.argv.slice(2)], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (os.constants.signals[signal] ?? 0)));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
