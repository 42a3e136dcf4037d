import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { Transaction, type TransactionLike, toBeHex } from "ethers";
import { ArbError } from "../../src/errors.js";
import { type RecordedServer, serveRecording } from "../../src/sim/recorded.js";
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
        expect(receipt.logs.map(({ address, topics, data }: any) => ({ address, topics, data }))).to.deep.equal(
          recording.receipt.logs,
        );
        // what a run of the recorded transaction reads is recorded
        expect(fork.server.unrecorded().filter((read) => read.slot !== null)).to.deep.equal([]);
      } finally {
        await fork.close();
      }
    });
  }

  it("leaves nothing behind: neither the fork's cache nor a listening server", async () => {
    const caches = async () => (await readdir(os.tmpdir())).filter((name) => name.startsWith("arb-replay-"));
    const earlier = await caches();
    const fork = await forkRecording(await readCase(path.join(folder, some!)), "recorded");
    const during = await caches();
    await fork.close();
    expect(during.length).to.be.greaterThan(earlier.length);
    expect(await caches()).to.deep.equal(earlier);
    expect(
      await fetch(fork.server.url).then(
        () => "served",
        () => "refused",
      ),
    ).to.equal("refused");
  });

  it("names a hard fork that cannot be run", async () => {
    const recording = { ...(await readCase(path.join(folder, some!))), hardfork: "atlantis" };
    expect((await usageError(forkRecording(recording, "recorded"))).message).to.contain("atlantis");
  });
});

describe("recorded state server", () => {
  const contract = "0x1111111111111111111111111111111111111111";
  const plain = "0x2222222222222222222222222222222222222222";
  const stranger = "0x3333333333333333333333333333333333333333";
  const recording: RecordedCase = {
    format: "recorded-tx-case/1",
    id: "made up",
    chainId: 1,
    hardfork: "prague",
    block: {
      number: 100n,
      timestamp: 5000n,
      parentHash: toBeHex(7, 32),
      miner: plain,
      gasLimit: 30_000_000n,
      baseFeePerGas: 9n,
    },
    blockHashes: { "98": toBeHex(98, 32) },
    tx: { from: plain },
    pre: new Map([
      [contract, { balance: 5n, nonce: 1n, code: "0x00", storage: new Map([[toBeHex(1, 32), toBeHex(42, 32)]]) }],
      [plain, { balance: 6n, nonce: 2n, storage: new Map() }],
    ]),
    receipt: { status: 1n, gasUsed: 21_000n, logs: [] },
  };
  let server: RecordedServer;
  const ask = async (body: unknown) =>
    (await fetch(server.url, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) })) as any;
  const rpc = async (method: string, ...params: unknown[]) =>
    ((await (await ask({ jsonrpc: "2.0", id: 1, method, params })).json()) as any).result;

  beforeEach(async () => void (server = await serveRecording(recording)));
  afterEach(() => server.close());

  it("answers recorded state in any spelling of address and slot", async () => {
    expect(await rpc("eth_getBalance", contract.toUpperCase().replace("0X", "0x"), "0x63")).to.equal("0x5");
    expect(await rpc("eth_getTransactionCount", plain, "latest")).to.equal("0x2");
    expect(await rpc("eth_getCode", contract, "latest")).to.equal("0x00");
    expect(await rpc("eth_getStorageAt", contract, "0x1", "latest")).to.equal(toBeHex(42, 32));
    expect(await rpc("eth_getStorageAt", contract, toBeHex(1, 32), "latest")).to.equal(toBeHex(42, 32));
    expect(server.unrecorded()).to.deep.equal([]);
  });

  it("answers what was never recorded as empty, and lists each such read once", async () => {
    for (let i = 0; i < 2; i++) {
      expect(await rpc("eth_getStorageAt", contract, "0x2", "latest")).to.equal(toBeHex(0, 32));
      expect(await rpc("eth_getBalance", stranger, "latest")).to.equal("0x0");
    }
    expect(server.unrecorded()).to.deep.equal([
      { address: contract, slot: toBeHex(2, 32) },
      { address: stranger, slot: null },
    ]);
  });

  it("knows that a recorded account without code stores nothing", async () => {
    expect(await rpc("eth_getStorageAt", plain, "0x2", "latest")).to.equal(toBeHex(0, 32));
    expect(server.unrecorded()).to.deep.equal([]);
  });

  it("gives the parent its recorded hash, and its ancestors earlier times", async () => {
    const parent = await rpc("eth_getBlockByNumber", "0x63", false);
    expect([parent.hash, parent.parentHash]).to.deep.equal([toBeHex(7, 32), toBeHex(98, 32)]);
    const older = await rpc("eth_getBlockByNumber", "0x62", false);
    expect(older.hash).to.equal(toBeHex(98, 32));
    expect(Number(older.timestamp)).to.be.lessThan(Number(parent.timestamp));
    expect(Number(parent.timestamp)).to.be.lessThan(5000);
  });

  it("answers batches, and faulty requests with an error", async () => {
    const batch = await (
      await ask([
        { jsonrpc: "2.0", id: 1, method: "eth_chainId" },
        { jsonrpc: "2.0", id: 2, method: "eth_getStorageAt", params: [contract, "no slot"] },
        { jsonrpc: "2.0", id: 3, method: "eth_sendRawTransaction", params: ["0x"] },
        null,
      ])
    ).json();
    expect(batch.map((answer: any) => answer.result ?? answer.error.code)).to.deep.equal(["0x1", -32602, -32601, -32600]);
    expect((await ask("{")).status).to.equal(400);
  });
});

describe("reading a recorded case", () => {
  let folderOfOurs: string;
  const write = async (content: string | Buffer) => {
    const file = path.join(folderOfOurs, "case.json.gz");
    await writeFile(file, content);
    return file;
  };
  const minimal = () => ({
    format: "recorded-tx-case/1",
    id: "x",
    chainId: 1,
    hardfork: "prague",
    block: { number: "0x2", timestamp: 3, parentHash: toBeHex(7, 32), miner: `0x${"ab".repeat(20)}`, gasLimit: "0x1c9c380" },
    tx: { from: `0x${"cd".repeat(20)}` },
    pre: { [`0x${"EF".repeat(20)}`]: { balance: "0x1", nonce: 4, code: "0x6000", storage: { "0x1": "0x02" } } },
    receipt: { status: 1, gasUsed: "0x5208", logs: [] },
  });

  before(async () => void (folderOfOurs = await mkdtemp(path.join(os.tmpdir(), "recorded-case-"))));
  after(() => rm(folderOfOurs, { recursive: true }));

  it("takes gzipped and plain files, and brings addresses, quantities and slots to one form", async () => {
    const text = JSON.stringify(minimal());
    for (const content of [text, gzipSync(text)]) {
      const { block, pre, receipt } = await readCase(await write(content));
      expect(block.number).to.equal(2n);
      expect(block.timestamp).to.equal(3n);
      expect(receipt.gasUsed).to.equal(21_000n);
      const account = pre.get(`0x${"ef".repeat(20)}`)!;
      expect([account.balance, account.nonce]).to.deep.equal([1n, 4n]);
      expect([...account.storage]).to.deep.equal([[toBeHex(1, 32), toBeHex(2, 32)]]);
    }
  });

  it("says that a file does not exist", async () => {
    expect((await usageError(readCase(path.join(folderOfOurs, "none.json.gz")))).message).to.contain("does not exist");
    expect((await usageError(readCase(folderOfOurs))).message).to.contain("cannot be read");
  });

  it("says that a file is cut short, packed or plain", async () => {
    const text = JSON.stringify(minimal());
    const packed = gzipSync(text);
    expect((await usageError(readCase(await write(packed.subarray(0, packed.length - 20))))).message).to.contain("cut short");
    expect((await usageError(readCase(await write(text.slice(0, 100))))).message).to.contain("cut short");
    expect((await usageError(readCase(await write("")))).message).to.contain("cut short");
  });

  it("says what another format is", async () => {
    const block = await usageError(readCase(await write(JSON.stringify({ ...minimal(), format: "recorded-block/1" }))));
    expect(block.message).to.contain('"recorded-block/1"');
    for (const json of ["{}", "[]", "null", "3"]) {
      expect((await usageError(readCase(await write(json)))).message).to.contain("names no format");
    }
  });

  it("names the place of what is malformed", async () => {
    const { block, ...rest } = minimal();
    const wrong: [object, string][] = [
      [rest, "block"],
      [{ ...rest, block: { ...block, number: "two" } }, "block.number"],
      [{ ...minimal(), pre: { "0x12": {} } }, "pre.0x12"],
      [{ ...minimal(), arbitrage: { hops: [{ kind: "v2" }], poolsNet: {} } }, "arbitrage.hops.0"],
      [{ ...minimal(), pre: { [`0x${"ef".repeat(20)}`]: { codeHash: toBeHex(1, 32) } } }, "pre.0xef"],
    ];
    for (const [json, place] of wrong) {
      const error = await usageError(readCase(await write(JSON.stringify(json))));
      expect(error.where, place).to.contain(place);
    }
  });
});
