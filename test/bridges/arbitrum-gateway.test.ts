import { expect } from "chai";
import type { Wallet } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import { arbitrumGatewayBridge } from "../../src/bridges/arbitrum-gateway.js";
import { scanArbitrumGateway } from "../../src/bridges/arbitrum-gateway-scan.js";
import type { BridgeQuote, TransferKey, TransferRequest } from "../../src/bridges/bridge.js";
import { type LocalArbitrumGateway, startLocalArbitrumGateway } from "../../src/sim/bridges/arbitrum-gateway.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import { type LocalWorld, startLocalWorld } from "../../src/sim/world.js";
import { advance, clockOf, richWallet, sendCalls, type TestViews, viewsOf } from "../helpers/bridges.js";

const [L1, L2] = [1, 42161];
const AMOUNT = 5_000_000n;
const WEEK = 7 * 24 * 3600;

describe("Arbitrum's gateways", () => {
  let world: LocalWorld;
  let test: TestViews;
  let local: LocalArbitrumGateway;
  let wallet: Wallet;
  let count = 0;
  const bridge = arbitrumGatewayBridge({ maxNativeFee: 10n ** 17n });

  before(async () => {
    world = await startLocalWorld([L1, L2]);
    test = viewsOf(world);
    local = await startLocalArbitrumGateway(world.chain(L1), world.chain(L2));
    wallet = await richWallet([world.chain(L1)], { WBTC: 10n ** 9n });
    await world.chain(L2).fund(wallet.address, { eth: 10n ** 19n });
  });
  after(async () => {
    test?.close();
    await world?.close();
  });

  const token = (chainId: number, symbol = "WBTC") => tokenOf(world.chain(chainId).network, symbol).address;
  const balance = async () => await IERC20__factory.connect(token(L2), test.provider(L2)).balanceOf(wallet.address);
  const track = async (key: TransferKey) => await bridge.track(key, test.views);

  async function request(): Promise<TransferRequest> {
    const route = { fromChainId: L1, toChainId: L2, tokenIn: token(L1), tokenOut: token(L2) };
    const deadline = (await clockOf(test, L1)) + WEEK;
    return { route, amountIn: AMOUNT, sender: wallet.address, recipient: wallet.address, deadline, id: `arbitrum-${++count}` };
  }
  async function quoted(): Promise<BridgeQuote> {
    const answer = await bridge.quote(await request(), test.views);
    if (!answer.ok) throw new Error(answer.reason);
    return answer.quote;
  }
  async function send(): Promise<{ key: TransferKey; quote: BridgeQuote }> {
    const quote = await quoted();
    const { calls, key } = bridge.start(quote);
    expect((await track(key)).state).to.equal("not-started");
    return { quote, key: bridge.started(key, (await sendCalls(test, wallet, calls)).receipt) };
  }
  async function expectDelivered(key: TransferKey, amount: bigint): Promise<void> {
    const { state, arrival } = await track(key);
    expect([state, arrival?.token, arrival?.amount]).to.deep.equal(["delivered", token(L2), amount]);
    const receipt = (await test.provider(L2).getTransactionReceipt(arrival!.txHash))!;
    expect(receipt.logs.find((l) => l.index === arrival!.logIndex)!.address).to.equal(token(L2));
  }

  it("mints on the layer 2 by a ticket that redeems itself: arrived when that transaction is final", async () => {
    const { key, quote } = await send();
    const before = await balance();
    expect((await track(key)).state).to.equal("initiated");
    await local.step();
    test.setDepth(L2, 5);
    expect((await track(key)).waitsFor).to.contain("to be final");
    test.setDepth(L2, 0);
    await expectDelivered(key, quote.amountOut);
    expect(await balance()).to.equal(before + quote.amountOut);
    expect(await bridge.claim(key, test.views)).to.equal(null);
  });

  it("is redeemed by us when it did not redeem itself", async () => {
    const { key, quote } = await send();
    local.fate("unredeemed");
    await local.step();
    expect((await track(key)).state).to.equal("claimable");
    await sendCalls(test, wallet, [(await bridge.claim(key, test.views))!]);
    await local.step();
    await expectDelivered(key, quote.amountOut);
  });

  it("stays claimable when its redemption fails, and passes later", async () => {
    const code = await test.provider(L2).getCode(token(L2));
    const { key, quote } = await send();
    // a token that answers l1Address() and takes nothing else
    const only = `0x60003560e01c63c2eeeebd1460145760006000fd5b73${token(L1).slice(2)}60005260206000f3`;
    await world.chain(L2).rpc("hardhat_setCode", [token(L2), only]);
    await local.step();
    const failed = await track(key);
    expect([failed.state, failed.facts["failedTries"]]).to.deep.equal(["claimable", "1"]);
    await world.chain(L2).rpc("hardhat_setCode", [token(L2), code]);
    await sendCalls(test, wallet, [(await bridge.claim(key, test.views))!]);
    await local.step();
    await expectDelivered(key, quote.amountOut);
  });

  it("comes back by the outbox where the layer 2's gateway does not take its token: refunded when that has paid", async () => {
    const code = await test.provider(L2).getCode(token(L2));
    const { key, quote } = await send();
    await world.chain(L2).rpc("hardhat_setCode", [token(L2), "0x60006000fd"]);
    await local.step();
    await world.chain(L2).rpc("hardhat_setCode", [token(L2), code]);
    expect((await track(key)).state).to.equal("refunding");
    await local.confirm();
    expect((await track(key)).state).to.equal("claimable");
    await sendCalls(test, wallet, [(await bridge.claim(key, test.views))!]);
    const { state, arrival } = await track(key);
    expect([state, arrival?.chainId, arrival?.token, arrival?.amount]).to.deep.equal(["refunded", L1, token(L1), quote.amountIn]);
  });

  it("is slow when it is not taken over, stuck when its ticket lapsed", async () => {
    const { key, quote } = await send();
    local.fate("held");
    await local.step();
    await advance(world.chain(L1), 3 * 3600);
    expect((await track(key)).state).to.equal("slow");
    await local.step();
    await expectDelivered(key, quote.amountOut);

    const lapsed = await send();
    local.fate("unredeemed");
    await local.step();
    await advance(world.chain(L2), WEEK + 60);
    expect((await track(lapsed.key)).state).to.equal("stuck");
    expect(await bridge.claim(lapsed.key, test.views)).to.equal(null);
  });

  it("finds a deposit without its transaction, and does not guess between two", async () => {
    const quote = await quoted();
    const { calls, key } = bridge.start(quote);
    await sendCalls(test, wallet, calls);
    await local.step();
    await expectDelivered(key, quote.amountOut);
    await sendCalls(test, wallet, calls);
    expect((await track(key)).state).to.equal("stuck");
  });

  it("refuses a ticket that is too dear, and tokens that are not bridged", async () => {
    const dear = await arbitrumGatewayBridge({ maxNativeFee: 1n }).quote(await request(), test.views);
    expect(!dear.ok && dear.reason).to.match(/the ticket costs up to/);
    const weth = { ...(await request()), amountIn: 10n ** 17n };
    const other = await bridge.quote(
      { ...weth, route: { ...weth.route, tokenIn: token(L1, "WETH"), tokenOut: token(L2, "WETH") } },
      test.views,
    );
    expect(!other.ok && other.reason).to.match(/counterpart|gateway/);
  });

  describe("withdrawals", () => {
    const back = async (): Promise<TransferRequest> => {
      const { route, ...rest } = await request();
      const deadline = (await clockOf(test, L2)) + 30 * 24 * 3600;
      return { ...rest, deadline, route: { fromChainId: L2, toChainId: L1, tokenIn: route.tokenOut, tokenOut: route.tokenIn } };
    };
    async function withdraw(): Promise<{ key: TransferKey; quote: BridgeQuote }> {
      const answer = await bridge.quote(await back(), test.views);
      if (!answer.ok) throw new Error(answer.reason);
      const { calls, key } = bridge.start(answer.quote);
      expect(calls).to.have.length(1);
      expect((await track(key)).state).to.equal("not-started");
      return { quote: answer.quote, key: bridge.started(key, (await sendCalls(test, wallet, calls)).receipt) };
    }
    const l1Balance = async () => await IERC20__factory.connect(token(L1), test.provider(L1)).balanceOf(wallet.address);
    async function expectPaid(key: TransferKey, amount: bigint): Promise<void> {
      const { state, arrival } = await track(key);
      expect([state, arrival?.chainId, arrival?.token, arrival?.amount]).to.deep.equal(["delivered", L1, token(L1), amount]);
    }

    before(async () => {
      // so that the wallet has something to withdraw
      for (let i = 0; i < 3; i++) await send();
      await local.step();
    });

    it("is burnt, confirmed by the rollup, paid by our call, and has arrived when that is final", async () => {
      const soon = await bridge.quote({ ...(await back()), deadline: (await clockOf(test, L2)) + 24 * 3600 }, test.views);
      expect(!soon.ok && soon.reason).to.match(/longer than the deadline/);
      const { key, quote } = await withdraw();
      expect((await track(key)).state).to.equal("attesting");
      expect(await bridge.claim(key, test.views)).to.equal(null);
      await local.confirm();
      expect((await track(key)).state).to.equal("claimable");
      const before = await l1Balance();
      const { receipt } = await sendCalls(test, wallet, [(await bridge.claim(key, test.views))!]);
      expect(receipt.gasUsed < quote.claimGas, String(receipt.gasUsed)).to.equal(true);
      test.setDepth(L1, 5);
      expect((await track(key)).waitsFor).to.contain("to be final");
      test.setDepth(L1, 0);
      await expectPaid(key, quote.amountOut);
      expect((await l1Balance()) - before).to.equal(quote.amountOut);
      expect(await bridge.claim(key, test.views)).to.equal(null);
    });

    it("several at once are each proven by their own place in the tree, in any order", async () => {
      const all = [await withdraw(), await withdraw(), await withdraw()];
      await local.confirm();
      const late = await withdraw();
      for (const { key, quote } of all.toReversed()) {
        await sendCalls(test, wallet, [(await bridge.claim(key, test.views))!]);
        await expectPaid(key, quote.amountOut);
      }
      expect((await track(late.key)).state, "not confirmed yet").to.equal("attesting");
      await local.confirm();
      await sendCalls(test, wallet, [(await bridge.claim(late.key, test.views))!]);
      await expectPaid(late.key, late.quote.amountOut);
    });

    it("waits while the token on Ethereum refuses, and is slow when the rollup does not confirm", async () => {
      const { key, quote } = await withdraw();
      await advance(world.chain(L2), 9 * 24 * 3600);
      expect((await track(key)).state).to.equal("slow");
      await local.confirm();
      const code = await test.provider(L1).getCode(token(L1));
      await world.chain(L1).rpc("hardhat_setCode", [token(L1), "0x60006000fd"]);
      const blocked = await track(key);
      expect([blocked.state, blocked.facts["wish"]]).to.deep.equal(["blocked", "retry"]);
      await world.chain(L1).rpc("hardhat_setCode", [token(L1), code]);
      await sendCalls(test, wallet, [(await bridge.recover(key, "retry", test.views))!]);
      await expectPaid(key, quote.amountOut);
    });

    it("is found without its transaction, and with every record lost", async () => {
      const { key, quote } = await withdraw();
      expect((await track({ ...key, sourceTx: null })).state).to.equal("attesting");
      const from = (await test.provider(L2).getBlockNumber()) - 1_000;
      const found = (await scanArbitrumGateway(wallet.address, L2, from, test.views)).find((k) => k.sourceTx === key.sourceTx)!;
      await local.confirm();
      await sendCalls(test, wallet, [(await bridge.claim(found, test.views))!]);
      await expectPaid(found, quote.amountOut);
    });
  });
});
