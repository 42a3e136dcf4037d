import { expect } from "chai";
import { finishFound } from "../../src/transfers/finish.js";
import type { Found, SeenBlocks } from "../../src/transfers/scan.js";
import type { Landing, Order, Senders } from "../../src/transfers/senders.js";

const ACCOUNT = "0x00000000000000000000000000000000000a11ce";
const POOL = "0x0000000000000000000000000000000000009001";

/** A journal and a chain: each call that is new lands in the block that is next, or ends as it is told. */
class Site {
  readonly sent: Order[] = [];
  readonly ends = new Map<string, Landing>();
  /** Of the next new call. */
  next: (hash: string) => Landing = (hash) => ({ status: "landed", hash, blockNumber: this.block });
  block = 100;

  readonly senders: Pick<Senders, "execute" | "isKnown" | "signed"> = {
    isKnown: (_, intent) => Promise.resolve(this.ends.has(intent)),
    signed: (_, intent) => Promise.resolve(this.sent.find((o) => o.intentId === intent)?.call ?? null),
    execute: (order) => {
      const known = this.ends.get(order.intentId);
      if (known) return Promise.resolve(known);
      this.sent.push(order);
      const end = this.next(`0xhash${this.sent.length}`);
      this.ends.set(order.intentId, end);
      return Promise.resolve(end);
    },
  };

  async finish(seen: SeenBlocks, to = POOL): Promise<[boolean, string | null, string]> {
    const call = { chainId: 1, to, data: "0x1234", value: 0n, purpose: "claim" };
    const found = { kind: "refund-credit", finish: call, seen } as Found;
    const [end] = await finishFound([found], this.senders, ACCOUNT, 1);
    return [end!.sent, end!.hash, end!.detail];
  }
}

describe("finishing what a scan found", () => {
  it("a call that landed after the scan is what the scan found: it is not sent again", async () => {
    const site = new Site();
    const first = await site.finish({ from: 99, to: 99 });
    expect(first).to.deep.equal([true, "0xhash1", "claim"]);
    expect(await site.finish({ from: 99, to: 99 })).to.deep.equal(first);
    expect(site.sent.length).to.equal(1);
  });

  it("a second credit has the same bytes: the claim that the scan had seen is not taken for its own", async () => {
    const site = new Site();
    await site.finish({ from: 99, to: 99 });
    site.block = 200;
    expect(await site.finish({ from: 150, to: 150 })).to.deep.equal([true, "0xhash2", "claim"]);
    // and so on, with all the earlier ones known
    site.block = 300;
    expect(await site.finish({ from: 250, to: 250 })).to.deep.equal([true, "0xhash3", "claim"]);
    expect(await site.finish({ from: 250, to: 250 })).to.deep.equal([true, "0xhash3", "claim"]);
    expect(new Set(site.sent.map((o) => o.intentId)).size).to.equal(3);
  });

  it("what landed in the very block of the look was seen by it", async () => {
    const site = new Site();
    await site.finish({ from: 99, to: 99 });
    expect((await site.finish({ from: 100, to: 100 }))[1]).to.equal("0xhash2");
  });

  it("where the scan may have seen the landing or not, nothing is sent, and it is not told as done", async () => {
    const site = new Site();
    await site.finish({ from: 99, to: 99 });
    const [sent, hash, detail] = await site.finish({ from: 90, to: 120 });
    expect([sent, hash]).to.deep.equal([false, "0xhash1"]);
    expect(detail).to.match(/the same call is in block 100, .*: scan again when it is final/);
    expect(site.sent.length).to.equal(1);
  });

  it("one that is on its way is looked at, whenever the scan was; one that failed is tried anew", async () => {
    const site = new Site();
    site.next = () => ({ status: "open", detail: "in no block yet" });
    for (const block of [99, 150, 250])
      expect(await site.finish({ from: block, to: block })).to.deep.equal([false, null, "in no block yet"]);
    expect(site.sent.length).to.equal(1);
    site.ends.set(site.sent[0]!.intentId, { status: "failed", detail: "reverted", sent: true });
    site.next = (hash) => ({ status: "landed", hash, blockNumber: 300 });
    expect(await site.finish({ from: 250, to: 250 })).to.deep.equal([true, "0xhash2", "claim"]);
  });

  it("the same bytes for another contract, as of a second vault, are another call", async () => {
    const site = new Site();
    const [one, other] = ["0x0000000000000000000000000000000000000001", "0x0000000000000000000000000000000000000002"];
    await site.finish({ from: 99, to: 99 }, one);
    expect(await site.finish({ from: 99, to: 99 }, other)).to.deep.equal([true, "0xhash2", "claim"]);
    expect((await site.finish({ from: 99, to: 99 }, one))[1]).to.equal("0xhash1");
  });
});
