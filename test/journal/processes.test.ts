import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { expect } from "chai";
import { hexlify, randomBytes, Transaction } from "ethers";
import type { Database } from "../../src/database/open.js";
import { Secret } from "../../src/config/secrets.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { journalDatabase } from "../helpers/journal.js";

const DEADLINE_MS = 60_000;

type Said = { epoch?: string; done?: number; code?: string; message?: string };

describe("journal: drivers in processes of their own on one account", () => {
  let db: Database;
  const children: ChildProcess[] = [];
  const key = hexlify(randomBytes(32));
  const account = new WalletManager(new Secret(key)).address.toLowerCase();

  before(async () => {
    db = await journalDatabase();
  });
  after(async () => {
    for (const child of children) child.kill("SIGKILL");
    await db.close();
  });

  /** Starts a driver; `until` waits for something that it says, and fails when it ends without. */
  function driver(name: string) {
    const args = ["--import", "tsx", path.join(import.meta.dirname, "driver.ts"), db.secretUrl.reveal(), key, name];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    const ended = once(child, "close");
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const until = async (wanted: (said: Said) => boolean): Promise<Said> => {
      const late = setTimeout(() => child.kill("SIGKILL"), DEADLINE_MS);
      try {
        for (;;) {
          const line = await lines.next();
          if (line.done) throw new Error(`${name} ended, or said nothing in ${DEADLINE_MS} ms`);
          const said = JSON.parse(line.value) as Said;
          if (wanted(said)) return said;
        }
      } finally {
        clearTimeout(late);
      }
    };
    return { child, ended, until };
  }

  it("a second is refused; a killed one is followed at once; a frozen one is refused when it wakes; no nonce is lost or given twice", async () => {
    const first = driver("first");
    expect((await first.until((s) => s.epoch !== undefined)).epoch).to.equal("1");
    const refused = await driver("refused").until((s) => s.code !== undefined);
    expect(refused.code).to.equal("locked");
    expect(refused.message).to.include(`process ${first.child.pid}`);

    await first.until((s) => (s.done ?? 0) >= 20);
    first.child.kill("SIGKILL");
    await first.ended;
    const second = driver("second");
    expect((await second.until((s) => s.epoch !== undefined)).epoch, "without waiting for the lease").to.equal("2");
    await second.until((s) => (s.done ?? 0) >= 20);

    second.child.kill("SIGSTOP");
    await db.pool.query(`update journal.account set until = clock_timestamp() - interval '1 s' where account = $1`, [account]);
    const third = driver("third");
    expect((await third.until((s) => s.epoch !== undefined)).epoch).to.equal("3");
    await third.until((s) => (s.done ?? 0) >= 20);
    second.child.kill("SIGCONT");
    expect((await second.until((s) => s.code !== undefined)).code).to.equal("locked");
    third.child.kill("SIGKILL");
    await third.ended;

    const { rows } = await db.pool.query<{ nonce: bigint; epoch: bigint; id: string; raw: string; next: bigint }>(
      `select s.nonce, s.epoch, a.intent_id as id, a.raw, o.next from journal.slot s join journal.attempt a using (chain_id, account, nonce)
       join journal.account o using (chain_id, account) where s.account = $1 order by s.nonce`,
      [account],
    );
    expect(rows.map((r) => Number(r.nonce))).to.deep.equal(rows.map((_, i) => i));
    expect(Number(rows[0]!.next)).to.equal(rows.length);
    expect(new Set(rows.map((r) => r.id)).size).to.equal(rows.length);
    for (const row of rows) expect(Transaction.from(row.raw).nonce).to.equal(Number(row.nonce));
    const epochs = rows.map((r) => Number(r.epoch));
    expect(epochs).to.deep.equal(epochs.toSorted((a, b) => a - b));
    expect(new Set(epochs)).to.deep.equal(new Set([1, 2, 3]));
  });
});
