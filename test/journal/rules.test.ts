import { expect } from "chai";
import { constantFrom, property as check, bigInt, record, array, option } from "fast-check";
import { bumped, isVacant, type Proposal, refusalOf } from "../../src/journal/rules.js";
import type { JournaledAttempt, SendNote, Slot } from "../../src/journal/types.js";
import { property } from "../helpers/property.js";

const HEAD = 100n;
const accepted: SendNote = { route: "node", status: "accepted", kind: null };
const refused: SendNote = { route: "node", status: "refused", kind: "underpriced" };

function attempt(change: Partial<JournaledAttempt> = {}): JournaledAttempt {
  return {
    chainId: 1,
    account: `0x${"11".repeat(20)}`,
    nonce: 3,
    number: 1,
    kind: "trade",
    intentId: "a",
    holder: null,
    raw: "0x02",
    hash: `0x${"22".repeat(32)}`,
    maxFeePerGas: 1000n,
    maxPriorityFeePerGas: 100n,
    gasLimit: 21_000n,
    visibility: "public",
    lastBlock: null,
    ageMs: 0,
    createdAt: new Date(0),
    broadcastAt: null,
    sends: [accepted],
    ...change,
  };
}

const slot = (attempts: JournaledAttempt[], state: Slot["state"] = "open"): Slot => {
  return { chainId: 1, account: `0x${"11".repeat(20)}`, nonce: 3, state, attempts, inclusion: null, evidence: null };
};
const proposal = (change: Partial<Proposal> = {}): Proposal => {
  return { kind: "trade", intentId: "b", maxFeePerGas: 1000n, maxPriorityFeePerGas: 100n, rival: false, ...change };
};
const verdict = (s: Slot, p: Proposal, publicAbove = false) => refusalOf(s, p, { head: HEAD, publicAbove });
const inWindow = { visibility: "private", lastBlock: 100n } as const;
const windowPassed = { visibility: "private", lastBlock: 99n } as const;
const enough = { maxFeePerGas: 1125n, maxPriorityFeePerGas: 113n };

describe("rules of a slot", () => {
  it("a public attempt is replaced only with both fees 12.5 % higher", () => {
    const kinds = [
      { kind: "replacement", intentId: "a" },
      { kind: "cancel", intentId: null },
      { kind: "trade", intentId: "b", rival: true },
    ] as const;
    for (const kind of kinds) {
      const s = slot([attempt()]);
      expect(verdict(s, proposal({ ...kind, ...enough })), kind.kind).to.equal(null);
      for (const short of [{ maxFeePerGas: 1124n }, { maxPriorityFeePerGas: 112n }])
        expect(verdict(s, proposal({ ...kind, ...enough, ...short })), kind.kind).to.match(/at least 1125 and the tip 113/);
    }
  });

  it("the bump is at least an eighth, rounded up, and always more", () => {
    property(
      check(bigInt({ min: 0n, max: 2n ** 120n }), (fee) => {
        expect(bumped(fee) > fee && bumped(fee) * 1000n >= fee * 1125n).to.equal(true);
        expect((bumped(fee) - 1n) * 1000n < fee * 1125n || bumped(fee) === fee + 1n).to.equal(true);
      }),
    );
  });

  it("bytes that were never noted as sent count as public: the program may have died between send and note", () => {
    expect(verdict(slot([attempt({ sends: [] })]), proposal({ kind: "cancel", intentId: null }))).to.match(/is public/);
  });

  it("another intent takes over a private attempt once its last block has passed, and not before", () => {
    expect(verdict(slot([attempt(windowPassed)]), proposal())).to.equal(null);
    expect(verdict(slot([attempt(inWindow)]), proposal())).to.match(/can still land/);
    expect(verdict(slot([attempt({ ...windowPassed, lastBlock: null })]), proposal()), "without a last block").to.match(
      /can still/,
    );
  });

  it("declared rivals share a private slot at any price", () => {
    expect(verdict(slot([attempt(inWindow)]), proposal({ rival: true, maxFeePerGas: 1n, maxPriorityFeePerGas: 0n }))).to.equal(
      null,
    );
  });

  it("what every route refused holds nothing", () => {
    expect(verdict(slot([attempt({ sends: [refused] })]), proposal())).to.equal(null);
    expect(verdict(slot([attempt({ sends: [refused, { ...accepted, status: "unknown" }] })]), proposal())).to.match(/can still/);
    const used: SendNote = { ...refused, kind: "nonce-too-low" };
    expect(verdict(slot([attempt({ sends: [used] })]), proposal()), "a used nonce may be used by these bytes").to.match(
      /can still/,
    );
  });

  it("a no-op fills a slot only below one that is public", () => {
    const noop = proposal({ kind: "no-op", intentId: null });
    expect(verdict(slot([attempt(windowPassed)]), noop)).to.match(/below one that is already public/);
    expect(verdict(slot([attempt(windowPassed)]), noop, true)).to.equal(null);
  });

  it("kinds say what they are for", () => {
    const s = slot([attempt(windowPassed)]);
    expect(verdict(s, proposal({ kind: "replacement", intentId: "b" }))).to.match(/intent of its slot/);
    expect(verdict(s, proposal({ intentId: "a" }))).to.match(/new intent/);
    expect(verdict(s, proposal({ kind: "cancel", intentId: "a" }))).to.match(/no intent/);
  });

  it("only an open slot takes anything, and only an open one is vacant", () => {
    for (const state of ["mined", "final", "foreign"] as const) {
      expect(verdict(slot([attempt(windowPassed)], state), proposal())).to.equal(`the slot is ${state}`);
      expect(isVacant(slot([attempt(windowPassed)], state), HEAD)).to.equal(false);
    }
  });

  it("whatever the slot holds: no undeclared intent joins while another can land, no public one is underbid", () => {
    const anyAttempt = record({
      visibility: constantFrom("public" as const, "private" as const),
      lastBlock: option(constantFrom(99n, 100n)),
      sends: array(constantFrom<SendNote>(accepted, refused, { ...accepted, status: "unknown" }), { maxLength: 3 }),
      maxFeePerGas: bigInt({ min: 1n, max: 2000n }),
    });
    property(
      check(array(anyAttempt, { minLength: 1, maxLength: 4 }), bigInt({ min: 1n, max: 3000n }), (list, fee) => {
        const s = slot(list.map((a, i) => attempt({ ...a, number: i + 1, maxPriorityFeePerGas: 0n })));
        const joins = verdict(s, proposal({ maxFeePerGas: fee, maxPriorityFeePerGas: 1n })) === null;
        expect(joins).to.equal(isVacant(s, HEAD));
        const rival = verdict(s, proposal({ maxFeePerGas: fee, maxPriorityFeePerGas: 1n, rival: true })) === null;
        const publics = list.filter(
          (a) => a.visibility === "public" && !(a.sends.length > 0 && a.sends.every((x) => x.status === "refused")),
        );
        expect(rival).to.equal(publics.every((a) => fee >= bumped(a.maxFeePerGas)));
      }),
    );
  });
});
