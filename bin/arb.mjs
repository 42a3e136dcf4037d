#!/usr/bin/env node
// Starts `arb` on whatever Node the machine has: builds dist/ in a clone where it is missing or stale, and runs it here, or, where
// this Node does not suit, under one that does, with the same arguments, streams, file descriptors and exit code.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { isBuilt } from "../scripts/setup/build-stamp.mjs";
import { extractAll } from "../scripts/setup/extracts.mjs";
import { findNode, root } from "../scripts/setup/find-node.mjs";
import { exclusively } from "../scripts/setup/lock.mjs";

const main = path.join(root, "dist", "src", "cli", "main.js");

async function readyNode() {
  if (!existsSync(path.join(root, "node_modules"))) throw new Error("The packages are not installed: run `npm ci` in " + root);
  const node = findNode();
  if (process.argv[2] === "demo") await extractAll();
  if (isBuilt()) return node;
  await exclusively(() => {
    // another one may have built it while this one waited
    if (isBuilt()) return;
    console.error("Building (the sources changed) ...");
    const { status } = spawnSync(node, [path.join(root, "scripts", "build.mjs")], { stdio: ["ignore", 2, 2] });
    if (status !== 0) throw new Error("The build failed; see the messages above.");
  });
  return node;
}

/** Descriptors that secrets are read from ("fd:3"), named in the arguments or in the configuration. A child gets no others. */
function secretDescriptors(args) {
  const at = args.findIndex((a) => a === "--config" || a.startsWith("--config="));
  const file = at < 0 ? "arb.config.jsonc" : args[at].includes("=") ? args[at].slice("--config=".length) : (args[at + 1] ?? "");
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const named = [...args, ...text.matchAll(/"fd:\d+"/g)].flatMap((t) => /(?:^|=)"?fd:(\d+)"?$/.exec(String(t))?.[1] ?? []);
  return [...new Set(named.map(Number))].filter((fd) => fd > 2 && fd < 256);
}

function run(node, args) {
  const extra = secretDescriptors(args);
  const stdio = Array.from({ length: Math.max(2, ...extra) + 1 }, (_, fd) => (fd < 3 || extra.includes(fd) ? fd : "ignore"));
  const child = spawn(node, [main, ...args], { stdio });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (os.constants.signals[signal] ?? 0)));
  child.on("error", (error) => {
    console.error(error.message);
    process.exit(1);
  });
}

try {
  const node = await readyNode();
  if (node === process.execPath) await import(pathToFileURL(main).href);
  else run(node, process.argv.slice(2));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
