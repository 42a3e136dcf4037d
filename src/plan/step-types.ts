/**
 * Plans of steps: cycles through any pool that the executor can call, funded by any lender, under the spending rule of
 * contracts/StepRunner.sol. src/plan/steps.ts turns them into calldata and back.
 */

import type { PlanGuards } from "./plan.js";

/** What a plan may pay. A claim is what Uniswap V4's PoolManager owes in a currency, as an ERC-6909 token. */
export interface Asset {
  kind: "native" | "erc20" | "claim";
  /** The token, or the claim's currency; the zero address for ETH. */
  address: string;
}

/**
 * How much a step swaps, in base units. `previous`: what the step before gave. `surplus`: all of its asset above what there was
 * before the plan; `share`: hundredths of a percent of that. `arrived`: what the step before sent to this V2 pool.
 */
export type StepAmount =
  | { from: "fixed"; value: bigint }
  | { from: "previous" }
  | { from: "surplus" }
  | { from: "share"; bips: number }
  | { from: "arrived" };

interface Swap {
  /** Indices into the plan's assets. */
  assetIn: number;
  assetOut: number;
  amount: StepAmount;
  /** Measures the output by the executor's balance: for tokens that take a fee, and pools that do not tell what they gave. */
  measure: boolean;
}

interface ExactSwap extends Swap {
  /** Most input, if `amount` is the output; null if `amount` is the input. */
  maxIn: bigint | null;
}

interface Direct {
  /** Sends the output to the pool of the next step, which is a V2 one with the amount "arrived". */
  direct: boolean;
}

export interface V2Step extends ExactSwap, Direct {
  kind: "v2";
  pool: string;
  /** Millionths of the input; null: the pool computes its output itself (Solidly, Aerodrome). */
  feePips: number | null;
  /** Output to ask for; null: computed from the reserves of that moment. */
  amountOut: bigint | null;
}

export interface V3Step extends ExactSwap, Direct {
  kind: "v3";
  pool: string;
}

/** Curve's forms of `exchange`, by the type of their indices; `native` is the one that takes and gives ETH for WETH. */
export type CurveForm = "int128" | "uint256" | "underlying-int128" | "underlying-uint256" | "native";

export interface CurveStep extends Swap {
  kind: "curve";
  pool: string;
  /** Indices of the coins in the pool. */
  i: number;
  j: number;
  form: CurveForm;
}

export interface BalancerV2Step extends ExactSwap {
  kind: "balancer-v2";
  vault: string;
  poolId: string;
}

/** A swap of Balancer V3's vault; it stands inside a loan of the same vault, which unlocks it. */
export interface BalancerV3Step extends ExactSwap, Direct {
  kind: "balancer-v3-swap";
  vault: string;
  pool: string;
}

/** The vault is also the asset that is given (deposit) or burned (redeem). */
export interface VaultStep extends Swap {
  kind: "erc4626-deposit" | "erc4626-redeem";
  vault: string;
}

/** ETH to the chain's own WETH and back. */
export interface WrapStep extends Swap {
  kind: "wrap" | "unwrap";
}

export interface V4SwapStep extends Swap {
  kind: "v4-swap";
  /** Whether `amount` is the input or the output. What a swap owes is capped where it is settled. */
  exact: "in" | "out";
  /** Of the pool's key: with 0x800000 the hook sets the fee. */
  feePips: number;
  tickSpacing: number;
  hooks: string;
  hookData: string;
}

/** Takes a credit from the PoolManager, or keeps it as a claim (`surplus`: all of it). */
export interface V4TakeStep {
  kind: "v4-take" | "v4-mint";
  asset: number;
  amount: StepAmount;
}

/** Pays all that is owed to the PoolManager in an asset. */
export interface V4SettleStep {
  kind: "v4-settle";
  asset: number;
  max: bigint;
}

export interface V4BurnStep {
  kind: "v4-burn";
  asset: number;
  amount: StepAmount;
}

/** Runs steps inside an unlock of the PoolManager. */
export interface UnlockV4Step {
  kind: "v4-unlock";
  steps: Step[];
}

/** A V2 pair gives its output, the steps run, and it is paid. */
export interface FlashV2Step {
  kind: "flash-v2";
  pool: string;
  assetIn: number;
  assetOut: number;
  amountOut: bigint;
  /** What it is paid exactly, or if `feePips` is given, the most of what follows from the reserves. */
  maxIn: bigint;
  feePips: number | null;
  steps: Step[];
}

/** A V3 pool gives its output, the steps run, and it is paid. */
export interface FlashV3SwapStep {
  kind: "flash-v3-swap";
  pool: string;
  assetIn: number;
  assetOut: number;
  amount: bigint;
  exact: "in" | "out";
  maxIn: bigint;
  steps: Step[];
}

export type StepLender = "aave-v3" | "balancer-v2" | "morpho" | "erc3156" | "v3-flash" | "balancer-v3";

export interface LoanStep {
  kind: "loan";
  source: StepLender;
  lender: string;
  asset: number;
  amount: bigint;
  maxFee: bigint;
  /** Of a V3 pool's tokens: whether the loan is its token1. False for other lenders. */
  token1: boolean;
  steps: Step[];
}

export type LeafStep =
  | V2Step
  | V3Step
  | CurveStep
  | BalancerV2Step
  | BalancerV3Step
  | VaultStep
  | WrapStep
  | V4SwapStep
  | V4TakeStep
  | V4SettleStep
  | V4BurnStep;

type Unplaced<S> = S extends Swap ? Omit<S, "assetIn" | "assetOut" | "amount"> : never;

/** How a pool is traded with, before it is known in which plan: a step without its assets and its amount. */
export type HopStep = Unplaced<V2Step | CurveStep | BalancerV2Step | BalancerV3Step | VaultStep>;

export type Step = LeafStep | UnlockV4Step | FlashV2Step | FlashV3SwapStep | LoanStep;

/** Guards of plans of steps: ArbExecutor's, but for the first pool's. */
export type StepGuards = Omit<PlanGuards, "poolBound">;

export interface StepsPlan extends StepGuards {
  assets: Asset[];
  /** Index of the asset that the plan gains. */
  profitAsset: number;
  /** Least rise of its balance, base units. */
  minProfit: bigint;
  /** Uniswap V4's PoolManager; null if the plan does not use it. */
  v4Manager: string | null;
  /** Last acceptable `block.timestamp` in Unix seconds; null = none. */
  deadline: number | null;
  /** First and last acceptable block number (on Arbitrum: of the L2, from ArbSys); null = any. */
  blocks: { from: number; to: number } | null;
  steps: Step[];
}
