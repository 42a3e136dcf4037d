import { expect } from "chai";
import { hexlify, randomBytes, toUtf8Bytes, Transaction } from "ethers";
import type { Chain, RpcProvider } from "../../src/chain/connect.js";
import { classifyNodeError } from "../../src/chain/errors.js";
import { networkById } from "../../src/config/networks.js";
import { Secret } from "../../src/config/secrets.js";
import { NOT_TAKEN } from "../../src/journal/rules.js";
import type { Route } from "../../src/submit/route.js";
import { TransactionExecutor } from "../../src/submit/transaction-executor.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { freshJournal } from "../helpers/journal.js";
import { rejection } from "../helpers/rejection.js";

const call = { to: `0x${"11".repeat(20)}`, data: "0x", value: 0n };
const fees = { maxFeePerGas: 10n, maxPriorityFeePerGas: 1n, nextBaseFee: 5n };

let opened: Awaited<ReturnType<typeof freshJournal>>;

/** A node that counts `count()` transactions and shows those in `known`; what arrives is in `sent`. */
function fakeNode(answers: {
  count: () => number;
  recheckMs?: number;
  refuse?: (hash: string) => string | null;
  lookUp?: () => void;
}) {
  const known = new Set<string>();
  const sent: Transaction[] = [];
  const provider = {
    getTransactionCount: async () => answers.count(),
    getBlockNumber: async () => 100,
    getBalance: async () => 10n ** 18n,
    getTransaction: async (hash: string) => {
      answers.lookUp?.();
      return known.has(hash) ? {} : null;
    },
  } as unknown as RpcProvider;
  const route: Route = {
    id: "fake",
    visibility: "public",
    send: async ({ raw }) => {
      const transaction = Transaction.from(raw);
      sent.push(transaction);
      const refusal = answers.refuse?.(transaction.hash!) ?? null;
      if (refusal === null) return { status: "accepted" };
      const { kind } = classifyNodeError(new Error(refusal));
      if (kind === "already-known") return { status: "accepted" };
      return NOT_TAKEN.has(kind) ? { status: "refused", kind, detail: refusal } : { status: "unknown", detail: refusal };
    },
  };
  const chain = { network: networkById(1)!, provider, endpoint: "fake", genesisChecked: false, close: () => undefined } as Chain;
  const wallet = new WalletManager(new Secret(hexlify(randomBytes(32))));
  const options = { journal: opened.journal, recheckMs: answers.recheckMs ?? 60_000 };
  const executor = new TransactionExecutor(chain, wallet, [route], options);
  return {
    known,
    sent,
    send: (id = "a") => executor.send(`${id} ${wallet.address}`, { ...call, data: hexlify(toUtf8Bytes(id)) }, 30_000n, fees),
  };
}

describe("TransactionExecutor on nodes that count late or answer wrongly", () => {
  before(async () => {
    opened = await freshJournal();
  });
  after(async () => {
    await opened.close();
  });

  it("counts as sent what a gateway took at its first try and refused at its second", async () => {
    for (const refusal of ["nonce too low", "replacement transaction underpriced"]) {
      const node = fakeNode({ count: () => 7, refuse: (hash) => (node.known.add(hash), refusal) });
      expect(await node.send()).to.deep.include({ nonce: 7, hash: node.sent[0]!.hash });
    }
  });

  it("says that a transaction was refused only where the node does not have it", async () => {
    const refused = fakeNode({ count: () => 7, refuse: () => "transaction underpriced" });
    expect(await rejection(refused.send())).to.include({ code: "network" });
    const silent = fakeNode({
      count: () => 7,
      refuse: () => "transaction underpriced",
      lookUp: () => {
        throw new Error("socket hang up");
      },
    });
    expect((await silent.send()).nonce).to.equal(7);
  });

  it("counts as sent whatever it cannot tell", async () => {
    for (const answer of ["socket hang up", "timeout", "already known", "429 Too Many Requests", "internal error"]) {
      const node = fakeNode({ count: () => 7, refuse: () => answer });
      expect((await node.send()).nonce, answer).to.equal(7);
    }
  });

  it("gives every nonce once, though the node counts late and two are sent at once", async () => {
    const node = fakeNode({ count: () => 7, refuse: (hash) => (node.known.add(hash), null) });
    const attempts = await Promise.all([node.send("a"), node.send("b"), node.send("c")]);
    expect(attempts.map((a) => a.nonce)).to.deep.equal([7, 8, 9]);
  });

  it("sends again what the node does not count, the same bytes, before it uses the next nonce", async () => {
    const node = fakeNode({ count: () => 7, recheckMs: 0 });
    const [first, second] = [await node.send("a"), await node.send("b")];
    expect([first.nonce, second.nonce]).to.deep.equal([7, 8]);
    expect(node.sent.map((t) => t.hash)).to.deep.equal([first.hash, first.hash, second.hash]);
  });

  it("gives the nonce of a refused transaction to the next intent, and never the number of an accepted one", async () => {
    let refusal: string | null = "insufficient funds";
    const node = fakeNode({ count: () => 7, refuse: () => refusal });
    await rejection(node.send("a"));
    refusal = null;
    expect((await node.send("b")).nonce).to.equal(7);
    expect((await node.send("c")).nonce).to.equal(8);
  });

  it("sends the same bytes again for an intent that was refused, and for no other", async () => {
    let refusal: string | null = "insufficient funds";
    const node = fakeNode({ count: () => 7, refuse: () => refusal });
    await rejection(node.send("a"));
    refusal = null;
    await node.send("a");
    expect(node.sent.map((t) => t.hash)).to.deep.equal([node.sent[0]!.hash, node.sent[0]!.hash]);
  });
});
