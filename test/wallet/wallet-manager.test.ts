import { expect } from "chai";
import { Transaction } from "ethers";
import { network as hardhat } from "hardhat";
import { type Chain, chainFromProvider } from "../../src/chain/connect.js";
import { networkById } from "../../src/config/networks.js";
import { Secret } from "../../src/config/secrets.js";
import { type FullTransaction, WalletManager } from "../../src/wallet/wallet-manager.js";
import { textOf } from "../config/packages.js";

const wallet = new WalletManager(new Secret("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"));
const MULTICALL3_CODE = (): string =>
  /multicall3Bytecode\s*=\s*'(0x[0-9a-f]+)'/.exec(textOf("viem@2.57.20:_esm/constants/contracts.js"))![1]!;

/** Runtime code that answers every call with one word. */
const returning = (v: bigint): string => `0x7f${v.toString(16).padStart(64, "0")}60005260206000f3`;

async function localChain(
  chainId: number,
): Promise<{ chain: Chain; conn: any; setCode: (a: string, code: string) => Promise<unknown> }> {
  const conn: any = await hardhat.create({
    network: "default",
    chainType: chainId === 10 || chainId === 8453 ? "op" : "generic",
    override: { chainId } as any,
  });
  const chain = await chainFromProvider(networkById(chainId)!, conn.ethers.provider, { local: true });
  return { chain, conn, setCode: (a, code) => conn.provider.request({ method: "hardhat_setCode", params: [a, code] }) };
}

describe("WalletManager", () => {
  for (const chainId of [1, 42161, 10, 8453])
    it(`reads balances in human units on chain ${chainId}, with and without Multicall3`, async () => {
      const { chain, conn, setCode } = await localChain(chainId);
      const { network } = chain;
      await conn.provider.request({
        method: "hardhat_setBalance",
        params: [wallet.address, `0x${(15n * 10n ** 17n).toString(16)}`],
      });
      await setCode(network.tokens[0]!.address, returning(25n * 10n ** 16n));
      await setCode(network.tokens[1]!.address, returning(20_500_000n));
      await setCode(network.tokens[2]!.address, "0x60006000fd"); // reverts
      const expected = ["0.25 WETH", "20.5 USDC", "unknown", "unknown", "unknown"];
      const singly = await wallet.balances(chain);
      expect(singly.native.text).to.equal("1.5 ETH");
      expect(singly.tokens.map((t) => t.text)).to.deep.equal(expected);

      const [signer] = await conn.ethers.getSigners();
      const deployed = await (await signer.sendTransaction({ data: MULTICALL3_CODE() })).wait();
      await setCode(network.multicall3.address, await chain.provider.getCode(deployed.contractAddress));
      await conn.provider.request({
        method: "hardhat_setBalance",
        params: [wallet.address, `0x${(15n * 10n ** 17n).toString(16)}`],
      });
      const together = await wallet.balances(chain);
      expect({ ...together, blockNumber: 0 }).to.deep.equal({ ...singly, blockNumber: 0 });
      expect(together.blockNumber).to.equal(await chain.provider.getBlockNumber());
      expect(together.tokens[2]!.amount).to.equal(null);
      await conn.close();
    });

  it("adds the buffer to gas estimates, stops at the network's cap and says why it cannot", async () => {
    const { chain, conn, setCode } = await localChain(1);
    const target = `0x${"77".repeat(20)}`;
    const tx = { to: target, data: "0x" };
    const estimate = await chain.provider.estimateGas({ ...tx, from: wallet.address });
    expect(await wallet.gasLimit(chain, tx)).to.equal((estimate * 12n + 9n) / 10n);
    expect(await wallet.gasLimit(chain, tx, 0)).to.equal(estimate);
    const capped = { ...chain, network: { ...chain.network, transactionGasCap: Number(estimate) + 1 } };
    expect(await wallet.gasLimit(capped, tx)).to.equal(estimate + 1n);
    const tooLow = { ...chain, network: { ...chain.network, transactionGasCap: 20_000 } };
    expect(await wallet.gasLimit(tooLow, tx).catch((e: Error) => e)).to.include({ code: "refused" });
    await setCode(target, "0x60006000fd");
    expect(await wallet.gasLimit(chain, tx).catch((e: Error) => e)).to.include({ code: "reverted" });
    await conn.close();
  });

  const full: FullTransaction = {
    chainId: 8453,
    nonce: 7,
    to: `0x${"11".repeat(20)}`,
    data: "0xabcd",
    value: 1n,
    gasLimit: 100_000n,
    maxFeePerGas: 2_000n,
    maxPriorityFeePerGas: 3n,
  };

  it("signs exactly the given transaction, deterministically and with no provider", () => {
    const signed = wallet.sign(full);
    const read = Transaction.from(signed.raw);
    expect(read.from).to.equal(wallet.address);
    expect(read.hash).to.equal(signed.hash);
    expect({ ...full, chainId: 8453n }).to.deep.equal({
      chainId: read.chainId,
      nonce: read.nonce,
      to: read.to!.toLowerCase(),
      data: read.data,
      value: read.value,
      gasLimit: read.gasLimit,
      maxFeePerGas: read.maxFeePerGas,
      maxPriorityFeePerGas: read.maxPriorityFeePerGas,
    });
    expect(wallet.sign(full)).to.deep.equal(signed);
  });

  it("signs what the chain accepts", async () => {
    const { chain, conn } = await localChain(42161);
    const nonce = await chain.provider.getTransactionCount(wallet.address);
    const signed = wallet.sign({ ...full, chainId: 42161, nonce, data: "0x", maxFeePerGas: 10n ** 10n });
    await chain.provider.broadcastTransaction(signed.raw);
    expect((await chain.provider.getTransactionReceipt(signed.hash))!.status).to.equal(1);
    await conn.close();
  });

  const refused: [Partial<FullTransaction>, RegExp][] = [
    [{ chainId: 0 }, /chainId/],
    [{ nonce: -1 }, /nonce/],
    [{ nonce: undefined as any }, /nonce/],
    [{ to: null, data: "0x" }, /neither receiver nor code/],
    [{ gasLimit: 20_999n }, /below 21000/],
    [{ gasLimit: 16_777_217n }, /cap of 16777216/],
    [{ maxPriorityFeePerGas: 2_001n }, /higher than the fee cap/],
    [{ maxFeePerGas: 0n, maxPriorityFeePerGas: 0n }, /fee/],
    [{ value: -1n }, /negative/],
  ];
  for (const [change, message] of refused)
    it(`refuses to sign ${JSON.stringify(change, (_, v: unknown) => (typeof v === "bigint" ? `${v}` : v))}`, () => {
      expect(() => wallet.sign({ ...full, ...change })).to.throw(message);
    });
});
