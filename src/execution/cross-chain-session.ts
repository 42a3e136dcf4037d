/** Cross-chain trades as a configuration sets them up: their networks, accounts and bridges, to judge trades and to run them. */
import { openBridges } from "../bridges/index.js";
import type { Chain } from "../chain/connect.js";
import { requireCheckedAddresses } from "../config/checked-addresses.js";
import type { Config, NetworkConfig } from "../config/load.js";
import { knownRoutes } from "../config/routes.js";
import { ArbError } from "../errors.js";
import { feePolicy } from "../fees/fees.js";
import { stockOf } from "../inventory/index.js";
import type { OpenJournal } from "../journal/open.js";
import type { CrossChainOpportunity } from "../opportunity/cross-chain.js";
import { openRoutes, type Routes } from "../submit/open-routes.js";
import type { Route } from "../submit/route.js";
import { boundsOf } from "../submit/stuck.js";
import { judgeStart, type Start } from "../transfers/estimate.js";
import type { TradingNetwork } from "../transfers/senders.js";
import type { TransferStore } from "../transfers/store.js";
import { vaultAddress } from "../vault/address.js";
import { vaultVenue } from "../vault/vault-venue.js";
import { refuseDelegated } from "../wallet/delegation.js";
import type { WalletManager } from "../wallet/wallet-manager.js";
import { CrossChainExecutor, type CrossChainOptions, type Env, partsOf } from "./cross-chain-executor.js";

export interface CrossChainSession {
  store: TransferStore;
  /** Quotes, stock and rules, to look without trading. */
  env: Pick<Env, "quotes" | "store" | "rules">;
  /** All that trade across chains. */
  accounts: readonly string[];
  /** The account of a trade: one that trades on both of its networks. Raises ArbError "config" where there is none. */
  account(o: CrossChainOpportunity): string;
  /** What a trade would give, and whether it would be started now. Reads only. */
  judge(o: CrossChainOpportunity): Promise<Start>;
  /** The executor, opened by the first call; it takes over what other drivers left. Raises ArbError "config" in dry-run mode. */
  executor(): Promise<CrossChainExecutor>;
  close(): Promise<void>;
}

export interface CrossChainSessionOptions {
  config: Config;
  /** By name; without any, trades can be judged for nobody's balances. */
  wallets: ReadonlyMap<string, WalletManager>;
  /** Opened when it is known that it is needed. */
  database: () => Promise<OpenJournal>;
  deployments: string;
  connect: (network: NetworkConfig) => Promise<Chain>;
  /** Routes of a network, as trades on one chain take them. */
  routesOf: (chain: Chain, network: NetworkConfig) => Promise<Routes>;
  /** Whether a chain is a world of its own, to whose real network nothing of it may be sent. */
  isLocalWorld: (chain: Chain) => Promise<boolean>;
  onFault: (error: unknown) => void;
}

/** Nobody's address, for quotes without a wallet. */
const NOBODY = "0x000000000000000000000000000000000000dEaD";

/** Connects all enabled networks. Raises ArbError "config" where cross-chain trades are off. */
export async function openCrossChainSession(options: CrossChainSessionOptions): Promise<CrossChainSession> {
  const { config, wallets, onFault } = options;
  const settings = config.crossChain;
  if (settings === null) {
    throw new ArbError("config", "cross-chain trades are off", {
      where: "crossChain.enabled",
      hint: "set it to true, with crossChain.minProfit, crossChain.maxLoss and bridges.enabled",
    });
  }
  const live = config.mode === "live";
  const opened = await options.database();
  const networks: TradingNetwork[] = [];
  const close = () => {
    for (const { chain } of networks) chain.close();
  };
  const accounts = [...wallets].filter(([name]) => config.networks.filter((n) => n.wallets.includes(name)).length > 1);
  try {
    for (const networkConfig of config.networks) networks.push(await tradingNetwork(networkConfig, options, live));
    if (live) {
      for (const { chain } of networks)
        for (const [, wallet] of accounts) if (!isVault(settings)) await refuseDelegated(chain, wallet.address);
    }
    const executorOptions: CrossChainOptions = {
      db: opened.db,
      journal: opened.journal,
      networks,
      wallets: accounts.map(([, wallet]) => wallet),
      bridges: await openBridges(config),
      rules: settings.rules,
      policy: settings.policy,
      settings: settings.settings,
      rebalancing: settings.rebalancing.map((r) => ({ ...r, accounts: accountsOn([...r.shares.keys()], accounts, config) })),
      onFault,
      keepDays: config.database.keepDays,
    };
    const { env } = partsOf(executorOptions);
    const accountOf = (o: CrossChainOpportunity): string | null => {
      const on = (chainId: number) => config.networks.find((n) => n.network.chainId === chainId)?.wallets ?? [];
      const [name] = on(o.buy.chainId).filter((n) => on(o.sell.chainId).includes(n));
      return name === undefined ? null : (wallets.get(name)?.address ?? null);
    };
    let opening: Promise<CrossChainExecutor> | null = null;
    return {
      store: env.store,
      env,
      accounts: accounts.map(([, wallet]) => wallet.address),
      account: (o) => {
        const found = accountOf(o);
        if (found !== null) return found;
        throw new ArbError("config", "no account trades on both networks of the opportunity", {
          where: "networks.NAME.wallets",
          hint: "an account that trades across chains must be named by both",
        });
      },
      judge: async (o) => {
        const account = accountOf(o);
        const start = await judgeStart(o, account ?? NOBODY, env);
        if (!start.ok || account === null) return start;
        const places = await stockOf(opened.db, (chainId) => env.quotes.senders.chain(chainId).provider, start.wanted);
        for (const [i, { free, chainId, token }] of places.entries()) {
          const want = start.wanted[i]?.amount ?? 0n;
          const symbol = env.quotes.senders.symbol(chainId, token);
          const reason = `${want} units of ${symbol} are wanted on chain ${chainId}, ${free} are free`;
          if (free < want) return { ok: false, reason, estimate: start.estimate };
        }
        return start;
      },
      executor: async () => {
        if (!live) throw new ArbError("config", 'mode is "dry-run": cross-chain trades are judged, not made', { where: "mode" });
        opening ??= CrossChainExecutor.open(executorOptions);
        opening.catch(() => (opening = null));
        return await opening;
      },
      close: async () => {
        const executor = await opening?.catch(() => null);
        await executor?.close();
        close();
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** Accounts that trade on all of these networks. */
const accountsOn = (chainIds: number[], accounts: [string, WalletManager][], { networks }: Config): string[] =>
  accounts
    .filter(([name]) => chainIds.every((c) => networks.find((n) => n.network.chainId === c)?.wallets.includes(name)))
    .map(([, wallet]) => wallet.address);

const isVault = (settings: NonNullable<Config["crossChain"]>): boolean => settings.holder === "vault";

async function tradingNetwork(
  networkConfig: NetworkConfig,
  options: CrossChainSessionOptions,
  live: boolean,
): Promise<TradingNetwork> {
  const { config, deployments, connect } = options;
  const settings = config.crossChain!;
  const { network } = networkConfig;
  const chain = await connect(networkConfig);
  try {
    if (live) await requireCheckedAddresses(network, chain.provider, chain.local);
    const arrivalBlocks = settings.arrivalBlocks.get(network.chainId);
    const vault = isVault(settings) ? vaultOf(networkConfig, deployments) : null;
    const routes = live ? await lastingRoutes(chain, networkConfig, options) : [];
    return {
      chain,
      fees: feePolicy(networkConfig, config.gas.patienceBlocks),
      stuck: boundsOf(networkConfig),
      ...(routes.length > 0 ? { routes } : {}),
      ...(arrivalBlocks === undefined ? {} : { arrivalBlocks }),
      ...(vault === null ? {} : { venue: (account: string) => vaultVenue(vault, chain.provider, account) }),
    };
  } catch (error) {
    chain.close();
    throw error;
  }
}

/**
 * The configured routes that hold bytes until they land: bundles are for one block each, and a leg that no block took would have to be
 * signed again. Where there are none, the private endpoint of the registry; in a local world its node.
 */
async function lastingRoutes(
  chain: Chain,
  networkConfig: NetworkConfig,
  { routesOf, isLocalWorld }: CrossChainSessionOptions,
): Promise<readonly Route[]> {
  const { network, submission } = networkConfig;
  const { routes } = await routesOf(chain, networkConfig);
  const lasting = routes.filter((route) => (route.holds ?? "open") === "open");
  if (lasting.length > 0 || !knownRoutes(network).includes("protect") || (await isLocalWorld(chain))) return lasting;
  return (await openRoutes({ network, submission: { ...submission, routes: ["protect"] } }, { nodes: [] })).routes;
}

/** Raises ArbError "config" for a network without a vault. */
function vaultOf(networkConfig: NetworkConfig, deployments: string): string {
  const { network } = networkConfig;
  const address = vaultAddress(networkConfig, deployments);
  if (address !== null) return address;
  throw new ArbError("config", `crossChain.holder is "vault", and ${network.title} has none`, {
    where: `networks.${network.name}.vault.address`,
    hint: `deploy one with: arb deploy --contract vault --network ${network.name} --owner 0x...`,
  });
}
