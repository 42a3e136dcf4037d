/** From the JSON form of an opportunity to one that can be quoted: every fault is refused, with its place. */
import { getAddress } from "ethers";
import type { z } from "zod";
import type { Network } from "../config/network.js";
import { findToken } from "../config/networks.js";
import type { FundingId } from "../funding/funding.js";
import { VENUES, VENUE_IDS } from "../venues/index.js";
import { sameAddress } from "../venues/swap.js";
import type { PoolTraits, VenueId, VenueKind } from "../venues/venue.js";
import { closest } from "./closest.js";
import type { Followed, Opportunity, OpportunityHop } from "./opportunity.js";
import { readPending } from "./pending.js";
import { MAX_AMOUNT } from "./quoter.js";
import type { RejectReason, Rejection, Result } from "./reject.js";
import { AFTER_FIELDS, HOP_FIELDS, OPPORTUNITY_FIELDS, type OpportunityJson, formatFee, opportunitySchema } from "./schema.js";

/** A pool that the user vouches for, because no known factory made it. */
export interface AllowedPool {
  chainId: number;
  /** Address, or id where the venue's pools have one. */
  address: string;
  kind: VenueKind;
  /** The venue, where the kind alone does not tell it. */
  venue?: VenueId;
  /** The two tokens, in either order: at its address alone a pool could be passed off as one of other tokens. */
  tokens: readonly [string, string];
  feePips: number;
  /** What else its id follows from. */
  traits?: PoolTraits;
}

export interface ValidationContext {
  /** The networks that are configured. */
  networks: readonly Network[];
  allowedPools: readonly AllowedPool[];
  /** The present, in Unix seconds. */
  now: number;
}

/** A fault with its reason and place; thrown and caught within the checks of one opportunity. */
export class Fault {
  constructor(
    readonly reason: RejectReason,
    readonly detail: string,
    readonly where: string | null,
  ) {}
}

/** Checks a parsed JSON value. */
export function validateOpportunity(value: unknown, context: ValidationContext): Result<Opportunity> {
  const shape = opportunitySchema.safeParse(value);
  if (!shape.success) return { ok: false, rejection: explain(shape.error.issues[0]!, value) };
  try {
    return { ok: true, value: check(shape.data, context) };
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    const { reason, detail, where } = fault;
    return { ok: false, rejection: { opportunityId: shape.data.id, reason, detail, where } };
  }
}

function check(json: OpportunityJson, context: ValidationContext): Opportunity {
  const network = context.networks.find((n) => n.chainId === json.chainId);
  if (network === undefined) {
    const known = context.networks.map((n) => `${n.chainId} (${n.name})`).join(", ");
    throw new Fault("unknown-chain", `chain ${json.chainId} is not configured; configured: ${known || "none"}`, "chainId");
  }
  const hops = json.hops.map((hop, i) => checkHop(hop, `hops[${i}]`, network, context.allowedPools));
  checkCycle(hops);
  if (json.deadline !== undefined && json.deadline <= context.now) {
    throw new Fault("expired", `the deadline ${json.deadline} passed ${context.now - json.deadline} s ago`, "deadline");
  }
  return {
    version: json.version,
    id: json.id,
    chainId: json.chainId,
    hops,
    amountIn: json.amountIn === undefined ? null : parseAmount(json.amountIn, network, hops[0]!.tokenIn),
    funding: (json.funding as FundingId | undefined) ?? null,
    amounts: json.amounts ?? null,
    deadline: json.deadline ?? null,
    after: json.after === undefined ? null : readAfter(json.after, json.chainId),
    source: json.source ?? null,
  };
}

/** The transaction to follow. Throws Fault where its bytes are no signed transaction of this chain, or another one than was named. */
function readAfter(after: NonNullable<OpportunityJson["after"]>, chainId: number): Followed {
  if (typeof after === "string") return { hash: after.toLowerCase(), raw: null };
  const read = readPending(after.raw);
  if (typeof read === "string") throw new Fault("malformed", read, "after.raw");
  if (after.hash !== undefined && after.hash.toLowerCase() !== read.hash)
    throw new Fault("malformed", `the bytes are the transaction ${read.hash}, not ${after.hash}`, "after.raw");
  if (read.chainId !== null && read.chainId !== BigInt(chainId))
    throw new Fault("malformed", `the bytes are a transaction of chain ${read.chainId}`, "after.raw");
  return { hash: read.hash, raw: read.raw };
}

/** One swap against the registry: venue, pool, tokens and fee. `place` names it in faults. Throws Fault. */
export function checkHop(
  hop: OpportunityJson["hops"][number],
  place: string,
  network: Network,
  allowed: readonly AllowedPool[],
): OpportunityHop {
  const at = (field: string): string => `${place}.${field}`;
  const venueId = hop.venue as VenueId;
  const venue = VENUES[venueId];
  if (!venue.isOn(network)) {
    const here = VENUE_IDS.filter((id) => VENUES[id].isOn(network)).join(", ");
    throw new Fault("unknown-venue", `${venueId} does not exist on ${network.name}; there is ${here}`, at("venue"));
  }
  const pool = hop.pool.length === 66 ? hop.pool.toLowerCase() : checksummed(hop.pool, at("pool"));
  const tokenIn = knownToken(hop.tokenIn, network, at("tokenIn"));
  const tokenOut = knownToken(hop.tokenOut, network, at("tokenOut"));
  if (tokenIn === tokenOut) throw new Fault("not-a-cycle", "the hop trades a token for itself", at("tokenOut"));
  const traits: PoolTraits = {
    ...(hop.tickSpacing === undefined ? {} : { tickSpacing: hop.tickSpacing }),
    ...(hop.stable === undefined ? {} : { stable: hop.stable }),
  };
  const [host, quoter] = [venue.host?.(network) ?? null, venue.quoter?.(network) ?? null];
  const contracts = { ...(host === null ? {} : { host }), ...(quoter === null ? {} : { quoter }) };
  const made = (feePips: number, more: PoolTraits = {}): OpportunityHop => {
    return { venue: venueId, pool, tokenIn, tokenOut, feePips, ...traits, ...more, ...contracts };
  };

  const wished = hop.fee === undefined ? null : parseFee(hop.fee);
  // a pool of several coins stands there once for each two of them
  const entries = allowed.filter((entry) => entry.chainId === network.chainId && sameAddress(entry.address, pool));
  const trades = (token: string, { tokens }: AllowedPool) => tokens.some((known) => sameAddress(known, token));
  const vouched = entries.find((entry) => trades(tokenIn, entry) && trades(tokenOut, entry)) ?? entries[0];
  if (vouched !== undefined) {
    checkVouched(vouched, { venue: venueId, kind: venue.kind, pool, tokens: [tokenIn, tokenOut], wished }, at);
    const spacing = vouched.traits?.tickSpacing;
    if (spacing !== undefined && hop.tickSpacing !== undefined && hop.tickSpacing !== spacing) {
      throw new Fault("unknown-pool", `the allow-list has ${pool} with a tick spacing of ${spacing}`, at("tickSpacing"));
    }
    return made(vouched.feePips, vouched.traits);
  }
  const fees = network.venues[venueId]?.feesPips ?? [];
  const list = fees.map(formatFee).join(", ");
  // without a list each pool tells its own, or, in Uniswap V4, any fee may be
  const feePips = wished ?? (fees.length === 1 ? fees[0]! : fees.length === 0 && venue.kind !== "v4" ? 0 : null);
  if (feePips === null) {
    const which = list === "" ? "any fee" : `several fees (${list})`;
    throw new Fault("malformed", `${venueId} has ${which}: say which`, at("fee"));
  }
  if (fees.length > 0 && !fees.includes(feePips)) {
    throw new Fault("unknown-pool", `${venueId} has no pools with a fee of ${formatFee(feePips)}; it has ${list}`, at("fee"));
  }
  const known = [
    venue.poolAddress(network, tokenIn, tokenOut, feePips, traits),
    ...(venue.alsoAt?.(network, tokenIn, tokenOut, feePips, traits) ?? []),
  ].filter((found) => found !== null);
  if (known.length === 0) {
    const detail =
      venueId === "slipstream" || venue.kind === "v4"
        ? `pools of ${venueId} are told apart by their tick spacing: say which`
        : `no factory vouches for ${venue.kind === "v2" ? "pairs" : "pools"} of ${venueId}: ${pool} is not on the allow-list`;
    const where = venueId === "slipstream" || venue.kind === "v4" ? "tickSpacing" : "pool";
    throw new Fault(where === "pool" ? "unknown-pool" : "malformed", detail, at(where));
  }
  if (!known.some((address) => sameAddress(address, pool))) {
    const terms = feePips === 0 ? "" : `${formatFee(feePips)} `;
    throw new Fault(
      "unknown-pool",
      `the ${terms}pool of these tokens on ${venueId} is ${known.join(" or ")}, not ${pool}`,
      at("pool"),
    );
  }
  return made(feePips);
}

/** A pool of the allow-list must be used as what the user vouched for. */
function checkVouched(
  vouched: AllowedPool,
  used: { venue: VenueId; kind: VenueKind; pool: string; tokens: [string, string]; wished: number | null },
  at: (field: string) => string,
): void {
  const { venue, kind, pool, tokens, wished } = used;
  if (vouched.kind !== kind || (vouched.venue !== undefined && vouched.venue !== venue)) {
    const detail = `the allow-list has ${pool} as a ${vouched.venue ?? vouched.kind} pool, ${venue} makes ${kind} pools`;
    throw new Fault("unknown-pool", detail, at("venue"));
  }
  const strange = tokens.findIndex((token) => !vouched.tokens.some((known) => sameAddress(known, token)));
  if (strange >= 0) {
    const detail = `the allow-list has ${pool} as a pool of ${vouched.tokens.join(" and ")}`;
    throw new Fault("unknown-pool", detail, at(strange === 0 ? "tokenIn" : "tokenOut"));
  }
  if (wished !== null && wished !== vouched.feePips) {
    throw new Fault("unknown-pool", `the allow-list has ${pool} with a fee of ${formatFee(vouched.feePips)}`, at("fee"));
  }
}

function checkCycle(hops: OpportunityHop[]): void {
  for (const [i, hop] of hops.entries()) {
    const next = hops[(i + 1) % hops.length]!;
    if (hop.tokenOut !== next.tokenIn) {
      const last = i === hops.length - 1;
      const detail = last
        ? `the last hop ends with ${hop.tokenOut}, the first starts with ${next.tokenIn}`
        : `hop ${i} gives ${hop.tokenOut}, hop ${i + 1} takes ${next.tokenIn}`;
      throw new Fault("not-a-cycle", detail, last ? `hops[${i}].tokenOut` : `hops[${i + 1}].tokenIn`);
    }
    const earlier = hops.findIndex((other) => other.pool === hop.pool);
    if (earlier < i) throw new Fault("pool-twice", `hops ${earlier} and ${i} use the same pool`, `hops[${i}].pool`);
  }
}

function knownToken(text: string, network: Network, where: string): string {
  const token = findToken(network, checksummed(text, where));
  if (token === null) throw new Fault("unknown-token", `${text} is not on the token list of ${network.name}`, where);
  return token.address;
}

/** EIP-55 form. All lower case carries no checksum and is taken as it is; any other case must be right. */
function checksummed(text: string, where: string): string {
  const right = getAddress(text.toLowerCase());
  if (text !== right && text !== text.toLowerCase()) {
    throw new Fault("wrong-checksum", `${text} has a wrong checksum: a digit or a letter's case is wrong`, where);
  }
  return right;
}

/** "0.3 %" as 3000 pips; the schema has checked the form. */
function parseFee(text: string): number {
  const [whole, fraction = ""] = text.replace(/ ?%$/, "").split(".");
  return Number(whole) * 10_000 + Number(fraction.padEnd(4, "0"));
}

/** An amount in base units; the schema has checked the form. Throws Fault. */
export function parseAmount(text: string, network: Network, tokenAddress: string): bigint {
  const [number, unit] = text.split(" ") as [string, string];
  const token = findToken(network, tokenAddress)!;
  if (unit !== "units" && unit !== token.symbol) {
    throw new Fault(
      "malformed",
      `the unit "${unit}" is neither "${token.symbol}" (the first hop's tokenIn) nor "units"`,
      "amountIn",
    );
  }
  const [whole, fraction = ""] = number.split(".") as [string, string?];
  const decimals = unit === "units" ? 0 : token.decimals;
  if (fraction.length > decimals) {
    const allowed = decimals === 0 ? "base units are whole numbers" : `${token.symbol} has ${decimals}`;
    throw new Fault("malformed", `${fraction.length} decimals: ${allowed}`, "amountIn");
  }
  const amount = BigInt(whole + fraction.padEnd(decimals, "0"));
  if (amount === 0n) throw new Fault("amount-out-of-range", "the amount is zero", "amountIn");
  if (amount > MAX_AMOUNT)
    throw new Fault("amount-out-of-range", `${amount} base units are more than a plan can carry (2^96 - 1)`, "amountIn");
  return amount;
}

/** One clear sentence for a fault of form. `fields`: what may stand at the top. */
export function explain(issue: z.core.$ZodIssue, input: unknown, fields: string[] = OPPORTUNITY_FIELDS): Rejection {
  const path = issue.path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .replace(/^\./, "");
  const id =
    input !== null && typeof input === "object" && "id" in input && typeof input.id === "string" ? input.id.slice(0, 64) : null;
  const refuse = (detail: string, where: string): Rejection => ({
    opportunityId: id,
    reason: "malformed",
    detail,
    where: where || null,
  });
  const found = issue.path.reduce<unknown>((value, part) => (value as Record<PropertyKey, unknown>)[part], input);

  if (issue.code === "unrecognized_keys") {
    const key = issue.keys[0]!;
    const known = issue.path.length === 0 ? fields : issue.path[0] === "after" ? AFTER_FIELDS : HOP_FIELDS;
    const meant = closest(key, known);
    return refuse(
      `unknown field "${key}"${meant === null ? "" : `; did you mean "${meant}"?`}`,
      path === "" ? key : `${path}.${key}`,
    );
  }
  if (found === undefined) return refuse("the field is missing", path);
  if (issue.code === "invalid_union") {
    // what is wrong with the form that was meant: the one that differs by more than its type
    const meant = issue.errors.find(([first]) => first !== undefined && (first.code !== "invalid_type" || first.path.length > 0));
    const [first] = meant ?? [];
    if (first === undefined) return refuse(`must be a text or an object, is ${show(found)}`, path);
    return explain({ ...first, path: [...issue.path, ...first.path] }, input, fields);
  }
  if (issue.code === "invalid_value") {
    const values = issue.values.map(String);
    const meant = typeof found === "string" ? closest(found, values) : null;
    return refuse(`${show(found)} is not one of ${values.join(", ")}${meant === null ? "" : `; did you mean "${meant}"?`}`, path);
  }
  if (issue.code === "invalid_type") return refuse(`must be ${article(issue.expected)}, is ${show(found)}`, path);
  return refuse(`${issue.message}, is ${show(found)}`, path);
}

function show(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  // a bigint or an object has no short JSON, or none at all
  const text =
    typeof value === "object" && value !== null ? "an object" : typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function article(type: string): string {
  const names: Record<string, string> = { object: "an object", array: "a list", int: "a whole number" };
  return names[type] ?? `a ${type}`;
}
