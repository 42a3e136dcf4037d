import { PACKAGES, verified } from "./facts.js";
import type { Sourced } from "./network.js";

/** The standard bridge between Ethereum and one network of the OP Stack. */
export interface OpStandardFacts {
  l1ChainId: number;
  /** On Ethereum. */
  l1Bridge: Sourced;
  /** OptimismPortal, on Ethereum: withdrawals are proven and finalised there. */
  portal: Sourced;
  /** Symbols of the registry's tokens whose contract on the network was made for this bridge. A quote asks the token itself too. */
  tokens: string[];
}

/** Predeploys of every network of the OP Stack (specification, Predeploys). */
export const OP_PREDEPLOYS = {
  messenger: "0x4200000000000000000000000000000000000007",
  bridge: "0x4200000000000000000000000000000000000010",
  messagePasser: "0x4200000000000000000000000000000000000016",
} as const;

const on = (name: string, l1Bridge: string, portal: string, tokens: string[]): OpStandardFacts => ({
  l1ChainId: 1,
  l1Bridge: verified(l1Bridge, `${PACKAGES.viem}/${name}.ts`),
  portal: verified(portal, `${PACKAGES.viem}/${name}.ts`),
  tokens,
});

// DAI of OP Mainnet has a bridge of Maker's; USDC is Circle's and WBTC of Base is LayerZero's
const OP_STANDARD: Record<number, OpStandardFacts> = {
  10: on("optimism", "0x99C9fc46f92E8a1c0deC1b1747d010903E884bE1", "0xbEb5Fc579115071764c7423A4f12eDde41f106Ed", [
    "WETH",
    "USDT",
    "WBTC",
  ]),
  8453: on("base", "0x3154Cf16ccdb4C6d922629664174b904d80F2C35", "0x49048044D57e1C92A77f79988d21Fa8fAF74E97e", [
    "WETH",
    "USDT",
    "DAI",
  ]),
};

/** The standard bridge of an OP Stack network; null where it is not. */
export function opStandardFacts(chainId: number): OpStandardFacts | null {
  return OP_STANDARD[chainId] ?? null;
}
