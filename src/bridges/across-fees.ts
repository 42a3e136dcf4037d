import { getAddress, isAddress } from "ethers";
import * as z from "zod";
import { acrossFacts } from "../config/across.js";
import { findToken, networkById } from "../config/networks.js";
import type { Secret } from "../config/secrets.js";
import { ArbError } from "../errors.js";
import { ceilDiv } from "../venues/tick-math.js";
import type { TransferRequest } from "./bridge.js";

/** What relayers are said to ask for. A hint: the deposit offers it, and whether anybody fills for it shows on the destination. */
export interface FeeAdvice {
  /** Base units of tokenIn. */
  fee: bigint;
  limits: { min: bigint; max: bigint };
  etaSeconds: number;
  /** Time that the fee belongs to, unix seconds; null = now. */
  quoteTimestamp: number | null;
  source: string;
}

export type FeeAnswer = { ok: true; advice: FeeAdvice } | { ok: false; reason: string };

/** Throws ArbError "network" when it cannot answer. */
export type FeeSource = (request: TransferRequest, amountIn: bigint) => Promise<FeeAnswer>;

/** One line of a fee schedule. Amounts in base units of the token; absent chains = any. */
export interface FeeLine {
  symbol: string;
  fromChainId?: number;
  toChainId?: number;
  /** Share of the amount, parts per million, rounded up. */
  ppm: number;
  /** Added to the share: what a fill costs the relayer in gas. */
  fixed: bigint;
  min: bigint;
  max: bigint;
  etaSeconds: number;
}

const PPM = 1_000_000n;

/** Fees as configured: the first line that fits the route. */
export function feeSchedule(lines: FeeLine[]): FeeSource {
  return (request, amountIn) => {
    const { fromChainId, toChainId, tokenIn } = request.route;
    const network = networkById(fromChainId);
    const symbol = network && findToken(network, tokenIn)?.symbol;
    const line = lines.find(
      (l) => l.symbol === symbol && (l.fromChainId ?? fromChainId) === fromChainId && (l.toChainId ?? toChainId) === toChainId,
    );
    if (!line) return Promise.resolve({ ok: false, reason: "the fee schedule has no line for this route" });
    const fee = line.fixed + ceilDiv(amountIn * BigInt(line.ppm), PPM);
    const { min, max, etaSeconds } = line;
    const advice = { fee, limits: { min, max }, etaSeconds, quoteTimestamp: null, source: "schedule" };
    return Promise.resolve({ ok: true, advice });
  };
}

export interface SuggestedFeesOptions {
  /** Without a slash at its end. */
  url?: string;
  /** Sent as a bearer token. */
  apiKey?: Secret;
  integratorId?: string;
  timeoutMs?: number;
  /** More than this share of the amount is refused, whatever the service says. Parts per million. */
  maxFeePpm: number;
  /** Asked when the service does not answer. */
  fallback?: FeeSource;
}

/** Across' public service (docs.across.to, api-reference). */
const API = "https://app.across.to/api";
const LARGEST_ANSWER = 100_000;

const digits = z.string().regex(/^\d{1,40}$/);
const seconds = z.union([digits, z.number().int().nonnegative()]).transform(Number);
/** GET /suggested-fees, the fields that we use (@across-protocol/app-sdk 0.4.4, suggested-fees.d.ts). */
const suggested = z.object({
  totalRelayFee: z.object({ total: digits }),
  isAmountTooLow: z.boolean(),
  timestamp: seconds,
  estimatedFillTimeSec: seconds,
  spokePoolAddress: z.string(),
  destinationSpokePoolAddress: z.string(),
  limits: z.object({ minDeposit: digits, maxDeposit: digits }),
});

/** Fees as Across' service suggests them: bounded, and only when it means the contracts that the registry has. */
export function suggestedFees(options: SuggestedFeesOptions): FeeSource {
  const base = options.url ?? API;
  const host = new URL(base).host;
  if (!/^(https:\/\/|http:\/\/(127\.0\.0\.1|localhost|\[::1\])[:/])/i.test(`${base}/`))
    throw new ArbError("config", "Across' fee service must be an https:// URL, because a key is sent to it", { where: host });
  return async (request, amountIn) => {
    let body: unknown;
    try {
      body = await getJson(`${base}/suggested-fees?${query(request, amountIn, options.integratorId)}`, options);
    } catch (error) {
      if (options.fallback) return await options.fallback(request, amountIn);
      const why = error instanceof Error ? error.name : "no answer";
      // without the cause: it may hold the URL, and the headers with the key
      throw new ArbError("network", `Across' fee service does not answer (${why})`, {
        where: host,
        hint: "configure a fee schedule, which is then used instead",
      });
    }
    const read = suggested.safeParse(body);
    if (!read.success)
      throw new ArbError("network", "Across' fee service gave an answer of another form", {
        where: `${host}: ${read.error.issues.map((i) => i.path.join(".")).join(", ")}`,
      });
    return judge(read.data, request, amountIn, options.maxFeePpm, host);
  };
}

function judge(
  said: z.infer<typeof suggested>,
  request: TransferRequest,
  amountIn: bigint,
  maxFeePpm: number,
  host: string,
): FeeAnswer {
  const { fromChainId, toChainId } = request.route;
  for (const [chainId, pool] of [
    [fromChainId, said.spokePoolAddress],
    [toChainId, said.destinationSpokePoolAddress],
  ] as const)
    if (!isAddress(pool) || getAddress(pool) !== acrossFacts(chainId)?.spokePool.address)
      return { ok: false, reason: `the fee service means another SpokePool on chain ${chainId} than the registry` };
  if (said.isAmountTooLow) return { ok: false, reason: "relayers do not fill so small an amount" };
  const fee = BigInt(said.totalRelayFee.total);
  if (fee * PPM > amountIn * BigInt(maxFeePpm))
    return { ok: false, reason: `the suggested fee of ${fee} is above the limit of ${maxFeePpm} ppm` };
  const limits = { min: BigInt(said.limits.minDeposit), max: BigInt(said.limits.maxDeposit) };
  const { timestamp, estimatedFillTimeSec } = said;
  return { ok: true, advice: { fee, limits, etaSeconds: estimatedFillTimeSec, quoteTimestamp: timestamp, source: host } };
}

function query(request: TransferRequest, amountIn: bigint, integratorId: string | undefined): string {
  const { route } = request;
  return new URLSearchParams({
    inputToken: route.tokenIn,
    outputToken: route.tokenOut,
    originChainId: String(route.fromChainId),
    destinationChainId: String(route.toChainId),
    amount: String(amountIn),
    recipient: request.recipient,
    ...(integratorId === undefined ? {} : { integratorId }),
  }).toString();
}

async function getJson(url: string, { apiKey, timeoutMs = 3_000 }: SuggestedFeesOptions): Promise<unknown> {
  const headers = apiKey ? { authorization: `Bearer ${apiKey.reveal()}` } : {};
  const response = await fetch(url, { headers, redirect: "error", signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const text = await response.text();
  if (text.length > LARGEST_ANSWER) throw new Error("answer too long");
  return JSON.parse(text) as unknown;
}
