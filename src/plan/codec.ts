import { isHexString } from "ethers";
import { IArbExecutor__factory } from "../../types/contracts/index.js";
import type { FundingId } from "../funding/funding.js";
import { address, bytes, checkAddress, checkAmount, Reader, sameAddress, usage } from "./bytes.js";
import { checkGuards, type DecodedGuards, decodeGuards, encodeGuards, NO_GUARDS } from "./guards.js";
import type { Plan, PlanHop } from "./plan.js";
import { encodeV4Plan } from "./v4.js";

export { MAX_AMOUNT } from "./bytes.js";

/**
 * Plans as bytes. The layout, and what each amount means, is documented at the head of contracts/ArbExecutor.sol.
 */

/** Most hops of a plan: see the head of contracts/ArbExecutor.sol. */
export const MAX_HOPS = 6;

/** First byte of every plan without its flags. No selector of ArbExecutor starts with this digit. */
export const PLAN_PREFIX = 0xa0;
const FLAGS = { adaptive: 1, token: 2, guards: 4 } as const;
const FUNDING: readonly FundingId[] = ["flash-swap", "own-balance", "aave-v3", "balancer-v2"];

/** Profit token of plans that name none, by chain id: the contract's own table, see PlanRunner._wrappedNative. */
export const BUILT_IN_TOKENS: Readonly<Record<number, string>> = {
  1: "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
  10: "0x4200000000000000000000000000000000000006",
  8453: "0x4200000000000000000000000000000000000006",
  42161: "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1",
  84532: "0x4200000000000000000000000000000000000006",
  421614: "0x980B62Da83eFf3D4576C647993b0c1D7faf17c73",
  11155111: "0xfFf9976782d46CC05630D1f6eBAb18b2324d6B14",
  11155420: "0x4200000000000000000000000000000000000006",
};

/**
 * A hop as the contract sees it. `amount` in base units: at a V3 pivot the exact input; at another V3 hop the exact output, or 0
 * if it delivers what its successor is owed; at a V2 hop the output, or 0 if it is computed on chain (then `feePips` is set).
 */
export interface DecodedHop {
  kind: "v2" | "v3";
  pool: string;
  zeroForOne: boolean;
  amount: bigint;
  feePips: number | null;
}

export interface DecodedPlan extends DecodedGuards {
  amounts: "fixed" | "adaptive";
  funding: { source: FundingId; lender: string | null; loan: bigint; maxFee: bigint };
  /** Null: the wrapped native token that is built into the contract for its chain, see BUILT_IN_TOKENS. */
  profitToken: string | null;
  /** Index of the hop that is called first. */
  pivot: number;
  /** What the first pool is paid (`exact`), or the most it may be paid. */
  amountIn: bigint;
  exact: boolean;
  hops: DecodedHop[];
  minProfit: bigint;
}

/**
 * The bare calldata of a plan, for the contract's fallback: sent as is, it costs less than `execute`.
 * Throws ArbError "usage" naming the first field that is wrong.
 */
export function encodePlan(plan: Plan): string {
  if (plan.hops.some((hop) => hop.kind === "v4")) return encodeV4Plan(plan, BUILT_IN_TOKENS[plan.chainId]);
  checkPlan(plan);
  const adaptive = plan.amounts === "adaptive";
  const pivot = pivotOf(plan.hops.map((hop) => hop.kind));
  const token = sameAddress(plan.profitToken, BUILT_IN_TOKENS[plan.chainId] ?? "") ? null : plan.profitToken;
  const guards = encodeGuards(plan);
  const lent = plan.funding.lender !== null;
  const flags = (adaptive ? FLAGS.adaptive : 0) | (token === null ? 0 : FLAGS.token) | (guards === "" ? 0 : FLAGS.guards);
  const exact = paysExactly(adaptive, plan.hops[0]!.kind, plan.hops[pivot]!.kind);

  const parts = [
    bytes(PLAN_PREFIX | flags, 1),
    bytes((FUNDING.indexOf(plan.funding.source) << 6) | (plan.hops.length << 3) | pivot, 1),
    bytes(
      mask(plan.hops, (hop) => hop.kind === "v3"),
      1,
    ),
    bytes(mask(plan.hops, isZeroForOne), 1),
    bytes(exact ? plan.hops[0]!.amountIn : plan.maxAmountIn, 12),
    ...plan.hops.flatMap((hop, i) => [address(hop.pool), bytes(hopAmount(plan, i, pivot), 12)]),
    token === null ? "" : address(token),
    lent ? address(plan.funding.lender!) + bytes(plan.hops[0]!.amountIn, 12) + bytes(plan.funding.maxFee, 12) : "",
    bytes(plan.minProfit, 12),
    guards,
  ];
  return "0x" + parts.join("");
}

/** Calldata of `execute(bytes)` with the same plan. Throws like `encodePlan`. */
export function encodeExecute(plan: Plan): string {
  return IArbExecutor__factory.createInterface().encodeFunctionData("execute", [encodePlan(plan)]);
}

/** Reads bare calldata back. Throws ArbError "usage" if it is not a plan that the contract would accept. */
export function decodePlan(data: string): DecodedPlan {
  if (!isHexString(data)) throw usage("plan", "not a hexadecimal string of whole bytes");
  const reader = new Reader(data);
  const first = Number(reader.uint(1));
  if ((first & 0xf8) !== PLAN_PREFIX) throw usage("plan", "does not start like a plan");
  const adaptive = (first & FLAGS.adaptive) !== 0;
  const shape = Number(reader.uint(1));
  const source = FUNDING[shape >> 6]!;
  const count = (shape >> 3) & 7;
  const pivot = shape & 7;
  const v3 = Number(reader.uint(1));
  const directions = Number(reader.uint(1));
  const kinds = Array.from({ length: count }, (_, i): DecodedHop["kind"] => (((v3 >> i) & 1) === 1 ? "v3" : "v2"));
  if (count < 2 || count > 6) throw usage("plan.hops", `has ${count} hops; a plan has 2 to 6`);
  if (pivot !== pivotOf(kinds)) throw usage("plan.pivot", "is not the last V3 hop, or the last hop if all are V2");
  if (v3 >> count !== 0 || directions >> count !== 0) throw usage("plan.hops", "describes hops that do not exist");
  const amountIn = reader.uint(12);
  const hops = kinds.map((kind, i): DecodedHop => {
    const pool = reader.address();
    const value = reader.uint(12);
    const computed = kind === "v2" && adaptive;
    return {
      kind,
      pool,
      zeroForOne: ((directions >> i) & 1) === 1,
      amount: computed ? 0n : value,
      feePips: computed ? Number(value) : null,
    };
  });
  const profitToken = (first & FLAGS.token) === 0 ? null : reader.address();
  const lent = source === "aave-v3" || source === "balancer-v2";
  const funding = lent
    ? { source, lender: reader.address(), loan: reader.uint(12), maxFee: reader.uint(12) }
    : { source, lender: null, loan: 0n, maxFee: 0n };
  const minProfit = reader.uint(12);
  const guards = (first & FLAGS.guards) === 0 ? NO_GUARDS : decodeGuards(reader);
  reader.end();
  return {
    amounts: adaptive ? "adaptive" : "fixed",
    funding,
    profitToken,
    pivot,
    amountIn,
    exact: paysExactly(adaptive, kinds[0]!, kinds[pivot]!),
    hops,
    minProfit,
    ...guards,
  };
}

/** The hop that is called first: the last V3 hop, or the last hop if all are V2. */
function pivotOf(kinds: PlanHop["kind"][]): number {
  const lastV3 = kinds.lastIndexOf("v3");
  return lastV3 < 0 ? kinds.length - 1 : lastV3;
}

/** Whether the first pool is paid a given amount, or what follows from the pools up to a cap. */
function paysExactly(adaptive: boolean, first: PlanHop["kind"], pivot: PlanHop["kind"]): boolean {
  return pivot === "v2" || (first === "v2" && !adaptive);
}

/** The 12 bytes of a hop, see the layout. */
function hopAmount(plan: Plan, i: number, pivot: number): bigint {
  const hop = plan.hops[i]!;
  if (hop.kind === "v2") return plan.amounts === "adaptive" ? BigInt(hop.feePips) : hop.amountOut;
  if (i === pivot) return hop.amountIn;
  return plan.amounts === "fixed" && plan.hops[i + 1]!.kind === "v2" ? hop.amountOut : 0n;
}

function isZeroForOne(hop: PlanHop): boolean {
  return BigInt(hop.tokenIn) < BigInt(hop.tokenOut);
}

function mask(hops: PlanHop[], bit: (hop: PlanHop) => boolean): number {
  return hops.reduce((sum, hop, i) => sum | (bit(hop) ? 1 << i : 0), 0);
}

function checkPlan(plan: Plan): void {
  const { hops, funding } = plan;
  if (hops.length < 2 || hops.length > MAX_HOPS) throw usage("hops", `has ${hops.length} entries; a plan has 2 to ${MAX_HOPS}`);
  checkAddress("profitToken", plan.profitToken);
  const seen = new Set<string>();
  for (const [i, hop] of hops.entries()) {
    const where = `hops[${i}]`;
    if (hop.kind !== "v2" && hop.kind !== "v3") throw usage(`${where}.kind`, `"${hop.kind}" needs a plan of steps`);
    for (const field of ["pool", "tokenIn", "tokenOut"] as const) checkAddress(`${where}.${field}`, hop[field]);
    checkAmount(`${where}.amountIn`, hop.amountIn, 1n);
    checkAmount(`${where}.amountOut`, hop.amountOut, 1n);
    if (sameAddress(hop.tokenIn, hop.tokenOut)) throw usage(`${where}.tokenOut`, "is the same token as tokenIn");
    if (!Number.isInteger(hop.feePips) || hop.feePips < 0 || hop.feePips >= 1_000_000) {
      throw usage(`${where}.feePips`, `is ${hop.feePips}; a fee is 0 to 999999 millionths`);
    }
    const previous = i === 0 ? null : hops[i - 1]!;
    if (!sameAddress(hop.tokenIn, previous?.tokenOut ?? plan.profitToken)) {
      throw usage(`${where}.tokenIn`, previous ? "is not what the hop before gives" : "is not the profit token");
    }
    if (previous && hop.amountIn !== previous.amountOut) throw usage(`${where}.amountIn`, "is not the output of the hop before");
    if (seen.has(hop.pool.toLowerCase())) throw usage(`${where}.pool`, "appears twice; a pool is locked while it calls back");
    seen.add(hop.pool.toLowerCase());
  }
  if (!sameAddress(hops.at(-1)!.tokenOut, plan.profitToken)) {
    throw usage(`hops[${hops.length - 1}].tokenOut`, "is not the profit token: the hops form no cycle");
  }
  checkAmount("maxAmountIn", plan.maxAmountIn, hops[0]!.amountIn);
  checkAmount("minProfit", plan.minProfit, 0n);

  if (!FUNDING.includes(funding.source)) throw usage("funding.source", `"${funding.source}" is not known`);
  checkAmount("funding.maxFee", funding.maxFee, 0n);
  if (funding.source === "aave-v3" || funding.source === "balancer-v2") {
    checkAddress("funding.lender", funding.lender ?? "");
    if (seen.has(funding.lender!.toLowerCase())) throw usage("funding.lender", "is also a pool of the cycle");
  } else {
    if (funding.lender !== null) throw usage("funding.lender", `must be null: "${funding.source}" has no lender`);
    if (funding.maxFee !== 0n) throw usage("funding.maxFee", `must be 0: "${funding.source}" costs no fee`);
  }
  checkGuards(plan, BUILT_IN_TOKENS[plan.chainId]);
}
