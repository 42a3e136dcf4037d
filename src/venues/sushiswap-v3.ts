import { v3Venue } from "./v3-pool.js";

/** SushiSwap V3 is Uniswap V3's code behind another factory. */
export const sushiswapV3 = v3Venue("sushiswap-v3");
