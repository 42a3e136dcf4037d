// `npm run faults -- kill ...`: builds the contracts where they changed, then runs main.ts. stdout has the result alone.
import { spawn, spawnSync } from "node:child_process";
import path from "node:path";
import { root } from "../setup/find-node.mjs";

const bin = (name) => path.join(root, "node_modules", ".bin", name);
const build = spawnSync(process.execPath, [bin("hardhat"), "build", "--quiet"], { cwd: root, encoding: "utf8" });
if (build.status !== 0) {
  process.stderr.write(`${build.stdout}${build.stderr}`);
  process.exit(build.status ?? 1);
}
const args = ["--import", "tsx", path.join(import.meta.dirname, "main.ts"), ...process.argv.slice(2)];
const run = spawn(process.execPath, args, { cwd: root, stdio: "inherit" });
// a terminal's interrupt reaches it by itself
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => run.kill("SIGTERM"));
run.on("exit", (code) => process.exit(code ?? 1));
