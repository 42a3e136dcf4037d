/** `opportunity.v1` across chains: buy a token on one network, bring it to another, sell it there. */
import { z } from "zod";
import type { BridgeId } from "../bridges/bridge.js";
import type { OpportunityHop } from "./opportunity.js";
import type { Result } from "./reject.js";
import { hopSchema, opportunitySchema } from "./schema.js";
import { checkHop, explain, Fault, parseAmount, type ValidationContext } from "./validate.js";

const BRIDGE_IDS: BridgeId[] = ["across", "cctp", "stargate", "op-standard", "arbitrum-gateway"];

const legSchema = z.strictObject({
  chainId: z.number().int("must be a whole number").positive("must be positive").describe("EIP-155 chain id of the leg."),
  ...hopSchema.shape,
});

const { version, id, deadline, source, notes, amountIn } = opportunitySchema.shape;

export const crossChainSchema = z
  .strictObject({
    version,
    id,
    buy: legSchema.describe("Source leg: spends the profit token, and buys the token that travels."),
    sell: legSchema.describe("Target leg: sells that token on another network, for the profit token of that network."),
    amountIn: amountIn.unwrap().describe('What the source leg spends: "1000 USDC", or base units: "1000000000 units".'),
    mode: z
      .enum(["bridge", "inventory"])
      .optional()
      .describe(
        "bridge: buy, transfer, sell; inventory: both legs at once from balances that are there. Left out: inventory where it suffices.",
      ),
    bridges: z
      .array(z.enum(BRIDGE_IDS))
      .min(1, "must name at least one bridge")
      .optional()
      .describe("Bridges that may carry it. Left out: all that are set up; the one with the best net amount is taken."),
    return_to_source: z
      .boolean()
      .optional()
      .describe("Whether capital and profit are brought back to the source network at the end. Left out: true."),
    deadline,
    source,
    notes,
  })
  .describe('"Buy on this network, sell on that one": two swaps and a transfer, which the driver carries to an end.');

export type CrossChainJson = z.infer<typeof crossChainSchema>;

export interface Leg extends OpportunityHop {
  chainId: number;
}

/** A validated one. Amounts in base units; times in unix seconds. */
export interface CrossChainOpportunity {
  version: "opportunity.v1";
  id: string;
  buy: Leg;
  sell: Leg;
  /** Of `buy.tokenIn`. */
  amountIn: bigint;
  /** null = as the balances allow. */
  mode: "bridge" | "inventory" | null;
  /** null = any. */
  bridges: BridgeId[] | null;
  returnToSource: boolean;
  /** Until when it may be started. */
  deadline: number | null;
  source: string | null;
}

export const CROSS_CHAIN_FIELDS = Object.keys(crossChainSchema.shape);

/** JSON Schema (draft 2020-12) of the cross-chain form; docs/opportunity.v1.cross-chain.schema.json is made of it. */
export function crossChainJsonSchema(): Record<string, unknown> {
  return { title: "opportunity.v1, across chains", ...z.toJSONSchema(crossChainSchema) };
}

/** Whether a parsed value means to be a cross-chain opportunity. */
export function isCrossChain(value: unknown): boolean {
  return value !== null && typeof value === "object" && ("buy" in value || "sell" in value);
}

/** Checks a parsed JSON value: every fault is refused, with its place. */
export function validateCrossChain(value: unknown, context: ValidationContext): Result<CrossChainOpportunity> {
  const shape = crossChainSchema.safeParse(value);
  if (!shape.success) return { ok: false, rejection: explain(shape.error.issues[0]!, value, CROSS_CHAIN_FIELDS) };
  try {
    return { ok: true, value: check(shape.data, context) };
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    const { reason, detail, where } = fault;
    return { ok: false, rejection: { opportunityId: shape.data.id, reason, detail, where } };
  }
}

function check(json: CrossChainJson, context: ValidationContext): CrossChainOpportunity {
  const legOf = (leg: CrossChainJson["buy"], place: string) => {
    const { chainId, ...hop } = leg;
    const network = context.networks.find((n) => n.chainId === chainId);
    if (!network) throw new Fault("unknown-chain", `chain ${chainId} is not configured`, `${place}.chainId`);
    return { network, leg: { chainId, ...checkHop(hop, place, network, context.allowedPools) } };
  };
  const [buy, sell] = [legOf(json.buy, "buy"), legOf(json.sell, "sell")];
  if (buy.leg.chainId === sell.leg.chainId)
    throw new Fault("malformed", "both legs are on one network: write it as a cycle of hops", "sell.chainId");
  if (buy.network.testnet !== sell.network.testnet)
    throw new Fault("malformed", "one leg is on a test network, the other is not", "sell.chainId");
  const token = (n: typeof buy, address: string) => n.network.tokens.find((t) => t.address === address)!;
  const pairs = [
    [token(buy, buy.leg.tokenOut), token(sell, sell.leg.tokenIn), "sell.tokenIn"],
    [token(buy, buy.leg.tokenIn), token(sell, sell.leg.tokenOut), "sell.tokenOut"],
  ] as const;
  for (const [here, there, where] of pairs) {
    if (here.symbol !== there.symbol)
      throw new Fault("not-a-cycle", `${here.symbol} and ${there.symbol} are not the same asset on two networks`, where);
    // amounts of both networks are added up, which only equal base units allow
    if (here.decimals !== there.decimals)
      throw new Fault("not-a-cycle", `${here.symbol} has ${here.decimals} decimals there and ${there.decimals} here`, where);
  }
  if (json.deadline !== undefined && json.deadline <= context.now)
    throw new Fault("expired", `the deadline ${json.deadline} passed ${context.now - json.deadline} s ago`, "deadline");
  return {
    version: json.version,
    id: json.id,
    buy: buy.leg,
    sell: sell.leg,
    amountIn: parseAmount(json.amountIn, buy.network, buy.leg.tokenIn),
    mode: json.mode ?? null,
    bridges: json.bridges ?? null,
    returnToSource: json.return_to_source ?? true,
    deadline: json.deadline ?? null,
    source: json.source ?? null,
  };
}
