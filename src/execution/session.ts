import { isError } from "ethers";
import { IArbExecutor__factory } from "../../types/contracts/index.js";
import { type Chain, connectChain } from "../chain/connect.js";
import { classifyNodeError } from "../chain/errors.js";
import { requireCheckedAddresses } from "../config/checked-addresses.js";
import { type Config, type NetworkConfig, resolveEndpoints } from "../config/load.js";
import { databaseSettings } from "../database/settings.js";
import { readDeployment, stepRecordName } from "../deploy/record.js";
import { ArbError } from "../errors.js";
import { feePolicy } from "../fees/fees.js";
import type { ValidationContext } from "../opportunity/validate.js";
import { SlippageManager, type SlippageTiers } from "../plan/slippage.js";
import { type OpenJournal, openJournalOf } from "../journal/open.js";
import { openRoutes, type Routes } from "../submit/open-routes.js";
import { readRoundTiming } from "../submit/relays/express-lane.js";
import { boundsOf, stuckPolicyOf } from "../submit/stuck.js";
import { TransactionExecutor } from "../submit/transaction-executor.js";
import { VENUES } from "../venues/index.js";
import type { PoolTraits } from "../venues/venue.js";
import { refuseDelegated } from "../wallet/delegation.js";
import { openWallets } from "../wallet/open.js";
import type { WalletManager } from "../wallet/wallet-manager.js";
import { type CrossChainSession, openCrossChainSession } from "./cross-chain-session.js";
import { SameChainExecutor } from "./same-chain-executor.js";

/** The configured drivers, one per network and account, connected and checked. */
export interface Session {
  config: Config;
  /** The account of `Config.wallet`. */
  wallet: WalletManager | null;
  /** Names of the accounts that trade on a network; empty without a wallet. */
  accounts(chainId: number): string[];
  /** The driver of an account, by default the network's first. */
  driver(chainId: number, account?: string): Promise<SameChainExecutor>;
  /** Cross-chain trades, opened by the first call. Raises ArbError "config" where they are off. */
  crossChain(): Promise<CrossChainSession>;
  /** What opportunities are validated against, at this moment. */
  validation(): ValidationContext;
  /** Gives the accounts back, closes connections and overwrites keys. */
  close(): Promise<void>;
}

const LOCAL_HOSTS = new Set(["127.0.0.1", "localhost", "[::1]"]);
const RECEIPT_POLLS_PER_BLOCK = 4;
/** Another driver takes a dead one's trades, and so its accounts, within ten seconds. */
const SHORT_LEASE_MS = 6_000;

export interface SessionOptions {
  /** Folder of the deployment records. */
  deployments: string;
  /** Whether to send where the configuration says live. */
  send: boolean;
  /** What fails in the background, where it is tried again: a round of watching, a sign of life. */
  onFault?: (error: unknown) => void;
}

/** Opens the accounts of a configuration; networks are connected when the first opportunity asks for them. */
export async function openSession(config: Config, options: SessionOptions): Promise<Session> {
  const wallets = await openWallets(config);
  const drivers = new Map<string, Promise<SameChainExecutor>>();
  const onFault = options.onFault ?? (() => undefined);
  const ways = new Map<string, Promise<Routes>>();
  const chains: Chain[] = [];
  const senders: TransactionExecutor[] = [];
  let opening: Promise<OpenJournal> | null = null;
  const database = async () => {
    const lease = config.crossChain === null ? {} : { ttlMs: SHORT_LEASE_MS };
    const { keepDays } = config.database;
    opening ??= databaseSettings(config).then((settings) => openJournalOf(settings, { onFault, keepDays, ...lease }));
    opening.catch(() => (opening = null));
    return await opening;
  };
  const journal = async () => (await database()).journal;
  let trading: Promise<CrossChainSession> | null = null;
  const crossChain = async (): Promise<CrossChainSession> => {
    trading ??= openCrossChainSession({
      config,
      wallets,
      database,
      deployments: options.deployments,
      connect: async (networkConfig) => await connectTo(networkConfig, config),
      routesOf,
      isLocalWorld: async (chain) => chain.local === true && (await isLocalWorld(chain)),
      onFault,
    });
    trading.catch(() => (trading = null));
    return await trading;
  };
  // relays know all accounts of a network by one key
  const routesOf = async (chain: Chain, networkConfig: NetworkConfig): Promise<Routes> => {
    const { name } = networkConfig.network;
    const opened = ways.get(name) ?? openRoutesOf(chain, networkConfig);
    ways.set(name, opened);
    opened.catch(() => ways.delete(name));
    return await opened;
  };
  const open = async (networkConfig: NetworkConfig, wallet: WalletManager | null): Promise<SameChainExecutor> => {
    const chain = await connectTo(networkConfig, config);
    try {
      const driver = await driverOn(chain, networkConfig, wallet);
      chains.push(chain);
      return driver;
    } catch (error) {
      chain.close();
      throw error;
    }
  };
  const driverOn = async (
    chain: Chain,
    networkConfig: NetworkConfig,
    wallet: WalletManager | null,
  ): Promise<SameChainExecutor> => {
    const executor = executorOf(networkConfig, options.deployments);
    if (executor === null) {
      throw new ArbError("config", `no executor is deployed on ${networkConfig.network.title}`, {
        where: `networks.${networkConfig.network.name}.executor`,
        hint: `deploy one with: arb deploy --network ${networkConfig.network.name} --owner 0x..., or give its address`,
      });
    }
    const operator = await operatorOf(chain, executor, wallet);
    const stepExecutor = stepExecutorOf(networkConfig, options.deployments);
    if (stepExecutor !== null) await operatorOf(chain, stepExecutor, wallet);
    if (wallet !== null) await refuseDelegated(chain, wallet.address);
    const send = options.send && config.mode === "live";
    let transactions: TransactionExecutor | null = null;
    if (send && wallet !== null) {
      await requireCheckedAddresses(networkConfig.network, chain.provider, chain.local);
      const { routes, simulator } = await routesOf(chain, networkConfig);
      transactions = new TransactionExecutor(chain, wallet, routes, { journal: await journal(), simulator, onFault });
      // what an earlier run left is settled before anything new is looked at
      await transactions.start();
      const fees = feePolicy(networkConfig, config.gas.patienceBlocks);
      const stuck = stuckPolicyOf(chain, fees, boundsOf(networkConfig));
      transactions.keepWatching(networkConfig.network.blockTimeMs, onFault, stuck);
      senders.push(transactions);
    }
    return new SameChainExecutor({
      chain,
      executor,
      stepExecutor,
      operator,
      transactions,
      slippage: new SlippageManager(tiersOf(config)),
      settings: {
        costMarginPpm: config.marginOverCostPpm,
        minNetProfit: networkConfig.minNetProfit,
        gasBufferPpm: config.gas.bufferPpm,
        timeToLive: Math.ceil(config.timeouts.opportunityMs / 1000),
        watchMs: config.timeouts.receiptMs,
        pollMs: Math.max(20, Math.floor(networkConfig.network.blockTimeMs / RECEIPT_POLLS_PER_BLOCK)),
        funding: config.fundingPreference,
        maxGasCost: networkConfig.maxGasCost,
        guards: config.guards,
        fees: feePolicy(networkConfig, config.gas.patienceBlocks),
        tips: config.tips,
      },
    });
  };
  const configured = (chainId: number): NetworkConfig => {
    const networkConfig = config.networks.find((n) => n.network.chainId === chainId);
    if (!networkConfig) throw new ArbError("config", `chain ${chainId} is not configured`, { where: "networks" });
    return networkConfig;
  };
  return {
    config,
    wallet: config.wallet === null ? null : (wallets.get(config.wallet.name) ?? null),
    accounts: (chainId) => configured(chainId).wallets,
    driver: (chainId, account) => {
      const networkConfig = configured(chainId);
      const name = account ?? networkConfig.wallets[0] ?? null;
      if (name !== null && !networkConfig.wallets.includes(name))
        throw new ArbError("config", `${name} is no account of ${networkConfig.network.title}`, { where: "networks" });
      const key = `${chainId} ${name ?? ""}`;
      const opened = drivers.get(key) ?? open(networkConfig, name === null ? null : (wallets.get(name) ?? null));
      drivers.set(key, opened);
      // a node that was away when the first opportunity came is asked again by the next one
      opened.catch(() => drivers.delete(key));
      return opened;
    },
    crossChain,
    validation: () => validationOf(config),
    close: async () => {
      await (await trading?.catch(() => null))?.close();
      for (const sender of senders) await sender.close();
      const opened = await opening?.catch(() => null);
      await opened?.close();
      for (const chain of chains) chain.close();
      for (const wallet of wallets.values()) wallet.close();
    },
  };
}

/**
 * Opens the configured routes of a network. In a local world they must be named: what is signed there counts on the real network too,
 * and the registry's endpoints are the real ones. Raises ArbError "config".
 */
async function openRoutesOf(chain: Chain, networkConfig: NetworkConfig): Promise<Routes> {
  const { network, submission } = networkConfig;
  if (chain.local === true && (await isLocalWorld(chain))) {
    const own = new Set([...submission.relays.map((relay) => relay.id), "node"]);
    if (submission.sequencer !== null) own.add("sequencer").add("express-lane");
    const foreign = submission.routes.find((name) => !own.has(name.replace(/-private$/, "")));
    if (foreign !== undefined) {
      throw new ArbError("config", `the route ${foreign} leads to the real ${network.title}, but the endpoint is a local world`, {
        where: `networks.${network.name}.routes`,
        hint: 'name routes of the local world: "node", a relay of its own under relays, or set sequencer',
      });
    }
  }
  const ask = async (method: string, params: unknown[]) => await chain.provider.send(method, params);
  const express = submission.routes.includes("express-lane") ? { expressLaneTiming: await readRoundTiming(ask) } : {};
  return await openRoutes(networkConfig, {
    nodes: await resolveEndpoints(networkConfig),
    ...(chain.pool && { pool: chain.pool }),
    ...express,
  });
}

/** Whether a loopback endpoint is a world of its own, and no node of the real network. */
async function isLocalWorld({ network, provider }: Chain): Promise<boolean> {
  const first = await provider.getBlock(0).catch(() => null);
  // a pruned node does not have it; a local world always does
  return network.genesisHash !== null && first !== null && first.hash !== network.genesisHash;
}

/** The configured executor of a network, else the one in its deployment record; null when there is none. */
export function executorOf({ executor, network }: NetworkConfig, deployments: string): string | null {
  return executor ?? readDeployment(deployments, network.name)?.address ?? null;
}

/** The configured StepExecutor of a network, else the one in its deployment record; null when there is none. */
export function stepExecutorOf({ stepExecutor, network }: NetworkConfig, deployments: string): string | null {
  return stepExecutor ?? readDeployment(deployments, stepRecordName(network.name))?.address ?? null;
}

/** What opportunities are validated against: the configured networks, tokens and pools, at this moment. */
export function validationOf(config: Config): ValidationContext {
  return {
    networks: config.networks.map((n) => n.network),
    allowedPools: config.networks.flatMap((n) =>
      n.pools.map(({ venue, address, token0, token1, feePips, tickSpacing, hooks, hookData }) => {
        const { kind } = VENUES[venue];
        const key = { tickSpacing, hooks, hookData };
        const traits = Object.fromEntries(Object.entries(key).filter(([, value]) => value !== undefined)) as PoolTraits;
        return { chainId: n.network.chainId, address, venue, kind, tokens: [token0, token1] as const, feePips, traits };
      }),
    ),
    now: Math.floor(Date.now() / 1000),
  };
}

/** Connects to a configured network. A loopback endpoint may be a local world, which has its own genesis block. */
export async function connectTo(networkConfig: NetworkConfig, config: Pick<Config, "timeouts">): Promise<Chain> {
  const urls = await resolveEndpoints(networkConfig);
  for (const [i, url] of urls.entries()) {
    // the URL itself may hold a key and is not repeated
    if (!URL.canParse(url))
      throw new ArbError("config", "the endpoint is no URL", { where: `networks.${networkConfig.network.name}.rpc[${i}]` });
  }
  const local = urls.every((url) => LOCAL_HOSTS.has(new URL(url).hostname));
  const { rpcLimits, staleAfterMs } = networkConfig;
  return await connectChain(networkConfig.network, urls, {
    timeoutMs: config.timeouts.rpcMs,
    local,
    requestsPerSecond: rpcLimits.requestsPerSecond,
    maxBatch: rpcLimits.batch,
    ...(staleAfterMs === null ? {} : { staleMs: staleAfterMs }),
  });
}

/** The wallet's address if it is an operator of the executor; in a dry run without a wallet the first operator. */
async function operatorOf(chain: Chain, executor: string, wallet: WalletManager | null): Promise<string> {
  const where = `${chain.network.name} ${executor}`;
  if ((await chain.provider.getCode(executor)) === "0x") {
    throw new ArbError("config", "there is no contract at the executor's address", {
      where,
      hint: `deploy it with: arb deploy --network ${chain.network.name} --owner 0x...`,
    });
  }
  const operators: string[] = await IArbExecutor__factory.connect(executor, chain.provider)
    .operators()
    .catch((error: unknown) => {
      if (!isError(error, "BAD_DATA") && classifyNodeError(error).kind !== "reverted") throw error;
      throw new ArbError("config", "the contract at the executor's address is no ArbExecutor", { where });
    });
  const operator = wallet === null ? operators[0] : operators.find((o) => o === wallet.address);
  if (operator === undefined) {
    throw new ArbError("config", `${wallet?.address ?? "nobody"} is not an operator of this executor`, {
      where,
      hint: `its operators are ${operators.join(", ")}`,
    });
  }
  return operator;
}

function tiersOf({ slippage }: Config): SlippageTiers {
  return {
    margins: [
      ...slippage.tiers.map((t) => ({ abovePpm: t.above, tolerancePpm: t.allow })),
      { abovePpm: 0, tolerancePpm: slippage.otherwise },
    ],
    impacts: slippage.impact.map((t) => ({ abovePpm: t.above, sizePpm: t.size })),
  };
}
