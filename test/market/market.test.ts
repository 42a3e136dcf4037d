import { expect } from "chai";
import { networkById } from "../../src/config/networks.js";
import type { Network } from "../../src/config/network.js";
import { ArbError } from "../../src/errors.js";
import { loadSnapshot, poolsOf, quoteAtBlock } from "../../src/market/market.js";
import { findCycles, scanBlock, watchBlocks } from "../../src/market/watcher.js";
import { flashSwap } from "../../src/funding/flash-swap.js";
import type { Opportunity } from "../../src/opportunity/opportunity.js";
import { quoteOpportunity } from "../../src/opportunity/quoter.js";
import { squareRoot } from "../../src/venues/tick-math.js";
import { readAll, withDeadline } from "../../src/venues/multicall.js";
import type { PoolId, V3Pool } from "../../src/venues/venue.js";
import {
  type AnyContract,
  type Chain,
  createV2Pair,
  createV3Pool,
  deployToken,
  deployV2,
  deployV3,
  placeMulticall3,
  startChain,
} from "../helpers/chain.js";

const E18 = 10n ** 18n;

describe("market", () => {
  let chain: Chain;
  let network: Network;
  let weth: AnyContract;
  let pair: PoolId;
  let other: PoolId;
  let narrow: PoolId;
  let dollar: AnyContract;

  before(async () => {
    chain = await startChain();
    network = { ...networkById(1)!, lenders: {} };
    const [v2, rival, v3] = [await deployV2(chain), await deployV2(chain), await deployV3(chain)];
    weth = await deployToken(chain);
    dollar = await deployToken(chain);
    pair = await createV2Pair(chain, v2, [weth, dollar], [500n * E18, 1_000_000n * E18]);
    other = await createV2Pair(chain, rival, [weth, dollar], [500n * E18, 1_030_000n * E18], "sushiswap-v2");
    for (const token of [weth, dollar]) await (await token["approve"](v3.positions.target, 2n ** 256n - 1n)).wait();
    const down = BigInt(weth.target as string) < BigInt(dollar.target as string);
    // ranges that spread over many bitmap words of spacing 1, so that a large quote must read on
    const price = squareRoot(down ? 2200n << 192n : (1n << 192n) / 2200n);
    const centre = down ? 76_962 : -76_963;
    const ranges = Array.from({ length: 8 }, (_, i): [number, number, bigint] => [
      centre - 100 - i * 400,
      centre + 100 + i * 400,
      10n ** 19n,
    ]);
    narrow = await createV3Pool(chain, v3, [weth.target as string, dollar.target as string], 100, price, ranges);
  });

  const cycle = (first: PoolId, second: PoolId): Opportunity => {
    const [w, d] = [weth.target as string, dollar.target as string];
    const hop = (pool: PoolId, tokenIn: string, tokenOut: string) => ({
      venue: pool.venue,
      pool: pool.address,
      tokenIn,
      tokenOut,
      feePips: pool.feePips,
    });
    const rest = { amountIn: null, funding: null, amounts: null, deadline: null, after: null, source: null } as const;
    return { version: "opportunity.v1", id: "m", chainId: 1, hops: [hop(first, w, d), hop(second, d, w)], ...rest };
  };

  it("reads the same with and without Multicall3, at the block that was asked for", async () => {
    const single = await loadSnapshot(chain.provider, [pair, narrow]);
    await placeMulticall3(chain);
    const batched = await loadSnapshot(chain.provider, [pair, narrow], single.blockNumber);
    expect(batched).to.deep.equal(single);
    expect(single.blockHash).to.equal((await chain.provider.getBlock(single.blockNumber))!.hash);

    await (await weth["transfer"](chain.me, 1)).wait();
    await chain.request("hardhat_mine", ["0x3"]);
    const later = await loadSnapshot(chain.provider, [pair], single.blockNumber);
    expect(later.blockNumber).to.equal(single.blockNumber);
  });

  it("reads as few words as it is told", async () => {
    const few = (await loadSnapshot(chain.provider, [narrow], "latest", () => ({ tickWords: 0 }))).pools[0] as V3Pool;
    expect(few.tickRange[1] - few.tickRange[0]).to.equal(255);
    const many = (await loadSnapshot(chain.provider, [narrow], "latest", () => ({ tickWords: 20 }))).pools[0] as V3Pool;
    expect(many.ticks.length).to.be.greaterThan(few.ticks.length);
    expect(many.ticks.length).to.equal(16);
  });

  it("reads on where a quote leaves the known ticks, to the same answer as reading all at once", async () => {
    const opportunity = cycle(narrow, pair);
    const options = { executor: chain.me };
    const small = await quoteAtBlock(chain.provider, network, opportunity, { ...options, tickWords: 0 });
    const all = await quoteAtBlock(chain.provider, network, opportunity, { ...options, tickWords: 60 });
    if (!small.result.ok || !all.result.ok) throw new Error("no quote");
    expect(small.result.value.amountIn).to.equal(all.result.value.amountIn);
    expect(small.result.value.profit).to.equal(all.result.value.profit);
    const start = await loadSnapshot(chain.provider, poolsOf(opportunity), "latest", () => ({ tickWords: 0 }));
    const stuck = quoteOpportunity(opportunity, start, small.offers);
    expect(stuck.ok && stuck.value.profit < all.result.value.profit).to.equal(true);
  });

  it("rejects a pool that does not exist", async () => {
    const ghost = { ...pair, address: "0x000000000000000000000000000000000000dEaD" };
    const { result } = await quoteAtBlock(chain.provider, network, cycle(ghost, other), { executor: chain.me });
    expect(result.ok ? null : result.rejection).to.deep.include({ reason: "unknown-pool", where: "hops[0].pool" });
  });

  it("fails with what could not be read, and in time", async () => {
    const bad = { target: pair.address, data: "0xdeadbeef", what: "nonsense" };
    for (const reads of [[bad], [bad, bad]]) {
      const error = await readAll(chain.provider, reads, "latest").catch((e: unknown) => e);
      expect(error).to.be.instanceOf(ArbError).and.include({ code: "network", where: pair.address });
      expect((error as ArbError).message).to.include("nonsense");
    }
    const never = new Promise<never>(() => {});
    const late = await withDeadline(never, 5, "a node").catch((e: unknown) => e);
    expect(late).to.be.instanceOf(ArbError).and.have.property("code", "timeout");
    const future = await loadSnapshot(chain.provider, [pair], 10_000_000).catch((e: unknown) => e);
    expect(future).to.be.instanceOf(ArbError).and.have.property("code", "network");
  });

  it("finds the best cycle of each pair, with a deadline, and the exact profit", async () => {
    const options = { profitTokens: [weth.target as string], lifetimeSeconds: 24, tickWords: 20 };
    const found = await scanBlock(chain.provider, network, [pair, other, narrow], options);
    expect(found).to.have.length(1);
    const { opportunity, quote } = found[0]!;
    const block = (await chain.provider.getBlock(quote.blockNumber))!;
    expect(opportunity.deadline).to.equal(block.timestamp + 24);
    expect(quote.profit > E18 / 100n).to.equal(true);
    const snapshot = await loadSnapshot(chain.provider, [pair, other, narrow], quote.blockNumber, () => ({ tickWords: 20 }));
    const flash = (await flashSwap.offer(chain.provider, network, chain.me, weth.target as string, quote.blockNumber))!;
    let profitable = 0;
    for (const first of [pair, other, narrow]) {
      for (const second of [pair, other, narrow]) {
        if (first === second) continue;
        const rival = quoteOpportunity(cycle(first, second), snapshot, [flash]);
        if (!rival.ok) continue;
        profitable++;
        const same = [first.address, second.address].join() === opportunity.hops.map((hop) => hop.pool).join();
        expect(same ? rival.value.profit === quote.profit : rival.value.profit < quote.profit).to.equal(true);
      }
    }
    expect(profitable).to.equal(3);
    expect(findCycles(network, { ...snapshot, pools: snapshot.pools.slice(0, 1) }, flash, options)).to.deep.equal([]);
  });

  it("scans each new block until it is told to stop", async () => {
    const stop = new AbortController();
    const options = { profitTokens: [weth.target as string], lifetimeSeconds: 24, tickWords: 20, pollMs: 1, signal: stop.signal };
    const blocks: number[] = [];
    for await (const { quote } of watchBlocks(chain.provider, network, [pair, other], options)) {
      blocks.push(quote.blockNumber);
      if (blocks.length === 3) stop.abort();
      else await chain.request("hardhat_mine", ["0x1"]);
    }
    expect(blocks).to.deep.equal([blocks[0]!, blocks[0]! + 1, blocks[0]! + 2]);
  });
});
