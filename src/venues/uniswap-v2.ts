import { v2Venue } from "./v2-pair.js";

/** Uniswap V2: https://docs.uniswap.org/contracts/v2/overview. */
export const uniswapV2 = v2Venue("uniswap-v2");
