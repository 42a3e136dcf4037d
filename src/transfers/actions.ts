/**
 * What a saga does in one step. Every action may run again at any point: what it signs goes by an intent of its own name, what it writes
 * is absolute or written once, and a transfer stands in the database before its first call is sent.
 */
import type { Bridge, BridgeCall, BridgeId, BridgeQuote, RecoverWish, TransferState, TransferStatus } from "../bridges/bridge.js";
import { speedUpToSign } from "../bridges/across.js";
import { ArbError } from "../errors.js";
import type { Failure } from "../execution/recovery-manager.js";
import type { Change } from "../inventory/inventory.js";
import type { CrossChainOpportunity } from "../opportunity/cross-chain.js";
import type { OpportunityHop } from "../opportunity/opportunity.js";
import { TransactionBuilder } from "../plan/transaction-builder.js";
import { IERC20__factory, IWETH9__factory } from "../../types/contracts/index.js";
import { type Quotes, spedUp } from "./quotes.js";
import type { Senders } from "./senders.js";
import { type TransferRow, type TransferStore, workflowOf } from "./store.js";
import { failureOf } from "./failures.js";

export interface ActionSettings {
  /** Longest that one step waits for a receipt, milliseconds. */
  legMs: number;
  slippagePpm: number;
  /** How long after the promised time a transfer counts as overdue, seconds. */
  graceSeconds: number;
  /** Longest that a swap may wait for its block, seconds. */
  swapSeconds: number;
  /** How long a network may have no new block, or give no answer, before that counts as a halt. Seconds. */
  haltSeconds: number;
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
  | { status: "failed"; failure: "leg-failed" | "price-gone"; detail: string; pool: string | null; spender: string | null }
  | { status: "open"; detail: string };

export type StartEnd =
  | { status: "started"; dueSeconds: number; amountIn: bigint }
  | { status: "failed"; detail: string; bridge: BridgeId }
  | { status: "open"; detail: string };

export interface Seen {
  state: TransferState;
  waitsFor: string;
  checkAgainSeconds: number;
  overdue: boolean;
  startPossible: boolean;
  /** What goes wrong with it, by what the chains show. Absent in steps of saga-1. */
  failure?: Failure | null;
  /** In what arrived; set in "delivered" and "refunded". */
  amount: bigint | null;
  /** What arrived is the native coin, to be wrapped. */
  native: boolean;
}

const PPM = 1_000_000n;
const approveSelector = IERC20__factory.createInterface().getFunction("approve").selector;

export class Actions {
  constructor(
    readonly senders: Senders,
    readonly store: TransferStore,
    readonly quotes: Quotes,
    readonly settings: ActionSettings,
  ) {}

  #intent = (saga: string, name: string): string => `${workflowOf(saga)}:${name}`;

  readonly #turns = new Map<string, Promise<unknown>>();

  /**
   * One after another for an account on a network: approvals are exact, and two sagas that sell the same token to the same contract would
   * use up each other's. An account has one driver, so a queue in this process is enough.
   */
  async #inTurn<T>(chainId: number, account: string, work: () => Promise<T>): Promise<T> {
    const key = `${chainId} ${account.toLowerCase()}`;
    const before = this.#turns.get(key) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.#turns.set(
      key,
      turn.catch(() => undefined),
    );
    return await turn;
  }

  /** One swap of a balance of ours, in the best pool of now. */
  async swap(saga: string, account: string, wish: LegWish): Promise<LegEnd> {
    return await this.#inTurn(wish.chainId, account, async () => await this.#swap(saga, account, wish));
  }

  async #swap(saga: string, account: string, wish: LegWish): Promise<LegEnd> {
    const { chainId, tokenIn, tokenOut, amountIn, leg } = wish;
    const venue = this.senders.venue(chainId, account);
    const intentId = this.#intent(saga, leg);
    const order = { chainId, account, intentId, holder: venue.holder };
    let pool: string | null = null;
    let spender: string | null = null;
    let call = { to: account, data: "0x", value: 0n };
    if (!(await this.senders.isKnown(chainId, intentId))) {
      await this.senders.mustMove(chainId, this.settings.haltSeconds);
      const { preferred, exceptPools } = wish;
      const [best] = await this.quotes.sales(account, chainId, { tokenIn, tokenOut, amountIn, preferred, except: exceptPools });
      const failed = (failure: "leg-failed" | "price-gone", detail: string): LegEnd => ({
        status: "failed",
        failure,
        detail,
        pool,
        spender,
      });
      if (!best) return failed("leg-failed", "no pool takes the amount");
      pool = best.hop.pool;
      if (best.amountOut < wish.floor)
        return failed("price-gone", `it would give ${best.amountOut}, at least ${wish.floor} is wanted`);
      const tolerated = best.amountOut - (best.amountOut * BigInt(this.settings.slippagePpm)) / PPM;
      const minOut = tolerated > wish.floor ? tolerated : wish.floor;
      spender = venue.spender(best.hop);
      if (spender !== null) {
        const approved = await this.#approve(saga, account, leg, chainId, tokenIn, spender, amountIn);
        if (approved.status === "open") return approved;
        if (approved.status === "failed") return failed("leg-failed", approved.detail);
      }
      // what will come belongs to this saga from the block that brings it
      const place = { chainId, holder: venue.holder };
      await this.store.own(saga, [
        { ...place, token: tokenOut, expected: best.amountOut },
        { ...place, token: tokenIn, amount: amountIn },
      ]);
      // by the chain's clock, or by ours where the chain has had no block for a while
      const now = Math.max(best.timestamp, Math.floor(Date.now() / 1000));
      call = venue.call({ hop: best.hop, amountIn, minOut, deadline: now + this.settings.swapSeconds });
    }
    const landing = await this.senders.execute({ ...order, call }, this.settings.legMs);
    const place = { chainId, holder: venue.holder };
    if (landing.status === "open") return landing;
    if (landing.status === "failed") {
      await this.store.own(saga, [
        { ...place, token: tokenOut },
        { ...place, token: tokenIn, amount: amountIn },
      ]);
      return { status: "failed", failure: "leg-failed", detail: landing.detail, pool, spender };
    }
    const change = await this.store.changeOf(chainId, intentId, venue.holder);
    const [paid, got] = [-(change.get(tokenIn.toLowerCase()) ?? 0n), change.get(tokenOut.toLowerCase()) ?? 0n];
    if (got <= 0n) throw new ArbError("network", `the journal has not booked ${landing.hash} yet`, { where: landing.hash });
    await this.store.own(saga, [
      { ...place, token: tokenIn, amount: amountIn - paid },
      { ...place, token: tokenOut, amount: got },
    ]);
    return { status: "done", amountIn: paid, amountOut: got, pool, hash: landing.hash };
  }

  /** Approvals of exactly the amount, each a transaction of its own; those of an earlier run are settled first. */
  async #approve(
    saga: string,
    account: string,
    leg: string,
    chainId: number,
    token: string,
    spender: string,
    amount: bigint,
  ): Promise<{ status: "done" } | { status: "failed"; detail: string } | { status: "open"; detail: string }> {
    const { network, provider } = this.senders.chain(chainId);
    let next = 0;
    const idle = { to: account, data: "0x", value: 0n };
    const name = (i: number) => this.#intent(saga, `${leg}.approve.${i}`);
    for (; await this.senders.isKnown(chainId, name(next)); next++) {
      const end = await this.senders.execute({ chainId, account, intentId: name(next), call: idle }, this.settings.legMs);
      if (end.status !== "landed") return end;
    }
    for (const call of await new TransactionBuilder(network, provider).approvals(token, account, spender, amount)) {
      const end = await this.senders.execute({ chainId, account, intentId: name(next++), call }, this.settings.legMs);
      if (end.status !== "landed") return end;
    }
    return { status: "done" };
  }

  /** Takes back what a contract of a failed step may still take. */
  async revoke(
    saga: string,
    account: string,
    i: number,
    at: { chainId: number; token: string; spender: string },
  ): Promise<boolean> {
    const { chainId, token, spender } = at;
    const intentId = this.#intent(saga, `revoke.${i}`);
    const contract = IERC20__factory.connect(token, this.senders.chain(chainId).provider);
    if (!(await this.senders.isKnown(chainId, intentId)) && (await contract.allowance(account, spender)) === 0n) return true;
    const call = { to: token, data: contract.interface.encodeFunctionData("approve", [spender, 0n]), value: 0n };
    return (await this.senders.execute({ chainId, account, intentId, call }, this.settings.legMs)).status !== "open";
  }

  /** Starts a transfer once. Its key is in the database before the first call is signed. */
  async start(saga: string, account: string, leg: string, quote: BridgeQuote): Promise<StartEnd> {
    const { fromChainId } = quote.request.route;
    return await this.#inTurn(fromChainId, account, async () => await this.#start(saga, account, leg, quote));
  }

  async #start(saga: string, account: string, leg: string, quote: BridgeQuote): Promise<StartEnd> {
    const { route } = quote.request;
    const bridge = this.#bridge(quote.bridge);
    const id = quote.request.id;
    let row = await this.store.transfer(id);
    const failed = (detail: string): StartEnd => ({ status: "failed", detail, bridge: quote.bridge });
    if (row?.ended === "not-started") return failed("its start failed before");
    const now = Math.floor(Date.now() / 1000);
    if (row === null) {
      await this.senders.mustMove(route.fromChainId, this.settings.haltSeconds);
      await this.senders.mustMove(route.toChainId, this.settings.haltSeconds);
      if (quote.expiresAt <= now) return failed("the quote ran out before it could be used");
      row = await this.store.record(saga, leg, quote, bridge.start(quote).key, quote.etaSeconds + this.settings.graceSeconds);
    }
    const recorded = row.quote;
    const dueSeconds = recorded.etaSeconds + this.settings.graceSeconds;
    if (row.startedAt !== null) return { status: "started", dueSeconds, amountIn: recorded.amountIn };
    const from = this.senders.venue(route.fromChainId, account).holder;
    const to = this.senders.venue(route.toChainId, account).holder;
    await this.store.own(saga, [{ chainId: route.toChainId, holder: to, token: route.tokenOut, expected: recorded.amountIn }]);
    const { calls } = bridge.start(recorded);
    let hash = "";
    for (const [i, call] of calls.entries()) {
      const end = await this.senders.execute(
        { chainId: call.chainId, account, intentId: `${id}.${i}`, call, holder: from },
        this.settings.legMs,
      );
      if (end.status === "open") return end;
      if (end.status === "failed") {
        await this.store.notStarted(id);
        await this.store.own(saga, [{ chainId: route.toChainId, holder: to, token: route.tokenOut }]);
        return failed(end.detail);
      }
      hash = end.hash;
    }
    const key = bridge.started(row.key, await this.senders.receipt(route.fromChainId, hash));
    await this.store.started(row, key, [{ chainId: route.fromChainId, holder: from, token: route.tokenIn }]);
    return { status: "started", dueSeconds, amountIn: recorded.amountIn };
  }

  /** Whether a leg's swap is signed: one that is not, and whose name is not used again, never happens. */
  async isSigned(saga: string, chainId: number, leg: string): Promise<boolean> {
    return await this.senders.isKnown(chainId, this.#intent(saga, leg));
  }

  /** Notes that a transfer will not be started, unless its start is signed. */
  async abandonStart(saga: string, account: string, quote: BridgeQuote): Promise<boolean> {
    const { route, id } = quote.request;
    const row = await this.store.transfer(id);
    if (row === null) return true;
    const last = this.#bridge(row.bridge).start(row.quote).calls.length - 1;
    if (row.startedAt !== null || (await this.senders.isKnown(route.fromChainId, `${id}.${last}`))) return false;
    await this.store.notStarted(id);
    const to = this.senders.venue(route.toChainId, account).holder;
    await this.store.own(saga, [{ chainId: route.toChainId, holder: to, token: route.tokenOut }]);
    return true;
  }

  /** Contracts that a transfer's start let take tokens. */
  spenders(quote: BridgeQuote): { chainId: number; token: string; spender: string }[] {
    const { calls } = this.#bridge(quote.bridge).start(quote);
    return calls
      .filter((c) => c.data.startsWith(approveSelector))
      .map((c) => ({ chainId: c.chainId, token: c.to, spender: `0x${c.data.slice(34, 74)}` }));
  }

  /** One look at a transfer; what has arrived is booked, once. */
  async track(account: string, id: string): Promise<Seen> {
    const row = await this.store.transfer(id);
    if (!row) throw new ArbError("internal", `the transfer ${id} is not in the database`);
    const status = await this.#bridge(row.bridge).track(row.key, (chainId) => this.senders.view(chainId));
    const overdue = row.due.getTime() < Date.now();
    if (row.state !== status.state && row.ended === null && status.arrival === null) await this.store.noteState(id, status.state);
    if (overdue) await this.quotes.monitor.judge(row.bridge);
    const { arrival } = status;
    const native = arrival !== null && /^0x0{40}$/.test(arrival.token);
    if (arrival !== null) await this.#book(account, row.quote, status, id);
    return {
      state: status.state,
      waitsFor: status.waitsFor,
      checkAgainSeconds: status.checkAgainSeconds,
      overdue,
      startPossible: status.facts["startPossible"] !== "false",
      failure: failureOf({ bridge: row.bridge, status, overdue, ...(await this.#trouble(row, status, overdue)) }),
      amount: arrival?.amount ?? null,
      native,
    };
  }

  /** What only more questions show; asked where a transfer is late. */
  async #trouble(
    { quote, bridge }: TransferRow,
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
    return { underpaid: await this.quotes.asksMore(quote), halted };
  }

  async #book(account: string, quote: BridgeQuote, status: TransferStatus, id: string): Promise<void> {
    const row = await this.store.transfer(id);
    const { arrival, state } = status;
    if (!row || row.ended !== null || arrival === null) return;
    const ended = state === "refunded" ? "refunded" : "delivered";
    const { route } = quote.request;
    const holder = this.senders.venue(arrival.chainId, account).holder;
    const token = ended === "refunded" ? route.tokenIn : route.tokenOut;
    const changes: Change[] = [{ chainId: arrival.chainId, holder, token, amount: arrival.amount }];
    // refunded: nothing is expected on the other side any more
    if (ended === "refunded") {
      const there = this.senders.venue(route.toChainId, account).holder;
      changes.push({ chainId: route.toChainId, holder: there, token: route.tokenOut });
    }
    await this.store.arrived(row, ended, holder, arrival, changes);
  }

  /** Wraps what arrived as the native coin. */
  async wrap(
    saga: string,
    account: string,
    name: string,
    chainId: number,
    amount: bigint,
  ): Promise<{ done: boolean; detail: string }> {
    const { network } = this.senders.chain(chainId);
    const data = IWETH9__factory.createInterface().encodeFunctionData("deposit");
    const call = { to: network.wrappedNative, data, value: amount };
    const end = await this.senders.execute({ chainId, account, intentId: this.#intent(saga, name), call }, this.settings.legMs);
    return { done: end.status === "landed", detail: end.status === "landed" ? "" : end.detail };
  }

  /** The call that finishes a transfer, or brings it on; null where the bridge has none now. */
  async push(
    saga: string,
    account: string,
    name: string,
    id: string,
    wish: RecoverWish | "claim",
  ): Promise<{ sent: boolean; open: boolean; detail: string }> {
    const row = await this.store.transfer(id);
    if (!row) throw new ArbError("internal", `the transfer ${id} is not in the database`);
    const bridge = this.#bridge(row.bridge);
    const views = (chainId: number) => this.senders.view(chainId);
    const more = wish === "speed-up" ? this.#speedUp(account, row.quote, row.key) : {};
    let call: BridgeCall | null;
    if (wish === "claim") call = await bridge.claim(row.key, views);
    else call = await bridge.recover(row.key, wish, views, more);
    const intentId = this.#intent(saga, name);
    if (call === null) return { sent: false, open: false, detail: "the bridge has nothing to be called now" };
    const end = await this.senders.execute({ chainId: call.chainId, account, intentId, call }, this.settings.legMs);
    return {
      sent: end.status === "landed",
      open: end.status === "open",
      detail: end.status === "landed" ? call.purpose : end.detail,
    };
  }

  #speedUp(account: string, quote: BridgeQuote, key: Parameters<typeof speedUpToSign>[0]): Record<string, string> {
    if (key.bridge !== "across") return {};
    const outputAmount = spedUp(quote);
    const { domain, types, value } = speedUpToSign(key, outputAmount);
    const wallet = this.senders.wallets.find((w) => w.address.toLowerCase() === account.toLowerCase());
    if (!wallet) throw new ArbError("secrets", `this driver has no key of ${account}`);
    return { outputAmount: String(outputAmount), signature: wallet.signTypedData(domain, types, value) };
  }

  #bridge(id: BridgeId): Bridge {
    return this.quotes.monitor.bridge(id);
  }

  /** Where a trade's tokens are held on a network. */
  holder(o: CrossChainOpportunity, account: string, where: "buy" | "sell"): string {
    return this.senders.venue(o[where].chainId, account).holder;
  }
}
