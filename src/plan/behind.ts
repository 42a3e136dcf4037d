import { JsonRpcApiProvider, type JsonRpcPayload, type JsonRpcResult, Network as EthersNetwork, toQuantity } from "ethers";
import type { Chain, RpcProvider } from "../chain/connect.js";
import { classifyNodeError } from "../chain/errors.js";
import type { PendingTransaction } from "../opportunity/pending.js";
import { explainRevert } from "./errors.js";
import type { TargetBlock } from "./final-simulation.js";
import { leastGas } from "./least-gas.js";

/** A chain whose state is read right behind a pending transaction at the head of the next block, or why it cannot be. */
export type Behind =
  | { ok: true; chain: Chain }
  /** "fails": the transaction would not succeed there. "unable": the node has no method that tells. */
  | { ok: false; why: "fails" | "unable"; detail: string };

interface Params {
  [name: string]: unknown;
}

/** One way to run a call behind the transaction. Raises what the node answers; a revert as an error with its data. */
interface Way {
  call(call: Params, state: Params, block: Params | null): Promise<string>;
  /** Least gas that a call needs by the node, or a lower bound of it; null where it tells none. */
  gas(call: Params): Promise<{ gas: bigint; exact: boolean } | null>;
}

interface Result {
  status: string;
  returnData: string;
  gasUsed: string;
  error?: { message?: string; data?: string };
}

interface Account {
  balance?: string;
  nonce?: number | string;
  code?: string;
  storage?: Record<string, string>;
}

type States = Record<string, Account>;

const ZERO_WORD = `0x${"00".repeat(32)}`;

/**
 * The chain as it will be behind `pending` in the block of `target`: by `eth_simulateV1`, which runs it before every call, else by what it
 * changes (`debug_traceCall` with `prestateTracer`), put into every call. Nothing is guessed: a node that has neither says so. The
 * second way runs it in the parent's block, so that what it reads of number and time is the parent's.
 * Only calls, estimates and blocks are read behind it; the view is of one block, and is opened anew for the next.
 */
export async function openBehind(chain: Chain, pending: PendingTransaction, target: TargetBlock): Promise<Behind> {
  const { provider } = chain;
  const parent = toQuantity(target.parent);
  const overrides = {
    number: toQuantity(target.number),
    time: toQuantity(target.time),
    baseFeePerGas: toQuantity(target.baseFee),
  };
  const simulate = async (calls: Params[], more: Params, validation: boolean, state: Params = {}): Promise<Result[]> => {
    const block = {
      blockOverrides: { ...overrides, ...more },
      calls,
      ...(Object.keys(state).length > 0 && { stateOverrides: state }),
    };
    const request = { blockStateCalls: [block], validation, traceTransfers: false, returnFullTransactions: false };
    const answer = (await provider.send("eth_simulateV1", [request, parent])) as { calls?: Result[] }[];
    const results = answer[0]?.calls ?? [];
    if (results.length !== calls.length) throw new Error("eth_simulateV1 answered without the calls");
    return results;
  };
  try {
    // as the block would take it: nonce, balance and fee count
    const [first] = await simulate([pending.call], {}, true);
    if (first!.status !== "0x1") return fails(first!.error?.data ?? first!.returnData);
  } catch (error) {
    const { kind, message } = classifyNodeError(error);
    if (kind !== "unsupported-method") {
      if (WAITS.has(kind)) throw error;
      return { ok: false, why: "fails", detail: message };
    }
    return await openByDiff(chain, pending, target, parent);
  }
  const run = async (call: Params, state: Params, more: Params): Promise<Result> => {
    const [before, ours] = await simulate([pending.call, call], more, false, state);
    if (before!.status !== "0x1") throw nodeError("the transaction before it failed", before!.error?.data ?? before!.returnData);
    if (ours!.status !== "0x1")
      throw nodeError(ours!.error?.message ?? "execution reverted", ours!.error?.data ?? ours!.returnData);
    return ours!;
  };
  const way: Way = {
    call: async (call, state, block) => (await run(call, state, block ?? {})).returnData,
    // what it used is no limit that suffices: refunds come last, and calls keep a 64th back
    gas: async (call) => ({ gas: BigInt((await run(call, {}, {})).gasUsed), exact: false }),
  };
  return { ok: true, chain: viewed(chain, target, way, (params) => withPending(provider, pending, params)) };
}

/** These say nothing about the transaction. */
const WAITS: ReadonlySet<string> = new Set(["timeout", "unreachable", "rate-limited"]);

/** The same from what the transaction changes. */
async function openByDiff(chain: Chain, pending: PendingTransaction, target: TargetBlock, parent: string): Promise<Behind> {
  const { provider } = chain;
  const block = { number: toQuantity(target.number), time: toQuantity(target.time), baseFeePerGas: toQuantity(target.baseFee) };
  // nodes that do not know the block's overrides ignore them
  const trace = async (tracer: string, config: object): Promise<unknown> =>
    await provider.send("debug_traceCall", [pending.call, parent, { tracer, timeout: "5s", blockOverrides: block, ...config }]);
  let state: Params;
  try {
    // a difference does not say whether it is that of a failure
    const frame = (await trace("callTracer", { tracerConfig: { onlyTopCall: true } })) as { error?: string; output?: string };
    if (frame.error !== undefined) return fails(frame.output ?? "0x");
    state = overridesOf((await trace("prestateTracer", { tracerConfig: { diffMode: true } })) as { pre?: States; post?: States });
  } catch (error) {
    const { kind, message } = classifyNodeError(error);
    if (WAITS.has(kind)) throw error;
    return {
      ok: false,
      why: "unable",
      detail: `no node tells the state behind it (eth_simulateV1, debug_traceCall: ${message})`,
    };
  }
  const way: Way = {
    call: async (call, more, blockOf) =>
      String(await provider.send("eth_call", [call, parent, merged(state, more), ...(blockOf === null ? [] : [blockOf])])),
    gas: async (call) => {
      try {
        return { gas: BigInt((await provider.send("eth_estimateGas", [call, parent, state])) as string), exact: true };
      } catch (error) {
        const { kind, revertData } = classifyNodeError(error);
        if (revertData !== null || WAITS.has(kind)) throw error;
        // many nodes estimate on states of the chain only, and say so in words of their own
        return null;
      }
    },
  };
  return { ok: true, chain: viewed(chain, target, way, null) };
}

const fails = (data: string): Behind => ({ ok: false, why: "fails", detail: `it would revert: ${explainRevert(data).text}` });

/** The answer to `eth_simulateV1` for the first block's calls with the transaction before them, which is then left out of it. */
async function withPending(provider: RpcProvider, pending: PendingTransaction, params: unknown[]): Promise<unknown> {
  const [request, ...rest] = params as [{ blockStateCalls: { calls: Params[] }[] }, ...unknown[]];
  const [first, ...blocks] = request.blockStateCalls;
  const calls = [pending.call, ...(first?.calls ?? [])];
  const answer = await provider.send("eth_simulateV1", [
    { ...request, blockStateCalls: [{ ...first, calls }, ...blocks] },
    ...rest,
  ]);
  const [block, ...others] = answer as { calls: Result[] }[];
  const [before, ...ours] = block?.calls ?? [];
  // behind a failure nothing is as it was meant
  const calls2 =
    before?.status === "0x1" ? ours : ours.map((result) => ({ ...result, status: "0x0", error: before?.error ?? {} }));
  return [{ ...block, calls: calls2 }, ...others];
}

/** What a difference of states changes, as overrides of a call. Source: geth, eth/tracers/native/prestate.go. */
export function overridesOf({ pre, post }: { pre?: States; post?: States }): Params {
  if (pre === undefined || post === undefined) throw new Error("unsupported: the trace is no difference of states");
  const state: Params = {};
  for (const [address, before] of Object.entries(pre)) {
    // an account that is only in front is gone behind
    if (post[address] === undefined && Object.keys(before).length > 0)
      state[address] = { balance: "0x0", nonce: "0x0", code: "0x", state: {} };
  }
  for (const [address, { balance, nonce, code, storage = {} }] of Object.entries(post)) {
    const slots = Object.keys({ ...pre[address]?.storage, ...storage });
    // a word that became zero is left out behind
    const stateDiff = Object.fromEntries(slots.map((slot) => [slot, storage[slot] ?? ZERO_WORD]));
    state[address] = {
      ...(balance !== undefined && { balance }),
      ...(nonce !== undefined && { nonce: toQuantity(nonce) }),
      ...(code !== undefined && { code }),
      ...(slots.length > 0 && { stateDiff }),
    };
  }
  return state;
}

/** `more` on top of `state`, account by account. */
function merged(state: Params, more: Params): Params {
  const all = { ...state };
  for (const [address, account] of Object.entries(more)) {
    const known = Object.keys(all).find((key) => key.toLowerCase() === address.toLowerCase()) ?? address;
    const [below, above] = [(all[known] ?? {}) as Params, account as Params];
    const stateDiff = { ...(below["stateDiff"] as Params | undefined), ...(above["stateDiff"] as Params | undefined) };
    all[known] = { ...below, ...above, ...(Object.keys(stateDiff).length > 0 && { stateDiff }) };
  }
  return all;
}

function viewed(chain: Chain, target: TargetBlock, way: Way, simulate: ((params: unknown[]) => Promise<unknown>) | null): Chain {
  const { pool: _, ...rest } = chain;
  const provider = new BehindProvider(chain, target, way, simulate);
  return { ...rest, provider, close: () => provider.destroy() };
}

const nodeError = (message: string, data: string | undefined): Error =>
  Object.assign(new Error(message), { error: { code: 3, message, data: data ?? "0x" } });

/** The error object of a node in what a provider threw. */
function answered(error: unknown): { code: number; message: string; data?: string } {
  const { message, revertData, kind } = classifyNodeError(error);
  if (revertData !== null) return { code: 3, message: "execution reverted", data: revertData };
  return { code: kind === "unsupported-method" ? -32601 : kind === "reverted" ? 3 : -32000, message };
}

/** Reads of one block's state, behind the transaction; the rest is asked of the chain. */
class BehindProvider extends JsonRpcApiProvider {
  readonly #chain: Chain;
  readonly #target: TargetBlock;
  readonly #way: Way;
  readonly #simulate: ((params: unknown[]) => Promise<unknown>) | null;

  constructor(chain: Chain, target: TargetBlock, way: Way, simulate: ((params: unknown[]) => Promise<unknown>) | null) {
    super(new EthersNetwork(chain.network.name, chain.network.chainId), {
      staticNetwork: true,
      batchMaxCount: 1,
      cacheTimeout: -1,
    });
    this.#chain = chain;
    this.#target = target;
    this.#way = way;
    this.#simulate = simulate;
    this._start(); // oxlint-disable-line no-underscore-dangle -- ethers' own name
  }

  override async send(method: string, params: unknown[] | Record<string, unknown>): Promise<unknown> {
    const list = Array.isArray(params) ? params : [params];
    try {
      return await this.#answer(method, list);
    } catch (error) {
      const payload: JsonRpcPayload = { id: 1, jsonrpc: "2.0", method, params: list };
      throw WAITS.has(classifyNodeError(error).kind) ? error : this.getRpcError(payload, { id: 1, error: answered(error) });
    }
  }

  // oxlint-disable-next-line no-underscore-dangle -- ethers' own name
  override async _send(payload: JsonRpcPayload | JsonRpcPayload[]): Promise<JsonRpcResult[]> {
    const list = Array.isArray(payload) ? payload : [payload];
    return await Promise.all(list.map(async ({ id, method, params }) => ({ id, result: await this.send(method, params) })));
  }

  async #answer(method: string, params: unknown[]): Promise<unknown> {
    switch (method) {
      case "eth_call": {
        const [call, tag, state = {}, block = null] = params as [Params, unknown, Params?, Params?];
        this.#requireOurs(tag);
        return await this.#way.call(call, state, block);
      }
      case "eth_estimateGas": {
        const [call, tag = "latest"] = params as [Params, unknown?];
        this.#requireOurs(tag);
        return toQuantity(await this.#estimate(call));
      }
      case "eth_simulateV1":
        if (this.#simulate === null) throw unsupported(method);
        this.#requireOurs(params[1]);
        return await this.#simulate(params);
      // their answers would be of the state before it
      case "debug_traceCall":
      case "eth_getBalance":
      case "eth_getStorageAt":
      case "eth_createAccessList":
        throw unsupported(method);
      case "eth_getBlockByNumber":
        return await this.#chain.provider.send(
          method,
          params[0] === "latest" ? [toQuantity(this.#target.parent), params[1]] : params,
        );
      case "eth_blockNumber":
        return toQuantity(this.#target.parent);
      default:
        return await this.#chain.provider.send(method, params);
    }
  }

  async #estimate(call: Params): Promise<bigint> {
    const told = await this.#way.gas(call);
    if (told?.exact === true) return told.gas;
    const most = BigInt(this.#chain.network.transactionGasCap ?? 30_000_000);
    return await leastGas(
      async (gas) => void (await this.#way.call({ ...call, gas: toQuantity(gas) }, {}, null)),
      told?.gas ?? null,
      most,
    );
  }

  #requireOurs(tag: unknown): void {
    if (tag === "latest" || (typeof tag === "string" && /^0x[0-9a-f]{1,16}$/.test(tag) && Number(tag) === this.#target.parent))
      return;
    throw new Error(`unsupported: only the state behind block ${this.#target.parent} is read here`);
  }
}

const unsupported = (method: string): Error =>
  Object.assign(new Error(`the method ${method} does not exist/is not available`), {
    error: { code: -32601, message: "Method not found" },
  });
