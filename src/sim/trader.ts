import { getAddress, MaxUint256, toQuantity } from "ethers";
import { ArbError } from "../errors.js";
import type { PoolId, VenueId } from "../venues/venue.js";
import {
  IERC20__factory,
  ISwapRouter02__factory,
  IUniswapV2Router02__factory,
  LocalPancakeV3Periphery__factory,
} from "../../types/contracts/index.js";
import type { LocalChain } from "./chain.js";
import { tokenOf } from "./protocols/tokens.js";
import { v4SwapData } from "./protocols/uniswap-v4.js";
import type { RawReceipt } from "./site.js";

/** A swap of an exact input in one pool. Amounts in base units of `tokenIn`. */
export interface Move {
  pool: PoolId;
  tokenIn: string;
  amountIn: bigint;
}

export interface Moved extends Move {
  transactionHash: string;
  amountOut: bigint;
}

const erc20 = IERC20__factory.createInterface();
const v2Router = IUniswapV2Router02__factory.createInterface();
const v3Router = ISwapRouter02__factory.createInterface();
const pancake = LocalPancakeV3Periphery__factory.createInterface();

/** Enough for a swap that crosses hundreds of ticks. */
const SWAP_GAS = 10_000_000;
const RECEIPT_DEADLINE_MS = 15_000;

/**
 * Sends the trader's swap through the venue's router and returns the transaction's hash. `tip` in wei per gas decides its
 * place among the transactions of a block.
 */
export async function submitMove(chain: LocalChain, move: Move, tip = 0n): Promise<string> {
  const router = chain.routers[move.pool.venue];
  if (router === undefined)
    throw new ArbError("usage", `${move.pool.venue} is not on ${chain.network.title}`, { where: move.pool.address });
  const { baseFeePerGas } = await chain.rpc<{ baseFeePerGas: string }>("eth_getBlockByNumber", ["latest", false]);
  const transaction = {
    from: chain.trader,
    to: router,
    data: swapData(chain, move),
    gas: toQuantity(SWAP_GAS),
    maxFeePerGas: toQuantity(2n * BigInt(baseFeePerGas) + tip),
    maxPriorityFeePerGas: toQuantity(tip),
  };
  return await chain.rpc<string>("eth_sendTransaction", [transaction]);
}

/**
 * Swaps `amountIn` of `tokenIn` in a pool and waits until it is mined. Throws ArbError "reverted", and "timeout" where no
 * block takes it within 15 s.
 */
export async function movePrice(chain: LocalChain, pool: PoolId, tokenIn: string, amountIn: bigint): Promise<Moved> {
  const move = { pool, tokenIn: getAddress(tokenIn), amountIn };
  const transactionHash = await submitMove(chain, move);
  const receipt = await minedReceipt(chain, transactionHash);
  if (receipt.status !== "0x1")
    throw new ArbError("reverted", `the trader's swap in ${pool.address} failed`, { where: transactionHash });
  const out = otherToken(pool, move.tokenIn);
  const transfer = erc20.getEvent("Transfer").topicHash;
  const paid = receipt.logs
    .filter((l) => getAddress(l.address) === out && l.topics[0] === transfer)
    .map((l) => erc20.parseLog(l))
    .filter((e) => e?.args["to"] === chain.trader);
  const amountOut = paid.reduce((sum, e) => sum + (e?.args["value"] as bigint), 0n);
  return { ...move, transactionHash, amountOut };
}

/** Parts per million of what a pool holds of a token, base units: a size for moves that fits pools of any depth. */
export async function shareOf(chain: LocalChain, pool: PoolId, token: string, ppm: number): Promise<bigint> {
  // V4's pools lie in one manager: of their depth only the order of magnitude is known
  const data = erc20.encodeFunctionData("balanceOf", [pool.host ?? pool.address]);
  const held = await chain.rpc<string>("eth_call", [{ to: token, data }, "latest"]);
  return (BigInt(held) * BigInt(ppm)) / 1_000_000n;
}

/**
 * What a rival does in a pool between our quote and our landing, in the direction that hurts whoever sells `tokenIn` there.
 * "dust": 1 ppm of the pool, which breaks a plan of fixed amounts but hardly its profit. "adverse": 5 %, which ends the profit.
 */
export async function rival(chain: LocalChain, kind: "dust" | "adverse", pool: PoolId, tokenIn: string): Promise<Moved> {
  return await movePrice(chain, pool, tokenIn, await shareOf(chain, pool, tokenIn, kind === "dust" ? 1 : 50_000));
}

/** venue, tokens of the pool, fee, token sold, parts per million of the pool */
const DEMO: [VenueId, string, string, number, string, number][] = [
  // WETH falls on Uniswap V2: buy there, sell on any other pool (2 hops)
  ["uniswap-v2", "WETH", "USDC", 3000, "WETH", 20_000],
  // WETH rises against DAI: USDC -> WETH -> DAI -> USDC (3 hops)
  ["uniswap-v3", "WETH", "DAI", 3000, "DAI", 60_000],
  // WETH rises on PancakeSwap (2 hops)
  ["pancakeswap-v3", "WETH", "USDC", 500, "USDC", 40_000],
  // DAI falls on SushiSwap: with the gap above also USDC -> DAI -> WETH -> USDC, and over two WETH pools (4 hops)
  ["sushiswap-v2", "USDC", "DAI", 3000, "DAI", 15_000],
  // WETH rises on SushiSwap and falls on Uniswap V3's deepest pool
  ["sushiswap-v2", "WETH", "USDC", 3000, "USDC", 25_000],
  ["uniswap-v3", "WETH", "USDC", 500, "WETH", 30_000],
];

/** The scripted moves of a demonstration, each of which opens a gap between pools; sizes follow the pools' present depth. */
export async function demoMoves(chain: LocalChain): Promise<Move[]> {
  const moves: Move[] = [];
  for (const [venue, symbolA, symbolB, feePips, symbolIn, ppm] of DEMO) {
    const pool = findPool(chain, venue, symbolA, symbolB, feePips);
    if (!pool) continue;
    const tokenIn = tokenOf(chain.network, symbolIn).address;
    moves.push({ pool, tokenIn, amountIn: await shareOf(chain, pool, tokenIn, ppm) });
  }
  return moves;
}

/** A seeded pool by venue, tokens (symbols, any order) and fee; null where it was not seeded. */
export function findPool(chain: LocalChain, venue: VenueId, symbolA: string, symbolB: string, feePips: number): PoolId | null {
  const tokens = new Set([tokenOf(chain.network, symbolA).address, tokenOf(chain.network, symbolB).address]);
  const fits = (p: PoolId) => p.venue === venue && p.feePips === feePips && tokens.has(p.token0) && tokens.has(p.token1);
  return chain.pools.find(fits) ?? null;
}

function swapData(chain: LocalChain, { pool, tokenIn, amountIn }: Move): string {
  const tokenOut = otherToken(pool, tokenIn);
  const recipient = chain.trader;
  if (pool.venue === "uniswap-v4") return v4SwapData(pool, tokenIn, amountIn, chain.network.wrappedNative);
  if (pool.venue === "pancakeswap-v3") return pancake.encodeFunctionData("exactInput", [pool.address, tokenIn, amountIn]);
  if (pool.venue === "uniswap-v3" || pool.venue === "sushiswap-v3") {
    const params = { tokenIn, tokenOut, fee: pool.feePips, recipient, amountIn, amountOutMinimum: 0, sqrtPriceLimitX96: 0 };
    return v3Router.encodeFunctionData("exactInputSingle", [params]);
  }
  return v2Router.encodeFunctionData("swapExactTokensForTokens", [amountIn, 0, [tokenIn, tokenOut], recipient, MaxUint256]);
}

function otherToken(pool: PoolId, tokenIn: string): string {
  if (tokenIn !== pool.token0 && tokenIn !== pool.token1)
    throw new ArbError("usage", `${tokenIn} is not a token of the pool`, { where: pool.address });
  return tokenIn === pool.token0 ? pool.token1 : pool.token0;
}

async function minedReceipt(chain: LocalChain, hash: string): Promise<RawReceipt> {
  const until = Date.now() + RECEIPT_DEADLINE_MS;
  for (;;) {
    const receipt = await chain.rpc<RawReceipt | null>("eth_getTransactionReceipt", [hash]);
    if (receipt) return receipt;
    if (Date.now() > until)
      throw new ArbError("timeout", "no block took the trader's swap", { where: hash, hint: "mine blocks" });
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
