import { v3Venue } from "./v3-pool.js";

/** Uniswap V3: https://docs.uniswap.org/contracts/v3/overview. */
export const uniswapV3 = v3Venue("uniswap-v3");
