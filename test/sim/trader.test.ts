import { expect } from "chai";
import { JsonRpcProvider } from "ethers";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import { demoMoves, findPool, movePrice, rival, shareOf, submitMove } from "../../src/sim/trader.js";
import { VENUES } from "../../src/venues/index.js";
import { quoteExactIn } from "../../src/venues/swap.js";
import type { Pool, PoolId, V3Pool } from "../../src/venues/venue.js";

describe("trader of a local chain", () => {
  let chain: LocalChain;
  let provider: JsonRpcProvider;
  let snapshot: string;
  before(async () => {
    chain = await startLocalChain(8453);
    provider = new JsonRpcProvider(chain.url, undefined, { staticNetwork: true });
    snapshot = await chain.rpc<string>("evm_snapshot");
  });
  afterEach(async () => {
    await chain.rpc("evm_revert", [snapshot]);
    snapshot = await chain.rpc<string>("evm_snapshot");
  });
  after(async () => {
    provider.destroy();
    await chain.close();
  });

  const token = (symbol: string) => tokenOf(chain.network, symbol).address;
  const load = (id: PoolId) => VENUES[id.venue].load(provider, id, "latest");
  const price0 = (p: Pool) =>
    p.kind === "v2" ? Number(p.reserve1) / Number(p.reserve0) : (Number((p as V3Pool).sqrtPriceX96) / 2 ** 96) ** 2;

  /** What 1,000 USDC become in USDC along a path of pools; null where a pool cannot take them. */
  function cycle(pools: Pool[]): bigint | null {
    let [at, amount] = [token("USDC"), 1_000_000_000n];
    for (const pool of pools) {
      if (at !== pool.token0 && at !== pool.token1) return null;
      const swap = quoteExactIn(pool, at, amount);
      if (!("amountOut" in swap)) return null;
      [at, amount] = [at === pool.token0 ? pool.token1 : pool.token0, swap.amountOut];
    }
    return at === token("USDC") ? amount : null;
  }

  /** Best result over all cycles of exactly `hops` different pools. */
  function bestCycle(pools: Pool[], hops: number): bigint {
    const paths = (length: number): Pool[][] =>
      length === 0 ? [[]] : paths(length - 1).flatMap((path) => pools.filter((p) => !path.includes(p)).map((p) => [...path, p]));
    return paths(hops).reduce((best, path) => {
      const out = cycle(path) ?? 0n;
      return out > best ? out : best;
    }, 0n);
  }

  it("moves every seeded pool's price in the direction of the trade, for what our own state foretells", async () => {
    for (const id of chain.pools) {
      const before = await load(id);
      const amountIn = await shareOf(chain, id, id.token0, 1_000);
      const foretold = quoteExactIn(before, id.token0, amountIn);
      const moved = await movePrice(chain, id, id.token0, amountIn);
      expect(foretold).to.have.property("amountOut", moved.amountOut);
      expect(price0(await load(id)), `${id.venue} ${id.address}`).to.be.lessThan(price0(before));
    }
  });

  it("finds no profit in fresh pools, and opens profitable cycles of 2, 3 and 4 hops by its script", async () => {
    const fresh = await Promise.all(chain.pools.map(load));
    for (const hops of [2, 3, 4]) expect(bestCycle(fresh, hops) < 1_000_000_000n, `${hops} hops before`).to.equal(true);
    for (const { pool, tokenIn, amountIn } of await demoMoves(chain)) await movePrice(chain, pool, tokenIn, amountIn);
    const moved = await Promise.all(chain.pools.map(load));
    for (const hops of [2, 3, 4]) expect(bestCycle(moved, hops) > 1_000_000_000n, `${hops} hops after`).to.equal(true);
  });

  it("crosses ticks with the moves of its script", async () => {
    const id = findPool(chain, "uniswap-v3", "WETH", "USDC", 500)!;
    const before = (await load(id)) as Pool & { kind: "v3" };
    const move = (await demoMoves(chain)).find((m) => m.pool === id)!;
    await movePrice(chain, id, move.tokenIn, move.amountIn);
    const after = (await load(id)) as Pool & { kind: "v3" };
    expect(after.liquidity).to.not.equal(before.liquidity);
  });

  it("rivals with a dust swap that hardly changes a quote, or an adverse one that costs percents", async () => {
    const id = findPool(chain, "uniswap-v2", "WETH", "USDC", 3000)!;
    const quote = async () =>
      Number((quoteExactIn(await load(id), token("WETH"), 10n ** 18n) as { amountOut: bigint }).amountOut);
    const [first] = [await quote()];
    await rival(chain, "dust", id, token("WETH"));
    const dusted = await quote();
    await rival(chain, "adverse", id, token("WETH"));
    const adverse = await quote();
    expect(dusted / first).to.be.within(1 - 1e-5, 1 - 1e-9);
    expect(adverse / first).to.be.within(0.85, 0.95);
  });

  it("only submits where the chain waits for blocks, ordered by tip", async () => {
    const id = findPool(chain, "uniswap-v2", "WETH", "USDC", 3000)!;
    await chain.setMining({ auto: false });
    const hash = await submitMove(chain, { pool: id, tokenIn: token("WETH"), amountIn: 10n ** 18n }, 5n);
    expect(await chain.rpc("eth_getTransactionReceipt", [hash])).to.equal(null);
    await chain.rpc("evm_mine");
    expect(await chain.rpc("eth_getTransactionReceipt", [hash])).to.have.property("status", "0x1");
    await chain.setMining({ auto: true });
  });

  it("refuses a token that the pool does not hold, and a venue that the network lacks", async () => {
    const id = findPool(chain, "uniswap-v2", "WETH", "USDC", 3000)!;
    const refused = async (pool: PoolId, tokenIn: string) =>
      await movePrice(chain, pool, tokenIn, 1n).then(
        () => null,
        (e: unknown) => e,
      );
    expect(await refused(id, token("DAI"))).to.have.property("code", "usage");
    expect(await refused({ ...id, venue: "v2-fork" }, token("WETH"))).to.have.property("code", "usage");
  });
});
