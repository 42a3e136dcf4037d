import { ZeroAddress, zeroPadValue } from "ethers";
import { ArbError } from "../errors.js";
import { parseAmount } from "../units.js";
import type { Fault, Path } from "./faults.js";
import type { Network, Token } from "./network.js";
import { findToken } from "./networks.js";
import type { ParsedNetwork } from "./schema.js";

/** Numbers of ArbVault's enums. */
export const POOL_KINDS = { none: 0, v2: 1, v3: 2 } as const;
export const BRIDGE_KINDS = { none: 0, across: 1, cctp: 2, stargate: 3 } as const;

/** VaultPrices.Source: times in seconds, the zero address where a part is not used. */
export interface PriceSource {
  feedIn: string;
  feedOut: string;
  maxAgeIn: number;
  maxAgeOut: number;
  sequencer: string;
  pool: string;
  window: number;
}

/** ArbVault.Market: fee in millionths, loss in hundredths of a percent, limit in base units of `tokenIn`. */
export interface VaultMarket {
  kind: number;
  pool: string;
  feePips: number;
  tokenIn: string;
  tokenOut: string;
  maxLossBps: number;
  dailyLimit: bigint;
  price: PriceSource;
}

/** ArbVault.Route: fee in hundredths of a percent, limit in base units of `tokenIn`; `tokenOut` padded to 32 bytes. */
export interface VaultRoute {
  kind: number;
  bridge: string;
  tokenIn: string;
  tokenOut: string;
  destination: bigint;
  maxFeeBps: number;
  dailyLimit: bigint;
  maxFillSeconds: number;
}

export interface VaultConfig {
  /** Configured address; null = the one of deployments/NAME-vault.json. */
  address: string | null;
  markets: VaultMarket[];
  routes: VaultRoute[];
}

type Parsed = NonNullable<ParsedNetwork["vault"]>;

/** Reads the vault of a network as its contract takes it; what the contract would refuse is a fault already here. */
export function resolveVault(network: Network, vault: Parsed, faults: Fault[]): VaultConfig {
  const at: Path = ["networks", network.name, "vault"];
  const markets = vault.markets.flatMap((m, i): VaultMarket[] => {
    const here: Path = [...at, "markets", i];
    const [sell, buy] = [tokenOf(network, m.sell, [...here, "sell"], faults), tokenOf(network, m.buy, [...here, "buy"], faults)];
    if (m.kind === "v2" && m.fee === undefined) faults.push({ path: here, message: "needs the fee of the pair" });
    checkPrice(network, m.price, [...here, "price"], faults);
    if (!sell || !buy) return [];
    if (sell.address === buy.address) faults.push({ path: [...here, "buy"], message: "is the token that is sold" });
    return [
      {
        kind: POOL_KINDS[m.kind],
        pool: m.pool,
        feePips: m.fee ?? 0,
        tokenIn: sell.address,
        tokenOut: buy.address,
        maxLossBps: m.maxLoss / 100,
        dailyLimit: limitOf(m.dailyLimit, sell, [...here, "dailyLimit"], faults),
        price: {
          feedIn: m.price.feedIn ?? ZeroAddress,
          feedOut: m.price.feedOut ?? ZeroAddress,
          maxAgeIn: m.price.maxAgeIn ?? 0,
          maxAgeOut: m.price.maxAgeOut ?? 0,
          sequencer: m.price.sequencer ?? ZeroAddress,
          pool: m.price.pool ?? ZeroAddress,
          window: m.price.window ?? 0,
        },
      },
    ];
  });
  const routes = vault.routes.flatMap((r, i): VaultRoute[] => {
    const here: Path = [...at, "routes", i];
    const token = tokenOf(network, r.token, [...here, "token"], faults);
    const isAcross = r.bridge === "across";
    if (isAcross && (r.tokenOut === undefined || r.maxFill === undefined))
      faults.push({ path: here, message: "needs tokenOut and maxFill, as every route of Across" });
    if (!isAcross && r.destination >= 2 ** 32)
      faults.push({ path: [...here, "destination"], message: "is no domain or endpoint id" });
    if (!token) return [];
    return [
      {
        kind: BRIDGE_KINDS[r.bridge],
        bridge: r.contract,
        tokenIn: token.address,
        tokenOut: zeroPadValue(r.tokenOut ?? "0x", 32),
        destination: BigInt(r.destination),
        maxFeeBps: r.maxFee / 100,
        dailyLimit: limitOf(r.dailyLimit, token, [...here, "dailyLimit"], faults),
        maxFillSeconds: r.maxFill ?? 0,
      },
    ];
  });
  refuseTwins(
    markets.map((m) => `${m.pool} ${m.tokenIn}`),
    [...at, "markets"],
    faults,
  );
  refuseTwins(
    routes.map((r) => `${r.bridge} ${r.tokenIn} ${r.destination}`),
    [...at, "routes"],
    faults,
  );
  return { address: vault.address ?? null, markets, routes };
}

function checkPrice(network: Network, price: Parsed["markets"][number]["price"], at: Path, faults: Fault[]): void {
  const feeds = [price.feedIn, price.feedOut, price.maxAgeIn, price.maxAgeOut].filter((part) => part !== undefined).length;
  const average = [price.pool, price.window].filter((part) => part !== undefined).length;
  if (!(feeds === 4 && average === 0) && !(feeds === 0 && average === 2))
    faults.push({ path: at, message: "needs either feedIn, feedOut, maxAgeIn and maxAgeOut, or pool and window" });
  if (feeds > 0 && network.stack !== "l1" && price.sequencer === undefined)
    faults.push({ path: at, message: `needs sequencer: on ${network.title} feeds stand still while the sequencer does` });
}

function tokenOf(network: Network, name: string, path: Path, faults: Fault[]): Token | null {
  const found = findToken(network, name);
  if (!found) faults.push({ path, message: `is no token of ${network.title}; list it under tokens first` });
  return found ?? null;
}

function limitOf(text: string, token: Token, path: Path, faults: Fault[]): bigint {
  try {
    return parseAmount(text, token);
  } catch (error) {
    if (!(error instanceof ArbError)) throw error;
    faults.push({ path, message: error.message });
    return 0n;
  }
}

function refuseTwins(keys: string[], at: Path, faults: Fault[]): void {
  keys.forEach((key, i) => {
    if (keys.indexOf(key) < i) faults.push({ path: [...at, i], message: "is given twice: the contract keeps one of the kind" });
  });
}
