import { createRequire } from "node:module";
import * as wasm from "tiny-secp256k1";

/** ECDSA over secp256k1 with RFC 6979 nonces and s in the lower half. Keys are 32 bytes, digests too. */
export interface Secp256k1 {
  id: "wasm" | "native";
  sign(digest: Uint8Array, key: Uint8Array): { signature: Uint8Array; yParity: number };
}

const WASM: Secp256k1 = {
  id: "wasm",
  sign(digest, key) {
    const { signature, recoveryId } = wasm.signRecoverable(digest, key);
    return { signature, yParity: recoveryId };
  },
};

interface NativeBindings {
  ecdsaSign(digest: Uint8Array, key: Uint8Array): { signature: Uint8Array; recid: number };
}

let chosen: Secp256k1 | undefined;

/** The native signer (npm `secp256k1`, 5 or later) where it is installed and agrees with ours, else WebAssembly. */
export function secp256k1(): Secp256k1 {
  chosen ??= nativeSecp256k1(createRequire(import.meta.url)) ?? WASM;
  return chosen;
}

export const wasmSecp256k1 = (): Secp256k1 => WASM;

/** The native signer as `require` finds it; null where there is none, it does not load, or it signs otherwise than ours. */
export function nativeSecp256k1(require: NodeJS.Require): Secp256k1 | null {
  let bindings: NativeBindings;
  try {
    // its index would fall back to plain JavaScript, which is slower than WebAssembly and not in constant time
    bindings = require("secp256k1/bindings") as NativeBindings;
  } catch {
    // not installed, or built for another platform: the package is optional
    return null;
  }
  const native: Secp256k1 = {
    id: "native",
    sign(digest, key) {
      const { signature, recid } = bindings.ecdsaSign(digest, key);
      return { signature, yParity: recid };
    },
  };
  return agrees(native) ? native : null;
}

/** Signatures are deterministic: two right implementations give the same bytes (for digests below the order, which hashes are). */
function agrees(other: Secp256k1): boolean {
  const key = new Uint8Array(32).fill(0x5a);
  for (const byte of [0, 1, 0x7f, 0xfe]) {
    const digest = new Uint8Array(32).fill(byte);
    const [a, b] = [WASM.sign(digest, key), other.sign(digest, key)];
    if (a.yParity !== b.yParity || Buffer.compare(a.signature, b.signature) !== 0) return false;
  }
  return true;
}

/** The public key's 64 bytes x and y; null where the 32 bytes are no key (zero, or not below the curve's order). */
export function publicKeyOf(key: Uint8Array): Uint8Array | null {
  if (key.length !== 32 || !wasm.isPrivate(key)) return null;
  return wasm.pointFromScalar(key, false)?.subarray(1) ?? null;
}
