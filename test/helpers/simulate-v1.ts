import { toBeHex, toQuantity } from "ethers";
import type { RpcProvider } from "../../src/chain/connect.js";
import type { Rpc } from "../../src/sim/site.js";

/**
 * `eth_simulateV1` and block overrides of `eth_call` for a chain whose node has neither: the call is really mined in a block with the
 * asked number, time and base fee, and the chain turned back. Answers and codes as in execution-apis and geth's documentation.
 */

interface Frame {
  from: string;
  to: string;
  value?: string;
  error?: string;
  output?: string;
  calls?: Frame[];
}

export interface Methods {
  simulateV1: boolean;
  /** The name of the base fee in block overrides; "ignored": taken and not heeded; null: refused. */
  callOverrides: "baseFeePerGas" | "baseFee" | "ignored" | null;
}

/** A provider that has these methods on top of those of the chain behind it, and a count of the requests by method. */
export function withMethods(
  provider: RpcProvider,
  rpc: Rpc,
  methods: Methods,
): { provider: RpcProvider; asked: Map<string, number> } {
  const asked = new Map<string, number>();
  let queue: Promise<unknown> = Promise.resolve();
  // one after another: what is mined for a simulation must be seen by that one alone
  const send = async (method: string, params: any[]): Promise<unknown> => {
    const answer = queue.then(() => answered(method, params));
    queue = answer.catch(() => undefined);
    return await answer;
  };
  const answered = async (method: string, params: any[]): Promise<unknown> => {
    asked.set(method, (asked.get(method) ?? 0) + 1);
    if (method === "eth_simulateV1" && methods.simulateV1) return await simulateV1(rpc, params);
    if (method === "eth_call" && params.length === 4 && methods.callOverrides !== null) return await callAt(rpc, params, methods);
    return await provider.send(method, params);
  };
  // everything but send is the provider's own
  const own = new Proxy(provider, { get: (target, key) => (key === "send" ? send : bound(target, key)) });
  return { provider: own, asked };
}

function bound(target: object, key: string | symbol): unknown {
  const value = Reflect.get(target, key) as unknown;
  return typeof value === "function" ? (value.bind(target) as unknown) : value;
}

const refusal = (code: number, message: string, data?: string): Error =>
  Object.assign(new Error(message), { error: { code, message, ...(data === undefined ? {} : { data }) } });

async function atBlock<T>(rpc: Rpc, overrides: Record<string, string>, work: () => Promise<T>): Promise<T> {
  const snapshot = await rpc<string>("evm_snapshot");
  try {
    await rpc("evm_setNextBlockTimestamp", [overrides["time"]]);
    await rpc("hardhat_setNextBlockBaseFeePerGas", [overrides["baseFeePerGas"] ?? overrides["baseFee"] ?? "0x0"]);
    return await work();
  } finally {
    await rpc("evm_revert", [snapshot]);
  }
}

async function simulateV1(rpc: Rpc, [request, parent]: any[]): Promise<unknown> {
  const { blockStateCalls, validation, traceTransfers } = request;
  const [{ blockOverrides, calls }] = blockStateCalls;
  const head = await rpc<{ number: string; timestamp: string }>("eth_getBlockByNumber", ["latest", false]);
  if (BigInt(parent) !== BigInt(head.number)) throw refusal(-32000, "header not found");
  if (BigInt(blockOverrides.number) !== BigInt(head.number) + 1n) throw refusal(-38020, "block numbers must be in order");
  if (BigInt(blockOverrides.time) <= BigInt(head.timestamp)) throw refusal(-38021, "block timestamps must be in order");
  if (validation === true) {
    const before = new Map<string, bigint>();
    for (const call of calls) {
      const sent = before.get(call.from) ?? 0n;
      await validate(rpc, call, BigInt(blockOverrides.baseFeePerGas), sent);
      before.set(call.from, sent + 1n);
    }
  }
  return await atBlock(rpc, blockOverrides, async () => {
    await rpc("evm_setAutomine", [false]);
    const hashes: string[] = [];
    try {
      for (const call of calls) hashes.push(await give(rpc, call, validation === true, blockOverrides.baseFeePerGas));
      await rpc("evm_mine", []);
      const results: object[] = [];
      let block = "";
      for (const hash of hashes) {
        const receipt = await rpc<any>("eth_getTransactionReceipt", [hash]);
        const trace = await rpc<Frame>("debug_traceTransaction", [hash, { tracer: "callTracer" }]);
        const failed = receipt.status !== "0x1";
        block = receipt.blockHash;
        results.push({
          returnData: trace.output ?? "0x",
          logs: [...(traceTransfers === true && !failed ? transfersOf(trace) : []), ...receipt.logs],
          gasUsed: receipt.gasUsed,
          status: receipt.status,
          ...(failed ? { error: { code: 3, message: "execution reverted", data: trace.output ?? "0x" } } : {}),
        });
      }
      return [{ ...(await rpc<object>("eth_getBlockByHash", [block, false])), calls: results }];
    } finally {
      await rpc("evm_setAutomine", [true]);
      for (const call of calls) await rpc("hardhat_stopImpersonatingAccount", [call.from ?? NOBODY]);
    }
  });
}

const NOBODY = `0x${"00".repeat(20)}`;

async function validate(rpc: Rpc, call: any, baseFee: bigint, before: bigint): Promise<void> {
  const nonce = before + BigInt(await rpc<string>("eth_getTransactionCount", [call.from, "latest"]));
  const balance = BigInt(await rpc<string>("eth_getBalance", [call.from, "latest"]));
  const asked = BigInt(call.nonce ?? nonce);
  const [cap, value] = [BigInt(call.maxFeePerGas ?? call.gasPrice), BigInt(call.value)];
  if (asked < nonce) throw refusal(-38010, `nonce too low: address ${call.from}, tx: ${asked} state: ${nonce}`);
  if (asked > nonce) throw refusal(-38011, `nonce too high: address ${call.from}, tx: ${asked} state: ${nonce}`);
  // geth has no code of its own for this one
  if (cap < baseFee)
    throw refusal(-32602, `max fee per gas less than block base fee: address ${call.from}, maxFeePerGas: ${cap}`);
  if (balance < BigInt(call.gas) * cap + value)
    throw refusal(-38014, `insufficient funds for gas * price + value: address ${call.from} have ${balance}`);
}

/** Puts a call into the pool as a transaction. Without validation what has no price is free, and its sender rich enough. */
async function give(rpc: Rpc, given: any, validation: boolean, baseFee: string): Promise<string> {
  const { type: _, nonce: __, ...call } = given;
  const from = call.from ?? NOBODY;
  await rpc("hardhat_impersonateAccount", [from]);
  if (validation || call.maxFeePerGas !== undefined || call.gasPrice !== undefined)
    return await rpc<string>("eth_sendTransaction", [call]);
  await rpc("hardhat_setBalance", [from, toQuantity(10n ** 24n)]);
  const gas = call.gas ?? toQuantity(15_000_000);
  return await rpc<string>("eth_sendTransaction", [{ ...call, from, gas, maxFeePerGas: baseFee, maxPriorityFeePerGas: "0x0" }]);
}

/** Moves of ETH as logs of a token at 0xeeee...ee. */
function transfersOf(frame: Frame): object[] {
  if (frame.error !== undefined) return [];
  const value = BigInt(frame.value ?? 0);
  const topics = [
    "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
    toBeHex(frame.from, 32),
    toBeHex(frame.to, 32),
  ];
  const own = value === 0n ? [] : [{ address: `0x${"ee".repeat(20)}`, topics, data: toBeHex(value, 32) }];
  return [...own, ...(frame.calls ?? []).flatMap(transfersOf)];
}

async function callAt(rpc: Rpc, [call, block, state, overrides]: any[], { callOverrides }: Methods): Promise<unknown> {
  if (callOverrides === "ignored") return await rpc("eth_call", [call, block, state]);
  const known = new Set(["number", "time", callOverrides]);
  const unknown = Object.keys(overrides).find((key) => !known.has(key));
  if (unknown !== undefined) throw refusal(-32602, `unknown field \`${unknown}\``);
  const head = BigInt(await rpc<string>("eth_blockNumber"));
  if (BigInt(overrides.number) !== head + 1n) throw refusal(-32602, `this chain can only call at ${toQuantity(head + 1n)}`);
  // EDR's pending block has the number, time and base fee of the next one
  return await atBlock(rpc, overrides, () => rpc("eth_call", [call, "pending", state]));
}
