// solc in this process: one load of the compiler serves thousands of mutants.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { root } from "../setup/find-node.mjs";

const require = createRequire(import.meta.url);
let solc;

/** Sources by path, as solc names them: all of contracts/ but the local world's. */
export function readSources() {
  const files = readdirSync(path.join(root, "contracts"), { recursive: true })
    .map((file) => path.posix.join("contracts", file.split(path.sep).join("/")))
    .filter((file) => file.endsWith(".sol") && !file.startsWith("contracts/sim/"))
    .toSorted((a, b) => (a < b ? -1 : 1));
  return Object.fromEntries(files.map((file) => [file, readFileSync(path.join(root, file))]));
}

/** Files that are mutated: those with code of the product. */
export const isTarget = (file) => !file.startsWith("contracts/interfaces/");

/** [name, file] of each contract that a target file defines. */
export function contractNames(sources) {
  return Object.keys(sources)
    .filter(isTarget)
    .flatMap((file) => [...sources[file].toString().matchAll(/^(?:abstract )?contract (\w+)/gm)].map(([, name]) => [name, file]));
}

/** The file itself and all that it imports. */
export function importsOf(sources, file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, imported] of sources[file].toString().matchAll(/^import [^"]*"([^"]+)"/gm)) {
    importsOf(sources, path.posix.join(path.posix.dirname(file), imported), found);
  }
  return found;
}

/** solc's answer; `settings` are Hardhat's of the product. */
export function compile(sources, settings, outputSelection) {
  solc ??= require("solc-0.8.37/wrapper.js")(require("solc-0.8.37/soljson.js"));
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(Object.entries(sources).map(([file, content]) => [file, { content: content.toString() }])),
    settings: { ...settings, outputSelection },
  };
  return JSON.parse(solc.compile(JSON.stringify(input)));
}

/** Syntax trees by file. */
export function parse(sources) {
  const { sources: parsed, errors } = compile(sources, {}, { "*": { "": ["ast"] } });
  const fatal = errors?.find(({ severity }) => severity === "error");
  if (fatal) throw new Error(fatal.formattedMessage);
  return Object.fromEntries(Object.entries(parsed).map(([file, { ast }]) => [file, ast]));
}

/**
 * Creation code by contract name, of the contracts that can be deployed; null if the sources do not compile. `solidity` is Hardhat's
 * configuration: files with settings of their own are compiled with those.
 */
export function bytecodes(sources, solidity, names) {
  const overrides = solidity.overrides ?? {};
  const files = Object.keys(sources).filter(isTarget);
  const groups = [
    [solidity.compilers[0].settings, files.filter((file) => !overrides[file])],
    ...Object.entries(overrides).map(([file, { settings }]) => [settings, [file]]),
  ];
  const codes = {};
  for (const [settings, group] of groups) {
    const wanted = names ? Object.fromEntries(names.map((name) => [name, CODE])) : { "*": CODE };
    // files that define none of them are only imported
    if (names && !group.some((file) => names.some((name) => file.endsWith(`/${name}.sol`)))) continue;
    const { contracts, errors } = compile(sources, settings, Object.fromEntries(group.map((file) => [file, wanted])));
    if (errors?.some(({ severity }) => severity === "error")) return null;
    for (const file of group) {
      for (const [name, { evm }] of Object.entries(contracts?.[file] ?? {})) {
        if (evm.bytecode.object) codes[name] = "0x" + evm.bytecode.object;
      }
    }
  }
  return codes;
}
const CODE = ["evm.bytecode.object"];
