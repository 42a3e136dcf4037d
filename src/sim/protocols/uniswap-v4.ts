import { AbiCoder, concat, Interface, MaxUint256, toBeHex, ZeroAddress, ZeroHash } from "ethers";
import { squareRoot } from "../../venues/tick-math.js";
import { v4PoolId, v4Spacing } from "../../venues/uniswap-v4.js";
import type { PoolId } from "../../venues/venue.js";
import { artifact, EXTRACTS } from "../artifacts.js";
import type { SeedPool } from "../seed.js";
import { deploy, invoke, place, type Site } from "../site.js";
import { positionRanges, sqrtPriceX96 } from "../v3-math.js";
import { approve } from "./tokens.js";

const coder = AbiCoder.defaultAbiCoder();
const permit2 = { abi: new Interface(["function approve(address token, address spender, uint160 amount, uint48 expiration)"]) };
const router = new Interface(["function execute(bytes commands, bytes[] inputs)"]);

// Commands.sol of universal-router, Actions.sol and IV4Router.sol of the v4-periphery that it is built with
const PERMIT2_TRANSFER_FROM = 0x02;
const WRAP_ETH = 0x0b;
const UNWRAP_WETH = 0x0c;
const V4_SWAP = 0x10;
const SWAP_EXACT_IN = 0x07;
const SETTLE = 0x0b;
const SETTLE_ALL = 0x0c;
const TAKE = 0x0e;
const TAKE_ALL = 0x0f;
const TO_SENDER = toBeHex(1, 20);
const TO_ROUTER = toBeHex(2, 20);
const WHOLE_BALANCE = 1n << 255n;
const PATH_KEY = "tuple(address intermediateCurrency, uint24 fee, int24 tickSpacing, address hooks, bytes hookData)";
const EXACT_INPUT = `tuple(address, ${PATH_KEY}[], uint256[] maxHopSlippage, uint128 amountIn, uint128 amountOutMinimum)`;

export interface UniswapV4 {
  manager: string;
  /** Uniswap's Universal Router, which the trader swaps with. */
  router: string;
  /** v4-core's own contract for adding liquidity. */
  liquidity: string;
}

/** Uniswap V4's PoolManager and Quoter at the registry's addresses, and what adds liquidity and swaps there; null where the network has none. */
export async function placeUniswapV4(site: Site): Promise<UniswapV4 | null> {
  const { network, owner } = site;
  const manager = network.poolManager?.address;
  if (manager === undefined) return null;
  await place(site, manager, artifact(`${EXTRACTS.v4Core}/PoolManager.sol/PoolManager.json`), [owner]);
  const quoter = network.quoters["uniswap-v4-hooks"];
  if (quoter) await place(site, quoter.address, artifact(`${EXTRACTS.v4Periphery}/V4Quoter.sol/V4Quoter.json`), [manager]);
  const helper = artifact(`${EXTRACTS.v4Core}/PoolModifyLiquidityTest.sol/PoolModifyLiquidityTest.json`);
  const liquidity = await deploy(site, helper, [manager]);
  const universal = artifact(`${EXTRACTS.universalRouter}/UniversalRouter.sol/UniversalRouter.json`);
  const none = [ZeroAddress, ZeroAddress, ZeroHash, ZeroHash];
  const settings = [network.permit2.address, network.wrappedNative, ...none, manager, ZeroAddress, ZeroAddress, ZeroAddress];
  return { manager, liquidity, router: await deploy(site, universal, [settings]) };
}

/** Lets the router take the trader's token through Permit2, and the liquidity helper the owner's. */
export async function approveUniswapV4(site: Site, { router: to, liquidity }: UniswapV4, token: string): Promise<void> {
  const { address } = site.network.permit2;
  await approve(site, token, address, site.trader);
  await invoke(site, address, permit2, "approve", [token, to, (1n << 160n) - 1n, (1n << 48n) - 1n], { from: site.trader });
  await approve(site, token, liquidity);
}

/**
 * Initialises a pool without hooks at the price of its two sides, with one position of equal liquidity per range. `native`: it
 * trades ETH, for which WETH stands among the sides.
 */
export async function seedV4(site: Site, { manager, liquidity }: UniswapV4, pool: SeedPool, native: boolean): Promise<PoolId> {
  const { feePips, venue } = pool;
  const wrapped = site.network.wrappedNative;
  // ETH, the zero address, comes before every token
  const sides = native && pool.sides[1][0] === wrapped ? [pool.sides[1], pool.sides[0]] : pool.sides;
  const [[currency0, amount0], [currency1, amount1]] = sides.map(([token, amount]) => {
    return [native && token === wrapped ? ZeroAddress : token, amount];
  }) as SeedPool["sides"];
  const tickSpacing = v4Spacing(feePips)!;
  const key = [currency0, currency1, feePips, tickSpacing, ZeroAddress];
  const core = artifact(`${EXTRACTS.v4Core}/PoolManager.sol/PoolManager.json`);
  const helper = artifact(`${EXTRACTS.v4Core}/PoolModifyLiquidityTest.sol/PoolModifyLiquidityTest.json`);
  await invoke(site, manager, core, "initialize", [key, sqrtPriceX96(amount0, amount1)]);
  const add = "modifyLiquidity((address,address,uint24,int24,address),(int24,int24,int256,bytes32),bytes)";
  const depth = squareRoot(amount0 * amount1);
  for (const { tickLower, tickUpper } of positionRanges({ ...pool, sides: sides as SeedPool["sides"] })) {
    const args = [key, [tickLower, tickUpper, depth, ZeroHash], "0x"];
    // what is not needed comes back
    await invoke(site, liquidity, helper, add, args, native ? { value: amount0 * 2n } : {});
  }
  const address = v4PoolId(currency0, currency1, feePips, tickSpacing);
  const [[token0], [token1]] = pool.sides;
  return { venue, address, token0, token1, feePips, tickSpacing, host: manager };
}

/**
 * Calldata of the Universal Router: an exact input in one pool, paid and received by the sender; for a pool of ETH the router
 * unwraps and wraps.
 */
export function v4SwapData(pool: PoolId, tokenIn: string, amountIn: bigint, wrapped: string): string {
  const { address, token0, token1, feePips, tickSpacing } = pool;
  const spacing = v4Spacing(feePips, tickSpacing);
  const native = spacing !== null && v4PoolId(token0, token1, feePips, spacing) !== address;
  const tokenOut = tokenIn === token0 ? token1 : token0;
  const [paysEth, getsEth] = [native && tokenIn === wrapped, native && tokenOut === wrapped];
  const path = [[getsEth ? ZeroAddress : tokenOut, feePips, spacing, ZeroAddress, "0x"]];
  const swap = coder.encode([EXACT_INPUT], [[paysEth ? ZeroAddress : tokenIn, path, [], amountIn, 0n]]);
  const settle: Part = paysEth
    ? [SETTLE, coder.encode(["address", "uint256", "bool"], [ZeroAddress, amountIn, false])]
    : [SETTLE_ALL, coder.encode(["address", "uint256"], [tokenIn, MaxUint256])];
  const take: Part = getsEth
    ? [TAKE, coder.encode(["address", "address", "uint256"], [ZeroAddress, TO_ROUTER, 0n])]
    : [TAKE_ALL, coder.encode(["address", "uint256"], [tokenOut, 0n])];
  const actions: Part[] = [[SWAP_EXACT_IN, swap], settle, take];
  const before: Part[] = [
    [PERMIT2_TRANSFER_FROM, coder.encode(["address", "address", "uint160"], [tokenIn, TO_ROUTER, amountIn])],
    [UNWRAP_WETH, coder.encode(["address", "uint256"], [TO_ROUTER, amountIn])],
  ];
  const after: Part = [WRAP_ETH, coder.encode(["address", "uint256"], [TO_SENDER, WHOLE_BALANCE])];
  const commands: Part[] = [
    ...(paysEth ? before : []),
    [V4_SWAP, coder.encode(["bytes", "bytes[]"], listOf(actions))],
    ...(getsEth ? [after] : []),
  ];
  return router.encodeFunctionData("execute", listOf(commands));
}

/** A command or an action by its number, with its arguments. */
type Part = [number: number, input: string];

const listOf = (parts: Part[]): [numbers: string, inputs: string[]] => [
  concat(parts.map(([number]) => toBeHex(number, 1))),
  parts.map(([, input]) => input),
];
