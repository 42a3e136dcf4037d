import { expect } from "chai";
import type { Chain } from "../../src/chain/connect.js";
import { nextBlock } from "../../src/execution/final-check.js";
import type { Opportunity } from "../../src/opportunity/opportunity.js";
import { openBehind, overridesOf } from "../../src/plan/behind.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type Desk, openDesk } from "../../src/sim/desk.js";
import { openVictim, opportunityBehind, type Victim } from "../helpers/pending.js";
import { withMethods } from "../helpers/simulate-v1.js";

describe("the state behind a pending transaction", function () {
  this.timeout(60_000);
  let local: LocalChain;
  let desk: Desk;
  let victim: Victim;
  let opportunity: Opportunity;
  let snapshot: string;

  before(async () => {
    local = await startLocalChain(1);
    desk = await openDesk(local, null);
    victim = await openVictim(local);
    opportunity = await opportunityBehind(desk, victim);
  });
  beforeEach(async () => (snapshot = await local.rpc<string>("evm_snapshot")));
  afterEach(async () => void (await local.rpc("evm_revert", [snapshot])));
  after(async () => {
    await desk.close();
    await local.close();
  });

  const target = async () => await nextBlock(desk.chain, desk.driver.context.settings.fees);
  const chainWith = (simulateV1: boolean): { chain: Chain; asked: Map<string, number> } => {
    const { provider, asked } = withMethods(desk.chain.provider, local.rpc, { simulateV1, callOverrides: null });
    return { chain: { ...desk.chain, provider }, asked };
  };
  const opened = async (chain: Chain) => {
    const behind = await openBehind(chain, await victim.swap(), await target());
    if (!behind.ok) throw new Error(behind.detail);
    return behind.chain;
  };
  const value = <T>(result: { ok: true; value: T } | { ok: false; rejection: { detail: string } }): T => {
    if (!result.ok) throw new Error(result.rejection.detail);
    return result.value;
  };

  for (const [way, simulateV1] of [
    ["eth_simulateV1", true],
    ["what it changes", false],
  ] as const) {
    it(`quotes and plans by ${way} exactly what the pools give once it has landed`, async () => {
      const { chain, asked } = chainWith(simulateV1);
      const now = await desk.driver.quote(opportunity);
      expect(now.ok, "without it there is nothing to earn").to.equal(false);
      const view = await opened(chain);
      const quote = value(await desk.driver.quote(opportunity, view));
      const planned = value(await desk.driver.plan(quote, null, view));
      expect((asked.get("debug_traceCall") ?? 0) > 0).to.equal(!simulateV1);

      await local.rpc("eth_sendRawTransaction", [(await victim.swap()).raw]);
      const later = value(await desk.driver.quote(opportunity));
      expect(quote.amountIn).to.equal(later.amountIn);
      expect(quote.profit).to.equal(later.profit);
      expect(quote.hops.map((hop) => hop.amountOut)).to.deep.equal(later.hops.map((hop) => hop.amountOut));
      const mined = value(await desk.driver.plan(later));
      // the pools' oracles were written in the block that this one looks at, and so count as a new second's at most
      const off = Number(planned.gasLimit - mined.gasLimit) / Number(mined.gasLimit);
      expect(Math.abs(off), `${planned.gasLimit} and ${mined.gasLimit}`).to.be.lessThan(0.15);
    });
  }

  it("the plan costs little where a relay lands it without the transaction that moved its first pool", async () => {
    const { token0, token1 } = victim.pool;
    const usdc = token0 === local.network.wrappedNative ? token1 : token0;
    const bought = await opportunityBehind(desk, victim, usdc);
    expect(bought.hops[0]!.pool, "the cycle begins where the swap went").to.equal(victim.pool.address);
    const { hash, raw } = await victim.swap();
    const view = await opened(chainWith(true).chain);
    const quote = value(await desk.driver.quote({ ...bought, after: { hash, raw } }, view));
    const { call, gasLimit } = value(await desk.driver.plan(quote, null, view));
    const from = desk.wallet.address;
    await local.rpc("hardhat_impersonateAccount", [from]);
    const alone = { from, to: call.to, data: call.data, gas: `0x${gasLimit.toString(16)}` };
    await local.rpc("eth_sendTransaction", [alone]).catch(() => undefined);
    const { transactions } = await local.rpc<{ transactions: string[] }>("eth_getBlockByNumber", ["latest", false]);
    const receipt = await local.rpc<{ status: string; gasUsed: string }>("eth_getTransactionReceipt", [transactions[0]]);
    expect(receipt.status).to.equal("0x0");
    expect(Number(receipt.gasUsed)).to.be.within(21_000, 40_000);
  });

  it("says so where the transaction would revert, or nobody tells the state behind it", async () => {
    const fails = await victim.swap({ minOut: 2n ** 100n });
    for (const simulateV1 of [true, false]) {
      const behind = await openBehind(chainWith(simulateV1).chain, fails, await target());
      expect(behind).to.include({ ok: false, why: "fails" });
      expect((behind as { detail: string }).detail).to.match(/^it would revert: The V2 router/);
    }
    const { chain } = chainWith(false);
    const bare = new Proxy(chain.provider, {
      get: (provider, key) => {
        if (key !== "send") return Reflect.get(provider, key) as unknown;
        return async (method: string, params: unknown[]) => {
          if (method.startsWith("debug_")) throw Object.assign(new Error("method not found"), { code: -32601 });
          return await provider.send(method, params);
        };
      },
    });
    const unable = await openBehind({ ...chain, provider: bare }, await victim.swap(), await target());
    expect(unable).to.include({ ok: false, why: "unable" });
  });

  it("answers nothing of the state before it, and of no other block", async () => {
    const view = await opened(chainWith(true).chain);
    for (const ask of [
      async () => await view.provider.getBalance(victim.wallet.address),
      async () => await view.provider.getStorage(victim.pool.address, 8),
      async () => await view.provider.call({ to: victim.pool.address, data: "0x0902f1ac", blockTag: 1 }),
    ]) {
      const error: unknown = await ask().then(
        () => null,
        (e: unknown) => e,
      );
      expect(error, "an answer").to.be.instanceOf(Error);
    }
  });

  it("takes a word that became zero, and an account that is gone, for what they are", () => {
    const slot = (n: number) => `0x${n.toString(16).padStart(64, "0")}`;
    const pre = {
      "0xa1": { balance: "0x5", nonce: 1, storage: { [slot(1)]: slot(7), [slot(2)]: slot(8) } },
      "0xa2": { balance: "0x1" },
    };
    const post = { "0xa1": { nonce: 2, storage: { [slot(2)]: slot(9), [slot(3)]: slot(4) } } };
    expect(overridesOf({ pre, post })).to.deep.equal({
      "0xa1": { nonce: "0x2", stateDiff: { [slot(1)]: slot(0), [slot(2)]: slot(9), [slot(3)]: slot(4) } },
      "0xa2": { balance: "0x0", nonce: "0x0", code: "0x", state: {} },
    });
  });
});
