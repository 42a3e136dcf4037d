// Finds a Node that Hardhat accepts. Runs on Node 20 with nothing installed.
import { existsSync } from "node:fs";
import path from "node:path";
import process from "node:process";

export const root = path.resolve(import.meta.dirname, "..", "..");
export const MIN_NODE = "22.13.0";

/** True when version `a` ("v24.21.0") is at least `b` ("22.13.0"). */
export function atLeast(a, b) {
  const x = a.replace(/^v/, "").split(".").map(Number);
  const y = b.split(".").map(Number);
  for (let i = 0; i < 3; i++) if (x[i] !== y[i]) return x[i] > y[i];
  return true;
}

/** Path of the Node that the optional package node-linux-* brought, or undefined. */
export function carriedNode() {
  const file = path.join(root, "node_modules", `node-${process.platform}-${process.arch}`, "bin", "node");
  return existsSync(file) ? file : undefined;
}

/** Path of a Node >= 22.13: the one running now, else the carried one. Throws with what to do. */
export function findNode() {
  if (atLeast(process.version, MIN_NODE)) return process.execPath;
  const carried = carriedNode();
  if (carried) return carried;
  throw new Error(
    `This needs Node ${MIN_NODE} or newer; the one running is ${process.version} and no npm package brings Node to ` +
      `${process.platform}-${process.arch}. Install Node 24 (https://nodejs.org) and run the same command again.`,
  );
}
