/** Cross-chain trades as durable workflows on the driver's own database. */
import { DBOS, type WorkflowHandle } from "@dbos-inc/dbos-sdk";
import type { Bridge } from "../bridges/bridge.js";
import { BridgeMonitor } from "../bridges/monitor.js";
import type { RebalancingConfig } from "../config/cross-chain.js";
import type { Database } from "../database/open.js";
import { ArbError } from "../errors.js";
import type { Journal } from "../journal/journal.js";
import type { CrossChainOpportunity } from "../opportunity/cross-chain.js";
import { Actions, type ActionSettings } from "../transfers/actions.js";
import type { StartRules } from "../transfers/estimate.js";
import { Quotes } from "../transfers/quotes.js";
import type { RebalancingEnd } from "../transfers/rebalancing-store.js";
import { Senders, type TradingNetwork } from "../transfers/senders.js";
import { TransferStore, workflowOf } from "../transfers/store.js";
import { pruneSagas } from "../transfers/retention.js";
import { keepTakingOver, queueOf, runningWorkflowOf, strandedError, strandedSagas } from "../transfers/takeover.js";
import { Semaphore, semaphores } from "../transfers/turns.js";
import type { SagaResult } from "../transfers/types.js";
import { APPLICATION, COMMANDS, ENGINE_SCHEMA, SAGA_VERSION } from "../transfers/version.js";
import { forVaults } from "../vault/vault-bridge.js";
import type { WalletManager } from "../wallet/wallet-manager.js";
import { keepLooking, lookAtStock, Rebalancing, type RebalancingInput, stockHolders } from "./rebalancing.js";
import { type ChoiceKind, RecoveryManager, type RecoveryPolicy } from "./recovery-manager.js";
import { type Command, type Engine, runOf, runSaga, type SagaInput } from "./saga.js";

const WORKFLOW = "cross-chain";
/** A crash loop is an operator's matter; it must not end a saga that has money on its way. */
const RECOVERY_ATTEMPTS = 1_000_000;
/** The engine keeps half of them for waiting workflows. */
const ENGINE_CONNECTIONS = 10;
/** Trades that are judged at once: a thousand that ask for every price together would all wait until none is answered in time. */
const OPENINGS = 16;
/** Transfers of a route that are looked at at once: a node that is slow would answer none of a thousand in time, and be asked again and again. */
const LOOKS = 32;
const PRUNE_MS = 3_600_000;

export interface SagaSettings extends ActionSettings {
  /** Between two looks at something that should come soon, and at most. Seconds. */
  pollSeconds: number;
  mostPollSeconds: number;
  /** Between two quotes of a held position. */
  recheckSeconds: number;
  /** How long the end of a saga waits for final blocks. */
  finalSeconds: number;
  /** How long a bridge may take before a transfer expires. */
  transferSeconds: number;
  driftPpmPerHour: number;
}

export const DEFAULT_SETTINGS: SagaSettings = {
  legMs: 20_000,
  slippagePpm: 3_000,
  graceSeconds: 300,
  swapSeconds: 120,
  pollSeconds: 1,
  mostPollSeconds: 60,
  recheckSeconds: 30,
  haltSeconds: 900,
  finalSeconds: 3_600,
  transferSeconds: 7_200,
  driftPpmPerHour: 5_000,
};

export interface CrossChainOptions {
  db: Database;
  /** Its time to live bounds how fast a frozen driver's accounts change hands: 6 seconds for a takeover within 10. */
  journal: Journal;
  networks: readonly TradingNetwork[];
  wallets: readonly WalletManager[];
  bridges: readonly Bridge[];
  rules: StartRules;
  policy: RecoveryPolicy;
  settings?: Partial<SagaSettings>;
  /** Tokens whose stock is brought to its shares, each looked at in its own time; whose stock, all wallets' when left out. */
  rebalancing?: readonly (RebalancingConfig & { accounts?: readonly string[] })[];
  /** Without a sign of life for this long, a driver's sagas are taken over. Milliseconds; 5,000. */
  deadAfterMs?: number;
  /** False behind a pooler that gives every transaction another connection, such as PgBouncer in transaction mode. */
  listen?: boolean;
  /** What is tried again, and what an operator must know. */
  onFault?: (error: unknown) => void;
  /** Days for which the steps of ended trades are kept; default: 30. */
  keepDays?: number;
  onStep?: OnSagaStep;
}

/** Named points of a saga, for the test that kills the program at each of them: a step begins, is done, and is written down by the engine. */
export type OnSagaStep = (saga: string, step: string, phase: "begins" | "done" | "written") => void;

/** What the workflows of this process work with. */
export interface Env {
  store: TransferStore;
  actions: Actions;
  quotes: Quotes;
  recovery: RecoveryManager;
  rules: StartRules;
  settings: SagaSettings;
  /** In which trades are judged and opened. */
  openings: Semaphore;
  /** In which transfers are looked at, by their route: a network that is silent holds up those of no other. */
  looks: (route: string) => Semaphore;
  onFault: (error: unknown) => void;
  onStep: OnSagaStep;
  closed: boolean;
}

// one per process, as the workflow engine is
let present: Env | null = null;

const never = (): Promise<never> => new Promise(() => undefined);

/** The engine for one run. What a closed executor was doing stands still, as if the process had ended: it must not be written down as failed. */
function engineOf(env: Env, saga: string): Engine {
  const whileOpen = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      const value = await work();
      return env.closed ? await never() : value;
    } catch (error) {
      if (env.closed) return await never();
      throw error;
    }
  };
  const step = async <T>(name: string, body: () => Promise<T>): Promise<T> => {
    // a step that was written down before is not done again
    let ran = false;
    const told = async (): Promise<T> => {
      ran = true;
      env.onStep(saga, name, "begins");
      const value = await whileOpen(body);
      env.onStep(saga, name, "done");
      return value;
    };
    const value = await DBOS.runStep(told, { name });
    if (ran) env.onStep(saga, name, "written");
    return value;
  };
  return {
    step: async (name, body) => await whileOpen(async () => await step(name, body)),
    pause: async (seconds) => await whileOpen(async () => await DBOS.recv<Command>(COMMANDS, { timeoutSeconds: seconds })),
    now: async () => await whileOpen(async () => await DBOS.now()),
    patched: async (change) => await whileOpen(async () => await DBOS.patch(change)),
  };
}

const sagaWorkflow = DBOS.registerWorkflow(
  async (input: SagaInput): Promise<SagaResult> => {
    if (present === null) throw new ArbError("internal", "the cross-chain executor is not open in this process");
    return await runSaga(present, engineOf(present, input.opportunity.id), input);
  },
  { name: WORKFLOW, maxRecoveryAttempts: RECOVERY_ATTEMPTS },
);

const rebalancingWorkflow = DBOS.registerWorkflow(
  async (input: RebalancingInput): Promise<RebalancingEnd> => {
    if (present === null) throw new ArbError("internal", "the cross-chain executor is not open in this process");
    return await new Rebalancing(present, engineOf(present, input.id), input).run();
  },
  { name: "rebalancing", maxRecoveryAttempts: RECOVERY_ATTEMPTS },
);

/** What an executor works with, without the workflow engine: enough to judge a trade. */
export function partsOf(options: CrossChainOptions): { env: Env; senders: Senders; monitor: BridgeMonitor } {
  const { db, journal, networks, wallets, bridges, rules, policy } = options;
  const settings = { ...DEFAULT_SETTINGS, ...options.settings };
  const onFault = options.onFault ?? (() => undefined);
  const senders = new Senders(journal, networks, wallets, onFault, true);
  const store = new TransferStore(db, (chainId) => senders.chain(chainId).provider, journal.driverId);
  const pricing: { quotes?: Quotes } = {};
  const monitor = new BridgeMonitor({
    db,
    bridges: bridges.map((bridge) => forVaults(bridge, (chainId, address) => senders.isVault(chainId, address))),
    views: (chainId) => senders.view(chainId),
    driftPpmPerHour: settings.driftPpmPerHour,
    costIn: async (chainId, wei, token) => await pricing.quotes!.costIn(chainId, wei, token),
    gasPrice: async (chainId) => await pricing.quotes!.gasPrice(chainId),
  });
  const quotes = new Quotes(senders, monitor, settings.transferSeconds);
  pricing.quotes = quotes;
  const actions = new Actions(senders, store, quotes, settings);
  const onStep = options.onStep ?? (() => undefined);
  const env: Env = {
    store,
    actions,
    quotes,
    recovery: new RecoveryManager(policy),
    rules,
    settings,
    openings: new Semaphore(OPENINGS),
    looks: semaphores(LOOKS),
    onFault,
    onStep,
    closed: false,
  };
  return { env, senders, monitor };
}

const silent = { info: () => undefined, debug: () => undefined };

/** Runs cross-chain trades to their ends, whatever process they were started in. One per process. */
export class CrossChainExecutor {
  #stopTakeover: () => Promise<void> = () => Promise.resolve();
  #stopRebalancing: () => Promise<void> = () => Promise.resolve();
  #pruning: NodeJS.Timeout | undefined;

  private constructor(
    readonly env: Env,
    readonly senders: Senders,
    readonly monitor: BridgeMonitor,
    readonly driverId: string,
    readonly enginePool: ReturnType<Database["plainPool"]>,
  ) {}

  /**
   * Starts the workflow engine on the database, in a schema of its own, and takes over the sagas of drivers that are gone. Sagas of
   * another version are told to `onFault`, by name. Raises ArbError "usage" where one is open in this process.
   */
  static async open(options: CrossChainOptions): Promise<CrossChainExecutor> {
    if (present !== null) throw new ArbError("usage", "a cross-chain executor is open in this process already");
    const { db, journal } = options;
    const { env, senders, monitor } = partsOf(options);
    const { onFault } = env;
    present = env;
    senders.carries = async (workflow) => await env.store.carries(workflow);
    const enginePool = db.plainPool({
      application_name: "arb sagas",
      max: ENGINE_CONNECTIONS,
      // a frozen driver's open transaction would keep its sagas from whoever takes them over
      idle_in_transaction_session_timeout: 3_000,
    });
    const opened = new CrossChainExecutor(env, senders, monitor, journal.driverId, enginePool);
    const queues = senders.wallets.map((w) => queueOf(w.address));
    try {
      DBOS.setConfig({
        name: APPLICATION,
        systemDatabaseUrl: db.url,
        systemDatabasePool: enginePool,
        systemDatabaseSchemaName: ENGINE_SCHEMA,
        applicationVersion: SAGA_VERSION,
        enablePatching: true,
        executorID: journal.driverId,
        listenQueues: queues,
        useListenNotify: options.listen ?? true,
        logger: { ...silent, warn: (e) => onFault(e), error: (e) => onFault(e) },
      });
      await DBOS.launch();
      for (const queue of queues) await DBOS.registerQueue(queue, { onConflict: "never_update" });
      for (const saga of await strandedSagas(db)) onFault(strandedError(saga));
      const keeping = options.keepDays === undefined ? {} : { keepDays: options.keepDays };
      opened.#pruning = setInterval(() => {
        void pruneSagas(db, async (ids) => await DBOS.deleteWorkflows(ids), keeping).catch(onFault);
      }, PRUNE_MS).unref();
      opened.#stopTakeover = keepTakingOver({
        db,
        driverId: journal.driverId,
        deadAfterMs: options.deadAfterMs ?? 5_000,
        onFault,
        alsoLook: async () => {
          await opened.#handOver();
          await opened.#hear();
        },
      });
      const accounts = senders.wallets.map((w) => w.address);
      opened.#stopRebalancing = keepLooking(
        options.rebalancing ?? [],
        (r) => stockHolders(r, r.accounts ?? accounts, (chainId, account) => senders.venue(chainId, account).holder),
        async (r, account) => await opened.rebalance(r, account),
        onFault,
      );
      return opened;
    } catch (error) {
      present = null;
      await DBOS.shutdown().catch(() => undefined);
      await enginePool.end().catch(() => undefined);
      throw error;
    }
  }

  /** Starts a saga, or gives the one that its id has already. It goes on whether anybody waits for it or not. */
  async submit(opportunity: CrossChainOpportunity, account?: string): Promise<WorkflowHandle<SagaResult>> {
    const wallet = account ?? this.senders.wallets[0]?.address;
    if (wallet === undefined) throw new ArbError("config", "cross-chain trades need a wallet");
    const input: SagaInput = { opportunity, account: wallet, again: 0 };
    // its steps may have been deleted since: they must not be taken again
    const known = await this.env.store.saga(opportunity.id);
    if (known?.outcome != null && (await DBOS.getWorkflowStatus(workflowOf(opportunity.id))) === null)
      throw new ArbError("refused", `the cross-chain trade ${opportunity.id} ended long ago: ${known.outcome}`, {
        hint: "give a new trade an id of its own",
      });
    return await DBOS.startWorkflow(sagaWorkflow, { workflowID: workflowOf(opportunity.id) })(input);
  }

  /** Executes one to its end. */
  async execute(opportunity: CrossChainOpportunity, account?: string): Promise<SagaResult> {
    return await (await this.submit(opportunity, account)).getResult();
  }

  /** Goes on with a saga that ended as held; what is said with it is taken at its next decision. Raises ArbError "usage" where it is not held. */
  async resume(id: string, wish?: ChoiceKind): Promise<WorkflowHandle<SagaResult>> {
    const row = await this.env.store.saga(id);
    if (row?.outcome !== "held") throw new ArbError("usage", `${id} is not held`, { where: "arb transfers list" });
    for (let again = 1; ; again++) {
      const workflowID = runOf(id, again);
      const known = await DBOS.getWorkflowStatus(workflowID);
      if (known !== null && (known.status === "SUCCESS" || known.status === "ERROR")) continue;
      const wallet = this.senders.wallets.find((w) => w.address.toLowerCase() === row.account)?.address ?? row.account;
      const input: SagaInput = { opportunity: row.opportunity, account: wallet, again, ...(wish === undefined ? {} : { wish }) };
      return await DBOS.startWorkflow(sagaWorkflow, { workflowID })(input);
    }
  }

  /**
   * One look at a token's stock: goes on with the transfer that is under way, else starts the one that its shares ask for, if it is not
   * too dear. Gives its id; null for none.
   */
  async rebalance(config: RebalancingConfig, account?: string): Promise<string | null> {
    const wallet = account ?? this.senders.wallets[0]?.address;
    if (wallet === undefined) throw new ArbError("config", "rebalancing needs a wallet");
    return await lookAtStock(this.env, wallet, config, async (input) => {
      await DBOS.startWorkflow(rebalancingWorkflow, { workflowID: workflowOf(input.id) })(input);
    });
  }

  /** Accounts that sagas of other drivers wait for go to them, each after the leg in progress; that is not waited for here. */
  async #handOver(): Promise<void> {
    const { actions, onFault } = this.env;
    for (const each of await this.senders.journal.wanted())
      if (!each.claimed || this.senders.has(each)) void actions.handOver(each).catch(onFault);
  }

  /** Held sagas of our accounts that somebody wants to go on: each is started here, once, whoever else hears of it. */
  async #hear(): Promise<void> {
    if (this.env.closed) return;
    const accounts = this.senders.wallets.map((w) => w.address);
    for (const { id, choice } of await this.env.store.wished(accounts)) {
      try {
        await (choice === "look" ? this.resume(id) : this.resume(id, choice));
      } catch (error) {
        // one that cannot go on must not keep the others; it is asked again in the next round
        this.env.onFault(error);
      }
    }
  }

  /** Tells a saga what the operator wants: it is taken at its next decision, where its state allows it. A held one goes on with it. */
  async command(id: string, command: Command): Promise<void> {
    if (command.choice !== "close" && (await this.env.store.wish(id, command.choice))) return;
    await DBOS.send(await runningWorkflowOf(this.env.store.db, id), command, COMMANDS);
  }

  /** Stops this process' part: what is under way goes on in another, or when this one starts again. */
  async close(): Promise<void> {
    this.env.closed = true;
    await this.#stopRebalancing();
    clearInterval(this.#pruning);
    await this.#stopTakeover();
    await DBOS.shutdown();
    await this.enginePool.end();
    await this.senders.close();
    present = null;
  }
}
