/** Sends the calls that finish what a scan found, each once. */
import { keccak256 } from "ethers";
import { sameAddress } from "../venues/swap.js";
import type { Found } from "./scan.js";
import type { Senders } from "./senders.js";

/** What became of a call. `sent`: it is in a block and passed. */
export interface Finished {
  found: Found;
  sent: boolean;
  hash: string | null;
  detail: string;
}

/**
 * Sends what can be finished, by `account`, one after the other. A call is named by its bytes in the journal: one that is on its way is
 * looked at, not sent again; one that failed is tried anew. Bytes recur, as in every claim of a token's refunds: one that landed before
 * the scan saw what is to be finished now was for something else, and the next is sent. Where it cannot be told whether the scan saw it,
 * nothing is sent. Raises what `Senders.execute` raises.
 */
export async function finishFound(
  found: Found[],
  senders: Pick<Senders, "execute" | "isKnown" | "signed">,
  account: string,
  deadlineMs: number,
): Promise<Finished[]> {
  const done: Finished[] = [];
  for (const item of found) {
    if (item.finish === null) continue;
    const { chainId, data, to, value, purpose } = item.finish;
    const { from, to: until } = item.seen ?? { from: -1, to: -1 };
    const name = `recover/${keccak256(data).slice(0, 18)}`;
    for (let i = 0; ; i++) {
      const intentId = `${name}/${i}`;
      const isKnown = await senders.isKnown(chainId, intentId);
      const signed = isKnown ? await senders.signed(chainId, intentId) : null;
      // two vaults claim by the same bytes
      if (signed !== null && !sameAddress(signed.to, to)) continue;
      const end = await senders.execute({ chainId, account, intentId, call: { to, data, value } }, deadlineMs);
      if (isKnown && end.status === "failed") continue;
      if (end.status !== "landed") {
        done.push({ found: item, sent: false, hash: null, detail: end.detail });
        break;
      }
      const { hash, blockNumber } = end;
      if (isKnown && blockNumber <= from) continue;
      const isUnsure = isKnown && blockNumber <= until;
      const detail = isUnsure
        ? `the same call is in block ${blockNumber}, and it is not sure that the scan saw that: scan again when it is final`
        : purpose;
      done.push({ found: item, sent: !isUnsure, hash, detail });
      break;
    }
  }
  return done;
}
