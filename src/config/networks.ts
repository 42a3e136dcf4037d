import { arbitrum, base, ethereum, optimism } from "./mainnets.js";
import type { Network, Token } from "./network.js";
import { arbitrumSepolia, baseSepolia, optimismSepolia, sepolia } from "./testnets.js";

/** The reviewed registry: every network that the program knows, with the source of every address. */
export const NETWORKS: Network[] = [ethereum, arbitrum, optimism, base, sepolia, arbitrumSepolia, optimismSepolia, baseSepolia];

/** The network of a chain id; null when the registry does not have it. */
export function networkById(chainId: number): Network | null {
  return NETWORKS.find((n) => n.chainId === chainId) ?? null;
}

/** The network of a name as in `arb.config.jsonc` ("arbitrum-sepolia"); null when the registry does not have it. */
export function networkByName(name: string): Network | null {
  return NETWORKS.find((n) => n.name === name) ?? null;
}

/** A token of the registry by address (any case) or by symbol (any case); null when it is not on the network's list. */
export function findToken(network: Network, addressOrSymbol: string): Token | null {
  const wanted = addressOrSymbol.toLowerCase();
  return network.tokens.find((t) => t.address.toLowerCase() === wanted || t.symbol.toLowerCase() === wanted) ?? null;
}
