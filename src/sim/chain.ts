import { toQuantity } from "ethers";
import type { Network } from "../config/network.js";
import { networkById } from "../config/networks.js";
import { ArbError } from "../errors.js";
import { arbitrumNode } from "./arbitrum-node.js";
import { keepFloor } from "./base-fee-floor.js";
import type { PoolId } from "../venues/venue.js";
import { type LocalAccount, localAccounts, type LocalNode, type NodeOptions, startNode } from "./node.js";
import { give, tokenOf } from "./protocols/tokens.js";
import { type Furniture, furnish } from "./seed.js";
import { serveRpc } from "./server.js";
import type { Rpc, Site } from "./site.js";

/** How blocks come. Default: one per transaction, at once. */
export interface Mining {
  /** False: transactions wait for `evm_mine` or for the interval. */
  auto: boolean;
  /** Milliseconds between blocks; absent = only by transaction or by hand. */
  intervalMs?: number;
}

export interface LocalChainOptions extends NodeOptions {
  mining?: Mining;
  /** Port on 127.0.0.1; 0 or absent = any free one. */
  port?: number;
}

/** A running local chain. Everything that the registry names on its network stands at its address there. */
export interface LocalChain extends Furniture {
  network: Network;
  url: string;
  wsUrl: string;
  /** A JSON-RPC call without the network in between. Rejects with EIP-1193 errors. */
  rpc: Rpc;
  /** Which pending transaction comes first in a block. */
  blockOrder: "priority" | "fifo";
  /** Works on the chain while nobody else sees or changes it; see LocalNode. */
  alone: LocalNode["alone"];
  /** Unlocked accounts with 10,000 ETH. The last two belong to the world: its owner and its trader. */
  accounts: string[];
  /** Private keys of `accounts`, publicly known. */
  keys: string[];
  owner: string;
  trader: string;
  pools: PoolId[];
  /** Adds ETH (wei) and tokens (base units, by symbol or address) to an account. The chain must mine by itself. */
  fund(address: string, amounts: { eth?: bigint; tokens?: Record<string, bigint> }): Promise<void>;
  /** Changes how blocks come. */
  setMining(mining: Mining): Promise<void>;
  /** Stops the chain and drops its clients. More calls do nothing more. */
  close(): Promise<void>;
}

/** Base fee that each network's local chain starts with, wei: a usual one of 2026. Then it follows the chain's own rule. */
const BASE_FEE: Record<Network["stack"], bigint> = { l1: 2_000_000_000n, arbitrum: 20_000_000n, op: 2_000_000n };

/**
 * Starts one of the four mainnets (1, 42161, 10, 8453) as a local chain. Throws ArbError "usage" for other chain ids and
 * "config" when protocol files are missing.
 */
export async function startLocalChain(chainId: number, options: LocalChainOptions = {}): Promise<LocalChain> {
  const network = networkById(chainId);
  if (!network || network.testnet)
    throw new ArbError("usage", `there is no local chain ${chainId}`, { hint: "use 1, 42161, 10 or 8453" });
  const simulated = await startNode(network, options);
  const node = network.stack === "arbitrum" ? arbitrumNode(await keepFloor(simulated, BASE_FEE.arbitrum)) : simulated;
  try {
    return await open(network, node, options);
  } catch (error) {
    await node.close();
    throw error;
  }
}

async function open(network: Network, node: LocalNode, options: LocalChainOptions): Promise<LocalChain> {
  const rpc: Rpc = async <T>(method: string, params: readonly unknown[] = []) => (await node.request(method, [...params])) as T;
  const everyone = localAccounts();
  const owner = addressAt(everyone, -2);
  const trader = addressAt(everyone, -1);
  const site: Site = { network, rpc, owner, trader };
  await rpc("hardhat_setBalance", [owner, toQuantity(10n ** 27n)]);
  const furniture = await furnish(site);
  const baseFee = BASE_FEE[network.stack];
  await rpc("hardhat_setNextBlockBaseFeePerGas", [toQuantity(baseFee)]);
  await rpc("hardhat_mine", ["0x1"]);

  const setMining = async ({ auto, intervalMs = 0 }: Mining) => {
    await rpc("evm_setAutomine", [auto]);
    await rpc("evm_setIntervalMining", [intervalMs]);
  };
  if (options.mining) await setMining(options.mining);
  const server = await serveRpc(node, options.port);
  let closing: Promise<void> | undefined;
  const close = async () => {
    await rpc("evm_setIntervalMining", [0]);
    await server.close();
    await node.close();
  };

  return {
    network,
    ...furniture,
    url: server.url,
    wsUrl: server.wsUrl,
    rpc,
    blockOrder: options.blockOrder ?? "priority",
    alone: async (work) => await node.alone(work),
    accounts: everyone.map((a) => a.address),
    keys: everyone.map((a) => a.privateKey),
    owner,
    trader,
    setMining,
    fund: async (address, { eth = 0n, tokens = {} }) => {
      if (eth > 0n) {
        const balance = BigInt(await rpc<string>("eth_getBalance", [address, "latest"]));
        await rpc("hardhat_setBalance", [address, toQuantity(balance + eth)]);
      }
      for (const [name, amount] of Object.entries(tokens)) await give(site, tokenOf(network, name), address, amount);
    },
    close: async () => await (closing ??= close()),
  };
}

function addressAt(list: LocalAccount[], index: number): string {
  const account = list.at(index);
  if (!account) throw new ArbError("internal", "a local chain has no accounts");
  return account.address;
}
