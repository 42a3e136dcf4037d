import { endpointName } from "../chain/errors.js";
import type { RpcPool } from "../chain/pool.js";
import type { Network } from "../config/network.js";
import { knownRoutes, type RoutesConfig } from "../config/routes.js";
import { readSecret } from "../config/secrets.js";
import { ArbError } from "../errors.js";
import { EXPRESS_LANE_AUCTION, PROTECT_URLS, relayById, type RelayFacts, SEQUENCERS } from "./relays/builders.js";
import { type BundleClient, openBundleClient } from "./relays/bundle-client.js";
import { type BundleExtras, bundleRoute } from "./relays/bundle.js";
import { expressLaneRoute } from "./relays/express-lane.js";
import { broadcastRoute, nodeRoute } from "./relays/node.js";
import { privateTransactionRoute } from "./relays/private-transaction.js";
import { protectRoute } from "./relays/protect.js";
import { sequencerRoute } from "./relays/sequencer.js";
import { type RelaySigner, relaySigner } from "./relays/signer.js";
import type { Route } from "./route.js";

/** What the routes are opened with. */
export interface RoutesContext {
  /** Endpoints of the network's nodes, resolved. */
  nodes: string[];
  /** The pool through which the route "node" broadcasts, instead of the first of `nodes`. */
  pool?: RpcPool;
  /** Timing of Timeboost's rounds in seconds, where the express lane is used: readRoundTiming reads it. */
  expressLaneTiming?: { offset: number; duration: number };
}

/** The open routes of a network. */
export interface Routes {
  routes: Route[];
  /** The relay that simulates bundles; null where none of the routes does. */
  simulator: BundleClient | null;
  /** Address that relays know us by. */
  relayAddress: string | null;
}

/** The part of a NetworkConfig that is read here. */
export interface NetworkRoutes {
  network: Network;
  submission: RoutesConfig;
}

/**
 * Opens what the configuration names, once, at the start. Throws ArbError "config" for a name that the network does not have and
 * "secrets" for a key or endpoint that cannot be read.
 */
export async function openRoutes({ network, submission }: NetworkRoutes, context: RoutesContext): Promise<Routes> {
  const config = { network, ...submission };
  const where = `networks.${network.name}`;
  const signer = await openSigner(config, where);
  const clients = new Map<string, BundleClient>();
  const client = async (id: string): Promise<BundleClient | null> => {
    const known = clients.get(id);
    if (known) return known;
    const found = await findRelay(config, id, where);
    if (!found) return null;
    const opened = openBundleClient(found.url, found.facts, signer);
    clients.set(id, opened);
    return opened;
  };
  const routes: Route[] = [];
  for (const [i, name] of config.routes.entries()) {
    if (routes.some((route) => route.id === name))
      throw new ArbError("config", `the route ${name} is named twice`, { where: `${where}.routes[${i}]` });
    const route = await openRoute(name, config, context, client);
    if (!route)
      throw new ArbError("config", `${network.title} has no route ${name}`, {
        where: `${where}.routes[${i}]`,
        hint: `choose from ${[...knownRoutes(network), ...config.relays.map((relay) => relay.id)].join(", ")}`,
      });
    routes.push(route);
  }
  const simulator = [...clients.values()].find(({ facts }) => facts.simulates) ?? null;
  return { routes, simulator, relayAddress: clients.size > 0 ? signer.address : null };
}

type Opened = { network: Network } & RoutesConfig;

async function openRoute(
  name: string,
  config: Opened,
  context: RoutesContext,
  client: (id: string) => Promise<BundleClient | null>,
): Promise<Route | null> {
  const { network } = config;
  const where = `networks.${network.name}`;
  const own = config.relays.some((relay) => relay.id === name);
  if (!own && name === "node") {
    if (context.pool) return broadcastRoute(context.pool);
    const [url] = context.nodes;
    if (url === undefined) throw new ArbError("config", `${network.title} has no endpoint`, { where: `${where}.rpc` });
    return nodeRoute(url);
  }
  if (network.stack !== "l1") {
    const sequencer = await sequencerUrl(config, where);
    if (name === "sequencer") {
      // a network whose sequencer is not known is reached through its node, which passes everything on to it
      const url = sequencer ?? context.nodes[0];
      return url === undefined ? null : sequencerRoute(url, config.sequencerMode, { ownBlocks: network.stack !== "arbitrum" });
    }
    if (name === "express-lane" && network.stack === "arbitrum" && sequencer !== null)
      return await openExpressLane(config, sequencer, context, where);
    return null;
  }
  const protect = PROTECT_URLS[network.chainId];
  if (!own && name === "protect" && protect !== undefined) return protectRoute("protect", protect);
  const bundles = await client(name);
  if (bundles) return bundleRoute(name, bundles, extrasFor(config, bundles.facts));
  if (!name.endsWith("-private")) return null;
  const single = await client(name.slice(0, -"-private".length));
  return single?.facts.privateTransactions === true ? privateTransactionRoute(name, single) : null;
}

/** Refunds are asked of those that give them; the others would refuse a bundle with the field. */
function extrasFor({ refund }: RoutesConfig, facts: RelayFacts): BundleExtras {
  if (refund === null || !facts.fields.includes("refundPercent")) return {};
  return { refundPercent: refund.percent, refundRecipient: refund.recipient };
}

async function findRelay(config: Opened, id: string, where: string): Promise<{ url: string; facts: RelayFacts } | null> {
  const i = config.relays.findIndex((relay) => relay.id === id);
  const own = config.relays[i];
  if (!own) {
    const facts = relayById(id);
    const url = facts?.urls[config.network.chainId];
    return facts && url !== undefined ? { url, facts } : null;
  }
  const like = relayById(own.like);
  if (!like) throw new ArbError("config", `there is no relay ${own.like} to be like`, { where: `${where}.relays[${i}].like` });
  return { url: await endpoint(own.url, `${where}.relays[${i}].url`), facts: { ...like, id, title: id, urls: {} } };
}

async function openSigner(config: RoutesConfig, where: string): Promise<RelaySigner> {
  if (config.relayKey === null) return relaySigner();
  return relaySigner(await readSecret(config.relayKey, { where: `${where}.relayKey`, prompt: "Relay key" }));
}

async function sequencerUrl(config: Opened, where: string): Promise<string | null> {
  if (config.sequencer !== null) return await endpoint(config.sequencer, `${where}.sequencer`);
  return SEQUENCERS[config.network.chainId]?.url ?? null;
}

async function openExpressLane(config: Opened, url: string, context: RoutesContext, where: string): Promise<Route> {
  if (config.expressLaneKey === null || !context.expressLaneTiming)
    throw new ArbError("config", `the express lane of ${config.network.title} needs the key of its controller`, {
      where: `${where}.expressLaneKey`,
      hint: 'give it by reference: "file:/path"',
    });
  const key = await readSecret(config.expressLaneKey, { where: `${where}.expressLaneKey`, prompt: "Express lane key" });
  const { chainId } = config.network;
  return expressLaneRoute(url, { chainId, auction: EXPRESS_LANE_AUCTION, key, timing: context.expressLaneTiming });
}

/** Reads an endpoint that may be a reference. Raises ArbError "secrets", "config"; no message holds the URL. */
async function endpoint(reference: string, where: string): Promise<string> {
  if (/^https?:/i.test(reference)) return reference;
  const url = (await readSecret(reference, { allowEnv: true, where })).reveal().trim();
  if (!/^https?:\/\/\S+$/i.test(url) || endpointName(url).startsWith("("))
    throw new ArbError("config", `${reference} holds no http(s) URL`, { where });
  return url;
}
