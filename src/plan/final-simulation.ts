import { toBeHex, toQuantity } from "ethers";
import type { Chain, RpcProvider } from "../chain/connect.js";
import { classifyNodeError, type NodeErrorKind } from "../chain/errors.js";
import { refuseDelegated } from "../wallet/delegation.js";
import type { AccessListEntry } from "../wallet/signer.js";
import { explainRevert, type RevertExplanation } from "./errors.js";
import { type FailedAt, locateFailure } from "./locate.js";
import type { Plan } from "./plan.js";

/** The call as it is signed. Amounts in wei and gas. */
export interface FinalCall {
  from: string;
  to: string;
  data: string;
  value: bigint;
  gasLimit: bigint;
  maxFeePerGas: bigint;
  maxPriorityFeePerGas: bigint;
  /** null: the account's next. */
  nonce: number | null;
  accessList?: AccessListEntry[];
}

/** The block that the call is meant for, on top of the state of `parent`. */
export interface TargetBlock {
  parent: number;
  number: number;
  /** Unix seconds. */
  time: number;
  /** Wei per gas. */
  baseFee: bigint;
}

export interface SimulatedLog {
  address: string;
  topics: string[];
  data: string;
}

/**
 * How it was simulated. "simulate": a whole block with nonce, balance, fees and logs (`eth_simulateV1`). "call": an `eth_call` with
 * the block's number and time, and its base fee where the node's calls have one. "call-on-parent": an `eth_call` that saw the parent's, because the node has nothing better:
 * deadlines, block windows and the price of gas were not those of the target.
 */
export type SimulationMethod = "simulate" | "call" | "call-on-parent";

export type FinalSimulation = { method: SimulationMethod } & (
  | {
      ok: true;
      data: string;
      /** null where only a call was possible. */
      gasUsed: bigint | null;
      /** With transfers of ETH as `Transfer` logs of 0xeeee...ee; null where only a call was possible. */
      logs: SimulatedLog[] | null;
    }
  | {
      ok: false;
      /** "reverted", or why the transaction would not be taken at all. */
      kind: NodeErrorKind;
      /** One or two sentences for people; names the hop that failed where that is known. */
      reason: string;
      revert: RevertExplanation | null;
      at: FailedAt | null;
    }
);

type BaseFeeName = "baseFeePerGas" | "baseFee";

/** What one endpoint can do; asked once. */
interface Abilities {
  simulateV1: boolean;
  /** The name that `eth_call` has for the base fee in block overrides; false: it has none; null: not asked yet. */
  blockOverrides: BaseFeeName | false | null;
}

const abilities = new WeakMap<RpcProvider, Abilities>();

/** These say nothing about the call. */
const NO_ANSWER: ReadonlySet<NodeErrorKind> = new Set(["timeout", "unreachable", "rate-limited"]);

/** What a node that refuses the whole call says about it: the block would not take the transaction. */
const VERDICTS: Partial<Record<NodeErrorKind, string>> = {
  "nonce-too-low": "The nonce is already used.",
  "nonce-too-high": "An earlier nonce of the account is still open.",
  "fee-below-base-fee": "The fee cap is below the target block's base fee.",
  "intrinsic-gas-too-low": "The gas limit does not even pay for the calldata.",
  "insufficient-funds": "The account cannot pay the gas at its fee cap.",
  "gas-limit-exceeded": "The gas limit does not fit into the target block.",
};

/** Codes of `eth_simulateV1`. Source: execution-apis, eth_simulateV1; geth has words only for some of them. */
const CODES: Record<number, NodeErrorKind> = {
  [-38010]: "nonce-too-low",
  [-38011]: "nonce-too-high",
  [-38012]: "fee-below-base-fee",
  [-38013]: "intrinsic-gas-too-low",
  [-38014]: "insufficient-funds",
  [-38015]: "gas-limit-exceeded",
};

/** The verdict in a node's refusal; null when it is none. */
function verdictIn(method: SimulationMethod, error: unknown): FinalSimulation | null {
  const kind = CODES[codeOf(error) ?? 0] ?? classifyNodeError(error).kind;
  const reason = VERDICTS[kind];
  return reason === undefined ? null : { method, ok: false, kind, reason, revert: null, at: null };
}

/**
 * Runs exactly what will be signed on the block that it is meant for, by the best method that the node has. A revert is a value with
 * its reason; so is a transaction that the block would not take. Raises ArbError "secrets" when the account has delegated itself
 * (EIP-7702), and the node's own error when it answers neither way.
 */
export async function simulateFinal(
  chain: Chain,
  call: FinalCall,
  target: TargetBlock,
  plan: Plan | null = null,
): Promise<FinalSimulation> {
  const { provider } = chain;
  const can = abilities.get(provider) ?? { simulateV1: true, blockOverrides: null };
  abilities.set(provider, can);
  // both to their end: nothing of this simulation may still run when the caller goes on
  const [ran, guarded] = await Promise.allSettled([run(provider, can, call, target), refuseDelegated(chain, call.from)]);
  if (guarded.status === "rejected") throw guarded.reason;
  if (ran.status === "rejected") throw ran.reason;
  const result = ran.value;
  if (result.ok || result.revert === null || plan === null) return result;
  const at = await locateFailure(provider, call, target.parent, plan, result.revert);
  return at === null ? result : { ...result, at, reason: `${result.reason} ${at.text}` };
}

async function run(provider: RpcProvider, can: Abilities, call: FinalCall, target: TargetBlock): Promise<FinalSimulation> {
  if (can.simulateV1) {
    try {
      return await simulateV1(provider, call, target);
    } catch (error) {
      const { kind } = classifyNodeError(error);
      if (NO_ANSWER.has(kind)) throw error;
      // whatever else a node dislikes about this method, it may still answer a plain call
      if (kind === "unsupported-method") can.simulateV1 = false;
    }
  }
  can.blockOverrides ??= await findBlockOverrides(provider, target);
  return await callAtBlock(provider, call, target, can.blockOverrides);
}

interface SimulatedCall {
  status: string;
  returnData: string;
  gasUsed: string;
  logs: SimulatedLog[];
  error?: { code?: number; message?: string; data?: string };
}

async function simulateV1(provider: RpcProvider, call: FinalCall, target: TargetBlock): Promise<FinalSimulation> {
  const method = "simulate" as const;
  const request = {
    blockStateCalls: [
      {
        blockOverrides: overridesOf(target, "baseFeePerGas"),
        calls: [{ ...requestOf(call), type: "0x2", ...(call.nonce === null ? {} : { nonce: toQuantity(call.nonce) }) }],
      },
    ],
    traceTransfers: true,
    validation: true,
    returnFullTransactions: false,
  };
  let answer: unknown;
  try {
    answer = await provider.send("eth_simulateV1", [request, toQuantity(target.parent)]);
  } catch (error) {
    const verdict = verdictIn(method, error);
    if (verdict === null) throw error;
    return verdict;
  }
  const [result] = (answer as { calls?: SimulatedCall[] }[])[0]?.calls ?? [];
  if (result === undefined) throw new Error("eth_simulateV1 answered without the call");
  if (result.status === "0x1") {
    return { method, ok: true, data: result.returnData, gasUsed: BigInt(result.gasUsed), logs: result.logs };
  }
  // the reason stands in the error's data, in older nodes in the return data
  return failure(method, result.error?.data ?? result.returnData, result.error?.message ?? "reverted");
}

async function callAtBlock(
  provider: RpcProvider,
  call: FinalCall,
  target: TargetBlock,
  baseFeeName: BaseFeeName | false,
): Promise<FinalSimulation> {
  const method = baseFeeName ? ("call" as const) : ("call-on-parent" as const);
  const params = [requestOf(call), toQuantity(target.parent), ...(baseFeeName ? [{}, overridesOf(target, baseFeeName)] : [])];
  try {
    const data = (await provider.send("eth_call", params)) as string;
    return { method, ok: true, data, gasUsed: null, logs: null };
  } catch (error) {
    const { kind, message, revertData } = classifyNodeError(error);
    if (kind !== "reverted" && revertData === null) {
      const verdict = verdictIn(method, error);
      if (verdict === null) throw error;
      return verdict;
    }
    return failure(method, revertData, message);
  }
}

function failure(method: SimulationMethod, data: string | null | undefined, message: string): FinalSimulation {
  const revert = explainRevert(data ?? "0x");
  const reason =
    revert.name === "empty" && !/^(execution )?reverted$/i.test(message) ? `${revert.text} (${message})` : revert.text;
  return { method, ok: false, kind: "reverted", reason, revert, at: null };
}

/**
 * Whether `eth_call` heeds block overrides, and how it names the base fee: nodes refuse what they do not know, or ignore it without a
 * word. Asked with code that returns the block's number, time and base fee.
 */
async function findBlockOverrides(provider: RpcProvider, target: TargetBlock): Promise<BaseFeeName | false> {
  const probe = "0x00000000000000000000000000000000a4bb0007";
  const payer = "0x00000000000000000000000000000000a4bb0008";
  const code = "0x43600052426020524860405260606000f3"; // NUMBER, TIMESTAMP and BASEFEE, stored and returned
  // a call without a price has a base fee of zero in geth
  const fee = toQuantity(target.baseFee * 2n + 1n);
  const call = { from: payer, to: probe, gas: toQuantity(100_000), maxFeePerGas: fee, maxPriorityFeePerGas: "0x0" };
  const state = { [probe]: { code }, [payer]: { balance: toQuantity(1n << 100n) } };
  const [place, baseFee] = [toBeHex(target.number, 32) + toBeHex(target.time, 32).slice(2), toBeHex(target.baseFee, 32).slice(2)];
  let heeded: BaseFeeName | false = false;
  for (const name of ["baseFeePerGas", "baseFee"] as const) {
    try {
      const answer = await provider.send("eth_call", [call, toQuantity(target.parent), state, overridesOf(target, name)]);
      if (answer === place + baseFee) return name;
      // some nodes have no base fee in calls, whatever its name
      if (typeof answer === "string" && answer.startsWith(place)) heeded ||= name;
    } catch (error) {
      if (NO_ANSWER.has(classifyNodeError(error).kind)) throw error;
    }
  }
  return heeded;
}

const overridesOf = ({ number, time, baseFee }: TargetBlock, name: BaseFeeName): object => {
  return { number: toQuantity(number), time: toQuantity(time), [name]: toQuantity(baseFee) };
};

const requestOf = (call: FinalCall): object => ({
  from: call.from,
  to: call.to,
  data: call.data,
  value: toQuantity(call.value),
  gas: toQuantity(call.gasLimit),
  maxFeePerGas: toQuantity(call.maxFeePerGas),
  maxPriorityFeePerGas: toQuantity(call.maxPriorityFeePerGas),
  ...(call.accessList === undefined || call.accessList.length === 0 ? {} : { accessList: call.accessList }),
});

/** The JSON-RPC code in an error of a provider, wherever it wraps it. */
function codeOf(error: unknown, depth = 0): number | null {
  if (depth > 5 || typeof error !== "object" || error === null) return null;
  const { code, ...rest } = error as { code?: unknown };
  if (typeof code === "number") return code;
  for (const key of ["error", "info", "cause", "data"] as const) {
    const found = codeOf((rest as Record<string, unknown>)[key] ?? (error as Record<string, unknown>)[key], depth + 1);
    if (found !== null) return found;
  }
  return null;
}
