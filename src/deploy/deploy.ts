import { concat, getAddress, getCreate2Address, id, Interface, type InterfaceAbi, keccak256, ZeroAddress } from "ethers";
import type { Chain } from "../chain/connect.js";
import { classifyNodeError } from "../chain/errors.js";
import { feeBesideGas, type FeePolicy, suggestFees } from "../fees/fees.js";
import { waitForReceipt } from "../chain/receipts.js";
import { countsOf } from "../chain/witnesses.js";
import { ArbError } from "../errors.js";
import { ETHER, formatAmount } from "../units.js";
import type { FullTransaction, WalletManager } from "../wallet/wallet-manager.js";
import { type Deployment, readDeployment, writeDeployment } from "./record.js";

/** Salt of every deployment. The init code has nothing of the chain in it, so the address is the same on all networks. */
export const SALT = id("ArbExecutor.v1");

/** What is deployed: its name in messages, and its salt. Both have the constructor's arguments (owner, operators). */
export interface ContractKind {
  title: "executor" | "vault";
  salt: string;
}
export const EXECUTOR: ContractKind = { title: "executor", salt: SALT };
/** The vault must have one address on all networks: bridges are only ever told this address. */
export const VAULT: ContractKind = { title: "vault", salt: id("ArbVault.v1") };

/** Name of the record of a network's vault, without ".json". */
export const vaultRecord = (network: string): string => `${network}-vault`;

/** Gas that a deployment with its buffer takes, about. */
const USUAL_GAS = 3_000_000n;

/** Runtime code of the CREATE2 proxy (Arachnid/deterministic-deployment-proxy): 32 bytes of salt, then init code. */
export const CREATE2_PROXY_CODE =
  "0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3";

export interface Artifact {
  abi: InterfaceAbi;
  bytecode: string;
}

export interface ExecutorArguments {
  /** Withdraws; a cold key. */
  owner: string;
  /** One to four hot keys that execute. */
  operators: string[];
}

export interface DeployRequest {
  chain: Chain;
  wallet: WalletManager;
  artifact: Artifact;
  /** Default: the executor. */
  kind?: ContractKind;
  arguments: ExecutorArguments;
  /** Folder of the records, and the record's name without ".json"; the network's name unless the world is local. */
  folder: string;
  name?: string;
  fees: FeePolicy;
  /** Longest wait for the receipt and time between two questions, in milliseconds. */
  deadlineMs: number;
  pollMs: number;
  /** Accepts that another executor is recorded for the network; its address is kept under `previous`. */
  replace?: boolean;
  /** Current time, for the record. */
  now?: () => Date;
}

export interface DeployPlan {
  address: string;
  initCode: string;
  initCodeHash: string;
  salt: string;
}

/** Where a contract of these arguments lies on every network. Raises ArbError "usage" for impossible arguments. */
export function planDeployment(artifact: Artifact, args: ExecutorArguments, proxy: string, kind = EXECUTOR): DeployPlan {
  const all = [args.owner, ...args.operators];
  for (const a of all) {
    if (getChecksummed(a) !== a) throw new ArbError("usage", `"${a}" is no address in EIP-55 form`);
    if (a === ZeroAddress) throw new ArbError("usage", "the zero address can be neither owner nor operator");
  }
  if (args.operators.length < 1 || args.operators.length > 4)
    throw new ArbError("usage", `the ${kind.title} has one to four operators, ${args.operators.length} were given`);
  if (new Set(args.operators).size !== args.operators.length) throw new ArbError("usage", "an operator is given twice");
  if (args.operators.includes(args.owner))
    throw new ArbError("usage", "the owner cannot be an operator", { hint: "keep the owner's key cold: it withdraws" });
  const constructorArguments = new Interface(artifact.abi).encodeDeploy([args.owner, args.operators]);
  const initCode = concat([artifact.bytecode, constructorArguments]);
  const initCodeHash = keccak256(initCode);
  return { address: getCreate2Address(proxy, kind.salt, initCodeHash), initCode, initCodeHash, salt: kind.salt };
}

/**
 * Deploys the executor, or another kind of contract, by the CREATE2 proxy and records it. Running it again finds the contract and sends nothing. The code that
 * lies there is compared with what the init code returns on this very chain, immutables included.
 * Raises ArbError "config" (wrong chain, no proxy), "refused" (another executor recorded, foreign code, unfunded, pending
 * transactions), "reverted", "timeout" (sent, outcome unknown: run it again), "network".
 */
export async function deployExecutor(request: DeployRequest): Promise<{ deployment: Deployment; sent: boolean }> {
  const { chain, artifact } = request;
  const { network, provider } = chain;
  const kind = request.kind ?? EXECUTOR;
  const name = request.name ?? network.name;
  const proxy = network.create2Proxy.address;
  await requireChainId(chain);
  const plan = planDeployment(artifact, request.arguments, proxy, kind);
  const record = readDeployment(request.folder, name);
  requireSameContract(record, plan, name, kind, request.replace === true);
  await requireProxy(chain, proxy);

  const expected = await runtimeCode(chain, plan);
  const found = await provider.getCode(plan.address);
  if (found !== "0x" && found !== expected) throw foreignCode(plan.address, network.name, kind);
  const sent = found === "0x" ? await send(request, plan, proxy) : null;
  const now = sent ? await provider.getCode(plan.address) : found;
  if (now === "0x")
    // an endpoint with several nodes behind it may answer from one that is behind
    throw new ArbError("network", "the deployment was mined, but the node does not show the contract yet", {
      where: `${network.name} ${plan.address}`,
      hint: "run the same command again: it finds the contract, and sends nothing twice",
    });
  if (now !== expected) throw foreignCode(plan.address, network.name, kind);

  const known = record?.address === plan.address ? record : null;
  const deployment: Deployment = {
    address: plan.address,
    chainId: network.chainId,
    block: sent?.block ?? known?.block ?? null,
    tx: sent?.hash ?? known?.tx ?? null,
    arguments: request.arguments,
    salt: plan.salt,
    initCodeHash: plan.initCodeHash,
    codeHash: keccak256(expected),
    deployedAt: sent ? (request.now ?? (() => new Date()))().toISOString() : (known?.deployedAt ?? null),
    previous: known ? known.previous : record ? [record.address, ...record.previous] : [],
  };
  writeDeployment(request.folder, name, deployment);
  return { deployment, sent: sent !== null };
}

async function send(request: DeployRequest, plan: DeployPlan, proxy: string): Promise<{ hash: string; block: number }> {
  const { chain, wallet } = request;
  const call = { to: proxy, data: concat([plan.salt, plan.initCode]), value: 0n };
  // one endpoint that lags would have a nonce signed that is used, or stands in front of something on its way
  const { latest: nonce, pending, doubt } = await countsOf(chain, wallet.address);
  if (doubt !== null)
    throw new ArbError("network", `the endpoints of ${chain.network.title} do not agree on the wallet's nonce: ${doubt}`, {
      where: `${chain.network.name} ${wallet.address}`,
      hint: "nothing was sent; run it again when they do, or take the one that lags out of the configuration",
    });
  if (pending !== nonce)
    throw new ArbError("refused", `the wallet has ${pending - nonce} pending transactions`, {
      where: `${chain.network.name} ${wallet.address}`,
      hint: "wait for them or cancel them, then run it again",
    });
  const { maxFeePerGas, maxPriorityFeePerGas } = await suggestFees(chain, request.fees);
  const withGas = (gasLimit: bigint): FullTransaction => {
    return { chainId: chain.network.chainId, nonce, ...call, gasLimit, maxFeePerGas, maxPriorityFeePerGas };
  };
  const gasLimit = await wallet.gasLimit(chain, call).catch(async (error: unknown) => {
    // some nodes estimate nothing for an empty account; then a usual deployment tells how much to send
    if (error instanceof ArbError && error.reason !== undefined) await requireFunds(chain, wallet.address, withGas(USUAL_GAS));
    throw error;
  });
  const tx = withGas(gasLimit);
  await requireFunds(chain, wallet.address, tx);

  const { raw, hash } = await wallet.signTransaction(tx);
  const where = `${chain.network.name} ${hash}`;
  try {
    await chain.provider.broadcastTransaction(raw);
  } catch (error) {
    const { kind, message } = classifyNodeError(error);
    // these say that no transaction was taken; after anything else it may have been, and only the receipt tells
    if (["insufficient-funds", "fee-below-base-fee", "underpriced", "intrinsic-gas-too-low", "nonce-too-high"].includes(kind))
      throw new ArbError("network", `the deployment was not accepted (${kind}: ${message})`, { where });
  }
  const result = await waitForReceipt(chain.provider, hash, request);
  if (result.status === "unknown")
    throw new ArbError("timeout", `the deployment has no receipt after ${result.waitedMs} ms; it may still be mined`, {
      where,
      hint: "run the same command again: it finds the contract if it was deployed, and sends nothing twice",
    });
  if (!result.success) throw new ArbError("reverted", "the deployment failed on the chain", { where });
  return { hash, block: result.receipt.blockNumber };
}

async function requireChainId(chain: Chain): Promise<void> {
  const { chainId } = await chain.provider.getNetwork();
  const answered = BigInt((await chain.provider.send("eth_chainId", [])) as string);
  if (answered !== BigInt(chain.network.chainId) || chainId !== answered)
    throw new ArbError("config", `${chain.endpoint} is chain ${answered}, ${chain.network.title} is ${chain.network.chainId}`);
}

function requireSameContract(
  record: Deployment | null,
  plan: DeployPlan,
  name: string,
  kind: ContractKind,
  replace: boolean,
): void {
  if (record === null || record.initCodeHash === plan.initCodeHash || replace) return;
  throw new ArbError(
    "refused",
    `another ${kind.title} is recorded for ${name}: ${record.address}; the contract or its arguments have changed`,
    {
      where: `deployments/${name}.json`,
      hint: "withdraw what it holds first, then deploy with --replace",
    },
  );
}

async function requireProxy(chain: Chain, proxy: string): Promise<void> {
  const code = await chain.provider.getCode(proxy);
  if (code === CREATE2_PROXY_CODE) return;
  throw new ArbError(
    "config",
    code === "0x"
      ? `${chain.network.title} has no CREATE2 proxy at ${proxy}`
      : `other code than the CREATE2 proxy's lies at ${proxy}`,
    {
      where: chain.network.name,
      hint:
        code === "0x"
          ? "every public network has it. On a local node, set its code (hardhat_setCode) or send its keyless transaction from Arachnid/deterministic-deployment-proxy"
          : "this is not the network that it claims to be; check the endpoint",
    },
  );
}

/** What the init code returns as runtime code on this chain, with its immutables. Raises ArbError "reverted". */
async function runtimeCode(chain: Chain, plan: DeployPlan): Promise<string> {
  try {
    return await chain.provider.call({ data: plan.initCode });
  } catch (error) {
    const { kind, message, revertData } = classifyNodeError(error);
    throw new ArbError(
      kind === "reverted" ? "reverted" : "network",
      `the constructor cannot be simulated (${kind}: ${message})`,
      {
        where: `${chain.network.name}${revertData === null ? "" : `, revert data ${revertData}`}`,
      },
    );
  }
}

async function requireFunds(chain: Chain, address: string, tx: FullTransaction): Promise<void> {
  const [has, beside] = await Promise.all([
    chain.provider.getBalance(address),
    feeBesideGas(chain, { ...tx, type: 2, from: address }),
  ]);
  const needs = tx.gasLimit * tx.maxFeePerGas + beside;
  if (has < needs)
    throw new ArbError(
      "refused",
      `the wallet has ${formatAmount(has, ETHER)} on ${chain.network.title}, the deployment needs up to ${formatAmount(needs, ETHER)}`,
      { where: address, hint: `send at least ${formatAmount(needs - has, ETHER)} to ${address} on ${chain.network.title}` },
    );
}

const foreignCode = (address: string, network: string, kind: ContractKind): ArbError =>
  new ArbError("refused", `the code at ${address} is not the ${kind.title}'s`, {
    where: network,
    hint: "do not use this address; check that the endpoint is honest and that the contract was built by this version",
  });

function getChecksummed(address: string): string | null {
  try {
    return getAddress(address);
  } catch {
    return null;
  }
}
