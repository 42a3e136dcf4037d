import { expect } from "chai";
import { migrate } from "../../src/database/migrate.js";
import { type Database, openDatabase } from "../../src/database/open.js";
import { MIGRATIONS } from "../../src/database/schema.js";
import type { Limits } from "../../src/inventory/index.js";
import type { CrossChainOpportunity } from "../../src/opportunity/cross-chain.js";
import { judgeStart } from "../../src/transfers/estimate.js";
import { brokenByPlan, brokenWithin, type Part, symbolsOf } from "../../src/transfers/limits.js";
import { planOfMove } from "../../src/transfers/rebalancing-plan.js";
import { RebalancingStore, type StockMove } from "../../src/transfers/rebalancing-store.js";
import { TransferStore } from "../../src/transfers/store.js";
import { freshDatabaseUrl } from "../helpers/database.js";
import { A, ACCOUNT, B, ETHER, scriptedSaga, type ScriptedSite, USDC } from "../helpers/scripted-saga.js";

const symbolOf = symbolsOf({ networks: [] });

describe("limits: what is between networks and owned by trades, of everybody and in every direction", () => {
  let db: Database;
  /** Another process on the same database. */
  let other: Database;
  let site: ScriptedSite;
  let count = 0;

  before(async () => {
    const url = await freshDatabaseUrl();
    [db, other] = [await openDatabase({ url }, { name: "driver" }), await openDatabase({ url }, { name: "another driver" })];
    await migrate(db, MIGRATIONS);
  });
  after(async () => {
    await other.close();
    await db.close();
  });
  beforeEach(async () => {
    await db.pool.query(
      `truncate crosschain.saga, crosschain.transfer, crosschain.reservation, crosschain.rebalancing, crosschain.arrival cascade`,
    );
    site = await scriptedSaga(db, `limits-${count++}`);
    await db.pool.query(`truncate crosschain.saga, crosschain.reservation cascade`);
  });

  const trade = (id: string, change: Partial<CrossChainOpportunity> = {}): CrossChainOpportunity => ({
    ...site.opportunity,
    id,
    ...change,
  });
  const judge = async (o: CrossChainOpportunity, limits: Limits, store: TransferStore = site.env.store) =>
    await judgeStart(o, ACCOUNT, { ...site.env, store, rules: { ...site.env.rules, minProfit: { USDC: 1n }, limits } });
  /** Judged, and not opened yet. */
  const ready = async (
    o: CrossChainOpportunity,
    limits: Limits,
    { store = site.env.store, holder = ACCOUNT }: { store?: TransferStore; holder?: string } = {},
  ) => {
    const start = await judge(o, limits, store);
    if (!start.ok) throw new Error(start.reason);
    const { estimate, wanted, against } = start;
    const saga = { opportunity: o, mode: estimate.mode, account: ACCOUNT, estimate };
    const places = wanted.map((w) => ({ ...w, holder }));
    return { estimate, open: async () => await store.open(saga, places, against) };
  };
  const opened = async (o: CrossChainOpportunity, limits: Limits = {}) => {
    const { estimate, open } = await ready(o, limits);
    expect(await open()).to.equal(null);
    return estimate;
  };
  const owner = (saga: string) => ({ saga, account: ACCOUNT, workflow: `saga/${saga}` });
  const weth = (chainId: number): string => (chainId === A ? site.opportunity.buy.tokenOut : site.opportunity.sell.tokenIn);
  const usdc = (chainId: number): string => (chainId === A ? site.opportunity.buy.tokenIn : site.opportunity.sell.tokenOut);
  /** All that is between networks of a token, by a bridge where one is given. */
  const flying = async (token: (chainId: number) => string, bridge?: "across" | "stargate"): Promise<bigint> => {
    const limits: Limits = Object.fromEntries(
      ["WETH", "USDC"].map((s) => [s, bridge === undefined ? { inFlight: 0n } : { perBridge: { [bridge]: 0n } }]),
    );
    const part: Part = { chainId: B, token: token(B), amount: 1n };
    const plan = { legs: [], flying: [{ ...part, bridge: bridge ?? null }], owned: [] };
    const said = await brokenByPlan(db.pool, limits, symbolOf, "", plan);
    return BigInt(/it would be (\d+)/.exec(said!)![1]!) - 1n;
  };
  const owned = async (chainId: number, token: (chainId: number) => string): Promise<bigint> => {
    const perChain = { perChain: { [chainId]: 0n } };
    const plan = { legs: [], flying: [], owned: [{ chainId, token: token(chainId), amount: 1n }] };
    const said = await brokenByPlan(db.pool, { WETH: perChain, USDC: perChain }, symbolOf, "", plan);
    return BigInt(/it would be (\d+)/.exec(said!)![1]!) - 1n;
  };
  /** Writes down what a bridge is to carry, and says that it is on its way. */
  const send = async (o: CrossChainOpportunity, leg: "out" | "home", amount: bigint) => {
    const what = { token: leg === "out" ? "bought" : "profit", back: leg === "home", amount, id: `${leg}.0` } as const;
    const { quote } = (await site.env.quotes.offers(o, ACCOUNT, what)).offers[0]!;
    const { fromChainId, toChainId } = quote.request.route;
    const key = { bridge: quote.bridge, fromChainId, toChainId, id: quote.request.id, sourceTx: null, data: {} };
    return { row: await site.env.store.record(owner(o.id), `${leg}.0`, quote, key, 60), key };
  };
  const end = async (id: string, ended: "delivered" | "refunded") =>
    await db.pool.query(`update crosschain.transfer set ended = $2, ended_at = now(), state = $2 where id = $1`, [id, ended]);

  it("ten that are judged together against a limit of five: five are opened, in whatever process", async () => {
    const limits = { WETH: { inFlight: 5n * ETHER } };
    const stores = [db, other].map((d) => new TransferStore(d, site.env.store.providers));
    // each has tokens of its own: nothing else than the limit keeps them apart
    const holderOf = (i: number): string => `0x${String(i + 1).padStart(40, "0")}`;
    const all = await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const who = { store: stores[i % 2]!, holder: holderOf(i) };
        return await ready(trade(`ten-${i}`), limits, who);
      }),
    );
    const answers = await Promise.all(all.map(async ({ open }) => await open()));
    expect(answers.filter((a) => a === null)).to.have.length(5);
    for (const said of answers.filter((a) => a !== null))
      expect(said).to.equal(`${5n * ETHER} units of WETH may be between networks, it would be ${6n * ETHER}`);
    expect(await flying(weth)).to.equal(5n * ETHER);
    // those that were refused left nothing behind
    const { rows } = await db.pool.query(`select distinct saga from crosschain.reservation`);
    expect(rows).to.have.length(5);
    expect((await judge(trade("eleventh"), limits)).ok).to.equal(false);
  });

  it("a trade's transfers count from its opening to their ends, each once", async () => {
    const o = trade("counted");
    const { bought, sold, homeBridge } = await opened(o);
    expect(homeBridge).to.equal("across");
    const both = async () => [await flying(weth), await flying(usdc)];
    expect(await both()).to.deep.equal([bought, sold]);
    const out = await send(o, "out", bought);
    expect(await both(), "written down").to.deep.equal([bought, sold]);
    await site.env.store.started(owner(o.id), out.row, out.key, []);
    expect(await both(), "under way").to.deep.equal([bought, sold]);
    await end(out.row.id, "delivered");
    expect(await both(), "arrived").to.deep.equal([0n, sold]);
    // the proceeds fly home: the other network's token of that symbol
    const home = await send(o, "home", sold - 5n);
    expect(await both()).to.deep.equal([0n, sold - 5n]);
    expect([await flying(usdc, "across"), await flying(usdc, "stargate")]).to.deep.equal([sold - 5n, 0n]);
    await end(home.row.id, "delivered");
    expect(await both()).to.deep.equal([0n, 0n]);
  });

  it("what came back may go again; what waits for final blocks, or has ended, sends nothing", async () => {
    const o = trade("refunded");
    const { bought, sold } = await opened(o);
    const out = await send(o, "out", bought);
    await end(out.row.id, "refunded");
    expect(await flying(weth)).to.equal(bought);
    await site.env.store.stand(o.id, { state: "closing" });
    expect([await flying(weth), await flying(usdc)]).to.deep.equal([0n, 0n]);
    await site.env.store.stand(o.id, { state: "refunded" });
    expect([await flying(weth), await flying(usdc)]).to.deep.equal([bought, sold]);
    await site.env.store.finish(owner(o.id), "sold-at-source", {} as never);
    expect([await flying(weth), await flying(usdc)]).to.deep.equal([0n, 0n]);
  });

  it("the other direction counts, and what stays away does not fly", async () => {
    const limits = { WETH: { inFlight: (ETHER * 3n) / 2n } };
    const { buy, sell } = site.opportunity;
    const turn = (from: typeof buy, tokenIn: string, tokenOut: string) => ({ ...from, tokenIn, tokenOut });
    const turned = trade("turned", {
      buy: turn(sell, sell.tokenOut, sell.tokenIn),
      sell: turn(buy, buy.tokenOut, buy.tokenIn),
      returnToSource: false,
    });
    // ether is dear on the first network now
    for (const pool of site.world.pools[A]!) pool.price = 3_300n * USDC;
    await opened(turned, limits);
    expect(await flying(usdc)).to.equal(0n);
    for (const pool of site.world.pools[A]!) pool.price = 3_000n * USDC;
    const start = await judge(trade("against"), limits);
    expect(start.ok ? "" : start.reason).to.match(/units of WETH may be between networks, it would be 19\d{17}$/);
  });

  it("per leg, per bridge and per network: with the trades that are opened and have sent nothing yet", async () => {
    const refusal = async (limits: Limits) => {
      const start = await judge(trade("probe"), limits);
      return start.ok ? null : start.reason;
    };
    const first = await opened(trade("first"));
    const most = first.sold * 2n;
    expect(await refusal({ USDC: { perLeg: 2_999n * USDC } })).to.match(/one leg may move/);
    expect(await refusal({ USDC: { perLeg: 3_000n * USDC } })).to.equal(null);
    expect(await refusal({ USDC: { perBridge: { across: most - 1n } } })).to.match(/by across, it would be/);
    expect(await refusal({ USDC: { perBridge: { across: most, stargate: 0n } } })).to.equal(null);
    expect(await refusal({ WETH: { perBridge: { across: 2n * ETHER - 1n } } })).to.match(/by across/);
    for (const [chainId, symbol, amount] of [
      [A, "USDC", most],
      [A, "WETH", 2n * ETHER],
      [B, "WETH", 2n * ETHER],
      [B, "USDC", most],
    ] as const) {
      expect(await refusal({ [symbol]: { perChain: { [chainId]: amount } } }), `${symbol} on ${chainId}`).to.equal(null);
      expect(await refusal({ [symbol]: { perChain: { [chainId]: amount - 1n } } })).to.match(/trades may own/);
    }
    // what is reserved is not counted once more as what is to come
    await site.env.store.own(owner("first"), [{ chainId: A, holder: ACCOUNT, token: weth(A), amount: first.bought }]);
    expect(await owned(A, weth)).to.equal(first.bought);
  });

  it("a transfer of stock counts before it is written down, and is not opened beyond a limit", async () => {
    const store = new RebalancingStore(db, site.env.store.providers);
    const move: StockMove = {
      fromChainId: B,
      toChainId: A,
      amount: 2n * ETHER,
      cost: 0n,
      bridge: "across",
      tokenIn: weth(B),
      tokenOut: weth(A),
      maxCostPpm: 10_000,
    };
    const wanted = [{ chainId: B, holder: ACCOUNT, token: move.tokenIn, amount: move.amount }];
    const open = async (limits: Limits) =>
      await store.open(
        "WETH",
        ACCOUNT,
        move,
        wanted,
        async (sql, id) => await brokenWithin(sql, limits, symbolOf, id, planOfMove(move)),
      );
    await opened(trade("before"));
    expect(await open({ WETH: { inFlight: 3n * ETHER - 1n } })).to.equal(null);
    expect(await flying(weth)).to.equal(ETHER);
    expect((await open({ WETH: { inFlight: 3n * ETHER } }))?.id).to.equal("rebalance/WETH/1");
    expect(await flying(weth)).to.equal(3n * ETHER);
    const start = await judge(trade("behind"), { WETH: { inFlight: 4n * ETHER - 1n } });
    expect(start.ok).to.equal(false);
  });

  it("counts by the registry's symbol also on networks that are not set up here", () => {
    expect(symbolOf(8453, "0x4200000000000000000000000000000000000006")).to.equal("WETH");
    expect(symbolOf(1, "0x00000000000000000000000000000000000000AA")).to.equal("0x00000000000000000000000000000000000000aa");
  });
});
