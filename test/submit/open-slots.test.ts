import { expect } from "chai";
import type { JournaledAttempt } from "../../src/journal/types.js";
import { OpenSlots } from "../../src/submit/open-slots.js";
import { openAges } from "../../src/submit/stuck.js";

const MINUTE = 60_000;

const attempt = (nonce: number, hash = `0x${"22".repeat(32)}`): JournaledAttempt => ({
  chainId: 1,
  account: `0x${"11".repeat(20)}`,
  nonce,
  number: 1,
  kind: "trade",
  intentId: `intent ${nonce}`,
  holder: null,
  raw: "0x02",
  hash,
  maxFeePerGas: 1000n,
  maxPriorityFeePerGas: 100n,
  gasLimit: 21_000n,
  visibility: "public",
  lastBlock: null,
  createdAt: new Date(0),
  ageMs: 0,
  broadcastAt: null,
  sends: [],
});

describe("OpenSlots: what a node is believed to have", () => {
  const clock = { steady: 0, wall: 0 };
  let slots: OpenSlots;
  const unseen = () => slots.unseenFor(12_000).map((open) => open.attempt.nonce);

  beforeEach(() => {
    [clock.steady, clock.wall] = [5_000, 1_800_000_000_000];
    slots = new OpenSlots(() => ({ ...clock }));
    slots.put(attempt(0), true);
    slots.put(attempt(1), false);
  });

  it("is asked for again after the time, and at once what nobody surely had", () => {
    clock.steady += 11_999;
    clock.wall += 11_999;
    expect(unseen()).to.deep.equal([1]);
    clock.steady += 1;
    clock.wall += 1;
    expect(unseen()).to.deep.equal([0, 1]);
    for (const open of slots.unseenFor(12_000)) slots.saw(open);
    expect(unseen()).to.deep.equal([]);
  });

  it("is asked for also where the wall clock was set back, or the machine slept", () => {
    clock.steady += 12_000;
    clock.wall -= 60 * MINUTE;
    expect(unseen(), "set back").to.deep.equal([0, 1]);
    for (const open of slots.unseenFor(12_000)) slots.saw(open);
    clock.wall += 60 * MINUTE;
    expect(unseen(), "slept").to.deep.equal([0, 1]);
  });
});

describe("openAges", () => {
  it("takes the age that the database tells at first, and lets it grow by the steady clock alone", () => {
    let steady = 1_000;
    const ages = openAges(() => steady);
    expect(ages({ hash: "0x1", ageMs: 5 * MINUTE }), "of an earlier run").to.equal(5 * MINUTE);
    steady += MINUTE;
    expect(ages({ hash: "0x1", ageMs: 90 * MINUTE }), "the database's clock was set forward").to.equal(6 * MINUTE);
    expect(ages({ hash: "0x1", ageMs: -90 * MINUTE }), "and back").to.equal(6 * MINUTE);
    expect(ages({ hash: "0x2", ageMs: -90 * MINUTE }), "another one, written before the clock was set back").to.equal(0);
    steady += MINUTE;
    expect(ages({ hash: "0x2", ageMs: -89 * MINUTE })).to.equal(MINUTE);
  });
});
