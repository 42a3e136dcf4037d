import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { getAddress } from "ethers";
import { readPrivateFile, type Secret } from "../config/secrets.js";
import { ArbError } from "../errors.js";
import { KeySigner, keyBytes } from "./key-signer.js";
import { decryptKeystore, encryptKeystore, parseKeystore } from "./keystore-v3.js";

export interface KeystoreOptions {
  /** Lowers scrypt's cost for tests and local worlds. A keystore with real funds never sets it (standard: 131072). */
  insecureScryptN?: number;
}

const MIN_PASSWORD = 8;
const STANDARD_SCRYPT_N = 131_072;

/** Makes a new key and writes it encrypted (keystore v3, mode 0600). Never overwrites. Returns its address. */
export async function createKeystore(path: string, password: Secret, options: KeystoreOptions = {}): Promise<string> {
  return writeKeystore(path, Uint8Array.from(randomBytes(32)), password, options);
}

/** Writes a given private key (64 hex digits) encrypted. Never overwrites. Returns its address. */
export async function importKey(path: string, key: Secret, password: Secret, options: KeystoreOptions = {}): Promise<string> {
  const bytes = keyBytes(key.reveal());
  if (bytes === null)
    throw new ArbError("secrets", "what was given is no private key: 64 hexadecimal digits are expected", {
      hint: "a mnemonic must be turned into the key of one account first",
    });
  return writeKeystore(path, bytes, password, options);
}

/**
 * Copies a keystore v3 file of another program (geth, Foundry's `cast wallet`, MetaMask ...) after proving that the password opens
 * it. Never overwrites.
 */
export async function importKeystore(path: string, from: string, password: Secret): Promise<string> {
  const json = readPrivateFile(from);
  const signer = await decrypt(json, from, password);
  signer.close();
  writeNew(path, json);
  return signer.address;
}

/**
 * Opens a keystore. Raises ArbError "secrets": missing, open to others, no keystore, wrong password, or a key of another address
 * than the one that stands in the file.
 */
export async function loadKeystore(path: string, password: Secret): Promise<KeySigner> {
  return decrypt(readPrivateFile(path), path, password);
}

async function writeKeystore(path: string, key: Uint8Array, password: Secret, options: KeystoreOptions): Promise<string> {
  if (password.reveal().length < MIN_PASSWORD)
    throw new ArbError("secrets", `the password is shorter than ${MIN_PASSWORD} characters`, { where: path });
  const signer = new KeySigner(key);
  try {
    writeNew(path, await encryptKeystore(key, signer.address, password.reveal(), options.insecureScryptN ?? STANDARD_SCRYPT_N));
  } finally {
    signer.close();
  }
  return signer.address;
}

async function decrypt(json: string, path: string, password: Secret): Promise<KeySigner> {
  const store = parseKeystore(json);
  if (store === null)
    throw new ArbError("secrets", "the file is no keystore (version 3 JSON)", {
      where: path,
      hint: "make one with: arb wallet create",
    });
  const key = await decryptKeystore(store, password.reveal());
  if (key === null)
    throw new ArbError("secrets", "the password does not open the keystore, or the file is damaged", { where: path });
  const signer = new KeySigner(key);
  const named = store.address?.replace(/^0x/i, "").toLowerCase();
  // Foundry leaves the address out; where it stands, people fund what they read
  if (named !== undefined && named !== "" && getAddress(signer.address) !== addressOrNull(named)) {
    signer.close();
    throw new ArbError("secrets", "the keystore holds the key of another address than the one it names", {
      where: path,
      hint: "the file was altered; import the key again",
    });
  }
  return signer;
}

function addressOrNull(digits: string): string | null {
  return /^[0-9a-f]{40}$/.test(digits) ? getAddress(`0x${digits}`) : null;
}

function writeNew(path: string, text: string): void {
  let fd: number;
  try {
    fd = openSync(path, "wx", 0o600);
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === "EEXIST";
    throw new ArbError(
      "secrets",
      exists ? "a file is already there; keys are never overwritten" : "the keystore cannot be written",
      {
        where: path,
        cause,
      },
    );
  }
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
