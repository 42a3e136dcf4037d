import { createCipheriv, pbkdf2Sync, randomBytes, scryptSync } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect } from "chai";
import { decryptKeystoreJson, encryptKeystoreJson, keccak256 } from "ethers";
import { readPrivateFile, Secret } from "../../src/config/secrets.js";
import { createKeystore, importKeystore, loadKeystore } from "../../src/wallet/keystore.js";
import { expectNoCanary, canaryKey, canaryPassword } from "../helpers/canary.js";

const KEY = canaryKey;
const ADDRESS = "0xB45d09A038a382607a505cc6D3a9404b1f60bFef";
const password = new Secret(canaryPassword);

interface Form {
  kdf?: "scrypt" | "pbkdf2";
  address?: string;
  n?: number;
  r?: number;
  password?: string;
}

/** A keystore made without our code: geth has the address in small letters without 0x, Foundry has none and "crypto" last. */
function keystore({ kdf = "scrypt", address, n = 64, r = 8, password: text = canaryPassword }: Form): string {
  const salt = randomBytes(32);
  const iv = randomBytes(16);
  const derived = kdf === "scrypt" ? scryptSync(text, salt, 32, { N: n, r, p: 1 }) : pbkdf2Sync(text, salt, 1000, 32, "sha256");
  const cipher = createCipheriv("aes-128-ctr", derived.subarray(0, 16), iv);
  const ciphertext = Buffer.concat([cipher.update(Buffer.from(KEY.slice(2), "hex")), cipher.final()]);
  const mac = keccak256(Buffer.concat([derived.subarray(16, 32), ciphertext])).slice(2);
  const params = kdf === "scrypt" ? { dklen: 32, n, p: 1, r } : { c: 1000, dklen: 32, prf: "hmac-sha256" };
  return JSON.stringify({
    ...(address === undefined ? {} : { address }),
    crypto: {
      cipher: "aes-128-ctr",
      cipherparams: { iv: iv.toString("hex") },
      ciphertext: ciphertext.toString("hex"),
      kdf,
      kdfparams: { ...params, salt: salt.toString("hex") },
      mac,
    },
    id: "6d3a1b6e-3b7f-4f8e-9a57-0d0d4a0d8a11",
    version: 3,
  });
}

async function refusal(run: Promise<unknown>): Promise<string> {
  const error = await run.then(
    () => null,
    (e: unknown) => e,
  );
  expectNoCanary(error);
  expect(error).to.include({ code: "secrets" });
  return (error as Error).message;
}

describe("keystores of other programs", () => {
  let dir: string;
  const write = (name: string, text: string): string => {
    writeFileSync(path.join(dir, name), text, { mode: 0o600 });
    return path.join(dir, name);
  };
  before(() => (dir = mkdtempSync(path.join(os.tmpdir(), "imports-"))));
  after(() => rmSync(dir, { recursive: true }));

  const forms: [string, string, Form][] = [
    [
      "geth",
      "UTC--2026-11-20T09-14-41.213000000Z--b45d09a038a382607a505cc6d3a9404b1f60bfef",
      { address: ADDRESS.slice(2).toLowerCase() },
    ],
    ["geth with pbkdf2", "UTC--2026-11-20T09-14-42.0Z--76e8", { address: ADDRESS.slice(2).toLowerCase(), kdf: "pbkdf2" }],
    ["Foundry", "6d3a1b6e-3b7f-4f8e-9a57-0d0d4a0d8a11", {}],
    ["Foundry with pbkdf2", "hot-wallet", { kdf: "pbkdf2" }],
    ["another, with 0x in its address", "other.json", { address: ADDRESS }],
  ];
  for (const [program, name, form] of forms)
    it(`imports and opens one of ${program}`, async () => {
      const from = write(name, keystore(form));
      const to = path.join(dir, `copy-${name}`);
      expect(await importKeystore(to, from, password)).to.equal(ADDRESS);
      expect(readFileSync(to, "utf8")).to.equal(readFileSync(from, "utf8"));
      expect((await loadKeystore(to, password)).address).to.equal(ADDRESS);
      expect(await refusal(loadKeystore(to, new Secret(`${canaryPassword}.`)))).to.match(/does not open/);
    });

  it("opens what ethers wrote, and ethers opens what is written here", async () => {
    const theirs = await encryptKeystoreJson({ address: ADDRESS, privateKey: KEY }, canaryPassword, {
      scrypt: { N: 2, r: 8, p: 1 },
    });
    expect((await loadKeystore(write("ethers.json", theirs), password)).address).to.equal(ADDRESS);
    const made = path.join(dir, "ours.json");
    const address = await createKeystore(made, password, { insecureScryptN: 2 });
    expect((await decryptKeystoreJson(readFileSync(made, "utf8"), canaryPassword)).address).to.equal(address);
  });

  it("opens with a password in another Unicode form than the file was written with", async () => {
    const decomposed = "pa\u0073s-e\u0301-CANARY";
    for (const written of [decomposed, decomposed.normalize("NFKC")]) {
      const file = write(`unicode-${written.length}`, keystore({ password: written }));
      expect((await loadKeystore(file, new Secret(decomposed))).address).to.equal(ADDRESS);
    }
  });

  it("refuses one whose address is not its key's", async () => {
    const file = write("altered.json", keystore({ address: "11".repeat(20) }));
    expect(await refusal(loadKeystore(file, password))).to.match(/another address/);
  });

  it("refuses one that asks for absurd work, another cipher or version, and a damaged one", async () => {
    const good = JSON.parse(keystore({})) as { version: number; crypto: Record<string, any> };
    const changes: [string, (k: typeof good) => void][] = [
      ["memory", (k) => (k.crypto["kdfparams"].n = 2 ** 40)],
      ["work", (k) => Object.assign(k.crypto["kdfparams"], { n: 2 ** 16, p: 2 ** 16 })],
      ["n", (k) => (k.crypto["kdfparams"].n = 3)],
      ["cipher", (k) => (k.crypto["cipher"] = "aes-256-gcm")],
      ["version", (k) => (k.version = 1)],
      ["ciphertext", (k) => (k.crypto["ciphertext"] = "00")],
      [
        "rounds",
        (k) => Object.assign(k.crypto, { kdf: "pbkdf2", kdfparams: { c: 1e12, prf: "hmac-sha256", dklen: 32, salt: "00" } }),
      ],
    ];
    for (const [name, change] of changes) {
      const other = structuredClone(good);
      change(other);
      expect(await refusal(loadKeystore(write(`bad-${name}`, JSON.stringify(other)), password)), name).to.match(/no keystore/);
    }
    const flipped = structuredClone(good);
    flipped.crypto["mac"] = "00".repeat(32);
    expect(await refusal(loadKeystore(write("flipped", JSON.stringify(flipped)), password))).to.match(/does not open/);
  });
});

describe("a secret's file", () => {
  let dir: string;
  before(() => (dir = mkdtempSync(path.join(os.tmpdir(), "secret-file-"))));
  after(() => rmSync(dir, { recursive: true }));
  const secret = (folder: string, mode: number): string => {
    mkdirSync(path.join(dir, folder));
    writeFileSync(path.join(dir, folder, "password"), canaryPassword, { mode: 0o600 });
    chmodSync(path.join(dir, folder), mode);
    return path.join(dir, folder, "password");
  };
  const refused = (file: string): string => {
    try {
      readPrivateFile(file);
    } catch (error) {
      expectNoCanary(error);
      return (error as Error).message;
    }
    throw new Error("was read");
  };

  it("may lie in a folder that others can list, but in none that they can write to", () => {
    expect(readPrivateFile(secret("listed", 0o755))).to.equal(canaryPassword);
    expect(readPrivateFile(secret("sticky", 0o1777))).to.equal(canaryPassword);
    expect(refused(secret("open", 0o777))).to.match(/others can replace.*open/);
  });

  it("is checked where a link leads to, and where the link lies", () => {
    const good = secret("good", 0o700);
    symlinkSync(good, path.join(dir, "link"));
    expect(readPrivateFile(path.join(dir, "link"))).to.equal(canaryPassword);
    mkdirSync(path.join(dir, "shared"));
    symlinkSync(good, path.join(dir, "shared", "link"));
    chmodSync(path.join(dir, "shared"), 0o777);
    expect(refused(path.join(dir, "shared", "link"))).to.match(/others can replace.*shared/);
    writeFileSync(path.join(dir, "wide"), canaryPassword);
    chmodSync(path.join(dir, "wide"), 0o644);
    symlinkSync(path.join(dir, "wide"), path.join(dir, "narrow"));
    expect(refused(path.join(dir, "narrow"))).to.match(/others can read.*644/);
    symlinkSync(path.join(dir, "loop"), path.join(dir, "loop"));
    expect(refused(path.join(dir, "loop"))).to.match(/not there/);
  });

  it("is a file and nothing else", () => {
    expect(refused(dir)).to.match(/no regular file/);
    expect(refused("/dev/null")).to.match(/no regular file/);
  });
});
