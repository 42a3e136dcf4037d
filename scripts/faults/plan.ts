import { type JournalStep, STEPS } from "../../src/journal/types.js";

/** Blocks after which the driver calls a block final: more than any reorganisation here replaces. */
export const FINAL_BLOCKS = 5;
/** Milliseconds from block to block. */
export const BLOCK_MS = 120;

/** A stream of numbers in [0, 1) that a text determines (xmur3 into mulberry32). */
export function randomOf(text: string): () => number {
  let state = 1779033703 ^ text.length;
  for (const char of text) {
    state = Math.imul(state ^ (char.codePointAt(0) ?? 0), 3432918353);
    state = (state << 13) | (state >>> 19);
  }
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What a driver is to do once. */
export interface Wish {
  id: string;
  /** Which of the world's chains, and which of the two accounts there. */
  chain: 0 | 1;
  account: 0 | 1;
  /**
   * call: counted by a contract on the chain. stuck: the same, first sent for a fee that no block takes, then replaced; by relays, raised.
   * cancel: sent so, then cancelled; by relays, withdrawn. private: journaled for one block and lost by its relay. rival: a call that
   * may lose its slot to another one. trade: a real arbitrage.
   */
  kind: "call" | "stuck" | "cancel" | "private" | "rival" | "trade";
}

/** When the driver is killed: while it starts (share of its usual start), at a named point, or some time after it got its intents. */
export type Moment =
  { at: "boot"; share: number } | { at: "step"; step: JournalStep; nth: number; early: boolean } | { at: "time"; ms: number };

/** What the relay of the first chain, and the sequencer of the second, do wrong with some of the round's requests. */
export const RELAY_FAULTS = ["none", "drop", "delay", "lose-answer", "refuse-and-keep", "down"] as const;
export type RelayFaultName = (typeof RELAY_FAULTS)[number];

export interface RoundPlan {
  round: number;
  moment: Moment;
  /** What becomes of PostgreSQL with its whole process tree: nothing; killed before or after the driver; or killed under a driver that lives on. */
  database: "lives" | "before" | "after" | "alone";
  wishes: Wish[];
  /** Blocks that are replaced while the round's intents land, by chain; 0 = none. */
  reorgs: [number, number];
  /** What becomes of their transactions: mined again, gone, or every second one. */
  branch: "again" | "gone" | "half";
  relays: [RelayFaultName, RelayFaultName];
}

/** Least number of intents per round, so that 200 rounds have more than 2,000. */
const INTENTS = 14;
const BOOT_SHARE = 0.15;
const BOOT_STEPS: readonly JournalStep[] = ["lease-taken", "reconciled"];
/** Steps that a round surely meets once, and not always more often. */
const ONCE: readonly JournalStep[] = ["tip-raised", "run-withdrawn", "lease-released"];

/** The plan of a round, by seed and number alone. */
export function planOf(seed: number, round: number): RoundPlan {
  const random = randomOf(`${seed} ${round}`);
  const below = (n: number): number => Math.floor(random() * n);
  const killsDatabase = round % 3 === 2;
  const moment = momentOf(seed, round, random);
  const taken = moment.at === "step" && moment.step === "taken-back";
  const database = killsDatabase ? (["before", "after", "alone"] as const)[below(moment.at === "time" ? 3 : 2)]! : "lives";
  const depth = (): number => (taken || random() < 0.3 ? 1 + below(4) : 0);
  return {
    round,
    moment,
    database,
    reorgs: [depth(), depth()],
    branch: (["again", "gone", "half"] as const)[below(3)]!,
    relays: [relayFault(random()), relayFault(random())],
    wishes: Array.from({ length: INTENTS + below(5) }, (_, i): Wish => {
      // a third of them go by the relay: each block of it lands one of an account
      const chain = i % 3 === 0 ? 0 : 1;
      const nth = chain === 0 ? i / 3 : i - Math.floor(i / 3) - 1;
      const draw = random();
      // what would land at once ends the others' runs before they raise
      const raises = moment.at === "step" && moment.step === "tip-raised" && nth % 2 === 0;
      const kind = chain === 1 ? kindOf(nth, draw) : raises ? "stuck" : relayKind(nth, draw);
      return { id: `${seed}-${round}-${i}`, chain, account: (nth % 2) as 0 | 1, kind };
    }),
  };
}

/** In half of the rounds a relay is well. */
const relayFault = (draw: number): RelayFaultName =>
  draw < 0.5 ? "none" : RELAY_FAULTS[1 + Math.floor((draw - 0.5) * 2 * (RELAY_FAULTS.length - 1))]!;

/** Each account has a call; one of the rest is stuck, so that each round supersedes. */
function kindOf(nth: number, draw: number): Wish["kind"] {
  if (nth < 2) return "call";
  if (nth === 2) return "stuck";
  if (draw < 0.1) return "stuck";
  if (draw < 0.2) return "cancel";
  if (draw < 0.3) return "private";
  return draw < 0.4 ? "trade" : "call";
}

/** The same for the chain with the relay: a tip is raised and a run is withdrawn in each round; what else there is competes. */
function relayKind(nth: number, draw: number): Wish["kind"] {
  if (nth < 2) return "call";
  if (nth === 2) return "stuck";
  if (nth === 3) return "cancel";
  if (draw < 0.2) return "private";
  return draw < 0.5 ? "trade" : "rival";
}

function momentOf(seed: number, round: number, random: () => number): Moment {
  const draw = random();
  if (draw < BOOT_SHARE) return { at: "boot", share: random() * 1.1 };
  // the steps take turns in an order of the seed's
  const offset = Math.floor(randomOf(`${seed} steps`)() * STEPS.length);
  const step = STEPS[(round * 5 + offset) % STEPS.length]!;
  const early = BOOT_STEPS.includes(step);
  if (draw < 0.75) return { at: "step", step, nth: ONCE.includes(step) ? 1 : 1 + Math.floor(random() * (early ? 2 : 3)), early };
  return { at: "time", ms: random() * 1_500 };
}
