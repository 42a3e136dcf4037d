import { expect } from "chai";
import { AbiCoder, type Provider } from "ethers";
import { networkById } from "../../src/config/networks.js";
import { priceInToken } from "../../src/plan/cost.js";
import { VENUES } from "../../src/venues/index.js";
import { squareRoot } from "../../src/venues/tick-math.js";
import {
  IERC20__factory,
  IMulticall3__factory,
  IUniswapV2Pair__factory,
  IUniswapV3Pool__factory,
} from "../../types/contracts/index.js";

const multicall = IMulticall3__factory.createInterface();
const [erc20, pair, v3] = [
  IERC20__factory.createInterface(),
  IUniswapV2Pair__factory.createInterface(),
  IUniswapV3Pool__factory.createInterface(),
];
const ethereum = networkById(1)!;
const WETH = ethereum.wrappedNative;
const token = (symbol: string): string => ethereum.tokens.find((t) => t.symbol === symbol)!.address;
const ETHER = 10n ** 18n;

/** A pool as it is read; amounts in base units of wrapped native and of the token. */
type State = { held: bigint } & ({ native: bigint; other: bigint } | { price: number; liquidity: bigint });

/** Answers the reads of the given pools; every other pool does not exist. */
function chainOf(tokenAddress: string, pools: Record<string, State>): Provider {
  const nativeIs0 = BigInt(WETH) < BigInt(tokenAddress);
  const words = (...values: bigint[]): string =>
    AbiCoder.defaultAbiCoder().encode(
      values.map(() => "uint256"),
      values,
    );
  const answer = (target: string, data: string): string => {
    if (target === WETH) return words(pools[erc20.decodeFunctionData("balanceOf", data)[0] as string]?.held ?? 0n);
    const state = pools[target];
    if (!state) return "0x";
    const selector = data.slice(0, 10);
    if ("native" in state) {
      if (selector !== pair.getFunction("getReserves").selector) return "0x";
      return words(...(nativeIs0 ? [state.native, state.other] : [state.other, state.native]), 0n);
    }
    if (selector === v3.getFunction("liquidity").selector) return words(state.liquidity);
    const ratio = nativeIs0 ? state.price : 1 / state.price;
    return words(squareRoot(BigInt(Math.round(ratio * 2 ** 60)) << 132n), 0n, 0n, 0n, 0n, 0n, 1n);
  };
  const call = async ({ data }: { data: string }): Promise<string> => {
    const calls = multicall.decodeFunctionData("aggregate3", data)[0] as { target: string; callData: string }[];
    return multicall.encodeFunctionResult("aggregate3", [
      calls.map((c) => ({ success: true, returnData: answer(c.target, c.callData) })),
    ]);
  };
  return { call } as unknown as Provider;
}

const pool = (venue: "uniswap-v2" | "uniswap-v3", other: string, fee: number): string =>
  VENUES[venue].poolAddress(ethereum, WETH, other, fee)!;

// USDC sorts before WETH, USDT behind it: both directions
for (const symbol of ["USDC", "USDT"]) {
  describe(`gas priced in ${symbol}`, () => {
    const other = token(symbol);
    const price = (pools: Record<string, State>, wei = ETHER / 1000n) =>
      priceInToken(chainOf(other, pools), ethereum, other, wei, 1);
    const good: State = { held: 1000n * ETHER, native: 1000n * ETHER, other: 2_000_000_000_000n };
    const V2 = pool("uniswap-v2", other, 3000);
    const V3 = pool("uniswap-v3", other, 500);

    it("is the deepest pool's price, rounded up", async () => {
      expect(await price({ [V2]: good })).to.equal(2_000_000n);
      expect(await price({ [V2]: good }, 1n)).to.equal(1n);
      const deep: State = { held: 9000n * ETHER, price: 4e-9, liquidity: 10n ** 18n };
      expect(Number(await price({ [V2]: good, [V3]: deep }))).to.be.closeTo(4_000_000, 100);
    });

    it("is not taken from a pool that got a gift, or has no liquidity at its price", async () => {
      for (const liquidity of [0n, 1000n]) {
        const bait: State = { held: 5000n * ETHER, price: 1e-15, liquidity };
        expect(await price({ [V2]: good, [V3]: bait })).to.equal(2_000_000n);
      }
      const narrow: State = { held: 5n, price: 1e-15, liquidity: 10n ** 30n };
      expect(await price({ [V2]: good, [V3]: narrow })).to.equal(2_000_000n);
    });

    it("is not known where no pool holds a hundred times the amount", async () => {
      expect(await price({ [V2]: { held: 5n, native: 5n, other: 1n } })).to.equal(null);
      expect(await price({ [V2]: { held: ETHER / 11n, native: ETHER / 11n, other: 1n } })).to.equal(null);
      expect(await price({})).to.equal(null);
    });
  });
}
