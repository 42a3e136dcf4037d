/** Local chains with their tokens and Multicall3 and nothing else: up in a second, for what needs no market. */
import { BrowserProvider, type TransactionReceipt } from "ethers";
import type { BridgeCall, ChainView, Views } from "../../src/bridges/bridge.js";
import type { Network } from "../../src/config/network.js";
import { findToken, networkById } from "../../src/config/networks.js";
import { arbitrumNode } from "../../src/sim/arbitrum-node.js";
import { localAccounts, startNode } from "../../src/sim/node.js";
import { placeMulticall3 } from "../../src/sim/protocols/common.js";
import { give, placeTokens } from "../../src/sim/protocols/tokens.js";
import type { Rpc, Site } from "../../src/sim/site.js";

export interface BareChain extends Site {
  provider: BrowserProvider;
  /** Blocks that stay unreliable behind the head; 0 at first. */
  depth: number;
  mine(blocks: number, seconds?: number): Promise<void>;
  /** Address of a token of the registry. */
  token(symbol: string): string;
  give(symbol: string, to: string, amount: bigint): Promise<void>;
}

export interface BareChains {
  of(chainId: number): BareChain;
  views: Views;
  /** Sends calls one by one from an unlocked account; gives the last receipt, whether it succeeded or not. */
  send(from: string, calls: BridgeCall[]): Promise<TransactionReceipt>;
  close(): Promise<void>;
}

/** Unlocked accounts with ETH on every chain. */
export const ACCOUNTS = localAccounts().map((a) => a.address);

export async function startBareChains(chainIds: number[]): Promise<BareChains> {
  const started = await Promise.all(chainIds.map(startOne));
  const of = (chainId: number): BareChain => started.find((s) => s.chain.network.chainId === chainId)!.chain;
  return {
    of,
    views: (chainId): ChainView => {
      const { network, provider } = of(chainId);
      const finalBlock = async () => BigInt(Math.max(0, (await provider.getBlockNumber()) - of(chainId).depth));
      return { network, provider, finalBlock };
    },
    send: async (from, calls) => {
      let last: TransactionReceipt | null = null;
      for (const { chainId, to, data, value } of calls) {
        const { rpc, provider } = of(chainId);
        const tx = { from, to, data, value: `0x${value.toString(16)}`, gas: "0x1e8480", maxFeePerGas: "0xe8d4a51000" };
        const hash = await rpc<string>("eth_sendTransaction", [{ ...tx, maxPriorityFeePerGas: "0x0" }]);
        last = await provider.getTransactionReceipt(hash);
      }
      return last!;
    },
    close: async () => {
      for (const { chain, close } of started) {
        chain.provider.destroy();
        await close();
      }
    },
  };
}

async function startOne(chainId: number): Promise<{ chain: BareChain; close: () => Promise<void> }> {
  const network: Network = networkById(chainId)!;
  const simulated = await startNode(network);
  const node = network.stack === "arbitrum" ? arbitrumNode(simulated) : simulated;
  const rpc: Rpc = async <T>(method: string, params: readonly unknown[] = []) => (await node.request(method, [...params])) as T;
  const site: Site = { network, rpc, owner: ACCOUNTS.at(-2)!, trader: ACCOUNTS.at(-1)! };
  const request = ({ method, params }: { method: string; params?: unknown[] | Record<string, unknown> }) =>
    node.request(method, (params ?? []) as unknown[]);
  await placeMulticall3(site);
  await placeTokens(site);
  const chain: BareChain = {
    ...site,
    provider: new BrowserProvider({ request }, chainId, { cacheTimeout: -1, staticNetwork: true }),
    depth: 0,
    mine: async (blocks, seconds = 0) => {
      if (seconds > 0) await rpc("evm_increaseTime", [`0x${seconds.toString(16)}`]);
      await rpc("hardhat_mine", [`0x${blocks.toString(16)}`]);
    },
    token: (symbol) => findToken(network, symbol)!.address,
    give: async (symbol, to, amount) => await give(site, findToken(network, symbol)!, to, amount),
  };
  return { chain, close: async () => await node.close() };
}
