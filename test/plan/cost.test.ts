import { expect } from "chai";
import { type Chain, connectChain } from "../../src/chain/connect.js";
import { feePaid } from "../../src/execution/profit.js";
import { priceInToken } from "../../src/plan/cost.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { findPool, movePrice, shareOf } from "../../src/sim/trader.js";

const ETHER = 10n ** 18n;

/** Chain 1 has USDC as token0 of the WETH pools, chain 10 WETH: the price must hold either way. */
for (const chainId of [1, 10]) {
  describe(`costs on chain ${chainId}`, () => {
    let local: LocalChain;
    let chain: Chain;
    before(async () => {
      local = await startLocalChain(chainId);
      chain = await connectChain(local.network, [local.url], { local: true });
    });
    after(async () => {
      chain.close();
      await local.close();
    });
    const token = (symbol: string) => local.network.tokens.find((t) => t.symbol === symbol)!;
    const price = (address: string, wei: bigint) => priceInToken(chain.provider, local.network, address, wei, "latest");

    it("takes wrapped native currency one to one", async () => {
      expect(await price(local.network.wrappedNative, 12_345n)).to.equal(12_345n);
    });

    it("prices gas in tokens of 6 and of 18 decimals within 0.1 % of the pools' 3,000 dollars", async () => {
      for (const [symbol, expected] of [
        ["USDC", 3_000n * 10n ** 6n],
        ["DAI", 3_000n * ETHER],
      ] as const) {
        const amount = (await price(token(symbol).address, ETHER))!;
        const off = amount > expected ? amount - expected : expected - amount;
        expect(off * 1_000n < expected, `${amount} ${symbol}`).to.equal(true);
      }
    });

    it("rounds up: no cost is ever free", async () => {
      expect(await price(token("USDC").address, 1n)).to.equal(1n);
    });

    it("follows the deepest pool, not one that somebody bent", async () => {
      const before = await price(token("USDC").address, ETHER);
      const thin = findPool(local, "sushiswap-v3", "WETH", "USDC", 500)!;
      await movePrice(local, thin, token("USDC").address, await shareOf(local, thin, token("USDC").address, 500_000));
      expect(await price(token("USDC").address, ETHER)).to.equal(before);
    });

    it("says so where no known pool trades the token", async () => {
      expect(await price("0x000000000000000000000000000000000000dEaD", ETHER)).to.equal(null);
    });

    it("reads what a transaction paid, its data fee included, to the wei", async () => {
      const [from, to] = [local.accounts[3]!, local.accounts[4]!];
      const before = await chain.provider.getBalance(from);
      const hash = await local.rpc<string>("eth_sendTransaction", [
        { from, to, value: "0x1", type: "0x2", data: `0x${"17".repeat(300)}` },
      ]);
      const receipt = (await chain.provider.getTransactionReceipt(hash))!;
      expect(await feePaid(chain.provider, receipt)).to.equal(before - (await chain.provider.getBalance(from)) - 1n);
    });
  });
}
