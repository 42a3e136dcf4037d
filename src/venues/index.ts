import { balancerV2 } from "./balancer-v2.js";
import { balancerV3 } from "./balancer-v3.js";
import { curve } from "./curve.js";
import { erc4626 } from "./erc4626.js";
import { pancakeswapV3 } from "./pancakeswap-v3.js";
import { slipstream } from "./slipstream.js";
import { solidly } from "./solidly.js";
import { sushiswapV2 } from "./sushiswap-v2.js";
import { sushiswapV3 } from "./sushiswap-v3.js";
import { uniswapV2 } from "./uniswap-v2.js";
import { uniswapV3 } from "./uniswap-v3.js";
import { uniswapV4 } from "./uniswap-v4.js";
import { uniswapV4Hooks } from "./uniswap-v4-hooks.js";
import { v2Fork } from "./v2-fork.js";
import type { Venue, VenueId } from "./venue.js";

/** Every DEX protocol that can be traded on. A new one is a file in this folder and a line here. */
export const VENUES: Record<VenueId, Venue> = {
  "uniswap-v2": uniswapV2,
  "sushiswap-v2": sushiswapV2,
  "v2-fork": v2Fork,
  "uniswap-v3": uniswapV3,
  "sushiswap-v3": sushiswapV3,
  "pancakeswap-v3": pancakeswapV3,
  "uniswap-v4": uniswapV4,
  "uniswap-v4-hooks": uniswapV4Hooks,
  solidly,
  slipstream,
  curve,
  "balancer-v2": balancerV2,
  "balancer-v3": balancerV3,
  erc4626,
};

export const VENUE_IDS = Object.keys(VENUES) as VenueId[];
