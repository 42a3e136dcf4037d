import { type BlockTag, Interface, type Provider } from "ethers";
import { ArbError } from "../errors.js";
import type { HopStep } from "../plan/step-types.js";
import { readAll } from "./multicall.js";
import { sampled } from "./quoted-pool.js";
import { sameAddress } from "./swap.js";
import { identity, noPool } from "./v2-pair.js";
import type { LoadOptions, PoolId, QuotedPool, Venue } from "./venue.js";

const vault = new Interface([
  "function asset() view returns (address)",
  "function totalAssets() view returns (uint256)",
  "function totalSupply() view returns (uint256)",
  "function previewDeposit(uint256) view returns (uint256)",
  "function previewRedeem(uint256) view returns (uint256)",
]);

/**
 * Vaults of EIP-4626, between their asset and their share: deposit and redeem, quoted by `previewDeposit` and `previewRedeem`. The
 * pool is the vault, which is also the share; whoever lists the share as a token vouches for it.
 */
export const erc4626: Venue = {
  id: "erc4626",
  kind: "quoted",
  isOn: () => true,
  poolAddress: () => null,
  alsoAt: (_network, tokenA, tokenB) => [tokenA, tokenB],
  load: loadVault,
  quote: {
    read: (pool, tokenIn, amountIn) => {
      const preview = sameAddress(tokenIn, pool.address) ? "previewRedeem" : "previewDeposit";
      return { target: pool.address, data: vault.encodeFunctionData(preview, [amountIn]), what: preview };
    },
    answer: (data) => BigInt(data),
  },
};

async function loadVault(provider: Provider, pool: PoolId, block: BlockTag, options: LoadOptions = {}): Promise<QuotedPool> {
  const { address, token0, token1 } = pool;
  const ask = (what: "asset" | "totalAssets" | "totalSupply") => {
    return { target: address, data: vault.encodeFunctionData(what), what, mayRevert: true };
  };
  const reads = [ask("asset"), ask("totalAssets"), ask("totalSupply")];
  const [asset, assets, shares] = (await readAll(provider, reads, block, options.timeoutMs)) as [string, string, string];
  if ([asset, assets, shares].some((data) => data.length !== 66)) throw noPool(pool);
  const shareIs0 = sameAddress(address, token0);
  if (!sameAddress(`0x${asset.slice(26)}`, shareIs0 ? token1 : token0)) {
    throw new ArbError("refused", `the vault ${address} is not one of ${shareIs0 ? token1 : token0}`, { where: address });
  }
  const redeem: HopStep = { kind: "erc4626-redeem", vault: address, measure: false };
  const deposit: HopStep = { kind: "erc4626-deposit", vault: address, measure: false };
  const empty = { ...identity(pool), steps: (shareIs0 ? [redeem, deposit] : [deposit, redeem]) as QuotedPool["steps"] };
  const held: [bigint, bigint] = shareIs0 ? [BigInt(shares), BigInt(assets)] : [BigInt(assets), BigInt(shares)];
  return await sampled(provider, erc4626, empty, held, block, options.timeoutMs);
}
