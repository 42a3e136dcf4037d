/** How much worse than quoted a trade may end, by expected margin; all shares in parts per million. */
export interface SlippageTiers {
  /** Highest margin first: a margin above `abovePpm` allows `tolerancePpm`. The last tier has `abovePpm: 0`. */
  margins: { abovePpm: number; tolerancePpm: number }[];
  /** Highest impact first: an expected price impact above `abovePpm` keeps `sizePpm` of the size. */
  impacts: { abovePpm: number; sizePpm: number }[];
}

/** Margin above 2 % allows 0.5 %, above 1 % allows 0.3 %, else 0.1 %; impact above 0.5 % halves the size, above 0.3 % takes 70 %. */
export const DEFAULT_TIERS: SlippageTiers = {
  margins: [
    { abovePpm: 20_000, tolerancePpm: 5_000 },
    { abovePpm: 10_000, tolerancePpm: 3_000 },
    { abovePpm: 0, tolerancePpm: 1_000 },
  ],
  impacts: [
    { abovePpm: 5_000, sizePpm: 500_000 },
    { abovePpm: 3_000, sizePpm: 700_000 },
  ],
};

const MILLION = 1_000_000n;

/** What a plan promises about a quoted trade. Base units of the profit token. */
export interface TradeBounds {
  minProfit: bigint;
  maxAmountIn: bigint;
}

export interface TradeToBound {
  amountIn: bigint;
  amountOut: bigint;
  /** Quoted profit after the funding fee. */
  profit: bigint;
  sizing: "optimum" | "given" | "tiers";
  amounts: "fixed" | "adaptive";
}

/** Decides size where no exact optimum can be computed, and the bounds of every plan. */
export class SlippageManager {
  constructor(readonly tiers: SlippageTiers = DEFAULT_TIERS) {}

  /** Tolerated shortfall of the output in ppm, for an expected margin (profit / input) in ppm. */
  tolerancePpm(marginPpm: number): number {
    const tier = this.tiers.margins.find((t) => marginPpm > t.abovePpm) ?? this.tiers.margins.at(-1);
    return tier?.tolerancePpm ?? 0;
  }

  /** The part of `amount` to trade when the worst hop is expected to move its price by `impactPpm`. */
  size(amount: bigint, impactPpm: number): bigint {
    const tier = this.tiers.impacts.find((t) => impactPpm > t.abovePpm);
    return tier ? (amount * BigInt(tier.sizePpm)) / MILLION : amount;
  }

  /**
   * Bounds of a trade whose profit must stay above `floor` (gas, margin and least net profit, in the profit token).
   *
   * At the exact optimum the floor alone decides: whatever lands above it is a gain. A size that was given or came from the
   * tiers also keeps the tiers' tolerance, because nobody has shown that the rest is worth taking. The payment cap follows:
   * paying more than `amountIn + profit - minProfit` could not leave `minProfit`.
   */
  bounds(trade: TradeToBound, floor: bigint): TradeBounds {
    let minProfit = floor;
    if (trade.sizing !== "optimum") {
      const marginPpm = Number((trade.profit * MILLION) / trade.amountIn);
      const tolerated = trade.profit - (trade.amountOut * BigInt(this.tolerancePpm(marginPpm))) / MILLION;
      if (tolerated > minProfit) minProfit = tolerated;
    }
    const slack = trade.amounts === "adaptive" && trade.profit > minProfit ? trade.profit - minProfit : 0n;
    return { minProfit, maxAmountIn: trade.amountIn + slack };
  }
}
