import { Transaction, type TransactionLike } from "ethers";

/** A signed transaction that is in no block yet. */
export interface PendingTransaction {
  /** In lower case. */
  hash: string;
  /** In lower case. */
  raw: string;
  from: string;
  nonce: number;
  /** Null in a legacy transaction that counts on every chain. */
  chainId: bigint | null;
  /** The call as a node simulates it: JSON-RPC fields, all that were signed. */
  call: Record<string, unknown>;
  maxFeePerGas: bigint;
}

/** Of what is signed, what a simulation can repeat. Blobs are not in it: who has them is not asked here. */
const TYPES: ReadonlySet<number | null> = new Set([0, 1, 2, 4]);

const quantity = (value: bigint | number): string => `0x${value.toString(16)}`;

/** Reads the bytes of a signed transaction; a text says what is wrong with them. */
export function readPending(raw: string): PendingTransaction | string {
  let tx: Transaction;
  try {
    tx = Transaction.from(raw);
  } catch {
    return "the bytes are no transaction";
  }
  const { hash, from, type, to, data, value, nonce, gasLimit, gasPrice, accessList, authorizationList } = tx;
  if (hash === null || from === null) return "the transaction is not signed";
  // what ethers would write another way is no transaction that a node takes
  if (tx.serialized !== raw.toLowerCase()) return "the bytes are no transaction as it is sent";
  if (!TYPES.has(type)) return `transactions of type ${type} are not followed`;
  const { maxFeePerGas, maxPriorityFeePerGas } = tx;
  const fees =
    maxFeePerGas === null
      ? { gasPrice: quantity(gasPrice ?? 0n) }
      : { maxFeePerGas: quantity(maxFeePerGas), maxPriorityFeePerGas: quantity(maxPriorityFeePerGas ?? 0n) };
  const authorizations = authorizationList?.map(({ chainId, address, nonce: n, signature: { r, s, yParity } }) => {
    return { chainId: quantity(chainId), address, nonce: quantity(n), r, s, yParity: quantity(yParity) };
  });
  return {
    hash,
    raw: tx.serialized,
    from,
    nonce,
    chainId: tx.chainId === 0n ? null : tx.chainId,
    call: {
      type: quantity(type ?? 0),
      from,
      ...(to === null ? {} : { to }),
      data,
      value: quantity(value),
      nonce: quantity(nonce),
      gas: quantity(gasLimit),
      ...fees,
      ...(accessList === null || accessList.length === 0 ? {} : { accessList }),
      ...(authorizations === undefined ? {} : { authorizationList: authorizations }),
    },
    maxFeePerGas: maxFeePerGas ?? gasPrice ?? 0n,
  };
}

/** A transaction as JSON-RPC gives it. */
export interface RpcTransaction {
  hash: string;
  type: string;
  chainId?: string | null;
  nonce: string;
  to: string | null;
  value: string;
  input: string;
  gas: string;
  gasPrice?: string;
  maxFeePerGas?: string;
  maxPriorityFeePerGas?: string;
  accessList?: { address: string; storageKeys: string[] }[];
  v: string;
  r: string;
  s: string;
}

/**
 * The signed bytes of a transaction that a node told field by field; null where they cannot be made again, as of an account without a
 * key. They are the right ones where their hash is.
 */
export function rebuild(tx: RpcTransaction): Transaction | null {
  const type = Number(tx.type);
  const fees =
    type >= 2
      ? { maxFeePerGas: tx.maxFeePerGas ?? "0x0", maxPriorityFeePerGas: tx.maxPriorityFeePerGas ?? "0x0" }
      : { gasPrice: tx.gasPrice ?? "0x0" };
  const v = BigInt(tx.v);
  const like: TransactionLike = {
    type,
    nonce: Number(tx.nonce),
    to: tx.to,
    value: tx.value,
    data: tx.input,
    gasLimit: tx.gas,
    ...fees,
    // a legacy signature says by itself for which chain it is
    ...(tx.chainId == null || (type === 0 && v < 35n) ? {} : { chainId: tx.chainId }),
    ...(type === 0 ? {} : { accessList: tx.accessList ?? [] }),
    signature: { r: tx.r, s: tx.s, v: v < 2n ? Number(v) + 27 : tx.v },
  };
  try {
    const made = Transaction.from(like);
    return made.hash === tx.hash.toLowerCase() ? made : null;
  } catch {
    return null;
  }
}
