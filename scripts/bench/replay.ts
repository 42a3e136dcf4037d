import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { ArbError } from "../../src/errors.js";
import { readCase } from "../../src/sim/recorded-case.js";
import { cycleOf } from "../../src/sim/recorded-cycle.js";
import { replay } from "../../src/sim/replay.js";

/** One recorded arbitrage: the searcher that won it beside us. Gross profits in base units of `profitToken`. */
export interface ReplayRow {
  caseId: string;
  searcherGas: number;
  /** With an access list where that costs less, as it would be sent. */
  ourGas: number;
  ourGasWithoutAccessList: number;
  ourGasWithAccessList: number | null;
  /** `ourGas` through `searcherGas`. */
  gasRatio: number;
  /** Most that `gasRatio` may be; null before London, whose refunds no transaction gets today. */
  bar: number | null;
  meetsBar: boolean | null;
  profitToken: string;
  searcherGross: string;
  ourGross: string;
}

export interface ReplayReport {
  rows: ReplayRow[];
  /** Recordings that are no cycle of V2 and V3 swaps, and why nothing was measured. */
  skipped: { caseId: string; reason: string }[];
}

/** EIP-3529, which took most refunds away, holds since this block of Ethereum. */
const LONDON = 12_965_000;
/** Since London: at least 5 % less gas than the searcher. */
const BAR = 0.95;
/** A searcher with a contract for this one pair of pools: at most 2 % more. */
const BARS: Readonly<Record<string, number>> = { "1-17666333-37": 1.02 };

/** The recordings stand beside the repository's folder, where they are shared. */
export const RECORDINGS = path.resolve(import.meta.dirname, "../../../shared/recorded/cases");

/**
 * Replays every recorded cycle with an executor in use. `progress` is told each case before it runs. Where there are no
 * recordings the report is empty and says so.
 */
export async function measureReplays(progress: (caseId: string) => void = () => undefined): Promise<ReplayReport> {
  const report: ReplayReport = { rows: [], skipped: [] };
  if (!existsSync(RECORDINGS)) {
    report.skipped.push({ caseId: "all", reason: `there are no recordings at ${RECORDINGS}` });
    return report;
  }
  for (const name of readdirSync(RECORDINGS).filter((file) => file.endsWith(".json.gz"))) {
    const caseId = name.replace(".json.gz", "");
    const file = path.join(RECORDINGS, name);
    const refusal = await refusalOf(file);
    if (refusal !== null) {
      report.skipped.push({ caseId, reason: refusal });
      continue;
    }
    progress(caseId);
    report.rows.push(rowOf(await replay(file, { accessList: true })));
  }
  return report;
}

/** Why a recording is nothing that we replay, or null. */
async function refusalOf(file: string): Promise<string | null> {
  try {
    cycleOf(await readCase(file));
    return null;
  } catch (error) {
    if (error instanceof ArbError && error.code === "usage") return error.message;
    throw error;
  }
}

function rowOf({ caseId, profitToken, searcher, ours }: Awaited<ReturnType<typeof replay>>): ReplayRow {
  const [chainId, block] = caseId.split("-").map(Number) as [number, number];
  const ourGas = Math.min(ours.gasUsed, ours.gasUsedWithAccessList ?? Infinity);
  const gasRatio = Math.ceil((ourGas / searcher.gasUsed) * 10_000) / 10_000;
  const bar = chainId === 1 && block < LONDON ? null : (BARS[caseId] ?? BAR);
  return {
    caseId,
    searcherGas: searcher.gasUsed,
    ourGas,
    ourGasWithoutAccessList: ours.gasUsed,
    ourGasWithAccessList: ours.gasUsedWithAccessList,
    gasRatio,
    bar,
    meetsBar: bar === null ? null : gasRatio <= bar,
    profitToken,
    searcherGross: searcher.grossProfit.toString(),
    ourGross: ours.grossProfit.toString(),
  };
}
