/** The driver of `bench -- sagas`: `sagas-driver.ts WORLD.json`. Starts the sagas that it reads as one line, and says what they take. */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { acrossBridge } from "../../src/bridges/across.js";
import { feeSchedule } from "../../src/bridges/across-fees.js";
import { connectChain } from "../../src/chain/connect.js";
import { networkById } from "../../src/config/networks.js";
import { Secret } from "../../src/config/secrets.js";
import type { Database, DatabaseSettings } from "../../src/database/open.js";
import { CrossChainExecutor } from "../../src/execution/cross-chain-executor.js";
import { fromStored } from "../../src/inventory/stored.js";
import { openJournalOf } from "../../src/journal/open.js";
import type { CrossChainOpportunity } from "../../src/opportunity/cross-chain.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { stepName } from "../faults/crosschain/plan.js";

export interface DriverWorld {
  database: DatabaseSettings;
  keys: string[];
  chains: { chainId: number; url: string }[];
}
export type Order = { sagas: string } | { tell: true } | { stop: true };
export interface StepTimes {
  step: string;
  n: number;
  p50Ms: number;
  p99Ms: number;
}
export type Said =
  | { ready: true }
  | { ended: string; outcome: string; reason: string }
  | { lost: string; why: string }
  /** Since the last telling: steps with what they took from their begin to their commit, and the processor's seconds. */
  | { steps: StepTimes[]; total: StepTimes; cpuSeconds: number; faults: Record<string, number> };

const USDC = 10n ** 6n;
const line = { ppm: 500, etaSeconds: 2 };
const say = (what: Said): void => void process.stdout.write(`${JSON.stringify(what)}\n`);
const world = JSON.parse(readFileSync(process.argv[2]!, "utf8")) as DriverWorld;
const begun = new Map<string, number>();
let times = new Map<string, number[]>();
let faults: Record<string, number> = {};
let cpu = process.cpuUsage();

const chains = await Promise.all(
  world.chains.map(async ({ chainId, url }) => {
    const network = { ...networkById(chainId)!, blockTimeMs: 1_000, finality: { blocks: 0, source: "bench" } };
    return await connectChain(network, [url], { local: true, pollMs: 200, timeoutMs: 60_000 });
  }),
);
const opened = await openJournalOf(world.database, { ttlMs: 60_000, database: { statementMs: 60_000 } });
const db = opened.journal.db as Database;
const executor = await CrossChainExecutor.open({
  db,
  journal: opened.journal,
  networks: chains.map((chain) => ({
    chain,
    fees: { priorityFee: 1_000_000n, patienceBlocks: 60, maxFeePerGas: null },
    arrivalBlocks: 0,
  })),
  wallets: world.keys.map((key) => new WalletManager(new Secret(key))),
  bridges: [
    acrossBridge({
      fees: feeSchedule([
        { symbol: "USDC", ...line, fixed: USDC / 20n, min: USDC, max: 1_000_000n * USDC },
        { symbol: "WETH", ...line, fixed: 10n ** 13n, min: 10n ** 15n, max: 10n ** 20n },
      ]),
    }),
  ],
  rules: { minProfit: { USDC: 1n }, minimumCapital: {}, limits: {} },
  policy: { maxLoss: 100n * USDC, holdLimit: 5_000n * USDC, holdSeconds: 3_600, timeCostPpb: 1_000n, tries: 2 },
  // the product's own waits, but for how long an answer may take when a thousand ask at once
  // and when a transfer counts as late: the first ones wait until the last have started
  // a thousand purchases move the price between the estimate and the purchase of each
  settings: { legMs: 60_000, haltSeconds: 3_600, graceSeconds: 3_600, slippagePpm: 100_000 },
  onFault: (error) => {
    const told = (error instanceof Error ? error.message : JSON.stringify(error))
      .replaceAll(/0x[0-9a-f]+|\d+/gi, "N")
      .slice(0, 120);
    faults[told] = (faults[told] ?? 0) + 1;
  },
  onStep: (saga, step, phase) => {
    const key = `${saga} ${step}`;
    if (phase === "begins") begun.set(key, performance.now());
    if (phase !== "written") return;
    const name = stepName(step);
    const list = times.get(name) ?? [];
    list.push(performance.now() - begun.get(key)!);
    times.set(name, list);
    begun.delete(key);
  },
});
say({ ready: true });

for await (const text of createInterface({ input: process.stdin })) {
  const order = JSON.parse(text) as Order;
  if ("sagas" in order) {
    for (const { opportunity, account } of fromStored<{ opportunity: CrossChainOpportunity; account: string }[]>(order.sagas))
      void follow(opportunity, account);
  } else if ("tell" in order) tell();
  else break;
}
await executor.close();
await opened.close();
process.exit(0);

async function follow(opportunity: CrossChainOpportunity, account: string): Promise<void> {
  try {
    const { outcome, reason } = await (await executor.submit(opportunity, account)).getResult();
    say({ ended: opportunity.id, outcome, reason });
  } catch (error) {
    say({ lost: opportunity.id, why: String(error) });
  }
}

function tell(): void {
  const { user, system } = process.cpuUsage(cpu);
  cpu = process.cpuUsage();
  const steps = [...times].map(([step, list]) => timesOf(step, list)).toSorted((a, b) => b.n - a.n);
  say({ steps, total: timesOf("all", [...times.values()].flat()), cpuSeconds: (user + system) / 1e6, faults });
  times = new Map();
  faults = {};
}

function timesOf(step: string, list: number[]): StepTimes {
  const sorted = list.toSorted((a, b) => a - b);
  const at = (share: number): number => Math.round((sorted[Math.floor(share * sorted.length)] ?? 0) * 10) / 10;
  return { step, n: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99) };
}
