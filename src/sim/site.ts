import { concat, getAddress, toQuantity } from "ethers";
import type { Network } from "../config/network.js";
import { ArbError } from "../errors.js";
import type { Artifact } from "./artifacts.js";

/** One call of a local chain's JSON-RPC, in this process. */
export type Rpc = <T = unknown>(method: string, params?: readonly unknown[]) => Promise<T>;

/** A local chain that is being furnished: every transaction is mined when `rpc` returns its hash. */
export interface Site {
  network: Network;
  rpc: Rpc;
  /** Unlocked account that deploys, owns and seeds everything. */
  owner: string;
  /** Unlocked account that trades. */
  trader: string;
}

export interface RawReceipt {
  transactionHash: string;
  status: string;
  gasUsed: string;
  blockNumber: string;
  contractAddress: string | null;
  logs: { address: string; topics: string[]; data: string; blockHash: string; logIndex: string }[];
}

/** Enough for every constructor, and below EIP-7825's cap. */
const GAS = toQuantity(16_000_000);
/** Above any base fee that a test may set; the tip is nothing, so that fee histories show none of the world's own. */
const FEES = { maxFeePerGas: toQuantity(1_000_000_000_000), maxPriorityFeePerGas: "0x0" };

/** Sends a transaction from the owner (or `from`) and returns its receipt. Throws ArbError "reverted". */
export async function send(
  site: Site,
  to: string | null,
  data: string,
  options: { value?: bigint; from?: string } = {},
): Promise<RawReceipt> {
  const from = options.from ?? site.owner;
  const tx = {
    from,
    ...(to === null ? {} : { to }),
    data,
    gas: GAS,
    ...FEES,
    value: toQuantity(options.value ?? 0n),
  };
  const hash = await site.rpc<string>("eth_sendTransaction", [tx]);
  const receipt = await site.rpc<RawReceipt | null>("eth_getTransactionReceipt", [hash]);
  if (receipt === null)
    throw new ArbError("usage", "the local chain did not mine a transaction at once", {
      where: site.network.name,
      hint: "let it mine by itself (setMining) while the world changes it",
    });
  if (receipt.status !== "0x1")
    throw new ArbError(
      "reverted",
      `a transaction of the local world's set-up failed: ${data.slice(0, 10)} to ${to ?? "a new contract"}`,
      {
        where: `${site.network.name}, ${hash}`,
      },
    );
  return receipt;
}

/** Calls a function of a contract in a transaction. */
export async function invoke(
  site: Site,
  to: string,
  { abi }: Pick<Artifact, "abi">,
  fn: string,
  args: readonly unknown[],
  options: { value?: bigint; from?: string } = {},
): Promise<RawReceipt> {
  return await send(site, to, abi.encodeFunctionData(fn, args), options);
}

/** Reads a function of a contract; returns its first result. */
export async function read<T>(
  site: Site,
  to: string,
  { abi }: Pick<Artifact, "abi">,
  fn: string,
  args: readonly unknown[] = [],
): Promise<T> {
  const data = await site.rpc<string>("eth_call", [{ to, data: abi.encodeFunctionData(fn, args) }, "latest"]);
  return abi.decodeFunctionResult(fn, data)[0] as T;
}

/** Deploys a contract at the address that the owner's nonce gives. */
export async function deploy(site: Site, a: Artifact, args: readonly unknown[] = []): Promise<string> {
  const { contractAddress } = await send(site, null, creationCode(a, args));
  if (contractAddress === null) throw new ArbError("internal", "a deployment made no contract");
  return getAddress(contractAddress);
}

/**
 * Runs a constructor at a chosen address. The creation code is installed there as code and called twice: read-only, to learn
 * the runtime code with its immutables; and in a transaction, so that its storage writes, events and CREATEs happen. Then the
 * runtime code replaces it. Contracts that it creates later get the addresses they have on the real network.
 */
export async function place(site: Site, address: string, a: Artifact, args: readonly unknown[] = []): Promise<void> {
  await site.rpc("hardhat_setCode", [address, creationCode(a, args)]);
  const runtime = await site.rpc<string>("eth_call", [{ from: site.owner, to: address, gas: GAS }, "latest"]);
  await send(site, address, "0x");
  await site.rpc("hardhat_setCode", [address, runtime]);
  await site.rpc("hardhat_setNonce", [address, "0x1"]); // EIP-161: contracts start at nonce 1
}

function creationCode(a: Artifact, args: readonly unknown[]): string {
  return concat([a.bytecode, a.abi.encodeDeploy(args)]);
}
