import { getAddress, type Interface, zeroPadValue } from "ethers";
import { arbitrumGatewayFacts } from "../config/arbitrum-gateway.js";
import { findToken, NETWORKS } from "../config/networks.js";
import { type ArbitrumGatewayData, gateway, router } from "./arbitrum-gateway-abi.js";
import { type ArbitrumWithdrawalData, WITHDRAWAL_SECONDS, withdrawals } from "./arbitrum-withdrawal.js";
import type { ChainView, TransferKey, Views } from "./bridge.js";
import { ask, blockAt, logsBetween } from "./logs.js";
import { blockBeforeOn } from "./scan.js";

const DEPOSIT_SECONDS = 900;

/**
 * Keys of every deposit and withdrawal of a registry's token that an account made by Arbitrum's gateways from a block on, out of the chain alone.
 * Tokens whose gateway the router no longer names are left out.
 */
export async function scanArbitrumGateway(
  sender: string,
  fromChainId: number,
  fromBlock: number,
  views: Views,
): Promise<TransferKey[]> {
  const source = views(fromChainId);
  const own = arbitrumGatewayFacts(fromChainId);
  if (own) return await scanWithdrawals(sender, source, fromBlock, views);
  const keys: TransferKey[] = [];
  const read = async (to: string, abi: Interface, fn: string, args: unknown[]): Promise<string | null> => {
    const answer = await ask(source, fn, source.provider.call({ to, data: abi.encodeFunctionData(fn, args) }));
    return answer === "0x" || BigInt(answer) === 0n ? null : getAddress(`0x${answer.slice(-40)}`);
  };
  for (const { chainId: toChainId } of NETWORKS) {
    const facts = arbitrumGatewayFacts(toChainId);
    if (facts?.l1ChainId !== fromChainId) continue;
    for (const symbol of facts.tokens) {
      const tokenIn = findToken(source.network, symbol)!.address;
      const l1Gateway = await read(facts.l1Router.address, router, "getGateway", [tokenIn]);
      if (l1Gateway === null) continue;
      const [l2Gateway, tokenOut] = [
        await read(l1Gateway, gateway, "counterpartGateway", []),
        await read(facts.l1Router.address, router, "calculateL2TokenAddress", [tokenIn]),
      ];
      if (l2Gateway === null || tokenOut === null) continue;
      const head = await ask(source, "its newest block", source.provider.getBlockNumber());
      const topics = [gateway.getEvent("DepositInitiated")!.topicHash, zeroPadValue(sender, 32).toLowerCase()];
      for (const log of await logsBetween(source, { address: l1Gateway, topics }, fromBlock, head)) {
        const { l1Token, to, amount } = gateway.parseLog(log)!.args as unknown as { l1Token: string; to: string; amount: bigint };
        // a gateway may carry several tokens
        if (l1Token !== tokenIn) continue;
        const began = (await blockAt(source, log.blockNumber)).timestamp;
        const data: ArbitrumGatewayData = {
          sender: getAddress(sender),
          recipient: getAddress(to),
          tokenIn,
          tokenOut,
          amountIn: String(amount),
          l1Gateway,
          l2Gateway,
          // of the start, which is behind us
          maxGas: "0",
          gasPrice: "0",
          submissionCost: "0",
          etaSeconds: String(DEPOSIT_SECONDS),
          sourceFrom: String(log.blockNumber),
          destinationFrom: String(await blockBeforeOn(views, toChainId, began)),
        };
        const id = `scan:${log.transactionHash}:${log.index}`;
        keys.push({ bridge: "arbitrum-gateway", fromChainId, toChainId, id, sourceTx: log.transactionHash, data });
      }
    }
  }
  return keys;
}

async function scanWithdrawals(sender: string, source: ChainView, fromBlock: number, views: Views): Promise<TransferKey[]> {
  const { chainId: fromChainId } = source.network;
  const facts = arbitrumGatewayFacts(fromChainId)!;
  const l1 = NETWORKS.find((n) => n.chainId === facts.l1ChainId)!;
  const keys: TransferKey[] = [];
  const read = async (to: string, abi: Interface, fn: string, args: unknown[]): Promise<string | null> => {
    const answer = await ask(source, fn, source.provider.call({ to, data: abi.encodeFunctionData(fn, args) }));
    return answer === "0x" || BigInt(answer) === 0n ? null : getAddress(`0x${answer.slice(-40)}`);
  };
  const head = await ask(source, "its newest block", source.provider.getBlockNumber());
  for (const symbol of facts.tokens) {
    const tokenOut = findToken(l1, symbol)!.address;
    const [l2Gateway, tokenIn] = [
      await read(facts.l2Router.address, router, "getGateway", [tokenOut]),
      await read(facts.l2Router.address, router, "calculateL2TokenAddress", [tokenOut]),
    ];
    const l1Gateway = l2Gateway && (await read(l2Gateway, gateway, "counterpartGateway", []));
    if (l2Gateway === null || l1Gateway === null || tokenIn === null) continue;
    const topics = [withdrawals.getEvent("WithdrawalInitiated")!.topicHash, zeroPadValue(sender, 32).toLowerCase()];
    for (const log of await logsBetween(source, { address: l2Gateway, topics }, fromBlock, head)) {
      const { l1Token, to, amount } = withdrawals.parseLog(log)!.args as unknown as {
        l1Token: string;
        to: string;
        amount: bigint;
      };
      if (l1Token !== tokenOut) continue;
      const began = (await blockAt(source, log.blockNumber)).timestamp;
      const data: ArbitrumWithdrawalData = {
        sender: getAddress(sender),
        recipient: getAddress(to),
        tokenIn,
        tokenOut,
        amountIn: String(amount),
        l1Gateway,
        l2Gateway,
        etaSeconds: String(WITHDRAWAL_SECONDS),
        sourceFrom: String(log.blockNumber),
        destinationFrom: String(await blockBeforeOn(views, l1.chainId, began)),
      };
      const id = `scan:${log.transactionHash}:${log.index}`;
      keys.push({ bridge: "arbitrum-gateway", fromChainId, toChainId: l1.chainId, id, sourceTx: log.transactionHash, data });
    }
  }
  return keys;
}
