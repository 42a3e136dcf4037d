// Several npm versions delete node_modules/.bin/node when both Linux Node packages are listed; npm scripts then
// fall back to the machine's Node 20, which Hardhat refuses. Puts the link back. Never fails an install.
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { carriedNode, root } from "./find-node.mjs";

export function linkNode() {
  const node = carriedNode();
  if (!node) return;
  const bin = path.join(root, "node_modules", ".bin");
  mkdirSync(bin, { recursive: true });
  rmSync(path.join(bin, "node"), { force: true });
  symlinkSync(path.relative(bin, node), path.join(bin, "node"));
}

if (process.argv[1] === import.meta.filename) {
  try {
    linkNode();
  } catch (error) {
    console.error(`could not link node_modules/.bin/node: ${error.message}`);
  }
}
