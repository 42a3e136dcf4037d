import { expect } from "chai";
import { JsonRpcProvider, toQuantity } from "ethers";
import { networkById } from "../../src/config/networks.js";
import { startLocalChain } from "../../src/sim/chain.js";
import type { LocalChain } from "../../src/sim/chain.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import { findPool } from "../../src/sim/trader.js";
import { LOCAL_CHAIN_IDS, type LocalWorld, startLocalWorld } from "../../src/sim/world.js";
import { VENUES, VENUE_IDS } from "../../src/venues/index.js";
import type { Pool, V3Pool } from "../../src/venues/venue.js";
import { IERC20__factory } from "../../types/contracts/index.js";

/** Venues without published bytecode, or that vouch for no pool of their own, are not part of the local world's list of pools. */
const isFurnished = (id: string) => /^(uniswap|sushiswap|pancakeswap)-v\d$/.test(id);

describe("local world of four networks", () => {
  let world: LocalWorld;
  before(async () => {
    world = await startLocalWorld();
  });
  after(async () => await world.close());

  for (const chainId of LOCAL_CHAIN_IDS) {
    const network = networkById(chainId)!;

    describe(network.title, () => {
      let chain: LocalChain;
      let provider: JsonRpcProvider;
      let pools: Pool[];
      before(async () => {
        chain = world.chain(chainId);
        provider = new JsonRpcProvider(chain.url, undefined, { staticNetwork: true });
        pools = await Promise.all(chain.pools.map((id) => VENUES[id.venue].load(provider, id, "latest")));
      });
      after(() => provider.destroy());

      it("answers with the network's chain id on a clock that is right", async () => {
        expect(Number(await chain.rpc("eth_chainId"))).to.equal(chainId);
        const { timestamp } = (await provider.getBlock("latest"))!;
        expect(Math.abs(timestamp - Date.now() / 1000)).to.be.lessThan(60);
      });

      it("has code at every address of the registry that the world furnishes", async () => {
        const { tokens, multicall3, permit2, create2Proxy } = network;
        const { "aave-v3": aave, "balancer-v2": balancer } = network.lenders;
        const venues = Object.fromEntries(Object.entries(network.venues).filter(([id]) => isFurnished(id)));
        const isPancake = (id: string) => id === "pancakeswap-v3";
        const addresses = [
          ...tokens.map((t) => t.address),
          ...Object.values(venues).flatMap((v) => [v.factory.address, v.deployer.address]),
          ...Object.entries(venues)
            .filter(([id]) => !isPancake(id))
            .flatMap(([, v]) => [v.router?.address, v.quoter?.address, v.positionManager?.address]),
          ...[aave, balancer, network.poolManager, network.quoters["uniswap-v4-hooks"]].map((l) => l?.address),
          ...[multicall3, permit2, create2Proxy].map((c) => c.address),
        ].filter((a) => a !== undefined);
        const codes = await Promise.all(addresses.map((a) => provider.getCode(a)));
        expect(addresses.filter((_, i) => codes[i] === "0x")).to.deep.equal([]);
      });

      it("has every pool where CREATE2 and the registry's init code hash put it", () => {
        for (const p of chain.pools) {
          const { poolAddress, alsoAt } = VENUES[p.venue];
          const terms = [network, p.token1, p.token0, p.feePips, p] as const;
          expect([poolAddress(...terms), ...(alsoAt?.(...terms) ?? [])], p.venue).to.include(p.address);
        }
        const furnished = VENUE_IDS.filter((id) => isFurnished(id) && VENUES[id].isOn(network));
        expect(new Set(chain.pools.map((p) => p.venue))).to.deep.equal(new Set(furnished));
      });

      it("starts with pools that agree on prices to 1 part in 10,000", () => {
        for (const pool of pools) {
          // not closeTo: Hardhat's matchers, once loaded, take integers only
          const off = Math.abs(relativePrice(chain, pool) - 1);
          expect(off < 1e-4, `${pool.venue} ${pool.address} is off by ${off}`).to.equal(true);
        }
      });

      it("has V3 pools with liquidity at the price and ticks near enough to be crossed", () => {
        for (const pool of pools) {
          if (pool.kind !== "v3") continue;
          expect(pool.liquidity > 0n).to.equal(true);
          const near = pool.ticks.filter((t) => Math.abs(t.index - pool.tick) < 700);
          expect(near.length, pool.address).to.be.at.least(2);
        }
      });

      it("gives an account ETH and tokens", async () => {
        const to = "0x00000000000000000000000000000000000000AA";
        const usdc = IERC20__factory.connect(tokenOf(network, "USDC").address, provider);
        const weth = IERC20__factory.connect(network.wrappedNative, provider);
        await chain.fund(to, { eth: 7n, tokens: { USDC: 5n, WETH: 6n, [tokenOf(network, "DAI").address]: 4n } });
        expect(await Promise.all([provider.getBalance(to), usdc.balanceOf(to), weth.balanceOf(to)])).to.deep.equal([7n, 5n, 6n]);
      });
    });
  }

  it("puts Ethereum's best known pools where they are", () => {
    const ethereum = world.chain(1);
    const at = (...args: [Parameters<typeof findPool>[1], number]) =>
      findPool(ethereum, args[0], "USDC", "WETH", args[1])?.address;
    expect(at("uniswap-v2", 3000)).to.equal("0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc");
    expect(at("sushiswap-v2", 3000)).to.equal("0x397FF1542f962076d0BFE58eA045FfA2d347ACa0");
    expect(at("uniswap-v3", 500)).to.equal("0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640");
    expect(at("pancakeswap-v3", 500)).to.equal("0x1ac1A8FEaAEa1900C4166dEeed0C11cC10669D36");
  });

  it("keeps its chains apart", async () => {
    const [to, base] = ["0x00000000000000000000000000000000000000bb", world.chain(8453)];
    const heights = () => Promise.all(world.chains.map((c) => c.rpc<string>("eth_blockNumber")));
    const before = await heights();
    await base.fund(to, { tokens: { USDC: 1n } });
    const after = await heights();
    expect(after.filter((h, i) => h !== before[i])).to.have.lengthOf(1);
    expect(new Set(world.chains.map((c) => c.url)).size).to.equal(4);
  });

  it("takes an L1 data fee on OP Stack chains", async () => {
    for (const [chainId, hasFee] of [
      [10, true],
      [8453, true],
      [1, false],
      [42161, false],
    ] as const) {
      const chain = world.chain(chainId);
      const [from, to] = chain.accounts;
      const fees = { gas: "0x10000", maxFeePerGas: "0x174876e800", maxPriorityFeePerGas: "0x0" };
      const hash = await chain.rpc<string>("eth_sendTransaction", [{ from, to, value: "0x1", ...fees }]);
      const { l1Fee = "0x0" } = await chain.rpc<{ l1Fee?: string }>("eth_getTransactionReceipt", [hash]);
      expect(BigInt(l1Fee) > 0n, chain.network.name).to.equal(hasFee);
    }
  });

  it("keeps Arbitrum's base fee at its floor however empty the blocks are", async () => {
    const { rpc } = world.chain(42161);
    const floor = 20_000_000;
    for (let i = 0; i < 20; i++) await rpc("evm_mine");
    const { baseFeePerGas } = await rpc<{ baseFeePerGas: string }>("eth_getBlockByNumber", ["latest", false]);
    expect(Number(baseFeePerGas)).to.be.within(floor, (floor * 8) / 7);
  });

  it("and in bursts: of transactions that are mined at once, and of many empty blocks", async () => {
    const { rpc, accounts } = world.chain(42161);
    const floor = 20_000_000n;
    const [from, to] = accounts;
    const first = BigInt(await rpc<string>("eth_blockNumber"));
    const terms = { gas: "0x10000", maxFeePerGas: "0x174876e800", maxPriorityFeePerGas: "0x0" };
    await Promise.all(
      Array.from({ length: 30 }, async () => await rpc("eth_sendTransaction", [{ from, to, value: "0x1", ...terms }])),
    );
    const last = BigInt(await rpc<string>("eth_blockNumber"));
    expect(Number(last - first)).to.equal(30);
    await rpc("hardhat_mine", ["0x20"]);
    const numbers = [...Array.from({ length: 30 }, (_, i) => first + 1n + BigInt(i)), last + 32n];
    for (const number of numbers) {
      const block = await rpc<{ baseFeePerGas: string }>("eth_getBlockByNumber", [toQuantity(number), false]);
      expect(BigInt(block.baseFeePerGas) >= floor, `block ${number}`).to.equal(true);
    }
    expect(BigInt(await rpc<string>("eth_blockNumber"))).to.equal(last + 32n);
  });

  it("refuses chains that it does not know", async () => {
    for (const chainId of [11155111, 137]) {
      const error = await startLocalChain(chainId).then(
        () => null,
        (e: unknown) => e,
      );
      expect(error).to.have.property("code", "usage");
    }
    expect(() => world.chain(137)).to.throw("chain 137 was not started");
  });

  /** Price of the pool's token0 in token1 divided by what it was seeded with. */
  function relativePrice(chain: LocalChain, pool: Pool): number {
    const [a, b] = [pool.token0, pool.token1].map((t) => tokenOf(chain.network, t));
    const usd = (symbol: string) => (symbol === "WETH" ? 3000 : 1);
    const expected = ((usd(a!.symbol) / usd(b!.symbol)) * 10 ** b!.decimals) / 10 ** a!.decimals;
    const price =
      pool.kind === "v2" ? Number(pool.reserve1) / Number(pool.reserve0) : (Number((pool as V3Pool).sqrtPriceX96) / 2 ** 96) ** 2;
    return price / expected;
  }
});
