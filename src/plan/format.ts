import { ZeroAddress } from "ethers";
import type { FundingId } from "../funding/funding.js";
import type { PlanHop } from "./plan.js";

/**
 * How a plan is written. `pools`: V2 and V3 pools alone, the cheapest. `v4`: the same with Uniswap V4, netted in its manager. Both run
 * on any executor. `steps`: everything else; a StepExecutor runs them.
 */
export type PlanFormat = "pools" | "v4" | "steps";

/** Sources that the format `pools` knows. */
const POOLS_FUNDING: readonly FundingId[] = ["flash-swap", "own-balance", "aave-v3", "balancer-v2"];
/** Chains whose PoolManager is built into the contract, see PlanRunner.poolManager. */
const V4_CHAINS: readonly number[] = [1, 10, 8453, 42161, 84532, 421614, 11155111];
const DIRECT: readonly string[] = ["v2", "v3", "v4"];

/** Whether a cycle through pools of these kinds, so funded, has the format `pools`. */
export function isPoolsPlan(kinds: readonly string[], source: FundingId): boolean {
  return POOLS_FUNDING.includes(source) && kinds.every((kind) => kind === "v2" || kind === "v3");
}

/** Whether pools of these kinds can fund their own cycle: the first or the last must be one that gives before it takes. */
export function canFundItself(kinds: readonly string[]): boolean {
  return DIRECT.includes(kinds[0] ?? "") || DIRECT.includes(kinds.at(-1) ?? "");
}

/** Everything that decides a plan's format; `wrapped` is the chain's wrapped native token. */
export interface FormatFacts {
  chainId: number;
  profitToken: string;
  wrapped: string;
  source: FundingId;
  /** Tokens with the zero address for ETH. */
  hops: Pick<PlanHop, "kind" | "tokenIn" | "tokenOut" | "v4">[];
}

export function formatOf({ chainId, profitToken, wrapped, source, hops }: FormatFacts): PlanFormat {
  const kinds = hops.map(({ kind }) => kind);
  if (isPoolsPlan(kinds, source)) return "pools";
  const isV4 =
    source === "flash-swap" &&
    kinds.every((kind) => DIRECT.includes(kind)) &&
    // what a hook gives may differ from one block to the next: steps take it as it comes
    hops.every(({ v4 }) => v4 === undefined || v4.hooks === ZeroAddress) &&
    profitToken === wrapped &&
    V4_CHAINS.includes(chainId) &&
    // between hops nothing wraps or unwraps
    hops.every(({ tokenIn }, i) => i === 0 || tokenIn === hops[i - 1]!.tokenOut) &&
    [hops[0]?.tokenIn, hops.at(-1)?.tokenOut].every((token) => token === wrapped || token === ZeroAddress);
  return isV4 ? "v4" : "steps";
}
