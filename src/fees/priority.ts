import { toQuantity } from "ethers";
import type { Chain } from "../chain/connect.js";
import { ArbError } from "../errors.js";

/** A tip that follows what others paid lately, within bounds. Wei per gas. */
export interface PriorityRule {
  /** Which of the tips of a block counts: 50 is what half of its gas paid at most. */
  percentile: number;
  least: bigint;
  most: bigint;
}

/** Time that the history covers. In blocks it would be a minute on Ethereum and two seconds on Base. */
const WINDOW_MS = 20_000;
const FEWEST_BLOCKS = 5;
/** Some providers answer for no more. */
const MOST_BLOCKS = 100;

/** How many blocks of a network are looked at. */
export function historyBlocks(blockTimeMs: number): number {
  return Math.min(MOST_BLOCKS, Math.max(FEWEST_BLOCKS, Math.ceil(WINDOW_MS / blockTimeMs)));
}

/**
 * The tip by eth_feeHistory: the median over recent blocks of the rule's percentile within each, never below `least` nor above
 * `most`. Empty blocks do not count; where all are, it is `least`. Throws ArbError "network" for an answer that is none.
 */
export async function recentPriorityFee(chain: Chain, rule: PriorityRule): Promise<bigint> {
  const count = historyBlocks(chain.network.blockTimeMs);
  const history = (await chain.provider.send("eth_feeHistory", [toQuantity(count), "latest", [rule.percentile]])) as {
    reward?: string[][] | null;
    gasUsedRatio?: number[];
  } | null;
  if (!history?.gasUsedRatio)
    throw new ArbError("network", `${chain.endpoint} gave no fee history`, {
      where: chain.network.name,
      hint: "use another endpoint, or set priorityFee to an amount",
    });
  const tips = (history.reward ?? [])
    .filter((_, i) => (history.gasUsedRatio?.[i] ?? 0) > 0)
    .map(([tip]) => BigInt(tip ?? 0))
    .toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const median = tips[tips.length >> 1] ?? rule.least;
  return median < rule.least ? rule.least : median > rule.most ? rule.most : median;
}
