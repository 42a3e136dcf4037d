/** Two local chains as the bridges see them, and accounts that send what a bridge asks for. */
import { JsonRpcProvider, Network as EthersNetwork, type TransactionReceipt, Wallet } from "ethers";
import type { BridgeCall, ChainView, Views } from "../../src/bridges/bridge.js";
import type { LocalChain } from "../../src/sim/chain.js";
import type { LocalWorld } from "../../src/sim/world.js";

export interface TestViews {
  views: Views;
  provider(chainId: number): JsonRpcProvider;
  /** Blocks that stay unreliable behind each chain's head. 0 at first. */
  setDepth(chainId: number, blocks: number): void;
  close(): void;
}

export function viewsOf(world: LocalWorld): TestViews {
  const providers = new Map<number, JsonRpcProvider>();
  const depths = new Map<number, number>();
  const provider = (chainId: number): JsonRpcProvider => {
    const known = providers.get(chainId);
    if (known) return known;
    const network = new EthersNetwork("local", chainId);
    const made = new JsonRpcProvider(world.chain(chainId).url, network, {
      staticNetwork: true,
      cacheTimeout: -1,
      batchMaxCount: 1,
    });
    providers.set(chainId, made);
    return made;
  };
  const views: Views = (chainId): ChainView => ({
    network: world.chain(chainId).network,
    provider: provider(chainId),
    finalBlock: async () => BigInt((await provider(chainId).getBlockNumber()) - (depths.get(chainId) ?? 0)),
  });
  return {
    views,
    provider,
    setDepth: (chainId, blocks) => void depths.set(chainId, blocks),
    close: () => providers.forEach((p) => p.destroy()),
  };
}

/** An account with ETH and tokens on some chains; its address is the same everywhere. */
export async function richWallet(chains: LocalChain[], tokens: Record<string, bigint>): Promise<Wallet> {
  const wallet = new Wallet(Wallet.createRandom().privateKey);
  for (const chain of chains) await chain.fund(wallet.address, { eth: 10n ** 19n, tokens });
  return wallet;
}

/** Signs and sends calls one by one. Gives the last receipt (whether it succeeded or not) and the last raw transaction. */
export async function sendCalls(
  test: TestViews,
  wallet: Wallet,
  calls: BridgeCall[],
): Promise<{ receipt: TransactionReceipt; raw: string }> {
  let last: { receipt: TransactionReceipt; raw: string } | undefined;
  for (const { chainId, to, data, value } of calls) {
    const provider = test.provider(chainId);
    const block = (await provider.getBlock("latest"))!;
    const raw = await wallet.signTransaction({
      type: 2,
      chainId,
      nonce: await provider.getTransactionCount(wallet.address),
      to,
      data,
      value,
      gasLimit: 1_000_000n,
      maxFeePerGas: 3n * block.baseFeePerGas!,
      maxPriorityFeePerGas: 0n,
    });
    const hash = (await provider.send("eth_sendRawTransaction", [raw])) as string;
    const receipt = await provider.getTransactionReceipt(hash);
    if (!receipt) throw new Error(`the local chain did not mine ${hash} at once`);
    last = { receipt, raw };
  }
  if (!last) throw new Error("no calls");
  return last;
}

/** Moves a chain's clock and mines one block. */
export async function advance(chain: LocalChain, seconds: number): Promise<void> {
  await chain.rpc("evm_increaseTime", [`0x${seconds.toString(16)}`]);
  await chain.rpc("hardhat_mine", ["0x1"]);
}

export const clockOf = async (test: TestViews, chainId: number): Promise<number> =>
  (await test.provider(chainId).getBlock("latest"))!.timestamp;
