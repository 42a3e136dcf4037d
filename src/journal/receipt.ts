import { dataSlice, getAddress, id, Transaction } from "ethers";
import { chargedFee, type FeeReceipt } from "../fees/charged.js";
import type { Network } from "../config/network.js";

/** Requests to a node, as any ethers provider of JSON-RPC takes them. */
export interface Requests {
  send(method: string, params: unknown[]): Promise<unknown>;
}

/** A receipt as the journal needs it. Amounts in wei. */
export interface LandedReceipt {
  hash: string;
  blockNumber: number;
  blockHash: string;
  succeeded: boolean;
  gasUsed: bigint;
  /** gasUsed times the price that was paid. On Arbitrum the L1 part is in it. */
  gas: bigint;
  /** OP stack: what was paid for the data on L1. */
  l1Fee: bigint;
  /** OP stack: what was paid to the chain's operator. */
  operatorFee: bigint;
  logs: { address: string; topics: string[]; data: string }[];
}

interface RawReceipt extends FeeReceipt {
  transactionHash: string;
  blockNumber: string;
  blockHash: string;
  status: string;
  logs: { address: string; topics: string[]; data: string }[];
}

/** Reads a receipt with the fields that ethers drops; null where the node has none. */
export async function readReceipt(provider: Requests, hash: string): Promise<LandedReceipt | null> {
  const raw = (await provider.send("eth_getTransactionReceipt", [hash])) as RawReceipt | null;
  if (!raw?.blockHash) return null;
  if (raw.transactionHash.toLowerCase() !== hash) throw new Error("the node gave the receipt of another transaction");
  const { wei, executionWei, operatorWei } = chargedFee(raw);
  return {
    hash,
    blockNumber: Number(raw.blockNumber),
    blockHash: raw.blockHash,
    succeeded: BigInt(raw.status) === 1n,
    gasUsed: BigInt(raw.gasUsed),
    gas: executionWei,
    // on Arbitrum the data's share is in the execution
    l1Fee: wei - executionWei - operatorWei,
    operatorFee: operatorWei,
    logs: raw.logs,
  };
}

export type EntryKind = "gas" | "l1-fee" | "operator-fee" | "value" | "transfer" | "wrap";

/** How a transaction changed one balance, base units. */
export interface Entry {
  /** In lower case. */
  holder: string;
  /** "native", or the token's address in lower case. */
  asset: string;
  kind: EntryKind;
  amount: bigint;
}

const TRANSFER = id("Transfer(address,address,uint256)");
const DEPOSIT = id("Deposit(address,uint256)");
const WITHDRAWAL = id("Withdrawal(address,uint256)");

/**
 * What a landed transaction changed for its account and for the contract that it worked through: fees, value, and by logs the tokens.
 * A reverted one pays fees only. ETH that a contract sends within a transaction leaves no log and is not in it. Any contract may log
 * anything: what is no amount, or adds up to more than a balance can hold, is no money and must not stop the books.
 */
export function entriesOf(receipt: LandedReceipt, raw: string, network: Network, holders: string[]): Entry[] {
  const transaction = Transaction.from(raw);
  const account = (transaction.from ?? "").toLowerCase();
  const own = new Set([account, ...holders.map((h) => h.toLowerCase())]);
  const totals = new Map<string, Entry>();
  const add = (holder: string, asset: string, kind: EntryKind, amount: bigint) => {
    if (!own.has(holder) || amount === 0n) return;
    const key = `${holder} ${asset} ${kind}`;
    const entry = totals.get(key) ?? { holder, asset, kind, amount: 0n };
    entry.amount += amount;
    totals.set(key, entry);
  };
  add(account, "native", "gas", -receipt.gas);
  add(account, "native", "l1-fee", -receipt.l1Fee);
  add(account, "native", "operator-fee", -receipt.operatorFee);
  if (receipt.succeeded) {
    add(account, "native", "value", -transaction.value);
    if (transaction.to !== null) add(transaction.to.toLowerCase(), "native", "value", transaction.value);
    for (const log of receipt.logs) {
      const asset = log.address.toLowerCase();
      const [topic, first, second] = log.topics;
      if (!/^0x[0-9a-f]{64}$/i.test(log.data)) continue;
      const amount = BigInt(log.data);
      if (topic === TRANSFER && log.topics.length === 3 && first !== undefined && second !== undefined) {
        add(addressIn(first), asset, "transfer", -amount);
        add(addressIn(second), asset, "transfer", amount);
      }
      if (asset !== network.wrappedNative.toLowerCase() || log.topics.length !== 2 || first === undefined) continue;
      if (topic === DEPOSIT) add(addressIn(first), asset, "wrap", amount);
      if (topic === WITHDRAWAL) add(addressIn(first), asset, "wrap", -amount);
    }
  }
  return [...totals.values()].filter((e) => e.amount !== 0n && e.amount < LIMIT && e.amount > -LIMIT);
}

const LIMIT = 1n << 256n;

const addressIn = (topic: string): string => getAddress(dataSlice(topic, 12)).toLowerCase();
