import { readFileSync } from "node:fs";
import path from "node:path";
import { getNodeValue, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { ArbError } from "../errors.js";
import type { FundingId } from "../funding/funding.js";
import { KEEP_DAYS } from "../journal/retention.js";
import type { GuardSettings } from "../plan/planner-guards.js";
import { parseAmount, unitOf } from "../units.js";
import type { PoolId } from "../venues/venue.js";
import { type CrossChainConfig, resolveCrossChain } from "./cross-chain.js";
import { unverified } from "./facts.js";
import { fail, type Fault, faultsOf, findDuplicate, MAX_DEPTH, type Path, place, refuseSecrets, tooDeep } from "./faults.js";
import type { Network } from "./network.js";
import { findToken, networkByName } from "./networks.js";
import { resolvePools } from "./pools.js";
import { defaultRoutes, knownRoutes, type RoutesConfig } from "./routes.js";
import { configSchema, type ParsedBridges, type ParsedConfig, type ParsedNetwork, type ParsedWallet } from "./schema.js";
import { readSecret } from "./secrets.js";
import { resolveVault, type VaultConfig } from "./vault.js";

/** One network to trade on. Amounts in wei; fees in wei per gas. */
export interface NetworkConfig {
  /** The registry's entry with the configured tokens added. */
  network: Network;
  /** As configured: URLs or references; `resolveEndpoints` reads them. */
  rpc: string[];
  rpcLimits: { requestsPerSecond: number | null; batch: number };
  /** Age of the newest block in milliseconds beyond which nothing is traded; null = the network's default. */
  staleAfterMs: number | null;
  /** Configured executor; null = the one of deployments/NAME.json. */
  executor: string | null;
  /** Configured StepExecutor; null = the one of deployments/NAME.steps.json, if there is one. */
  stepExecutor: string | null;
  maxFeePerGas: bigint;
  priorityFee: bigint;
  /** Up to which the tip may follow what others paid lately; null = it is `priorityFee`. */
  maxPriorityFee: bigint | null;
  maxGasCost: bigint;
  /** The ways that transactions take; `openRoutes` opens them. */
  submission: RoutesConfig;
  /** What the vault's owner allows its operators; null = no vault is configured. */
  vault: VaultConfig | null;
  /** Pools allowed beside those of the registry's factories. */
  pools: PoolId[];
  /** Least net profit in base units by token address; a token that is not here is not traded for profit. */
  minNetProfit: Map<string, bigint>;
  /** Names of the accounts that trade here; empty without a wallet. */
  wallets: string[];
}

/** An account: where its key is, and the references to what opens it. */
export type WalletConfig = { name: string } & (
  | { kind: "keystore"; keystore: string; password: string }
  | {
      kind: "remote";
      url: string;
      address: string;
      token: string | null;
      tls: { certificate: string; key: string } | null;
      authority: string | null;
      timeoutMs: number;
    }
);

/** The name of the account that stands under "wallet". */
export const MAIN_WALLET = "wallet";

/** A checked configuration. Shares in parts per million, times in milliseconds. */
export interface Config {
  /** Absolute path of the file. */
  file: string;
  mode: "dry-run" | "live";
  /** The enabled networks. */
  networks: NetworkConfig[];
  /** The account under "wallet", else the first of "wallets": what deployments use. */
  wallet: WalletConfig | null;
  /** Every account, by name. */
  wallets: Map<string, WalletConfig>;
  slippage: ParsedConfig["slippage"];
  marginOverCostPpm: number;
  gas: { bufferPpm: number; patienceBlocks: number };
  timeouts: { rpcMs: number; opportunityMs: number; receiptMs: number };
  fundingPreference: FundingId[];
  guards: GuardSettings;
  /** How tips climb while private routes have a trade. */
  tips: { budgetPpm: number; stepPpm: number; blocksPerTip: number };
  /** Fees in parts per million or wei; see src/bridges/index.ts. */
  bridges: ParsedBridges;
  /** What cross-chain trades may do; null = they are off. */
  crossChain: CrossChainConfig | null;
  /** Folder of the embedded database (absolute), reference to the URL of another, and whether either was set. */
  database: {
    folder: string;
    url: string | null;
    given: boolean;
    /** Days for which what is only of use for looking into things is kept. */
    keepDays: number;
  };
}

/**
 * Reads `arb.config.jsonc`. Every fault is reported with line and column. Raises ArbError "config", and "secrets" when the file
 * holds a key or a mnemonic, whatever the place; the secret is not repeated in the message.
 */
export function loadConfig(file: string): Config {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new ArbError("config", "the configuration cannot be read", { where: file, hint: "make one with: arb init", cause });
  }
  return parseConfig(text, path.resolve(file));
}

/** The same for text that is already read; `file` names it in messages and is what relative paths refer to. */
export function parseConfig(text: string, file: string): Config {
  refuseSecrets(text, file);
  const deep = tooDeep(text);
  if (deep !== null) {
    const at = place(text, file, deep);
    throw new ArbError("config", `${at} is nested deeper than ${MAX_DEPTH} levels`, { where: at });
  }
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true });
  const [syntax] = errors;
  if (syntax || tree?.type !== "object") {
    const what = syntax ? printParseErrorCode(syntax.error) : "an object in braces is expected";
    throw new ArbError("config", `${place(text, file, syntax?.offset ?? 0)} is not valid JSONC: ${what}`, {
      where: place(text, file, syntax?.offset ?? 0),
    });
  }
  const duplicate = findDuplicate(tree, []);
  if (duplicate) fail(text, file, tree, [{ path: duplicate, message: "is given twice", atKey: true }]);
  const parsed = configSchema.safeParse(getNodeValue(tree));
  if (!parsed.success) fail(text, file, tree, parsed.error.issues.flatMap(faultsOf));
  const faults: Fault[] = [];
  const config = resolve(parsed.data, file, faults);
  if (faults.length > 0) fail(text, file, tree, faults);
  return config;
}

/** Reads the endpoints of a network: "env:NAME" and "file:/path" are replaced by what they hold. Raises ArbError "secrets", "config". */
export async function resolveEndpoints(config: NetworkConfig): Promise<string[]> {
  const where = `networks.${config.network.name}.rpc`;
  return Promise.all(
    config.rpc.map(async (reference, i) => {
      if (/^(https?|wss?|ipc):/i.test(reference)) return reference;
      const url = (await readSecret(reference, { allowEnv: true, where: `${where}[${i}]` })).reveal().trim();
      if (!/^((https?|wss?):\/\/\S+|ipc:\/.+)$/i.test(url) || !URL.canParse(url))
        throw new ArbError("config", `${reference} holds no http(s), ws(s) or ipc URL`, { where: `${where}[${i}]` });
      return url;
    }),
  );
}

/** Reads what belongs together across fields; faults are collected. */
function resolve(c: ParsedConfig, file: string, faults: Fault[]): Config {
  const networks = Object.entries(c.networks).flatMap(([name, n]) =>
    n?.enabled ? [resolveNetwork(name, n, c.profit.minNet, accountsOf(name, n, c, faults), faults)] : [],
  );
  c.profit.minNet.forEach((amount, i) => {
    const known = networks.some((n) => findToken(n.network, unitOf(amount) ?? "") !== null);
    // the defaults name tokens that a small configuration may not have
    if (!known && networkTokenUnknown(unitOf(amount) ?? ""))
      faults.push({ path: ["profit", "minNet", i], message: `names ${unitOf(amount)}, which is no token of an enabled network` });
  });
  if (networks.length === 0) faults.push({ path: ["networks"], message: "enables no network; at least one is needed" });
  if (c.mode === "live")
    for (const { network, wallets } of networks)
      if (wallets.length === 0)
        faults.push({ path: ["mode"], message: `is "live", which needs a wallet; ${network.title} has none` });
  const wallets = resolveWallets(c, file, faults);
  return {
    file,
    mode: c.mode,
    networks,
    wallet: [...wallets.values()][0] ?? null,
    wallets,
    slippage: c.slippage,
    marginOverCostPpm: c.profit.marginOverCost,
    gas: { bufferPpm: c.gas.buffer, patienceBlocks: c.gas.patienceBlocks },
    timeouts: { rpcMs: c.timeouts.rpc, opportunityMs: c.timeouts.opportunity, receiptMs: c.timeouts.receipt },
    fundingPreference: c.funding.preference,
    guards: guardsOf(c.guards, faults),
    tips: { budgetPpm: c.tips.budget, stepPpm: c.tips.step, blocksPerTip: c.tips.blocksPerTip },
    bridges: bridgesOf(c, faults),
    crossChain: resolveCrossChain(
      c.crossChain,
      { networks: networks.map((n) => n.network), bridges: c.bridges.enabled.length },
      faults,
    ),
    database: {
      folder: path.resolve(path.dirname(file), c.database?.folder ?? "arb-data"),
      url: c.database?.url ?? null,
      given: c.database?.folder !== undefined || c.database?.url !== undefined,
      keepDays: c.database?.keepDays ?? KEEP_DAYS,
    },
  };
}

function bridgesOf(c: ParsedConfig, faults: Fault[]): ParsedBridges {
  const { enabled, across } = c.bridges;
  if (enabled.includes("across") && across.apiKey === undefined && across.schedule.length === 0)
    faults.push({ path: ["bridges", "enabled"], message: "names across, which needs bridges.across.apiKey or a schedule" });
  if (c.mode === "live" && across.apiKey?.startsWith("env:"))
    faults.push({
      path: ["bridges", "across", "apiKey"],
      message: 'is read from the environment, which live mode refuses; use "file:/path", "fd:3" or "prompt"',
    });
  across.schedule.forEach((line, i) => {
    if (across.schedule.findIndex((l) => l.token === line.token) !== i)
      faults.push({ path: ["bridges", "across", "schedule", i], message: `has a second line for ${line.token}` });
    if (Number(line.min) > Number(line.max))
      faults.push({ path: ["bridges", "across", "schedule", i], message: "has its least amount above its largest" });
  });
  return c.bridges;
}

/** The names of the accounts that trade on a network. */
function accountsOf(name: string, n: ParsedNetwork, c: ParsedConfig, faults: Fault[]): string[] {
  if (n.wallets === undefined) return c.wallet ? [MAIN_WALLET] : [];
  n.wallets.forEach((wallet, i) => {
    const at: Path = ["networks", name, "wallets", i];
    if (!(wallet === MAIN_WALLET && c.wallet) && !Object.hasOwn(c.wallets, wallet))
      faults.push({ path: at, message: `names ${wallet}, which is not listed under wallets` });
    if (n.wallets?.indexOf(wallet) !== i) faults.push({ path: at, message: `names ${wallet} twice` });
  });
  return n.wallets;
}

function resolveWallets(c: ParsedConfig, file: string, faults: Fault[]): Map<string, WalletConfig> {
  const all: [Path, string, ParsedWallet][] = Object.entries(c.wallets).map(([name, w]) => [["wallets", name], name, w]);
  if (Object.hasOwn(c.wallets, MAIN_WALLET))
    faults.push({ path: ["wallets", MAIN_WALLET], message: 'is the name of what stands under "wallet"; use another' });
  else if (c.wallet) all.unshift([["wallet"], MAIN_WALLET, c.wallet]);
  return new Map(
    all.map(([at, name, w]) => {
      if (c.mode === "live")
        for (const field of ["password", "token", "clientKey"] as const)
          if (w[field]?.startsWith("env:"))
            faults.push({
              path: [...at, field],
              message: 'is read from the environment, which live mode refuses; use "file:/path", "fd:3" or "prompt"',
            });
      return [name, resolveWallet(name, w, file)];
    }),
  );
}

function resolveWallet(name: string, w: ParsedWallet, file: string): WalletConfig {
  if (w.remote === undefined) {
    const keystore = path.resolve(path.dirname(file), w.keystore ?? "");
    return { name, kind: "keystore", keystore, password: w.password ?? "" };
  }
  return {
    name,
    kind: "remote",
    url: w.remote,
    address: w.address ?? "",
    token: w.token ?? null,
    tls: w.clientCertificate && w.clientKey ? { certificate: w.clientCertificate, key: w.clientKey } : null,
    authority: w.authority ?? null,
    timeoutMs: w.timeout,
  };
}

function guardsOf({ tip, ...guards }: ParsedConfig["guards"], faults: Fault[]): GuardSettings {
  if (tip === undefined) return { ...guards, tip: null };
  // the contract counts hundredths of a percent
  const bips = Math.floor(tip.share / 100);
  if (bips === 0) faults.push({ path: ["guards", "tip", "share"], message: "is less than 0.01 %" });
  if (tip.floor > tip.cap) faults.push({ path: ["guards", "tip", "floor"], message: "is more than the cap" });
  return { ...guards, tip: { bips, floor: tip.floor, cap: tip.cap } };
}

const DEFAULT_TOKENS = new Set(["weth", "usdc", "usdt", "dai", "wbtc", "cbbtc"]);
const networkTokenUnknown = (symbol: string): boolean => !DEFAULT_TOKENS.has(symbol.toLowerCase());

function resolveNetwork(name: string, n: ParsedNetwork, minNet: string[], wallets: string[], faults: Fault[]): NetworkConfig {
  const known = networkByName(name);
  if (!known) throw new ArbError("internal", `the registry has no ${name}`);
  const network: Network = { ...known, tokens: [...known.tokens] };
  n.tokens.forEach((t, i) => {
    if (findToken(network, t.symbol) ?? findToken(network, t.address))
      faults.push({
        path: ["networks", name, "tokens", i],
        message: `is already listed: ${t.symbol} or its address is known on ${network.title}`,
      });
    else network.tokens.push({ symbol: t.symbol, decimals: t.decimals, ...unverified(t.address, "arb.config.jsonc") });
  });
  const pools = resolvePools(network, n.pools, ["networks", name, "pools"], faults);
  const minNetProfit = new Map<string, bigint>();
  minNet.forEach((amount, i) => {
    const token = findToken(network, unitOf(amount) ?? "");
    if (!token) return;
    if (minNetProfit.has(token.address)) faults.push({ path: ["profit", "minNet", i], message: `names ${token.symbol} twice` });
    try {
      minNetProfit.set(token.address, parseAmount(amount, token));
    } catch (error) {
      if (!(error instanceof ArbError)) throw error;
      faults.push({ path: ["profit", "minNet", i], message: error.message });
    }
  });
  const [maxFeePerGas, priorityFee, maxGasCost] =
    network.stack === "l1" ? [30n * 10n ** 9n, 10n ** 8n, 10n ** 15n] : [10n ** 9n, 10n ** 6n, 2n * 10n ** 14n];
  const config = {
    network,
    rpc: n.rpc,
    rpcLimits: { requestsPerSecond: n.rpcLimits.requestsPerSecond ?? null, batch: n.rpcLimits.batch },
    staleAfterMs: n.staleAfter ?? null,
    executor: n.executor ?? null,
    stepExecutor: n.stepExecutor ?? null,
    maxFeePerGas: n.maxFeePerGas ?? maxFeePerGas,
    priorityFee: n.priorityFee ?? priorityFee,
    maxPriorityFee: n.maxPriorityFee ?? null,
    maxGasCost: n.maxGasCost ?? maxGasCost,
    submission: resolveRoutes(network, n, faults),
    vault: n.vault ? resolveVault(network, n.vault, faults) : null,
    pools,
    minNetProfit,
    wallets,
  };
  if (config.priorityFee > config.maxFeePerGas)
    faults.push({
      path: ["networks", name, n.priorityFee === undefined ? "maxFeePerGas" : "priorityFee"],
      message: "makes the tip higher than maxFeePerGas",
    });
  if (config.maxPriorityFee !== null && config.maxPriorityFee < config.priorityFee)
    faults.push({ path: ["networks", name, "maxPriorityFee"], message: "is below priorityFee" });
  if (config.maxPriorityFee !== null && config.maxPriorityFee > config.maxFeePerGas)
    faults.push({ path: ["networks", name, "maxPriorityFee"], message: "makes the tip higher than maxFeePerGas" });
  return config;
}

/** Reads the routes of a network: only such that it has, and relays whose names are not taken. */
function resolveRoutes(network: Network, n: ParsedNetwork, faults: Fault[]): RoutesConfig {
  const at: Path = ["networks", network.name];
  const known = knownRoutes(network);
  const names = n.relays.map((relay) => relay.id);
  names.forEach((id, i) => {
    if (known.includes(id) || names.indexOf(id) < i)
      faults.push({ path: [...at, "relays", i, "id"], message: `is taken: there is a route ${id} already` });
  });
  const all = [...known, ...names];
  n.routes?.forEach((name, i) => {
    if (!all.includes(name))
      faults.push({ path: [...at, "routes", i], message: `is no route of ${network.title}: choose from ${all.join(", ")}` });
  });
  if (n.relays.length > 0 && network.stack !== "l1")
    faults.push({ path: [...at, "relays"], message: `cannot be used: ${network.title} has a sequencer, no builders` });
  if (n.routes?.includes("express-lane") === true && n.expressLaneKey === undefined)
    faults.push({ path: [...at, "routes"], message: "names express-lane, which needs expressLaneKey" });
  return {
    routes: n.routes ?? defaultRoutes(network),
    relays: n.relays,
    relayKey: n.relayKey ?? null,
    sequencer: n.sequencer ?? null,
    sequencerMode: n.sequencerMode,
    expressLaneKey: n.expressLaneKey ?? null,
    refund: n.refund ?? null,
  };
}
