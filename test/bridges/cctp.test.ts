import { expect } from "chai";
import { dataSlice, getAddress, id, Interface, type TransactionReceipt } from "ethers";
import { asyncProperty as aboutAny, bigInt, constant, integer, jsonValue, oneof, record } from "fast-check";
import type { BridgeCall, BridgeQuote, TransferKey, TransferRequest, TransferStatus } from "../../src/bridges/bridge.js";
import { scanCctp } from "../../src/bridges/cctp-scan.js";
import { cctpBridge } from "../../src/bridges/cctp.js";
import { messageTransmitter } from "../../src/bridges/cctp-message.js";
import { type Iris, iris } from "../../src/bridges/iris.js";
import { ArbError } from "../../src/errors.js";
import { type LocalCctp, startLocalCctp } from "../../src/sim/bridges/cctp.js";
import { IERC20__factory } from "../../types/contracts/index.js";
import { ACCOUNTS, type BareChains, startBareChains } from "../helpers/bare-chains.js";
import { asyncProperty } from "../helpers/property.js";

const L1 = 1;
const BASE = 8453;
const ARBITRUM = 42161;
const USDC = 10n ** 6n;
const [me, stranger] = ACCOUNTS as [string, string];
const erc20 = IERC20__factory.createInterface();
const multicall = new Interface([
  "function aggregate3((address target, bool allowFailure, bytes callData)[] calls) payable returns ((bool success, bytes returnData)[])",
]);

describe("CCTP v2 over real USDC, stand-ins of its contracts and a local attestation service", () => {
  let chains: BareChains;
  let local: LocalCctp;
  let service: Iris;
  let count = 0;

  before(async () => {
    chains = await startBareChains([L1, BASE, ARBITRUM]);
    local = await startLocalCctp([chains.of(L1), chains.of(BASE), chains.of(ARBITRUM)]);
    await chains.of(BASE).give("USDC", me, 10_000_000n * USDC);
  });
  after(async () => {
    await local.close();
    await chains.close();
  });
  beforeEach(() => {
    service = iris({ url: local.url, deadlineMs: 20_000 });
    local.setFastFee("1.3");
    local.setAllowance(1_000_000n * USDC);
    chains.of(L1).depth = 0;
  });

  const bridge = (speed: "fast" | "standard" | "auto" = "fast") => cctpBridge({ iris: service, speed });
  const clock = async (): Promise<number> => (await chains.of(BASE).provider.getBlock("latest"))!.timestamp;

  async function request(change: Partial<TransferRequest> = {}): Promise<TransferRequest> {
    const [tokenIn, tokenOut] = [chains.of(BASE).token("USDC"), chains.of(L1).token("USDC")];
    return {
      route: { fromChainId: BASE, toChainId: L1, tokenIn, tokenOut },
      amountIn: 1_000n * USDC,
      sender: me,
      recipient: `0x${id(`recipient ${count}`).slice(-40)}`,
      deadline: (await clock()) + 3_600,
      id: `cctp-test-${count++}`,
      ...change,
    };
  }

  async function quoted(
    change: Partial<TransferRequest> = {},
    speed: "fast" | "standard" | "auto" = "fast",
  ): Promise<BridgeQuote> {
    const answer = await bridge(speed).quote(await request(change), chains.views);
    if (!answer.ok) throw new Error(answer.reason);
    return answer.quote;
  }

  async function burn(
    change: Partial<TransferRequest> = {},
  ): Promise<{ key: TransferKey; quote: BridgeQuote; receipt: TransactionReceipt }> {
    const quote = await quoted(change);
    const { calls, key } = bridge().start(quote);
    const receipt = await chains.send(me, calls);
    return { key: bridge().started(key, receipt), quote, receipt };
  }

  const track = async (key: TransferKey): Promise<TransferStatus> => await bridge().track(key, chains.views);

  async function mint(key: TransferKey): Promise<void> {
    const call = await bridge().claim(key, chains.views);
    expect(call, "claim").not.to.equal(null);
    expect((await chains.send(stranger, [call!])).status).to.equal(1);
  }

  const balance = async (quote: BridgeQuote): Promise<bigint> => {
    const data = erc20.encodeFunctionData("balanceOf", [quote.request.recipient]);
    return BigInt(await chains.of(L1).provider.call({ to: quote.request.route.tokenOut, data }));
  };

  async function expectDelivered(key: TransferKey, quote: BridgeQuote, amount = quote.amountIn - 130_000n): Promise<void> {
    const status = await track(key);
    expect(status.state).to.equal("delivered");
    expect(status.arrival!.amount).to.equal(amount);
    expect(await balance(quote)).to.equal(amount);
    const receipt = (await chains.of(L1).provider.getTransactionReceipt(status.arrival!.txHash))!;
    const paid = erc20.parseLog(receipt.logs.find((log) => log.index === status.arrival!.logIndex)!)!;
    expect([paid.name, paid.args[1], paid.args[2]]).to.deep.equal(["Transfer", getAddress(quote.request.recipient), amount]);
    expect(await bridge().claim(key, chains.views)).to.equal(null);
  }

  async function expectFault(work: Promise<unknown>, words: RegExp): Promise<void> {
    const fault = await work.then(
      () => null,
      (error: unknown) => error,
    );
    expect(fault).to.be.instanceOf(ArbError);
    expect([(fault as ArbError).code, (fault as ArbError).message]).to.satisfy(
      ([code, message]: [string, string]) => code === "network" && words.test(message),
    );
  }

  it("fast: quoted with its fee, burned, attested, minted by a call of ours, delivered when final", async () => {
    const quote = await quoted();
    expect(quote).to.include({ bridge: "cctp", nativeFee: 0n, etaSeconds: 8, amountIn: 1_000n * USDC });
    expect(quote.fee).to.equal(143_000n); // 1.3 basis points and a tenth of them
    expect(quote.amountOut).to.equal(quote.amountIn - quote.fee);
    const { calls, key } = bridge().start(quote);
    expect(bridge().start(quote)).to.deep.equal({ calls, key });
    expect(JSON.parse(JSON.stringify(key))).to.deep.equal(key);
    expect((await track(key)).state).to.equal("not-started");
    const receipt = await chains.send(me, calls);
    const going = bridge().started(key, receipt);
    expect(going.sourceTx).to.equal(receipt.hash);
    expect((await track(going)).state).to.equal("claimable");
    chains.of(L1).depth = 1;
    await mint(going);
    const unsettled = await track(going);
    expect([unsettled.state, unsettled.arrival]).to.deep.equal(["initiated", null]);
    await chains.of(L1).mine(1);
    await expectDelivered(going, quote);
  });

  it("standard: free, chosen by itself where the deadline allows it, refused where it does not", async () => {
    const quote = await quoted({}, "auto");
    expect([quote.fee, quote.etaSeconds, quote.terms["minFinality"]]).to.deep.equal([0n, 1_140, "2000"]);
    expect((await quoted({ deadline: (await clock()) + 60 }, "auto")).terms["minFinality"]).to.equal("1000");
    const late = await bridge("standard").quote(await request({ deadline: (await clock()) + 60 }), chains.views);
    expect(late).to.have.property("ok", false);
    const { calls, key } = bridge().start(quote);
    const going = bridge().started(key, await chains.send(me, calls));
    await mint(going);
    await expectDelivered(going, quote, quote.amountIn);
  });

  it("quotes are refused with a reason", async () => {
    const reason = async (change: Partial<TransferRequest>, speed: "fast" | "standard" | "auto" = "fast") => {
      const answer = await bridge(speed).quote(await request(change), chains.views);
      return answer.ok ? "quoted" : answer.reason;
    };
    const good = (await request()).route;
    expect(await reason({ route: { ...good, tokenIn: chains.of(BASE).token("WETH") } })).to.match(/carries USDC/);
    expect(await reason({ route: { ...good, toChainId: BASE } })).to.match(/carries USDC/);
    expect(await reason({ amountIn: 0n })).to.match(/nothing/);
    expect(await reason({ amountIn: 10_000_001n * USDC })).to.match(/most of one message/);
    expect(await reason({ deadline: (await clock()) + 2 })).to.match(/longer than the deadline/);
    local.setAllowance(10n * USDC);
    expect(await reason({})).to.match(/left for 10000000 only/);
    expect(await reason({}, "auto")).to.equal("quoted");
    local.setFastFee(null);
    expect(await reason({})).to.match(/no fast transfer/);
    local.setFastFee("9999");
    local.setAllowance(10n ** 12n);
    expect(await reason({})).to.match(/whole amount/);
    local.setFastFee("1");
    await local.pause(L1, true);
    expect(await reason({})).to.match(/paused on Ethereum/);
    await local.pause(L1, false);
    await local.blacklist(BASE, me, true);
    expect(await reason({})).to.match(/blocked by the issuer/);
    await local.blacklist(BASE, me, false);
    expect(await reason({})).to.equal("quoted");
  });

  it("a late attestation goes from unseen over pending to claimable", async () => {
    local.attest({ kind: "late", unseen: 1, pending: 1 });
    const { key, quote } = await burn();
    expect((await track(key)).state).to.equal("initiated");
    expect((await track(key)).state).to.equal("attesting");
    expect((await track(key)).state).to.equal("claimable");
    await mint(key);
    await expectDelivered(key, quote);
  });

  it("an attestation that does not come makes the transfer slow, never failed", async () => {
    local.attest({ kind: "never" });
    const { key, quote } = await burn();
    expect((await track(key)).state).to.equal("attesting");
    await chains.of(BASE).mine(1, 60);
    expect((await track(key)).state).to.equal("slow");
    expect(await bridge().claim(key, chains.views)).to.equal(null);
    local.release();
    await mint(key);
    await expectDelivered(key, quote, quote.amountIn); // signed as final, free
  });

  it("a fee that is too low waits for finality, with the service's reason", async () => {
    local.attest({ kind: "insufficient-fee", pending: 1 });
    const { key, quote } = await burn();
    const status = await track(key);
    expect([status.state, status.facts["delayReason"]]).to.deep.equal(["slow", "insufficient_fee"]);
    await mint(key);
    await expectDelivered(key, quote, quote.amountIn);
  });

  it("an expired fast attestation is signed again on request", async () => {
    local.attest({ kind: "expires", blocks: 3 });
    const { key, quote } = await burn();
    expect((await track(key)).state).to.equal("claimable");
    await chains.of(L1).mine(3);
    const status = await track(key);
    expect([status.state, status.facts["wish"]]).to.deep.equal(["blocked", "re-attest"]);
    expect(await bridge().recover(key, "retry", chains.views)).to.equal(null);
    expect(await bridge().recover(key, "re-attest", chains.views)).to.equal(null);
    expect(local.requests().at(-1)).to.equal(`POST /v2/reattest/${status.facts["nonce"]}`);
    await mint(key);
    await expectDelivered(key, quote, quote.amountIn);
  });

  it("on Arbitrum, where contracts count L1's blocks, fast signatures expire by that count", async () => {
    const { route } = await request();
    const toArbitrum = { ...route, toChainId: ARBITRUM, tokenOut: chains.of(ARBITRUM).token("USDC") };
    local.attest({ kind: "expires", blocks: 3 }, 2);
    const { key } = await burn({ route: toArbitrum });
    expect((await track(key)).state).to.equal("claimable");
    await mint(key);
    expect((await track(key)).arrival!.chainId).to.equal(ARBITRUM);
    const late = await burn({ route: toArbitrum });
    expect((await track(late.key)).state).to.equal("claimable");
    await chains.of(ARBITRUM).mine(3);
    expect((await track(late.key)).facts["wish"]).to.equal("re-attest");
    await bridge().recover(late.key, "re-attest", chains.views);
    await mint(late.key);
    expect((await track(late.key)).state).to.equal("delivered");
  });

  it("a message that is not what we burned, or that no attester signed, is never paid gas for", async () => {
    for (const change of ["amount", "recipient"] as const) {
      local.attest({ kind: "wrong-message", change });
      const { key } = await burn();
      await expectFault(bridge().claim(key, chains.views), /none of the messages/);
    }
    local.attest({ kind: "wrong-message", change: "fee" });
    const { key } = await burn();
    await expectFault(bridge().claim(key, chains.views), /agreed were 143000/);
    local.attest({ kind: "wrong-key" });
    const forged = await burn();
    await expectFault(bridge().claim(forged.key, chains.views), /not attester/);
  });

  it("a message that the service leaves out is rebuilt from what was burned and what it decided", async () => {
    local.attest({ kind: "bare" });
    const { key, quote } = await burn();
    await mint(key);
    await expectDelivered(key, quote);
  });

  it("of several messages in one transaction each key finds its own, also where one transaction mints both", async () => {
    const at = chains.of(BASE).network.multicall3.address;
    await chains.of(BASE).give("USDC", at, 2_000n * USDC);
    const to = (await request()).recipient;
    const quotes = [await quoted({ sender: at, recipient: to }), await quoted({ sender: at, recipient: to })] as const;
    const starts = quotes.map((q) => bridge().start(q));
    const burns = starts.flatMap((s) => s.calls).map((c) => ({ target: c.to, allowFailure: false, callData: c.data }));
    const batch = (chainId: number, calls: typeof burns): BridgeCall => ({
      chainId,
      to: chains.of(chainId).network.multicall3.address,
      data: multicall.encodeFunctionData("aggregate3", [calls]),
      value: 0n,
      purpose: "batch",
    });
    local.attest({ kind: "bare" }, 2);
    const receipt = await chains.send(me, [batch(BASE, burns)]);
    const keys = starts.map((s) => bridge().started(s.key, receipt));
    const claims = await Promise.all(keys.map(async (key) => (await bridge().claim(key, chains.views))!));
    expect(claims[0]!.data).not.to.equal(claims[1]!.data);
    const mints = claims.map((c) => ({ target: c.to, allowFailure: false, callData: c.data }));
    expect((await chains.send(me, [batch(L1, mints)])).status).to.equal(1);
    const arrivals = await Promise.all(keys.map(async (key) => (await track(key)).arrival!));
    expect(arrivals[0]!.txHash).to.equal(arrivals[1]!.txHash);
    expect(arrivals[0]!.logIndex).to.be.lessThan(arrivals[1]!.logIndex);
    expect(await balance(quotes[0])).to.equal(arrivals[0]!.amount + arrivals[1]!.amount);
  });

  it("a mint by somebody else is success, and ours then finds the nonce used", async () => {
    const { key, quote, receipt } = await burn();
    const call = (await bridge().claim(key, chains.views))!;
    await local.mintAll(BASE, receipt.hash);
    expect((await chains.send(me, [call])).status).to.equal(0);
    const nonce = dataSlice(messageTransmitter.decodeFunctionData("receiveMessage", call.data)[0] as string, 12, 44);
    const used = messageTransmitter.encodeFunctionData("usedNonces", [nonce]);
    expect(BigInt(await chains.of(L1).provider.call({ to: call.to, data: used }))).to.equal(1n);
    await expectDelivered(key, quote);
  });

  it("a paused bridge and a blocked recipient hold the mint until they are free again", async () => {
    const { key, quote } = await burn();
    await local.pause(L1, true);
    expect(await track(key)).to.deep.include({ state: "blocked" });
    expect((await track(key)).waitsFor).to.match(/paused/);
    await local.pause(L1, false);
    await local.blacklist(L1, quote.request.recipient, true);
    expect((await track(key)).waitsFor).to.match(/issuer to unblock/);
    expect(await bridge().recover(key, "retry", chains.views)).to.equal(null);
    await local.blacklist(L1, quote.request.recipient, false);
    const call = await bridge().recover(key, "retry", chains.views);
    expect((await chains.send(me, [call!])).status).to.equal(1);
    await expectDelivered(key, quote);
  });

  it("a service that fails is a fault, never a state, and is not needed for what the chain shows", async () => {
    const { key, quote, receipt } = await burn();
    local.fail({ kind: "down" });
    await expectFault(track(key), /cannot be reached/);
    local.fail({ kind: "html" });
    await expectFault(track(key), /not of its published form/);
    for (const status of [404, 500, 403]) {
      local.fail({ kind: "status", status });
      await expectFault(track(key), new RegExp(`HTTP ${status}`));
    }
    local.fail({ kind: "hang" });
    await expectFault(bridgeWith(100).track(key, chains.views), /no answer in 100 ms/);
    await local.mintAll(BASE, receipt.hash);
    local.fail({ kind: "down" });
    await expectDelivered(key, quote);
    await expectFault(service.fastAllowance(), /cannot be reached/);
  });
  const bridgeWith = (deadlineMs: number) => cctpBridge({ iris: iris({ url: local.url, deadlineMs }), speed: "fast" });

  it("after a 429 the service is left alone for as long as it says", async () => {
    let now = 0;
    const polite = iris({ url: local.url, deadlineMs: 20_000, now: () => now });
    local.fail({ kind: "status", status: 429, retryAfter: 7 });
    await expectFault(polite.fastAllowance(), /429/);
    const asked = local.requests().length;
    now = 6_999;
    await expectFault(polite.fastAllowance(), /left alone for 1 s/);
    expect(local.requests()).to.have.lengthOf(asked);
    now = 7_000;
    expect(await polite.fastAllowance()).to.equal(1_000_000n * USDC);
  });

  it("whatever the service answers is read or is a fault of the service, nothing else", async () => {
    let now = 0;
    const patient = iris({ url: local.url, deadlineMs: 20_000, now: () => (now += 1_000) });
    const numberLike = oneof(jsonValue(), constant(1e300), integer(), bigInt().map(String), constant("1000"), constant("0"));
    const nearly = record(
      {
        message: oneof(jsonValue(), constant("0x"), constant(null)),
        eventNonce: oneof(jsonValue(), constant(id("nonce"))),
        attestation: oneof(jsonValue(), constant("0x12"), constant("PENDING")),
        status: oneof(jsonValue(), constant("complete")),
        delayReason: oneof(jsonValue(), constant(null)),
        decodedMessage: oneof(
          jsonValue(),
          constant(null),
          record({
            nonce: constant(id("nonce")),
            finalityThresholdExecuted: numberLike,
            decodedMessageBody: record({ feeExecuted: numberLike, expirationBlock: numberLike }),
          }),
        ),
      },
      { requiredKeys: [] },
    );
    const { key } = await burn();
    const look = cctpBridge({ iris: patient });
    await asyncProperty(
      aboutAny(
        oneof(
          jsonValue(),
          nearly.map((m) => ({ messages: [m] })),
        ),
        async (json) => {
          local.fail({ kind: "other", json });
          const seen = await look.track(key, chains.views).catch((error: unknown) => error);
          if (seen instanceof Error) expect(seen).to.be.instanceOf(ArbError).and.to.have.property("code", "network");
          else expect((seen as TransferStatus).state).to.be.oneOf(["initiated", "attesting", "slow"]);
        },
      ),
    );
    await mint(key);
  });

  it("the service is asked no faster than it allows, and nobody waits beyond the deadline for a turn", async () => {
    const busy = iris({ url: local.url, deadlineMs: 60, now: () => 0 });
    const answers = await Promise.allSettled([1, 2, 3].map(() => busy.fastAllowance()));
    expect(answers[2])
      .to.have.nested.property("reason.message")
      .that.matches(/asked too much at once/);
  });

  it("a key without its transaction is found by its mark, and only its own burn", async () => {
    const first = await burn();
    const twin = await burn({ recipient: first.quote.request.recipient });
    const lost = { ...twin.key, sourceTx: null };
    expect((await track(lost)).facts["sourceTx"]).to.equal(twin.receipt.hash);
    await local.mintAll(BASE, first.receipt.hash);
    expect((await track(first.key)).state).to.equal("delivered");
    expect((await track(lost)).state).to.equal("claimable"); // the same amount to the same recipient, of another burn
    await mint(lost);
    expect((await track(lost)).state).to.equal("delivered");
    expect(() => bridge().started(twin.key, first.receipt)).to.throw(ArbError, "did not make this transfer's burn");
  });

  it("the same burn sent twice is not guessed about, and each is found by its transaction", async () => {
    const { key, quote, receipt } = await burn();
    const again = await chains.send(me, bridge().start(quote).calls);
    const twice = await track({ ...key, sourceTx: null });
    expect([twice.state, twice.facts["transactions"]]).to.deep.equal(["stuck", `${receipt.hash}, ${again.hash}`]);
    expect((await track(bridge().started(key, again))).state).to.equal("claimable");
  });

  it("with every record lost, burns are found again by their sender alone", async () => {
    const from = (await chains.of(BASE).provider.getBlockNumber()) + 1;
    const { quote, receipt } = await burn();
    expect(await scanCctp(stranger, BASE, from, chains.views)).to.deep.equal([]);
    const [found, ...rest] = await scanCctp(me, BASE, from, chains.views);
    expect(rest).to.deep.equal([]);
    expect(found).to.deep.include({ bridge: "cctp", fromChainId: BASE, toChainId: L1, sourceTx: receipt.hash });
    expect(found!.data).to.deep.include({ message: quote.terms["message"], recipient: quote.terms["recipient"] });
    await mint(found!);
    await expectDelivered(found!, quote);
    const { route } = quote.request;
    await burn({ route: { ...route, toChainId: ARBITRUM, tokenOut: chains.of(ARBITRUM).token("USDC") } });
    const both = await scanCctp(me, BASE, from, chains.views);
    expect(both.map((key) => key.toChainId)).to.deep.equal([L1, ARBITRUM]);
    expect((await track(both[1]!)).state).to.equal("claimable");
  });

  it("a burn that reverted or was reorganised away has not started", async () => {
    const quote = await quoted();
    const { calls, key } = bridge().start(quote);
    const reverted = await chains.send(me, calls.slice(1)); // without the allowance
    expect(() => bridge().started(key, reverted)).to.throw(ArbError, "nothing left the sender");
    expect((await track({ ...key, sourceTx: reverted.hash })).state).to.equal("not-started");
    const before = await chains.of(BASE).rpc<string>("evm_snapshot");
    const going = bridge().started(key, await chains.send(me, calls));
    expect((await track(going)).state).to.equal("claimable");
    await chains.of(BASE).rpc("evm_revert", [before]);
    expect((await track(going)).state).to.equal("not-started");
  });
});
