import { expect } from "chai";
import { v2AfterSwap, v2ExactIn, v2ExactOut } from "../../src/venues/constant-product.js";
import { quoteExactIn } from "../../src/venues/swap.js";
import { uniswapV2 } from "../../src/venues/uniswap-v2.js";
import type { V2Pool } from "../../src/venues/venue.js";
import {
  type AnyContract,
  type Chain,
  UNISWAP_V2,
  type V2World,
  artifact,
  at,
  createV2Pair,
  deployToken,
  deployV2,
  startChain,
} from "../helpers/chain.js";
import { SEED, random, randomAmount } from "../helpers/random.js";

describe(`V2 quotes against the real pair and router (seed ${SEED})`, () => {
  let chain: Chain;
  let world: V2World;
  const cases: { pool: V2Pool; pair: AnyContract; tokens: Record<string, AnyContract> }[] = [];

  before(async () => {
    chain = await startChain();
    world = await deployV2(chain);
    const reserves: [bigint, bigint][] = [
      [500n * 10n ** 18n, 1_000_000n * 10n ** 6n],
      [12_345n, 10n ** 24n],
      [(1n << 112n) - 10n ** 20n, 10n ** 27n],
    ];
    for (const amounts of reserves) {
      const both = [await deployToken(chain), await deployToken(chain)] as [AnyContract, AnyContract];
      const id = await createV2Pair(chain, world, both, amounts);
      const pool = (await uniswapV2.load(chain.provider, id, "latest")) as V2Pool;
      const tokens = Object.fromEntries(both.map((token) => [token.target as string, token]));
      cases.push({ pool, pair: at(chain, id.address, artifact(`${UNISWAP_V2}/UniswapV2Pair`)), tokens });
    }
  });

  it("agrees with the router in both directions", async () => {
    const next = random();
    let compared = 0;
    for (const { pool } of cases) {
      for (let i = 0; i < 120; i++) {
        const zeroForOne = next() < 0.5;
        const [tokenIn, tokenOut] = zeroForOne ? [pool.token0, pool.token1] : [pool.token1, pool.token0];
        const [reserveIn, reserveOut] = zeroForOne ? [pool.reserve0, pool.reserve1] : [pool.reserve1, pool.reserve0];
        const amountIn = randomAmount(next, 1n, reserveIn * 3n);
        const amountOut = randomAmount(next, 1n, reserveOut - 1n);
        const sold = v2ExactIn(pool, zeroForOne, amountIn);
        const bought = v2ExactOut(pool, zeroForOne, amountOut);
        if (sold.ok) {
          expect(sold.amountOut).to.equal((await world.router["getAmountsOut"](amountIn, [tokenIn, tokenOut]))[1]);
          compared++;
        }
        if (bought.ok) {
          expect(bought.amountIn).to.equal((await world.router["getAmountsIn"](amountOut, [tokenIn, tokenOut]))[0]);
          compared++;
        }
      }
    }
    expect(compared).to.be.greaterThan(500);
  });

  it("gives what the pair accepts, and one unit more makes it revert", async () => {
    const next = random(SEED + 1);
    for (const { pool, pair, tokens } of cases) {
      let current = pool;
      for (let i = 0; i < 8; i++) {
        const zeroForOne = i % 2 === 0;
        const reserveIn = zeroForOne ? current.reserve0 : current.reserve1;
        const swap = v2ExactIn(current, zeroForOne, randomAmount(next, reserveIn / 1000n + 10n, reserveIn / 2n + 10n));
        if (!swap.ok) continue;
        const tokenIn = tokens[zeroForOne ? pool.token0 : pool.token1]!;
        await (await tokenIn["transfer"](pool.address, swap.amountIn)).wait();
        const outs = (amount: bigint): [bigint, bigint] => (zeroForOne ? [0n, amount] : [amount, 0n]);
        const tooMuch = await pair["swap"].staticCall(...outs(swap.amountOut + 1n), chain.me, "0x").then(
          () => "accepted",
          (error: Error) => error.message,
        );
        expect(tooMuch).to.match(/UniswapV2: (K|INSUFFICIENT_LIQUIDITY)/);
        await (await pair["swap"](...outs(swap.amountOut), chain.me, "0x")).wait();
        current = v2AfterSwap(current, swap);
        expect(current).to.deep.equal(await uniswapV2.load(chain.provider, pool, "latest"));
      }
    }
  });

  it("refuses what the pair cannot hold, an output of nothing, and an empty pair", () => {
    const { pool } = cases[2]!;
    const full = pool.reserve0 > pool.reserve1;
    expect(v2ExactIn(pool, full, 10n ** 21n))
      .to.deep.include({ ok: false })
      .and.have.property("detail")
      .that.includes("112 bits");
    expect(v2ExactIn(cases[2]!.pool, full, 1n))
      .to.have.property("detail")
      .that.includes("rounds to zero");
    expect(v2ExactIn({ ...pool, reserve0: 0n }, true, 1n))
      .to.have.property("detail")
      .that.includes("empty");
    expect(v2ExactOut(pool, full, pool.reserve1 + pool.reserve0)).to.have.property("ok", false);
    expect(() => quoteExactIn(pool, pool.address, 1n)).to.throw(RangeError, "does not trade");
  });
});
