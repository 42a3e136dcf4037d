import type { BlockTag, Provider } from "ethers";
import type { Network } from "../config/network.js";

/** Identifier of a DEX protocol: one file in this folder each. `v2-fork` serves allow-listed pairs of any Uniswap V2 fork. */
export type VenueId = "uniswap-v2" | "sushiswap-v2" | "v2-fork" | "uniswap-v3" | "sushiswap-v3" | "pancakeswap-v3";

/** How the contract talks to a pool: by reserves (V2 type) or by a swap callback (V3 type). */
export type PoolKind = "v2" | "v3";

interface PoolBase {
  venue: VenueId;
  /** EIP-55 address. */
  address: string;
  token0: string;
  token1: string;
  /** Fee in millionths of the input: 3000 = 0.3 %. */
  feePips: number;
}

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

/** A concentrated-liquidity pool at one block. */
export interface V3Pool extends PoolBase {
  kind: "v3";
  tickSpacing: number;
  sqrtPriceX96: bigint;
  tick: number;
  liquidity: bigint;
  /** Initialised ticks in ascending order, complete between `tickRange[0]` and `tickRange[1]` inclusive. */
  ticks: Tick[];
  /** Where the tick list is complete. A quote that would leave it fails instead of guessing. */
  tickRange: [number, number];
}

export type Pool = V2Pool | V3Pool;

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
  kind: PoolKind;
  /**
   * The address that this venue's factory gives to a pool of these tokens (either order) and fee in pips, by CREATE2 and with
   * no call; null where the venue has no factory on the network (or, `v2-fork`, in general).
   */
  poolAddress(network: Network, tokenA: string, tokenB: string, feePips: number): string | null;
  /**
   * Reads a pool's state at one block. Throws ArbError "network" when it cannot be read, "timeout" when no answer came, and
   * "refused" when there is no such pool at the address.
   */
  load(provider: Provider, pool: PoolId, block: BlockTag, options?: LoadOptions): Promise<Pool>;
}

/** What identifies a pool before its state is read. */
export interface PoolId {
  venue: VenueId;
  address: string;
  token0: string;
  token1: string;
  feePips: number;
}
