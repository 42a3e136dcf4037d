import { verified } from "./facts.js";
import type { Sourced } from "./network.js";

/** Across' contracts on one network. */
export interface AcrossFacts {
  /** The SpokePool: deposits, fills and refunds (a proxy of Across' owner, who may upgrade and pause it). */
  spokePool: Sourced;
  /** Runs the calls of a deposit's message on the destination; what is left goes to the message's fallback recipient. */
  multicallHandler: Sourced;
}

/** Across' own list of its deployments, in the package that scripts/setup/extracts.json pins. */
export const ACROSS_DEPLOYMENTS = "@across-protocol/contracts@5.0.27:dist/broadcast/deployed-addresses.json";

/** One address on every network of the registry. */
const HANDLER = "0x0F7Ae28dE1C8532170AD4ee566B5801485c13a0E";

const on = (spokePool: string): AcrossFacts => ({
  spokePool: verified(spokePool, ACROSS_DEPLOYMENTS),
  multicallHandler: verified(HANDLER, ACROSS_DEPLOYMENTS),
});

const ACROSS: Record<number, AcrossFacts> = {
  1: on("0x5c7BCd6E7De5423a257D81B442095A1a6ced35C5"),
  10: on("0x6f26Bf09B1C792e3228e5467807a900A503c0281"),
  8453: on("0x09aea4b2242abC8bb4BB78D537A67a245A7bEC64"),
  42161: on("0xe35e9842fceaCA96570B734083f4a58e8F7C5f2A"),
  11155111: on("0x5ef6C01E11889d86803e0B23e3cB3F9E9d97B662"),
  11155420: on("0x4e8E101924eDE233C13e2D8622DC8aED2872d505"),
  84532: on("0x82B564983aE7274c86695917BBf8C99ECb6F0F8F"),
  421614: on("0x7E63A5f1a8F0B4d0934B2f2327DAED3F6bb2ee75"),
};

/** Across on a network; null where it is not. */
export function acrossFacts(chainId: number): AcrossFacts | null {
  return ACROSS[chainId] ?? null;
}

/** Symbols of the registry's tokens that Across carries between networks as the same asset. */
export const ACROSS_TOKENS = ["WETH", "USDC", "USDT", "DAI", "WBTC"];
