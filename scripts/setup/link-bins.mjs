// Puts two links into node_modules/.bin. `node`: several npm versions delete it when both Linux Node packages are listed, and
// npm scripts then fall back to the machine's Node 20, which Hardhat refuses. `arb`: npm links the commands of dependencies,
// not the project's own, so that `npx arb` would ask the registry for a stranger's package. Never fails an install.
import { lstatSync, mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { carriedNode, root } from "./find-node.mjs";

const bin = path.join(root, "node_modules", ".bin");

export function linkBins() {
  mkdirSync(bin, { recursive: true });
  link("arb", path.join(root, "bin", "arb.mjs"));
  const node = carriedNode();
  if (node) link("node", node);
}

function link(name, file) {
  const at = path.join(bin, name);
  const target = path.relative(bin, file);
  if (lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() && readlinkSync(at) === target) return;
  // in one step: other npm scripts may be starting by this link
  const own = `${at}.${process.pid}`;
  rmSync(own, { force: true });
  symlinkSync(target, own);
  renameSync(own, at);
}

if (process.argv[1] === import.meta.filename) {
  try {
    linkBins();
  } catch (error) {
    console.error(`could not link into node_modules/.bin: ${error.message}`);
  }
}
