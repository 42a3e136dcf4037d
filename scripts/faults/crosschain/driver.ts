/** A cross-chain driver in a process of its own that is killed or frozen: `driver.ts WORLD.json`. Talks in JSON lines. */
import { readFileSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { acrossBridge } from "../../../src/bridges/across.js";
import { feeSchedule } from "../../../src/bridges/across-fees.js";
import { cctpBridge } from "../../../src/bridges/cctp.js";
import { iris } from "../../../src/bridges/iris.js";
import { stargateBridge } from "../../../src/bridges/stargate.js";
import { connectChain } from "../../../src/chain/connect.js";
import { networkById } from "../../../src/config/networks.js";
import { Secret } from "../../../src/config/secrets.js";
import type { Database } from "../../../src/database/open.js";
import { CrossChainExecutor } from "../../../src/execution/cross-chain-executor.js";
import { fromStored } from "../../../src/inventory/stored.js";
import { openJournalOf } from "../../../src/journal/open.js";
import type { CrossChainOpportunity } from "../../../src/opportunity/cross-chain.js";
import { WalletManager } from "../../../src/wallet/wallet-manager.js";
import { type DriverWorld, FINAL_BLOCKS, type Label, stepName } from "./plan.js";

/** What the parent says. `freeze`: at the label it stops itself (SIGSTOP) and goes on when it is woken; else it waits there for its end. */
export type Order = { do: string } | { arm: Label; nth: number; freeze: boolean } | { stop: true };
/** What the driver says. */
export type Said =
  { ready: string; id: string } | { at: Label } | { ended: string } | { lost: string; why: string } | { fault: string };

const USDC = 10n ** 6n;
const ETHER = 10n ** 18n;
const [file = ""] = process.argv.slice(2);
const world = JSON.parse(readFileSync(file, "utf8")) as DriverWorld;

/** At once and whole, also when this process is killed right after. */
function say(what: Said): void {
  writeSync(1, `${JSON.stringify(what)}\n`);
}
const tellFault = (error: unknown): void =>
  say({ fault: (error instanceof Error ? error.message : JSON.stringify(error)).slice(0, 300) });

let armed: { label: Label; left: number; freeze: boolean } | null = null;

function reached(label: Label): void {
  if (armed?.label !== label || --armed.left > 0) return;
  const { freeze } = armed;
  armed = null;
  say({ at: label });
  if (freeze) process.kill(process.pid, "SIGSTOP");
  // nothing of this program runs any more: the parent's kill finds it exactly here
  else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
}

const chains = await Promise.all(
  world.chains.map(async ({ chainId, url }) => {
    const network = { ...networkById(chainId)!, finality: { blocks: FINAL_BLOCKS, source: "faults" }, blockTimeMs: 240 };
    return await connectChain(network, [url], { local: true, pollMs: 120 });
  }),
);
const password = new Secret(world.password);
const wallets = await Promise.all(world.keystores.map(async (k) => await WalletManager.fromKeystore(k, password)));
const opened = await openJournalOf(
  { folder: world.database },
  // time to live and signs of life as docs/cross-chain.md asks for
  { ttlMs: 6_000, onStep: (step) => reached(`journal ${step}`), onFault: tellFault, database: { statementMs: 5_000 } },
);
const { journal } = opened;
const line = { ppm: 500, min: USDC, max: 1_000_000n * USDC, etaSeconds: 2 };
const executor = await CrossChainExecutor.open({
  db: journal.db as Database,
  journal,
  networks: chains.map((chain) => ({
    chain,
    fees: { priorityFee: 1_000_000n, patienceBlocks: 10, maxFeePerGas: null },
    stuck: { maxFeePerGas: 10n ** 12n, cancelBudget: ETHER / 100n },
    arrivalBlocks: FINAL_BLOCKS,
  })),
  wallets,
  bridges: [
    acrossBridge({
      fees: feeSchedule([
        // dearer than the others, so that those bring home what may go by them
        { symbol: "USDC", ...line, fixed: 5n * USDC },
        { symbol: "WETH", ...line, fixed: 10n ** 13n, min: 10n ** 15n, max: 100n * ETHER },
      ]),
    }),
    cctpBridge({ iris: iris({ url: world.attestationUrl }), speed: "fast" }),
    stargateBridge({ maxNativeFee: ETHER / 500n }),
  ],
  rules: { minProfit: { USDC: USDC / 10n }, minimumCapital: { USDC: 5_000n * USDC }, limits: {} },
  policy: { maxLoss: 200n * USDC, holdLimit: 5_000n * USDC, holdSeconds: 3_600, timeCostPpb: 1_000n, tries: 2 },
  settings: {
    legMs: 10_000,
    pollSeconds: 0.1,
    mostPollSeconds: 0.4,
    recheckSeconds: 0.3,
    finalSeconds: 60,
    haltSeconds: 30,
  },
  onFault: tellFault,
  onStep: (_, step, phase) => reached(`saga ${stepName(step)} ${phase}`),
});
say({ ready: (journal.db as Database).secretUrl.reveal(), id: journal.driverId });

const orders = createInterface({ input: process.stdin });
// the one who kills it is gone itself
orders.on("close", () => process.exit(1));
orders.on("line", (text) => {
  const order = JSON.parse(text) as Order;
  if ("do" in order) {
    for (const { opportunity, account } of fromStored<{ opportunity: CrossChainOpportunity; account: string }[]>(order.do))
      void carryOut(opportunity, account);
  } else if ("arm" in order) armed = { label: order.arm, left: order.nth, freeze: order.freeze };
  else void stop();
});

/** Hands a trade over to the engine; one that cannot be is tried again. */
async function carryOut(opportunity: CrossChainOpportunity, account: string): Promise<void> {
  for (;;) {
    try {
      const handle = await executor.submit(opportunity, account);
      handle.getResult().then(
        () => say({ ended: opportunity.id }),
        (error: unknown) => say({ lost: opportunity.id, why: String(error).slice(0, 300) }),
      );
      return;
    } catch (error) {
      tellFault(error);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function stop(): Promise<void> {
  await executor.close();
  await opened.close();
  for (const chain of chains) chain.close();
  process.exit(0);
}
