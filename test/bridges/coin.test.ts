import { expect } from "chai";
import type { Provider } from "ethers";
import { bookCoin } from "../../src/bridges/coin.js";
import { networkById } from "../../src/config/networks.js";
import { ArbError } from "../../src/errors.js";
import type { Senders } from "../../src/transfers/senders.js";
import type { CoinInBlock } from "../../src/transfers/store.js";

const ACCOUNT = `0x${"aB".repeat(20)}`;
const VAULT = `0x${"cd".repeat(20)}`;
const HASH = `0x${"1".repeat(64)}`;
const VALUE = 1_000n;
const GAS = 7n;
const BLOCK = 50;

/** An account's block: what its coin was before and after, how many transactions of it there are, and what the journal has, look by look. */
class Site {
  readonly unseen: [string, bigint][] = [];
  readonly faults: string[] = [];
  looks = 0;
  before = 10_000n;
  after = 10_000n - VALUE - GAS;
  transactions = 1;
  /** Of each look at the journal; the last one stays. */
  books: (CoinInBlock | null)[] = [{ sum: -VALUE - GAS, transactions: 1 }];
  fails: Error | null = null;

  async book(holder = ACCOUNT, bookingMs = 1_000): Promise<void> {
    const at = (before: number | bigint, after: number | bigint) => (_: string, block: number) =>
      this.fails ? Promise.reject(this.fails) : Promise.resolve(block < BLOCK ? before : after);
    const provider = {
      getBalance: (account: string, block: number) => at(this.before, this.after)(account, block),
      getTransactionCount: (account: string, block: number) => at(3, 3 + this.transactions)(account, block),
    } as unknown as Provider;
    const senders = {
      chain: () => ({ provider, network: networkById(1)! }) as ReturnType<Senders["chain"]>,
      onFault: (error: unknown) => this.faults.push((error as Error).message),
    };
    const store = {
      coinIn: () => Promise.resolve(this.books[Math.min(this.looks++, this.books.length - 1)]!),
      unseen: (transfer: string, chainId: number, hash: string, of: string, amount: bigint) => {
        expect([transfer, chainId, hash]).to.deep.equal(["transfer", 1, HASH]);
        this.unseen.push([of, amount]);
        return Promise.resolve();
      },
    };
    const call = { chainId: 1, value: VALUE };
    const landed = { hash: HASH, blockNumber: BLOCK };
    await bookCoin({ senders, store }, { transfer: "transfer", account: ACCOUNT, holder, call, at: landed }, bookingMs);
  }
}

describe("the coin that moves in a bridge's start without a log", () => {
  it("is what the balance of the block has beyond the journal's entries; nothing is booked where nothing came back", async () => {
    const site = new Site();
    await site.book();
    expect(site.unseen).to.deep.equal([]);
    site.after += 300n;
    await site.book();
    expect([site.unseen, site.faults]).to.deep.equal([[[ACCOUNT, 300n]], []]);
  });

  it("the vault passes on the whole value, and the account has what came back", async () => {
    const site = new Site();
    site.after += 250n;
    await site.book(VAULT);
    expect(site.unseen).to.deep.equal([
      [VAULT, -VALUE],
      [ACCOUNT, 250n],
    ]);
    expect(site.faults).to.deep.equal([]);
  });

  it("what else the account did in the block is waited for: its money is not taken for what came back", async () => {
    const site = new Site();
    site.transactions = 2;
    // the other one unwrapped 600
    site.after += 300n + 600n - GAS;
    const alone = { sum: -VALUE - GAS, transactions: 1 };
    site.books = [alone, alone, alone, { sum: -VALUE - GAS + 600n - GAS, transactions: 2 }];
    await site.book();
    expect([site.looks, site.unseen, site.faults]).to.deep.equal([4, [[ACCOUNT, 300n]], []]);
  });

  it("where the journal never has it, that is told, and the books have the whole value as spent", async () => {
    const site = new Site();
    site.transactions = 2;
    site.after += 300n;
    await site.book(VAULT, 1);
    // the vault's part is known all the same
    expect(new Set(site.unseen.map(String))).to.deep.equal(new Set([String([VAULT, -VALUE])]));
    expect(site.faults).to.deep.equal([
      `what ${HASH} gave back of its value on Ethereum is not in the books: a transaction of that block is not in them either`,
    ]);
  });

  it("it is asked again while the journal has not booked the start itself, and nothing is booked until then", async () => {
    const site = new Site();
    site.books = [null];
    const error = await site.book(VAULT).catch((e: unknown) => e);
    expect(error).to.be.instanceOf(ArbError).and.include({ code: "network", where: HASH });
    expect([site.unseen, site.faults]).to.deep.equal([[], []]);
  });

  it("a start that a reorganisation takes back while the other is waited for is asked for again", async () => {
    const site = new Site();
    site.transactions = 2;
    site.books = [{ sum: -VALUE - GAS, transactions: 1 }, null];
    expect(await site.book().catch((e: unknown) => e)).to.include({ code: "network" });
    expect(site.unseen).to.deep.equal([]);
  });

  for (const [what, more] of [
    ["more than the value", VALUE + 1n],
    ["less than nothing", -1n],
  ] as const)
    it(`${what} is other money: it is told, and not booked`, async () => {
      const site = new Site();
      site.after += more;
      await site.book();
      expect([site.unseen, site.faults.length]).to.deep.equal([[], 1]);
      expect(site.faults[0]).to.match(/other money moved in that block/);
    });

  it("the whole value may come back", async () => {
    const site = new Site();
    site.after += VALUE;
    await site.book();
    expect([site.unseen, site.faults]).to.deep.equal([[[ACCOUNT, VALUE]], []]);
  });

  it("a node that keeps no such old balances keeps no start from its end: it is told", async () => {
    const site = new Site();
    site.fails = new Error("missing trie node");
    await site.book();
    expect([site.unseen, site.faults.length]).to.deep.equal([[], 1]);
    expect(site.faults[0]).to.match(/missing trie node/);
  });
});
