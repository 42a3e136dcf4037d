import { type BlockTag, type Provider, ZeroAddress } from "ethers";
import {
  IERC20__factory,
  IMulticall3__factory,
  IUniswapV2Pair__factory,
  IUniswapV3Pool__factory,
} from "../../types/contracts/index.js";
import type { Network } from "../config/network.js";
import { VENUES } from "../venues/index.js";
import type { PoolKind, VenueId } from "../venues/venue.js";

/** What a transaction is expected to cost. */
export interface TransactionCost {
  gas: bigint;
  /** Execution fee and, on rollups, the fee for its data. */
  wei: bigint;
  /** The same in base units of the profit token, rounded up. */
  inProfitToken: bigint;
}

const erc20 = IERC20__factory.createInterface();
const pair = IUniswapV2Pair__factory.createInterface();
const v3 = IUniswapV3Pool__factory.createInterface();

/**
 * Prices `wei` of native currency in base units of `token`, rounded up, by the spot price of the network's deepest known
 * pool of the two (most wrapped native in it). Null where no pool of a known factory trades them.
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
  ]);
  const multicall = IMulticall3__factory.connect(network.multicall3.address, provider);
  const results = await multicall.aggregate3.staticCall(calls, { blockTag: block });
  const nativeIs0 = BigInt(wrapped) < BigInt(token);
  let best: { depth: bigint; amount: bigint } | null = null;
  for (const [i, { kind }] of pools.entries()) {
    const depth = wordOf(results[2 * i]);
    const state = results[2 * i + 1];
    if (depth === 0n || !state?.success || state.returnData.length < 66 || (best && depth <= best.depth)) continue;
    const amount =
      kind === "v2"
        ? spotV2(pair.decodeFunctionResult("getReserves", state.returnData) as unknown as [bigint, bigint], nativeIs0, wei)
        : spotV3(wordOf(state), nativeIs0, wei);
    if (amount !== null) best = { depth, amount };
  }
  return best?.amount ?? null;
}

function knownPools(network: Network, a: string, b: string): { kind: PoolKind; address: string }[] {
  const found: { kind: PoolKind; address: string }[] = [];
  for (const [id, facts] of Object.entries(network.venues)) {
    const venue = VENUES[id as VenueId];
    for (const fee of facts.feesPips) {
      const address = venue.poolAddress(network, a, b, fee);
      if (address !== null && address !== ZeroAddress) found.push({ kind: venue.kind, address });
    }
  }
  return found;
}

const wordOf = (r: { success: boolean; returnData: string } | undefined): bigint =>
  r?.success && r.returnData.length >= 66 ? BigInt(r.returnData.slice(0, 66)) : 0n;

const ceilDiv = (a: bigint, b: bigint) => (a + b - 1n) / b;

function spotV2([reserve0, reserve1]: [bigint, bigint], nativeIs0: boolean, wei: bigint): bigint | null {
  const [native, other] = nativeIs0 ? [reserve0, reserve1] : [reserve1, reserve0];
  return native > 0n && other > 0n ? ceilDiv(wei * other, native) : null;
}

/** The price of token0 in token1 is (sqrtPriceX96 / 2^96)^2 (Uniswap V3 whitepaper, 6.1). */
function spotV3(sqrtPriceX96: bigint, nativeIs0: boolean, wei: bigint): bigint | null {
  if (sqrtPriceX96 === 0n) return null;
  const square = sqrtPriceX96 * sqrtPriceX96;
  return nativeIs0 ? ceilDiv(wei * square, 1n << 192n) : ceilDiv(wei << 192n, square);
}
