// Puts two links into node_modules/.bin. `node`: several npm versions delete it when both Linux Node packages are listed, and
// npm scripts then fall back to the machine's Node 20, which Hardhat refuses. `arb`: npm links the commands of dependencies,
// not the project's own, so that `npx arb` would ask the registry for a stranger's package. Never fails an install.
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { carriedNode, root } from "./find-node.mjs";

export function linkBins() {
  const bin = path.join(root, "node_modules", ".bin");
  mkdirSync(bin, { recursive: true });
  const links = { arb: path.join(root, "bin", "arb.mjs"), node: carriedNode() };
  for (const [name, target] of Object.entries(links)) {
    if (target === undefined) continue;
    rmSync(path.join(bin, name), { force: true });
    symlinkSync(path.relative(bin, target), path.join(bin, name));
  }
}

if (process.argv[1] === import.meta.filename) {
  try {
    linkBins();
  } catch (error) {
    console.error(`could not link into node_modules/.bin: ${error.message}`);
  }
}
