/** What a cross-chain trade would give, what each way out of it would give, and what gas is worth; all by quotes of now. */
import type { BridgeId, BridgeQuote } from "../bridges/bridge.js";
import { SLOW_FILL_SECONDS } from "../bridges/across.js";
import type { SlowFill } from "../bridges/bridge-executor.js";
import type { BridgeMonitor, BridgeOffers } from "../bridges/monitor.js";
import { type Moment, moment, msBetween } from "../clock.js";
import { ArbError } from "../errors.js";
import { type LegQuote, type OwnSwap, quoteAll, routerVenue, type SaleOrder } from "../execution/legs.js";
import type { Choice, ChoiceKind, SagaState } from "../execution/recovery-manager.js";
import type { CrossChainOpportunity } from "../opportunity/cross-chain.js";
import { sameAddress } from "../venues/swap.js";
import type { Senders } from "./senders.js";
import { workflowOf } from "./store.js";

/** Gas of one leg with its approval, and of one start of a bridge with its approval: for costs before anything is planned. */
const LEG_GAS = 230_000n;
const START_GAS = 190_000n;
/** Gas of the calls that bring an Across transfer on: 46,295 and 64,119 were measured. */
const SPEED_UP_GAS = 60_000n;
const SLOW_FILL_GAS = 80_000n;
const PRICE_PROBE = 10n ** 16n;
const PRICE_MS = 15_000;

/** Where a saga's money is. Amounts in base units of the token. */
export interface Position {
  state: SagaState;
  /** Of the token that the state is about. */
  amount: bigint;
  /** At its cost, in the profit token. */
  capital: bigint;
  /** What `amount` is of, where a transfer may carry either; the profit token by default. */
  token?: "bought" | "profit";
  /** Inventory, sold but not bought: what the sale gave. */
  proceeds?: bigint;
  exceptPools: string[];
  exceptBridges: BridgeId[];
  /** Before the start: the swap that leads into the state. Its pool is quoted as it leaves it: it gives its own price impact back. */
  after?: OwnSwap & { chainId: number };
  /** Pool that failed last: "retry" is there. */
  pool?: string | null;
  /** Of the transfer that is under way. */
  quote?: BridgeQuote;
  /** Least output that its relayers were offered after its start. */
  offered?: bigint;
  slowFill?: SlowFill;
}

export class Quotes {
  readonly #prices = new Map<string, { at: Moment; out: bigint }>();

  constructor(
    readonly senders: Senders,
    readonly monitor: BridgeMonitor,
    readonly transferSeconds: number,
  ) {}

  /** Pools for a swap on a network, the best first. */
  async sales(account: string, chainId: number, order: SaleOrder): Promise<LegQuote[]> {
    const { network, provider } = this.senders.chain(chainId);
    return await quoteAll(provider, network, this.senders.venue(chainId, account), order);
  }

  /** Wei of a network's coin in base units of a token there, rounded up. Raises "network" without a pool that prices it. */
  async costIn(chainId: number, wei: bigint, token: string): Promise<bigint> {
    const { network, provider } = this.senders.chain(chainId);
    if (wei === 0n || token.toLowerCase() === network.wrappedNative.toLowerCase()) return wei;
    const key = `${chainId} ${token}`;
    let price = this.#prices.get(key);
    if (!price || msBetween(price.at, moment()) > PRICE_MS) {
      // the market's price: a vault need not be allowed to sell the coin for it
      const venue = routerVenue(network, provider, network.wrappedNative);
      const order = { tokenIn: network.wrappedNative, tokenOut: token, amountIn: PRICE_PROBE };
      const [best] = await quoteAll(provider, network, venue, order);
      if (!best) throw new ArbError("network", `gas on ${network.title} has no price in ${token}`, { where: network.name });
      price = { at: moment(), out: best.amountOut };
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

  /** Gas of the request for a slow fill on a network, in a token there. */
  async slowFillGas(chainId: number, token: string): Promise<bigint> {
    return await this.costIn(chainId, SLOW_FILL_GAS * (await this.gasPrice(chainId)), token);
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
    const request = {
      route: { fromChainId, toChainId, tokenIn, tokenOut },
      amountIn: what.amount,
      sender: this.senders.venue(fromChainId, account).holder,
      recipient: this.senders.venue(toChainId, account).holder,
      deadline: await this.#deadline(toChainId),
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
  ): Promise<{ net: bigint; seconds: number; bridge: BridgeId | null } | null> {
    if (!o.returnToSource) return { net: amount, seconds: 0, bridge: null };
    const { offers } = await this.offers(o, account, { token: "profit", back: true, amount, id: "home?", except });
    const [best] = offers;
    return best ? { net: best.net, seconds: best.seconds, bridge: best.quote.bridge } : null;
  }

  /** Output for which a bridge would carry a transfer of this amount now, base units of what arrives; null where it does not say. */
  async demand(offered: BridgeQuote): Promise<bigint | null> {
    const { request } = offered;
    const deadline = await this.#deadline(request.route.toChainId);
    const asked = { ...request, deadline, id: `${request.id}?` };
    const answer = await this.monitor.bridge(offered.bridge).quote(asked, (chainId) => this.senders.view(chainId));
    // by their shares: amounts differ by what makes them unique
    return answer.ok ? (answer.quote.amountOut * offered.amountIn) / answer.quote.amountIn : null;
  }

  /** Whether a bridge would now want more for a transfer than it was offered last: relayers leave it then. False where it does not say. */
  async asksMore(offered: BridgeQuote, last = offered.amountOut): Promise<boolean> {
    return isBelow(await this.demand(offered), last);
  }

  /**
   * Output that a speed-up offers, always below the last offer: what the bridge asks for now, or one more fee where it asks for no more
   * than was offered, or does not say. Null where nothing would be left.
   */
  async nextOffer(offered: BridgeQuote, last: bigint): Promise<bigint | null> {
    const asked = await this.demand(offered).catch((error: unknown) => {
      // a service that does not answer keeps nobody from offering more
      if (error instanceof ArbError && error.code === "network") return null;
      throw error;
    });
    const offer = asked !== null && isBelow(asked, last) ? asked : last - (offered.fee > 0n ? offered.fee : 1n);
    return offer > 0n ? offer : null;
  }

  /**
   * Ways out of a state, with what each would lose: the capital less what is there in the end. Only `kinds` are quoted; what cannot be is
   * left out. Raises "network" where a chain does not answer; `lenient` leaves out what needs it.
   */
  async waysOut(
    o: CrossChainOpportunity,
    account: string,
    p: Position,
    kinds: readonly ChoiceKind[] | null = null,
    lenient = false,
  ): Promise<Choice[]> {
    const choices: Choice[] = [];
    for (const [kind, way] of Object.entries(this.#ways(o, account, p)) as [ChoiceKind, Way][]) {
      if (kinds !== null && !kinds.includes(kind)) continue;
      try {
        const found = await way();
        if (found === null) continue;
        const { value, seconds = 0, ...more } = found;
        choices.push({ kind, loss: p.capital - value, seconds, ...more });
      } catch (error) {
        if (!lenient || !(error instanceof ArbError) || error.code !== "network") throw error;
      }
    }
    return choices;
  }

  #ways(o: CrossChainOpportunity, account: string, p: Position): Partial<Record<ChoiceKind, Way>> {
    const afterOn = (chainId: number) => (p.after?.chainId === chainId ? { after: p.after } : {});
    const sellAt = async (where: "source" | "target", amount: bigint, except: string[] = []): Promise<bigint | null> => {
      const { chainId } = where === "source" ? o.buy : o.sell;
      const [tokenIn, tokenOut] = where === "source" ? [o.buy.tokenOut, o.buy.tokenIn] : [o.sell.tokenIn, o.sell.tokenOut];
      const preferred = where === "target" ? o.sell : { ...o.buy, tokenIn, tokenOut };
      const order = { tokenIn, tokenOut, amountIn: amount, preferred, except, ...afterOn(chainId) };
      const [best] = await this.sales(account, chainId, order);
      return best ? best.amountOut - (await this.gasIn(chainId, tokenOut, 1n, 0n)) : null;
    };
    const sold =
      (where: "source" | "target", detail: string, except: string[] = []): Way =>
      async () => {
        const value = await sellAt(where, p.amount, except);
        return value === null ? null : { value, detail };
      };
    const thenHome = async (amount: bigint | null): Promise<bigint | null> => {
      if (amount === null || amount <= 0n) return null;
      // where no bridge brings it home it stays: nothing is lost by that
      return (await this.home(o, account, amount))?.net ?? amount;
    };
    const soldHome =
      (detail: string, except: string[] = []): Way =>
      async () => {
        const value = await thenHome(await sellAt("target", p.amount, except));
        return value === null ? null : { value, detail };
      };
    const across =
      (except: BridgeId[]): Way =>
      async () => {
        const asked = { token: "bought", back: false, amount: p.amount, id: "again?", except } as const;
        const [best] = (await this.offers(o, account, asked)).offers;
        if (!best) return null;
        const value = await thenHome(await sellAt("target", best.net));
        const detail = `by ${best.quote.bridge}, then sold on the target network`;
        return value === null ? null : { value, seconds: best.seconds, detail };
      };
    const bridgeBack: Way = async () => {
      const asked = { token: "bought", back: true, amount: p.amount, id: "back?", except: p.exceptBridges } as const;
      const [best] = (await this.offers(o, account, asked)).offers;
      const value = best ? await sellAt("source", best.net) : null;
      return value === null ? null : { value, seconds: best!.seconds, detail: `back by ${best!.quote.bridge}, then sold` };
    };
    // stock that travels is worth its cost
    const isBought = p.token === "bought" || p.state === "in-flight";
    const worthOf = (amount: bigint): bigint => (isBought ? (p.capital * amount) / p.amount : amount);
    switch (p.state) {
      case "source-leg": {
        const buyIn =
          (except: string[]): Way =>
          async () => {
            const { tokenIn, tokenOut } = o.buy;
            const order = { tokenIn, tokenOut, amountIn: o.amountIn, preferred: o.buy, except };
            const [best] = await this.sales(account, o.buy.chainId, order);
            const value = best ? await thenHome(await sellAt("target", best.amountOut)) : null;
            return value === null ? null : { value, detail: `bought in ${best!.hop.venue}` };
          };
        return { retry: buyIn([]), "other-venue": buyIn(p.exceptPools) };
      }
      case "bridge-start":
      case "refunded":
        return {
          "sell-at-source": sold("source", "sold where it was bought"),
          "other-venue": sold("source", "sold on the source network in another pool", p.exceptPools),
          retry: p.pool === undefined ? across([]) : sold("source", "sold on the source network, again"),
          continue: across(p.exceptBridges),
          "other-bridge": across(p.exceptBridges),
        };
      case "target-leg":
        return {
          "sell-at-target": soldHome("sold at the price of now"),
          continue: soldHome("what arrived, sold"),
          retry: p.pool === undefined ? bridgeBack : soldHome("sold, again"),
          "other-venue": soldHome("sold in another pool", p.exceptPools),
          "bridge-back": bridgeBack,
        };
      case "in-flight": {
        const { quote } = p;
        if (!quote) return {};
        const sell = async (chainId: number, amount: bigint) =>
          chainId === o.buy.chainId ? await sellAt("source", amount) : await thenHome(await sellAt("target", amount));
        return this.#flying(o, account, { ...p, quote }, worthOf, sell);
      }
      case "return-start":
      case "return-refunded":
      case "rebalance-start": {
        const away =
          (except: BridgeId[]): Way =>
          async () => {
            const token = p.token ?? "profit";
            const asked = { token, back: token === "profit", amount: p.amount, id: "home?", except };
            const [best] = (await this.offers(o, account, asked)).offers;
            return best ? { value: worthOf(best.net), seconds: best.seconds, detail: "by the cheapest bridge" } : null;
          };
        const stays =
          (detail: string): Way =>
          () =>
            Promise.resolve({ value: worthOf(p.amount), detail });
        return {
          "keep-at-target": stays("the proceeds stay where they are"),
          retry: away([]),
          "other-bridge": away(p.exceptBridges),
        };
      }
      case "return-in-flight":
      case "rebalance-in-flight": {
        const { quote } = p;
        if (!quote) return {};
        return this.#flying(o, account, { ...p, quote }, worthOf, async (_, amount) => await Promise.resolve(worthOf(amount)));
      }
      case "bought-not-sold":
        return {
          "sell-at-source": sold("source", "sold where it was bought"),
          "sell-at-target": sold("target", "sold at the price of now"),
          retry: sold("target", "sold, again"),
          "other-venue": sold("target", "sold in another pool", p.exceptPools),
        };
      case "sold-not-bought": {
        const proceeds = p.proceeds ?? 0n;
        // what is missing of the token is worth what its sale gave
        const worth = (bought: bigint) => ((bought - p.amount) * proceeds) / p.amount;
        const buyAt =
          (except: string[]): Way =>
          async () => {
            const { tokenIn, tokenOut } = o.buy;
            const spend = { tokenIn, tokenOut, amountIn: o.amountIn, preferred: o.buy, except };
            const [best] = await this.sales(account, o.buy.chainId, spend);
            return best ? { value: proceeds + worth(best.amountOut), detail: `bought in ${best.hop.venue}` } : null;
          };
        return {
          retry: buyAt([]),
          continue: buyAt([]),
          "other-venue": buyAt(p.exceptPools),
          "buy-at-target": async () => {
            const { chainId, tokenIn, tokenOut } = o.sell;
            const back = { tokenIn: tokenOut, tokenOut: tokenIn, amountIn: proceeds, ...afterOn(chainId) };
            const [best] = await this.sales(account, chainId, back);
            return best ? { value: p.capital + worth(best.amountOut), detail: `bought back in ${best.hop.venue}` } : null;
          },
        };
      }
    }
  }

  /** Ways on for a transfer that is under way. `worthOf`: at its cost; `worthOn`: on a network, at its price of now. In the profit token. */
  #flying(
    o: CrossChainOpportunity,
    account: string,
    { quote, offered, slowFill }: Position & { quote: BridgeQuote },
    worthOf: (amount: bigint) => bigint,
    worthOn: (chainId: number, amount: bigint) => Promise<bigint | null>,
  ): Partial<Record<ChoiceKind, Way>> {
    const { amountIn, amountOut, etaSeconds, refundSeconds } = quote;
    const { fromChainId, toChainId } = quote.request.route;
    const profitOn = (chainId: number): string => (chainId === o.buy.chainId ? o.buy.tokenIn : o.sell.tokenOut);
    const isAsked = slowFill === "asked";
    const ways: Partial<Record<ChoiceKind, Way>> = {
      // who waits for a slow transfer must expect its refund, or the slow fill that was asked for
      wait: async () => {
        const value = isAsked ? await worthOn(toChainId, amountOut) : await worthOn(fromChainId, amountIn);
        const detail = "until it arrives or is refunded";
        return value === null ? null : { value, seconds: isAsked ? SLOW_FILL_SECONDS : refundSeconds, detail };
      },
    };
    // a speed-up needs the depositor's signature, which a vault does not give
    if (quote.bridge === "across" && sameAddress(quote.request.sender, account))
      ways["speed-up"] = async () => {
        const last = offered ?? amountOut;
        const offer = await this.nextOffer(quote, last);
        const value = offer === null ? null : await worthOn(toChainId, offer);
        if (offer === null || value === null) return null;
        const cost = await this.costIn(fromChainId, SPEED_UP_GAS * (await this.gasPrice(fromChainId)), profitOn(fromChainId));
        const given = worthOf(amountOut - offer);
        return { value: value - cost, seconds: etaSeconds, detail: `for ${last - offer} more`, offer, given };
      };
    if (slowFill === "possible")
      ways["slow-fill"] = async () => {
        const value = await worthOn(toChainId, amountOut);
        if (value === null) return null;
        const cost = await this.slowFillGas(toChainId, profitOn(toChainId));
        return { value: value - cost, seconds: SLOW_FILL_SECONDS, detail: "by the bridge, with one of its next root bundles" };
      };
    return ways;
  }

  /** Latest arrival that a transfer of now may want, by the destination's clock. */
  async #deadline(chainId: number): Promise<number> {
    const block = await this.senders.chain(chainId).provider.getBlock("latest");
    if (!block) throw new ArbError("network", "the node gave no block", { where: String(chainId) });
    return block.timestamp + this.transferSeconds;
  }
}

/** One way out, quoted when it is asked: what is there in the end, in the profit token. Null where it cannot be taken. */
type Way = () => Promise<({ value: bigint; seconds?: number } & Pick<Choice, "detail" | "offer" | "given">) | null>;

/** Whether a bridge asks for more than a last offer. Rounding is no demand. */
const isBelow = (asked: bigint | null, last: bigint): boolean => asked !== null && asked < last - 1n;
