import { formatUnits } from "ethers";
import type { Network } from "./network.js";
import { findToken } from "./networks.js";

/** An amount for a person: "1.5 WETH"; base units with the address where the token is not on the network's list. */
export function formatToken(network: Network, address: string, amount: bigint): string {
  const token = findToken(network, address);
  return token ? `${formatUnits(amount, token.decimals).replace(/\.0$/, "")} ${token.symbol}` : `${amount} units of ${address}`;
}
