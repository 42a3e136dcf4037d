import { toQuantity } from "ethers";
import { ArbError } from "../errors.js";
import { type Head, headOf } from "./heads.js";
import type { CallOptions, RpcPool } from "./pool.js";
import type { RpcReply } from "./transport/types.js";

/**
 * Reads of the state after one block, named by its hash (EIP-1898): whichever endpoint answers, it answers for that block or not
 * at all. After a reorganisation every read fails with "block-not-found". Errors as `RpcPool.call`.
 */
export interface PinnedReads {
  readonly block: Head;
  /** Returned bytes of an `eth_call`. */
  call(transaction: Record<string, unknown>, overrides?: Record<string, unknown>): Promise<string>;
  /** Several calls together; a revert is a value. */
  calls(transactions: readonly Record<string, unknown>[]): Promise<RpcReply[]>;
  balance(address: string): Promise<bigint>;
  /** Transactions of the account up to the block. */
  nonce(address: string): Promise<number>;
  code(address: string): Promise<string>;
  storage(address: string, slot: string): Promise<string>;
  /** Logs of this block alone. */
  logs(filter: Record<string, unknown>): Promise<unknown[]>;
}

/** Reads the block and binds all further reads to its hash. Throws ArbError "network" where no endpoint has it. */
export async function pinnedReads(
  pool: RpcPool,
  block: { hash: string } | { number: number } | undefined,
  options: CallOptions,
): Promise<PinnedReads> {
  const [method, tag] =
    block === undefined
      ? ["eth_getBlockByNumber", "latest"]
      : "hash" in block
        ? ["eth_getBlockByHash", block.hash]
        : ["eth_getBlockByNumber", toQuantity(block.number)];
  const head = headOf(await pool.call(method, [tag, false], options));
  if (head === null)
    throw new ArbError("network", `${pool.network.title} has no block ${tag}`, { hint: "the nodes may not be synchronised" });
  const at = { blockHash: head.hash, requireCanonical: true };
  return {
    block: head,
    call: (transaction, overrides) =>
      pool.call("eth_call", overrides === undefined ? [transaction, at] : [transaction, at, overrides], options),
    calls: (transactions) =>
      pool.batch(
        transactions.map((transaction) => ({ method: "eth_call", params: [transaction, at] })),
        options,
      ),
    balance: async (address) => BigInt(await pool.call<string>("eth_getBalance", [address, at], options)),
    nonce: async (address) => Number(await pool.call<string>("eth_getTransactionCount", [address, at], options)),
    code: (address) => pool.call("eth_getCode", [address, at], options),
    storage: (address, slot) => pool.call("eth_getStorageAt", [address, slot, at], options),
    logs: (filter) => pool.call("eth_getLogs", [{ ...filter, blockHash: head.hash }], options),
  };
}
