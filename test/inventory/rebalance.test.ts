import { assert, expect } from "chai";
import { brokenLimit, imbalances, inventoryPays, rebalancingPlan } from "../../src/inventory/index.js";
import { keepLooking, stockHolders } from "../../src/execution/rebalancing.js";
import { fromStored, toStored } from "../../src/inventory/stored.js";

const RULES = { tolerancePpm: 50_000, maxCostPpm: 2_000 };
const free = () => Promise.resolve({ bridge: "across", cost: 0n });

describe("inventory: rebalancing and limits", () => {
  const holding = (chainId: number, amount: bigint, sharePpm: number) => ({ chainId, free: amount, sharePpm });

  it("moves what is too much to where there is too little, and leaves the total as it was", async () => {
    const holdings = [holding(1, 900n, 400_000), holding(10, 50n, 300_000), holding(42161, 50n, 300_000)];
    const moves = await rebalancingPlan(holdings, RULES, free);
    expect(moves.map((m) => [m.fromChainId, m.toChainId, m.amount])).to.have.deep.members([
      [1, 10, 250n],
      [1, 42161, 250n],
    ]);
  });

  it("leaves small differences alone, and transfers that cost too much", async () => {
    expect(imbalances([holding(1, 520n, 500_000), holding(10, 480n, 500_000)], 50_000)).to.deep.equal([]);
    const dear = () => Promise.resolve({ bridge: "across", cost: 10n });
    expect(await rebalancingPlan([holding(1, 900n, 500_000), holding(10, 100n, 500_000)], RULES, dear)).to.deep.equal([]);
    expect(
      await rebalancingPlan([holding(1, 900n, 500_000), holding(10, 100n, 500_000)], RULES, () => Promise.resolve(null)),
    ).to.deep.equal([]);
  });

  it("says which limit a trade would break: leg, in flight, bridge, network", () => {
    const limits = { USDC: { perLeg: 100n, inFlight: 150n, perBridge: { across: 120n }, perChain: { 10: 200n } } };
    const usage = (leg: bigint, flying: bigint, owned: bigint) =>
      brokenLimit(limits, {
        symbol: "USDC",
        leg,
        flying: [{ bridge: "across", amount: flying }],
        onChain: [{ chainId: 10, amount: owned }],
      });
    expect(usage(100n, 120n, 200n)).to.equal(null);
    expect(usage(101n, 0n, 0n)).to.match(/one leg/);
    expect(usage(1n, 151n, 0n)).to.match(/between networks/);
    expect(usage(1n, 121n, 0n)).to.match(/by across/);
    expect(usage(1n, 0n, 201n)).to.match(/on chain 10/);
    expect(brokenLimit({}, { symbol: "USDC", leg: 10n ** 30n, flying: [], onChain: [] })).to.equal(null);
  });

  it("keeps inventory off below the minimum of capital", () => {
    expect([inventoryPays(999n, 1_000n), inventoryPays(1_000n, 1_000n)]).to.deep.equal([false, true]);
  });

  it("stores big numbers exactly", () => {
    const value = { a: 2n ** 255n, b: [-1n, { c: "1", d: null }], bigint: "text beside others", e: { bigint: 1, x: 2 } };
    expect(fromStored(toStored(value))).to.deep.equal(value);
    expect(fromStored(JSON.parse(toStored(value)))).to.deep.equal(value);
  });

  it("looks at the stock of every account, each time another one first, and once at one that several operate", async () => {
    const config = {
      token: "USDC",
      shares: new Map([
        [1, 500_000],
        [10, 500_000],
      ]),
      ...RULES,
      everyMs: 1,
    };
    const vaultOf = (_: number, account: string) => (account === "0xc" ? "0xown" : "0xvault");
    expect(stockHolders(config, ["0xa", "0xB", "0xc"], vaultOf)).to.deep.equal(["0xa", "0xc"]);
    expect(stockHolders(config, ["0xa", "0xB"], (_, account) => account)).to.deep.equal(["0xa", "0xB"]);
    const looked: string[] = [];
    const faults: unknown[] = [];
    await new Promise<void>((resolve) => {
      const stop = keepLooking(
        [config],
        () => ["0xa", "0xb"],
        async (_, account) => {
          looked.push(account);
          if (looked.length === 4) void stop().then(resolve);
          // a look that fails keeps nobody from the next
          await Promise.reject(new Error(account));
        },
        (e) => faults.push(e),
      );
    });
    expect(looked).to.deep.equal(["0xa", "0xb", "0xb", "0xa"]);
    expect(faults).to.have.length(4);
  });

  it("tells where no account has the stock of a token, and where its networks are not set up", async () => {
    const config = { token: "USDC", shares: new Map([[1, 1_000_000]]), ...RULES, everyMs: 1 };
    for (const [accountsOf, why] of [
      [() => [], /no account trades on all networks of the shares of USDC/],
      [() => stockHolders(config, ["0xa"], () => assert.fail("chain 1 is not set up")), /chain 1 is not set up/],
    ] as const) {
      const told = await new Promise<Error>((resolve) => {
        const stop = keepLooking(
          [config],
          () => [...accountsOf()],
          () => assert.fail("there is nothing to be looked at"),
          (e) => void stop().then(() => resolve(e as Error)),
        );
      });
      expect(told.message).to.match(why);
    }
  });
});
