import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { expect } from "chai";
import { Transaction, type TransactionLike, toBeHex } from "ethers";
import { ArbError } from "../../src/errors.js";
import { serveRecording } from "../../src/sim/recorded.js";
import { type RecordedCase, readCase } from "../../src/sim/recorded-case.js";
import { forkRecording } from "../../src/sim/recorded-fork.js";

const folder = path.resolve("../shared/recorded/cases");
const files = existsSync(folder) ? readdirSync(folder).filter((f) => f.endsWith(".json.gz")) : [];
const [some] = files;

/** The signed bytes of a recorded transaction: as they stand in the file, else put together from its fields. */
function rawTransaction({ tx }: RecordedCase): string {
  const field = (name: string) => tx[name] as string | undefined;
  if (field("raw") !== undefined) return field("raw")!;
  const type = Number(field("type"));
  const v = BigInt(field("yParity") ?? field("v")!);
  const transaction = Transaction.from({
    type,
    to: field("to") ?? null,
    nonce: Number(field("nonce")),
    gasLimit: BigInt(field("gas")!),
    value: BigInt(field("value")!),
    data: field("input")!,
    ...(field("chainId") === undefined ? {} : { chainId: BigInt(field("chainId")!) }),
    ...(type === 0 || type === 1
      ? { gasPrice: BigInt(field("gasPrice")!) }
      : { maxFeePerGas: BigInt(field("maxFeePerGas")!), maxPriorityFeePerGas: BigInt(field("maxPriorityFeePerGas")!) }),
    ...(type === 0 ? {} : { accessList: tx["accessList"] as NonNullable<TransactionLike["accessList"]> }),
    signature: {
      r: toBeHex(field("r")!, 32),
      s: toBeHex(field("s")!, 32),
      v: type === 0 ? v : 27n + (v & 1n),
    },
  });
  if (field("hash") !== undefined) expect(transaction.hash).to.equal(field("hash"));
  return transaction.serialized;
}

async function usageError(attempt: Promise<unknown>): Promise<ArbError> {
  const error = await attempt.then(
    () => null,
    (e: unknown) => e,
  );
  expect(error).to.be.instanceOf(ArbError);
  expect((error as ArbError).code).to.equal("usage");
  return error as ArbError;
}

describe("recorded cases", () => {
  before(function () {
    if (files.length === 0) {
      console.log(`      skipped: no recordings at ${folder}`);
      this.skip();
    }
  });

  for (const file of files) {
    it(`runs ${file} again with the chain's own status, gas and logs`, async () => {
      const recording = await readCase(path.join(folder, file));
      const fork = await forkRecording(recording, "recorded");
      try {
        const hash = await fork.request("eth_sendRawTransaction", [rawTransaction(recording)]);
        await fork.mineRecordedBlock();
        const receipt = (await fork.request("eth_getTransactionReceipt", [hash])) as any;
        expect(BigInt(receipt.blockNumber)).to.equal(recording.block.number);
        expect(BigInt(receipt.status)).to.equal(recording.receipt.status);
        expect(BigInt(receipt.gasUsed)).to.equal(recording.receipt.gasUsed);
        expect(receipt.logs.map(({ address, topics, data }: any) => ({ address, topics, data }))).to.deep.equal(recording.receipt.logs);
        // what a run of the recorded transaction reads is recorded
        expect(fork.server.unrecorded().filter((read) => read.slot !== null)).to.deep.equal([]);
      } finally {
        await fork.close();
      }
    });
  }
});
