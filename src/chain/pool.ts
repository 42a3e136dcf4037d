/** Several endpoints of one network behind one set of calls. What it guarantees: docs/rpc.md. */
import type { Network } from "../config/network.js";
import { ArbError } from "../errors.js";
import { type BroadcastAnswer, broadcastTo } from "./broadcast.js";
import { type Endpoint, type EndpointHealth, openEndpoint, RpcError } from "./endpoint.js";
import { classifyNodeError } from "./errors.js";
import { firstGood } from "./failover.js";
import { type BlockEvent, followHeads, type Head, headOf } from "./heads.js";
import { pinnedReads, type PinnedReads } from "./pinned.js";
import { confirmReceipt, type Inclusion, recheckInclusion, type Recheck, type ReceiptVerdict } from "./confirm.js";
import { type RpcReply, type RpcRequest, type SendOptions, TransportError } from "./transport/types.js";
import type { Witnesses } from "./witnesses.js";

export interface PoolOptions {
  /** Deadline of a call that brings none, milliseconds. */
  timeoutMs?: number;
  /** A local world has the network's chain id but its own genesis block, and blocks only when somebody trades. */
  local?: boolean;
  /** Requests a second that each endpoint takes; null = no limit is known. */
  requestsPerSecond?: number | null;
  /** Calls in one batch. */
  maxBatch?: number;
  /** Longest answer in bytes. */
  maxBytes?: number;
  /** Age of the newest block beyond which the network counts as stale, milliseconds; null = never. Default by block time. */
  staleMs?: number | null;
  /** Interval of head polls, milliseconds; default by block time. */
  pollMs?: number;
  /** How long a checked identity counts on HTTP, milliseconds. */
  recheckMs?: number;
}

export interface CallOptions {
  /** Milliseconds in which the call must end; default: the pool's. */
  deadlineMs?: number;
  signal?: AbortSignal | undefined;
}

/** All calls end within their deadline. They throw RpcError (a node's refusal), TransportError (no answer), ArbError. */
export interface RpcPool {
  readonly network: Network;
  readonly timeoutMs: number;
  /** Names of the endpoints, as configured. */
  readonly endpoints: readonly string[];
  /** The endpoint that a read asks first. */
  preferred(): string;
  /** A read, or another call of `READS`: asked elsewhere when an endpoint fails. Any other method is sent once, to one endpoint. */
  call<T = unknown>(method: string, params: readonly unknown[], options?: CallOptions): Promise<T>;
  /** Reads together, in as few requests as the endpoints take. Refusals are values; no answer throws. */
  batch(requests: readonly RpcRequest[], options?: CallOptions): Promise<RpcReply[]>;
  /** Reads of the state of one block, named by its hash (EIP-1898). Without a block: of the newest one. */
  pin(block?: { hash: string } | { number: number }, options?: CallOptions): Promise<PinnedReads>;
  /** Signed bytes to all endpoints at once. Never throws for an answer. */
  broadcast(raw: string, options?: CallOptions & { hash?: string }): Promise<BroadcastAnswer>;
  /** One look at a receipt, on two endpoints where there are two. */
  receipt(hash: string, options?: CallOptions): Promise<ReceiptVerdict>;
  /** Whether a transaction that was mined is still where it was. */
  recheck(inclusion: Inclusion, options?: CallOptions): Promise<Recheck>;
  /** The endpoints for themselves, for what one of them alone must not decide. */
  witnesses(options?: CallOptions): Witnesses;
  /** Why the network must not be traded on now: the newest block is old on every endpoint, or nobody tells it. Null: it may. */
  stale(options?: CallOptions): Promise<string | null>;
  /** Calls back with every new block, reorganisations included; returns how to stop. */
  onBlock(listener: (event: BlockEvent) => void): () => void;
  health(): EndpointHealth[];
  close(): void;
}

/** Methods that change nothing: may be asked twice, and of several endpoints. */
const READS =
  /^(eth_(call|get\w+|blockNumber|chainId|estimateGas|feeHistory|gasPrice|maxPriorityFeePerGas|blobBaseFee|simulateV1|createAccessList|syncing)|net_version|web3_clientVersion|debug_trace\w+|debug_getRaw\w+|txpool_\w+)$/;
export const isRead = (method: string): boolean => READS.test(method);

const DEFAULT_TIMEOUT_MS = 5_000;
const DEFAULT_MAX_BATCH = 100;
const RECHECK_MS = 60_000;
const LEAST_STALE_MS = 30_000;
const TESTNET_STALE_MS = 600_000;
const STALE_BLOCKS = 5;

/** An endpoint is asked for at most this share of the time that is left, while others wait. */
const PATIENCE_SHARE = 0.4;
const LEAST_PATIENCE_MS = 100;

/** Opens the pool; no endpoint is asked yet. Throws ArbError "config" for a URL that is none. */
export function openPool(
  network: Network,
  urls: readonly string[],
  options: PoolOptions = {},
): RpcPool & { members: Endpoint[] } {
  const where = `networks.${network.name}.rpc`;
  if (urls.length === 0) throw new ArbError("config", `${network.title} has no endpoint`, { where });
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const local = options.local ?? false;
  const staleMs = options.staleMs === undefined ? (local ? null : defaultStaleMs(network)) : options.staleMs;
  const members: Endpoint[] = [];
  for (const [i, url] of urls.entries()) {
    // the URL itself may hold a key and is not repeated
    if (!/^(https?|wss?):\/\/\S|^ipc:\//i.test(url) || !URL.canParse(url))
      throw new ArbError("config", "an endpoint must be an http:// or https://, ws:// or wss:// URL, or ipc:/path", {
        where: `${where}[${i}]`,
      });
    members.push(
      openEndpoint(network, url, {
        local,
        requestsPerSecond: options.requestsPerSecond ?? null,
        maxBatch: options.maxBatch ?? DEFAULT_MAX_BATCH,
        recheckMs: options.recheckMs ?? RECHECK_MS,
        ...(options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes }),
      }),
    );
  }
  let favourite = members[0]!;
  // also while one of them is quarantined: otherwise who makes one fail could speak alone
  const needed = Math.min(2, members.length);

  const usable = (): Endpoint[] => members.filter((member) => member.state() !== "quarantined");

  /** Best first. The favourite stays first until another is clearly better: answers of one decision should come from one node. */
  const ranked = (): Endpoint[] => {
    if (members.length === 1) return members;
    const best = members.reduce((most, member) => Math.max(most, member.health().head ?? 0), 0);
    const rank = { ready: 0, new: 1, away: 2, limited: 3, quarantined: 4 };
    const costs = new Map(
      members.map((member) => [member, member.cost(best, network.blockTimeMs) * (member === favourite ? 0.5 : 1)]),
    );
    const order = usable().toSorted((a, b) => rank[a.state()] - rank[b.state()] || costs.get(a)! - costs.get(b)!);
    if (order[0]?.state() === "ready") favourite = order[0];
    return order;
  };

  const nobody = (): ArbError => {
    const why = members.map((member) => `${member.name}: ${member.health().why ?? "not usable"}`).join("; ");
    return new ArbError("network", `no endpoint of ${network.title} can be used: ${why}`, {
      where,
      hint: "correct the endpoints of this network, or add another one",
    });
  };

  const deadlineOf = ({ deadlineMs }: CallOptions): number => performance.now() + (deadlineMs ?? timeoutMs);
  const left = (deadline: number): number => deadline - performance.now();
  const sendOf = ({ deadlineMs, signal }: CallOptions): SendOptions => ({ timeoutMs: deadlineMs ?? timeoutMs, signal });

  /** Asks endpoint after endpoint, the next one also when the one before is slow, until one gives a good answer. */
  const failover = async <T>(options2: CallOptions, attempt: (member: Endpoint, send: SendOptions) => Promise<T>): Promise<T> => {
    const order = ranked();
    if (order.length === 0) throw nobody();
    const deadline = deadlineOf(options2);
    const last = order.at(-1);
    const send = (member: Endpoint, signal: AbortSignal | undefined, queueMs: number): Promise<T> =>
      attempt(member, { timeoutMs: left(deadline), signal, queueMs });
    try {
      return await firstGood(order, {
        deadline,
        signal: options2.signal,
        patience: (i) => Math.max(LEAST_PATIENCE_MS, Math.min(left(deadline) * PATIENCE_SHARE, patienceMs(order[i]!))),
        isFinal,
        outrun: (member) => member.outrun(),
        // while others have room nobody queues for one that has none
        attempt: (member, signal) => send(member, signal, member === last ? Infinity : 0),
      });
    } catch (error) {
      if (!(error instanceof TransportError) || error.code !== "RATE" || left(deadline) <= 0) throw error;
      return await send(order[0]!, options2.signal, Infinity);
    }
  };

  const call = async <T>(method: string, params: readonly unknown[], callOptions: CallOptions = {}): Promise<T> => {
    const request = { method, params };
    if (members.length === 1 || !isRead(method)) {
      const member = ranked()[0];
      if (!member) throw nobody();
      return (await single(member, request, callOptions)) as T;
    }
    return (await failover(callOptions, (member, send) => member.call(request, send))) as T;
  };

  /** One endpoint only. A read is asked again when a connection that lay idle turned out to be closed. */
  const single = async (member: Endpoint, request: RpcRequest, callOptions: CallOptions): Promise<unknown> => {
    const deadline = deadlineOf(callOptions);
    const send = { timeoutMs: left(deadline), signal: callOptions.signal };
    try {
      return await member.call(request, send);
    } catch (error) {
      const broken = error instanceof TransportError && (error.code === "ECONNRESET" || error.code === "EPIPE");
      if (!broken || !isRead(request.method) || left(deadline) <= 0) throw error;
      return await member.call(request, { ...send, timeoutMs: left(deadline) });
    }
  };

  const chunk = async (requests: readonly RpcRequest[], callOptions: CallOptions): Promise<RpcReply[]> =>
    await failover(callOptions, async (member, send) => await batchOn(member, requests, send));

  const pool: RpcPool & { members: Endpoint[] } = {
    network,
    timeoutMs,
    members,
    endpoints: members.map((member) => member.name),
    preferred: () => (ranked()[0] ?? favourite).name,
    call,
    batch: async (requests, callOptions = {}) => {
      if (requests.length === 0) return [];
      if (requests.some(({ method }) => !isRead(method))) throw new ArbError("internal", "only reads can be batched");
      return await chunk(requests, callOptions);
    },
    pin: (block, callOptions = {}) => pinnedReads(pool, block, callOptions),
    broadcast: (raw, callOptions = {}) => broadcastTo(usable(), raw, sendOf(callOptions), callOptions.hash),
    receipt: (hash, callOptions = {}) => confirmReceipt(usable(), hash, sendOf(callOptions), needed),
    recheck: (inclusion, callOptions = {}) => recheckInclusion(usable(), inclusion, sendOf(callOptions), needed),
    witnesses: (callOptions = {}) => ({
      needed,
      list: usable().map((member) => ({
        name: member.name,
        disagreed: () => member.disagreed(),
        send: async (method, params) => {
          return await single(member, { method, params: [...params] }, callOptions);
        },
      })),
    }),
    stale: async (callOptions = {}) => {
      if (staleMs === null) return null;
      const isFresh = (head: Head): boolean => Date.now() - head.timestamp * 1000 <= staleMs;
      const tip = follower?.tip() ?? null;
      if (tip !== null && isFresh(tip)) return null;
      const head = await newestHead(usable(), sendOf(callOptions), isFresh);
      if (head === null) return `no endpoint of ${network.title} tells its newest block`;
      if (isFresh(head)) return null;
      const seconds = Math.round((Date.now() - head.timestamp * 1000) / 1000);
      return `the newest block of ${network.title}, ${head.number}, is ${seconds} s old`;
    },
    onBlock: (listener) => {
      follower ??= followHeads(network, members, { pollMs: options.pollMs, timeoutMs, ranked });
      return follower.listen(listener);
    },
    health: () => members.map((member) => member.health()),
    close: () => {
      follower?.stop();
      for (const member of members) member.close();
    },
  };
  let follower: ReturnType<typeof followHeads> | null = null;
  return pool;
}

const defaultStaleMs = (network: Network): number =>
  network.testnet ? TESTNET_STALE_MS : Math.max(LEAST_STALE_MS, STALE_BLOCKS * network.blockTimeMs);

/** How long an endpoint may take before the next one is asked too: several times what it usually takes. */
function patienceMs(member: Endpoint): number {
  const { latencyMs } = member.health();
  return latencyMs === null ? Infinity : latencyMs * 8;
}

/** Whether another endpoint would say the same. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof RpcError)) return error instanceof TransportError && error.code === "ABORTED";
  const { action } = classifyNodeError(error);
  return !(action === "retry-elsewhere" || action === "retry-later" || action === "quarantine-endpoint" || action === "watch");
}

/** A batch in pieces that the endpoint takes. A refusal of the size halves them, for ever. */
async function batchOn(member: Endpoint, requests: readonly RpcRequest[], send: SendOptions): Promise<RpcReply[]> {
  const deadline = performance.now() + send.timeoutMs;
  const replies: RpcReply[] = [];
  while (replies.length < requests.length) {
    const part = requests.slice(replies.length, replies.length + member.maxBatch);
    const got = await member.batch(part, { ...send, timeoutMs: deadline - performance.now() });
    const refusal = got.find((reply) => "error" in reply && isAboutTheBatch(reply.error));
    if (refusal !== undefined && "error" in refusal) {
      const error = new RpcError(member.name, refusal.error);
      if (classifyNodeError(error).kind !== "batch-limit" || member.maxBatch === 1) throw error;
      member.maxBatch = Math.max(1, Math.floor(part.length / 2));
    } else replies.push(...got);
  }
  return replies;
}

/** Refusals that the endpoint, not the call, is the cause of: the whole batch goes elsewhere. */
function isAboutTheBatch(error: { code: number; message: string }): boolean {
  const { kind } = classifyNodeError(error);
  return kind === "batch-limit" || kind === "rate-limited" || kind === "quota-exceeded" || kind === "unauthorized";
}

/** The first head that is good enough, else the highest of all; null where no endpoint answers. */
async function newestHead(
  members: readonly Endpoint[],
  send: SendOptions,
  isFresh: (head: Head) => boolean,
): Promise<Head | null> {
  let best: Head | null = null;
  const asked = members.map(async (member) => {
    const head = headOf(await member.call({ method: "eth_getBlockByNumber", params: ["latest", false] }, send));
    if (head === null) return;
    member.saw(head.number);
    if (best === null || head.number > best.number) best = head;
    if (!isFresh(head)) throw new Error("not new enough: another endpoint may be ahead");
  });
  // fulfilled by the first fresh head, rejected when there is none: `best` tells which
  await Promise.any(asked).catch(() => undefined);
  return best;
}
