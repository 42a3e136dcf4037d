import { setTimeout as sleep } from "node:timers/promises";
import { parseUnits } from "ethers";
import { z } from "zod";
import { endpointName } from "../chain/errors.js";
import { ArbError } from "../errors.js";
import type { Attested } from "./cctp-message.js";

/** One message of a transaction as the attestation service knows it. All of it is a hint until the chain has checked it. */
export interface IrisMessage {
  status: string;
  /** null: the service left it out ("0x") and only `decided` tells what it signed. */
  message: string | null;
  decided: Attested | null;
  /** The message's body where it is left out of `message`; null where it is not given. */
  body: string | null;
  /** Hex; null until it is signed. */
  attestation: string | null;
  nonce: string | null;
  delayReason: string | null;
}

/** Circle's attestation service. Every call throws ArbError "network" when it gets no answer that can be read. */
export interface Iris {
  /** Messages of a source transaction; empty until the service has seen it. */
  messages(sourceDomain: number, txHash: string): Promise<IrisMessage[]>;
  /** Asks for a new signature of a message whose fast one expired. */
  reattest(nonce: string): Promise<void>;
  /** Least fee of a fast transfer in parts of 10^12 of the amount; null where there is no fast transfer. */
  fastFee(sourceDomain: number, destinationDomain: number): Promise<bigint | null>;
  /** How much USDC may still go fast, base units, over all users. */
  fastAllowance(): Promise<bigint>;
}

export interface IrisOptions {
  /** Base URL; see IRIS_URL of src/config/cctp.ts. One client per URL keeps to the service's limit of requests. */
  url: string;
  /** Milliseconds until the whole answer must be there. */
  deadlineMs?: number;
  /** Milliseconds; for tests. */
  now?: () => number;
}

const MAX_ANSWER = 1 << 20;
/** Between two requests: well below the 35 a second that the service allows to one address. */
const GAP_MS = 40;
/** Who asks more than 35 times a second is refused for five minutes, and asking again meanwhile does not help. */
const REFUSED_MS = 300_000;

const digits = z.string().regex(/^\d{1,30}(\.\d{1,30})?$/);
/** Numbers come as text or as JSON numbers; a fee may have a fraction of a basis point. No power of ten gets through as one. */
const numeric = z.union([digits, z.number().nonnegative().transform(String).pipe(digits)]);
const hex = z.string().regex(/^0x([0-9a-fA-F]{2})*$/);
const word = z.string().regex(/^0x[0-9a-fA-F]{64}$/);

const messagesAnswer = z.object({
  messages: z.array(
    z.object({
      message: hex.nullish(),
      eventNonce: z.string().nullish(),
      attestation: z.string().nullish(),
      status: z.string(),
      delayReason: z.string().nullish(),
      decodedMessage: z
        .object({
          nonce: word,
          finalityThresholdExecuted: numeric,
          messageBody: hex.nullish(),
          decodedMessageBody: z.object({ feeExecuted: numeric.nullish(), expirationBlock: numeric.nullish() }).nullish(),
        })
        .nullish()
        .catch(null),
    }),
  ),
});
const feesAnswer = z.array(z.object({ finalityThreshold: z.number(), minimumFee: numeric }));
const allowanceAnswer = z.object({ allowance: numeric });

export function iris({ url, deadlineMs = 5_000, now = () => performance.now() }: IrisOptions): Iris {
  const base = url.replace(/\/+$/, "");
  const host = endpointName(url);
  let silentUntil = -Infinity;
  let nextAt = -Infinity;

  const fault = (why: string): ArbError =>
    new ArbError("network", `the attestation service ${why}`, {
      where: host,
      hint: "what is on the chains does not change meanwhile; it is asked again",
    });

  const turn = async (): Promise<void> => {
    const wait = Math.max(0, nextAt - now());
    if (wait > deadlineMs) throw fault("is asked too much at once by this program");
    nextAt = now() + wait + GAP_MS;
    if (wait > 0) await sleep(wait);
  };
  const ask = async (path: string, method: "GET" | "POST"): Promise<{ status: number; text: string }> => {
    await turn();
    if (now() < silentUntil) throw fault(`refused too many requests and is left alone for ${seconds(silentUntil - now())} s`);
    let answer: { status: number; text: string };
    let retryAfter: string | null;
    try {
      // a redirect would let another host speak for it
      const init = { method, redirect: "error" as const, signal: AbortSignal.timeout(deadlineMs) };
      const response = await fetch(base + path, init);
      retryAfter = response.headers.get("retry-after");
      answer = { status: response.status, text: await readLimited(response) };
    } catch (error) {
      const late = (error as { name?: unknown }).name === "TimeoutError";
      throw fault(late ? `gave no answer in ${deadlineMs} ms` : "cannot be reached, or the connection broke");
    }
    if (answer.status === 429) {
      const wait = /^\d+$/.test(retryAfter ?? "") ? Number(retryAfter) * 1_000 : REFUSED_MS;
      silentUntil = now() + Math.min(wait, REFUSED_MS);
      throw fault(`refused too many requests (HTTP 429)`);
    }
    return answer;
  };
  const read = <T>(schema: z.ZodType<T>, { status, text }: { status: number; text: string }): T => {
    if (status !== 200) throw fault(`answers HTTP ${status}`);
    const parsed = schema.safeParse(json(text));
    if (!parsed.success) throw fault("gave an answer that is not of its published form");
    return parsed.data;
  };

  return {
    messages: async (domain, txHash) => {
      const answer = await ask(`/v2/messages/${domain}?transactionHash=${txHash}`, "GET");
      // an unknown path is 404 too, but then in no JSON
      if (answer.status === 404 && json(answer.text) !== undefined) return [];
      return read(messagesAnswer, answer).messages.map(messageFrom);
    },
    reattest: async (nonce) => {
      const { status } = await ask(`/v2/reattest/${nonce}`, "POST");
      if (status < 200 || status > 299) throw fault(`did not take the wish for a new signature (HTTP ${status})`);
    },
    fastFee: async (source, destination) => {
      const fees = read(feesAnswer, await ask(`/v2/burn/USDC/fees/${source}/${destination}`, "GET"));
      const fast = fees.find((f) => f.finalityThreshold === 1000);
      return fast ? parseUnits(withDecimals(fast.minimumFee, 8), 8) : null;
    },
    fastAllowance: async () => {
      const { allowance } = read(allowanceAnswer, await ask("/v2/fastBurn/USDC/allowance", "GET"));
      return parseUnits(withDecimals(allowance, 6), 6);
    },
  };
}

function messageFrom(m: z.infer<typeof messagesAnswer>["messages"][number]): IrisMessage {
  const body = m.decodedMessage?.decodedMessageBody;
  return {
    status: m.status,
    message: m.message === null || m.message === undefined || m.message === "0x" ? null : m.message.toLowerCase(),
    decided: m.decodedMessage
      ? {
          nonce: m.decodedMessage.nonce.toLowerCase(),
          finality: Number(m.decodedMessage.finalityThresholdExecuted),
          fee: BigInt(withDecimals(body?.feeExecuted ?? "0", 0)),
          expirationBlock: BigInt(withDecimals(body?.expirationBlock ?? "0", 0)),
        }
      : null,
    body: m.decodedMessage?.messageBody?.toLowerCase() ?? null,
    // until it is signed the field says PENDING
    attestation: /^0x([0-9a-fA-F]{2})+$/.test(m.attestation ?? "") ? (m.attestation ?? null) : null,
    nonce: word.safeParse(m.eventNonce).success ? (m.eventNonce ?? "").toLowerCase() : null,
    delayReason: m.delayReason ?? null,
  };
}

/** Cuts a decimal text to so many decimals, downwards. */
function withDecimals(text: string, decimals: number): string {
  const [whole = "0", fraction = ""] = text.split(".");
  return decimals === 0 ? whole : `${whole}.${fraction.slice(0, decimals) || "0"}`;
}

const seconds = (ms: number): number => Math.ceil(ms / 1_000);

/** undefined for what is no JSON. */
function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

async function readLimited(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (response.body ?? []) as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > MAX_ANSWER) throw new Error("the answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
