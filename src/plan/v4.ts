import { isHexString, ZeroAddress } from "ethers";
import { address, bytes, checkAddress, checkAmount, checkInteger, Reader, sameAddress, usage } from "./bytes.js";
import { checkGuards, type DecodedGuards, decodeGuards, encodeGuards, NO_GUARDS } from "./guards.js";
import type { Plan, PlanHop, V4Key } from "./plan.js";

/**
 * Plans with Uniswap V4 hops as bytes: the layout is documented at the head of contracts/ArbExecutor.sol. The PoolManager funds
 * them and nets what the hops owe; the executor pays nothing.
 */

/** First byte of such a plan without its guards flag. */
export const V4_PREFIX = 0xa8;
const GUARDS = 4;
const KINDS = { v2: 0, v3: 1, v4: 2 } as const;
const [LAST, HOOKS, HOOK_DATA] = [4, 8, 16];
const [STARTS_NATIVE, ENDS_NATIVE] = [1, 2];
const MAX_TICK_SPACING = 32_767;

export interface DecodedV4Hop {
  kind: "v2" | "v3" | "v4";
  /** Null for V4 and for the last hop's output: the profit token, or ETH. */
  pool: string | null;
  tokenOut: string | null;
  /** V2 only. */
  amountOut: bigint | null;
  key: V4Key | null;
}

export interface DecodedV4Plan extends DecodedGuards {
  startsNative: boolean;
  endsNative: boolean;
  amountIn: bigint;
  hops: DecodedV4Hop[];
  minProfit: bigint;
}

/** The bare calldata of a plan that has a V4 hop. Throws ArbError "usage" naming the first field that is wrong. */
export function encodeV4Plan(plan: Plan, wrappedNative: string | undefined): string {
  checkV4Plan(plan, wrappedNative);
  const { hops } = plan;
  const body = hops.map((hop, i) => hopBytes(hop, i === hops.length - 1)).join("");
  const size = 16 + body.length / 2;
  if (size > 255) throw usage("hops", `take ${size} bytes; a plan with V4 hops has at most 255`);
  const guards = encodeGuards(plan);
  const native =
    (hops[0]!.tokenIn === ZeroAddress ? STARTS_NATIVE : 0) | (hops.at(-1)!.tokenOut === ZeroAddress ? ENDS_NATIVE : 0);
  return [
    "0x",
    bytes(V4_PREFIX | (guards === "" ? 0 : GUARDS), 1),
    bytes(native, 1),
    bytes(size, 1),
    "00",
    bytes(hops[0]!.amountIn, 12),
    body,
    bytes(plan.minProfit, 12),
    guards,
  ].join("");
}

/** Reads such a plan back. Throws ArbError "usage" if it is none. */
export function decodeV4Plan(data: string): DecodedV4Plan {
  const reader = new Reader(data);
  const first = reader.number(1);
  if ((first & ~GUARDS) !== V4_PREFIX) throw usage("plan", "does not start like a plan with V4 hops");
  const native = reader.number(1);
  const size = reader.number(1);
  if (native > 3 || reader.number(1) !== 0) throw usage("plan", "has unknown bits in its head");
  const amountIn = reader.uint(12);
  const hops: DecodedV4Hop[] = [];
  for (let last = false; !last;) {
    const bits = reader.number(1);
    last = (bits & LAST) !== 0;
    const kind = (["v2", "v3", "v4"] as const)[bits & 3];
    if (!kind || bits >= 32) throw usage(`hops[${hops.length}]`, "is of no known kind");
    const tokenOut = last ? null : reader.address();
    const pool = kind === "v4" ? null : reader.address();
    const amountOut = kind === "v2" ? reader.uint(12) : null;
    const key = kind === "v4" ? readKey(reader, bits) : null;
    hops.push({ kind, pool, tokenOut, amountOut, key });
  }
  if (reader.read !== size) throw usage("plan", "has hops of another length than its head says");
  const minProfit = reader.uint(12);
  const guards = first & GUARDS ? decodeGuards(reader) : NO_GUARDS;
  reader.end();
  return {
    startsNative: (native & STARTS_NATIVE) !== 0,
    endsNative: (native & ENDS_NATIVE) !== 0,
    amountIn,
    hops,
    minProfit,
    ...guards,
  };
}

function hopBytes(hop: PlanHop, last: boolean): string {
  const tokenOut = last ? "" : address(hop.tokenOut);
  if (hop.kind === "step") throw usage("hops", "have a pool that a plan with V4 hops cannot trade with");
  const bits = KINDS[hop.kind] | (last ? LAST : 0);
  if (!hop.v4) {
    return bytes(bits, 1) + tokenOut + address(hop.pool) + (hop.kind === "v2" ? bytes(hop.amountOut, 12) : "");
  }
  const { fee, tickSpacing, hooks, hookData } = hop.v4;
  const hooked = hooks !== ZeroAddress;
  const dataSize = hookData.length / 2 - 1;
  return [
    bytes(bits | (hooked ? HOOKS : 0) | (dataSize > 0 ? HOOK_DATA : 0), 1),
    tokenOut,
    bytes(fee, 3) + bytes(tickSpacing, 3),
    hooked ? address(hooks) : "",
    dataSize > 0 ? bytes(dataSize, 1) + hookData.slice(2).toLowerCase() : "",
  ].join("");
}

function readKey(reader: Reader, bits: number): V4Key {
  const [fee, tickSpacing] = [reader.number(3), reader.number(3)];
  const hooks = bits & HOOKS ? reader.address() : ZeroAddress;
  const hookData = bits & HOOK_DATA ? "0x" + reader.take(reader.number(1)) : "0x";
  return { fee, tickSpacing, hooks, hookData };
}

function checkV4Plan(plan: Plan, wrappedNative: string | undefined): void {
  const { hops, funding } = plan;
  if (hops.length < 2 || hops.length > 6) throw usage("hops", `has ${hops.length} entries; a plan has 2 to 6`);
  if (!wrappedNative || !sameAddress(plan.profitToken, wrappedNative)) {
    throw usage("profitToken", "of a plan with V4 hops is the chain's wrapped native token");
  }
  if (plan.amounts !== "fixed") throw usage("amounts", "of a plan with V4 hops are fixed");
  if (funding.source !== "flash-swap" || funding.lender !== null || funding.maxFee !== 0n) {
    throw usage("funding", "of a plan with V4 hops is the manager's own: flash-swap, without lender and fee");
  }
  const isNative = (token: string) => token === ZeroAddress || sameAddress(token, wrappedNative);
  if (!isNative(hops[0]!.tokenIn)) throw usage("hops[0].tokenIn", "is neither the profit token nor ETH");
  if (!isNative(hops.at(-1)!.tokenOut)) throw usage(`hops[${hops.length - 1}].tokenOut`, "is neither the profit token nor ETH");
  for (const [i, hop] of hops.entries()) {
    const where = `hops[${i}]`;
    for (const field of ["tokenIn", "tokenOut"] as const)
      if (hop[field] !== ZeroAddress) checkAddress(`${where}.${field}`, hop[field]);
    if (sameAddress(hop.tokenIn, hop.tokenOut)) throw usage(`${where}.tokenOut`, "is the same token as tokenIn");
    const previous = i === 0 ? null : hops[i - 1]!;
    if (previous && !sameAddress(hop.tokenIn, previous.tokenOut))
      throw usage(`${where}.tokenIn`, "is not what the hop before gives");
    checkAmount(`${where}.amountIn`, hop.amountIn, 1n);
    checkAmount(`${where}.amountOut`, hop.amountOut, 1n);
    if ((hop.kind === "v4") !== (hop.v4 !== undefined)) throw usage(`${where}.v4`, "is the key of a V4 hop, and of no other");
    if (!hop.v4) {
      checkAddress(`${where}.pool`, hop.pool);
      if (hop.tokenIn === ZeroAddress || hop.tokenOut === ZeroAddress) throw usage(where, "trades ETH, which V4 pools only do");
      continue;
    }
    checkInteger(`${where}.v4.fee`, hop.v4.fee, 0, 0xffffff);
    checkInteger(`${where}.v4.tickSpacing`, hop.v4.tickSpacing, 1, MAX_TICK_SPACING);
    if (hop.v4.hooks !== ZeroAddress) checkAddress(`${where}.v4.hooks`, hop.v4.hooks);
    if (!isHexString(hop.v4.hookData) || hop.v4.hookData.length % 2 !== 0)
      throw usage(`${where}.v4.hookData`, "is not hexadecimal bytes");
  }
  checkAmount("minProfit", plan.minProfit, 0n);
  if (plan.poolBound != null) throw usage("poolBound", "needs a first pool of the V2 or V3 type, in a plan without V4 hops");
  checkGuards(plan, wrappedNative);
}
