import { getAddress } from "ethers";
import { z } from "zod";
import { ArbError } from "../errors.js";
import { ETHER, GWEI, parseAmount, parseDuration, parsePercent, unitOf } from "../units.js";
import { RELAYS } from "../submit/relays/builders.js";
import { SECRET_REFERENCE } from "./secrets.js";

/** The form of `arb.config.jsonc`. The JSON Schema in docs/arb.config.schema.json is made from it. */

/** Turns a parser of src/units.ts into a field: its refusal becomes the field's message. */
function text<T>(parse: (s: string) => T, description: string): z.ZodPipe<z.ZodString, z.ZodTransform<T, string>> {
  return z
    .string()
    .describe(description)
    .transform((s, context) => {
      try {
        return parse(s);
      } catch (error) {
        if (!(error instanceof ArbError)) throw error;
        context.addIssue({
          code: "custom",
          message: error.hint === undefined ? error.message : `${error.message}; ${error.hint}`,
        });
        return z.NEVER;
      }
    });
}

const percent = text(parsePercent, 'A percentage with its sign, for example "0.5 %"');
const share = percent.refine((ppm) => ppm <= 1_000_000, "is more than 100 %");
const duration = text(parseDuration, 'A duration with its unit: "200 ms", "30 s", "2 min"')
  .refine((ms) => ms > 0, "is zero")
  // Node's timers end at once where they are set to more than 24.8 days
  .refine((ms) => ms <= 86_400_000, "is longer than a day");
const gwei = text((s) => parseAmount(s, GWEI), 'A gas price, for example "0.5 gwei"').refine((wei) => wei > 0n, "is zero");
const ether = text((s) => parseAmount(s, ETHER), 'An amount of the native coin, for example "0.001 ETH"');

const address = text((s) => {
  let right: string;
  try {
    right = getAddress(s.toLowerCase());
  } catch {
    throw new ArbError("usage", "is no address", { hint: "write 0x and 40 hexadecimal digits" });
  }
  // 0x4200000000000000000000000000000000000042 has no letter, and so no other form
  if (s === right) return right;
  if (s === s.toLowerCase()) throw new ArbError("usage", "has no checksum", { hint: `copy it in EIP-55 form, such as ${right}` });
  throw new ArbError("usage", "does not match its EIP-55 checksum", { hint: "a digit is wrong; copy it again" });
}, "An address in EIP-55 form");

const endpoint = z
  .string()
  .regex(/^(https?:\/\/[^\s]+|env:[A-Za-z_]\w*|file:.+)$/, 'is no endpoint: write "https://...", "env:NAME" or "file:/path"')
  .refine((s) => !s.startsWith("http") || URL.canParse(s), "is no URL")
  .describe('An endpoint: "https://...", or, because URLs hold keys, "env:NAME" or "file:/path" (mode 0600)');

const secret = z
  .string()
  .regex(SECRET_REFERENCE, 'must be given by reference, never as itself: "file:/path", "fd:3", "prompt" or "env:NAME"')
  .describe('A reference: "file:/path" (mode 0600), "fd:3", "prompt"; "env:NAME" in dry-run mode only');

const token = z.strictObject({
  symbol: z.string().regex(/^[A-Za-z₮][\w.₮]{0,19}$/u, "is no token symbol"),
  decimals: z.int().min(0).max(36),
  address,
});

const pool = z.strictObject({
  address,
  venue: z.literal("v2-fork").describe("A pair of a Uniswap V2 fork that the registry does not know"),
  token0: z.string().describe("A token of the network: its symbol or address"),
  token1: z.string().describe("The other token: its symbol or address"),
  fee: percent
    .refine((ppm) => ppm > 0 && ppm < 500_000, "is no fee of a pair")
    .describe('The fee of the pair, for example "0.3 %"'),
});

const relay = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,30}$/, "is no name of a relay: use lower-case letters, digits and -")
    .describe("The name that routes uses"),
  url: endpoint,
  like: z.enum(RELAYS.map((r) => r.id)).describe("The relay whose dialect it speaks"),
});

const refund = z.strictObject({
  percent: z.int().min(1).max(99).describe("Whole percent of what a builder earns from a bundle"),
  recipient: address,
});

const lossShare = percent
  .refine((ppm) => ppm <= 50_000, "is more than 5 %, which the vault refuses")
  .refine((ppm) => ppm % 100 === 0, "is finer than 0.01 %");
const seconds = duration.refine((ms) => ms % 1000 === 0, "is no whole number of seconds").transform((ms) => ms / 1000);
const limit = z
  .string()
  .refine((s) => unitOf(s) !== null, 'has no unit, write for example "5 WETH"')
  .describe('Most per day, in the token that leaves, for example "5 WETH"');

const priceSource = z.strictObject({
  feedIn: address.optional().describe("Price feed of the sold token"),
  feedOut: address.optional().describe("Price feed of the bought token, in the same currency"),
  maxAgeIn: seconds.optional().describe("Greatest age of feedIn's answer: its heartbeat and a little more"),
  maxAgeOut: seconds.optional().describe("Greatest age of feedOut's answer"),
  sequencer: address.optional().describe("Feed that tells whether the sequencer is up; required with feeds on an L2"),
  pool: address.optional().describe("Instead of feeds: a V3-type pool of the two tokens, whose average counts"),
  window: seconds
    .refine((s) => s >= 600, "is shorter than 10 min, which the vault refuses")
    .optional()
    .describe('Time that the pool is averaged over, for example "30 min"'),
});

const market = z.strictObject({
  pool: address,
  kind: z.enum(["v2", "v3"]).describe("Type of the pool"),
  fee: percent
    .refine((ppm) => ppm > 0 && ppm < 1_000_000, "is no fee of a pair")
    .optional()
    .describe("Fee of a V2-type pool"),
  sell: z.string().describe("Token of the network, by symbol or address"),
  buy: z.string().describe("The pool's other token"),
  maxLoss: lossShare.describe('Least output below the price, for example "0.5 %"'),
  dailyLimit: limit,
  price: priceSource,
});

const vaultRoute = z.strictObject({
  bridge: z.enum(["across", "cctp", "stargate"]),
  contract: address.describe("SpokePool, TokenMessengerV2 or Stargate pool of this network"),
  token: z.string().describe("Token that is sent, by symbol or address"),
  tokenOut: address.optional().describe("Across: the token that arrives, of the same decimals"),
  destination: z.int().min(0).describe("Chain id (Across), domain (CCTP) or endpoint id (Stargate)"),
  maxFee: lossShare.describe('Greatest fee, for example "0.2 %"'),
  dailyLimit: limit,
  maxFill: seconds.optional().describe("Across: longest time that relayers are given; then a refund is due"),
});

const vault = z.strictObject({
  address: address.optional().describe("The vault; without it, the one in deployments/NAME-vault.json"),
  markets: z.array(market).default([]).describe("Pools in which operators may sell"),
  routes: z.array(vaultRoute).default([]).describe("Bridges by which operators may send to the twin"),
});

const network = z.strictObject({
  enabled: z.boolean().default(true),
  rpc: z.array(endpoint).min(1, "needs at least one endpoint").describe("Endpoints in order of preference"),
  executor: address.optional().describe("The executor; without it, the one in deployments/NAME.json"),
  maxFeePerGas: gwei
    .optional()
    .describe('Highest gas price, base fee and tip together. Default "30 gwei" on Ethereum, else "1 gwei"'),
  priorityFee: gwei.optional().describe('Tip. Default "0.1 gwei" on Ethereum, else "0.001 gwei"'),
  maxPriorityFee: gwei
    .optional()
    .describe("Lets the tip follow what others paid lately, from priorityFee up to this. Without it, the tip is priorityFee"),
  maxGasCost: ether.optional().describe('Most that one transaction may cost. Default "0.001 ETH" on Ethereum, else "0.0002 ETH"'),
  tokens: z.array(token).default([]).describe("Tokens that the registry does not list"),
  pools: z.array(pool).default([]).describe("Pools that the registry's factories did not make, allowed one by one"),
  routes: z
    .array(z.string())
    .min(1, "needs at least one route")
    .refine((list) => new Set(list).size === list.length, "names a route twice")
    .optional()
    .describe("The ways that transactions take, all at once. Default: private builders on Ethereum, else the sequencer"),
  relays: z.array(relay).default([]).describe("Relays of your own, which routes can name"),
  relayKey: secret.optional().describe("Key that signs requests to relays; without it, a new one at every start"),
  sequencer: endpoint.optional().describe("Endpoint of the sequencer, instead of the registry's"),
  sequencerMode: z
    .enum(["raw", "sync", "conditional"])
    .default("raw")
    .describe('"sync" waits for the receipt (EIP-7966), "conditional" has the sequencer check the deadline (ERC-7796)'),
  expressLaneKey: secret.optional().describe("Arbitrum: key of the account that controls Timeboost's express lane"),
  refund: refund.optional().describe("What builders that give refunds are asked for"),
  vault: vault.optional().describe("What the owner allows the vault's operators; see docs/vault.md"),
});

const tier = z.strictObject({ above: percent, allow: share });
const reduction = z.strictObject({ above: percent, size: share });

const descending = (list: { above: number }[]): boolean => list.every((t, i) => i === 0 || t.above < (list[i - 1]?.above ?? 0));

const slippage = z.strictObject({
  tiers: z
    .array(tier)
    .refine(descending, "must go from the highest margin to the lowest")
    .prefault([
      { above: "2 %", allow: "0.5 %" },
      { above: "1 %", allow: "0.3 %" },
    ])
    .describe("Slippage allowed by the trade's margin. The first tier whose margin is exceeded counts"),
  otherwise: share.prefault("0.1 %").describe("Slippage allowed below every tier"),
  impact: z
    .array(reduction)
    .refine(descending, "must go from the highest impact to the lowest")
    .prefault([
      { above: "0.5 %", size: "50 %" },
      { above: "0.3 %", size: "70 %" },
    ])
    .describe("Share of the size that is kept when the price impact is above a limit"),
});

const minNet = z
  .string()
  .refine((s) => unitOf(s) !== null, 'has no unit, write for example "0.0001 WETH"')
  .describe('Least profit after all costs, in the token that the trade earns, for example "0.0001 WETH"');

const profit = z.strictObject({
  minNet: z
    .array(minNet)
    .default(["0.0001 WETH", "0.25 USDC", "0.25 USDT", "0.25 DAI", "0.000005 WBTC", "0.000005 cbBTC"])
    .describe("A token without an entry is not traded for profit"),
  marginOverCost: percent
    .default(1_000_000)
    .describe("How far the profit must exceed the expected cost: the default, 100 %, asks for twice the cost"),
});

const gas = z.strictObject({
  buffer: share.prefault("20 %").describe("What is added to gas estimates"),
  patienceBlocks: z.int().min(0).max(100).default(3).describe("Full blocks that the fee cap of a transaction must survive"),
});

const timeouts = z.strictObject({
  rpc: duration.prefault("5 s").describe("Every call to an endpoint"),
  opportunity: duration.prefault("30 s").describe("How long an opportunity without a deadline counts"),
  receipt: duration.prefault("3 min").describe("How long a sent transaction is watched before its state is called unknown"),
});

const funding = z.strictObject({
  preference: z
    .array(z.enum(["flash-swap", "balancer-v2", "aave-v3", "own-balance"]))
    .min(1)
    .default(["flash-swap", "balancer-v2", "aave-v3"])
    .refine((list) => new Set(list).size === list.length, "names a source twice")
    .describe("Sources that may fund a trade; among equally cheap ones the first counts"),
});

const wallet = z.strictObject({
  keystore: z.string().min(1).describe("Keystore v3 file (mode 0600), relative to this file"),
  password: secret,
});

const database = z
  .strictObject({
    folder: z
      .string()
      .min(1)
      .optional()
      .describe("Folder of the embedded PostgreSQL, relative to this file; made where it is missing"),
    url: z
      .string()
      .regex(
        SECRET_REFERENCE,
        'must be given by reference, because it holds a password: "env:NAME", "file:/path", "fd:3" or "prompt"',
      )
      .optional()
      .describe('A PostgreSQL of your own (15 or newer) instead: a reference to its URL, for example "env:DATABASE_URL"'),
  })
  .refine((d) => d.folder === undefined || d.url === undefined, "has a folder and a url; one of them counts");

export const configSchema = z.strictObject({
  $schema: z.string().optional(),
  mode: z.enum(["dry-run", "live"]).default("dry-run").describe('"live" sends transactions; "dry-run" does everything but send'),
  networks: z
    .strictObject({
      ethereum: network.optional(),
      arbitrum: network.optional(),
      optimism: network.optional(),
      base: network.optional(),
      sepolia: network.optional(),
      "arbitrum-sepolia": network.optional(),
      "optimism-sepolia": network.optional(),
      "base-sepolia": network.optional(),
    })
    .describe("Networks to trade on"),
  wallet: wallet.optional().describe("Needed in live mode"),
  slippage: slippage.prefault({}),
  profit: profit.prefault({}),
  gas: gas.prefault({}),
  timeouts: timeouts.prefault({}),
  funding: funding.prefault({}),
  database: database.optional().describe("Where signed transactions and outcomes are kept"),
});

export type ParsedConfig = z.output<typeof configSchema>;
export type ParsedNetwork = z.output<typeof network>;

/** The JSON Schema that editors read through `$schema`. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema, { io: "input", target: "draft-7" });
  return { title: "arb.config.jsonc", ...schema };
}
