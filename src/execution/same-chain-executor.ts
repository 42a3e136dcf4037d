import type { TransactionReceipt } from "ethers";
import type { Chain } from "../chain/connect.js";
import { type FeePolicy, suggestFees } from "../fees/fees.js";
import { IArbExecutor__factory } from "../../types/contracts/index.js";
import { formatToken } from "../config/format-token.js";
import { ArbError } from "../errors.js";
import type { FundingId } from "../funding/funding.js";
import type { GasPrice } from "../funding/index.js";
import { quoteAtBlock } from "../market/market.js";
import type { Opportunity } from "../opportunity/opportunity.js";
import type { PendingTransaction } from "../opportunity/pending.js";
import type { Quote } from "../opportunity/quote.js";
import { REJECT_REASONS, type RejectReason, type Result } from "../opportunity/reject.js";
import { priceInToken } from "../plan/cost.js";
import { type PlannedTrade, type PlannerSettings, makePlan } from "../plan/planner.js";
import { simulate } from "../plan/simulate.js";
import type { SlippageManager } from "../plan/slippage.js";
import { TransactionBuilder } from "../plan/transaction-builder.js";
import type { UnlandedStatus } from "../submit/bundle-campaign.js";
import type { SendTerms } from "../submit/private-run.js";
import type { TransactionExecutor } from "../submit/transaction-executor.js";
import type { Standing } from "../submit/watching.js";
import { ErrorHandler } from "./error-handler.js";
import type { Attempt, Outcome, Trade } from "./outcome.js";
import { checkFinally, type LadderSettings, termsOf } from "./final-check.js";
import { followedBy, type NotFollowed, viewBehind } from "./follow.js";
import { balanceChange, feePaid, profitFromLogs } from "./profit.js";

export interface SameChainSettings extends Omit<PlannerSettings, "minNetProfit"> {
  /** Least net profit by profit token (EIP-55 address), base units; a token that is not listed is refused. */
  minNetProfit: ReadonlyMap<string, bigint>;
  /** How long a sent transaction is waited for. */
  watchMs: number;
  pollMs: number;
  /** Sources that may fund a trade; among equally cheap ones the first counts. */
  funding: FundingId[];
  /** Most that one transaction may cost, wei. */
  maxGasCost: bigint;
  fees: FeePolicy;
  /** How tips climb while relays have a trade; absent = they do not. */
  tips?: LadderSettings;
}

export interface SameChainContext {
  chain: Chain;
  executor: string;
  /** For plans that the executor does not know; absent or null where none is deployed. */
  stepExecutor?: string | null;
  /** Address that sends; one of the executors' operators. */
  operator: string;
  /** Null: dry run, everything but sending. */
  transactions: TransactionExecutor | null;
  slippage: SlippageManager;
  settings: SameChainSettings;
}

/** So much gas is priced at once, because a unit of it may be worth less than a unit of a token. */
const PRICED_GAS = 1_000_000n;

/** Steps of one execution, for progress and for a hook between them. */
export type Step = "quoted" | "planned" | "simulated" | "sent";
export type OnStep = (
  step: Step,
  detail: { opportunity: Opportunity; trade?: PlannedTrade; txHash?: string },
) => Promise<void> | void;

/** Carries one opportunity on one chain from quote to booked outcome. */
export class SameChainExecutor {
  readonly #builder: TransactionBuilder;
  readonly #errors = new ErrorHandler();

  constructor(readonly context: SameChainContext) {
    this.#builder = new TransactionBuilder(context.chain.network, context.chain.provider);
  }

  /** Exact quote, size and funding on the head block, or on another view of the chain. */
  async quote(opportunity: Opportunity, chain: Chain = this.context.chain): Promise<Result<Quote>> {
    const { executor, stepExecutor = null, slippage, settings } = this.context;
    const reduce = (amountIn: bigint, impactPpm: number) => slippage.size(amountIn, impactPpm);
    const gasPrice = () => this.#gasPrice(opportunity.hops[0]!.tokenIn, chain);
    const options = { executor, stepExecutor, funding: settings.funding, reduce, gasPrice };
    return (await quoteAtBlock(chain.provider, chain.network, opportunity, options)).result;
  }

  /** What gas costs in a profit token at the next block's price; null where no known pool prices it. */
  async #gasPrice(token: string, chain: Chain): Promise<GasPrice | null> {
    const { settings } = this.context;
    const { nextBaseFee, maxPriorityFeePerGas } = await suggestFees(chain, settings.fees);
    const wei = (nextBaseFee + maxPriorityFeePerGas) * PRICED_GAS;
    const price = await priceInToken(chain.provider, chain.network, token, wei, "latest");
    return price === null ? null : (gas) => (gas * price) / PRICED_GAS;
  }

  /** A simulated plan for a quote, or why there is none. `parentHash`: of a bundle, the block that it must follow. */
  async plan(quote: Quote, parentHash: string | null = null, chain: Chain = this.context.chain): Promise<Result<PlannedTrade>> {
    const { executor, stepExecutor = null, operator, slippage, settings } = this.context;
    const head = await this.#head();
    const token = quote.hops[0]?.tokenIn ?? "";
    const minNetProfit = settings.minNetProfit.get(token);
    if (minNetProfit === undefined) {
      const detail = `no least net profit is configured for ${token}`;
      return { ok: false, rejection: { opportunityId: quote.opportunity.id, reason: "risk-limit", detail, where: null } };
    }
    const fees = await suggestFees(chain, settings.fees);
    return await makePlan(quote, {
      chain,
      executor,
      stepExecutor,
      operator,
      builder: this.#builder,
      slippage,
      fees,
      settings: { ...settings, minNetProfit },
      headTime: head.timestamp,
      parentHash,
    });
  }

  /** The whole path. Every refusal is an outcome with its reason; only faults that are not about this opportunity throw. */
  async execute(opportunity: Opportunity, onStep: OnStep = () => undefined): Promise<Outcome> {
    const started = performance.now();
    const seconds = () => Math.round(performance.now() - started) / 1000;
    const ready = await this.#orRejection(opportunity, () => this.#prepare(opportunity, onStep));
    if ("status" in ready) return ready;
    const { planned: prepared, after } = ready;
    const { transactions } = this.context;
    const sent = (txHash: string): Trade => ({ ...tradeOf(prepared), txHash, seconds: seconds() });
    const refused = await this.#orRejection(opportunity, () => this.#check(prepared, after));
    if (refused !== null) return refused;
    await onStep("simulated", { opportunity, trade: prepared });
    if (transactions === null) return { status: "dry-run", trade: sent("") };

    const { call, gasLimit, fees } = prepared;
    const estimate = { token: prepared.plan.profitToken, profit: prepared.quote.profit };
    const intent = { id: opportunity.id, holder: this.context.executor, estimate };
    const attempt = await this.#orRejection(opportunity, async () =>
      transactions.send(intent, call, gasLimit, fees, await this.#terms(prepared, after)),
    );
    if ("status" in attempt) return attempt;
    // From here on the transaction is out: whatever fails now leaves it known as sent, never as rejected.
    try {
      await onStep("sent", { opportunity, trade: prepared, txHash: attempt.hash });
      const { watchMs, pollMs } = this.context.settings;
      const watched = await transactions.watch(attempt, watchMs, pollMs);
      if (watched.status === "unknown") {
        const error = watched.lastError === null ? "" : `; the node's last answer: ${watched.lastError}`;
        return { status: "unknown", trade: sent(attempt.hash), reason: `no receipt after ${watched.waitedMs} ms${error}` };
      }
      if (watched.status === "superseded") {
        const { by } = watched;
        return reject(
          opportunity,
          "superseded",
          "nonce",
          `nonce ${by.nonce} went to ${by.intentId ?? `a ${by.kind}`}: ${by.hash}`,
        );
      }
      if (watched.status === "unlanded") return reject(opportunity, "not-included", "nonce", UNLANDED[watched.end](attempt));
      return await this.#book(watched.receipt, sent(watched.receipt.hash), prepared, await transactions.standing(attempt));
    } catch (error) {
      return {
        status: "unknown",
        trade: sent(attempt.hash),
        reason: `sent, not yet booked: ${this.#errors.describe(error).message}`,
      };
    }
  }

  /** Everything before sending: a simulated plan, or the outcome that there is none. */
  async #prepare(opportunity: Opportunity, onStep: OnStep): Promise<Ready | Outcome> {
    const { deadline } = opportunity;
    if (deadline !== null && deadline * 1000 < Date.now()) {
      return reject(opportunity, "expired", "deadline", `its deadline was ${new Date(deadline * 1000).toISOString()}`);
    }
    const before = await this.context.transactions?.known(opportunity.id);
    if (before !== undefined && before !== null) {
      const detail = `the journal has it in nonce ${before.nonce}, ${before.state}: ${before.attempts.at(-1)?.hash ?? ""}`;
      return reject(opportunity, "duplicate", "id", detail);
    }
    // on an old state every quote is a guess
    const stale = (await this.context.chain.pool?.stale()) ?? null;
    if (stale !== null) return reject(opportunity, "stale-network", "chainId", stale);
    const { network } = this.context.chain;
    const canFollow = this.context.transactions?.canFollow ?? network.stack === "l1";
    const followed = await followedBy(opportunity, this.context.chain, canFollow);
    if ("rejection" in followed) return { status: "rejected", ...followed };
    const { after } = followed;
    const view = await this.#view(opportunity, after);
    if ("rejection" in view) return { status: "rejected", ...view };
    const { chain } = view;
    const quote = await this.quote(opportunity, chain);
    if (!quote.ok) return { status: "rejected", rejection: quote.rejection };
    await onStep("quoted", { opportunity });
    const planned = await this.plan(quote.value, null, chain);
    if (!planned.ok) return { status: "rejected", rejection: planned.rejection };
    await onStep("planned", { opportunity, trade: planned.value });
    return { planned: planned.value, after };
  }

  /** The last look before it is signed. Null: go on. */
  async #check(planned: PlannedTrade, after: PendingTransaction | null): Promise<Outcome | null> {
    const { operator, settings } = this.context;
    const { opportunity } = planned.quote;
    const view = await this.#view(opportunity, after);
    if ("rejection" in view) return { status: "rejected", ...view };
    const holders = await this.#holders(planned);
    const rejection = await checkFinally(planned, { chain: view.chain, operator, fees: settings.fees, holders });
    return rejection && { status: "rejected", rejection };
  }

  async #terms(planned: PlannedTrade, after: PendingTransaction | null): Promise<SendTerms> {
    const { chain, settings } = this.context;
    const alive = async (): Promise<boolean> => {
      const refused = await this.#check(planned, after);
      // in this block it cannot land; in a later one it may
      return refused === null || (refused.status === "rejected" && refused.rejection.reason === "after-not-next");
    };
    const terms = { ...termsOf(planned, chain, await this.#head(), settings.tips, settings.fees), alive };
    return after === null ? terms : { ...terms, after };
  }

  async #orRejection<T>(opportunity: Opportunity, work: () => Promise<T>): Promise<T | Outcome> {
    try {
      return await work();
    } catch (error) {
      return { status: "rejected", rejection: this.#errors.toRejection(error, opportunity.id) };
    }
  }

  /** Where a trade is looked at: the chain as it is, or as it will be right behind a pending transaction. */
  async #view(opportunity: Opportunity, after: PendingTransaction | null): Promise<{ chain: Chain } | NotFollowed> {
    const { chain, settings } = this.context;
    return after === null ? { chain } : await viewBehind(opportunity, after, chain, settings.fees);
  }

  async #book(receipt: TransactionReceipt, trade: Trade, planned: PlannedTrade, standing: Standing): Promise<Outcome> {
    const { provider } = this.context.chain;
    const feeWei = await feePaid(provider, receipt);
    const { gasUsed, blockNumber } = receipt;
    if (receipt.status !== 1) {
      // that it reverted is known; a node that cannot tell why must not turn it into "unknown"
      const reason = await this.#reasonOf(planned, receipt).catch((error: unknown) => {
        return `Reverted; the node does not tell why: ${this.#errors.describe(error).message}`;
      });
      return { status: "reverted", trade, reason, gasUsed, feeWei };
    }
    const holders = await this.#holders(planned);
    const profit = profitFromLogs(receipt, trade.profitToken, holders);
    const change = await balanceChange(provider, trade.profitToken, holders, blockNumber);
    if (change !== profit) {
      // another transaction of the block may have moved the balance; the difference must be explained, not booked
      const others = await this.#othersInBlock(receipt, trade.profitToken, holders);
      if (change !== profit + others) {
        throw new ArbError("internal", `logs say ${profit}, balances say ${change} (others in the block: ${others})`, {
          where: receipt.hash,
        });
      }
    }
    const { attempts: _, ...stands } = standing;
    return { status: "landed", trade: { ...trade, profit, gasUsed, feeWei, blockNumber, ...stands } };
  }

  /** Who has the profit afterwards: the executor that ran the plan, and its owner where the plan sweeps. */
  async #holders({ plan, call }: PlannedTrade): Promise<string[]> {
    if (plan.sweep !== true) return [call.to];
    return [call.to, await IArbExecutor__factory.connect(call.to, this.context.chain.provider).owner()];
  }

  /** What other transactions of the same block did to the holders' balances of `token`. */
  async #othersInBlock(receipt: TransactionReceipt, token: string, holders: string[]): Promise<bigint> {
    const { chain } = this.context;
    const logs = await chain.provider.getLogs({ address: token, blockHash: receipt.blockHash });
    const others = logs.filter((log) => log.transactionHash !== receipt.hash);
    return profitFromLogs({ logs: others }, token, holders);
  }

  /** The reason of a revert: what the contracts said, and what the pools would give on the state that it met. */
  async #reasonOf(planned: PlannedTrade, receipt: TransactionReceipt): Promise<string> {
    const said = await this.#revertOf(planned, receipt);
    const { chain, executor, stepExecutor = null } = this.context;
    const opportunity = { ...planned.quote.opportunity, amountIn: planned.quote.amountIn, funding: planned.plan.funding.source };
    const options = { executor, stepExecutor, block: receipt.blockNumber };
    const { result } = await quoteAtBlock(chain.provider, chain.network, opportunity, options);
    const units = (amount: bigint) => formatToken(chain.network, planned.plan.profitToken, amount);
    const now = result.ok
      ? `after block ${receipt.blockNumber} the pools would leave a profit of ${units(result.value.profit)}`
      : `after block ${receipt.blockNumber}: ${REJECT_REASONS[result.rejection.reason]} (${result.rejection.detail})`;
    return `${said} The plan needed ${units(planned.plan.minProfit)}; ${now}.`;
  }

  /** What the same call reverts with on the state after its block, else before it. */
  async #revertOf(planned: PlannedTrade, receipt: TransactionReceipt): Promise<string> {
    const { chain, operator } = this.context;
    for (const block of [receipt.blockNumber, receipt.blockNumber - 1]) {
      const run = await simulate(chain.provider, planned.call, operator, planned.gasLimit, block);
      if (!run.ok) return run.reason;
    }
    return "Reverted at its place in the block, though not on the state before or after the block.";
  }

  async #head(): Promise<{ number: number; hash: string; timestamp: number }> {
    const block = await this.context.chain.provider.getBlock("latest");
    if (!block?.hash) throw new ArbError("network", `${this.context.chain.network.title} gave no head block`);
    return { number: block.number, hash: block.hash, timestamp: block.timestamp };
  }
}

/** What is left to do is to send it; `after`: the pending transaction that it must land behind. */
interface Ready {
  planned: PlannedTrade;
  after: PendingTransaction | null;
}

/** Why relays did not land it. Its hashes stay watched. */
const UNLANDED: Record<UnlandedStatus, (attempt: Attempt) => string> = {
  expired: ({ nonce, hash }) => `no block took nonce ${nonce} before its last one: ${hash}`,
  died: ({ nonce, hash }) => `withdrawn from nonce ${nonce}, because it would not succeed any more: ${hash}`,
  "slot-lost": ({ nonce, hash }) => `nonce ${nonce} was used, or is not ours any more: ${hash}`,
  "followed-gone": ({ hash }) => `the transaction that it follows was replaced: ${hash}`,
  "followed-landed": ({ hash }) => `the transaction that it follows landed without it: ${hash}`,
  stalled: ({ hash }) => `no new block came: ${hash}`,
};

function reject(opportunity: Opportunity, reason: RejectReason, where: string, detail: string): Outcome {
  return { status: "rejected", rejection: { opportunityId: opportunity.id, reason, detail, where } };
}

function tradeOf({ quote, plan, tip }: PlannedTrade): Omit<Trade, "txHash" | "seconds"> {
  return {
    opportunityId: quote.opportunity.id,
    chainId: quote.opportunity.chainId,
    path: quote.opportunity.hops.map(({ venue, pool }) => ({ venue, pool })),
    funding: plan.funding.source,
    amountIn: quote.amountIn,
    expectedProfit: quote.profit - tip,
    minProfit: plan.minProfit,
    profitToken: plan.profitToken,
  };
}
