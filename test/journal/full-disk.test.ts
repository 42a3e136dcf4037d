import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect } from "chai";
import { ArbError } from "../../src/errors.js";
import { type OpenJournal, openJournalOf } from "../../src/journal/open.js";
import type { JournaledAttempt } from "../../src/journal/types.js";
import { newWallet, signer, ZERO } from "./world.js";

/** The data of a new server, and room for a little more. */
const DISK_MB = 128;

describe("journal on a disk that is full", function () {
  let disk: string;
  let opened: OpenJournal;

  before(function () {
    disk = mkdtempSync(path.join(os.tmpdir(), "arb-full-"));
    const options = ["-t", "tmpfs", "-o", `size=${DISK_MB}m,mode=755`, "tmpfs", disk];
    // only root may make a small disk
    if (spawnSync("mount", options).status !== 0) this.skip();
  });
  after(async () => {
    await opened?.close();
    spawnSync("umount", [disk]);
    rmSync(disk, { recursive: true, force: true });
  });

  it("refuses to sign, loses nothing that it gave out, gives nothing out that it lost, and goes on when there is room", async () => {
    const wallet = newWallet();
    opened = await openJournalOf({ folder: path.join(disk, "data of arb") }, { database: { statementMs: 5_000 } });
    const { journal } = opened;
    const account = await journal.claim(1, wallet.address, ZERO);
    const given: JournaledAttempt[] = [];
    const errors: ArbError[] = [];
    let number = 0;
    const ask = async (): Promise<boolean> => {
      try {
        // random bytes do not compress: each row takes its room
        const to = newWallet().address;
        given.push(await journal.prepare(account, `intent ${number++}`, (nonce) => signer(wallet, { to })(nonce)));
        return true;
      } catch (error) {
        errors.push(error as ArbError);
        return false;
      }
    };
    for (let i = 0; i < 10; i++) expect(await ask()).to.equal(true);

    const { bavail, bsize } = statfsSync(disk);
    const stuffing = path.join(disk, "stuffing");
    let left = bavail * bsize;
    // in pieces, to the last one that fits
    for (let piece = 1 << 20, parts = 0; piece >= 512 && left > 0;) {
      try {
        writeFileSync(`${stuffing}-${parts++}`, Buffer.alloc(piece, 1));
      } catch {
        piece >>= 1;
      }
      left = statfsSync(disk).bavail * bsize;
    }
    // its log has room for a while
    await opened.journal.db.pool.query("create table if not exists public.filler (text text)").catch(() => undefined);
    for (let i = 0; i < 4_000 && errors.length < 3; i++) {
      await opened.journal.db.pool
        .query("insert into public.filler select repeat(md5(random()::text), 200) from generate_series(1, 50)")
        .catch(() => undefined);
      await ask();
    }
    expect(errors.length, "the disk was filled").to.be.at.least(3);
    for (const error of errors) {
      expect(error).to.be.instanceOf(ArbError);
      expect(["network", "config"], error.message).to.include(error.code);
      expect(error.hint, error.message).to.not.equal(undefined);
    }

    for (const name of readdirSync(disk)) if (name.startsWith("stuffing")) rmSync(path.join(disk, name));
    const before = given.length;
    // a server that the full disk ended is started again meanwhile
    for (const end = Date.now() + 60_000; given.length === before && Date.now() < end;) await ask();
    expect(given.length, errors.at(-1)?.message).to.be.greaterThan(before);

    const kept = (await journal.slots(account, { from: 0 })).flatMap((slot) => slot.attempts);
    const byHash = new Map(kept.map((attempt) => [attempt.hash, attempt]));
    for (const attempt of given) expect(byHash.get(attempt.hash)?.raw, `nonce ${attempt.nonce}`).to.equal(attempt.raw);
    // what an answer was lost of has its slot too: each nonce once, without a gap
    expect(kept.map((attempt) => attempt.nonce)).to.deep.equal(kept.map((_, i) => i));
  });
});
