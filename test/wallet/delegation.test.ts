import { expect } from "chai";
import { Wallet } from "ethers";
import { network as hardhat } from "hardhat";
import { type Chain, chainFromProvider } from "../../src/chain/connect.js";
import { networkById } from "../../src/config/networks.js";
import { refuseDelegated } from "../../src/wallet/delegation.js";

describe("EIP-7702", () => {
  it("is refused on our accounts: a delegation by a real transaction, also while it waits; and any other code", async () => {
    const connection: any = await hardhat.create({ network: "default", override: { chainId: 1 } as any });
    const { provider } = connection.ethers;
    const chain: Chain = await chainFromProvider(networkById(1)!, provider, { local: true });
    const rpc = (method: string, params: unknown[]): Promise<unknown> => connection.provider.request({ method, params });
    const account = Wallet.createRandom(provider);
    await refuseDelegated(chain, account.address);

    const contract = `0x${"77".repeat(20)}`;
    const [funder] = await connection.ethers.getSigners();
    const { chainId } = await provider.getNetwork();
    const authorization = await account.authorize({ address: contract, nonce: 0, chainId });
    const refusal = () => refuseDelegated(chain, account.address).catch((e: Error) => e);
    const { baseFeePerGas } = (await provider.getBlock("latest"))!;
    const sender = new Wallet(`0x${"33".repeat(32)}`, provider);
    await (await funder.sendTransaction({ to: sender.address, value: 10n ** 18n })).wait();
    await rpc("evm_setAutomine", [false]);
    const fees = { maxFeePerGas: baseFeePerGas! * 3n, maxPriorityFeePerGas: 1n, gasLimit: 200_000n };
    await sender.sendTransaction({ type: 4, to: contract, authorizationList: [authorization], nonce: 0, chainId, ...fees });
    expect(await refusal(), "pending").to.include({ code: "secrets" });
    await rpc("evm_mine", []);
    await rpc("evm_setAutomine", [true]);
    expect(await provider.getCode(account.address)).to.equal(`0xef0100${contract.slice(2)}`);
    const error = (await refusal()) as Error;
    expect(error.message)
      .to.include(account.address)
      .and.include(contract)
      .and.match(/EIP-7702/);

    await rpc("hardhat_setCode", [funder.address, "0x6000"]);
    expect(await refuseDelegated(chain, funder.address).catch((e: Error) => e.message)).to.match(/is a contract/);
    await connection.close();
  });
});
