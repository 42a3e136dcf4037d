import { createRequire } from "node:module";
import { expect } from "chai";
import { getBytes, hexlify, keccak256, randomBytes, SigningKey, Transaction } from "ethers";
import { KeySigner } from "../../src/wallet/key-signer.js";
import { keccak } from "../../src/wallet/keccak.js";
import { nativeSecp256k1, publicKeyOf, wasmSecp256k1 } from "../../src/wallet/secp256k1.js";
import type { FullTransaction } from "../../src/wallet/signer.js";
import { unsignedHash, withSignature } from "../../src/wallet/transaction.js";
import { random, SEED } from "../helpers/random.js";

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const word = (n: bigint): string => `0x${n.toString(16).padStart(64, "0")}`;

/** What ethers makes of the same fields and the same key. */
function byEthers(tx: FullTransaction, key: SigningKey): { raw: string; hash: string } {
  const { accessList = [], ...fields } = tx;
  const full = Transaction.from({ type: 2, ...fields, accessList });
  full.signature = key.sign(full.unsignedHash);
  return { raw: full.serialized, hash: full.hash! };
}

describe("signature and serialisation", () => {
  const next = random();
  const below = (n: number): number => Math.floor(next() * n);
  const bytes = (n: number): string => hexlify(Uint8Array.from({ length: n }, () => below(256)));
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  /** An integer of up to `bits`, often zero or at the border of a length. */
  const amount = (bits: number): bigint => {
    const size = below(bits + 1);
    const border = 1n << BigInt(size);
    const value = pick([0n, 1n, 0x7fn, 0x80n, 0xffn, 0x100n, border, border - 1n, BigInt(bytes(bits / 8)) % border]);
    return value >> BigInt(bits) === 0n ? value : (1n << BigInt(bits)) - 1n;
  };
  const transaction = (): FullTransaction => {
    const tip = amount(128);
    const tx: FullTransaction = {
      chainId: Number(amount(48)) + 1,
      nonce: Number(amount(48)),
      to: below(20) === 0 ? null : bytes(20),
      data: bytes(pick([0, 1, 1, 2, 54, 55, 56, 57, 132, 255, 256, 257, below(600)])),
      value: amount(256),
      gasLimit: amount(64),
      maxFeePerGas: tip + amount(64),
      maxPriorityFeePerGas: tip,
    };
    if (below(3) === 0)
      tx.accessList = Array.from({ length: below(4) }, () => {
        return { address: bytes(20), storageKeys: Array.from({ length: below(9) }, () => bytes(32)) };
      });
    return tx;
  };

  it("is byte for byte ethers' for 600 random transactions and keys", function () {
    this.timeout(60_000);
    for (let i = 0; i < 600; i++) {
      const key = new SigningKey(bytes(32));
      const signer = new KeySigner(getBytes(key.privateKey), wasmSecp256k1());
      const tx = transaction();
      expect(signer.signNow(tx), `seed ${SEED}, transaction ${i}`).to.deep.equal(byEthers(tx, key));
    }
  });

  it("is ethers' for long data and long access lists", () => {
    const key = new SigningKey(bytes(32));
    const signer = new KeySigner(getBytes(key.privateKey));
    const base = { ...transaction(), to: bytes(20) };
    const accessList = Array.from({ length: 700 }, () => ({ address: bytes(20), storageKeys: [bytes(32), bytes(32)] }));
    for (const length of [65_535, 65_536, 131_072]) {
      const tx = { ...base, accessList, data: `0x${"a7".repeat(length)}` };
      expect(signer.signNow(tx)).to.deep.equal(byEthers(tx, key));
    }
  });

  it("is ethers' for signatures whose r or s is short", () => {
    const { accessList, ...tx } = { ...transaction(), to: bytes(20) };
    for (const [r, s] of [
      [1n, 1n],
      [0x7fn, 0x80n],
      [2n ** 240n, 255n],
      [ORDER - 1n, ORDER / 2n],
    ] as const)
      for (const yParity of [0, 1] as const) {
        const full = Transaction.from({ type: 2, ...tx, accessList: [] });
        full.signature = { r: word(r), s: word(s), yParity };
        const ours = withSignature(tx, { signature: getBytes(`${word(r)}${word(s).slice(2)}`), yParity });
        expect(ours).to.deep.equal({ raw: full.serialized, hash: full.hash });
        expect(unsignedHash(tx)).to.equal(full.unsignedHash);
      }
    expect(accessList === undefined || Array.isArray(accessList)).to.equal(true);
  });

  it("refuses what a transaction cannot hold, whatever the field", () => {
    const signer = new KeySigner(randomBytes(32));
    const good: FullTransaction = { ...transaction(), to: bytes(20), data: "0x1234", accessList: [] };
    const bad: [Partial<Record<keyof FullTransaction, unknown>>, RegExp][] = [
      [{ chainId: 1.5 }, /chainId/],
      [{ nonce: -1 }, /nonce/],
      [{ value: -1n }, /value/],
      [{ value: 2n ** 256n }, /value/],
      [{ gasLimit: 21_000 }, /gasLimit/],
      [{ to: "0x1234" }, /to is/],
      [{ to: `0x${"zz".repeat(20)}` }, /to is/],
      [{ data: "0x123" }, /data/],
      [{ data: "0xzz" }, /data/],
      [{ data: "0x1 " }, /data/],
      [{ data: "0x12zz34" }, /data/],
      [{ data: "1234" }, /data/],
      [{ data: "" }, /data/],
      [{ accessList: [{ address: "0x12", storageKeys: [] }] }, /accessList/],
      [{ accessList: [{ address: bytes(20), storageKeys: ["0x12"] }] }, /accessList/],
    ];
    for (const [change, message] of bad)
      expect(() => signer.signNow({ ...good, ...change } as FullTransaction), JSON.stringify(Object.keys(change))).to.throw(
        message,
      );
  });

  it("hashes as ethers does, at every length around a block", () => {
    for (let length = 0; length < 420; length++) {
      const data = getBytes(bytes(length));
      expect(`0x${keccak(data).toString("hex")}`, `${length} bytes`).to.equal(keccak256(data));
    }
  });

  it("overwrites the key when it is closed, and signs no more", () => {
    const key = randomBytes(32);
    const signer = new KeySigner(key);
    signer.close();
    expect(key).to.deep.equal(new Uint8Array(32));
    expect(() => signer.signNow({ ...transaction(), to: bytes(20) })).to.throw(/closed/);
  });

  it("refuses a key of zero, of the curve's order, and of another length", () => {
    for (const key of [new Uint8Array(32), getBytes(word(ORDER)), new Uint8Array(31).fill(1), new Uint8Array(33).fill(1)]) {
      expect(publicKeyOf(key)).to.equal(null);
      expect(() => new KeySigner(key)).to.throw(/no valid private key/);
    }
    expect(publicKeyOf(getBytes(word(ORDER - 1n)))).to.have.length(64);
  });

  it("takes a native signer where one is installed, and only if it signs as ours does", () => {
    const asInstalled = nativeSecp256k1(createRequire(import.meta.url));
    if (asInstalled !== null) expect(asInstalled.id).to.equal("native");
    const found = (ecdsaSign: unknown): NodeJS.Require => Object.assign(() => ({ ecdsaSign }), {}) as unknown as NodeJS.Require;
    const same = (digest: Uint8Array, key: Uint8Array) => {
      const { signature, yParity } = wasmSecp256k1().sign(digest, key);
      return { signature, recid: yParity };
    };
    expect(nativeSecp256k1(found(same))?.id).to.equal("native");
    expect(nativeSecp256k1(found((d: Uint8Array, k: Uint8Array) => ({ ...same(d, k), recid: 0 })))).to.equal(null);
    const absent = () => {
      throw new Error("Cannot find module");
    };
    expect(nativeSecp256k1(absent as unknown as NodeJS.Require)).to.equal(null);
  });
});
