import { usedCount } from "../chain/witnesses.js";
import { type Moment, moment, msBetween } from "../clock.js";
import { ArbError } from "../errors.js";
import { accountName, stoppedError } from "../journal/owner.js";
import type { JournaledAttempt, Slot } from "../journal/types.js";
import { lookAt, readHead, type Round, type Watched } from "../journal/watch.js";
import type { Sender } from "./stuck.js";
import { isBounded } from "./watching.js";

/** An attempt without a known end. */
export interface Open {
  attempt: JournaledAttempt;
  /** When a node last had it; null: never surely. */
  seenAt: Moment | null;
}

/**
 * What the executor remembers of an account's slots between two sends: the newest attempt of each open one, and those in which nothing can
 * land any more. The journal knows better, and is asked by every round.
 */
export class OpenSlots {
  #open: Open[] = [];
  #vacant: number[] = [];

  /** `clock`: for tests. */
  constructor(private readonly clock: () => Moment = moment) {}

  /** Nonces that the next intents take. */
  get vacant(): readonly number[] {
    return this.#vacant;
  }

  /** What relays alone have, until its last block. */
  get held(): JournaledAttempt | null {
    return this.#open.find((o) => isBounded(o.attempt))?.attempt ?? null;
  }

  /** What a round found. */
  learn(slots: readonly Slot[], round: Round): void {
    this.#vacant = [...round.vacant];
    this.#open = slots
      .filter((slot) => slot.state === "open" && !round.vacant.includes(slot.nonce))
      .flatMap(({ nonce, attempts }): Open[] => {
        const attempt = attempts.at(-1);
        const there = round.findings.get(nonce)?.status === "pending" || round.resent.includes(nonce);
        return attempt ? [{ attempt, seenAt: there ? this.clock() : null }] : [];
      });
  }

  /** The newest attempt of a slot; `there`: a node has it now. */
  put(attempt: JournaledAttempt, there: boolean): void {
    this.take(attempt.nonce);
    this.#open.push({ attempt, seenAt: there ? this.clock() : null });
  }

  /** A node has it now. */
  saw(open: Open): void {
    open.seenAt = this.clock();
  }

  /** What no node surely had for `ms`. */
  unseenFor(ms: number): Open[] {
    const now = this.clock();
    return this.#open.filter(({ seenAt }) => seenAt === null || msBetween(seenAt, now) >= ms);
  }

  /** A slot gets an attempt whose fate is not known yet. */
  take(nonce: number): void {
    this.forget(nonce);
    this.filled([nonce]);
  }

  /** Nobody took what was signed for it. */
  free(nonce: number): void {
    this.#vacant.push(nonce);
  }

  filled(nonces: readonly number[]): void {
    this.#vacant = this.#vacant.filter((nonce) => !nonces.includes(nonce));
  }

  /** Its end is known. */
  forget(nonce: number): void {
    this.#open = this.#open.filter((o) => o.attempt.nonce !== nonce);
  }

  /**
   * The slot that the next intent takes instead of a new nonce: the lowest in which nothing can land any more, or where relays alone have
   * something, whose rival it is then: nothing above that slot could land before it. Null: there is none.
   */
  next(): { nonce: number; rival: boolean } | null {
    const contested = this.#open.filter((o) => isBounded(o.attempt)).map((o) => o.attempt.nonce);
    const nonce = Math.min(...this.#vacant, ...contested);
    return Number.isFinite(nonce) ? { nonce, rival: !this.#vacant.includes(nonce) } : null;
  }
}

/**
 * Makes sure that the node has every open attempt, before a nonce above them is used: those that were never surely there, or not asked for in
 * `recheckMs`, are looked up, and sent again where they are gone. Raises ArbError "locked" where the node does not take one, or relays have
 * one and the account's routes are others now.
 */
export async function confirmOpen(slots: OpenSlots, sender: Sender, watched: Watched, recheckMs: number): Promise<void> {
  const { journal, account, chain, wallet, outbox } = sender;
  const { held } = slots;
  if (held !== null && !outbox.inPrivate) {
    throw new ArbError("locked", `nonce ${held.nonce} is in private until block ${held.lastBlock}`, {
      where: held.hash,
      hint: "the account goes on when it has landed, or that block has passed",
    });
  }
  const due = slots.unseenFor(recheckMs).filter(({ attempt }) => !isBounded(attempt));
  if (due.length === 0) return;
  const { provider, network } = chain;
  const mined = await usedCount(chain, wallet.address);
  const pending = Math.max(mined, await provider.getTransactionCount(wallet.address, "pending"));
  for (const open of due) {
    const { attempt } = open;
    if (attempt.nonce < mined) {
      // used, by ours or not: the journal must know before anything else is signed
      const [slot] = await journal.slots(account, { nonce: attempt.nonce });
      const finding = slot && (await lookAt(watched, slot, await readHead(watched)));
      if (finding?.status === "foreign") throw stoppedError(accountName(account.chainId, account.account), finding.evidence);
      slots.forget(attempt.nonce);
    } else if (attempt.nonce < pending) {
      slots.saw(open);
    } else {
      const answer = await outbox.send(attempt);
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
      slots.saw(open);
    }
  }
}
