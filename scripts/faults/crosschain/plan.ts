import { type JournalStep, STEPS } from "../../../src/journal/types.js";
import { randomOf } from "../plan.js";

/** What becomes of a transfer. `late`: filled after some blocks. See AcrossFate of src/sim/bridges/across.ts. */
export type Fate = "fill" | "late" | "never" | "wrong-recipient" | "wrong-amount" | "slow" | "sped-up" | "refund-fails";

/** Blocks after which the driver calls a block final, and an arrival reliable. */
export const FINAL_BLOCKS = 2;

/** What a driver process reads when it starts. */
export interface DriverWorld {
  /** Folder of its database. */
  database: string;
  /** Of the keystores; the local world's. */
  password: string;
  keystores: string[];
  /** Of CCTP's local attesters. */
  attestationUrl: string;
  chains: { chainId: number; url: string }[];
}

export const HOME_BRIDGES = ["across", "cctp", "stargate"] as const;

/** A cross-chain trade that the drivers are to do once. */
export interface SagaWish {
  id: string;
  account: 0 | 1;
  mode: "bridge" | "inventory";
  /** Base units of USDC, unique among all wishes of a seed: the chain alone tells whose purchase it sees. */
  amountIn: string;
  returnToSource: boolean;
  /** What brings its USDC home; WETH goes by Across. */
  homeBridge: (typeof HOME_BRIDGES)[number];
  /** Of the first transfer to the target network, and of the first one home (by CCTP and Stargate as near as they have it). */
  out: Fate;
  home: Fate;
}

/** Named points of a saga's steps, and of the journal below them. */
export type Label = `saga ${string}` | `journal ${JournalStep}`;
export type Moment = { at: "label"; label: Label; nth: number } | { at: "time"; ms: number };

export interface RoundPlan {
  round: number;
  /**
   * alone: the only driver is killed, and a new one starts. boot: so is that one, while it starts. pair: of two drivers one is killed.
   * frozen: one of two is stopped (SIGSTOP), the other takes over, and it wakes up.
   */
  drivers: "alone" | "boot" | "pair" | "frozen";
  moment: Moment;
  /** In "boot": share of a usual start after which the new driver is killed. */
  bootShare: number;
  /** In "frozen": when it wakes, milliseconds after the first of its sagas went on in the other driver. */
  wakeMs: number;
  /** What becomes of PostgreSQL with its whole process tree. */
  database: "lives" | "before" | "after";
  /** The target price falls while the round's sagas run, milliseconds after their start; null: it does not. */
  crashMs: number | null;
  /** Across takes no deposits on one of the networks for this long, from the start of the round; null: it does. */
  pause: { chain: 0 | 1; ms: number } | null;
  wishes: SagaWish[];
}

const SAGA_STEPS = [
  "open",
  "stand",
  "buy",
  "out.quote",
  "out.start",
  "out.track",
  "out.wrap",
  "sell",
  "home.quote",
  "home.start",
  "home.track",
  "home.claim",
  "legs",
  "restock.start",
  "restock.track",
  "ways",
  "unwind",
  "final",
  "close",
];
/** What no trade of these rounds reaches: nothing is superseded, taken back or given back here (see the other part, `kill`). */
const ELSEWHERE: readonly JournalStep[] = [
  "superseding",
  "superseded",
  "taken-back",
  "lease-released",
  "reconciled",
  "lease-taken",
];
export const LABELS: readonly Label[] = [
  ...SAGA_STEPS.flatMap((step) => ["begins", "done", "written"].map((phase): Label => `saga ${step} ${phase}`)),
  ...STEPS.filter((step) => !ELSEWHERE.includes(step)).map((step): Label => `journal ${step}`),
];

/** The name of a saga's step without its numbers. */
export const stepName = (step: string): string => step.replace(/#\d+$/, "").replaceAll(/\.\d+/g, "");

const FATES: readonly Fate[] = ["late", "never", "wrong-recipient", "wrong-amount", "slow", "sped-up", "refund-fails", "late"];
const LEAST = 2;

/** The plan of a round, by seed and number alone. */
export function planOf(seed: number, round: number): RoundPlan {
  const random = randomOf(`${seed} crosschain ${round}`);
  const below = (n: number): number => Math.floor(random() * n);
  const draw = random();
  const drivers = draw < 0.12 ? "boot" : draw < 0.55 ? "alone" : draw < 0.85 ? "pair" : "frozen";
  const offset = Math.floor(randomOf(`${seed} labels`)() * LABELS.length);
  // 7 and the number of labels have no common divisor: the labels take turns
  const label = LABELS[(round * 7 + offset) % LABELS.length]!;
  const common = /stand|track|journal/.test(label);
  const moment: Moment =
    random() < 0.7 ? { at: "label", label, nth: 1 + below(common ? 5 : 2) } : { at: "time", ms: 200 + random() * 3_000 };
  const killsDatabase = (drivers === "alone" || drivers === "boot") && random() < 0.35;
  const needsRefund = /ways|unwind/.test(label) && moment.at === "label";
  const fate = (share: number): Fate => (random() < share ? FATES[below(FATES.length)]! : "fill");
  return {
    round,
    drivers,
    moment,
    bootShare: 0.2 + random() * 0.9,
    wakeMs: random() * 2_500,
    database: killsDatabase ? (["before", "after"] as const)[below(2)]! : "lives",
    crashMs: random() < 0.2 ? random() * 2_500 : null,
    pause: random() < 0.15 ? { chain: below(2) as 0 | 1, ms: 500 + random() * 2_000 } : null,
    wishes: Array.from({ length: LEAST + below(3) }, (_, i): SagaWish => {
      const inventory = /legs|restock/.test(label) ? i < 2 : random() < 0.3;
      const out = needsRefund && i === 0 ? "never" : fate(0.45);
      return {
        id: `x${seed}-${round}-${i}`,
        account: (i % 2) as 0 | 1,
        mode: inventory ? "inventory" : "bridge",
        amountIn: String((300n + BigInt(below(500))) * 1_000_000n + BigInt(round * 16 + i + 1)),
        returnToSource: random() < 0.85,
        homeBridge: HOME_BRIDGES[below(HOME_BRIDGES.length)]!,
        out,
        home: fate(0.35),
      };
    }),
  };
}
