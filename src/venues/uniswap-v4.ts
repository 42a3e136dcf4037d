/**
 * Uniswap V4: pools without hooks live in one PoolManager (https://docs.uniswap.org/contracts/v4/overview). Their maths are V3's;
 * their state is read straight from the manager's storage (v4-core, StateLibrary and Pool.State).
 */
import { AbiCoder, type BlockTag, Interface, type Provider, ZeroAddress, keccak256 } from "ethers";
import type { Network } from "../config/network.js";
import { ArbError } from "../errors.js";
import type { V4Key } from "../plan/plan.js";
import { readAll } from "./multicall.js";
import { sortTokens } from "./v2-pair.js";
import { readTicks } from "./v3-pool.js";
import type { LoadOptions, PoolId, V4Pool, Venue } from "./venue.js";

const manager = new Interface(["function extsload(bytes32[]) view returns (bytes32[])"]);
const coder = AbiCoder.defaultAbiCoder();

// StateLibrary.sol: the mapping of pools, and where a pool keeps what, in slots from its first
const POOLS_SLOT = 6n;
const LIQUIDITY = 3n;
const TICKS = 4n;
const BITMAP = 5n;
/** Slots in one call of `extsload`. */
const SLOTS_PER_READ = 300;

/** Tick spacing of the usual fees, which Uniswap's own interface creates pools with. */
const USUAL_SPACING: Readonly<Record<number, number>> = { 100: 1, 500: 10, 3000: 60, 10_000: 200 };

export const uniswapV4: Venue = {
  id: "uniswap-v4",
  kind: "v4",
  isOn: (network) => network.poolManager !== undefined,
  poolAddress: (network, tokenA, tokenB, feePips, traits) => {
    const tickSpacing = v4Spacing(feePips, traits?.tickSpacing);
    if (network.poolManager === undefined || tickSpacing === null) return null;
    return v4PoolId(tokenA, tokenB, feePips, tickSpacing);
  },
  alsoAt: (network, tokenA, tokenB, feePips, traits) => {
    const tickSpacing = v4Spacing(feePips, traits?.tickSpacing);
    const id = tickSpacing === null ? null : v4NativePoolId(network, tokenA, tokenB, feePips, tickSpacing);
    return id === null ? [] : [id];
  },
  host: (network) => network.poolManager?.address ?? null,
  load: loadV4Pool,
};

/** keccak256 of the pool's key: currencies in order, fee, tick spacing, hooks (v4-core, PoolIdLibrary). */
export function v4PoolId(tokenA: string, tokenB: string, feePips: number, tickSpacing: number, hooks = ZeroAddress): string {
  const [currency0, currency1] = sortTokens(tokenA, tokenB);
  const types = ["address", "address", "uint24", "int24", "address"];
  return keccak256(coder.encode(types, [currency0, currency1, feePips, tickSpacing, hooks]));
}

/** The tick spacing of a V4 pool: as given, else the usual one of its fee; null where there is none. */
export function v4Spacing(feePips: number, given?: number): number | null {
  return given ?? USUAL_SPACING[feePips] ?? null;
}

/** The same pool id with ETH for the wrapped native token; null where neither token is that. */
function v4NativePoolId(network: Network, tokenA: string, tokenB: string, feePips: number, spacing: number): string | null {
  const other = tokenA === network.wrappedNative ? tokenB : tokenB === network.wrappedNative ? tokenA : null;
  return other === null ? null : v4PoolId(ZeroAddress, other, feePips, spacing);
}

/** What identifies the pool in a plan besides its currencies. */
export function v4KeyOf({ feePips, tickSpacing }: V4Pool): V4Key {
  return { fee: feePips, tickSpacing, hooks: ZeroAddress, hookData: "0x" };
}

async function loadV4Pool(provider: Provider, pool: PoolId, block: BlockTag, options: LoadOptions = {}): Promise<V4Pool> {
  const tickSpacing = v4Spacing(pool.feePips, pool.tickSpacing);
  const { host } = pool;
  if (host === undefined || tickSpacing === null) {
    throw new ArbError("usage", "a Uniswap V4 pool is read by its manager and its tick spacing", { where: pool.address });
  }
  const slots = (numbers: bigint[], what: string) => readSlots(provider, host, pool, numbers, what, block, options.timeoutMs);
  const state = stateOf(pool);
  const entry = (map: bigint, key: number): bigint => BigInt(keccak256(coder.encode(["int256", "uint256"], [key, state + map])));
  const { sqrtPriceX96, tick, protocolFees, lpFee, liquidity } = await readSlot0(provider, host, pool, block, options.timeoutMs);
  const known = await readTicks(tick, tickSpacing, options, {
    words: (numbers) =>
      slots(
        numbers.map((n) => entry(BITMAP, n)),
        "tick bitmap",
      ),
    nets: async (ticks) => {
      const infos = await slots(
        ticks.map((t) => entry(TICKS, t)),
        "ticks",
      );
      return infos.map((info) => BigInt.asIntN(128, info >> 128n));
    },
  });
  return {
    kind: "v4",
    venue: pool.venue,
    address: pool.address,
    ...v4Currencies(pool, tickSpacing),
    feePips: pool.feePips,
    host,
    tickSpacing,
    sqrtPriceX96,
    tick,
    liquidity,
    ...known,
    ...(protocolFees.some((fee) => fee > 0)
      ? { swapFees: [swapFee(protocolFees[0], lpFee), swapFee(protocolFees[1], lpFee)] }
      : {}),
  };
}

/** What a pool keeps in its first slots at a block. Throws ArbError "refused" where it was never initialised. */
export async function readSlot0(
  provider: Provider,
  host: string,
  pool: PoolId,
  block: BlockTag,
  timeoutMs?: number,
): Promise<{ sqrtPriceX96: bigint; tick: number; protocolFees: [number, number]; lpFee: number; liquidity: bigint }> {
  const state = stateOf(pool);
  const numbers = [state, state + LIQUIDITY];
  const [slot0, liquidity] = await readSlots(provider, host, pool, numbers, "price and liquidity", block, timeoutMs);
  // Slot0.sol: sqrtPriceX96 (160), tick (24), protocol fee (2 * 12), fee for liquidity providers (24)
  const bits = (from: bigint, count: number): bigint => BigInt.asUintN(count, slot0! >> from);
  const sqrtPriceX96 = bits(0n, 160);
  if (sqrtPriceX96 === 0n) throw noPool(pool);
  return {
    sqrtPriceX96,
    tick: Number(BigInt.asIntN(24, slot0! >> 160n)),
    protocolFees: [Number(bits(184n, 12)), Number(bits(196n, 12))],
    lpFee: Number(bits(208n, 24)),
    liquidity: liquidity!,
  };
}

/** Slot of the manager in which a pool's state begins. */
function stateOf({ address }: PoolId): bigint {
  return BigInt(keccak256(coder.encode(["bytes32", "uint256"], [address, POOLS_SLOT])));
}

async function readSlots(
  provider: Provider,
  host: string,
  pool: PoolId,
  numbers: bigint[],
  what: string,
  block: BlockTag,
  timeoutMs?: number,
): Promise<bigint[]> {
  const reads = [];
  for (let i = 0; i < numbers.length; i += SLOTS_PER_READ) {
    const part = numbers.slice(i, i + SLOTS_PER_READ).map((n) => "0x" + n.toString(16).padStart(64, "0"));
    reads.push({ target: host, data: manager.encodeFunctionData("extsload", [part]), what });
  }
  const answers = await readAll(provider, reads, block, timeoutMs);
  return answers.flatMap((data) => {
    if (data === "0x") throw noPool(pool);
    return (manager.decodeFunctionResult("extsload", data)[0] as string[]).map(BigInt);
  });
}

/** The tokens in the pool's own order, in which ETH comes first, by the key that the pool's id is the hash of. */
export function v4Currencies(
  pool: PoolId,
  tickSpacing: number,
  hooks = ZeroAddress,
): Pick<V4Pool, "token0" | "token1" | "native"> {
  const { address, feePips } = pool;
  const [token0, token1] = sortTokens(pool.token0, pool.token1);
  const is = (a: string, b: string): boolean => v4PoolId(a, b, feePips, tickSpacing, hooks) === address;
  if (is(token0, token1)) return { token0, token1, native: false };
  if (is(ZeroAddress, token1)) return { token0, token1, native: true };
  if (is(ZeroAddress, token0)) return { token0: token1, token1: token0, native: true };
  throw new ArbError("usage", `${address} is not the id of a Uniswap V4 pool of ${token0} and ${token1}`, { where: address });
}

/** Both fees together: the second is taken of what the first leaves (v4-core, ProtocolFeeLibrary.calculateSwapFee). */
function swapFee(protocolFee: number, lpFee: number): number {
  return protocolFee + lpFee - Math.floor((protocolFee * lpFee) / 1_000_000);
}

function noPool(pool: PoolId): ArbError {
  return new ArbError("refused", `Uniswap V4 has no pool ${pool.address}`, {
    where: pool.address,
    hint: `the pool of ${pool.token0} and ${pool.token1} was not initialised on this chain, or not at this block`,
  });
}
