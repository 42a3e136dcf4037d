import { wordlists } from "ethers";
import { createScanner, findNodeAtLocation, type Node } from "jsonc-parser";
import type { z } from "zod";
import { ArbError } from "../errors.js";
import { configJsonSchema } from "./schema.js";

export type Path = (string | number)[];

/** One thing that is wrong with a configuration. */
export interface Fault {
  path: Path;
  message: string;
  /** The fault is the last key of the path, not its value. */
  atKey?: boolean;
}

/** Throws all faults of a file as one ArbError "config", each with its line and column. */
export function fail(text: string, file: string, tree: Node, faults: Fault[]): never {
  const lines = faults.map((f) => `${place(text, file, offsetOf(tree, f))} ${dotted(f.path)} ${f.message}`);
  throw new ArbError("config", [...new Set(lines)].join("\n"), { where: place(text, file, offsetOf(tree, faults[0])) });
}

/** "file:line:column" of an offset. */
export function place(text: string, file: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  return `${file}:${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
}

/** networks.base.rpc[0] */
function dotted(path: Path): string {
  return path.map((p, i) => (typeof p === "number" ? `[${p}]` : i === 0 ? p : `.${p}`)).join("");
}

/** Offset of a fault; what is missing is shown at the nearest thing around it. */
function offsetOf(tree: Node, fault: Fault | undefined): number {
  const path = fault?.path ?? [];
  for (let length = path.length; length >= 0; length--) {
    const node = findNodeAtLocation(tree, path.slice(0, length));
    if (node) return (fault?.atKey && length === path.length ? node.parent : node)?.offset ?? 0;
  }
  return 0;
}

/** The path of a key that its object has twice: JSON would silently keep the last one. */
export function findDuplicate(node: Node, path: Path): Path | null {
  const seen = new Set<string>();
  for (const [i, child] of (node.children ?? []).entries()) {
    const value = node.type === "object" ? child.children?.[1] : child;
    const key: string | number = node.type === "object" ? String(child.children?.[0]?.value) : i;
    if (typeof key === "string" && seen.has(key)) return [...path, key];
    if (typeof key === "string") seen.add(key);
    const below = value ? findDuplicate(value, [...path, key]) : null;
    if (below) return below;
  }
  return null;
}

/** Deeper files are refused before a recursive parser sees them. */
export const MAX_DEPTH = 16;

/** Offset at which a file's nesting gets too deep, or null. */
export function tooDeep(text: string): number | null {
  const scanner = createScanner(text, true);
  let depth = 0;
  for (scanner.scan(); scanner.getTokenLength() > 0; scanner.scan()) {
    if (scanner.getTokenLength() > 1) continue;
    const token = text[scanner.getTokenOffset()];
    if (token === "{" || token === "[") depth++;
    if (token === "}" || token === "]") depth--;
    if (depth > MAX_DEPTH) return scanner.getTokenOffset();
  }
  return null;
}

/** Our words for what zod found. No message repeats a value of the file. */
export function faultsOf(issue: z.core.$ZodIssue): Fault[] {
  const path = issue.path.map((p) => (typeof p === "number" ? p : String(p)));
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => {
      const known = keysAt(path);
      const near = nearest(key, known);
      const help = near === null ? `; known here: ${known.join(", ")}` : `; did you mean "${near}"?`;
      return { path: [...path, key], message: `is no setting${help}`, atKey: true };
    });
  if (issue.code === "invalid_type" && issue.message.endsWith("received undefined")) return [{ path, message: "is missing" }];
  if (issue.code === "invalid_type")
    return [{ path, message: issue.message.replace("Invalid input: expected", "must be of type") }];
  if (issue.code === "invalid_value")
    return [{ path, message: `must be ${issue.values.map((v) => JSON.stringify(v)).join(" or ")}` }];
  return [{ path, message: issue.message }];
}

interface SchemaNode {
  properties?: Record<string, SchemaNode>;
  items?: SchemaNode;
}

/** The settings that an object of the configuration may have. */
function keysAt(path: Path): string[] {
  let node: SchemaNode | undefined = configJsonSchema();
  for (const p of path) node = typeof p === "number" ? node?.items : node?.properties?.[p];
  return Object.keys(node?.properties ?? {});
}

/** The known key that differs by at most a third of its letters; null when none is that near. */
function nearest(key: string, known: string[]): string | null {
  const ranked = known.map((k) => ({ k, d: distance(key.toLowerCase(), k.toLowerCase()) })).toSorted((a, b) => a.d - b.d);
  const [best] = ranked;
  return best && best.d <= Math.max(2, Math.floor(best.k.length / 3)) ? best.k : null;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length] ?? 0;
}

/**
 * Refuses a file that holds a private key (64 hexadecimal digits) or a mnemonic (twelve words of BIP-39's list in a row), in
 * values, keys and comments alike. The message says where, never what. Ids of Balancer V2 pools have as many digits, but after the
 * pool's address a kind of 0 to 2 and a number below 65,536 in ten bytes (Vault, PoolRegistry._toPoolId): no key has that by chance.
 */
export function refuseSecrets(text: string, file: string): void {
  const key = /(?<![0-9a-fA-F])(0x)?(?![0-9a-fA-F]{40}000[012]0{16})[0-9a-fA-F]{64}(?![0-9a-fA-F])/.exec(text);
  const offset = key?.index ?? findMnemonic(text);
  if (offset === null) return;
  throw new ArbError("secrets", `${place(text, file, offset)} holds what looks like a private key or a mnemonic`, {
    where: place(text, file, offset),
    hint: 'treat it as known to others: move the funds to a new key. Then keep that in a keystore ("arb wallet create") and give its path',
  });
}

function findMnemonic(text: string): number | null {
  const words = wordlists["en"];
  let run = 0;
  let start = 0;
  for (const found of text.matchAll(/[A-Za-z]+/g)) {
    if (words && words.getWordIndex(found[0].toLowerCase()) >= 0) {
      if (run === 0) start = found.index;
      if (++run >= 12) return start;
    } else run = 0;
  }
  return null;
}
