/** Accounts on networks that send journaled transactions, opened when a saga first needs them. */
import { setTimeout as sleep } from "node:timers/promises";
import { Transaction, type TransactionReceipt, ZeroAddress } from "ethers";
import type { Chain } from "../chain/connect.js";
import type { ChainView } from "../bridges/bridge.js";
import { ArbError } from "../errors.js";
import { type LegVenue, routerVenue } from "../execution/legs.js";
import { type FeePolicy, suggestFees } from "../fees/fees.js";
import type { Journal } from "../journal/journal.js";
import type { IntentOutcome } from "../journal/notes.js";
import type { Ownership } from "../journal/owner.js";
import { isVoid } from "../journal/rules.js";
import { requireHead } from "../chain/witnesses.js";
import type { Call } from "../plan/transaction-builder.js";
import { chainRoute } from "../submit/relays/node.js";
import type { Route } from "../submit/route.js";
import { type StuckBounds, stuckPolicyOf } from "../submit/stuck.js";
import { TransactionExecutor } from "../submit/transaction-executor.js";
import { estimateGas } from "../wallet/gas.js";
import { sameAddress } from "../venues/swap.js";
import type { WalletManager } from "../wallet/wallet-manager.js";

export interface TradingNetwork {
  chain: Chain;
  fees: FeePolicy;
  /** What may be paid to get a transaction going that no block takes; without it they wait. A saga waits for each of its own: all are replaced. */
  stuck?: StuckBounds;
  /** Ways of the transactions, all at once, which hold them until they land; the chain's node by default. */
  routes?: readonly Route[];
  /** Blocks on top of an arrival before it is relied on; by default the network's finality. Less is faster and trusts the chain more. */
  arrivalBlocks?: number;
  /** How legs are swapped for an account; by the venues' routers by default. */
  venue?: (account: string) => LegVenue;
}

export type Landing =
  | { status: "landed"; hash: string; blockNumber: number }
  /** Nothing of it happened or will happen. `sent`: gas was paid for it. */
  | { status: "failed"; detail: string; sent: boolean }
  /** Sent, with no known end. */
  | { status: "open"; detail: string };

export interface Order {
  chainId: number;
  account: string;
  intentId: string;
  /** That it is part of. */
  workflow?: string;
  call: Call;
  /** Contract whose balances move, where it is not the account. */
  holder?: string;
}

const POLLS_PER_BLOCK = 4;
/** How long an account that another driver has is waited for in one try, and between two looks at it. */
const WAIT_MS = 5_000;
const LOOK_MS = 250;
/** Between two looks at who watches an account. */
const WATCH_MS = 5_000;
/** For an intent that is signed already: its own bytes have their own fees. */
const UNUSED_FEES = { maxFeePerGas: 1n, maxPriorityFeePerGas: 1n, nextBaseFee: 1n };

export class Senders {
  readonly #senders = new Map<string, Promise<TransactionExecutor>>();
  readonly #watchedAt = new Map<string, number>();
  #closed = false;
  /** Whether this driver still carries a workflow. It asks nobody for an account otherwise, and signs nothing. */
  carries: (workflow: string) => Promise<boolean> = () => Promise.resolve(true);

  /** `shares`: asks the drivers that have an account to hand it over; for programs that look at what others ask for, too. */
  constructor(
    readonly journal: Journal,
    readonly networks: readonly TradingNetwork[],
    readonly wallets: readonly WalletManager[],
    readonly onFault: (error: unknown) => void,
    readonly shares = false,
  ) {}

  /** Raises ArbError "config" for a network that is not set up. */
  network(chainId: number): TradingNetwork {
    const found = this.networks.find((n) => n.chain.network.chainId === chainId);
    if (!found) throw new ArbError("config", `chain ${chainId} is not set up for cross-chain trades`, { where: "networks" });
    return found;
  }

  chain(chainId: number): Chain {
    return this.network(chainId).chain;
  }

  /** A token's symbol; its address where the network does not list it. */
  symbol(chainId: number, token: string): string {
    return this.chain(chainId).network.tokens.find((t) => t.address.toLowerCase() === token.toLowerCase())?.symbol ?? token;
  }

  venue(chainId: number, account: string): LegVenue {
    const { chain, venue } = this.network(chainId);
    return venue?.(account) ?? routerVenue(chain.network, chain.provider, account);
  }

  /** Whether an address is the vault of an account of ours on a network. */
  isVault(chainId: number, address: string): boolean {
    const found = this.networks.find((n) => n.chain.network.chainId === chainId);
    // a vault is the same for whoever operates it: also for a program that only looks, without keys
    return [...this.wallets.map((w) => w.address), ZeroAddress].some((account) => {
      const venue = found?.venue?.(account);
      return venue?.id === "vault" && sameAddress(venue.holder, address);
    });
  }

  view(chainId: number): ChainView {
    const { chain, arrivalBlocks } = this.network(chainId);
    const { network, provider } = chain;
    return {
      network,
      provider,
      finalBlock: async () => {
        const head = await requireHead(chain);
        const depth = head.number - (arrivalBlocks ?? network.finality.blocks);
        const final = arrivalBlocks === undefined && head.finalized !== null ? Math.min(depth, head.finalized) : depth;
        return BigInt(Math.max(0, final));
      },
    };
  }

  /** The sender of an account; takes it over where its last driver is gone, `asks` for it where that lives. Raises "locked", "secrets" without its key. */
  async sender(chainId: number, account: string, asks = this.shares): Promise<TransactionExecutor> {
    const key = `${chainId} ${account.toLowerCase()}`;
    const known = this.#senders.get(key) ?? this.#open(chainId, account, asks);
    this.#senders.set(key, known);
    try {
      return await known;
    } catch (error) {
      this.#senders.delete(key);
      throw error;
    }
  }

  /**
   * Sees to it that an account's transactions are followed to their final blocks: by the driver that has it while that lives, else from now
   * on by this one. What keeps it from that is told, and tried again at a later call.
   */
  async watch(chainId: number, account: string): Promise<void> {
    const key = `${chainId} ${account.toLowerCase()}`;
    const now = performance.now();
    if (this.#closed || now - (this.#watchedAt.get(key) ?? -Infinity) < WATCH_MS) return;
    this.#watchedAt.set(key, now);
    try {
      const sender = await this.sender(chainId, account, false);
      if (!this.journal.lost(await sender.start())) return;
      await this.#drop(chainId, account);
      await this.sender(chainId, account, false);
    } catch (error) {
      // held by a living driver, which watches it
      if (!(error instanceof ArbError) || error.code !== "locked") this.onFault(error);
    }
  }

  /** Whether an account sends for sagas here. */
  has({ chainId, account }: Pick<Ownership, "chainId" | "account">): boolean {
    return this.#senders.has(`${chainId} ${account.toLowerCase()}`);
  }

  async #open(chainId: number, account: string, asks: boolean): Promise<TransactionExecutor> {
    const { chain, routes, fees, stuck } = this.network(chainId);
    const wallet = this.wallets.find((w) => w.address.toLowerCase() === account.toLowerCase());
    if (!wallet)
      throw new ArbError("secrets", `this driver has no key of ${account}`, { hint: "list its wallet in the configuration" });
    const sender = new TransactionExecutor(chain, wallet, routes ?? [chainRoute(chain)], { journal: this.journal });
    await this.#take(sender, asks);
    const policy = stuck && { ...stuckPolicyOf(chain, fees, stuck), feeCeiling: stuck.maxFeePerGas };
    sender.keepWatching(chain.network.blockTimeMs, this.onFault, policy);
    return sender;
  }

  /** Takes the account; with `asks`, one that another driver has is asked for, and waited for. Raises "locked" where it does not come. */
  async #take(sender: TransactionExecutor, asks: boolean): Promise<void> {
    const end = performance.now() + WAIT_MS;
    for (;;) {
      try {
        await sender.start();
        return;
      } catch (error) {
        if (!(error instanceof ArbError) || error.code !== "locked" || !asks || this.#closed) throw error;
        const isHeld = await this.journal.want(sender.chain.network.chainId, sender.wallet.address);
        if (!isHeld || performance.now() > end) throw error;
        await sleep(LOOK_MS);
      }
    }
  }

  /** Hands over an account that another driver waits for. What was sent stays in the journal, and is watched by whoever has it then. */
  async handOver({ chainId, account }: Pick<Ownership, "chainId" | "account">): Promise<void> {
    await this.#drop(chainId, account);
    await this.journal.handOver({ chainId, account });
  }

  /** An account that another driver took is opened anew by the next who needs it. */
  async #drop(chainId: number, account: string): Promise<void> {
    const key = `${chainId} ${account.toLowerCase()}`;
    const known = this.#senders.get(key);
    this.#senders.delete(key);
    await known?.then((s) => s.close()).catch(() => undefined);
  }

  /** Why a network counts as halted: its newest block is too old. Null where it is not; a local world makes blocks when it is asked. */
  async haltOf(chainId: number, haltSeconds: number): Promise<string | null> {
    const { network, provider, local } = this.chain(chainId);
    if (local === true) return null;
    const block = await provider.getBlock("latest");
    const age = block === null ? Infinity : Math.floor(Date.now() / 1000) - block.timestamp;
    return age > haltSeconds ? `${network.title} has had no block for ${age} s` : null;
  }

  /** Raises ArbError "network" where it is halted. Nothing is to be signed there then. */
  async mustMove(chainId: number, haltSeconds: number): Promise<void> {
    const halt = await this.haltOf(chainId, haltSeconds);
    if (halt !== null) throw new ArbError("network", halt, { where: this.chain(chainId).network.name });
  }

  /** Whether the journal has signed bytes of an intent. */
  async isKnown(chainId: number, intentId: string): Promise<boolean> {
    return (await this.journal.find(chainId, intentId)) !== null;
  }

  /** What became of an intent, by the journal; null where it has none. */
  async outcome(chainId: number, intentId: string): Promise<IntentOutcome | null> {
    return await this.journal.outcome(chainId, intentId);
  }

  /** The call of an intent as the journal has signed it; null where it has not. */
  async signed(chainId: number, intentId: string): Promise<{ to: string; data: string } | null> {
    const slot = await this.journal.find(chainId, intentId);
    const attempt = slot?.attempts.findLast((a) => a.intentId === intentId);
    if (!attempt) return null;
    const { to, data } = Transaction.from(attempt.raw);
    return to === null ? null : { to, data };
  }

  /**
   * Makes a call once: a known intent gives its attempt again, the same bytes. Waits for its receipt until the deadline. Raises "network"
   * and "locked" where it must be tried again.
   */
  async execute({ chainId, account, intentId, workflow, call, holder }: Order, deadlineMs: number): Promise<Landing> {
    const { chain, fees } = this.network(chainId);
    const gone = new ArbError("locked", `${intentId} is done by another driver now`, { where: chain.network.name });
    const mustCarry = async (): Promise<void> => {
      if (workflow !== undefined && !(await this.carries(workflow))) throw gone;
    };
    await mustCarry();
    const sender = await this.sender(chainId, account);
    const intent = { id: intentId, ...(holder === undefined || holder === account ? {} : { holder }) };
    let attempt;
    try {
      if (await this.isKnown(chainId, intentId)) attempt = await sender.send(intent, call, 21_000n, UNUSED_FEES);
      else {
        const gas = await estimateGas(chain, { from: account, ...call });
        const suggested = await suggestFees(chain, fees);
        // the account and the node may have been waited for since
        await mustCarry();
        attempt = await sender.send(intent, call, gas.limit, suggested);
      }
    } catch (error) {
      // the account may still be ours, for others of its trades
      if (!(error instanceof ArbError) || error === gone) throw error;
      if (error.code === "locked") await this.#drop(chainId, account);
      const slot = await this.journal.find(chainId, intentId);
      const attempts = slot?.attempts.filter((a) => a.intentId === intentId) ?? [];
      // signed bytes that may be anywhere are neither failed nor done
      const nothingOut = attempts.every(isVoid);
      const explained = error.revertData === undefined ? null : this.venue(chainId, account).explain?.(error.revertData);
      if (nothingOut && (error.code === "reverted" || error.code === "refused"))
        return { status: "failed", detail: explained ?? error.message, sent: false };
      if (nothingOut && attempts.length > 0) return { status: "failed", detail: error.message, sent: false };
      throw error;
    }
    const pollMs = Math.max(20, Math.floor(chain.network.blockTimeMs / POLLS_PER_BLOCK));
    const seen = await sender.watch(attempt, deadlineMs, Math.min(pollMs, 1_000));
    if (seen.status === "mined") {
      const { hash, blockNumber } = seen.receipt;
      return seen.success
        ? { status: "landed", hash, blockNumber }
        : { status: "failed", detail: `reverted in ${hash}`, sent: true };
    }
    if (seen.status === "superseded") return { status: "failed", detail: `${seen.by.hash} took its nonce`, sent: false };
    const outcome = await this.journal.outcome(chainId, intentId);
    if (outcome?.status === "foreign")
      return { status: "failed", detail: "its nonce was used by a transaction that is not ours", sent: false };
    return {
      status: "open",
      detail: (seen.status === "unknown" ? seen.lastError : null) ?? `${attempt.hash} is not in a block yet`,
    };
  }

  async receipt(chainId: number, hash: string): Promise<TransactionReceipt> {
    const receipt = await this.chain(chainId).provider.getTransactionReceipt(hash);
    if (!receipt)
      throw new ArbError("network", `the node has no receipt of ${hash}`, { where: this.chain(chainId).network.name });
    return receipt;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const all = [...this.#senders.values()];
    this.#senders.clear();
    for (const sender of all) await sender.then((s) => s.close()).catch(() => undefined);
  }
}
