import { expect } from "chai";
import type { Bridge } from "../../src/bridges/bridge.js";
import { cctpBridge } from "../../src/bridges/cctp.js";
import { iris } from "../../src/bridges/iris.js";
import { stargateBridge } from "../../src/bridges/stargate.js";
import type { CrossChainOpportunity } from "../../src/opportunity/cross-chain.js";
import type { SagaResult } from "../../src/transfers/types.js";
import type { WalletManager } from "../../src/wallet/wallet-manager.js";
import { advance } from "../helpers/bridges.js";
import {
  A,
  B,
  balances,
  ETHER,
  localAcrossBridge,
  openCrossChainSite,
  openDriver,
  type OpenDriver,
  POLICY,
  type Site,
  unbooked,
  until,
  USDC,
  widen,
} from "../helpers/cross-chain.js";

const text = (result: SagaResult): string =>
  JSON.stringify(result, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v), 1);

describe("cross-chain executor: USDC by CCTP and by Stargate, WETH by Across", function () {
  this.timeout(240_000);
  let site: Site;
  let driver: OpenDriver | null = null;
  let wallet: WalletManager;
  let start: Map<string, bigint>;

  before(async () => {
    site = await openCrossChainSite({ cctp: true, stargate: true });
    ({ wallet } = await site.wallet({ [A]: { USDC: 20_000n * USDC, WETH: 10n * ETHER } }));
  });
  afterEach(async () => {
    await driver?.close();
    driver = null;
  });
  after(async () => await site.close());

  const CARRIERS: Record<string, () => Bridge> = {
    cctp: () => cctpBridge({ iris: iris({ url: site.cctp!.url, deadlineMs: 60_000 }), speed: "fast" }),
    stargate: () => stargateBridge({ maxNativeFee: ETHER / 100n }),
  };

  /** One trade to its end: USDC goes by this bridge, for nothing else carries it. Nothing is delivered while `during` gives false. */
  async function run(
    carrier: string,
    opportunity: CrossChainOpportunity,
    during: (d: OpenDriver) => Promise<unknown> = () => Promise.resolve(),
  ): Promise<SagaResult> {
    const inEther = opportunity.amountIn >= ETHER / 10n;
    const limits = inEther ? { maxLoss: ETHER / 10n, holdLimit: 5n * ETHER } : {};
    start = await balances(site, wallet.address);
    const d = await openDriver(site, [wallet], {
      bridges: [localAcrossBridge(["WETH"]), CARRIERS[carrier]!()],
      policy: { ...POLICY, ...limits },
    });
    driver = d;
    await widen(site, d.executor, opportunity);
    const handle = await d.executor.submit(opportunity);
    let result: SagaResult | null = null;
    const ended = handle.getResult().then((r) => (result = r));
    try {
      await until(`the end of ${opportunity.id}`, async () => {
        if ((await during(d)) === false) return result;
        await site.across.step();
        await site.stargate!.step();
        return result;
      });
    } catch (error) {
      const saga = await d.executor.env.store.saga(opportunity.id);
      throw new Error(`${(error as Error).message}: ${saga?.state}, ${saga?.waitsFor}; ${d.faults.slice(-5).join("; ")}`, {
        cause: error,
      });
    }
    return await ended;
  }
  const transfersOf = async (id: string) =>
    (await driver!.executor.env.store.transfersOf(id)).map((t) => [t.leg.split(".")[0], t.bridge, t.ended]);
  const balanced = async () => {
    const wrong = await unbooked(site, driver!.db, wallet.address, start);
    // what a message did not cost comes back without a log: the books say that it left
    const spare = /^(\d+) ETH: chain (-?\d+), books (-?\d+)$/;
    const back = wrong.map((w) => spare.exec(w)).map((m) => (m ? BigInt(m[2]!) - BigInt(m[3]!) : -1n));
    const paid = (
      await driver!.db.pool.query<{ fee: string }>(`select quote->'nativeFee'->>'bigint' as fee from crosschain.transfer`)
    ).rows;
    const most = paid.reduce((sum, { fee }) => sum + BigInt(fee), 0n) / 10n;
    expect(
      back.every((b) => b >= 0n && b <= most),
      wrong.join("; "),
    ).to.equal(true);
    expect((await driver!.db.pool.query(`select * from crosschain.reservation`)).rows).to.deep.equal([]);
  };
  /** Calls that the driver made of a kind, by the names of their intents. */
  const calls = async (kind: string): Promise<number> =>
    (await driver!.db.pool.query(`select 1 from journal.intent where id ~ $1`, [kind])).rows.length;

  for (const carrier of Object.keys(CARRIERS)) {
    it(`${carrier}, there: USDC is bought, carried and sold, and the WETH comes home`, async () => {
      const result = await run(carrier, site.usdcTravels(`${carrier}-there`));
      expect(result.outcome, text(result)).to.equal("profit");
      expect(await transfersOf(`${carrier}-there`)).to.deep.equal([
        ["out", carrier, "delivered"],
        ["home", "across", "delivered"],
      ]);
      await balanced();
      // Circle's mint is ours to make; LayerZero's executor makes Stargate's
      expect(await calls("[.]claim[.]")).to.equal(carrier === "cctp" ? 1 : 0);
    });

    it(`${carrier}, back: the proceeds come home by it`, async () => {
      const result = await run(carrier, site.opportunity(`${carrier}-back`));
      expect(result.outcome, text(result)).to.equal("profit");
      expect(await transfersOf(`${carrier}-back`)).to.deep.equal([
        ["out", "across", "delivered"],
        ["home", carrier, "delivered"],
      ]);
      await balanced();
      const [home] = (await driver!.executor.env.store.transfersOf(`${carrier}-back`)).filter((t) => t.bridge === carrier);
      // the message's fee left as value, and counts as cost
      const there = result.books.find((b) => b.chainId === B && b.asset === "native")!;
      if (carrier === "stargate") {
        expect(home!.quote.nativeFee > 0n).to.equal(true);
        expect(there.amount < 0n && -there.amount <= home!.quote.nativeFee, String(there.amount)).to.equal(true);
      } else expect(there.amount).to.equal(0n);
    });
  }

  it("cctp: the fast signature runs out before the mint; a new one is asked for, and we mint", async () => {
    site.cctp!.attest({ kind: "expires", blocks: 0 });
    const result = await run("cctp", site.usdcTravels("expired"));
    expect(result.decisions.map((d) => `${d.at} ${d.choice}`)).to.include("in-flight: attestation-expired re-attest");
    expect(result.outcome, text(result)).to.equal("profit");
    await balanced();
  });

  it("stargate: nobody executes the verified message, so we do", async () => {
    site.stargate!.deliver({ kind: "unexecuted" });
    let passed = false;
    const result = await run("stargate", site.usdcTravels("unexecuted"), async (d) => {
      const flying = (await d.executor.env.store.transfersOf("unexecuted")).some((t) => t.startedAt !== null);
      if (passed || !flying) return;
      passed = true;
      // late, by the clock of the network that it was sent on
      await site.stargate!.step();
      await advance(site.world.chain(A), 1_800);
    });
    expect(await calls("[.]claim[.]")).to.equal(1);
    expect(result.outcome, text(result)).to.equal("profit");
    await balanced();
  });

  it("stargate: the issuer blocks the account, the delivery is retried, and arrives when it is free again", async () => {
    let blocked = false;
    let freed = false;
    const result = await run("stargate", site.usdcTravels("blocked"), async (d) => {
      const { store } = d.executor.env;
      const [out] = await store.transfersOf("blocked");
      if (out?.startedAt == null) return false;
      if (!blocked) await site.stargate!.blacklist(B, wallet.address, true);
      blocked = true;
      if (freed || out.state !== "blocked") return true;
      await site.stargate!.blacklist(B, wallet.address, false);
      return (freed = true);
    });
    expect(freed, text(result)).to.equal(true);
    expect(result.decisions.map((d) => d.at)).to.include("in-flight: delivery-blocked");
    expect(result.outcome, text(result)).to.equal("profit");
    await balanced();
  });
});
