// Tells whether dist/ was built from the sources that lie here now.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { root } from "./find-node.mjs";

export const stampFile = path.join(root, "dist", ".built-from");

/** Digest of everything that goes into dist/. */
export function sourceHash() {
  const hash = createHash("sha256");
  for (const part of ["contracts", "src", "hardhat.config.ts", "tsconfig.json", "tsconfig.build.json", "package-lock.json"]) {
    for (const file of filesOf(path.join(root, part))) hash.update(path.relative(root, file)).update(readFileSync(file));
  }
  return hash.digest("hex");
}

/** True where there are no sources (an installed package) or dist/ was built from them. */
export function isBuilt() {
  if (!existsSync(path.join(root, "src"))) return true;
  return existsSync(stampFile) && readFileSync(stampFile, "utf8") === sourceHash();
}

function filesOf(at) {
  const isFolder = existsSync(at) && !/\.(ts|json)$/.test(at);
  if (!isFolder) return existsSync(at) ? [at] : [];
  return readdirSync(at, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => path.join(e.parentPath, e.name))
    .toSorted();
}
