import type { Network } from "../config/network.js";
import { ArbError } from "../errors.js";

/**
 * Checks that an endpoint is of the network: its chain id, and its genesis hash unless the world is local. Gives whether the
 * genesis was compared: nodes with expired history answer null for block 0. Throws ArbError "config" for another chain and
 * "network" for what is no chain; errors of `ask` pass through.
 */
export async function checkIdentity(
  network: Network,
  endpoint: string,
  local: boolean,
  ask: (method: string, params: unknown[]) => Promise<unknown>,
): Promise<boolean> {
  const where = `networks.${network.name}.rpc`;
  const chainId = await ask("eth_chainId", []);
  if (typeof chainId !== "string" || !/^0x[0-9a-f]+$/i.test(chainId))
    throw new ArbError("network", `${endpoint} gave no chain id; it is no JSON-RPC endpoint of a chain`);
  if (BigInt(chainId) !== BigInt(network.chainId))
    throw new ArbError("config", `${endpoint} is chain ${BigInt(chainId)}, ${network.title} is ${network.chainId}`, {
      where,
      hint: "give the endpoint of the right network",
    });
  if (local || network.genesisHash === null) return false;
  const block = (await ask("eth_getBlockByNumber", ["0x0", false])) as { hash?: unknown } | null;
  if (typeof block?.hash !== "string") return false;
  if (block.hash.toLowerCase() !== network.genesisHash)
    throw new ArbError("config", `${endpoint} has the chain id of ${network.title} but another genesis block (${block.hash})`, {
      where,
      hint: "it is a fork, a test node or a local world; give an endpoint of the network itself",
    });
  return true;
}
