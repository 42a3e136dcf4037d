import { setTimeout as sleep } from "node:timers/promises";
import type { Chain, RpcProvider } from "../chain/connect.js";
import { classifyNodeError } from "../chain/errors.js";
import { type ReceiptResult, beforeDeadline, waitForReceipt } from "../chain/receipts.js";
import { ArbError } from "../errors.js";
import type { Attempt } from "../execution/outcome.js";
import type { Journal } from "../journal/journal.js";
import { accountName, type Ownership, stoppedError } from "../journal/owner.js";
import { NOT_TAKEN } from "../journal/rules.js";
import type { Intent, JournaledAttempt, Signed, Slot } from "../journal/types.js";
import { type Round, type Watched, findReceipt, lookAt, readHead, reconcileAccount } from "../journal/watch.js";
import type { PlanFees } from "../plan/planner.js";
import type { Call } from "../plan/transaction-builder.js";
import type { WalletManager } from "../wallet/wallet-manager.js";
import type { Fees, StuckDecision } from "./replacement.js";
import type { Route, RouteAnswer } from "./route.js";
import { fillGaps, type Sender, type StuckTerms, unstick } from "./stuck.js";

/** Sends through the chain's own endpoint: a sequencer, or the public mempool where the chain has one. */
export function nodeRoute(provider: RpcProvider): Route {
  return {
    id: "node",
    visibility: "public",
    async send(signed, { deadlineMs }) {
      try {
        await beforeDeadline(provider.send("eth_sendRawTransaction", [signed.raw]), deadlineMs);
        return { status: "accepted" };
      } catch (error) {
        const { kind, message } = classifyNodeError(error);
        if (kind === "already-known") return { status: "accepted", detail: message };
        return NOT_TAKEN.has(kind) ? { status: "refused", kind, detail: message } : { status: "unknown", detail: message };
      }
    },
  };
}

export interface ExecutorOptions {
  /** Record of what is signed; without one nothing is sent. */
  journal: Journal | null;
  /** Deadline of a route's answer, milliseconds. */
  sendMs?: number;
  /** How long a transaction that a node took is believed to be there, milliseconds; default: the network's block time. */
  recheckMs?: number;
}

/** What became of a watched attempt. `superseded`: the slot landed another intent, or a cancel. */
export type WatchResult = ReceiptResult | { status: "superseded"; by: JournaledAttempt };

/** An attempt without a known end. */
interface Open {
  attempt: JournaledAttempt;
  /** When a node last had it; 0: never surely. */
  seenAt: number;
}

const SEND_MS = 5_000;

/**
 * Sends the transactions of one account on one chain, one at a time, and watches them to their end. Everything is signed and written
 * down by the journal first, and only bytes that it gave back are sent. An attempt that the node does not know (any more) is sent
 * again, the same bytes, before the next nonce is used.
 */
export class TransactionExecutor {
  readonly #journal: Journal | null;
  readonly #sendMs: number;
  readonly #recheckMs: number;
  #queue: Promise<unknown> = Promise.resolve();
  #account: Promise<Ownership> | null = null;
  #open: Open[] = [];
  /** Slots in which nothing can land any more; the next intents take them. */
  #vacant: number[] = [];
  /** What the account can surely still pay, wei; null: ask. */
  #funds: bigint | null = null;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(
    readonly chain: Chain,
    readonly wallet: WalletManager,
    readonly route: Route,
    options: ExecutorOptions,
  ) {
    this.#journal = options.journal;
    this.#sendMs = options.sendMs ?? SEND_MS;
    this.#recheckMs = options.recheckMs ?? chain.network.blockTimeMs;
  }

  /**
   * Signs, journals and sends, once per intent: a known intent gives its attempt again, which is sent again while its end is not known.
   * A send whose answer is lost counts as sent, never as failed. Throws "network" where the node surely did not take it or the
   * journal does not answer, "refused" where the account cannot pay, "config" without a journal, and "locked" while the account is
   * another driver's or stopped, or an earlier attempt is neither known to the node nor taken by it.
   */
  send(intent: string | Intent, call: Call, gasLimit: bigint, fees: PlanFees): Promise<Attempt> {
    const wanted = typeof intent === "string" ? { id: intent } : intent;
    // one after another: nodes refuse a nonce whose predecessor they do not have yet
    return this.#inTurn(() => this.#send(wanted, call, gasLimit, fees));
  }

  /**
   * Takes the account and settles what an earlier run left: every open slot is compared with the chain, lost bytes are sent again.
   * `send` does it first of all. Raises ArbError "locked".
   */
  start(): Promise<Ownership> {
    const journal = this.#required();
    this.#account ??= this.#claim(journal);
    this.#account.catch(() => (this.#account = null));
    return this.#account;
  }

  /** The slot that an intent has already; null when it is new. */
  async known(intentId: string): Promise<Slot | null> {
    return await this.#required().find(this.chain.network.chainId, intentId);
  }

  /** One look at everything whose end is not known; lost bytes are sent again. */
  settle(): Promise<Round> {
    return this.#inTurn(async () => await this.#settle(this.#required(), await this.start()));
  }

  /**
   * Replaces what is out for an intent and does not land, as long as the trade is worth it, else cancels it; see decideStuck. Null: its
   * slot is not open, or nothing of it is out. Raises ArbError as `send`.
   */
  unstick(intentId: string, terms: StuckTerms): Promise<StuckDecision | null> {
    return this.#inTurn(async () => {
      const done = await unstick(await this.#sender(), intentId, terms);
      const attempt = done?.attempt ?? null;
      if (attempt !== null) {
        this.#open = this.#open.filter((o) => o.attempt.nonce !== attempt.nonce);
        this.#open.push({ attempt, seenAt: 0 });
      }
      return done?.decision ?? null;
    });
  }

  /** Fills nonces in which nothing can land any more, where something public waits above them. Gives the filled ones. */
  fillGaps(fees: Fees): Promise<number[]> {
    return this.#inTurn(async () => {
      const sender = await this.#sender();
      const { vacant } = await this.#settle(sender.journal, sender.account);
      const filled = await fillGaps(sender, vacant, fees);
      this.#vacant = vacant.filter((nonce) => !filled.includes(nonce));
      return filled;
    });
  }

  /** Looks at everything that is open, again and again, until `close`. A round that fails is told, and followed by the next. */
  keepWatching(everyMs: number, onFault: (error: unknown) => void): void {
    const round = async (): Promise<void> => {
      await this.settle().catch(onFault);
      if (!this.#closed) this.#timer = setTimeout(() => void round(), everyMs).unref();
    };
    this.#timer ??= setTimeout(() => void round(), everyMs).unref();
  }

  /** Ends the watching, after the send in progress. The account stays the journal's until that is closed. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#queue.catch(() => undefined);
  }

  /**
   * Waits for the receipt of an attempt, or of another one of its slot, until the deadline, and books it; what is not known by then is
   * "unknown", never "failed".
   */
  async watch(attempt: Attempt, deadlineMs: number, pollMs: number): Promise<WatchResult> {
    const start = performance.now();
    let lastError: string | null = null;
    for (let polls = 1; ; polls++) {
      const left = deadlineMs - (performance.now() - start);
      const attempts = await this.#attemptsOf(attempt);
      for (const each of attempts) {
        // one question each: the slot may get further attempts meanwhile
        const once = { deadlineMs: Math.max(1, Math.min(left, this.#sendMs)), pollMs: Infinity };
        const result = await waitForReceipt(this.chain.provider, each.hash, once);
        if (result.status === "mined") {
          await this.#book(attempt);
          return each.intentId === attempt.opportunityId ? result : { status: "superseded", by: each };
        }
        ({ lastError } = result);
      }
      const waitedMs = Math.round(performance.now() - start);
      if (waitedMs + pollMs > deadlineMs) return { status: "unknown", hash: attempt.hash, waitedMs, polls, lastError };
      await sleep(pollMs);
    }
  }

  #required(): Journal {
    if (this.#journal !== null) return this.#journal;
    throw new ArbError("config", "nothing is sent without a journal", {
      where: this.chain.network.name,
      hint: "open one with openDatabase, migrate and openJournal (docs/journal.md)",
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work, work);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async #claim(journal: Journal): Promise<Ownership> {
    const { provider, network } = this.chain;
    const count = async (tag: "latest" | "pending") => await provider.getTransactionCount(this.wallet.address, tag);
    const account = await journal.claim(network.chainId, this.wallet.address, async () => {
      return { latest: await count("latest"), pending: await count("pending") };
    });
    if ((await journal.openSlots(account)).length > 0) await this.#settle(journal, account);
    return account;
  }

  async #sender(): Promise<Sender> {
    const journal = this.#required();
    const { chain, wallet, route } = this;
    const broadcast = async (attempt: JournaledAttempt) => await this.#broadcast(journal, attempt);
    return { journal, account: await this.start(), chain, wallet, route, broadcast };
  }

  #watched(journal: Journal, ownership: Ownership): Watched {
    const { network, provider } = this.chain;
    const resend = async (attempt: JournaledAttempt): Promise<void> => void (await this.#broadcast(journal, attempt));
    return { journal, ownership, network, provider, resend, carries: (attempt) => this.#carries(attempt) };
  }

  async #settle(journal: Journal, account: Ownership): Promise<Round> {
    const round = await reconcileAccount(this.#watched(journal, account));
    const slots = await journal.openSlots(account);
    this.#vacant = round.vacant;
    this.#open = slots
      .filter((slot) => slot.state === "open" && !round.vacant.includes(slot.nonce))
      .flatMap(({ nonce, attempts }): Open[] => {
        const attempt = attempts.at(-1);
        const there = round.findings.get(nonce)?.status === "pending" || round.resent.includes(nonce);
        return attempt ? [{ attempt, seenAt: there ? Date.now() : 0 }] : [];
      });
    return round;
  }

  async #send(intent: Intent, call: Call, gasLimit: bigint, fees: PlanFees): Promise<Attempt> {
    const journal = this.#required();
    const account = await this.start();
    await this.#confirmOpen(journal, account);
    const needed = gasLimit * fees.maxFeePerGas + call.value;
    await this.#requireFunds(needed);
    const attempt = await this.#journaled(journal, account, intent, (nonce) => this.#sign(nonce, call, gasLimit, fees));
    if (attempt.sends.length > 0) {
      // an intent that was sent before: what is mined is not sent again
      const [slot] = await journal.slots(account, { nonce: attempt.nonce });
      if (slot?.state !== "open") return attemptOf(attempt);
    }
    const answer = await this.#broadcast(journal, attempt);
    this.#open = this.#open.filter((o) => o.attempt.nonce !== attempt.nonce);
    this.#vacant = this.#vacant.filter((nonce) => nonce !== attempt.nonce);
    if (answer.status === "refused") {
      this.#vacant.push(attempt.nonce);
      this.#funds = null;
      throw new ArbError("network", `${this.chain.network.title} refused the transaction: ${answer.kind}`, {
        where: attempt.hash,
      });
    }
    this.#open.push({ attempt, seenAt: answer.status === "accepted" ? Date.now() : 0 });
    return attemptOf(attempt);
  }

  async #sign(nonce: number, call: Call, gasLimit: bigint, fees: PlanFees): Promise<Signed> {
    const { maxFeePerGas, maxPriorityFeePerGas } = fees;
    const terms = { gasLimit, maxFeePerGas, maxPriorityFeePerGas };
    return {
      ...(await this.wallet.signTransaction({ chainId: this.chain.network.chainId, nonce, ...call, ...terms })),
      ...terms,
    };
  }

  /** The attempt of an intent: in a slot in which nothing can land any more, else in the next nonce. */
  async #journaled(
    journal: Journal,
    account: Ownership,
    intent: Intent,
    build: (nonce: number) => Promise<Signed>,
  ): Promise<JournaledAttempt> {
    const exposure = { visibility: this.route.visibility, lastBlock: null };
    const [vacant] = this.#vacant;
    if (vacant === undefined || (await journal.find(account.chainId, intent.id)) !== null) {
      return await journal.prepare(account, intent, build, exposure);
    }
    const stopped = journal.stopped(account);
    if (stopped !== null) throw stoppedError(accountName(account.chainId, account.account), stopped);
    const head = BigInt(await this.chain.provider.getBlockNumber());
    return await journal.supersede(account, vacant, { kind: "trade", intent, build, exposure, head });
  }

  /** Bytes that are private until a block are left to their relays: in a public mempool they would be for everybody. */
  #carries({ visibility, lastBlock }: JournaledAttempt): boolean {
    return this.route.visibility === "private" || visibility === "public" || lastBlock === null;
  }

  /** Sends bytes of the journal by the route and notes what it answered. */
  async #broadcast(journal: Journal, attempt: JournaledAttempt): Promise<RouteAnswer> {
    const { raw, hash, account: from, nonce } = attempt;
    if (this.route.visibility === "public" && attempt.visibility === "private") await journal.expose(hash);
    await journal.step("before-send");
    const said = await this.route.send({ raw, hash, from, nonce }, { deadlineMs: this.#sendMs });
    await journal.step("sent");
    // a gateway that repeats a request answers with the refusal of what its first try took
    const answer =
      said.status === "refused" && (!NOT_TAKEN.has(said.kind) || !(await this.#isUnknown(hash)))
        ? { status: "unknown" as const, detail: `${said.kind}: ${said.detail}` }
        : said;
    await journal.noteSend(hash, this.route.id, answer);
    return answer;
  }

  /**
   * Whether the node has no such transaction after it refused the bytes. A node that does not answer has not said so.
   */
  async #isUnknown(hash: string): Promise<boolean> {
    try {
      return (await this.chain.provider.getTransaction(hash)) === null;
    } catch {
      // not known: the caller goes on to watch it
      return false;
    }
  }

  /**
   * Makes sure that the node has every open attempt, before a nonce above them is used: those that were never surely there, or not
   * asked for in a while, are looked up, and sent again where they are gone. Throws "locked" where the node does not take one.
   */
  async #confirmOpen(journal: Journal, account: Ownership): Promise<void> {
    const overdue = (): Open[] => this.#open.filter(({ seenAt }) => Date.now() - seenAt >= this.#recheckMs);
    let due = overdue();
    if (due.some(({ attempt }) => !this.#carries(attempt))) {
      // its block may have passed
      await this.#settle(journal, account);
      due = overdue();
    }
    if (due.length === 0) return;
    const { provider, network } = this.chain;
    const mined = await provider.getTransactionCount(this.wallet.address, "latest");
    const pending = Math.max(mined, await provider.getTransactionCount(this.wallet.address, "pending"));
    for (const open of due) {
      const { attempt } = open;
      if (attempt.nonce < mined) {
        // used, by ours or not: the journal must know before anything else is signed
        const [slot] = await journal.slots(account, { nonce: attempt.nonce });
        const finding = slot && (await lookAt(this.#watched(journal, account), slot, await readHead(provider)));
        if (finding?.status === "foreign") throw stoppedError(accountName(account.chainId, account.account), finding.evidence);
        this.#open = this.#open.filter((o) => o !== open);
      } else if (attempt.nonce < pending) {
        open.seenAt = Date.now();
      } else {
        if (!this.#carries(attempt)) {
          throw new ArbError("locked", `nonce ${attempt.nonce} is in private until block ${attempt.lastBlock}`, {
            where: attempt.hash,
            hint: "the account goes on when it has landed, or that block has passed",
          });
        }
        const answer = await this.#broadcast(journal, attempt);
        if (answer.status !== "accepted") {
          const kind = answer.status === "refused" ? answer.kind : answer.detail;
          const what = attempt.intentId ?? `a ${attempt.kind}`;
          throw new ArbError(
            "locked",
            `nonce ${attempt.nonce} is signed for ${what}, which ${network.title} does not take (${kind})`,
            {
              where: attempt.hash,
              hint: "nothing else is sent from this account until that transaction is mined or its nonce used",
            },
          );
        }
        open.seenAt = Date.now();
      }
    }
  }

  /** Asks for the balance only where what was read last does not surely cover it. */
  async #requireFunds(needed: bigint): Promise<void> {
    if (this.#funds === null || this.#funds < needed) {
      this.#funds = await this.chain.provider.getBalance(this.wallet.address, "pending");
    }
    if (this.#funds < needed) {
      const { address } = this.wallet;
      const balance = this.#funds;
      this.#funds = null;
      throw new ArbError(
        "refused",
        `${address} holds ${balance} wei on ${this.chain.network.title}, the transaction may cost ${needed}`,
        {
          hint: "fund the operator, or lower the gas price limit",
          reason: "insufficient-gas-funds",
        },
      );
    }
    this.#funds -= needed;
  }

  async #attemptsOf(attempt: Attempt): Promise<JournaledAttempt[]> {
    const account = { chainId: attempt.chainId, account: attempt.from };
    return (await this.#required().slots(account, { nonce: attempt.nonce }))[0]?.attempts ?? [];
  }

  /** Notes and books the receipt of a slot. What does not succeed now is done by the next round of `settle`. */
  async #book(attempt: Attempt): Promise<void> {
    const journal = this.#required();
    const account = await this.start();
    const [slot] = await journal.slots(account, { nonce: attempt.nonce });
    if (slot) await findReceipt(this.#watched(journal, account), slot);
    this.#open = this.#open.filter((o) => o.attempt.nonce !== attempt.nonce);
  }
}

function attemptOf({ intentId, chainId, account, nonce, hash, raw, createdAt }: JournaledAttempt): Attempt {
  return { opportunityId: intentId ?? "", chainId, from: account, nonce, hash, raw, sentAt: createdAt.getTime() };
}
