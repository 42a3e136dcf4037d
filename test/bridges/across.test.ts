import { expect } from "chai";
import { Interface, type JsonRpcProvider, Wallet, ZeroAddress } from "ethers";
import { acrossBridge, speedUpToSign, uniqueAmount, withCalls } from "../../src/bridges/across.js";
import { relayTuple, spokePool } from "../../src/bridges/across-abi.js";
import { feeSchedule } from "../../src/bridges/across-fees.js";
import { transferOf } from "../../src/bridges/across-key.js";
import type { BridgeQuote, TransferKey, TransferRequest, TransferStatus } from "../../src/bridges/bridge.js";
import { acrossFacts } from "../../src/config/across.js";
import { ArbError } from "../../src/errors.js";
import { type AcrossFate, type LocalAcross, openAcross } from "../../src/sim/bridges/across.js";
import { RELAYER } from "../../src/sim/bridges/across-pools.js";
import { forkHere } from "../../src/sim/bridges/reorg.js";
import { tokenOf } from "../../src/sim/protocols/tokens.js";
import { send } from "../../src/sim/site.js";
import { type LocalWorld, startLocalWorld } from "../../src/sim/world.js";
import { IERC20__factory } from "../../types/contracts/index.js";
import { advance, clockOf, richWallet, sendCalls, type TestViews, viewsOf } from "../helpers/bridges.js";

const L1 = 1;
const L2 = 42161;
const USDC = 10n ** 6n;
const ETHER = 10n ** 18n;
const erc20 = IERC20__factory.createInterface();

const line = { ppm: 500, fixed: 50_000n, min: USDC, max: 1_000_000n * USDC, etaSeconds: 2 };
const bridge = acrossBridge({
  fees: feeSchedule([
    { symbol: "USDC", ...line },
    { symbol: "WETH", ...line, fixed: 10n ** 13n, min: 10n ** 15n, max: 100n * ETHER },
  ]),
});

describe("Across on real SpokePools", () => {
  let world: LocalWorld;
  let across: LocalAcross;
  let test: TestViews;
  let me: Wallet;
  let count = 0;

  before(async () => {
    world = await startLocalWorld([L1, L2]);
    across = await openAcross(world);
    test = viewsOf(world);
    me = await richWallet(world.chains, { USDC: 1_000_000n * USDC, WETH: 100n * ETHER });
  });
  after(async () => {
    await across.close();
    test.close();
    await world.close();
  });
  afterEach(() => {
    test.setDepth(L1, 0);
    test.setDepth(L2, 0);
  });

  const token = (chainId: number, symbol: string) => tokenOf(world.chain(chainId).network, symbol).address;

  async function request(change: Partial<TransferRequest> = {}, symbol = "USDC", from = L1, to = L2): Promise<TransferRequest> {
    const now = Math.max(await clockOf(test, L1), await clockOf(test, L2));
    return {
      route: { fromChainId: from, toChainId: to, tokenIn: token(from, symbol), tokenOut: token(to, symbol) },
      amountIn: symbol === "USDC" ? 1_000n * USDC : ETHER,
      sender: me.address,
      recipient: me.address,
      deadline: now + 1_800,
      id: `transfer ${++count}`,
      ...change,
    };
  }
  async function quoted(req: TransferRequest): Promise<BridgeQuote> {
    const answer = await bridge.quote(req, test.views);
    if (!answer.ok) throw new Error(answer.reason);
    return answer.quote;
  }
  async function deposit(quote: BridgeQuote): Promise<{ key: TransferKey; raw: string }> {
    const { calls, key } = bridge.start(quote);
    const { receipt, raw } = await sendCalls(test, me, calls);
    return { key: bridge.started(key, receipt), raw };
  }
  const begin = async (fate: AcrossFate, change: Partial<TransferRequest> = {}, symbol = "USDC", from = L1, to = L2) => {
    across.setScript(() => fate);
    const quote = await quoted(await request(change, symbol, from, to));
    const { key, raw } = await deposit(quote);
    return { quote, key, raw };
  };
  /** One step of the bridge's people, and what they did with this transfer. */
  const stepFor = async ({ data }: TransferKey) =>
    (await across.step()).filter((a) => a.depositId === BigInt(data["depositId"]!));
  const track = (key: TransferKey): Promise<TransferStatus> => bridge.track(key, test.views);
  const stateOf = async (key: TransferKey) => (await track(key)).state;
  const advanceAll = async (seconds: number) => {
    for (const chain of world.chains) await advance(chain, seconds);
  };
  const balance = async (chainId: number, symbol: string, of: string): Promise<bigint> =>
    BigInt(await test.provider(chainId).call({ to: token(chainId, symbol), data: erc20.encodeFunctionData("balanceOf", [of]) }));
  const logAt = async (status: TransferStatus) => {
    const { chainId, txHash, logIndex } = status.arrival!;
    const receipt = (await test.provider(chainId).getTransactionReceipt(txHash))!;
    return receipt.logs.find((l) => l.index === logIndex)!;
  };
  const refusal = async (req: TransferRequest): Promise<string> => {
    const answer = await bridge.quote(req, test.views);
    return answer.ok ? "quoted" : answer.reason;
  };
  const failure = async (promise: Promise<unknown>): Promise<ArbError> => {
    const error: unknown = await promise.then(
      () => null,
      (e: unknown) => e,
    );
    if (!(error instanceof ArbError)) throw new Error(`no ArbError but ${String(error)}`);
    return error;
  };

  describe("quote and start", () => {
    it("serves the same listed asset between two networks of one kind, and nothing else", async () => {
      const { route } = await request();
      expect(bridge.serves(route)).to.equal(true);
      expect(bridge.serves({ ...route, tokenOut: token(L2, "WETH") })).to.equal(false);
      expect(bridge.serves({ ...route, toChainId: L1 })).to.equal(false);
      expect(bridge.serves({ ...route, toChainId: 11155111 })).to.equal(false);
      expect(bridge.serves({ ...route, tokenIn: ZeroAddress })).to.equal(false);
    });

    it("gives id and relay hash before anything is sent, as the contracts compute them", async () => {
      const { key } = bridge.start(await quoted(await request()));
      const t = transferOf(key);
      const ask = async (chainId: number, to: string, fn: string, args: unknown[]) =>
        await test.provider(chainId).call({ to, data: spokePool.encodeFunctionData(fn, args) });
      const id = await ask(L1, t.originPool, "getUnsafeDepositId", [
        me.address,
        `0x${"0".repeat(24)}${me.address.slice(2)}`,
        t.nonce,
      ]);
      expect(BigInt(id)).to.equal(t.relay.depositId);
      expect(await ask(L2, t.destinationPool, "getV3RelayHash", [relayTuple(t.relay)])).to.equal(t.hash);
    });

    it("takes a unique amount, at most one part in 10,000 below what was asked, the same for the same transfer", async () => {
      const req = await request();
      const [one, two] = [await quoted(req), await quoted(req)];
      expect(one.amountIn).to.equal(two.amountIn);
      expect(one.amountIn > (req.amountIn * 9_999n) / 10_000n && one.amountIn <= req.amountIn).to.equal(true);
      expect(one.amountOut + one.fee).to.equal(one.amountIn);
      expect(bridge.start(one).key.data["depositId"]).to.equal(bridge.start(two).key.data["depositId"]);
      expect(uniqueAmount(9_999n, "small")).to.equal(9_999n);
    });

    it("refuses what the pools or the fees would not take, in words", async () => {
      const now = await clockOf(test, L1);
      expect(await refusal(await request({ amountIn: USDC / 2n }))).to.match(/below the least/);
      expect(await refusal(await request({ amountIn: 2_000_000n * USDC }))).to.match(/above the most/);
      expect(await refusal(await request({ deadline: now + 30 }))).to.match(/no time/);
      expect(await refusal(await request({ amountIn: 0n }))).to.match(/nothing/);
      const dear = acrossBridge({ fees: feeSchedule([{ symbol: "USDC", ...line, fixed: 10n ** 12n }]) });
      expect(await dear.quote(await request(), test.views)).to.deep.equal({
        ok: false,
        reason: "the fee takes the whole amount",
      });
      const none = acrossBridge({ fees: feeSchedule([{ symbol: "USDC", ...line, toChainId: 10 }]) });
      expect(await none.quote(await request(), test.views)).to.include({ ok: false });
    });

    it("never sets a fill deadline beyond the pool's buffer", async () => {
      const now = await clockOf(test, L1);
      const quote = await quoted(await request({ deadline: now + 10 ** 6 }));
      expect(Number(quote.terms["fillDeadline"]) - now).to.be.within(5 * 3600, 6 * 3600);
      const { key } = await deposit(quote);
      expect(await stateOf(key)).to.equal("initiated");
    });

    it("does not quote while deposits or fills are paused, and a deposit that then reverts did not start", async () => {
      const quote = await quoted(await request());
      await across.pool(L1).pause("deposits", true);
      expect(await refusal(await request())).to.match(/deposits are paused on Ethereum/);
      const { calls, key } = bridge.start(quote);
      const { receipt } = await sendCalls(test, me, calls);
      await across.pool(L1).pause("deposits", false);
      expect(() => bridge.started(key, receipt))
        .to.throw(ArbError)
        .with.property("code", "reverted");
      expect(await stateOf(key)).to.equal("not-started");
      await across.pool(L2).pause("fills", true);
      expect(await refusal(await request())).to.match(/fills are paused on Arbitrum/);
      await across.pool(L2).pause("fills", false);
    });

    it("knows a deposit that was not made, and when it cannot be made any more", async () => {
      const { key } = bridge.start(await quoted(await request()));
      const early = await track(key);
      expect([early.state, early.facts["startPossible"]]).to.deep.equal(["not-started", "true"]);
      await advanceAll(3_700);
      const late = await track(key);
      expect([late.state, late.facts["startPossible"]]).to.deep.equal(["not-started", "false"]);
      const { calls } = bridge.start(await quoted({ ...(await request()), id: key.id }));
      expect(calls).to.have.length(2);
    });

    it("does not take another transfer's receipt for its own", async () => {
      const one = bridge.start(await quoted(await request()));
      const two = bridge.start(await quoted(await request()));
      const { receipt } = await sendCalls(test, me, one.calls);
      expect(() => bridge.started(two.key, receipt)).to.throw(ArbError, /did not make this transfer's deposit/);
    });
  });

  describe("fills", () => {
    for (const [from, to] of [
      [L1, L2],
      [L2, L1],
    ] as const)
      it(`from ${from} to ${to}: initiated, then delivered by the token's log in a final block`, async () => {
        const { quote, key } = await begin({ fill: "fill" }, { recipient: Wallet.createRandom().address }, "USDC", from, to);
        expect(await stateOf(key)).to.equal("initiated");
        test.setDepth(to, 2);
        const [act] = await stepFor(key);
        expect(act?.act).to.equal("filled");
        const unfinal = await track(key);
        expect([unfinal.state, unfinal.arrival]).to.deep.equal(["initiated", null]);
        expect(unfinal.waitsFor).to.match(/final/);
        await advance(world.chain(to), 1);
        await advance(world.chain(to), 1);
        const status = await track(key);
        expect(status.state).to.equal("delivered");
        const { arrival } = status;
        expect(arrival).to.include({ chainId: to, token: token(to, "USDC"), amount: quote.amountOut, txHash: act!.txHash });
        const transfer = erc20.parseLog(await logAt(status))!;
        expect([transfer.args["to"], transfer.args["value"]]).to.deep.equal([quote.request.recipient, quote.amountOut]);
        expect(await balance(to, "USDC", quote.request.recipient)).to.equal(quote.amountOut);
      });

    it("a stranger's fill of another relay with our id is no fill of ours", async () => {
      for (const fill of ["wrong-amount", "wrong-recipient"] as const) {
        const { quote, key } = await begin({ fill });
        const [act] = await stepFor(key);
        expect(act?.act).to.equal("filled-wrongly");
        const { topics } = (await test.provider(L2).getTransactionReceipt(act!.txHash))!.logs.find(
          (l) => l.address === across.pool(L2).address,
        )!;
        expect(BigInt(topics[2]!)).to.equal(BigInt(key.data["depositId"]!));
        const status = await track(key);
        expect([status.state, status.facts["fillStatus"]]).to.deep.equal(["initiated", "unfilled"]);
        // the real fill after it is the one that counts
        await across.pool(L2).fillRelay(transferOf(key).relay);
        const real = await track(key);
        expect([real.state, real.arrival!.amount]).to.deep.equal(["delivered", quote.amountOut]);
        expect(real.facts["fillTx"]).not.to.equal(act!.txHash);
      }
    });

    it("a relayer that waits is slow after five times the promise, and still delivers", async () => {
      const { key } = await begin({ fill: "fill", afterSeconds: 300 });
      expect(await stepFor(key)).to.deep.equal([]);
      await advanceAll(120);
      expect(await stepFor(key)).to.deep.equal([]);
      expect(await stateOf(key)).to.equal("slow");
      await advanceAll(240);
      expect((await stepFor(key)).map((a) => a.act)).to.deep.equal(["filled"]);
      expect(await stateOf(key)).to.equal("delivered");
    });

    it("counts blocks, and fills only a part of the deposits, as the script says", async () => {
      across.setScript((_deposit, index) => (index % 2 === 0 ? { fill: "fill", afterBlocks: 3 } : { fill: "never" }));
      const keys = [];
      for (let i = 0; i < 2; i++) keys.push((await deposit(await quoted(await request()))).key);
      const own = keys.map((key) => BigInt(key.data["depositId"]!));
      const step = async () => (await across.step()).filter((a) => own.includes(a.depositId));
      expect(await step()).to.deep.equal([]);
      await world.chain(L2).rpc("hardhat_mine", ["0x3"]);
      expect(await step()).to.have.length(1);
      expect((await Promise.all(keys.map(stateOf))).toSorted()).to.deep.equal(["delivered", "initiated"]);
    });

    it("two equal fills in one transaction each have their own log", async () => {
      across.setScript(() => ({ fill: "never" }));
      const recipient = Wallet.createRandom().address;
      const pool = across.pool(L2);
      // the same amounts, so that nothing but the order of logs tells them apart
      const quotes = [await quoted(await request({ recipient })), await quoted(await request({ recipient }))];
      const same = quotes.map((q) => ({ ...q, terms: { ...q.terms, outputAmount: String(quotes[0]!.amountOut) } }));
      const keys = [];
      for (const q of same) keys.push((await deposit(q)).key);
      const fills = keys.map((key) => fillData(transferOf(key)));
      await send(pool.chain, pool.address, multicall.encodeFunctionData("multicall", [fills]), { from: RELAYER });
      const arrivals = (await Promise.all(keys.map(track))).map((s) => s.arrival!);
      expect(arrivals[0]!.txHash).to.equal(arrivals[1]!.txHash);
      expect(arrivals[0]!.logIndex).to.be.lessThan(arrivals[1]!.logIndex);
      expect(await balance(L2, "USDC", recipient)).to.equal(2n * quotes[0]!.amountOut);
    });

    it("WETH arrives as ETH at accounts without code and at delegated ones, as WETH at contracts", async () => {
      const delegated = Wallet.createRandom().address;
      const contract = Wallet.createRandom().address;
      const handler = acrossFacts(L2)!.multicallHandler.address;
      await world.chain(L2).rpc("hardhat_setCode", [delegated, `0xef0100${handler.slice(2)}`]);
      await world.chain(L2).rpc("hardhat_setCode", [contract, "0x00"]);
      for (const [recipient, native] of [
        [Wallet.createRandom().address, true],
        [delegated, true],
        [contract, false],
      ] as const) {
        const { quote, key } = await begin({ fill: "fill" }, { recipient }, "WETH");
        await across.step();
        const status = await track(key);
        expect(status.state).to.equal("delivered");
        const expected = { token: native ? ZeroAddress : token(L2, "WETH"), amount: quote.amountOut };
        expect(status.arrival).to.include(expected);
        expect(await test.provider(L2).getBalance(recipient)).to.equal(native ? quote.amountOut : 0n);
        expect(await balance(L2, "WETH", recipient)).to.equal(native ? 0n : quote.amountOut);
      }
    });
  });

  describe("slow", () => {
    it("a slow fill that we ask for is paid by Across itself", async () => {
      const { quote, key } = await begin({ fill: "never" });
      const call = (await bridge.recover(key, "retry", test.views))!;
      expect(call.chainId).to.equal(L2);
      expect((await sendCalls(test, me, [call])).receipt.status).to.equal(1);
      const asked = await track(key);
      expect([asked.state, asked.facts["fillStatus"]]).to.deep.equal(["slow", "slow fill requested"]);
      expect(await bridge.recover(key, "retry", test.views)).to.equal(null);
      expect((await stepFor(key)).map((a) => a.act)).to.deep.equal(["slow-filled"]);
      const status = await track(key);
      expect([status.state, status.facts["fill"]]).to.deep.equal(["delivered", "slow"]);
      expect(status.arrival!.amount).to.equal(quote.amountOut);
    });

    it("a relayer may still replace a slow fill that was asked for", async () => {
      const { key } = await begin({ fill: "slow" });
      await across.pool(L2).requestSlowFill(transferOf(key).relay);
      await across.pool(L2).fillRelay(transferOf(key).relay);
      const status = await track(key);
      expect([status.state, status.facts["fill"]]).to.deep.equal(["delivered", "fast instead of slow"]);
    });

    it("a speed-up offers less, with the depositor's signature, and the lower amount is what arrives", async () => {
      const { quote, key } = await begin({ fill: "sped-up" });
      expect(await stepFor(key)).to.deep.equal([]);
      const lower = quote.amountOut - 2n * USDC;
      const { domain, types, value } = speedUpToSign(key, lower);
      const signature = await me.signTypedData(domain, types, value);
      const wish = { outputAmount: String(lower), signature };
      const call = (await bridge.recover(key, "speed-up", test.views, wish))!;
      expect((await sendCalls(test, me, [call])).receipt.status).to.equal(1);
      await across.step();
      const status = await track(key);
      expect([status.state, status.arrival!.amount]).to.deep.equal(["delivered", lower]);
      expect(await bridge.recover(key, "speed-up", test.views, wish)).to.equal(null);
    });

    it("refuses a speed-up that offers no more or is signed by another key", async () => {
      const { quote, key } = await begin({ fill: "never" });
      const sign = async (wallet: Wallet, amount: bigint) => {
        const { domain, types, value } = speedUpToSign(key, amount);
        return { outputAmount: String(amount), signature: await wallet.signTypedData(domain, types, value) };
      };
      const recover = async (more: Record<string, string>) =>
        (await failure(bridge.recover(key, "speed-up", test.views, more))).message;
      expect(await recover(await sign(me, quote.amountOut))).to.match(/must be below/);
      expect(await recover(await sign(new Wallet(Wallet.createRandom().privateKey), USDC))).to.match(/own signature/);
      expect(await recover({ outputAmount: "1" })).to.match(/own signature/);
      expect(await bridge.recover(key, "re-attest", test.views)).to.equal(null);
      expect(await bridge.claim(key, test.views)).to.equal(null);
    });

    it("paused fills are slow, with that reason", async () => {
      const { key } = await begin({ fill: "never" });
      await across.pool(L2).pause("fills", true);
      const status = await track(key);
      await across.pool(L2).pause("fills", false);
      expect([status.state, status.facts["fillsPaused"]]).to.deep.equal(["slow", "true"]);
    });
  });

  describe("expiry and refund", () => {
    for (const [from, to] of [
      [L1, L2],
      [L2, L1],
    ] as const)
      it(`from ${from} to ${to}: expires when the deadline is in a final block, and the full input comes back`, async () => {
        const before = await balance(from, "USDC", me.address);
        const { quote, key } = await begin({ fill: "never", refund: "hold" }, {}, "USDC", from, to);
        test.setDepth(to, 1);
        await advanceAll(1_900);
        expect([await stateOf(key), (await track(key)).facts["deadlinePassed"]]).to.deep.equal(["slow", "true"]);
        test.setDepth(to, 0);
        expect(await stateOf(key)).to.equal("expired");
        expect(await bridge.recover(key, "speed-up", test.views)).to.equal(null);
        expect(await balance(from, "USDC", me.address)).to.equal(before - quote.amountIn);

        const { inputToken, depositor, inputAmount } = transferOf(key).relay;
        await across.pool(from).refund(inputToken, [RELAYER], [inputAmount]); // somebody else's, of the same amount
        expect(await stateOf(key)).to.equal("expired");
        test.setDepth(from, 1);
        await across.pool(from).refund(inputToken, [RELAYER, depositor], [5n * USDC, inputAmount]);
        expect(await stateOf(key)).to.equal("refunding");
        test.setDepth(from, 0);
        const status = await track(key);
        expect(status.state).to.equal("refunded");
        expect(status.arrival).to.include({ chainId: from, token: token(from, "USDC"), amount: quote.amountIn });
        const transfer = erc20.parseLog(await logAt(status))!;
        expect([transfer.args["to"], transfer.args["value"]]).to.deep.equal([me.address, quote.amountIn]);
        expect(await balance(from, "USDC", me.address)).to.equal(before);
      });

    it("finds its part of a refund that pays several deposits in one sum", async () => {
      across.setScript(() => ({ fill: "never", refund: "hold" }));
      const keys = [];
      for (let i = 0; i < 3; i++) keys.push((await deposit(await quoted(await request()))).key);
      await advanceAll(1_900);
      const relays = keys.map((k) => transferOf(k).relay);
      const [a, b] = relays.map((r) => r.inputAmount) as [bigint, bigint, bigint];
      await across.pool(L1).refund(relays[0]!.inputToken, [me.address], [a + b]);
      const states = await Promise.all(keys.map(track));
      expect(states.map((s) => s.state)).to.deep.equal(["refunded", "refunded", "expired"]);
      expect(states.map((s) => s.arrival?.amount)).to.deep.equal([a, b, undefined]);
    });

    it("WETH comes back as WETH", async () => {
      const { quote, key } = await begin({ fill: "never" }, {}, "WETH");
      const held = await balance(L1, "WETH", me.address);
      await advanceAll(1_900);
      await across.step();
      expect(await stateOf(key)).to.equal("refunded");
      expect(await balance(L1, "WETH", me.address)).to.equal(held + quote.amountIn);
    });

    it("a refund that the token refuses is a credit, which a claim brings home", async () => {
      const before = await balance(L1, "USDC", me.address);
      const { quote, key } = await begin({ fill: "never", refund: "fails" });
      await advanceAll(1_900);
      expect((await stepFor(key)).map((a) => a.act)).to.include("credited");
      const credited = await track(key);
      expect([credited.state, credited.arrival]).to.deep.equal(["claimable", null]);
      expect(await balance(L1, "USDC", me.address)).to.equal(before - quote.amountIn);
      const call = (await bridge.claim(key, test.views))!;
      expect(await bridge.recover(key, "claim-refund", test.views)).to.deep.equal(call);
      expect((await sendCalls(test, me, [call])).receipt.status).to.equal(1);
      const status = await track(key);
      expect([status.state, status.arrival!.amount]).to.deep.equal(["refunded", quote.amountIn]);
      expect(await balance(L1, "USDC", me.address)).to.equal(before);
      expect(await bridge.claim(key, test.views)).to.equal(null);
    });

    it("three days without a refund need an operator", async () => {
      const { key } = await begin({ fill: "never", refund: "hold" });
      await advanceAll(1_900 + 3 * 24 * 3600);
      const status = await track(key);
      expect([status.state, status.waitsFor]).to.deep.equal([
        "stuck",
        "an operator: Across has not refunded this deposit for three days",
      ]);
      // and when it comes at last, it counts
      const { inputToken, inputAmount } = transferOf(key).relay;
      await across.pool(L1).refund(inputToken, [me.address], [inputAmount]);
      expect(await stateOf(key)).to.equal("refunded");
    });
  });

  describe("calls at the destination", () => {
    const sink = Wallet.createRandom().address;
    const filledWith = async (amountOf: (out: bigint) => bigint) => {
      across.setScript(() => ({ fill: "fill" }));
      const fallback = Wallet.createRandom().address;
      const quote = await quoted(await request({ fallbackRecipient: fallback }));
      const data = erc20.encodeFunctionData("transfer", [sink, amountOf(quote.amountOut)]);
      const { key } = await deposit(withCalls(quote, [{ target: token(L2, "USDC"), data, value: 0n }]));
      await across.step();
      return { quote, key, fallback, status: await track(key) };
    };

    it("what they leave goes to the fallback recipient", async () => {
      const { quote, fallback, status } = await filledWith(() => 400n * USDC);
      expect([status.state, status.facts["callsFailed"], status.facts["paidTo"]]).to.deep.equal(["delivered", "false", fallback]);
      expect(status.arrival!.amount).to.equal(quote.amountOut - 400n * USDC);
      expect(await balance(L2, "USDC", fallback)).to.equal(quote.amountOut - 400n * USDC);
    });

    it("when one fails the fill stands, and everything goes there", async () => {
      const { quote, fallback, status } = await filledWith(() => 10n ** 15n);
      expect([status.state, status.facts["callsFailed"], status.facts["paidTo"]]).to.deep.equal(["delivered", "true", fallback]);
      expect(status.arrival!.amount).to.equal(quote.amountOut);
      expect(await balance(L2, "USDC", fallback)).to.equal(quote.amountOut);
    });

    it("when they use everything, the arrival is what the handler got, and says so", async () => {
      const before = await balance(L2, "USDC", sink);
      const { quote, fallback, status } = await filledWith((out) => out);
      expect([status.state, status.facts["callsFailed"]]).to.deep.equal(["delivered", "false"]);
      expect(status.facts["paidTo"]).to.equal(acrossFacts(L2)!.multicallHandler.address);
      expect(status.arrival!.amount).to.equal(quote.amountOut);
      expect((await balance(L2, "USDC", sink)) - before).to.equal(quote.amountOut);
      expect(await balance(L2, "USDC", fallback)).to.equal(0n);
    });

    it("need a fallback recipient, and get no slow fill", async () => {
      const quote = await quoted(await request());
      expect(() => withCalls(quote, [])).to.throw(ArbError, /recipient/);
      across.setScript(() => ({ fill: "never" }));
      const { key } = await deposit(withCalls(quote, [], me.address));
      expect(await bridge.recover(key, "retry", test.views)).to.equal(null);
    });
  });

  describe("reorganisations and nodes", () => {
    it("a deposit that a reorganisation drops is not started, and can be sent again", async () => {
      across.setScript(() => ({ fill: "never" }));
      const { calls, key: planned } = bridge.start(await quoted(await request()));
      await sendCalls(test, me, calls.slice(0, -1));
      const fork = await forkHere(world.chain(L1));
      const { receipt, raw } = await sendCalls(test, me, calls.slice(-1));
      const key = bridge.started(planned, receipt);
      expect(await stateOf(key)).to.equal("initiated");
      await fork.drop();
      expect(await stateOf(key)).to.equal("not-started");
      await test.provider(L1).send("eth_sendRawTransaction", [raw]);
      expect(await stateOf(key)).to.equal("initiated");
    });

    it("a deposit that moves to another block behind a rival's keeps its id, hash and fill", async () => {
      across.setScript(() => ({ fill: "never" }));
      const { calls, key: planned } = bridge.start(await quoted(await request()));
      await sendCalls(test, me, calls.slice(0, -1));
      const fork = await forkHere(world.chain(L1));
      const { receipt, raw } = await sendCalls(test, me, calls.slice(-1));
      const key = bridge.started(planned, receipt);
      // a relayer that did not wait for the source to be final
      await across.pool(L2).fillRelay(transferOf(key).relay);
      await fork.delay(raw);
      const again = (await test.provider(L1).getTransactionReceipt(receipt.hash))!;
      expect(again.blockHash).not.to.equal(receipt.blockHash);
      expect(bridge.started(planned, again).sourceTx).to.equal(receipt.hash);
      expect(await stateOf(key)).to.equal("delivered");
    });

    it("finds the transfer from its key alone, without the hash of its deposit", async () => {
      const { key } = await begin({ fill: "never" });
      const status = await track({ ...key, sourceTx: null });
      expect([status.state, status.facts["depositTx"]]).to.deep.equal(["initiated", key.sourceTx]);
      expect(await stateOf({ ...key, sourceTx: `0x${"12".repeat(32)}` })).to.equal("initiated");
      const again = JSON.parse(JSON.stringify(key)) as TransferKey;
      expect(await stateOf(again)).to.equal("initiated");
    });

    it("a node that does not answer, or is behind, is no state", async () => {
      const { key } = await begin({ fill: "never" });
      const closed = test.provider(L2);
      const dead = altered(closed, { call: () => Promise.reject(new Error("fetch failed")) });
      const deadViews = (chainId: number) => ({ ...test.views(chainId), ...(chainId === L2 ? { provider: dead } : {}) });
      expect((await failure(bridge.track(key, deadViews))).code).to.equal("network");
      const ahead = (chainId: number) => ({
        ...test.views(chainId),
        finalBlock: async () => BigInt((await test.provider(chainId).getBlockNumber()) + 3),
      });
      expect((await failure(bridge.track(key, ahead))).code).to.equal("network");
      // a node that knows the fill but hides its log
      await across.pool(L2).fillRelay(transferOf(key).relay);
      const blind = altered(closed, { getLogs: () => Promise.resolve([]) });
      const blindViews = (chainId: number) => ({ ...test.views(chainId), ...(chainId === L2 ? { provider: blind } : {}) });
      expect((await failure(bridge.track(key, blindViews))).message).to.match(/behind/);
    });

    it("asks an endpoint of small ranges in smaller ones", async () => {
      const { key } = await begin({ fill: "never" });
      const asked: number[] = [];
      const real = test.provider(L1);
      const small = altered(real, {
        getLogs: async (filter: { fromBlock: number; toBlock: number }) => {
          const size = filter.toBlock - filter.fromBlock + 1;
          asked.push(size);
          if (size > 1_000) throw new Error("query exceeds max block range 1000");
          return await real.getLogs(filter);
        },
      });
      const far = { ...key, sourceTx: null, data: { ...key.data, sourceFrom: "0" } };
      await world.chain(L1).rpc("hardhat_mine", ["0x800"]);
      const views = (chainId: number) => ({ ...test.views(chainId), ...(chainId === L1 ? { provider: small } : {}) });
      expect((await bridge.track(far, views)).facts["depositTx"]).to.equal(key.sourceTx);
      expect(asked.some((n) => n > 1_000) && asked.some((n) => n <= 1_000)).to.equal(true);
    });

    it("a key of another bridge is refused", async () => {
      const { key } = bridge.start(await quoted(await request()));
      expect((await failure(bridge.track({ ...key, bridge: "cctp" }, test.views))).code).to.equal("usage");
      expect((await failure(bridge.track({ ...key, data: {} }, test.views))).message).to.match(/originPool/);
    });
  });

  it("runs by itself until it is closed", async () => {
    const other = await begin({ fill: "fill" });
    across.run(5);
    const until = Date.now() + 20_000;
    while ((await stateOf(other.key)) !== "delivered" && Date.now() < until) await new Promise((r) => setTimeout(r, 20));
    expect(await stateOf(other.key)).to.equal("delivered");
    await across.close();
  });
});

/** A provider with some of its methods replaced. */
const altered = (provider: JsonRpcProvider, methods: Record<string, unknown>): JsonRpcProvider =>
  new Proxy(provider, {
    get: (target, name) => {
      if (typeof name === "string" && name in methods) return methods[name];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });

const multicall = new Interface(["function multicall(bytes[] data) returns (bytes[])"]);
const fill = new Interface([
  "function fillRelay((bytes32 depositor, bytes32 recipient, bytes32 exclusiveRelayer, bytes32 inputToken, bytes32 outputToken, uint256 inputAmount, uint256 outputAmount, uint256 originChainId, uint256 depositId, uint32 fillDeadline, uint32 exclusivityDeadline, bytes message) relayData, uint256 repaymentChainId, bytes32 repaymentAddress)",
]);
const fillData = (t: ReturnType<typeof transferOf>): string =>
  fill.encodeFunctionData("fillRelay", [relayTuple(t.relay), 1, `0x${"0".repeat(24)}${RELAYER.slice(2)}`]);
