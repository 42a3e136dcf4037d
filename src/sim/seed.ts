import type { Network, Token, VenueFacts } from "../config/network.js";
import { ArbError } from "../errors.js";
import type { PoolId, VenueId } from "../venues/venue.js";
import { placeAaveV3 } from "./protocols/aave-v3.js";
import { placeArbSys } from "./protocols/arbitrum.js";
import { placeBalancerV2 } from "./protocols/balancer-v2.js";
import { placeCreate2Proxy, placeMulticall3, placePermit2 } from "./protocols/common.js";
import { chargeDataFee } from "./protocols/op-stack.js";
import { placePancakeswapV3, seedPancakeV3 } from "./protocols/pancakeswap-v3.js";
import { approve, give, placeTokens, tokenOf } from "./protocols/tokens.js";
import { placeSushiswapV2, placeUniswapV2, seedV2 } from "./protocols/uniswap-v2.js";
import { placeUniswapV3, seedV3 } from "./protocols/uniswap-v3.js";
import { approveUniswapV4, placeUniswapV4, seedV4 } from "./protocols/uniswap-v4.js";
import type { Site } from "./site.js";

/** A token with an amount in base units. */
export type Side = [token: string, amount: bigint];

/** A pool to create: two sides of equal worth, sorted by address. */
export interface SeedPool {
  venue: VenueId;
  sides: [Side, Side];
  feePips: number;
  /** V3: one position of equal liquidity per entry: half its width in ticks, null = every price. */
  halfWidths: (number | null)[];
}

/** What stands on a furnished chain. */
export interface Furniture {
  pools: PoolId[];
  /** Address of the contract that swaps on each venue: the real router, or ours where npm has none. */
  routers: Partial<Record<VenueId, string>>;
  balancerPoolId: string | null;
}

/** USD prices that every seeded pool and Aave's oracle start with, 8 decimals. */
export const SEED_PRICES: Record<string, bigint> = { WETH: 3_000_00000000n, USDC: 1_00000000n, DAI: 1_00000000n };

const WIDE = 6000; // about +-82 %
const NARROW = 600; // about +-6 %
const TIGHT = 60; // about +-0.6 %
/** Of Uniswap V4's pools the one that trades ETH itself. */
const ETH_POOL_FEE = 500;

/**
 * Venue, the two tokens, fee in pips, depth: USD on each side, positions. V3: every position has the liquidity that the depth
 * gives over all prices, so that liquidity rises towards the price in steps, and swaps of ordinary size cross ticks.
 */
const POOLS: [VenueId, string, string, number, number, (number | null)[]][] = [
  ["uniswap-v2", "WETH", "USDC", 3000, 6_000_000, []],
  ["sushiswap-v2", "WETH", "USDC", 3000, 1_500_000, []],
  ["uniswap-v3", "WETH", "USDC", 500, 10_000_000, [null, WIDE, NARROW, TIGHT]],
  ["uniswap-v3", "WETH", "USDC", 3000, 4_000_000, [null, WIDE, NARROW]],
  ["pancakeswap-v3", "WETH", "USDC", 500, 4_000_000, [null, WIDE, NARROW, TIGHT]],
  ["sushiswap-v3", "WETH", "USDC", 500, 1_000_000, [null, NARROW, TIGHT]],
  ["uniswap-v4", "WETH", "USDC", 3000, 2_000_000, [null, WIDE, NARROW]],
  ["uniswap-v4", "WETH", "USDC", ETH_POOL_FEE, 4_000_000, [null, WIDE, NARROW, TIGHT]],
  ["uniswap-v2", "WETH", "DAI", 3000, 3_000_000, []],
  ["uniswap-v3", "WETH", "DAI", 3000, 3_000_000, [null, WIDE, NARROW]],
  ["sushiswap-v2", "USDC", "DAI", 3000, 1_000_000, []],
  ["uniswap-v3", "USDC", "DAI", 100, 20_000_000, [null, NARROW, TIGHT, 10]],
];

const LENT_USD = 30_000_000;
/** Both worth the same price: 80 % of the value is WETH. */
const BALANCER_USD = { WETH: 8_000_000, USDC: 2_000_000 };

/** Base units of a token that are worth `usd` whole dollars at the seed prices. */
export function worth(token: Token, usd: number): bigint {
  const price = SEED_PRICES[token.symbol];
  if (price === undefined) throw new ArbError("internal", `${token.symbol} has no seed price`);
  return (BigInt(usd) * 10n ** BigInt(token.decimals + 8)) / price;
}

/** Places every protocol that the registry names on this network, at its address there, and gives it liquidity. */
export async function furnish(site: Site): Promise<Furniture> {
  const { network } = site;
  await placeCreate2Proxy(site);
  await placeMulticall3(site);
  await placePermit2(site);
  await placeTokens(site);
  const routers = await placeVenues(site);
  await endow(site, routers);
  const v4 = await placeUniswapV4(site);
  if (v4) {
    routers["uniswap-v4"] = v4.router;
    for (const symbol of Object.keys(SEED_PRICES)) await approveUniswapV4(site, v4, tokenOf(network, symbol).address);
  }

  const pools: PoolId[] = [];
  for (const [venue, symbolA, symbolB, feePips, usd, halfWidths] of POOLS) {
    const facts = network.venues[venue];
    const router = routers[venue];
    const sides = sorted(network, [symbolA, usd], [symbolB, usd]);
    if (v4 && venue === "uniswap-v4") {
      pools.push(await seedV4(site, v4, { venue, sides, feePips, halfWidths }, feePips === ETH_POOL_FEE));
    }
    if (!facts || router === undefined) continue;
    const address = await seedPool(site, facts, router, { venue, sides, feePips, halfWidths });
    pools.push({ venue, address, token0: sides[0][0], token1: sides[1][0], feePips });
  }

  const lent = Object.entries(SEED_PRICES).map(([symbol, priceUsd]) => {
    const token = tokenOf(network, symbol);
    return { token, supply: worth(token, LENT_USD), priceUsd };
  });
  await placeAaveV3(site, lent);
  const weighted = sorted(network, ["WETH", BALANCER_USD.WETH], ["USDC", BALANCER_USD.USDC]);
  const isWeth = (side: Side) => side[0] === network.wrappedNative;
  const balancerPoolId = await placeBalancerV2(
    site,
    weighted.map((side) => ({ side, weight: isWeth(side) ? 8n * 10n ** 17n : 2n * 10n ** 17n })),
  );
  if (network.stack === "op") await chargeDataFee(site);
  if (network.stack === "arbitrum") await placeArbSys(site);
  return { pools, routers, balancerPoolId };
}

async function placeVenues(site: Site): Promise<Furniture["routers"]> {
  const { venues } = site.network;
  const routers: Furniture["routers"] = {};
  const v2 = venues["uniswap-v2"];
  if (v2?.router) {
    await placeUniswapV2(site, v2);
    routers["uniswap-v2"] = v2.router.address;
  }
  const sushi = venues["sushiswap-v2"];
  if (sushi?.router) {
    await placeSushiswapV2(site, sushi);
    routers["sushiswap-v2"] = sushi.router.address;
  }
  for (const id of ["uniswap-v3", "sushiswap-v3"] as const) {
    const facts = venues[id];
    if (facts) routers[id] = await placeUniswapV3(site, facts, v2?.factory.address ?? facts.factory.address);
  }
  const pancake = venues["pancakeswap-v3"];
  if (pancake) routers["pancakeswap-v3"] = await placePancakeswapV3(site, pancake);
  return routers;
}

/** Gives the owner what seeding takes and the trader what trading takes, and lets routers and position managers take it. */
async function endow(site: Site, routers: Furniture["routers"]): Promise<void> {
  const { network, owner, trader } = site;
  const managers = Object.values(network.venues).map((v) => v.positionManager?.address);
  const swappers = Object.values(routers);
  for (const symbol of Object.keys(SEED_PRICES)) {
    const token = tokenOf(network, symbol);
    await give(site, token, owner, worth(token, 150_000_000));
    await give(site, token, trader, worth(token, 150_000_000));
    for (const spender of swappers) await approve(site, token.address, spender, trader);
    for (const spender of [...swappers, ...managers]) if (spender !== undefined) await approve(site, token.address, spender);
  }
}

async function seedPool(site: Site, facts: VenueFacts, router: string, pool: SeedPool): Promise<string> {
  if (pool.halfWidths.length === 0) return await seedV2(site, facts, router, pool);
  if (pool.venue === "pancakeswap-v3") return await seedPancakeV3(site, facts, router, pool);
  return await seedV3(site, facts, pool);
}

/** Both sides in the order that pools keep their tokens in: WETH is token0 on some networks and token1 on others. */
function sorted(network: Network, ...sides: [symbol: string, usd: number][]): [Side, Side] {
  const [a, b] = sides.map(([symbol, usd]): Side => {
    const token = tokenOf(network, symbol);
    return [token.address, worth(token, usd)];
  }) as [Side, Side];
  return BigInt(a[0]) < BigInt(b[0]) ? [a, b] : [b, a];
}
