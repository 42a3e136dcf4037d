import { IRIS_URL } from "../config/cctp.js";
import type { Config } from "../config/load.js";
import { findToken, networkByName } from "../config/networks.js";
import { readSecret, type Secret } from "../config/secrets.js";
import { ArbError } from "../errors.js";
import { parseDecimal } from "../units.js";
import { acrossBridge } from "./across.js";
import { type FeeLine, type FeeSource, feeSchedule, suggestedFees } from "./across-fees.js";
import { arbitrumGatewayBridge } from "./arbitrum-gateway.js";
import type { Bridge, BridgeId } from "./bridge.js";
import { cctpBridge } from "./cctp.js";
import { iris } from "./iris.js";
import { opStandardBridge } from "./op-standard.js";
import { stargateBridge } from "./stargate.js";

export const BRIDGE_IDS: readonly BridgeId[] = ["across", "cctp", "stargate", "op-standard", "arbitrum-gateway"];

type BridgeConfig = Pick<Config, "bridges" | "networks">;

/**
 * The bridges that a configuration enables, in its order; none by default. Throws ArbError "secrets" when the key of Across' service
 * cannot be read, "config" where test networks are mixed with main networks, whose attestation services differ.
 */
export async function openBridges(config: BridgeConfig): Promise<Bridge[]> {
  const { enabled, across } = config.bridges;
  const needsKey = enabled.includes("across") && across.apiKey !== undefined;
  const apiKey = needsKey
    ? await readSecret(across.apiKey!, { allowEnv: true, prompt: "Key of Across' fee service", where: "bridges.across.apiKey" })
    : null;
  return enabled.map((id) => openBridge(id, config, apiKey));
}

/** Every bridge, for looking at transfers and finishing them, enabled or not: no secret is read, and none of them is to be quoted. */
export function trackingBridges(config: BridgeConfig): Bridge[] {
  return BRIDGE_IDS.map((id) => openBridge(id, config, null));
}

function openBridge(id: BridgeId, { bridges, networks }: BridgeConfig, apiKey: Secret | null): Bridge {
  switch (id) {
    case "across":
      return acrossBridge({ fees: acrossFees(bridges.across, apiKey) });
    case "cctp":
      return cctpBridge({ iris: iris({ url: bridges.cctp.url ?? irisUrl(networks) }), speed: bridges.cctp.speed });
    case "stargate":
      return stargateBridge({ maxNativeFee: bridges.stargate.maxMessageFee });
    case "op-standard":
      return opStandardBridge();
    case "arbitrum-gateway":
      return arbitrumGatewayBridge({ maxNativeFee: bridges.arbitrumGateway.maxTicketFee });
  }
}

function irisUrl(networks: Config["networks"]): string {
  const [test, main] = [networks.some((n) => n.network.testnet), networks.some((n) => !n.network.testnet)];
  if (test && main)
    throw new ArbError("config", "CCTP cannot serve main networks and test networks at once", {
      where: "bridges.cctp.url",
      hint: "use a configuration for each, or leave cctp out of bridges.enabled",
    });
  return test ? IRIS_URL.testnet : IRIS_URL.mainnet;
}

/** The service where there is a key for it, and the schedule in its place, or when it does not answer. */
function acrossFees(across: BridgeConfig["bridges"]["across"], apiKey: Secret | null): FeeSource {
  const schedule = across.schedule.length === 0 ? null : feeSchedule(across.schedule.map(lineOf));
  if (apiKey === null && schedule !== null) return schedule;
  return suggestedFees({
    maxFeePpm: across.maxFee,
    ...(across.url === undefined ? {} : { url: across.url }),
    ...(apiKey === null ? {} : { apiKey }),
    ...(across.integratorId === undefined ? {} : { integratorId: across.integratorId }),
    ...(schedule === null ? {} : { fallback: schedule }),
  });
}

/** A token that Across carries has the same decimals on every network. */
function lineOf(line: BridgeConfig["bridges"]["across"]["schedule"][number]): FeeLine {
  const { decimals } = findToken(networkByName("ethereum")!, line.token)!;
  const units = (text: string): bigint => parseDecimal(text, decimals);
  const { token: symbol, share: ppm, fixed, min, max, eta } = line;
  return { symbol, ppm, fixed: units(fixed), min: units(min), max: units(max), etaSeconds: Math.ceil(eta / 1000) };
}
