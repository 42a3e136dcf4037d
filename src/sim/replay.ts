import { getAddress } from "ethers";
import { ArbError } from "../errors.js";
import { MAX_HOPS } from "../plan/codec.js";
import type { Plan } from "../plan/plan.js";
import { quoteExactIn, quoteExactOut } from "../venues/swap.js";
import type { Pool, PoolKind } from "../venues/venue.js";
import type { UnrecordedRead } from "./recorded.js";
import { type RecordedCase, readCase } from "./recorded-case.js";
import { type Cycle, cycleOf } from "./recorded-cycle.js";
import { forkRecording, type RecordedFork } from "./recorded-fork.js";
import { readPool } from "./recorded-pools.js";
import { type Run, runPlan } from "./replay-run.js";

export interface ReplayOptions {
  /** Executes without the unit of the profit token that an executor in use keeps: about 17,000 gas more. */
  cold?: boolean;
}

/** A swap of our transaction, amounts in base units. */
export interface ReplayHop {
  /** The recording's name of the venue. */
  venue: string;
  kind: PoolKind;
  pool: string;
  feePips: number;
  tokenIn: string;
  tokenOut: string;
  amountIn: bigint;
  amountOut: bigint;
}

/** Gross profits are in base units of the profit token, before tip and gas. */
export interface ReplayResult {
  caseId: string;
  chainId: number;
  profitToken: string;
  searcher: { grossProfit: bigint; gasUsed: number };
  ours: {
    grossProfit: bigint;
    gasUsed: number;
    amountIn: bigint;
    hops: ReplayHop[];
    /** `optimum`: our own size. `recorded`: the searcher's, for the reason in `note`. */
    sizing: "optimum" | "recorded";
    note: string | null;
    /** What our formulas said the transaction would bring; null where they do not cover a pool. */
    estimatedProfit: bigint | null;
    /** Whether the executor held a unit of the profit token before. */
    dust: boolean;
  };
  /** State that our transaction read and the recording does not hold, with whose it is. */
  unrecordedReads: (UnrecordedRead & { of: "pool" | "token" | "other" })[];
}

/** Amounts before the first and after each hop: hop i swaps amounts[i] to amounts[i + 1]. */
type Amounts = bigint[];

interface Attempt {
  sizing: "optimum" | "recorded";
  plan: Plan;
  /** Null where our formulas do not cover a pool. */
  estimate: bigint | null;
}
