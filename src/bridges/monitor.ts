/** What every bridge would give for a transfer, after the risk of its time and failures; and which of them must not be used now. */
import { ArbError } from "../errors.js";
import { databaseError, type JournalDatabase } from "../journal/sql.js";
import type { Bridge, BridgeId, BridgeQuote, TransferRequest, Views } from "./bridge.js";

/** What our own transfers say about a bridge on a route. */
export interface BridgeHistory {
  transfers: number;
  /** Arrived, but after their deadline, or are overdue. */
  late: number;
  refunded: number;
  /** Half of them arrived within this; null without any. */
  medianSeconds: number | null;
}

/** A quote with what it is worth to us. Amounts in base units of the token that arrives. */
export interface PricedQuote {
  quote: BridgeQuote;
  /** amountOut less the costs below: by this the bridges are compared. */
  net: bigint;
  /** Native fee of the start and gas of the claim. */
  messageCost: bigint;
  /** The longer of what the bridge promises and what we saw. */
  seconds: number;
  /** What the price may move meanwhile, or what the time costs where no price counts. */
  timeCost: bigint;
  /** Chance that it fails or is late, parts per million. */
  failurePpm: number;
  /** That chance times what the wait for a refund costs. */
  failureCost: bigint;
}

export interface BridgeOffers {
  /** Best net amount first. */
  offers: PricedQuote[];
  refused: { bridge: BridgeId; reason: string }[];
}

export interface MonitorOptions {
  db: JournalDatabase;
  bridges: readonly Bridge[];
  views: Views;
  /** What the price of a token may move in an hour, parts per million of the amount. */
  driftPpmPerHour: number;
  /** Wei of a network's coin in base units of a token there. Raises ArbError where it has no price. */
  costIn: (chainId: number, wei: bigint, token: string) => Promise<bigint>;
  /** Gas price in wei for a claim on a network. */
  gasPrice: (chainId: number) => Promise<bigint>;
  /** A bridge is stopped when this many of its last transfers in a row missed their deadline. */
  missesToStop?: number;
  stopSeconds?: number;
}

export interface QuoteWish {
  /** Only these; null = all. */
  allow?: readonly BridgeId[] | null;
  except?: readonly BridgeId[];
  /** What an hour costs, parts per million of the amount, in place of the drift of a price. */
  timePpmPerHour?: number;
}

const PPM = 1_000_000n;
/** What is assumed of a bridge that we hardly know: one failure in fifty. */
const PRIOR = { failures: 1, transfers: 50 };
const MISSES = 3;
const STOP_SECONDS = 3600;
const HISTORY = `select count(*)::int as transfers,
    count(*) filter (where coalesce(ended_at, clock_timestamp()) > due)::int as late,
    count(*) filter (where ended = 'refunded')::int as refunded,
    percentile_cont(0.5) within group (order by extract(epoch from ended_at - started_at)) filter (where ended = 'delivered') as median
  from (select * from crosschain.transfer where bridge = $1 and from_chain = $2 and to_chain = $3
        and started_at is not null order by recorded_at desc limit 200) recent`;

/** Chance of a failure or a delay in parts per million, from what was seen and what is assumed before anything was. */
export function failurePpm({ transfers, late, refunded }: BridgeHistory): number {
  const failures = Math.min(transfers, late + refunded);
  return Math.round(((failures + PRIOR.failures) * 1e6) / (transfers + PRIOR.transfers));
}

/** Puts a value on a quote. `timePpmPerHour`: of the amount; `messageCost` in the token that arrives. */
export function priced(quote: BridgeQuote, history: BridgeHistory, timePpmPerHour: number, messageCost: bigint): PricedQuote {
  const seconds = Math.max(quote.etaSeconds, Math.ceil(history.medianSeconds ?? 0));
  const costOf = (time: number) => (quote.amountOut * BigInt(timePpmPerHour) * BigInt(Math.ceil(time))) / 3600n / PPM;
  const timeCost = costOf(seconds);
  const chance = failurePpm(history);
  const failureCost = (costOf(quote.refundSeconds) * BigInt(chance)) / PPM;
  const net = quote.amountOut - messageCost - timeCost - failureCost;
  return { quote, net, messageCost, seconds, timeCost, failurePpm: chance, failureCost };
}

export class BridgeMonitor {
  readonly #o: MonitorOptions;

  constructor(options: MonitorOptions) {
    this.#o = options;
  }

  bridge(id: BridgeId): Bridge {
    const found = this.#o.bridges.find((b) => b.id === id);
    if (!found) throw new ArbError("config", `the bridge ${id} is not set up`, { where: "bridges" });
    return found;
  }

  /**
   * Quotes of all bridges, the best first. A bridge that does not answer is refused with its fault, and the others count. Raises
   * "network" only when the database does not answer.
   */
  async offers(request: TransferRequest, wish: QuoteWish = {}): Promise<BridgeOffers> {
    const { bridges, views, driftPpmPerHour } = this.#o;
    const timePpmPerHour = wish.timePpmPerHour ?? driftPpmPerHour;
    const stopped = await this.stopped();
    const refused: BridgeOffers["refused"] = [];
    const asked = bridges.map(async (bridge): Promise<PricedQuote | null> => {
      const refuse = (reason: string): null => (refused.push({ bridge: bridge.id, reason }), null);
      if ((wish.allow && !wish.allow.includes(bridge.id)) || wish.except?.includes(bridge.id))
        return refuse("not to be used here");
      if (!bridge.serves(request.route)) return refuse("does not carry this token between these networks");
      const stop = stopped.get(bridge.id);
      if (stop !== undefined) return refuse(`stopped: ${stop}`);
      try {
        const answer = await bridge.quote(request, views);
        if (!answer.ok) return refuse(answer.reason);
        const { route } = request;
        const history = await this.history(bridge.id, route.fromChainId, route.toChainId);
        return priced(answer.quote, history, timePpmPerHour, await this.#messageCost(answer.quote));
      } catch (error) {
        if (error instanceof ArbError) return refuse(error.message);
        throw error;
      }
    });
    const offers = (await Promise.all(asked)).filter((p) => p !== null);
    return { offers: offers.toSorted((a, b) => (a.net > b.net ? -1 : a.net < b.net ? 1 : 0)), refused };
  }

  async #messageCost({ request, nativeFee, claimGas }: BridgeQuote): Promise<bigint> {
    const { fromChainId, toChainId, tokenIn, tokenOut } = request.route;
    const fee = nativeFee === 0n ? 0n : await this.#o.costIn(fromChainId, nativeFee, tokenIn);
    const claim =
      claimGas === 0n ? 0n : await this.#o.costIn(toChainId, claimGas * (await this.#o.gasPrice(toChainId)), tokenOut);
    return fee + claim;
  }

  async history(bridge: BridgeId, fromChainId: number, toChainId: number): Promise<BridgeHistory> {
    const rows = await this.#ask<{ transfers: number; late: number; refunded: number; median: unknown }>(HISTORY, [
      bridge,
      fromChainId,
      toChainId,
    ]);
    const { transfers = 0, late = 0, refunded = 0, median = null } = rows[0] ?? {};
    return { transfers, late, refunded, medianSeconds: median === null ? null : Number(median) };
  }

  /** Bridges that carry nothing new now, with the reason. */
  async stopped(): Promise<Map<BridgeId, string>> {
    const rows = await this.#ask<{ bridge: BridgeId; reason: string }>(
      `select bridge, reason from crosschain.stopped_bridge where until > clock_timestamp()`,
      [],
    );
    return new Map(rows.map((r) => [r.bridge, r.reason]));
  }

  /** Stops a bridge whose last transfers all missed their deadline. Gives the reason when it is stopped by that. */
  async judge(bridge: BridgeId): Promise<string | null> {
    const misses = this.#o.missesToStop ?? MISSES;
    const rows = await this.#ask<{ missed: boolean }>(
      `select coalesce(ended_at, clock_timestamp()) > due or ended = 'refunded' as missed from crosschain.transfer
       where bridge = $1 and started_at is not null and (ended is not null or due < clock_timestamp())
       order by recorded_at desc limit $2`,
      [bridge, misses],
    );
    if (rows.length < misses || !rows.every((r) => r.missed)) return null;
    const reason = `its last ${misses} transfers missed their deadline`;
    await this.#ask(
      `insert into crosschain.stopped_bridge (bridge, reason, until) values ($1, $2, clock_timestamp() + $3 * interval '1 s')
       on conflict (bridge) do update set reason = $2, until = greatest(crosschain.stopped_bridge.until, excluded.until)`,
      [bridge, reason, this.#o.stopSeconds ?? STOP_SECONDS],
    );
    return reason;
  }

  async #ask<R extends object>(text: string, values: unknown[]): Promise<R[]> {
    try {
      return (await this.#o.db.pool.query(text, values)).rows as R[];
    } catch (error) {
      throw databaseError(error, "the history of the bridges cannot be read");
    }
  }
}
