/**
 * Transfers by bridges, from their start to their end: started exactly once from what stands in the database, looked at, finished or
 * brought on through the bridge's interface, and booked when the money has arrived.
 */
import { IWETH9__factory } from "../../types/contracts/index.js";
import { ArbError } from "../errors.js";
import type { Change } from "../inventory/inventory.js";
import type { IntentOutcome } from "../journal/notes.js";
import type { Senders } from "../transfers/senders.js";
import type { TransferRow } from "../transfers/rows.js";
import { type TransferStore, workflowOf } from "../transfers/store.js";
import { turnOf, Turns } from "../transfers/turns.js";
import { approvalIn, approve, type Loose } from "../transfers/approvals.js";
import type { Owner } from "../transfers/types.js";
import { speedUpToSign } from "./across.js";
import { bookCoin, unwrappedBy } from "./coin.js";
import type {
  Bridge,
  BridgeCall,
  BridgeId,
  BridgeQuote,
  RecoverWish,
  TransferKey,
  TransferState,
  TransferStatus,
} from "./bridge.js";
import { REFUNDING } from "./bridge.js";
import type { BridgeMonitor } from "./monitor.js";

export interface BridgeSettings {
  /** Longest that one step waits for a receipt, milliseconds. */
  legMs: number;
  /** How long after the promised time a transfer counts as overdue, seconds. */
  graceSeconds: number;
  /** How long a network may have no new block, or give no answer, before that counts as a halt. Seconds. */
  haltSeconds: number;
}

export type StartEnd =
  | { status: "started"; dueSeconds: number; amountIn: bigint }
  | { status: "failed"; detail: string; bridge: BridgeId }
  | { status: "open"; detail: string };

export interface Seen {
  state: TransferState;
  waitsFor: string;
  checkAgainSeconds: number;
  overdue: boolean;
  /** False where its start is undone for good. */
  startPossible: boolean;
  /** In what arrived; set in "delivered" and "refunded". */
  amount: bigint | null;
  /** What arrived is the native coin, to be wrapped. */
  native: boolean;
  /** Least output that relayers were offered after the start. */
  offered?: bigint;
  /** Whether the bridge can be asked to fill it itself, or was. Absent where it cannot, and in earlier steps. */
  slowFill?: SlowFill;
}

export type SlowFill = "possible" | "asked";

/** What became of a call that finishes a transfer or brings it on. Neither `sent` nor `open`: there was nothing to call, or it failed. */
export interface Pushed {
  sent: boolean;
  open: boolean;
  detail: string;
  /** False: there was nothing to call, whatever became of an earlier call. */
  called?: false;
}

/** States in which what was sent comes back, if anything. */
const COMES_BACK: ReadonlySet<TransferState> = new Set(["expired", "refunding"]);

/** What became of a wrap. One that is "open" is looked at again under its own name; a failed one needs another. */
export type Wrapped = { status: "done" } | { status: "open" | "failed"; detail: string };

/**
 * Every method may run again at any point: what it signs goes by an intent of its own name, and what it books is booked once. Raises
 * "network" and "locked" where it must be tried again.
 */
export class BridgeExecutor {
  constructor(
    readonly senders: Senders,
    readonly store: TransferStore,
    readonly monitor: BridgeMonitor,
    readonly settings: BridgeSettings,
    readonly turns: Turns = new Turns(),
  ) {}

  /** Starts a transfer once. Its key is in the database before the first call is signed; a second start goes on with the recorded quote. */
  async start(owner: Owner, leg: string, quote: BridgeQuote): Promise<StartEnd> {
    const turn = turnOf(quote.request.route.fromChainId, owner.account);
    return await this.turns.take(turn, async () => await this.#start(owner, leg, quote));
  }

  async #start(owner: Owner, leg: string, quote: BridgeQuote): Promise<StartEnd> {
    const { account, workflow } = owner;
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
      row = await this.store.record(owner, leg, quote, bridge.start(quote).key, quote.etaSeconds + this.settings.graceSeconds);
    }
    const recorded = row.quote;
    const dueSeconds = recorded.etaSeconds + this.settings.graceSeconds;
    if (row.startedAt !== null) return { status: "started", dueSeconds, amountIn: recorded.amountIn };
    const from = this.senders.venue(route.fromChainId, account).holder;
    const to = this.senders.venue(route.toChainId, account).holder;
    const expected = { chainId: route.toChainId, holder: to, token: route.tokenOut };
    await this.store.own(owner, [{ ...expected, expected: recorded.amountIn }]);
    const { calls } = bridge.start(recorded);
    const isSigned = await this.senders.isKnown(route.fromChainId, `${id}.${calls.length - 1}`);
    let hash = "";
    for (const [i, call] of calls.entries()) {
      const intentId = `${id}.${i}`;
      const approval = approvalIn(call);
      let end;
      if (approval === null) {
        const order = { chainId: call.chainId, account, intentId, workflow, call, holder: from };
        end = await this.senders.execute(order, this.settings.legMs);
      } else if (isSigned) continue;
      else {
        // another trade may have used up what was approved here before this driver, or the last one, was killed
        const nameOf = (n: number) => (n === 0 ? intentId : `${intentId}.${n}`);
        end = await approve(this.senders, owner, approval, nameOf, this.settings.legMs);
        if (end === null) continue;
      }
      if (end.status === "open") return end;
      if (end.status === "failed") {
        await this.store.notStarted(owner, id, [expected]);
        return failed(end.detail);
      }
      hash = end.hash;
      const coin = unwrappedBy(call);
      if (coin > 0n) await this.store.unseen(id, call.chainId, hash, account, coin);
      if (call.value > 0n) await bookCoin(this, { transfer: id, account, holder: from, call, at: end });
    }
    const key = bridge.started(row.key, await this.senders.receipt(route.fromChainId, hash));
    await this.store.started(owner, row, key, [{ chainId: route.fromChainId, holder: from, token: route.tokenIn }]);
    return { status: "started", dueSeconds, amountIn: recorded.amountIn };
  }

  /** Notes that a transfer will not be started, unless its start is signed: false then. */
  async abandonStart(owner: Owner, quote: BridgeQuote): Promise<boolean> {
    const { route, id } = quote.request;
    const row = await this.store.transfer(id);
    if (row === null) return true;
    const last = this.#bridge(row.bridge).start(row.quote).calls.length - 1;
    if (row.startedAt !== null || (await this.senders.isKnown(route.fromChainId, `${id}.${last}`))) return false;
    const holder = this.senders.venue(route.toChainId, owner.account).holder;
    await this.store.notStarted(owner, id, [{ chainId: route.toChainId, holder, token: route.tokenOut }]);
    return true;
  }

  /** Whether a start takes coin out of its wrapping before it sends it. Not where its bridge is not set up any more. */
  unwraps(quote: BridgeQuote): boolean {
    try {
      return this.#bridge(quote.bridge)
        .start(quote)
        .calls.some((call) => unwrappedBy(call) > 0n);
    } catch {
      // told by whoever asks for its calls
      return false;
    }
  }

  /** Wei that a start that failed took out of wrapped coin before. Raises "network" where the journal has not booked it yet. */
  async unwrapped({ account, workflow }: Owner, { bridge, request }: BridgeQuote): Promise<bigint> {
    const row = await this.store.transfer(request.id);
    if (row === null) return 0n;
    let sum = 0n;
    for (const [i, call] of this.#bridge(bridge).start(row.quote).calls.entries()) {
      const { chainId, to } = call;
      const intentId = `${request.id}.${i}`;
      if (unwrappedBy(call) === 0n || !(await this.senders.isKnown(chainId, intentId))) continue;
      const end = await this.senders.execute({ chainId, account, intentId, workflow, call }, this.settings.legMs);
      // it may have landed, or land yet
      if (end.status === "open") throw new ArbError("network", end.detail, { where: intentId });
      if (end.status === "failed") continue;
      const change = (await this.store.changeOf(chainId, intentId, account)).get(to.toLowerCase());
      if (change === undefined) throw new ArbError("network", `the journal has not booked ${end.hash} yet`, { where: end.hash });
      sum -= change;
    }
    return sum;
  }

  /** Contracts that a transfer's start let take tokens; none, which is told, where its bridge is not set up any more. Never raises. */
  spenders(quote: BridgeQuote): Loose[] {
    try {
      const { calls } = this.#bridge(quote.bridge).start(quote);
      return calls.flatMap((call) => approvalIn(call) ?? []);
    } catch (error) {
      // it is asked for between the steps of a trade, whose workflow would end by it with the trade where it is
      this.senders.onFault(error);
      return [];
    }
  }

  /** One look at a transfer; what has arrived is booked, once. */
  async track(owner: Owner, id: string): Promise<Seen> {
    return (await this.look(owner, id)).seen;
  }

  /** The same with what it was seen by. */
  async look(owner: Owner, id: string): Promise<{ row: TransferRow; status: TransferStatus; seen: Seen }> {
    const row = await this.#row(id);
    const status = await this.#bridge(row.bridge).track(row.key, (chainId) => this.senders.view(chainId));
    const { overdue } = row;
    if (row.state !== status.state && row.ended === null && status.arrival === null) {
      // between the block that brings it back and its booking it would belong to nobody
      if ((COMES_BACK.has(status.state) || status.facts["credit"] === "true") && REFUNDING.has(row.bridge))
        await this.store.expectRefund(owner, row);
      await this.store.noteState(id, status.state);
    }
    if (overdue) await this.monitor.judge(row.bridge);
    const { arrival } = status;
    const native = arrival !== null && /^0x0{40}$/.test(arrival.token);
    if (arrival !== null) await this.#book(owner, row.quote, status, id);
    const { state, waitsFor, checkAgainSeconds } = status;
    const startPossible = state !== "not-started" || !(await this.#isStartUndone(owner, row));
    const amount = arrival?.amount ?? null;
    const seen: Seen = { state, waitsFor, checkAgainSeconds, overdue, startPossible, amount, native };
    if (row.offered !== null) seen.offered = row.offered;
    const slowFill = status.facts["slowFill"];
    if (slowFill === "possible" || slowFill === "asked") seen.slowFill = slowFill;
    return { row, status, seen };
  }

  /** Whether the call that starts a transfer has landed, by the journal. Not known, which is told, where its bridge is not set up any more. */
  async hasStarted(row: TransferRow): Promise<boolean> {
    try {
      return (await this.#startOf(row))?.status === "landed";
    } catch (error) {
      if (!(error instanceof ArbError) || error.code !== "config") throw error;
      this.senders.onFault(error);
      return false;
    }
  }

  async #startOf({ bridge, quote }: TransferRow): Promise<IntentOutcome | null> {
    const { route, id } = quote.request;
    return await this.senders.outcome(route.fromChainId, `${id}.${this.#bridge(bridge).start(quote).calls.length - 1}`);
  }

  /**
   * Whether a start that the chain does not show is undone for good. The journal decides: what a node does not show may be there, and
   * money that is on its way would be spent again. Raises "network" where the journal has it on the chain.
   */
  async #isStartUndone({ account }: Owner, row: TransferRow): Promise<boolean> {
    const { fromChainId } = row.quote.request.route;
    // a reorganisation is seen by whoever watches the account
    await this.senders.watch(fromChainId, account);
    const start = await this.#startOf(row);
    if (start?.status === "landed") {
      const { network } = this.senders.chain(fromChainId);
      const what = `${network.title} does not show the start of ${row.id}, which landed in ${start.hash}`;
      throw new ArbError("network", what, { where: row.id });
    }
    return start !== null && (start.status === "foreign" || (start.status !== "open" && start.final));
  }

  async #book(owner: Owner, quote: BridgeQuote, status: TransferStatus, id: string): Promise<void> {
    const row = await this.#row(id);
    const { arrival, state } = status;
    if (row.ended !== null || arrival === null) return;
    const ended = state === "refunded" ? "refunded" : "delivered";
    const { route } = quote.request;
    const { account } = owner;
    const holder = this.senders.venue(arrival.chainId, account).holder;
    const token = ended === "refunded" ? route.tokenIn : route.tokenOut;
    const changes: Change[] = [{ chainId: arrival.chainId, holder, token, amount: arrival.amount }];
    // refunded: nothing is expected on the other side any more
    if (ended === "refunded") {
      const there = this.senders.venue(route.toChainId, account).holder;
      changes.push({ chainId: route.toChainId, holder: there, token: route.tokenOut });
    }
    if (/^0x0{40}$/.test(arrival.token)) await this.store.arrivedInOwn(id, holder, arrival);
    await this.store.arrived(owner, row, ended, holder, arrival, changes);
  }

  /** The call that finishes a transfer, when the bridge has one now. `name` is the call's own, unique in its trade. */
  async claim(owner: Owner, name: string, id: string): Promise<Pushed> {
    const row = await this.#row(id);
    const call = await this.#bridge(row.bridge).claim(row.key, (c) => this.senders.view(c));
    return await this.#push(owner, intentOf(owner.saga, name), call);
  }

  /** The call that a wish needs, when the state allows it. `offer`: output that a speed-up offers, base units of what arrives. */
  async recover(owner: Owner, name: string, id: string, wish: RecoverWish, offer?: bigint): Promise<Pushed> {
    const row = await this.#row(id);
    const output = offer ?? spedUp(row.quote);
    const more = wish === "speed-up" ? this.#speedUp(owner.account, row.quote, row.key, output) : {};
    if (more === null) return { sent: false, open: false, detail: "nobody can sign for the depositor" };
    const call = await this.#bridge(row.bridge).recover(row.key, wish, (c) => this.senders.view(c), more);
    const intentId = intentOf(owner.saga, name);
    // before it is signed: what may land must be known to the next offer, and to who judges what arrives
    if (wish === "speed-up" && call !== null && !(await this.senders.isKnown(call.chainId, intentId)))
      await this.store.noteOffer(owner, id, output);
    return await this.#push(owner, intentId, call);
  }

  /** Asks the bridge to fill a transfer itself: by an intent of the transfer's own, so that it is never asked for twice. */
  async slowFill(owner: Owner, id: string): Promise<Pushed> {
    const row = await this.#row(id);
    const call = await this.#bridge(row.bridge).recover(row.key, "retry", (c) => this.senders.view(c));
    return await this.#push(owner, `${id}.slow-fill`, call);
  }

  async #push({ account, workflow }: Owner, intentId: string, call: BridgeCall | null): Promise<Pushed> {
    if (call === null) return { sent: false, open: false, called: false, detail: "the bridge has nothing to be called now" };
    const end = await this.senders.execute({ chainId: call.chainId, account, intentId, workflow, call }, this.settings.legMs);
    const detail = end.status === "landed" ? call.purpose : end.detail;
    return { sent: end.status === "landed", open: end.status === "open", detail };
  }

  /** What a speed-up of Across needs: null where the depositor is a contract, which cannot sign. */
  #speedUp(account: string, quote: BridgeQuote, key: TransferKey, outputAmount: bigint): Record<string, string> | null {
    if (key.bridge !== "across") return {};
    const wallet = this.senders.wallets.find((w) => w.address.toLowerCase() === account.toLowerCase());
    if (!wallet) throw new ArbError("secrets", `this driver has no key of ${account}`);
    if (quote.request.sender.toLowerCase() !== account.toLowerCase()) return null;
    const { domain, types, value } = speedUpToSign(key, outputAmount);
    return { outputAmount: String(outputAmount), signature: wallet.signTypedData(domain, types, value) };
  }

  /** Wraps what arrived as the native coin; "done" when it is booked. */
  async wrap({ saga, account, workflow }: Owner, name: string, chainId: number, amount: bigint): Promise<Wrapped> {
    const { network } = this.senders.chain(chainId);
    const data = IWETH9__factory.createInterface().encodeFunctionData("deposit");
    const call = { to: network.wrappedNative, data, value: amount };
    const intentId = intentOf(saga, name);
    const end = await this.senders.execute({ chainId, account, intentId, workflow, call }, this.settings.legMs);
    if (end.status !== "landed") return { status: end.status, detail: end.detail };
    const change = await this.store.changeOf(chainId, intentId, account);
    // by the books the coin would still be there: who goes on by them would wrap it again
    if (!change.has(network.wrappedNative.toLowerCase()))
      throw new ArbError("network", `the journal has not booked ${end.hash} yet`, { where: end.hash });
    return { status: "done" };
  }

  #bridge(id: BridgeId): Bridge {
    return this.monitor.bridge(id);
  }

  async #row(id: string) {
    const row = await this.store.transfer(id);
    if (!row) throw new ArbError("internal", `the transfer ${id} is not in the database`);
    return row;
  }
}

/** Name in the journal of something that a trade does. */
export const intentOf = (saga: string, name: string): string => `${workflowOf(saga)}:${name}`;

/** Output of a transfer whose relayers are offered twice the fee, base units of what arrives: for decisions of earlier steps, which name none. */
export function spedUp(quote: BridgeQuote): bigint {
  const more = quote.fee > 0n ? quote.fee : 1n;
  const less = quote.amountOut - more;
  return less > 0n ? less : 1n;
}
