import type { Chain } from "../chain/connect.js";
import { formatToken } from "../config/format-token.js";
import { ArbError } from "../errors.js";
import { type FeePolicy, suggestFees } from "../fees/fees.js";
import type { Rejection, RejectReason } from "../opportunity/reject.js";
import { type FinalSimulation, simulateFinal, type TargetBlock } from "../plan/final-simulation.js";
import type { PlannedTrade } from "../plan/planner.js";
import type { SendTerms, TipSettings } from "../submit/private-run.js";
import { profitFromLogs } from "./profit.js";

/** Share of the expected profit that tips may climb to, and how. */
export interface LadderSettings extends TipSettings {
  budgetPpm: number;
}

/** What is left to look at right before a trade is signed, and while relays have it. */
export interface FinalCheck {
  chain: Chain;
  /** Address that sends. */
  operator: string;
  fees: FeePolicy;
  /** Who has the profit afterwards. */
  holders: string[];
}

const MILLION = 1_000_000n;

const REASONS: Partial<Record<string, RejectReason>> = {
  "insufficient-funds": "insufficient-gas-funds",
  "fee-below-base-fee": "below-cost",
};

/** The block after the newest one. Raises ArbError "network". */
export async function nextBlock(chain: Chain, fees: FeePolicy): Promise<TargetBlock> {
  const head = await chain.provider.getBlock("latest");
  if (head === null) throw new ArbError("network", `${chain.network.title} gave no head block`);
  const { nextBaseFee } = await suggestFees(chain, fees, head);
  return {
    parent: head.number,
    number: head.number + 1,
    time: Math.max(head.timestamp + Math.round(chain.network.blockTimeMs / 1000), Math.floor(Date.now() / 1000)),
    baseFee: nextBaseFee,
  };
}

/**
 * Runs exactly what will be signed on the block after the newest one, at its time and base fee. Null: it may be signed. Where the node
 * tells the logs, the profit in them must be the plan's least one. Raises as simulateFinal and suggestFees do.
 */
export async function checkFinally(
  planned: PlannedTrade,
  { chain, operator, fees, holders }: FinalCheck,
): Promise<Rejection | null> {
  const { quote, plan, call, gasLimit } = planned;
  const reject = (reason: RejectReason, detail: string): Rejection => ({
    opportunityId: quote.opportunity.id,
    reason,
    detail,
    where: null,
  });
  const target = await nextBlock(chain, fees);
  const { maxFeePerGas, maxPriorityFeePerGas } = planned.fees;
  const final = { ...call, from: operator, gasLimit, maxFeePerGas, maxPriorityFeePerGas, nonce: null };
  const result: FinalSimulation = await simulateFinal(chain, final, target, plan);
  if (!result.ok) return reject(REASONS[result.kind] ?? "simulation-reverted", result.reason);
  if (result.logs === null) return null;
  const profit = profitFromLogs({ logs: result.logs }, plan.profitToken, holders);
  if (profit >= plan.minProfit) return null;
  const units = (amount: bigint) => formatToken(chain.network, plan.profitToken, amount);
  return reject(
    "not-profitable",
    `in block ${target.number} it would earn ${units(profit)}, the plan asks for ${units(plan.minProfit)}`,
  );
}

/**
 * Until when and at what tips a planned trade is sent: until the plan's deadline, and never for more than its ceiling or than the
 * network's cap.
 */
export function termsOf(
  planned: PlannedTrade,
  { network }: Chain,
  head: { number: number; timestamp: number },
  tips: LadderSettings | undefined,
  { maxFeePerGas }: Pick<FeePolicy, "maxFeePerGas">,
): SendTerms {
  const { plan, quote, cost, tip } = planned;
  const feeCeiling = maxFeePerGas !== null && maxFeePerGas < planned.feeCeiling ? maxFeePerGas : planned.feeCeiling;
  const { deadline } = plan;
  const blocks = (until: number): number => Math.max(1, Math.floor(((until - head.timestamp) * 1000) / network.blockTimeMs));
  const profit = ((quote.profit - tip) * cost.wei) / (cost.inProfitToken > 0n ? cost.inProfitToken : 1n);
  return {
    ...(deadline !== null && { lastBlock: BigInt(head.number + blocks(deadline)), maxTimestamp: deadline }),
    feeCeiling,
    ...(tips && {
      ladder: {
        stepPpm: tips.stepPpm,
        blocksPerTip: tips.blocksPerTip,
        budget: (profit * BigInt(tips.budgetPpm)) / MILLION,
      },
    }),
  };
}
