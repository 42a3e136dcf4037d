import { setTimeout as sleep } from "node:timers/promises";
import type { Chain } from "../chain/connect.js";
import { type ReceiptResult, waitForReceipt } from "../chain/receipts.js";
import type { Attempt } from "../execution/outcome.js";
import type { Journal } from "../journal/journal.js";
import type { JournaledAttempt, Slot, SlotState } from "../journal/types.js";
import type { UnlandedStatus } from "./bundle-campaign.js";
import type { PrivateRun } from "./private-run.js";

/** What became of a watched attempt. `superseded`: the slot landed another intent, or a cancel. */
export type WatchResult =
  | ReceiptResult
  | { status: "superseded"; by: JournaledAttempt }
  /** No block took it while relays had it; nothing was paid. Its hashes stay watched. */
  | { status: "unlanded"; end: UnlandedStatus };

/** Where a slot stands by the journal. */
export interface Standing {
  nonce: number;
  /** Routes that said that they took what landed. */
  routes: string[];
  /** "final": nothing takes it back any more. */
  journal: SlotState;
  /** How often it was signed. */
  attempts: number;
  /** Blocks on top of it and its own; 0 = it is in none. */
  depth: number;
}

/** What watching works with. */
export interface Watching {
  chain: Chain;
  journal: Journal;
  /** What relays have of the intent; null where they have, or had, nothing. */
  run: PrivateRun | null;
  /** Notes and books what was found. */
  book: () => Promise<void>;
  /** When the answers that are known are noted. Never rejects. */
  written: () => Promise<void>;
  /** Longest wait for one answer, milliseconds. */
  askMs: number;
}

/** Bytes that only relays have, for some blocks. */
export const isBounded = ({ visibility, lastBlock }: JournaledAttempt): boolean => visibility === "private" && lastBlock !== null;

async function slotOf({ journal }: Watching, { chainId, from, nonce }: Attempt): Promise<Slot | null> {
  return (await journal.slots({ chainId, account: from }, { nonce }))[0] ?? null;
}

/**
 * Waits for the receipt of an attempt, or of another one of its slot, until the deadline, and books it; what is not known by then is
 * "unknown", never "failed".
 */
export async function watchAttempt(tools: Watching, attempt: Attempt, deadlineMs: number, pollMs: number): Promise<WatchResult> {
  const start = performance.now();
  let lastError: string | null = null;
  for (let polls = 1; ; polls++) {
    const left = deadlineMs - (performance.now() - start);
    // before the receipts: one that comes while these are asked for must not be missed
    const end = tools.run?.end ?? null;
    const attempts = (await slotOf(tools, attempt))?.attempts ?? [];
    let failed = false;
    for (const each of attempts) {
      // one question each: the slot may get further attempts meanwhile
      const once = { deadlineMs: Math.max(1, Math.min(left, tools.askMs)), pollMs: Infinity };
      const result = await waitForReceipt(tools.chain.provider, each.hash, once);
      if (result.status === "mined") {
        await tools.book();
        return each.intentId === attempt.opportunityId ? result : { status: "superseded", by: each };
      }
      ({ lastError } = result);
      failed ||= lastError !== null;
    }
    const withRelays = attempts.length > 0 && attempts.every(isBounded);
    if (withRelays && !failed && end !== null && end.status !== "landed" && end.status !== "stalled")
      return { status: "unlanded", end: end.status };
    const waitedMs = Math.round(performance.now() - start);
    if (waitedMs + pollMs > deadlineMs) return { status: "unknown", hash: attempt.hash, waitedMs, polls, lastError };
    await sleep(pollMs);
  }
}

/** Where the transaction that landed for an attempt stands. Raises as the journal and the node do. */
export async function standingOf(tools: Watching, attempt: Attempt): Promise<Standing> {
  // answers of relays that came before the block are noted by then, or do not matter
  if (tools.run) await Promise.race([tools.run.over, sleep(tools.askMs, undefined, { ref: false })]);
  await tools.written();
  const slot = await slotOf(tools, attempt);
  const inclusion = slot?.inclusion ?? null;
  const landed = slot?.attempts.find((a) => a.hash === inclusion?.hash);
  const took = landed?.sends.filter((s) => s.status === "accepted").map((s) => s.route) ?? [];
  const head = inclusion === null ? 0 : await tools.chain.provider.getBlockNumber();
  return {
    nonce: attempt.nonce,
    routes: [...new Set(took)].toSorted(),
    journal: slot?.state ?? "open",
    attempts: slot?.attempts.length ?? 0,
    depth: inclusion === null ? 0 : Math.max(1, head - inclusion.blockNumber + 1),
  };
}
