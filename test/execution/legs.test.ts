import { expect } from "chai";
import type { Provider } from "ethers";
import { type Chain, connectChain } from "../../src/chain/connect.js";
import { quoteAll, routerVenue } from "../../src/execution/legs.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import { findPool, movePrice, shareOf } from "../../src/sim/trader.js";

const ETHER = 10n ** 18n;

describe("legs: quotes of every pool of two tokens at the newest block", () => {
  let local: LocalChain;
  let chain: Chain;
  let reads = 0;
  let provider: Provider;

  before(async () => {
    local = await startLocalChain(1);
    chain = await connectChain(local.network, [local.url], { local: true });
    provider = new Proxy(chain.provider, {
      get(of, name) {
        if (name === "call") reads++;
        const value = Reflect.get(of, name) as unknown;
        return typeof value === "function" ? (value.bind(of) as unknown) : value;
      },
    });
  });
  after(async () => {
    chain.close();
    await local.close();
  });

  const token = (symbol: string) => tokenOf(local.network, symbol).address;
  const quotes = async (amountIn: bigint) => {
    const venue = routerVenue(local.network, provider, local.trader);
    return await quoteAll(provider, local.network, venue, { tokenIn: token("WETH"), tokenOut: token("USDC"), amountIn });
  };
  /** Every pool's output of one ether, by its address. */
  const outputs = async () => new Map((await quotes(ETHER)).map((q) => [q.hop.pool, q.amountOut]));
  const move = async () => {
    const pool = findPool(local, "uniswap-v2", "WETH", "USDC", 3000)!;
    await movePrice(local, pool, token("WETH"), await shareOf(local, pool, token("WETH"), 50_000));
    return pool.address;
  };

  it("reads each pool once for all who ask at one block, and anew at the next", async () => {
    const [first] = await Promise.all([outputs(), quotes(2n * ETHER), quotes(3n * ETHER)]);
    expect(first.size).to.be.greaterThan(1);
    const once = reads;
    expect(await outputs()).to.deep.equal(first);
    expect(reads, "nothing was read again").to.equal(once);
    const moved = await move();
    const second = await outputs();
    expect(reads).to.be.greaterThan(once);
    expect(second.get(moved)! < first.get(moved)!).to.equal(true);
  });

  it("takes nothing of a block that was replaced by another of its number", async () => {
    const snapshot = await local.rpc<string>("evm_snapshot");
    const pool = await move();
    const before = await outputs();
    await local.rpc("evm_revert", [snapshot]);
    await local.rpc("evm_mine");
    const after = await outputs();
    expect(after.get(pool)! > before.get(pool)!).to.equal(true);
  });

  it("quotes a pool as a swap of ours will leave it, to the unit, and the others as they are", async () => {
    const venue = routerVenue(local.network, provider, local.trader);
    const [weth, usdc] = [token("WETH"), token("USDC")];
    for (const kind of ["uniswap-v2", "uniswap-v3"] as const) {
      const pool = findPool(local, kind, "WETH", "USDC", 3000)!;
      const amountIn = await shareOf(local, pool, usdc, 10_000);
      const hop = { venue: kind, pool: pool.address, tokenIn: usdc, tokenOut: weth, feePips: 3000 };
      const order = { tokenIn: weth, tokenOut: usdc, amountIn: ETHER };
      const all = async (more = {}) => {
        const found = await quoteAll(provider, local.network, venue, { ...order, ...more });
        return new Map(found.map((q) => [q.hop.pool, q.amountOut]));
      };
      const [before, told] = [await all(), await all({ after: { hop, amountIn } })];
      await movePrice(local, pool, usdc, amountIn);
      const then = await all();
      expect(told, kind).to.deep.equal(then);
      expect(told.get(pool.address)! > before.get(pool.address)!, "it pays more for what it has less of").to.equal(true);
    }
  });

  it("what was bought is sold in the same pool for what it cost, less both fees", async () => {
    const venue = routerVenue(local.network, provider, local.trader);
    const [weth, usdc] = [token("WETH"), token("USDC")];
    const pool = findPool(local, "uniswap-v2", "WETH", "USDC", 3000)!;
    const hop = { venue: "uniswap-v2", pool: pool.address, tokenIn: usdc, tokenOut: weth, feePips: 3000 } as const;
    const amountIn = await shareOf(local, pool, usdc, 100_000);
    const amountOf = async (tokenIn: string, tokenOut: string, amount: bigint, more = {}) => {
      const quoted = await quoteAll(provider, local.network, venue, { tokenIn, tokenOut, amountIn: amount, ...more });
      return quoted.find((q) => q.hop.pool === pool.address)!.amountOut;
    };
    const bought = await amountOf(usdc, weth, amountIn);
    const back = await amountOf(weth, usdc, bought, { after: { hop, amountIn } });
    expect(back < amountIn && back > (amountIn * 994n) / 1_000n - 1n, `${back} of ${amountIn}`).to.equal(true);
    // without our own purchase the price impact would be lost twice
    expect((await amountOf(weth, usdc, bought)) < (amountIn * 9n) / 10n).to.equal(true);
  });
});
