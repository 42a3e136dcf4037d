/** Sends the calls that finish what a scan found, each once. */
import { keccak256 } from "ethers";
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
 * looked at, not sent again; one that failed is tried anew. Raises what `Senders.execute` raises.
 */
export async function finishFound(found: Found[], senders: Senders, account: string, deadlineMs: number): Promise<Finished[]> {
  const done: Finished[] = [];
  for (const item of found) {
    if (item.finish === null) continue;
    const { chainId, data, to, value } = item.finish;
    const name = `recover/${keccak256(data).slice(0, 18)}`;
    for (let i = 0; ; i++) {
      const intentId = `${name}/${i}`;
      const isKnown = await senders.isKnown(chainId, intentId);
      const end = await senders.execute({ chainId, account, intentId, call: { to, data, value } }, deadlineMs);
      if (isKnown && end.status === "failed") continue;
      const hash = end.status === "landed" ? end.hash : null;
      done.push({
        found: item,
        sent: end.status === "landed",
        hash,
        detail: end.status === "landed" ? item.finish.purpose : end.detail,
      });
      break;
    }
  }
  return done;
}
