import type { Chain } from "../chain/connect.js";
import { countsOf, witnessesOf } from "../chain/witnesses.js";
import { ArbError } from "../errors.js";
import type { Attempt } from "../execution/outcome.js";
import type { Journal } from "../journal/journal.js";
import { doubtTeller } from "../journal/doubts.js";
import { accountName, type Ownership, stoppedError } from "../journal/owner.js";
import { isOver } from "../journal/rules.js";
import type { Exposure, Intent, JournaledAttempt, Signed, Slot } from "../journal/types.js";
import { type MinedAt, type Round, type Watched, findReceipt, reconcileAccount } from "../journal/watch.js";
import type { PlanFees } from "../plan/planner.js";
import type { Call } from "../plan/transaction-builder.js";
import type { WalletManager } from "../wallet/wallet-manager.js";
import type { Fees, StuckDecision } from "./replacement.js";
import { type Outbox, openOutbox } from "./outbox.js";
import {
  feesWithTip,
  ladderOf,
  PRIVATE_BLOCKS,
  type PrivateRun,
  raiseAttempt,
  type SendTerms,
  startPrivateRun,
} from "./private-run.js";
import { firstTip } from "./ladder.js";
import type { BundleClient } from "./relays/bundle-client.js";
import type { Route } from "./route.js";
import { type Funds, openFunds } from "./funds.js";
import { confirmOpen, OpenSlots } from "./open-slots.js";
import { type Standing, standingOf, watchAttempt, type Watching, type WatchResult } from "./watching.js";
import { fillGaps, findStuck, openAges, type Sender, type StuckPolicy, type StuckTerms, unstick } from "./stuck.js";

export interface ExecutorOptions {
  /** Record of what is signed; without one nothing is sent. */
  journal: Journal | null;
  /** Deadline of a route's answer, milliseconds. */
  sendMs?: number;
  /** How long a transaction that a node took is believed to be there, milliseconds; default: the network's block time. */
  recheckMs?: number;
  /** Between two looks at the chain while relays have something, milliseconds. */
  pollMs?: number;
  /** The relay that simulates bundles; without one nothing follows a pending transaction. */
  simulator?: BundleClient | null;
  /** What fails in the background, where it is tried again or watched. */
  onFault?: (error: unknown) => void;
}

const SEND_MS = 5_000;
const RUNS_KEPT = 100;

/**
 * Sends the transactions of one account on one chain, one at a time, and watches them to their end. Everything is signed and written
 * down by the journal first, and only bytes that it gave back are sent. An attempt that the node does not know (any more) is sent
 * again, the same bytes, before the next nonce is used.
 */
export class TransactionExecutor {
  readonly #journal: Journal | null;
  readonly #outbox: Outbox | null;
  readonly #simulator: BundleClient | null;
  readonly #onFault: (error: unknown) => void;
  readonly #doubts: ReturnType<typeof doubtTeller>;
  readonly #pollMs: number;
  /** What relays have, by intent. */
  readonly #runs = new Map<string, PrivateRun>();
  readonly #sendMs: number;
  readonly #recheckMs: number;
  #queue: Promise<unknown> = Promise.resolve();
  #account: Promise<Ownership> | null = null;
  readonly #slots = new OpenSlots();
  readonly #ages = openAges();
  readonly #funds: Funds;
  /** What an intent's transaction may cost, wei, and until when, milliseconds since 1970. */
  readonly #worth = new Map<string, { wei: bigint; until: number }>();
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(
    readonly chain: Chain,
    readonly wallet: WalletManager,
    readonly routes: readonly Route[],
    options: ExecutorOptions,
  ) {
    const { journal, onFault = () => undefined } = options;
    this.#journal = journal;
    this.#onFault = onFault;
    this.#doubts = doubtTeller(`${chain.network.name} ${wallet.address}`, onFault);
    this.#funds = openFunds(chain, wallet.address);
    this.#simulator = options.simulator ?? null;
    this.#sendMs = options.sendMs ?? SEND_MS;
    this.#recheckMs = options.recheckMs ?? chain.network.blockTimeMs;
    this.#pollMs = options.pollMs ?? Math.max(20, Math.min(500, chain.network.blockTimeMs / 8));
    this.#outbox = journal && openOutbox(journal, chain, routes, this.#sendMs);
  }

  /** Whether what is sent here can land right behind a pending transaction. */
  get canFollow(): boolean {
    return this.#simulator !== null && this.#outbox?.inPrivate === true && this.routes.some((r) => r.holds === "target");
  }

  /**
   * Signs, journals and sends, once per intent: a known intent gives its attempt again, which is sent again while its end is not known.
   * A send whose answer is lost counts as sent, never as failed. What relays are given is carried from block to block in the background. Throws "network" where the node surely did not take it or the
   * journal does not answer, "refused" where the account cannot pay, "config" without a journal, and "locked" while the account is
   * another driver's or stopped, or an earlier attempt is neither known to the node nor taken by it.
   */
  send(intent: string | Intent, call: Call, gasLimit: bigint, fees: PlanFees, terms: SendTerms = {}): Promise<Attempt> {
    const wanted = typeof intent === "string" ? { id: intent } : intent;
    // one after another: nodes refuse a nonce whose predecessor they do not have yet
    return this.#inTurn(() => this.#send(wanted, call, gasLimit, fees, terms));
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

  /** The account to sign for: taken again where another driver had it meanwhile, with nothing remembered from before. */
  async #owned(journal: Journal): Promise<Ownership> {
    const account = await this.start();
    if (!journal.lost(account)) return account;
    this.#account = null;
    const again = await this.start();
    this.#funds.forget();
    await this.#settle(journal, again);
    return again;
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
    return this.#inTurn(async () => await this.#unstick(intentId, terms));
  }

  /** Fills nonces in which nothing can land any more, where something public waits above them. Gives the filled ones. */
  fillGaps(fees: Fees): Promise<number[]> {
    return this.#inTurn(async () => {
      const sender = await this.#sender();
      const { vacant } = await this.#settle(sender.journal, sender.account);
      const filled = await fillGaps(sender, vacant, fees);
      this.#slots.filled(filled);
      return filled;
    });
  }

  /**
   * Looks at everything that is open, again and again, until `close`: notes receipts, makes final what is deep enough, and with
   * `stuck` gets going what no block takes. A round that fails is told, and followed by the next.
   */
  keepWatching(everyMs: number, onFault: (error: unknown) => void, stuck: StuckPolicy | null = null): void {
    const round = async (): Promise<void> => {
      await this.settle().catch(onFault);
      if (stuck !== null) await this.tend(stuck).catch(onFault);
      if (!this.#closed) this.#timer = setTimeout(() => void round(), everyMs).unref();
    };
    this.#timer ??= setTimeout(() => void round(), everyMs).unref();
  }

  /**
   * Replaces or cancels the transaction that the account's others wait for, where it is out for `afterMs`; fills nonces below public
   * ones. What is done is journaled first. Gives the decision about the oldest; null where nothing is stuck.
   */
  tend(policy: StuckPolicy): Promise<StuckDecision | null> {
    return this.#inTurn(async () => {
      const sender = await this.#sender();
      const worthOf = (intentId: string): bigint => {
        // of an earlier run it is not known what it earns; its plan has most likely expired
        const known = this.#worth.get(intentId);
        return known !== undefined && Date.now() < known.until ? known.wei : 0n;
      };
      const { filled, stuck } = await findStuck(sender, this.#ages, this.#slots.vacant, policy, worthOf);
      this.#slots.filled(filled);
      return stuck && (await this.#unstick(stuck.intentId, stuck.terms));
    });
  }

  /** Ends the watching, after the send in progress. The account stays the journal's until that is closed. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const run of this.#runs.values()) run.stop();
    await Promise.all([...this.#runs.values()].map((run) => run.over));
    await this.#queue.catch(() => undefined);
    await this.#outbox?.idle();
  }

  /**
   * Waits for the receipt of an attempt, or of another one of its slot, until the deadline, and books it; what is not known by then is
   * "unknown", never "failed".
   */
  async watch(attempt: Attempt, deadlineMs: number, pollMs: number): Promise<WatchResult> {
    return await watchAttempt(this.#watching(attempt), attempt, deadlineMs, pollMs);
  }

  /** Where the transaction that landed for an attempt stands. Raises as the journal and the node do. */
  async standing(attempt: Attempt): Promise<Standing> {
    return await standingOf(this.#watching(attempt), attempt);
  }

  #watching(attempt: Attempt): Watching {
    const [chain, journal, askMs] = [this.chain, this.#required(), this.#sendMs];
    const run = this.#runs.get(attempt.opportunityId) ?? null;
    const written = async () => await this.#sending().written();
    return { chain, journal, run, askMs, written, book: async () => await this.#book(attempt) };
  }

  async #unstick(intentId: string, terms: StuckTerms): Promise<StuckDecision | null> {
    const done = await unstick(await this.#sender(), intentId, terms);
    const attempt = done?.attempt ?? null;
    if (attempt !== null) this.#slots.put(attempt, false);
    return done?.decision ?? null;
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
    const { chain, wallet } = this;
    const counts = async () => await countsOf(chain, wallet.address);
    const account = await journal.claim(chain.network.chainId, wallet.address, counts);
    if ((await journal.openSlots(account)).length > 0) await this.#settle(journal, account);
    return account;
  }

  async #sender(): Promise<Sender> {
    const journal = this.#required();
    const { chain, wallet } = this;
    return { journal, account: await this.start(), chain, wallet, outbox: this.#sending() };
  }

  #sending(): Outbox {
    if (this.#outbox === null) throw new ArbError("internal", "an executor without a journal has nothing to send");
    return this.#outbox;
  }

  #watched(journal: Journal, ownership: Ownership): Watched {
    const { network, provider } = this.chain;
    const resend = async (attempt: JournaledAttempt): Promise<void> => void (await this.#sending().send(attempt));
    const { pool } = this.chain;
    return {
      journal,
      ownership,
      network,
      provider,
      resend,
      witnesses: witnessesOf(this.chain),
      carries: (attempt) => this.#carries(attempt),
      ...(pool && { recheck: async (inclusion: MinedAt) => await pool.recheck(inclusion) }),
    };
  }

  async #settle(journal: Journal, account: Ownership): Promise<Round> {
    await this.#sending().noted();
    const round = await reconcileAccount(this.#watched(journal, account));
    this.#doubts.note(round.findings);
    const slots = await journal.openSlots(account);
    this.#slots.learn(slots, round);
    const waiting = new Set(slots.flatMap(({ attempts }) => attempts.map((a) => a.intentId)));
    for (const id of this.#worth.keys()) if (!waiting.has(id)) this.#worth.delete(id);
    return round;
  }

  async #send(intent: Intent, call: Call, gasLimit: bigint, fees: PlanFees, terms: SendTerms): Promise<Attempt> {
    const journal = this.#required();
    if (terms.after !== undefined && !this.canFollow) {
      throw new ArbError("refused", `no route to ${this.chain.network.title} puts a transaction behind a pending one`, {
        where: terms.after.hash,
        hint: "name a relay that simulates bundles under routes",
        reason: "after-not-bundled",
      });
    }
    const account = await this.#owned(journal);
    // what relays alone have is no step for anything above it: its slot is taken, or has landed
    if (this.#slots.held !== null) await this.#settle(journal, account);
    await confirmOpen(this.#slots, await this.#sender(), this.#watched(journal, account), this.#recheckMs);
    const outbox = this.#sending();
    const { inPrivate } = outbox;
    const running = this.#runs.get(intent.id);
    // most sends need no head, and so no question
    const head = inPrivate || this.#slots.vacant.length > 0 ? BigInt(await this.chain.provider.getBlockNumber()) : 0n;
    const paid = inPrivate ? feesWithTip(fees, firstTip(ladderOf(fees, gasLimit, terms)), terms.feeCeiling) : fees;
    await this.#funds.require(gasLimit * paid.maxFeePerGas + call.value);
    const lastBlock = inPrivate ? (terms.lastBlock ?? head + PRIVATE_BLOCKS) : null;
    const exposure = outbox.exposure(lastBlock, terms.after?.hash);
    const sign = async (nonce: number, at: PlanFees) => await this.#sign(nonce, call, gasLimit, at);
    const attempt = await this.#journaled(journal, account, intent, head, (nonce) => sign(nonce, paid), exposure);
    if (attempt.sends.length > 0) {
      // an intent that was sent before: what is mined is not sent again
      const [slot] = await journal.slots(account, { nonce: attempt.nonce });
      if (slot?.state !== "open" || (inPrivate && isOver(attempt, head))) return attemptOf(attempt);
    }
    if (running !== undefined && running.end === null) return attemptOf(attempt);
    // signed to stand behind another transaction, and nowhere else
    if (attempt.follows !== undefined && attempt.follows !== terms.after?.hash) return attemptOf(attempt);
    this.#slots.take(attempt.nonce);
    if (lastBlock !== null) {
      await journal.step("before-send");
      // as it was journaled, which may have been by an earlier run
      const { visibility, follows } = attempt;
      const asBefore = { visibility, lastBlock: attempt.lastBlock, ...(follows !== undefined && { follows }) };
      const raised = { intentId: intent.id, nonce: attempt.nonce, exposure: asBefore };
      const again = (at: PlanFees) =>
        this.#inTurn(async () => await raiseAttempt(await this.#sender(), raised, (nonce) => sign(nonce, at)));
      this.#slots.put(attempt, true);
      this.#carry(attempt, fees, attempt.lastBlock ?? lastBlock, terms, again);
      return attemptOf(attempt);
    }
    const { maxTimestamp } = terms;
    this.#worth.set(intent.id, {
      wei: gasLimit * (terms.feeCeiling ?? fees.maxFeePerGas),
      until: maxTimestamp === undefined ? Infinity : maxTimestamp * 1000,
    });
    const answer = await outbox.send(attempt, {
      ...(terms.lastBlock !== undefined && { lastBlock: terms.lastBlock }),
      ...(maxTimestamp !== undefined && { maxTimestamp }),
    });
    if (answer.status === "refused") {
      this.#slots.free(attempt.nonce);
      this.#funds.forget();
      throw new ArbError("network", `${this.chain.network.title} refused the transaction: ${answer.kind}`, {
        where: attempt.hash,
      });
    }
    this.#slots.put(attempt, answer.status === "accepted");
    return attemptOf(attempt);
  }

  /** Gives an attempt to the relays, block by block, in the background. */
  #carry(
    attempt: JournaledAttempt,
    fees: PlanFees,
    lastBlock: bigint,
    terms: SendTerms,
    again: (fees: PlanFees) => Promise<JournaledAttempt | null>,
  ): void {
    const [onFault, deadlineMs, pollMs] = [this.#onFault, this.#sendMs, this.#pollMs];
    const { step } = this.#required();
    const { chain } = this;
    const tools = { chain, outbox: this.#sending(), simulator: this.#simulator, again, step, onFault, deadlineMs, pollMs };
    const { intentId } = attempt;
    this.#runs.set(intentId ?? "", startPrivateRun(attempt, fees, lastBlock, terms, tools));
    // whoever asks how a run ended does so soon; the journal has the rest
    for (const [id, run] of this.#runs) if (run.end !== null && this.#runs.size > RUNS_KEPT) this.#runs.delete(id);
  }

  async #sign(nonce: number, call: Call, gasLimit: bigint, fees: PlanFees): Promise<Signed> {
    const { maxFeePerGas, maxPriorityFeePerGas } = fees;
    const terms = { gasLimit, maxFeePerGas, maxPriorityFeePerGas };
    return {
      ...(await this.wallet.signTransaction({ chainId: this.chain.network.chainId, nonce, ...call, ...terms })),
      ...terms,
    };
  }

  /** The attempt of an intent: in a slot that it may share or take, else in the next nonce. */
  async #journaled(
    journal: Journal,
    account: Ownership,
    intent: Intent,
    head: bigint,
    build: (nonce: number) => Promise<Signed>,
    exposure: Exposure,
  ): Promise<JournaledAttempt> {
    const shared = this.#slots.next();
    if (shared === null || (await journal.find(account.chainId, intent.id)) !== null) {
      return await journal.prepare(account, intent, build, exposure);
    }
    const stopped = journal.stopped(account);
    if (stopped !== null) throw stoppedError(accountName(account.chainId, account.account), stopped);
    const { nonce, rival } = shared;
    return await journal.supersede(account, nonce, { kind: "trade", intent, build, exposure, head, rival });
  }

  /**
   * Whether an attempt may be sent again now: not what relays are given already, nor private bytes where no relay is, nor what may stand
   * behind another transaction only.
   */
  #carries(attempt: JournaledAttempt): boolean {
    if (attempt.follows !== undefined) return false;
    const run = this.#runs.get(attempt.intentId ?? "");
    return (run === undefined || run.end !== null) && this.#sending().routesFor(attempt).length > 0;
  }

  /** Notes and books the receipt of a slot. What does not succeed now is done by the next round of `settle`. */
  async #book(attempt: Attempt): Promise<void> {
    const journal = this.#required();
    const account = await this.start();
    const [slot] = await journal.slots(account, { nonce: attempt.nonce });
    if (slot) await findReceipt(this.#watched(journal, account), slot);
    this.#slots.forget(attempt.nonce);
  }
}

function attemptOf({ intentId, chainId, account, nonce, hash, raw, createdAt }: JournaledAttempt): Attempt {
  return { opportunityId: intentId ?? "", chainId, from: account, nonce, hash, raw, sentAt: createdAt.getTime() };
}
