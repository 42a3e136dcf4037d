// `npm run bench -- gas|replay|send|sign [--json]`: builds the contracts where they changed, then runs main.ts. stdout has the result alone.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { root } from "../setup/find-node.mjs";

const bin = (name) => path.join(root, "node_modules", ".bin", name);
const build = spawnSync(process.execPath, [bin("hardhat"), "build", "--quiet"], { cwd: root, encoding: "utf8" });
if (build.status !== 0) {
  process.stderr.write(`${build.stdout}${build.stderr}`);
  process.exit(build.status ?? 1);
}
const bench = spawnSync(process.execPath, [bin("tsx"), path.join(import.meta.dirname, "main.ts"), ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
});
process.exit(bench.status ?? 1);
