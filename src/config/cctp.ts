import { verified } from "./facts.js";
import type { Sourced } from "./network.js";

/** Circle's CCTP v2 on one network. It carries the registry's USDC and nothing else. */
export interface CctpFacts {
  /** Circle's own number of the network. */
  domain: number;
  tokenMessenger: Sourced;
  messageTransmitter: Sourced;
  /** Seconds from a burn to its attestation, as Circle states them: `fast` at few confirmations, `standard` at finality. */
  seconds: { fast: number; standard: number };
}

/** Circle's own provider, in the package that scripts/setup/extracts.json pins: domains and contracts of every network. */
export const CCTP_PROVIDER = "@circle-fin/provider-cctp-v2@1.14.0:index.mjs";

/** The attestation service ("Iris"). Source: developers.circle.com, CCTP API reference. */
export const IRIS_URL = { mainnet: "https://iris-api.circle.com", testnet: "https://iris-api-sandbox.circle.com" } as const;

/** The contracts have one address on all main networks and one on all test networks. */
const MAINNET = ["0x28b5a0e9C621a5BadaA536219b3a228C8168cf5d", "0x81D40F21F12A8F0E3252Bccb954D722d4c464B64"] as const;
const TESTNET = ["0x8FE6B999Dc680CcFDD5Bf7EB0974218be2542DAA", "0xE737e5cEBEEBa77EFE34D4aa090756590b1CE275"] as const;

/** Circle's pages state 8 s for Arbitrum, OP and Base, 20 s for Ethereum, and 13 to 19 minutes for finality. */
const on = (domain: number, [messenger, transmitter]: readonly [string, string], fast: number): CctpFacts => ({
  domain,
  tokenMessenger: verified(messenger, CCTP_PROVIDER),
  messageTransmitter: verified(transmitter, CCTP_PROVIDER),
  seconds: { fast, standard: 19 * 60 },
});

const CCTP: Record<number, CctpFacts> = {
  1: on(0, MAINNET, 20),
  10: on(2, MAINNET, 8),
  42161: on(3, MAINNET, 8),
  8453: on(6, MAINNET, 8),
  11155111: on(0, TESTNET, 20),
  11155420: on(2, TESTNET, 8),
  421614: on(3, TESTNET, 8),
  84532: on(6, TESTNET, 8),
};

/** CCTP on a network; null where it is not. */
export function cctpFacts(chainId: number): CctpFacts | null {
  return CCTP[chainId] ?? null;
}
