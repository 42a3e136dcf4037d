import { type Provider, type TransactionLike, type TransactionReceipt, keccak256 } from "ethers";
import { classifyNodeError } from "../chain/errors.js";
import { waitForReceipt } from "../chain/receipts.js";
import type { Network } from "../config/network.js";
import { ArbError } from "../errors.js";
import type { Attempt } from "../execution/outcome.js";
import type { PlanFees } from "../plan/planner.js";
import type { Call } from "../plan/transaction-builder.js";

/** Signs fully specified transactions; holds one key and never shows it. */
export interface TransactionSigner {
  readonly address: string;
  signTransaction(transaction: TransactionLike): Promise<string>;
}

/** Where signed bytes go. One implementation per relay, sequencer or node. */
export interface Route {
  id: string;
  send(raw: string): Promise<void>;
}

/** Sends through the chain's own endpoint: a sequencer, or the public mempool where the chain has one. */
export function nodeRoute(provider: Provider & { send(method: string, params: unknown[]): Promise<unknown> }): Route {
  return {
    id: "node",
    async send(raw) {
      await provider.send("eth_sendRawTransaction", [raw]);
    },
  };
}

export type Watched = { status: "mined"; receipt: TransactionReceipt } | { status: "unknown"; reason: string };

/** Signs and sends the transactions of one account on one chain, one at a time, and watches them to their end. */
export class TransactionExecutor {
  #queue: Promise<unknown> = Promise.resolve();

  constructor(
    readonly provider: Provider,
    readonly network: Network,
    readonly signer: TransactionSigner,
    readonly route: Route,
  ) {}

  /**
   * Takes the next nonce, signs and sends. The hash is known before anything is sent, so a send whose answer is lost can
   * still be watched: it counts as sent, never as failed. Throws "network" only where the node surely did not take it.
   */
  send(opportunityId: string, call: Call, gasLimit: bigint, fees: PlanFees): Promise<Attempt> {
    // one after another: two sends at once would read the same nonce
    const turn = this.#queue.then(() => this.#send(opportunityId, call, gasLimit, fees));
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async #send(opportunityId: string, call: Call, gasLimit: bigint, fees: PlanFees): Promise<Attempt> {
    const { address } = this.signer;
    const [nonce, balance] = await Promise.all([
      this.provider.getTransactionCount(address, "pending"),
      this.provider.getBalance(address, "pending"),
    ]);
    const needed = gasLimit * fees.maxFeePerGas + call.value;
    if (balance < needed) {
      throw new ArbError("refused", `${address} holds ${balance} wei on ${this.network.title}, the transaction may cost ${needed}`, {
        hint: "fund the operator, or lower the gas price limit",
      });
    }
    const raw = await this.signer.signTransaction({
      type: 2,
      chainId: this.network.chainId,
      nonce,
      gasLimit,
      to: call.to,
      data: call.data,
      value: call.value,
      maxFeePerGas: fees.maxFeePerGas,
      maxPriorityFeePerGas: fees.maxPriorityFeePerGas,
    });
    const attempt = {
      opportunityId,
      chainId: this.network.chainId,
      from: address,
      nonce,
      hash: keccak256(raw),
      raw,
      sentAt: Date.now(),
    };
    try {
      await this.route.send(raw);
    } catch (error) {
      const kind = classifyNodeError(error).kind;
      const surelyNotTaken = ["nonce-too-low", "insufficient-funds", "underpriced", "invalid"].includes(kind);
      if (surelyNotTaken) {
        throw new ArbError("network", `${this.network.title} refused the transaction: ${kind}`, { where: attempt.hash, cause: error });
      }
    }
    return attempt;
  }

  /** Waits for the receipt until the deadline; what is not known by then is "unknown", never "failed". */
  async watch(attempt: Attempt, deadlineMs: number, pollMs: number): Promise<Watched> {
    return await waitForReceipt(this.provider, attempt.hash, { deadlineMs, pollMs });
  }
}
