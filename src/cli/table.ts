import { formatTokenShort, shortDecimal } from "../config/format-token.js";
import type { Network } from "../config/network.js";
import { NETWORKS } from "../config/networks.js";
import type { LandedTrade, Outcome, Trade } from "../execution/outcome.js";
import { ETHER } from "../units.js";

const WIDTH = 156;

/** Lines of cells as aligned columns. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** The networks that name tokens and titles: the configured ones, which may know more tokens than the registry. */
type Networks = readonly Network[];

const amount = (networks: Networks, { chainId, profitToken }: Trade, value: bigint): string => {
  const network = networks.find((n) => n.chainId === chainId);
  return network ? formatTokenShort(network, profitToken, value) : `${value} base units`;
};
const title = (networks: Networks, { chainId }: Trade): string =>
  networks.find((n) => n.chainId === chainId)?.title ?? `chain ${chainId}`;
const pathOf = (trade: Trade): string => trade.path.map((p) => p.venue).join(" > ");
const shortHash = (hash: string): string => `${hash.slice(0, 8)}..${hash.slice(-6)}`;

/** By what routes it went, and whether it may still be taken back. */
function standing(networks: Networks, { chainId, routes, nonce, journal, depth }: LandedTrade): string {
  const needed = networks.find((n) => n.chainId === chainId)?.finality.blocks;
  const how = journal === "final" ? "final" : `${depth} of ${needed ?? "?"} blocks deep, not final yet`;
  return `by ${routes.length > 0 ? routes.join(", ") : "a route that did not answer"}, nonce ${nonce}, ${how}`;
}

/** One outcome for a person, with whole hashes; amounts are cut to six digits (--json has them exact). */
export function outcomeText(outcome: Outcome, networks: Networks): string {
  if (outcome.status === "rejected") {
    const { opportunityId, reason, detail, where } = outcome.rejection;
    return wrapped(`${opportunityId ?? "?"} rejected, ${reason}: ${where === null ? "" : `${where}: `}${detail}`);
  }
  const { trade } = outcome;
  const units = (value: bigint) => amount(networks, trade, value);
  const head = `${trade.opportunityId} ${outcome.status} on ${title(networks, trade)}`;
  const how = `${pathOf(trade)}, ${units(trade.amountIn)} in, ${trade.funding}`;
  switch (outcome.status) {
    case "landed": {
      const { profit, gasUsed, feeWei, blockNumber, seconds } = outcome.trade;
      const stands = standing(networks, outcome.trade);
      return [
        `${head}: ${units(profit)} profit (expected ${units(trade.expectedProfit)})`,
        `  ${how}, ${gasUsed} gas, fee ${shortDecimal(feeWei, ETHER.decimals)} ETH, block ${blockNumber}, ${seconds} s`,
        `  ${trade.txHash}`,
        `  ${stands}`,
      ].join("\n");
    }
    case "dry-run":
      return [
        `${head}, planned and simulated, not sent: ${units(trade.expectedProfit)} profit expected, at least ${units(trade.minProfit)}`,
        `  ${how}`,
      ].join("\n");
    case "reverted": {
      const fee = `${outcome.gasUsed} gas, fee ${shortDecimal(outcome.feeWei, ETHER.decimals)} ETH`;
      return [`${head}, nothing lost but gas (${fee})`, wrapped(`  ${outcome.reason}`), `  ${trade.txHash}`].join("\n");
    }
    case "unknown":
      return [`${head}: sent, its end is not known yet`, wrapped(`  ${outcome.reason}`), `  ${trade.txHash}`].join("\n");
  }
}

/** Many outcomes for a person: what landed as a table, then the rest. Amounts and hashes are short (--json has them whole). */
export function tradesTable(outcomes: readonly Outcome[], networks: Networks = NETWORKS): string {
  const sections: string[] = [];
  const landed = outcomes.filter((o) => o.status === "landed").map((o) => o.trade);
  if (landed.length > 0) {
    const head = ["chain", "path", "funding", "amount in", "expected profit", "profit", "gas", "route", "transaction"];
    const rows = landed.map((t) => [
      title(networks, t),
      pathOf(t),
      t.funding,
      amount(networks, t, t.amountIn),
      amount(networks, t, t.expectedProfit),
      amount(networks, t, t.profit),
      t.gasUsed.toString(),
      t.routes.join("+"),
      shortHash(t.txHash),
    ]);
    const final = landed.filter((t) => t.journal === "final").length;
    sections.push(`${landed.length} executed and journaled, ${final} of them final\n${columns([head, ...rows])}`);
  }
  const others: [Outcome["status"], string][] = [
    ["dry-run", "planned and simulated, not sent"],
    ["rejected", "rejected before sending"],
    ["reverted", "reverted on chain, nothing lost but gas"],
    ["unknown", "sent, end not known yet"],
  ];
  for (const [status, words] of others) {
    const list = outcomes.filter((o) => o.status === status).map((o) => outcomeText(o, networks));
    if (list.length > 0) sections.push(`${list.length} ${words}\n${list.join("\n")}`);
  }
  return sections.length > 0 ? sections.join("\n\n") : "nothing to do";
}

/** Breaks a long sentence at blanks; further lines are indented. */
function wrapped(text: string): string {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > WIDTH) {
    const blank = rest.lastIndexOf(" ", WIDTH);
    const end = blank > WIDTH / 2 ? blank : WIDTH;
    lines.push(rest.slice(0, end));
    rest = `    ${rest.slice(end).trimStart()}`;
  }
  return [...lines, rest].join("\n");
}
