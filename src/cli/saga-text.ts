/** A cross-chain trade for people. Exact to the last unit: what was expected stands beside what came of it. */
import { formatToken, formatTokenShort } from "../config/format-token.js";
import type { Network } from "../config/network.js";
import { NETWORKS } from "../config/networks.js";
import type { LegReport, SagaReport, TransferReport } from "../transfers/report.js";

type Networks = readonly Network[];

const named = (networks: Networks, chainId: number): Network | undefined => networks.find((n) => n.chainId === chainId);
const title = (networks: Networks, chainId: number): string => named(networks, chainId)?.title ?? `chain ${chainId}`;

/** An amount of a token with its symbol. */
export function units(networks: Networks, chainId: number, token: string, amount: bigint, short = true): string {
  const network = named(networks, chainId);
  if (!network) return `${amount} units of ${token}`;
  return (short ? formatTokenShort : formatToken)(network, token, amount);
}

/** Several lines: its end against what was expected, its swaps and transfers, and the decisions that it needed. */
export function sagaText(r: SagaReport, networks: Networks = NETWORKS): string {
  const exact = (amount: bigint) => units(networks, r.fromChainId, r.profitToken, amount, false);
  const way = `${title(networks, r.fromChainId)} -> ${title(networks, r.toChainId)}`;
  const head = `${r.opportunityId} (${r.mode}, ${way}): ${r.outcome ?? `goes on, waits for ${r.reason}`}`;
  const seconds = `${r.seconds.toFixed(1)} s`;
  return [
    r.outcome === null || r.outcome === "no-trade"
      ? `${head}${r.outcome === null ? "" : `: ${r.reason}`}`
      : `${head} in ${seconds}`,
    ...storyOf(r, networks).map((line) => `  ${line}`),
    ...r.decisions.map((d) => `  ${d.at} -> ${d.choice}: ${d.reason}`),
    ...(r.net === null || r.outcome === "no-trade" ? [] : [`  ${resultLine(r, exact)}`]),
  ].join("\n");
}

function resultLine(r: SagaReport, exact: (amount: bigint) => string): string {
  const net = r.net ?? 0n;
  const more = net - r.expected;
  const against = more === 0n ? "as expected" : `${exact(more < 0n ? -more : more)} ${more > 0n ? "more" : "less"}`;
  const parts = [
    `${exact(r.profit ?? 0n)} in the profit token`,
    ...(r.residual === 0n || r.residual === null ? [] : [`${exact(r.residual)} in what else is left`]),
    `${exact(r.gasCost ?? 0n)} for gas and messages`,
  ];
  return `net ${exact(net)}, expected ${exact(r.expected)}: ${against} (${parts.join(", ")})`;
}

/** Its swaps and transfers in words, in the order in which they were made. */
export function storyOf(r: SagaReport, networks: Networks = NETWORKS): string[] {
  const legs = r.legs.map((l) => ({ at: orderOf(l.leg), text: legText(l, networks) }));
  const transfers = r.transfers.map((t) => ({ at: orderOf(t.leg), text: transferText(t, networks) }));
  return [...legs, ...transfers].toSorted((a, b) => a.at - b.at).map((e) => e.text);
}

/** Names of steps end with their number; the two legs of an inventory trade have none, and come first. */
const orderOf = (leg: string): number => Number(/\.(\d+)$/.exec(leg)?.[1] ?? -1);

const legText = (l: LegReport, networks: Networks): string =>
  `${l.leg.split(".")[0]} on ${title(networks, l.chainId)}: ${units(networks, l.chainId, l.tokenIn, l.amountIn)} -> ${units(networks, l.chainId, l.tokenOut, l.amountOut)}, block ${l.block}`;

function transferText(t: TransferReport, networks: Networks): string {
  const what = units(networks, t.fromChainId, t.tokenIn, t.amountIn);
  const way = `${t.leg.split(".")[0]} by ${t.bridge}, ${title(networks, t.fromChainId)} -> ${title(networks, t.toChainId)}: ${what}`;
  const back = t.ended === "refunded";
  const [chainId, token] = back ? [t.fromChainId, t.tokenIn] : [t.toChainId, t.tokenOut];
  const end = t.arrived === null ? ` ${t.state}` : ` ${back ? "refunded" : "->"} ${units(networks, chainId, token, t.arrived)}`;
  const time = t.seconds === null ? "" : ` in ${t.seconds.toFixed(1)} s (promised ${t.promisedSeconds} s)`;
  return `${way}${end}${time}`;
}
