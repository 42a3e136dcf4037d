import type { BridgeId } from "../bridges/bridge.js";
import type { Choice, SagaOutcome } from "../execution/recovery-manager.js";

/** Whose step it is: what is signed and reserved in it counts only while this driver carries the workflow. */
export interface Owner {
  /** Id of the trade. */
  saga: string;
  account: string;
  /** Id of the workflow that runs the trade now. */
  workflow: string;
}

/** What was expected when a saga was opened. Amounts in base units of the profit token, but `bought`. */
export interface Estimate {
  mode: "bridge" | "inventory";
  /** Of the token that travels. */
  bought: bigint;
  /** What the target leg gives. */
  sold: bigint;
  /** What is home in the end: the proceeds less the way back, where they come back. */
  home: bigint;
  gasCost: bigint;
  /** Fees of the bridges, and what time and failures are expected to cost. */
  bridgeCost: bigint;
  /** home - capital - gas. */
  profit: bigint;
  /** What the best way out loses after the worst failure; null where there is one after which nothing can be quoted. */
  worstLoss: bigint | null;
  /** Of the token that travels. */
  bridges: BridgeId[];
  /** That brings the proceeds home; null where they stay. */
  homeBridge?: BridgeId | null;
  seconds: number;
  /** The ways out that were quoted before the start, by the state that they are for. */
  waysOut: Record<string, Choice[]>;
}

/** A change that a saga left on a network, base units of `asset`; `gas` in wei where the asset is "native". */
export interface BookLine {
  chainId: number;
  asset: string;
  amount: bigint;
  gas: bigint;
}

/** How a saga ended. Amounts in base units of the profit token. */
export interface SagaResult {
  outcome: SagaOutcome;
  reason: string;
  /** Sum of what it changed in the profit token on both networks. */
  profit: bigint;
  /** Everything else that it left, valued by quotes at the end: fees, dust, held positions. */
  residual: bigint;
  /** Gas and native fees at the end's prices. */
  gasCost: bigint;
  /** profit + residual - gasCost. */
  net: bigint;
  /** What was expected as `net`. */
  expected: bigint;
  books: BookLine[];
  /** Whether every transaction of it is in a final block. */
  final: boolean;
  decisions: { at: string; choice: string; reason: string }[];
}
