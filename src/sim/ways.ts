import { defaultRoutes, type RoutesConfig } from "../config/routes.js";
import { openRoutes, type Routes } from "../submit/open-routes.js";
import type { LocalChain } from "./chain.js";
import { startLocalRelay } from "./relay/relay.js";
import { startLocalSequencer } from "./relay/sequencer.js";

/** The ways to the blocks of a local chain that its real network has: a relay on Ethereum, a sequencer elsewhere. */
export interface LocalWays {
  /** What a configuration for them holds. */
  submission: RoutesConfig;
  routes: Routes;
  close(): Promise<void>;
}

const SLOT_MS = 20;
export const LOCAL_RELAY = "relay";

/** Starts them. A chain with a relay must have its blocks in the order of arrival (`blockOrder: "fifo"`). */
export async function startLocalWays(local: LocalChain): Promise<LocalWays> {
  const { network } = local;
  const isL1 = network.stack === "l1";
  const service = isL1 ? await startLocalRelay(local, { slotMs: SLOT_MS }) : await startLocalSequencer(local);
  const submission: RoutesConfig = {
    routes: isL1 ? [LOCAL_RELAY] : defaultRoutes(network),
    relays: isL1 ? [{ id: LOCAL_RELAY, url: service.url, like: "flashbots" }] : [],
    relayKey: null,
    sequencer: isL1 ? null : service.url,
    sequencerMode: "raw",
    expressLaneKey: null,
    refund: null,
  };
  const routes = await openRoutes({ network, submission }, { nodes: [local.url] });
  return { submission, routes, close: () => service.close() };
}
