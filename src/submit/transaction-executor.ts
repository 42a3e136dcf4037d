import type { Chain, RpcProvider } from "../chain/connect.js";
import { type NodeErrorKind, classifyNodeError } from "../chain/errors.js";
import { type ReceiptResult, waitForReceipt } from "../chain/receipts.js";
import { ArbError } from "../errors.js";
import type { Attempt } from "../execution/outcome.js";
import type { PlanFees } from "../plan/planner.js";
import type { Call } from "../plan/transaction-builder.js";
import type { WalletManager } from "../wallet/wallet-manager.js";

/** Where signed bytes go. One implementation per relay, sequencer or node. */
export interface Route {
  id: string;
  send(raw: string): Promise<void>;
}

/** Sends through the chain's own endpoint: a sequencer, or the public mempool where the chain has one. */
export function nodeRoute(provider: RpcProvider): Route {
  return {
    id: "node",
    async send(raw) {
      await provider.send("eth_sendRawTransaction", [raw]);
    },
  };
}

/** Answers that mean: this node does not have the transaction, and will not take these bytes. */
const NOT_TAKEN: ReadonlySet<NodeErrorKind> = new Set([
  "nonce-too-low",
  "insufficient-funds",
  "fee-below-base-fee",
  "replacement-underpriced",
  "underpriced",
  "gas-limit-exceeded",
  "intrinsic-gas-too-low",
]);

/**
 * Signs and sends the transactions of one account on one chain, one at a time, and watches them to their end. While it lives it
 * never signs two transactions with one nonce: an attempt that the node does not know (any more) is sent again, the same bytes,
 * before the next nonce is used.
 */
export class TransactionExecutor {
  #queue: Promise<unknown> = Promise.resolve();
  /** Attempts that are not known to be mined, by nonce. */
  readonly #open = new Map<number, Attempt>();

  constructor(
    readonly chain: Chain,
    readonly wallet: WalletManager,
    readonly route: Route,
  ) {}

  /**
   * Takes the next nonce, signs and sends. The hash is known before anything is sent, so a send whose answer is lost can
   * still be watched: it counts as sent, never as failed. Throws "network" only where the node surely did not take it, "refused"
   * where the account cannot pay, and "locked" while an earlier attempt is neither known to the node nor taken by it.
   */
  send(opportunityId: string, call: Call, gasLimit: bigint, fees: PlanFees): Promise<Attempt> {
    // one after another: two sends at once would read the same nonce
    const turn = this.#queue.then(() => this.#send(opportunityId, call, gasLimit, fees));
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async #send(opportunityId: string, call: Call, gasLimit: bigint, fees: PlanFees): Promise<Attempt> {
    const { address } = this.wallet;
    const { provider, network } = this.chain;
    const nonce = await this.#nextNonce();
    const balance = await provider.getBalance(address, "pending");
    const needed = gasLimit * fees.maxFeePerGas + call.value;
    if (balance < needed) {
      throw new ArbError("refused", `${address} holds ${balance} wei on ${network.title}, the transaction may cost ${needed}`, {
        hint: "fund the operator, or lower the gas price limit",
        reason: "insufficient-gas-funds",
      });
    }
    const { raw, hash } = await this.wallet.signTransaction({
      chainId: network.chainId,
      nonce,
      ...call,
      gasLimit,
      maxFeePerGas: fees.maxFeePerGas,
      maxPriorityFeePerGas: fees.maxPriorityFeePerGas,
    });
    const attempt = {
      opportunityId,
      chainId: network.chainId,
      from: address,
      nonce,
      hash,
      raw,
      sentAt: Date.now(),
    };
    try {
      await this.route.send(raw);
    } catch (error) {
      const { kind } = classifyNodeError(error);
      if (NOT_TAKEN.has(kind) && (await this.#isUnknown(hash))) {
        throw new ArbError("network", `${network.title} refused the transaction: ${kind}`, { where: attempt.hash });
      }
    }
    this.#open.set(nonce, attempt);
    return attempt;
  }

  /**
   * Whether the node has no such transaction after it refused the bytes: where a gateway repeats a request, the second answer is
   * a refusal of what the first took. A node that does not answer has not said so.
   */
  async #isUnknown(hash: string): Promise<boolean> {
    try {
      return (await this.chain.provider.getTransaction(hash)) === null;
    } catch {
      // not known: the caller goes on to watch it
      return false;
    }
  }

  async #nextNonce(): Promise<number> {
    const { provider, network } = this.chain;
    const mined = await provider.getTransactionCount(this.wallet.address, "latest");
    for (const nonce of this.#open.keys()) if (nonce < mined) this.#open.delete(nonce);
    let nonce = await provider.getTransactionCount(this.wallet.address, "pending");
    for (let open = this.#open.get(nonce); open !== undefined; open = this.#open.get(nonce)) {
      try {
        await this.route.send(open.raw);
      } catch (error) {
        const { kind } = classifyNodeError(error);
        if (kind !== "already-known") {
          throw new ArbError(
            "locked",
            `nonce ${nonce} is signed for ${open.opportunityId}, which ${network.title} does not take (${kind})`,
            {
              where: open.hash,
              hint: "nothing else is sent from this account until that transaction is mined or its nonce used",
            },
          );
        }
      }
      nonce += 1;
    }
    return nonce;
  }

  /** Waits for the receipt until the deadline; what is not known by then is "unknown", never "failed". */
  async watch(attempt: Attempt, deadlineMs: number, pollMs: number): Promise<ReceiptResult> {
    return await waitForReceipt(this.chain.provider, attempt.hash, { deadlineMs, pollMs });
  }
}
