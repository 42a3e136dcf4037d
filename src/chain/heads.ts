/** The chain's head as a stream of blocks, reorganisations included. */
import type { Network } from "../config/network.js";
import type { Endpoint } from "./endpoint.js";
import type { SendOptions } from "./transport/types.js";

export interface Head {
  number: number;
  hash: string;
  parentHash: string;
  /** Unix seconds. */
  timestamp: number;
  /** Wei; null before EIP-1559. */
  baseFeePerGas: bigint | null;
}

export interface Reorg {
  /** How many blocks were replaced. */
  depth: number;
  /** The replaced blocks, oldest first. */
  dropped: Head[];
  /** The fork lies below everything that was remembered: `depth` is only the least that was replaced. */
  deeper: boolean;
}

export interface BlockEvent {
  block: Head;
  /** On the first block of another branch; else null. */
  reorg: Reorg | null;
  /** Blocks between the last event and this one that were not read, because there were too many. */
  missed: number;
  endpoint: string;
}

/** Reads a header as nodes give it; null for anything else. */
export function headOf(json: unknown): Head | null {
  const { number, hash, parentHash, timestamp, baseFeePerGas } = (json ?? {}) as Record<string, unknown>;
  const isQuantity = (value: unknown): value is string => typeof value === "string" && /^0x[0-9a-f]{1,16}$/i.test(value);
  const isHash = (value: unknown): value is string => typeof value === "string" && /^0x[0-9a-f]{64}$/i.test(value);
  if (!isQuantity(number) || !isQuantity(timestamp) || !isHash(hash) || !isHash(parentHash)) return null;
  // BigInt would throw, in a socket's event where nobody catches it
  if (typeof baseFeePerGas === "string" && !/^0x[0-9a-f]{1,64}$/i.test(baseFeePerGas)) return null;
  return {
    number: Number(number),
    hash: hash.toLowerCase(),
    parentHash: parentHash.toLowerCase(),
    timestamp: Number(timestamp),
    baseFeePerGas: typeof baseFeePerGas === "string" ? BigInt(baseFeePerGas) : null,
  };
}

/** Blocks that are remembered, and the longest gap that is read block by block. */
const REMEMBERED = 128;

/** The branch that was told last. `add` gives the events that a new head means, after reading what lies between. */
export function chainMemory(): {
  tip(): Head | null;
  /** Throws what `parent` throws; then nothing was added. Null from `parent`: the endpoint does not have the block. */
  add(head: Head, endpoint: string, parent: (hash: string) => Promise<Head | null>): Promise<BlockEvent[]>;
} {
  let branch: Head[] = [];
  return {
    tip: () => branch.at(-1) ?? null,
    add: async (head, endpoint, parent) => {
      // an older block of the same branch is late news
      if (branch.some((block) => block.hash === head.hash)) return [];
      const oldest = branch[0];
      const tip = branch.at(-1);
      if (oldest === undefined || tip === undefined) {
        branch = [head];
        return [{ block: head, reorg: null, missed: 0, endpoint }];
      }
      const path = [head];
      let ancestor = -1;
      while (ancestor === -1 && path.length <= REMEMBERED) {
        const lowest = path[0]!;
        ancestor = branch.findIndex((block) => block.hash === lowest.parentHash);
        if (ancestor !== -1 || lowest.number <= oldest.number) break;
        const before = await parent(lowest.parentHash);
        // an endpoint that lost its own block is in the middle of a change: its next head tells more
        if (before === null) return [];
        path.unshift(before);
      }
      const connected = ancestor !== -1;
      const gap = Math.max(0, path[0]!.number - tip.number - 1);
      const dropped = connected ? branch.slice(ancestor + 1) : gap > 0 ? [] : branch;
      branch = [...(connected ? branch.slice(0, ancestor + 1) : []), ...path].slice(-REMEMBERED);
      const reorg = dropped.length === 0 ? null : { depth: dropped.length, dropped, deeper: !connected };
      return path.map((block, i) => ({
        block,
        reorg: i === 0 ? reorg : null,
        missed: i === 0 && !connected ? gap : 0,
        endpoint,
      }));
    },
  };
}

export interface FollowOptions {
  pollMs?: number | undefined;
  /** Deadline of one question. */
  timeoutMs: number;
  /** The endpoints that may be asked, best first. */
  ranked(): Endpoint[];
}

const LEAST_POLL_MS = 100;
const LONGEST_POLL_MS = 4_000;
/** A source this many blocks behind another endpoint is left. */
const LAG_BLOCKS = 2;
/** The other endpoints are asked for their heads once in so many polls. */
const OTHERS_EVERY = 4;

/**
 * Follows the head on one endpoint: by subscription where it has one, and by polls, which also notice a subscription that went
 * silent. Leaves an endpoint that fails or lags. Runs while somebody listens.
 */
export function followHeads(
  network: Network,
  members: readonly Endpoint[],
  options: FollowOptions,
): { listen(listener: (event: BlockEvent) => void): () => void; tip(): Head | null; stop(): void } {
  const pollMs = options.pollMs ?? Math.min(LONGEST_POLL_MS, Math.max(LEAST_POLL_MS, network.blockTimeMs / 2));
  const listeners = new Set<(event: BlockEvent) => void>();
  const memory = chainMemory();
  const subscribed = new Set<Endpoint>();
  const unhear: (() => void)[] = [];
  let source: Endpoint | null = null;
  let timer: NodeJS.Timeout | undefined;
  let running: AbortController | null = null;
  let adding: Promise<void> = Promise.resolve();
  let polls = 0;

  const send = (): SendOptions => ({ timeoutMs: options.timeoutMs, signal: running?.signal });
  const ask = async (member: Endpoint, method: string, key: string): Promise<Head | null> => {
    const head = headOf(await member.call({ method, params: [key, false] }, send()));
    if (head !== null) member.saw(head.number);
    return head;
  };

  /** One head after another: their blocks must be told in order. */
  const take = (head: Head, member: Endpoint): Promise<void> => {
    const add = async (): Promise<void> => {
      if (running === null) return;
      const events = await memory
        .add(head, member.name, (hash) => ask(member, "eth_getBlockByHash", hash))
        .catch((): BlockEvent[] => []); // the next poll asks again
      for (const event of events) for (const listener of listeners) listener(event);
    };
    // a listener that failed must not end the stream
    adding = adding.then(add, add);
    return adding;
  };

  const subscribe = async (member: Endpoint): Promise<void> => {
    const { transport } = member;
    if (transport.onNotification === undefined || subscribed.has(member)) return;
    subscribed.add(member);
    const unhearThis = transport.onNotification((message) => {
      if (message === null) {
        // the connection is lost, and the subscription with it: made again at the next poll
        subscribed.delete(member);
        unhearThis();
        return;
      }
      const head = headOf(message.result);
      if (head === null) return;
      member.saw(head.number);
      if (member === source) void take(head, member);
    });
    unhear.push(unhearThis);
    try {
      await member.call({ method: "eth_subscribe", params: ["newHeads"] }, send());
    } catch {
      // it has none, or fails: polls go on, and its health says why
    }
  };

  const pollOthers = async (): Promise<void> => {
    const others = members.filter((member) => member !== source && member.state() !== "quarantined");
    await Promise.allSettled(others.map((member) => ask(member, "eth_getBlockByNumber", "latest")));
    const tip = memory.tip();
    const ahead = others.find((member) => (member.health().head ?? 0) >= (tip?.number ?? 0) + LAG_BLOCKS);
    if (ahead !== undefined && tip !== null) source = ahead;
  };

  const poll = async (): Promise<void> => {
    source ??= options.ranked()[0] ?? null;
    if (source === null) return;
    const member = source;
    try {
      await subscribe(member);
      const head = await ask(member, "eth_getBlockByNumber", "latest");
      if (head !== null) await take(head, member);
    } catch {
      // another one takes over; what failed stands in the endpoint's health
      source = options.ranked().find((other) => other !== member) ?? member;
    }
    if (members.length > 1 && polls++ % OTHERS_EVERY === 0) await pollOthers();
  };

  const loop = async (mine: AbortController): Promise<void> => {
    await poll();
    if (running === mine) timer = setTimeout(() => void loop(mine), pollMs);
  };

  const stop = (): void => {
    running?.abort();
    running = null;
    clearTimeout(timer);
    for (const end of unhear.splice(0)) end();
    subscribed.clear();
  };

  return {
    listen: (listener) => {
      listeners.add(listener);
      if (running === null) {
        running = new AbortController();
        void loop(running);
      }
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) stop();
      };
    },
    // what was heard before it stopped is no news
    tip: () => (running === null ? null : memory.tip()),
    stop,
  };
}
