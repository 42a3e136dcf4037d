import { getAddress } from "ethers";
import { ArbError } from "../errors.js";
import type { FundingOffer } from "../funding/funding.js";
import type { Opportunity } from "../opportunity/opportunity.js";
import type { Quote } from "../opportunity/quote.js";
import { tryQuote } from "../opportunity/quoter.js";
import { MAX_HOPS } from "../plan/codec.js";
import { planHop } from "../plan/plan-hop.js";
import type { Plan } from "../plan/plan.js";
import { encodeSteps } from "../plan/steps.js";
import type { Pool } from "../venues/venue.js";
import type { UnrecordedRead } from "./recorded.js";
import { type RecordedCase, readCase } from "./recorded-case.js";
import { type Cycle, cycleOf } from "./recorded-cycle.js";
import { forkRecording } from "./recorded-fork.js";
import { readPool } from "./recorded-pools.js";
import { type Run, runPlan } from "./replay-run.js";
import { type AnyKind, stepsCycleOf, stepsPlanOf } from "./replay-steps.js";

export interface ReplayOptions {
  /** Executes without the unit of the profit token that an executor in use keeps: about 17,000 gas more. */
  cold?: boolean;
  /** Executes once more with an access list, for `ours.gasUsedWithAccessList`. */
  accessList?: boolean;
}

/** A swap of our transaction, amounts in base units. */
export interface ReplayHop {
  /** The recording's name of the venue. */
  venue: string;
  kind: AnyKind;
  pool: string;
  /** 0 where the recording does not tell it. */
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
    /** Gas of the same transaction with an access list; null where it was not asked for. */
    gasUsedWithAccessList: number | null;
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

/** A plan to try, with what our formulas say it brings (null where they do not cover a pool). */
interface Candidate {
  sizing: "optimum" | "recorded";
  plan: Plan;
  estimate: bigint | null;
}

/** The cycle's own pools lend to it for nothing. */
const FLASH_SWAP: FundingOffer = { source: "flash-swap", lender: null, limit: null, fee: () => 0n };

/** Slack of the payment into the first pool where the amounts are the searcher's and not quoted: one millionth. */
const CAP_SLACK = 1_000_000n;

/**
 * Takes the pools of a recorded arbitrage as an opportunity, on the state right before it: sizes it, executes it through a
 * fresh executor in a block like the recorded one, and gives both results. Where our own size would read state that the
 * recording does not hold, the searcher's size is used instead.
 *
 * Cycles with Curve or Uniswap V4 pools run with the searcher's amounts, see `replaySteps`.
 *
 * Throws ArbError "usage" where the file is no case or the transaction no such cycle, and "reverted" where our
 * transaction fails.
 */
export async function replay(file: string, options: ReplayOptions = {}): Promise<ReplayResult> {
  const recording = await readCase(file);
  const steps = stepsCycleOf(recording);
  if (steps !== null) return await replaySteps(recording, steps, options);
  const cycle = cycleOf(recording);
  if (cycle.hops.length > MAX_HOPS) {
    throw new ArbError("usage", `the cycle has ${cycle.hops.length} hops, a plan has at most ${MAX_HOPS}`, {
      where: recording.id,
    });
  }
  const fork = await forkRecording(recording, "executor");
  try {
    const pools: (Pool | null)[] = [];
    for (const hop of cycle.hops) pools.push(await readPool(fork, hop));
    const run = (candidate: Candidate) =>
      runPlan(recording, fork, candidate.plan, { cold: options.cold ?? false, accessList: options.accessList ?? false });

    const optimum = quoteOptimum(recording, cycle, pools);
    let note: string | null = typeof optimum === "string" ? optimum : null;
    if (typeof optimum !== "string") {
      const tried = await run(optimum);
      note = faultOf(cycle, optimum, tried);
      if (note === null) return resultOf(recording, cycle, pools, optimum, tried, null);
    }
    const recorded = quoteRecorded(recording, cycle, pools);
    const done = await run(recorded);
    if (done.failure !== null) {
      throw new ArbError("reverted", `our transaction fails at the recorded amount: ${done.failure}`, {
        where: recording.id,
        hint: `the optimum was not taken: ${note}`,
      });
    }
    return resultOf(recording, cycle, pools, recorded, done, note);
  } finally {
    await fork.close();
  }
}

/** Executes a cycle that needs a plan of steps, with the searcher's amounts. Throws like `replay`. */
async function replaySteps(recording: RecordedCase, cycle: Cycle<AnyKind>, options: ReplayOptions): Promise<ReplayResult> {
  const profitToken = getAddress(cycle.profitToken);
  const runnable = { profitToken, hops: cycle.hops, data: encodeSteps(stepsPlanOf(recording, cycle)) };
  const fork = await forkRecording(recording, "executor");
  try {
    const run = await runPlan(recording, fork, runnable, {
      cold: options.cold ?? false,
      accessList: options.accessList ?? false,
    });
    if (run.failure !== null) {
      throw new ArbError("reverted", `our transaction fails at the recorded amounts: ${run.failure}`, { where: recording.id });
    }
    const hops = cycle.hops.map(({ pool, feePips, tokenIn, tokenOut, ...hop }) => ({
      ...hop,
      pool: getAddress(pool),
      feePips: feePips ?? 0,
      tokenIn: getAddress(tokenIn),
      tokenOut: getAddress(tokenOut),
    }));
    return {
      caseId: recording.id,
      chainId: recording.chainId,
      profitToken,
      searcher: { grossProfit: cycle.grossProfit, gasUsed: Number(recording.receipt.gasUsed) },
      ours: {
        grossProfit: run.profit,
        gasUsed: run.gasUsed,
        gasUsedWithAccessList: run.gasUsedWithAccessList,
        amountIn: hops[0]!.amountIn,
        hops,
        sizing: "recorded",
        note: "the searcher's amounts: our formulas do not cover Curve and Uniswap V4 pools",
        estimatedProfit: null,
        dust: run.dust,
      },
      unrecordedReads: run.unrecorded.map((read) => ({ ...read, of: ownerOf(cycle, read) })),
    };
  } finally {
    await fork.close();
  }
}

/** The plan of the best size, or why there is none. */
function quoteOptimum(recording: RecordedCase, cycle: Cycle, pools: (Pool | null)[]): Candidate | string {
  const unread = pools.indexOf(null);
  if (unread >= 0) return `our formulas do not reproduce the recorded swap in pool ${cycle.hops[unread]!.pool}`;
  const { result, needsTicks } = quote(recording, cycle, pools as Pool[], null);
  if (needsTicks.length > 0) return `the best size would cross ticks of pool ${needsTicks[0]} that are not recorded`;
  if (!result.ok) return `no size was found: ${result.rejection.detail}`;
  const given = quote(recording, cycle, pools as Pool[], cycle.hops[0]!.amountIn).result;
  if (given.ok && given.value.profit > result.value.profit) return "the searcher's size brings more than the best one found";
  return { sizing: "optimum", plan: planOf(recording, cycle, result.value), estimate: result.value.profit };
}

/** The plan of the searcher's size. Its amounts are quoted where our formulas cover all pools, else left to the pools. */
function quoteRecorded(recording: RecordedCase, cycle: Cycle, pools: (Pool | null)[]): Candidate {
  const amountIn = cycle.hops[0]!.amountIn;
  if (!pools.includes(null)) {
    const { result } = quote(recording, cycle, pools as Pool[], amountIn);
    if (result.ok) return { sizing: "recorded", plan: planOf(recording, cycle, result.value), estimate: result.value.profit };
  }
  // A searcher may pass on a unit more or less than it got. Only the first amount (V2) or the pivot's (V3) is taken from the
  // plan, so the others only have to join.
  const hops = cycle.hops.map((hop, i) => ({ ...hop, amountOut: cycle.hops[i + 1]?.amountIn ?? hop.amountOut }));
  const plan: Plan = {
    ...commonPlan(recording, cycle),
    amounts: "adaptive",
    hops: hops.map((hop, i) => ({ ...hop, feePips: pools[i]?.feePips ?? hop.feePips ?? 0 })),
    maxAmountIn: amountIn + amountIn / CAP_SLACK + 1n,
    minProfit: 1n,
  };
  return { sizing: "recorded", plan, estimate: null };
}

function quote(recording: RecordedCase, cycle: Cycle, pools: Pool[], amountIn: bigint | null) {
  const opportunity: Opportunity = {
    version: "opportunity.v1",
    id: recording.id,
    chainId: recording.chainId,
    hops: cycle.hops.map((hop, i) => ({
      venue: pools[i]!.venue,
      pool: pools[i]!.address,
      tokenIn: getAddress(hop.tokenIn),
      tokenOut: getAddress(hop.tokenOut),
      feePips: pools[i]!.feePips,
    })),
    amountIn,
    funding: "flash-swap",
    amounts: "fixed",
    deadline: null,
    after: null,
    source: "recorded case",
  };
  const { number, parentHash } = recording.block;
  return tryQuote(opportunity, { blockNumber: Number(number) - 1, blockHash: parentHash, pools }, [FLASH_SWAP], {
    maxAmountIn: null,
  });
}

function commonPlan({ chainId }: RecordedCase, { profitToken }: Cycle) {
  const funding = { source: "flash-swap" as const, lender: null, maxFee: 0n };
  return { chainId, funding, profitToken: getAddress(profitToken), deadline: null, blocks: null };
}

function planOf(recording: RecordedCase, cycle: Cycle, { hops, amountIn, profit }: Quote): Plan {
  const { profitToken } = cycle;
  return {
    ...commonPlan(recording, cycle),
    amounts: "fixed",
    hops: hops.map((hop) => planHop(hop, getAddress(profitToken))),
    maxAmountIn: amountIn,
    // nothing can come between: the state is the quoted one to the last slot
    minProfit: profit,
  };
}

/** Why a run at the optimum does not count, or null. */
function faultOf(cycle: Cycle, { estimate }: Candidate, run: Run): string | null {
  const [read] = run.unrecorded;
  if (read !== undefined) {
    const what = read.slot === null ? "which is not recorded" : `slot ${read.slot}, which is not recorded`;
    return `the best size reads ${ownerOf(cycle, read)} ${read.address} ${what}`;
  }
  if (run.failure !== null) return `the transaction at the best size fails: ${run.failure}`;
  if (run.profit !== estimate) return `the best size brought ${run.profit} where ${estimate} was quoted`;
  return null;
}

function ownerOf(
  { hops }: { hops: { pool: string; tokenIn: string }[] },
  { address }: UnrecordedRead,
): "pool" | "token" | "other" {
  if (hops.some(({ pool }) => pool === address)) return "pool";
  return hops.some(({ tokenIn }) => tokenIn === address) ? "token" : "other";
}

function resultOf(
  recording: RecordedCase,
  cycle: Cycle,
  pools: (Pool | null)[],
  { sizing, plan, estimate }: Candidate,
  run: Run,
  note: string | null,
): ReplayResult {
  return {
    caseId: recording.id,
    chainId: recording.chainId,
    profitToken: getAddress(cycle.profitToken),
    searcher: { grossProfit: cycle.grossProfit, gasUsed: Number(recording.receipt.gasUsed) },
    ours: {
      grossProfit: run.profit,
      gasUsed: run.gasUsed,
      gasUsedWithAccessList: run.gasUsedWithAccessList,
      amountIn: plan.hops[0]!.amountIn,
      hops: cycle.hops.map(({ venue, kind, pool, feePips, tokenIn, tokenOut }, i) => ({
        venue,
        kind,
        pool: getAddress(pool),
        feePips: pools[i]?.feePips ?? feePips ?? 0,
        tokenIn: getAddress(tokenIn),
        tokenOut: getAddress(tokenOut),
        amountIn: plan.hops[i]!.amountIn,
        amountOut: plan.hops[i]!.amountOut,
      })),
      sizing,
      note,
      estimatedProfit: estimate,
      dust: run.dust,
    },
    unrecordedReads: run.unrecorded.map((read) => ({ ...read, of: ownerOf(cycle, read) })),
  };
}
