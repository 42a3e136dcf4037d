import { expect } from "chai";
import {
  allowed,
  CELLS,
  type Choice,
  type ChoiceKind,
  type Failure,
  FAILURES,
  OUTCOMES,
  RecoveryManager,
  type RecoveryPolicy,
  SAGA_STATES,
  type SagaState,
  type Situation,
  UNWINDS,
  type UnwindState,
} from "../../src/execution/recovery-manager.js";

const POLICY: RecoveryPolicy = { maxLoss: 100n, holdLimit: 10_000n, holdSeconds: 3600, timeCostPpb: 1_000n, tries: 2 };
const CAPITAL = 1_000n;
const manager = new RecoveryManager(POLICY);

const choice = (kind: ChoiceKind, loss: bigint | null, seconds = 0): Choice => ({ kind, loss, seconds, detail: kind });
const situation = (state: SagaState, failure: Failure, change: Partial<Situation> = {}): Situation => ({
  state,
  failure,
  capital: CAPITAL,
  choices: [],
  taken: {},
  timeLeft: true,
  token: "USDC",
  wish: null,
  ...change,
});
const cells = (Object.keys(CELLS) as SagaState[]).flatMap((state) =>
  (Object.keys(CELLS[state]) as Failure[]).map((failure): [SagaState, Failure] => [state, failure]),
);

/** What each step of a cell does to the money, in a world of two networks and a bridge; amounts at their cost in the profit token. */
interface Books {
  source: bigint;
  target: bigint;
  bridge: bigint;
  lost: bigint;
}
const PLACE: Record<SagaState, keyof Books> = {
  "source-leg": "source",
  "bridge-start": "source",
  "in-flight": "bridge",
  refunded: "source",
  "target-leg": "target",
  "return-start": "target",
  "return-in-flight": "bridge",
  "return-refunded": "target",
  "bought-not-sold": "source",
  "sold-not-bought": "target",
  "rebalance-start": "target",
  "rebalance-in-flight": "bridge",
};

/** Carries a cell on until it has a named end, always with what the manager decides; money only moves, or is booked as lost. */
function carry(state: SagaState, failure: Failure, quotes: (state: SagaState) => Choice[], timeLeft = true) {
  const books: Books = { source: 0n, target: 0n, bridge: 0n, lost: 0n };
  books[PLACE[state]] = CAPITAL;
  const taken: Partial<Record<ChoiceKind, number>> = {};
  const to = (place: keyof Books, loss: bigint): void => {
    const whole = books.source + books.target + books.bridge;
    [books.source, books.target, books.bridge] = [0n, 0n, 0n];
    books[place] += whole - loss;
    books.lost += loss;
  };
  let [at, why]: [SagaState, Failure] = [state, failure];
  for (let step = 0; step < 40; step++) {
    const left = timeLeft && step < 5;
    const { choice: chosen, leadsTo } = manager.decide(
      situation(at, why, { choices: quotes(at), taken: { ...taken }, timeLeft: left }),
    );
    taken[chosen.kind] = (taken[chosen.kind] ?? 0) + 1;
    const loss = chosen.loss ?? 0n;
    switch (chosen.kind) {
      case "hold":
      case "operator":
        return { outcome: "held", books };
      case "sell-at-source":
      case "bridge-back":
      case "give-up":
        to("source", loss);
        return { outcome: leadsTo, books };
      case "sell-at-target":
      case "buy-at-target":
      case "keep-at-target":
        to("target", loss);
        return { outcome: leadsTo, books };
      case "claim-refund":
        to(at.startsWith("return") || at.startsWith("rebalance") ? "target" : "source", loss);
        [at, why] = [at.startsWith("return") || at.startsWith("rebalance") ? "return-refunded" : "refunded", "refunded"];
        break;
      case "speed-up":
      case "slow-fill":
      case "re-attest":
      case "retry-delivery":
      case "continue":
        to(at === "return-in-flight" || at === "rebalance-in-flight" ? "source" : "target", loss);
        return { outcome: "profit-or-loss", books };
      case "retry":
      case "other-venue":
      case "other-bridge":
      case "wait":
        // these meet the same failure again, until their tries or their time are over
        break;
    }
  }
  return { outcome: null, books };
}

describe("RecoveryManager: every state with every failure that it can have", () => {
  const rich = (): Choice[] => [
    choice("retry", 5n),
    choice("other-venue", 8n),
    choice("other-bridge", 9n, 60),
    choice("speed-up", 4n, 2),
    choice("slow-fill", 6n, 7_200),
    choice("wait", 20n, 20_000),
    choice("continue", 3n),
    choice("sell-at-source", 30n),
    choice("sell-at-target", 25n),
    choice("buy-at-target", 28n),
    choice("bridge-back", 40n, 120),
    choice("keep-at-target", 1n),
  ];
  const ends = new Set<string>([...Object.keys(OUTCOMES), "profit-or-loss"]);

  it("has at least 40 cells, each with a way out that does not ask anybody, or the operator", () => {
    expect(cells.length).to.be.at.least(40);
    for (const [state, failure] of cells) {
      if (allowed(state, failure).length === 0) continue;
      expect(SAGA_STATES).to.have.property(state);
      expect(FAILURES).to.have.property(failure);
    }
  });

  for (const [state, failure] of cells) {
    it(`${state} x ${failure}: ends in a named outcome, with every unit booked, whatever can be quoted`, () => {
      const worlds: [string, () => Choice[], boolean][] = [
        ["everything is quoted", rich, true],
        ["no time is left", rich, false],
        ["nothing can be quoted", () => [], true],
        ["nothing can be quoted and no time is left", () => [], false],
        ["every way out loses too much", () => rich().map((c) => ({ ...c, loss: 500n })), false],
      ];
      for (const [world, quotes, timeLeft] of worlds) {
        const { outcome, books } = carry(state, failure, quotes, timeLeft);
        expect(outcome !== null && ends.has(outcome), `${world}: ${String(outcome)}`).to.equal(true);
        expect(books.source + books.target + books.bridge + books.lost, world).to.equal(CAPITAL);
        // only what was quoted within the limit is ever lost
        expect(books.lost <= POLICY.maxLoss, `${world}: lost ${books.lost}`).to.equal(true);
      }
    });
  }

  it("takes the cheapest way by loss and time", () => {
    const choices = [choice("other-bridge", 10n, 100), choice("sell-at-source", 12n)];
    expect(manager.decide(situation("refunded", "refunded", { choices, capital: 1_000_000n })).choice.kind).to.equal(
      "sell-at-source",
    );
    expect(manager.decide(situation("refunded", "refunded", { choices, capital: 1_000n })).choice.kind).to.equal("other-bridge");
  });

  it("never takes more than the loss limit by itself, and does when the operator says so", () => {
    const choices = [choice("sell-at-source", 101n)];
    const held = manager.decide(situation("refunded", "refunded", { choices }));
    expect(held.choice.kind).to.equal("hold");
    expect(held.reason).to.include("loses 101");
    const asked = manager.decide(situation("refunded", "refunded", { choices, wish: "sell-at-source" }));
    expect([asked.choice.kind, asked.leadsTo]).to.deep.equal(["sell-at-source", "sold-at-source"]);
    // a wish beyond the cell is no way out of it
    expect(manager.decide(situation("refunded", "refunded", { choices, wish: "sell-at-target" })).choice.kind).to.equal("hold");
  });

  it("asks the operator at once where the position is above the hold limit", () => {
    expect(manager.decide(situation("refunded", "refunded", { capital: 10_001n })).choice.kind).to.equal("operator");
    expect(manager.decide(situation("refunded", "refunded", { capital: 10_000n })).choice.kind).to.equal("hold");
  });

  it("holds a profit token to limits of its own, in its own units", () => {
    const perToken = { WETH: { maxLoss: 5n, holdLimit: 50n } };
    const both = new RecoveryManager({ ...POLICY, perToken });
    const choices = [choice("sell-at-source", 6n)];
    const of = (token: string, capital: bigint) =>
      both.decide(situation("refunded", "refunded", { choices, token, capital })).choice.kind;
    expect([of("USDC", 50n), of("WETH", 50n), of("WETH", 51n)]).to.deep.equal(["sell-at-source", "hold", "operator"]);
    expect(both.limits("WETH")).to.deep.equal(perToken.WETH);
  });

  for (const state of ["in-flight", "return-in-flight", "rebalance-in-flight"] as const)
    for (const failure of ["fill-slow", "fee-too-low"] as const) {
      const decide = (change: Partial<Situation>) => manager.decide(situation(state, failure, change)).choice.kind;
      const [wait, slowFill] = [choice("wait", 0n, 28_800), choice("slow-fill", 1n, 7_200)];

      it(`${state}: ${failure}: a slow fill is taken where it costs least, so many times, and by an operator's wish`, () => {
        expect(decide({ choices: [wait, slowFill, choice("speed-up", 1n, 2)] })).to.equal("speed-up");
        expect(decide({ choices: [wait, slowFill, choice("speed-up", 50n, 2)] })).to.equal("slow-fill");
        // what nobody can sign is no way, and what the bridge does not take is none
        expect(decide({ choices: [wait, slowFill] })).to.equal("slow-fill");
        expect(decide({ choices: [wait] })).to.equal("wait");
        expect(decide({ choices: [wait, slowFill], taken: { "slow-fill": 2 } })).to.equal("wait");
        expect(decide({ choices: [wait, { ...slowFill, loss: 101n }] })).to.equal("wait");
        expect(decide({ choices: [wait, slowFill, choice("speed-up", 1n, 2)], wish: "slow-fill" })).to.equal("slow-fill");
      });

      it(`${state}: ${failure}: relayers are never offered more than the loss limit, whatever the trade gains`, () => {
        const speedUp = { ...choice("speed-up", -500n, 2), offer: 1n };
        expect(decide({ choices: [wait, slowFill, { ...speedUp, given: 100n }] })).to.equal("speed-up");
        expect(decide({ choices: [wait, slowFill, { ...speedUp, given: 101n }] })).to.equal("slow-fill");
        expect(decide({ choices: [wait, { ...speedUp, given: 101n }] })).to.equal("wait");
        const asked = manager.decide(situation(state, failure, { choices: [{ ...speedUp, given: 101n }], timeLeft: false }));
        expect([asked.choice.kind, asked.reason]).to.deep.equal([
          "operator",
          `${FAILURES[failure]}: the cheapest way out loses 101, above 100`,
        ]);
      });
    }

  it("does nothing for ever: tries are counted, and waits end with their deadline", () => {
    const choices = [choice("retry", 1n)];
    expect(manager.decide(situation("target-leg", "leg-failed", { choices, taken: { retry: 1 } })).choice.kind).to.equal("retry");
    expect(manager.decide(situation("target-leg", "leg-failed", { choices, taken: { retry: 2 } })).choice.kind).to.equal("hold");
    expect(manager.decide(situation("in-flight", "expired", { timeLeft: false })).choice.kind).to.equal("operator");
    expect(manager.decide(situation("in-flight", "expired")).choice.kind).to.equal("wait");
  });

  it("a trade may start where the worst of the least losses is within the limit, whatever of bridge, pool and price fails", () => {
    const judge = (waysOut: Parameters<RecoveryManager["judge"]>[2], capital = CAPITAL) =>
      manager.judge("USDC", capital, waysOut);
    const refunded = [choice("other-bridge", -50n), choice("sell-at-source", 60n)];
    const target = [choice("other-venue", 10n), choice("bridge-back", 90n)];
    expect(judge({ refunded, "target-leg": target })).to.deep.equal({ worstLoss: 90n, refused: null });
    expect(judge({ refunded: [choice("sell-at-source", -5n)] })).to.deep.equal({ worstLoss: 0n, refused: null });
    // another bridge and another pool need the price that is gone
    const { worstLoss, refused } = judge({ refunded: [choice("other-bridge", -50n), choice("sell-at-source", 2_000n)] });
    expect(worstLoss).to.equal(2_000n);
    expect(refused).to.equal(
      "in refunded, where the price does not pay any more, the best way out would lose 2000, more than 100",
    );
    expect(judge({ "target-leg": [choice("other-venue", -5n), choice("bridge-back", 101n)] }).refused).to.match(/would lose 101/);
  });

  it("where no way out can be quoted, a trade may start whose position may be held", () => {
    const waysOut = { "target-leg": [choice("other-venue", 5n), choice("bridge-back", null)] };
    expect(manager.judge("USDC", POLICY.holdLimit, waysOut)).to.deep.equal({ worstLoss: null, refused: null });
    expect(manager.judge("USDC", POLICY.holdLimit + 1n, waysOut).refused).to.match(
      /in target-leg, .* can be quoted, and 10001 are more than the 10000/,
    );
    // a loss that is known is no position to hold
    const known = { ...waysOut, refunded: [choice("sell-at-source", 101n)] };
    expect(manager.judge("USDC", 1n, known).refused).to.match(/would lose 101, more than 100/);
  });

  it("counts before a start only what it could choose then, and ends the trade by it", () => {
    for (const state of Object.keys(UNWINDS) as UnwindState[])
      for (const [failure, kinds] of Object.entries(UNWINDS[state]) as [Failure, readonly ChoiceKind[]][])
        for (const kind of kinds) {
          expect(allowed(state, failure), `${state} ${failure}`).to.include(kind);
          const choices = [choice(kind, 1n)];
          expect(manager.decide(situation(state, failure, { choices })).choice.kind).to.equal(kind);
        }
  });

  it("decides the same again: nothing in it is left to time or chance", () => {
    for (const [state, failure] of cells) {
      const once = manager.decide(situation(state, failure, { choices: rich() }));
      expect(manager.decide(situation(state, failure, { choices: rich().toReversed() })).choice.kind).to.equal(once.choice.kind);
    }
  });
});
