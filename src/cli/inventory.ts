import { Command } from "commander";
import { getAddress } from "ethers";
import type { RebalancingConfig } from "../config/cross-chain.js";
import { formatTokenShort } from "../config/format-token.js";
import { type Config, loadConfig } from "../config/load.js";
import { networkById } from "../config/networks.js";
import { ArbError } from "../errors.js";
import { ErrorHandler } from "../execution/error-handler.js";
import { type Flying, inFlight, type Limits } from "../inventory/index.js";
import { type Held, heldOf, type PlanEnv, planOf, type RebalancePlan } from "../transfers/rebalancing-plan.js";
import { type RebalancingRow, RebalancingStore } from "../transfers/rebalancing-store.js";
import { type ConfigOptions, withConfig } from "./common.js";
import { makeOutput } from "./output.js";
import { openForQuotes } from "./quote.js";
import { columns } from "./table.js";

type Options = ConfigOptions & { account: string };

/** What the command shows. Amounts in base units. */
interface Inventory {
  account: string;
  stock: { token: string; held: Held[] }[];
  inFlight: Flying[];
  limits: Limits;
  plans: (Omit<RebalancePlan, "held"> & Pick<RebalancingConfig, "tolerancePpm" | "maxCostPpm">)[];
  rebalancings: RebalancingRow[];
}

const HOUR = 3_600;
const DAY = 24 * HOUR;
const LATEST = 10;

export function inventoryCommand(): Command {
  return withConfig(new Command("inventory"))
    .description(
      "stock of the account, or of its vault, on every network: reserved, under way, limits, shares, and the rebalancing with its cost",
    )
    .requiredOption("--account <address>", 'whose stock; with crossChain.holder "vault", the vault\'s')
    .action(async (options: Options) => {
      const output = makeOutput(options);
      const config = loadConfig(options.config);
      const account = checked(options.account);
      const opened = await openForQuotes(config, options.deployments, (error) =>
        output.note(new ErrorHandler().describe(error).message),
      );
      try {
        const found = await inventoryOf(opened.session.env, config, account);
        output.result(found, () => textOf(found));
      } finally {
        await opened.close();
      }
    });
}

async function inventoryOf(env: PlanEnv, config: Config, account: string): Promise<Inventory> {
  const rebalancing = config.crossChain?.rebalancing ?? [];
  const chainIds = config.networks.map((n) => n.network.chainId);
  const symbols = [...new Set(config.networks.flatMap((n) => n.network.tokens.map((t) => t.symbol)))];
  const stock = await Promise.all(
    symbols.map(async (token) => {
      const shares = rebalancing.find((r) => r.token === token)?.shares ?? new Map<number, number>();
      const held = await heldOf(env, account, token, shares, chainIds);
      return { token, held: held.filter((h) => h.balance + h.reserved + h.expected + h.incoming > 0n || h.sharePpm !== null) };
    }),
  );
  const plans = await Promise.all(
    rebalancing.map(async (r) => {
      const { token, moves, refused } = await planOf(env, account, r);
      return { token, moves, refused, tolerancePpm: r.tolerancePpm, maxCostPpm: r.maxCostPpm };
    }),
  );
  const rows = new RebalancingStore(env.store.db, env.store.providers);
  return {
    account,
    stock: stock.filter((s) => s.held.length > 0),
    inFlight: await inFlight(env.store.db.pool),
    limits: env.rules.limits,
    plans,
    rebalancings: await rows.latest(LATEST),
  };
}

function textOf({ stock, inFlight: flying, plans, rebalancings, limits }: Inventory): string {
  const amountOn = (chainId: number, token: string, amount: bigint): string => {
    const network = networkById(chainId);
    return network ? formatTokenShort(network, token, amount) : `${amount} of ${token}`;
  };
  const titleOf = (chainId: number): string => networkById(chainId)?.title ?? `chain ${chainId}`;
  const percent = (ppm: number): string => `${ppm / 10_000} %`;
  const rows = stock.flatMap(({ held }) =>
    held.map((h) => {
      const of = (amount: bigint) => amountOn(h.chainId, h.token, amount);
      const share = h.sharePpm === null ? "" : percent(h.sharePpm);
      return [titleOf(h.chainId), of(h.balance), of(h.free), of(h.reserved), of(h.expected), of(h.incoming), share];
    }),
  );
  const lines = [
    rows.length === 0
      ? "no stock"
      : columns([["network", "balance", "free", "reserved", "expected", "incoming", "share"], ...rows]),
  ];
  for (const f of flying)
    lines.push(
      `under way: ${amountOn(f.fromChainId, f.token, f.amount)} from ${titleOf(f.fromChainId)} to ${titleOf(f.toChainId)} by ${f.bridge}`,
    );
  for (const [token, l] of Object.entries(limits))
    lines.push(`limits of ${token}: ${JSON.stringify(l, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v))} base units`);
  for (const r of rebalancings.filter((row) => row.outcome === null))
    lines.push(`rebalancing ${r.id}: ${r.state}, waits for ${r.waitsFor || "its next step"}`);
  for (const p of plans) {
    for (const m of p.moves) {
      const of = (amount: bigint) => amountOn(m.fromChainId, m.tokenIn, amount);
      lines.push(
        `plan: ${of(m.amount)} from ${titleOf(m.fromChainId)} to ${titleOf(m.toChainId)} by ${m.bridge} for ${of(m.cost)}${timeOf(m.seconds)}`,
      );
    }
    for (const reason of p.refused) lines.push(`not in the plan of ${p.token}: ${reason}`);
    if (p.moves.length + p.refused.length === 0) lines.push(`${p.token} is within ${percent(p.tolerancePpm)} of its shares`);
  }
  return lines.join("\n");
}

/** How long a transfer is expected to take, where that is more than minutes. */
function timeOf(seconds = 0): string {
  if (seconds < 2 * HOUR) return "";
  return seconds < 2 * DAY ? `, in about ${Math.ceil(seconds / HOUR)} h` : `, in about ${Math.ceil(seconds / DAY)} days`;
}

function checked(address: string): string {
  try {
    return getAddress(address);
  } catch {
    throw new ArbError("usage", `"${address.slice(0, 60)}" is no address`, { where: "--account" });
  }
}
