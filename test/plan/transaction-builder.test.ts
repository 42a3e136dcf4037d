import { expect } from "chai";
import { type Chain, connectChain } from "../../src/chain/connect.js";
import { ArbError } from "../../src/errors.js";
import { TransactionBuilder } from "../../src/plan/transaction-builder.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { findPool } from "../../src/sim/trader.js";
import type { VenueId } from "../../src/venues/venue.js";
import { IERC20__factory } from "../../types/contracts/index.js";
import { rejection } from "../helpers/rejection.js";

const ETHER = 10n ** 18n;
const LATER = Math.floor(Date.now() / 1000) + 3600;

describe("TransactionBuilder", () => {
  let local: LocalChain;
  let chain: Chain;
  let builder: TransactionBuilder;
  let me: string;
  let weth: string;
  let usdc: string;

  before(async () => {
    local = await startLocalChain(1);
    chain = await connectChain(local.network, [local.url], { local: true });
    builder = new TransactionBuilder(local.network, chain.provider);
    me = local.accounts[0]!;
    weth = local.network.wrappedNative;
    usdc = local.network.tokens.find((t) => t.symbol === "USDC")!.address;
    await local.fund(me, { tokens: { WETH: 100n * ETHER } });
  });
  after(async () => {
    chain.close();
    await local.close();
  });

  const send = async (call: { to: string; data: string; value: bigint }) => {
    const hash = await local.rpc<string>("eth_sendTransaction", [{ from: me, to: call.to, data: call.data }]);
    const receipt = await local.rpc<{ status: string }>("eth_getTransactionReceipt", [hash]);
    expect(receipt.status).to.equal("0x1");
  };
  const balance = (token: string) => IERC20__factory.connect(token, chain.provider).balanceOf(me);

  for (const [venue, feePips] of [
    ["uniswap-v2", 3000],
    ["sushiswap-v2", 3000],
    ["uniswap-v3", 500],
  ] as [VenueId, number][]) {
    it(`swaps through the router of ${venue} after the approvals it asks for, and refuses less than the minimum`, async () => {
      expect(findPool(local, venue, "WETH", "USDC", feePips), "a seeded pool").to.not.equal(null);
      const router = local.network.venues[venue]!.router!.address;
      for (const call of await builder.approvals(weth, me, router, ETHER)) await send(call);
      expect(await builder.approvals(weth, me, router, ETHER), "the allowance is there").to.deep.equal([]);

      const swap = { venue, tokenIn: weth, tokenOut: usdc, amountIn: ETHER, recipient: me, deadline: LATER, feePips };
      const greedy = builder.swap({ ...swap, minAmountOut: 4_000_000_000n });
      expect((await rejection(chain.provider.call({ ...greedy, from: me }))).message).to.match(/revert/i);

      const before = [await balance(weth), await balance(usdc)] as const;
      await send(builder.swap({ ...swap, minAmountOut: 2_900_000_000n }));
      expect(before[0] - (await balance(weth))).to.equal(ETHER);
      expect((await balance(usdc)) - before[1] >= 2_900_000_000n).to.equal(true);
    });
  }

  it("resets a non-zero allowance before it raises it, as USDT demands", async () => {
    const spender = local.accounts[5]!;
    for (const call of await builder.approvals(usdc, me, spender, 5n)) await send(call);
    const calls = await builder.approvals(usdc, me, spender, 10n);
    expect(calls).to.have.length(2);
    for (const call of calls) await send(call);
    expect(await IERC20__factory.connect(usdc, chain.provider).allowance(me, spender)).to.equal(10n);
  });

  it("refuses what would be unsafe or cannot be built, naming the field", () => {
    const swap = {
      venue: "uniswap-v2" as VenueId,
      tokenIn: weth,
      tokenOut: usdc,
      amountIn: 1n,
      minAmountOut: 1n,
      recipient: me,
      deadline: LATER,
    };
    const table: [Partial<typeof swap>, string][] = [
      [{ minAmountOut: 0n }, "swap.minAmountOut"],
      [{ amountIn: 0n }, "swap.amountIn"],
      [{ deadline: 1 }, "swap.deadline"],
      [{ venue: "uniswap-v3" }, "swap.feePips"],
      [{ venue: "v2-fork" }, "swap.venue"],
      [{ venue: "pancakeswap-v3" }, "swap.venue"],
    ];
    for (const [change, where] of table) {
      expect(
        () => builder.swap({ ...swap, ...change }),
        JSON.stringify(change, (_, v) => String(v)),
      )
        .to.throw(ArbError)
        .with.property("where", where);
    }
  });
});
