import { expect } from "chai";
import type { Database } from "../../src/database/open.js";
import { CELLS, type ChoiceKind, type Failure, OUTCOMES, type SagaState } from "../../src/execution/recovery-manager.js";
import { journalDatabase } from "../helpers/journal.js";
import {
  A,
  B,
  ETHER,
  POLICY,
  forgetTrades,
  scriptedSaga,
  ScriptedEngine,
  type ScriptedSite,
  type ScriptedWorld,
  type Shown,
  type TransferScript,
  unbalanced,
  USDC,
} from "../helpers/scripted-saga.js";

let ID = "";

/** How a failure comes: it passes again, or it stays. */
type How = "passes" | "stays";
interface Case {
  state: SagaState;
  failure: Failure;
  how: How;
  /** Sets the world up so that the saga meets the failure in the state. */
  make: (world: ScriptedWorld, site: ScriptedSite) => void;
  outcome: string;
  /** What is decided first. */
  choice: ChoiceKind;
  mode?: "bridge" | "inventory";
  eta?: number;
}

const FOREVER = Number.POSITIVE_INFINITY;
const price = (world: ScriptedWorld, chainId: number, usdc: bigint): void => {
  for (const pool of world.pools[chainId]!) pool.price = usdc * USDC;
};
const arrives: TransferScript = () => ({ state: "delivered" });
const refunds: TransferScript = () => ({ state: "refunded" });

/** A transfer that shows something for its first looks, or for good; then it arrives. */
const shows =
  (how: How, shown: Shown, looks = 3): TransferScript =>
  (seen) =>
    how === "stays" || seen.looks < looks ? shown : { state: "delivered" };

/** Shows something until a call of ours was made. */
const until =
  (how: How, wish: string, shown: Shown, after: Shown = { state: "delivered" }): TransferScript =>
  ({ calls }) =>
    how === "passes" && calls.some((c) => c === wish) ? after : shown;

/** A time within which a network counts as halted, and after which it goes on in "passes". Seconds of the saga. */
const halt = (how: How): number => (how === "stays" ? FOREVER : 400);
const times = (how: How): number => (how === "stays" ? FOREVER : 1);
const SIGNED: Shown = { state: "claimable" };

/** What can go wrong with a transfer that is under way: what it shows, and what is decided first. */
const FLIGHTS: Partial<Record<Failure, { choice: ChoiceKind; script: (how: How) => TransferScript; late?: boolean }>> = {
  "fill-slow": { choice: "speed-up", late: true, script: (how) => shows(how, { state: "initiated" }) },
  "fee-too-low": { choice: "speed-up", script: (how) => until(how, "speed-up", { state: "slow" }) },
  "attestation-late": { choice: "wait", late: true, script: (how) => shows(how, { state: "attesting" }) },
  "attestation-expired": {
    choice: "re-attest",
    script:
      (how) =>
      ({ calls }) =>
        calls.includes("claim")
          ? { state: "delivered" }
          : how === "passes" && calls.includes("re-attest")
            ? SIGNED
            : { state: "blocked", facts: { wish: "re-attest" } },
  },
  "delivery-blocked": {
    choice: "retry-delivery",
    script: (how) => until(how, "retry", { state: "blocked", facts: { wish: "retry" } }),
  },
  expired: {
    choice: "wait",
    script: (how) => (seen) => (how === "passes" && seen.looks > 2 ? { state: "refunded" } : { state: "expired" }),
  },
  "refund-claimable": {
    choice: "claim-refund",
    script: (how) => until(how, "claim-refund", { state: "claimable", facts: { credit: "true" } }, { state: "refunded" }),
  },
  "bridge-paused": { choice: "wait", script: (how) => shows(how, { state: "slow", facts: { fillsPaused: "true" } }) },
  "chain-halted": { choice: "wait", script: () => arrives },
  stuck: { choice: "operator", script: (how) => shows(how, { state: "stuck" }) },
};

/** Every failure of a transfer of that name, in both ways. What stays never arrives and never comes back: it is held, and booked. */
const flights = (state: SagaState, name: string, mode: "bridge" | "inventory", other: number): Case[] =>
  (Object.entries(FLIGHTS) as [Failure, NonNullable<(typeof FLIGHTS)[Failure]>][]).flatMap(([failure, flight]) =>
    (["passes", "stays"] as const).map((how): Case => ({
      state,
      failure,
      how,
      mode,
      ...(flight.late === true ? { eta: 0 } : {}),
      // proceeds and stock lose no price meanwhile: a higher fee is not worth it
      choice: name !== "out" && flight.choice === "speed-up" ? "wait" : flight.choice,
      outcome:
        how === "stays"
          ? "held"
          : name === "restock" && (failure === "expired" || failure === "refund-claimable")
            ? "kept-at-target"
            : "profit",
      make: (world) => {
        const script = name !== "out" && failure === "fee-too-low" ? shows(how, { state: "slow" }) : flight.script(how);
        world.scripts.set(name, [script]);
        world.on.set(name, () => {
          if (failure === "fee-too-low") world.feePpm = 2_000n;
          if (failure === "chain-halted") world.silent.set(other, world.seconds + halt(how));
        });
      },
    })),
  );

/** Relayers ask for more than may be given away: the bridge is asked to fill it itself, once. */
const slowFills = (state: SagaState, name: string, mode: "bridge" | "inventory"): Case[] =>
  (["passes", "stays"] as const).map((how): Case => ({
    state,
    failure: "fee-too-low",
    how,
    mode,
    choice: "slow-fill",
    outcome: how === "stays" ? "held" : "profit",
    make: (world) => {
      world.refundSeconds = 10_000;
      const asked: Shown = how === "stays" ? { state: "slow", facts: { slowFill: "asked" } } : { state: "delivered" };
      const script: TransferScript = ({ calls }) =>
        calls.includes("retry") ? asked : { state: "slow", facts: { slowFill: "possible" } };
      world.scripts.set(name, [script]);
      world.on.set(name, () => (world.feeOf = (transfer) => (transfer.startsWith(name) ? 70_000n : 500n)));
    },
  }));

const both = (make: (how: How) => Omit<Case, "how">): Case[] =>
  (["passes", "stays"] as const).map((how) => ({ ...make(how), how }));

/** From a moment on that a test names, no answer; in "passes" for as long as counts as a halt, and some. */
const hush = (world: ScriptedWorld, chainId: number, how: How): void => void world.silent.set(chainId, world.seconds + halt(how));
/** In "passes" for a minute. */
const paused = (world: ScriptedWorld, how: How): boolean => how === "stays" || world.seconds < 60;

const CASES: Case[] = [
  ...both((how) => ({
    state: "source-leg",
    failure: "leg-failed",
    choice: "retry",
    outcome: how === "stays" ? "no-trade" : "profit",
    make: (world) => void world.reverts.set("buy", times(how)),
  })),
  {
    state: "source-leg",
    failure: "price-gone",
    how: "stays",
    choice: "give-up",
    outcome: "no-trade",
    make: (world) => price(world, A, 3_200n),
  },
  ...both((how) => ({
    state: "source-leg",
    failure: "chain-halted",
    choice: "wait",
    outcome: how === "stays" ? "no-trade" : "profit",
    make: (world) => hush(world, A, how),
  })),

  ...both((how) => ({
    state: "bridge-start",
    failure: "start-reverted",
    choice: "retry",
    outcome: how === "stays" ? "sold-at-source" : "profit",
    make: (world) => void world.reverts.set("out", times(how)),
  })),
  ...both((how) => ({
    state: "bridge-start",
    failure: "bridge-paused",
    choice: "wait",
    outcome: how === "stays" ? "sold-at-source" : "profit",
    make: (world) => void (world.refuses = (transfer) => /^out|again/.test(transfer) && paused(world, how)),
  })),
  {
    state: "bridge-start",
    failure: "price-gone",
    how: "stays",
    choice: "sell-at-source",
    outcome: "sold-at-source",
    make: (world) => void world.on.set("buy", () => price(world, B, 2_900n)),
  },
  {
    state: "bridge-start",
    failure: "price-gone",
    how: "passes",
    choice: "continue",
    outcome: "sold-at-target",
    // worse at the source than at the target: it goes on
    make: (world) =>
      void world.on.set("buy", () => {
        price(world, A, 2_900n);
        price(world, B, 2_980n);
      }),
  },
  ...both((how) => ({
    state: "bridge-start",
    failure: "leg-failed",
    choice: "retry",
    outcome: how === "stays" ? "held" : "sold-at-source",
    make: (world) => {
      world.refuses = (transfer) => /^out|again/.test(transfer);
      world.reverts.set("unwind", times(how));
    },
  })),
  ...both((how) => ({
    state: "bridge-start",
    failure: "chain-halted",
    choice: "wait",
    outcome: how === "stays" ? "sold-at-source" : "profit",
    make: (world) => void world.on.set("buy", () => hush(world, B, how)),
  })),

  ...flights("in-flight", "out", "bridge", B),
  ...slowFills("in-flight", "out", "bridge"),

  ...both((how) => ({
    state: "refunded",
    failure: "refunded",
    choice: "other-bridge",
    outcome: how === "stays" ? "sold-at-source" : "profit",
    make: (world) => void world.scripts.set("out", how === "stays" ? [refunds, refunds] : [refunds]),
  })),
  {
    state: "refunded",
    failure: "partial-amount",
    how: "stays",
    choice: "other-bridge",
    outcome: "profit",
    make: (world) => void world.scripts.set("out", [() => ({ state: "refunded", amount: (99n * ETHER) / 100n })]),
  },
  ...both((how) => ({
    state: "refunded",
    failure: "start-reverted",
    choice: "retry",
    outcome: how === "stays" ? "sold-at-source" : "profit",
    make: (world) => {
      world.scripts.set("out", [refunds]);
      world.on.set("out", () => (world.on.delete("out"), world.reverts.set("out", times(how))));
    },
  })),
  ...both((how) => ({
    state: "refunded",
    failure: "bridge-paused",
    choice: "other-bridge",
    outcome: how === "stays" ? "sold-at-source" : "profit",
    make: (world) => {
      world.scripts.set("out", [refunds]);
      // takes what it is asked about, and not what is to begin
      let asked = 0;
      world.refuses = (transfer) => transfer.startsWith("out") && ++asked > 2 && (how === "stays" || asked <= 4);
    },
  })),
  {
    state: "refunded",
    failure: "price-gone",
    how: "stays",
    choice: "sell-at-source",
    outcome: "sold-at-source",
    make: (world) => {
      world.scripts.set("out", [refunds]);
      world.refuses = (transfer) => /again/.test(transfer);
      // falls once it was decided by its price
      let sales = 0;
      world.beforeSale = (chainId, selling) => void (chainId === A && selling && ++sales === 2 && price(world, A, 2_940n));
    },
  },
  ...both((how) => ({
    state: "refunded",
    failure: "leg-failed",
    choice: "retry",
    outcome: how === "stays" ? "held" : "sold-at-source",
    make: (world) => {
      world.scripts.set("out", [refunds]);
      world.refuses = (transfer) => /again/.test(transfer);
      world.reverts.set("unwind", times(how));
    },
  })),
  ...both((how) => ({
    state: "refunded",
    failure: "chain-halted",
    choice: "wait",
    outcome: how === "stays" ? "held" : "sold-at-source",
    make: (world) => {
      world.scripts.set("out", [refunds]);
      world.refuses = (transfer) => /again/.test(transfer);
      let sales = 0;
      world.beforeSale = (chainId, selling) => void (chainId === A && selling && ++sales === 2 && hush(world, A, how));
    },
  })),

  ...both((how) => ({
    state: "target-leg",
    failure: "leg-failed",
    choice: "retry",
    outcome: how === "stays" ? "bridged-back" : "profit",
    make: (world) => void world.reverts.set("sell", times(how)),
  })),
  {
    state: "target-leg",
    failure: "price-gone",
    how: "stays",
    choice: "bridge-back",
    outcome: "bridged-back",
    make: (world) => void world.on.set("out", () => price(world, B, 2_960n)),
  },
  {
    state: "target-leg",
    failure: "price-gone",
    how: "passes",
    choice: "sell-at-target",
    outcome: "sold-at-target",
    make: (world) =>
      void world.on.set("out", () => {
        price(world, B, 2_960n);
        price(world, A, 2_900n);
      }),
  },
  {
    state: "target-leg",
    failure: "partial-amount",
    how: "stays",
    choice: "continue",
    outcome: "profit",
    make: (world) => void world.scripts.set("out", [() => ({ state: "delivered", amount: (99n * ETHER) / 100n })]),
  },
  ...both((how) => ({
    state: "target-leg",
    failure: "start-reverted",
    choice: "retry",
    outcome: how === "stays" ? "sold-at-target" : "bridged-back",
    make: (world) => {
      world.on.set("out", () => price(world, B, 2_960n));
      world.reverts.set("back", times(how));
    },
  })),
  {
    state: "target-leg",
    failure: "bridge-paused",
    how: "stays",
    choice: "sell-at-target",
    outcome: "sold-at-target",
    make: (world) => {
      world.on.set("out", () => price(world, B, 2_960n));
      world.refuses = (transfer) => /^back\.\d/.test(transfer);
    },
  },
  ...both((how) => ({
    state: "target-leg",
    failure: "chain-halted",
    choice: "wait",
    outcome: how === "stays" ? "held" : "profit",
    make: (world) => void world.scripts.set("out", [() => (hush(world, B, how), { state: "delivered" })]),
  })),

  ...(["return-start", "rebalance-start"] as const).flatMap((state): Case[] => {
    const [mode, name] = state === "return-start" ? (["bridge", "home"] as const) : (["inventory", "restock"] as const);
    const shared = { state, mode };
    return [
      ...both((how) => ({
        ...shared,
        failure: "start-reverted",
        choice: mode === "bridge" ? "retry" : "wait",
        outcome: how === "stays" ? "kept-at-target" : "profit",
        make: (world) => void world.reverts.set(name, times(how)),
      })),
      ...both((how) => ({
        ...shared,
        failure: "bridge-paused",
        choice: "wait",
        outcome: how === "stays" ? "kept-at-target" : "profit",
        make: (world) =>
          void (world.refuses = () => (mode === "inventory" || world.isKnown(`saga/${ID}:sell.2`)) && paused(world, how)),
      })),
      ...both((how) => ({
        ...shared,
        failure: "chain-halted",
        choice: "wait",
        outcome: how === "stays" ? "kept-at-target" : "profit",
        make: (world) => void world.on.set("sell", () => hush(world, mode === "bridge" ? A : B, how)),
      })),
    ];
  }),

  ...flights("return-in-flight", "home", "bridge", A),
  ...flights("rebalance-in-flight", "restock", "inventory", B),
  ...slowFills("return-in-flight", "home", "bridge"),
  ...slowFills("rebalance-in-flight", "restock", "inventory"),

  ...both((how) => ({
    state: "return-refunded",
    failure: "refunded",
    choice: "other-bridge",
    outcome: how === "stays" ? "kept-at-target" : "profit",
    make: (world) => void world.scripts.set("home", how === "stays" ? [refunds, refunds] : [refunds]),
  })),
  {
    state: "return-refunded",
    failure: "partial-amount",
    how: "stays",
    choice: "other-bridge",
    outcome: "profit",
    make: (world) => void world.scripts.set("home", [() => ({ state: "refunded", amount: 3_050n * USDC })]),
  },
  ...both((how) => ({
    state: "return-refunded",
    failure: "start-reverted",
    choice: "retry",
    outcome: how === "stays" ? "kept-at-target" : "profit",
    make: (world) => {
      world.scripts.set("home", [refunds]);
      world.on.set("home", () => (world.on.delete("home"), world.reverts.set("home", times(how))));
    },
  })),
  ...both((how) => ({
    state: "return-refunded",
    failure: "bridge-paused",
    choice: "wait",
    outcome: how === "stays" ? "kept-at-target" : "profit",
    make: (world) => {
      world.scripts.set("home", [refunds]);
      let asked = 0;
      world.refuses = (transfer) => /^home\.\d/.test(transfer) && ++asked > 2 && (how === "stays" || asked <= 4);
    },
  })),
  ...both((how) => ({
    state: "return-refunded",
    failure: "chain-halted",
    choice: "wait",
    outcome: how === "stays" ? "kept-at-target" : "profit",
    make: (world) => {
      world.scripts.set("home", [refunds]);
      let asked = 0;
      world.refuses = (transfer) => (/^home\.\d/.test(transfer) && ++asked === 3 && hush(world, A, how), false);
    },
  })),

  ...both((how) => ({
    state: "bought-not-sold",
    failure: "leg-failed",
    choice: "retry",
    mode: "inventory",
    outcome: how === "stays" ? "sold-at-source" : "profit",
    make: (world) => (world.reverts.set("sell", 1), world.reverts.set("again", how === "stays" ? FOREVER : 0)),
  })),
  {
    state: "bought-not-sold",
    failure: "price-gone",
    how: "stays",
    choice: "sell-at-source",
    mode: "inventory",
    outcome: "sold-at-source",
    make: (world) => price(world, B, 2_950n),
  },
  {
    state: "bought-not-sold",
    failure: "price-gone",
    how: "passes",
    choice: "sell-at-target",
    mode: "inventory",
    outcome: "sold-at-target",
    make: (world) => {
      price(world, B, 2_980n);
      world.on.set("buy", () => price(world, A, 2_900n));
    },
  },
  ...both((how) => ({
    state: "bought-not-sold",
    failure: "chain-halted",
    choice: "wait",
    mode: "inventory",
    outcome: how === "stays" ? "sold-at-source" : "profit",
    make: (world) => hush(world, B, how),
  })),

  ...both((how) => ({
    state: "sold-not-bought",
    failure: "leg-failed",
    choice: "retry",
    mode: "inventory",
    outcome: how === "stays" ? "bought-back" : "profit",
    make: (world) => (world.reverts.set("buy", 1), world.reverts.set("again", how === "stays" ? FOREVER : 0)),
  })),
  {
    state: "sold-not-bought",
    failure: "price-gone",
    how: "stays",
    choice: "buy-at-target",
    mode: "inventory",
    outcome: "bought-back",
    make: (world) => price(world, A, 3_200n),
  },
  {
    state: "sold-not-bought",
    failure: "price-gone",
    how: "passes",
    choice: "continue",
    mode: "inventory",
    outcome: "profit",
    make: (world) => {
      price(world, A, 3_050n);
      world.on.set("sell", () => price(world, B, 3_400n));
    },
  },
  ...both((how) => ({
    state: "sold-not-bought",
    failure: "chain-halted",
    choice: "wait",
    mode: "inventory",
    outcome: how === "stays" ? "bought-back" : "profit",
    make: (world) => {
      hush(world, A, how);
      // to buy it back costs more than to wait
      world.on.set("sell", () => price(world, B, 3_150n));
    },
  })),
];

describe("sagas: every state with every failure, from what the chains show to booked ends", function () {
  this.timeout(120_000);
  let db: Database;
  before(async function () {
    this.timeout(120_000);
    db = await journalDatabase();
    // thousands of small transactions: nothing here is killed, so nothing needs to be on the disk
    const fast = `set synchronous_commit = off`;
    db.pool.on("connect", (client) => void client.query(fast));
    await db.pool.query(fast);
  });
  // the history of the bridges decides with: each case begins without one
  beforeEach(async () => await forgetTrades(db));
  after(async () => await db.close());

  it("has a case for every cell of the recovery table, and at least 40 of them", () => {
    const cells = (Object.keys(CELLS) as SagaState[]).flatMap((s) => Object.keys(CELLS[s]).map((f) => `${s}: ${f}`));
    const covered = new Set(CASES.map((c) => `${c.state}: ${c.failure}`));
    expect([...cells].filter((c) => !covered.has(c))).to.deep.equal([]);
    expect(covered.size).to.equal(cells.length);
    expect(covered.size).to.be.at.least(40);
  });

  for (const [i, { state, failure, how, make, outcome, choice, mode = "bridge", eta }] of CASES.entries())
    it(`${state}: ${failure}, which ${how}: first ${choice}, then ${outcome}`, async () => {
      ID = `cell-${i}`;
      const site = await scriptedSaga(db, ID, { mode, ...(eta === undefined ? {} : { eta }) });
      make(site.world, site);
      const engine = new ScriptedEngine([], site.world);
      const result = await site.run(engine);
      const met = result.decisions.filter((d) => d.at === `${state}: ${failure}`);
      const all = result.decisions.map((d) => `${d.at} -> ${d.choice}`).join("; ");
      expect(met[0]?.choice, all).to.equal(choice);
      expect(Object.keys(OUTCOMES)).to.include(result.outcome);
      expect(result.outcome, `${all}; ${result.reason}`).to.equal(outcome);
      // the books are what the world counted, and nothing is reserved any more but the position of a held one
      expect(unbalanced(site, result)).to.deep.equal([]);
      const { rows } = await db.pool.query(
        `select sum(amount + expected) > 0 as owns from crosschain.reservation where saga = $1`,
        [ID],
      );
      expect(rows).to.deep.equal([{ owns: outcome === "held" ? true : null }]);
      // nothing is lost beyond the limit but by being somewhere: held positions stand in the books, flying ones in the transfers
      if (site.world.bridged.size === 0) expect(result.net > -POLICY.maxLoss, `${result.net}`).to.equal(true);
      else expect(result.outcome).to.equal("held");
      // run again on its own steps, it decides the same
      const again = await site.run(new ScriptedEngine(engine.made, site.world));
      expect(again).to.deep.equal(result);
    });
});
