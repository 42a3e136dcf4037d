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

/** The three lists that `arb demo` and `arb execute` report with --json. Amounts are decimal strings of base units. */
export interface Report {
  trades: unknown[];
  rejected: unknown[];
  reverted: unknown[];
  unknown: unknown[];
}

export function reportOf(outcomes: readonly Outcome[]): Report {
  const report: Report = { trades: [], rejected: [], reverted: [], unknown: [] };
  for (const outcome of outcomes) {
    switch (outcome.status) {
      case "landed": {
        const {
          opportunityId,
          chainId,
          path,
          funding,
          amountIn,
          expectedProfit,
          profit,
          profitToken,
          gasUsed,
          feeWei,
          txHash,
          seconds,
        } = outcome.trade;
        report.trades.push({
          opportunityId,
          chainId,
          path,
          funding,
          amountIn: amountIn.toString(),
          expectedProfit: expectedProfit.toString(),
          profit: profit.toString(),
          profitToken,
          gasUsed: Number(gasUsed),
          feeWei: feeWei.toString(),
          txHash,
          seconds,
        });
        break;
      }
      case "rejected": {
        const { opportunityId, reason, detail, where } = outcome.rejection;
        report.rejected.push({ opportunityId, reason, detail, ...(where === null ? {} : { where }) });
        break;
      }
      case "reverted": {
        const { opportunityId, txHash } = outcome.trade;
        const { reason, gasUsed, feeWei } = outcome;
        report.reverted.push({ opportunityId, txHash, reason, gasUsed: Number(gasUsed), feeWei: feeWei.toString() });
        break;
      }
      case "unknown": {
        const { opportunityId, txHash } = outcome.trade;
        report.unknown.push({ opportunityId, txHash, reason: outcome.reason });
        break;
      }
    }
  }
  return report;
}
