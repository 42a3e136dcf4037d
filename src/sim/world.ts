import { ArbError } from "../errors.js";
import { type LocalChain, type LocalChainOptions, startLocalChain } from "./chain.js";

/** The mainnets that can be started as local chains: Ethereum, Arbitrum One, OP Mainnet, Base. */
export const LOCAL_CHAIN_IDS = [1, 42161, 10, 8453];

/** Several local chains in one process; nothing connects them. */
export interface LocalWorld {
  chains: LocalChain[];
  /** Throws ArbError "usage" for a chain that was not started. */
  chain(chainId: number): LocalChain;
  close(): Promise<void>;
}

/** Starts local chains, all four by default. When one fails, those already started are closed. */
export async function startLocalWorld(
  chainIds: number[] = LOCAL_CHAIN_IDS,
  options: LocalChainOptions = {},
): Promise<LocalWorld> {
  const started = await Promise.allSettled(chainIds.map((id) => startLocalChain(id, options)));
  const chains = started.filter((r) => r.status === "fulfilled").map((r) => r.value);
  const close = async () => {
    await Promise.all(chains.map((c) => c.close()));
  };
  const failed = started.find((r) => r.status === "rejected");
  if (failed) {
    await close();
    throw failed.reason;
  }
  return {
    chains,
    chain: (chainId) => {
      const chain = chains.find((c) => c.network.chainId === chainId);
      if (!chain) throw new ArbError("usage", `chain ${chainId} was not started`, { where: chainIds.join(", ") });
      return chain;
    },
    close,
  };
}
