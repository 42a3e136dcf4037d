import { expect } from "chai";
import { Contract, ZeroAddress } from "ethers";
import { networkById } from "../../src/config/networks.js";
import { v3ExactIn, v3ExactOut } from "../../src/venues/concentrated-liquidity.js";
import { sortTokens } from "../../src/venues/v2-pair.js";
import { uniswapV4, v4PoolId } from "../../src/venues/uniswap-v4.js";
import type { PoolId, V4Pool } from "../../src/venues/venue.js";
import { createWorld, ETHER, type World } from "../helpers/pools.js";
import { SEED, random, randomAmount } from "../helpers/random.js";
import { rejection } from "../helpers/rejection.js";
import { addV4, keyOf, POOL_MANAGER, type V4Pool as TestPool, type V4World } from "../helpers/v4-world.js";

const ethereum = networkById(1)!;

describe(`Uniswap V4 quotes against the published PoolManager (seed ${SEED})`, () => {
  let world: World;
  let v4: V4World;
  let weth: string;
  let token: string;
  const pools: { name: string; made: TestPool; pool: V4Pool }[] = [];

  /** What identifies a pool in the driver, where WETH stands for ETH. */
  function idOf({ currency0, currency1, fee, tickSpacing }: TestPool): PoolId {
    const [token0, token1] = sortTokens(
      ...([currency0, currency1].map((c) => (c === ZeroAddress ? weth : c)) as [string, string]),
    );
    const address = v4PoolId(currency0, currency1, fee, tickSpacing);
    return { venue: "uniswap-v4", address, token0, token1, feePips: fee, tickSpacing, host: POOL_MANAGER };
  }
  const load = async (made: TestPool) =>
    (await uniswapV4.load(world.ethers.provider, idOf(made), "latest", { tickWords: 30, timeoutMs: 60_000 })) as V4Pool;

  before(async () => {
    world = await createWorld(false);
    v4 = await addV4(world);
    weth = await world.weth.getAddress();
    const b = await world.token("B");
    await b.mint(v4.trader, 10n ** 30n);
    token = await b.getAddress();
    const shapes: [name: string, native: boolean, key: Partial<TestPool>][] = [
      ["WETH, 0.05 %", false, { fee: 500, tickSpacing: 10 }],
      ["WETH, an unusual fee and spacing", false, { fee: 2_345, tickSpacing: 17 }],
      ["ETH, 0.3 %", true, {}],
    ];
    for (const [name, native, key] of shapes) {
      const made = await v4.pool(native ? null : world.weth, b, [ETHER, 2000n * ETHER], key, 1_000n * ETHER);
      const { tick, tickSpacing } = await load(made);
      const at = (offset: number) => Math.floor((tick + offset) / tickSpacing) * tickSpacing;
      for (const [low, high, liquidity] of [
        [-400, 300, 5_000n],
        [-60, 120, 30_000n],
        [500, 900, 700n],
        [-1500, -1200, 80n],
      ] as const) {
        await v4.trader.add(keyOf(made), at(low), at(high), liquidity * ETHER);
      }
      pools.push({ name, made, pool: await load(made) });
    }
  });

  it("equals the pool's own swap to the wei, both ways, across ticks", async () => {
    const next = random();
    for (const { name, made, pool } of pools) {
      for (let i = 0; i < 30; i++) {
        const zeroForOne = i % 2 === 0;
        const tokenIn = zeroForOne ? made.currency0 : made.currency1;
        const amount = randomAmount(next, 1n, (tokenIn === token ? 2000n : 1n) * 4n * ETHER);
        const quoted = v3ExactIn(pool, zeroForOne, amount);
        if (!quoted.ok) throw new Error(`${name}: ${quoted.detail}`);
        expect(quoted.amountOut, `${name}, ${amount} of ${tokenIn}`).to.equal(await v4.quote(made, tokenIn, amount));
        if (quoted.amountOut === 0n) continue;
        const back = v3ExactOut(pool, zeroForOne, quoted.amountOut);
        expect(
          back.ok && back.amountIn <= amount && (await v4.quote(made, tokenIn, back.amountIn)) === quoted.amountOut,
        ).to.equal(true);
      }
    }
  });

  it("counts the protocol's fee of each direction", async () => {
    const { made, pool } = pools[0]!;
    await world.rolledBack(async () => {
      const abi = [
        "function setProtocolFeeController(address)",
        "function setProtocolFee((address currency0,address currency1,uint24 fee,int24 tickSpacing,address hooks),uint24)",
      ];
      const admin = new Contract(POOL_MANAGER, abi, world.deployer);
      // the code was placed without its constructor: the owner is in the first slot
      await world.networkHelpers.setStorageAt(POOL_MANAGER, 0, BigInt(await world.deployer.getAddress()));
      await admin.getFunction("setProtocolFeeController")(await world.deployer.getAddress());
      await admin.getFunction("setProtocolFee")(keyOf(made), (400 << 12) | 1000);
      const charged = await load(made);
      expect(charged.swapFees).to.deep.equal([1500, 900]);
      for (const zeroForOne of [true, false]) {
        const tokenIn = zeroForOne ? made.currency0 : made.currency1;
        const amount = (tokenIn === token ? 2000n : 1n) * 2n * ETHER + 12_345n;
        const quoted = v3ExactIn(charged, zeroForOne, amount);
        expect(quoted.ok && quoted.amountOut).to.equal(await v4.quote(made, tokenIn, amount));
        const free = v3ExactIn(pool, zeroForOne, amount);
        expect(free.ok && quoted.ok && free.amountOut > quoted.amountOut).to.equal(true);
      }
    });
  });

  it("recognises a pool by the hash of its key, with WETH or with ETH", () => {
    const places = (fee: number, tickSpacing?: number) => {
      const traits = tickSpacing === undefined ? {} : { tickSpacing };
      return [
        uniswapV4.poolAddress(ethereum, weth, token, fee, traits),
        ...uniswapV4.alsoAt!(ethereum, token, weth, fee, traits),
      ];
    };
    for (const { made, pool } of pools) {
      expect(places(made.fee, made.tickSpacing)).to.include(idOf(made).address);
      expect(pool.native).to.equal(made.currency0 === ZeroAddress);
      expect([pool.token0, pool.token1]).to.deep.equal(
        [made.currency0, made.currency1].map((c) => (c === ZeroAddress ? weth : c)),
      );
    }
    expect(places(500)).to.include(idOf(pools[0]!.made).address);
    expect(places(2_345)).to.deep.equal([null]);
  });

  it("says that there is no such pool", async () => {
    const made = { ...pools[0]!.made, tickSpacing: 11 };
    expect(await rejection(load(made))).to.include({ code: "refused" });
  });
});
