import type { Provider } from "ethers";
import type { Network } from "../config/network.js";
import { ArbError } from "../errors.js";
import { classifyNodeError } from "./errors.js";
import { checkIdentity } from "./identity.js";
import { openPool, type PoolOptions, type RpcPool } from "./pool.js";
import { PoolProvider } from "./pool-provider.js";

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
  /** The endpoints behind the provider; absent for a chain in this process. */
  pool?: RpcPool;
  close(): void;
}

export interface ConnectOptions extends PoolOptions {
  /** Interval of ethers' own block polling and of head polls in milliseconds; the default follows the network's block time. */
  pollMs?: number;
}

const DEFAULT_TIMEOUT_MS = 5_000;

/**
 * Opens the endpoints of a network as one pool. The first that answers must be the network: chain id, and genesis hash unless the
 * world is local; one of another chain is an error even when a later one would do, because the configuration is wrong then. The
 * endpoints after it are checked in the background, and never used before.
 * Raises ArbError "network" (none answers) or "config" (wrong chain, no URL).
 */
export async function connectChain(network: Network, urls: string[], options: ConnectOptions = {}): Promise<Chain> {
  const pool = openPool(network, urls, options);
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const failures: string[] = [];
  for (const [i, member] of pool.members.entries()) {
    try {
      await member.verify({ timeoutMs });
    } catch (error) {
      if (error instanceof ArbError && error.code === "config") {
        pool.close();
        throw error;
      }
      const { kind, message } = classifyNodeError(error);
      failures.push(error instanceof ArbError ? message : `${member.name} does not answer (${kind}: ${message})`);
      continue;
    }
    // an endpoint that fails here, or is of another chain, says so in its health
    for (const other of pool.members.slice(i + 1)) other.verify({ timeoutMs }).catch(() => undefined);
    const provider = new PoolProvider(pool, options.pollMs ?? Math.min(4_000, Math.max(100, network.blockTimeMs)));
    const { name: endpoint, genesisChecked } = member;
    const local = options.local === true;
    return { network, provider, endpoint, genesisChecked, local, pool, close: () => provider.destroy() };
  }
  pool.close();
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
  const local = options.local === true;
  const genesisChecked = await checkIdentity(network, endpoint, local, ask);
  return { network, provider, endpoint, genesisChecked, local, close: () => provider.destroy?.() };
}
