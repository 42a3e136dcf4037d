import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { hexlify, keccak256, randomBytes } from "ethers";
import { type Chain, connectChain } from "../../src/chain/connect.js";
import { beforeDeadline } from "../../src/chain/receipts.js";
import { Secret } from "../../src/config/secrets.js";
import type { Database } from "../../src/database/open.js";
import { ArbError } from "../../src/errors.js";
import { type Journal, openJournal } from "../../src/journal/journal.js";
import { reconcile } from "../../src/journal/ledger.js";
import type { Exposure, Slot } from "../../src/journal/types.js";
import { chainRoute } from "../../src/submit/relays/node.js";
import { TransactionExecutor } from "../../src/submit/transaction-executor.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { type FaultAction, type FaultProxy, type ProxyCall, startFaultProxy } from "../../src/sim/fault-proxy.js";
import { ethereum, eventually, type FaultyNodes, faultyNodes, SEED } from "../helpers/faulty-nodes.js";
import { journalDatabase } from "../helpers/journal.js";

/** What a node does wrong, and whether both nodes of the driver do it: of a lie that all nodes tell nobody can know. */
const FAULTS: Record<string, { fault: FaultAction; nodes: 1 | 2 }> = {
  latency: { fault: { do: "latency", ms: 40 }, nodes: 2 },
  hang: { fault: { do: "hang" }, nodes: 2 },
  "reset before": { fault: { do: "reset", when: "before" }, nodes: 2 },
  "reset after": { fault: { do: "reset", when: "after" }, nodes: 2 },
  "HTTP 500": { fault: { do: "status", status: 500 }, nodes: 2 },
  "HTTP 429": { fault: { do: "status", status: 429 }, nodes: 2 },
  "HTML with 200": { fault: { do: "html" }, nodes: 2 },
  "truncated JSON": { fault: { do: "truncate" }, nodes: 2 },
  "wrong id": { fault: { do: "wrong-id" }, nodes: 2 },
  "internal error": { fault: { do: "error", code: -32603, message: "internal error" }, nodes: 2 },
  "header not found": { fault: { do: "error", code: -32000, message: "header not found" }, nodes: 2 },
  flood: { fault: { do: "flood", bytes: 1 << 20 }, nodes: 2 },
  "stale head": { fault: { do: "stale-head" }, nodes: 2 },
  "stale head on one": { fault: { do: "stale-head" }, nodes: 1 },
  "wrong chain": { fault: { do: "wrong-chain", chainId: 10 }, nodes: 2 },
  "receipt of what is not mined": { fault: { do: "lie-receipt", lie: "unmined" }, nodes: 1 },
  "receipt with another status": { fault: { do: "lie-receipt", lie: "status" }, nodes: 1 },
  "receipt of another block": { fault: { do: "lie-receipt", lie: "block" }, nodes: 2 },
  "no receipt": { fault: { do: "no-receipt" }, nodes: 2 },
  "taken and forgotten": { fault: { do: "drop" }, nodes: 2 },
};
const STATES = [
  "before send",
  "journaled, not sent",
  "sent public",
  "sent private",
  "superseded",
  "mined",
  "reorged",
  "final",
] as const;
type State = (typeof STATES)[number];

const FINAL = 3;
const NETWORK = { ...ethereum, finality: { blocks: FINAL, source: "test" }, blockTimeMs: 20 };
const FEES = { maxFeePerGas: 30_000_000_000n, maxPriorityFeePerGas: 1_000_000_000n, nextBaseFee: 1_000_000_000n };
const LOW = { maxFeePerGas: 2n, maxPriorityFeePerGas: 1n, nextBaseFee: 1n };
/** Deadline of a request; where the fault is silence, of a request under it; of an action, which makes several. */
const USUAL_MS = 5_000;
const SHORT_MS = 150;
const SHORT: ReadonlySet<FaultAction["do"]> = new Set(["hang"]);
const ACTION_MS = 30_000;
const ROUNDS_UNDER_FAULT = 2;

/** A driver of one account on nodes of its own: opened anew it is what a restart is. */
interface Driver {
  chain: Chain;
  journal: Journal;
  executor: TransactionExecutor;
  close(): Promise<void>;
}

interface Case {
  id: string;
  fault: FaultAction;
  proxies: FaultProxy[];
  faulty: FaultProxy[];
  wallet: WalletManager;
  /** Nobody else gives it anything: what it holds says how often the intent was carried out. */
  to: string;
  fromBlock: number;
  driver: Driver;
}

describe("faults: each fault of a node in each state of an attempt", function () {
  this.timeout(120_000);
  let db: Database;
  let nodes: FaultyNodes;
  let cases: Case[] = [];

  before(async () => {
    db = await journalDatabase();
    nodes = await faultyNodes(0);
    await nodes.rpc("evm_setAutomine", [false]);
  });
  afterEach(async () => {
    await Promise.all(cases.map(async (c) => await c.driver.close()));
    for (const c of cases) for (const proxy of c.proxies) await proxy.close();
    cases = [];
  });
  after(async () => {
    await nodes.close();
    await db.close();
  });

  async function openDriver(wallet: WalletManager, proxies: FaultProxy[], timeoutMs: number): Promise<Driver> {
    const urls = proxies.map((p) => p.url);
    const chain = await connectChain(NETWORK, urls, { local: true, timeoutMs });
    const journal = await openJournal(db);
    const executor = new TransactionExecutor(chain, wallet, [chainRoute(chain)], { journal, sendMs: timeoutMs });
    const close = async (): Promise<void> => {
      await executor.close();
      await journal.close();
      chain.close();
    };
    return { chain, journal, executor, close };
  }
  async function openCase(state: State, name: string): Promise<Case> {
    const { fault, nodes: count } = FAULTS[name]!;
    const proxies = await Promise.all([0, 1].map(async (n) => await startFaultProxy({ target: nodes.url, seed: SEED + n })));
    const wallet = new WalletManager(new Secret(hexlify(randomBytes(32))));
    await nodes.rpc("hardhat_setBalance", [wallet.address, "0xde0b6b3a7640000"]);
    const driver = await openDriver(wallet, proxies, USUAL_MS);
    const faulty = proxies.slice(0, count);
    return { id: `${name}, ${state}`, fault, proxies, faulty, wallet, to: hexlify(randomBytes(20)), fromBlock: 0, driver };
  }
  const each = async (work: (c: Case) => Promise<unknown>): Promise<unknown> => await Promise.all(cases.map(work));
  const call = ({ to }: Case) => ({ to, data: "0x", value: 1n });
  const mine = async (blocks = 1): Promise<void> => {
    for (let i = 0; i < blocks; i++) await nodes.rpc("evm_mine");
  };
  const slotOf = async ({ driver, id }: Case): Promise<Slot | null> => await driver.journal.find(1, id);
  const send = async (c: Case, fees = FEES) => await c.driver.executor.send(c.id, call(c), 21_000n, fees);
  /** Whatever a faulty node does, an action ends; what could not be found out is left as it was. */
  const tried = async (action: Promise<unknown>): Promise<void> => {
    await beforeDeadline(
      action.then(
        () => undefined,
        (error: unknown) => expect(error).to.have.property("code").that.is.oneOf(["network", "locked", "refused"]),
      ),
      ACTION_MS,
    );
  };
  const round = async (c: Case): Promise<void> => await tried(c.driver.executor.settle().catch(onlyNodes));
  const onlyNodes = (error: unknown): never => {
    // errors of ethers are the nodes' too
    throw error instanceof ArbError ? error : new ArbError("network", String(error));
  };
  const privately = async (c: Case): Promise<void> => {
    const lastBlock = BigInt(await nodes.rpc<string>("eth_blockNumber")) + 100_000n;
    await journaled(c, { visibility: "private", lastBlock });
  };
  const journaled = async (c: Case, exposure?: Exposure): Promise<void> => {
    const terms = { gasLimit: 21_000n, maxFeePerGas: FEES.maxFeePerGas, maxPriorityFeePerGas: FEES.maxPriorityFeePerGas };
    const build = (nonce: number) => ({ ...terms, ...c.wallet.sign({ chainId: 1, nonce, ...call(c), ...terms }) });
    await c.driver.journal.prepare(await c.driver.executor.start(), c.id, build, exposure);
  };
  const superseded = async (c: Case): Promise<void> => {
    await send(c, LOW);
    const terms = {
      baseFee: FEES.nextBaseFee,
      usefulTip: 1n,
      worth: 10n ** 18n,
      cancelBudget: 0n,
      maxFeePerGas: null,
      patienceBlocks: 9,
    };
    expect(await c.driver.executor.unstick(c.id, terms)).to.include({ action: "replace" });
  };
  const is = async (state: Slot["state"]): Promise<unknown> =>
    await each(async (c) => {
      await eventually(
        `${c.id} is ${state}`,
        async () => {
          await round(c);
          return (await slotOf(c))?.state === state;
        },
        ACTION_MS,
      );
    });

  /** Brings all cases into a state without faults. Gives what happens to them under the faults. */
  async function bring(state: State): Promise<() => Promise<unknown>> {
    switch (state) {
      case "before send":
        return async () => await each(async (c) => await tried(send(c).catch(onlyNodes)));
      case "journaled, not sent":
        await each(async (c) => await journaled(c));
        return async () => undefined;
      case "sent public":
        await each(async (c) => await send(c));
        return async () => await mine();
      case "sent private":
        await each(privately);
        return async () => {
          await each(round);
          // builders land them
          for (const c of cases) await nodes.rpc("eth_sendRawTransaction", [(await slotOf(c))!.attempts[0]!.raw]);
          await mine();
        };
      case "superseded":
        await each(superseded);
        return async () => await mine();
      case "mined":
      case "final":
        await each(async (c) => await send(c));
        await mine();
        await is("mined");
        if (state === "final") await mine(FINAL);
        await is(state);
        return async () => undefined;
      case "reorged": {
        const snapshot = await nodes.rpc("evm_snapshot");
        await each(async (c) => await send(c));
        await mine();
        await is("mined");
        return async () => {
          await nodes.rpc("evm_revert", [snapshot]);
          await nodes.rpc("hardhat_setPrevRandao", [hexlify(randomBytes(32))]);
          await mine(2);
        };
      }
    }
  }

  const offers = (c: Case): string[] =>
    c.proxies.flatMap((p) => p.calls.filter(({ method }) => method === "eth_sendRawTransaction").map(hashOfCall));
  const hashOfCall = ({ params }: ProxyCall): string => keccak256(String((params as string[])[0]));

  async function verify(c: Case, state: State): Promise<void> {
    const { id, driver, wallet } = c;
    const account = await driver.executor.start();
    expect(await nodes.rpc("eth_getBalance", [c.to, "latest"]), `${id}: carried out once`).to.equal("0x1");
    expect(await nodes.rpc("eth_getTransactionCount", [wallet.address, "latest"]), id).to.equal("0x1");
    const slots = await driver.journal.slots(account, { from: 0 });
    expect(slots, id).to.have.length(1);
    const known = slots[0]!.attempts.map((a) => a.hash);
    expect(known, `${id}: sent without the journal`).to.include.members(offers(c));
    if (state === "sent private") expect(offers(c), `${id}: private bytes are not shown to nodes`).to.deep.equal([]);
    expect(driver.journal.stopped(account), id).to.equal(null);
    const toBlock = Number(await nodes.rpc("eth_blockNumber"));
    const of = { chainId: 1, holder: wallet.address, asset: "native", fromBlock: c.fromBlock, toBlock };
    const books = await reconcile(db.pool, driver.chain.provider, of);
    expect(books.difference, `${id}: ledger ${books.ledger}, chain ${books.chain}`).to.equal(0n);
  }

  for (const state of STATES) {
    it(`${state}: nothing is lost or sent twice, and it ends, under each of ${Object.keys(FAULTS).length} faults`, async () => {
      cases = await Promise.all(Object.keys(FAULTS).map(async (name) => await openCase(state, name)));
      await mine();
      const fromBlock = Number(await nodes.rpc("eth_blockNumber"));
      const happen = await bring(state);
      await each(async (c) => {
        c.fromBlock = fromBlock;
        if (SHORT.has(c.fault.do)) {
          // silence is waited for only as long as it must be
          await c.driver.close();
          c.driver = await openDriver(c.wallet, c.proxies, SHORT_MS);
          await c.driver.executor.start();
        }
        for (const proxy of c.faulty) proxy.set({ ...c.fault });
      });
      await happen();
      for (let n = 0; n < ROUNDS_UNDER_FAULT; n++) await each(round);
      await each(async (c) => {
        for (const proxy of c.proxies) proxy.clear();
      });

      // most go on after a restart, the others as they are
      let i = 0;
      await each(async (c) => {
        if (i++ % 4 === 0 && !SHORT.has(c.fault.do)) return;
        await c.driver.close();
        c.driver = await openDriver(c.wallet, c.proxies, USUAL_MS);
      });
      await each(async (c) => {
        if ((await slotOf(c)) !== null) return;
        expect(state, "only what was never journaled may be asked for again").to.equal("before send");
        await eventually(
          `${c.id}: sent`,
          () =>
            send(c).then(
              () => true,
              () => false,
            ),
          ACTION_MS,
        );
      });
      const landing = is("final");
      const landed = landing.then(
        () => true,
        () => true,
      );
      while (!(await Promise.race([landed, sleep(20, false)]))) await mine();
      await landing;
      await each(async (c) => await verify(c, state));
    });
  }
});
