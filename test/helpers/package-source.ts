import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { type Artifact, artifactOf, packageText } from "../../src/sim/artifacts.js";

/** Contracts of packages that publish their source only. Compiled with our solc, once: the result is kept under cache/. */

const require = createRequire(import.meta.url);
const folder = path.resolve(import.meta.dirname, "../../cache/package-sources");
const SETTINGS = { optimizer: { enabled: true, runs: 999_999 }, evmVersion: "cancun" };
const MORPHO = ".extracts/@morpho-org/morpho-blue@1.0.0/src";

/** Morpho Blue as its package has it, for tests and measurements only (BUSL-1.1). */
export function morphoBlue(): Artifact {
  return compiled(MORPHO, "Morpho.sol", "Morpho");
}

/** A contract out of a folder under node_modules. The sources pin other compilers: only their pragma is changed. */
function compiled(root: string, file: string, name: string): Artifact {
  const sources: Record<string, { content: string }> = {};
  const add = (at: string): void => {
    if (at in sources) return;
    const content = packageText(`${root}/${at}`).replace(/pragma solidity [^;]+;/, "pragma solidity ^0.8.0;");
    sources[at] = { content };
    for (const [, imported] of content.matchAll(/^import [^"]*"(\.[^"]+)"/gm)) {
      add(path.posix.join(path.posix.dirname(at), imported!));
    }
  };
  add(file);
  const selection = { [file]: { [name]: ["abi", "evm.bytecode.object"] } };
  const input = JSON.stringify({ language: "Solidity", sources, settings: { ...SETTINGS, outputSelection: selection } });
  const kept = path.join(folder, `${name}-${createHash("sha256").update(input).digest("hex").slice(0, 16)}.json`);
  if (!existsSync(kept)) {
    const { contracts, errors = [] } = JSON.parse(solc().compile(input)) as Output;
    const fatal = errors.find(({ severity }) => severity === "error");
    if (fatal !== undefined) throw new Error(fatal.formattedMessage);
    const { abi, evm } = contracts[file]![name]!;
    mkdirSync(folder, { recursive: true });
    writeFileSync(kept, JSON.stringify({ abi, bytecode: evm.bytecode.object }));
  }
  return artifactOf(readFileSync(kept, "utf8"));
}

interface Output {
  contracts: Record<string, Record<string, { abi: unknown[]; evm: { bytecode: { object: string } } }>>;
  errors?: { severity: string; formattedMessage: string }[];
}

function solc(): { compile(input: string): string } {
  const wrap = require("solc-0.8.37/wrapper.js") as (compiler: unknown) => { compile(input: string): string };
  return wrap(require("solc-0.8.37/soljson.js"));
}
