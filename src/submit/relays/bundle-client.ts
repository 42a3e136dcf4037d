import { keccak256, toQuantity } from "ethers";
import { z } from "zod";
import type { RouteAnswer } from "../route.js";
import type { BundleField, RelayFacts } from "./builders.js";
import { answerOf, expectHash, postRpc, type Reply } from "./rpc.js";
import type { RelaySigner } from "./signer.js";

/** An atomic list of signed transactions for one block. Source: docs.flashbots.net, eth_sendBundle; BuilderNet's and Titan's fields. */
export interface Bundle {
  txs: string[];
  blockNumber: bigint;
  /** Seconds since 1970, inclusive. */
  minTimestamp?: number;
  maxTimestamp?: number;
  /** Hashes that may revert and stay in the block. */
  revertingTxHashes?: string[];
  /** Hashes that may be left out when they fail. */
  droppingTxHashes?: string[];
  replacementUuid?: string;
  /** Whole percent of what the builder earns that goes back, 1 to 99, and to whom; by which transaction, at most one. */
  refundPercent?: number;
  refundRecipient?: string;
  refundTxHashes?: string[];
  /** BuilderNet: who gets what it pays back by itself; left out, the signer of the request. */
  refundIdentity?: string;
  /** Other builders that the relay passes the bundle on to. */
  builders?: string[];
}

/** What eth_callBundle says about a bundle. Amounts in wei. */
export interface BundleSimulation {
  /** The block on whose state it was run. */
  stateBlock: bigint;
  /** What the builder would earn: priority fees and direct payments. */
  coinbaseDiff: bigint;
  gasFees: bigint;
  ethSentToCoinbase: bigint;
  totalGasUsed: bigint;
  results: { hash: string; gasUsed: bigint; coinbaseDiff: bigint; error: string | null; revert: string | null }[];
}

export type SimulationAnswer = { status: "simulated"; simulation: BundleSimulation } | { status: "unavailable"; detail: string };

/** One relay or builder, called with its own dialect. Every call has a deadline and never throws for an answer. */
export interface BundleClient {
  facts: RelayFacts;
  sendBundle(bundle: Bundle, deadlineMs: number): Promise<RouteAnswer>;
  /** Runs a bundle on the newest state as if it stood alone in `blockNumber`. */
  callBundle(txs: string[], blockNumber: bigint, deadlineMs: number, timestamp?: number): Promise<SimulationAnswer>;
  cancelBundle(replacementUuid: string, deadlineMs: number): Promise<RouteAnswer>;
  /** A transaction that the relay tries in every block until `lastBlock` (default: 25 blocks at Flashbots). */
  sendPrivateTransaction(
    signed: { raw: string; hash: string },
    preferences: PrivatePreferences,
    deadlineMs: number,
  ): Promise<RouteAnswer>;
  cancelPrivateTransaction(hash: string, deadlineMs: number): Promise<RouteAnswer>;
}

export interface PrivatePreferences {
  lastBlock?: bigint;
  /** Share with all builders at once. */
  fast?: boolean;
  /** What others may learn of it: "hash", "calldata", ... Nothing by default. */
  hints?: string[];
  builders?: string[];
}

/** Words of relays for a bundle that they did not take. Sources: flashbots/go-utils, flashbots/rbuilder. */
const RELAY_REFUSALS =
  /block in the past|bundle size limit|too many tx|failed to decode|bundle with no txs|invalid (bundle|transaction|signature|uuid|params)|no signature|cancelled|missing (tx|block)/i;

export function openBundleClient(url: string, facts: RelayFacts, signer: RelaySigner): BundleClient {
  const call = (method: string, params: unknown[], deadlineMs: number): Promise<Reply> =>
    postRpc(url, method, params, { deadlineMs, headers: (body) => signer.headers(body) });
  const answer = (reply: Reply, read: (result: unknown) => RouteAnswer) => answerOf(reply, read, { words: RELAY_REFUSALS });
  return {
    facts,
    async sendBundle(bundle, deadlineMs) {
      const fault = bundleFault(bundle, facts);
      if (fault !== null) return { status: "refused", kind: "unsupported-method", detail: fault };
      return answer(await call("eth_sendBundle", [bundleParams(bundle)], deadlineMs), readBundleHash);
    },
    async callBundle(txs, blockNumber, deadlineMs, timestamp) {
      if (!facts.simulates) return { status: "unavailable", detail: `${facts.title} does not simulate` };
      const params = { txs, blockNumber: toQuantity(blockNumber), stateBlockNumber: "latest", ...(timestamp && { timestamp }) };
      const reply = await call("eth_callBundle", [params], deadlineMs);
      if (reply.kind !== "result")
        return { status: "unavailable", detail: reply.kind === "error" ? reply.message : reply.detail };
      return readSimulation(reply.result, txs);
    },
    async cancelBundle(replacementUuid, deadlineMs) {
      if (facts.cancel === null)
        return { status: "refused", kind: "unsupported-method", detail: `${facts.title} cancels no bundles` };
      const [method, params] =
        facts.cancel === "eth_cancelBundle"
          ? ["eth_cancelBundle", { replacementUuid }]
          : ["eth_sendBundle", { txs: [], replacementUuid }];
      return answer(await call(method, [params], deadlineMs), () => ({ status: "accepted" }));
    },
    async sendPrivateTransaction({ raw, hash }, preferences, deadlineMs) {
      if (!facts.privateTransactions)
        return { status: "refused", kind: "unsupported-method", detail: `${facts.title} takes bundles only` };
      const { lastBlock, fast = true, hints = [], builders } = preferences;
      const params = {
        tx: raw,
        ...(lastBlock === undefined ? {} : { maxBlockNumber: toQuantity(lastBlock) }),
        preferences: { fast, privacy: { hints, ...(builders && { builders }) } },
      };
      return answer(await call("eth_sendPrivateTransaction", [params], deadlineMs), expectHash(hash));
    },
    async cancelPrivateTransaction(txHash, deadlineMs) {
      if (!facts.privateTransactions)
        return { status: "refused", kind: "unsupported-method", detail: `${facts.title} takes bundles only` };
      return answer(await call("eth_cancelPrivateTransaction", [{ txHash }], deadlineMs), (result) =>
        result === true
          ? { status: "accepted" }
          : { status: "refused", kind: "unknown", detail: "the relay has no such transaction of this signer" },
      );
    },
  };
}

/** Why a relay cannot take a bundle as it is meant; null where it can. */
export function bundleFault(bundle: Bundle, facts: RelayFacts): string | null {
  const { txs, blockNumber: _block, ...rest } = bundle;
  const odd = Object.entries(rest).find(
    ([field, value]) => value !== undefined && !facts.fields.includes(field as BundleField) && !isEmpty(value),
  );
  if (odd) return `${facts.title} does not read ${odd[0]}`;
  if (txs.length === 0) return "a bundle without transactions is a cancellation";
  const { refundPercent: percent } = bundle;
  if (percent !== undefined && !(Number.isInteger(percent) && percent >= 1 && percent <= 99))
    return "refundPercent is not between 1 and 99";
  if ((bundle.refundTxHashes?.length ?? 0) > 1) return "refundTxHashes names more than one transaction";
  const hashes = new Set(txs.map((raw) => keccak256(raw)));
  const named = [bundle.revertingTxHashes, bundle.droppingTxHashes, bundle.refundTxHashes].flatMap((list) => list ?? []);
  const foreign = named.find((hash) => !hashes.has(hash.toLowerCase()));
  return foreign === undefined ? null : `the bundle has no transaction ${foreign}`;
}

const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

function bundleParams(bundle: Bundle): Record<string, unknown> {
  const { blockNumber, ...rest } = bundle;
  const given = Object.entries(rest).filter(([, value]) => value !== undefined && !isEmpty(value));
  return { ...Object.fromEntries(given), blockNumber: toQuantity(blockNumber) };
}

/** Builders answer with a hash, `null` or nothing; BuilderNet's hash is its own. All of them mean: taken. */
function readBundleHash(result: unknown): RouteAnswer {
  const hash = (result as { bundleHash?: unknown } | null)?.bundleHash;
  return typeof hash === "string" ? { status: "accepted", detail: `bundle ${hash.slice(0, 66)}` } : { status: "accepted" };
}

const amount = z
  .union([z.string().regex(/^(\d+|0x[0-9a-fA-F]+)$/), z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)])
  .transform((text) => BigInt(text));
const signedAmount = z
  .string()
  .regex(/^-?\d+$/)
  .transform(BigInt);
const simulationSchema = z.object({
  stateBlockNumber: amount,
  coinbaseDiff: signedAmount,
  gasFees: amount,
  ethSentToCoinbase: signedAmount,
  totalGasUsed: amount,
  results: z.array(
    z.object({
      txHash: z.string(),
      gasUsed: amount,
      coinbaseDiff: signedAmount.default(0n),
      error: z.string().optional(),
      revert: z.string().optional(),
    }),
  ),
});

/** A simulation counts only where it is about exactly the transactions that were asked for, in their order. */
function readSimulation(result: unknown, txs: string[]): SimulationAnswer {
  const parsed = simulationSchema.safeParse(result);
  if (!parsed.success) return { status: "unavailable", detail: "the simulation's answer cannot be read" };
  const { stateBlockNumber: stateBlock, results, ...totals } = parsed.data;
  const asked = txs.map((raw) => keccak256(raw)).join();
  if (results.map((r) => r.txHash.toLowerCase()).join() !== asked)
    return { status: "unavailable", detail: "the simulation is about other transactions" };
  const rows = results.map(({ txHash: hash, gasUsed, coinbaseDiff, error, revert }) => ({
    hash: hash.toLowerCase(),
    gasUsed,
    coinbaseDiff,
    error: error ?? null,
    revert: revert ?? null,
  }));
  return { status: "simulated", simulation: { stateBlock, ...totals, results: rows } };
}
