/** Approvals of exactly an amount, each a transaction of its own. */
import { IERC20__factory } from "../../types/contracts/index.js";
import { networkById } from "../config/networks.js";
import { ArbError } from "../errors.js";
import { TransactionBuilder } from "../plan/transaction-builder.js";
import type { Landing, Senders } from "./senders.js";
import type { Owner } from "./types.js";

export interface Approval {
  chainId: number;
  token: string;
  spender: string;
  amount: bigint;
}

/** A contract that may take a token of ours. */
export type Loose = Pick<Approval, "chainId" | "token" | "spender">;

const erc20 = IERC20__factory.createInterface();

/** What a call lets whom take; null where it is no approval. */
export function approvalIn({ chainId, to, data }: { chainId: number; to: string; data: string }): Approval | null {
  const { selector } = erc20.getFunction("approve");
  if (!data.startsWith(selector)) return null;
  const [spender, amount] = erc20.decodeFunctionData("approve", data) as unknown as [string, bigint];
  return { chainId, token: to, spender, amount };
}

/** An allowance that a trade leaves behind, in words for its operator. Never raises, also for a network that is not set up any more. */
export function staysApproved({ saga, account }: Owner, { chainId, token, spender }: Loose, why: string): ArbError {
  const what = `${saga} has ended, and ${spender} may still take ${token} of ${account}: ${why}`;
  const where = networkById(chainId)?.name ?? `chain ${chainId}`;
  return new ArbError("refused", what, { where, hint: "set its allowance to zero by hand" });
}

export const openRevocation = (seconds: number): string => `what takes it back is in no block after ${seconds} s`;

/**
 * Sees to it that `spender` may take `amount`. Those of an earlier run are settled first; what another trade has used up since is
 * approved again. `nameOf` gives the intents' names, each once. Gives what keeps it from that; null when it may.
 */
export async function approve(
  senders: Senders,
  { account, workflow }: Owner,
  { chainId, token, spender, amount }: Approval,
  nameOf: (i: number) => string,
  legMs: number,
): Promise<Exclude<Landing, { status: "landed" }> | null> {
  const { network, provider } = senders.chain(chainId);
  const order = { chainId, account, workflow };
  // known bytes are sent again as they are, whatever call stands here
  const idle = { to: account, data: "0x", value: 0n };
  let next = 0;
  for (; await senders.isKnown(chainId, nameOf(next)); next++) {
    const end = await senders.execute({ ...order, intentId: nameOf(next), call: idle }, legMs);
    if (end.status !== "landed") return end;
  }
  for (const call of await new TransactionBuilder(network, provider).approvals(token, account, spender, amount)) {
    const end = await senders.execute({ ...order, intentId: nameOf(next++), call }, legMs);
    if (end.status !== "landed") return end;
  }
  return null;
}
