import { expect } from "chai";
import { type Journal, openJournal } from "../../src/journal/journal.js";
import type { Ownership } from "../../src/journal/owner.js";
import type { Database } from "../../src/database/open.js";
import { journalDatabase } from "../helpers/journal.js";
import { SEED, random } from "../helpers/random.js";
import { rejection } from "../helpers/rejection.js";
import { newWallet, PRIVATE, signer, ZERO } from "./world.js";

describe("journal: nonces and owners", () => {
  let db: Database;
  const open: Journal[] = [];

  before(async () => {
    db = await journalDatabase();
  });
  afterEach(async () => {
    for (const journal of open.splice(0)) await journal.close();
  });
  after(async () => {
    await db.close();
  });

  /** A driver of its own; its signs of life come only when a test asks for them. */
  const driver = async (ttlMs = 60_000): Promise<Journal> => {
    const journal = await openJournal(db, { ttlMs, renewMs: 600_000 });
    open.push(journal);
    return journal;
  };
  /** What happens to a lease when nobody renews it, without waiting. */
  const expire = async (account: string) =>
    void (await db.pool.query(`update journal.account set until = clock_timestamp() - interval '1 s' where account = $1`, [
      account.toLowerCase(),
    ]));
  /** Takes an account whose holder goes on working, and so may renew its lease in between. */
  const takeFrom = async (journal: Journal, account: string): Promise<Ownership> => {
    for (let tries = 1; ; tries++) {
      await expire(account);
      try {
        return await journal.claim(1, account, ZERO);
      } catch (error) {
        if (tries === 200) throw error;
      }
    }
  };
  const slotsOf = async (account: string) => {
    const text = `select s.nonce, s.epoch, i.id from journal.slot s join journal.intent i using (chain_id, account, nonce)
      where s.account = $1 order by nonce`;
    const { rows } = await db.pool.query<{ nonce: bigint; epoch: bigint; id: string }>(text, [account.toLowerCase()]);
    return rows.map((r) => ({ nonce: Number(r.nonce), epoch: Number(r.epoch), id: r.id }));
  };

  it("gives concurrent intents nonces without gap or repetition, starting at the chain's count", async () => {
    const [journal, wallet] = [await driver(), newWallet()];
    const account = await journal.claim(1, wallet.address, async () => ({ latest: 5, pending: 5 }));
    const attempts = await Promise.all(
      Array.from({ length: 40 }, (_, i) => journal.prepare(account, `many-${i}`, signer(wallet))),
    );
    expect(attempts.map((a) => a.nonce)).to.deep.equal(Array.from({ length: 40 }, (_, i) => 5 + i));
    expect(attempts.map((a) => a.raw)).to.deep.equal(attempts.map((a) => signer(wallet)(a.nonce).raw));
  });

  it("gives an intent its one attempt, however often and by whomever it is asked", async () => {
    const [journal, wallet] = [await driver(), newWallet()];
    const account = await journal.claim(1, wallet.address, ZERO);
    const all = await Promise.all(Array.from({ length: 8 }, () => journal.prepare(account, "once", signer(wallet))));
    expect(new Set(all.map((a) => a.hash)).size).to.equal(1);
    await journal.close();
    const next = await driver();
    const again = await next.prepare(await next.claim(1, wallet.address, ZERO), "once", signer(wallet, { value: 2n }));
    expect([again.hash, again.raw]).to.deep.equal([all[0]!.hash, all[0]!.raw]);
    expect((await next.prepare(await next.claim(1, wallet.address, ZERO), "twice", signer(wallet))).nonce).to.equal(1);
  });

  it("refuses an intent that another account has", async () => {
    const [journal, a, b] = [await driver(), newWallet(), newWallet()];
    await journal.prepare(await journal.claim(1, a.address, ZERO), "theirs", signer(a));
    const mine = await journal.claim(1, b.address, ZERO);
    expect(await rejection(journal.prepare(mine, "theirs", signer(b)))).to.include({ code: "usage" });
    expect(await slotsOf(b.address)).to.deep.equal([]);
  });

  it("a signature that fails leaves no slot", async () => {
    const [journal, wallet] = [await driver(), newWallet()];
    const account = await journal.claim(1, wallet.address, ZERO);
    await rejection(journal.prepare(account, "unsigned", () => Promise.reject(new Error("the signer is away"))));
    expect((await journal.prepare(account, "signed", signer(wallet))).nonce).to.equal(0);
  });

  it("a second driver is refused, and told who holds the account, while the lease lasts", async () => {
    const [one, two, wallet] = [await driver(), await driver(), newWallet()];
    await one.claim(1, wallet.address, ZERO);
    const error = await rejection(two.claim(1, wallet.address, ZERO));
    expect(error).to.include({ code: "locked" });
    expect(error.message).to.include(one.driverId).and.to.include(`process ${process.pid}`);
    await one.close();
    expect((await two.claim(1, wallet.address, ZERO)).epoch, "handed over at close").to.equal(2n);
  });

  it("a lease that ran out is taken over, and who wakes up then signs nothing more", async () => {
    const [frozen, heir, wallet] = [await driver(), await driver(), newWallet()];
    const old = await frozen.claim(1, wallet.address, ZERO);
    await frozen.prepare(old, "before", signer(wallet));
    await expire(wallet.address);
    const taken = await heir.claim(1, wallet.address, ZERO);
    for (const attempt of [
      frozen.prepare(old, "after", signer(wallet)),
      frozen.supersede(old, 0, {
        kind: "cancel",
        intent: null,
        build: signer(wallet, { maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 10n ** 10n, value: 0n }),
        exposure: { visibility: "public", lastBlock: null },
        head: 0n,
      }),
    ])
      expect(await rejection(attempt)).to.include({ code: "locked" });
    expect((await heir.prepare(taken, "after", signer(wallet))).nonce).to.equal(1);
    await frozen.renew();
    expect(await rejection(frozen.claim(1, wallet.address, ZERO))).to.include({ code: "locked" });
    expect((await slotsOf(wallet.address)).map((s) => [s.nonce, s.epoch, s.id])).to.deep.equal([
      [0, 1, "before"],
      [1, 2, "after"],
    ]);
  });

  it("an account goes to the driver that waits for it, at once and to nobody else; who handed it over signs nothing more", async () => {
    const [holder, waiting, third, wallet] = [await driver(), await driver(), await driver(), newWallet()];
    expect(await waiting.want(1, wallet.address), "nobody has it").to.equal(false);
    const old = await holder.claim(1, wallet.address, ZERO);
    expect(await holder.want(1, wallet.address), "its own").to.equal(false);
    await holder.prepare(old, "handed-before", signer(wallet));
    const mine = { chainId: 1, account: wallet.address };
    await holder.handOver(mine);
    expect(await rejection(waiting.claim(1, wallet.address, ZERO)), "nobody waited").to.include({ code: "locked" });

    const held = await holder.claim(1, wallet.address, ZERO);
    expect(await waiting.want(1, wallet.address)).to.equal(true);
    expect(await holder.wanted()).to.deep.equal([{ ...mine, claimed: true }]);
    // one that is being written is written; whatever comes after it is not
    const writes = Promise.allSettled([
      holder.prepare(held, "handed-during", signer(wallet)),
      holder.handOver(mine),
      holder.prepare(held, "handed-after", signer(wallet)),
    ]);
    expect((await writes).map((w) => w.status)).to.deep.equal(["fulfilled", "fulfilled", "rejected"]);
    expect(holder.lost(held)).to.equal(true);
    const build = signer(wallet, { maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 10n ** 10n, value: 0n });
    const cancel = {
      kind: "cancel",
      intent: null,
      build,
      exposure: { visibility: "public", lastBlock: null },
      head: 0n,
    } as const;
    expect(await rejection(holder.supersede(held, 0, cancel))).to.include({ code: "locked" });
    expect(await rejection(third.claim(1, wallet.address, ZERO))).to.include({ code: "locked" });
    expect(await rejection(holder.claim(1, wallet.address, ZERO))).to.include({ code: "locked" });

    // the heir keeps it by its signs of life, claimed or not, and hands on what it does not use
    expect(await third.want(1, wallet.address)).to.equal(true);
    expect(await waiting.wanted()).to.deep.equal([{ ...mine, claimed: false }]);
    const next = await waiting.claim(1, wallet.address, ZERO);
    expect(next.epoch > held.epoch).to.equal(true);
    expect((await waiting.prepare(next, "heir", signer(wallet))).nonce).to.equal(2);
    expect((await slotsOf(wallet.address)).map((s) => s.id)).to.deep.equal(["handed-before", "handed-during", "heir"]);
    expect(await waiting.wanted()).to.deep.equal([{ ...mine, claimed: true }]);
  });

  it("a driver that has stopped waiting gets nothing", async () => {
    const [holder, gone, wallet] = [await driver(), await driver(), newWallet()];
    await holder.claim(1, wallet.address, ZERO);
    await gone.want(1, wallet.address);
    await db.pool.query(`update journal.account set wanted_at = wanted_at - interval '1 min' where account = $1`, [
      wallet.address.toLowerCase(),
    ]);
    expect(await holder.wanted()).to.deep.equal([]);
    await holder.handOver({ chainId: 1, account: wallet.address });
    expect(await rejection(gone.claim(1, wallet.address, ZERO))).to.include({ code: "locked" });
    expect(await holder.claim(1, wallet.address, ZERO)).to.include({ lost: false });
  });

  it("what was handed over and never claimed is given back at the end", async () => {
    const [holder, heir, third, wallet] = [await driver(), await driver(), await driver(), newWallet()];
    await holder.claim(1, wallet.address, ZERO);
    await heir.want(1, wallet.address);
    await holder.handOver({ chainId: 1, account: wallet.address });
    await heir.close();
    expect((await third.claim(1, wallet.address, ZERO)).epoch).to.equal(3n);
  });

  it("a lease that ran out is no loss where nobody took the account", async () => {
    const [journal, other, wallet] = [await driver(), await driver(), newWallet()];
    const account = await journal.claim(1, wallet.address, ZERO);
    await expire(wallet.address);
    expect((await journal.prepare(account, "late", signer(wallet))).nonce).to.equal(0);
    await expire(wallet.address);
    await journal.renew();
    expect(await rejection(other.claim(1, wallet.address, ZERO))).to.include({ code: "locked" });
  });

  it("drivers that take an account from each other under load: no gap, no repetition, epochs in order of nonces", async () => {
    const next = random();
    const wallet = newWallet();
    const drivers = [await driver(), await driver(), await driver()];
    let holder: Ownership | null = null;
    let refused = 0;
    const zombies: Promise<unknown>[] = [];
    for (let round = 0; round < 12; round++) {
      const journal = drivers[Math.floor(next() * 3)]!;
      const mine = (holder = await takeFrom(journal, wallet.address));
      // each goes on with what it believes to hold, while the next one takes it
      const load = Array.from({ length: 6 }, (_, i) =>
        journal.prepare(mine, `load-${round}-${i}`, signer(wallet)).catch(() => refused++),
      );
      zombies.push(...load);
      if (next() < 0.5) await load[0];
    }
    await Promise.all(zombies);
    const slots = await slotsOf(wallet.address);
    expect(
      slots.map((s) => s.nonce),
      `seed ${SEED}`,
    ).to.deep.equal(slots.map((_, i) => i));
    expect(slots.map((s) => s.epoch)).to.deep.equal(slots.map((s) => s.epoch).toSorted((a, b) => a - b));
    expect(slots.length + refused).to.equal(72);
    expect(Number(holder?.epoch)).to.be.greaterThan(0);
  });

  it("stops an account whose key was used elsewhere, until the operator resumes it", async () => {
    const [journal, wallet] = [await driver(), newWallet()];
    const account = await journal.claim(1, wallet.address, ZERO);
    await journal.prepare(account, "known", signer(wallet));
    await journal.close();
    const next = await driver();
    const stopped = await next.claim(1, wallet.address, async () => ({ latest: 3, pending: 3 }));
    const error = await rejection(next.prepare(stopped, "more", signer(wallet)));
    expect(error).to.include({ code: "locked" });
    expect(error.message).to.match(/counts 3 transactions, the journal gave out 1: the key was used elsewhere/);
    await next.close();
    const { resumeAccount } = await import("../../src/journal/owner.js");
    expect(await resumeAccount(db, 1, wallet.address, { latest: 3, pending: 3 })).to.include({ foreign: 2 });
    const third = await driver();
    const free = await third.claim(1, wallet.address, async () => ({ latest: 3, pending: 3 }));
    expect((await third.prepare(free, "more", signer(wallet))).nonce).to.equal(3);
  });

  it("does not take an account that has transactions on their way which are not in the journal", async () => {
    const [journal, wallet] = [await driver(), newWallet()];
    const error = await rejection(journal.claim(1, wallet.address, async () => ({ latest: 2, pending: 4 })));
    expect(error).to.include({ code: "locked" });
    expect(error.message).to.match(/2 transactions on their way/);
  });

  it("nor one that it has from a backup, while what was signed since is on its way: its nonces would be signed again", async () => {
    const [before, wallet] = [await driver(), newWallet()];
    const account = await before.claim(1, wallet.address, ZERO);
    await before.prepare(account, "in the backup", signer(wallet));
    await before.close();
    const after = await driver();
    const error = await rejection(after.claim(1, wallet.address, async () => ({ latest: 1, pending: 2 })));
    expect(error).to.include({ code: "locked" });
    expect(error.message).to.match(/1 transactions on their way/);
    await after.claim(1, wallet.address, async () => ({ latest: 0, pending: 1 }));
  });

  it("an operator resumes no account that a driver of another host holds, even where both are process 1", async () => {
    const [journal, wallet] = [await driver(), newWallet()];
    const account = await journal.claim(1, wallet.address, ZERO);
    await db.pool.query(`update journal.driver set host = 'elsewhere' where id = $1`, [journal.driverId]);
    await journal.noteForeign(account, 0, "test");
    const { resumeAccount } = await import("../../src/journal/owner.js");
    expect(await rejection(resumeAccount(db, 1, wallet.address, { latest: 0, pending: 0 }))).to.include({ code: "locked" });
  });

  it("an address has one owner, whatever its spelling", async () => {
    const [one, two, wallet] = [await driver(), await driver(), newWallet()];
    await one.claim(1, wallet.address, ZERO);
    expect(await rejection(two.claim(1, wallet.address.toLowerCase(), ZERO))).to.include({ code: "locked" });
    const other = await two.claim(10, wallet.address, ZERO);
    expect(other.epoch, "another chain is another account").to.equal(1n);
  });

  it("rivals share a slot; only one more attempt of two at once gets a number; each is journaled before it is given out", async () => {
    const [journal, wallet] = [await driver(), newWallet()];
    const account = await journal.claim(1, wallet.address, ZERO);
    await journal.prepare(account, "first", signer(wallet), PRIVATE(10n));
    const rival = (id: string, value: bigint, head: bigint, rivals: boolean) => {
      const exposure = PRIVATE(20n);
      return journal.supersede(account, 0, {
        kind: "trade",
        intent: { id },
        build: signer(wallet, { value }),
        exposure,
        head,
        rival: rivals,
      });
    };
    expect(await rejection(rival("second", 2n, 10n, false))).to.include({ code: "refused" });
    expect((await rival("second", 2n, 11n, false)).number).to.equal(2);
    expect((await rival("third", 3n, 11n, true)).number).to.equal(3);
    const [slot] = await journal.openSlots(account);
    expect(slot!.attempts.map((a) => a.intentId)).to.deep.equal(["first", "second", "third"]);
    expect((await journal.prepare(account, "second", signer(wallet))).number, "an intent keeps its slot").to.equal(2);
    expect((await journal.prepare(account, "fourth", signer(wallet))).nonce).to.equal(1);
  });

  it("asks for a fee bump once private bytes were marked as public", async () => {
    const [journal, wallet] = [await driver(), newWallet()];
    const account = await journal.claim(1, wallet.address, ZERO);
    const attempt = await journal.prepare(account, "shown", signer(wallet), PRIVATE(10n));
    await journal.expose(attempt.hash);
    const cancel = (more: bigint) =>
      journal.supersede(account, 0, {
        kind: "cancel",
        intent: null,
        build: (nonce, slot) => {
          const fees = slot.attempts[0]!;
          return signer(wallet, {
            value: 0n,
            maxFeePerGas: (fees.maxFeePerGas * more) / 1000n,
            maxPriorityFeePerGas: (fees.maxPriorityFeePerGas * more) / 1000n,
          })(nonce);
        },
        exposure: { visibility: "public", lastBlock: null },
        head: 99n,
      });
    expect(await rejection(cancel(1124n))).to.include({ code: "refused" });
    expect((await cancel(1125n)).kind).to.equal("cancel");
  });
});
