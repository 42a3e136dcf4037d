import { Interface, toQuantity, type Transaction } from "ethers";
import { ArbError } from "../../errors.js";
import { rebuild, type RpcTransaction } from "../../opportunity/pending.js";
import type { LonelyDesk } from "../node.js";
import type { BundleTx, StoredBundle } from "./bundle-book.js";

/** What one transaction did in a block that was tried. Amounts in wei. */
export interface TrialRow extends BundleTx {
  /** Whether it is in the block. */
  included: boolean;
  /** Whether it is in the block and did not revert. */
  ok: boolean;
  gasUsed: bigint;
  /** What the builder earns by its priority fee. */
  gasFees: bigint;
  to: string | null;
  /** Why it is not in the block, where the chain said so. */
  refusal: string | null;
}

export interface Trial {
  rows: TrialRow[];
  blockHash: string;
  /** What the block's beneficiary earned, priority fees and direct payments. */
  earned: bigint;
  /** Whether exactly these transactions, in this order, are the first of the block. */
  inOrder: boolean;
  gasUsed: bigint;
}

/** Why a bundle did not land, in the words of rbuilder. */
export type Fate = "included" | "IncorrectTimestamp" | "EmptyBundle" | "NotProfitable" | "Conflict" | `Failed ${string}`;

export interface BuiltBlock {
  number: number;
  hash: string;
  timestamp: number;
  /** Hashes of everything in the block. */
  txs: string[];
  /** What became of each bundle and private transaction that was due, by bundle hash. */
  fates: { hash: string; signer: string; fate: Fate }[];
  earned: bigint;
}

interface RpcBlock {
  number: string;
  hash: string;
  timestamp: string;
  baseFeePerGas: string;
  transactions: string[];
}

/** Works on a chain that nobody else sees meanwhile. `desk` is that of LocalChain.alone; the chain must be first come, first in. */
export class BlockBuilder {
  constructor(
    readonly desk: LonelyDesk,
    readonly beneficiary: string,
  ) {}

  async #rpc<T>(method: string, params: unknown[] = []): Promise<T> {
    return (await this.desk.request(method, params)) as T;
  }

  async head(): Promise<{ number: number; timestamp: number; nextTimestamp: number }> {
    const [latest, pending] = await Promise.all([
      this.#rpc<RpcBlock>("eth_getBlockByNumber", ["latest", false]),
      this.#rpc<RpcBlock>("eth_getBlockByNumber", ["pending", false]),
    ]);
    return { number: Number(latest.number), timestamp: Number(latest.timestamp), nextTimestamp: Number(pending.timestamp) };
  }

  /** Makes a block of these transactions alone, looks at it with `inspect`, and takes it back. */
  async trial<T = undefined>(
    txs: BundleTx[],
    timestamp: number,
    inspect?: (trial: Trial) => Promise<T>,
  ): Promise<Trial & { seen?: T }> {
    const snapshot = await this.#rpc<string>("evm_snapshot");
    const trial = await this.#mine(txs, timestamp);
    const seen = inspect ? { seen: await inspect(trial) } : {};
    if (!(await this.#rpc<boolean>("evm_revert", [snapshot])))
      throw new ArbError("internal", "the local chain did not take a tried block back");
    this.desk.forget(trial.blockHash);
    return { ...trial, ...seen };
  }

  /** What a transaction of the newest block returned, or reverted with; "0x" where the chain cannot tell. */
  async returned(hash: string): Promise<string> {
    const options = { disableStack: true, disableMemory: true, disableStorage: true };
    const trace = await this.#rpc<{ returnValue?: string }>("debug_traceTransaction", [hash, options]);
    return `0x${(trace.returnValue ?? "").replace(/^0x/, "")}`;
  }

  /**
   * Builds the next block: the best-paying bundles that fit together, then the public transactions by tip.
   */
  async build(due: StoredBundle[], timestamp: number): Promise<BuiltBlock> {
    const { number } = await this.head();
    const fates = new Map<StoredBundle, Fate>();
    const candidates: { bundle: StoredBundle; price: bigint }[] = [];
    for (const bundle of due) {
      const result = await this.#resolve([], bundle, timestamp);
      if (typeof result === "string") fates.set(bundle, result);
      else candidates.push({ bundle, price: result.price });
    }
    candidates.sort((a, b) => (b.price > a.price ? 1 : b.price < a.price ? -1 : 0));
    let chosen: BundleTx[] = [];
    for (const { bundle } of candidates) {
      const result = await this.#resolve(chosen, bundle, timestamp);
      fates.set(bundle, typeof result === "string" ? result : "included");
      if (typeof result !== "string") chosen = [...chosen, ...result.txs];
    }
    const { earned, blockHash } = await this.#mine(chosen, timestamp, true);
    const block = await this.#rpc<RpcBlock>("eth_getBlockByHash", [blockHash, false]);
    return {
      number: number + 1,
      hash: blockHash,
      timestamp: Number(block.timestamp),
      txs: block.transactions,
      fates: [...fates].map(([{ hash, signer }, fate]) => ({ hash, signer, fate })),
      earned,
    };
  }

  /**
   * The transactions of a bundle that may stand after `prefix`, and its price per gas in 10^-9 wei; or why none may. Rules of rbuilder: a
   * transaction that fails is left out where the bundle allows it, one that reverts stays where that is allowed, else the whole
   * bundle is out.
   */
  async #resolve(
    prefix: BundleTx[],
    bundle: StoredBundle,
    timestamp: number,
  ): Promise<{ txs: BundleTx[]; price: bigint } | Fate> {
    if (timestamp < bundle.minTimestamp || timestamp > bundle.maxTimestamp) return "IncorrectTimestamp";
    let { txs } = bundle;
    while (txs.length > 0) {
      const trial = await this.trial([...prefix, ...txs], timestamp);
      if (trial.rows.slice(0, prefix.length).some((row) => !row.included)) return "Conflict";
      const rows = trial.rows.slice(prefix.length);
      const bad = rows.find((row) => !row.included || (!row.ok && !bundle.reverting.has(row.hash)));
      if (!bad) {
        if (!trial.inOrder) return "Conflict";
        const fees = rows.reduce((sum, row) => sum + row.gasFees, 0n);
        const earned = prefix.length === 0 ? trial.earned : fees;
        if (bundle.mustPay && earned === 0n) return "NotProfitable";
        const gas = rows.reduce((sum, row) => sum + row.gasUsed, 0n);
        return { txs, price: (earned * 10n ** 9n) / gas };
      }
      const mayGo = bundle.dropping.has(bad.hash) || (!bad.included && bundle.reverting.has(bad.hash));
      if (!mayGo && !bad.included && prefix.some((tx) => tx.from === bad.from && tx.nonce === bad.nonce)) return "Conflict";
      if (!mayGo) return `Failed ${bad.hash}${bad.refusal === null ? "" : `: ${bad.refusal}`}`;
      txs = txs.filter((tx) => tx.hash !== bad.hash);
    }
    return "EmptyBundle";
  }

  /** Mines these transactions, with the public ones after them or left out (then they are lost unless the block is taken back). */
  async #mine(txs: BundleTx[], timestamp: number, withPublic = false): Promise<Trial> {
    const pool = await this.#emptyPool();
    await this.#rpc("hardhat_setCoinbase", [this.beneficiary]);
    const before = BigInt(await this.#rpc<string>("eth_getBalance", [this.beneficiary, "latest"]));
    const refusals = new Map<string, string>();
    for (const tx of txs) {
      const refusal = await this.#give(tx.raw);
      if (refusal !== null) refusals.set(tx.hash, refusal);
    }
    // those that the bundles brought are known already, and those whose nonce is used are refused: both are right
    if (withPublic) for (const raw of byTip(pool)) await this.#give(raw);
    await this.#rpc("evm_setNextBlockTimestamp", [toQuantity(timestamp)]);
    await this.#rpc("evm_mine");
    const block = await this.#rpc<RpcBlock>("eth_getBlockByNumber", ["latest", false]);
    const inBlock = new Set(block.transactions);
    const rows = await Promise.all(txs.map((tx) => this.#row(tx, inBlock, BigInt(block.baseFeePerGas), refusals)));
    const after = BigInt(await this.#rpc<string>("eth_getBalance", [this.beneficiary, "latest"]));
    const included = rows.filter((row) => row.included).map((row) => row.hash);
    return {
      rows,
      blockHash: block.hash,
      earned: after - before,
      inOrder: included.join() === block.transactions.slice(0, included.length).join(),
      gasUsed: rows.reduce((sum, row) => sum + row.gasUsed, 0n),
    };
  }

  /** Gives a transaction to the pool; null, or why the chain does not want it. */
  async #give(raw: string): Promise<string | null> {
    try {
      await this.#rpc("eth_sendRawTransaction", [raw]);
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  }

  async #row(tx: BundleTx, inBlock: Set<string>, baseFee: bigint, refusals: Map<string, string>): Promise<TrialRow> {
    const none = { included: false, ok: false, gasUsed: 0n, gasFees: 0n, to: null, refusal: refusals.get(tx.hash) ?? null };
    if (!inBlock.has(tx.hash)) return { ...tx, ...none };
    const receipt = await this.#rpc<{ status: string; gasUsed: string; effectiveGasPrice: string; to: string | null }>(
      "eth_getTransactionReceipt",
      [tx.hash],
    );
    const gasUsed = BigInt(receipt.gasUsed);
    const gasFees = gasUsed * (BigInt(receipt.effectiveGasPrice) - baseFee);
    return { ...tx, included: true, ok: receipt.status === "0x1", gasUsed, gasFees, to: receipt.to, refusal: null };
  }

  /** Takes every public transaction out of the pool that can be put back as it was signed. */
  async #emptyPool(): Promise<Transaction[]> {
    const pending = await this.#rpc<RpcTransaction[]>("eth_pendingTransactions");
    const signed = pending.map(rebuild).filter((tx) => tx !== null);
    for (const { hash } of signed) await this.#rpc("hardhat_dropTransaction", [hash]);
    return signed;
  }
}

/** Raw transactions, the highest tip first, each account's in the order of its nonces. */
function byTip(pool: Transaction[]): string[] {
  const tip = (tx: Transaction): bigint => tx.maxPriorityFeePerGas ?? tx.gasPrice ?? 0n;
  const left = pool.toSorted((a, b) => a.nonce - b.nonce);
  const sorted: string[] = [];
  while (left.length > 0) {
    const ready = left.filter((tx, i) => left.findIndex((other) => other.from === tx.from) === i);
    const best = ready.reduce((a, b) => (tip(b) > tip(a) ? b : a));
    left.splice(left.indexOf(best), 1);
    sorted.push(best.serialized);
  }
  return sorted;
}

/** Revert data in words: the text of Error(string), else the data itself. */
export function revertText(data: string): string {
  try {
    return String(new Interface(["function Error(string)"]).decodeFunctionData("Error", data)[0]);
  } catch {
    return data;
  }
}
