import { ArbError } from "./errors.js";

/** What an amount is measured in: a token, or the native coin ("ETH", 18). */
export interface Unit {
  symbol: string;
  decimals: number;
}

export const GWEI: Unit = { symbol: "gwei", decimals: 9 };
export const ETHER: Unit = { symbol: "ETH", decimals: 18 };

const MAX_UINT256 = 2n ** 256n - 1n;

/**
 * Reads a plain decimal number ("20", "0.5") as base units. Nothing is rounded or guessed: signs, exponents, thousands
 * separators, a bare point and more decimals than the unit has are refused. Raises ArbError "usage".
 */
export function parseDecimal(text: string, decimals: number): bigint {
  const number = text.trim();
  if (number === "") throw bad(text, "is empty", "write a number such as 0.5");
  if (number.startsWith("-")) throw bad(text, "is negative", "amounts are never negative");
  if (/^0x/i.test(number)) throw bad(text, "is hexadecimal", "write a decimal number such as 0.5");
  if (/^[\d.,]+e[+-]?\d+$/i.test(number)) throw bad(text, "has an exponent", "write the number out, for example 0.000001");
  if (/[\d][,_' ][\d]/.test(number)) throw bad(text, "has a separator", "write it without separators and with a point: 1000.5");
  if (!/^\d+(\.\d+)?$/.test(number)) throw bad(text, "is not a decimal number", "write a number such as 0.5");
  const [whole = "", fraction = ""] = number.split(".");
  if (fraction.length > decimals)
    throw bad(text, `has ${fraction.length} decimals, the unit has ${decimals}`, "round it to what the unit can hold");
  const value = BigInt(whole + fraction.padEnd(decimals, "0"));
  if (value > MAX_UINT256) throw bad(text, "is larger than 2^256 - 1 base units", "no token amount is that large");
  return value;
}

/**
 * Reads an amount with its unit ("20 USDC", "0.5 ETH", "0.1 gwei") as base units. The unit must be there, so that a number is
 * never taken for another token's. Raises ArbError "usage".
 */
export function parseAmount(text: string, unit: Unit): bigint {
  const found = /^(.*?)\s*([A-Za-z₮][\w.₮]*)?$/u.exec(text.trim());
  const [number = "", symbol] = [found?.[1], found?.[2]];
  if (/^(e\d*|x[\da-f]*)$/i.test(symbol ?? "")) return parseDecimal(text, unit.decimals);
  if (symbol === undefined) {
    parseDecimal(number, unit.decimals);
    throw bad(text, "has no unit", `write "${number} ${unit.symbol}"`);
  }
  if (symbol.toLowerCase() !== unit.symbol.toLowerCase())
    throw bad(text, `is in ${symbol}`, `an amount of ${unit.symbol} is expected here, for example "0.5 ${unit.symbol}"`);
  return parseDecimal(number, unit.decimals);
}

/** The unit that stands in an amount ("USDC" in "20 USDC"); null when there is none. */
export function unitOf(text: string): string | null {
  return /\s([A-Za-z₮][\w.₮]*)$/u.exec(text.trim())?.[1] ?? null;
}

/** Base units as an exact decimal number without trailing zeros: (1500000n, 6) is "1.5". Negative values are allowed. */
export function formatDecimal(value: bigint, decimals: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "");
  return `${value < 0n ? "-" : ""}${whole}${fraction === "" ? "" : `.${fraction}`}`;
}

/** Base units as an exact amount with its unit: "1.5 USDC". */
export function formatAmount(value: bigint, unit: Unit): string {
  return `${formatDecimal(value, unit.decimals)} ${unit.symbol}`;
}

/** Wei as gwei: "0.1 gwei". */
export function formatGwei(wei: bigint): string {
  return formatAmount(wei, GWEI);
}

/** Reads a share ("0.5 %", "20%") in parts per million: 5000, 200000. At most four decimals. Raises ArbError "usage". */
export function parsePercent(text: string): number {
  const found = /^(.*?)\s*%$/.exec(text.trim());
  if (!found) throw bad(text, "is not a percentage", 'write it with its sign, for example "0.5 %"');
  const ppm = parseDecimal(found[1] ?? "", 4);
  if (ppm > 1_000_000_000n) throw bad(text, "is more than 100000 %", "check the decimal point");
  return Number(ppm);
}

/** Parts per million as a percentage: 5000 is "0.5 %". */
export function formatPercent(ppm: number): string {
  return `${formatDecimal(BigInt(ppm), 4)} %`;
}

const DURATIONS: Record<string, bigint> = { ms: 1n, s: 1000n, min: 60_000n, h: 3_600_000n };

/** Reads a duration ("200 ms", "1.5 s", "2 min", "1 h") in milliseconds. Raises ArbError "usage". */
export function parseDuration(text: string): number {
  const found = /^(.*?)\s*([a-z]+)$/i.exec(text.trim());
  const scale = DURATIONS[found?.[2] ?? ""];
  if (scale === undefined) throw bad(text, "is not a duration", 'write it with its unit: "200 ms", "30 s", "2 min", "1 h"');
  const thousandths = parseDecimal(found?.[1] ?? "", 3) * scale;
  if (thousandths % 1000n !== 0n) throw bad(text, "is finer than a millisecond", "round it");
  if (thousandths > 31_536_000_000_000n) throw bad(text, "is longer than a year", "check its unit");
  return Number(thousandths / 1000n);
}

const bad = (text: string, what: string, hint: string): ArbError =>
  new ArbError("usage", `"${text.slice(0, 60)}" ${what}`, { hint });
