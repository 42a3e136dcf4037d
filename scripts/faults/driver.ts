/** A driver in a process of its own, made of the product's parts, that is killed: `driver.ts WORLD.json [STEP NTH]`. Talks in JSON lines. */
import { readFileSync, writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeBytes32String, id as hashOf } from "ethers";
import { Tally__factory } from "../../types/contracts/index.js";
import { type Chain, connectChain } from "../../src/chain/connect.js";
import { networkById } from "../../src/config/networks.js";
import { Secret } from "../../src/config/secrets.js";
import { SameChainExecutor } from "../../src/execution/same-chain-executor.js";
import { suggestFees } from "../../src/fees/fees.js";
import type { Journal } from "../../src/journal/journal.js";
import { openJournalOf } from "../../src/journal/open.js";
import type { JournalStep } from "../../src/journal/types.js";
import { scanBlock } from "../../src/market/watcher.js";
import { SlippageManager } from "../../src/plan/slippage.js";
import type { SendTerms } from "../../src/submit/private-run.js";
import { relayById } from "../../src/submit/relays/builders.js";
import { bundleRoute } from "../../src/submit/relays/bundle.js";
import { openBundleClient } from "../../src/submit/relays/bundle-client.js";
import { sequencerRoute } from "../../src/submit/relays/sequencer.js";
import { relaySigner } from "../../src/submit/relays/signer.js";
import type { Route } from "../../src/submit/route.js";
import { TransactionExecutor } from "../../src/submit/transaction-executor.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { BLOCK_MS, FINAL_BLOCKS, type Wish } from "./plan.js";
import type { DriverWorld } from "./world.js";

/** What the parent says. */
export type Order = { do: Wish[] } | { arm: JournalStep; nth: number } | { stop: true };
/** What the driver says. */
export type Said =
  | { ready: string }
  | { done: string; how: string }
  | { at: JournalStep; hits: Partial<Record<JournalStep, number>> }
  | { fault: string };

const TTL_MS = 5_000;
const RENEW_MS = 250;
const WATCH_MS = 150;
const LOOK_MS = 100;
const FILL_MS = 1_000;
const ETHER = 10n ** 18n;
const POLICY = { priorityFee: 1_000_000n, patienceBlocks: 4, maxFeePerGas: 10n ** 12n };
/** A price that no block takes: base fees do not fall below 7 wei. */
const TOO_LITTLE = { maxFeePerGas: 2n, maxPriorityFeePerGas: 1n, nextBaseFee: 1n };
const CALL_GAS = 120_000n;
/** In how many blocks a bundle may land. */
const BUNDLE_BLOCKS = 8n;
/** Tips of what no block takes at first: the next one lands. */
const RAISE = { budget: 10n * 10n ** 9n * CALL_GAS, stepPpm: 8e15, blocksPerTip: 1 };
const ROUTE_MS = 1_000;

const [file = "", armStep = "", armNth = "1"] = process.argv.slice(2);
const world = JSON.parse(readFileSync(file, "utf8")) as DriverWorld;

/** At once and whole, also when this process is killed right after. */
function say(what: Said): void {
  writeSync(1, `${JSON.stringify(what)}\n`);
}

let armed: { step: JournalStep; nth: number } | null =
  armStep === "" ? null : { step: armStep as JournalStep, nth: Number(armNth) };
const hits: Partial<Record<JournalStep, number>> = {};
let sinceArmed = 0;

function onStep(step: JournalStep): void {
  hits[step] = (hits[step] ?? 0) + 1;
  if (armed?.step !== step || ++sinceArmed < armed.nth) return;
  say({ at: step, hits });
  // nothing of this program runs any more: the parent's kill finds it exactly here
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
}

interface Desk {
  chain: Chain;
  wallet: WalletManager;
  transactions: TransactionExecutor;
  trader: SameChainExecutor;
  site: DriverWorld["chains"][number];
}

const wordy = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const tellFault = (error: unknown): void => say({ fault: wordy(error).slice(0, 200) });

const chains = await Promise.all(
  world.chains.map(async ({ chainId, url }) => {
    const network = {
      ...networkById(chainId)!,
      finality: { blocks: FINAL_BLOCKS, source: "faults" },
      blockTimeMs: BLOCK_MS,
    };
    return await connectChain(network, [url], { local: true, pollMs: 50 });
  }),
);
const password = new Secret(world.password);
const wallets = await Promise.all(
  world.chains.map(async ({ keystores }) => await Promise.all(keystores.map((k) => WalletManager.fromKeystore(k, password)))),
);
const opened = await openJournalOf(
  { folder: world.database },
  { ttlMs: TTL_MS, renewMs: RENEW_MS, onStep, onFault: tellFault, database: { statementMs: 5_000 } },
);
const { journal } = opened;
const { secretUrl } = journal.db as typeof journal.db & { secretUrl: Secret };

const routes = world.chains.map(({ way }): Route => {
  if (way.kind === "sequencer") return sequencerRoute(way.url);
  const facts = { ...relayById("flashbots")!, id: "relay", title: "relay", urls: {} };
  return bundleRoute("relay", openBundleClient(way.url, facts, relaySigner()));
});

const desks: Desk[][] = chains.map((chain, i) =>
  wallets[i]!.map((wallet) => {
    const site = world.chains[i]!;
    const transactions = new TransactionExecutor(chain, wallet, [routes[i]!], {
      journal,
      sendMs: ROUTE_MS,
      pollMs: 80,
      onFault: tellFault,
    });
    const trader = new SameChainExecutor({
      chain,
      executor: site.executor,
      operator: wallet.address,
      transactions,
      slippage: new SlippageManager(),
      settings: {
        costMarginPpm: 100_000,
        minNetProfit: new Map(chain.network.tokens.map((t) => [t.address, 10n ** BigInt(t.decimals) / 1_000_000n])),
        gasBufferPpm: 300_000,
        timeToLive: 60,
        watchMs: 3_000,
        pollMs: 80,
        funding: ["flash-swap"],
        maxGasCost: ETHER / 100n,
        fees: POLICY,
      },
    });
    return { chain, wallet, transactions, trader, site };
  }),
);

const all = desks.flat();
// what an earlier run left is settled before anything new
await Promise.all(
  all.map(async ({ transactions }) => {
    for (let tries = 0; ; tries++) {
      try {
        return await transactions.start();
      } catch (error) {
        if (tries > 100) throw error;
        tellFault(error);
        await sleep(100);
      }
    }
  }),
);
for (const { transactions } of all) transactions.keepWatching(WATCH_MS, tellFault);
say({ ready: secretUrl.reveal() });
// it never ends in a way that would write it
flushCompileCache();
void fillGaps();

const orders = createInterface({ input: process.stdin });
// the one who kills it is gone itself
orders.on("close", () => process.exit(1));
orders.on("line", (line) => {
  const order = JSON.parse(line) as Order;
  if ("do" in order) for (const wish of order.do) void carryOut(wish);
  else if ("arm" in order) {
    armed = { step: order.arm, nth: order.nth };
    sinceArmed = 0;
  } else void stop();
});

async function stop(): Promise<void> {
  for (const { transactions } of all) await transactions.close();
  await opened.close();
  for (const chain of chains) chain.close();
  process.exit(0);
}

/** Nonces whose private bytes were lost are filled where something public waits above them. */
async function fillGaps(): Promise<void> {
  for (;;) {
    for (const { chain, transactions } of all) {
      await suggestFees(chain, POLICY)
        .then(async (fees) => await transactions.fillGaps(fees))
        .catch(tellFault);
    }
    await sleep(FILL_MS);
  }
}

/** Does a wish until the journal knows its end; what fails is tried again. */
async function carryOut(wish: Wish): Promise<void> {
  const desk = desks[wish.chain]![wish.account]!;
  const { chainId } = desk.chain.network;
  const inPrivate = desk.site.way.kind === "relay";
  const again = wish.kind === "call" || wish.kind === "stuck";
  /** Intents that this process has given to the relay. */
  const carried = new Set<string>();
  for (let tries = 0; ;) {
    try {
      const id = tries === 0 ? wish.id : `${wish.id}.${tries}`;
      const outcome = await journal.outcome(chainId, id);
      if (inPrivate && again && outcome?.final === true && outcome.status === "superseded") {
        // a rival of its slot landed, and for good: what it was for is done by another intent
        tries++;
        continue;
      }
      // what relays have may be taken back by a reorganisation and then be over: only what is final has an end
      const ended = outcome !== null && (inPrivate ? outcome.final : outcome.status !== "open");
      if (ended) return say({ done: wish.id, how: outcome.status });
      if (!carried.has(id)) {
        if ((await act(desk, { ...wish, id }, wish.id, outcome !== null)) === "refused")
          return say({ done: wish.id, how: "refused" });
        if (inPrivate) carried.add(id);
      }
    } catch (error) {
      tellFault(error);
    }
    await sleep(LOOK_MS);
  }
}

async function act(desk: Desk, wish: Wish, counted: string, known: boolean): Promise<"refused" | "going"> {
  const { chain, transactions, trader } = desk;
  const inPrivate = desk.site.way.kind === "relay";
  switch (wish.kind) {
    case "call":
    case "rival":
      await send(desk, wish, counted, {});
      return "going";
    case "stuck":
    case "cancel": {
      if (inPrivate) {
        // its relays are told to forget it where it has died
        const alive = async () => wish.kind === "stuck";
        await send(desk, wish, counted, { fees: TOO_LITTLE, terms: { ladder: RAISE, feeCeiling: POLICY.maxFeePerGas, alive } });
        return "going";
      }
      if (!known) await send(desk, wish, counted, { fees: TOO_LITTLE });
      const { nextBaseFee: baseFee } = await suggestFees(chain, POLICY);
      const worth = wish.kind === "stuck" ? ETHER : 0n;
      await transactions.unstick(wish.id, {
        baseFee,
        usefulTip: POLICY.priorityFee,
        worth,
        cancelBudget: ETHER,
        maxFeePerGas: null,
        patienceBlocks: 4,
      });
      return "going";
    }
    case "private":
      if (!known) await loseInPrivate(journal, desk, wish);
      return "going";
    case "trade": {
      if (known) return "going";
      const profitTokens = [chain.network.wrappedNative];
      const [best] = await scanBlock(chain.provider, chain.network, desk.site.pools, { profitTokens, lifetimeSeconds: 60 });
      if (best === undefined) return "refused";
      const outcome = await trader.execute({ ...best.opportunity, id: wish.id });
      // an opportunity that is gone before anything was signed is none any more; all others are the journal's
      return outcome.status === "rejected" && (await journal.find(chain.network.chainId, wish.id)) === null ? "refused" : "going";
    }
  }
}

async function send(
  { chain, transactions, site }: Desk,
  wish: Wish,
  counted: string,
  { fees, terms = {} }: { fees?: typeof TOO_LITTLE; terms?: SendTerms },
): Promise<void> {
  const data = Tally__factory.createInterface().encodeFunctionData("done", [encodeBytes32String(counted)]);
  const paid = fees ?? (await suggestFees(chain, POLICY));
  // what the account sends is booked too
  const call = { to: site.tally, data, value: BigInt(hashOf(wish.id)) % 1_000n };
  const lastBlock = BigInt(await chain.provider.getBlockNumber()) + BUNDLE_BLOCKS;
  const bounded = site.way.kind === "relay" ? { lastBlock, ...terms } : {};
  const attempt = await transactions.send(wish.id, call, CALL_GAS, paid, bounded);
  if (fees === undefined) await transactions.watch(attempt, 400, 100);
}

/** Journals bytes for the next block only, and gives them to a relay that loses them: nobody ever has them. */
async function loseInPrivate(book: Journal, { chain, transactions, wallet, site }: Desk, wish: Wish): Promise<void> {
  const ownership = await transactions.start();
  const fees = await suggestFees(chain, POLICY);
  const terms = {
    gasLimit: CALL_GAS,
    maxFeePerGas: fees.maxFeePerGas,
    maxPriorityFeePerGas: fees.maxPriorityFeePerGas,
  };
  const data = Tally__factory.createInterface().encodeFunctionData("done", [encodeBytes32String(wish.id)]);
  const { chainId } = chain.network;
  const lastBlock = BigInt((await chain.provider.getBlockNumber()) + 1);
  const attempt = await book.prepare(
    ownership,
    wish.id,
    async (nonce) => ({
      ...terms,
      ...(await wallet.signTransaction({ chainId, nonce, to: site.tally, data, value: 0n, ...terms })),
    }),
    { visibility: "private", lastBlock },
  );
  await book.noteSend(attempt.hash, "losing-relay", { status: "unknown", detail: "no answer" }, { targetBlock: lastBlock });
}
