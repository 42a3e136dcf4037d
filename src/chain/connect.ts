import {
  FetchRequest,
  JsonRpcProvider,
  type JsonRpcPayload,
  type JsonRpcResult,
  Network as EthersNetwork,
  type Provider,
} from "ethers";
import type { Network } from "../config/network.js";
import { ArbError } from "../errors.js";
import { classifyNodeError, endpointName, withoutEndpoint } from "./errors.js";
import { beforeDeadline } from "./receipts.js";

/** An ethers provider that can also send raw JSON-RPC requests. */
export type RpcProvider = Provider & { send(method: string, params: unknown[]): Promise<unknown> };

/** One network with a checked connection to it. */
export interface Chain {
  network: Network;
  provider: RpcProvider;
  /** Host of the endpoint in use; the URL itself may hold a key and is kept nowhere. */
  endpoint: string;
  /** Whether the genesis hash was compared; false in a local world and where the node no longer serves block 0. */
  genesisChecked: boolean;
  /** Whether it was opened as a local world, which need not have everything that the registry names. */
  local?: boolean;
  close(): void;
}

export interface ConnectOptions {
  /** Deadline of every call in milliseconds. */
  timeoutMs?: number;
  /** A local world has the network's chain id but its own genesis block. */
  local?: boolean;
  /** Interval of ethers' own block polling in milliseconds; the default follows the network's block time. */
  pollMs?: number;
}

/**
 * Connects to the first endpoint that answers and is the network: chain id, and genesis hash unless the world is local. An
 * endpoint of another chain is an error even when a later one would do, because the configuration is wrong then.
 * Raises ArbError "network" (none answers) or "config" (wrong chain).
 */
export async function connectChain(network: Network, urls: string[], options: ConnectOptions = {}): Promise<Chain> {
  if (urls.length === 0)
    throw new ArbError("config", `${network.title} has no endpoint`, { where: `networks.${network.name}.rpc` });
  const failures: string[] = [];
  for (const url of urls) {
    const provider = openProvider(network, url, options);
    try {
      return await chainFromProvider(network, provider, { ...options, endpoint: endpointName(url) });
    } catch (error) {
      provider.destroy();
      if (!(error instanceof ArbError) || error.code !== "network") throw error;
      failures.push(error.message);
    }
  }
  throw new ArbError("network", `no endpoint of ${network.title} can be used: ${failures.join("; ")}`, {
    where: `networks.${network.name}.rpc`,
    hint: "check the URLs, their keys and your connection, or add another endpoint",
  });
}

/** The same checks for a provider that is already open, for example of an in-process chain. */
export async function chainFromProvider(
  network: Network,
  provider: RpcProvider & { destroy?: () => void },
  options: ConnectOptions & { endpoint?: string } = {},
): Promise<Chain> {
  const endpoint = options.endpoint ?? "in process";
  const ask = async (method: string, params: unknown[]): Promise<unknown> => {
    try {
      return await provider.send(method, params);
    } catch (cause) {
      const { kind, message } = classifyNodeError(cause);
      // no cause: ethers puts the whole URL, and so its key, into the error's fields
      throw new ArbError("network", `${endpoint} does not answer ${method} (${kind}: ${message})`);
    }
  };
  const chainId = await ask("eth_chainId", []);
  if (typeof chainId !== "string" || !/^0x[0-9a-f]+$/i.test(chainId))
    throw new ArbError("network", `${endpoint} gave no chain id; it is no JSON-RPC endpoint of a chain`);
  if (BigInt(chainId) !== BigInt(network.chainId))
    throw new ArbError("config", `${endpoint} is chain ${BigInt(chainId)}, ${network.title} is ${network.chainId}`, {
      where: `networks.${network.name}.rpc`,
      hint: "give the endpoint of the right network",
    });
  const local = options.local === true;
  const genesisChecked = !local && (await checkGenesis(network, endpoint, ask));
  return { network, provider, endpoint, genesisChecked, local, close: () => provider.destroy?.() };
}

async function checkGenesis(
  network: Network,
  endpoint: string,
  ask: (method: string, params: unknown[]) => Promise<unknown>,
): Promise<boolean> {
  if (network.genesisHash === null) return false;
  const block = (await ask("eth_getBlockByNumber", ["0x0", false])) as { hash?: unknown } | null;
  // nodes with expired history answer null for block 0
  if (typeof block?.hash !== "string") return false;
  if (block.hash.toLowerCase() !== network.genesisHash)
    throw new ArbError("config", `${endpoint} has the chain id of ${network.title} but another genesis block (${block.hash})`, {
      where: `networks.${network.name}.rpc`,
      hint: "it is a fork, a test node or a local world; give an endpoint of the network itself",
    });
  return true;
}

/**
 * ethers' provider with two faults closed: its timeout counts silence only, so an endpoint that drips bytes is waited for without
 * end; and its errors hold the whole URL, and so the key, in message, stack and fields.
 */
class EndpointProvider extends JsonRpcProvider {
  override async _send(payload: JsonRpcPayload | JsonRpcPayload[]): Promise<JsonRpcResult[]> {
    const request = this._getConnection(); // oxlint-disable-line no-underscore-dangle -- ethers' own name
    request.body = JSON.stringify(payload);
    request.setHeader("content-type", "application/json");
    try {
      const response = await beforeDeadline(request.send(), request.timeout).catch((error: unknown) => {
        request.cancel();
        throw error;
      });
      response.assertOk();
      const answer = response.bodyJson as JsonRpcResult | JsonRpcResult[];
      return Array.isArray(answer) ? answer : [answer];
    } catch (error) {
      throw withoutEndpoint(error, request.url);
    }
  }
}

function openProvider(network: Network, url: string, options: ConnectOptions): JsonRpcProvider {
  if (!/^https?:\/\//i.test(url))
    throw new ArbError("config", "an endpoint must be an http:// or https:// URL", { where: `networks.${network.name}.rpc` });
  const request = new FetchRequest(url);
  request.timeout = options.timeoutMs ?? 5_000;
  // One attempt: ethers would repeat a refused request for minutes, beyond every deadline.
  request.setThrottleParams({ maxAttempts: 1 });
  return new EndpointProvider(request, new EthersNetwork(network.name, network.chainId), {
    staticNetwork: true,
    batchMaxCount: 1, // its batches wait 10 ms before they leave
    cacheTimeout: -1, // its cache of 250 ms hands out one nonce twice
    pollingInterval: options.pollMs ?? Math.min(4_000, Math.max(100, network.blockTimeMs)),
  });
}
