import type { SagaSettings } from "../execution/cross-chain-executor.js";
import type { LossLimits, RecoveryPolicy } from "../execution/recovery-manager.js";
import type { AssetLimits, Limits } from "../inventory/inventory.js";
import type { RebalanceRules } from "../inventory/rebalance.js";
import type { StartRules } from "../transfers/estimate.js";
import { ArbError } from "../errors.js";
import { parseAmount, unitOf } from "../units.js";
import type { ParsedCrossChain } from "./cross-chain-schema.js";
import type { Fault, Path } from "./faults.js";
import type { Network, Token } from "./network.js";
import { findToken } from "./networks.js";

/** How the stock of one token is spread over networks. Shares in parts per million by chain id. */
export interface RebalancingConfig extends RebalanceRules {
  token: string;
  shares: Map<number, number>;
  everyMs: number;
  /** Longest that a transfer may take; what trades' transfers may take when left out. */
  withinSeconds?: number;
  /** What an hour of its absence costs stock, parts per million of the amount; 10 when left out. */
  timeCostPpmPerHour?: number;
}

/** What cross-chain trades may do. Amounts in base units by symbol. */
export interface CrossChainConfig {
  rules: StartRules;
  policy: RecoveryPolicy;
  settings: Partial<SagaSettings>;
  rebalancing: RebalancingConfig[];
  /** Whose tokens are traded. */
  holder: "account" | "vault";
  /** Blocks on top of an arrival by chain id; a network that is not here has its own finality. */
  arrivalBlocks: Map<number, number>;
}

const HOUR_SECONDS = 3_600;
const FULL_PPM = 1_000_000;

/** Reads `crossChain`; null where it is off. Faults are collected also then. */
export function resolveCrossChain(
  c: ParsedCrossChain,
  { networks, bridges }: { networks: readonly Network[]; bridges: number },
  faults: Fault[],
): CrossChainConfig | null {
  const at = (...path: Path): Path => ["crossChain", ...path];
  const read = new Reader(networks, faults);
  const minProfit = read.bySymbol(c.minProfit, at("minProfit"));
  const maxLoss = read.bySymbol(c.maxLoss, at("maxLoss"));
  const holdLimit = read.bySymbol(c.holdLimit, at("holdLimit"));
  const minimumCapital = read.bySymbol(c.minimumCapital, at("minimumCapital"));
  const perToken: Record<string, LossLimits> = {};
  for (const symbol of Object.keys(minProfit)) {
    if (maxLoss[symbol] === undefined)
      faults.push({ path: at("maxLoss"), message: `has no entry for ${symbol}, which minProfit has` });
    perToken[symbol] = { maxLoss: maxLoss[symbol] ?? 0n, holdLimit: holdLimit[symbol] ?? 0n };
  }
  const limits: Limits = {};
  c.limits.forEach((l, i) => {
    const token = read.token(l.token, at("limits", i, "token"));
    if (!token) return;
    if (limits[token.symbol]) faults.push({ path: at("limits", i), message: `is a second entry for ${token.symbol}` });
    limits[token.symbol] = limitsOf(l, token, at("limits", i), read);
  });
  const rebalancing = c.rebalancing.flatMap((r, i) => rebalancingOf(r, at("rebalancing", i), read, faults));
  const arrivalBlocks = new Map<number, number>();
  for (const [name, blocks] of Object.entries(c.arrivalBlocks)) {
    const network = read.network(name, at("arrivalBlocks", name));
    if (network && blocks !== undefined) arrivalBlocks.set(network.chainId, blocks);
  }
  if (!c.enabled) return null;
  if (networks.length < 2) faults.push({ path: at("enabled"), message: "needs at least two enabled networks" });
  if (bridges === 0) faults.push({ path: at("enabled"), message: "needs at least one bridge in bridges.enabled" });
  if (Object.keys(minProfit).length === 0)
    faults.push({ path: at("minProfit"), message: "names no token: nothing would be traded for profit" });
  const seconds = (ms: number): number => ms / 1000;
  return {
    rules: { minProfit, minimumCapital, limits },
    policy: {
      maxLoss: 0n,
      holdLimit: 0n,
      perToken,
      holdSeconds: seconds(c.holdFor),
      timeCostPpb: BigInt(Math.ceil((c.timeCost * 1_000) / HOUR_SECONDS)),
      tries: c.tries,
    },
    settings: {
      slippagePpm: c.slippage,
      driftPpmPerHour: c.drift,
      transferSeconds: seconds(c.transferWithin),
      graceSeconds: seconds(c.grace),
      swapSeconds: seconds(c.swapWithin),
      haltSeconds: seconds(c.haltAfter),
      finalSeconds: seconds(c.finalWithin),
    },
    rebalancing,
    holder: c.holder,
    arrivalBlocks,
  };
}

function limitsOf(l: ParsedCrossChain["limits"][number], token: Token, path: Path, read: Reader): AssetLimits {
  const found: AssetLimits = {};
  const perLeg = read.amount(l.perLeg, token, [...path, "perLeg"]);
  const inFlight = read.amount(l.inFlight, token, [...path, "inFlight"]);
  if (perLeg !== null) found.perLeg = perLeg;
  if (inFlight !== null) found.inFlight = inFlight;
  for (const [bridge, text] of Object.entries(l.perBridge ?? {})) {
    const amount = read.amount(text, token, [...path, "perBridge", bridge]);
    if (amount !== null) found.perBridge = { ...found.perBridge, [bridge]: amount };
  }
  for (const [name, text] of Object.entries(l.perNetwork ?? {})) {
    const amount = read.amount(text, token, [...path, "perNetwork", name]);
    const network = read.network(name, [...path, "perNetwork", name]);
    if (amount !== null && network) found.perChain = { ...found.perChain, [network.chainId]: amount };
  }
  return found;
}

function rebalancingOf(
  r: ParsedCrossChain["rebalancing"][number],
  path: Path,
  read: Reader,
  faults: Fault[],
): RebalancingConfig[] {
  const token = read.token(r.token, [...path, "token"]);
  const shares = new Map<number, number>();
  for (const [name, ppm] of Object.entries(r.shares)) {
    const network = read.network(name, [...path, "shares", name]);
    if (!network || ppm === undefined) continue;
    if (token && !findToken(network, token.symbol))
      faults.push({ path: [...path, "shares", name], message: `has no ${token.symbol}` });
    shares.set(network.chainId, ppm);
  }
  const sum = [...shares.values()].reduce((a, b) => a + b, 0);
  if (sum !== FULL_PPM) faults.push({ path: [...path, "shares"], message: `add up to ${sum / 10_000} %, not to 100 %` });
  if (!token) return [];
  const { tolerance: tolerancePpm, maxCost: maxCostPpm, every: everyMs, timeCost: timeCostPpmPerHour } = r;
  const within = r.within === undefined ? {} : { withinSeconds: r.within / 1000 };
  return [{ token: token.symbol, shares, tolerancePpm, maxCostPpm, everyMs, timeCostPpmPerHour, ...within }];
}

/** Reads names and amounts; faults are collected. */
class Reader {
  constructor(
    readonly networks: readonly Network[],
    readonly faults: Fault[],
  ) {}

  /** A token by its symbol, which must have the same decimals on every enabled network: amounts of several are added up. */
  token(symbol: string, path: Path): Token | null {
    const found = this.networks.flatMap((n) => findToken(n, symbol) ?? []);
    const [first] = found;
    if (!first) this.faults.push({ path, message: `names ${symbol}, which is no token of an enabled network` });
    else if (found.some((t) => t.decimals !== first.decimals))
      this.faults.push({ path, message: `names ${symbol}, which has other decimals on another network` });
    else return first;
    return null;
  }

  network(name: string, path: Path): Network | null {
    const found = this.networks.find((n) => n.name === name);
    if (!found) this.faults.push({ path, message: `names ${name}, which is not enabled under networks` });
    return found ?? null;
  }

  amount(text: string | undefined, token: Token, path: Path): bigint | null {
    if (text === undefined) return null;
    try {
      return parseAmount(text, token);
    } catch (error) {
      if (!(error instanceof ArbError)) throw error;
      this.faults.push({ path, message: error.message });
      return null;
    }
  }

  /** A list of amounts, each of another token. */
  bySymbol(list: readonly string[], path: Path): Record<string, bigint> {
    const found: Record<string, bigint> = {};
    list.forEach((text, i) => {
      const token = this.token(unitOf(text) ?? "", [...path, i]);
      const amount = token && this.amount(text, token, [...path, i]);
      if (!token || amount === null) return;
      if (found[token.symbol] !== undefined) this.faults.push({ path: [...path, i], message: `names ${token.symbol} twice` });
      found[token.symbol] = amount;
    });
    return found;
  }
}
