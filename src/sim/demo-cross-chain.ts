/** Cross-chain trades of the demo: real sagas on the demo's chains, each by another bridge, and one whose bridge fails. */
import { formatTokenShort } from "../config/format-token.js";
import type { Database } from "../database/open.js";
import { CrossChainExecutor } from "../execution/cross-chain-executor.js";
import type { SagaOutcome } from "../execution/recovery-manager.js";
import type { Journal } from "../journal/journal.js";
import type { CrossChainOpportunity } from "../opportunity/cross-chain.js";
import { type SagaReport, sagaReport } from "../transfers/report.js";
import type { WalletManager } from "../wallet/wallet-manager.js";
import { type CrossChainDesk, DESK_SETTINGS, openCrossChainDesk, type PoolName, unequal } from "./cross-chain-desk.js";
import { tokenOf } from "./protocols/tokens.js";
import type { LocalWorld } from "./world.js";

/** A leg by chain, pool, and the tokens that it sells and buys. */
type LegName = [chainId: number, pool: PoolName, sell: string, buy: string];

/** One scene: the trader opens a gap between two networks, and a saga takes it. Scenes that run at once share no pool. */
interface Scene {
  id: string;
  title: string;
  /** What the trader sells into the pool of the first leg, parts per million of the pool's holding. */
  gap: { sell: string; ppm: number };
  buy: LegName;
  sell: LegName;
  /** Whole units of what the first leg sells. */
  capital: bigint;
  /** Whole units of what the second leg sells, which are there already. */
  stock?: bigint;
  wish?: Partial<Pick<CrossChainOpportunity, "mode" | "bridges" | "returnToSource">>;
  prepare?: (desk: CrossChainDesk) => Promise<void> | void;
  /** Done once while its first transfer is under way. */
  meanwhile?: (desk: CrossChainDesk) => Promise<void>;
  /** What it is about: how it ends, and by what bridges its transfers go, in order. */
  outcome: SagaOutcome;
  bridges: string[];
}

const [ETHEREUM, ARBITRUM, OPTIMISM, BASE] = [1, 42161, 10, 8453] as const;

const TOGETHER: Scene[] = [
  {
    id: "by-across",
    title: "WETH falls on Ethereum: bought there, carried by Across, sold on Arbitrum One, proceeds home by Across",
    gap: { sell: "WETH", ppm: 30_000 },
    buy: [ETHEREUM, ["uniswap-v2", "WETH", "USDC", 3000], "USDC", "WETH"],
    sell: [ARBITRUM, ["uniswap-v3", "WETH", "USDC", 500], "WETH", "USDC"],
    capital: 6_000n,
    wish: { bridges: ["across"] },
    outcome: "profit",
    bridges: ["across", "across"],
  },
  {
    id: "by-cctp",
    title: "WETH rises on Base: sold there for USDC, which CCTP carries, bought on OP Mainnet, home by Across",
    gap: { sell: "USDC", ppm: 30_000 },
    buy: [BASE, ["uniswap-v2", "WETH", "USDC", 3000], "WETH", "USDC"],
    sell: [OPTIMISM, ["uniswap-v3", "WETH", "USDC", 500], "USDC", "WETH"],
    capital: 4n,
    outcome: "profit",
    bridges: ["cctp", "across"],
  },
  {
    id: "by-stargate",
    title: "USDC falls on Arbitrum One: bought with DAI, carried by Stargate, sold on Base, home by Across",
    gap: { sell: "USDC", ppm: 30_000 },
    buy: [ARBITRUM, ["sushiswap-v2", "USDC", "DAI", 3000], "DAI", "USDC"],
    sell: [BASE, ["uniswap-v3", "USDC", "DAI", 100], "USDC", "DAI"],
    capital: 5_000n,
    wish: { bridges: ["stargate", "across"] },
    // the cheapest of the two on this path; else Across would be
    prepare: async ({ counterparts }) => await counterparts.stargate.setFee(ARBITRUM, BASE, 50),
    outcome: "profit",
    bridges: ["stargate", "across"],
  },
  {
    id: "from-inventory",
    title:
      "USDC falls on Ethereum: bought there and sold on OP Mainnet at once from stock, then rebalanced by the cheapest bridges",
    gap: { sell: "USDC", ppm: 30_000 },
    buy: [ETHEREUM, ["sushiswap-v2", "USDC", "DAI", 3000], "DAI", "USDC"],
    sell: [OPTIMISM, ["uniswap-v3", "USDC", "DAI", 100], "USDC", "DAI"],
    capital: 8_000n,
    stock: 10_000n,
    wish: { mode: "inventory" },
    outcome: "profit",
    bridges: ["cctp", "across"],
  },
];

/** Alone, because it moves the clocks of all chains. */
const FAILING: Scene = {
  id: "bridge-fails",
  title:
    "WETH rises on Base; CCTP is paused, and Across' relayers never fill: refunded, then carried by CCTP, which is open again",
  gap: { sell: "USDC", ppm: 30_000 },
  buy: [BASE, ["uniswap-v2", "WETH", "USDC", 3000], "WETH", "USDC"],
  sell: [ARBITRUM, ["uniswap-v3", "WETH", "USDC", 500], "USDC", "WETH"],
  capital: 3n,
  wish: { bridges: ["across", "cctp"], returnToSource: false },
  prepare: async ({ counterparts }) => {
    counterparts.across.setScript(() => ({ fill: "never" }));
    await counterparts.cctp.pause(BASE, true);
  },
  meanwhile: async (desk) => {
    await desk.counterparts.cctp.pause(BASE, false);
    // past the deadline for fills
    await desk.pass(8_000);
  },
  outcome: "profit",
  bridges: ["across", "cctp"],
};

/** One trade of the demo: its report, and what is not as it should be. */
export interface CrossChainTrade {
  scene: string;
  report: SagaReport;
  /** Outcome or bridges that the scene is not about, and where chains and books differ. Empty where all is well. */
  faults: string[];
}

const RULES = { minProfit: { USDC: 10n ** 5n, DAI: 10n ** 17n, WETH: 10n ** 14n }, limits: {} };
const LOOK_MS = 100;

/** Plays all scenes on running chains, with sagas on the given database, and tells of each when it has ended. */
export async function playCrossChain(
  world: LocalWorld,
  { db, journal }: { db: Database; journal: Journal },
  note: (text: string) => void,
): Promise<CrossChainTrade[]> {
  const desk = await openCrossChainDesk(world);
  let executor: CrossChainExecutor | null = null;
  try {
    const casts: Cast[] = [];
    for (const scene of [...TOGETHER, FAILING]) casts.push(await cast(scene, desk));
    executor = await CrossChainExecutor.open({
      db,
      journal,
      networks: desk.networks(),
      wallets: casts.map((c) => c.wallet),
      bridges: desk.counterparts.bridges(),
      rules: { ...RULES, minimumCapital: { DAI: 5_000n * 10n ** 18n } },
      policy: { maxLoss: 0n, holdLimit: 0n, perToken: POLICY, holdSeconds: 3_600, timeCostPpb: 1_000n, tries: 2 },
      settings: DESK_SETTINGS,
      onFault: (error) => note(`will be tried again: ${error instanceof Error ? error.message : String(error)}`),
    });
    desk.counterparts.run();
    const running = executor;
    const failing = casts.pop()!;
    for (const { scene } of casts) {
      await scene.prepare?.(desk);
      await desk.move(scene.buy[0], scene.buy[1], scene.gap.sell, scene.gap.ppm);
    }
    const trades = await Promise.all(casts.map(async (c) => await play(c, desk, running, note)));
    await failing.scene.prepare?.(desk);
    await desk.move(failing.scene.buy[0], failing.scene.buy[1], failing.scene.gap.sell, failing.scene.gap.ppm);
    return [...trades, await play(failing, desk, running, note)];
  } finally {
    await executor?.close();
    await desk.close();
  }
}

/** Each profit token's share of trust, in its own units. */
const POLICY = {
  USDC: { maxLoss: 500n * 10n ** 6n, holdLimit: 10_000n * 10n ** 6n },
  DAI: { maxLoss: 500n * 10n ** 18n, holdLimit: 10_000n * 10n ** 18n },
  WETH: { maxLoss: 10n ** 17n, holdLimit: 5n * 10n ** 18n },
};

/** A scene with an account of its own, so that what changes there on the chains is the scene's alone. */
interface Cast {
  scene: Scene;
  wallet: WalletManager;
  opportunity: CrossChainOpportunity;
}

async function cast(scene: Scene, desk: CrossChainDesk): Promise<Cast> {
  const { id, buy, sell, capital, stock = 0n, wish } = scene;
  const amountOf = (leg: LegName, whole: bigint) => {
    const { decimals } = tokenOf(desk.world.chain(leg[0]).network, leg[2]);
    return whole * 10n ** BigInt(decimals);
  };
  const amountIn = amountOf(buy, capital);
  const { wallet } = await desk.account({
    [buy[0]]: { [buy[2]]: amountIn },
    [sell[0]]: stock > 0n ? { [sell[2]]: amountOf(sell, stock) } : {},
  });
  const legs = { buy: desk.leg(...buy), sell: desk.leg(...sell) };
  return { scene, wallet, opportunity: desk.opportunity({ id, ...legs, amountIn, ...wish }) };
}

async function play(
  { scene, wallet, opportunity }: Cast,
  desk: CrossChainDesk,
  executor: CrossChainExecutor,
  note: (text: string) => void,
): Promise<CrossChainTrade> {
  const { store } = executor.env;
  const before = await desk.balances(wallet.address);
  const handle = await executor.submit(opportunity, wallet.address);
  const ended = handle.getResult();
  if (scene.meanwhile) {
    let over = false;
    ended.then(
      () => (over = true),
      () => (over = true),
    );
    for (;;) {
      const flying = (await store.transfersOf(scene.id)).some((t) => t.startedAt !== null && t.ended === null);
      if (flying) await scene.meanwhile(desk);
      if (flying || over) break;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
  await ended;
  const report = await sagaReport(store, scene.id);
  const faults = unequal(before, await desk.balances(wallet.address), report.books);
  if (report.outcome !== scene.outcome) faults.push(`it ended as ${report.outcome}, not as ${scene.outcome}: ${report.reason}`);
  const went = report.transfers.map((t) => t.bridge).join(", ");
  if (went !== scene.bridges.join(", ")) faults.push(`it went by ${went}, not by ${scene.bridges.join(", ")}`);
  const { rows } = await store.db.pool.query(`select 1 from crosschain.reservation where saga = $1`, [scene.id]);
  if (rows.length > 0) faults.push("something is still reserved for it");
  note(scene.title);
  note(`  ${sentence(report, desk)}`);
  for (const fault of faults) note(`  FAULT: ${fault}`);
  return { scene: scene.title, report, faults };
}

function sentence(r: SagaReport, { world }: CrossChainDesk): string {
  const { network } = world.chain(r.fromChainId);
  const units = (amount: bigint) => formatTokenShort(network, r.profitToken, amount);
  const by = r.transfers.map((t) => `${t.bridge}${t.ended === "refunded" ? " (refunded)" : ""} ${(t.seconds ?? 0).toFixed(1)} s`);
  const chains = new Set(r.books.map((b) => b.chainId)).size;
  const net = r.net === null ? "no end" : `net ${units(r.net)}, expected ${units(r.expected)}`;
  return `${r.outcome}: ${units(r.amountIn)} in, ${net}; ${by.join(", ")}; books and balances of ${chains} chains compared`;
}
