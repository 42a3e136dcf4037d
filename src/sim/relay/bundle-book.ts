import { concat, isHexString, keccak256, Transaction } from "ethers";
import { rpcError } from "./http.js";

/** A signed transaction as the builder handles it. */
export interface BundleTx {
  raw: string;
  hash: string;
  from: string;
  nonce: number;
}

/** A bundle, or a private transaction, that waits for its block. Timestamps in seconds, inclusive. */
export interface StoredBundle {
  signer: string;
  txs: BundleTx[];
  hash: string;
  firstBlock: number;
  lastBlock: number;
  minTimestamp: number;
  maxTimestamp: number;
  reverting: Set<string>;
  dropping: Set<string>;
  /** Whether it must pay the builder something: private transactions without a tip are left out. */
  mustPay: boolean;
}

/** Limits of the public relay. Sources: flashbots-docs ratelimiting.mdx, flashbots/go-utils. */
export const BUNDLE_TX_LIMIT = 100;
export const BUNDLE_BYTES_LIMIT = 300_000;
/** How many blocks a private transaction is tried where no last block is named. */
export const PRIVATE_BLOCKS = 25;

/** What a relay holds for the blocks to come. Everything is kept apart by signer. */
export interface BundleBook {
  /** Replaces what the same signer sent under the same uuid; after a cancel, later bundles of that uuid are ignored. */
  add(bundle: StoredBundle, uuid: string | null): void;
  cancel(signer: string, uuid: string): void;
  addPrivate(bundle: StoredBundle): void;
  cancelPrivate(signer: string, hash: string): boolean;
  due(block: number): StoredBundle[];
  /** Forgets what can land in no block after `block`, and private transactions that landed. */
  sweep(block: number, landed: ReadonlySet<string>): void;
  size(): number;
}

export function bundleBook(): BundleBook {
  let open: { bundle: StoredBundle; key: string | null }[] = [];
  const cancelled = new Set<string>();
  const keyOf = (signer: string, uuid: string): string => `${signer}:${uuid}`;
  return {
    add: (bundle, uuid) => {
      const key = uuid === null ? null : keyOf(bundle.signer, uuid);
      if (key !== null && cancelled.has(key)) return;
      open = [...open.filter((entry) => key === null || entry.key !== key), { bundle, key }];
    },
    cancel: (signer, uuid) => {
      const key = keyOf(signer, uuid);
      cancelled.add(key);
      open = open.filter((entry) => entry.key !== key);
    },
    addPrivate: (bundle) => {
      const key = keyOf(bundle.signer, `private ${bundle.txs[0]?.hash ?? ""}`);
      open = [...open.filter((entry) => entry.key !== key), { bundle, key }];
    },
    cancelPrivate: (signer, hash) => {
      const key = keyOf(signer, `private ${hash.toLowerCase()}`);
      const before = open.length;
      open = open.filter((entry) => entry.key !== key);
      return open.length < before;
    },
    due: (block) => open.map((entry) => entry.bundle).filter((b) => b.firstBlock <= block && block <= b.lastBlock),
    sweep: (block, landed) => {
      open = open.filter(({ bundle }) => bundle.lastBlock > block && !bundle.txs.some((tx) => landed.has(tx.hash)));
    },
    size: () => open.length,
  };
}

/** Reads signed transactions. Throws JSON-RPC errors for what the public relay refuses. */
export function readTxs(list: unknown): BundleTx[] {
  if (!Array.isArray(list) || list.some((raw) => typeof raw !== "string")) throw rpcError(-32602, "invalid params: txs");
  if (list.length > BUNDLE_TX_LIMIT) throw rpcError(-32000, "too many txs in bundle");
  const raws = list as string[];
  if (raws.reduce((sum, raw) => sum + (raw.length - 2) / 2, 0) > BUNDLE_BYTES_LIMIT)
    throw rpcError(-32000, "bundle size limit exceeded");
  return raws.map((raw) => {
    try {
      const { hash, from, nonce } = Transaction.from(raw);
      if (hash === null || from === null) throw new Error("not signed");
      return { raw, hash, from, nonce };
    } catch {
      throw rpcError(-32000, "failed to decode transaction");
    }
  });
}

/** keccak256 over the hashes. Source: flashbots-docs, bundle hash. */
export const bundleHash = (txs: BundleTx[]): string => keccak256(concat(txs.map((tx) => tx.hash)));

interface BundleParams {
  txs?: unknown;
  blockNumber?: unknown;
  minTimestamp?: number;
  maxTimestamp?: number;
  revertingTxHashes?: string[];
  droppingTxHashes?: string[];
}

const lower = (list: string[] = []): Set<string> => new Set(list.map((hash) => hash.toLowerCase()));

/** Reads the parameters of eth_sendBundle. A bundle without a block is for the next one; a timestamp of 0 means none. */
export function readBundle(signer: string, params: BundleParams, head: number): StoredBundle {
  const { blockNumber, minTimestamp, maxTimestamp } = params;
  if (blockNumber !== undefined && !isHexString(blockNumber)) throw rpcError(-32602, "blockNumber must be a hex string");
  const block = blockNumber === undefined ? head + 1 : Number(blockNumber);
  if (block <= head) throw rpcError(-32000, `block in the past: ${block} <= ${head}`);
  const txs = readTxs(params.txs);
  return {
    signer,
    txs,
    hash: bundleHash(txs),
    firstBlock: block,
    lastBlock: block,
    minTimestamp: minTimestamp ?? 0,
    maxTimestamp: maxTimestamp ? maxTimestamp : Infinity,
    reverting: lower(params.revertingTxHashes),
    dropping: lower(params.droppingTxHashes),
    mustPay: false,
  };
}

/** Reads the parameters of eth_sendPrivateTransaction. */
export function readPrivate(signer: string, params: { tx?: unknown; maxBlockNumber?: unknown }, head: number): StoredBundle {
  const { tx, maxBlockNumber } = params;
  if (maxBlockNumber !== undefined && !isHexString(maxBlockNumber)) throw rpcError(-32602, "maxBlockNumber must be a hex string");
  const txs = readTxs([tx]);
  return {
    signer,
    txs,
    hash: bundleHash(txs),
    firstBlock: head + 1,
    lastBlock: maxBlockNumber === undefined ? head + PRIVATE_BLOCKS : Number(maxBlockNumber),
    minTimestamp: 0,
    maxTimestamp: Infinity,
    reverting: new Set(),
    dropping: new Set(),
    mustPay: true,
  };
}
