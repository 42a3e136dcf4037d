import { expect } from "chai";
import { getAddress, id, type Interface, type TransactionReceipt } from "ethers";
import { uniqueAmount } from "../../src/bridges/across.js";
import type { BridgeQuote, TransferKey, TransferRequest, TransferStatus } from "../../src/bridges/bridge.js";
import { endpoint, packetOf, pool } from "../../src/bridges/stargate-abi.js";
import { scanStargate } from "../../src/bridges/stargate-scan.js";
import { stargateBridge } from "../../src/bridges/stargate.js";
import { stargateFacts } from "../../src/config/stargate.js";
import { ArbError } from "../../src/errors.js";
import { artifact, EXTRACTS } from "../../src/sim/artifacts.js";
import { type LocalStargate, startLocalStargate } from "../../src/sim/bridges/stargate.js";
import { IERC20__factory } from "../../types/contracts/index.js";
import { ACCOUNTS, type BareChains, startBareChains } from "../helpers/bare-chains.js";

const L1 = 1;
const BASE = 8453;
const ARBITRUM = 42161;
const USDC = 10n ** 6n;
const ETHER = 10n ** 18n;
const [me, stranger] = ACCOUNTS as [string, string];
const erc20 = IERC20__factory.createInterface();
const bridge = stargateBridge({ maxNativeFee: ETHER / 100n });

describe("Stargate v2 on its own contracts and LayerZero's", () => {
  let chains: BareChains;
  let local: LocalStargate;
  let count = 0;

  before(async () => {
    chains = await startBareChains([BASE, L1, ARBITRUM]);
    local = await startLocalStargate([BASE, L1, ARBITRUM].map(chains.of));
    await local.setMessageFee(BASE, ETHER / 1_000n);
    await chains.of(BASE).give("USDC", me, 10_000_000n * USDC);
  });
  after(async () => await chains.close());
  beforeEach(() => (chains.of(L1).depth = 0));

  async function request(change: Partial<TransferRequest> = {}): Promise<TransferRequest> {
    const now = (await chains.of(BASE).provider.getBlock("latest"))!.timestamp;
    return {
      route: { fromChainId: BASE, toChainId: L1, tokenIn: chains.of(BASE).token("USDC"), tokenOut: chains.of(L1).token("USDC") },
      amountIn: 1_000n * USDC,
      sender: me,
      recipient: getAddress(`0x${id(`stargate recipient ${count}`).slice(-40)}`),
      deadline: now + 3_600,
      id: `stargate-test-${count++}`,
      ...change,
    };
  }

  async function quoted(change: Partial<TransferRequest> = {}): Promise<BridgeQuote> {
    const answer = await bridge.quote(await request(change), chains.views);
    if (!answer.ok) throw new Error(answer.reason);
    return answer.quote;
  }

  async function send(
    change: Partial<TransferRequest> = {},
  ): Promise<{ key: TransferKey; quote: BridgeQuote; receipt: TransactionReceipt }> {
    const quote = await quoted(change);
    const { calls, key } = bridge.start(quote);
    const receipt = await chains.send(me, calls);
    return { key: bridge.started(key, receipt), quote, receipt };
  }

  const track = async (key: TransferKey): Promise<TransferStatus> => await bridge.track(key, chains.views);
  const read = async (chainId: number, to: string, abi: Interface, fn: string, args: unknown[]): Promise<string> =>
    await chains.of(chainId).provider.call({ to, data: abi.encodeFunctionData(fn, args) });
  const balance = async (chainId: number, account: string): Promise<bigint> =>
    BigInt(await read(chainId, chains.of(chainId).token("USDC"), erc20, "balanceOf", [account]));

  async function expectDelivered(key: TransferKey, quote: BridgeQuote): Promise<void> {
    const status = await track(key);
    expect(status.state).to.equal("delivered");
    expect(status.arrival!.amount).to.equal(BigInt(quote.terms["expected"]!));
    expect(await balance(L1, quote.request.recipient)).to.equal(status.arrival!.amount);
    const receipt = (await chains.of(L1).provider.getTransactionReceipt(status.arrival!.txHash))!;
    const log = receipt.logs.find((l) => l.index === status.arrival!.logIndex)!;
    expect([log.address, erc20.parseLog(log)!.args[2]]).to.deep.equal([quote.request.route.tokenOut, status.arrival!.amount]);
    expect(await bridge.claim(key, chains.views)).to.equal(null);
  }

  async function claim(key: TransferKey): Promise<void> {
    const call = await bridge.claim(key, chains.views);
    expect((await chains.send(stranger, [call!])).status).to.equal(1);
  }

  it("a taxi: quoted by the pool, sent with its fee, delivered by the executor, final", async () => {
    const quote = await quoted();
    const [sent, expected] = [uniqueAmount(1_000n * USDC, quote.request.id), BigInt(quote.terms["expected"]!)];
    expect(quote.amountIn).to.equal(sent);
    expect(sent - expected).to.equal((sent * 600n + 999_999n) / 1_000_000n); // six basis points, against us
    expect(quote.amountOut).to.equal(expected - expected / 10_000n);
    expect([quote.nativeFee, quote.claimGas]).to.deep.equal([((ETHER / 1_000n) * 11n) / 10n, 0n]);
    const { calls, key } = bridge.start(quote);
    expect(bridge.start(quote)).to.deep.equal({ calls, key });
    expect(JSON.parse(JSON.stringify(key))).to.deep.equal(key);
    expect((await track(key)).state).to.equal("not-started");
    const before = await balance(BASE, me);
    const going = bridge.started(key, await chains.send(me, calls));
    expect(before - (await balance(BASE, me))).to.equal(sent);
    expect((await track(going)).state).to.equal("attesting");
    chains.of(L1).depth = 1;
    expect((await local.step()).map((a) => a.act)).to.deep.equal(["verified", "executed"]);
    expect([(await track(going)).state, (await track(going)).arrival]).to.deep.equal(["initiated", null]);
    await chains.of(L1).mine(1);
    await expectDelivered(going, quote);
  });

  it("reaches Arbitrum and comes back, where blocks have two numbers", async () => {
    await chains.of(ARBITRUM).give("USDC", me, 1_000n * USDC);
    const { route } = await request();
    const [there, back] = [
      { ...route, toChainId: ARBITRUM, tokenOut: chains.of(ARBITRUM).token("USDC") },
      { ...route, fromChainId: ARBITRUM, tokenIn: chains.of(ARBITRUM).token("USDC"), toChainId: BASE, tokenOut: route.tokenIn },
    ];
    for (const way of [there, back]) {
      const { key } = await send({ route: way });
      expect((await track({ ...key, sourceTx: null })).state).to.equal("attesting");
      await local.step();
      const { state, arrival } = await track(key);
      expect([state, arrival!.chainId]).to.deep.equal(["delivered", way.toChainId]);
    }
  });

  it("quotes are refused with a reason", async () => {
    const reason = async (change: Partial<TransferRequest> = {}) => {
      const answer = await bridge.quote(await request(change), chains.views);
      return answer.ok ? "quoted" : answer.reason;
    };
    const good = (await request()).route;
    expect(await reason({ route: { ...good, tokenOut: chains.of(L1).token("DAI") } })).to.match(/carries USDC/);
    expect(await reason({ amountIn: 0n })).to.match(/nothing/);
    expect(await reason({ amountIn: 600_000n * USDC })).to.match(/credit for/);
    expect(await reason({ deadline: (await request()).deadline - 3_590 })).to.match(/longer than the deadline/);
    await local.setMessageFee(BASE, ETHER);
    expect(await reason()).to.match(/costs up to 1.1 ETH, allowed are 0.01 ETH/);
    await local.setMessageFee(BASE, ETHER / 1_000n);
    for (const chainId of [BASE, L1]) {
      await local.pause(chainId, true);
      expect(await reason()).to.match(/is paused/);
      await local.pause(chainId, false);
    }
    const blocked = getAddress(`0x${id("blocked").slice(-40)}`);
    await local.blacklist(L1, blocked, true);
    expect(await reason({ recipient: blocked })).to.match(/blocked by the issuer/);
    await local.blacklist(L1, blocked, false);
    expect(await reason()).to.equal("quoted");
  });

  it("a fee or a price that rises after the quote reverts at the source: nothing leaves", async () => {
    const quote = await quoted();
    const { calls, key } = bridge.start(quote);
    await local.setFee(BASE, L1, 1_000);
    const before = await balance(BASE, me);
    const tooLittle = await chains.send(me, calls);
    await local.setFee(BASE, L1, 600);
    await local.setMessageFee(BASE, ETHER / 500n);
    const tooCheap = await chains.send(me, calls.slice(1));
    await local.setMessageFee(BASE, ETHER / 1_000n);
    for (const receipt of [tooLittle, tooCheap]) {
      expect(() => bridge.started(key, receipt)).to.throw(ArbError, "nothing left the sender");
      expect((await track({ ...key, sourceTx: receipt.hash })).state).to.equal("not-started");
    }
    expect(await balance(BASE, me)).to.equal(before);
  });

  it("what is paid too much for the message comes back", async () => {
    const { receipt } = await send();
    const { rpc } = chains.of(BASE);
    const at = async (block: number) => BigInt(await rpc<string>("eth_getBalance", [me, `0x${block.toString(16)}`]));
    const paid = (await at(receipt.blockNumber - 1)) - (await at(receipt.blockNumber)) - receipt.fee;
    expect(paid).to.equal(ETHER / 1_000n);
    await local.step();
  });

  it("verifiers that are late, or stay away, make it slow and never failed", async () => {
    local.deliver({ kind: "late", steps: 1 });
    local.deliver({ kind: "never" });
    const [late, never] = [await send(), await send()];
    await local.step();
    expect((await track(late.key)).state).to.equal("attesting");
    await local.step();
    await expectDelivered(late.key, late.quote);
    await chains.of(BASE).mine(1, 200);
    expect((await track(never.key)).state).to.equal("slow");
    expect(await bridge.claim(never.key, chains.views)).to.equal(null);
    local.release();
    await local.step();
    await expectDelivered(never.key, never.quote);
  });

  it("a verified message whose executor stays away is executed by us, once it is late", async () => {
    local.deliver({ kind: "unexecuted" });
    const { key, quote } = await send();
    await local.step();
    expect((await track(key)).state).to.equal("initiated");
    expect(await bridge.claim(key, chains.views)).to.equal(null);
    await chains.of(BASE).mine(1, 200);
    expect((await track(key)).state).to.equal("claimable");
    await local.pause(L1, true);
    expect(await track(key)).to.deep.include({ state: "blocked" });
    await local.pause(L1, false);
    await claim(key);
    await expectDelivered(key, quote);
    local.release();
    expect(await local.step()).to.deep.equal([]); // the executor finds it done
  });

  it("a delivery that the token refuses is held back, and retried when it would pass", async () => {
    const { key, quote } = await send();
    await local.blacklist(L1, quote.request.recipient, true);
    await local.step();
    const status = await track(key);
    expect([status.state, status.facts["wish"]]).to.deep.equal(["blocked", "retry"]);
    expect(await bridge.recover(key, "retry", chains.views)).to.equal(null);
    await local.blacklist(L1, quote.request.recipient, false);
    expect((await track(key)).state).to.equal("claimable");
    const call = await bridge.recover(key, "retry", chains.views);
    expect(pool.parseTransaction({ data: call!.data })!.name).to.equal("retryReceiveToken");
    expect((await chains.send(stranger, [call!])).status).to.equal(1);
    expect((await chains.send(me, [call!])).status).to.equal(0); // somebody else was first
    await expectDelivered(key, quote);
  });

  it("a message that LayerZero passes over needs an operator", async () => {
    local.deliver({ kind: "never" });
    const { key, receipt } = await send();
    const packet = receipt.logs
      .map((l) => (l.topics[0] === endpoint.getEvent("PacketSent")!.topicHash ? l : null))
      .find((l) => l)!;
    const p = packetOf(endpoint.parseLog(packet)!.args[0] as string)!;
    await local.step();
    // only the receiver's delegate may skip: Stargate's own owner
    const skip = artifact(`${EXTRACTS.layerzero}/EndpointV2.sol/EndpointV2.json`).abi;
    const data = skip.encodeFunctionData("skip", [p.receiver, p.srcEid, p.sender, p.nonce]);
    const call = { chainId: L1, to: stargateFacts(L1)!.endpoint.address, data, value: 0n, purpose: "skip" };
    expect((await chains.send(chains.of(L1).owner, [call])).status).to.equal(1);
    expect((await track(key)).state).to.equal("stuck");
  });

  it("a key without its transaction is found by its amount; another's send to us is not ours", async () => {
    const mine = await send();
    const recipient = mine.quote.request.recipient;
    await chains.of(BASE).give("USDC", stranger, 1_000n * USDC);
    const foreign = await quoted({ sender: stranger, recipient, id: mine.quote.request.id });
    const theirs = await chains.send(stranger, bridge.start(foreign).calls);
    expect(() => bridge.started(mine.key, theirs)).to.throw(ArbError, "did not make this transfer's send");
    const lost = { ...mine.key, sourceTx: null };
    expect((await track(lost)).facts["sourceTx"]).to.equal(mine.receipt.hash);
    await local.step();
    expect((await track(lost)).arrival!.amount).to.equal(BigInt(mine.quote.terms["expected"]!));
    expect(await balance(L1, recipient)).to.equal(2n * (await track(lost)).arrival!.amount);
  });

  it("the same send made twice is not guessed about, and each is found by its transaction", async () => {
    const { key, quote, receipt } = await send();
    const again = await chains.send(me, bridge.start(quote).calls);
    const twice = await track({ ...key, sourceTx: null });
    expect([twice.state, twice.facts["transactions"]]).to.deep.equal(["stuck", `${receipt.hash}, ${again.hash}`]);
    await local.step();
    expect((await track(bridge.started(key, again))).state).to.equal("delivered");
  });

  it("with every record lost, sends are found again by their sender alone", async () => {
    const from = (await chains.of(BASE).provider.getBlockNumber()) + 1;
    const { quote, receipt } = await send();
    await local.blacklist(L1, quote.request.recipient, true);
    await local.step();
    await local.blacklist(L1, quote.request.recipient, false);
    expect(await scanStargate(stranger, BASE, from, chains.views)).to.deep.equal([]);
    const [found, ...rest] = await scanStargate(me, BASE, from, chains.views);
    expect(rest).to.deep.equal([]);
    expect(found).to.deep.include({ bridge: "stargate", fromChainId: BASE, toChainId: L1, sourceTx: receipt.hash });
    await claim(found!);
    await expectDelivered(found!, quote);
  });

  it("a send that was reorganised away has not started; sent again it has another message, which is followed", async () => {
    const quote = await quoted();
    const { calls, key } = bridge.start(quote);
    const before = await chains.of(BASE).rpc<string>("evm_snapshot");
    const going = bridge.started(key, await chains.send(me, calls));
    await chains.of(BASE).rpc("evm_revert", [before]);
    expect((await track(going)).state).to.equal("not-started");
    const other = await send(); // takes the nonce of the message
    const again = await chains.send(me, calls);
    const status = await track(going);
    expect(status.facts["sourceTx"]).to.equal(again.hash);
    expect(status.facts["guid"]).not.to.equal(going.data["guid"]);
    await local.step();
    await expectDelivered(going, quote);
    await expectDelivered(other.key, other.quote);
  });

  it("calls only what the contracts have", () => {
    const real = [
      [pool, `${EXTRACTS.stargate}/usdc/StargatePoolUSDC.sol/StargatePoolUSDC.json`],
      [endpoint, `${EXTRACTS.layerzero}/EndpointV2.sol/EndpointV2.json`],
    ] as const;
    for (const [ours, file] of real) {
      const { abi } = artifact(file);
      ours.forEachFunction((f) => expect(abi.getFunction(f.selector)?.format("sighash"), f.name).to.equal(f.format("sighash")));
      ours.forEachEvent((e) => expect(abi.getEvent(e.topicHash)?.format("sighash"), e.name).to.equal(e.format("sighash")));
    }
  });
});
