import type { Network } from "../config/network.js";
import { ArbError } from "../errors.js";
import { classifyNodeError, endpointName } from "./errors.js";
import { checkIdentity } from "./identity.js";
import type { NodeErrorKind } from "./node-errors.js";
import { type RateLimit, rateLimit } from "./rate-limit.js";
import { openTransport } from "./transport/open.js";
import {
  type RpcErrorBody,
  type RpcReply,
  type RpcRequest,
  type SendOptions,
  type Transport,
  TransportError,
} from "./transport/types.js";
import { timed } from "./transport/wire.js";

export interface EndpointOptions {
  /** A local world has the network's chain id but its own genesis block. */
  local: boolean;
  /** Requests a second that the endpoint takes; null = no limit is known. */
  requestsPerSecond: number | null;
  /** Calls in one batch that the endpoint takes. */
  maxBatch: number;
  /** Longest answer in bytes. */
  maxBytes?: number;
  /** How long a checked identity counts on HTTP, where a new connection cannot be seen. */
  recheckMs: number;
}

/** `new`: not checked yet. `away`: failed lately; asked last. `limited`: asks to be left alone. `quarantined`: never asked again. */
export type EndpointState = "new" | "ready" | "away" | "limited" | "quarantined";

export interface EndpointHealth {
  /** Host and port, or a socket's file name. */
  name: string;
  kind: Transport["kind"];
  state: EndpointState;
  /** Why it is not ready; null when it is. */
  why: string | null;
  /** Moving average of answered calls, milliseconds; null before the first. */
  latencyMs: number | null;
  /** Highest block number it told. */
  head: number | null;
  calls: number;
  failures: Partial<Record<NodeErrorKind, number>>;
  /** Receipts and blocks in which it contradicted another endpoint. */
  disagreements: number;
}

/** What a node answered instead of a result. */
export class RpcError extends Error {
  readonly code: number;
  readonly data: unknown;
  readonly endpoint: string;

  constructor(endpoint: string, { code, message, data }: RpcErrorBody) {
    super(message);
    this.name = "RpcError";
    this.code = code;
    this.data = data;
    this.endpoint = endpoint;
  }
}

/** One endpoint of a network: its transport, what it has proved to be, and how it did lately. */
export interface Endpoint {
  readonly name: string;
  readonly transport: Transport;
  readonly limit: RateLimit;
  /** Calls in one batch; falls when the endpoint refuses more. */
  maxBatch: number;
  /** Whether the genesis hash was compared at the last check. */
  genesisChecked: boolean;
  /** Calls once. Throws RpcError (it refused), TransportError (no answer), ArbError "config" (another chain). */
  call(request: RpcRequest, options: SendOptions): Promise<unknown>;
  /** One batch, sent as it is. Throws as `call`. */
  batch(requests: readonly RpcRequest[], options: SendOptions): Promise<RpcReply[]>;
  /** Connects and compares chain id and genesis unless that is done. Throws as `call`. */
  verify(options: SendOptions): Promise<void>;
  /** Notes the number of a block that it told. */
  saw(block: number): void;
  disagreed(): void;
  /** Notes that it was silent while another endpoint, asked after it, answered. */
  outrun(): void;
  state(): EndpointState;
  /** Milliseconds until it may be asked again; 0 = now. */
  restingMs(): number;
  /** Expected time to a good answer in milliseconds, worse for failures and lag behind `bestHead`. Less is better. */
  cost(bestHead: number, blockTimeMs: number): number;
  health(): EndpointHealth;
  close(): void;
}

const LATENCY_WEIGHT = 0.2;
/** Share of failures that one more answer or failure moves. */
const FAILURE_WEIGHT = 0.1;
const UNKNOWN_LATENCY_MS = 50;
const FIRST_REST_MS = 250;
const LONGEST_REST_MS = 30_000;
const QUOTA_REST_MS = 60_000;
const UNAUTHORIZED_REST_MS = 300_000;

export function openEndpoint(network: Network, url: string, options: EndpointOptions): Endpoint {
  const name = endpointName(url);
  const transport = openTransport(url, options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes });
  const failures: Partial<Record<NodeErrorKind, number>> = {};
  let latencyMs: number | null = null;
  let failureShare = 0;
  let inRow = 0;
  let head: number | null = null;
  let calls = 0;
  let disagreements = 0;
  let rest: { until: number; state: "away" | "limited"; why: string } | null = null;
  let quarantine: ArbError | null = null;
  /** The connection whose other end was checked, and when. */
  let checked: { generation: number; at: number } | null = null;
  let checking: Promise<void> | null = null;

  const answered = (ms: number): void => {
    latencyMs = latencyMs === null ? ms : latencyMs + LATENCY_WEIGHT * (ms - latencyMs);
    failureShare -= FAILURE_WEIGHT * failureShare;
    inRow = 0;
    if (rest !== null && performance.now() >= rest.until) rest = null;
  };

  const restFor = (ms: number, state: "away" | "limited", why: string): void => {
    rest = { until: performance.now() + ms, state, why };
  };

  const failed = (error: unknown): void => {
    const { kind, action, message } = classifyNodeError(error);
    failures[kind] = (failures[kind] ?? 0) + 1;
    // a refusal of what was asked is an answer
    if (action !== "retry-elsewhere" && action !== "quarantine-endpoint" && kind !== "sequencer-down") return;
    // missing blocks and methods say nothing about the next call
    if (kind === "block-not-found" || kind === "state-unavailable" || kind === "unsupported-method") return;
    failureShare += FAILURE_WEIGHT * (1 - failureShare);
    const pause = Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** inRow++);
    const asked = error instanceof TransportError ? error.retryAfterMs : undefined;
    if (kind === "rate-limited") restFor(asked ?? pause, "limited", message);
    else if (kind === "quota-exceeded") restFor(asked ?? QUOTA_REST_MS, "limited", message);
    else if (kind === "unauthorized") restFor(UNAUTHORIZED_REST_MS, "limited", message);
    else restFor(pause, "away", `${kind}: ${message}`);
    // behind the same address another node may answer next
    if (transport.kind === "http" || kind === "wrong-chain") checked = null;
  };

  const timedCall = async (request: RpcRequest, options2: SendOptions): Promise<unknown> => {
    const start = performance.now();
    calls++;
    const reply = await transport.request(request, options2);
    if ("error" in reply) throw new RpcError(name, reply.error);
    answered(performance.now() - start);
    return reply.result;
  };

  const check = async (sendOptions: SendOptions): Promise<void> => {
    const generation = await transport.connect(sendOptions);
    const ask = (method: string, params: unknown[]): Promise<unknown> =>
      timedCall({ method, params }, { ...sendOptions, generation });
    self.genesisChecked = await checkIdentity(network, name, options.local, ask);
    checked = { generation, at: performance.now() };
  };

  const startCheck = (timeoutMs: number): Promise<void> =>
    (checking ??= check({ timeoutMs })
      .catch((error: unknown) => {
        if (error instanceof ArbError && error.code === "config") quarantine = error;
        throw error;
      })
      .finally(() => (checking = null)));

  const ensureChecked = async (sendOptions: SendOptions): Promise<void> => {
    if (quarantine !== null) throw quarantine;
    if (transport.kind === "http") {
      if (checked !== null) {
        // a check that has grown old is made again without holding up the call
        if (performance.now() - checked.at >= options.recheckMs) startCheck(sendOptions.timeoutMs).catch(failed);
        return;
      }
    } else if (checked?.generation === (await transport.connect(sendOptions))) return;
    // those who come while it is being checked wait for the same answer, each for as long as it has
    const answer = startCheck(sendOptions.timeoutMs);
    await timed<void>(
      sendOptions,
      () => false,
      (resolve, reject) => void answer.then(resolve, reject),
    );
  };

  /** Options with the time that is left, over the connection that was checked. */
  const prepared = async (sendOptions: SendOptions, tokens: number): Promise<SendOptions> => {
    const start = performance.now();
    if (!isChecked()) await ensureChecked(sendOptions);
    if (
      options.requestsPerSecond !== null &&
      !(await self.limit.take(tokens, Math.min(sendOptions.timeoutMs, sendOptions.queueMs ?? Infinity), sendOptions.signal))
    )
      throw new TransportError("RATE", "rate limit of the configuration: no request is left in time", { sent: false });
    const left = { ...sendOptions, timeoutMs: sendOptions.timeoutMs - (performance.now() - start) };
    return checked === null ? left : { ...left, generation: checked.generation };
  };
  const isChecked = (): boolean =>
    quarantine === null && checked !== null && (transport.kind !== "http" || performance.now() - checked.at < options.recheckMs);

  const guarded = async <T>(run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (error) {
      // what was given up on purpose says nothing about the endpoint
      const quiet = error instanceof TransportError && (error.code === "ABORTED" || error.code === "RATE");
      if (error instanceof ArbError) restFor(LONGEST_REST_MS, "away", error.message);
      else if (!quiet) failed(error);
      throw error;
    }
  };

  /** A socket that was closed since the last check: the new one is checked, and the request goes over it. */
  const overNewConnection = async <T>(send: () => Promise<T>): Promise<T> => {
    try {
      return await send();
    } catch (error) {
      if (transport.kind === "http" || !(error instanceof TransportError) || error.sent || error.code !== "ECONNRESET")
        throw error;
      checked = null;
      return await send();
    }
  };

  const self: Endpoint = {
    name,
    transport,
    limit: rateLimit(options.requestsPerSecond),
    maxBatch: options.maxBatch,
    genesisChecked: false,
    verify: (sendOptions) => guarded(() => overNewConnection(() => ensureChecked(sendOptions))),
    call: (request, sendOptions) =>
      guarded(() => overNewConnection(async () => await timedCall(request, await prepared(sendOptions, 1)))),
    batch: (requests, sendOptions) =>
      guarded(() =>
        overNewConnection(async () => {
          const ready = await prepared(sendOptions, requests.length);
          const start = performance.now();
          calls += requests.length;
          const replies = await transport.batch(requests, ready);
          answered(performance.now() - start);
          return replies;
        }),
      ),
    saw: (block) => {
      if (head === null || block > head) head = block;
    },
    disagreed: () => void disagreements++,
    outrun: () => failed(new TransportError("TIMEOUT", "timeout: another endpoint answered first", { sent: true })),
    state: () => {
      if (quarantine !== null) return "quarantined";
      if (rest !== null && performance.now() < rest.until) return rest.state;
      return checked === null ? "new" : "ready";
    },
    restingMs: () => (rest === null ? 0 : Math.max(0, rest.until - performance.now())),
    cost: (bestHead, blockTimeMs) => {
      const lag = head === null ? 0 : Math.max(0, bestHead - head - 1); // one block is the time that news travel
      return (latencyMs ?? UNKNOWN_LATENCY_MS) * (1 + 9 * failureShare) + lag * blockTimeMs;
    },
    health: () => {
      const state = self.state();
      const why = quarantine?.message ?? (state === "away" || state === "limited" ? (rest?.why ?? null) : null);
      return { name, kind: transport.kind, state, why, latencyMs, head, calls, failures: { ...failures }, disagreements };
    },
    close: () => transport.close(),
  };
  return self;
}
