import { createCipheriv, createDecipheriv, pbkdf2, randomBytes, randomUUID, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { keccak256 } from "ethers";
import { z } from "zod";

/**
 * The Web3 Secret Storage format, version 3: scrypt or pbkdf2 (HMAC-SHA256) makes 32 bytes of the password; the first 16 are the key
 * of aes-128-ctr, and keccak-256 of the other 16 and the ciphertext is the check. Written so by geth, Foundry (`cast wallet`, which
 * leaves the address out), MetaMask and others. Source: ethereum.org, "Web3 Secret Storage Definition".
 */

const hex = z
  .string()
  .regex(/^(0x)?([0-9a-f]{2})*$/i)
  .transform((s) => Buffer.from(s.replace(/^0x/, ""), "hex"));
const count = z.int().min(1);

/** A file must not be able to hold the program for hours or take its memory: far beyond what any program writes. */
const MAX_SCRYPT_BYTES = 2 ** 30;
const MAX_SCRYPT_WORK = 2 ** 26;
const MAX_PBKDF2_ROUNDS = 10_000_000;

const kdf = z.discriminatedUnion("kdf", [
  z.object({ kdf: z.literal("scrypt"), kdfparams: z.object({ n: count, r: count, p: count, dklen: z.literal(32), salt: hex }) }),
  z.object({
    kdf: z.literal("pbkdf2"),
    kdfparams: z.object({ c: count.max(MAX_PBKDF2_ROUNDS), prf: z.literal("hmac-sha256"), dklen: z.literal(32), salt: hex }),
  }),
]);
const crypto = z
  .object({ cipher: z.literal("aes-128-ctr"), cipherparams: z.object({ iv: hex }), ciphertext: hex, mac: hex })
  .and(kdf);
const keystore = z.object({ version: z.literal(3), address: z.string().optional(), crypto });

export type KeystoreV3 = z.output<typeof keystore>;

/** Reads the form of a keystore; null when the text is none, or asks for more work than any program would. */
export function parseKeystore(text: string): KeystoreV3 | null {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof json !== "object" || json === null) return null;
  // "Crypto" in files of ethers and MyEtherWallet
  const named = Object.fromEntries(Object.entries(json).map(([key, value]) => [key.toLowerCase(), value as unknown]));
  const parsed = keystore.safeParse(named);
  if (!parsed.success || parsed.data.crypto.ciphertext.length !== 32 || parsed.data.crypto.cipherparams.iv.length !== 16)
    return null;
  if (parsed.data.crypto.kdf === "scrypt") {
    const { n, r, p } = parsed.data.crypto.kdfparams;
    if (128 * r * (n + p) > MAX_SCRYPT_BYTES || n * r * p > MAX_SCRYPT_WORK || n < 2 || !Number.isInteger(Math.log2(n)))
      return null;
  }
  return parsed.data;
}

/** The key's 32 bytes; null when the password does not open the keystore. */
export async function decryptKeystore(store: KeystoreV3, password: string): Promise<Uint8Array | null> {
  // geth takes the password's bytes as they are, others normalise them first
  for (const text of new Set([password.normalize("NFKC"), password])) {
    const derived = await deriveKey(store, Buffer.from(text, "utf8"));
    const { ciphertext, mac, cipherparams } = store.crypto;
    const check = macOf(derived, ciphertext);
    if (mac.length === check.length && timingSafeEqual(mac, check)) {
      const cipher = createDecipheriv("aes-128-ctr", derived.subarray(0, 16), cipherparams.iv);
      const key = new Uint8Array(32);
      const plain = cipher.update(ciphertext);
      key.set(plain);
      plain.fill(0);
      derived.fill(0);
      return key;
    }
    derived.fill(0);
  }
  return null;
}

/** A keystore of these 32 bytes as text, with the address as geth writes it. `scryptN` is 131072 for a key with real funds. */
export async function encryptKeystore(key: Uint8Array, address: string, password: string, scryptN: number): Promise<string> {
  const salt = randomBytes(32);
  const iv = randomBytes(16);
  const kdfparams = { n: scryptN, r: 8, p: 1, dklen: 32, salt: salt.toString("hex") };
  const derived = await scryptKey(Buffer.from(password.normalize("NFKC"), "utf8"), salt, kdfparams);
  const ciphertext = createCipheriv("aes-128-ctr", derived.subarray(0, 16), iv).update(key);
  const mac = macOf(derived, ciphertext);
  derived.fill(0);
  return JSON.stringify({
    address: address.slice(2).toLowerCase(),
    crypto: {
      cipher: "aes-128-ctr",
      ciphertext: ciphertext.toString("hex"),
      cipherparams: { iv: iv.toString("hex") },
      kdf: "scrypt",
      kdfparams,
      mac: mac.toString("hex"),
    },
    id: randomUUID(),
    version: 3,
  });
}

async function deriveKey({ crypto: c }: KeystoreV3, password: Buffer): Promise<Buffer> {
  if (c.kdf === "scrypt") return await scryptKey(password, c.kdfparams.salt, c.kdfparams);
  return await promisify(pbkdf2)(password, c.kdfparams.salt, c.kdfparams.c, 32, "sha256");
}

async function scryptKey(password: Buffer, salt: Buffer, { n, r, p }: { n: number; r: number; p: number }): Promise<Buffer> {
  const maxmem = 128 * r * (n + p + 2) + 1024;
  return await new Promise((resolve, reject) => {
    scrypt(password, salt, 32, { N: n, r, p, maxmem }, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}

const macOf = (derived: Buffer, ciphertext: Buffer): Buffer =>
  Buffer.from(keccak256(Buffer.concat([derived.subarray(16, 32), ciphertext])).slice(2), "hex");
