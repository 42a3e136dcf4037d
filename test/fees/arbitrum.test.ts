import { expect } from "chai";
import { JsonRpcProvider, toBeHex, toQuantity, Wallet } from "ethers";
import { network as hardhat } from "hardhat";
import { type Chain, chainFromProvider, connectChain } from "../../src/chain/connect.js";
import { networkById } from "../../src/config/networks.js";
import { NODE_INTERFACE } from "../../src/fees/arbitrum.js";
import { chargedFee, type FeeReceipt } from "../../src/fees/charged.js";
import { dataFee } from "../../src/fees/fees.js";
import { L2_OFFSET } from "../../src/sim/arbitrum-node.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { LocalArbSys__factory } from "../../types/contracts/index.js";

const ARB_SYS = "0x0000000000000000000000000000000000000064";
const TO = `0x${"11".repeat(20)}`;

describe("Arbitrum's data fee", () => {
  let conn: any;
  let chain: Chain;
  const tx = { chainId: 42161, to: TO, data: "0x1234", nonce: 1, gasLimit: 100_000n, maxFeePerGas: 1n, type: 2 };
  const word = (v: bigint): string => toBeHex(v, 32).slice(2);
  /** Runtime code that answers every call with the given words. */
  const answering = (...words: bigint[]): string =>
    `0x${words.map((w, i) => `7f${word(w)}60${(i * 32).toString(16).padStart(2, "0")}52`).join("")}60${(words.length * 32).toString(16).padStart(2, "0")}6000f3`;
  const failed = () =>
    dataFee(chain, tx).then(
      () => null,
      (e: unknown) => e,
    );
  before(async () => {
    conn = await hardhat.create({ network: "default", chainType: "generic", override: { chainId: 42161 } as any });
    chain = await chainFromProvider(networkById(42161)!, conn.ethers.provider, { local: true });
  });
  after(async () => await conn.close());
  const node = (code: string) => conn.provider.request({ method: "hardhat_setCode", params: [NODE_INTERFACE, code] });

  it("is gas, by NodeInterface: all of it and the part for data", async () => {
    await node(answering(90_000n, 4_321n, 1n, 1n));
    expect(await dataFee(chain, tx)).to.deep.equal({ l1FeeWei: 0n, operatorFeeWei: 0n, gas: 90_000n, l1Gas: 4_321n });
  });

  it("is unknown, not nothing, where the node has no NodeInterface or reverts", async () => {
    await node("0x");
    expect(await failed()).to.include({ code: "network" });
    await node("0x600080fd");
    expect(await failed()).to.include({ code: "reverted" });
  });

  it("stands inside the gas of a receipt, and is not paid twice", () => {
    const receipt: FeeReceipt = { gasUsed: "0x186a0", effectiveGasPrice: "0xa", gasUsedForL1: "0x2710" };
    expect(chargedFee(receipt)).to.deep.equal({ wei: 1_000_000n, executionWei: 1_000_000n, l1Wei: 100_000n, operatorWei: 0n });
  });
});

describe("a local Arbitrum", () => {
  let local: LocalChain;
  let provider: JsonRpcProvider;
  const arbSys = () => LocalArbSys__factory.connect(ARB_SYS, provider);
  /** Runtime code that returns block.number, or with it the hash of the block before. */
  const NUMBER_CODE = "0x4360005260206000f3";
  const HASH_CODE = "0x6000354060005260206000f3";
  const at = (n: number) => `0x${n.toString(16).padStart(40, "0")}`;

  before(async () => {
    local = await startLocalChain(42161);
    provider = new JsonRpcProvider(local.url, undefined, { staticNetwork: true, cacheTimeout: -1 });
    await local.rpc("hardhat_setCode", [at(0xaaaa), NUMBER_CODE]);
    await local.rpc("hardhat_setCode", [at(0xbbbb), HASH_CODE]);
    await local.rpc("evm_mine");
  });
  after(async () => {
    provider.destroy();
    await local.close();
  });

  it("counts blocks of the L2 in JSON-RPC and ArbSys, and others in block.number", async () => {
    const number = BigInt(await provider.getBlockNumber());
    expect(number > L2_OFFSET).to.equal(true);
    expect(await arbSys().arbBlockNumber()).to.equal(number);
    expect(BigInt(await provider.call({ to: at(0xaaaa) }))).to.equal(number - L2_OFFSET);
    const block = await provider.send("eth_getBlockByNumber", [toQuantity(number), false]);
    expect(BigInt(block.number)).to.equal(number);
    expect(BigInt(block.l1BlockNumber)).to.equal(number - L2_OFFSET);
    expect(await provider.send("eth_getBlockByNumber", [toQuantity(number - L2_OFFSET), false])).to.equal(null);
  });

  it("has the hashes of its blocks in ArbSys, and none of them under their numbers in blockhash", async () => {
    const number = await provider.getBlockNumber();
    const parent = (await provider.getBlock(number - 1))!;
    expect(await arbSys().arbBlockHash(number - 1)).to.equal(parent.hash);
    expect(BigInt(await provider.call({ to: at(0xbbbb), data: toBeHex(number - 1, 32) }))).to.equal(0n);
    const outside = await arbSys()
      .arbBlockHash(number)
      .catch((e: Error) => e);
    expect(outside).to.be.instanceOf(Error);
  });

  it("numbers receipts, transactions, logs, filters and history alike", async () => {
    const wallet = new Wallet(local.keys[0]!, provider);
    const sent = await wallet.sendTransaction({ to: TO, value: 1n });
    const receipt = await provider.send("eth_getTransactionReceipt", [sent.hash]);
    const number = await provider.getBlockNumber();
    expect(Number(receipt.blockNumber)).to.equal(number);
    expect(receipt).to.include({ gasUsedForL1: "0x0", timeboosted: false });
    expect((await provider.getTransaction(sent.hash))!.blockNumber).to.equal(number);
    await local.fund(TO, { tokens: { USDC: 5n } });
    const after = await provider.getBlockNumber();
    const logs = await provider.getLogs({ fromBlock: number + 1, toBlock: after });
    expect(logs.length).to.be.greaterThan(0);
    for (const log of logs) expect(log.blockNumber).to.be.within(number + 1, after);
    expect((await provider.getLogs({ fromBlock: 0, toBlock: 5 })).every((l) => BigInt(l.blockNumber) > L2_OFFSET)).to.equal(true);
    expect(Number((await provider.send("eth_feeHistory", ["0x2", toQuantity(after), []])).oldestBlock)).to.equal(after - 1);
    expect(await provider.getBalance(TO, number)).to.equal(1n);
    expect(await provider.getBalance(TO, number - 1)).to.equal(0n);
  });

  it("estimates gas with a part for data, the same in eth_estimateGas and NodeInterface", async () => {
    const chain = await connectChain(local.network, [local.url], { local: true });
    const tx = { to: TO, data: `0x${"00ff".repeat(200)}`, from: local.accounts[0]! };
    const [estimate, fee] = await Promise.all([provider.estimateGas(tx), dataFee(chain, tx)]);
    expect(fee.gas).to.equal(estimate);
    expect(fee.l1Gas > 1_000n && fee.l1Gas < estimate).to.equal(true);
    chain.close();
  });
});
