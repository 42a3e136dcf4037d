import type { FundingId } from "../funding/funding.js";
import type { VenueId } from "../venues/venue.js";

/** An address with where it was taken from. `verified`: an npm package of the protocol itself names it (checked by a test). */
export interface Sourced {
  address: string;
  source: string;
  verified: boolean;
}

export interface Token extends Sourced {
  symbol: string;
  decimals: number;
}

/** Factory of a venue on one network, with what its pool addresses follow from. */
export interface VenueFacts {
  factory: Sourced;
  /** Address that CREATE2 is called from: the factory itself, except for PancakeSwap V3. */
  deployer: Sourced;
  /** Contract that pools are minimal proxies of (Solidly, Slipstream); `initCodeHash` follows from it. */
  implementation?: Sourced;
  initCodeHash: string;
  /** V2: the fee of every pair. V3: the fees that the factory knows. In millionths. Empty where each pool tells its own. */
  feesPips: number[];
  /** V2: the periphery's Router02. V3: a router with SwapRouter02's functions. */
  router: Sourced | null;
  /** V3: QuoterV2. */
  quoter: Sourced | null;
  /** V3: the NonfungiblePositionManager. */
  positionManager?: Sourced;
}

/** Facts of one network, from the reviewed registry in networks.ts. */
export interface Network {
  chainId: number;
  name: "ethereum" | "arbitrum" | "optimism" | "base" | "sepolia" | "arbitrum-sepolia" | "optimism-sepolia" | "base-sepolia";
  title: string;
  testnet: boolean;
  stack: "l1" | "op" | "arbitrum";
  nativeSymbol: "ETH";
  /** Hash of block 0, to tell a fork or a wrong endpoint. */
  genesisHash: string | null;
  blockTimeMs: number;
  /** Least blocks on top of one before it counts as final; where the node has a `finalized` block, it must be at or below that too. */
  finality: { blocks: number; source: string };
  /** Most gas that one transaction may have (EIP-7825), where the network has that rule. */
  transactionGasCap: number | null;
  explorer: string;
  tokens: Token[];
  wrappedNative: string;
  venues: Partial<Record<VenueId, VenueFacts>>;
  lenders: Partial<Record<FundingId, Sourced>>;
  /** Contracts that quote a venue's pools by running their swaps. */
  quoters: Partial<Record<VenueId, Sourced>>;
  /** Uniswap V4's PoolManager: a venue and a lender. */
  poolManager?: Sourced;
  /** Aave V3's PoolAddressesProvider, where the pool stands in `lenders`. */
  aaveProvider?: Sourced;
  multicall3: Sourced;
  permit2: Sourced;
  create2Proxy: Sourced;
}
