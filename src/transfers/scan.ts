/** Finds money of ours that is between networks or stranded, from chain state alone: the database may be gone. */
import { getAddress, type Log, toBeHex } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { bytes32, relayHash, spokePool } from "../bridges/across-abi.js";
import { depositIn } from "../bridges/across-key.js";
import type { ChainView } from "../bridges/bridge.js";
import { ask, logsBetween } from "../bridges/logs.js";
import { acrossFacts } from "../config/across.js";
import type { Token } from "../config/network.js";

const erc20 = IERC20__factory.createInterface();

/** Something of ours that a scan found. Amounts in base units. */
export interface Found {
  kind: "across-unfilled" | "across-expired" | "across-refund-credit" | "stranded-balance";
  chainId: number;
  toChainId: number | null;
  token: string;
  symbol: string;
  amount: bigint;
  /** Transaction that it began with. */
  txHash: string | null;
  ageSeconds: number | null;
  /** Unix seconds. */
  deadline: number | null;
  waitsFor: string;
}

export interface ScanOptions {
  account: string;
  views: ChainView[];
  /** How far back the chains are searched, seconds. */
  lookBackSeconds: number;
}

/** Deposits of the account that nobody has filled, refunds that wait to be claimed, and balances of listed tokens. Raises "network". */
export async function scanForFunds({ account, views, lookBackSeconds }: ScanOptions): Promise<Found[]> {
  const found: Found[] = [];
  for (const view of views) {
    found.push(...(await acrossDeposits(account, view, views, lookBackSeconds)));
    for (const token of view.network.tokens) {
      const credit = await refundCredit(account, view, token);
      if (credit !== null) found.push(credit);
      const balance = await word(
        view,
        `the balance of ${token.symbol}`,
        token.address,
        erc20.encodeFunctionData("balanceOf", [account]),
      );
      if (balance > 0n)
        found.push({
          kind: "stranded-balance",
          chainId: view.network.chainId,
          toChainId: null,
          token: token.address,
          symbol: token.symbol,
          amount: balance,
          txHash: null,
          ageSeconds: null,
          deadline: null,
          waitsFor: "nothing: it is in the account",
        });
    }
  }
  return found;
}

/** What a call gives; 0 where there is no contract. */
async function word(view: ChainView, what: string, to: string, data: string): Promise<bigint> {
  const answer = await ask(view, what, view.provider.call({ to, data }));
  return answer === "0x" ? 0n : BigInt(answer);
}

async function acrossDeposits(account: string, view: ChainView, views: ChainView[], lookBackSeconds: number): Promise<Found[]> {
  const { network, provider } = view;
  const facts = acrossFacts(network.chainId);
  if (!facts || (await ask(view, "the SpokePool", provider.getCode(facts.spokePool.address))) === "0x") return [];
  const head = await ask(view, "its newest block", provider.getBlock("latest"));
  if (!head) return [];
  const from = Math.max(0, head.number - Math.ceil((lookBackSeconds * 1000) / network.blockTimeMs));
  const topics = [spokePool.getEvent("FundsDeposited")!.topicHash, null, null, bytes32(getAddress(account)).toLowerCase()];
  const logs = await logsBetween(view, { address: facts.spokePool.address, topics }, from, head.number);
  const found: Found[] = [];
  for (const log of logs) {
    const open = await openDeposit(log, view, views);
    if (open !== null) found.push(open);
  }
  return found;
}

/** A deposit that is not filled on its destination; null where it is, or where that network is not set up. */
async function openDeposit(log: Log, view: ChainView, views: ChainView[]): Promise<Found | null> {
  const seen = depositIn(log, view.network.chainId);
  if (seen === null) return null;
  const { relay, destinationChainId: toChainId } = seen;
  const there = views.find((v) => v.network.chainId === toChainId);
  const pool = acrossFacts(toChainId)?.spokePool.address;
  if (!there || pool === undefined) return null;
  const data = spokePool.encodeFunctionData("fillStatuses", [relayHash(relay, toChainId)]);
  if (BigInt(await ask(there, "the fill", there.provider.call({ to: pool, data }))) === 2n) return null;
  const block = await ask(view, "the deposit's block", view.provider.getBlock(log.blockNumber));
  const now = (await ask(there, "its newest block", there.provider.getBlock("latest")))?.timestamp ?? 0;
  const expired = now > Number(relay.fillDeadline);
  const token = view.network.tokens.find((t) => t.address === relay.inputToken);
  return {
    kind: expired ? "across-expired" : "across-unfilled",
    chainId: view.network.chainId,
    toChainId,
    token: relay.inputToken,
    symbol: token?.symbol ?? toBeHex(relay.inputToken),
    amount: relay.inputAmount,
    txHash: log.transactionHash,
    ageSeconds: block ? Math.max(0, now - block.timestamp) : null,
    deadline: Number(relay.fillDeadline),
    waitsFor: expired
      ? "the refund on the source network (unless it was paid already: look at the balance there)"
      : "a relayer's fill",
  };
}

async function refundCredit(account: string, view: ChainView, token: Token): Promise<Found | null> {
  const pool = acrossFacts(view.network.chainId)?.spokePool.address;
  if (pool === undefined) return null;
  const data = spokePool.encodeFunctionData("getRelayerRefund", [token.address, account]);
  const amount = await word(view, "refund credits", pool, data);
  if (amount === 0n) return null;
  return {
    kind: "across-refund-credit",
    chainId: view.network.chainId,
    toChainId: null,
    token: token.address,
    symbol: token.symbol,
    amount,
    txHash: null,
    ageSeconds: null,
    deadline: null,
    waitsFor: "our claim: claimRelayerRefund of the SpokePool",
  };
}
