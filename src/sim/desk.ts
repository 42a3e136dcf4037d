import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Wallet, hexlify, randomBytes } from "ethers";
import { ArbExecutor__factory, StepExecutor__factory } from "../../types/contracts/index.js";
import { type Chain, connectChain } from "../chain/connect.js";
import type { FeePolicy } from "../fees/fees.js";
import { Secret } from "../config/secrets.js";
import { type Artifact, deployExecutor } from "../deploy/deploy.js";
import { stepRecordName } from "../deploy/record.js";
import { SameChainExecutor } from "../execution/same-chain-executor.js";
import type { Journal } from "../journal/journal.js";
import { SlippageManager } from "../plan/slippage.js";
import { TransactionExecutor, nodeRoute } from "../submit/transaction-executor.js";
import { createKeystore } from "../wallet/keystore.js";
import { WalletManager } from "../wallet/wallet-manager.js";
import type { LocalChain } from "./chain.js";

/** A driver with everything it needs on one local chain, connected over JSON-RPC as to a real node. */
export interface Desk {
  local: LocalChain;
  chain: Chain;
  wallet: WalletManager;
  owner: string;
  executor: string;
  stepExecutor: string;
  driver: SameChainExecutor;
  close(): void;
}

const ETHER = 10n ** 18n;
/** Several chains may run in this process, and one of them may be busy with a transaction of another. */
const RPC_DEADLINE_MS = 20_000;
/** scrypt's cost in the local world, where keys are made for minutes and hold nothing. */
const LOCAL_SCRYPT_N = 1024;
const FEES: FeePolicy = { priorityFee: 1_000_000n, patienceBlocks: 2, maxFeePerGas: 1_000_000_000_000n };

/**
 * Makes an operator with an encrypted keystore, funds it, deploys the executor by the CREATE2 proxy, and gives it the one unit
 * of each token that an executor in use holds. Without a journal the desk does everything but send.
 */
export async function openDesk(local: LocalChain, journal: Journal | null): Promise<Desk> {
  const chain = await connectChain(local.network, [local.url], { local: true, pollMs: 20, timeoutMs: RPC_DEADLINE_MS });
  const folder = mkdtempSync(path.join(os.tmpdir(), "arb-desk-"));
  try {
    const keystore = path.join(folder, "operator.json");
    const password = new Secret(hexlify(randomBytes(16)));
    await createKeystore(keystore, password, { insecureScryptN: LOCAL_SCRYPT_N });
    const wallet = await WalletManager.fromKeystore(keystore, password);
    const owner = Wallet.createRandom().address;
    await local.fund(wallet.address, { eth: ETHER });
    const deployed = async (artifact: Artifact, name: string): Promise<string> => {
      const { deployment } = await deployExecutor({
        chain,
        wallet,
        artifact,
        arguments: { owner, operators: [wallet.address] },
        folder,
        name,
        fees: FEES,
        deadlineMs: 10_000,
        pollMs: 10,
      });
      await local.fund(deployment.address, { tokens: { WETH: 1n, USDC: 1n, DAI: 1n } });
      return deployment.address;
    };
    const name = `local-${local.network.name}`;
    const executor = await deployed(ArbExecutor__factory, name);
    const stepExecutor = await deployed(StepExecutor__factory, stepRecordName(name));
    const driver = new SameChainExecutor({
      chain,
      executor,
      stepExecutor,
      operator: wallet.address,
      transactions: journal && new TransactionExecutor(chain, wallet, nodeRoute(chain.provider), { journal }),
      slippage: new SlippageManager(),
      settings: {
        costMarginPpm: 100_000,
        minNetProfit: new Map(local.network.tokens.map((t) => [t.address, 10n ** BigInt(t.decimals) / 10_000n])),
        gasBufferPpm: 200_000,
        timeToLive: 60,
        watchMs: 15_000,
        pollMs: 10,
        funding: ["flash-swap", "balancer-v2", "uniswap-v4", "uniswap-v3-flash", "aave-v3", "own-balance"],
        maxGasCost: ETHER / 100n,
        fees: FEES,
      },
    });
    return { local, chain, wallet, owner, executor, stepExecutor, driver, close: () => chain.close() };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
