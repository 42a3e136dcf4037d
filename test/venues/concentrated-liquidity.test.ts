import { expect } from "chai";
import { IQuoterV2__factory } from "../../types/contracts/index.js";
import { type V3Swap, v3AfterSwap, v3ExactIn, v3ExactOut, v3Piece } from "../../src/venues/concentrated-liquidity.js";
import { sqrtRatioAtTick, squareRoot } from "../../src/venues/tick-math.js";
import type { NoLiquidity } from "../../src/venues/swap.js";
import { uniswapV3 } from "../../src/venues/uniswap-v3.js";
import type { V3Pool } from "../../src/venues/venue.js";
import { type Chain, type V3World, createV3Pool, deployToken, deployV3, placeMulticall3, startChain } from "../helpers/chain.js";
import { SEED, random, randomAmount } from "../helpers/random.js";

const quoterV2 = IQuoterV2__factory.createInterface();
const E18 = 10n ** 18n;
const Q96 = 1n << 96n;

interface OnChain {
  amount: bigint;
  sqrtPriceAfter: bigint;
}

describe(`V3 quotes against QuoterV2 (seed ${SEED})`, () => {
  let chain: Chain;
  let world: V3World;
  const pools: { name: string; pool: V3Pool }[] = [];

  before(async () => {
    chain = await startChain();
    await placeMulticall3(chain);
    world = await deployV3(chain);
    // several ranges, overlapping and with gaps in which there is no liquidity at all
    const shapes: [name: string, fee: number, price: bigint, positions: [number, number, bigint][]][] = [
      [
        "fee 100, spacing 1, around the price",
        100,
        Q96 + 12_345n,
        [
          [-700, 900, E18],
          [-40, 60, E18],
          [3, 4, E18],
          [-2, 5, 7n * E18],
        ],
      ],
      [
        "fee 500, gaps on both sides",
        500,
        (Q96 * 105n) / 100n,
        [
          [500, 1500, E18],
          [2000, 2010, E18 / 50n],
          [9000, 12000, E18],
          [-4000, -3000, 3n * E18],
        ],
      ],
      [
        "fee 3000, wide and narrow",
        3000,
        squareRoot(2500n << 192n),
        [
          [-887220, 887220, 10n ** 22n],
          [75000, 81000, 10n ** 21n],
          [78180, 78300, 10n ** 21n],
        ],
      ],
      [
        "fee 10000, price exactly on a tick",
        10000,
        sqrtRatioAtTick(400),
        [
          [-2000, 2000, E18],
          [400, 600, E18],
          [0, 400, E18],
          [-60000, 60000, E18],
        ],
      ],
      [
        "fee 500, tiny liquidity",
        500,
        Q96,
        [
          [-887270, 887270, 5000n],
          [-10, 10, 900n],
        ],
      ],
      [
        "fee 3000, liquidity above 2^96",
        3000,
        Q96 * 3n,
        [
          [-6000, 60000, 10n ** 33n],
          [21960, 22020, 10n ** 30n],
        ],
      ],
    ];
    for (const [name, fee, price, positions] of shapes) {
      const tokens = [await deployToken(chain), await deployToken(chain)] as const;
      for (const token of tokens)
        for (const spender of [world.positions, world.router])
          await (await token["approve"](spender.target, 2n ** 256n - 1n)).wait();
      const pair = (await Promise.all(tokens.map((t) => t.getAddress()))) as [string, string];
      const id = await createV3Pool(chain, world, pair, fee, price, positions);
      const pool = await uniswapV3.load(chain.provider, id, "latest", { tickWords: 7000, timeoutMs: 60_000 });
      pools.push({ name, pool: pool as V3Pool });
    }
  });

  const onChain = async (pool: V3Pool, zeroForOne: boolean, amount: bigint, exactIn: boolean): Promise<OnChain | null> => {
    const [tokenIn, tokenOut] = zeroForOne ? [pool.token0, pool.token1] : [pool.token1, pool.token0];
    const base = { tokenIn, tokenOut, fee: pool.feePips, sqrtPriceLimitX96: 0n };
    const name = exactIn ? "quoteExactInputSingle" : "quoteExactOutputSingle";
    const data = exactIn
      ? quoterV2.encodeFunctionData("quoteExactInputSingle", [{ ...base, amountIn: amount }])
      : quoterV2.encodeFunctionData("quoteExactOutputSingle", [{ ...base, amount }]);
    let returned: string;
    try {
      returned = await chain.request("eth_call", [{ to: world.quoter.target, data, gas: "0xe4e1c0" }, "latest"]);
    } catch {
      return null;
    }
    const result = quoterV2.decodeFunctionResult(name as "quoteExactInputSingle", returned);
    return { amount: result[0] as bigint, sqrtPriceAfter: result[1] as bigint };
  };

  /** Largest input that the pool can take: where its curve ends. */
  const reachOf = (pool: V3Pool, zeroForOne: boolean): bigint => {
    let reach = 0n;
    for (let k = 0; ; k++) {
      const entry = v3Piece(pool, zeroForOne, k);
      if (entry === null) return reach;
      reach = entry.exactInput;
    }
  };

  /** Inputs around every segment edge within a few segments, found by quoting exactly to prices of initialised ticks. */
  const edges = (pool: V3Pool, zeroForOne: boolean): bigint[] => {
    const found: bigint[] = [];
    for (let amount = 1n; amount < 2n ** 120n && found.length < 6;) {
      const swap = v3ExactIn(pool, zeroForOne, amount);
      if (!swap.ok) break;
      const wider = (high: bigint): number => {
        const q = v3ExactIn(pool, zeroForOne, high);
        return q.ok ? q.segment : Number.MAX_SAFE_INTEGER;
      };
      let low = amount;
      let high = amount * 2n;
      while (wider(high) === swap.segment && high < 2n ** 120n) high *= 2n;
      while (high - low > 1n) {
        const middle = (low + high) / 2n;
        if (wider(middle) === swap.segment) low = middle;
        else high = middle;
      }
      found.push(high);
      amount = high + 1n;
    }
    return found;
  };

  it("loads every pool as the chain has it", () => {
    expect(pools).to.have.length(6);
    for (const { pool } of pools) {
      expect(pool.ticks.length).to.be.greaterThan(3);
      expect(pool.ticks.reduce((sum, tick) => sum + tick.liquidityNet, 0n)).to.equal(0n);
    }
  });

  for (const exactIn of [true, false]) {
    it(`gives the same amount and price as the chain, ${exactIn ? "exact in" : "exact out"}`, async () => {
      const next = random(SEED + (exactIn ? 0 : 1));
      let compared = 0;
      for (const { name, pool } of pools) {
        for (const zeroForOne of [true, false]) {
          const reach = reachOf(pool, zeroForOne);
          const edge = (input: bigint): bigint => (exactIn ? input : outputOf(v3ExactIn(pool, zeroForOne, input)));
          const most = edge(reach);
          const amounts: bigint[] = [most, most - 1n];
          for (const input of edges(pool, zeroForOne)) {
            for (let d = -2n; d <= 2n; d++) if (edge(input) + d > 0n && edge(input) + d <= most) amounts.push(edge(input) + d);
          }
          while (amounts.length < 90) amounts.push(randomAmount(next, 1n, most));
          for (const amount of amounts) {
            const label = `${name}, ${zeroForOne ? "down" : "up"}, ${amount}`;
            const ours = exactIn ? v3ExactIn(pool, zeroForOne, amount) : v3ExactOut(pool, zeroForOne, amount);
            if (!ours.ok) throw new Error(`refused: ${label}`);
            const theirs = await onChain(pool, zeroForOne, amount, exactIn);
            expect(theirs, label).to.not.equal(null);
            expect(exactIn ? ours.amountOut : ours.amountIn, label).to.equal(theirs!.amount);
            expect(ours.sqrtPriceX96, label).to.equal(theirs!.sqrtPriceAfter);
            compared++;
          }
          const tooMuch = exactIn ? v3ExactIn(pool, zeroForOne, most + 1n) : v3ExactOut(pool, zeroForOne, most + 1n);
          expect(tooMuch).to.deep.include({ ok: false, needsTicks: false });
        }
      }
      expect(compared).to.be.at.least(1050);
    });
  }

  const outputOf = (swap: V3Swap | NoLiquidity): bigint => (swap.ok ? swap.amountOut : 0n);

  it("says that it needs ticks where it does not know them, and agrees with the whole pool where it does", () => {
    const { pool } = pools[1]!;
    const range: [number, number] = [-600, 2005];
    const known = { ...pool, tickRange: range, ticks: pool.ticks.filter((t) => t.index >= range[0] && t.index <= range[1]) };
    const next = random();
    let needed = 0;
    for (let i = 0; i < 400; i++) {
      const zeroForOne = next() < 0.5;
      const amount = randomAmount(next, 1n, 10n ** 20n);
      for (const quote of [v3ExactIn, v3ExactOut]) {
        const whole = quote(pool, zeroForOne, amount);
        const part = quote(known, zeroForOne, amount);
        if (part.ok) expect(part).to.deep.equal(whole);
        else needed += part.needsTicks ? 1 : 0;
      }
    }
    expect(needed).to.be.greaterThan(20);
  });

  it("leaves the price, tick and liquidity that a real swap leaves", async () => {
    const next = random(SEED + 2);
    for (const { pool } of pools) {
      let current = pool;
      for (let i = 0; i < 6; i++) {
        const zeroForOne = i % 2 === 0;
        const atTick = edges(current, zeroForOne)[i % 3];
        const amountIn = i < 3 && atTick !== undefined ? atTick : randomAmount(next, 1000n, reachOf(current, zeroForOne));
        const swap = v3ExactIn(current, zeroForOne, amountIn) as V3Swap;
        const [tokenIn, tokenOut] = zeroForOne ? [pool.token0, pool.token1] : [pool.token1, pool.token0];
        const params = { tokenIn, tokenOut, fee: pool.feePips, recipient: chain.me, amountIn, amountOutMinimum: swap.amountOut };
        await (await world.router["exactInputSingle"]({ ...params, deadline: 10n ** 12n, sqrtPriceLimitX96: 0n })).wait();
        const expected = (await uniswapV3.load(chain.provider, pool, "latest", { tickWords: 0 })) as V3Pool;
        const { sqrtPriceX96, tick, liquidity } = expected;
        current = v3AfterSwap(current, swap);
        expect(current).to.deep.include({ sqrtPriceX96, tick, liquidity });
      }
    }
  });
});
