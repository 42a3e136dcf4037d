/** How a saga ends: its books, what is left of it, and its net result. */
import type { SagaOutcome } from "../execution/recovery-manager.js";
import { databaseError } from "../journal/sql.js";
import type { SlotState } from "../journal/types.js";
import { sameAddress } from "../venues/swap.js";
import type { Actions } from "./actions.js";
import { faultKindOf } from "./faults.js";
import type { SagaRow } from "./rows.js";
import { workflowOf } from "./store.js";
import type { BookLine, SagaResult } from "./types.js";

/** Whether every transaction of a saga is in a final block. One that was taken back and is open again is not. */
export async function allFinal(actions: Actions, saga: string): Promise<boolean> {
  return (await pending(actions, saga, ["open", "mined"])) === 0;
}

/** Transactions of a saga that are signed and have no end yet. */
export async function openCalls(actions: Actions, saga: string): Promise<number> {
  return await pending(actions, saga, ["open"]);
}

/**
 * Transactions of a saga in these states. Their accounts are watched by somebody from now on: a driver that was killed had those of networks
 * on which the saga has nothing more to send.
 */
async function pending({ store, senders }: Actions, saga: string, states: SlotState[]): Promise<number> {
  const counting = store.db.pool.query<{ chain: string; account: string; pending: number }>(
    `select chain_id as chain, account, count(*)::int as pending
     from journal.intent t join journal.slot s using (chain_id, account, nonce)
     where starts_with(t.id, $1) and s.state = any($2) group by chain_id, account`,
    [`${workflowOf(saga)}:`, states],
  );
  const { rows } = await counting.catch((error: unknown) => {
    throw databaseError(error, `the transactions of ${saga} cannot be counted`);
  });
  for (const { chain, account } of rows) await senders.watch(Number(chain), account);
  return rows.reduce((sum, r) => sum + r.pending, 0);
}

/** Which prices a result needs: those of "now" on both networks; where one is silent, "any"; "none": what has no price counts as the start had it, gas not at all. */
export type Prices = "now" | "any" | "none";

/**
 * The result by the books. What is left beside the profit token is valued at the price at which the network of the target leg takes it.
 * Raises "network" where a price cannot be read that is needed.
 */
export async function closeBooks(
  actions: Actions,
  saga: SagaRow,
  end: { outcome: SagaOutcome | "as-planned"; reason: string; final: boolean; decisions: SagaResult["decisions"] },
  prices: Prices = "now",
): Promise<SagaResult> {
  const { opportunity: o, account, estimate } = saga;
  const { quotes, store } = actions;
  const lines = new Map<string, BookLine>();
  for (const holder of new Set(
    [account, actions.holder(o, account, "buy"), actions.holder(o, account, "sell")].map((h) => h.toLowerCase()),
  ))
    for (const line of await store.books(saga.id, holder)) {
      const key = `${line.chainId} ${line.asset}`;
      const known = lines.get(key);
      lines.set(key, known ? { ...line, amount: known.amount + line.amount, gas: known.gas + line.gas } : line);
    }
  const books = [...lines.values()];
  const profitTokens = new Map([
    [o.buy.chainId, o.buy.tokenIn],
    [o.sell.chainId, o.sell.tokenOut],
  ]);
  const isProfit = (b: BookLine) => sameAddress(profitTokens.get(b.chainId) ?? "", b.asset);
  const profit = books.filter(isProfit).reduce((sum, b) => sum + b.amount, 0n);
  const costIn = async (chainId: number, wei: bigint, token: string): Promise<bigint> => {
    const [other] = [...profitTokens].filter(([id]) => id !== chainId);
    if (prices === "none") return 0n;
    try {
      return await quotes.costIn(chainId, wei, token);
    } catch (error) {
      if (prices === "now" || !isSilence(error) || !other) throw error;
      // the coin of both networks is the same, and so is the profit token
      return await quotes.costIn(other[0], wei, other[1]);
    }
  };
  let gasCost = 0n;
  for (const b of books.filter((line) => line.asset === "native")) {
    const token = profitTokens.get(b.chainId);
    if (token === undefined) continue;
    // fees of bridges leave as value, refunds of them come back unseen: what left counts
    const wei = b.gas - b.amount;
    gasCost += wei >= 0n ? await costIn(b.chainId, wei, token) : -(await costIn(b.chainId, -wei, token));
  }
  const left = books.filter((b) => !isProfit(b) && b.asset !== "native").reduce((sum, b) => sum + b.amount, 0n);
  const residual = await worthOf(actions, saga, left, prices);
  const net = profit + residual - gasCost;
  const outcome = end.outcome === "as-planned" ? (net > 0n ? "profit" : "loss") : end.outcome;
  const { reason, final, decisions } = end;
  return { outcome, reason, profit, residual, gasCost, net, expected: estimate.profit, books, final, decisions };
}

/** What an amount of the token that travels is worth in the profit token: sold where it is dearest, or bought again where it misses. */
async function worthOf(
  actions: Actions,
  { opportunity: o, account, estimate }: SagaRow,
  amount: bigint,
  prices: Prices,
): Promise<bigint> {
  if (amount === 0n) return 0n;
  const size = amount > 0n ? amount : -amount;
  const worths: bigint[] = [];
  for (const [chainId, tokenIn, tokenOut] of [
    [o.sell.chainId, o.sell.tokenIn, o.sell.tokenOut],
    [o.buy.chainId, o.buy.tokenOut, o.buy.tokenIn],
  ] as const) {
    if (prices === "none") break;
    let best;
    try {
      [best] = await actions.quotes.sales(account, chainId, { tokenIn, tokenOut, amountIn: size });
    } catch (error) {
      if (prices === "now" || !isSilence(error)) throw error;
    }
    if (best) worths.push(best.amountOut);
  }
  const [first] = worths.toSorted((a, b) => (a > b ? -1 : a < b ? 1 : 0));
  // no pool takes it now: the price of the start
  const worth = first ?? (estimate.bought === 0n ? 0n : (size * estimate.sold) / estimate.bought);
  return amount > 0n ? worth : -worth;
}

const isSilence = (error: unknown): boolean => faultKindOf(error) === "silent";
