import { v3Venue } from "./v3-pool.js";

/** PancakeSwap V3: Uniswap V3's maths with a 0.25 % tier instead of 0.3 %; its pools come from a deployer apart from the factory. */
export const pancakeswapV3 = v3Venue("pancakeswap-v3");
