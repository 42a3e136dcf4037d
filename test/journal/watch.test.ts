import { expect } from "chai";
import { Transaction } from "ethers";
import type { Database } from "../../src/database/open.js";
import { type Journal, openJournal } from "../../src/journal/journal.js";
import { ledgerSums, reconcile } from "../../src/journal/ledger.js";
import { type Finding, lookAt, readHead, reconcileAccount } from "../../src/journal/watch.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { journalDatabase } from "../helpers/journal.js";
import { FEES, openSite, PRIVATE, signer, type Site } from "./world.js";

const BUMP = { maxFeePerGas: FEES.maxFeePerGas * 2n, maxPriorityFeePerGas: FEES.maxPriorityFeePerGas * 2n };
const PUBLIC = { visibility: "public", lastBlock: null } as const;

describe("journal: slots against the chain", () => {
  let db: Database;
  let journal: Journal;
  let local: LocalChain;
  let site: Site;
  let snapshot: string;
  let start: number;

  before(async () => {
    db = await journalDatabase();
    local = await startLocalChain(1, { mining: { auto: false } });
  });
  beforeEach(async () => {
    // an account of its own for each test
    journal = await openJournal(db);
    site = await openSite(local, journal);
    await site.mine();
    start = await site.chain.provider.getBlockNumber();
    snapshot = await local.rpc<string>("evm_snapshot");
  });
  afterEach(async () => {
    await local.rpc("evm_revert", [snapshot]);
    site.chain.close();
    await journal.close();
  });
  after(async () => {
    await local.close();
    await db.close();
  });

  const round = async (): Promise<Map<number, string>> => {
    const { findings } = await reconcileAccount(site.watched);
    return new Map([...findings].map(([nonce, f]: [number, Finding]) => [nonce, f.status]));
  };
  const stateOf = async (nonce: number) => (await journal.slots(site.account, { nonce }))[0]!.state;
  /** Every branch must leave books that are the chain's, to the wei. */
  const booksAgree = async () => {
    const { provider } = site.chain;
    const toBlock = await provider.getBlockNumber();
    const of = { chainId: 1, holder: site.wallet.address, asset: "native", fromBlock: start, toBlock };
    const books = await reconcile(db.pool, provider, of);
    expect(books.difference, `ledger ${books.ledger}, chain ${books.chain}`).to.equal(0n);
    return books;
  };
  const drop = (hash: string) => local.rpc("hardhat_dropTransaction", [hash]);

  describe("what a driver finds when it starts", () => {
    it("mined: notes the receipt and books it, also where it was never noted as sent", async () => {
      const attempt = await site.prepare("mined");
      await site.chain.provider.send("eth_sendRawTransaction", [attempt.raw]);
      await site.mine();
      expect(await round()).to.deep.equal(new Map([[0, "mined"]]));
      expect(await journal.outcome(1, "mined")).to.include({ status: "landed", final: false, hash: attempt.hash });
      expect((await booksAgree()).byKind).to.have.keys("gas", "value");
    });

    it("dropped, and never sent: sends the same bytes again", async () => {
      const [lost, unsent] = [await site.prepare("lost"), await site.prepare("unsent")];
      await site.send(lost);
      await drop(lost.hash);
      const first = await reconcileAccount(site.watched);
      expect(first.resent).to.deep.equal([0, 1]);
      expect(await round()).to.deep.equal(
        new Map([
          [0, "pending"],
          [1, "pending"],
        ]),
      );
      await site.mine();
      expect(await round()).to.deep.equal(
        new Map([
          [0, "mined"],
          [1, "mined"],
        ]),
      );
      for (const { hash } of [lost, unsent]) expect(await site.chain.provider.getTransactionReceipt(hash)).to.not.equal(null);
      await booksAgree();
    });

    it("replaced: finds whichever of the slot's hashes landed", async () => {
      const first = await site.prepare("replaced");
      await site.send(first);
      const intent = { id: "replaced" };
      const second = await journal.supersede(site.account, 0, {
        kind: "replacement",
        intent,
        build: signer(site.wallet, BUMP),
        exposure: PUBLIC,
        head: 0n,
      });
      await site.send(second);
      await site.mine();
      expect(await round()).to.deep.equal(new Map([[0, "mined"]]));
      expect(await journal.outcome(1, "replaced")).to.include({ status: "landed", hash: second.hash });
      await booksAgree();
    });

    it("replaced, but the replacement never sent: sends it, though a node still has the first", async () => {
      const first = await site.prepare("outbid", undefined, { maxFeePerGas: 2n, maxPriorityFeePerGas: 1n });
      await site.send(first);
      const second = await journal.supersede(site.account, 0, {
        kind: "replacement",
        intent: { id: "outbid" },
        build: signer(site.wallet, FEES),
        exposure: PUBLIC,
        head: 0n,
      });
      expect((await reconcileAccount(site.watched)).resent).to.deep.equal([0]);
      await site.mine();
      expect(await round()).to.deep.equal(new Map([[0, "mined"]]));
      expect(await journal.outcome(1, "outbid")).to.include({ status: "landed", hash: second.hash });
      await booksAgree();
    });

    it("taken by a rival of the same slot: the other intent is superseded", async () => {
      await site.prepare("loser", PRIVATE(1n));
      const intent = { id: "winner" };
      const winner = await journal.supersede(site.account, 0, {
        kind: "trade",
        intent,
        build: signer(site.wallet, { value: 2n }),
        exposure: PUBLIC,
        head: 2n,
      });
      await site.send(winner);
      await site.mine();
      await round();
      expect(await journal.outcome(1, "loser")).to.include({ status: "superseded", hash: winner.hash, feeWei: null });
      expect(await journal.outcome(1, "winner")).to.include({ status: "landed" });
      await booksAgree();
    });

    it("private bytes whose blocks have passed: sends nothing, and says that the slot is free for the next intent", async () => {
      await site.prepare("passed", PRIVATE(BigInt(start)));
      await site.mine();
      const found = await reconcileAccount(site.watched);
      expect([found.vacant, found.resent]).to.deep.equal([[0], []]);
    });

    it("used elsewhere: says by which transaction, and stops the account", async () => {
      await site.prepare("ours");
      const stranger = signer(site.wallet, { value: 5n })(0);
      await site.chain.provider.send("eth_sendRawTransaction", [stranger.raw]);
      await site.mine();
      const { findings } = await reconcileAccount(site.watched);
      expect(findings.get(0)).to.include({ status: "foreign" });
      expect((await journal.slots(site.account, { nonce: 0 }))[0]!.evidence).to.include(stranger.hash);
      expect(journal.stopped(site.account)).to.include(stranger.hash);
      expect(await journal.outcome(1, "ours")).to.include({ status: "foreign" });
      const refused = await site.prepare("more").catch((error: unknown) => error as Error & { code: string });
      expect(refused).to.include({ code: "locked" });
    });

    it("used elsewhere, and then by ours on another branch: ours is booked", async () => {
      const ours = await site.prepare("ours after all");
      const fork = await local.rpc<string>("evm_snapshot");
      await site.chain.provider.send("eth_sendRawTransaction", [signer(site.wallet, { value: 5n })(0).raw]);
      await site.mine();
      expect(await round()).to.deep.equal(new Map([[0, "foreign"]]));
      await local.rpc("evm_revert", [fork]);
      await site.send(ours);
      await site.mine();
      expect(await round()).to.deep.equal(new Map([[0, "mined"]]));
      expect(await journal.outcome(1, "ours after all")).to.include({ status: "landed", hash: ours.hash });
      await booksAgree();
    });

    it("a node that does not answer, or lags behind its own count: unknown, and nothing is concluded or sent", async () => {
      const attempt = await site.prepare("quiet");
      await site.send(attempt);
      await site.mine();
      const { provider } = site.chain;
      const head = await readHead({ provider });
      const [slot] = await journal.openSlots(site.account);
      const answering = (method: string, answer: () => Promise<unknown>) => {
        const send = (m: string, params: unknown[]) => (m === method ? answer() : provider.send(m, params));
        return new Proxy(provider, {
          get: (target, key) => {
            const value: unknown = key === "send" ? send : Reflect.get(target, key);
            return typeof value === "function" ? (value.bind(target) as unknown) : value;
          },
        });
      };
      const away = answering("eth_getTransactionReceipt", () => Promise.reject(new Error("socket hang up")));
      const lagging = answering("eth_getTransactionReceipt", async () => null);
      for (const each of [away, lagging]) {
        const finding = await lookAt({ ...site.watched, provider: each }, slot!, head);
        expect(finding.status).to.equal("unknown");
        expect(await stateOf(0)).to.equal("open");
      }
      expect(journal.stopped(site.account)).to.equal(null);
      // so old that the nonce's block is not looked for, as after some seconds on a fast chain
      const passed = await local.rpc<string>("evm_snapshot");
      for (let i = 0; i < 130; i++) await site.mine();
      const old = await lookAt({ ...site.watched, provider: lagging }, slot!, await readHead({ provider }));
      expect(old.status, "a node still has the transaction").to.equal("unknown");
      expect([await stateOf(0), journal.stopped(site.account)]).to.deep.equal(["open", null]);
      await local.rpc("evm_revert", [passed]);
      const lying = answering("eth_getTransactionReceipt", async () => {
        const real = (await provider.send("eth_getTransactionReceipt", [attempt.hash])) as object;
        return { ...real, blockHash: `0x${"ab".repeat(32)}` };
      });
      expect(
        (await lookAt({ ...site.watched, provider: lying }, slot!, head)).status,
        "a block that is not on its chain",
      ).to.equal("unknown");
    });
  });

  it("an attempt that was journaled and landed after the slot was read is ours", async () => {
    await site.send(await site.prepare("before"));
    const [slot] = await journal.openSlots(site.account);
    const before = await readHead(site.watched);
    const newer = await journal.supersede(site.account, 0, {
      kind: "replacement",
      intent: { id: "before" },
      build: signer(site.wallet, BUMP),
      exposure: PUBLIC,
      head: BigInt(before.number),
    });
    await site.send(newer);
    await site.mine();
    expect((await lookAt(site.watched, slot!, await readHead(site.watched))).status).to.equal("unknown");
    expect(journal.stopped(site.account)).to.equal(null);
    expect(await round()).to.deep.equal(new Map([[0, "mined"]]));
  });

  it("fills a nonce below a public one with a no-op, and both land", async () => {
    await site.prepare("gap", PRIVATE(BigInt(start)));
    const above = await site.prepare("above");
    await site.send(above);
    await site.mine();
    const build = signer(site.wallet, { to: site.wallet.address, value: 0n });
    const noop = await journal.supersede(site.account, 0, {
      kind: "no-op",
      intent: null,
      build,
      exposure: PUBLIC,
      head: BigInt(start + 1),
    });
    await site.send(noop);
    await site.mine();
    expect(await round()).to.deep.equal(
      new Map([
        [0, "mined"],
        [1, "mined"],
      ]),
    );
    expect(await journal.outcome(1, "gap")).to.include({ status: "superseded" });
    await booksAgree();
  });

  it("books failed transactions too: a revert costs its gas", async () => {
    await local.rpc("hardhat_setCode", ["0x00000000000000000000000000000000000000fe", "0xfe"]);
    const attempt = await site.prepare(
      { id: "fails", estimate: { token: local.network.wrappedNative, profit: 7n }, holder: `0x${"99".repeat(20)}` },
      undefined,
      {
        to: "0x00000000000000000000000000000000000000fe",
        gasLimit: 50_000n,
      },
    );
    await site.send(attempt);
    await site.mine();
    await round();
    const outcome = await journal.outcome(1, "fails");
    expect(outcome).to.include({ status: "reverted", profit: 0n, expectedProfit: 7n });
    expect((await booksAgree()).ledger).to.equal(-outcome!.feeWei!);
  });

  it("is final only at the network's depth", async () => {
    const attempt = await site.prepare("deep");
    await site.send(attempt);
    await site.mine();
    for (let depth = 0; depth < 8; depth++) {
      expect(await round(), `depth ${depth}`).to.deep.equal(new Map([[0, "mined"]]));
      await site.mine();
    }
    expect(await round()).to.deep.equal(new Map([[0, "final"]]));
    expect(await journal.outcome(1, "deep")).to.include({ final: true, status: "landed" });
    expect(await round(), "and is not looked at again").to.deep.equal(new Map());
  });

  for (let depth = 1; depth <= 8; depth++) {
    /** The blocks from the one with the transaction on are replaced by as many and one more. */
    const reorg = async (first: () => Promise<unknown>) => {
      await local.rpc("evm_revert", [snapshot]);
      snapshot = await local.rpc<string>("evm_snapshot");
      // the other branch has other blocks
      await local.rpc("hardhat_setPrevRandao", [`0x${"0".repeat(62)}${(16 + depth).toString(16)}`]);
      await first();
      for (let i = 0; i < depth; i++) await site.mine();
    };
    const land = async (name: string) => {
      const attempt = await site.prepare(name);
      await site.send(attempt);
      for (let i = 0; i < depth; i++) await site.mine();
      expect(await round()).to.deep.equal(new Map([[0, "mined"]]));
      await booksAgree();
      return attempt;
    };
    const entries = async () =>
      (await db.pool.query("select 1 from journal.ledger where holder = $1", [site.wallet.address.toLowerCase()])).rowCount;

    describe(`a reorganisation of ${depth} blocks`, () => {
      it("the transaction in another block: the books follow it", async () => {
        const attempt = await land(`again-${depth}`);
        const [before] = await journal.openSlots(site.account);
        await reorg(async () => {
          await site.mine();
          await site.chain.provider.send("eth_sendRawTransaction", [attempt.raw]);
        });
        await round();
        expect(await round()).to.deep.equal(new Map([[0, "mined"]]));
        const [slot] = await journal.openSlots(site.account);
        expect(slot!.inclusion!.blockHash).to.not.equal(before!.inclusion!.blockHash);
        await booksAgree();
        expect(await entries(), "booked, reversed, booked").to.equal(6);
      });

      it("another attempt of the slot instead: the books follow that one", async () => {
        await land(`instead-${depth}`);
        await reorg(async () => undefined);
        expect((await round()).get(0), "sent again").to.equal("dropped");
        const build = signer(site.wallet, { ...BUMP, value: 0n, to: site.wallet.address });
        const cancel = await journal.supersede(site.account, 0, {
          kind: "cancel",
          intent: null,
          build,
          exposure: PUBLIC,
          head: 0n,
        });
        await site.send(cancel);
        await site.mine();
        expect(await round()).to.deep.equal(new Map([[0, "mined"]]));
        expect(await journal.outcome(1, `instead-${depth}`)).to.include({ status: "superseded", hash: cancel.hash });
        await booksAgree();
      });

      it("an earlier attempt of the slot, which its replacement had outbid: the books follow that one", async () => {
        const id = `earlier-${depth}`;
        const first = await site.prepare(id);
        await site.send(first);
        const build = signer(site.wallet, BUMP);
        const second = await journal.supersede(site.account, 0, {
          kind: "replacement",
          intent: { id },
          build,
          exposure: PUBLIC,
          head: 0n,
        });
        await site.send(second);
        for (let i = 0; i < depth; i++) await site.mine();
        await round();
        expect(await journal.outcome(1, id)).to.include({ status: "landed", hash: second.hash });
        const [paid] = [(await booksAgree()).ledger];
        await reorg(async () => await site.send(first));
        await round();
        expect(await round()).to.deep.equal(new Map([[0, "mined"]]));
        expect(await journal.outcome(1, id)).to.include({ status: "landed", hash: first.hash });
        expect((await booksAgree()).ledger, "it paid less").to.be.greaterThan(paid);
        expect(await entries(), "booked, reversed, booked").to.equal(6);
      });

      it("gone: the slot is open again, nothing of it stays booked, and the same bytes are sent again", async () => {
        const attempt = await land(`gone-${depth}`);
        await reorg(async () => undefined);
        const { findings, resent } = await reconcileAccount(site.watched);
        expect([findings.get(0)!.status, resent]).to.deep.equal(["dropped", [0]]);
        expect(await stateOf(0)).to.equal("open");
        expect((await booksAgree()).ledger).to.equal(0n);
        const of = { chainId: 1, holder: site.wallet.address, asset: "native", fromBlock: 0, toBlock: 1e9 };
        expect((await ledgerSums(db.pool, of)).total).to.equal(0n);
        await site.mine();
        expect(await round()).to.deep.equal(new Map([[0, "mined"]]));
        expect(Transaction.from(attempt.raw).hash).to.equal((await journal.outcome(1, `gone-${depth}`))!.hash);
        await booksAgree();
      });
    });
  }
});
