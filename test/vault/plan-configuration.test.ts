import { expect } from "chai";
import { parseConfig } from "../../src/config/load.js";
import type { VaultConfig } from "../../src/config/vault.js";
import type { ArbError } from "../../src/errors.js";
import { planConfiguration } from "../../src/vault/plan-configuration.js";
import { createVaultWorld, type VaultWorld } from "../helpers/vault.js";

const A = "0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc";
const average = { pool: A, window: "30 min" };
const market = { pool: A, kind: "v3", sell: "WETH", buy: "USDC", maxLoss: "0.5 %", dailyLimit: "20 WETH", price: average };
const route = { bridge: "cctp", contract: A, token: "USDC", destination: 6, maxFee: "0.14 %", dailyLimit: "60000 USDC" };

function configured(vault: unknown, network = "ethereum", tokens: unknown[] = []): VaultConfig {
  const text = JSON.stringify({ networks: { [network]: { rpc: ["env:X"], tokens, vault } } });
  return parseConfig(text, "/arb.config.jsonc").networks[0]!.vault!;
}

function refusal(vault: unknown, network?: string): string {
  try {
    configured(vault, network);
    return "accepted";
  } catch (error) {
    return (error as ArbError).message;
  }
}

describe("the vault's configuration", function () {
  it("is read as the contract takes it", function () {
    const { markets, routes, address } = configured({ markets: [market], routes: [route] });
    expect(address).to.equal(null);
    expect(markets[0]).to.include({ kind: 2, pool: A, feePips: 0, maxLossBps: 50, dailyLimit: 20n * 10n ** 18n });
    expect(markets[0]!.price).to.include({ pool: A, window: 1800, maxAgeIn: 0 });
    expect(routes[0]).to.include({ kind: 2, bridge: A, destination: 6n, maxFeeBps: 14, dailyLimit: 60_000n * 10n ** 6n });
  });

  it("refuses what the contract would refuse, and says where", function () {
    const m = (changes: object) => refusal({ markets: [{ ...market, ...changes }] });
    const r = (changes: object) => refusal({ routes: [{ ...route, ...changes }] });
    expect(m({})).to.equal("accepted");
    expect(m({ maxLoss: "5.01 %" })).to.include("more than 5 %");
    expect(m({ maxLoss: "0.005 %" })).to.include("finer than 0.01 %");
    expect(m({ kind: "v2" })).to.include("needs the fee");
    expect(m({ buy: "WETH" })).to.include("is the token that is sold");
    expect(m({ sell: "NOPE" })).to.include("is no token of Ethereum");
    expect(m({ dailyLimit: "20 USDC" })).to.include("is in USDC");
    expect(m({ dailyLimit: "20" })).to.include("has no unit");
    expect(m({ price: { ...average, window: "5 min" } })).to.include("shorter than 10 min");
    expect(m({ price: { pool: A } })).to.include("needs either feedIn");
    expect(m({ price: { ...average, feedIn: A } })).to.include("needs either feedIn");
    expect(refusal({ markets: [market, market] })).to.include("given twice");
    expect(r({})).to.equal("accepted");
    expect(r({ maxFee: "6 %" })).to.include("more than 5 %");
    expect(r({ bridge: "across" })).to.include("needs tokenOut and maxFill");
    expect(r({ destination: 2 ** 32 })).to.include("no domain");
    expect(refusal({ routes: [route, route] })).to.include("given twice");
  });

  it("asks for the sequencer's feed where there is a sequencer", function () {
    const feeds = { feedIn: A, feedOut: A, maxAgeIn: "1 h", maxAgeOut: "1 h" };
    const hour = { ...feeds, maxAgeIn: "60 min", maxAgeOut: "60 min" };
    const at = (network: string, price: object) => refusal({ markets: [{ ...market, price }] }, network);
    expect(at("ethereum", hour)).to.equal("accepted");
    for (const network of ["arbitrum", "optimism", "base"]) {
      expect(at(network, hour)).to.include("needs sequencer");
      expect(at(network, { ...hour, sequencer: A })).to.equal("accepted");
    }
  });

  describe("against a chain", function () {
    let w: VaultWorld;
    before(async function () {
      w = await createVaultWorld();
    });

    async function config(limit = "20 WETH"): Promise<VaultConfig> {
      const tokens = [{ symbol: "BBB", decimals: 18, address: w.tokenB }];
      const price = {
        feedIn: await w.feeds[w.weth]!.getAddress(),
        feedOut: await w.feeds[w.tokenB]!.getAddress(),
        maxAgeIn: "60 min",
        maxAgeOut: "60 min",
      };
      const pair = { pool: w.v2.address, kind: "v2", fee: "0.3 %", sell: "WETH", buy: "BBB" };
      const vault = {
        markets: [{ ...pair, maxLoss: "1 %", dailyLimit: limit, price }],
        routes: [
          { ...route, contract: await w.messenger.getAddress(), token: "BBB", dailyLimit: "1000 BBB" },
          {
            bridge: "across",
            contract: await w.spokePool.getAddress(),
            token: "BBB",
            tokenOut: w.tokenB,
            destination: 10,
            maxFee: "0.2 %",
            dailyLimit: "1000 BBB",
            maxFill: "60 min",
          },
        ],
      };
      return configured(vault, "ethereum", tokens);
    }

    it("the owner's calls bring the vault there, and then there is nothing to do", async function () {
      const provider = w.world.ethers.provider;
      const calls = await planConfiguration(w.self, await config(), provider);
      expect(calls.map((call) => call.purpose.split(" ", 2).join(" "))).to.deep.equal([
        "market v2",
        "route cctp",
        "route across",
      ]);
      for (const { to, data } of calls) await (await w.world.owner.sendTransaction({ to, data })).wait();
      expect(await planConfiguration(w.self, await config(), provider)).to.deep.equal([]);
      expect(await planConfiguration(w.self, await config("10 WETH"), provider)).to.have.length(1);
      const id = await w.vault.marketId(w.v2.address, w.weth);
      const out = await w.asOperator.swap.staticCall([id], 10n ** 18n, 0n);
      expect(out).to.equal(await w.world.quoteOut(w.v2, w.weth, 10n ** 18n));
    });
  });
});
