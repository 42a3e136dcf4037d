/** The JSON form of `opportunity.v1`, as it comes from a file, a pipe or another program; docs/opportunity.v1.schema.json is made of it. */
import { z } from "zod";
import type { Network } from "../config/network.js";
import { findToken } from "../config/networks.js";
import { FUNDING_IDS } from "../funding/index.js";
import { formatDecimal } from "../units.js";
import { VENUE_IDS } from "../venues/index.js";
import type { Opportunity } from "./opportunity.js";

export const address = (what: string): z.ZodString =>
  z
    .string()
    .regex(/^0x[0-9a-fA-F]{40}$/, "must be 0x and 40 hexadecimal digits")
    .describe(`${what}: 0x and 40 hexadecimal digits, all lower case or with a right EIP-55 checksum.`);

const transactionHash = z.string().regex(/^0x[0-9a-fA-F]{64}$/, "must be a transaction hash: 0x and 64 hexadecimal digits");

export const hopSchema = z
  .strictObject({
    venue: z.enum(VENUE_IDS as [string, ...string[]]).describe("DEX protocol of the pool."),
    pool: z
      .string()
      .regex(/^0x([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$/, "must be 0x and 40 hexadecimal digits, or 64 of a pool's id")
      .describe(
        "Pool, pair or vault: 0x and 40 hexadecimal digits, all lower case or with a right EIP-55 checksum. Of Uniswap V4 (with hooks, too) and Balancer V2 the pool's id: 0x and 64 hexadecimal digits.",
      ),
    tokenIn: address("Token that goes into the pool"),
    tokenOut: address("Token that comes out of the pool"),
    fee: z
      .string()
      .max(12, 'must be a percentage like "0.3 %"')
      .regex(/^\d{1,2}(\.\d{1,4})? ?%$/, 'must be a percentage like "0.3 %"')
      .optional()
      .describe(
        'The pool\'s fee in percent of the input with the unit, like "0.3 %". Needed for venues that have several: V3 types and Uniswap V4.',
      ),
    tickSpacing: z
      .number()
      .int("must be a whole number")
      .min(1, "must be 1 to 32767")
      .max(32_767, "must be 1 to 32767")
      .optional()
      .describe("The pool's tick spacing. Needed for Slipstream, and for Uniswap V4 where it is not the usual one of the fee."),
    stable: z.boolean().optional().describe("Solidly: whether the pair is a stable one. Left out: volatile."),
  })
  .describe("One swap: where, and in which direction.");

export const opportunitySchema = z
  .strictObject({
    version: z.literal("opportunity.v1").describe("Version of this format."),
    id: z
      .string()
      .regex(/^[A-Za-z0-9._:-]{1,64}$/, "must be 1 to 64 letters, digits or . _ : -")
      .describe("Name of the opportunity, unique in its source: 1 to 64 letters, digits or . _ : -"),
    chainId: z.number().int("must be a whole number").positive("must be positive").describe("EIP-155 chain id."),
    hops: z
      .array(hopSchema)
      .min(2, "must have 2 to 6 hops")
      .max(6, "must have 2 to 6 hops")
      .describe("2 to 6 swaps that start and end with the same token, the profit token. No pool twice."),
    amountIn: z
      .string()
      .max(120, 'must be an amount like "1.5 WETH" or "1500000 units"')
      .regex(/^\d+(\.\d+)? \S{1,20}$/, 'must be an amount with its unit, like "1.5 WETH" or "1500000 units"')
      .optional()
      .describe(
        'Input of the first hop: a decimal number and the symbol of the first token ("1.5 WETH"), or a whole number of its base units ("1500000 units"). Left out: the size with the largest profit is computed.',
      ),
    funding: z
      .enum(FUNDING_IDS as [string, ...string[]])
      .optional()
      .describe("Who lends the input. Left out: the cheapest that can."),
    amounts: z
      .enum(["fixed", "adaptive"])
      .optional()
      .describe(
        "fixed: the quoted amounts or nothing; adaptive: amounts follow the reserves of the moment. Left out: as the network is set up.",
      ),
    deadline: z
      .number()
      .int("must be whole Unix seconds")
      .positive("must be positive Unix seconds")
      .max(99_999_999_999, "must be Unix seconds; this looks like milliseconds")
      .optional()
      .describe("Unix seconds after which it must not be executed."),
    after: z
      .union([
        transactionHash.describe("Its hash; the node must have it."),
        z
          .strictObject({
            hash: transactionHash.optional().describe("Its hash, against which the bytes are checked."),
            raw: z
              .string()
              .max(262_146, "must have at most 131072 bytes")
              .regex(/^0x([0-9a-fA-F]{2})+$/, "must be a signed transaction: 0x and bytes as hexadecimal digits")
              .describe("The signed transaction itself, so that no node need have it."),
          })
          .describe("The transaction with its bytes."),
      ])
      .optional()
      .describe("The pending transaction that it follows: quoted behind it, and landed right behind it, or not at all."),
    source: z
      .string()
      .min(1, "must not be empty")
      .max(64, "must have at most 64 characters")
      .optional()
      .describe("Who found it."),
    notes: z
      .string()
      .max(1000, "must have at most 1000 characters")
      .optional()
      .describe("Free text for people; the program ignores it."),
  })
  .describe('"Buy here, sell there" on one chain: a cycle of swaps that is executed atomically.');

/** An opportunity as JSON has it. */
export type OpportunityJson = z.infer<typeof opportunitySchema>;

export const AFTER_FIELDS = ["hash", "raw"];
export const HOP_FIELDS = Object.keys(hopSchema.shape);
export const OPPORTUNITY_FIELDS = Object.keys(opportunitySchema.shape);

/** JSON Schema (draft 2020-12) of `opportunity.v1`. */
export function opportunityJsonSchema(): Record<string, unknown> {
  return { title: "opportunity.v1", ...z.toJSONSchema(opportunitySchema) };
}

/** The JSON form of a validated opportunity; validating it again gives an equal one. */
export function toJson(opportunity: Opportunity, network: Network): OpportunityJson {
  const { version, id, chainId, hops, amountIn, funding, amounts, deadline, after, source } = opportunity;
  const token = findToken(network, hops[0]!.tokenIn);
  return {
    version,
    id,
    chainId,
    // what the registry and the allow-list know is not repeated
    hops: hops.map(({ feePips, host: _host, quoter: _quoter, hooks: _hooks, hookData: _data, ...hop }) => {
      return { ...hop, ...(feePips === 0 || feePips > MOST_FEE ? {} : { fee: formatFee(feePips) }) };
    }),
    ...(amountIn === null
      ? {}
      : { amountIn: token === null ? `${amountIn} units` : `${formatDecimal(amountIn, token.decimals)} ${token.symbol}` }),
    ...(funding === null ? {} : { funding }),
    ...(amounts === null ? {} : { amounts }),
    ...(deadline === null ? {} : { deadline }),
    ...(after === null ? {} : { after: after.raw === null ? after.hash : { hash: after.hash, raw: after.raw } }),
    ...(source === null ? {} : { source }),
  };
}

/** Beyond this a fee is the mark of one that a hook sets. */
const MOST_FEE = 1_000_000;

/** "0.3 %" for 3000 pips. */
export function formatFee(feePips: number): string {
  return `${formatDecimal(BigInt(feePips), 4)} %`;
}
