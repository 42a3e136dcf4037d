/**
 * Every failure the program reports is an ArbError: what failed, where, and what the user can do. The process exit code
 * follows from its code, see docs/cli.md.
 */
export const EXIT_CODES = {
  ok: 0,
  internal: 1,
  usage: 2,
  config: 3,
  secrets: 4,
  network: 5,
  reverted: 6,
  refused: 7,
  "no-profit": 8,
  locked: 9,
  timeout: 10,
} as const;

export type ErrorCode = Exclude<keyof typeof EXIT_CODES, "ok">;

/** Narrower reasons of a refusal, for the rejections of src/opportunity/reject.ts. */
export type RefusalReason = "insufficient-gas-funds" | "after-not-bundled";

export interface ErrorDetails {
  /** Place of the fault: a JSON path ("legs[1].pool"), a file with line and column, a chain, a transaction hash. */
  where?: string;
  /** What the user can do about it. */
  hint?: string;
  reason?: RefusalReason;
  /** What a call would revert with. */
  revertData?: string;
  cause?: unknown;
}

export class ArbError extends Error {
  readonly code: ErrorCode;
  readonly where: string | undefined;
  readonly hint: string | undefined;
  readonly reason: RefusalReason | undefined;
  readonly revertData: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.name = "ArbError";
    this.code = code;
    this.where = details.where;
    this.hint = details.hint;
    this.reason = details.reason;
    this.revertData = details.revertData;
  }

  get exitCode(): number {
    return EXIT_CODES[this.code];
  }
}
