import { expect } from "chai";
import { Wallet } from "ethers";
import { Secret } from "../../src/config/secrets.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type LocalSequencer, startLocalSequencer } from "../../src/sim/relay/sequencer.js";
import { expressLaneRoute, readRoundTiming } from "../../src/submit/relays/express-lane.js";
import { sequencerRoute } from "../../src/submit/relays/sequencer.js";
import type { RouteTerms } from "../../src/submit/route.js";
import { rejection } from "../helpers/rejection.js";
import { Account, head, landed, placePayer } from "../helpers/relay.js";

describe("routes to sequencers", function () {
  this.timeout(60_000);
  const terms: RouteTerms = { deadlineMs: 20_000 };
  const open: { close(): Promise<void> }[] = [];
  let chain: LocalChain;
  let a: Account;

  before(async () => {
    chain = await startLocalChain(8453);
    await placePayer(chain);
    a = new Account(chain, 0);
  });
  after(async () => {
    for (const service of open) await service.close();
    await chain?.close();
  });
  const start = async (options: Parameters<typeof startLocalSequencer>[1] = {}): Promise<LocalSequencer> => {
    const sequencer = await startLocalSequencer(chain, options);
    open.push(sequencer);
    return sequencer;
  };

  it("sends to an endpoint that answers nothing else", async () => {
    const sequencer = await start();
    const route = sequencerRoute(sequencer.url);
    expect([route.id, route.visibility]).to.deep.equal(["sequencer", "private"]);
    const signed = await a.sign();
    expect(await route.send(signed, terms)).to.deep.equal({ status: "accepted" });
    expect(await landed(chain, signed.hash)).to.equal("mined");
    expect(await route.send(signed, terms)).to.include({ status: "refused", kind: "nonce-too-low" });
    expect(await route.send(await a.sign(), { ...terms, after: signed.raw })).to.include({ status: "refused" });
    for (const [fault, status] of [
      [{ kind: "down" }, "unknown"],
      [{ kind: "lose-answer" }, "unknown"],
      [{ kind: "status", status: 429 }, "refused"],
    ] as const) {
      sequencer.faults.add(fault);
      expect((await route.send(await a.sign(), terms)).status, fault.kind).to.equal(status);
    }
  });

  it("waits for the receipt where the sequencer does, in either form of its time", async () => {
    for (const sync of ["number", "hex"] as const) {
      const sequencer = await start({ sync });
      const answer = await sequencerRoute(sequencer.url, "sync").send(await a.sign(), terms);
      expect(answer).to.deep.equal({ status: "accepted", detail: `in block ${await head(chain)}` });
      expect(sequencer.requests.map((r) => r.method)).to.include("eth_sendRawTransactionSync");
    }
  });

  it("counts as unknown what was not in a block in time: it landed later", async () => {
    const sequencer = await start({ sync: "number" });
    const route = sequencerRoute(sequencer.url, "sync");
    await chain.setMining({ auto: false });
    const signed = await a.sign();
    expect((await route.send(signed, { deadlineMs: 2_000 })).status).to.equal("unknown");
    await chain.rpc("evm_mine");
    await chain.setMining({ auto: true });
    expect(await landed(chain, signed.hash)).to.equal("mined");
    sequencer.faults.add({ kind: "other-answer", result: { transactionHash: `0x${"11".repeat(32)}` } });
    expect((await route.send(await a.sign(), terms)).status).to.equal("unknown");
  });

  it("sends plainly where the sequencer has no such method, and only then", async () => {
    const sequencer = await start();
    for (const mode of ["sync", "conditional"] as const) {
      const signed = await a.sign();
      expect((await sequencerRoute(sequencer.url, mode).send(signed, terms)).status).to.equal("accepted");
      expect(sequencer.requests.splice(0).map((r) => r.method))
        .to.have.length(2)
        .and.include("eth_sendRawTransaction");
      sequencer.faults.add({ kind: "lose-answer" });
      expect((await sequencerRoute(sequencer.url, mode).send(signed, terms)).status).to.equal("unknown");
      expect(sequencer.requests.splice(0)).to.have.length(1);
    }
  });

  it("is refused when its condition no longer holds", async () => {
    const sequencer = await start({ conditional: true });
    const route = sequencerRoute(sequencer.url, "conditional");
    const signed = await a.sign();
    const now = await head(chain);
    expect((await route.send(signed, { ...terms, lastBlock: now - 1n })).status).to.equal("refused");
    expect((await route.send(signed, { ...terms, maxTimestamp: 1 })).status).to.equal("refused");
    expect(await landed(chain, signed.hash)).to.equal(null);
    const bounds = { lastBlock: now + 1n, minTimestamp: 1, maxTimestamp: 9_999_999_999 };
    expect(await route.send(signed, { ...terms, ...bounds })).to.deep.equal({ status: "accepted" });
    expect(sequencer.requests.at(-1)!.params[1]).to.deep.equal({
      blockNumberMax: `0x${(now + 1n).toString(16)}`,
      timestampMin: "0x1",
      timestampMax: "0x2540be3ff",
    });
    expect(await landed(chain, signed.hash)).to.equal("mined");
    // Arbitrum's conditions count the blocks of Ethereum
    const times = sequencerRoute(sequencer.url, "conditional", { ownBlocks: false });
    expect((await times.send(await a.sign(), { ...terms, ...bounds })).status).to.equal("accepted");
    expect(sequencer.requests.at(-1)!.params[1]).to.deep.equal({ timestampMin: "0x1", timestampMax: "0x2540be3ff" });
  });

  it("takes the express lane in the rounds that its controller won", async () => {
    const controller = Wallet.createRandom();
    const auction = "0x5fcb496a31b7AE91e7c9078Ec662bd7A55cd3079";
    // PUSH 1000, MSTORE 0, PUSH 60, MSTORE 32, RETURN 128 bytes
    await chain.rpc("hardhat_setCode", [auction, "0x6103e85f52603c60205260805ff3"]);
    const ask = (method: string, params: unknown[]) => chain.rpc(method, params);
    expect(await readRoundTiming(ask)).to.deep.equal({ offset: 1_000, duration: 60 });
    expect(await rejection(readRoundTiming(ask, controller.address))).to.include({ code: "config" });
    let round = 7n;
    const sequencer = await start({ expressLane: { auction, controller: controller.address, round: () => round } });
    const lane = (key: string) => ({
      chainId: chain.network.chainId,
      auction,
      key: new Secret(key),
      timing: { offset: 1_000, duration: 60 },
      now: () => (1_000 + 7 * 60 + 59) * 1_000,
    });
    const route = expressLaneRoute(sequencer.url, lane(controller.privateKey));
    const signed = await a.sign();
    const stranger = expressLaneRoute(sequencer.url, lane(Wallet.createRandom().privateKey));
    expect(await stranger.send(signed, terms)).to.include({ status: "refused", detail: "NOT_EXPRESS_LANE_CONTROLLER" });
    expect(await route.send(signed, terms)).to.deep.equal({ status: "accepted" });
    expect(await landed(chain, signed.hash)).to.equal("mined");
    round = 8n;
    expect(await route.send(await a.sign(), terms)).to.include({ status: "refused", detail: "BAD_ROUND_NUMBER" });
    const params = sequencer.requests.at(-1)!.params[0] as Record<string, string>;
    expect(params).to.include({ sequenceNumber: "0xffffffffffffffff", round: "0x7", auctionContractAddress: auction });
  });
});
