import { Wallet } from "ethers";
import { KeySigner } from "../../src/wallet/key-signer.js";
import { nativeSecp256k1, type Secp256k1, wasmSecp256k1 } from "../../src/wallet/secp256k1.js";
import type { FullTransaction } from "../../src/wallet/signer.js";
import { createRequire } from "node:module";

/** One line of `npm run bench -- send`: ours against a peer in the same run, and how many times faster ours is. */
export interface SendRow {
  case: string;
  ours: number;
  peer: number;
  peerName: string;
  ratio: number;
  unit: string;
}

const ROUNDS = 150;
const WARM_UP = 30;
const PER_ROUND = 8;
/** Bytes of a two-hop plan's calldata, and of a four-hop one with its guards. */
const CALLDATA = { "two hops": 132, "four hops": 292 };

/** Signature and serialisation of whole transactions against ethers' signTransaction: turns in one process, median of the rounds. */
export async function measureSigning(): Promise<SendRow[]> {
  const native = nativeSecp256k1(createRequire(import.meta.url));
  const rows: SendRow[] = [];
  for (const [size, bytes] of Object.entries(CALLDATA))
    for (const curve of native === null ? [wasmSecp256k1()] : [wasmSecp256k1(), native])
      rows.push(await measure(size, bytes, curve));
  return rows;
}

async function measure(size: string, bytes: number, curve: Secp256k1): Promise<SendRow> {
  const key = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
  const peer = new Wallet(key);
  const signer = new KeySigner(Uint8Array.from(Buffer.from(key.slice(2), "hex")), curve);
  const data = `0x${"5a".repeat(bytes)}`;
  const transaction = (nonce: number): FullTransaction => ({
    chainId: 1,
    nonce,
    to: "0x5FbDB2315678afecb367f032d93F642f64180aa3",
    data,
    value: 0n,
    gasLimit: 250_000n,
    maxFeePerGas: 30_000_000_000n,
    maxPriorityFeePerGas: 1_000_000_000n,
  });
  const times = { ours: [] as number[], peer: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    let from = process.hrtime.bigint();
    for (let i = 0; i < PER_ROUND; i++) signer.signNow(transaction(round * PER_ROUND + i));
    times.ours.push(Number(process.hrtime.bigint() - from) / PER_ROUND / 1000);
    from = process.hrtime.bigint();
    for (let i = 0; i < PER_ROUND; i++) await peer.signTransaction({ type: 2, ...transaction(round * PER_ROUND + i) });
    times.peer.push(Number(process.hrtime.bigint() - from) / PER_ROUND / 1000);
  }
  signer.close();
  // the first rounds run code that is not yet compiled
  const [ours, theirs] = [median(times.ours.slice(WARM_UP)), median(times.peer.slice(WARM_UP))];
  return {
    case: `sign and serialise, ${size} (${curve.id})`,
    ours: rounded(ours),
    peer: rounded(theirs),
    peerName: "ethers Wallet.signTransaction",
    ratio: rounded(theirs / ours),
    unit: "us",
  };
}

const median = (list: number[]): number => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]!;
const rounded = (n: number): number => Math.round(n * 100) / 100;
