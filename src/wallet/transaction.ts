import { ArbError } from "../errors.js";
import { keccak } from "./keccak.js";
import type { AccessListEntry, FullTransaction, SignedTransaction } from "./signer.js";

/**
 * EIP-1559 transactions (type 2) as bytes: 0x02 and the RLP list of chainId, nonce, maxPriorityFeePerGas, maxFeePerGas, gasLimit,
 * to, value, data, accessList, and for the signed form yParity, r, s. Sources: EIP-1559, EIP-2718, EIP-2930; RLP as in the Ethereum
 * Yellow Paper, appendix B. The fields are written once; the unsigned and the signed form differ in their head and their tail.
 */

/** An ECDSA signature over secp256k1: r and s in 64 bytes, s in the lower half (EIP-2), and the parity of the point's y. */
export interface EcdsaSignature {
  signature: Uint8Array;
  yParity: number;
}

/** Type byte and the longest head of a list. */
const HEAD = 1 + 9;
/** yParity, r and s with their heads. */
const TAIL = 1 + 33 + 33;

/** Signs with a function that is given the digest (keccak-256 of the unsigned form). Raises ArbError "internal" for fields that are none. */
export function signWith(tx: FullTransaction, sign: (digest: Uint8Array) => EcdsaSignature): SignedTransaction {
  const body = new Writer(tx);
  const { signature, yParity } = sign(keccak(body.unsigned()));
  const raw = body.signed(signature, yParity);
  return asText(raw);
}

/** The same with a signature that is already there. */
export function withSignature(tx: FullTransaction, { signature, yParity }: EcdsaSignature): SignedTransaction {
  const raw = new Writer(tx).signed(signature, yParity);
  return asText(raw);
}

/** The digest that a signature of `tx` is over. */
export function unsignedHash(tx: FullTransaction): string {
  return `0x${keccak(new Writer(tx).unsigned()).toString("hex")}`;
}

const asText = (raw: Buffer): SignedTransaction => ({
  raw: `0x${raw.toString("hex")}`,
  hash: `0x${keccak(raw).toString("hex")}`,
});

class Writer {
  readonly #bytes: Buffer;
  #end = HEAD;

  constructor(tx: FullTransaction) {
    const list = tx.accessList ?? [];
    const keys = list.reduce((sum, { storageKeys }) => sum + storageKeys.length, 0);
    // heads of at most 9 bytes, integers of at most 33
    this.#bytes = Buffer.allocUnsafe(HEAD + 6 * 33 + 21 + tx.data.length / 2 + 18 + list.length * 39 + keys * 33 + TAIL);
    this.#integer(tx.chainId, "chainId");
    this.#integer(tx.nonce, "nonce");
    this.#amount(tx.maxPriorityFeePerGas, "maxPriorityFeePerGas");
    this.#amount(tx.maxFeePerGas, "maxFeePerGas");
    this.#amount(tx.gasLimit, "gasLimit");
    if (tx.to === null) this.#bytes[this.#end++] = 0x80;
    else this.#fixed(tx.to, 20, "to");
    this.#amount(tx.value, "value");
    this.#data(tx.data);
    this.#accessList(list);
  }

  unsigned(): Buffer {
    return this.#withHead();
  }

  signed(signature: Uint8Array, yParity: number): Buffer {
    if (signature.length !== 64 || (yParity !== 0 && yParity !== 1)) throw unwritable("signature");
    const end = this.#end;
    this.#bytes[this.#end++] = yParity === 0 ? 0x80 : 1;
    this.#word(signature.subarray(0, 32));
    this.#word(signature.subarray(32));
    const raw = this.#withHead();
    this.#end = end;
    return raw;
  }

  /** The head of the list goes right before the fields, wherever that is. */
  #withHead(): Buffer {
    const length = this.#end - HEAD;
    const start = HEAD - headLength(length) - 1;
    this.#bytes[start] = 2;
    this.#head(start + 1, length, 0xc0);
    return this.#bytes.subarray(start, this.#end);
  }

  /** Writes a head at `at` and gives the place after it. */
  #head(at: number, length: number, kind: 0x80 | 0xc0): number {
    if (length < 56) {
      this.#bytes[at] = kind + length;
      return at + 1;
    }
    const size = headLength(length) - 1;
    this.#bytes[at] = kind + 55 + size;
    return this.#bytes.writeUIntBE(length, at + 1, size);
  }

  #integer(n: number, field: string): void {
    if (!Number.isSafeInteger(n) || n < 0) throw unwritable(field);
    this.#amount(BigInt(n), field);
  }

  #amount(n: bigint, field: string): void {
    if (typeof n !== "bigint" || n < 0n || n >> 256n !== 0n) throw unwritable(field);
    if (n === 0n) this.#bytes[this.#end++] = 0x80;
    else if (n < 0x80n) this.#bytes[this.#end++] = Number(n);
    else {
      const hex = n.toString(16);
      const length = (hex.length + 1) >> 1;
      this.#bytes[this.#end++] = 0x80 + length;
      this.#bytes.write(hex.length % 2 === 0 ? hex : `0${hex}`, this.#end, "hex");
      this.#end += length;
    }
  }

  /** A big-endian word as an integer: without its leading zeros. */
  #word(word: Uint8Array): void {
    let first = 0;
    while (first < 31 && word[first] === 0) first++;
    const length = 32 - first;
    if (length > 1 || (word[31] ?? 0) >= 0x80) this.#bytes[this.#end++] = 0x80 + length;
    this.#bytes.set(word.subarray(first), this.#end);
    this.#end += length;
  }

  #fixed(hex: string, length: 20 | 32, field: string): void {
    this.#bytes[this.#end++] = 0x80 + length;
    this.#hex(hex, length, field);
  }

  #data(data: string): void {
    const length = (data.length - 2) / 2;
    if (length === 1) {
      const byte = Number(data);
      if (!Number.isInteger(length) || Number.isNaN(byte)) throw unwritable("data");
      if (byte >= 0x80) this.#bytes[this.#end++] = 0x81;
      this.#hex(data, 1, "data");
      return;
    }
    if (!Number.isInteger(length) || length < 0) throw unwritable("data");
    this.#end = this.#head(this.#end, length, 0x80);
    this.#hex(data, length, "data");
  }

  #hex(hex: string, length: number, field: string): void {
    // Buffer.write stops at the first character that is no digit, and says so only by its count
    if (!hex.startsWith("0x") || hex.length !== 2 + 2 * length) throw unwritable(field);
    if (this.#bytes.write(hex.slice(2), this.#end, "hex") !== length) throw unwritable(field);
    this.#end += length;
  }

  #accessList(list: AccessListEntry[]): void {
    const sizes = list.map(({ storageKeys }) => {
      const keys = storageKeys.length * 33;
      return { keys, entry: 21 + headLength(keys) + keys };
    });
    const total = sizes.reduce((sum, { entry }) => sum + headLength(entry) + entry, 0);
    this.#end = this.#head(this.#end, total, 0xc0);
    for (const [i, { address, storageKeys }] of list.entries()) {
      const { keys, entry } = sizes[i]!;
      this.#end = this.#head(this.#end, entry, 0xc0);
      this.#fixed(address, 20, "accessList");
      this.#end = this.#head(this.#end, keys, 0xc0);
      for (const key of storageKeys) this.#fixed(key, 32, "accessList");
    }
  }
}

function headLength(length: number): number {
  if (length < 56) return 1;
  let size = 1;
  while (length >= 256 ** size) size++;
  return 1 + size;
}

function unwritable(field: string): ArbError {
  return new ArbError("internal", `refused to sign: ${field} is not what a transaction can hold`);
}
