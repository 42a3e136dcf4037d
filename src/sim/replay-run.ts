import { AbiCoder, getCreateAddress, toBeHex, toQuantity } from "ethers";
import { ArbExecutor__factory, IERC20__factory, StepExecutor__factory } from "../../types/contracts/index.js";
import { ArbError } from "../errors.js";
import { encodePlan } from "../plan/codec.js";
import { explainRevert } from "../plan/errors.js";
import type { Plan } from "../plan/plan.js";
import { type AccessList, accessListOf, type Prestate } from "./access-list.js";
import { type UnrecordedRead, isSystem } from "./recorded.js";
import { type RecordedCase, recordedSlot } from "./recorded-case.js";
import type { RecordedFork } from "./recorded-fork.js";

/** One execution of a plan by a fresh executor, in a block like the recorded one. */
export interface Run {
  /** Null where the transaction succeeded, else what it reverted with. */
  failure: string | null;
  gasUsed: number;
  /** The same with an access list of all that it touches; null where not asked for, or where it failed. */
  gasUsedWithAccessList: number | null;
  /** Rise of the executor's balance of the profit token, base units. */
  profit: bigint;
  /** The executor held a unit of the profit token before. */
  dust: boolean;
  /** State that the transaction touched and the recording does not hold. */
  unrecorded: UnrecordedRead[];
}

export interface RunOptions {
  /** Leaves the executor without the unit of the profit token that one in use keeps. */
  cold: boolean;
  /** Runs a successful plan once more, with an access list. */
  accessList: boolean;
}

/** What is executed: a plan of V2 and V3 hops, or any calldata of the executor with what it trades. */
export type Runnable = Plan | { profitToken: string; hops: { tokenIn: string }[]; data: string };

/** A run by one executor, with what a second run with an access list would name. */
type Execution = Omit<Run, "gasUsedWithAccessList"> & { accessList: AccessList };

const GAS_LIMIT = toQuantity(8_000_000);
const erc20 = IERC20__factory.createInterface();

/**
 * Deploys an executor, gives it its dust and executes the plan, all in the recorded block; then takes the chain back to where
 * it was. What the plan does never depends on an earlier run.
 */
export async function runPlan(recording: RecordedCase, fork: RecordedFork, plan: Runnable, options: RunOptions): Promise<Run> {
  const [first, second] = fork.accounts;
  const { accessList, ...done } = await execute(recording, fork, plan, options, first, second);
  let gasUsedWithAccessList: number | null = null;
  if (options.accessList && done.failure === null) {
    const listed = await execute(recording, fork, plan, options, first, second, accessList);
    gasUsedWithAccessList = listed.failure === null ? listed.gasUsed : null;
  }
  const run: Run = { ...done, gasUsedWithAccessList };
  if (run.unrecorded.length === 0) return run;
  // What only this executor touches is state of its own address (a balance, a block list's entry): empty, not unrecorded.
  // A second executor at another address tells which that is.
  const twin = await execute(recording, fork, plan, options, second, first);
  const shared = new Set(twin.unrecorded.map(keyOf));
  return { ...run, unrecorded: run.unrecorded.filter((read) => shared.has(keyOf(read))) };
}

async function execute(
  recording: RecordedCase,
  fork: RecordedFork,
  plan: Runnable,
  options: RunOptions,
  operator: string,
  owner: string,
  accessList: AccessList = [],
): Promise<Execution> {
  const snapshot = await fork.request("evm_snapshot");
  const executor = getCreateAddress({ from: operator, nonce: 0 });
  const dust = options.cold ? false : await putDust(fork, plan.profitToken, executor, owner);
  const before = await balanceOf(fork, plan.profitToken, executor);
  const constructorArguments = AbiCoder.defaultAbiCoder()
    .encode(["address", "address[]"], [owner, [operator]])
    .slice(2);
  const { bytecode } = "data" in plan ? StepExecutor__factory : ArbExecutor__factory;
  const gasPrice = toQuantity(recording.block.baseFeePerGas ?? 0n);
  const common = { from: operator, gas: GAS_LIMIT, gasPrice };
  const deployment = await fork.request("eth_sendTransaction", [
    { ...common, nonce: "0x0", data: bytecode + constructorArguments },
  ]);
  const hash = await fork.request("eth_sendTransaction", [
    { ...common, nonce: "0x1", to: executor, data: dataOf(plan), accessList },
  ]);
  await fork.mineRecordedBlock();

  const deployed = await receiptOf(fork, deployment);
  if (BigInt(deployed.status) !== 1n) throw new ArbError("internal", "the executor could not be deployed on the recorded state");
  const receipt = await receiptOf(fork, hash);
  const failure = BigInt(receipt.status) === 1n ? null : await failureOf(fork, hash);
  const profit = (await balanceOf(fork, plan.profitToken, executor)) - before;
  const touched = (await fork.request("debug_traceTransaction", [hash, { tracer: "prestateTracer" }])) as Prestate;
  const own = new Set([executor, operator, owner, recording.block.miner].map((a) => a.toLowerCase()));
  const unrecorded = unrecordedIn(recording, plan, touched, own);
  await fork.request("evm_revert", [snapshot]);
  return { failure, gasUsed: Number(receipt.gasUsed), profit, dust, unrecorded, accessList: accessListOf(touched, own) };
}

async function receiptOf(fork: RecordedFork, hash: unknown): Promise<{ status: string; gasUsed: string }> {
  const receipt = await fork.request("eth_getTransactionReceipt", [hash]);
  if (receipt === null) throw new ArbError("internal", `the local chain did not mine ${String(hash)}`);
  return receipt as { status: string; gasUsed: string };
}

async function failureOf(fork: RecordedFork, hash: unknown): Promise<string> {
  const trace = (await fork.request("debug_traceTransaction", [hash, { tracer: "callTracer" }])) as {
    output?: string;
    error?: string;
  };
  return trace.output === undefined ? (trace.error ?? "reverted") : explainRevert(trace.output).text;
}

async function balanceOf(fork: RecordedFork, token: string, account: string): Promise<bigint> {
  const data = erc20.encodeFunctionData("balanceOf", [account]);
  return BigInt((await fork.request("eth_call", [{ to: token, data }, "latest"])) as string);
}

/**
 * Gives `account` one unit of a token by writing its balance slot. A trace shows the slot: of all that balanceOf touches, it
 * is what another account's balanceOf does not. False where no slot does it (a token that computes balances).
 */
async function putDust(fork: RecordedFork, token: string, account: string, other: string): Promise<boolean> {
  const [ours, others] = [await touchedByBalanceOf(fork, token, account), await touchedByBalanceOf(fork, token, other)];
  const shared = new Set(others.map(keyOf));
  for (const { address, slot } of ours.filter((entry) => !shared.has(keyOf(entry)))) {
    await fork.request("hardhat_setStorageAt", [address, toQuantity(slot!), toBeHex(1, 32)]);
    if ((await balanceOf(fork, token, account)) === 1n) return true;
    await fork.request("hardhat_setStorageAt", [address, toQuantity(slot!), toBeHex(0, 32)]);
  }
  return false;
}

async function touchedByBalanceOf(fork: RecordedFork, token: string, account: string): Promise<UnrecordedRead[]> {
  const data = erc20.encodeFunctionData("balanceOf", [account]);
  const call = { from: account, to: token, data };
  const touched = (await fork.request("debug_traceCall", [call, "latest", { tracer: "prestateTracer" }])) as Prestate;
  return Object.entries(touched).flatMap(([address, { storage }]) =>
    Object.keys(storage ?? {}).map((slot) => ({ address, slot })),
  );
}

function unrecordedIn(recording: RecordedCase, plan: Runnable, touched: Prestate, own: Set<string>): UnrecordedRead[] {
  const tokens = new Set(plan.hops.map((hop) => hop.tokenIn.toLowerCase()));
  const found: UnrecordedRead[] = [];
  for (const [name, { storage }] of Object.entries(touched)) {
    const address = name.toLowerCase();
    if (own.has(address) || (isSystem(address) && !tokens.has(address))) continue;
    if (!recording.pre.has(address)) found.push({ address, slot: null });
    else {
      for (const slot of Object.keys(storage ?? {})) {
        if (recordedSlot(recording, address, slot) === null) found.push({ address, slot: toBeHex(slot, 32) });
      }
    }
  }
  return found;
}

const dataOf = (plan: Runnable) => ("data" in plan ? plan.data : encodePlan(plan));
const keyOf = ({ address, slot }: UnrecordedRead) => `${address} ${slot}`;
