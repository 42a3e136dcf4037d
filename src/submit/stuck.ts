import { Transaction } from "ethers";
import type { Chain } from "../chain/connect.js";
import { type FeePolicy, suggestFees } from "../fees/fees.js";
import type { Journal } from "../journal/journal.js";
import type { Ownership } from "../journal/owner.js";
import { isLive, isPublic } from "../journal/rules.js";
import { highestFees } from "../journal/supersede.js";
import type { JournaledAttempt, Signed } from "../journal/types.js";
import { DEFAULT_GAS_BUFFER_PPM } from "../wallet/gas.js";
import type { PlanFees } from "../plan/planner.js";
import type { WalletManager } from "../wallet/wallet-manager.js";
import { CANCEL_GAS, decideStuck, type Fees, type StuckAttempt, type StuckDecision } from "./replacement.js";
import type { Outbox } from "./outbox.js";
import { isBounded } from "./watching.js";

/** What it is worth to get a stuck transaction, or at least its nonce, going again. */
export type StuckTerms = Pick<
  StuckAttempt,
  "baseFee" | "usefulTip" | "worth" | "cancelBudget" | "maxFeePerGas" | "patienceBlocks"
>;

/** When something counts as stuck, and what getting it going may cost. */
export interface StuckPolicy {
  /** How long the newest attempt of a nonce is out before it is replaced or cancelled, milliseconds. */
  afterMs: number;
  /** Most that getting a nonce free may cost, wei. */
  cancelBudget: bigint;
  /** Highest fee per gas that may be signed for either, wei; null = no limit. */
  maxFeePerGas: bigint | null;
  patienceBlocks: number;
  /**
   * Fee per gas up to which every transaction is replaced whatever it is known to earn, wei: of those that others wait for in any case.
   * Absent: up to what its trade earns.
   */
  feeCeiling?: bigint;
  /** What lands now. */
  fees: () => Promise<PlanFees>;
}

/** Most that getting a transaction going may cost. */
export interface StuckBounds {
  /** Highest fee per gas that may be signed, wei. */
  maxFeePerGas: bigint;
  /** Most that getting a nonce free may cost, wei. */
  cancelBudget: bigint;
}

/** What a network's configuration lets be paid. */
export const boundsOf = ({ maxFeePerGas, maxGasCost }: { maxFeePerGas: bigint; maxGasCost: bigint }): StuckBounds => ({
  maxFeePerGas,
  cancelBudget: maxGasCost,
});

const LEAST_STUCK_MS = 5_000;

/** A transaction is stuck when it is not in a block after those that its fee cap was to survive. */
export function stuckPolicyOf(chain: Chain, fees: FeePolicy, bounds: StuckBounds): StuckPolicy {
  const { patienceBlocks } = fees;
  return {
    ...bounds,
    patienceBlocks,
    afterMs: Math.max(LEAST_STUCK_MS, (patienceBlocks + 1) * chain.network.blockTimeMs),
    // the going price; what may be paid of it is capped by what the trade earns, by the budget and by the network's cap
    fees: async () => await suggestFees(chain, { ...fees, maxFeePerGas: null }),
  };
}

/** What signs and sends for the account. */
export interface Sender {
  journal: Journal;
  account: Ownership;
  chain: Chain;
  wallet: WalletManager;
  outbox: Outbox;
}

/**
 * Replaces or cancels what is out for an intent, as decideStuck says; the new attempt is journaled before it is sent. Gives the decision,
 * and the attempt where there is one; null where the slot is not open or nothing in it can land.
 */
export async function unstick(
  sender: Sender,
  intentId: string,
  terms: StuckTerms,
): Promise<{ decision: StuckDecision; attempt: JournaledAttempt | null } | null> {
  const { journal, account, chain } = sender;
  const slot = await journal.find(account.chainId, intentId);
  if (slot?.state !== "open" || slot.account !== account.account) return null;
  const head = BigInt(await chain.provider.getBlockNumber());
  const live = slot.attempts.filter((a) => isLive(a, head));
  const newest = live.at(-1);
  if (newest === undefined) return null;
  const ours = live.findLast((a) => a.intentId === intentId);
  // a slot that is being cancelled is worth no more than its nonce
  const alone = ours === undefined || ours.follows === undefined;
  const worth = ours === undefined || newest.kind === "cancel" || !alone ? 0n : terms.worth;
  const decision = decideStuck({ ...terms, worth, fees: highestFees(slot, head), gasLimit: newest.gasLimit });
  if (decision.action === "wait") return { decision, attempt: null };
  const replaces = decision.action === "replace" && ours !== undefined;
  const attempt = await journal.supersede(account, slot.nonce, {
    kind: replaces ? "replacement" : "cancel",
    intent: replaces ? { id: intentId } : null,
    build: async (nonce) =>
      replaces ? await again(sender, ours.raw, decision.fees) : await nothing(sender, nonce, decision.fees),
    exposure: sender.outbox.exposure(null),
    head,
  });
  await sender.outbox.send(attempt);
  return { decision, attempt };
}

/**
 * Fills the vacant ones of these nonces that stand below a public one with transfers of nothing, so that those above can land. Gives the
 * nonces that were filled.
 */
export async function fillGaps(sender: Sender, vacant: readonly number[], fees: Fees): Promise<number[]> {
  const { journal, account, chain, outbox } = sender;
  if (vacant.length === 0) return [];
  const open = await journal.openSlots(account);
  const highest = Math.max(-1, ...open.filter((s) => s.state === "open" && s.attempts.some(isPublic)).map((s) => s.nonce));
  const filled: number[] = [];
  for (const nonce of vacant.filter((n) => n < highest)) {
    const attempt = await journal.supersede(account, nonce, {
      kind: "no-op",
      intent: null,
      build: async () => await nothing(sender, nonce, fees),
      exposure: outbox.exposure(null),
      head: BigInt(await chain.provider.getBlockNumber()),
    });
    await sender.outbox.send(attempt);
    filled.push(nonce);
  }
  return filled;
}

/** How long an attempt is out, milliseconds. */
export type Ages = (attempt: Pick<JournaledAttempt, "hash" | "ageMs">) => number;

/**
 * Ages by a clock that nobody sets: what the database says when an attempt is first asked about, and from then on this process's own time. A
 * clock that jumps, here or there, neither makes a transaction stuck nor keeps it from ever being; while the machine sleeps nothing ages.
 * Remembers one attempt: that which all others wait for.
 */
export function openAges(now: () => number = () => performance.now()): Ages {
  let first: { hash: string; at: number } | null = null;
  return ({ hash, ageMs }) => {
    if (first?.hash !== hash) first = { hash, at: now() - Math.max(0, ageMs) };
    return now() - first.at;
  };
}

/**
 * Fills the vacant nonces below public ones, and says which intent all others wait for, where its newest attempt is out for too long.
 * Relays' own attempts are never stuck: they end with their last block.
 */
export async function findStuck(
  sender: Sender,
  ages: Ages,
  vacant: readonly number[],
  policy: StuckPolicy,
  worthOf: (intentId: string) => bigint,
): Promise<{ filled: number[]; stuck: { intentId: string; terms: StuckTerms } | null }> {
  const { afterMs, cancelBudget, maxFeePerGas, patienceBlocks, feeCeiling } = policy;
  const open = (await sender.journal.openSlots(sender.account)).filter((slot) => slot.state === "open");
  const waiting = open.find(({ nonce }) => !vacant.includes(nonce));
  const newest = waiting?.attempts.at(-1);
  const isStuck = newest !== undefined && !isBounded(newest) && ages(newest) >= afterMs;
  if (!isStuck && vacant.length === 0) return { filled: [], stuck: null };
  const fees = await policy.fees();
  const filling = within(fees, maxFeePerGas);
  const filled = filling.maxFeePerGas * CANCEL_GAS <= cancelBudget ? await fillGaps(sender, vacant, filling) : [];
  const intentId = waiting?.attempts.find((a) => a.intentId !== null)?.intentId ?? null;
  if (!isStuck || intentId === null) return { filled, stuck: null };
  const [baseFee, usefulTip] = [fees.nextBaseFee, fees.maxPriorityFeePerGas];
  const worth = feeCeiling === undefined ? worthOf(intentId) : feeCeiling * newest.gasLimit;
  const terms = { baseFee, usefulTip, worth, cancelBudget, maxFeePerGas, patienceBlocks };
  return { filled, stuck: { intentId, terms } };
}

/** Fees no higher than a cap. */
function within({ maxFeePerGas, maxPriorityFeePerGas }: Fees, cap: bigint | null): Fees {
  const most = cap === null || maxFeePerGas < cap ? maxFeePerGas : cap;
  return { maxFeePerGas: most, maxPriorityFeePerGas: maxPriorityFeePerGas < most ? maxPriorityFeePerGas : most };
}

/** The same call, nonce and gas with other fees. */
async function again({ wallet, account }: Sender, raw: string, fees: Fees): Promise<Signed> {
  const { nonce, to, data, value, gasLimit } = Transaction.from(raw);
  const terms = { gasLimit, ...fees };
  return { ...(await wallet.signTransaction({ chainId: account.chainId, nonce, to, data, value, ...terms })), ...terms };
}

async function nothing({ chain, wallet, account }: Sender, nonce: number, fees: Fees): Promise<Signed> {
  const call = { to: wallet.address, data: "0x", value: 0n };
  // there the data's fee is counted as gas
  const arbitrum = chain.network.stack === "arbitrum";
  const gasLimit = arbitrum ? await wallet.gasLimit(chain, call, DEFAULT_GAS_BUFFER_PPM) : CANCEL_GAS;
  const terms = { gasLimit, ...fees };
  return { ...(await wallet.signTransaction({ chainId: account.chainId, nonce, ...call, ...terms })), ...terms };
}
