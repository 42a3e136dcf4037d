import { expect } from "chai";
import { Interface } from "ethers";
import { type Chain } from "../../src/chain/connect.js";
import { profitFromLogs } from "../../src/execution/profit.js";
import { nextBaseFee } from "../../src/fees/fees.js";
import { scanBlock } from "../../src/market/watcher.js";
import { type FinalCall, type FinalSimulation, simulateFinal, type TargetBlock } from "../../src/plan/final-simulation.js";
import type { PlannedTrade } from "../../src/plan/planner.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type Desk, openDesk } from "../../src/sim/desk.js";
import { findPool, movePrice, shareOf } from "../../src/sim/trader.js";
import { rejection } from "../helpers/rejection.js";
import { type Methods, withMethods } from "../helpers/simulate-v1.js";

describe("final simulation", function () {
  let local: LocalChain;
  let desk: Desk;
  let planned: PlannedTrade;
  let snapshot: string;
  const weth = () => local.network.wrappedNative;

  before(async () => {
    local = await startLocalChain(1);
    desk = await openDesk(local, null);
    const usdc = local.network.tokens.find((t) => t.symbol === "USDC")!.address;
    const pool = findPool(local, "uniswap-v2", "WETH", "USDC", 3000)!;
    await movePrice(local, pool, weth(), await shareOf(local, pool, weth(), 20_000));
    const pools = local.pools.filter((p) => [p.token0, p.token1].includes(usdc) && [p.token0, p.token1].includes(weth()));
    const [found] = await scanBlock(desk.chain.provider, local.network, pools, { profitTokens: [weth()], lifetimeSeconds: 600 });
    const quote = await desk.driver.quote({ ...found!.opportunity, amounts: "fixed" });
    if (!quote.ok) throw new Error(quote.rejection.detail);
    const plan = await desk.driver.plan(quote.value);
    if (!plan.ok) throw new Error(plan.rejection.detail);
    planned = plan.value;
  });
  beforeEach(async () => (snapshot = await local.rpc<string>("evm_snapshot")));
  afterEach(async () => void (await local.rpc("evm_revert", [snapshot])));
  after(async () => {
    await desk.close();
    await local.close();
  });

  const call = (change: Partial<FinalCall> = {}): FinalCall => ({
    from: desk.wallet.address,
    ...planned.call,
    gasLimit: planned.gasLimit,
    ...planned.fees,
    maxFeePerGas: planned.fees.maxFeePerGas,
    maxPriorityFeePerGas: planned.fees.maxPriorityFeePerGas,
    nonce: null,
    ...change,
  });
  const target = async (change: Partial<TargetBlock> = {}): Promise<TargetBlock> => {
    const head = (await desk.chain.provider.getBlock("latest"))!;
    return {
      parent: head.number,
      number: head.number + 1,
      time: head.timestamp + 12,
      baseFee: nextBaseFee("l1", { ...head, baseFeePerGas: head.baseFeePerGas! })!,
      ...change,
    };
  };
  const chainWith = (methods: Methods): { chain: Chain; asked: Map<string, number> } => {
    const { provider, asked } = withMethods(desk.chain.provider, local.rpc, methods);
    return { chain: { ...desk.chain, provider }, asked };
  };
  const NODES: [FinalSimulation["method"], Methods][] = [
    ["simulate", { simulateV1: true, callOverrides: null }],
    ["call", { simulateV1: false, callOverrides: "baseFeePerGas" }],
    ["call", { simulateV1: false, callOverrides: "baseFee" }],
    ["call-on-parent", { simulateV1: false, callOverrides: "ignored" }],
    ["call-on-parent", { simulateV1: false, callOverrides: null }],
  ];

  for (const [method, methods] of NODES)
    describe(`by "${method}" on a node with ${JSON.stringify(methods)}`, () => {
      it("passes a good call, and asks once what the node can", async () => {
        const { chain, asked } = chainWith(methods);
        for (let i = 0; i < 3; i++) {
          const result = await simulateFinal(chain, call(), await target(), planned.plan);
          expect(result, result.ok ? "" : result.reason).to.include({ ok: true, method });
          if (!result.ok || method !== "simulate") continue;
          expect(result.gasUsed! > 100_000n && result.gasUsed! < planned.gasLimit).to.equal(true);
          const logs = { logs: result.logs! } as unknown as Parameters<typeof profitFromLogs>[0];
          expect(profitFromLogs(logs, weth(), desk.executor)).to.equal(planned.quote.profit);
        }
        expect(asked.get("eth_simulateV1")).to.equal(method === "simulate" ? 3 : 1);
        expect(asked.get("eth_call") ?? 0).to.equal(method === "simulate" ? 0 : 3 + 2);
      });

      it("names the hop that fails after a rival's trade", async () => {
        const { chain } = chainWith(methods);
        const hop = planned.plan.hops.findIndex(({ kind }) => kind === "v2");
        const pool = findPool(local, "uniswap-v2", "WETH", "USDC", 3000)!;
        const { tokenIn } = planned.plan.hops[hop]!;
        await movePrice(local, pool, tokenIn, await shareOf(local, pool, tokenIn, 20_000));
        const result = await simulateFinal(chain, call(), await target(), planned.plan);
        if (result.ok) throw new Error("passed");
        expect(result).to.include({ method, kind: "reverted" });
        expect(result.at?.hops, result.reason).to.deep.equal([hop]);
        expect(result.reason)
          .to.include(`hop ${hop + 1}`)
          .and.include(pool.address);
      });

      if (method !== "call-on-parent")
        it("sees the target block's time: a plan whose deadline is before it fails", async () => {
          const { chain } = chainWith(methods);
          const result = await simulateFinal(chain, call(), await target({ time: planned.plan.deadline! + 1 }), planned.plan);
          expect(!result.ok && result.revert?.name).to.equal("Expired");
        });
    });

  it("says what the block would not take: nonce, fee cap, balance", async () => {
    const { chain } = chainWith({ simulateV1: true, callOverrides: null });
    const nonce = await desk.chain.provider.getTransactionCount(desk.wallet.address);
    const kindOf = async (change: Partial<FinalCall>, block: Partial<TargetBlock> = {}) => {
      const result = await simulateFinal(chain, call(change), await target(block));
      return result.ok ? "passed" : result.kind;
    };
    expect(await kindOf({ nonce })).to.equal("passed");
    expect(await kindOf({ nonce: nonce - 1 })).to.equal("nonce-too-low");
    expect(await kindOf({ nonce: nonce + 1 })).to.equal("nonce-too-high");
    expect(await kindOf({}, { baseFee: planned.fees.maxFeePerGas + 1n })).to.equal("fee-below-base-fee");
    expect(await kindOf({ gasLimit: 16_000_000n, maxFeePerGas: 10n ** 14n })).to.equal("insufficient-funds");
  });

  it("does not take silence for a verdict", async () => {
    const silent = Object.assign(new Error("request timeout"), { code: "TIMEOUT" });
    const provider = new Proxy(desk.chain.provider, {
      get: (inner, key) =>
        key === "send" ? () => Promise.reject(silent) : (Reflect.get(inner, key) as (...a: unknown[]) => unknown).bind(inner),
    });
    expect(await rejection(simulateFinal({ ...desk.chain, provider }, call(), await target()))).to.equal(silent);
  });

  it("refuses an account that has delegated itself since", async () => {
    const { chain } = chainWith({ simulateV1: true, callOverrides: null });
    await local.rpc("hardhat_setCode", [desk.wallet.address, `0xef0100${"77".repeat(20)}`]);
    const result = await rejection(simulateFinal(chain, call(), await target()));
    expect(result.message).to.match(/EIP-7702/);
  });

  it("names hops by what only some pools say where nothing is traced", async () => {
    const data = new Interface(["error Error(string)"]).encodeErrorResult("Error", ["UniswapV2: K"]);
    const answers: Record<string, unknown> = {
      eth_simulateV1: [
        {
          calls: [
            {
              status: "0x0",
              returnData: "0x",
              gasUsed: "0x1",
              logs: [],
              error: { code: 3, message: "execution reverted", data },
            },
          ],
        },
      ],
    };
    const provider = new Proxy(desk.chain.provider, {
      get: (inner, key) =>
        key === "send"
          ? (method: string) =>
              method in answers
                ? Promise.resolve(answers[method])
                : Promise.reject(new Error(`the method ${method} does not exist/is not available`))
          : (Reflect.get(inner, key) as (...a: unknown[]) => unknown).bind(inner),
    });
    const result = await simulateFinal({ ...desk.chain, provider }, call(), await target(), planned.plan);
    const v2 = planned.plan.hops.flatMap(({ kind }, i) => (kind === "v2" ? [i] : []));
    expect(!result.ok && result.at?.hops).to.deep.equal(v2);
    expect(!result.ok && result.reason).to.match(/reserves changed.*It can only be hop/);
  });
});
