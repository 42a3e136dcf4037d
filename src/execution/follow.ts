import type { Chain } from "../chain/connect.js";
import type { FeePolicy } from "../fees/fees.js";
import type { Opportunity } from "../opportunity/opportunity.js";
import type { PendingTransaction } from "../opportunity/pending.js";
import type { Rejection, RejectReason } from "../opportunity/reject.js";
import { openBehind } from "../plan/behind.js";
import { lookUpFollowed, standingOfSender } from "../submit/followed.js";
import { nextBlock } from "./final-check.js";

/** Why an opportunity cannot follow its transaction. */
export interface NotFollowed {
  rejection: Rejection;
}

const refuse = (opportunity: Opportunity, reason: RejectReason, detail: string): NotFollowed => {
  return { rejection: { opportunityId: opportunity.id, reason, detail, where: "after" } };
};

/**
 * The pending transaction that an opportunity follows; null where there is none, or it has landed. `canFollow`: whether bundles can be
 * sent here. Raises as the node does.
 */
export async function followedBy(
  opportunity: Opportunity,
  { provider, network }: Chain,
  canFollow: boolean,
): Promise<{ after: PendingTransaction | null } | NotFollowed> {
  const { after } = opportunity;
  if (after === null) return { after: null };
  const now = await lookUpFollowed(provider, network.chainId, after);
  switch (now.status) {
    case "landed":
      return { after: null };
    case "pending":
      if (canFollow) return { after: now.pending };
      return refuse(
        opportunity,
        "after-not-bundled",
        `${now.pending.hash} is pending; behind it only bundles land, and the routes here are not all private ones with a relay that simulates`,
      );
    case "replaced":
    case "not-next":
    case "not-found":
      return refuse(opportunity, `after-${now.status}`, now.detail);
  }
}

/** The chain as it will be right behind a pending transaction in the next block. Raises as the node does. */
export async function viewBehind(
  opportunity: Opportunity,
  after: PendingTransaction,
  chain: Chain,
  fees: FeePolicy,
): Promise<{ chain: Chain } | NotFollowed> {
  const now = await standingOfSender(chain.provider, after);
  if (now.status === "replaced" || now.status === "not-next") return refuse(opportunity, `after-${now.status}`, now.detail);
  if (now.status !== "pending") return refuse(opportunity, "after-not-next", `${after.hash} landed meanwhile`);
  const target = await nextBlock(chain, fees);
  if (after.maxFeePerGas < target.baseFee) {
    const detail = `${after.hash} pays at most ${after.maxFeePerGas} wei per gas, the base fee will be ${target.baseFee}`;
    return refuse(opportunity, "after-not-next", detail);
  }
  const behind = await openBehind(chain, after, target);
  if (behind.ok) return { chain: behind.chain };
  const reason = behind.why === "fails" ? "after-not-next" : "after-not-bundled";
  return refuse(opportunity, reason, `${after.hash}: ${behind.detail}`);
}
