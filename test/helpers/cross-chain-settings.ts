/** Settings of cross-chain tests: fast, and with Across at fixed fees. No test framework in it, so that processes of their own can use it. */
import { acrossBridge } from "../../src/bridges/across.js";
import { feeSchedule } from "../../src/bridges/across-fees.js";
import type { Bridge } from "../../src/bridges/bridge.js";
import type { CrossChainOptions } from "../../src/execution/cross-chain-executor.js";
import type { RecoveryPolicy } from "../../src/execution/recovery-manager.js";

export const A = 1;
export const B = 42161;
export const USDC = 10n ** 6n;
export const ETHER = 10n ** 18n;

export const POLICY: RecoveryPolicy = {
  maxLoss: 100n * USDC,
  holdLimit: 5_000n * USDC,
  holdSeconds: 3_600,
  timeCostPpb: 1_000n,
  tries: 2,
};

const line = { ppm: 500, fixed: 50_000n, min: USDC, max: 1_000_000n * USDC, etaSeconds: 2 };
/** Across with fixed fees, for some tokens. */
export const localAcrossBridge = (tokens: ("USDC" | "WETH")[] = ["USDC", "WETH"]): Bridge => {
  const lines = [
    { symbol: "USDC", ...line },
    { symbol: "WETH", ...line, fixed: 10n ** 13n, min: 10n ** 15n, max: 100n * ETHER },
  ];
  return acrossBridge({ fees: feeSchedule(lines.filter((l) => tokens.some((t) => t === l.symbol))) });
};

export const RULES: CrossChainOptions["rules"] = {
  minProfit: { USDC: USDC / 10n, WETH: 10n ** 14n },
  minimumCapital: { USDC: 5_000n * USDC },
  limits: {},
};

export const FAST: NonNullable<CrossChainOptions["settings"]> = {
  legMs: 10_000,
  pollSeconds: 0.05,
  mostPollSeconds: 0.2,
  recheckSeconds: 0.2,
  finalSeconds: 600,
  // long: a slow machine is no halt
  haltSeconds: 600,
};
