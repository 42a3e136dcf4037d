import type { Block, Log, TransactionReceipt } from "ethers";
import { classifyNodeError } from "../chain/errors.js";
import { beforeDeadline } from "../chain/receipts.js";
import { ArbError } from "../errors.js";
import type { ChainView } from "./bridge.js";

/** Blocks per eth_getLogs; endpoints that allow fewer are asked in halves, down to the least. */
const CHUNK = 10_000;
const LEAST_CHUNK = 500;
const READ_DEADLINE_MS = 15_000;

/** A read with a deadline. Throws ArbError "network" when the node does not answer it: what it would have said is unknown. */
export async function ask<T>(view: ChainView, what: string, read: Promise<T>): Promise<T> {
  try {
    return await beforeDeadline(read, READ_DEADLINE_MS);
  } catch (error) {
    if (error instanceof ArbError) throw error;
    const { kind, message } = classifyNodeError(error);
    throw new ArbError("network", `${view.network.title} does not answer ${what} (${kind}: ${message})`, {
      where: view.network.name,
      hint: "the transfer's state is unknown until an endpoint answers; nothing needs to be done",
    });
  }
}

/** Logs of a contract from one block to another, both included, in order, however small a range the endpoint allows. */
export async function logsBetween(
  view: ChainView,
  filter: { address: string; topics: (string | null)[] },
  from: number,
  to: number,
): Promise<Log[]> {
  const found: Log[] = [];
  let chunk = CHUNK;
  for (let at = Math.max(from, 0); at <= to;) {
    const end = Math.min(at + chunk - 1, to);
    try {
      const range = { ...filter, fromBlock: at, toBlock: end };
      found.push(...(await ask(view, `logs of ${filter.address}`, view.provider.getLogs(range))));
      at = end + 1;
    } catch (error) {
      if (chunk <= LEAST_CHUNK) throw error;
      chunk = Math.max(LEAST_CHUNK, Math.floor(chunk / 2));
    }
  }
  return found;
}

/** A block that must be there. Throws ArbError "network" when the node does not have it. */
export async function blockAt(view: ChainView, number: number): Promise<Block> {
  const block = await ask(view, `block ${number}`, view.provider.getBlock(number));
  if (!block) throw missing(view, `block ${number}`);
  return block;
}

/** The receipt that a log stands in. Throws ArbError "network" when the node no longer has it in the log's block. */
export async function receiptOf(view: ChainView, log: Log): Promise<TransactionReceipt> {
  const hash = log.transactionHash;
  const receipt = await ask(view, `the receipt of ${hash}`, view.provider.getTransactionReceipt(hash));
  if (receipt?.blockHash !== log.blockHash) throw missing(view, `the receipt of ${hash} in its block`);
  return receipt;
}

/** Number of the first block in a range that is not older than `timestamp`; one beyond the range when all are. */
export async function firstBlockSince(view: ChainView, timestamp: number, from: number, to: number): Promise<number> {
  let [low, high] = [Math.max(from, 0), to + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((await blockAt(view, middle)).timestamp >= timestamp) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The same chain at one moment: its head, and its newest block that may be relied on with that block's time. */
export interface Moment {
  head: number;
  final: number;
  finalTime: number;
}

export async function momentOf(view: ChainView): Promise<Moment> {
  const final = Number(await ask(view, "its final block", view.finalBlock()));
  const { timestamp } = await blockAt(view, final);
  const head = await ask(view, "its newest block", view.provider.getBlockNumber());
  if (head < final) throw lagging(view);
  return { head, final, finalTime: timestamp };
}

/** A node that is behind what is already final would hide fills and refunds. */
export const lagging = (view: ChainView): ArbError =>
  new ArbError("network", `a node of ${view.network.title} is behind the block that is already final`, {
    where: view.network.name,
    hint: "it is asked again; use an endpoint that keeps up",
  });

const missing = (view: ChainView, what: string): ArbError =>
  new ArbError("network", `a node of ${view.network.title} no longer has ${what}`, {
    where: view.network.name,
    hint: "after a reorganisation the next look finds the new one",
  });
