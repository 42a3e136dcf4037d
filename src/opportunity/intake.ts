/** Where opportunities come in: lines of a pipe, a file, or a value of another part of the program. */
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { ArbError } from "../errors.js";
import { type CrossChainOpportunity, isCrossChain, validateCrossChain } from "./cross-chain.js";
import { parseJson } from "./json.js";
import type { Opportunity } from "./opportunity.js";
import type { Rejection, Result } from "./reject.js";
import { type ValidationContext, validateOpportunity } from "./validate.js";

export const MAX_LINE_BYTES = 64 * 1024;
const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** Ids older than this many opportunities are forgotten, so that an endless stream needs no endless memory. */
const REMEMBERED_IDS = 100_000;
const NEWLINE = 0x0a;

/** On one chain, or across two: only the latter has `buy` and `sell`. */
export type AnyOpportunity = Opportunity | CrossChainOpportunity;

export interface IntakeItem {
  /** Line of the input, from 1; null where it was no line. */
  line: number | null;
  result: Result<AnyOpportunity>;
}

/** Checks opportunities one by one and refuses an id that was already taken in. */
export interface Intake {
  /** A parsed value, e.g. of the program's own finder. */
  value(value: unknown): Result<AnyOpportunity>;
  /** One JSON text. `place` names it in `where`. */
  text(text: string, place: string | null): Result<AnyOpportunity>;
}

/** `context` is asked anew for every opportunity: time goes on, and settings may change. */
export function createIntake(context: () => ValidationContext): Intake {
  const seen = new Map<string, string>();
  const take = (value: unknown, place: string | null): Result<AnyOpportunity> => {
    const result = isCrossChain(value) ? validateCrossChain(value, context()) : validateOpportunity(value, context());
    if (!result.ok) return { ok: false, rejection: { ...result.rejection, where: join(place, result.rejection.where) } };
    const { id } = result.value;
    const earlier = seen.get(id);
    if (earlier !== undefined) return refuse(id, `the id "${id}" was already used by ${earlier}`, join(place, "id"));
    seen.set(id, place ?? "an earlier opportunity");
    if (seen.size > REMEMBERED_IDS) seen.delete(seen.keys().next().value!);
    return result;
  };
  return {
    value: (value) => take(value, null),
    text: (text, place) => {
      const parsed = parseJson(text);
      if (parsed.ok) return take(parsed.value, place);
      const column = `column ${parsed.column}`;
      return refuse(
        null,
        parsed.detail,
        join(place, parsed.line === 1 && place !== null ? column : `line ${parsed.line}, ${column}`),
      );
    },
  };
}

/**
 * Opportunities of a JSON-lines stream (one object a line, UTF-8, at most 64 KiB each). A bad line is refused and the next one
 * read; blank lines are skipped. Ends with the stream.
 */
export async function* intakeLines(stream: AsyncIterable<Uint8Array | string>, intake: Intake): AsyncGenerator<IntakeItem> {
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  for await (const { line, bytes } of splitLines(stream)) {
    const place = `line ${line}`;
    if (bytes === null) {
      yield { line, result: refuse(null, `the line is longer than ${MAX_LINE_BYTES} bytes`, place) };
      continue;
    }
    let text: string;
    try {
      text = utf8.decode(bytes);
    } catch {
      yield { line, result: refuse(null, "the line is not valid UTF-8", place) };
      continue;
    }
    if (text.trim() === "") continue;
    yield { line, result: intake.text(text, place) };
  }
}

/** Opportunities of a file: `.json` holds one object or a list of them, any other name one object a line. Throws ArbError "usage". */
export async function* intakeFile(path: string, intake: Intake): AsyncGenerator<IntakeItem> {
  const facts = await stat(path).catch((cause: unknown) => {
    throw new ArbError("usage", `cannot read ${path}`, {
      where: path,
      hint: "give the path of a file with opportunities",
      cause,
    });
  });
  if (!facts.isFile()) throw new ArbError("usage", `${path} is not a file`, { where: path });
  if (!path.endsWith(".json")) {
    yield* intakeLines(createReadStream(path), intake);
    return;
  }
  if (facts.size > MAX_FILE_BYTES) {
    throw new ArbError("usage", `${path} has ${facts.size} bytes, more than ${MAX_FILE_BYTES}`, {
      where: path,
      hint: "use one object a line (.jsonl)",
    });
  }
  const text = await readFile(path, "utf8");
  const parsed = parseJson(text);
  if (!parsed.ok || !Array.isArray(parsed.value)) {
    yield { line: null, result: intake.text(text, null) };
    return;
  }
  for (const [i, value] of (parsed.value as unknown[]).entries()) {
    const result = intake.value(value);
    if (!result.ok) result.rejection.where = join(`[${i}]`, result.rejection.where);
    yield { line: null, result };
  }
}

/** Lines with their numbers; `bytes` is null where a line is too long, of which no more than the limit is ever kept. */
async function* splitLines(
  stream: AsyncIterable<Uint8Array | string>,
): AsyncGenerator<{ line: number; bytes: Uint8Array | null }> {
  let line = 1;
  let parts: Uint8Array[] = [];
  let size = 0;
  const take = (part: Uint8Array): void => {
    size += part.length;
    if (size > MAX_LINE_BYTES) parts = [];
    else if (part.length > 0) parts.push(part);
  };
  const finish = (): { line: number; bytes: Uint8Array | null } => {
    const done = { line, bytes: size > MAX_LINE_BYTES ? null : Buffer.concat(parts) };
    line += 1;
    parts = [];
    size = 0;
    return done;
  };
  for await (const chunk of stream) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      take(bytes.subarray(from, end));
      yield finish();
      from = end + 1;
    }
    take(bytes.subarray(from));
  }
  if (size > 0) yield finish();
}

function refuse(opportunityId: string | null, detail: string, where: string | null): { ok: false; rejection: Rejection } {
  return { ok: false, rejection: { opportunityId, reason: "malformed", detail, where } };
}

function join(place: string | null, where: string | null): string | null {
  if (place === null || where === null) return place ?? where;
  return `${place}, ${where}`;
}
