import { expect } from "chai";
import type { Database } from "../../src/database/open.js";
import { type Journal, openJournal } from "../../src/journal/journal.js";
import { pruneJournal } from "../../src/journal/retention.js";
import type { Ownership } from "../../src/journal/owner.js";
import type { JournaledAttempt } from "../../src/journal/types.js";
import { journalDatabase } from "../helpers/journal.js";
import { newWallet, PRIVATE, signer, ZERO } from "./world.js";

const BLOCK = `0x${"aa".repeat(32)}`;

describe("journal: what is deleted after a while", () => {
  let db: Database;
  let journal: Journal;
  let account: Ownership;
  const wallet = newWallet();

  beforeEach(async () => {
    db = await journalDatabase();
    journal = await openJournal(db);
    account = await journal.claim(1, wallet.address, ZERO);
  });
  afterEach(async () => {
    await journal.close();
    await db.close();
  });

  const age = async (days: number) => {
    const ago = `clock_timestamp() - interval '${days} days'`;
    await db.pool.query(`update journal.send set at = ${ago}`);
    await db.pool.query(
      `update journal.inclusion set noted_at = ${ago}, final_at = case when final_at is null then null else ${ago} end`,
    );
    await db.pool.query(`update journal.slot set created_at = ${ago}`);
  };
  /** Ten answers of two relays, of which the third was taken. */
  const sent = async (id: string): Promise<JournaledAttempt> => {
    const attempt = await journal.prepare(account, id, signer(wallet), PRIVATE(100n));
    for (let i = 0; i < 10; i++) {
      const answer = i === 2 ? { status: "accepted" as const } : { status: "unknown" as const, detail: "no answer" };
      await journal.noteSend(attempt.hash, `relay-${i % 2}`, answer, { targetBlock: BigInt(90 + i) });
    }
    return attempt;
  };
  const mined = async ({ hash }: JournaledAttempt) => {
    const fees = { gasUsed: 21_000n, gas: 5n, l1Fee: 0n, operatorFee: 0n };
    await journal.noteReceipt({ hash, blockNumber: 95, blockHash: BLOCK, succeeded: true, logs: [], ...fees }, [
      { holder: wallet.address.toLowerCase(), asset: "native", kind: "gas", amount: -5n },
    ]);
  };
  const answers = async ({ nonce }: JournaledAttempt) => (await journal.slots(account, { nonce }))[0]!.attempts[0]!.sends;
  const rows = async () => {
    const tables = ["slot", "intent", "attempt", "inclusion", "ledger"];
    return await Promise.all(tables.map(async (t) => (await db.pool.query(`select 1 from journal.${t}`)).rowCount));
  };

  it("is nothing of a slot that is open, mined or foreign, however old, nor of one that became final lately", async () => {
    const open = await sent("open");
    const seen = await sent("mined");
    const foreign = await sent("foreign");
    const fresh = await sent("fresh");
    await mined(seen);
    await mined(fresh);
    await journal.finalise(fresh.hash, BLOCK);
    await journal.noteForeign(account, foreign.nonce, "somebody");
    await age(400);
    await db.pool.query(
      "update journal.inclusion set final_at = clock_timestamp() - interval '29 days' where final_at is not null",
    );
    expect((await pruneJournal(db)).sends).to.equal(0);
    for (const attempt of [open, seen, foreign, fresh]) expect(await answers(attempt)).to.have.length(10);
  });

  it("is what routes answered about final slots, but for the last word of each attempt, and nothing that is booked", async () => {
    const attempts = [];
    for (const id of ["a", "b", "c"]) {
      const attempt = await sent(id);
      await mined(attempt);
      await journal.finalise(attempt.hash, BLOCK);
      attempts.push(attempt);
    }
    await age(31);
    const before = await rows();
    // batches that end within an attempt's answers
    expect((await pruneJournal(db, { batch: 7 })).sends).to.equal(27);
    for (const attempt of attempts) {
      expect(await answers(attempt)).to.deep.equal([{ route: "relay-0", status: "accepted", kind: null }]);
      expect(await journal.outcome(1, attempt.intentId!)).to.include({ status: "landed", final: true, feeWei: 5n });
    }
    expect(await rows()).to.deep.equal(before);
    expect((await pruneJournal(db)).sends).to.equal(0);
  });

  it("goes on while a driver writes, and by one program at a time", async () => {
    const old = await sent("old");
    await mined(old);
    await journal.finalise(old.hash, BLOCK);
    await age(40);
    const both = await Promise.all([pruneJournal(db, { batch: 2 }), pruneJournal(db, { batch: 2 }), sent("new")]);
    expect(both[0].sends + both[1].sends).to.be.at.most(9);
    await pruneJournal(db);
    expect(await answers(old)).to.have.length(1);
    expect(await answers(both[2])).to.have.length(10);
  });

  it("is a program that ended long ago, unless an account is still its", async () => {
    const gone = await openJournal(db, { driverId: "gone" });
    await gone.close();
    const killed = await openJournal(db, { driverId: "killed" });
    await killed.claim(10, wallet.address, ZERO);
    await db.pool.query("update journal.driver set beat = clock_timestamp() - interval '31 days' where id in ('gone', 'killed')");
    expect((await pruneJournal(db)).drivers).to.equal(1);
    const { rows: left } = await db.pool.query<{ id: string }>("select id from journal.driver order by id");
    expect(left.map((d) => d.id))
      .to.include("killed")
      .and.to.include(journal.driverId)
      .and.to.not.include("gone");
    await killed.close();
  });
});
