import { expect } from "chai";
import { hexlify, randomBytes, toQuantity } from "ethers";
import { opStandardBridge } from "../../src/bridges/op-standard.js";
import { type Chain, connectChain } from "../../src/chain/connect.js";
import type { RebalancingConfig } from "../../src/config/cross-chain.js";
import { OP_PREDEPLOYS, opStandardFacts } from "../../src/config/op-standard.js";
import { Secret } from "../../src/config/secrets.js";
import { rebalancingStore } from "../../src/execution/rebalancing.js";
import { openAcross } from "../../src/sim/bridges/across.js";
import { GAME_FINALITY, type LocalOpStandard, PROOF_MATURITY, startLocalOpStandard } from "../../src/sim/bridges/op-standard.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import { type LocalWorld, startLocalWorld } from "../../src/sim/world.js";
import { type PlanEnv, planOf, stockOffers } from "../../src/transfers/rebalancing-plan.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { IERC20__factory } from "../../types/contracts/index.js";
import { advance } from "../helpers/bridges.js";
import { localAcrossBridge, openDriver, type OpenDriver, until } from "../helpers/cross-chain.js";

const [L1, L2] = [1, 10];
const ETHER = 10n ** 18n;
/** Two days more than a withdrawal takes. */
const WITHIN = 9 * 24 * 3_600;

const WETH: RebalancingConfig = {
  token: "WETH",
  shares: new Map([
    [L1, 500_000],
    [L2, 500_000],
  ]),
  tolerancePpm: 50_000,
  maxCostPpm: 2_000,
  everyMs: 60_000,
};
/** So that a week's absence costs less than Across' fee. */
const PATIENT = { ...WETH, withinSeconds: WITHIN, timeCostPpmPerHour: 1 };

describe("rebalancing by a canonical bridge: the OP Stack's own contracts, on local chains", function () {
  this.timeout(180_000);
  let world: LocalWorld;
  let local: LocalOpStandard;
  const chains = new Map<number, Chain>();
  let driver: OpenDriver;
  let wallet: WalletManager;
  let env: PlanEnv;
  let start: Map<string, bigint>;

  before(async () => {
    world = await startLocalWorld([L1, L2]);
    await openAcross(world);
    local = await startLocalOpStandard(world.chain(L1), world.chain(L2));
    // what others deposited
    const portal = opStandardFacts(L2)!.portal.address;
    await world.chain(L1).rpc("hardhat_setBalance", [portal, toQuantity(100n * ETHER)]);
    for (const chainId of [L1, L2]) {
      const { network, url } = world.chain(chainId);
      const final = { ...network, blockTimeMs: 200, finality: { blocks: 0, source: "test" } };
      chains.set(chainId, await connectChain(final, [url], { local: true, pollMs: 50 }));
    }
    wallet = new WalletManager(new Secret(hexlify(randomBytes(32))));
    await world.chain(L1).fund(wallet.address, { eth: ETHER });
    await world.chain(L2).fund(wallet.address, { eth: ETHER, tokens: { WETH: 10n * ETHER } });
    driver = await openDriver({ chains }, [wallet], { bridges: [localAcrossBridge(["WETH"]), opStandardBridge()] });
    env = driver.executor.env;
    start = await balances();
  });
  after(async () => {
    await driver?.close();
    for (const chain of chains.values()) chain.close();
    await world?.close();
  });

  const weth = (chainId: number) => tokenOf(world.chain(chainId).network, "WETH").address;
  const balances = async (): Promise<Map<string, bigint>> => {
    const all = new Map<string, bigint>();
    for (const [chainId, { provider }] of chains) {
      all.set(`${chainId} native`, await provider.getBalance(wallet.address));
      all.set(`${chainId} weth`, await IERC20__factory.connect(weth(chainId), provider).balanceOf(wallet.address));
    }
    return all;
  };
  const balanced = async (): Promise<void> => {
    const after = await balances();
    for (const chainId of [L1, L2])
      for (const [name, asset] of [
        ["native", "native"],
        ["weth", weth(chainId).toLowerCase()],
      ]) {
        const { rows } = await driver.db.pool.query<{ sum: string }>(
          `select coalesce(sum(amount - gas), 0)::text as sum from crosschain.entry where chain_id = $1 and holder = $2 and asset = $3`,
          [chainId, wallet.address.toLowerCase(), asset],
        );
        const key = `${chainId} ${name}`;
        expect(after.get(key)! - start.get(key)!, key).to.equal(BigInt(rows[0]!.sum));
      }
    expect((await driver.db.pool.query(`select * from crosschain.reservation`)).rows).to.deep.equal([]);
  };
  const moves = async (config: RebalancingConfig, rules = env.rules) => {
    const plan = await planOf({ ...env, rules }, wallet.address, config);
    return { bridges: plan.moves.map((m) => m.bridge), refused: plan.refused.join(), moves: plan.moves };
  };

  it("is planned where its time is allowed and it is the cheapest, within the limits", async () => {
    expect((await moves(WETH)).bridges, "no time for a withdrawal").to.deep.equal(["across"]);
    expect((await moves({ ...PATIENT, withinSeconds: 3_600 })).bridges).to.deep.equal(["across"]);
    expect((await moves({ ...PATIENT, timeCostPpmPerHour: 10 })).bridges, "a week costs more than the fee").to.deep.equal([
      "across",
    ]);
    const patient = await moves(PATIENT);
    expect(patient.bridges).to.deep.equal(["op-standard"]);
    const { seconds, amount, cost } = patient.moves[0]!;
    expect([amount, seconds! > PROOF_MATURITY, seconds! < WITHIN]).to.deep.equal([5n * ETHER, true, true]);
    // a week at a millionth an hour, the risk of a second one, and gas
    expect(cost > (amount * 170n) / 1_000_000n && cost < (amount * 300n) / 1_000_000n, String(cost)).to.equal(true);

    const dear = await moves({ ...PATIENT, maxCostPpm: 100 });
    expect([dear.bridges, /would cost \d+ by op-standard/.test(dear.refused)]).to.deep.equal([[], true]);
    const limited = await moves(PATIENT, { ...env.rules, limits: { WETH: { perBridge: { "op-standard": ETHER } } } });
    expect([limited.bridges, /op-standard/.test(limited.refused)]).to.deep.equal([[], true]);
  });

  it("the deadline of a bridge that keeps the usual time stays short, however long stock may take", async () => {
    const route = { fromChainId: L2, toChainId: L1, tokenIn: weth(L2), tokenOut: weth(L1) };
    const { offers, refused } = await stockOffers(env.quotes, wallet.address, { route, amountIn: ETHER, id: "test?" }, PATIENT);
    expect(offers.map((o) => o.quote.bridge)).to.deep.equal(["op-standard", "across"]);
    const { timestamp } = (await chains.get(L1)!.provider.getBlock("latest"))!;
    const lefts = offers.map((o) => o.quote.request.deadline - timestamp);
    expect(lefts[0]! > PROOF_MATURITY && lefts[1]! <= env.quotes.transferSeconds, lefts.join()).to.equal(true);
    expect(refused).to.deep.equal([]);
  });

  it("what a start that fails had unwrapped is wrapped again", async () => {
    const { provider } = chains.get(L2)!;
    const code = await provider.getCode(OP_PREDEPLOYS.bridge);
    await world.chain(L2).rpc("hardhat_setCode", [OP_PREDEPLOYS.bridge, "0x60006000fd"]);
    const id = (await driver.executor.rebalance(PATIENT))!;
    const store = rebalancingStore(driver.executor.env);
    await until(`its end; faults: ${driver.faults.join("; ")}`, async () => (await store.row(id)).outcome, 60);
    await world.chain(L2).rpc("hardhat_setCode", [OP_PREDEPLOYS.bridge, code]);
    expect((await store.row(id)).outcome).to.equal("not-started");
    const { rows } = await driver.db.pool.query<{ intent_id: string }>(
      `select intent_id from journal.attempt order by intent_id`,
    );
    expect(rows.map((r) => r.intent_id)).to.deep.equal([`saga/${id}:move.0`, `saga/${id}:move.wrap`]);
    expect((await balances()).get(`${L2} weth`)).to.equal(10n * ETHER);
    await balanced();
  });

  it("goes to its end: proven, told when it is late, finalised, wrapped, and booked to the wei", async () => {
    const id = (await driver.executor.rebalance(PATIENT))!;
    const store = rebalancingStore(driver.executor.env);
    const shows = async (what: string, found: () => Promise<boolean>): Promise<void> =>
      void (await until(
        `${what}; faults: ${driver.faults.join("; ")}; ${JSON.stringify([(await store.row(id)).state, (await store.row(id)).waitsFor])}`,
        async () => {
          if (await found()) return true;
          // what waits for an hour is told to look again, as by an operator
          if ((await store.row(id)).outcome === null) await driver.executor.command(id, { choice: "look" });
          return false;
        },
        60,
      ));
    const waits = async (text: string) => (await store.row(id)).waitsFor.includes(text);
    await shows("its withdrawal", async () => await waits("a claim about the layer 2's state"));
    const [transfer] = await env.store.transfersOf(id);
    expect([transfer!.bridge, transfer!.quote.amountOut]).to.deep.equal(["op-standard", 5n * ETHER]);
    expect(await driver.executor.rebalance(WETH), "one of a token at a time").to.equal(id);

    const game = await local.propose();
    await shows("its proof", async () => await waits("its delay to pass"));
    await driver.db.pool.query(`update crosschain.transfer set due = clock_timestamp() - interval '1 s' where saga = $1`, [id]);
    await shows("that it is late", () => Promise.resolve(driver.faults.some((f) => f.includes(`${id} is overdue`))));

    await local.resolve(game, "stands");
    await advance(world.chain(L1), PROOF_MATURITY + GAME_FINALITY + 60);
    await shows("its end", async () => (await store.row(id)).outcome !== null);
    const row = await store.row(id);
    expect([row.outcome, row.detail]).to.deep.equal(["delivered", `${5n * ETHER} arrived`]);
    const { rows } = await driver.db.pool.query<{ intent_id: string }>(
      `select intent_id from journal.attempt where intent_id ~ 'move[.](push|wrap)' and starts_with(intent_id, $1) order by intent_id`,
      [`saga/${id}:`],
    );
    expect(rows.map((r) => r.intent_id)).to.deep.equal(["push.0", "push.1", "wrap"].map((name) => `saga/${id}:move.${name}`));
    const at = await balances();
    expect([at.get(`${L1} weth`), at.get(`${L2} weth`)]).to.deep.equal([5n * ETHER, 5n * ETHER]);
    await balanced();
    expect(driver.faults.filter((f) => !f.includes("is overdue"))).to.deep.equal([]);
    expect(await driver.executor.rebalance(PATIENT), "at its shares").to.equal(null);
  });
});
