// Builds what `arb` runs: contracts and their TypeChain bindings (artifacts/, types/), then dist/ by tsc.
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { sourceHash, stampFile } from "./setup/build-stamp.mjs";
import { root } from "./setup/find-node.mjs";

const run = (tool, ...args) => {
  const file = path.join(root, "node_modules", ".bin", tool);
  // compiler warnings are for those who change the contracts (`hardhat build` shows them), not for those who run them
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], { cwd: root, encoding: "utf8" });
  if (status === 0) return;
  process.stderr.write(`${stdout}${stderr}`);
  process.exit(status ?? 1);
};
const hash = sourceHash();
rmSync(path.join(root, "dist"), { recursive: true, force: true });
run("hardhat", "build", "--quiet", "--no-tests");
run("tsc", "-p", "tsconfig.build.json");
writeFileSync(stampFile, hash);
