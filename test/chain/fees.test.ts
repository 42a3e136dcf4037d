import { expect } from "chai";
import * as fc from "fast-check";
import { concat, toBeHex, zeroPadValue } from "ethers";
import { network as hardhat } from "hardhat";
import { type Chain, chainFromProvider } from "../../src/chain/connect.js";
import { dataFee, highestBaseFee, nextBaseFee, type ParentHeader, suggestFees } from "../../src/chain/fees.js";
import { networkById } from "../../src/config/networks.js";
import { GWEI, parseAmount } from "../../src/units.js";

const seed = Number(process.env["SEED"] ?? 20_261_123);
const header = (h: Partial<ParentHeader>): ParentHeader => ({
  baseFeePerGas: 1_000_000_000n,
  gasUsed: 15_000_000n,
  gasLimit: 30_000_000n,
  extraData: "0x",
  blobGasUsed: null,
  ...h,
});
const holocene = (denominator: number, elasticity: number): string =>
  concat(["0x00", toBeHex(denominator, 4), toBeHex(elasticity, 4)]);
const jovian = (denominator: number, elasticity: number, minimum: bigint): string =>
  concat(["0x01", toBeHex(denominator, 4), toBeHex(elasticity, 4), toBeHex(minimum, 8)]);

async function localChain(chainId: number, chainType: "l1" | "op" | "generic" = "l1"): Promise<{ chain: Chain; conn: any }> {
  const conn = await hardhat.create({ network: "default", chainType, override: { chainId } as any });
  return { conn, chain: await chainFromProvider(networkById(chainId)!, (conn as any).ethers.provider, { local: true }) };
}

describe("next base fee", () => {
  it("follows EIP-1559's own numbers", () => {
    expect(nextBaseFee("l1", header({}))).to.equal(1_000_000_000n);
    expect(nextBaseFee("l1", header({ gasUsed: 30_000_000n }))).to.equal(1_125_000_000n);
    expect(nextBaseFee("l1", header({ gasUsed: 0n }))).to.equal(875_000_000n);
    expect(nextBaseFee("l1", header({ baseFeePerGas: 3n, gasUsed: 15_000_001n }))).to.equal(4n);
    expect(nextBaseFee("l1", header({ baseFeePerGas: 7n, gasUsed: 0n }))).to.equal(7n);
  });

  it("reads OP Stack parameters, minimum and data footprint from the header, and says so when they are not there", () => {
    expect(nextBaseFee("op", header({ gasUsed: 30_000_000n, extraData: holocene(250, 6) }))).to.equal(1_020_000_000n);
    const low = { gasUsed: 0n, baseFeePerGas: 1_000n };
    expect(nextBaseFee("op", header({ ...low, extraData: jovian(250, 6, 1_000_000n) }))).to.equal(1_000_000n);
    const data = { gasUsed: 5_000_000n, blobGasUsed: 30_000_000n };
    expect(nextBaseFee("op", header({ ...data, extraData: jovian(250, 6, 0n) }))).to.equal(1_020_000_000n);
    expect(nextBaseFee("op", header({ ...data, extraData: holocene(250, 6) }))).to.equal(1_000_000_000n);
    expect(nextBaseFee("op", header({ extraData: "0x" }))).to.equal(null);
    expect(nextBaseFee("op", header({ extraData: holocene(0, 0) }))).to.equal(null);
    expect(nextBaseFee("arbitrum", header({}))).to.equal(null);
  });

  it("never exceeds the bound for one block, whatever the parent", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 10n ** 15n }), fc.bigInt({ min: 0n, max: 60_000_000n }), (baseFeePerGas, gasUsed) => {
        for (const [stack, extraData] of [
          ["l1", "0x"],
          ["op", holocene(250, 6)],
          ["op", holocene(50, 10)],
        ] as const) {
          const next = nextBaseFee(stack, header({ baseFeePerGas, gasUsed, gasLimit: 60_000_000n, extraData }))!;
          expect(next <= highestBaseFee(stack, baseFeePerGas, 1, extraData)).to.equal(true);
        }
      }),
      { seed, numRuns: 300 },
    );
  });

  for (const [chainId, type] of [
    [1, "l1"],
    [10, "op"],
  ] as const)
    it(`is what a ${type} chain really charges in the next block`, async () => {
      const { chain, conn } = await localChain(chainId, type);
      const [signer] = await conn.ethers.getSigners();
      let exact = 0;
      for (let i = 0; i < 6; i++) {
        const s = await suggestFees(chain, { priorityFee: 1n, patienceBlocks: 2, maxFeePerGas: null });
        await signer.sendTransaction({
          data: i % 2 ? "0x" : `0x${"5b".repeat(20_000)}00`,
          to: i % 2 ? signer.address : null,
          gasLimit: 12_000_000n,
          maxFeePerGas: s.maxFeePerGas,
          maxPriorityFeePerGas: s.maxPriorityFeePerGas,
        });
        const block = (await chain.provider.getBlock(s.blockNumber + 1))!;
        expect(block.gasUsed).not.to.equal(block.gasLimit / 2n);
        if (s.exact) expect(block.baseFeePerGas, `block ${block.number}`).to.equal(s.nextBaseFee);
        exact += s.exact ? 1 : 0;
        expect(s.maxFeePerGas >= block.baseFeePerGas!).to.equal(true);
      }
      expect(exact).to.equal(6);
      await conn.close();
    });
});

describe("suggestFees", () => {
  it("leaves room for the blocks it may wait, keeps to the limit, and refuses when the next block is beyond it", async () => {
    const { chain, conn } = await localChain(1);
    const tip = parseAmount("1 gwei", GWEI);
    const now = await suggestFees(chain, { priorityFee: tip, patienceBlocks: 0, maxFeePerGas: null });
    expect(now.maxFeePerGas).to.equal(now.nextBaseFee + tip);
    const patient = await suggestFees(chain, { priorityFee: tip, patienceBlocks: 5, maxFeePerGas: null });
    expect(patient.maxFeePerGas).to.equal(highestBaseFee("l1", now.nextBaseFee, 5, "0x") + tip);
    const capped = await suggestFees(chain, { priorityFee: tip, patienceBlocks: 5, maxFeePerGas: now.maxFeePerGas });
    expect(capped.maxFeePerGas).to.equal(now.maxFeePerGas);
    const refused = await suggestFees(chain, { priorityFee: tip, patienceBlocks: 5, maxFeePerGas: tip }).catch((e: Error) => e);
    expect(refused).to.include({ code: "refused" });
    await conn.close();
  });

  it("asks no tip on Arbitrum", async () => {
    const { chain, conn } = await localChain(42161, "generic");
    const s = await suggestFees(chain, { priorityFee: 5n, patienceBlocks: 1, maxFeePerGas: null });
    expect([s.maxPriorityFeePerGas, s.exact]).to.deep.equal([0n, false]);
    await conn.close();
  });
});

describe("dataFee", () => {
  const word = (v: bigint): string => zeroPadValue(toBeHex(v), 32).slice(2);
  /** Runtime code that answers every call with the given words. */
  const answering = (...words: bigint[]): string =>
    `0x${words.map((w, i) => `7f${word(w)}60${(i * 32).toString(16).padStart(2, "0")}52`).join("")}60${(words.length * 32).toString(16).padStart(2, "0")}6000f3`;
  const tx = { chainId: 10, to: `0x${"11".repeat(20)}`, data: "0x1234", nonce: 1, gasLimit: 100_000n, maxFeePerGas: 1n, type: 2 };

  it("is nothing on Ethereum and where no oracle is there", async () => {
    const none = { l1FeeWei: 0n, operatorFeeWei: 0n, l1Gas: 0n };
    for (const [id, type] of [
      [1, "l1"],
      [42161, "generic"],
      [8453, "generic"],
    ] as const) {
      const { chain, conn } = await localChain(id, type);
      expect(await dataFee(chain, tx)).to.deep.equal(none);
      await conn.close();
    }
  });

  it("asks the OP Stack oracle, and takes a missing operator fee as none", async () => {
    const { chain, conn } = await localChain(10, "generic");
    const oracle = "0x420000000000000000000000000000000000000F";
    await conn.provider.request({ method: "hardhat_setCode", params: [oracle, answering(777n)] });
    expect(await dataFee(chain, tx)).to.deep.equal({ l1FeeWei: 777n, operatorFeeWei: 777n, l1Gas: 0n });
    // answers getL1Fee(bytes) = 0x49948e0e and reverts on the rest
    const onlyL1 = `0x60003560e01c6349948e0e14601357600080fd5b7f${word(9n)}60005260206000f3`;
    await conn.provider.request({ method: "hardhat_setCode", params: [oracle, onlyL1] });
    expect(await dataFee(chain, { ...tx, from: `0x${"22".repeat(20)}` })).to.deep.equal({
      l1FeeWei: 9n,
      operatorFeeWei: 0n,
      l1Gas: 0n,
    });
    await conn.close();
  });

  it("works on the chain type with the real OP predeploys", async () => {
    const { chain, conn } = await localChain(10, "op");
    expect((await dataFee(chain, tx)).l1FeeWei >= 0n).to.equal(true);
    await conn.close();
  });

  it("asks Arbitrum's NodeInterface for the gas that pays for data", async () => {
    const { chain, conn } = await localChain(42161, "generic");
    await conn.provider.request({
      method: "hardhat_setCode",
      params: ["0x00000000000000000000000000000000000000C8", answering(90_000n, 4_321n, 1n, 1n)],
    });
    expect((await dataFee(chain, { ...tx, chainId: 42161 })).l1Gas).to.equal(4_321n);
    await conn.close();
  });
});
