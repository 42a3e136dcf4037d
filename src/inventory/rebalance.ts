/** How inventory is brought back to its shares, and what that costs. */

/** Free stock of one asset on one network, base units, and the share of the whole that it should have (parts per million). */
export interface Holding {
  chainId: number;
  free: bigint;
  sharePpm: number;
}

/** One transfer of a plan. Amounts in base units. */
export interface Move {
  fromChainId: number;
  toChainId: number;
  amount: bigint;
  /** Fees of the bridge and gas, in the asset. */
  cost: bigint;
  bridge: string;
  /** How long it is expected to take. */
  seconds?: number;
}

/** What a transfer would cost now by the cheapest bridge; null where none carries it. */
export type Price = (
  fromChainId: number,
  toChainId: number,
  amount: bigint,
) => Promise<Pick<Move, "bridge" | "cost" | "seconds"> | null>;

export interface RebalanceRules {
  /** A network is left alone while it is this near to its share, parts per million of the whole. */
  tolerancePpm: number;
  /** Most that a transfer may cost, parts per million of its amount. */
  maxCostPpm: number;
}

const PPM = 1_000_000n;

/** Where there is too much and too little, largest first. */
export function imbalances(holdings: Holding[], tolerancePpm: number): { chainId: number; excess: bigint }[] {
  const total = holdings.reduce((sum, h) => sum + h.free, 0n);
  return holdings
    .map(({ chainId, free, sharePpm }) => ({ chainId, excess: free - (total * BigInt(sharePpm)) / PPM }))
    .filter(({ excess }) => (excess < 0n ? -excess : excess) * PPM > total * BigInt(tolerancePpm))
    .toSorted((a, b) => (a.excess > b.excess ? -1 : a.excess < b.excess ? 1 : 0));
}

/**
 * Transfers from networks with too much to those with too little, each as large as both sides allow, by the cheapest bridge. One that
 * costs more than the rules allow is left out.
 */
export async function rebalancingPlan(holdings: Holding[], rules: RebalanceRules, price: Price): Promise<Move[]> {
  const moves: Move[] = [];
  const off = imbalances(holdings, rules.tolerancePpm);
  const short = off.filter((o) => o.excess < 0n).toReversed();
  for (const giver of off.filter((o) => o.excess > 0n)) {
    let left = giver.excess;
    for (const taker of short) {
      const amount = left < -taker.excess ? left : -taker.excess;
      if (amount <= 0n) continue;
      const priced = await price(giver.chainId, taker.chainId, amount);
      if (priced === null || priced.cost * PPM > amount * BigInt(rules.maxCostPpm)) continue;
      moves.push({ fromChainId: giver.chainId, toChainId: taker.chainId, amount, ...priced });
      left -= amount;
      taker.excess += amount;
    }
  }
  return moves;
}

/** Whether capital is worth spreading over networks. Both in base units of the same token. */
export function inventoryPays(capital: bigint, minimum: bigint): boolean {
  return capital >= minimum;
}
