import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { formatTokenShort } from "../config/format-token.js";
import { ArbError } from "../errors.js";
import type { Outcome } from "../execution/outcome.js";
import type { OnStep } from "../execution/same-chain-executor.js";
import type { FundingId } from "../funding/funding.js";
import { type OpenJournal, openJournalOf } from "../journal/open.js";
import { scanBlock } from "../market/watcher.js";
import { type Intake, createIntake } from "../opportunity/intake.js";
import { type OpportunityJson, formatFee, toJson } from "../opportunity/schema.js";
import type { PoolId, VenueId } from "../venues/venue.js";
import type { LocalChain } from "./chain.js";
import { type CrossChainTrade, playCrossChain } from "./demo-cross-chain.js";
import { type Desk, openDesk } from "./desk.js";
import { tokenOf } from "./protocols/tokens.js";
import { findPool, movePrice, rival, shareOf } from "./trader.js";
import { type LocalWays, startLocalWays } from "./ways.js";
import { LOCAL_CHAIN_IDS, startLocalWorld } from "./world.js";

/** A pool by venue, two tokens and fee in pips. */
type PoolName = [venue: VenueId, tokenA: string, tokenB: string, feePips: number];

/** One scene: the trader opens a gap, an opportunity comes of it, and the driver executes it. */
interface Scene {
  chainId: number;
  title: string;
  /** Pool in which the trader sells, what, and parts per million of the pool's holding. */
  gap: { pool: PoolName; sell: string; ppm: number };
  /** Tokens that a cycle may start with. The watcher finds it, unless `hops` says it outright. */
  profitToken: string;
  hops?: { pool: PoolName; from: string; to: string }[];
  wish?: Partial<OpportunityJson>;
  /** What a rival does between our plan and our landing, in the gap's pool: it closes the gap further. */
  rival?: "dust" | "adverse";
  /** Put into the executor beforehand: [token, whole units]. */
  capital?: [string, bigint];
}

/** For several sagas at once beside the workflow engine's own. */
const CONNECTIONS = 12;

const funded = (funding: FundingId): Partial<OpportunityJson> => ({ funding });

const SCENES: Scene[] = [
  {
    chainId: 1,
    title: "WETH falls on Uniswap V2",
    gap: { pool: ["uniswap-v2", "WETH", "USDC", 3000], sell: "WETH", ppm: 20_000 },
    profitToken: "WETH",
    wish: funded("flash-swap"),
  },
  {
    chainId: 1,
    title: "WETH rises against DAI, a cycle of three tokens",
    gap: { pool: ["uniswap-v3", "WETH", "DAI", 3000], sell: "DAI", ppm: 60_000 },
    profitToken: "USDC",
    hops: [
      { pool: ["uniswap-v3", "WETH", "USDC", 500], from: "USDC", to: "WETH" },
      { pool: ["uniswap-v3", "WETH", "DAI", 3000], from: "WETH", to: "DAI" },
      { pool: ["uniswap-v3", "USDC", "DAI", 100], from: "DAI", to: "USDC" },
    ],
  },
  {
    chainId: 1,
    title: "WETH falls on Uniswap V4",
    gap: { pool: ["uniswap-v4", "WETH", "USDC", 3000], sell: "WETH", ppm: 30_000 },
    profitToken: "WETH",
  },
  {
    chainId: 42161,
    title: "WETH rises on PancakeSwap V3, borrowed from Aave V3",
    gap: { pool: ["pancakeswap-v3", "WETH", "USDC", 500], sell: "USDC", ppm: 60_000 },
    profitToken: "WETH",
    wish: funded("aave-v3"),
  },
  {
    chainId: 42161,
    title: "WETH falls on SushiSwap V2, and a rival's dust swap comes first",
    gap: { pool: ["sushiswap-v2", "WETH", "USDC", 3000], sell: "WETH", ppm: 30_000 },
    profitToken: "WETH",
    wish: { amounts: "adaptive" },
    rival: "dust",
  },
  {
    chainId: 10,
    title: "WETH rises on SushiSwap V2, borrowed from Balancer V2",
    gap: { pool: ["sushiswap-v2", "WETH", "USDC", 3000], sell: "USDC", ppm: 30_000 },
    profitToken: "WETH",
    wish: funded("balancer-v2"),
  },
  {
    chainId: 10,
    title: "WETH falls on Uniswap V2, and a large rival takes it first",
    gap: { pool: ["uniswap-v2", "WETH", "USDC", 3000], sell: "WETH", ppm: 20_000 },
    profitToken: "WETH",
    rival: "adverse",
  },
  {
    chainId: 8453,
    title: "DAI falls on SushiSwap V2, a cycle of three tokens",
    gap: { pool: ["sushiswap-v2", "USDC", "DAI", 3000], sell: "DAI", ppm: 40_000 },
    profitToken: "USDC",
    hops: [
      { pool: ["sushiswap-v2", "USDC", "DAI", 3000], from: "USDC", to: "DAI" },
      { pool: ["uniswap-v3", "WETH", "DAI", 3000], from: "DAI", to: "WETH" },
      { pool: ["uniswap-v3", "WETH", "USDC", 500], from: "WETH", to: "USDC" },
    ],
  },
  {
    chainId: 8453,
    title: "WETH rises on Uniswap V3, with capital of our own",
    gap: { pool: ["uniswap-v3", "WETH", "USDC", 3000], sell: "USDC", ppm: 60_000 },
    profitToken: "WETH",
    wish: funded("own-balance"),
    capital: ["WETH", 100n],
  },
  {
    chainId: 8453,
    title: "a gap so small that gas and margin exceed the profit",
    gap: { pool: ["uniswap-v2", "WETH", "USDC", 3000], sell: "WETH", ppm: 10_000 },
    profitToken: "WETH",
    wish: { amountIn: "0.001 WETH" },
  },
];

/** What the demo did, in order. */
export interface DemoResult {
  /** On one chain each. */
  outcomes: Outcome[];
  crossChain: CrossChainTrade[];
}

/**
 * The main job on four local chains: in every scene the trader moves a price, an opportunity comes of it, and the driver quotes,
 * plans, simulates, signs, sends and books it; then the trades across chains. Throws when a scene on one chain does not end as it should.
 */
export async function runDemo(note: (text: string) => void): Promise<DemoResult> {
  note("starting Ethereum, Arbitrum, Optimism and Base with real protocol bytecode ...");
  const world = await startLocalWorld(LOCAL_CHAIN_IDS, { blockOrder: "fifo" });
  const desks: Desk[] = [];
  const ways: LocalWays[] = [];
  const folder = mkdtempSync(path.join(os.tmpdir(), "arb-demo-"));
  let opened: OpenJournal | null = null;
  try {
    opened = await openJournalOf({ folder }, { database: { connections: CONNECTIONS } });
    const { journal, db } = opened;
    for (const local of world.chains) {
      const way = await startLocalWays(local);
      ways.push(way);
      desks.push(await openDesk(local, journal, way.routes));
    }
    const networks = world.chains.map((c) => c.network);
    const intake = createIntake(() => ({ networks, allowedPools: [], now: Math.floor(Date.now() / 1000) }));
    const outcomes: Outcome[] = [];
    for (const [i, scene] of SCENES.entries()) {
      const desk = desks.find((d) => d.local.network.chainId === scene.chainId);
      if (!desk) throw new ArbError("internal", `no desk on chain ${scene.chainId}`);
      note(`${desk.local.network.title}: ${scene.title}`);
      const outcome = await play(scene, i + 1, desk, intake);
      note(`  ${sentence(outcome, desk.local)}`);
      outcomes.push(outcome);
    }
    note("across chains: Across, CCTP and Stargate on each of them, and sagas on the same database ...");
    return { outcomes, crossChain: await playCrossChain(world, { db, journal }, note) };
  } finally {
    for (const desk of desks) await desk.close();
    for (const way of ways) await way.close();
    await opened?.close();
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function play(scene: Scene, number: number, desk: Desk, intake: Intake): Promise<Outcome> {
  const { local, driver } = desk;
  const pool = poolOf(local, scene.gap.pool);
  const sold = tokenOf(local.network, scene.gap.sell);
  if (scene.capital) {
    const [symbol, units] = scene.capital;
    await local.fund(desk.executor, { tokens: { [symbol]: units * 10n ** BigInt(tokenOf(local.network, symbol).decimals) } });
  }
  await movePrice(local, pool, sold.address, await shareOf(local, pool, sold.address, scene.gap.ppm));
  const opportunity = intake.value(await opportunityOf(scene, number, desk));
  if (!opportunity.ok) return { status: "rejected", rejection: opportunity.rejection };
  if ("buy" in opportunity.value) throw new ArbError("internal", "a scene on one chain gave a trade across chains");
  const bought = pool.token0 === sold.address ? pool.token1 : pool.token0;
  const interfere: OnStep = async (step) => {
    if (step === "simulated" && scene.rival) await rival(local, scene.rival, pool, bought);
  };
  return await driver.execute(opportunity.value, interfere);
}

/** The opportunity as JSON: what the watcher finds in the newest block, or the cycle that the scene names. */
async function opportunityOf(scene: Scene, number: number, { local, chain }: Desk): Promise<OpportunityJson> {
  const { network } = local;
  const id = `demo-${number}`;
  if (scene.hops) {
    const hops = scene.hops.map(({ pool, from, to }) => ({
      venue: pool[0],
      pool: poolOf(local, pool).address,
      tokenIn: tokenOf(network, from).address,
      tokenOut: tokenOf(network, to).address,
      fee: formatFee(pool[3]),
    }));
    return { version: "opportunity.v1", id, chainId: network.chainId, hops, source: "demo", ...scene.wish };
  }
  const profitTokens = [tokenOf(network, scene.profitToken).address];
  const [best] = await scanBlock(chain.provider, network, local.pools, { profitTokens, lifetimeSeconds: 60 });
  if (!best) throw new ArbError("internal", "the watcher found nothing after the trader's move", { where: scene.title });
  return { ...toJson(best.opportunity, network), id, ...scene.wish };
}

function poolOf(local: LocalChain, [venue, a, b, feePips]: PoolName): PoolId {
  const pool = findPool(local, venue, a, b, feePips);
  if (!pool) throw new ArbError("internal", `${local.network.title} has no ${venue} pool of ${a} and ${b}`);
  return pool;
}

function sentence(outcome: Outcome, { network }: LocalChain): string {
  switch (outcome.status) {
    case "landed": {
      const { funding, amountIn, profit, expectedProfit, profitToken, gasUsed, routes, nonce, journal } = outcome.trade;
      const units = (amount: bigint) => formatTokenShort(network, profitToken, amount);
      const against = profit === expectedProfit ? "as estimated to the wei" : `estimated ${units(expectedProfit)}`;
      return `landed: ${units(amountIn)} in, ${units(profit)} profit (${against}), ${funding}, ${gasUsed} gas, by ${routes.join(" and ")}, journaled as nonce ${nonce}, ${journal}`;
    }
    case "rejected":
      return `rejected before sending, ${outcome.rejection.reason}: ${outcome.rejection.detail}`;
    case "reverted":
      return `reverted on chain, nothing lost but gas: ${outcome.reason}`;
    case "dry-run":
    case "unknown":
      throw new ArbError("internal", `a scene ended as ${outcome.status}`);
  }
}
