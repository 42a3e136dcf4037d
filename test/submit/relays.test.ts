import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { expect } from "chai";
import { getAddress, hashMessage, keccak256, recoverAddress, toUtf8Bytes, Transaction, Wallet } from "ethers";
import { Secret } from "../../src/config/secrets.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import type { RelayFault } from "../../src/sim/relay/faults.js";
import { type LocalRelay, startLocalRelay } from "../../src/sim/relay/relay.js";
import { bundleFault } from "../../src/submit/relays/bundle-client.js";
import { bundleRoute } from "../../src/submit/relays/bundle.js";
import { relayById, RELAYS } from "../../src/submit/relays/builders.js";
import { nodeRoute, askRoute } from "../../src/submit/relays/node.js";
import { privateTransactionRoute } from "../../src/submit/relays/private-transaction.js";
import { protectRoute } from "../../src/submit/relays/protect.js";
import { relaySigner } from "../../src/submit/relays/signer.js";
import type { Route, RouteAnswer, RouteTerms, SignedBytes } from "../../src/submit/route.js";
import { cancel, combineAnswers, type RelayRecord, submit } from "../../src/submit/submission.js";
import { ArbError } from "../../src/errors.js";
import { Account, client, FAILS, GWEI, head, landed, newSigner, placePayer } from "../helpers/relay.js";

describe("routes to relays", function () {
  this.timeout(60_000);
  let chain: LocalChain;
  let relay: LocalRelay;
  let a: Account;
  let b: Account;

  before(async () => {
    chain = await startLocalChain(1, { blockOrder: "fifo", mining: { auto: false } });
    await placePayer(chain);
    relay = await startLocalRelay(chain);
    [a, b] = [new Account(chain, 0), new Account(chain, 1)];
  });
  after(async () => {
    await relay?.close();
    await chain?.close();
  });
  afterEach(() => relay.faults.clear());

  const terms = async (over: Partial<RouteTerms> = {}): Promise<RouteTerms> => ({
    targetBlock: (await head(chain)) + 1n,
    replacementUuid: randomUUID(),
    deadlineMs: 20_000,
    ...over,
  });
  /** Faults that only a deadline ends. */
  const silent = (fault: RelayFault): boolean => fault.kind === "hang" || fault.kind === "slow";
  const flashbots = () => bundleRoute("flashbots", client(relay.url));

  it("signs the exact body so that others can tell who sent it, and shows its key to nobody", async () => {
    const key = "4c".repeat(32);
    const signer = relaySigner(new Secret(key));
    const body = '{"jsonrpc":"2.0","id":1,"method":"eth_sendBundle","params":[]}';
    const [address, signature] = signer.headers(body)["X-Flashbots-Signature"].split(":");
    // EIP-191 by hand: the text that is signed is the hexadecimal hash, 66 letters
    const text = keccak256(toUtf8Bytes(body));
    expect(text).to.have.length(66);
    expect(recoverAddress(hashMessage(text), signature!)).to.equal(getAddress(address!));
    expect(relaySigner(new Secret(`0x${key}\n`)).address).to.equal(signer.address);
    const route = bundleRoute("flashbots", client(relay.url, "flashbots", signer));
    const answer = await route.send(await a.sign(), await terms());
    for (const value of [signer, route, answer]) expect(inspect(value, { depth: 9, showHidden: true })).to.not.contain(key);
    const error = (() => {
      try {
        return relaySigner(new Secret(`${key}00`));
      } catch (e) {
        return e as ArbError;
      }
    })();
    expect(error).to.be.instanceOf(ArbError).with.property("code", "secrets");
    expect(inspect(error)).to.not.contain("4c4c4c");
  });

  it("lands a bundle, and behind the transaction that it follows or not at all", async () => {
    const plain = await a.sign();
    expect((await flashbots().send(plain, await terms())).status).to.equal("accepted");
    expect((await relay.buildBlock()).txs).to.deep.equal([plain.hash]);

    const followed = await b.sign({ tip: 1n });
    await chain.rpc("eth_sendRawTransaction", [followed.raw]);
    const other = await new Account(chain, 2).sign({ tip: 50n * GWEI });
    await chain.rpc("eth_sendRawTransaction", [other.raw]);
    const ours = await a.sign();
    await flashbots().send(ours, await terms({ after: followed.raw }));
    const { txs } = await relay.buildBlock();
    expect(txs.indexOf(ours.hash)).to.equal(txs.indexOf(followed.hash) + 1);

    const early = await b.sign();
    await chain.rpc("eth_sendRawTransaction", [early.raw]);
    await relay.buildBlock();
    const late = await a.sign();
    await flashbots().send(late, await terms({ after: early.raw }));
    const failing = await b.sign({ data: FAILS });
    const behind = await a.sign({ value: 1n });
    await flashbots().send(behind, await terms({ after: failing.raw }));
    expect((await relay.buildBlock()).txs).to.deep.equal([]);
  });

  it("cancels by every dialect, and believes none", async () => {
    for (const like of ["flashbots", "buildernet", "titan"]) {
      const route = bundleRoute(like, client(relay.url, like));
      const signed = await a.sign();
      const t = await terms();
      await route.send(signed, t);
      expect((await route.cancel!(signed, t)).status, like).to.equal("accepted");
      expect((await relay.buildBlock()).txs).to.deep.equal([]);
      const again = await terms();
      await route.send(signed, again);
      relay.faults.add({ kind: "accept-and-drop" });
      expect((await route.cancel!(signed, again)).status, like).to.equal("accepted");
      expect((await relay.buildBlock()).txs, "the cancel came too late").to.deep.equal([signed.hash]);
    }
  });

  it("holds a private transaction until its last block, and takes it back", async () => {
    const route = privateTransactionRoute("flashbots-private", client(relay.url), { hints: [], builders: ["flashbots"] });
    const signed = await a.sign();
    const t = await terms({ lastBlock: (await head(chain)) + 3n });
    expect(await route.send(signed, t)).to.deep.equal({ status: "accepted" });
    const { params } = relay.requests.at(-1)!;
    expect(params).to.deep.equal([
      {
        tx: signed.raw,
        maxBlockNumber: `0x${t.lastBlock!.toString(16)}`,
        preferences: { fast: true, privacy: { hints: [], builders: ["flashbots"] } },
      },
    ]);
    expect((await route.cancel!(signed, t)).status).to.equal("accepted");
    expect((await route.cancel!(signed, t)).status).to.equal("refused");
    await route.send(signed, t);
    expect((await relay.buildBlock()).txs).to.deep.equal([signed.hash]);
  });

  it("asks a Protect-style endpoint to keep it to itself", async () => {
    const signed = await a.sign();
    const route = protectRoute("protect", relay.protectUrl, {
      builders: ["titan"],
      refund: { address: a.wallet.address, percent: 90 },
    });
    expect(await route.send(signed, await terms())).to.deep.equal({ status: "accepted" });
    const { query, signer } = relay.requests.at(-1)!;
    expect([...new URLSearchParams(query)]).to.deep.equal([
      ["hint", "hash"],
      ["builder", "titan"],
      ["refund", `${a.wallet.address}:90`],
    ]);
    expect(signer).to.equal(null);
    expect(await chain.rpc("eth_getTransactionByHash", [signed.hash])).to.equal(null);
    expect((await relay.buildBlock()).txs).to.deep.equal([signed.hash]);
    expect(protectRoute("p", relay.protectUrl, { useMempool: true }).visibility).to.equal("public");
  });

  it("sends to a node what is asked for by name, twice if need be", async () => {
    const signed = await a.sign();
    const route = nodeRoute(chain.url);
    expect(route.visibility).to.equal("public");
    expect((await route.send(signed, await terms())).status).to.equal("accepted");
    expect((await route.send(signed, await terms())).status).to.equal("accepted");
    expect(await chain.rpc("eth_getTransactionByHash", [signed.hash])).to.not.equal(null);
    expect((await relay.buildBlock()).txs).to.deep.equal([signed.hash]);
    expect(await route.send(signed, await terms())).to.include({ status: "refused", kind: "nonce-too-low" });
  });

  it("sends by a connection that is open already", async () => {
    const signed = await a.sign();
    const said = (answer: unknown) =>
      askRoute(async () => {
        if (answer instanceof Error) throw answer;
        return answer;
      });
    expect((await askRoute((method, params) => chain.rpc(method, params)).send(signed, await terms())).status).to.equal(
      "accepted",
    );
    expect((await relay.buildBlock()).txs).to.deep.equal([signed.hash]);
    for (const [answer, status] of [
      [`0x${"11".repeat(32)}`, "unknown"],
      [new Error("socket hang up"), "unknown"],
      [new Error("already known"), "accepted"],
      [new Error("nonce too low"), "refused"],
    ] as const)
      expect((await said(answer).send(signed, await terms())).status, String(answer)).to.equal(status);
  });

  it("refuses to put single transactions behind another, and bundles for no block", async () => {
    const signed = await a.sign();
    const after = await terms({ after: (await b.sign()).raw });
    const single = [nodeRoute(chain.url), protectRoute("p", relay.protectUrl), privateTransactionRoute("x", client(relay.url))];
    for (const route of single) expect((await route.send(signed, after)).status).to.equal("refused");
    expect((await flashbots().send(signed, { deadlineMs: 1_000 })).status).to.equal("refused");
  });

  it("names BuilderNet an account for what it pays back by itself, and nobody else", async () => {
    const [signed, recipient] = [await a.sign(), Wallet.createRandom().address];
    const asked = async (like: string, extras = {}) => {
      expect((await bundleRoute(like, client(relay.url, like), extras).send(signed, await terms())).status).to.equal("accepted");
      return relay.requests.at(-1)!.params[0] as Record<string, unknown>;
    };
    expect(await asked("buildernet"))
      .to.include({ refundIdentity: a.wallet.address })
      .and.not.have.property("refundPercent");
    const refund = { refundPercent: 90, refundRecipient: recipient };
    expect(await asked("buildernet", refund)).to.include({ ...refund, refundIdentity: recipient });
    for (const like of ["flashbots", "titan"]) expect(await asked(like)).to.not.have.property("refundIdentity");
    await relay.buildBlock();
  });

  it("sends no builder a field that it would not read", async () => {
    const { raw, hash } = await a.sign();
    const bundle = { txs: [raw], blockNumber: 5n };
    for (const facts of RELAYS)
      expect(bundleFault({ ...bundle, minTimestamp: 1, replacementUuid: "u" }, facts), facts.id).to.equal(null);
    const takesDropping = RELAYS.filter((facts) => bundleFault({ ...bundle, droppingTxHashes: [hash] }, facts) === null);
    expect(takesDropping.map((facts) => facts.id)).to.deep.equal(["buildernet", "titan", "rsync", "quasar"]);
    expect(bundleFault({ ...bundle, droppingTxHashes: [] }, relayById("flashbots")!)).to.equal(null);
    expect(bundleFault({ ...bundle, revertingTxHashes: [`0x${"00".repeat(32)}`] }, relayById("flashbots")!)).to.contain(
      "has no transaction",
    );
    expect(bundleFault({ ...bundle, refundPercent: 100 }, relayById("titan")!)).to.contain("refundPercent");
    expect(bundleFault({ ...bundle, txs: [] }, relayById("titan")!)).to.contain("cancellation");
    const refused = await client(relay.url).sendBundle({ ...bundle, droppingTxHashes: [hash] }, 1_000);
    expect(refused).to.include({ status: "refused" });
    expect((await client(relay.url).callBundle([raw], 1n, 1_000)).status).to.equal("simulated");
    expect((await client(relay.url, "titan").callBundle([raw], 1n, 1_000)).status).to.equal("unavailable");
  });

  it("believes a simulation only where it is about what was asked", async () => {
    const [x, y] = [await a.sign({ value: 7n }), await b.sign({ data: FAILS })];
    const flashbotsClient = client(relay.url);
    const answer = await flashbotsClient.callBundle([x.raw, y.raw], (await head(chain)) + 1n, 5_000);
    if (answer.status !== "simulated") throw new Error(answer.detail);
    const { results, ethSentToCoinbase, coinbaseDiff, gasFees } = answer.simulation;
    expect([ethSentToCoinbase, coinbaseDiff - gasFees]).to.deep.equal([7n, 7n]);
    expect(results.map((r) => r.revert)).to.deep.equal([null, "no"]);
    const other = { coinbaseDiff: "1", gasFees: "1", ethSentToCoinbase: "0", totalGasUsed: 1, stateBlockNumber: 1, results: [] };
    for (const result of [other, null, { ...other, gasFees: "-1" }, "0x"]) {
      relay.faults.add({ kind: "other-answer", result });
      expect((await flashbotsClient.callBundle([x.raw], 1n, 5_000)).status).to.equal("unavailable");
    }
    for (const fault of [{ kind: "down" }, { kind: "hang" }, { kind: "status", status: 500 }] as const) {
      relay.faults.add(fault);
      expect((await flashbotsClient.callBundle([x.raw], 1n, silent(fault) ? 300 : 20_000)).status).to.equal("unavailable");
    }
  });

  it("calls refused only what was surely not taken", async () => {
    const signed = await a.sign();
    const route = flashbots();
    const single = privateTransactionRoute("x", client(relay.url));
    const expected: [Parameters<LocalRelay["faults"]["add"]>[0], RouteAnswer["status"]][] = [
      [{ kind: "down" }, "unknown"],
      [{ kind: "hang" }, "unknown"],
      [{ kind: "lose-answer" }, "unknown"],
      [{ kind: "slow", ms: 5_000 }, "unknown"],
      [{ kind: "status", status: 502 }, "unknown"],
      [{ kind: "status", status: 200, body: "<html>ok</html>" }, "unknown"],
      [{ kind: "status", status: 200, body: '{"jsonrpc":"2.0","id":1,"resu' }, "unknown"],
      [{ kind: "status", status: 302 }, "unknown"],
      [{ kind: "refuse-and-keep", message: "internal error" }, "unknown"],
      [{ kind: "status", status: 429 }, "refused"],
      [{ kind: "status", status: 403 }, "refused"],
      [{ kind: "refuse-and-keep", message: "block in the past" }, "refused"],
    ];
    for (const [fault, status] of expected) {
      relay.faults.add(fault);
      const answer = await route.send(signed, await terms({ deadlineMs: silent(fault) ? 300 : 20_000 }));
      expect(answer.status, JSON.stringify(fault)).to.equal(status);
    }
    relay.faults.add({ kind: "other-answer", result: `0x${"11".repeat(32)}` });
    expect((await single.send(signed, await terms())).status).to.equal("unknown");
    const dead = await startLocalRelay(chain);
    await dead.close();
    const gone = await bundleRoute("gone", client(dead.url)).send(signed, await terms());
    expect(gone).to.include({ status: "refused", kind: "unreachable" });
    await relay.buildBlock();
  });

  it("repeats no part of an endpoint but its host, whatever a server says", async () => {
    const url = `${relay.url}/v1/canary-0123456789abcdef?key=canary-fedcba9876543210`;
    for (const fault of [
      { kind: "refuse-and-keep", message: `no such path ${url} \u001b[2Jcanary-0123456789abcdef` },
      { kind: "hang" },
      { kind: "status", status: 404 },
      { kind: "down" },
    ] as const) {
      relay.faults.add(fault);
      const answer = await bundleRoute("x", client(url)).send(
        await a.sign(),
        await terms({ deadlineMs: silent(fault) ? 300 : 20_000 }),
      );
      expect(JSON.stringify(answer)).to.not.match(/canary|\\u001b/);
    }
    await relay.buildBlock();
  });

  describe("several at once", () => {
    const fixed = (id: string, answer: RouteAnswer, got: SignedBytes[] = []): Route => ({
      id,
      visibility: "private",
      send: async (signed) => (got.push(signed), answer),
    });
    const refused: RouteAnswer = { status: "refused", kind: "underpriced", detail: "x" };
    const unknown: RouteAnswer = { status: "unknown", detail: "y" };
    const accepted: RouteAnswer = { status: "accepted" };

    it("takes answers together without calling unknown refused", () => {
      expect(combineAnswers([refused, unknown, accepted])).to.equal(accepted);
      expect(combineAnswers([refused, unknown])).to.equal(unknown);
      expect(combineAnswers([refused, refused])).to.equal(refused);
      expect(combineAnswers([]).status).to.equal("refused");
    });

    it("sends the same bytes to all, and lets no slow or lying one delay the others", async () => {
      const slow = await startLocalRelay(chain);
      const lying = await startLocalRelay(chain);
      slow.faults.add({ kind: "hang" });
      lying.faults.add({ kind: "accept-and-drop" });
      const routes = [slow, lying, relay].map((r, i) => bundleRoute(`r${i}`, client(r.url)));
      const signed = await a.sign();
      const records: RelayRecord[] = [];
      const t = await terms({ deadlineMs: 20_000 });
      const { decided, settled } = submit(routes, signed, t, (record) => void records.push(record));
      expect((await decided).status).to.equal("accepted");
      expect(records.map((r) => r.kind === "answer" && r.routeId)).to.not.include("r0");
      await slow.close();
      const answers = await settled;
      expect([...answers.values()].map((answer) => answer.status)).to.deep.equal(["unknown", "accepted", "accepted"]);
      expect(records).to.have.length(3);
      for (const r of [slow, lying, relay])
        expect((r.requests.at(-1)!.params[0] as { txs: string[] }).txs).to.deep.equal([signed.raw]);
      expect((await lying.buildBlock()).txs).to.deep.equal([]);
      const again = await terms();
      await submit(routes.slice(2), signed, again, () => undefined).settled;
      expect((await relay.buildBlock()).txs).to.deep.equal([signed.hash]);
      expect(await landed(chain, signed.hash)).to.equal("mined");
      await lying.close();
    });

    it("gives up on a route that breaks its own deadline", async () => {
      const stuck: Route = { ...fixed("stuck", accepted), send: () => new Promise<RouteAnswer>(() => undefined) };
      const { decided } = submit([stuck, fixed("no", refused)], await a.sign(), { deadlineMs: 50 }, () => undefined);
      expect((await decided).status).to.equal("unknown");
    });

    it("asks those to cancel that can, and records it; a failing recorder is heard", async () => {
      const signed = await a.sign();
      const records: RelayRecord[] = [];
      const t = await terms();
      await cancel([flashbots(), fixed("none", accepted)], signed, t, (record) => void records.push(record)).settled;
      expect(records.map((r) => r.kind === "answer" && [r.action, r.routeId])).to.deep.equal([["cancel", "flashbots"]]);
      const { decided, settled } = submit([fixed("x", accepted)], signed, t, () => {
        throw new Error("disk full");
      });
      expect(await decided).to.equal(accepted);
      expect(await settled.catch((error: Error) => error.message)).to.equal("disk full");
      expect(Transaction.from(signed.raw).hash).to.equal(signed.hash);
    });
  });

  it("tells signers apart", () => {
    expect(newSigner().address).to.not.equal(newSigner().address);
  });
});
