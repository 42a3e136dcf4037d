// Everything that reads the code and runs none of it: TypeScript (type-aware), Solidity, formats, the lock file.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { root } from "./setup/find-node.mjs";

const bin = (name) => path.join(root, "node_modules", ".bin", name);
const steps = [
  [bin("oxlint"), "--type-aware", "--deny-warnings", "src", "scripts", "test", "hardhat.config.ts"],
  [bin("solhint"), "--disc", "--noPoster", "--max-warnings", "0", "contracts/**/*.sol"],
  [bin("prettier"), "--check", "--log-level", "warn", "."],
  [path.join(root, "scripts", "setup", "fix-lock.mjs"), "--check"],
];
const failed = steps.filter(
  ([file, ...args]) => spawnSync(process.execPath, [file, ...args], { cwd: root, stdio: "inherit" }).status !== 0,
);
for (const [file] of failed) console.error(`lint: ${path.basename(file)} found faults`);
process.exit(failed.length > 0 ? 1 : 0);
