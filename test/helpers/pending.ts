import { type HDNodeWallet, MaxUint256, Wallet } from "ethers";
import { IERC20__factory, IUniswapV2Router02__factory } from "../../types/contracts/index.js";
import { scanBlock } from "../../src/market/watcher.js";
import type { Opportunity } from "../../src/opportunity/opportunity.js";
import { type PendingTransaction, readPending } from "../../src/opportunity/pending.js";
import type { LocalChain } from "../../src/sim/chain.js";
import { type Desk } from "../../src/sim/desk.js";
import { findPool, movePrice, shareOf } from "../../src/sim/trader.js";
import type { PoolId } from "../../src/venues/venue.js";

const GWEI = 10n ** 9n;

/** Somebody whose swap, once it lands, opens a gap between two WETH/USDC pools. */
export interface Victim {
  wallet: HDNodeWallet;
  pool: PoolId;
  amountIn: bigint;
  /** Signs the swap, in the account's next nonce unless another is given. */
  swap(over?: { nonce?: number; maxFeePerGas?: bigint; minOut?: bigint; tip?: bigint }): Promise<PendingTransaction>;
}

/** Funds a fresh account and has it approve the router. The chain must mine by itself. */
export async function openVictim(local: LocalChain, ppm = 20_000): Promise<Victim> {
  const wallet = Wallet.createRandom();
  const pool = findPool(local, "uniswap-v2", "WETH", "USDC", 3000)!;
  const weth = local.network.wrappedNative;
  const usdc = pool.token0 === weth ? pool.token1 : pool.token0;
  const amountIn = await shareOf(local, pool, weth, ppm);
  await local.fund(wallet.address, { eth: 10n ** 20n, tokens: { WETH: amountIn } });
  const router = local.network.venues["uniswap-v2"]!.router!.address;
  const nonce = async () => Number(await local.rpc<string>("eth_getTransactionCount", [wallet.address, "latest"]));
  const terms = { type: 2, chainId: local.network.chainId, gasLimit: 400_000n, maxFeePerGas: 100n * GWEI };
  const approve = IERC20__factory.createInterface().encodeFunctionData("approve", [router, MaxUint256]);
  const approval = { ...terms, nonce: await nonce(), to: weth, data: approve, maxPriorityFeePerGas: GWEI };
  await local.rpc("eth_sendRawTransaction", [await wallet.signTransaction(approval)]);
  const swaps = IUniswapV2Router02__factory.createInterface();
  return {
    wallet,
    pool,
    amountIn,
    swap: async ({ minOut = 0n, tip = GWEI, ...over } = {}) => {
      const data = swaps.encodeFunctionData("swapExactTokensForTokens", [
        amountIn,
        minOut,
        [weth, usdc],
        wallet.address,
        MaxUint256,
      ]);
      const swap = { ...terms, nonce: over.nonce ?? (await nonce()), to: router, data, maxPriorityFeePerGas: tip, ...over };
      return readPending(await wallet.signTransaction(swap)) as PendingTransaction;
    },
  };
}

/** The opportunity that a victim's swap opens, found on a chain in which it has landed, and which is then turned back. */
export async function opportunityBehind(
  { local, chain }: Pick<Desk, "local" | "chain">,
  { pool, amountIn }: Victim,
  profitToken = local.network.wrappedNative,
): Promise<Opportunity> {
  const snapshot = await local.rpc<string>("evm_snapshot");
  const weth = local.network.wrappedNative;
  await movePrice(local, pool, weth, amountIn);
  const pools = local.pools.filter((p) => [p.token0, p.token1].every((t) => [pool.token0, pool.token1].includes(t)));
  const found = await scanBlock(chain.provider, local.network, pools, { profitTokens: [profitToken], lifetimeSeconds: 3_600 });
  await local.rpc("evm_revert", [snapshot]);
  const best = found.find(({ opportunity }) => opportunity.hops.some((hop) => hop.pool === pool.address));
  if (best === undefined) throw new Error("the swap opens no gap");
  // time goes on while tests prepare
  return { ...best.opportunity, deadline: null };
}
