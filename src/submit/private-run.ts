import type { Chain } from "../chain/connect.js";
import { usedCount } from "../chain/witnesses.js";
import { ArbError } from "../errors.js";
import type { Exposure, JournaledAttempt, OnJournalStep, Signed } from "../journal/types.js";
import type { PendingTransaction } from "../opportunity/pending.js";
import type { PlanFees } from "../plan/planner.js";
import { type CampaignEnd, type Landing, runCampaign } from "./bundle-campaign.js";
import { standingOfSender } from "./followed.js";
import { highestTip, type TipLadder } from "./ladder.js";
import type { Outbox } from "./outbox.js";
import type { BundleClient } from "./relays/bundle-client.js";
import type { Sender } from "./stuck.js";

/** How a transaction is to land. All of it is optional: without it, one attempt at its fees, and private ones for some blocks. */
export interface SendTerms {
  /** Last block in which it may land, where its routes can be told so. */
  lastBlock?: bigint;
  /** Last second, since 1970, of a block in which it may land. */
  maxTimestamp?: number;
  /** How far tips may climb from the first one. `budget`: most that all gas may pay in tips, wei. */
  ladder?: TipSettings & { budget: bigint };
  /** Highest fee per gas in wei, tip included, that may be signed for it. */
  feeCeiling?: bigint;
  /** A pending transaction that must land just before it; only bundles can do that. */
  after?: PendingTransaction;
  /** Whether it is still worth sending; asked before further blocks. */
  alive?: () => Promise<boolean>;
}

export interface TipSettings {
  /** How much each raise adds to the tip. */
  stepPpm: number;
  /** Blocks that are missed with one tip before it is raised. */
  blocksPerTip: number;
}

/** An intent on its way by relays. `end`: null while it is. */
export interface PrivateRun {
  intentId: string;
  nonce: number;
  end: CampaignEnd | null;
  /** Ends it, and asks the relays to forget what they have. */
  stop(): void;
  /** When it has ended. Never rejects. */
  over: Promise<void>;
}

export interface PrivateTools {
  chain: Chain;
  outbox: Outbox;
  simulator: BundleClient | null;
  /** Journals the same call in the same nonce with other fees. Null: the slot is not ours any more. */
  again(fees: PlanFees): Promise<JournaledAttempt | null>;
  step: OnJournalStep;
  onFault: (error: unknown) => void;
  deadlineMs: number;
  pollMs: number;
}

/** What relays are asked for without a last block: Flashbots' own default. */
export const PRIVATE_BLOCKS = 25n;
/** So many block times without a block, and the chain or our node stands still. */
const PATIENCE_BLOCKS = 5;
const LEAST_PATIENCE_MS = 30_000;

/** The fees of an attempt with this tip: the cap rises with it, up to the ceiling. */
export function feesWithTip(fees: PlanFees, tip: bigint, ceiling: bigint | undefined): PlanFees {
  const wanted = fees.maxFeePerGas - fees.maxPriorityFeePerGas + tip;
  const maxFeePerGas = ceiling !== undefined && wanted > ceiling ? ceiling : wanted;
  return { ...fees, maxFeePerGas, maxPriorityFeePerGas: tip < maxFeePerGas ? tip : maxFeePerGas };
}

/** The ladder of a transaction: its first tip is that of its fees, and none leaves too little for the base fee. */
export function ladderOf(fees: PlanFees, gasLimit: bigint, { ladder, feeCeiling }: SendTerms): TipLadder {
  const start = fees.maxPriorityFeePerGas;
  if (ladder === undefined) return { start, stepPpm: 0, budget: start * gasLimit, gasLimit };
  const { stepPpm } = ladder;
  const room = feeCeiling === undefined ? null : feeCeiling - fees.nextBaseFee;
  const wished = highestTip({ start, stepPpm, budget: ladder.budget, gasLimit });
  const most = room !== null && room < wished ? room : wished;
  // the tip of the fees was in the plan's cost already
  const highest = most > start ? most : start;
  return { start, stepPpm, budget: highest * gasLimit, gasLimit };
}

/** Carries a journaled attempt from block to block by the relays, in the background. */
export function startPrivateRun(
  first: JournaledAttempt,
  fees: PlanFees,
  lastBlock: bigint,
  terms: SendTerms,
  tools: PrivateTools,
): PrivateRun {
  const { chain, outbox, simulator, onFault, deadlineMs, pollMs } = tools;
  const { provider, network } = chain;
  const { after } = terms;
  const stopping = new AbortController();
  let started = false;
  const landed = async (hashes: string[]): Promise<Landing | null> => {
    for (const hash of hashes.toReversed()) {
      const receipt = await provider.getTransactionReceipt(hash);
      if (receipt) return { hash, blockNumber: BigInt(receipt.blockNumber), success: receipt.status === 1 };
    }
    // used by a rival of the slot, or elsewhere: nothing of this run can land any more
    if ((await usedCount(chain, first.account)) > first.nonce) stopping.abort();
    return null;
  };
  const run: PrivateRun = {
    intentId: first.intentId ?? "",
    nonce: first.nonce,
    end: null,
    stop: () => stopping.abort(),
    over: Promise.resolve(),
  };
  const carry = async (): Promise<void> => {
    await tools.step("run-started");
    const end = await runCampaign(
      {
        lastBlock,
        ladder: ladderOf(fees, first.gasLimit, terms),
        blocksPerTip: terms.ladder?.blocksPerTip ?? Number.MAX_SAFE_INTEGER,
        ...(after && { after }),
        ...(terms.maxTimestamp !== undefined && { maxTimestamp: terms.maxTimestamp }),
      },
      {
        routes: outbox.routesFor(first),
        head: async () => BigInt(await provider.getBlockNumber()),
        landed,
        sign: async (tip) => {
          const attempt = started ? await tools.again(feesWithTip(fees, tip, terms.feeCeiling)) : first;
          started = true;
          return attempt && { raw: attempt.raw, hash: attempt.hash, from: attempt.account, nonce: attempt.nonce };
        },
        ...(simulator && {
          simulate: async (txs: string[], block: bigint) => await simulator.callBundle(txs, block, deadlineMs),
          simulatorId: simulator.facts.id,
        }),
        record: async (record) => void (await outbox.note(record)),
        step: tools.step,
        ...(terms.alive && { alive: terms.alive }),
        ...(after && { followed: async () => (await standingOfSender(provider, after)).status }),
        signal: stopping.signal,
        deadlineMs,
        pollMs,
        patienceMs: Math.max(LEAST_PATIENCE_MS, PATIENCE_BLOCKS * network.blockTimeMs),
      },
    );
    await tools.step("run-ended");
    run.end = end;
  };
  run.over = carry().catch((error: unknown) => {
    // every hash stays watched; what is not known to have ended is told as unknown
    run.end = { status: "stalled", hashes: [first.hash], lastError: error instanceof Error ? error.message : String(error) };
    onFault(error);
  });
  return run;
}

/**
 * Journals another attempt of an intent in its slot, before anything of it is sent; null where that may not be. Raises as the journal and the
 * node do.
 */
export async function raiseAttempt(
  { journal, account, chain }: Sender,
  { intentId, nonce, exposure }: { intentId: string; nonce: number; exposure: Exposure },
  build: (nonce: number) => Promise<Signed>,
): Promise<JournaledAttempt | null> {
  const head = BigInt(await chain.provider.getBlockNumber());
  const intent = { id: intentId };
  try {
    const attempt = await journal.supersede(account, nonce, { kind: "replacement", intent, build, exposure, head });
    await journal.step("before-send");
    return attempt;
  } catch (error) {
    if (error instanceof ArbError && (error.code === "refused" || error.code === "locked")) return null;
    throw error;
  }
}
