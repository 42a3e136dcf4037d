/**
 * What a saga does in one step. Every action may run again at any point: what it signs goes by an intent of its own name, what it writes
 * is absolute or written once, and a transfer stands in the database before its first call is sent.
 */
import type { TransferStatus } from "../bridges/bridge.js";
import { BridgeExecutor, type BridgeSettings, intentOf, type Seen } from "../bridges/bridge-executor.js";
import { ArbError } from "../errors.js";
import type { Failure } from "../execution/recovery-manager.js";
import type { CrossChainOpportunity } from "../opportunity/cross-chain.js";
import type { Ownership } from "../journal/owner.js";
import type { OpportunityHop } from "../opportunity/opportunity.js";
import { IERC20__factory } from "../../types/contracts/index.js";
import { approve, approvalIn, type Loose, staysApproved } from "./approvals.js";
import type { Quotes } from "./quotes.js";
import type { Senders } from "./senders.js";
import { failureOf } from "./failures.js";
import type { TransferRow } from "./rows.js";
import type { TransferStore } from "./store.js";
import { turnOf, Turns } from "./turns.js";
import type { Owner } from "./types.js";

export interface ActionSettings extends BridgeSettings {
  slippagePpm: number;
  /** Longest that a swap may wait for its block, seconds. */
  swapSeconds: number;
}

export interface LegWish {
  /** Name of the leg, unique in its saga: part of its intents. */
  leg: string;
  chainId: number;
  tokenIn: string;
  tokenOut: string;
  amountIn: bigint;
  /** Least output; the slippage below the quote counts as well. */
  floor: bigint;
  preferred: OpportunityHop | null;
  exceptPools: string[];
}

export type LegEnd =
  | { status: "done"; amountIn: bigint; amountOut: bigint; pool: string | null; hash: string }
  | {
      status: "failed";
      failure: "leg-failed" | "price-gone";
      detail: string;
      pool: string | null;
      spender: string | null;
      /** What may still take tokens for it. Absent in earlier steps. */
      approved?: Loose;
    }
  | { status: "open"; detail: string };

/** A transfer as a saga sees it. */
export interface Watched extends Seen {
  /** What goes wrong with it, by what the chains show. Absent in steps of saga-1. */
  failure?: Failure | null;
}

const PPM = 1_000_000n;

export class Actions {
  constructor(
    readonly senders: Senders,
    readonly store: TransferStore,
    readonly quotes: Quotes,
    readonly settings: ActionSettings,
  ) {
    this.bridges = new BridgeExecutor(senders, store, quotes.monitor, settings, this.#turns);
  }

  readonly #turns = new Turns();
  /** Accounts that are about to be handed over. */
  readonly #leaving = new Set<string>();
  readonly bridges: BridgeExecutor;

  /** Hands an account over to the driver that waits for it, when the leg in progress is done. */
  async handOver({ chainId, account }: Pick<Ownership, "chainId" | "account">): Promise<void> {
    const turn = turnOf(chainId, account);
    if (this.#leaving.has(turn)) return;
    this.#leaving.add(turn);
    try {
      await this.#turns.take(turn, async () => await this.senders.handOver({ chainId, account }));
    } finally {
      this.#leaving.delete(turn);
    }
  }

  /** One swap of a balance of ours, in the best pool of now. */
  async swap(owner: Owner, wish: LegWish): Promise<LegEnd> {
    return await this.#turns.take(turnOf(wish.chainId, owner.account), async () => await this.#swap(owner, wish));
  }

  async #swap(owner: Owner, wish: LegWish): Promise<LegEnd> {
    const { saga, account, workflow } = owner;
    const { chainId, tokenIn, tokenOut, amountIn, leg } = wish;
    const venue = this.senders.venue(chainId, account);
    const intentId = intentOf(saga, leg);
    const sender = { chainId, account, intentId, workflow, holder: venue.holder };
    let pool: string | null = null;
    let spender: string | null = null;
    let call = { to: account, data: "0x", value: 0n };
    if (!(await this.senders.isKnown(chainId, intentId))) {
      await this.senders.mustMove(chainId, this.settings.haltSeconds);
      const { preferred, exceptPools } = wish;
      const refused: string[] = [];
      const order = { tokenIn, tokenOut, amountIn, preferred, except: exceptPools, refused };
      const [best] = await this.quotes.sales(account, chainId, order);
      const failed = async (failure: "leg-failed" | "price-gone", detail: string): Promise<LegEnd> => {
        // an earlier look may have approved it, and was cut off before it was signed
        const approved = spender === null ? await this.#approvedFor(saga, chainId, leg) : { chainId, token: tokenIn, spender };
        const end = { status: "failed", failure, detail, pool, spender } as const;
        return approved === null ? end : { ...end, approved };
      };
      if (!best) return await failed("leg-failed", ["no pool takes the amount", ...refused].join("; "));
      pool = best.hop.pool;
      if (best.amountOut < wish.floor)
        return await failed("price-gone", `it would give ${best.amountOut}, at least ${wish.floor} is wanted`);
      const tolerated = best.amountOut - (best.amountOut * BigInt(this.settings.slippagePpm)) / PPM;
      const minOut = tolerated > wish.floor ? tolerated : wish.floor;
      spender = venue.spender(best.hop);
      if (spender !== null) {
        const approval = { chainId, token: tokenIn, spender, amount: amountIn };
        const nameOf = (i: number) => intentOf(saga, `${leg}.approve.${i}`);
        const end = await approve(this.senders, owner, approval, nameOf, this.settings.legMs);
        if (end?.status === "open") return end;
        if (end !== null) return await failed("leg-failed", end.detail);
      }
      // what will come belongs to this saga from the block that brings it
      const place = { chainId, holder: venue.holder };
      await this.store.own(owner, [
        { ...place, token: tokenOut, expected: best.amountOut },
        { ...place, token: tokenIn, amount: amountIn },
      ]);
      // by the chain's clock, or by ours where the chain has had no block for a while
      const now = Math.max(best.timestamp, Math.floor(Date.now() / 1000));
      call = venue.call({ hop: best.hop, amountIn, minOut, deadline: now + this.settings.swapSeconds });
    }
    const landing = await this.senders.execute({ ...sender, call }, this.settings.legMs);
    const place = { chainId, holder: venue.holder };
    if (landing.status === "open") return landing;
    if (landing.status === "failed") {
      await this.store.own(owner, [
        { ...place, token: tokenOut },
        { ...place, token: tokenIn, amount: amountIn },
      ]);
      // signed by an earlier look, which knew its pool
      const approved = spender === null ? await this.#approvedFor(saga, chainId, leg) : { chainId, token: tokenIn, spender };
      const end = { status: "failed", failure: "leg-failed", detail: landing.detail, pool, spender } as const;
      return approved === null ? end : { ...end, approved };
    }
    const change = await this.store.changeOf(chainId, intentId, venue.holder);
    const [paid, got] = [-(change.get(tokenIn.toLowerCase()) ?? 0n), change.get(tokenOut.toLowerCase()) ?? 0n];
    if (got <= 0n) throw new ArbError("network", `the journal has not booked ${landing.hash} yet`, { where: landing.hash });
    await this.store.own(owner, [
      { ...place, token: tokenIn, amount: amountIn - paid },
      { ...place, token: tokenOut, amount: got },
    ]);
    return { status: "done", amountIn: paid, amountOut: got, pool, hash: landing.hash };
  }

  /** Takes back what a contract of a failed step may still take; false while that has no end. Where it fails, that is told. */
  async revoke(owner: Owner, name: string, at: Loose): Promise<boolean> {
    // another trade may be between its approval of the same contract and the call that takes it
    return await this.#turns.take(turnOf(at.chainId, owner.account), async () => await this.#revoke(owner, name, at));
  }

  async #revoke(owner: Owner, name: string, at: Loose): Promise<boolean> {
    const { saga, account, workflow } = owner;
    const { chainId, token, spender } = at;
    const intentId = intentOf(saga, name);
    const contract = IERC20__factory.connect(token, this.senders.chain(chainId).provider);
    if (!(await this.senders.isKnown(chainId, intentId)) && (await contract.allowance(account, spender)) === 0n) return true;
    const call = { to: token, data: contract.interface.encodeFunctionData("approve", [spender, 0n]), value: 0n };
    const end = await this.senders.execute({ chainId, account, intentId, workflow, call }, this.settings.legMs);
    if (end.status === "failed") this.senders.onFault(staysApproved(owner, at, end.detail));
    return end.status !== "open";
  }

  /** What was approved for a leg, by the journal; null for nothing. */
  async #approvedFor(saga: string, chainId: number, leg: string): Promise<Loose | null> {
    const signed = await this.senders.signed(chainId, intentOf(saga, `${leg}.approve.0`));
    return signed && approvalIn({ chainId, ...signed });
  }

  /** Whether a leg's swap is signed: one that is not, and whose name is not used again, never happens. */
  async isSigned(saga: string, chainId: number, leg: string): Promise<boolean> {
    return await this.senders.isKnown(chainId, intentOf(saga, leg));
  }

  /** One look at a transfer, with what goes wrong with it. */
  async track(owner: Owner, id: string): Promise<Watched> {
    const { row, status, seen } = await this.bridges.look(owner, id);
    const trouble = await this.#trouble(row, status, seen.overdue);
    return { ...seen, failure: failureOf({ bridge: row.bridge, status, overdue: seen.overdue, ...trouble }) };
  }

  /** What only more questions show; asked where a transfer is late. */
  async #trouble(
    { quote, bridge, offered }: TransferRow,
    { state, waitsFor }: TransferStatus,
    overdue: boolean,
  ): Promise<{ underpaid: boolean; halted: string | null }> {
    if (state !== "slow" && !(overdue && (state === "initiated" || state === "attesting")))
      return { underpaid: false, halted: null };
    const { route } = quote.request;
    const halted =
      (await this.senders.haltOf(route.fromChainId, this.settings.haltSeconds)) ??
      (await this.senders.haltOf(route.toChainId, this.settings.haltSeconds));
    // a fill that waits for its final block has been paid for
    if (bridge !== "across" || halted !== null || !/relayer/.test(waitsFor)) return { underpaid: false, halted };
    return { underpaid: await this.quotes.asksMore(quote, offered ?? quote.amountOut), halted };
  }

  /** Where a trade's tokens are held on a network. */
  holder(o: CrossChainOpportunity, account: string, where: "buy" | "sell"): string {
    return this.senders.venue(o[where].chainId, account).holder;
  }
}
