import { formatToken } from "../config/format-token.js";
import { networkById } from "../config/networks.js";
import type { Outcome, Trade } from "../execution/outcome.js";

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

const amount = (trade: Trade, value: bigint): string => {
  const network = networkById(trade.chainId);
  return network ? formatToken(network, trade.profitToken, value) : `${value} base units`;
};
const title = (trade: Trade): string => networkById(trade.chainId)?.title ?? `chain ${trade.chainId}`;
const pathOf = (trade: Trade): string => trade.path.map((p) => p.venue).join(" > ");

/** Outcomes for a person: what landed, what was refused and why, what reverted. */
export function tradesTable(outcomes: readonly Outcome[]): string {
  const sections: string[] = [];
  const landed = outcomes.filter((o) => o.status === "landed").map((o) => o.trade);
  if (landed.length > 0) {
    const head = ["chain", "path", "funding", "amount in", "expected profit", "profit", "gas", "transaction"];
    const rows = landed.map((t) => [
      title(t),
      pathOf(t),
      t.funding,
      amount(t, t.amountIn),
      amount(t, t.expectedProfit),
      amount(t, t.profit),
      t.gasUsed.toString(),
      t.txHash,
    ]);
    sections.push(`${landed.length} executed\n${columns([head, ...rows])}`);
  }
  const refused = outcomes.filter((o) => o.status === "rejected").map((o) => o.rejection);
  if (refused.length > 0) {
    const rows = refused.map((r) => [r.opportunityId ?? "?", r.reason, r.where === null ? r.detail : `${r.where}: ${r.detail}`]);
    sections.push(`${refused.length} rejected before sending\n${columns(rows)}`);
  }
  const reverted = outcomes.filter((o) => o.status === "reverted");
  if (reverted.length > 0) {
    const rows = reverted.map((o) => [title(o.trade), o.trade.opportunityId, o.reason, `${o.gasUsed} gas`, o.trade.txHash]);
    sections.push(`${reverted.length} reverted on chain, nothing lost but gas\n${columns(rows)}`);
  }
  const open = outcomes.filter((o) => o.status === "unknown");
  if (open.length > 0) {
    const rows = open.map((o) => [title(o.trade), o.trade.opportunityId, o.reason, o.trade.txHash]);
    sections.push(`${open.length} sent, end not known yet\n${columns(rows)}`);
  }
  return sections.length > 0 ? sections.join("\n\n") : "nothing to do";
}
