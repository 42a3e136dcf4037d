/**
 * Sagas on scripted networks: the program's own saga, actions, quotes, bridge monitor, recovery and database; below them, in place of
 * chains, pools and bridges, what a test says happens. Money is counted here by itself, to be compared with the books.
 */
import { type Provider, type TransactionReceipt, type TransactionRequest, ZeroAddress } from "ethers";
import type { Bridge, BridgeId, BridgeQuote, RecoverWish, TransferKey, TransferState } from "../../src/bridges/bridge.js";
import { unwrappedBy } from "../../src/bridges/coin.js";
import { BridgeMonitor } from "../../src/bridges/monitor.js";
import { networkById } from "../../src/config/networks.js";
import type { Database } from "../../src/database/open.js";
import { ArbError } from "../../src/errors.js";
import { DEFAULT_SETTINGS, type Env } from "../../src/execution/cross-chain-executor.js";
import type { LegQuote } from "../../src/execution/legs.js";
import { RecoveryManager, type RecoveryPolicy } from "../../src/execution/recovery-manager.js";
import { type Command, type Engine, runSaga, type SagaInput } from "../../src/execution/saga.js";
import type { IntentOutcome } from "../../src/journal/notes.js";
import type { CrossChainOpportunity } from "../../src/opportunity/cross-chain.js";
import { Actions } from "../../src/transfers/actions.js";
import { Quotes } from "../../src/transfers/quotes.js";
import type { Landing, Order, Senders } from "../../src/transfers/senders.js";
import { type CoinInBlock, TransferStore } from "../../src/transfers/store.js";
import { Semaphore, semaphores } from "../../src/transfers/turns.js";
import type { BookLine, SagaResult } from "../../src/transfers/types.js";
import { IERC20__factory, IWETH9__factory } from "../../types/contracts/index.js";

export const A = 1;
export const B = 42161;
export const USDC = 10n ** 6n;
export const ETHER = 10n ** 18n;
export const ACCOUNT = "0x00000000000000000000000000000000000a11ce";
const GAS = 10n ** 13n;

const tokenOf = (chainId: number, symbol: string): string =>
  networkById(chainId)!.tokens.find((t) => t.symbol === symbol)!.address;

/** What a transfer shows at a look. `amount`: what arrives or comes back; all of it by default. */
export interface Shown {
  state: TransferState;
  facts?: Record<string, string>;
  amount?: bigint;
  waitsFor?: string;
  /** It comes as the network's coin. */
  native?: boolean;
}

/** What a bridge does with one transfer: by how often it was looked at, and which calls it got. */
export type TransferScript = (seen: { looks: number; calls: (RecoverWish | "claim")[]; seconds: number }) => Shown;

export interface Pool {
  address: string;
  /** USDC for one ether. */
  price: bigint;
}

/** The world below a saga. A test changes it before, or when something happens (`on`). */
export class ScriptedWorld {
  readonly balances = new Map<string, bigint>();
  readonly bridged = new Map<string, bigint>();
  readonly ledger: { intent: string; chainId: number; asset: string; amount: bigint; gas: bigint }[] = [];
  readonly pools: Record<number, Pool[]> = {
    [A]: [
      { address: "0x000000000000000000000000000000000000a001", price: 3_000n * USDC },
      { address: "0x000000000000000000000000000000000000a002", price: 3_005n * USDC },
    ],
    [B]: [
      { address: "0x000000000000000000000000000000000000b001", price: 3_120n * USDC },
      { address: "0x000000000000000000000000000000000000b002", price: 3_110n * USDC },
    ],
  };
  /** Networks whose nodes do not answer, and such that make no blocks; until when, in seconds of the saga. */
  readonly silent = new Map<number, number>();
  readonly halted = new Map<number, number>();
  /** Names of calls that revert: the leg or transfer's name, and how often (Infinity: for good). */
  readonly reverts = new Map<string, number>();
  /** Names of calls that are signed and in no block for so many looks. */
  readonly pending = new Map<string, number>();
  /** What keeps a call from being signed at all, by its name. */
  broken: (name: string) => Error | null = () => null;
  /** Whether pools take tokens by an approval, too. */
  routers = false;
  /** What each intent called. */
  readonly calls = new Map<string, Order["call"]>();
  /** Whether bridges send WETH as the coin, which their starts unwrap before. */
  unwraps = false;
  /** What bridges may take, by network, token and spender; null: anything, and their starts have no approval. */
  allowances: Map<string, bigint> | null = null;
  /** For how many questions the journal has not booked what landed, by the name of its call. */
  readonly unbooked = new Map<string, number>();
  /** Whether gas has no price, for good. */
  unpriced = false;
  /** Whether all bridges refuse to quote for a transfer; its name is "out.1", or "again?" and the like where it is only asked about. */
  refuses: (transfer: string) => boolean = () => false;
  /** Called before a swap is quoted. */
  beforeSale: (chainId: number, selling: boolean) => void = () => undefined;
  /** By name of the transfer ("out", "home", "restock", "back"). The first of its name takes the first script, and so on. */
  readonly scripts = new Map<string, TransferScript[]>();
  /** Fee of the bridge in parts per million, of now; by the transfer's name where it differs. */
  feePpm = 500n;
  feeOf: (transfer: string) => bigint = () => this.feePpm;
  /** How long a failed transfer's money is away. */
  refundSeconds = 300;
  /** What happens when a call was made, by its name. */
  readonly on = new Map<string, () => void>();
  readonly transfers = new Map<
    string,
    {
      quote: BridgeQuote;
      name: string;
      script: TransferScript;
      looks: number;
      calls: (RecoverWish | "claim")[];
      since: number;
      paid: boolean;
    }
  >();
  seconds = 0;
  readonly #known = new Map<string, Landing>();
  readonly #signed = new Set<string>();

  move(chainId: number, asset: string, amount: bigint): void {
    const key = `${chainId} ${asset.toLowerCase()}`;
    this.balances.set(key, (this.balances.get(key) ?? 0n) + amount);
  }

  answer(chainId: number): void {
    if (this.seconds < (this.silent.get(chainId) ?? 0)) throw new ArbError("network", `chain ${chainId} does not answer`);
  }

  /** What a reorganisation makes of a call: its effects are taken back, and it is made anew with what is scripted then. */
  reorganise(intent: string, chainId: number): void {
    for (const e of this.ledger.filter((l) => l.intent === intent)) this.move(e.chainId, e.asset, e.gas - e.amount);
    this.ledger.splice(0, Infinity, ...this.ledger.filter((l) => l.intent !== intent));
    this.#known.delete(intent);
    const call = this.calls.get(intent)!;
    if (call.data.includes('"do":"start"')) this.bridged.delete((JSON.parse(call.data) as { id: string }).id);
    this.execute({ chainId, account: ACCOUNT, intentId: intent, call });
  }

  /** As the journal has it; what is known is final. */
  outcome(chainId: number, intentId: string): IntentOutcome | null {
    if (!this.isKnown(intentId)) return null;
    const end = this.#known.get(intentId);
    const status = end === undefined || end.status === "open" ? "open" : end.status === "landed" ? "landed" : "reverted";
    const nothing = { expectedProfit: null, profit: null, feeWei: null };
    return { chainId, intentId, account: ACCOUNT, nonce: 0, status, final: status !== "open", hash: "0xhash", ...nothing };
  }

  isKnown = (intent: string): boolean => this.#known.has(intent) || this.#signed.has(intent);

  /** One call, once for each intent. */
  execute({ chainId, intentId, call }: Order): Landing {
    const before = this.#known.get(intentId);
    this.answer(chainId);
    if (before !== undefined) return before;
    const name = call.data.startsWith(APPROVE) ? "approve" : nameOf(intentId);
    const why = this.broken(name);
    if (why !== null) throw why;
    this.#signed.add(intentId);
    this.calls.set(intentId, call);
    const looks = this.pending.get(name) ?? 0;
    if (looks > 0) {
      this.pending.set(name, looks - 1);
      return { status: "open", detail: `${name} is in no block yet` };
    }
    const isUnwrap = call.data.startsWith(WITHDRAW);
    const left = isUnwrap ? 0 : (this.reverts.get(name) ?? 0);
    const entry = (asset: string, amount: bigint, gas = 0n): void => {
      this.ledger.push({ intent: intentId, chainId, asset: asset.toLowerCase(), amount, gas });
      this.move(chainId, asset, amount - gas);
    };
    entry("native", -call.value, GAS);
    // what reverts takes nothing
    const isShort =
      left <= 0 && this.allowances !== null && call.data.includes('"do":"start"') && !this.#take(JSON.parse(call.data).id);
    let end: Landing;
    if (left > 0 || isShort) {
      this.reverts.set(name, left - 1);
      // the value comes back with the revert
      entry("native", call.value);
      end = { status: "failed", detail: `${name} reverted`, sent: true };
    } else if (name === "approve") {
      this.allowances?.set(`${chainId} ${call.to.toLowerCase()}`, BigInt(`0x${call.data.slice(74)}`));
      end = { status: "landed", hash: `0x${intentId}`, blockNumber: 1 };
    } else if (isUnwrap) {
      const amount = unwrappedBy(call);
      entry(call.to, -amount);
      entry("native", amount);
      end = { status: "landed", hash: `0x${intentId}`, blockNumber: 1 };
    } else if (name === "wrap") {
      entry(tokenOf(chainId, "WETH"), call.value);
      end = { status: "landed", hash: `0x${intentId}`, blockNumber: 1 };
    } else {
      const done = JSON.parse(call.data) as { do: string; from?: string; to?: string; pay?: string; get?: string; id?: string };
      if (done.do === "swap") {
        entry(done.from!, -BigInt(done.pay!));
        entry(done.to!, BigInt(done.get!));
      } else if (done.do === "start") {
        const transfer = this.transfers.get(done.id!)!;
        // the coin is part of the call's value
        if (call.value <= transfer.quote.nativeFee) entry(transfer.quote.request.route.tokenIn, -transfer.quote.amountIn);
        this.bridged.set(done.id!, transfer.quote.amountIn);
        transfer.since = this.seconds;
      } else this.transfers.get(done.id!)!.calls.push(done.do as RecoverWish | "claim");
      end = { status: "landed", hash: `0x${intentId}`, blockNumber: 1 };
    }
    this.#known.set(intentId, end);
    this.on.get(name)?.();
    return end;
  }

  /** Whether a start may take its tokens; what it takes it may take once. */
  #take(transfer: string): boolean {
    const { route, amountIn } = this.transfers.get(transfer)!.quote.request;
    const key = `${route.fromChainId} ${route.tokenIn.toLowerCase()}`;
    const allowed = this.allowances!.get(key) ?? 0n;
    if (allowed < amountIn) return false;
    this.allowances!.set(key, allowed - amountIn);
    return true;
  }
}

const erc20 = IERC20__factory.createInterface();
const APPROVE = erc20.getFunction("approve").selector;
const weth9 = IWETH9__factory.createInterface();
const WITHDRAW = weth9.getFunction("withdraw").selector;
/** Who takes the tokens of every scripted bridge. */
const SPENDER = "0x00000000000000000000000000000000000b41d9";

/** What a pool gives: whoever sells pays a fee of 0.3 %. */
const given = (selling: boolean, amountIn: bigint, price: bigint): bigint =>
  selling ? (amountIn * price * 997n) / 1_000n / ETHER : (amountIn * ETHER) / price;

/** "out" of "saga/x:out.1" and of its start "saga/x:out.1.0": what the test calls it. */
const nameOf = (intent: string): string => {
  const own = intent.slice(intent.indexOf(":") + 1).replace(/^again\d+\./, "");
  if (own.includes(".wrap") || own.startsWith("coin")) return "wrap";
  const push = /\.(claim|speed-up|retry|re-attest|claim-refund)\.\d+$|\.(slow-fill)$/.exec(own);
  return push ? (push[1] ?? push[2]!) : own.split(".")[0]!;
};

const bridgeOf = (world: ScriptedWorld, id: BridgeId, eta: number): Bridge => ({
  id,
  serves: () => true,
  quote: (request) => {
    world.answer(request.route.fromChainId);
    world.answer(request.route.toChainId);
    const name = request.id.slice(request.id.indexOf(":") + 1);
    if (world.refuses(name)) return Promise.resolve({ ok: false, reason: "paused" });
    const fee = (request.amountIn * world.feeOf(name)) / 1_000_000n + (id === "across" ? 0n : 1n);
    return Promise.resolve({
      ok: true,
      quote: {
        bridge: id,
        request,
        amountIn: request.amountIn,
        amountOut: request.amountIn - fee,
        fee,
        nativeFee: 10n ** 12n,
        claimGas: 0n,
        etaSeconds: eta,
        refundSeconds: world.refundSeconds,
        expiresAt: Number.MAX_SAFE_INTEGER,
        limits: { min: 0n, max: 10n ** 30n },
        terms: {},
      },
    });
  },
  start: (quote) => {
    const { id: transfer, route } = quote.request;
    if (!world.transfers.has(transfer)) {
      const name = nameOf(transfer);
      const script = world.scripts.get(name)?.shift() ?? (() => ({ state: "delivered" }));
      world.transfers.set(transfer, { quote, name, script, looks: 0, calls: [], since: world.seconds, paid: false });
    }
    const call = {
      chainId: route.fromChainId,
      to: id,
      data: JSON.stringify({ do: "start", id: transfer }),
      value: quote.nativeFee,
    };
    const key: TransferKey = {
      // no bridge's own key: a speed-up needs no signature here
      bridge: "stargate",
      fromChainId: route.fromChainId,
      toChainId: route.toChainId,
      id: transfer,
      sourceTx: null,
      data: {},
    };
    const data = erc20.encodeFunctionData("approve", [SPENDER, quote.amountIn]);
    const approval = { chainId: route.fromChainId, to: route.tokenIn, data, value: 0n, purpose: "approve" };
    if (world.unwraps && route.tokenIn === tokenOf(route.fromChainId, "WETH")) {
      const unwrap = { ...approval, data: weth9.encodeFunctionData("withdraw", [quote.amountIn]), purpose: "unwrap" };
      return { calls: [unwrap, { ...call, value: call.value + quote.amountIn, purpose: "start" }], key };
    }
    return { calls: [...(world.allowances === null ? [] : [approval]), { ...call, purpose: "start" }], key };
  },
  started: (key, receipt) => ({ ...key, sourceTx: receipt.hash }),
  track: (key) => {
    world.answer(key.fromChainId);
    world.answer(key.toChainId);
    const t = world.transfers.get(key.id)!;
    if (!t.paid && !world.bridged.has(key.id))
      return Promise.resolve({ state: "not-started", arrival: null, waitsFor: "its start", checkAgainSeconds: 60, facts: {} });
    const {
      state,
      facts = {},
      amount,
      waitsFor = "a relayer",
      native = false,
    } = t.script({ looks: t.looks++, calls: t.calls, seconds: world.seconds - t.since });
    const over = state === "delivered" || state === "refunded";
    const { route } = t.quote.request;
    const [chainId, token] = state === "refunded" ? [route.fromChainId, route.tokenIn] : [route.toChainId, route.tokenOut];
    const got = amount ?? (state === "refunded" ? t.quote.amountIn : t.quote.amountOut);
    if (over && !t.paid) {
      t.paid = true;
      world.bridged.delete(key.id);
      world.move(chainId, native ? "native" : token, got);
    }
    const log = { txHash: `0xarrival ${key.id}`, blockNumber: 1, blockHash: "0x1", logIndex: 0 };
    const arrival = { ...log, chainId, token: native ? ZeroAddress : token, amount: got };
    return Promise.resolve({ state, arrival: over ? arrival : null, waitsFor, checkAgainSeconds: 60, facts });
  },
  claim: (key) => Promise.resolve(pushOf(key, "claim")),
  recover: (key, wish) => {
    if (wish !== "re-attest") return Promise.resolve(pushOf(key, wish));
    world.transfers.get(key.id)!.calls.push(wish);
    return Promise.resolve(null);
  },
});
const pushOf = (key: TransferKey, wish: string) => ({
  chainId: key.toChainId,
  to: key.bridge,
  data: JSON.stringify({ do: wish, id: key.id }),
  value: 0n,
  purpose: wish,
});

/** Prices of the scripted pools in place of chains. */
class ScriptedQuotes extends Quotes {
  constructor(
    readonly world: ScriptedWorld,
    senders: Senders,
    monitor: BridgeMonitor,
  ) {
    super(senders, monitor, 7_200);
  }

  override sales(
    _account: string,
    chainId: number,
    order: { tokenIn: string; tokenOut: string; amountIn: bigint; except?: string[] },
  ): Promise<LegQuote[]> {
    this.world.answer(chainId);
    const { tokenIn, tokenOut, amountIn, except = [] } = order;
    const selling = tokenIn.toLowerCase() === tokenOf(chainId, "WETH").toLowerCase();
    this.world.beforeSale(chainId, selling);
    this.world.answer(chainId);
    const quotes = this.world.pools[chainId]!.filter((p) => !except.includes(p.address)).map(({ address, price }) => ({
      hop: { chainId, venue: "uniswap-v2" as const, pool: address, tokenIn, tokenOut, feePips: 3000 },
      amountOut: given(selling, amountIn, price),
      impactPpm: 0,
      blockNumber: 1,
      timestamp: 1,
    }));
    return Promise.resolve(quotes.toSorted((a, b) => (a.amountOut > b.amountOut ? -1 : 1)));
  }

  override costIn(chainId: number, wei: bigint, token: string): Promise<bigint> {
    this.world.answer(chainId);
    if (this.world.unpriced) throw new TypeError("gas has no price");
    if (token.toLowerCase() === tokenOf(chainId, "WETH").toLowerCase()) return Promise.resolve(wei);
    return Promise.resolve((wei * 3_000n * USDC) / ETHER);
  }

  override gasPrice(chainId: number): Promise<bigint> {
    this.world.answer(chainId);
    return Promise.resolve(10n ** 8n);
  }
}

/** The real tables; the journal's part of the books is the world's. */
class ScriptedStore extends TransferStore {
  constructor(
    readonly world: ScriptedWorld,
    db: Database,
  ) {
    super(db, () => providerOf(world));
  }

  /** Whether the journal's round that books it has not come yet. */
  #isUnbooked(intent: string): boolean {
    const left = this.world.unbooked.get(nameOf(intent)) ?? 0;
    if (left > 0) this.world.unbooked.set(nameOf(intent), left - 1);
    return left > 0;
  }

  override wrappedBy(saga: string, chainId: number, token: string): Promise<bigint> {
    const own = this.world.ledger.filter((e) => e.intent.startsWith(`saga/${saga}:`) && e.chainId === chainId);
    const wraps = own.filter((e) => nameOf(e.intent) === "wrap" && e.asset === token.toLowerCase());
    const gains = wraps.filter((e) => !this.#isUnbooked(e.intent));
    return Promise.resolve(gains.reduce((sum, e) => sum + e.amount, 0n));
  }

  override async unwrapped(saga: string, wrappedOf: (chainId: number) => string): Promise<Map<number, bigint>> {
    const left = await super.unwrapped(saga, wrappedOf);
    const failed = (await this.transfersOf(saga)).filter((t) => t.ended === "not-started");
    for (const { chainId, intent, amount } of this.world.ledger) {
      const isTaken = this.world.calls.get(intent)?.data.startsWith(WITHDRAW) === true && amount < 0n;
      if (!isTaken || !failed.some((t) => intent.startsWith(`${t.id}.`))) continue;
      left.set(chainId, (left.get(chainId) ?? 0n) - amount - (await this.wrappedBy(saga, chainId, wrappedOf(chainId))));
    }
    return new Map([...left].filter(([, sum]) => sum > 0n));
  }

  override changeOf(_chainId: number, intentId: string): Promise<Map<string, bigint>> {
    const change = new Map<string, bigint>();
    if (this.#isUnbooked(intentId)) return Promise.resolve(change);
    for (const e of this.world.ledger.filter((entry) => entry.intent === intentId))
      change.set(e.asset, (change.get(e.asset) ?? 0n) + e.amount);
    return Promise.resolve(change);
  }

  /** Nothing of a start's value comes back on these chains, and their accounts' balances stand still. */
  override coinIn(): Promise<CoinInBlock> {
    return Promise.resolve({ sum: 0n, transactions: 1 });
  }

  override async books(saga: string, holder: string): Promise<BookLine[]> {
    const lines = new Map((await super.books(saga, holder)).map((l) => [`${l.chainId} ${l.asset}`, l]));
    for (const { intent, chainId, asset, amount, gas } of this.world.ledger) {
      if (!intent.startsWith(`saga/${saga}:`)) continue;
      const line = lines.get(`${chainId} ${asset}`) ?? { chainId, asset, amount: 0n, gas: 0n };
      lines.set(`${chainId} ${asset}`, { ...line, amount: line.amount + amount, gas: line.gas + gas });
    }
    return [...lines.values()];
  }
}

const providerOf = (world: ScriptedWorld, chainId = A): Provider =>
  ({
    getBlock: () => {
      world.answer(chainId);
      return Promise.resolve({ timestamp: 1, baseFeePerGas: 1n });
    },
    getBalance: () => Promise.resolve(0n),
    // of allowances and balances
    call: ({ to, data }: TransactionRequest) => {
      const { allowances } = world;
      const isAllowance = String(data).startsWith(erc20.getFunction("allowance").selector);
      const value =
        allowances !== null && isAllowance ? (allowances.get(`${chainId} ${(to as string).toLowerCase()}`) ?? 0n) : 10n ** 30n;
      return Promise.resolve(`0x${value.toString(16).padStart(64, "0")}`);
    },
  }) as unknown as Provider;

function sendersOf(world: ScriptedWorld): Senders {
  const haltOf = (chainId: number): Promise<string | null> => {
    world.answer(chainId);
    return Promise.resolve(world.seconds < (world.halted.get(chainId) ?? 0) ? `chain ${chainId} has no new block` : null);
  };
  const scripted: Partial<Senders> = {
    wallets: [],
    networks: [],
    onFault: () => undefined,
    chain: (chainId) =>
      ({ network: networkById(chainId)!, provider: providerOf(world, chainId) }) as ReturnType<Senders["chain"]>,
    symbol: (chainId, token) =>
      networkById(chainId)!.tokens.find((t) => t.address.toLowerCase() === token.toLowerCase())?.symbol ?? token,
    venue: (chainId) => ({
      id: "scripted",
      holder: ACCOUNT,
      serves: () => true,
      spender: () => (world.routers ? SPENDER : null),
      call: ({ hop, amountIn, minOut }) => {
        // at the price of the moment when it is signed; below the least output it reverts
        const pool = world.pools[chainId]!.find((p) => p.address === hop.pool)!;
        const selling = hop.tokenIn.toLowerCase() === tokenOf(chainId, "WETH").toLowerCase();
        const get = given(selling, amountIn, pool.price);
        if (get < minOut) throw new Error(`${get} is less than ${minOut}`);
        return {
          to: hop.pool,
          data: JSON.stringify({ do: "swap", from: hop.tokenIn, to: hop.tokenOut, pay: String(amountIn), get: String(get) }),
          value: 0n,
        };
      },
    }),
    view: (chainId) => ({
      network: networkById(chainId)!,
      provider: providerOf(world, chainId),
      finalBlock: () => Promise.resolve(1n),
    }),
    signed: (_chainId, intent) => Promise.resolve(world.calls.get(intent) ?? null),
    isKnown: (_chainId, intent) => Promise.resolve(world.isKnown(intent)),
    outcome: (chainId, intent) => Promise.resolve(world.outcome(chainId, intent)),
    watch: () => Promise.resolve(),
    execute: async (order) => await Promise.resolve(order).then((o) => world.execute(o)),
    receipt: (_chainId, hash) => Promise.resolve({ hash } as TransactionReceipt),
    haltOf: async (chainId) => await haltOf(chainId),
    mustMove: async (chainId) => {
      const halt = await haltOf(chainId);
      if (halt !== null) throw new ArbError("network", halt);
    },
  };
  return scripted as Senders;
}

/** An engine in memory: a clock of its own, and steps that were recorded before, which it gives back in their order. */
export class ScriptedEngine implements Engine {
  readonly made: [string, unknown][] = [];
  /** Said at the next wait. */
  said: Command | null = null;
  #next = 0;

  constructor(
    readonly recorded: readonly (readonly [string, unknown])[] = [],
    readonly world: ScriptedWorld = new ScriptedWorld(),
  ) {}

  get isLive(): boolean {
    return this.#next >= this.recorded.length;
  }

  async #one<T>(name: string, live: () => Promise<T>): Promise<T> {
    const known = this.recorded[this.#next];
    if (known !== undefined && known[0] !== name) throw new Error(`step ${this.#next} was ${known[0]}, now it is ${name}`);
    this.#next++;
    const value = known === undefined ? await live() : (known[1] as T);
    this.made.push([name, value]);
    return value;
  }

  async step<T>(name: string, body: () => Promise<T>): Promise<T> {
    return await this.#one(name, body);
  }

  async pause(seconds: number): Promise<Command | null> {
    const said = await this.#one("DBOS.recv", () => {
      this.world.seconds += seconds;
      const { said: now } = this;
      this.said = null;
      return Promise.resolve(now);
    });
    // the engine's own mark of how long it waits
    if (this.recorded[this.#next]?.[0] === "DBOS.sleep") this.#next++;
    return said;
  }

  async now(): Promise<number> {
    return await this.#one("DBOS.now", () => Promise.resolve(Math.round(this.world.seconds * 1000)));
  }

  async patched(change: string): Promise<boolean> {
    const name = `DBOS.patch-${change}`;
    // as DBOS.patch: another step in its place was made by a version without it
    if (!this.isLive && this.recorded[this.#next]![0] !== name) return false;
    return await this.#one(name, () => Promise.resolve(true));
  }
}

export const POLICY: RecoveryPolicy = {
  maxLoss: 200n * USDC,
  holdLimit: 5_000n * USDC,
  holdSeconds: 600,
  timeCostPpb: 1_000n,
  tries: 2,
};

export interface ScriptedSite {
  world: ScriptedWorld;
  env: Env;
  opportunity: CrossChainOpportunity;
  faults: string[];
  run(engine?: Engine, more?: Partial<SagaInput>): Promise<SagaResult>;
}

const hop = (chainId: number, pool: string, from: string, to: string) => ({
  chainId,
  venue: "uniswap-v2" as const,
  pool,
  tokenIn: tokenOf(chainId, from),
  tokenOut: tokenOf(chainId, to),
  feePips: 3000,
});

/** A trade of 3,000 USDC that would gain about 95, opened and not begun. `eta`: seconds that transfers are promised to take. */
export async function scriptedSaga(
  db: Database,
  id: string,
  change: { mode?: "bridge" | "inventory"; eta?: number; policy?: Partial<RecoveryPolicy>; bridges?: BridgeId[] } = {},
): Promise<ScriptedSite> {
  const { mode = "bridge", eta = 100, policy = {}, bridges = ["across", "stargate"] } = change;
  const world = new ScriptedWorld();
  const senders = sendersOf(world);
  const faults: string[] = [];
  const store = new ScriptedStore(world, db);
  const pricing: { quotes?: Quotes } = {};
  const monitor = new BridgeMonitor({
    db,
    bridges: bridges.map((b) => bridgeOf(world, b, eta)),
    views: (chainId) => senders.view(chainId),
    driftPpmPerHour: 1,
    missesToStop: 1_000_000,
    costIn: async (chainId, wei, token) => await pricing.quotes!.costIn(chainId, wei, token),
    gasPrice: async (chainId) => await pricing.quotes!.gasPrice(chainId),
  });
  const quotes = new ScriptedQuotes(world, senders, monitor);
  pricing.quotes = quotes;
  const settings = { ...DEFAULT_SETTINGS, graceSeconds: eta === 0 ? 0 : 100, haltSeconds: 120 };
  const env: Env = {
    store,
    quotes,
    actions: new Actions(senders, store, quotes, settings),
    recovery: new RecoveryManager({ ...POLICY, ...policy }),
    rules: { minProfit: {}, minimumCapital: {}, limits: {} },
    settings,
    openings: new Semaphore(1),
    looks: semaphores(1),
    onFault: (error) => faults.push(error instanceof Error ? error.message : String(error)),
    onStep: () => undefined,
    closed: false,
  };
  const opportunity: CrossChainOpportunity = {
    version: "opportunity.v1",
    id,
    buy: hop(A, world.pools[A]![0]!.address, "USDC", "WETH"),
    sell: hop(B, world.pools[B]![0]!.address, "WETH", "USDC"),
    amountIn: 3_000n * USDC,
    mode,
    bridges: null,
    returnToSource: true,
    deadline: null,
    source: null,
  };
  const estimate = {
    mode,
    bought: ETHER,
    sold: 3_108n * USDC,
    home: 3_106n * USDC,
    gasCost: USDC / 10n,
    bridgeCost: 4n * USDC,
    profit: 95n * USDC,
    worstLoss: 0n,
    bridges,
    seconds: 1,
    waysOut: {},
  };
  const wanted = [{ chainId: A, holder: ACCOUNT, token: opportunity.buy.tokenIn, amount: opportunity.amountIn }];
  const missing = await store.open({ opportunity, mode, account: ACCOUNT, estimate }, wanted);
  if (missing !== null) throw new Error(missing);
  const run = async (engine: Engine = new ScriptedEngine([], world), more: Partial<SagaInput> = {}): Promise<SagaResult> =>
    await runSaga(env, engine, { opportunity, account: ACCOUNT, again: 0, ...more });
  return { world, env, opportunity, faults, run };
}

/** Takes all trades out of the tables: what bridges did before counts in the choice of the next. */
export async function forgetTrades(db: Pick<Database, "pool">): Promise<void> {
  await db.pool.query(`truncate crosschain.saga, crosschain.transfer, crosschain.reservation, crosschain.stopped_bridge cascade`);
}

/** Where the world's own count differs from the books: nothing, where they are complete. */
export function unbalanced({ world }: ScriptedSite, result: SagaResult): string[] {
  const wrong: string[] = [];
  const booked = new Map(result.books.map((b) => [`${b.chainId} ${b.asset}`, b.amount - b.gas]));
  for (const key of new Set([...booked.keys(), ...world.balances.keys()]))
    if ((booked.get(key) ?? 0n) !== (world.balances.get(key) ?? 0n))
      wrong.push(`${key}: world ${world.balances.get(key) ?? 0n}, books ${booked.get(key) ?? 0n}`);
  return wrong;
}
