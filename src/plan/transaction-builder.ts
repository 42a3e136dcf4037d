import type { Provider } from "ethers";
import { IERC20__factory, ISwapRouter02__factory, IUniswapV2Router02__factory } from "../../types/contracts/index.js";
import type { Network } from "../config/network.js";
import { ArbError } from "../errors.js";
import type { VenueId } from "../venues/venue.js";
import { encodePlan } from "./codec.js";
import { formatOf } from "./format.js";
import type { Plan } from "./plan.js";
import { encodeSteps } from "./steps.js";
import { toSteps } from "./to-steps.js";

/** What a transaction does, before nonce, gas and fees. */
export interface Call {
  to: string;
  data: string;
  value: bigint;
}

/** A plain swap through a venue's own router. Amounts in base units. */
export interface RouterSwap {
  venue: VenueId;
  tokenIn: string;
  tokenOut: string;
  amountIn: bigint;
  minAmountOut: bigint;
  recipient: string;
  /** Unix seconds. */
  deadline: number;
  /** V3 only, millionths. */
  feePips?: number;
}

/** Builds every transaction that the driver sends on one network. */
export class TransactionBuilder {
  constructor(
    readonly network: Network,
    readonly provider: Provider,
  ) {}

  /** The executor call of a plan, as bare calldata of the format that the plan needs. */
  executePlan(executor: string, plan: Plan): Call {
    if (plan.chainId !== this.network.chainId) {
      throw new ArbError("usage", `the plan is for chain ${plan.chainId}, not ${this.network.chainId}`, {
        where: "plan.chainId",
      });
    }
    const wrapped = this.network.wrappedNative;
    const { chainId, profitToken, funding, hops } = plan;
    const isSteps = formatOf({ chainId, profitToken, wrapped, source: funding.source, hops }) === "steps";
    return { to: executor, data: isSteps ? encodeSteps(toSteps(plan, wrapped)) : encodePlan(plan), value: 0n };
  }

  /**
   * A swap through the router of Uniswap V2, SushiSwap V2 or Uniswap V3. Throws "usage" where the network has no such router,
   * the deadline has passed, or the swap would accept any output (`minAmountOut` 0).
   */
  swap(swap: RouterSwap): Call {
    const router = this.network.venues[swap.venue]?.router;
    if (!router) throw new ArbError("usage", `${swap.venue} has no router on ${this.network.title}`, { where: "swap.venue" });
    if (swap.amountIn <= 0n) throw new ArbError("usage", "the amount must be above zero", { where: "swap.amountIn" });
    if (swap.minAmountOut <= 0n) {
      throw new ArbError("usage", "a swap needs a minimum output above zero", { where: "swap.minAmountOut" });
    }
    if (swap.deadline * 1000 <= Date.now()) throw new ArbError("usage", "the deadline has passed", { where: "swap.deadline" });
    const { tokenIn, tokenOut, amountIn, minAmountOut, recipient, deadline } = swap;
    switch (swap.venue) {
      case "uniswap-v2":
      case "sushiswap-v2": {
        const i = IUniswapV2Router02__factory.createInterface();
        const args: [bigint, bigint, string[], string, number] = [
          amountIn,
          minAmountOut,
          [tokenIn, tokenOut],
          recipient,
          deadline,
        ];
        return { to: router.address, data: i.encodeFunctionData("swapExactTokensForTokens", args), value: 0n };
      }
      case "uniswap-v3": {
        if (swap.feePips === undefined) throw new ArbError("usage", "a V3 swap needs the pool's fee", { where: "swap.feePips" });
        const i = ISwapRouter02__factory.createInterface();
        const fee = swap.feePips;
        const params = { tokenIn, tokenOut, fee, recipient, amountIn, amountOutMinimum: minAmountOut, sqrtPriceLimitX96: 0n };
        // SwapRouter02 checks a deadline only in its multicall
        const inner = i.encodeFunctionData("exactInputSingle", [params]);
        return { to: router.address, data: i.encodeFunctionData("multicall", [deadline, [inner]]), value: 0n };
      }
      case "v2-fork":
      case "sushiswap-v3":
      case "pancakeswap-v3":
      case "uniswap-v4":
      case "uniswap-v4-hooks":
      case "solidly":
      case "slipstream":
      case "curve":
      case "balancer-v2":
      case "balancer-v3":
      case "erc4626":
        throw new ArbError("usage", `plain swaps through ${swap.venue} are not built`, {
          where: "swap.venue",
          hint: "use uniswap-v2, sushiswap-v2 or uniswap-v3",
        });
    }
  }

  /**
   * The approvals that let `spender` take exactly `amount`: none where the present allowance suffices, one where it is zero,
   * and a reset first where it is neither (USDT refuses to change a non-zero allowance).
   */
  async approvals(token: string, owner: string, spender: string, amount: bigint): Promise<Call[]> {
    const contract = IERC20__factory.connect(token, this.provider);
    const present = await contract.allowance(owner, spender);
    if (present >= amount) return [];
    const approve = (value: bigint): Call => ({
      to: token,
      data: contract.interface.encodeFunctionData("approve", [spender, value]),
      value: 0n,
    });
    return present === 0n ? [approve(amount)] : [approve(0n), approve(amount)];
  }
}
