import { PROTECT_URLS, RELAYS } from "../submit/relays/builders.js";
import type { Network } from "./network.js";

/** What the configuration says about the ways that transactions of one network take; see docs/submission.md. */
export interface RoutesConfig {
  /** Names of routes. All of them are used at once. */
  routes: string[];
  /** Relays of your own. `url` may be a reference; `like`: the relay of the list whose dialect they speak. */
  relays: { id: string; url: string; like: string }[];
  /** Reference to the key that signs requests to relays; null = a new one in every process. */
  relayKey: string | null;
  /** Endpoint of the sequencer, instead of the registry's; may be a reference. */
  sequencer: string | null;
  sequencerMode: "raw" | "sync" | "conditional";
  /** Reference to the key of the express lane's controller; null = not used. */
  expressLaneKey: string | null;
  /** Whole percent of what a builder earns from a bundle that it is asked to pay back, and to whom. */
  refund: { percent: number; recipient: string } | null;
}

/** Bundles to private builders on Ethereum, the sequencer elsewhere. The public mempool is in no default. */
export function defaultRoutes(network: Network): string[] {
  if (network.stack !== "l1") return ["sequencer"];
  return network.testnet ? ["flashbots"] : ["flashbots", "buildernet", "titan", "quasar", "rsync", "beaverbuild"];
}

/** Every name that `routes` may hold on a network, beside relays of one's own. */
export function knownRoutes(network: Network): string[] {
  const { chainId, stack } = network;
  if (stack !== "l1") return ["node", "sequencer", ...(network.name === "arbitrum" ? ["express-lane"] : [])];
  const listed = RELAYS.filter((relay) => relay.urls[chainId] !== undefined);
  const alone = listed.filter((relay) => relay.privateTransactions).map((relay) => `${relay.id}-private`);
  return ["node", ...(PROTECT_URLS[chainId] === undefined ? [] : ["protect"]), ...listed.map((relay) => relay.id), ...alone];
}
