import { expect } from "chai";
import { id, zeroPadValue } from "ethers";
import { networkById } from "../../src/config/networks.js";
import { openJournal } from "../../src/journal/journal.js";
import { entriesOf, type LandedReceipt } from "../../src/journal/receipt.js";
import { journalDatabase } from "../helpers/journal.js";
import { newWallet, signer, ZERO } from "./world.js";

const network = networkById(1)!;
const HOLDER = `0x${"e1".repeat(20)}`;
const MOST = `0x${"ff".repeat(32)}`;
const transfer = (data: string, address = `0x${"aa".repeat(20)}`) => ({
  address,
  topics: [id("Transfer(address,address,uint256)"), zeroPadValue(`0x${"bb".repeat(20)}`, 32), zeroPadValue(HOLDER, 32)],
  data,
});
const landed = (hash: string, logs: LandedReceipt["logs"]): LandedReceipt => ({
  hash,
  blockNumber: 7,
  blockHash: `0x${"cd".repeat(32)}`,
  succeeded: true,
  gasUsed: 21_000n,
  gas: 21_000n,
  l1Fee: 0n,
  operatorFee: 0n,
  logs,
});

describe("journal: what a receipt books", () => {
  it("logs of a hostile token, which are no amounts or more than a balance can hold, do not stop the books", async () => {
    const db = await journalDatabase();
    const journal = await openJournal(db);
    const wallet = newWallet();
    const account = await journal.claim(1, wallet.address, ZERO);
    const real = transfer(`0x${"00".repeat(31)}05`, `0x${"cc".repeat(20)}`);
    const hostile = {
      empty: [transfer("0x")],
      long: [transfer(`${MOST}${"ff".repeat(32)}`)],
      "more than there can be": Array.from({ length: 12 }, () => transfer(MOST)),
    };
    for (const [name, logs] of Object.entries(hostile)) {
      const attempt = await journal.prepare(account, { id: name, holder: HOLDER }, signer(wallet));
      const receipt = landed(attempt.hash, [...logs, real]);
      const entries = entriesOf(receipt, attempt.raw, network, [HOLDER]);
      expect(await journal.noteReceipt(receipt, entries), name).to.equal(true);
      const tokens = entries.filter(({ kind }) => kind === "transfer");
      expect(tokens, name).to.deep.equal([{ holder: HOLDER, asset: real.address, kind: "transfer", amount: 5n }]);
    }
    await journal.close();
    await db.close();
  });

  it("an answer with a zero byte, which the database does not take, is noted all the same", async () => {
    const db = await journalDatabase();
    const journal = await openJournal(db);
    const wallet = newWallet();
    const account = await journal.claim(1, wallet.address, ZERO);
    const attempt = await journal.prepare(account, "zero", signer(wallet));
    await journal.noteSend(attempt.hash, "relay", { status: "refused", kind: "unknown", detail: "no\0thing" });
    expect((await journal.find(1, "zero"))!.attempts[0]!.sends).to.have.length(1);
    await journal.close();
    await db.close();
  });
});
