import type { BlockTag, Provider } from "ethers";
import type { Network } from "../config/network.js";
import type { V4Key } from "../plan/plan.js";
import type { HopStep } from "../plan/step-types.js";
import type { Read } from "./multicall.js";

/** Identifier of a DEX protocol: one file in this folder each. `v2-fork` serves allow-listed pairs of any Uniswap V2 fork. */
export type VenueId =
  | "uniswap-v2"
  | "sushiswap-v2"
  | "v2-fork"
  | "uniswap-v3"
  | "sushiswap-v3"
  | "pancakeswap-v3"
  | "uniswap-v4"
  | "uniswap-v4-hooks"
  | "solidly"
  | "slipstream"
  | "curve"
  | "balancer-v2"
  | "balancer-v3"
  | "erc4626";

/** How the contract talks to a pool that is a contract of its own: by reserves (V2 type) or by a swap callback (V3 type). */
export type PoolKind = "v2" | "v3";

/** Also through Uniswap V4's PoolManager; `quoted` pools trade by a step of their own and are quoted by their own view function. */
export type VenueKind = PoolKind | "v4" | "quoted";

/** What tells pools of the same tokens apart where the fee does not. */
export interface PoolTraits {
  /** Uniswap V4, Slipstream. */
  tickSpacing?: number;
  /** Solidly: the curve for tokens of equal price. */
  stable?: boolean;
  /** Uniswap V4: the contract that is called around swaps, and the bytes that it gets. */
  hooks?: string;
  hookData?: string;
}

/** What identifies a pool before its state is read. */
export interface PoolId extends PoolTraits {
  venue: VenueId;
  /** EIP-55 address; of Uniswap V4 and Balancer V2 the 32 bytes of the pool's id, in lower case. */
  address: string;
  /** Tokens in the order of their addresses. A V4 pool of ETH stands here with the wrapped native token. */
  token0: string;
  token1: string;
  /** Fee in millionths of the input: 3000 = 0.3 %. Where the pool tells it (Solidly, Slipstream) or has none, 0 until it is read. */
  feePips: number;
  /** The contract that holds the pool: V4's PoolManager, Balancer's Vault. */
  host?: string;
  /** The protocol's contract that quotes the pool, where the pool itself does not. */
  quoter?: string;
}

type PoolBase = PoolId;

/** A constant-product pair at one block. Reserves in base units. */
export interface V2Pool extends PoolBase {
  kind: "v2";
  reserve0: bigint;
  reserve1: bigint;
}

/** One initialised tick; `liquidityNet` is added when the price crosses it upwards. */
export interface Tick {
  index: number;
  liquidityNet: bigint;
}

/** The state of concentrated liquidity at one block, which V3 and V4 have in common. */
export interface ConcentratedPool extends PoolBase {
  tickSpacing: number;
  sqrtPriceX96: bigint;
  tick: number;
  liquidity: bigint;
  /** Initialised ticks in ascending order, complete between `tickRange[0]` and `tickRange[1]` inclusive. */
  ticks: Tick[];
  /** Where the tick list is complete. A quote that would leave it fails instead of guessing. */
  tickRange: [number, number];
  /** Fees by direction, token0 for token1 first, where a protocol fee makes them differ from `feePips`. */
  swapFees?: [number, number];
}

/** A concentrated-liquidity pool that is a contract of its own. */
export interface V3Pool extends ConcentratedPool {
  kind: "v3";
}

/** A pool without hooks in Uniswap V4's PoolManager. */
export interface V4Pool extends ConcentratedPool {
  kind: "v4";
  host: string;
  /** Whether the wrapped native token stands for ETH: the pool trades ETH itself. */
  native: boolean;
}

/** What a pool's own view function said: outputs for inputs, by ascending input. */
export interface Samples {
  inputs: bigint[];
  outputs: bigint[];
}

/** A pool whose maths we do not have: it is quoted by the chain at one block. A quote that nobody asked for fails. */
export interface QuotedPool extends PoolBase {
  kind: "quoted";
  /** By direction, token0 for token1 first. */
  samples: [Samples, Samples];
  /** The steps that trade there, by direction; null for a pool with hooks in Uniswap V4. */
  steps: [HopStep, HopStep] | null;
  /** Of that: its key, and whether the wrapped native token (here token0) stands for ETH. */
  v4?: { key: V4Key; native: boolean };
}

export type Pool = V2Pool | V3Pool | V4Pool | QuotedPool;

/**
 * A stretch of a pool's curve that is one constant-product arc. With `u` the input beyond `inputBefore`:
 * output = outputBefore + gamma * u * reserveOut / (reserveIn + gamma * u), gamma = 1 - fee. Virtual reserves for V3.
 * Floats: for screening and as a first guess of the size only, always confirmed by exact quotes.
 */
export interface CurvePiece {
  inputBefore: number;
  outputBefore: number;
  reserveIn: number;
  reserveOut: number;
}

/** How much of a pool to read. */
export interface LoadOptions {
  /**
   * V3: bitmap words (256 tick spacings each) to read on either side of the one that the price is in; default 2. 0 reads the
   * fewest slots: the price's own word and its ticks. A quote that leaves what was read fails with `needsTicks`.
   */
  tickWords?: number;
  /** Milliseconds for each round of reads; default 10,000. */
  timeoutMs?: number;
}

/** One DEX protocol. Pools are plain values; a venue reads, recognises and quotes them. */
export interface Venue {
  id: VenueId;
  /** What its pools are; of Solidly the kind of volatile pairs. */
  kind: VenueKind;
  /** Whether it exists on a network, as far as the registry knows. */
  isOn(network: Network): boolean;
  /**
   * The address (V4: id) that this venue gives to a pool of these tokens (either order) and fee in pips, with no call; null where
   * the venue has no factory on the network, or none at all: then a pool must be vouched for by the user.
   */
  poolAddress(network: Network, tokenA: string, tokenB: string, feePips: number, traits?: PoolTraits): string | null;
  /** Other addresses (ids) where the venue may have a pool of the same terms. */
  alsoAt?(network: Network, tokenA: string, tokenB: string, feePips: number, traits?: PoolTraits): string[];
  /** The contract that holds its pools on a network, if they are none themselves. */
  host?(network: Network): string | null;
  /** The contract that quotes them there, if they do not. */
  quoter?(network: Network): string | null;
  /** What its pools are in a plan, where quoting is what sets them apart. */
  plansAs?: "v4";
  /**
   * Reads a pool's state at one block. Throws ArbError "network" when it cannot be read, "timeout" when no answer came, and
   * "refused" when there is no such pool at the address.
   */
  load(provider: Provider, pool: PoolId, block: BlockTag, options?: LoadOptions): Promise<Pool>;
  /** Of `quoted` pools: the view call that tells the output for an input, and its answer. */
  quote?: {
    read(pool: QuotedPool, tokenIn: string, amountIn: bigint): Read;
    /** Base units of the output; 0 where the pool gives none. */
    answer(data: string): bigint;
  };
}
