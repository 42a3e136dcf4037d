import { z } from "zod";
import { ACROSS_TOKENS } from "./across.js";
import type { FundingId } from "../funding/funding.js";
import { FUNDING_IDS } from "../funding/index.js";
import { KEEP_DAYS } from "../journal/retention.js";
import { unitOf } from "../units.js";
import { RELAYS } from "../submit/relays/builders.js";
import { crossChain } from "./cross-chain-schema.js";
import { address, duration, ether, gwei, percent, share } from "./fields.js";
import { SECRET_REFERENCE } from "./secrets.js";
import { faultOfSignerUrl } from "./signer-url.js";

/** The form of `arb.config.jsonc`. The JSON Schema in docs/arb.config.schema.json is made from it. */

const endpoint = z
  .string()
  .regex(/^(https?:\/\/[^\s]+|env:[A-Za-z_]\w*|file:.+)$/, 'is no endpoint: write "https://...", "env:NAME" or "file:/path"')
  .refine((s) => !s.startsWith("http") || URL.canParse(s), "is no URL")
  .describe('An endpoint: "https://...", or, because URLs hold keys, "env:NAME" or "file:/path" (mode 0600)');

const node = z
  .string()
  .regex(
    /^((https?|wss?):\/\/[^\s]+|ipc:\/.+|env:[A-Za-z_]\w*|file:.+)$/,
    'is no endpoint: write "https://...", "wss://...", "ipc:/path", "env:NAME" or "file:/path"',
  )
  .refine((s) => !/^(http|ws)/.test(s) || URL.canParse(s), "is no URL")
  .describe(
    'An endpoint: "https://...", "wss://...", "ipc:/path" of a node\'s socket, or, because URLs hold keys, "env:NAME" or "file:/path" (mode 0600)',
  );

const secret = z
  .string()
  .regex(SECRET_REFERENCE, 'must be given by reference, never as itself: "file:/path", "fd:3", "prompt" or "env:NAME"')
  .describe('A reference: "file:/path" (mode 0600), "fd:3", "prompt"; "env:NAME" in dry-run mode only');

const token = z.strictObject({
  symbol: z.string().regex(/^[A-Za-z₮][\w.₮]{0,19}$/u, "is no token symbol"),
  decimals: z.int().min(0).max(36),
  address,
});

const poolId = z.string().regex(/^0x[0-9a-f]{64}$/, "is no pool id: write 0x and 64 hexadecimal digits in lower case");

const pool = z.strictObject({
  address: z
    .union([poolId, address])
    .optional()
    .describe("Its address in EIP-55 form; of a Balancer V2 pool its id; of a Uniswap V4 pool nothing, because its key tells it"),
  venue: z
    .enum(["v2-fork", "curve", "balancer-v2", "balancer-v3", "uniswap-v4-hooks"])
    .describe(
      "A pair of a Uniswap V2 fork that the registry does not know, or a pool of Curve, Balancer or, with hooks, Uniswap V4",
    ),
  token0: z.string().describe('A token of the network: its symbol or address; "ETH" where a Uniswap V4 pool trades that itself'),
  token1: z.string().describe("The other token: its symbol or address"),
  fee: z
    .union([z.literal("dynamic"), percent.refine((ppm) => ppm > 0 && ppm < 500_000, "is no fee of a pool")])
    .optional()
    .describe('The fee of a pair or in a Uniswap V4 pool\'s key, for example "0.3 %", or "dynamic"; other pools tell their own'),
  tickSpacing: z.int().min(1).max(32_767).optional().describe("Uniswap V4: the tick spacing in the pool's key"),
  hooks: address.optional().describe("Uniswap V4: the address of the pool's hooks"),
  hookData: z
    .string()
    .regex(/^0x([0-9a-f]{2}){0,1024}$/, "is no bytes: write 0x and pairs of hexadecimal digits in lower case")
    .optional()
    .describe("Uniswap V4: bytes that the hooks are given with each swap"),
});

const rpcLimits = z.strictObject({
  requestsPerSecond: z
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .describe("Requests a second that each endpoint takes; without it, as many as are needed until one says that it is too many"),
  batch: z
    .int()
    .min(1)
    .max(1_000)
    .default(100)
    .describe("Most calls in one request; falls by itself where an endpoint takes fewer"),
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
  rpc: z.array(node).min(1, "needs at least one endpoint").describe("Endpoints in order of preference"),
  rpcLimits: rpcLimits.prefault({}),
  staleAfter: duration
    .optional()
    .describe(
      'Age of the newest block beyond which nothing is traded. Default "60 s" on Ethereum, else "30 s"; testnets "10 min"',
    ),
  executor: address.optional().describe("The executor; without it, the one in deployments/NAME.json"),
  stepExecutor: address.optional().describe("The StepExecutor; without it, the one in deployments/NAME.steps.json, if any"),
  wallets: z
    .array(z.string())
    .min(1)
    .optional()
    .describe('Accounts that trade here, by their names under "wallets"; without it, "wallet"'),
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
    .array(z.enum(FUNDING_IDS as [FundingId, ...FundingId[]]))
    .min(1)
    .default(["flash-swap", "balancer-v2", "uniswap-v4", "balancer-v3", "morpho", "erc3156", "uniswap-v3-flash", "aave-v3"])
    .refine((list) => new Set(list).size === list.length, "names a source twice")
    .describe("Sources that may fund a trade: the cheapest that can, by its fee and its gas; of equals the first"),
});

const tip = z.strictObject({
  share: share.describe("Share of the profit"),
  floor: ether.prefault("0 ETH").describe("At least this much"),
  cap: ether.refine((wei) => wei > 0n, "is zero").describe("At most this much"),
});

const tips = z.strictObject({
  budget: share.prefault("10 %").describe("Share of a trade's expected profit that its tips for private routes may climb to"),
  step: percent
    .refine((ppm) => ppm > 0 && ppm <= 10_000_000, "is not between 0 % and 1000 %")
    .prefault("25 %")
    .describe("How much each raise adds to the tip"),
  blocksPerTip: z.int().min(1).max(100).default(1).describe("Blocks that are missed with one tip before it is raised"),
});

const guards = z.strictObject({
  firstPool: z
    .enum(["l2", "always", "never"])
    .default("l2")
    .describe(
      'Whether plans check their first pool before anything else, which makes a lost race cheap; "l2": on Ethereum only behind a pending transaction',
    ),
  ownGas: z.boolean().default(false).describe("Whether the contract counts the gas really paid against the profit"),
  sweep: z.boolean().default(false).describe("Whether the profit goes to the owner in the same transaction"),
  tip: tip.optional().describe("What the block's proposer gets of profits in WETH, on Ethereum and Sepolia"),
});

const walletFields = z.strictObject({
  keystore: z.string().min(1).optional().describe("Keystore v3 file (mode 0600), relative to this file"),
  password: secret.optional().describe("Reference to the keystore's password"),
  remote: z
    .string()
    .refine((s) => faultOfSignerUrl(s) === null, { error: ({ input }) => faultOfSignerUrl(String(input)) ?? "" })
    .optional()
    .describe('A remote signer instead of a keystore: "https://...", "unix:/path/to/socket", or http on loopback'),
  address: address.optional().describe("The account that the remote signer signs for"),
  token: secret.optional().describe("Reference to the remote signer's bearer token"),
  clientCertificate: secret.optional().describe("Reference to our certificate for the remote signer, PEM"),
  clientKey: secret.optional().describe("Reference to the key of our certificate, PEM"),
  authority: secret.optional().describe("Reference to the certificate that the remote signer's must be signed by, PEM"),
  timeout: duration.prefault("3 s").describe("Deadline of one signature of the remote signer"),
});

const REMOTE_ONLY = ["address", "token", "clientCertificate", "clientKey", "authority"] as const;

const wallet = walletFields.superRefine((w, context) => {
  const issue = (field: string | null, message: string): void => {
    context.addIssue({ code: "custom", message, path: field === null ? [] : [field] });
  };
  if ((w.keystore === undefined) === (w.remote === undefined)) return issue(null, "needs either a keystore or a remote signer");
  if (w.remote === undefined) {
    if (w.password === undefined) issue(null, "needs a password for its keystore");
    for (const field of REMOTE_ONLY) if (w[field] !== undefined) issue(field, "is for a remote signer only");
    return undefined;
  }
  if (w.password !== undefined) issue("password", "is for a keystore only; a remote signer takes a token");
  if (w.address === undefined) issue(null, "needs the address that the remote signer signs for");
  if ((w.clientCertificate === undefined) !== (w.clientKey === undefined))
    issue(null, "needs clientCertificate and clientKey together");
  if (!w.remote.startsWith("https:") && (w.clientCertificate ?? w.authority) !== undefined)
    issue("remote", "has certificates, which only https uses");
  return undefined;
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
    keepDays: z
      .int()
      .min(1)
      .max(36_500)
      .default(KEEP_DAYS)
      .describe("Days for which answers of routes and steps of cross-chain trades are kept after they are final"),
  })
  .refine((d) => d.folder === undefined || d.url === undefined, "has a folder and a url; one of them counts");

const httpUrl = z
  .string()
  .regex(/^(https:\/\/\S+|http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(\/\S*)?)$/, "is no https URL")
  .refine((s) => URL.canParse(s), "is no URL");
const quantity = z.string().regex(/^\d+(\.\d+)?$/, 'is no amount: write a number of whole tokens, for example "0.05"');

const acrossFee = z.strictObject({
  token: z.enum(ACROSS_TOKENS as [string, ...string[]]).describe("Symbol of the token"),
  share: share.describe("Share of the amount that relayers get"),
  fixed: quantity.default("0").describe("Added to the share, in whole tokens: what a fill costs the relayer"),
  min: quantity.default("0").describe("Least amount, in whole tokens"),
  max: quantity.describe("Largest amount, in whole tokens"),
  eta: duration.prefault("1 min").describe("How long a fill takes as a rule"),
});

const bridges = z.strictObject({
  enabled: z
    .array(z.enum(["across", "cctp", "stargate", "op-standard", "arbitrum-gateway"]))
    .default([])
    .refine((list) => new Set(list).size === list.length, "names a bridge twice")
    .describe("Bridges that may carry our tokens; none by default"),
  across: z
    .strictObject({
      maxFee: share.prefault("0.5 %").describe("A larger share of the amount is refused, whatever Across' service says"),
      apiKey: secret.optional().describe("Reference to the key of Across' fee service"),
      integratorId: z.string().min(1).optional().describe("Our id at Across' fee service"),
      url: httpUrl.optional().describe("Another address of Across' fee service"),
      schedule: z
        .array(acrossFee)
        .default([])
        .describe("Fees that we offer by ourselves: without a key always, with one when the service does not answer"),
    })
    .prefault({}),
  cctp: z
    .strictObject({
      url: httpUrl.optional().describe("Another address of Circle's attestation service"),
      speed: z.enum(["auto", "fast", "standard"]).default("auto").describe('"auto": free where that arrives in time, else fast'),
    })
    .prefault({}),
  stargate: z
    .strictObject({ maxMessageFee: ether.prefault("0.002 ETH").describe("A dearer LayerZero message is refused") })
    .prefault({}),
  arbitrumGateway: z
    .strictObject({ maxTicketFee: ether.prefault("0.005 ETH").describe("A dearer retryable ticket is refused") })
    .prefault({}),
});

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
  wallet: wallet.optional().describe("The account of every network that names no other; one is needed in live mode"),
  wallets: z
    .record(z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, "is no name: write small letters, digits and dashes"), wallet)
    .default({})
    .describe("More accounts by name, for the networks that name them"),
  slippage: slippage.prefault({}),
  profit: profit.prefault({}),
  gas: gas.prefault({}),
  timeouts: timeouts.prefault({}),
  funding: funding.prefault({}),
  guards: guards.prefault({}),
  tips: tips.prefault({}).describe("How tips climb while private routes have a trade"),
  bridges: bridges.prefault({}),
  crossChain: crossChain.prefault({}).describe("Trades between networks; off by default"),
  database: database.optional().describe("Where signed transactions and outcomes are kept"),
});

export type ParsedConfig = z.output<typeof configSchema>;
export type ParsedWallet = z.output<typeof wallet>;
export type ParsedBridges = z.output<typeof bridges>;
export type ParsedNetwork = z.output<typeof network>;

/** The JSON Schema that editors read through `$schema`. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema, { io: "input", target: "draft-7" });
  return { title: "arb.config.jsonc", ...schema };
}
