import { z } from "zod";
import type { BridgeId } from "../bridges/bridge.js";
import { parseDuration } from "../units.js";
import { amountOf, duration, percent, share, text } from "./fields.js";
import { NETWORKS } from "./networks.js";

/** The form of `crossChain` in `arb.config.jsonc`; src/config/cross-chain.ts reads it. */

const BRIDGE_IDS: [BridgeId, ...BridgeId[]] = ["across", "cctp", "stargate", "op-standard", "arbitrum-gateway"];
const networkName = z.enum(NETWORKS.map((n) => n.name) as [string, ...string[]]);
const MONTH_MS = 30 * 24 * 3_600_000;
/** Of things that wait for bridges and people. */
const longDuration = text(parseDuration, 'A duration with its unit: "30 s", "2 h"')
  .refine((ms) => ms > 0, "is zero")
  .refine((ms) => ms <= MONTH_MS, "is longer than 30 days");

const amounts = (example: string, description: string) => z.array(amountOf(example, description)).default([]);

const limits = z.strictObject({
  token: z.string().describe("Symbol of the token"),
  perLeg: amountOf("10000 USDC", "Most that one leg may move").optional(),
  inFlight: amountOf("20000 USDC", "Most that may be between networks at once").optional(),
  perBridge: z
    .partialRecord(z.enum(BRIDGE_IDS), amountOf("10000 USDC", "Most that may be on its way by a bridge"))
    .optional()
    .describe('The same by bridge: { "across": "10000 USDC" }'),
  perNetwork: z
    .partialRecord(networkName, amountOf("15000 USDC", "Most that trades may own on a network"))
    .optional()
    .describe('Most that trades may own on a network at once: { "base": "15000 USDC" }'),
});

const rebalancing = z.strictObject({
  token: z.string().describe("Symbol of the token"),
  shares: z
    .partialRecord(networkName, share)
    .describe('Share of the whole stock that each network should have: { "ethereum": "40 %", "base": "60 %" }'),
  tolerance: share.prefault("10 %").describe("How far a network may be from its share, of the whole"),
  maxCost: share.prefault("0.2 %").describe("Most that a transfer may cost, of its amount"),
  within: longDuration
    .optional()
    .describe(
      'Longest that a transfer may take; left out: transferWithin. "200 h" also lets withdrawals by canonical bridges in',
    ),
  timeCost: percent
    .prefault("0.001 %")
    .describe("What an hour of its absence costs stock, of the amount: it is compared by this, not by drift"),
  every: longDuration.prefault("10 min").describe("Between two looks at the stock"),
});

export const crossChain = z.strictObject({
  enabled: z.boolean().default(false).describe("Whether cross-chain opportunities are traded"),
  minProfit: amounts(
    "2 USDC",
    "Least expected profit after all costs, by profit token; one without an entry is not traded for profit",
  ),
  maxLoss: amounts(
    "20 USDC",
    "Most that a way out of a failed trade may lose without asking anybody; needed for each token of minProfit",
  ),
  holdLimit: amounts(
    "5000 USDC",
    "Largest position that is held when no way out is within maxLoss; without an entry the operator is asked at once",
  ),
  holdFor: longDuration
    .prefault("1 h")
    .describe("How long a position is held, or the operator waited for, before the trade ends as held"),
  tries: z.int().min(1).max(20).default(2).describe("Tries of each kind: the same again, other pools, other bridges, speed-ups"),
  timeCost: percent
    .prefault("0.36 %")
    .describe("What an hour of the capital's absence costs when ways out are compared, of the capital"),
  drift: percent.prefault("0.5 %").describe("What the price of a token may move in an hour; taken off what bridges offer"),
  slippage: share.prefault("0.3 %").describe("How far a leg may land below its quote"),
  holder: z
    .enum(["account", "vault"])
    .default("account")
    .describe("Whose tokens are traded: the account's, or those of the ArbVault of every network"),
  minimumCapital: amounts("5000 USDC", "Free capital on both networks below which inventory stays off"),
  limits: z.array(limits).default([]).describe("Limits by token"),
  rebalancing: z
    .array(rebalancing)
    .default([])
    .describe("Shares of the inventory by token, of every account that trades on all of their networks"),
  arrivalBlocks: z
    .partialRecord(networkName, z.int().min(0).max(1_000_000))
    .default({})
    .describe(
      'Blocks on top of an arrival before it is relied on, by network: { "base": 20 }. Left out: the network\'s finality',
    ),
  transferWithin: longDuration.prefault("2 h").describe("How long a bridge may take before its transfer expires"),
  grace: duration.prefault("5 min").describe("How long after the promised time a transfer counts as overdue"),
  swapWithin: duration.prefault("2 min").describe("Longest that a swap may wait for its block"),
  haltAfter: duration
    .prefault("15 min")
    .describe("How long a network or a bridge may give no answer before the operator is told"),
  finalWithin: longDuration.prefault("1 h").describe("How long the end of a trade waits for final blocks"),
});

export type ParsedCrossChain = z.output<typeof crossChain>;
