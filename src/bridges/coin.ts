/** The coin that moves in a bridge's start without a log. */
import { setTimeout as sleep } from "node:timers/promises";
import { IWETH9__factory } from "../../types/contracts/index.js";
import { ArbError } from "../errors.js";
import type { Senders } from "../transfers/senders.js";
import type { TransferStore } from "../transfers/store.js";
import type { BridgeCall } from "./bridge.js";

const weth9 = IWETH9__factory.createInterface();

export interface CoinCall {
  /** Id of the transfer that is started. */
  transfer: string;
  account: string;
  /** Who calls the bridge: the account, or its vault. */
  holder: string;
  call: Pick<BridgeCall, "chainId" | "value">;
  /** Where it landed. */
  at: { hash: string; blockNumber: number };
}

/** Wei that a call takes out of wrapped coin: to the account, without a log that says so. 0n for any other call. */
export function unwrappedBy({ data }: Pick<BridgeCall, "data">): bigint {
  const { selector } = weth9.getFunction("withdraw");
  return data.startsWith(selector) ? (weth9.decodeFunctionData("withdraw", data)[0] as bigint) : 0n;
}

/** How long the journal may take to book what else an account did in a block. */
const BOOKING_MS = 10_000;
const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

/**
 * What a bridge gives back of the value of its start, and what a vault passes on of it, leaves no log. The vault keeps nothing; what came
 * back is what the account's balance of that block has beyond the journal's entries. Where that cannot be told, it is said to `onFault`,
 * and the books have the whole value as spent. Raises "network" where the journal has not booked the call itself yet.
 */
export async function bookCoin(
  { senders, store }: { senders: Pick<Senders, "chain" | "onFault">; store: Pick<TransferStore, "coinIn" | "unseen"> },
  { transfer, account, holder, call, at }: CoinCall,
  bookingMs: number = BOOKING_MS,
): Promise<void> {
  const { chainId, value } = call;
  const { provider, network } = senders.chain(chainId);
  const until = performance.now() + bookingMs;
  for (;;) {
    const booked = await store.coinIn(chainId, account, at.hash, at.blockNumber);
    if (booked === null) throw new ArbError("network", `the journal has not booked ${at.hash} yet`, { where: at.hash });
    if (holder.toLowerCase() !== account.toLowerCase()) await store.unseen(transfer, chainId, at.hash, holder, -value);
    const blocks = [at.blockNumber - 1, at.blockNumber];
    const read = await Promise.all(
      blocks.map(async (n) => await Promise.all([provider.getBalance(account, n), provider.getTransactionCount(account, n)])),
    ).catch(asError);
    let said = "other money moved in that block";
    if (read instanceof Error) said = read.message;
    else {
      const [[balanceBefore, countBefore], [balance, count]] = read as [[bigint, number], [bigint, number]];
      // what the journal books in a moment looks like other money
      if (booked.transactions < count - countBefore) {
        if (performance.now() < until) {
          await sleep(bookingMs / 50);
          continue;
        }
        said = "a transaction of that block is not in them either";
      } else {
        const back = balance - balanceBefore - booked.sum;
        if (back === 0n) return;
        if (back > 0n && back <= value) return await store.unseen(transfer, chainId, at.hash, account, back);
      }
    }
    // the books then have the whole value as spent, which is never too little
    const what = `what ${at.hash} gave back of its value on ${network.title} is not in the books: ${said}`;
    senders.onFault(new ArbError("network", what, { where: transfer }));
    return;
  }
}
