import { inspect } from "node:util";
import { getAddress, keccak256 } from "ethers";
import { ArbError } from "../errors.js";
import { publicKeyOf, type Secp256k1, secp256k1 } from "./secp256k1.js";
import type { FullTransaction, LocalSigner, SignedTransaction } from "./signer.js";
import { signWith } from "./transaction.js";

/**
 * A key in this process: one array of 32 bytes that `close` overwrites. No method gives it out; toString, JSON and inspect show
 * the address. (What keystores and prompts hand over as text on the way here is left to the garbage collector.)
 */
export class KeySigner implements LocalSigner {
  readonly kind = "key";
  readonly address: string;
  readonly #key: Uint8Array;
  readonly #curve: Secp256k1;
  #closed = false;

  /** Takes the array over: the caller's copy is the one that is used and overwritten. Raises ArbError "secrets" if it is no key. */
  constructor(key: Uint8Array, curve: Secp256k1 = secp256k1()) {
    const point = publicKeyOf(key);
    if (point === null) throw new ArbError("secrets", "the wallet's key is no valid private key");
    this.address = getAddress(`0x${keccak256(point).slice(-40)}`);
    this.#key = key;
    this.#curve = curve;
  }

  signNow(tx: FullTransaction): SignedTransaction {
    // an overwritten key would fail in the library, with a message about keys
    if (this.#closed) throw new ArbError("secrets", "the wallet is closed", { where: this.address });
    return signWith(tx, (digest) => this.#curve.sign(digest, this.#key));
  }

  signDigest(digest: Uint8Array): string {
    if (this.#closed) throw new ArbError("secrets", "the wallet is closed", { where: this.address });
    const { signature, yParity } = this.#curve.sign(digest, this.#key);
    return `0x${Buffer.from(signature).toString("hex")}${(27 + yParity).toString(16)}`;
  }

  signTransaction(tx: FullTransaction): Promise<SignedTransaction> {
    return Promise.resolve().then(() => this.signNow(tx));
  }

  close(): void {
    this.#closed = true;
    this.#key.fill(0);
  }

  toString(): string {
    return `KeySigner(${this.address})`;
  }

  toJSON(): { address: string } {
    return { address: this.address };
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** The 32 bytes of a key in hexadecimal; null when it is none. */
export function keyBytes(hex: string): Uint8Array | null {
  const digits = hex.trim().replace(/^0x/i, "");
  return /^[0-9a-f]{64}$/i.test(digits) ? Uint8Array.from(Buffer.from(digits, "hex")) : null;
}
