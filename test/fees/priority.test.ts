import { expect } from "chai";
import { network as hardhat } from "hardhat";
import type { Chain } from "../../src/chain/connect.js";
import { chainFromProvider } from "../../src/chain/connect.js";
import { networkById } from "../../src/config/networks.js";
import { feePolicy, suggestFees } from "../../src/fees/fees.js";
import { historyBlocks, recentPriorityFee } from "../../src/fees/priority.js";

describe("the tip by fee history", () => {
  const rule = { percentile: 50, least: 10n, most: 1_000n };
  /** A chain whose node answers with this history. */
  const told = (history: unknown) =>
    recentPriorityFee(
      { network: networkById(1)!, endpoint: "test", provider: { send: () => Promise.resolve(history) } } as unknown as Chain,
      rule,
    );
  const hex = (...tips: number[]) => tips.map((t) => [`0x${t.toString(16)}`]);

  it("is the median over blocks that have transactions, within its bounds", async () => {
    expect(await told({ gasUsedRatio: [0.5, 0, 0.5, 0.5], reward: hex(30, 0, 90, 40) })).to.equal(40n);
    expect(await told({ gasUsedRatio: [0.5], reward: hex(3) })).to.equal(10n);
    expect(await told({ gasUsedRatio: [0.5], reward: hex(30_000) })).to.equal(1_000n);
    expect(await told({ gasUsedRatio: [0, 0], reward: hex(0, 0) })).to.equal(10n);
    const none = await told(null).catch((e: unknown) => e);
    expect(none).to.include({ code: "network" });
  });

  it("looks back about the same time on every network, within what providers answer", () => {
    expect([12_000, 2_000, 250, 200].map(historyBlocks)).to.deep.equal([5, 10, 80, 100]);
  });

  it("is what the configuration says: one amount, or two to stay between", () => {
    const network = { priorityFee: 5n, maxPriorityFee: null, maxFeePerGas: 100n };
    expect(feePolicy(network, 3)).to.deep.equal({ priorityFee: 5n, patienceBlocks: 3, maxFeePerGas: 100n });
    const between = { percentile: 50, least: 5n, most: 9n };
    expect(feePolicy({ ...network, maxPriorityFee: 9n }, 3).priorityFee).to.deep.equal(between);
  });

  it("follows what others paid on a chain", async () => {
    const conn = (await hardhat.create({ network: "default", chainType: "l1", override: { chainId: 1 } as any })) as any;
    const chain = await chainFromProvider(networkById(1)!, conn.ethers.provider, { local: true });
    const [signer] = await conn.ethers.getSigners();
    for (const tip of [100n, 500n, 300n, 200n, 400n])
      await signer.sendTransaction({ to: signer.address, maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: tip });
    const fees = await suggestFees(chain, { priorityFee: rule, patienceBlocks: 0, maxFeePerGas: null });
    expect(fees.maxPriorityFeePerGas).to.equal(300n);
    expect(fees.maxFeePerGas).to.equal(fees.nextBaseFee + 300n);
    await conn.close();
  });
});
