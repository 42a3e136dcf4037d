import { type BlockTag, Interface, type Provider, ZeroAddress } from "ethers";
import { ArbError } from "../errors.js";
import { readAll } from "./multicall.js";
import { sampled } from "./quoted-pool.js";
import { sameAddress } from "./swap.js";
import { identity } from "./v2-pair.js";
import type { LoadOptions, PoolId, QuotedPool, Venue } from "./venue.js";

const vault = new Interface([
  "function getPoolTokens(bytes32) view returns (address[] tokens, uint256[] balances, uint256 lastChangeBlock)",
  "function queryBatchSwap(uint8 kind, (bytes32 poolId, uint256 assetInIndex, uint256 assetOutIndex, uint256 amount, bytes userData)[] swaps, address[] assets, (address sender, bool fromInternalBalance, address recipient, bool toInternalBalance) funds) returns (int256[])",
]);
/** SwapKind.GIVEN_IN of the Vault. */
const GIVEN_IN = 0;
const NOBODY = [ZeroAddress, false, ZeroAddress, false];

/**
 * Balancer V2: any pool of its Vault between two of its tokens, by the pool's 32-byte id
 * (https://docs-v2.balancer.fi/reference/contracts/). Quoted by the Vault's `queryBatchSwap`, which runs the pool's own code. The Vault
 * takes any contract as a pool, so pools stand on the allow-list.
 */
export const balancerV2: Venue = {
  id: "balancer-v2",
  kind: "quoted",
  isOn: (network) => network.lenders["balancer-v2"] !== undefined,
  poolAddress: () => null,
  host: (network) => network.lenders["balancer-v2"]?.address ?? null,
  load: loadBalancer,
  quote: {
    read: (pool, tokenIn, amountIn) => {
      const tokenOut = sameAddress(tokenIn, pool.token0) ? pool.token1 : pool.token0;
      const swaps = [[pool.address, 0, 1, amountIn, "0x"]];
      const data = vault.encodeFunctionData("queryBatchSwap", [GIVEN_IN, swaps, [tokenIn, tokenOut], NOBODY]);
      return { target: pool.host!, data, what: "queryBatchSwap" };
    },
    // what the Vault pays is negative
    answer: (data) => -(vault.decodeFunctionResult("queryBatchSwap", data)[0] as bigint[])[1]!,
  },
};

async function loadBalancer(provider: Provider, pool: PoolId, block: BlockTag, options: LoadOptions = {}): Promise<QuotedPool> {
  const { host, address } = pool;
  if (host === undefined) throw new ArbError("usage", "a Balancer V2 pool is read by its Vault", { where: address });
  const read = {
    target: host,
    data: vault.encodeFunctionData("getPoolTokens", [address]),
    what: "getPoolTokens",
    mayRevert: true,
  };
  const [data] = await readAll(provider, [read], block, options.timeoutMs);
  if (data === "0x") throw new ArbError("refused", `Balancer's Vault has no pool ${address}`, { where: address });
  const [tokens, balances] = vault.decodeFunctionResult("getPoolTokens", data!) as unknown as [string[], bigint[]];
  const held = [pool.token0, pool.token1].map((token) => balances[tokens.findIndex((t) => sameAddress(t, token))]);
  const missing = held.findIndex((balance) => balance === undefined);
  if (missing >= 0) {
    const token = missing === 0 ? pool.token0 : pool.token1;
    throw new ArbError("refused", `the Balancer pool ${address} does not trade ${token}`, { where: address });
  }
  const step = { kind: "balancer-v2", vault: host, poolId: address, maxIn: null, measure: false } as const;
  const empty = { ...identity(pool), host, steps: [step, step] as QuotedPool["steps"] };
  return await sampled(provider, balancerV2, empty, held as [bigint, bigint], block, options.timeoutMs);
}
