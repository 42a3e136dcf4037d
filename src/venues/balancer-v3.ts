import { type BlockTag, Interface, type Provider, ZeroAddress } from "ethers";
import { ArbError } from "../errors.js";
import { readAll } from "./multicall.js";
import { sampled } from "./quoted-pool.js";
import { sameAddress } from "./swap.js";
import { identity } from "./v2-pair.js";
import type { LoadOptions, PoolId, QuotedPool, Venue } from "./venue.js";

const vault = new Interface([
  "function getPoolTokenInfo(address pool) view returns (address[] tokens, (uint8 tokenType, address rateProvider, bool paysYieldFees)[] tokenInfo, uint256[] balancesRaw, uint256[] lastBalancesLiveScaled18)",
]);
const router = new Interface([
  "function querySwapSingleTokenExactIn(address pool, address tokenIn, address tokenOut, uint256 exactAmountIn, address sender, bytes userData) returns (uint256 amountOut)",
]);
/** The Router multiplies and scales amounts; a larger input than this is none. */
const MOST = (1n << 128n) - 1n;

/**
 * Balancer V3: any pool of its Vault between two of its tokens, by the pool's address (https://docs.balancer.fi). Quoted by the Router's
 * query, which runs the swap with the pool's own hooks and rates in a call and takes it back; the Vault allows that only to calls
 * without a sender, as reads are. The Vault takes any contract as a pool, so pools stand on the allow-list. Tokens of ERC-4626 vaults
 * in its buffers are traded as themselves.
 */
export const balancerV3: Venue = {
  id: "balancer-v3",
  kind: "quoted",
  isOn: (network) => network.lenders["balancer-v3"] !== undefined && network.quoters["balancer-v3"] !== undefined,
  poolAddress: () => null,
  host: (network) => network.lenders["balancer-v3"]?.address ?? null,
  quoter: (network) => network.quoters["balancer-v3"]?.address ?? null,
  load: loadBalancer,
  quote: {
    read: (pool, tokenIn, amountIn) => {
      const tokenOut = sameAddress(tokenIn, pool.token0) ? pool.token1 : pool.token0;
      const amount = amountIn > MOST ? MOST : amountIn;
      const args = [pool.address, tokenIn, tokenOut, amount, ZeroAddress, "0x"];
      const data = router.encodeFunctionData("querySwapSingleTokenExactIn", args);
      return { target: pool.quoter!, data, what: "querySwapSingleTokenExactIn", asNobody: true };
    },
    answer: (data) => BigInt(data),
  },
};

async function loadBalancer(provider: Provider, pool: PoolId, block: BlockTag, options: LoadOptions = {}): Promise<QuotedPool> {
  const { host, quoter, address } = pool;
  if (host === undefined || quoter === undefined) {
    throw new ArbError("usage", "a Balancer V3 pool is read by its Vault and its Router", { where: address });
  }
  const data = vault.encodeFunctionData("getPoolTokenInfo", [address]);
  const read = { target: host, data, what: "getPoolTokenInfo", mayRevert: true };
  const [answer] = await readAll(provider, [read], block, options.timeoutMs);
  if (answer === "0x") throw new ArbError("refused", `Balancer's V3 Vault has no pool ${address}`, { where: address });
  const info = vault.decodeFunctionResult("getPoolTokenInfo", answer!);
  const [tokens, balances] = [info["tokens"] as string[], info["balancesRaw"] as bigint[]];
  const held = [pool.token0, pool.token1].map((token) => balances[tokens.findIndex((t) => sameAddress(t, token))]);
  const missing = held.findIndex((balance) => balance === undefined);
  if (missing >= 0) {
    const token = missing === 0 ? pool.token0 : pool.token1;
    throw new ArbError("refused", `the Balancer pool ${address} does not trade ${token}`, { where: address });
  }
  const step = { kind: "balancer-v3-swap", vault: host, pool: address, maxIn: null, direct: false, measure: false } as const;
  const empty = { ...identity(pool), host, quoter, steps: [step, step] as QuotedPool["steps"] };
  return await sampled(provider, balancerV3, empty, held as [bigint, bigint], block, options.timeoutMs, 2);
}
