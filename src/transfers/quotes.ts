/** What a cross-chain trade would give, what each way out of it would give, and what gas is worth; all by quotes of now. */
import type { BridgeId, BridgeQuote } from "../bridges/bridge.js";
import { spedUp } from "../bridges/bridge-executor.js";
import type { BridgeMonitor, BridgeOffers } from "../bridges/monitor.js";
import { ArbError } from "../errors.js";
import { type LegQuote, quoteAll } from "../execution/legs.js";
import type { Choice, ChoiceKind, SagaState } from "../execution/recovery-manager.js";
import type { CrossChainOpportunity } from "../opportunity/cross-chain.js";
import type { OpportunityHop } from "../opportunity/opportunity.js";
import type { Senders } from "./senders.js";
import { workflowOf } from "./store.js";

/** Gas of one leg with its approval, and of one start of a bridge with its approval: for costs before anything is planned. */
const LEG_GAS = 230_000n;
const START_GAS = 190_000n;
const PRICE_PROBE = 10n ** 16n;
const PRICE_MS = 15_000;

/** Where a saga's money is. Amounts in base units of the token. */
export interface Position {
  state: SagaState;
  /** Of the token that the state is about. */
  amount: bigint;
  /** At its cost, in the profit token. */
  capital: bigint;
  /** Inventory, sold but not bought: what the sale gave. */
  proceeds?: bigint;
  exceptPools: string[];
  exceptBridges: BridgeId[];
  /** Pool that failed last: "retry" is there. */
  pool?: string | null;
  /** Of the transfer that is under way. */
  quote?: BridgeQuote;
}

export class Quotes {
  readonly #prices = new Map<string, { at: number; out: bigint }>();

  constructor(
    readonly senders: Senders,
    readonly monitor: BridgeMonitor,
    readonly transferSeconds: number,
  ) {}

  /** Pools for a swap on a network, the best first. */
  async sales(
    account: string,
    chainId: number,
    order: { tokenIn: string; tokenOut: string; amountIn: bigint; preferred?: OpportunityHop | null; except?: string[] },
  ): Promise<LegQuote[]> {
    const { network, provider } = this.senders.chain(chainId);
    return await quoteAll(provider, network, this.senders.venue(chainId, account), order);
  }

  /** Wei of a network's coin in base units of a token there, rounded up. Raises "network" without a pool that prices it. */
  async costIn(chainId: number, wei: bigint, token: string): Promise<bigint> {
    const { network, provider } = this.senders.chain(chainId);
    if (wei === 0n || token.toLowerCase() === network.wrappedNative.toLowerCase()) return wei;
    const key = `${chainId} ${token}`;
    let price = this.#prices.get(key);
    if (!price || Date.now() - price.at > PRICE_MS) {
      const venue = this.senders.venue(chainId, this.senders.wallets[0]?.address ?? network.wrappedNative);
      const order = { tokenIn: network.wrappedNative, tokenOut: token, amountIn: PRICE_PROBE };
      const [best] = await quoteAll(provider, network, venue, order);
      if (!best) throw new ArbError("network", `gas on ${network.title} has no price in ${token}`, { where: network.name });
      price = { at: Date.now(), out: best.amountOut };
      this.#prices.set(key, price);
    }
    return (wei * price.out + PRICE_PROBE - 1n) / PRICE_PROBE;
  }

  async gasPrice(chainId: number): Promise<bigint> {
    const block = await this.senders.chain(chainId).provider.getBlock("latest");
    if (block?.baseFeePerGas == null)
      throw new ArbError("network", "the node gave no block with a base fee", { where: String(chainId) });
    return block.baseFeePerGas;
  }

  /** Gas of a number of legs and starts on a network, in the profit token there. */
  async gasIn(chainId: number, token: string, legs: bigint, starts: bigint): Promise<bigint> {
    const gas = legs * LEG_GAS + starts * START_GAS;
    return await this.costIn(chainId, gas * (await this.gasPrice(chainId)), token);
  }

  /** Quotes of all bridges. The request's id only names it: a start is quoted anew with its own. */
  async offers(
    o: CrossChainOpportunity,
    account: string,
    what: { token: "bought" | "profit"; back: boolean; amount: bigint; id: string; except?: BridgeId[] },
  ): Promise<BridgeOffers> {
    const [here, there] = what.token === "bought" ? [o.buy.tokenOut, o.sell.tokenIn] : [o.buy.tokenIn, o.sell.tokenOut];
    const [fromChainId, toChainId] = what.back ? [o.sell.chainId, o.buy.chainId] : [o.buy.chainId, o.sell.chainId];
    const [tokenIn, tokenOut] = what.back ? [there, here] : [here, there];
    const block = await this.senders.chain(toChainId).provider.getBlock("latest");
    if (!block) throw new ArbError("network", "the node gave no block", { where: String(toChainId) });
    const request = {
      route: { fromChainId, toChainId, tokenIn, tokenOut },
      amountIn: what.amount,
      sender: this.senders.venue(fromChainId, account).holder,
      recipient: this.senders.venue(toChainId, account).holder,
      deadline: block.timestamp + this.transferSeconds,
      id: `${workflowOf(o.id)}:${what.id}`,
    };
    if (what.amount <= 0n) return { offers: [], refused: [] };
    return await this.monitor.offers(request, { allow: o.bridges, except: what.except ?? [] });
  }

  /** What bringing proceeds home would leave of them: all where they stay. Null where no bridge carries them. */
  async home(
    o: CrossChainOpportunity,
    account: string,
    amount: bigint,
    except: BridgeId[] = [],
  ): Promise<{ net: bigint; seconds: number } | null> {
    if (!o.returnToSource) return { net: amount, seconds: 0 };
    const { offers } = await this.offers(o, account, { token: "profit", back: true, amount, id: "home?", except });
    const [best] = offers;
    return best ? { net: best.net, seconds: best.seconds } : null;
  }

  /**
   * Ways out of a state, with what each would lose: the capital less what is there in the end. What cannot be quoted is left out. Raises
   * "network" where a chain does not answer.
   */
  async waysOut(o: CrossChainOpportunity, account: string, p: Position): Promise<Choice[]> {
    const choices: Choice[] = [];
    const add = (kind: ChoiceKind, value: bigint | null, seconds: number, detail: string): void => {
      if (value !== null) choices.push({ kind, loss: p.capital - value, seconds, detail });
    };
    const sellAt = async (where: "source" | "target", amount: bigint, except: string[]): Promise<bigint | null> => {
      const { chainId } = where === "source" ? o.buy : o.sell;
      const [tokenIn, tokenOut] = where === "source" ? [o.buy.tokenOut, o.buy.tokenIn] : [o.sell.tokenIn, o.sell.tokenOut];
      const preferred = where === "target" ? o.sell : { ...o.buy, tokenIn, tokenOut };
      const [best] = await this.sales(account, chainId, { tokenIn, tokenOut, amountIn: amount, preferred, except });
      return best ? best.amountOut - (await this.gasIn(chainId, tokenOut, 1n, 0n)) : null;
    };
    const thenHome = async (sold: bigint | null): Promise<bigint | null> => {
      if (sold === null || sold <= 0n) return null;
      // where no bridge brings it home it stays: nothing is lost by that
      return (await this.home(o, account, sold))?.net ?? sold;
    };
    const across = async (kind: ChoiceKind, except: BridgeId[]): Promise<void> => {
      const { offers } = await this.offers(o, account, { token: "bought", back: false, amount: p.amount, id: "again?", except });
      const [best] = offers;
      if (!best) return;
      add(
        kind,
        await thenHome(await sellAt("target", best.net, [])),
        best.seconds,
        `by ${best.quote.bridge}, then sold on the target network`,
      );
    };
    switch (p.state) {
      case "source-leg": {
        const spent = { tokenIn: o.buy.tokenIn, tokenOut: o.buy.tokenOut, amountIn: o.amountIn, preferred: o.buy };
        const at = async (kind: ChoiceKind, except: string[]) => {
          const [best] = await this.sales(account, o.buy.chainId, { ...spent, except });
          if (best) add(kind, await thenHome(await sellAt("target", best.amountOut, [])), 0, `bought in ${best.hop.venue}`);
        };
        await at("retry", []);
        await at("other-venue", p.exceptPools);
        break;
      }
      case "bridge-start":
      case "refunded":
        add("sell-at-source", await sellAt("source", p.amount, []), 0, "sold where it was bought");
        add("other-venue", await sellAt("source", p.amount, p.exceptPools), 0, "sold on the source network in another pool");
        if (p.pool !== undefined) add("retry", await sellAt("source", p.amount, []), 0, "sold on the source network, again");
        else await across("retry", []);
        await across("continue", p.exceptBridges);
        await across("other-bridge", p.exceptBridges);
        break;
      case "target-leg": {
        const now = await thenHome(await sellAt("target", p.amount, []));
        add("sell-at-target", now, 0, "sold at the price of now");
        add("continue", now, 0, "what arrived, sold");
        add("retry", now, 0, "sold, again");
        add("other-venue", await thenHome(await sellAt("target", p.amount, p.exceptPools)), 0, "sold in another pool");
        const { offers } = await this.offers(o, account, {
          token: "bought",
          back: true,
          amount: p.amount,
          id: "back?",
          except: p.exceptBridges,
        });
        const [best] = offers;
        if (best)
          add("bridge-back", await sellAt("source", best.net, []), best.seconds, `back by ${best.quote.bridge}, then sold`);
        break;
      }
      case "in-flight": {
        const offered = p.quote;
        if (!offered) break;
        // who waits for a slow transfer must expect its refund
        add("wait", await sellAt("source", offered.amountIn, []), offered.refundSeconds, "until it arrives or is refunded");
        if (offered.bridge !== "across") break;
        const dearer = spedUp(offered);
        add(
          "speed-up",
          await thenHome(await sellAt("target", dearer, [])),
          offered.etaSeconds,
          `for ${offered.amountOut - dearer} more`,
        );
        break;
      }
      case "return-start":
      case "return-refunded":
      case "rebalance-start": {
        add("keep-at-target", p.amount, 0, "the proceeds stay where they are");
        add("continue", p.amount, 0, "what arrived");
        for (const [kind, except] of [
          ["retry", []],
          ["other-bridge", p.exceptBridges],
        ] as const) {
          const home = await this.home({ ...o, returnToSource: true }, account, p.amount, [...except]);
          if (home) add(kind, home.net, home.seconds, "home by the cheapest bridge");
        }
        break;
      }
      case "return-in-flight":
      case "rebalance-in-flight":
        if (p.quote) add("wait", p.quote.amountIn, p.quote.refundSeconds, "until it arrives or is refunded");
        if (p.quote?.bridge === "across") add("speed-up", spedUp(p.quote), p.quote.etaSeconds, "for a higher fee");
        break;
      case "bought-not-sold":
        add("sell-at-source", await sellAt("source", p.amount, []), 0, "sold where it was bought");
        add("sell-at-target", await sellAt("target", p.amount, []), 0, "sold at the price of now");
        add("retry", await sellAt("target", p.amount, []), 0, "sold, again");
        add("other-venue", await sellAt("target", p.amount, p.exceptPools), 0, "sold in another pool");
        break;
      case "sold-not-bought": {
        const proceeds = p.proceeds ?? 0n;
        // what is missing of the token is worth what its sale gave
        const worth = (bought: bigint) => ((bought - p.amount) * proceeds) / p.amount;
        const buyAt = async (kind: ChoiceKind, except: string[]) => {
          const spend = { tokenIn: o.buy.tokenIn, tokenOut: o.buy.tokenOut, amountIn: o.amountIn, preferred: o.buy, except };
          const [best] = await this.sales(account, o.buy.chainId, spend);
          if (best) add(kind, proceeds + worth(best.amountOut), 0, `bought in ${best.hop.venue}`);
        };
        await buyAt("retry", []);
        await buyAt("continue", []);
        await buyAt("other-venue", p.exceptPools);
        const back = { tokenIn: o.sell.tokenOut, tokenOut: o.sell.tokenIn, amountIn: proceeds };
        const [best] = await this.sales(account, o.sell.chainId, back);
        if (best) add("buy-at-target", p.capital + worth(best.amountOut), 0, `bought back in ${best.hop.venue}`);
        break;
      }
    }
    return choices;
  }
}
