import { formatDecimal } from "../units.js";
import type { Network } from "./network.js";
import { findToken } from "./networks.js";

/** An amount for a person: "1.5 WETH"; base units with the address where the token is not on the network's list. */
export function formatToken(network: Network, address: string, amount: bigint): string {
  const token = findToken(network, address);
  return token ? `${formatDecimal(amount, token.decimals)} ${token.symbol}` : `${amount} units of ${address}`;
}

/** The same with six significant digits, for tables. */
export function formatTokenShort(network: Network, address: string, amount: bigint): string {
  const token = findToken(network, address);
  return token ? `${shortDecimal(amount, token.decimals)} ${token.symbol}` : formatToken(network, address, amount);
}

/** Six significant digits, cut and not rounded, so that no profit looks larger than it is; whole digits all stay. */
export function shortDecimal(amount: bigint, decimals: number): string {
  const exact = formatDecimal(amount, decimals);
  const [, whole = "", zeros = "", rest = ""] = /^-?(\d+)\.(0*)(\d*)$/.exec(exact) ?? [];
  const kept = whole === "0" ? 6 : Math.max(0, 6 - whole.length - zeros.length);
  const cut = exact.slice(0, exact.length - Math.max(0, rest.length - kept));
  return exact.includes(".") ? cut.replace(/\.?0*$/, "") : cut;
}
