import { type BlockTag, type Provider, ZeroAddress } from "ethers";
import {
  IERC20__factory,
  IMulticall3__factory,
  IUniswapV2Pair__factory,
  IUniswapV3Pool__factory,
} from "../../types/contracts/index.js";
import type { Network } from "../config/network.js";
import { ArbError } from "../errors.js";
import { VENUES } from "../venues/index.js";
import type { VenueId } from "../venues/venue.js";
import type { PlanTip } from "./plan.js";

/** What a transaction is expected to cost. */
export interface TransactionCost {
  gas: bigint;
  /** Execution fee and, on rollups, the fee for its data. */
  wei: bigint;
  /** The same in base units of the profit token, rounded up. */
  inProfitToken: bigint;
}

/** Most that a plan's tip takes out of a profit before it, wei; what the contract pays for the whole of that profit. */
export function mostTip(tip: PlanTip | null, profit: bigint): bigint {
  if (tip === null) return 0n;
  if (tip.kind === "fixed") return tip.amount;
  const share = (profit * BigInt(tip.bips)) / 10_000n;
  return share < tip.floor ? tip.floor : share > tip.cap ? tip.cap : share;
}

/**
 * Highest fee per gas in wei at which a transaction costs no more than `earned` (base units of the profit token): `cost` is what
 * it costs at the expected fee, which also tells the price of gas in that token, and `beside` the wei of it that do not follow
 * from the gas. A spike of the base fee then keeps it out of a block; it never makes it pay more than it earns.
 */
export function feeCeiling(earned: bigint, cost: TransactionCost, beside: bigint): bigint {
  if (cost.inProfitToken === 0n || cost.gas === 0n)
    throw new ArbError("internal", "a transaction that costs nothing has no price of gas");
  return ((earned * cost.wei) / cost.inProfitToken - beside) / cost.gas;
}

const erc20 = IERC20__factory.createInterface();
const pair = IUniswapV2Pair__factory.createInterface();
const v3 = IUniswapV3Pool__factory.createInterface();

/** A pool prices an amount only if it has this many times as much: what it says of more could not be traded at its price. */
const LEAST_DEPTH = 100n;

/**
 * Prices `wei` of native currency in base units of `token`, rounded up, by the spot price of the network's deepest known pool of the
 * two. A pool is as deep as its wrapped native at the present price, and no deeper than what it holds: neither a gift to a pool
 * without liquidity nor a position of a few units in a narrow range makes a price. Null where no pool of a known factory is deep
 * enough.
 */
export async function priceInToken(
  provider: Provider,
  network: Network,
  token: string,
  wei: bigint,
  block: BlockTag,
): Promise<bigint | null> {
  const wrapped = network.wrappedNative;
  if (token === wrapped) return wei;
  const pools = knownPools(network, wrapped, token);
  if (pools.length === 0) return null;
  const calls = pools.flatMap(({ kind, address }) => [
    { target: wrapped, allowFailure: true, callData: erc20.encodeFunctionData("balanceOf", [address]) },
    {
      target: address,
      allowFailure: true,
      callData: kind === "v2" ? pair.encodeFunctionData("getReserves") : v3.encodeFunctionData("slot0"),
    },
    { target: address, allowFailure: true, callData: v3.encodeFunctionData("liquidity") },
  ]);
  const multicall = IMulticall3__factory.connect(network.multicall3.address, provider);
  const results = await multicall.aggregate3.staticCall(calls, { blockTag: block });
  const nativeIs0 = BigInt(wrapped) < BigInt(token);
  let best: { depth: bigint; amount: bigint } | null = null;
  for (const [i, { kind }] of pools.entries()) {
    const [held, state, liquidity] = [wordOf(results[3 * i]), results[3 * i + 1], wordOf(results[3 * i + 2])];
    if (!state?.success || state.returnData.length < (kind === "v2" ? 194 : 66)) continue;
    const spot =
      kind === "v2"
        ? spotV2(pair.decodeFunctionResult("getReserves", state.returnData) as unknown as [bigint, bigint], nativeIs0, wei)
        : spotV3(wordOf(state), liquidity, nativeIs0, wei);
    if (spot === null) continue;
    const depth = spot.native < held ? spot.native : held;
    if (depth >= wei * LEAST_DEPTH && (best === null || depth > best.depth)) best = { depth, amount: spot.amount };
  }
  return best?.amount ?? null;
}

function knownPools(network: Network, a: string, b: string): { kind: "v2" | "v3"; address: string }[] {
  const found: { kind: "v2" | "v3"; address: string }[] = [];
  for (const [id, facts] of Object.entries(network.venues)) {
    const venue = VENUES[id as VenueId];
    const { kind } = venue;
    if (kind !== "v2" && kind !== "v3") continue;
    for (const fee of facts.feesPips) {
      const address = venue.poolAddress(network, a, b, fee);
      if (address !== null && address !== ZeroAddress) found.push({ kind, address });
    }
  }
  return found;
}

const wordOf = (r: { success: boolean; returnData: string } | undefined): bigint =>
  r?.success && r.returnData.length >= 66 ? BigInt(r.returnData.slice(0, 66)) : 0n;

const ceilDiv = (a: bigint, b: bigint) => (a + b - 1n) / b;

/** What `wei` are worth at a pool's price, and how much wrapped native stands against it there. */
interface Spot {
  native: bigint;
  amount: bigint;
}

function spotV2([reserve0, reserve1]: [bigint, bigint], nativeIs0: boolean, wei: bigint): Spot | null {
  const [native, other] = nativeIs0 ? [reserve0, reserve1] : [reserve1, reserve0];
  return native > 0n && other > 0n ? { native, amount: ceilDiv(wei * other, native) } : null;
}

/**
 * The price of token0 in token1 is (sqrtPriceX96 / 2^96)^2; the virtual reserves are liquidity / sqrt(price) and liquidity *
 * sqrt(price) (Uniswap V3 whitepaper, 6.1 and 6.2.1).
 */
function spotV3(sqrtPriceX96: bigint, liquidity: bigint, nativeIs0: boolean, wei: bigint): Spot | null {
  if (sqrtPriceX96 === 0n) return null;
  const square = sqrtPriceX96 * sqrtPriceX96;
  return nativeIs0
    ? { native: (liquidity << 96n) / sqrtPriceX96, amount: ceilDiv(wei * square, 1n << 192n) }
    : { native: (liquidity * sqrtPriceX96) >> 96n, amount: ceilDiv(wei << 192n, square) };
}
