import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect } from "chai";
import { network as hardhat } from "hardhat";
import { chainFromProvider } from "../../src/chain/connect.js";
import { networkById } from "../../src/config/networks.js";
import { Secret } from "../../src/config/secrets.js";
import {
  CREATE2_PROXY_CODE,
  deployExecutor,
  type DeployRequest,
  EXECUTOR,
  planDeployment,
  VAULT,
  vaultRecord,
} from "../../src/deploy/deploy.js";
import { rejection } from "../helpers/rejection.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { ArbVault__factory } from "../../types/contracts/index.js";

const wallet = new WalletManager(new Secret("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"));
const owner = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const args = { owner, operators: [wallet.address] };

describe("deployment of the vault", function () {
  it("fits into a contract, and has one address on every network, which is its own", async function () {
    const folder = mkdtempSync(path.join(os.tmpdir(), "deploy-"));
    try {
      const addresses = new Set<string>();
      for (const chainId of [1, 10, 42161]) {
        const network = networkById(chainId)!;
        const chainType = network.stack === "op" ? "op" : network.stack === "l1" ? "l1" : "generic";
        const connection = await hardhat.create({ network: "default", chainType, override: { chainId } as never });
        const chain = await chainFromProvider(network, connection.ethers.provider as never, { local: true });
        const proxy = network.create2Proxy.address;
        await connection.provider.request({ method: "hardhat_setCode", params: [proxy, CREATE2_PROXY_CODE] });
        const request: DeployRequest = {
          chain,
          wallet,
          artifact: ArbVault__factory,
          kind: VAULT,
          arguments: args,
          folder,
          name: vaultRecord(network.name),
          fees: { priorityFee: 1n, patienceBlocks: 3, maxFeePerGas: null },
          deadlineMs: 10_000,
          pollMs: 5,
        };
        const { deployment, sent } = await deployExecutor(request);
        expect(sent).to.equal(true);
        addresses.add(deployment.address);
        const vault = ArbVault__factory.connect(deployment.address, chain.provider);
        expect([await vault.owner(), await vault.isOperator(wallet.address), await vault.stopped()]).to.deep.equal([
          owner,
          true,
          false,
        ]);
        expect(await deployExecutor(request)).to.deep.equal({ deployment, sent: false });
        const other = { ...request, arguments: { ...args, operators: ["0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"] } };
        expect((await rejection(deployExecutor(other))).message).to.include("another vault is recorded");
        await connection.close();
      }
      expect(addresses.size).to.equal(1);
      const proxy = networkById(1)!.create2Proxy.address;
      expect(addresses.has(planDeployment(ArbVault__factory, args, proxy, EXECUTOR).address)).to.equal(false);
      expect(readdirSync(folder).toSorted()).to.deep.equal(["arbitrum-vault.json", "ethereum-vault.json", "optimism-vault.json"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
