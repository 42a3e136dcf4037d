import { expect } from "chai";
import * as fc from "fast-check";
import { concat, toBeHex } from "ethers";
import { network as hardhat } from "hardhat";
import { type Chain, chainFromProvider } from "../../src/chain/connect.js";
import type { ParentHeader } from "../../src/fees/fee-model.js";
import { dataFee, highestBaseFee, nextBaseFee, suggestFees } from "../../src/fees/fees.js";
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

  it("never exceeds the bound, however full the blocks are and whatever proposers make of the gas limit", () => {
    const step = fc.record({ fill: fc.integer({ min: 0, max: 100 }), drift: fc.integer({ min: -1023, max: 1023 }) });
    const start = fc.record({
      base: fc.bigInt({ min: 0n, max: 10n ** 15n }),
      limit: fc.bigInt({ min: 1_000_000n, max: 400_000_000n }),
    });
    fc.assert(
      fc.property(start, fc.array(step, { minLength: 1, maxLength: 12 }), ({ base, limit }, steps) => {
        for (const [stack, extraData] of [
          ["l1", "0x"],
          ["op", holocene(250, 6)],
          ["op", holocene(50, 10)],
          ["op", jovian(250, 6, 1_000_000n)],
        ] as const) {
          const bound = highestBaseFee(stack, base, steps.length, { extraData, gasLimit: limit });
          let at = header({ baseFeePerGas: base, gasLimit: limit, extraData });
          for (const { fill, drift } of steps) {
            const gasLimit = at.gasLimit + (at.gasLimit * BigInt(drift)) / (1024n * 1024n);
            // most blocks full: those are what a bound is for
            const gasUsed = fill > 30 ? gasLimit : (gasLimit * BigInt(fill)) / 100n;
            const baseFeePerGas = nextBaseFee(stack, { ...at, gasLimit, gasUsed })!;
            at = { ...at, gasLimit, baseFeePerGas };
          }
          expect(at.baseFeePerGas <= bound, `${stack} ${extraData} ${at.baseFeePerGas} > ${bound}`).to.equal(true);
        }
      }),
      { seed, numRuns: 300 },
    );
  });

  it("is bounded by one eighth a block, to the wei where the target divides", () => {
    const even = { extraData: "0x", gasLimit: 2n ** 60n };
    expect(highestBaseFee("l1", 1_000_000_000n, 1, even)).to.equal(1_125_000_000n);
    expect(highestBaseFee("l1", 7n, 3, even)).to.equal(10n);
    expect(highestBaseFee("op", 1n, 1, { ...even, extraData: jovian(250, 6, 500n) })).to.equal(500n);
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
    const { gasLimit } = (await chain.provider.getBlock("latest"))!;
    const patient = await suggestFees(chain, { priorityFee: tip, patienceBlocks: 5, maxFeePerGas: null });
    expect(patient.maxFeePerGas).to.equal(highestBaseFee("l1", now.nextBaseFee, 5, { extraData: "0x", gasLimit }) + tip);
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
  it("is nothing on Ethereum", async () => {
    const { chain, conn } = await localChain(1);
    const tx = { chainId: 1, to: `0x${"11".repeat(20)}`, gasLimit: 100_000n, maxFeePerGas: 1n, type: 2 };
    expect(await dataFee(chain, tx)).to.deep.equal({ l1FeeWei: 0n, operatorFeeWei: 0n, gas: 0n, l1Gas: 0n });
    await conn.close();
  });
});
