import { expect } from "chai";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { inspect } from "node:util";
import { readSecret, Secret } from "../../src/config/secrets.js";
import { createKeystore, importKey, importKeystore, loadKeystore } from "../../src/wallet/keystore.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";

const KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const PASSWORD = "CANARY-correct-horse";
const fast = { insecureScryptN: 2 };

/** Everything that a program could print of a value. */
const printed = (v: unknown): string =>
  [
    inspect(v, { depth: 20, showHidden: true, getters: true }),
    JSON.stringify(v),
    String(v),
    (v as Error)?.stack ?? "",
    JSON.stringify(v, Object.getOwnPropertyNames(v ?? {})),
  ].join("\n");
const clean = (v: unknown): void => {
  for (const canary of [KEY.slice(2), "CANARY", BigInt(KEY).toString()])
    expect(printed(v).toLowerCase()).not.to.include(canary.toLowerCase());
};

async function refusal(run: Promise<unknown>): Promise<string> {
  try {
    await run;
  } catch (error) {
    clean(error);
    clean((error as Error).cause);
    expect(error).to.include({ code: "secrets" });
    return (error as Error).message;
  }
  throw new Error("was accepted");
}

describe("keystore", () => {
  let dir: string;
  const at = (name: string): string => path.join(dir, name);
  before(() => (dir = mkdtempSync(path.join(os.tmpdir(), "keystore-"))));
  after(() => rmSync(dir, { recursive: true }));

  it("is made, imported and opened; the file is private and never overwritten", async () => {
    const password = new Secret(PASSWORD);
    const made = await createKeystore(at("new.json"), password, fast);
    expect(statSync(at("new.json")).mode & 0o777).to.equal(0o600);
    expect((await loadKeystore(at("new.json"), password)).address).to.equal(made);
    expect(await importKey(at("key.json"), new Secret(`${KEY}\n`), password, fast)).to.equal(ADDRESS);
    expect(await importKeystore(at("copy.json"), at("key.json"), password)).to.equal(ADDRESS);
    const wallet = await WalletManager.fromKeystore(at("copy.json"), password);
    expect(wallet.address).to.equal(ADDRESS);
    clean(wallet);
    clean(await loadKeystore(at("key.json"), password));
    expect(await refusal(createKeystore(at("new.json"), password, fast))).to.match(/never overwritten/);
    expect(readFileSync(at("key.json"), "utf8").toLowerCase()).not.to.include(KEY.slice(2));
  });

  it("has the standard scrypt cost unless a test lowers it", async function () {
    this.timeout(20_000);
    const password = new Secret(PASSWORD);
    await createKeystore(at("standard.json"), password);
    const json = JSON.parse(readFileSync(at("standard.json"), "utf8")) as { crypto: { kdfparams: { n: number; r: number } } };
    expect(json.crypto.kdfparams).to.include({ n: 131_072, r: 8 });
  });

  it("refuses what is not right and never shows key or password", async () => {
    const password = new Secret(PASSWORD);
    await importKey(at("ok.json"), new Secret(KEY), password, fast);
    expect(await refusal(loadKeystore(at("ok.json"), new Secret("CANARY-wrong")))).to.match(/does not open/);
    expect(await refusal(loadKeystore(at("missing.json"), password))).to.match(/not there/);
    writeFileSync(at("text.json"), `{"key":"${KEY}"}`, { mode: 0o600 });
    expect(await refusal(loadKeystore(at("text.json"), password))).to.match(/no keystore/);
    chmodSync(at("ok.json"), 0o640);
    expect(await refusal(loadKeystore(at("ok.json"), password))).to.match(/others can read.*640/);
    expect(await refusal(importKey(at("x.json"), new Secret(`${KEY}CANARY`), password, fast))).to.match(/no private key/);
    expect(await refusal(importKey(at("x.json"), new Secret(`0x${"f".repeat(64)}`), password, fast))).to.match(
      /no valid private key/,
    );
    expect(await refusal(createKeystore(at("x.json"), new Secret("short"), fast))).to.match(/shorter than 8/);
    expect(await refusal(createKeystore(at("no/such/x.json"), password, fast))).to.match(/cannot be written/);
    expect(() => new WalletManager(new Secret("0x1234"))).to.throw(/no valid private key/);
  });

  it("keeps the canary out of everything that can be printed of a wallet and a secret", () => {
    const wallet = new WalletManager(new Secret(KEY));
    clean(wallet);
    clean({ nested: [wallet] });
    clean(new Secret(KEY));
    expect(String(new Secret(PASSWORD))).to.equal("[secret]");
    expect(Object.values(wallet)).to.deep.equal([ADDRESS]);
  });
});

describe("password sources", () => {
  let dir: string;
  before(() => (dir = mkdtempSync(path.join(os.tmpdir(), "secret-"))));
  after(() => rmSync(dir, { recursive: true }));

  it("reads a private file without its last line end, and refuses an open, an empty and a missing one", async () => {
    const file = path.join(dir, "password");
    writeFileSync(file, `${PASSWORD} \n`, { mode: 0o600 });
    expect((await readSecret(`file:${file}`)).reveal()).to.equal(`${PASSWORD} `);
    chmodSync(file, 0o604);
    expect(await refusal(readSecret(`file:${file}`))).to.match(/others can read/);
    writeFileSync(path.join(dir, "empty"), "\n", { mode: 0o600 });
    expect(await refusal(readSecret(`file:${dir}/empty`))).to.match(/is empty/);
    expect(await refusal(readSecret(`file:${dir}/missing`))).to.match(/not there/);
  });

  it("reads the environment only where that is allowed, and refuses a secret that stands there itself", async () => {
    process.env["TEST_PASSWORD"] = PASSWORD;
    expect(await refusal(readSecret("env:TEST_PASSWORD"))).to.match(/not read from the environment/);
    expect((await readSecret("env:TEST_PASSWORD", { allowEnv: true })).reveal()).to.equal(PASSWORD);
    delete process.env["TEST_PASSWORD"];
    expect(await refusal(readSecret("env:TEST_PASSWORD", { allowEnv: true }))).to.match(/has no TEST_PASSWORD/);
    expect(await refusal(readSecret(KEY))).to.match(/by reference/);
    expect(await refusal(readSecret("fd:97"))).to.match(/descriptor 97/);
    if (!process.stdin.isTTY) expect(await refusal(readSecret("prompt"))).to.match(/no terminal/);
  });

  it("reads a file descriptor", () => {
    const module = path.resolve(import.meta.dirname, "../../src/config/secrets.ts");
    const script = `import(${JSON.stringify(module)}).then(async (m) => process.stdout.write((await m.readSecret("fd:0")).reveal()))`;
    const out = execFileSync(process.execPath, ["--import", "tsx", "-e", script], { input: `${PASSWORD}\n`, encoding: "utf8" });
    expect(out).to.equal(PASSWORD);
  });
});
