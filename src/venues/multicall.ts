import { type BlockTag, type Provider, ZeroAddress } from "ethers";
import { IMulticall3__factory } from "../../types/contracts/index.js";
import { classifyNodeError } from "../chain/errors.js";
import { ArbError } from "../errors.js";

/** Multicall3 is deployed at this address on every network (https://www.multicall3.com/deployments). */
const MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11";
/** Keeps one call well below the gas that nodes allow to `eth_call`. */
const CALLS_PER_BATCH = 400;
export const DEFAULT_TIMEOUT_MS = 10_000;

const multicall3 = IMulticall3__factory.createInterface();

/** One read: calldata for a contract, with the name that an error calls it. */
export interface Read {
  target: string;
  data: string;
  what: string;
  /** A revert is an answer: "0x". */
  mayRevert?: boolean;
  /** Sent from the zero address, which has no coin to pay with: Balancer V3's Vault answers queries to no other (EVMCallModeHelpers.sol). */
  asNobody?: boolean;
}

/**
 * Runs reads at one block, through Multicall3 where it has code at that block, else as single calls (which the provider may batch).
 * Gives the returned bytes in order; "0x" where the target has no code. `block` should be a number, so that all rounds of a load
 * see the same state. Throws ArbError "network" when a read fails and "timeout" after `timeoutMs`.
 */
export async function readAll(
  provider: Provider,
  reads: Read[],
  block: BlockTag,
  timeoutMs: number = DEFAULT_TIMEOUT_MS,
): Promise<string[]> {
  if (reads.length === 0) return [];
  const work = async (): Promise<string[]> => {
    const batches: Read[][] = [];
    for (let i = 0; i < reads.length; i += CALLS_PER_BATCH) batches.push(reads.slice(i, i + CALLS_PER_BATCH));
    return (await Promise.all(batches.map((batch) => readBatch(provider, batch, block)))).flat();
  };
  return withDeadline(work(), timeoutMs, `${reads.length} reads at block ${String(block)}, first ${reads[0]!.what}`);
}

async function readBatch(provider: Provider, reads: Read[], block: BlockTag): Promise<string[]> {
  if (reads.length === 1) return [await readOne(provider, reads[0]!, block)];
  const calls = reads.map((read) => ({ target: read.target, allowFailure: true, callData: read.data }));
  let returned: string;
  try {
    returned = await provider.call({
      ...senderOf(reads),
      to: MULTICALL3,
      data: multicall3.encodeFunctionData("aggregate3", [calls]),
      blockTag: block,
    });
  } catch (cause) {
    throw unreadable(reads[0]!, block, cause);
  }
  if (returned === "0x") return Promise.all(reads.map((read) => readOne(provider, read, block)));
  const results = multicall3.decodeFunctionResult("aggregate3", returned)[0] as { success: boolean; returnData: string }[];
  return results.map((result, i) => {
    if (!result.success && reads[i]!.mayRevert === true) return "0x";
    if (!result.success) throw unreadable(reads[i]!, block, `reverted with ${result.returnData}`);
    return result.returnData;
  });
}

const senderOf = (reads: Read[]): { from?: string } => (reads.some((r) => r.asNobody === true) ? { from: ZeroAddress } : {});

async function readOne(provider: Provider, read: Read, block: BlockTag): Promise<string> {
  try {
    return await provider.call({ ...senderOf([read]), to: read.target, data: read.data, blockTag: block });
  } catch (cause) {
    if (read.mayRevert === true && classifyNodeError(cause).kind === "reverted") return "0x";
    throw unreadable(read, block, cause);
  }
}

/** Fails with ArbError "timeout" when `promise` has not settled after `timeoutMs`. */
export async function withDeadline<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new ArbError("timeout", `no answer after ${timeoutMs} ms: ${what}`, {
            hint: "check the RPC endpoint or raise its timeout",
          }),
        ),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

function unreadable(read: Read, block: BlockTag, cause: unknown): ArbError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ArbError("network", `cannot read ${read.what} of ${read.target} at block ${String(block)}: ${why}`, {
    where: read.target,
    hint: "check that the RPC endpoint serves this chain and still has the state of this block",
    cause,
  });
}
