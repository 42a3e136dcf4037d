// Several npm versions delete node_modules/.bin/node when both Linux Node packages are listed; npm scripts then
// fall back to the machine's Node 20, which Hardhat refuses. Puts the link back. Never fails an install.
import { lstatSync, mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { carriedNode, root } from "./find-node.mjs";

export function linkNode() {
  const node = carriedNode();
  if (!node) return;
  const bin = path.join(root, "node_modules", ".bin");
  const link = path.join(bin, "node");
  const target = path.relative(bin, node);
  if (lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() && readlinkSync(link) === target) return;
  mkdirSync(bin, { recursive: true });
  // in one step: other npm scripts may be starting by this link
  const own = `${link}.${process.pid}`;
  rmSync(own, { force: true });
  symlinkSync(target, own);
  renameSync(own, link);
}

if (process.argv[1] === import.meta.filename) {
  try {
    linkNode();
  } catch (error) {
    console.error(`could not link node_modules/.bin/node: ${error.message}`);
  }
}
