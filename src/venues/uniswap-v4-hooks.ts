import { type BlockTag, Interface, type Provider, ZeroAddress } from "ethers";
import { ArbError } from "../errors.js";
import { readAll } from "./multicall.js";
import { sampled } from "./quoted-pool.js";
import { isToken0 } from "./swap.js";
import { readSlot0, v4Currencies, v4Spacing } from "./uniswap-v4.js";
import { identity } from "./v2-pair.js";
import type { LoadOptions, PoolId, QuotedPool, Venue } from "./venue.js";

/** Fee in the key of a pool whose hook sets it (LPFeeLibrary.DYNAMIC_FEE_FLAG of v4-core). */
export const DYNAMIC_FEE = 0x800000;

const quoter = new Interface([
  "function quoteExactInputSingle(((address currency0, address currency1, uint24 fee, int24 tickSpacing, address hooks) poolKey, bool zeroForOne, uint128 exactAmount, bytes hookData)) returns (uint256 amountOut, uint256 gasEstimate)",
]);
const erc20 = new Interface(["function balanceOf(address) view returns (uint256)"]);

/** A larger input moves the price of the liquidity that stands there by more than 25 times. */
const RESERVES_TO_ASK = 4n;
/** Amounts in the quoter have 128 bits. */
const MOST = (1n << 127n) - 1n;

/**
 * Uniswap V4 pools with hooks, by the pool's id. A hook may set the fee of each swap and take from its amounts or add to them, so no
 * maths of ours tells what such a pool gives: V4's Quoter runs the swap with the hook at the block and takes it back
 * (v4-periphery, V4Quoter). A hook can tell the Quoter from us, and this block from the next one: the plan's bounds and its simulation
 * are what counts. Hooks are anybody's code, so pools stand on the allow-list, which has their keys.
 */
export const uniswapV4Hooks: Venue = {
  id: "uniswap-v4-hooks",
  kind: "quoted",
  plansAs: "v4",
  isOn: (network) => network.poolManager !== undefined && network.quoters["uniswap-v4-hooks"] !== undefined,
  poolAddress: () => null,
  host: (network) => network.poolManager?.address ?? null,
  quoter: (network) => network.quoters["uniswap-v4-hooks"]?.address ?? null,
  load: loadHooked,
  quote: {
    read: (pool, tokenIn, amountIn) => {
      const { v4, quoter: target } = pool;
      if (v4 === undefined || target === undefined) throw new TypeError(`${pool.address} is no pool with hooks`);
      const [currency0, currency1] = [pool.token0, pool.token1].map((token, i) => (v4.native && i === 0 ? ZeroAddress : token));
      const key = [currency0, currency1, v4.key.fee, v4.key.tickSpacing, v4.key.hooks];
      const params = [key, isToken0(pool, tokenIn), amountIn > MOST ? MOST : amountIn, v4.key.hookData];
      return { target, data: quoter.encodeFunctionData("quoteExactInputSingle", [params]), what: "quoteExactInputSingle" };
    },
    answer: (data) => quoter.decodeFunctionResult("quoteExactInputSingle", data)[0] as bigint,
  },
};

async function loadHooked(provider: Provider, pool: PoolId, block: BlockTag, options: LoadOptions = {}): Promise<QuotedPool> {
  const { address, host, hooks, hookData = "0x", feePips: fee } = pool;
  const tickSpacing = v4Spacing(fee, pool.tickSpacing);
  if (host === undefined || pool.quoter === undefined || tickSpacing === null || hooks === undefined) {
    const what = "its manager, its quoter, its tick spacing and its hooks";
    throw new ArbError("usage", `a Uniswap V4 pool with hooks is read by ${what}`, { where: address });
  }
  const { token0, token1, native } = v4Currencies(pool, tickSpacing, hooks);
  const state = await readSlot0(provider, host, pool, block, options.timeoutMs);
  const empty = {
    ...identity(pool),
    token0,
    token1,
    host,
    quoter: pool.quoter,
    tickSpacing,
    hooks,
    hookData,
    // what a dynamic fee is at this block; the hook may take another for a swap
    feePips: fee === DYNAMIC_FEE ? state.lpFee : fee,
    v4: { key: { fee, tickSpacing, hooks, hookData }, native },
    steps: null,
  };
  const largest = await largestInputs(provider, empty, state, block, options.timeoutMs);
  return await sampled(provider, uniswapV4Hooks, empty, largest, block, options.timeoutMs, 2);
}

/**
 * How much of each token to ask for at most: by the liquidity at the price, or, where the hook keeps the liquidity elsewhere, by what
 * the manager holds of the token that comes out.
 */
async function largestInputs(
  provider: Provider,
  { token0, token1, host, v4 }: Pick<QuotedPool, "token0" | "token1" | "host" | "v4">,
  { sqrtPriceX96, liquidity }: Awaited<ReturnType<typeof readSlot0>>,
  block: BlockTag,
  timeoutMs?: number,
): Promise<[bigint, bigint]> {
  const square = sqrtPriceX96 * sqrtPriceX96;
  if (liquidity > 0n) {
    const reserves = [(liquidity << 96n) / sqrtPriceX96, (liquidity * sqrtPriceX96) >> 96n];
    return reserves.map((reserve) => cut(reserve * RESERVES_TO_ASK)) as [bigint, bigint];
  }
  const reads = [token0, token1].map((token) => {
    return { target: token, data: erc20.encodeFunctionData("balanceOf", [host]), what: "balanceOf(manager)" };
  });
  const [held, eth] = await Promise.all([
    readAll(provider, reads, block, timeoutMs),
    v4!.native ? provider.getBalance(host!, block) : 0n,
  ]);
  const [held0, held1] = held.map((data, i) => (v4!.native && i === 0 ? eth : BigInt(data))) as [bigint, bigint];
  return [cut((held1 << 192n) / square), cut((held0 * square) >> 192n)];
}

const cut = (amount: bigint): bigint => (amount < 1n ? 1n : amount > MOST ? MOST : amount);
