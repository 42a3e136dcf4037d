import { ArbError } from "../errors.js";
import { ErrorHandler } from "../execution/error-handler.js";
import type { Outcome } from "../execution/outcome.js";

/** What every command prints with: data on stdout, commentary on stderr. */
export interface Output {
  json: boolean;
  /** One result: an object with --json, else the text. */
  result(value: unknown, text: () => string): void;
  /** Commentary for a person; silent with --quiet. */
  note(text: string): void;
}

export function makeOutput(options: { json?: boolean; quiet?: boolean }): Output {
  const json = options.json === true;
  return {
    json,
    result(value, text) {
      process.stdout.write(`${json ? toJson(value) : text()}\n`);
    },
    note(text) {
      if (options.quiet !== true) process.stderr.write(`${text}\n`);
    },
  };
}

/** JSON with bigints as decimal strings: a JSON number would lose digits. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) => (typeof v === "bigint" ? v.toString() : v));
}

/** Prints an error (on stderr, with --json as one object) and gives the exit code of docs/cli.md. */
export function printError(error: unknown, json: boolean): number {
  const { code, message, where, hint } = new ErrorHandler().describe(error);
  if (json) process.stderr.write(`${toJson({ error: { code, message, where, hint } })}\n`);
  else {
    process.stderr.write(`arb: ${message}${where === null ? "" : ` (at ${where})`}\n`);
    if (hint !== null) process.stderr.write(`     ${hint}\n`);
  }
  return error instanceof ArbError ? error.exitCode : 1;
}

/** What `arb demo` reports with --json. Amounts are decimal strings of base units. `unknown` only where there are some. */
export interface Report {
  trades: object[];
  rejected: object[];
  reverted: object[];
  unknown?: object[];
}

export function reportOf(outcomes: readonly Outcome[]): Report {
  const of = (status: Outcome["status"]) =>
    outcomes
      .filter((o) => o.status === status)
      .map((o) => {
        const { status: _, ...rest } = outcomeJson(o);
        return rest;
      });
  const unknown = of("unknown");
  const report = { trades: of("landed"), rejected: of("rejected"), reverted: of("reverted") };
  return unknown.length > 0 ? { ...report, unknown } : report;
}

/** One outcome as a flat object, as `arb execute --json` prints them line by line. */
export function outcomeJson(outcome: Outcome): { status: Outcome["status"] } & Record<string, unknown> {
  const { status } = outcome;
  switch (outcome.status) {
    case "landed": {
      const { blockNumber, minProfit: _, ...trade } = outcome.trade;
      const final = trade.journal === "final";
      return { status, ...trade, gasUsed: Number(trade.gasUsed), block: blockNumber, final };
    }
    case "dry-run": {
      const { txHash: _, ...trade } = outcome.trade;
      return { status, ...trade };
    }
    case "rejected": {
      const { opportunityId, reason, detail, where } = outcome.rejection;
      return { status, opportunityId, reason, detail, ...(where === null ? {} : { where }) };
    }
    case "reverted": {
      const { opportunityId, chainId, txHash } = outcome.trade;
      return {
        status,
        opportunityId,
        chainId,
        txHash,
        reason: outcome.reason,
        gasUsed: Number(outcome.gasUsed),
        feeWei: outcome.feeWei,
      };
    }
    case "unknown": {
      const { opportunityId, chainId, txHash } = outcome.trade;
      return { status, opportunityId, chainId, txHash, reason: outcome.reason };
    }
  }
}
