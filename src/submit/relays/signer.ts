import { computeAddress, hashMessage, id, SigningKey, Wallet } from "ethers";
import { Secret } from "../../config/secrets.js";
import { ArbError } from "../../errors.js";

/** Signs requests to relays. Its key holds no funds: relays tell their users apart by it, and know their reputation. */
export interface RelaySigner {
  address: string;
  /** The headers for a body: EIP-191 over the hex text of its keccak256. Source: Flashbots documentation, "Authentication". */
  headers(body: string): { "X-Flashbots-Signature": string };
}

/** Throws ArbError "secrets" where the secret is no private key; without a secret, a key of this process alone. */
export function relaySigner(key: Secret = new Secret(Wallet.createRandom().privateKey)): RelaySigner {
  const address = computeAddress(signingKey(key).publicKey);
  return {
    address,
    headers: (body) => ({
      "X-Flashbots-Signature": `${address}:${signingKey(key).sign(hashMessage(id(body))).serialized}`,
    }),
  };
}

/** The key of a secret, with or without 0x. Throws ArbError "secrets"; ethers' own error would repeat the value. */
export function signingKey(key: Secret): SigningKey {
  const text = key
    .reveal()
    .trim()
    .replace(/^(?!0x)/, "0x");
  try {
    return new SigningKey(text);
  } catch {
    throw new ArbError("secrets", "the relay key is no private key", { hint: "write 32 bytes as hexadecimal digits" });
  }
}
