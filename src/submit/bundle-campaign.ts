import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { classifyNodeError } from "../chain/errors.js";
import type { FollowedNow } from "./followed.js";
import { firstTip, nextTip, type TipLadder } from "./ladder.js";
import type { BundleSimulation, SimulationAnswer } from "./relays/bundle-client.js";
import type { Route, RouteAnswer, RouteTerms, SignedBytes } from "./route.js";
import { cancel, type Recorder, submit } from "./submission.js";

/** One opportunity on its way to a block by private routes: sent anew for each block until it lands, dies or expires. */
export interface Campaign {
  /** Last block in which it may land. */
  lastBlock: bigint;
  ladder: TipLadder;
  /** Blocks that are missed with one tip before it is raised; 1 = raised for every block. */
  blocksPerTip: number;
  /** A pending transaction that must land just before ours. */
  after?: { raw: string; hash: string };
  minTimestamp?: number;
  maxTimestamp?: number;
}

export interface Landing {
  hash: string;
  blockNumber: bigint;
  success: boolean;
}

/** What a campaign works with. Every one of these ends within its own deadline. */
export interface CampaignTools {
  routes: Route[];
  /** Number of the newest block. */
  head(): Promise<bigint>;
  /** The one of these transactions that is in a block; null where none is known to be. */
  landed(hashes: string[]): Promise<Landing | null>;
  /**
   * Signs an attempt in the campaign's slot with this tip (wei per gas), journals it, and reads its bytes back. Null: the slot is not ours any
   * more, and nothing more may be sent.
   */
  sign(tip: bigint): Promise<SignedBytes | null>;
  /** eth_callBundle of a relay. Needed for campaigns with `after`; others are sent without. */
  simulate?(txs: string[], blockNumber: bigint): Promise<SimulationAnswer>;
  /** The relay that simulates, as the ledger of answers names it. */
  simulatorId?: string;
  record: Recorder;
  /** Called at the named points of a campaign. */
  step?(step: "bundle-given" | "tip-raised" | "run-withdrawn"): void | Promise<void>;
  /** Whether it is still worth sending; asked before every block but the first. What throws does not say that it is not. */
  alive?(): Promise<boolean>;
  /** Where the followed transaction stands. What throws does not say that it is gone. */
  followed?(): Promise<FollowedNow["status"]>;
  /** Ends the campaign: the opportunity is gone. */
  signal: AbortSignal;
  /** Milliseconds that a route may take. */
  deadlineMs: number;
  /** Milliseconds between two looks at the chain. */
  pollMs: number;
  /** Milliseconds that the next block may take: several block times. Then the chain, or our node, stands still. */
  patienceMs: number;
}

/**
 * How it ended. `hashes`: everything that was given to anybody. Unless one of them landed, all of them stay watched: a relay may hold
 * what it refused, and a cancel may come too late.
 */
export type CampaignEnd =
  | { status: "landed"; landing: Landing; hashes: string[] }
  | { status: UnlandedStatus; hashes: string[]; lastError: string | null };

/** "stalled": no new block was seen for `patienceMs`. */
export type UnlandedStatus = "expired" | "died" | "slot-lost" | "followed-landed" | "followed-gone" | "stalled";

/**
 * Runs a campaign to its end. The same bytes go to all routes for one block after another, each with a uuid of its own: relays ignore
 * what comes under a uuid after a cancel. A look at the chain that fails is repeated at the next block, and its error kept for the end;
 * what `sign` and `record` throw ends it at once.
 */
export async function runCampaign(campaign: Campaign, tools: CampaignTools): Promise<CampaignEnd> {
  const sent = new Map<string, SignedBytes>();
  const { ladder, blocksPerTip, lastBlock, after } = campaign;
  let tip = firstTip(ladder);
  let blocks = 0;
  let head = await tools.head();
  let current: SignedBytes | null = null;
  const open: { signed: SignedBytes; terms: RouteTerms }[] = [];
  const pending: Promise<unknown>[] = [];
  let failure: unknown = null;
  let lastError: string | null = null;

  /** What is not known counts as not landed yet: sending on takes the same nonce, and every hash stays watched. */
  const look = async (hashes: string[]): Promise<Landing | null> => {
    if (hashes.length === 0) return null;
    try {
      return await tools.landed(hashes);
    } catch (error) {
      lastError = classifyNodeError(error).message;
      return null;
    }
  };
  const end = async (status: UnlandedStatus): Promise<CampaignEnd> => {
    if (status !== "expired") {
      await withdraw(open, head, tools);
      await tools.step?.("run-withdrawn");
    }
    await Promise.all(pending);
    const landing = await look([...sent.keys()]);
    return landing ? await finish(landing) : { status, hashes: [...sent.keys()], lastError };
  };
  const finish = async (landing: Landing): Promise<CampaignEnd> => {
    const { hash, blockNumber, success } = landing;
    const nonce = sent.get(hash)?.nonce ?? -1;
    await Promise.all(pending);
    await tools.record({ kind: "landed", hash, nonce, blockNumber, success, at: Date.now() });
    return { status: "landed", landing, hashes: [...sent.keys()] };
  };

  for (;;) {
    // what cannot be recorded must not go on
    if (failure !== null) throw failure;
    const landing = await look([...sent.keys()]);
    if (landing) return await finish(landing);
    if (tools.signal.aborted) return await end("died");
    if (head >= lastBlock) return await end("expired");
    if (after && (await look([after.hash]))) return await end("followed-landed");
    if (after && (await tools.followed?.().catch(() => null)) === "replaced") return await end("followed-gone");
    if (sent.size > 0 && tools.alive && !(await tools.alive().catch(() => true))) return await end("died");
    const targetBlock = head + 1n;
    if (current !== null && blocks >= blocksPerTip) {
      const raised = nextTip(ladder, tip);
      if (raised !== null) [tip, current, blocks] = [raised, null, 0];
    }
    if (current === null) {
      current = await tools.sign(tip);
      if (current === null) return await end("slot-lost");
      if (sent.size > 0) await tools.step?.("tip-raised");
    }
    const signed: SignedBytes = current;
    blocks += 1;
    if (await worthSending(campaign, signed, targetBlock, tools)) {
      const terms = termsOf(campaign, targetBlock, tools.deadlineMs);
      sent.set(signed.hash, signed);
      open.push({ signed, terms });
      const { settled } = submit(tools.routes, signed, terms, tools.record);
      settled.catch((error: unknown) => {
        failure ??= error;
      });
      pending.push(settled);
      await tools.step?.("bundle-given");
    }
    const next = await nextHead(head, tools);
    if (next === null) return await end("stalled");
    head = next;
  }
}

function termsOf(campaign: Campaign, targetBlock: bigint, deadlineMs: number): RouteTerms {
  const { lastBlock, after, minTimestamp, maxTimestamp } = campaign;
  return {
    targetBlock,
    lastBlock,
    replacementUuid: randomUUID(),
    deadlineMs,
    ...(after && { after: after.raw }),
    ...(minTimestamp !== undefined && { minTimestamp }),
    ...(maxTimestamp !== undefined && { maxTimestamp }),
  };
}

/** The next block's number; the old one where the campaign was ended meanwhile; null where none came in time. */
async function nextHead(head: bigint, tools: CampaignTools): Promise<bigint | null> {
  const began = performance.now();
  while (performance.now() - began < tools.patienceMs) {
    // an abort ends the sleep at once; the campaign then sees it
    await sleep(tools.pollMs, undefined, { signal: tools.signal }).catch(() => undefined);
    if (tools.signal.aborted) return head;
    // a node that does not answer is asked again until the time is over
    const now = await tools.head().catch(() => null);
    if (now !== null && now > head) return now;
  }
  return null;
}

/** Asks every route to forget all that it was given for blocks that may still come. */
async function withdraw(open: { signed: SignedBytes; terms: RouteTerms }[], head: bigint, tools: CampaignTools): Promise<void> {
  // the bundles of past blocks are over; private transactions of earlier attempts are not
  const alive = open.filter(
    ({ signed, terms }, i) =>
      (terms.targetBlock ?? 0n) > head || !open.slice(i + 1).some((later) => later.signed.hash === signed.hash),
  );
  await Promise.all(alive.map(({ signed, terms }) => cancel(tools.routes, signed, terms, tools.record).settled));
}

/**
 * Whether a bundle behind another transaction would do what it is for. What cannot be simulated is not sent: the other one may be a
 * trap, or landed already.
 */
async function worthSending(
  campaign: Campaign,
  signed: SignedBytes,
  targetBlock: bigint,
  tools: CampaignTools,
): Promise<boolean> {
  if (!campaign.after) return true;
  const at = Date.now();
  const began = performance.now();
  const simulated: SimulationAnswer = tools.simulate
    ? await tools.simulate([campaign.after.raw, signed.raw], targetBlock)
    : { status: "unavailable", detail: "no route simulates bundles" };
  const answer = judge(simulated);
  await tools.record({
    kind: "answer",
    action: "simulate",
    routeId: tools.simulatorId ?? "simulation",
    hash: signed.hash,
    nonce: signed.nonce,
    targetBlock,
    replacementUuid: null,
    at,
    tookMs: Math.round(performance.now() - began),
    answer,
  });
  return answer.status === "accepted";
}

function judge(simulated: SimulationAnswer): RouteAnswer {
  if (simulated.status === "unavailable") return { status: "unknown", detail: simulated.detail };
  const failed = simulated.simulation.results.find((result) => result.error !== null);
  return failed
    ? { status: "refused", kind: "reverted", detail: `${failed.hash}: ${failed.revert ?? failed.error ?? ""}`.slice(0, 300) }
    : { status: "accepted", detail: summary(simulated.simulation) };
}

const summary = ({ coinbaseDiff, totalGasUsed, stateBlock }: BundleSimulation): string =>
  `pays ${coinbaseDiff} wei for ${totalGasUsed} gas on block ${stateBlock}`;
