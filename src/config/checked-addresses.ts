import { id, type Provider } from "ethers";
import { ArbError } from "../errors.js";
import { acrossFacts } from "./across.js";
import { arbitrumGatewayFacts } from "./arbitrum-gateway.js";
import { opStandardFacts } from "./op-standard.js";
import { cctpFacts } from "./cctp.js";
import type { Network, Sourced } from "./network.js";
import { stargateFacts } from "./stargate.js";

/** One address of the registry with its place ("uniswap-v3.factory") and, where there is one, a cheap proof of identity. */
export interface RegistryEntry {
  place: string;
  entry: Sourced;
  /** A view function without arguments and the address or number that it must return. */
  identity: { view: string; returns: string } | null;
}

/** How a factory whose pools are minimal proxies tells what they are proxies of. */
const PROXY_VIEWS: Readonly<Record<string, string>> = { solidly: "implementation()", slipstream: "poolImplementation()" };

/** Every address of a network's registry entry. */
export function registryEntries(network: Network): RegistryEntry[] {
  const all: RegistryEntry[] = network.tokens.map((t) => ({
    place: `tokens.${t.symbol}`,
    entry: t,
    identity: { view: "decimals()", returns: String(t.decimals) },
  }));
  const push = (place: string, entry: Sourced | null | undefined, view?: string, returns?: string): void => {
    if (!entry) return;
    all.push({ place, entry, identity: view === undefined || returns === undefined ? null : { view, returns } });
  };
  for (const [venue, facts] of Object.entries(network.venues)) {
    const proxied = PROXY_VIEWS[venue];
    push(`${venue}.factory`, facts.factory, proxied, facts.implementation?.address);
    push(`${venue}.implementation`, facts.implementation);
    if (facts.implementation === undefined) push(`${venue}.deployer`, facts.deployer);
    push(`${venue}.router`, facts.router, "factory()", facts.factory.address);
    push(`${venue}.quoter`, facts.quoter, "factory()", facts.factory.address);
    push(`${venue}.positionManager`, facts.positionManager, "factory()", facts.factory.address);
  }
  const aaveProvider = network.aaveProvider?.address;
  push("lenders.aave-v3", network.lenders["aave-v3"], "ADDRESSES_PROVIDER()", aaveProvider);
  push("aaveProvider", network.aaveProvider, "getPool()", network.lenders["aave-v3"]?.address);
  push("lenders.balancer-v2", network.lenders["balancer-v2"], "WETH()", network.wrappedNative);
  const across = acrossFacts(network.chainId);
  push("across.spokePool", across?.spokePool, "wrappedNativeToken()", network.wrappedNative);
  push("across.multicallHandler", across?.multicallHandler);
  push("lenders.balancer-v3", network.lenders["balancer-v3"]);
  push("lenders.morpho", network.lenders.morpho);
  push("lenders.erc3156", network.lenders.erc3156);
  push("poolManager", network.poolManager);
  push("quoters.uniswap-v4-hooks", network.quoters["uniswap-v4-hooks"], "poolManager()", network.poolManager?.address);
  push("quoters.balancer-v3", network.quoters["balancer-v3"]);
  const cctp = cctpFacts(network.chainId);
  push("cctp.tokenMessenger", cctp?.tokenMessenger, "localMessageTransmitter()", cctp?.messageTransmitter.address);
  push("cctp.messageTransmitter", cctp?.messageTransmitter, "localDomain()", cctp === null ? undefined : String(cctp.domain));
  const stargate = stargateFacts(network.chainId);
  push("stargate.usdcPool", stargate?.usdcPool, "endpoint()", stargate?.endpoint.address);
  push("stargate.tokenMessaging", stargate?.tokenMessaging, "endpoint()", stargate?.endpoint.address);
  push("stargate.endpoint", stargate?.endpoint, "eid()", stargate === null ? undefined : String(stargate.eid));
  // these are contracts on Ethereum, of the bridge to the network
  const standard = opStandardFacts(network.chainId);
  push("opStandard.l1Bridge", standard?.l1Bridge);
  push("opStandard.portal", standard?.portal);
  const gateways = arbitrumGatewayFacts(network.chainId);
  for (const name of ["l1Router", "l2Router", "inbox", "bridge"] as const) push(`arbitrumGateway.${name}`, gateways?.[name]);
  push("multicall3", network.multicall3);
  push("permit2", network.permit2);
  push("create2Proxy", network.create2Proxy);
  return all;
}

/**
 * Live mode's gate: every address that no npm package confirms must have code on the network, and must answer as the
 * contract that it should be; in a local world it may be missing, because then nothing of it is there. Reads only. Raises ArbError "config" naming the first address that does not.
 * @returns the places that were checked
 */
export async function requireCheckedAddresses(network: Network, provider: Provider, local = false): Promise<string[]> {
  const doubtful = registryEntries(network).filter((e) => !e.entry.verified);
  const checked: string[] = [];
  for (const { place, entry, identity } of doubtful) {
    const where = `${network.name}: ${place} ${entry.address}`;
    if ((await provider.getCode(entry.address)) === "0x") {
      if (local && !place.startsWith("tokens.")) continue;
      throw new ArbError("config", `${network.title} has no contract at an address of the registry that is not verified`, {
        where,
        hint: `its source is: ${entry.source}. Check the endpoint's chain, then report the address`,
      });
    }
    checked.push(place);
    if (identity) await requireIdentity(provider, entry.address, identity, where);
  }
  return checked;
}

async function requireIdentity(
  provider: Provider,
  address: string,
  identity: { view: string; returns: string },
  where: string,
): Promise<void> {
  let answer: string;
  try {
    answer = await provider.call({ to: address, data: id(identity.view).slice(0, 10) });
  } catch (cause) {
    throw new ArbError("config", `the contract does not answer ${identity.view}, so it is not what the registry means`, {
      where,
      cause,
    });
  }
  if (answer.length !== 66 || BigInt(answer) !== BigInt(identity.returns))
    throw new ArbError("config", `${identity.view} of the contract is ${answer}, the registry expects ${identity.returns}`, {
      where,
    });
}
