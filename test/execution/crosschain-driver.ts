/**
 * A cross-chain driver in a process of its own, on the chains and the database of another: takes over what is there, and starts the
 * sagas that it reads as JSON lines ({"opportunity": ...} with amounts as {"bigint": "1"}). Says what happens as JSON lines, until it
 * is killed or its input ends. Arguments: database URL, wallet key, JSON of {chainId: url}, milliseconds of the lease,
 * "SAGA STEP": when that step is written down, the process stops itself (SIGSTOP), once.
 */
import { createInterface } from "node:readline";
import { connectChain } from "../../src/chain/connect.js";
import { Secret } from "../../src/config/secrets.js";
import { networkById } from "../../src/config/networks.js";
import { openDatabase } from "../../src/database/open.js";
import { CrossChainExecutor } from "../../src/execution/cross-chain-executor.js";
import { fromStored } from "../../src/inventory/stored.js";
import { openJournal } from "../../src/journal/journal.js";
import type { CrossChainOpportunity } from "../../src/opportunity/cross-chain.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { FAST, localAcrossBridge, POLICY, RULES } from "../helpers/cross-chain-settings.js";

/** The test runner loads every file of this folder; only the process that a test starts shall do anything. */
if (process.argv[1] === import.meta.filename) await main();

async function main(): Promise<void> {
  const [url = "", key = "", urls = "{}", lease = "6000", stopAt = ""] = process.argv.slice(2);
  // who listened is gone: the end of what it says, read below, ends the process
  process.stdout.on("error", () => undefined);
  const say = (what: object): void => void process.stdout.write(`${JSON.stringify(what)}\n`);
  const db = await openDatabase({ url: new Secret(url) }, { name: "crosschain-driver" });
  const journal = await openJournal(db, { ttlMs: Number(lease), renewMs: 1_000 });
  const networks = await Promise.all(
    Object.entries(JSON.parse(urls) as Record<string, string>).map(async ([chainId, rpc]) => {
      const network = { ...networkById(Number(chainId))!, blockTimeMs: 200, finality: { blocks: 0, source: "test" } };
      const chain = await connectChain(network, [rpc], { local: true, pollMs: 50 });
      return { chain, fees: { priorityFee: 1_000_000n, patienceBlocks: 3, maxFeePerGas: null }, arrivalBlocks: 0 };
    }),
  );
  let left = stopAt === "" ? 0 : 1;
  const executor = await CrossChainExecutor.open({
    db,
    journal,
    networks,
    wallets: [new WalletManager(new Secret(key))],
    bridges: [localAcrossBridge()],
    rules: RULES,
    policy: POLICY,
    settings: FAST,
    deadAfterMs: 3_000,
    onStep: (saga, step, phase) => {
      if (phase !== "written" || !`${saga} ${step}`.startsWith(stopAt) || left-- <= 0) return;
      process.kill(process.pid, "SIGSTOP");
    },
    onFault: (error) => say({ fault: error instanceof Error ? error.message : String(error) }),
  });
  say({ ready: journal.driverId });
  for await (const line of createInterface({ input: process.stdin })) {
    const { opportunity } = fromStored<{ opportunity: CrossChainOpportunity }>(line);
    const handle = await executor.submit(opportunity);
    say({ started: opportunity.id });
    handle.getResult().then(
      (result) => say({ ended: opportunity.id, outcome: result.outcome }),
      (error: unknown) => say({ lost: opportunity.id, why: String(error) }),
    );
  }
  process.exit(0);
}
