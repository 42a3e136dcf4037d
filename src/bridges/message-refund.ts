/** What a bridge gives back, in the transaction of a start, of the native fee that went with it: ETH that no log shows. */
import { classifyNodeError } from "../chain/errors.js";
import { ArbError } from "../errors.js";
import type { Senders } from "../transfers/senders.js";
import type { TransferRow, TransferStore } from "../transfers/store.js";

/**
 * Books it by the sender's balance before and after the start's block, less what the journal says that our transactions did there.
 * Only what can be such a refund counts, between nothing and the whole fee. Where a node has no state of that block any more nothing is
 * booked and it is told: the books then show a fee that is a little too high.
 */
export async function bookMessageRefund(
  { senders, store }: { senders: Senders; store: TransferStore },
  row: TransferRow,
  startTx: string,
): Promise<void> {
  const { nativeFee, request } = row.quote;
  if (nativeFee === 0n) return;
  const chainId = request.route.fromChainId;
  const { provider, network } = senders.chain(chainId);
  const { blockNumber } = await senders.receipt(chainId, startTx);
  let change: bigint;
  try {
    const [before, after] = await Promise.all([
      provider.getBalance(request.sender, blockNumber - 1),
      provider.getBalance(request.sender, blockNumber),
    ]);
    change = after - before;
  } catch (error) {
    const { message } = classifyNodeError(error);
    const told = `what came back of the fee of ${row.id} is not known: ${message}`;
    senders.onFault(new ArbError("network", told, { where: network.name }));
    return;
  }
  const refund = change - (await store.nativeChange(chainId, request.sender, blockNumber));
  if (refund > 0n && refund <= nativeFee) await store.feeRefund(row.id, refund);
}
