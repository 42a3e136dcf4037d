import { getAddress, hexlify } from "ethers";
import { addressDigits } from "../address.js";
import { ArbError } from "../errors.js";

/** Fields of packed plans: big-endian integers and addresses, as hexadecimal text without "0x", and the checks they share. */

/** Amounts have 12 bytes: 79 billion units of an 18-decimal token. Larger ones are refused, never cut. */
export const MAX_AMOUNT = (1n << 96n) - 1n;

export function bytes(value: bigint | number, size: number): string {
  return value.toString(16).padStart(size * 2, "0");
}

/** Throws ArbError "usage" where it is no address. */
export function address(value: string): string {
  const digits = addressDigits(value);
  if (digits === null) throw usage("address", `"${value}" is not one`);
  return digits;
}

export function sameAddress(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

export function usage(where: string, text: string): ArbError {
  return new ArbError("usage", `${where} ${text}`, { where });
}

export function checkAddress(where: string, value: string): void {
  const digits = addressDigits(value);
  if (digits === null || BigInt(`0x${digits}`) === 0n) throw usage(where, `"${value}" is not an address`);
}

export function checkAmount(where: string, value: bigint, least: bigint, bits = 96): void {
  if (value < least || value >= 1n << BigInt(bits)) throw usage(where, `is ${value}; allowed are ${least} to 2^${bits} - 1`);
}

export function checkInteger(where: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw usage(where, `is ${value}; allowed are ${least} to ${most}`);
  }
}

/** Reads fields one after the other. Throws ArbError "usage" where the bytes end too early or too late. */
export class Reader {
  private readonly data: string;
  private position = 2;

  constructor(data: string) {
    this.data = hexlify(data);
  }

  /** Bytes read so far. */
  get read(): number {
    return this.position / 2 - 1;
  }

  uint(size: number): bigint {
    return BigInt("0x" + this.take(size));
  }

  number(size: number): number {
    return Number(this.uint(size));
  }

  address(): string {
    return getAddress("0x" + this.take(20));
  }

  take(size: number): string {
    const end = this.position + size * 2;
    if (end > this.data.length) throw usage("plan", "is cut off");
    const part = this.data.slice(this.position, end);
    this.position = end;
    return part;
  }

  end(): void {
    if (this.position !== this.data.length) throw usage("plan", `has ${(this.data.length - this.position) / 2} bytes too many`);
  }
}
