import { v2Venue } from "./v2-pair.js";

/** SushiSwap's V2 pairs compute as Uniswap V2's; factory and init code hash differ. */
export const sushiswapV2 = v2Venue("sushiswap-v2");
