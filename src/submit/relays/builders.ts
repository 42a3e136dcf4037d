/** Fields of eth_sendBundle that not every builder reads. */
export type BundleField =
  | "minTimestamp"
  | "maxTimestamp"
  | "revertingTxHashes"
  | "droppingTxHashes"
  | "replacementUuid"
  | "refundPercent"
  | "refundRecipient"
  | "refundTxHashes"
  | "refundIdentity"
  | "builders";

/** How one relay or builder differs from the others. */
export interface RelayFacts {
  id: string;
  title: string;
  /** Endpoint by chain id. */
  urls: Readonly<Record<number, string>>;
  /** Whether it wants X-Flashbots-Signature; where it does not, the header is sent all the same: it proves who may cancel. */
  signature: "required" | "optional";
  /** What it reads beside `txs` and `blockNumber`. A bundle with another field is not sent there: it would mean something else. */
  fields: readonly BundleField[];
  /** How a bundle is withdrawn; null = it cannot be. */
  cancel: "eth_cancelBundle" | "empty-bundle" | null;
  /** Whether it simulates by eth_callBundle. */
  simulates: boolean;
  /** Whether it takes eth_sendPrivateTransaction and eth_cancelPrivateTransaction. */
  privateTransactions: boolean;
  source: string;
}

const CORE = ["minTimestamp", "maxTimestamp", "revertingTxHashes", "replacementUuid"] as const;
const REFUNDS = ["refundPercent", "refundRecipient", "refundTxHashes"] as const;

/** The reviewed list, as published in November 2026. A relay of your own is configured as being like one of these. */
export const RELAYS: readonly RelayFacts[] = [
  {
    id: "flashbots",
    title: "Flashbots",
    urls: { 1: "https://relay.flashbots.net", 11155111: "https://relay-sepolia.flashbots.net" },
    signature: "required",
    fields: [...CORE, "builders"],
    cancel: "eth_cancelBundle",
    simulates: true,
    privateTransactions: true,
    source: "docs.flashbots.net, JSON-RPC endpoints",
  },
  {
    id: "buildernet",
    title: "BuilderNet",
    urls: { 1: "https://rpc.buildernet.org" },
    signature: "required",
    fields: [...CORE, "droppingTxHashes", ...REFUNDS, "refundIdentity"],
    cancel: "empty-bundle",
    simulates: false,
    privateTransactions: false,
    source: "buildernet.org/docs, API; flashbots/go-utils rpctypes; flashbots/rbuilder serialize.rs",
  },
  {
    id: "titan",
    title: "Titan",
    urls: { 1: "https://rpc.titanbuilder.xyz" },
    signature: "optional",
    fields: [...CORE, "droppingTxHashes", ...REFUNDS],
    cancel: "eth_cancelBundle",
    simulates: false,
    privateTransactions: false,
    source: "docs.titanbuilder.xyz/api",
  },
  {
    id: "beaverbuild",
    title: "beaverbuild",
    urls: { 1: "https://rpc.beaverbuild.org" },
    signature: "optional",
    fields: [...CORE],
    cancel: "empty-bundle",
    simulates: false,
    privateTransactions: false,
    source: "beaverbuild.org/docs; flashbots/dowg builder-registrations.json",
  },
  {
    id: "rsync",
    title: "rsync-builder",
    urls: { 1: "https://rsync-builder.xyz" },
    signature: "optional",
    fields: [...CORE, "droppingTxHashes", ...REFUNDS],
    cancel: "eth_cancelBundle",
    simulates: false,
    privateTransactions: false,
    source: "rsync-builder.xyz/docs",
  },
  {
    id: "btcs",
    title: "Builder+ by BTCS",
    urls: { 1: "https://rpc.btcs.com" },
    signature: "optional",
    fields: [...CORE],
    cancel: "eth_cancelBundle",
    simulates: false,
    privateTransactions: false,
    source: "btcs.com/builder-docs",
  },
  {
    id: "quasar",
    title: "Quasar",
    urls: { 1: "https://rpc.quasar.win" },
    signature: "optional",
    fields: [...CORE, "droppingTxHashes", ...REFUNDS],
    cancel: "eth_cancelBundle",
    simulates: false,
    privateTransactions: false,
    source: "docs.quasar.win/api; endpoint: flashbots/dowg builder-registrations.json",
  },
];

/** The facts of a relay by id; null when the list does not have it. */
export function relayById(id: string): RelayFacts | null {
  return RELAYS.find((relay) => relay.id === id) ?? null;
}

/** Flashbots Protect takes eth_sendRawTransaction from wallets, with its preferences in the query. Source: docs.flashbots.net, Protect. */
export const PROTECT_URLS: Readonly<Record<number, string>> = {
  1: "https://rpc.flashbots.net",
  11155111: "https://rpc-sepolia.flashbots.net",
};

/** Endpoints of the sequencers themselves, by chain id. They take transactions and answer nothing else. */
export const SEQUENCERS: Readonly<Record<number, { url: string; source: string }>> = {
  42161: { url: "https://arb1-sequencer.arbitrum.io/rpc", source: "docs.arbitrum.io, RPC endpoints and providers" },
  421614: { url: "https://sepolia-rollup-sequencer.arbitrum.io/rpc", source: "docs.arbitrum.io, RPC endpoints and providers" },
  10: { url: "https://mainnet-sequencer.optimism.io", source: "docs.optimism.io, networks" },
  11155420: { url: "https://sepolia-sequencer.optimism.io", source: "docs.optimism.io, networks" },
  8453: { url: "https://mainnet-sequencer.base.org", source: "docs.base.org, node configuration" },
  84532: { url: "https://sepolia-sequencer.base.org", source: "docs.base.org, node configuration" },
};

/** Timeboost's auction on Arbitrum One. Source: docs.arbitrum.io, Timeboost; rounds last 60 s. */
export const EXPRESS_LANE_AUCTION = "0x5fcb496a31b7AE91e7c9078Ec662bd7A55cd3079";
