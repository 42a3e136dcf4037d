import { ZeroAddress } from "ethers";
import type { QuotedHop } from "../opportunity/quote.js";
import { isToken0 } from "../venues/swap.js";
import { v4KeyOf } from "../venues/uniswap-v4.js";
import type { PlanHop } from "./plan.js";

/** A quoted hop as a plan has it; `wrapped` is the chain's wrapped native token, for which V4 pools of ETH stand. */
export function planHop({ pool, tokenIn, tokenOut, amountIn, amountOut }: QuotedHop, wrapped: string): PlanHop {
  const common = { tokenIn, tokenOut, feePips: pool.feePips, amountIn, amountOut };
  switch (pool.kind) {
    case "v2":
    case "v3":
      return { kind: pool.kind, pool: pool.address, ...common };
    case "v4": {
      const currency = (token: string) => (pool.native && token === wrapped ? ZeroAddress : token);
      const tokens = { tokenIn: currency(tokenIn), tokenOut: currency(tokenOut) };
      return { kind: "v4", pool: pool.host, ...common, ...tokens, v4: v4KeyOf(pool) };
    }
    case "quoted":
      if (pool.v4 !== undefined) {
        const currency = (token: string) => (pool.v4!.native && token === wrapped ? ZeroAddress : token);
        const tokens = { tokenIn: currency(tokenIn), tokenOut: currency(tokenOut) };
        return { kind: "v4", pool: pool.host!, ...common, ...tokens, v4: pool.v4.key };
      }
      if (pool.steps === null) throw new TypeError(`no step trades in ${pool.address}`);
      return { kind: "step", pool: pool.host ?? pool.address, ...common, step: pool.steps[isToken0(pool, tokenIn) ? 0 : 1] };
  }
}
