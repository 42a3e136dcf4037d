// node scripts/setup/run.mjs TOOL|FILE.mjs [args]: runs a tool of node_modules, or a script of ours, under a Node that suits it.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { findNode, root } from "./find-node.mjs";

const [tool, ...args] = process.argv.slice(2);
let node;
try {
  node = findNode();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
const bin = path.join(root, "node_modules", ".bin");
const file = tool.endsWith(".mjs") ? path.join(root, tool) : path.join(bin, tool);
if (!existsSync(file)) {
  console.error(`${path.relative(root, file)} is not there; run \`npm ci\` first`);
  process.exit(1);
}
const env = { ...process.env, PATH: [path.dirname(node), bin, process.env.PATH].join(path.delimiter) };
const child = spawn(node, [file, ...args], { cwd: root, stdio: "inherit", env });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(code ?? 128 + (os.constants.signals[signal] ?? 0)));
