import { formatUnits, isHexString, toQuantity } from "ethers";
import { bytes, checkAmount, checkInteger, type Reader, usage } from "./bytes.js";
import type { Plan, PlanGuards, PlanTip } from "./plan.js";

/**
 * The guards of a plan as bytes: one byte that says which there are, then their fields. The layout is documented at the head of
 * contracts/ArbExecutor.sol.
 */

const BITS = { time: 1, parent: 2, pool: 4, gas: 8, tip: 16, share: 32, sweep: 64 } as const;
/** Timestamps and block numbers have 5 bytes. */
const MAX_TIME = 2 ** 40 - 1;
/** Chains whose block proposers take tips: Ethereum and Sepolia. The contract refuses them elsewhere. */
export const TIP_CHAINS: readonly number[] = [1, 11155111];

export interface DecodedGuards extends Required<PlanGuards> {
  deadline: number | null;
  blocks: { from: number; to: number } | null;
}

/** Guards of any format of plans. */
export type TimedGuards = PlanGuards & Pick<DecodedGuards, "deadline" | "blocks">;

/** The bytes of a plan's guards; "" if it has none. Call `checkGuards` or `checkGuardValues` first. */
export function encodeGuards(plan: TimedGuards): string {
  const { deadline, blocks, parentHash, poolBound, gasPrice, tip } = plan;
  const timed = deadline !== null || blocks !== null;
  const bits =
    (timed ? BITS.time : 0) |
    (parentHash ? BITS.parent : 0) |
    (poolBound == null ? 0 : BITS.pool) |
    (gasPrice ? BITS.gas : 0) |
    (tip ? (tip.kind === "fixed" ? BITS.tip : BITS.share) : 0) |
    (plan.sweep ? BITS.sweep : 0);
  if (bits === 0) return "";
  return [
    bytes(bits, 1),
    timed ? bytes(deadline ?? 0, 5) + bytes(blocks?.from ?? 0, 5) + bytes(blocks?.to ?? 0, 5) : "",
    parentHash ? parentHash.slice(-24).toLowerCase() : "",
    poolBound == null ? "" : bytes(poolBound, 20),
    gasPrice ? bytes(gasPrice.price, 12) + bytes(gasPrice.scale, 1) : "",
    tip ? (tip.kind === "fixed" ? bytes(tip.amount, 12) : bytes(tip.bips, 2) + bytes(tip.floor, 12) + bytes(tip.cap, 12)) : "",
  ].join("");
}

/** What a plan without guards has. */
export const NO_GUARDS: DecodedGuards = {
  deadline: null,
  blocks: null,
  parentHash: null,
  poolBound: null,
  gasPrice: null,
  tip: null,
  sweep: false,
};

/** Reads what `encodeGuards` wrote. The hash of the parent comes back as its last 12 bytes. */
export function decodeGuards(reader: Pick<Reader, "uint" | "number" | "take">): DecodedGuards {
  const bits = reader.number(1);
  if (bits > 127 || (bits & BITS.tip && bits & BITS.share)) throw usage("plan.guards", `has unknown bits: ${bits}`);
  const [deadline, from, to] = bits & BITS.time ? [reader.number(5), reader.number(5), reader.number(5)] : [0, 0, 0];
  const parentHash = bits & BITS.parent ? "0x" + reader.take(12) : null;
  const poolBound = bits & BITS.pool ? reader.uint(20) : null;
  const gasPrice = bits & BITS.gas ? { price: reader.uint(12), scale: reader.number(1) } : null;
  let tip: PlanTip | null = null;
  if (bits & BITS.tip) tip = { kind: "fixed", amount: reader.uint(12) };
  if (bits & BITS.share) tip = { kind: "share", bips: reader.number(2), floor: reader.uint(12), cap: reader.uint(12) };
  return {
    deadline: deadline || null,
    blocks: to ? { from: from ?? 0, to } : null,
    parentHash,
    poolBound,
    gasPrice,
    tip,
    sweep: (bits & BITS.sweep) !== 0,
  };
}

/** Throws ArbError "usage" naming the first guard that the contract could not or should not keep. */
export function checkGuards(plan: Plan, wrappedNative: string | undefined): void {
  checkGuardValues(plan);
  if (!plan.tip) return;
  if (!TIP_CHAINS.includes(plan.chainId)) throw usage("tip", `is not possible on chain ${toQuantity(plan.chainId)}`);
  if (plan.profitToken.toLowerCase() !== wrappedNative?.toLowerCase()) {
    throw usage("tip", "is paid out of a profit in the wrapped native token only");
  }
}

/** Checks each guard by itself, on whatever chain. Throws ArbError "usage" naming the first that is out of range. */
export function checkGuardValues({ deadline, blocks, parentHash, poolBound, gasPrice, tip }: TimedGuards): void {
  if (deadline !== null) checkInteger("deadline", deadline, 1, MAX_TIME);
  if (blocks !== null) {
    checkInteger("blocks.from", blocks.from, 0, MAX_TIME);
    checkInteger("blocks.to", blocks.to, Math.max(1, blocks.from), MAX_TIME);
  }
  if (parentHash != null && !isHexString(parentHash, 32) && !isHexString(parentHash, 12)) {
    throw usage("parentHash", `"${parentHash}" is neither a block hash nor the last 12 bytes of one`);
  }
  if (poolBound != null) checkAmount("poolBound", poolBound, 1n, 160);
  if (gasPrice) {
    checkAmount("gasPrice.price", gasPrice.price, 1n);
    checkInteger("gasPrice.scale", gasPrice.scale, 0, 255);
  }
  if (!tip) return;
  if (tip.kind === "fixed") {
    checkAmount("tip.amount", tip.amount, 1n);
    return;
  }
  checkInteger("tip.bips", tip.bips, 1, 10_000);
  checkAmount("tip.floor", tip.floor, 0n);
  checkAmount("tip.cap", tip.cap, tip.floor > 1n ? tip.floor : 1n);
}

/** Guards for people, one line each; `profit` prints an amount of the profit token. */
export function guardLines(plan: TimedGuards, profit: (amount: bigint) => string): string[] {
  const { deadline, blocks, parentHash, poolBound, gasPrice, tip, sweep } = plan;
  return [
    deadline === null ? "" : `deadline      ${new Date(deadline * 1000).toISOString()}`,
    blocks === null ? "" : `blocks        ${blocks.from} to ${blocks.to}`,
    parentHash == null ? "" : `parent        ...${parentHash.slice(-24)}`,
    poolBound == null ? "" : `first pool    bound ${poolBound}`,
    gasPrice == null ? "" : `own gas       counted at ${gasPrice.price} / 2^${gasPrice.scale} units per wei`,
    tip == null
      ? ""
      : tip.kind === "fixed"
        ? `tip           ${profit(tip.amount)}`
        : `tip           ${formatUnits(tip.bips, 2)} % of the profit, ${profit(tip.floor)} to ${profit(tip.cap)}`,
    sweep ? "sweep         the whole balance but one unit to the owner" : "",
  ].filter((line) => line !== "");
}
