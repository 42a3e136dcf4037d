import path from "node:path";
import os from "node:os";
import { createHardhatRuntimeEnvironment } from "hardhat/hre";
import type { HardhatRuntimeEnvironment } from "hardhat/types/hre";
import { HDNodeWallet, Mnemonic } from "ethers";
import type { Network } from "../config/network.js";
import type { RpcBackend } from "./server.js";

/** A simulated chain in this process, empty but for its funded accounts. */
export interface LocalNode extends RpcBackend {
  close(): Promise<void>;
}

export interface LocalAccount {
  address: string;
  privateKey: string;
}

const ETHER = 10n ** 18n;
/** The phrase that every development chain knows. Never send anything of value to its accounts. */
const PHRASE = "test test test test test test test test test test test junk";

let environment: Promise<HardhatRuntimeEnvironment> | undefined;
let accounts: LocalAccount[] | undefined;

/** The ten unlocked accounts of every local chain. */
export function localAccounts(): LocalAccount[] {
  if (!accounts) {
    const root = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(PHRASE), "m/44'/60'/0'/0");
    accounts = Array.from({ length: 10 }, (_, i) => root.deriveChild(i)).map(({ address, privateKey }) => ({
      address,
      privateKey,
    }));
  }
  return accounts;
}

/** Starts a chain with the network's chain id, rules and transaction gas cap. Every transaction is mined at once. */
export async function startNode(network: Network): Promise<LocalNode> {
  environment ??= createEnvironment();
  const hre = await environment;
  const connection = await hre.network.create({
    network: "local",
    chainType: network.stack === "arbitrum" ? "generic" : network.stack,
    override: {
      chainId: network.chainId,
      accounts: localAccounts().map(({ privateKey }) => ({ privateKey, balance: 10_000n * ETHER })),
      transactionGasCap: network.transactionGasCap ?? false,
      // set-up mines hundreds of blocks in a second; without this the chain's clock would run ahead of the real one
      allowBlocksWithSameTimestamp: true,
      initialBaseFeePerGas: 1_000_000_000n,
      // as real nodes do: the hash of a transaction that reverts is still its hash
      throwOnTransactionFailures: false,
    },
  });
  const { provider } = connection;
  return {
    request: async (method, params) => await provider.request({ method, params }),
    onNotification: (listener) => {
      provider.on("notification", listener);
      return () => void provider.removeListener("notification", listener);
    },
    close: async () => await connection.close(),
  };
}

/**
 * A Hardhat environment of our own, so that it works outside any Hardhat task and, inside one, reads no artifacts and writes
 * no files of the project.
 */
async function createEnvironment(): Promise<HardhatRuntimeEnvironment> {
  const nowhere = path.join(os.tmpdir(), "arb-local-world");
  return await createHardhatRuntimeEnvironment(
    {
      paths: {
        artifacts: path.join(nowhere, "artifacts"),
        cache: path.join(nowhere, "cache"),
        sources: path.join(nowhere, "contracts"),
      },
      networks: { local: { type: "edr-simulated", chainType: "generic" } },
    },
    {},
    import.meta.dirname,
  );
}
