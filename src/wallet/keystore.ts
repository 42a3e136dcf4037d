import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { computeAddress, decryptKeystoreJson, encryptKeystoreJson, hexlify, isKeystoreJson, randomBytes } from "ethers";
import { readPrivateFile, Secret } from "../config/secrets.js";
import { ArbError } from "../errors.js";

export interface KeystoreOptions {
  /** Lowers scrypt's cost for tests and local worlds. A keystore with real funds never sets it (standard: 131072). */
  insecureScryptN?: number;
}

const MIN_PASSWORD = 8;

/** Makes a new key and writes it encrypted (keystore v3, mode 0600). Never overwrites. Returns its address. */
export async function createKeystore(path: string, password: Secret, options: KeystoreOptions = {}): Promise<string> {
  return writeKeystore(path, hexlify(randomBytes(32)), password, options);
}

/** Writes a given private key (64 hex digits) encrypted. Never overwrites. Returns its address. */
export async function importKey(path: string, key: Secret, password: Secret, options: KeystoreOptions = {}): Promise<string> {
  const hex = key.reveal().trim().replace(/^0x/i, "");
  if (!/^[0-9a-f]{64}$/i.test(hex))
    throw new ArbError("secrets", "what was given is no private key: 64 hexadecimal digits are expected", {
      hint: "a mnemonic must be turned into the key of one account first",
    });
  return writeKeystore(path, `0x${hex}`, password, options);
}

/** Copies a keystore v3 file of another program after proving that the password opens it. Never overwrites. */
export async function importKeystore(path: string, from: string, password: Secret): Promise<string> {
  const json = readPrivateFile(from);
  const { address } = await decrypt(json, from, password);
  writeNew(path, json);
  return address;
}

/** Decrypts a keystore. Raises ArbError "secrets": missing, open to others, no keystore, wrong password. */
export async function loadKeystore(path: string, password: Secret): Promise<{ address: string; key: Secret }> {
  return decrypt(readPrivateFile(path), path, password);
}

async function writeKeystore(path: string, privateKey: string, password: Secret, options: KeystoreOptions): Promise<string> {
  if (password.reveal().length < MIN_PASSWORD)
    throw new ArbError("secrets", `the password is shorter than ${MIN_PASSWORD} characters`, { where: path });
  let address: string;
  try {
    address = computeAddress(privateKey);
  } catch {
    // the library's message would hold the key
    throw new ArbError("secrets", "what was given is no valid private key of secp256k1");
  }
  const scrypt = options.insecureScryptN === undefined ? {} : { scrypt: { N: options.insecureScryptN, r: 8, p: 1 } };
  writeNew(path, await encryptKeystoreJson({ address, privateKey }, password.reveal(), scrypt));
  return address;
}

async function decrypt(json: string, path: string, password: Secret): Promise<{ address: string; key: Secret }> {
  if (!isKeystoreJson(json))
    throw new ArbError("secrets", "the file is no keystore (version 3 JSON)", {
      where: path,
      hint: "make one with: arb wallet create",
    });
  try {
    const account = await decryptKeystoreJson(json, password.reveal());
    return { address: account.address, key: new Secret(account.privateKey) };
  } catch {
    // no cause: the library's error carries the password in its fields
    throw new ArbError("secrets", "the password does not open the keystore, or the file is damaged", { where: path });
  }
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
