import { verified } from "./facts.js";
import type { Sourced } from "./network.js";

/** Arbitrum's own token bridge between Ethereum and Arbitrum One. */
export interface ArbitrumGatewayFacts {
  l1ChainId: number;
  /** Gateway routers: they know the gateway of each token. */
  l1Router: Sourced;
  l2Router: Sourced;
  /** On Ethereum: takes retryable tickets. */
  inbox: Sourced;
  /** On Ethereum: keeps the messages for the layer 2. */
  bridge: Sourced;
  /** On Ethereum: executes messages of the layer 2 that the rollup has confirmed. */
  outbox: Sourced;
  /** Symbols of the registry's tokens that the routers' gateways carry. A quote asks the router too. */
  tokens: string[];
}

/** Offchain Labs' list, in the package that scripts/setup/extracts.json pins. */
export const ARBITRUM_NETWORKS = "@arbitrum/sdk@4.0.5:dist/lib/dataEntities/networks.js";
/** Arbitrum's precompile for messages to Ethereum (Nitro, ArbSys). */
export const ARB_SYS = "0x0000000000000000000000000000000000000064";
/** Arbitrum's precompile for retryable tickets (Nitro, ArbRetryableTx). */
export const ARB_RETRYABLE = "0x000000000000000000000000000000000000006E";

// USDC is Circle's, USDT is LayerZero's there, and DAI has a gateway of Maker's that cannot refund to another account
const ARBITRUM_GATEWAY: Record<number, ArbitrumGatewayFacts> = {
  42161: {
    l1ChainId: 1,
    l1Router: verified("0x72Ce9c846789fdB6fC1f34aC4AD25Dd9ef7031ef", ARBITRUM_NETWORKS),
    l2Router: verified("0x5288c571Fd7aD117beA99bF60FE0846C4E84F933", ARBITRUM_NETWORKS),
    inbox: verified("0x4Dbd4fc535Ac27206064B68FfCf827b0A60BAB3f", ARBITRUM_NETWORKS),
    bridge: verified("0x8315177aB297bA92A06054cE80a67Ed4DBd7ed3a", ARBITRUM_NETWORKS),
    outbox: verified("0x0B9857ae2D4A3DBe74ffE1d7DF045bb7F96E4840", ARBITRUM_NETWORKS),
    tokens: ["WETH", "WBTC"],
  },
};

/** The token bridge of an Arbitrum network; null where it is not. */
export function arbitrumGatewayFacts(chainId: number): ArbitrumGatewayFacts | null {
  return ARBITRUM_GATEWAY[chainId] ?? null;
}
