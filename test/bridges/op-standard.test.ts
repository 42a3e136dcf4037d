import { expect } from "chai";
import { getAddress, type Wallet, ZeroAddress } from "ethers";
import { IERC20__factory } from "../../types/contracts/index.js";
import type { BridgeQuote, TransferKey, TransferRequest } from "../../src/bridges/bridge.js";
import { scanOpStandard } from "../../src/bridges/op-standard-scan.js";
import { opStandardBridge } from "../../src/bridges/op-standard.js";
import { standardBridge } from "../../src/bridges/op-standard-abi.js";
import { GAME_FINALITY, type LocalOpStandard, PROOF_MATURITY, startLocalOpStandard } from "../../src/sim/bridges/op-standard.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import { type LocalWorld, startLocalWorld } from "../../src/sim/world.js";
import { advance, clockOf, richWallet, sendCalls, type TestViews, viewsOf } from "../helpers/bridges.js";

const [L1, L2] = [1, 10];
const DAY = 24 * 3600;
const AMOUNT = 250_000_000n;

describe("OP standard bridge", () => {
  let world: LocalWorld;
  let test: TestViews;
  let local: LocalOpStandard;
  let wallet: Wallet;
  let count = 0;
  const bridge = opStandardBridge();

  before(async () => {
    world = await startLocalWorld([L1, L2]);
    test = viewsOf(world);
    local = await startLocalOpStandard(world.chain(L1), world.chain(L2));
    wallet = await richWallet([world.chain(L1)], { USDT: 10n ** 10n, WETH: 5n * 10n ** 18n });
    await world.chain(L2).fund(wallet.address, { eth: 10n ** 19n });
  });
  after(async () => {
    test?.close();
    await world?.close();
  });

  const token = (chainId: number, symbol: string) => tokenOf(world.chain(chainId).network, symbol).address;
  const balance = async (chainId: number, symbol: string) =>
    await IERC20__factory.connect(token(chainId, symbol), test.provider(chainId)).balanceOf(wallet.address);
  const track = async (key: TransferKey) => await bridge.track(key, test.views);

  async function request(
    from: number,
    to: number,
    symbol: string,
    amountIn: bigint,
    change: Partial<TransferRequest> = {},
  ): Promise<TransferRequest> {
    const route = { fromChainId: from, toChainId: to, tokenIn: token(from, symbol), tokenOut: token(to, symbol) };
    const deadline = (await clockOf(test, from)) + 30 * DAY;
    return { route, amountIn, sender: wallet.address, recipient: wallet.address, deadline, id: `op-${++count}`, ...change };
  }
  async function quoted(r: TransferRequest): Promise<BridgeQuote> {
    const answer = await bridge.quote(r, test.views);
    if (!answer.ok) throw new Error(answer.reason);
    return answer.quote;
  }
  async function send(r: TransferRequest): Promise<TransferKey> {
    const { calls, key } = bridge.start(await quoted(r));
    expect((await track(key)).state).to.equal("not-started");
    return bridge.started(key, (await sendCalls(test, wallet, calls)).receipt);
  }
  async function claim(key: TransferKey): Promise<bigint> {
    const call = await bridge.claim(key, test.views);
    if (!call) throw new Error("nothing to claim");
    const { receipt } = await sendCalls(test, wallet, [call]);
    expect(receipt.status, call.purpose).to.equal(1);
    return receipt.gasUsed;
  }

  it("carries a token to the layer 2: exactly the amount, by the transfer that its message made, when that is final", async () => {
    const key = await send(await request(L1, L2, "USDT", AMOUNT));
    const before = await balance(L2, "USDT");
    expect((await track(key)).state).to.equal("initiated");
    await local.step();
    test.setDepth(L2, 5);
    expect((await track(key)).waitsFor).to.contain("to be final");
    test.setDepth(L2, 0);
    const { state, arrival } = await track(key);
    expect([state, arrival!.token, arrival!.amount]).to.deep.equal(["delivered", token(L2, "USDT"), AMOUNT]);
    expect(await balance(L2, "USDT")).to.equal(before + AMOUNT);
    const log = (await test.provider(L2).getTransactionReceipt(arrival!.txHash))!.logs.find(
      (l) => l.index === arrival!.logIndex,
    )!;
    expect(getAddress(log.address)).to.equal(token(L2, "USDT"));
    expect(await bridge.claim(key, test.views)).to.equal(null);
  });

  it("finds a transfer by its mark where its transaction is not known, and does not guess about one that was started twice", async () => {
    const { calls, key } = bridge.start(await quoted(await request(L1, L2, "USDT", AMOUNT)));
    const first = await sendCalls(test, wallet, calls);
    await local.step();
    expect((await track(key)).state).to.equal("delivered");
    await sendCalls(test, wallet, calls);
    await local.step();
    expect((await track(key)).state).to.equal("stuck");
    expect((await track(bridge.started(key, first.receipt))).state).to.equal("delivered");
    const other = bridge.start(await quoted(await request(L1, L2, "USDT", AMOUNT)));
    expect(() => bridge.started(other.key, first.receipt)).to.throw("did not start this transfer");
  });

  it("carries WETH as ETH", async () => {
    const amount = 10n ** 17n;
    const key = await send(await request(L1, L2, "WETH", amount));
    const before = await test.provider(L2).getBalance(wallet.address);
    await local.step();
    const { state, arrival } = await track(key);
    expect([state, arrival!.token, arrival!.amount]).to.deep.equal(["delivered", ZeroAddress, amount]);
    expect(await test.provider(L2).getBalance(wallet.address)).to.equal(before + amount);
  });

  it("is slow when the layer 2 does not take a deposit over, and still arrives", async () => {
    const key = await send(await request(L1, L2, "USDT", AMOUNT));
    local.hold();
    await local.step();
    await advance(world.chain(L1), 3 * 3600);
    expect((await track(key)).state).to.equal("slow");
    await local.step();
    expect((await track(key)).state).to.equal("delivered");
  });

  it("hands a message over again that failed at its destination", async () => {
    // a token whose mint reverts, until its code is back
    const chain = world.chain(L2);
    const code = await test.provider(L2).getCode(token(L2, "USDT"));
    const key = await send(await request(L1, L2, "USDT", AMOUNT));
    await chain.rpc("hardhat_setCode", [token(L2, "USDT"), "0x60006000fd"]);
    await local.step();
    const blocked = await track(key);
    expect([blocked.state, blocked.facts["wish"]]).to.deep.equal(["blocked", "retry"]);
    await chain.rpc("hardhat_setCode", [token(L2, "USDT"), code]);
    expect((await track(key)).state).to.equal("claimable");
    await claim(key);
    expect((await track(key)).state).to.equal("delivered");
  });

  it("takes a message of the bridge with our amount, but not our mark, for no arrival of ours", async () => {
    const key = await send(await request(L1, L2, "USDT", AMOUNT));
    local.hold();
    await local.step();
    const args = [token(L1, "USDT"), token(L2, "USDT"), wallet.address, AMOUNT, 200_000, "0x"];
    const spoof = {
      chainId: L1,
      to: bridge.start(await quoted(await request(L1, L2, "USDT", AMOUNT))).calls[1]!.to,
      value: 0n,
      purpose: "spoof",
    };
    const approve = bridge.start(await quoted(await request(L1, L2, "USDT", AMOUNT))).calls[0]!;
    await sendCalls(test, wallet, [approve, { ...spoof, data: standardBridge.encodeFunctionData("bridgeERC20To", args) }]);
    local.hold();
    await local.step();
    expect((await track(key)).state).to.equal("initiated");
    await local.step();
    expect((await track(key)).state).to.equal("delivered");
  });

  for (const symbol of ["USDT", "WETH"])
    it(`withdraws ${symbol}: proven by a claim that our node agrees with, finalised when that stands`, async () => {
      const amount = symbol === "USDT" ? AMOUNT : 10n ** 16n;
      if (symbol === "WETH") await world.chain(L2).fund(wallet.address, { tokens: { WETH: amount } });
      const r = await request(L2, L1, symbol, amount);
      const early = await bridge.quote({ ...r, deadline: (await clockOf(test, L2)) + DAY }, test.views);
      expect(early.ok).to.equal(false);
      const key = await send(r);
      expect((await track(key)).facts["step"]).to.equal("sent");
      await local.propose("false");
      expect((await track(key)).state, "a false claim").to.equal("attesting");
      const game = await local.propose();
      expect((await track(key)).facts["step"]).to.equal("prove");
      const proveGas = await claim(key);
      expect((await track(key)).facts["step"]).to.equal("proven");
      await local.resolve(game, "stands");
      await advance(world.chain(L1), PROOF_MATURITY + GAME_FINALITY + 60);
      const ready = await track(key);
      expect([ready.state, ready.facts["step"]]).to.deep.equal(["claimable", "finalise"]);
      const eth = await test.provider(L1).getBalance(wallet.address);
      const before = await balance(L1, symbol);
      const gas = proveGas + (await claim(key));
      expect(gas < (await quoted(await request(L2, L1, symbol, amount))).claimGas, String(gas)).to.equal(true);
      const { state, arrival } = await track(key);
      expect([state, arrival!.amount]).to.deep.equal(["delivered", amount]);
      if (symbol === "USDT") expect(await balance(L1, symbol)).to.equal(before + amount);
      else expect((await test.provider(L1).getBalance(wallet.address)) > eth).to.equal(true);
    });

  it("proves a withdrawal again when its claim is overthrown", async () => {
    const key = await send(await request(L2, L1, "USDT", AMOUNT));
    const lost = await local.propose();
    await claim(key);
    await local.resolve(lost, "falls");
    expect((await track(key)).facts["step"]).to.equal("sent");
    const kept = await local.propose();
    await claim(key);
    await local.resolve(kept, "stands");
    await advance(world.chain(L1), PROOF_MATURITY + GAME_FINALITY + 60);
    await claim(key);
    expect((await track(key)).state).to.equal("delivered");
  });

  it("finds deposits and withdrawals again with every record lost, and what each needs", async () => {
    const deposit = await send(await request(L1, L2, "USDT", AMOUNT));
    const withdrawal = await send(await request(L2, L1, "WETH", 10n ** 16n));
    const lost = async (from: number, of: TransferKey): Promise<TransferKey> => {
      const keys = await scanOpStandard(wallet.address, from, 0, test.views);
      return keys.find((key) => key.sourceTx === of.sourceTx)!;
    };
    const [found, foundBack] = [await lost(L1, deposit), await lost(L2, withdrawal)];
    expect([(await track(found)).state, found.data["amountIn"]]).to.deep.equal(["initiated", String(AMOUNT)]);
    expect((await track(foundBack)).facts["step"]).to.equal("sent");
    await local.step();
    expect((await track(found)).state).to.equal("delivered");
    await local.propose();
    expect(await track(foundBack)).to.deep.equal(await track(withdrawal));
    await claim(foundBack);
    expect((await track(foundBack)).facts["step"]).to.equal("proven");
  });

  it("refuses while the bridge is paused, tokens of other bridges, and what the bridge does not hold", async () => {
    const r = await request(L1, L2, "USDT", AMOUNT);
    await local.pause(true);
    expect(await bridge.quote(r, test.views)).to.deep.equal({ ok: false, reason: "the standard bridge is paused" });
    await local.pause(false);
    const big = await bridge.quote(await request(L2, L1, "USDT", 10n ** 15n), test.views);
    expect(!big.ok && big.reason).to.match(/holds \d+ of this token/);
    for (const symbol of ["USDC", "DAI"]) {
      const route = { fromChainId: L1, toChainId: L2, tokenIn: token(L1, symbol), tokenOut: token(L2, symbol) };
      expect(bridge.serves(route), symbol).to.equal(false);
    }
  });
});
