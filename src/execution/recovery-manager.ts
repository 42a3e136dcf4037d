/** What to do when a cross-chain trade does not go as planned: a pure function of where the money is, what failed, and what each way out would give. */

/** Where the money is. "source" and "target" are the networks of the two legs. */
export const SAGA_STATES = {
  "source-leg": "the capital is on the source network, the source leg is not done",
  "bridge-start": "the bought token is on the source network, its transfer has not begun",
  "in-flight": "the bought token is between the networks",
  refunded: "the bought token is back on the source network, by a refund",
  "target-leg": "the bought token is on the target network, not sold",
  "return-start": "the proceeds are on the target network, their way home has not begun",
  "return-in-flight": "the proceeds are on their way home",
  "return-refunded": "the proceeds are back on the target network, by a refund",
  "bought-not-sold": "inventory: the source leg is done, the target leg is not",
  "sold-not-bought": "inventory: the target leg is done, the source leg is not",
  "rebalance-start": "inventory: both legs are done, a rebalancing transfer has not begun",
  "rebalance-in-flight": "inventory: a rebalancing transfer is under way",
} as const;
export type SagaState = keyof typeof SAGA_STATES;

export const FAILURES = {
  "leg-failed": "a swap reverted, or would revert",
  "price-gone": "the price does not pay any more",
  "start-reverted": "the bridge's start reverted, or its quote ran out",
  "bridge-paused": "no bridge takes the transfer: paused, stopped or without liquidity",
  "fee-too-low": "relayers do not fill for what the transfer offers",
  "fill-slow": "the transfer is later than promised",
  "attestation-late": "the bridge's signatures are late",
  "attestation-expired": "the bridge's signatures ran out",
  "delivery-blocked": "the delivery on the destination failed",
  expired: "the transfer will not arrive; its refund is not there yet",
  "refund-claimable": "the refund waits for our claim",
  refunded: "the transfer was refunded",
  "partial-amount": "less arrived than was promised",
  "chain-halted": "a network gives no blocks, or its nodes no answers",
  stuck: "no rule of the bridge ends the transfer",
} as const;
export type Failure = keyof typeof FAILURES;

export const CHOICES = {
  wait: "wait, and look again",
  retry: "the same again, at fresh prices",
  "other-venue": "another pool or venue",
  "other-bridge": "another bridge",
  "speed-up": "offer the relayers more",
  "slow-fill": "ask the bridge to fill it itself",
  "re-attest": "ask for new signatures",
  "retry-delivery": "deliver again",
  "claim-refund": "claim the refund",
  continue: "go on with what there is",
  "sell-at-source": "sell on the source network",
  "sell-at-target": "sell on the target network, at its price of now",
  "buy-at-target": "buy back on the target network what was sold there",
  "bridge-back": "bring it back to the source network, and sell it there",
  "keep-at-target": "leave the proceeds on the target network",
  "give-up": "end without having traded",
  hold: "keep the position, within the limit",
  operator: "the operator decides: arb transfers resume",
} as const;
export type ChoiceKind = keyof typeof CHOICES;

/** How a saga may end. */
export const OUTCOMES = {
  profit: "went as planned, with a gain after all costs",
  loss: "went as planned, with a loss after all costs",
  "no-trade": "nothing was bought or sold",
  "sold-at-source": "what was bought was sold on the source network again",
  "sold-at-target": "sold on the target network below the planned price",
  "bought-back": "what was sold on the target network was bought back there",
  "bridged-back": "brought back to the source network and sold there",
  "kept-at-target": "sold; the proceeds stay on the target network",
  held: "the position is kept and booked; arb transfers resume continues",
  closed: "held before; its operator has taken over what is left of it",
} as const;
export type SagaOutcome = keyof typeof OUTCOMES;

/** One way out with what it would give, by quotes of now. Amounts in base units of the profit token. */
export interface Choice {
  kind: ChoiceKind;
  /** Capital less what is there in the end, so negative for a gain; null = it could not be quoted. */
  loss: bigint | null;
  /** How long it takes. */
  seconds: number;
  detail: string;
  /** Of a speed-up: the output that relayers are offered, base units of what arrives. Absent in earlier steps. */
  offer?: bigint;
  /** Of a speed-up: what that and all offers before it give away of what was promised. It counts against the loss limit by itself. */
  given?: bigint;
}

/** Amounts in base units of the profit token. */
export interface LossLimits {
  /** Most that a way out may lose without asking anybody. */
  maxLoss: bigint;
  /** Largest position, at its cost, that is kept when no way out is within `maxLoss`; above it the operator is asked at once. */
  holdLimit: bigint;
}

/** The limits hold for profit tokens without limits of their own. */
export interface RecoveryPolicy extends LossLimits {
  /** By the profit token's symbol. */
  perToken?: Record<string, LossLimits>;
  /** How long a position is held, or an operator waited for, before the saga ends as "held". Seconds. */
  holdSeconds: number;
  /** What a second of the capital's absence costs, in parts per billion of the capital. */
  timeCostPpb: bigint;
  /** Tries of each kind: the same again, other venues, other bridges, speed-ups, slow fills, deliveries. */
  tries: number;
}

export interface Situation {
  state: SagaState;
  failure: Failure;
  /** Symbol of the profit token: whose limits count. */
  token: string;
  /** At its cost, base units of the profit token. */
  capital: bigint;
  choices: Choice[];
  /** How often each kind was taken in this saga. */
  taken: Partial<Record<ChoiceKind, number>>;
  /** Whether the wait that failed has time left until its deadline. */
  timeLeft: boolean;
  /** Said by an operator: taken where the cell allows it. */
  wish: ChoiceKind | null;
}

export interface Decision {
  choice: Choice;
  /** How the saga ends if this goes as quoted; null: it goes on as planned. */
  leadsTo: SagaOutcome | null;
  reason: string;
}

type Cells = Partial<Record<Failure, readonly ChoiceKind[]>>;

const STRANDED = ["hold", "operator"] as const;
const AT_SOURCE = ["other-bridge", "sell-at-source", ...STRANDED] as const;
const FLYING: Cells = {
  "fill-slow": ["speed-up", "slow-fill", "wait", "operator"],
  "fee-too-low": ["speed-up", "slow-fill", "wait", "operator"],
  "attestation-late": ["wait", "operator"],
  "attestation-expired": ["re-attest", "wait", "operator"],
  "delivery-blocked": ["retry-delivery", "wait", "operator"],
  expired: ["wait", "operator"],
  "refund-claimable": ["claim-refund", "wait", "operator"],
  "bridge-paused": ["wait", "operator"],
  "chain-halted": ["wait", "operator"],
  stuck: ["operator"],
};
const HOME_START: Cells = {
  "start-reverted": ["retry", "other-bridge", "wait", "keep-at-target"],
  "bridge-paused": ["other-bridge", "wait", "keep-at-target"],
  "chain-halted": ["wait", "keep-at-target"],
};

/** Which choices a cell has. What is not here cannot happen in that state. */
export const CELLS: Record<SagaState, Cells> = {
  "source-leg": {
    "leg-failed": ["retry", "other-venue", "give-up"],
    "price-gone": ["other-venue", "give-up"],
    "chain-halted": ["wait", "give-up"],
  },
  "bridge-start": {
    "start-reverted": ["retry", ...AT_SOURCE],
    "bridge-paused": ["wait", ...AT_SOURCE],
    // of the target leg, asked for before anything is sent; then of the sale at the source
    "price-gone": ["continue", "sell-at-source", ...STRANDED],
    "leg-failed": ["retry", "other-venue", "other-bridge", ...STRANDED],
    "chain-halted": ["wait", "sell-at-source", ...STRANDED],
  },
  "in-flight": FLYING,
  refunded: {
    refunded: AT_SOURCE,
    "partial-amount": AT_SOURCE,
    "start-reverted": ["retry", ...AT_SOURCE],
    "bridge-paused": ["wait", ...AT_SOURCE],
    "price-gone": ["sell-at-source", ...STRANDED],
    "leg-failed": ["retry", "other-venue", "other-bridge", ...STRANDED],
    "chain-halted": ["wait", "sell-at-source", ...STRANDED],
  },
  "target-leg": {
    "leg-failed": ["retry", "other-venue", "bridge-back", ...STRANDED],
    "price-gone": ["sell-at-target", "other-venue", "bridge-back", ...STRANDED],
    "partial-amount": ["continue", "bridge-back", ...STRANDED],
    // of the way back
    "start-reverted": ["retry", "sell-at-target", "other-venue", ...STRANDED],
    "bridge-paused": ["sell-at-target", "other-venue", ...STRANDED],
    "chain-halted": ["wait", ...STRANDED],
  },
  "return-start": HOME_START,
  "return-in-flight": FLYING,
  "return-refunded": {
    refunded: ["other-bridge", "keep-at-target"],
    "partial-amount": ["other-bridge", "keep-at-target"],
    "start-reverted": ["retry", "other-bridge", "keep-at-target"],
    "bridge-paused": ["wait", "keep-at-target"],
    "chain-halted": ["wait", "keep-at-target"],
  },
  "bought-not-sold": {
    "leg-failed": ["retry", "other-venue", "sell-at-source", ...STRANDED],
    "price-gone": ["sell-at-target", "other-venue", "sell-at-source", ...STRANDED],
    "chain-halted": ["sell-at-source", "wait", ...STRANDED],
  },
  "sold-not-bought": {
    "leg-failed": ["retry", "other-venue", "buy-at-target", ...STRANDED],
    "price-gone": ["continue", "other-venue", "buy-at-target", ...STRANDED],
    "chain-halted": ["buy-at-target", "wait", ...STRANDED],
  },
  "rebalance-start": HOME_START,
  "rebalance-in-flight": FLYING,
};

/**
 * Ways that end a trade which stands in a state, without what failed: the bridge, the pool, or the price that no pool of that network pays.
 * What is bought and not sent over yet ("bridge-start") ends as what was refunded. Proceeds lose nothing where they stay.
 */
export const UNWINDS = {
  refunded: { refunded: ["sell-at-source", "other-bridge"], "price-gone": ["sell-at-source"] },
  "target-leg": { "leg-failed": ["other-venue", "bridge-back"], "price-gone": ["bridge-back"] },
  "bought-not-sold": { "leg-failed": ["other-venue", "sell-at-source"], "price-gone": ["sell-at-source"] },
  "sold-not-bought": { "leg-failed": ["other-venue", "buy-at-target"], "price-gone": ["buy-at-target"] },
} as const satisfies Partial<Record<SagaState, Cells>>;
export type UnwindState = keyof typeof UNWINDS;

/** The ways that are quoted for a state before a trade starts. */
export const unwindsOf = (state: UnwindState): ChoiceKind[] => [
  ...new Set(Object.values<readonly ChoiceKind[]>(UNWINDS[state]).flat()),
];

/** Kinds that lose nothing by themselves: they bring the transfer on, and need no quote. */
const FREE = new Set<ChoiceKind>(["wait", "re-attest", "retry-delivery", "claim-refund", "give-up", "operator", "hold"]);
/** Kinds that may be taken `tries` times in one saga. */
const COUNTED = new Set<ChoiceKind>([
  "retry",
  "other-venue",
  "other-bridge",
  "speed-up",
  "slow-fill",
  "re-attest",
  "retry-delivery",
  "claim-refund",
]);

/** Before others: they bring the transfer on for no more than gas. */
const PUSHES = new Set<ChoiceKind>(["re-attest", "retry-delivery", "claim-refund"]);
/** After others: it loses nothing by itself, and leaves undone what was asked for. */
const STAYS = new Set<ChoiceKind>(["keep-at-target"]);

const LEADS: Partial<Record<ChoiceKind, SagaOutcome>> = {
  "sell-at-source": "sold-at-source",
  "sell-at-target": "sold-at-target",
  "buy-at-target": "bought-back",
  "bridge-back": "bridged-back",
  "keep-at-target": "kept-at-target",
  "give-up": "no-trade",
  hold: "held",
};

/** The choices of a cell; empty where the failure cannot happen in the state. */
export function allowed(state: SagaState, failure: Failure): readonly ChoiceKind[] {
  return CELLS[state][failure] ?? [];
}

/** Decides. Nothing in it reads a clock or a chain, so that a workflow that runs again decides the same. */
export class RecoveryManager {
  constructor(readonly policy: RecoveryPolicy) {}

  /** The limits of a profit token, by its symbol. */
  limits(token: string): LossLimits {
    return this.policy.perToken?.[token] ?? this.policy;
  }

  /**
   * The cheapest way out of a cell that is quoted, within the loss limit, and not used up; waiting counts while its deadline is not
   * reached. Where there is none: hold within the limit, else the operator. A wish of the operator goes before the loss limit, and
   * never beyond the cell. `earlier`: by cost alone, as saga-1 did.
   */
  decide(situation: Situation, earlier = false): Decision {
    const { state, failure, capital, wish } = situation;
    const { maxLoss, holdLimit } = this.limits(situation.token);
    const cell = allowed(state, failure);
    const kinds: readonly ChoiceKind[] = cell.length > 0 ? cell : ["operator"];
    const open = kinds.flatMap((kind) => {
      const choice = this.#quoted(situation, kind);
      return choice === null ? [] : [choice];
    });
    if (wish !== null) {
      const wished = open.find((c) => c.kind === wish);
      if (wished) return decision(wished, "the operator asked for it");
    }
    const isWithin = (lost: bigint | null): boolean => lost !== null && lost <= maxLoss;
    const ways = open.filter((c) => !isResort(c.kind) && (FREE.has(c.kind) || isWithin(counted(c))));
    const [best] = ways.toSorted(
      (a, b) => (earlier ? 0 : rank(a.kind) - rank(b.kind)) || order(this.#cost(a, capital), this.#cost(b, capital)),
    );
    if (best) {
      const why = ways.length === 1 ? "the only way within the limits" : `the cheapest of ${ways.map((w) => w.kind).join(", ")}`;
      return decision(best, `${FAILURES[failure]}: ${why}`);
    }
    const least = open.flatMap((c) => (isResort(c.kind) ? [] : (counted(c) ?? []))).toSorted(order)[0];
    const lost = least === undefined ? "no way out can be quoted" : `the cheapest way out loses ${least}, above ${maxLoss}`;
    if (kinds.includes("hold") && capital <= holdLimit)
      return decision(resort("hold", this.policy.holdSeconds), `${FAILURES[failure]}: ${lost}`);
    return decision(resort("operator", this.policy.holdSeconds), `${FAILURES[failure]}: ${lost}`);
  }

  /**
   * Whether a trade may start, by the ways out that are quoted for each of its states: the least loss after each failure counts, and the
   * worst of them must be within `maxLoss`. A failure after which nothing can be quoted leaves a position to hold: its capital must be within
   * `holdLimit`. `worstLoss` is null for that. `refused` says why not; null: it may start.
   */
  judge(
    token: string,
    capital: bigint,
    waysOut: Partial<Record<UnwindState, Choice[]>>,
  ): { worstLoss: bigint | null; refused: string | null } {
    const { maxLoss, holdLimit } = this.limits(token);
    let worst = 0n;
    let [unquoted, refused] = [false, null as string | null];
    for (const [state, ways] of Object.entries(waysOut) as [UnwindState, Choice[]][]) {
      for (const [failure, kinds] of Object.entries(UNWINDS[state]) as [Failure, readonly ChoiceKind[]][]) {
        const [least] = ways.flatMap((w) => (w.loss !== null && kinds.includes(w.kind) ? [w.loss] : [])).toSorted(order);
        const at = `in ${state}, where ${FAILURES[failure]},`;
        if (least === undefined) {
          unquoted = true;
          if (capital > holdLimit)
            refused ??= `${at} no way out can be quoted, and ${capital} are more than the ${holdLimit} that may be held`;
        } else if (least > worst) {
          worst = least;
          if (least > maxLoss) refused = `${at} the best way out would lose ${least}, more than ${maxLoss}`;
        }
      }
    }
    return { worstLoss: unquoted ? null : worst, refused };
  }

  #quoted({ choices, taken, timeLeft }: Situation, kind: ChoiceKind): Choice | null {
    if (kind === "wait" && !timeLeft) return null;
    if (COUNTED.has(kind) && (taken[kind] ?? 0) >= this.policy.tries) return null;
    const quoted = choices.find((c) => c.kind === kind);
    if (quoted) return quoted;
    return FREE.has(kind) ? { kind, loss: null, seconds: 0, detail: CHOICES[kind] } : null;
  }

  #cost({ loss, seconds }: Choice, capital: bigint): bigint {
    return (loss ?? 0n) + (capital * this.policy.timeCostPpb * BigInt(Math.ceil(seconds))) / 1_000_000_000n;
  }
}

/** What of a way counts against the loss limit: relayers are not offered a trade's gain beyond it either. */
const counted = ({ loss, given }: Choice): bigint | null => (loss !== null && given !== undefined && given > loss ? given : loss);
const rank = (kind: ChoiceKind): number => (PUSHES.has(kind) ? 0 : STAYS.has(kind) ? 2 : 1);
const isResort = (kind: ChoiceKind): boolean => kind === "hold" || kind === "operator";
const order = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);
const resort = (kind: "hold" | "operator", seconds: number): Choice => ({ kind, loss: null, seconds, detail: CHOICES[kind] });
const decision = (choice: Choice, reason: string): Decision => ({ choice, leadsTo: LEADS[choice.kind] ?? null, reason });
