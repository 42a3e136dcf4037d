/** Strict JSON with the place of every fault. */
import { type Node as JsonNode, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";

/** Deeper input is refused before a recursive parser sees it. */
const MAX_DEPTH = 16;

export type Parsed = { ok: true; value: unknown } | { ok: false; detail: string; line: number; column: number };

/**
 * Parses JSON (RFC 8259: no comments, no trailing commas) and also refuses what JSON.parse lets pass: a key that stands twice (which
 * of the two is meant?) and the key "__proto__". Line and column count from 1.
 */
export function parseJson(text: string): Parsed {
  const fault = (offset: number, detail: string): Parsed => {
    const before = text.slice(0, offset).split("\n");
    return { ok: false, detail, line: before.length, column: before.at(-1)!.length + 1 };
  };
  const deep = tooDeep(text);
  if (deep !== null) return fault(deep, `more than ${MAX_DEPTH} levels of nesting`);
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false, allowEmptyContent: false });
  const first = errors[0];
  if (first !== undefined) return fault(first.offset, `not valid JSON: ${words(printParseErrorCode(first.error))}`);
  if (root === undefined) return fault(0, "not valid JSON: empty");
  const badKey = findBadKey(root);
  if (badKey !== null) return fault(badKey.offset, badKey.detail);
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch (error) {
    // the tree's parser is the laxer one in places (a byte order mark, a leading zero)
    return fault(0, `not valid JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Offset at which the nesting gets too deep, or null. Brackets in strings do not count. */
function tooDeep(text: string): number | null {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const symbol = text[i];
    if (inString) {
      if (symbol === "\\") i++;
      else if (symbol === '"') inString = false;
    } else if (symbol === '"') inString = true;
    else if (symbol === "{" || symbol === "[") depth++;
    else if (symbol === "}" || symbol === "]") depth--;
    if (depth > MAX_DEPTH) return i;
  }
  return null;
}

function findBadKey(node: JsonNode): { offset: number; detail: string } | null {
  const seen = new Set<string>();
  for (const child of node.children ?? []) {
    if (child.type === "property") {
      const [key, value] = child.children ?? [];
      const name = String(key?.value);
      if (name === "__proto__") return { offset: child.offset, detail: 'unknown field "__proto__"' };
      if (seen.has(name)) return { offset: child.offset, detail: `the field "${name}" stands twice` };
      seen.add(name);
      const below = value === undefined ? null : findBadKey(value);
      if (below !== null) return below;
    } else {
      const below = findBadKey(child);
      if (below !== null) return below;
    }
  }
  return null;
}

/** "PropertyNameExpected" as "property name expected". */
function words(code: string): string {
  return code
    .replaceAll(/([A-Z])/g, " $1")
    .trim()
    .toLowerCase();
}
